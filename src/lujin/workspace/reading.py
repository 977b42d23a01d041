"""Questions to a park that change nothing: statement, status, totals, verification."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import sqlalchemy as sa

from lujin.accounts import sections
from lujin.accounts import statement as statements
from lujin.accounts.amounts import Amount, GwpSet, gwp_set
from lujin.accounts.audit import verify as verify_ledger
from lujin.accounts.explain import explain as explain_line
from lujin.accounts.explanation import Explanation
from lujin.accounts.facts import COUNTS, completeness_as_of
from lujin.accounts.ledger import posted_through
from lujin.accounts.posting import books_of
from lujin.accounts.statement import Statement
from lujin.accounts.tables import entry, line, line_key
from lujin.errors import IntegrityError
from lujin.park import digests
from lujin.park.calendar import month_grid, month_of
from lujin.readings.energy import Energy
from lujin.readings.sources import pending, sources, touched_since
from lujin.readings.versions import SCHEMA
from lujin.reference import Reference
from lujin.workspace.compute import energy_blocks
from lujin.workspace.plan import plan
from lujin.workspace.progress import Progress
from lujin.workspace.replay import replay as replay_postings

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace


def statement(
    workspace: Workspace, enterprise: str, month: int, book: str, as_of: datetime | None = None
) -> Statement:
    sets = gwp_sets(workspace, month)
    with workspace.engine.connect() as connection:
        return statements.statement(connection, workspace.park, enterprise, month, book, as_of=as_of, gwp=sets)


def gwp_sets(workspace: Workspace, month: int) -> Mapping[str, GwpSet]:
    """The GWP set of each carbon book's pack: how its gases are shown as CO2e."""
    reference = Reference(workspace.reference_rows)
    on = date(month // 100, month % 100, 1)
    packs = books_of(workspace.park)
    return {book: gwp_set(reference, pack.gwp, on) for book, pack in packs.items() if pack.gwp}


@dataclass(frozen=True, slots=True)
class MonthStatus:
    """``waiting``: enterprises whose facts are newer than their postings."""

    month: int
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
        counted = (
            sa.select(entry.c.month, sa.func.count(), sa.func.max(entry.c.recorded_at))
            .group_by(entry.c.month)
            .order_by(entry.c.month)
        )
        entries = {month: (count, last) for month, count, last in connection.execute(counted)}
        known = completeness_as_of(connection, posted["month"].unique().to_list())
    touched = touched_since(workspace.engine, 0)
    ids = {key: name for name, key in workspace.meter_keys().items()}
    waiting = {
        item.month: len(item.reasons)
        for item in plan(workspace.park, digests(workspace.park), touched, posted, ids)
    }
    done = dict(posted.group_by("month").len().iter_rows())
    slots = {row["month"]: row for row in known.group_by("month").agg(pl.col(COUNTS).sum()).iter_rows(named=True)}
    months = []
    for month in sorted(done.keys() | waiting.keys()):
        count = slots.get(month, dict.fromkeys(COUNTS, 0))
        number, last = entries.get(month, (0, None))
        months.append(
            MonthStatus(
                month=month,
                posted=done.get(month, 0),
                waiting=waiting.get(month, 0),
                entries=number,
                expected=count["expected"],
                measured=count["measured"] + count["interpolated"],
                estimated=count["estimated"],
                missing=count["missing"],
                suspect=count["suspect"],
                recorded_at=_instant(last),
            )
        )
    return Status(tuple(months), len(pending(workspace.engine)))


def _instant(value: object) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class ParkTotals:
    """Sums over all enterprise accounts, before in-park transfers are eliminated.

    ``energy``: carrier → bought from outside the fence or generated inside. ``carbon``: (book, scope) → CO2e.
    """

    first: int
    last: int
    energy: Mapping[str, Amount]
    generated: Amount
    coal_equivalent: Amount
    coal_equal: Amount
    cost: Amount
    carbon: Mapping[tuple[str, str], Amount]
    estimated_electricity: Amount

    def as_dict(self) -> dict[str, Any]:
        return {
            "first": self.first,
            "last": self.last,
            "energy": {name: amount.as_dict() for name, amount in self.energy.items()},
            "generated": self.generated.as_dict(),
            "coal_equivalent": self.coal_equivalent.as_dict(),
            "coal_equal": self.coal_equal.as_dict(),
            "cost": self.cost.as_dict(),
            "carbon": {f"{book}/{scope}": amount.as_dict() for (book, scope), amount in self.carbon.items()},
            "estimated_electricity": self.estimated_electricity.as_dict(),
        }


def park_totals(workspace: Workspace) -> ParkTotals:
    """What the whole ledger holds."""
    sums = sa.select(entry.c.book, line.c.key, sa.func.sum(line.c.amount).label("amount")).join(
        line, line.c.entry == entry.c.number
    )
    grouped = sums.group_by(entry.c.book, line.c.key).subquery()
    columns = (line_key.c.debit, line_key.c.credit, line_key.c.commodity, line_key.c.quality)
    select = sa.select(grouped.c.book, *columns, grouped.c.amount).join(line_key, line_key.c.id == grouped.c.key)
    months = sa.select(sa.func.min(entry.c.month), sa.func.max(entry.c.month))
    with workspace.engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(select)]
        first, last = connection.execute(months).one()
    park = workspace.park
    energy: dict[str, int] = defaultdict(int)
    others: dict[str, int] = defaultdict(int)
    gases: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for book, debit, credit, commodity, quality, amount in rows:
        amount = int(amount)
        to, (origin, party) = debit.split("/")[1], credit.split("/")[1:3]
        if book != "physical":
            for scope, signed in ((to, amount), (origin, -amount)):
                if scope in ("S1", "S2"):
                    gases[book, scope][commodity] += signed
        elif commodity in ("ce_equivalent", "ce_equal", "CNY"):
            own = "COST" if commodity == "CNY" else "OWN"
            others[commodity] += amount * ((to == own) - (origin == own))
        elif origin == "EXT" and party in park.nodes and not park.owner(party):
            energy[commodity] += amount
            others["estimated"] += amount if commodity == "electricity" and quality == "estimated" else 0
        elif origin == "GEN" and commodity == "electricity":
            others["generated"] += amount
    sets = gwp_sets(workspace, last or 202501)
    return ParkTotals(
        first=first or 0,
        last=last or 0,
        energy={name: sections.shown(park, amount, name) for name, amount in sorted(energy.items())},
        generated=Amount(others["generated"], "Wh"),
        coal_equivalent=Amount(others["ce_equivalent"], "mgce"),
        coal_equal=Amount(others["ce_equal"], "mgce"),
        cost=Amount(others["CNY"], "0.01 CNY"),
        carbon={key: sets[key[0]].co2e(amounts) for key, amounts in sorted(gases.items()) if key[0] in sets},
        estimated_electricity=Amount(others["estimated"], "Wh"),
    )


def verify(workspace: Workspace, *, replay: bool, progress: Progress) -> dict[str, int]:
    """Raises IntegrityError with every entry that does not hold. Returns how many entries and lines do."""
    with workspace.engine.connect() as connection:
        problems = verify_ledger(connection)
        entries = connection.execute(sa.select(sa.func.count()).select_from(entry)).scalar_one()
        lines = connection.execute(sa.select(sa.func.count()).select_from(line)).scalar_one()
    if replay and not problems:
        problems = replay_postings(workspace, progress)
    if problems:
        raise IntegrityError(*problems)
    return {"entries": entries, "lines": lines}


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
