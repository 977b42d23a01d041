"""From facts to postings: each touched month is computed again from its readings, and the difference posted."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
from sqlalchemy.engine import Connection

from lujin.accounts import MonthLines, month_lines, post, posted_through
from lujin.accounts.facts import (
    PinnedResolve,
    park_as_of,
    record_charges,
    record_completeness,
    record_park,
    record_reference,
    reference_changed_at,
)
from lujin.accounts.period_facts import periods
from lujin.accounts.periods import Period, PeriodEvent
from lujin.database import writing
from lujin.errors import N_, InputError, Problem, Translate, as_written
from lujin.park import digests, dumps
from lujin.park.calendar import month_grid
from lujin.readings import Event
from lujin.readings.sources import last_committed, sources, touched_since
from lujin.reference import Reference
from lujin.workspace.compute import MonthEnergy, input_digests, month_energy
from lujin.workspace.evidence import daily_head
from lujin.workspace.importing import recover
from lujin.workspace.plan import Held, Work, arrivals_since, counted, meters_of_enterprises, plan
from lujin.workspace.progress import Progress, silent

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace


FRAGMENTS = 24  # files of a month before it is compacted
Seal = Callable[[Connection, PinnedResolve], None]  # called last in the transaction of a month


@dataclass(frozen=True, eq=False)
class MonthReport:
    """What a run did to one month. ``reasons``: how many enterprises were posted for which reason."""

    month: int
    reasons: Mapping[str, int]
    enterprises: int
    meters: int
    readings: int
    entries: int
    expected: int
    estimated: int
    missing: int
    suspect: int
    events: tuple[Event, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def completeness(self) -> float | None:
        """Part of the expected slots for which a reading stands, 0 to 1; None if none is expected."""
        return None if not self.expected else 1 - (self.estimated + self.missing) / self.expected

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        names = ("month", "enterprises", "meters", "readings", "entries", "expected", "estimated", "missing")
        return {
            **{name: getattr(self, name) for name in names},
            "suspect": self.suspect,
            "completeness": self.completeness,
            "reasons": dict(self.reasons),
            "events": len(self.events),
            "problems": [p.as_dict(translate) for p in self.problems],
        }


@dataclass(frozen=True, eq=False)
class RunReport:
    """``held``: months that were closed once, with what waits there for a restatement. ``restated``: those whose
    accounts a restatement moved. ``notices``: problems that belong to no month.
    """

    months: tuple[MonthReport, ...] = ()
    seconds: float = 0.0
    recorded_at: datetime = field(default_factory=lambda: datetime.fromtimestamp(0, UTC))
    held: tuple[Held, ...] = ()
    restated: tuple[PeriodEvent, ...] = ()
    notices: tuple[Problem, ...] = ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Problems of all months, each sentence once."""
        found = [*self.notices, *(p for month in self.months for p in month.problems)]
        return tuple({p.text(): p for p in found}.values())

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        return {
            "recorded_at": self.recorded_at.isoformat(),
            "seconds": round(self.seconds, 3),
            "readings": sum(m.readings for m in self.months),
            "entries": sum(m.entries for m in self.months),
            "months": [m.as_dict(translate) for m in self.months],
            "held": [held.as_dict() for held in self.held],
            "restated": [event.as_dict() for event in self.restated],
            "notices": [p.as_dict(translate) for p in self.notices],
        }


@dataclass(frozen=True, eq=False)
class Due:
    """What is to be posted now and what it rests on."""

    work: list[Work]
    held: tuple[Held, ...]
    posted: pl.DataFrame
    periods: Mapping[int, Period]  # months that were closed once


def run(workspace: Workspace, month: int | None = None, *, progress: Progress = silent) -> RunReport:
    """Post every month and enterprise whose facts are newer than its postings. Months that were closed wait."""
    started = time.perf_counter()
    with workspace.writing("run"):
        recover(workspace)
        now = workspace.now()
        reference = record_facts(workspace, now)
        due = due_work(workspace, month)
        digests = enterprise_digests(workspace)
        reports = _post_all(workspace, due.work, reference, digests, now, progress, renew=False)
        notices = daily_head(workspace, now)
    return RunReport(reports, time.perf_counter() - started, now, due.held, notices=notices)


def due_work(workspace: Workspace, month: int | None = None) -> Due:
    """What ``run`` would post, and what it would hold back."""
    with workspace.engine.connect() as connection:
        posted = posted_through(connection)
        supplied = _supplied(posted, reference_changed_at(connection))
        closed = periods(connection)
    touched = touched_since(workspace.engine, 0)
    ids = {key: name for name, key in workspace.meter_keys().items()}
    corrections = _corrections(workspace, touched)
    digests = enterprise_digests(workspace)
    work = plan(workspace.park, digests, touched, posted, ids, corrections, supplied, month)
    held = tuple(
        Held(
            item.month,
            closed[item.month].state,
            item.reasons,
            arrivals_since(workspace.park, touched, posted, ids, item.month),
        )
        for item in work
        if item.month in closed
    )
    return Due([item for item in work if item.month not in closed], held, posted, closed)


def enterprise_digests(workspace: Workspace) -> dict[str, str]:
    return dict(digests(workspace.park))


def record_facts(workspace: Workspace, now: datetime) -> Reference:
    """The park and the reference as they are in the files become facts known from ``now`` on."""
    rows = workspace.reference_rows
    with writing(workspace.engine) as connection:
        newest = park_as_of(connection)
        if newest is None or newest[0] != workspace.park_digest:
            record_park(connection, dumps(workspace.park), workspace.park_digest, now)
        record_reference(connection, rows, now)
    return Reference(rows)


def _supplied(posted: pl.DataFrame, changed: datetime | None) -> frozenset[tuple[int, str]]:
    """Postings that lacked a factor, where the reference has changed since."""
    if changed is None:
        return frozenset()
    again = posted.filter(pl.col("lacking") & (pl.col("recorded_at") < changed))
    return frozenset(again.select("month", "enterprise").iter_rows())


def _corrections(workspace: Workspace, touched: pl.DataFrame) -> frozenset[int]:
    arrived = sources(workspace.engine, touched["source"].unique().to_list())
    return frozenset(s.number for s in arrived if s.counts.get("corrects"))


def posted_in(posted: pl.DataFrame, month: int) -> list[str]:
    found: list[str] = posted.filter(pl.col("month") == month)["enterprise"].to_list()
    if not found:
        raise InputError(
            Problem(
                N_("{month} is not posted"),
                {"month": month},
                N_("post it first with: lujin run; see lujin status for what is posted"),
            )
        )
    return found


def _post_all(
    workspace: Workspace,
    work: Sequence[Work],
    reference: Reference,
    digests: Mapping[str, str],
    now: datetime,
    progress: Progress,
    *,
    renew: bool,
) -> tuple[MonthReport, ...]:
    known = last_committed(workspace.engine)
    reports = []
    for done, item in enumerate(work):
        progress(N_("posting months"), done, len(work))
        reports.append(post_month(workspace, item, reference, digests, known, now, renew=renew))
    if work:
        progress(N_("posting months"), len(work), len(work))
    return tuple(reports)


def post_month(
    workspace: Workspace,
    work: Work,
    reference: Reference,
    digests: Mapping[str, str],
    known: int,
    now: datetime,
    *,
    renew: bool,
    seal: Seal | None = None,
) -> MonthReport:
    """Compute one month for some enterprises and post it, in one transaction."""
    if workspace.store.fragments(work.month) > FRAGMENTS:
        workspace.store.compact(work.month)
    energy = energy_of(workspace, work.month, work.enterprises, now)
    with writing(workspace.engine) as connection:
        resolve = PinnedResolve.for_month(connection, work.month, reference, restate=renew)
        lines = month_lines(workspace.park, energy.subjects, resolve, work.enterprises)
        entries = post(
            connection,
            work.month,
            lines.lines,
            enterprises=work.enterprises,
            recorded_at=now,
            source=known,
            reason=work.reasons,
            packs=lines.packs,
            park_digest={e: digests.get(e, "") for e in work.enterprises},
            input_digest=input_digests(energy.subjects, workspace.park, work.enterprises),
            choices_digest=resolve.digest(),
            lacking=any(p.severity == "error" for p in lines.problems),
        )
        resolve.record(connection, work.month, now)
        record_completeness(connection, work.month, energy.completeness, known, now)
        record_charges(connection, work.month, work.enterprises, lines.charges, known, now)
        if seal is not None:
            seal(connection, resolve)
    return _report(work, energy, lines, len(entries))


def energy_of(
    workspace: Workspace, month: int, enterprises: Collection[str], until: datetime, as_of: datetime | None = None
) -> MonthEnergy:
    park = workspace.park
    meters = meters_of_enterprises(park, enterprises)
    grid = month_grid(month, park.timezone)
    keys = workspace.meter_keys()
    return month_energy(park, workspace.store, keys, meters, grid, int(until.timestamp()), as_of)


def _report(work: Work, energy: MonthEnergy, lines: MonthLines, entries: int) -> MonthReport:
    counts = energy.completeness

    def slots(name: str) -> int:
        return int(counts[name].sum()) if counts.height else 0

    return MonthReport(
        month=work.month,
        reasons=counted(work.reasons),
        enterprises=len(work.reasons),
        meters=counts.height,
        readings=energy.readings,
        entries=entries,
        expected=slots("expected"),
        estimated=slots("estimated"),
        missing=slots("missing"),
        suspect=slots("suspect"),
        events=energy.events,
        problems=tuple(lines.problems),
    )
