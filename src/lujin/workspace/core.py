"""The directory of a park and what is in it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Engine

from lujin.database import migrate, open_database
from lujin.errors import N_, InputError, Problem
from lujin.lock import Holder, exclusive
from lujin.park import Park, load
from lujin.readings import ReadingStore
from lujin.readings.sources import meter_keys
from lujin.reference import Row, load_reference
from lujin.workspace.moment import moment
from lujin.workspace.progress import Progress, silent

if TYPE_CHECKING:
    from lujin.accounts import Explanation, ParkTotals, Statement
    from lujin.workspace.importing import FileResult
    from lujin.workspace.quality import MonthQuality
    from lujin.workspace.reading import Status
    from lujin.workspace.running import RunReport
    from lujin.workspace.tracing import MonthTrace

WAIT_S = 60.0  # a second process waits this long for the first


def now_utc() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Workspace:
    """A park with its readings, facts and ledger. Methods that write take the park's lock.

    ``clock`` gives the recorded time of new facts. ``on_wait`` hears who holds the lock while we wait.
    """

    directory: Path
    park: Park
    park_digest: str  # SHA-256 of the files that describe the park
    engine: Engine
    store: ReadingStore
    clock: Callable[[], datetime] = now_utc
    on_wait: Callable[[Holder], None] | None = None
    wait_s: float = WAIT_S

    @contextmanager
    def writing(self, purpose: str) -> Iterator[None]:
        with exclusive(self.directory, purpose, self.wait_s, self.on_wait):
            yield

    def now(self) -> datetime:
        """The recorded time of new facts: later than that of every fact there is, so that "as known then" stays.

        StoreError: the clock was set back.
        """
        return moment(self.engine, self.clock())

    @property
    def inbox(self) -> Path:
        return self.directory / "inbox"

    @property
    def mappings(self) -> Path:
        return self.directory / "mappings"

    @property
    def reference_rows(self) -> tuple[Row, ...]:
        """Shipped rows and the park's own, as the files are now."""
        return load_reference(self.directory / "reference")

    def meter_keys(self, park: Park | None = None) -> Mapping[str, int]:
        """Stored key of every physical meter of the park (or of an earlier description); new meters get one."""
        meters = (park or self.park).meters.values()
        return meter_keys(self.engine, [m.id for m in meters if m.kind != "virtual"])

    def import_files(
        self,
        paths: Sequence[str | Path],
        mapping: str | None = None,
        *,
        dry_run: bool = False,
        progress: Progress = silent,
    ) -> list[FileResult]:
        """Readings from files or folders (CSV, XLSX, Parquet, Arrow); one report per file.

        ``mapping`` names a saved column mapping; None: the one that fits the header, else guessed. A file is
        stored whole in one commit, or not at all; rows that cannot be read are kept in ``inbox/rejected``.
        """
        from lujin.workspace.importing import import_files

        return import_files(self, [Path(p) for p in paths], mapping, dry_run=dry_run, progress=progress)

    def run(self, month: int | None = None, *, progress: Progress = silent) -> RunReport:
        """Post every month and enterprise whose facts are newer than its postings. Incremental."""
        from lujin.workspace.running import run

        return run(self, month, progress=progress)

    def restate(self, months: Sequence[int], *, progress: Progress = silent) -> RunReport:
        """Resolve the factors of posted months anew and post the difference, saying what changed.

        A choice of factors belongs to the month: all its enterprises are restated.
        """
        from lujin.workspace.running import restate

        return restate(self, months, progress=progress)

    def statement(
        self, enterprise: str, month: int, book: str = "location", as_of: datetime | None = None
    ) -> Statement:
        """The account of an enterprise for a month, like a bank statement."""
        from lujin.workspace.reading import statement

        return statement(self, enterprise, month, book, as_of)

    def explain(self, reference: str) -> Explanation:
        """Where a number comes from: line, rule, factor, interval energy, readings."""
        from lujin.workspace.reading import explain

        return explain(self, reference)

    def status(self) -> Status:
        """Months posted, their completeness, and what waits to be posted."""
        from lujin.workspace.reading import status

        return status(self)

    def quality(self, month: int, enterprise: str = "", as_of: datetime | None = None) -> MonthQuality:
        """Completeness of every meter in a month, and each gap, suspect value and event with its numbers."""
        from lujin.workspace.quality import month_quality

        return month_quality(self, month, enterprise, as_of)

    def totals(self) -> ParkTotals:
        """Sums over all enterprise accounts, before in-park transfers are eliminated."""
        from lujin.workspace.reading import totals

        return totals(self)

    def trace(self, month: int, *, progress: Progress = silent) -> MonthTrace:
        """Carbon intensity of every enterprise's power and heat, hour by hour, written under ``derived/``."""
        from lujin.workspace.tracing import trace

        return trace(self, month, progress)

    def verify(self, *, replay: bool = False, progress: Progress = silent) -> dict[str, Any]:
        """Check the stored ledger against its own digests and, with ``replay``, against its facts.

        Raises IntegrityError with every entry that does not hold.
        """
        from lujin.workspace.reading import verify

        return verify(self, replay=replay, progress=progress)


def open_workspace(
    directory: str | Path,
    *,
    clock: Callable[[], datetime] = now_utc,
    on_wait: Callable[[Holder], None] | None = None,
    wait_s: float = WAIT_S,
    environment: Mapping[str, str] = os.environ,
) -> Workspace:
    """Open a park directory. Data lie beside ``park.toml`` unless the environment says otherwise:
    LUJIN_DATABASE (a database URL), LUJIN_READINGS (the URL of a Delta table).

    Raises ParkError with all problems of the park file, StoreError when data cannot be opened.
    """
    path = Path(directory)
    if not (path / "park.toml").is_file():
        raise InputError(
            Problem(
                N_("there is no park in {directory}"),
                {"directory": directory},
                N_("name the directory that holds park.toml, or make one with: lujin init {directory}"),
            )
        )
    described = _files_digest(path)
    park = load(path / "park.toml")
    for name in ("inbox", "mappings"):
        (path / name).mkdir(exist_ok=True)
    engine = open_database(environment.get("LUJIN_DATABASE") or path / "lujin.db")
    migrate(engine)
    store = ReadingStore(environment.get("LUJIN_READINGS") or path / "readings", park.timezone)
    return Workspace(path, park, described, engine, store, clock, on_wait, wait_s)


def _files_digest(directory: Path) -> str:
    found = hashlib.sha256()
    for name in ("park.toml", "days.csv"):
        if (file := directory / name).is_file():
            found.update(file.read_bytes())
    return found.hexdigest()
