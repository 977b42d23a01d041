"""An arrival on its way in: judged against what is known, stored in one commit, closed with what it touched."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from lujin.park.calendar import month_of
from lujin.readings import SCHEMA, ImportReport, Intake, ReadingStore, Reconcile, RejectFile, Tally, fresh, sources
from lujin.readings.intake import LISTED
from lujin.readings.parse import ParsedBatch
from lujin.readings.sources import Origin
from lujin.workspace.touch import TOUCHED, touched_months

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

_UNSAFE = re.compile(r"[^\w.()-]")
_NAME_LENGTH = 100
RECOVERY_BLOCK = 1_000  # meters
COUNTED = ("read", "accepted", "already_known", "corrects", "conflicts", "rejected", "empty")
_ARRIVED: dict[str, pl.DataType | type[pl.DataType]] = {
    "month": pl.Int32,
    "meter": pl.Int32,
    "first": pl.Datetime("us", "UTC"),
    "last": pl.Datetime("us", "UTC"),
}


def recover(workspace: Workspace) -> None:
    """Close arrivals during which a process died: their readings are stored whole, or not at all."""
    store = workspace.store
    for pending in sources.pending(workspace.engine):
        number, now = pending.number, workspace.now()
        if store.has_source(number):
            arrived, corrects = _arrived_from(store, number, sorted(workspace.meter_keys().values()))
            touched = touched_months(arrived, number, store, _registers(workspace))
            counts = {"recovered": True, "corrects": corrects}
            sources.commit(workspace.engine, number, counts, touched, now)
        else:
            sources.abandon(workspace.engine, number, "interrupted", now)


def _registers(workspace: Workspace) -> frozenset[int]:
    keys = workspace.meter_keys()
    return frozenset(keys[m.id] for m in workspace.park.meters.values() if m.kind == "register")


def _arrived_from(store: ReadingStore, number: int, meters: Sequence[int]) -> tuple[pl.DataFrame, int]:
    """What an arrival brought, as ``touched_months`` wants it, and how many earlier readings it corrects."""
    frames, corrects = [pl.DataFrame(schema=pl.Schema(_ARRIVED))], 0
    for month in store.months():
        if number not in store.sources_in(month):
            continue
        for start in range(0, len(meters), RECOVERY_BLOCK):
            versions = store.history(month, meters[start : start + RECOVERY_BLOCK])
            own = versions.filter(pl.col("source") == number)
            earlier = versions.filter(pl.col("source") < number)
            corrects += own.join(earlier, on=["meter", "time"], how="semi").height
            frames.append(extent(own.with_columns(pl.lit(month, pl.Int32).alias("month"))))
    return pl.concat(frames), corrects


def extent(rows: pl.DataFrame) -> pl.DataFrame:
    """First and last time per month and meter: what ``touched_months`` wants to know of an arrival."""
    times = (pl.col("time").min().alias("first"), pl.col("time").max().alias("last"))
    return rows.group_by("month", "meter").agg(times).select(list(_ARRIVED))


@dataclass(frozen=True, eq=False)
class Arrival:
    """Readings on their way in. ``digest``: SHA-256 of the bytes they came as ("": unknown); ``before``: the last
    arrival of the very same bytes; ``reads``: how those became readings; ``listed``: rows told of in the report.
    """

    name: str
    digest: str
    before: sources.Source | None
    reads: str
    intake: Intake
    started: float
    undoings: Mapping[int, int]
    listed: int = LISTED

    @property
    def ignored(self) -> frozenset[int]:
        """Arrivals that say nothing of their own: undoings, and what they took back."""
        return frozenset((*self.undoings, *sources.undone(self.undoings)))

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    @property
    def known_already(self) -> bool:
        """Whether every row was read before, in the same way, and nothing was taken back since."""
        before = self.before
        if before is not None and before.number < max(self.undoings, default=0):
            return False
        return (
            before is not None and before.counts.get("rejected") == 0 and before.mapping.get("reads") == self.reads
        )


def repeated(arrival: Arrival) -> ImportReport:
    """The report of an arrival that is ``known_already``."""
    counts = arrival.before.counts if arrival.before else {}
    return ImportReport(
        file=arrival.name,
        mapping=arrival.intake.mapping.name,
        read=counts["read"],
        already_known=counts["read"] - counts["empty"],
        empty=counts["empty"],
    )


def try_out(
    workspace: Workspace, arrival: Arrival, batches: Iterable[ParsedBatch], rejects: Path | None = None
) -> ImportReport:
    """What ``take_in`` would report, with nothing stored; ``rejects``: where to list the refused rows."""
    judge, tally = (
        _judge(workspace.store, workspace.park.timezone, arrival.before, arrival.ignored),
        Tally(arrival.intake, arrival.listed),
    )
    with RejectFile(rejects) if rejects else nullcontext() as rejected:
        for batch in batches:
            if rejected is not None:
                rejected.write(batch.rejected)
            tally.add(batch, judge(batch.rows))
    return tally.report(arrival.seconds, rejects)


def take_in(
    workspace: Workspace, arrival: Arrival, batches: Iterable[ParsedBatch], origin: Origin | None = None
) -> tuple[int, ImportReport]:
    """Number the arrival, store its readings in one commit, then close it with what it touched."""
    zone, now = workspace.park.timezone, workspace.now()
    noted = {"name": arrival.intake.mapping.name, "reads": arrival.reads}
    number = sources.register(workspace.engine, arrival.name, arrival.digest, now, noted, origin)
    rejects = rejects_of(workspace, number, arrival.name)
    judge, tally = (
        _judge(workspace.store, zone, arrival.before, arrival.ignored),
        Tally(arrival.intake, arrival.listed),
    )
    arrived: list[pl.DataFrame] = []
    reports: list[ImportReport] = []

    def told() -> tuple[list[pl.DataFrame], dict[str, int]]:
        reports.append(report := tally.report(arrival.seconds, rejects))
        return arrived, {name: getattr(report, name) for name in COUNTED}

    try:
        with RejectFile(rejects) as rejected:
            frames = _frames(batches, judge, tally, rejected, arrived, number, now, zone)
            close_arrival(workspace, number, _nonempty(frames), told, now)
    except BaseException:
        if not workspace.store.has_source(number):
            rejects.unlink(missing_ok=True)
        raise
    return number, reports[-1]


def close_arrival(
    workspace: Workspace,
    number: int,
    frames: Iterable[pl.DataFrame],
    told: Callable[[], tuple[Sequence[pl.DataFrame], Mapping[str, Any]]],
    now: datetime,
) -> None:
    """Store the readings of a registered arrival and close it, or give it up if they could not be stored.

    ``told``, asked afterwards: what arrived where (see ``extent``), and the counts to note.
    """
    try:
        stored = workspace.store.append(frames, number)
    except BaseException:
        if not workspace.store.has_source(number):
            sources.abandon(workspace.engine, number, "failed", now)
        raise
    arrived, counts = told()
    touched = pl.DataFrame(schema=TOUCHED)
    if stored:
        merged = pl.concat(arrived).group_by("month", "meter").agg(pl.col("first").min(), pl.col("last").max())
        touched = touched_months(merged.sort("month", "meter"), number, workspace.store, _registers(workspace))
    sources.commit(workspace.engine, number, counts, touched, now)


def rejects_of(workspace: Workspace, number: int, name: str) -> Path:
    """Where the refused rows of an arrival are kept, whatever a stranger called the file."""
    plain = _UNSAFE.sub("_", name.replace("\\", "/").rpartition("/")[2])[-_NAME_LENGTH:]
    return workspace.inbox / "rejected" / f"{number}-{plain}.csv"


def _judge(
    store: ReadingStore, timezone: str, before: sources.Source | None, ignored: Collection[int] = ()
) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Tells new, known and correcting rows apart, batch by batch.

    A file that came before says nothing new where it only repeats what it said then, even if that was
    corrected since: otherwise importing a folder twice would undo every correction. ``before``: the last
    arrival of the very same bytes.
    """
    reconcile, known = Reconcile(), _Known(store, timezone)

    def judge(rows: pl.DataFrame) -> pl.DataFrame:
        judged = reconcile(rows, known(rows))
        differing = judged.filter(pl.col("keep") & (pl.col("status") != "new"))
        if before is None or differing.is_empty():
            return judged
        said = _said_through(store, before.number, differing, timezone, ignored)
        repeats = judged.join(said, on=said.columns, how="semi", maintain_order="left").select("row")
        again = pl.col("row").is_in(repeats["row"].implode()) & pl.col("keep") & (pl.col("status") != "new")
        return judged.with_columns(
            status=pl.when(again).then(pl.lit("known")).otherwise("status"), keep=pl.col("keep") & ~again
        )

    return judge


def _said_through(
    store: ReadingStore, number: int, rows: pl.DataFrame, timezone: str, ignored: Collection[int]
) -> pl.DataFrame:
    """Every version that arrivals up to ``number`` that count gave of the readings in ``rows``."""
    columns = ["meter", "time", "value", "quality"]
    frames = [rows.select(columns).clear()]
    months = rows.select(pl.col("time"), month_column(rows, timezone))["month"].unique()
    for month in months.sort():
        versions = store.history(month, rows["meter"].unique().to_list())
        through = (pl.col("source") <= number) & ~pl.col("source").is_in(list(ignored))
        frames.append(versions.filter(through).select(columns))
    return pl.concat(frames).join(rows, on=["meter", "time"], how="semi").unique()


def _frames(
    batches: Iterable[ParsedBatch],
    judge: Callable[[pl.DataFrame], pl.DataFrame],
    tally: Tally,
    rejected: RejectFile,
    arrived: list[pl.DataFrame],
    number: int,
    recorded: datetime,
    timezone: str,
) -> Iterator[pl.DataFrame]:
    """What the store has to take, batch by batch; on the way the tally, the rejects and the extents grow."""
    for batch in batches:
        rejected.write(batch.rejected)
        judged = judge(batch.rows)
        tally.add(batch, judged)
        rows = fresh(judged)
        if rows.is_empty():
            continue
        rows = rows.with_columns(
            pl.lit(recorded).dt.cast_time_unit("us").dt.convert_time_zone("UTC").alias("recorded"),
            pl.lit(number, pl.Int32).alias("source"),
            month_column(rows, timezone),
        )
        arrived.append(extent(rows))
        yield rows.select("meter", "time", "value", "quality", "recorded", "source", "row", "month")
    rejected.finish()


def month_column(rows: pl.DataFrame, timezone: str) -> pl.Expr:
    """``month`` of each row's ``time``; of rows within one month without looking at each."""
    ends = {month_of(at, timezone) for at in (rows["time"].min(), rows["time"].max()) if isinstance(at, datetime)}
    if len(ends) == 1:
        return pl.lit(ends.pop(), pl.Int32).alias("month")
    local = pl.col("time").dt.convert_time_zone(timezone)
    return (local.dt.year() * 100 + local.dt.month().cast(pl.Int32)).cast(pl.Int32).alias("month")


def _nonempty(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    return (frame for frame in frames if frame.height)


class _Known:
    """What the store holds for the meters and months of a batch; keeps the months used last.

    Of a month only the time that the first batch spans is read. An arrival that goes on beyond it comes in many
    batches: then the whole month is.
    """

    KEPT = 2

    def __init__(self, store: ReadingStore, timezone: str) -> None:
        self._store = store
        self._stored = frozenset(store.months())
        self._timezone = timezone
        self._held: dict[int, _Held] = {}

    def __call__(self, rows: pl.DataFrame) -> pl.DataFrame:
        if not self._stored or rows.is_empty():
            return _nothing()
        wanted = rows.group_by(month_column(rows, self._timezone)).agg(
            pl.col("meter").unique(), pl.col("time").min().alias("first"), pl.col("time").max().alias("last")
        )
        frames = [
            self._month(month, frozenset(meters), first, last)
            for month, meters, first, last in wanted.iter_rows()
            if month in self._stored
        ]
        return pl.concat(frames) if frames else _nothing()

    def _month(self, month: int, meters: frozenset[int], first: datetime, last: datetime) -> pl.DataFrame:
        held = self._held.pop(month, _Held((first, last)))
        if held.between is not None and not held.between[0] <= first <= last <= held.between[1]:
            meters, held = meters | held.meters, _Held(None)
        if missing := sorted(meters - held.meters):
            read = self._store.read(month, missing, between=held.between).select(_COMPARED)
            held = _Held(held.between, held.meters | meters, pl.concat([held.frame, read]))
        self._held[month] = held
        while len(self._held) > self.KEPT:
            del self._held[next(iter(self._held))]
        return held.frame


_COMPARED = ("meter", "time", "value", "quality")


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(schema={name: SCHEMA[name] for name in _COMPARED})


@dataclass(frozen=True, eq=False)
class _Held:
    """What was read of a month: of which meters, of which time (None: all of it)."""

    between: tuple[datetime, datetime] | None
    meters: frozenset[int] = frozenset()
    frame: pl.DataFrame = field(default_factory=_nothing)
