"""Files and columns into stored readings: each arrival is one commit, whole or not at all."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lujin.errors import N_, InputError, Problem, Translate, as_written
from lujin.readings import ColumnGuess, ImportReport, Intake, parse_file, parse_frames, sources
from lujin.readings import mapping as mappings
from lujin.readings.intake import LISTED
from lujin.readings.parse import ParsedBatch
from lujin.readings.sources import Origin
from lujin.readings.text import BLOCK_BYTES
from lujin.workspace.arriving import Arrival, recover, repeated, take_in, try_out
from lujin.workspace.progress import Progress, silent

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

SUFFIXES = (".csv", ".txt", ".tsv", ".gz", ".xlsx", ".xlsm", ".xls", ".parquet", ".arrow", ".feather", ".ipc")
GUESS = "guess"  # as ``mapping``: pass over saved mappings


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
    mapping: str | mappings.Mapping | None,
    *,
    meters: Collection[str] | None = None,
    origin: Origin | None = None,
    dry_run: bool = False,
    rejects: Path | None = None,
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
                result = _import_file(
                    workspace, file, mapping, meters, origin, dry_run, rejects, started, progress
                )
            except InputError as error:
                problems = tuple(_placed(p, file) for p in error.problems)
                result = FileResult(file, None, problems, seconds=time.perf_counter() - started)
            results.append(result)
        progress(N_("importing files"), len(files), len(files))
    return results


def ingest(
    workspace: Workspace,
    frames: Any,
    name: str,
    *,
    digest: str = "",
    mapping: mappings.Mapping | None = None,
    meters: Collection[str] | None = None,
    origin: Origin | None = None,
    dry_run: bool = False,
    listed: int = LISTED,
) -> FileResult:
    """One arrival of columns: see ``Workspace.ingest``."""
    started = time.perf_counter()
    with workspace.writing("import"):
        recover(workspace)
        intake = parse_frames(
            frames, workspace.park, workspace.meter_keys(), name=name, mapping=mapping, only=meters
        )
        arrival = _arrival(workspace, intake, digest, meters, started, listed)
        if arrival.known_already:
            return _known_already(arrival)
        if dry_run:
            report = try_out(workspace, arrival, intake.batches())
            return FileResult(Path(name), report, seconds=arrival.seconds)
        return _taken(arrival, *take_in(workspace, arrival, intake.batches(), origin))


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


def _import_file(
    workspace: Workspace,
    file: Path,
    mapping: str | mappings.Mapping | None,
    meters: Collection[str] | None,
    origin: Origin | None,
    dry_run: bool,
    rejects: Path | None,
    started: float,
    progress: Progress,
) -> FileResult:
    intake = parse_file(
        file,
        workspace.park,
        workspace.meter_keys(),
        mapping=_named(workspace, mapping) if isinstance(mapping, str) else mapping,
        mappings=None if mapping == GUESS else workspace.mappings,
        only=meters,
    )
    arrival = _arrival(workspace, intake, digest_of(file), meters, started)
    if arrival.known_already:
        return _known_already(arrival)
    batches = _watched(intake, progress)
    if dry_run:
        report = try_out(workspace, arrival, batches, rejects)
        return FileResult(file, report, guessed=intake.guessed, seconds=arrival.seconds)
    number, report = take_in(workspace, arrival, batches, origin)
    if intake.guessed and report.accepted and meters is None:
        mappings.save(replace(intake.mapping, name=_free_name(workspace.mappings, file)), workspace.mappings)
    return _taken(arrival, number, report)


def _arrival(
    workspace: Workspace,
    intake: Intake,
    digest: str,
    meters: Collection[str] | None,
    started: float,
    listed: int = LISTED,
) -> Arrival:
    before = sources.find_by_digest(workspace.engine, digest) if digest else None
    reads = _reads(intake, workspace.park_digest, meters)
    pairs = sources.undoings(workspace.engine)
    return Arrival(intake.path.name, digest, before, reads, intake, started, pairs, listed)


def _known_already(arrival: Arrival) -> FileResult:
    same_as = arrival.before.number if arrival.before else None
    return FileResult(arrival.intake.path, repeated(arrival), same_as=same_as, seconds=arrival.seconds)


def _taken(arrival: Arrival, number: int, report: ImportReport) -> FileResult:
    same_as = arrival.before.number if arrival.before else None
    guessed = arrival.intake.guessed
    return FileResult(arrival.intake.path, report, (), guessed, number, same_as, arrival.seconds)


def _reads(intake: Intake, park_digest: str, meters: Collection[str] | None) -> str:
    """How bytes become readings: the digest of column mapping, park description, meters that may be written."""
    mapping = mappings.dumps(replace(intake.mapping, name=""))
    allowed = "" if meters is None else "\n" + "\n".join(sorted(meters))
    return hashlib.sha256(f"{mapping}\n{park_digest}{allowed}".encode()).hexdigest()


def _watched(intake: Intake, progress: Progress) -> Iterator[ParsedBatch]:
    """The batches of a file; how far a large one has come is told by its blocks."""
    blocks = -(-intake.path.stat().st_size // BLOCK_BYTES)
    for done, batch in enumerate(intake.batches(), start=1):
        yield batch
        if blocks > 1:
            progress(intake.path.name, min(done, blocks), blocks)


def _named(workspace: Workspace, mapping: str) -> mappings.Mapping | None:
    """A mapping by its name in the park's folder, or by file."""
    if mapping == GUESS:
        return None
    named = workspace.mappings / f"{mapping}.toml"
    return mappings.load(named if named.is_file() else Path(mapping))


def digest_of(file: Path) -> str:
    """SHA-256 of the bytes of a file."""
    with _opened(file) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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
