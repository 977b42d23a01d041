"""Questions to a park that change nothing: statement, status, totals, verification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts import (
    Explanation,
    GwpSet,
    ParkTotals,
    Statement,
    books_of,
    entries_by_month,
    gwp_set,
    ledger_size,
    posted_through,
)
from lujin.accounts import statement as statements
from lujin.accounts.audit import verify as verify_ledger
from lujin.accounts.explain import explain as explain_line
from lujin.accounts.facts import COUNTS, completeness_as_of, park_as_of, reference_as_of
from lujin.accounts.period_facts import periods, verify_periods
from lujin.accounts.tables import period_event
from lujin.accounts.totals import packs_used, totals_of
from lujin.accounts.uncertainty_parts import Uncertainty
from lujin.accounts.uncertainty_statement import Drawing
from lujin.accounts.uncertainty_statement import uncertainty as uncertainty_of
from lujin.errors import N_, InputError, IntegrityError, Problem
from lujin.park import Park, from_snapshot
from lujin.park.calendar import month_grid, month_of
from lujin.readings import SCHEMA, Energy
from lujin.readings.sources import pending, sources
from lujin.reference import Reference, Row
from lujin.workspace.balance import settlements
from lujin.workspace.compute import energy_blocks
from lujin.workspace.event_heads import verify_events
from lujin.workspace.evidence import verify_heads
from lujin.workspace.ledger_months import ledger_month
from lujin.workspace.methods import methods
from lujin.workspace.progress import Progress
from lujin.workspace.replay import replay as replay_postings
from lujin.workspace.running import due_work

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace


def statement(
    workspace: Workspace, enterprise: str, month: int, book: str, as_of: datetime | None = None
) -> Statement:
    """As known on τ: also names, meters and GWP sets are those of then, so that it stays the same for ever."""
    with workspace.engine.connect() as connection:
        park, rows = workspace.park, None
        if as_of is not None:
            park = park_then(workspace, connection, as_of)
            rows = reference_as_of(connection, as_of)
            park = park if enterprise in park.nodes else workspace.park
        sets = gwp_sets(workspace, month, park, rows)
        found = statements.statement(connection, park, enterprise, month, book, as_of=as_of, gwp=sets)
    if found.recorded_at is None:
        return found
    settled = settlements(workspace, month, enterprise, found.recorded_at, park)
    if book != "embodied":
        return replace(found, settlements=settled)
    compared = methods(workspace, park, enterprise, month, found.recorded_at, sets.get(book))
    return replace(found, settlements=settled, methods=compared)


def uncertainties(
    workspace: Workspace,
    month: int,
    book: str | None,
    enterprise: str,
    as_of: datetime | None,
    draws: int,
    seed: int,
) -> tuple[Uncertainty, ...]:
    if book is not None and book not in CARBON:
        params = {"book": book, "known": ", ".join(CARBON)}
        raise InputError(Problem(N_("there is no carbon book {book}"), params, N_("use one of: {known}")))
    drawing = Drawing(draws, seed) if draws else None
    with workspace.engine.connect() as connection:
        park = workspace.park if as_of is None else park_then(workspace, connection, as_of)
        sets = gwp_sets(workspace, month, park, None if as_of is None else reference_as_of(connection, as_of))
        found = [
            uncertainty_of(
                connection,
                park,
                month,
                name,
                enterprise=enterprise,
                as_of=as_of,
                gwp=sets.get(name),
                drawing=drawing,
            )
            for name in ((book,) if book else CARBON)
        ]
    return tuple(one for one in found if one is not None)


CARBON = ("location", "market", "regulatory", "embodied")


def park_then(workspace: Workspace, connection: Connection, known: datetime) -> Park:
    """The park as it was described on τ; as it is described now if none was recorded then."""
    found = park_as_of(connection, known)
    if found is None or found[0] == workspace.park_digest:
        return workspace.park
    return from_snapshot(found[1])


def gwp_sets(
    workspace: Workspace, month: int, park: Park | None = None, rows: Sequence[Row] | None = None
) -> Mapping[str, GwpSet]:
    """The GWP set of each carbon book's pack: how its gases are shown as CO2e. ``None``: as they are now."""
    reference = Reference(rows or workspace.reference_rows)
    on = date(month // 100, month % 100, 1)
    packs = books_of(park or workspace.park)
    return {book: gwp_set(reference, pack.gwp, on) for book, pack in packs.items() if pack.gwp}


def months(workspace: Workspace) -> tuple[int, ...]:
    with workspace.engine.connect() as connection:
        return tuple(sorted(entries_by_month(connection)))


@dataclass(frozen=True, slots=True)
class MonthStatus:
    """``waiting``: enterprises whose facts are newer than their postings; in a month that was closed they wait for
    a restatement. ``period``: open, closed, verified or restated.
    """

    month: int
    period: str
    posted: int
    waiting: int
    entries: int
    expected: int
    measured: int
    estimated: int
    missing: int
    suspect: int
    recorded_at: datetime | None

    @property
    def completeness(self) -> float | None:
        return self.measured / self.expected if self.expected else None


@dataclass(frozen=True, slots=True)
class Status:
    months: tuple[MonthStatus, ...]
    unfinished_imports: int

    def as_dict(self) -> dict[str, Any]:
        names = MonthStatus.__dataclass_fields__
        return {
            "unfinished_imports": self.unfinished_imports,
            "months": [
                {**{name: getattr(m, name) for name in names}, "completeness": m.completeness} for m in self.months
            ],
        }


def status(workspace: Workspace) -> Status:
    with workspace.engine.connect() as connection:
        posted = posted_through(connection)
        entries = entries_by_month(connection)
        known = completeness_as_of(connection, posted["month"].unique().to_list())
        closed = periods(connection)
    due = due_work(workspace)
    waiting = {item.month: len(item.reasons) for item in due.work}
    waiting |= {item.month: len(item.reasons) for item in due.held}
    done = dict(posted.group_by("month").len().iter_rows())
    slots = {row["month"]: row for row in known.group_by("month").agg(pl.col(COUNTS).sum()).iter_rows(named=True)}
    months = []
    for month in sorted(done.keys() | waiting.keys()):
        count = slots.get(month, dict.fromkeys(COUNTS, 0))
        number, last = entries.get(month, (0, None))
        months.append(
            MonthStatus(
                month=month,
                period=closed[month].state if month in closed else "open",
                posted=done.get(month, 0),
                waiting=waiting.get(month, 0),
                entries=number,
                expected=count["expected"],
                measured=count["measured"] + count["interpolated"],
                estimated=count["estimated"],
                missing=count["missing"],
                suspect=count["suspect"],
                recorded_at=last,
            )
        )
    return Status(tuple(months), len(pending(workspace.engine)))


def totals(workspace: Workspace) -> ParkTotals:
    """What the whole ledger holds."""
    with workspace.engine.connect() as connection:
        months = list(entries_by_month(connection))
        used = packs_used(connection)
    sets = gwp_sets(workspace, max(months, default=202501))
    columns = ("book", "debit", "credit", "commodity", "quality", "amount")
    frames = [ledger_month(workspace, month).sums.select(columns) for month in months]
    if not frames:
        return totals_of(workspace.park, (), sets, 0, 0, used)
    sums = pl.concat(frames).group_by(columns[:-1], maintain_order=True).agg(pl.col("amount").sum())
    return totals_of(workspace.park, sums.iter_rows(), sets, min(months), max(months), used)


def verify(workspace: Workspace, *, replay: bool, progress: Progress) -> dict[str, int]:
    """Raises IntegrityError with all that does not hold. Returns how many entries, lines, heads, periods do."""
    with workspace.engine.connect() as connection:
        problems = verify_ledger(connection)
        found, heads = verify_heads(connection)
        done = verify_events(connection, workspace)
        problems += [*found, *done, *([] if done else verify_periods(connection))]
        events = int(connection.execute(sa.select(sa.func.count()).select_from(period_event)).scalar_one())
        size = {**ledger_size(connection), "heads": heads, "period_events": events}
    if replay and not problems:
        problems = replay_postings(workspace, progress)
    if problems:
        raise IntegrityError(*problems)
    return size


@dataclass(frozen=True)
class _Behind:
    """What explain asks of readings: interval energy and every version of the readings of some meters."""

    workspace: Workspace

    def energy(self, month: int, meters: Sequence[str]) -> Energy:
        workspace, keys = self.workspace, self.workspace.meter_keys()
        grid = month_grid(month, workspace.park.timezone)
        until = int(workspace.clock().timestamp())
        blocks = [e for e, _ in energy_blocks(workspace.park, workspace.store, keys, meters, grid, until)]
        return Energy(
            grid,
            tuple(m for block in blocks for m in block.meters),
            np.concatenate([block.amount for block in blocks]),
            np.concatenate([block.flags for block in blocks]),
            tuple(event for block in blocks for event in block.events),
        )

    def history(self, meters: Sequence[str], start: datetime, end: datetime) -> pl.DataFrame:
        workspace, keys = self.workspace, self.workspace.meter_keys()
        zone = workspace.park.timezone
        names = pl.DataFrame(
            {"meter": list(keys.values()), "id": list(keys)}, schema={"meter": pl.Int32, "id": pl.String}
        )
        wanted = [keys[m] for m in meters if m in keys]
        months = [m for m in workspace.store.months() if month_of(start, zone) <= m <= month_of(end, zone)]
        frames = [workspace.store.history(m, wanted) for m in months]
        found = pl.concat(frames) if frames else pl.DataFrame(schema=SCHEMA)
        files = {s.number: s.name for s in sources(workspace.engine, found["source"].unique().to_list())}
        return (
            found.filter(pl.col("time").is_between(start, end))
            .join(names, on="meter")
            .with_columns(pl.col("source").replace_strict(files, default="", return_dtype=pl.String).alias("file"))
            .drop("meter")
            .rename({"id": "meter"})
        )


def explain(workspace: Workspace, reference: str) -> Explanation:
    with workspace.engine.connect() as connection:
        return explain_line(connection, workspace.park, reference, _Behind(workspace))
