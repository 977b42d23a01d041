"""From facts to postings: each touched month is computed again from its readings, and the difference posted."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
from sqlalchemy.engine import Connection

from lujin.accounts import (
    MonthLines,
    carried,
    matches_by_year,
    may_hold,
    month_lines,
    post,
    posted_through,
    year_to_date,
)
from lujin.accounts.facts import (
    PinnedResolve,
    park_as_of,
    record_charges,
    record_completeness,
    record_park,
    record_reference,
    reference_changed_at,
)
from lujin.accounts.period_facts import periods, posted_since
from lujin.accounts.periods import Period, PeriodEvent
from lujin.database import writing
from lujin.errors import N_, InputError, Problem, Translate, as_written
from lujin.park import digests, dumps
from lujin.park.calendar import month_grid, next_month
from lujin.readings import Event
from lujin.readings.sources import last_committed, sources, touched_since
from lujin.reference import Reference
from lujin.workspace.arriving import recover
from lujin.workspace.compute import MonthEnergy, input_digests, month_energy
from lujin.workspace.evidence import daily_head
from lujin.workspace.plan import Held, Work, arrivals_since, counted, meters_of_enterprises, plan, with_joined
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
    digests: Mapping[str, str]  # of the part of the park that each enterprise stands on


def run(workspace: Workspace, month: int | None = None, *, progress: Progress = silent) -> RunReport:
    """Post every month and enterprise whose facts are newer than its postings. Months that were closed wait."""
    started = time.perf_counter()
    with workspace.writing("run"):
        recover(workspace)
        now = workspace.now()
        reference = record_facts(workspace, now)
        due = due_work(workspace, month)
        closed = due.periods.keys()
        reports, waits = post_all(workspace, due.work, reference, due.digests, now, progress, closed=closed)
        held = due_work(workspace, month).held if waits else due.held
        notices = daily_head(workspace, now)
    return RunReport(reports, time.perf_counter() - started, now, held, notices=notices)


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
    waiting = {item.month: item.reasons for item in work if item.month in closed}
    for at in closed if month is None else closed.keys() & {month}:
        if again := _carried_anew(workspace, posted, at):
            waiting[at] = {**again, **waiting.get(at, {})}
    held = tuple(
        Held(at, closed[at].state, reasons, arrivals_since(workspace.park, touched, posted, ids, at))
        for at, reasons in sorted(waiting.items())
    )
    return Due([item for item in work if item.month not in closed], held, posted, closed, digests)


def _carried_anew(workspace: Workspace, posted: pl.DataFrame, month: int) -> dict[str, str]:
    """Enterprises of a closed month to which an earlier month now carries over something else than when they were
    posted: work in progress and stocks of book ``embodied``, and in December, where claims are matched by year,
    what the year used and holds at the residual mix.
    """
    park, own = workspace.park, posted.filter(pl.col("month") == month)
    if own.is_empty():
        return {}
    names, then = own["enterprise"].to_list(), own["recorded_at"].max()
    assert isinstance(then, datetime)
    again: dict[str, str] = {}
    with workspace.engine.connect() as connection:
        if "embodied" in park.packs and posted_since(connection, "embodied", month, then):
            holders = may_hold(park, names)
            before, now = carried(connection, month, holders, as_of=then), carried(connection, month, holders)
            again = {e: "carried" for e in holders if before.get(e) != now.get(e)}
        if posted_since(connection, "market", month, then):
            year = [year_to_date(connection, park, month, names, known) for known in (then, None)]
            again |= {e: "carried" for e in names if year[0].get(e) != year[1].get(e)}
    return with_joined(park, again, names)


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


def post_all(
    workspace: Workspace,
    work: Sequence[Work],
    reference: Reference,
    digests: Mapping[str, str],
    now: datetime,
    progress: Progress,
    *,
    renew: frozenset[int] = frozenset(),
    closed: Collection[int] = (),
    sealing: Callable[[int], Seal | None] | None = None,
) -> tuple[tuple[MonthReport, ...], bool]:
    """Post months in order of time: what a month carries over may change the next one posted.

    Returns with the reports whether a change reached one of the ``closed`` months, where it waits.
    """
    waits = False
    known = last_committed(workspace.engine)
    waiting = {item.month: item for item in work}
    reports: list[MonthReport] = []
    while waiting:
        progress(N_("posting months"), len(reports), len(reports) + len(waiting))
        item = waiting.pop(min(waiting))
        seal = sealing(item.month) if sealing else None
        report, moved = post_month(
            workspace, item, reference, digests, known, now, renew=item.month in renew, seal=seal
        )
        reports.append(report)
        if moved:
            reasons = {name: item.reasons[name] for name in item.enterprises if name in moved}
            waits |= _extend(workspace, waiting, item.month, reasons, closed)
        if report.entries and matches_by_year(workspace.park):
            waits |= _settle_year(workspace, waiting, item, closed)
    if work:
        progress(N_("posting months"), len(reports), len(reports))
    return tuple(reports), waits


def _extend(
    workspace: Workspace, waiting: dict[int, Work], month: int, reasons: Mapping[str, str], closed: Collection[int]
) -> bool:
    """Those whose carried-over balances changed are posted again in the next month in which they are posted.

    Whether that month was closed, so that they wait there.
    """
    with workspace.engine.connect() as connection:
        posted = posted_through(connection).filter(pl.col("month") > month)
    later = posted.filter(pl.col("enterprise").is_in(list(reasons)))
    if later.is_empty():
        return False
    at = int(str(later["month"].min()))
    if at in closed:
        return True
    known = posted.filter(pl.col("month") == at)["enterprise"].to_list()
    again = with_joined(workspace.park, {e: r for e, r in reasons.items() if e in known}, known)
    waiting[at] = Work(at, {**again, **(waiting[at].reasons if at in waiting else {})})
    return False


def _settle_year(workspace: Workspace, waiting: dict[int, Work], item: Work, closed: Collection[int]) -> bool:
    """December, where it is posted, settles the year anew after an earlier month of it changed.

    Whether December was closed, so that it waits there.
    """
    december = item.month // 100 * 100 + 12
    with workspace.engine.connect() as connection:
        posted = posted_through(connection).filter(pl.col("month") == december)["enterprise"].to_list()
    reasons = {e: "late_reading" if why == "initial" else why for e, why in item.reasons.items() if e in posted}
    if item.month == december or not reasons:
        return False
    if december in closed:
        return True
    known = with_joined(workspace.park, reasons, posted)
    waiting[december] = Work(december, {**known, **(waiting[december].reasons if december in waiting else {})})
    return False


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
) -> tuple[MonthReport, frozenset[str]]:
    """Compute one month for some enterprises and post it, in one transaction; ``seal`` is called last in it.

    Returns with the report the enterprises whose balances carried over to the next month changed.
    """
    if workspace.store.fragments(work.month) > FRAGMENTS:
        workspace.store.compact(work.month)
    energy = energy_of(workspace, work.month, work.enterprises, now)
    holders, after = may_hold(workspace.park, work.enterprises), next_month(work.month)
    if "embodied" not in workspace.park.packs:
        holders = frozenset()
    with writing(workspace.engine) as connection:
        before = carried(connection, after, holders, since=work.month)
        resolve = PinnedResolve.for_month(connection, work.month, reference, restate=renew)
        opening = carried(connection, work.month, holders)
        year = year_to_date(connection, workspace.park, work.month, work.enterprises)
        lines = month_lines(workspace.park, energy.subjects, resolve, work.enterprises, opening, year=year)
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
            lacking=lines.lacking,
        )
        resolve.record(connection, work.month, now)
        record_completeness(connection, work.month, energy.completeness, known, now)
        record_charges(connection, work.month, work.enterprises, lines.charges, known, now)
        now_carried = carried(connection, after, holders, since=work.month)
        if seal is not None:
            seal(connection, resolve)
    moved = frozenset(e for e in holders if before.get(e) != now_carried.get(e))
    return _report(work, energy, lines, len(entries)), moved


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
