"""Files into stored readings: each arrival is one commit, whole or not at all."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from lujin.errors import N_, InputError, Problem, Translate, as_written
from lujin.readings import (
    SCHEMA,
    ColumnGuess,
    ImportReport,
    Intake,
    ReadingStore,
    Reconcile,
    RejectFile,
    Tally,
    fresh,
    parse_file,
    sources,
)
from lujin.readings import mapping as mappings
from lujin.readings.parse import ParsedBatch
from lujin.readings.text import BLOCK_BYTES
from lujin.workspace.progress import Progress, silent
from lujin.workspace.touch import TOUCHED, touched_months

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

SUFFIXES = (".csv", ".txt", ".tsv", ".gz", ".xlsx", ".xlsm", ".xls", ".parquet", ".arrow", ".feather", ".ipc")
RECOVERY_BLOCK = 1_000  # meters
COUNTED = ("read", "accepted", "already_known", "corrects", "conflicts", "rejected", "empty")
GUESS = "guess"  # as ``mapping``: pass over saved mappings
_ARRIVED: dict[str, pl.DataType | type[pl.DataType]] = {
    "month": pl.Int32,
    "meter": pl.Int32,
    "first": pl.Datetime("us", "UTC"),
    "last": pl.Datetime("us", "UTC"),
}


@dataclass(frozen=True, eq=False)
class FileResult:
    """What became of one file: its report, or the problems for which it was refused as a whole.

    ``source``: number of the arrival, 0 if nothing had to be stored. ``same_as``: number of an earlier arrival
    of the very same file. ``guessed``: how the columns were understood, if they had to be guessed.
    """

    file: Path
    report: ImportReport | None
    problems: tuple[Problem, ...] = ()
    guessed: tuple[ColumnGuess, ...] = ()
    source: int = 0
    same_as: int | None = None
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether nothing at all could be taken from the file."""
        if self.report is None or not self.report.rejected:
            return bool(self.problems)
        return not (self.report.accepted or self.report.already_known or self.report.corrects)

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        return {
            "file": str(self.file),
            "source": self.source,
            "same_as": self.same_as,
            "report": None if self.report is None else self.report.as_dict(translate),
            "columns": [
                {"column": c.column, "role": c.role, "confidence": c.confidence, "reason": c.text(translate)}
                for c in self.guessed
            ],
            "problems": [p.as_dict(translate) for p in self.problems],
            "seconds": round(self.seconds, 3),
        }


def import_files(
    workspace: Workspace,
    paths: Sequence[Path],
    mapping: str | None,
    *,
    dry_run: bool = False,
    progress: Progress = silent,
) -> list[FileResult]:
    """Import files one after the other; a file that cannot be read is reported, the others go on."""
    files = expand(paths)
    results = []
    with workspace.writing("import"):
        recover(workspace)
        for done, file in enumerate(files):
            progress(N_("importing files"), done, len(files))
            started = time.perf_counter()
            try:
                result = _import_file(workspace, file, mapping, dry_run, started, progress)
            except InputError as error:
                problems = tuple(_placed(p, file) for p in error.problems)
                result = FileResult(file, None, problems, seconds=time.perf_counter() - started)
            results.append(result)
        progress(N_("importing files"), len(files), len(files))
    return results


def expand(paths: Sequence[Path]) -> list[Path]:
    """Files as given; folders by the readable files in them, in order of their path."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in SUFFIXES)
            if not inside:
                raise InputError(
                    Problem(
                        N_("there is nothing to import in {folder}"),
                        {"folder": path, "suffixes": " ".join(SUFFIXES)},
                        N_("files must end in one of: {suffixes}"),
                    )
                )
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise InputError(Problem(N_("there is no file {file}"), {"file": path}, N_("check the path")))
    return list(dict.fromkeys(found))


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
            frames.append(_extent(own.with_columns(pl.lit(month, pl.Int32).alias("month"))))
    return pl.concat(frames), corrects


def _extent(rows: pl.DataFrame) -> pl.DataFrame:
    times = (pl.col("time").min().alias("first"), pl.col("time").max().alias("last"))
    return rows.group_by("month", "meter").agg(times).select(list(_ARRIVED))


@dataclass(frozen=True, eq=False)
class _Arrival:
    """One file on its way in. ``before``: the last arrival of the very same bytes; ``reads``: see ``_reads``."""

    file: Path
    digest: str
    before: sources.Source | None
    intake: Intake
    reads: str
    started: float

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started


def _import_file(
    workspace: Workspace, file: Path, mapping: str | None, dry_run: bool, started: float, progress: Progress
) -> FileResult:
    with _opened(file) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    intake = parse_file(
        file,
        workspace.park,
        workspace.meter_keys(),
        mapping=_named(workspace, mapping),
        mappings=None if mapping == GUESS else workspace.mappings,
    )
    before = sources.find_by_digest(workspace.engine, digest)
    arrival = _Arrival(file, digest, before, intake, _reads(intake, workspace.park_digest), started)
    if before is not None and before.counts.get("rejected") == 0 and before.mapping.get("reads") == arrival.reads:
        return _known_already(arrival, before)
    known = _Known(workspace.store, workspace.park.timezone)
    judge = _judge(workspace.store, known, workspace.park.timezone, before)
    tally = Tally(intake)
    if dry_run:
        for batch in _watched(intake, progress):
            tally.add(batch, judge(batch.rows))
        return FileResult(file, tally.report(arrival.seconds), guessed=intake.guessed, seconds=arrival.seconds)
    return _take_in(workspace, arrival, judge, tally, progress)


def _known_already(arrival: _Arrival, before: sources.Source) -> FileResult:
    """Every row of the file was read in the same way before."""
    counts = before.counts
    report = ImportReport(
        file=arrival.file.name,
        mapping=arrival.intake.mapping.name,
        read=counts["read"],
        already_known=counts["read"] - counts["empty"],
        empty=counts["empty"],
    )
    return FileResult(arrival.file, report, same_as=before.number, seconds=arrival.seconds)


def _take_in(
    workspace: Workspace,
    arrival: _Arrival,
    judge: Callable[[pl.DataFrame], pl.DataFrame],
    tally: Tally,
    progress: Progress,
) -> FileResult:
    """Number the arrival, store its readings in one commit, then close it with what it touched."""
    engine, file, intake = workspace.engine, arrival.file, arrival.intake
    now = workspace.now()
    noted = {"name": intake.mapping.name, "reads": arrival.reads}
    number = sources.register(engine, file.name, arrival.digest, now, noted)
    rejects = workspace.inbox / "rejected" / f"{number}-{file.name}.csv"
    arrived: list[pl.DataFrame] = []
    try:
        with RejectFile(rejects) as rejected:
            batches = _watched(intake, progress)
            frames = _frames(batches, judge, tally, rejected, arrived, number, now, workspace.park.timezone)
            stored = workspace.store.append(_nonempty(frames), number)
    except BaseException:
        if not workspace.store.has_source(number):
            rejects.unlink(missing_ok=True)
            sources.abandon(engine, number, "failed", now)
        raise
    report = tally.report(arrival.seconds, rejects)
    touched = pl.DataFrame(schema=TOUCHED)
    if stored:
        merged = pl.concat(arrived).group_by("month", "meter").agg(pl.col("first").min(), pl.col("last").max())
        touched = touched_months(merged.sort("month", "meter"), number, workspace.store, _registers(workspace))
    sources.commit(engine, number, {name: getattr(report, name) for name in COUNTED}, touched, now)
    if intake.guessed and report.accepted:
        mappings.save(replace(intake.mapping, name=_free_name(workspace.mappings, file)), workspace.mappings)
    same_as = arrival.before.number if arrival.before else None
    return FileResult(file, report, (), intake.guessed, number, same_as, arrival.seconds)


def _reads(intake: Intake, park_digest: str) -> str:
    """How the bytes of the file become readings: the digest of column mapping and park description."""
    mapping = mappings.dumps(replace(intake.mapping, name=""))
    return hashlib.sha256(f"{mapping}\n{park_digest}".encode()).hexdigest()


def _judge(
    store: ReadingStore,
    known: Callable[[pl.DataFrame], pl.DataFrame],
    timezone: str,
    before: sources.Source | None,
) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Tells new, known and correcting rows apart, batch by batch.

    A file that came before says nothing new where it only repeats what it said then, even if that was
    corrected since: otherwise importing a folder twice would undo every correction. ``before``: the last
    arrival of the very same bytes.
    """
    reconcile = Reconcile()

    def judge(rows: pl.DataFrame) -> pl.DataFrame:
        judged = reconcile(rows, known(rows))
        differing = judged.filter(pl.col("keep") & (pl.col("status") != "new"))
        if before is None or differing.is_empty():
            return judged
        said = _said_through(store, before.number, differing, timezone)
        repeats = judged.join(said, on=said.columns, how="semi", maintain_order="left").select("row")
        again = pl.col("row").is_in(repeats["row"].implode()) & pl.col("keep") & (pl.col("status") != "new")
        return judged.with_columns(
            status=pl.when(again).then(pl.lit("known")).otherwise("status"), keep=pl.col("keep") & ~again
        )

    return judge


def _said_through(store: ReadingStore, number: int, rows: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """Every version that arrivals up to ``number`` gave of the readings in ``rows``."""
    columns = ["meter", "time", "value", "quality"]
    frames = [rows.select(columns).clear()]
    local = pl.col("time").dt.convert_time_zone(timezone)
    months = rows.select((local.dt.year() * 100 + local.dt.month().cast(pl.Int32)).unique()).to_series()
    for month in months.sort():
        versions = store.history(month, rows["meter"].unique().to_list())
        frames.append(versions.filter(pl.col("source") <= number).select(columns))
    return pl.concat(frames).join(rows, on=["meter", "time"], how="semi").unique()


def _watched(intake: Intake, progress: Progress) -> Iterator[ParsedBatch]:
    """The batches of a file; how far a large one has come is told by its blocks."""
    blocks = -(-intake.path.stat().st_size // BLOCK_BYTES)
    for done, batch in enumerate(intake.batches(), start=1):
        yield batch
        if blocks > 1:
            progress(intake.path.name, min(done, blocks), blocks)


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
    local = pl.col("time").dt.convert_time_zone(timezone)
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
            (local.dt.year() * 100 + local.dt.month().cast(pl.Int32)).cast(pl.Int32).alias("month"),
        )
        arrived.append(_extent(rows))
        yield rows.select("meter", "time", "value", "quality", "recorded", "source", "row", "month")
    rejected.finish()


def _nonempty(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    return (frame for frame in frames if frame.height)


class _Known:
    """What the store holds for the meters and months of a batch; keeps the months used last."""

    KEPT = 2

    def __init__(self, store: ReadingStore, timezone: str) -> None:
        self._store = store
        self._stored = frozenset(store.months())
        self._timezone = timezone
        self._frames: dict[int, tuple[frozenset[int], pl.DataFrame]] = {}

    def __call__(self, rows: pl.DataFrame) -> pl.DataFrame:
        columns = ["meter", "time", "value", "quality"]
        if not self._stored or rows.is_empty():
            return self._nothing()
        local = pl.col("time").dt.convert_time_zone(self._timezone)
        wanted = rows.select(
            "meter", (local.dt.year() * 100 + local.dt.month().cast(pl.Int32)).alias("month")
        ).unique()
        frames = [
            self._month(int(str(month)), group["meter"].to_list()).select(columns)
            for (month,), group in wanted.group_by("month")
            if month in self._stored
        ]
        return pl.concat(frames) if frames else self._nothing()

    def _month(self, month: int, meters: list[int]) -> pl.DataFrame:
        held, frame = self._frames.pop(month, (frozenset(), self._nothing()))
        if missing := sorted(set(meters) - held):
            read = self._store.read(month, missing).select(frame.columns)
            held, frame = held | set(missing), pl.concat([frame, read])
        self._frames[month] = (held, frame)
        while len(self._frames) > self.KEPT:
            del self._frames[next(iter(self._frames))]
        return frame

    @staticmethod
    def _nothing() -> pl.DataFrame:
        return pl.DataFrame(schema={name: SCHEMA[name] for name in ("meter", "time", "value", "quality")})


def _named(workspace: Workspace, mapping: str | None) -> mappings.Mapping | None:
    """A mapping by its name in the park's folder, or by file."""
    if mapping is None or mapping == GUESS:
        return None
    named = workspace.mappings / f"{mapping}.toml"
    return mappings.load(named if named.is_file() else Path(mapping))


def _free_name(folder: Path, file: Path) -> str:
    """A name for a guessed mapping: that of the file, numbered where another mapping has it."""
    stem = file.name.partition(".")[0] or "mapping"
    names = (stem if n == 1 else f"{stem}-{n}" for n in count(1))
    return next(name for name in names if not (folder / f"{name}.toml").exists())


def _opened(file: Path) -> Any:
    try:
        return file.open("rb")
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            Problem(N_("the file cannot be read: {reason}"), {"reason": reason}, file=str(file))
        ) from error


def _placed(problem: Problem, file: Path) -> Problem:
    if problem.file:
        return problem
    return Problem(
        problem.message, problem.params, problem.remedy, file.name, problem.line, problem.field, problem.severity
    )
