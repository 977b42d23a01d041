"""From facts to postings: each touched month is computed again from its readings, and the difference posted."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

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
from lujin.database import writing
from lujin.errors import N_, InputError, Problem, Translate, as_written
from lujin.park import digests, dumps
from lujin.park.calendar import month_grid, next_month
from lujin.readings import Event
from lujin.readings.sources import last_committed, sources, touched_since
from lujin.reference import Reference
from lujin.workspace.compute import MonthEnergy, input_digests, month_energy
from lujin.workspace.importing import recover
from lujin.workspace.plan import Work, meters_of_enterprises, plan, with_joined
from lujin.workspace.progress import Progress, silent

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace


FRAGMENTS = 24  # files of a month before it is compacted


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
    months: tuple[MonthReport, ...] = ()
    seconds: float = 0.0
    recorded_at: datetime = field(default_factory=lambda: datetime.fromtimestamp(0, UTC))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Problems of all months, each sentence once."""
        return tuple({p.text(): p for month in self.months for p in month.problems}.values())

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        return {
            "recorded_at": self.recorded_at.isoformat(),
            "seconds": round(self.seconds, 3),
            "readings": sum(m.readings for m in self.months),
            "entries": sum(m.entries for m in self.months),
            "months": [m.as_dict(translate) for m in self.months],
        }


def run(workspace: Workspace, month: int | None = None, *, progress: Progress = silent) -> RunReport:
    """Post every month and enterprise whose facts are newer than its postings."""
    started = time.perf_counter()
    with workspace.writing("run"):
        recover(workspace)
        now = workspace.now()
        reference = _record_facts(workspace, now)
        digests = enterprise_digests(workspace)
        with workspace.engine.connect() as connection:
            posted = posted_through(connection)
            supplied = _supplied(posted, reference_changed_at(connection))
        touched = touched_since(workspace.engine, 0)
        ids = {key: name for name, key in workspace.meter_keys().items()}
        work = plan(
            workspace.park, digests, touched, posted, ids, _corrections(workspace, touched), supplied, month
        )
        reports = _post_all(workspace, work, reference, digests, now, progress)
    return RunReport(reports, time.perf_counter() - started, now)


def restate(workspace: Workspace, months: Sequence[int], *, progress: Progress = silent) -> RunReport:
    """Resolve the factors of posted months anew, and post the difference with the reason ``restatement``.

    Whole months: the choice of factors belongs to the month, so that no later posting mixes two of them.
    """
    started = time.perf_counter()
    with workspace.writing("restate"):
        recover(workspace)
        now = workspace.now()
        reference = _record_facts(workspace, now)
        with workspace.engine.connect() as connection:
            posted = posted_through(connection)
        work = [Work(m, dict.fromkeys(_posted_in(posted, m), "restatement")) for m in sorted(months)]
        digests = enterprise_digests(workspace)
        renew = frozenset(months)
        reports = _post_all(workspace, work, reference, digests, now, progress, renew=renew)
    return RunReport(reports, time.perf_counter() - started, now)


def enterprise_digests(workspace: Workspace) -> dict[str, str]:
    return dict(digests(workspace.park))


def _record_facts(workspace: Workspace, now: datetime) -> Reference:
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


def _posted_in(posted: pl.DataFrame, month: int) -> list[str]:
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
    renew: frozenset[int] = frozenset(),
) -> tuple[MonthReport, ...]:
    """Post months in order of time: what a month carries over may change the next one posted."""
    known = last_committed(workspace.engine)
    waiting = {item.month: item for item in work}
    reports: list[MonthReport] = []
    while waiting:
        progress(N_("posting months"), len(reports), len(reports) + len(waiting))
        item = waiting.pop(min(waiting))
        report, moved = post_month(workspace, item, reference, digests, known, now, renew=item.month in renew)
        reports.append(report)
        if moved:
            reasons = {name: item.reasons[name] for name in item.enterprises if name in moved}
            _extend(workspace, waiting, item.month, reasons)
        if report.entries and matches_by_year(workspace.park):
            _settle_year(workspace, waiting, item)
    if work:
        progress(N_("posting months"), len(reports), len(reports))
    return tuple(reports)


def _extend(workspace: Workspace, waiting: dict[int, Work], month: int, reasons: Mapping[str, str]) -> None:
    """Those whose carried-over balances changed are posted again in the next month in which they are posted."""
    with workspace.engine.connect() as connection:
        posted = posted_through(connection).filter(pl.col("month") > month)
    later = posted.filter(pl.col("enterprise").is_in(list(reasons)))
    if later.is_empty():
        return
    at = int(str(later["month"].min()))
    known = posted.filter(pl.col("month") == at)["enterprise"].to_list()
    again = with_joined(workspace.park, {e: r for e, r in reasons.items() if e in known}, known)
    waiting[at] = Work(at, {**again, **(waiting[at].reasons if at in waiting else {})})


def _settle_year(workspace: Workspace, waiting: dict[int, Work], item: Work) -> None:
    """December, where it is posted, settles the year anew after an earlier month of it changed."""
    december = item.month // 100 * 100 + 12
    if item.month == december:
        return
    with workspace.engine.connect() as connection:
        posted = posted_through(connection).filter(pl.col("month") == december)["enterprise"].to_list()
    reasons = {e: "late_reading" if why == "initial" else why for e, why in item.reasons.items() if e in posted}
    if reasons:
        known = with_joined(workspace.park, reasons, posted)
        waiting[december] = Work(december, {**known, **(waiting[december].reasons if december in waiting else {})})


def post_month(
    workspace: Workspace,
    work: Work,
    reference: Reference,
    digests: Mapping[str, str],
    known: int,
    now: datetime,
    *,
    renew: bool,
) -> tuple[MonthReport, frozenset[str]]:
    """Compute one month for some enterprises and post it, in one transaction.

    Returns with the report the enterprises whose balances carried over to the next month changed.
    """
    if workspace.store.fragments(work.month) > FRAGMENTS:
        workspace.store.compact(work.month)
    energy = energy_of(workspace, work.month, work.enterprises, now)
    holders, after = may_hold(workspace.park, work.enterprises), next_month(work.month)
    if "embodied" not in workspace.park.packs:
        holders = frozenset()
    with writing(workspace.engine) as connection:
        before = carried(connection, after, holders)
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
        now_carried = carried(connection, after, holders)
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
    reasons = list(work.reasons.values())

    def slots(name: str) -> int:
        return int(counts[name].sum()) if counts.height else 0

    return MonthReport(
        month=work.month,
        reasons={reason: reasons.count(reason) for reason in sorted(set(reasons))},
        enterprises=len(reasons),
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
