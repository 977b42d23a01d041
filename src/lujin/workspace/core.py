"""The directory of a park and what is in it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Engine

from lujin.database import migrate, open_database
from lujin.errors import N_, InputError, Problem
from lujin.lock import Holder, exclusive
from lujin.park import Park, load
from lujin.pulse import Keep, anew
from lujin.readings import ReadingStore
from lujin.readings.sources import meter_keys
from lujin.reference import Row, load_reference
from lujin.workspace.moment import moment
from lujin.workspace.progress import Progress, silent

if TYPE_CHECKING:
    from fractions import Fraction

    from lujin.accounts import Explanation, ParkTotals, Statement
    from lujin.accounts.balance import ParkBalance
    from lujin.accounts.base_year import BaseYear
    from lujin.accounts.periods import Period
    from lujin.accounts.settle import Settlement
    from lujin.accounts.uncertainty_parts import Uncertainty
    from lujin.readings.mapping import Mapping as ColumnMapping
    from lujin.readings.sources import Origin
    from lujin.workspace.arrivals import ArrivalRecord
    from lujin.workspace.backup import BackupReport
    from lujin.workspace.evidence import Head
    from lujin.workspace.importing import FileResult
    from lujin.workspace.listing import Listing
    from lujin.workspace.load import Load
    from lujin.workspace.looking import FilePreview
    from lujin.workspace.previewing import ClosePreview, RestatePreview
    from lujin.workspace.quality import MonthQuality
    from lujin.workspace.reading import Status
    from lujin.workspace.running import RunReport
    from lujin.workspace.sector import SectorComparison
    from lujin.workspace.series import Kind, Series
    from lujin.workspace.stored import Place, StoredPage
    from lujin.workspace.tracing import MonthTrace
    from lujin.workspace.trend import Trend
    from lujin.workspace.undoing import Undoing

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

    def stamp(self, keep: Keep = anew) -> str:
        """Changes whenever an answer about the park may change; for caches and ETags."""
        from lujin.workspace.stamp import stamp

        return stamp(self, keep)

    def months(self) -> tuple[int, ...]:
        """Months that have postings, in order."""
        from lujin.workspace.reading import months

        return months(self)

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
        mapping: str | ColumnMapping | None = None,
        *,
        meters: Collection[str] | None = None,
        origin: Origin | None = None,
        dry_run: bool = False,
        rejects: Path | None = None,
        progress: Progress = silent,
    ) -> list[FileResult]:
        """Readings from files or folders (CSV, XLSX, Parquet, Arrow); one report per file.

        ``mapping``: how to read the columns, or the name of a saved mapping; None: the one that fits the header,
        else guessed. ``meters``: those that may be written; to the importer no other exists. A file is stored
        whole in one commit, or not at all; rows that cannot be read are kept in ``inbox/rejected``. ``origin``:
        who brings it. ``rejects``: where a dry run writes the rows that would be refused.
        """
        from lujin.workspace.importing import import_files

        files = [Path(p) for p in paths]
        return import_files(
            self, files, mapping, meters=meters, origin=origin, dry_run=dry_run, rejects=rejects, progress=progress
        )

    def ingest(
        self,
        columns: Any,
        name: str,
        *,
        digest: str = "",
        mapping: ColumnMapping | None = None,
        meters: Collection[str] | None = None,
        origin: Origin | None = None,
        dry_run: bool = False,
        listed: int = 100,
    ) -> FileResult:
        """Readings from columns, as one arrival called ``name``: stored whole in one commit, or not at all.

        ``columns``: a Polars frame or Arrow table, or several one after the other, with meter (id or alias), time
        (an instant, or local time of the meter; stamped as the park file says), value and perhaps unit and
        quality (measured, estimated, manual), unless ``mapping`` names other columns. ``digest``: SHA-256 of the
        bytes they came as; the very same bytes again change nothing, even after a correction. ``meters``: those
        that may be written; to the sender no other exists. The report lists the first ``listed`` refused rows.
        """
        from lujin.workspace.importing import ingest

        return ingest(
            self,
            columns,
            name,
            digest=digest,
            mapping=mapping,
            meters=meters,
            origin=origin,
            dry_run=dry_run,
            listed=listed,
        )

    def look(
        self,
        path: str | Path,
        mapping: ColumnMapping | None = None,
        *,
        sheet: str = "",
        guess: bool = False,
        meters: Collection[str] | None = None,
    ) -> FilePreview:
        """What a file is and how its columns would be read, with its first rows and what is still to be stated.

        ``mapping``: try this one; else the saved one that fits the header (``guess``: none), else guess.
        """
        from lujin.workspace.looking import look

        return look(self, Path(path), mapping, sheet=sheet, guess=guess, meters=meters)

    def save_mapping(self, mapping: ColumnMapping, name: str) -> ColumnMapping:
        """Keep a mapping under a name: from now on files with this header are read by it."""
        from lujin.workspace.looking import save_mapping

        return save_mapping(self, mapping, name)

    def arrivals(
        self, limit: int = 50, before: int | None = None, party: str | None = None
    ) -> tuple[ArrivalRecord, ...]:
        """What arrived, newest first; before the number ``before``; only what that ``party`` brought."""
        from lujin.workspace.arrivals import arrivals

        return arrivals(self, limit, before, party)

    def undo(
        self,
        number: int,
        reason: str = "",
        author: str = "",
        *,
        party: str | None = None,
        dry_run: bool = False,
        progress: Progress = silent,
    ) -> Undoing:
        """Take an arrival back: readings become what they would be had it never come; nothing is deleted.

        Readings that nobody else told of are missing again, never zero. Its months post the difference at the next
        run; months that were closed wait for a restatement. Taking back an undoing brings the arrival back.
        ``party``: only if that enterprise brought it.
        """
        from lujin.workspace.undoing import undo

        return undo(self, number, reason, author, party, dry_run=dry_run, progress=progress)

    def run(self, month: int | None = None, *, progress: Progress = silent) -> RunReport:
        """Post every month and enterprise whose facts are newer than its postings. Incremental."""
        from lujin.workspace.running import run

        return run(self, month, progress=progress)

    def restate(
        self,
        months: Sequence[int],
        cause: str = "",
        author: str = "",
        *,
        stamp: str = "",
        progress: Progress = silent,
    ) -> RunReport:
        """Resolve the factors of posted months anew and post the difference, saying what changed.

        A choice of factors belongs to the month: all its enterprises are restated. A month that was closed takes
        in all that waited for it; it needs a ``cause``, and certificates that cover it are superseded. ``stamp``:
        of the preview that was looked at, refused with StaleError when facts came since.
        """
        from lujin.workspace.restating import restate

        return restate(self, months, cause, author, stamp=stamp, progress=progress)

    def restate_preview(self, months: Sequence[int], *, progress: Progress = silent) -> RestatePreview:
        """Which factors ``restate`` would replace and what each account would move by. Stores nothing."""
        from lujin.workspace.previewing import restate_preview

        return restate_preview(self, months, progress)

    def close_preview(self, months: Sequence[int], note: str = "") -> tuple[ClosePreview, ...]:
        """The conditions of closing each month, met or not, with remedies. Stores nothing."""
        from lujin.workspace.previewing import close_preview

        return close_preview(self, months, note)

    def close(self, months: Sequence[int], note: str = "", author: str = "") -> tuple[Period, ...]:
        """Close months: from now on only a restatement with a cause moves their accounts.

        InputError: every condition that fails, of all months at once.
        """
        from lujin.workspace.closing import close

        return close(self, months, note, author)

    def verified(
        self, months: Sequence[int], verifier: str, outcome: str, opinion: str, author: str = ""
    ) -> tuple[Period, ...]:
        """Record a verifier's opinion on closed months. ``outcome``: unqualified or qualified, which verify them;
        adverse or disclaimer, which leave them closed.
        """
        from lujin.workspace.closing import verified

        return verified(self, months, verifier, outcome, opinion, author)

    def periods(self) -> tuple[Period, ...]:
        """Every month that is posted or was closed: its state and its history."""
        from lujin.workspace.closing import all_periods

        return all_periods(self)

    def base_year(
        self,
        book: str = "location",
        *,
        structural: Mapping[str, Decimal | None] | Collection[str] = (),
        organic: Collection[str] = (),
    ) -> BaseYear:
        """Whether the base year's emissions are to be recalculated, with each trigger's size and reason.

        ``structural``: enterprises whose coming or going was a transfer, perhaps with their emissions in the base
        year [tCO2e]; ``organic``: openings and closures.
        """
        from lujin.workspace.base_year import base_year

        return base_year(self, book, structural, organic)

    def head(self, since: Path | None = None) -> Head:
        """The signed head of the log of entries; with ``since`` the proof that it extends that older head."""
        from lujin.workspace.evidence import head

        return head(self, since)

    def certificate(
        self,
        enterprise: str,
        first: int,
        last: int | None = None,
        *,
        books: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """A signed certificate of closed months of an enterprise's account, to be checked offline."""
        from lujin.workspace.certifying import CARBON, issue

        return issue(self, enterprise, first, last, books=books or CARBON)

    def status_list(self) -> dict[str, Any]:
        """Which certificates were superseded, signed now."""
        from lujin.workspace.evidence import status_list

        return status_list(self)

    def statement(
        self, enterprise: str, month: int, book: str = "location", as_of: datetime | None = None
    ) -> Statement:
        """The account of an enterprise for a month, like a bank statement."""
        from lujin.workspace.reading import statement

        return statement(self, enterprise, month, book, as_of)

    def uncertainty(
        self,
        month: int,
        book: str | None = None,
        enterprise: str = "",
        as_of: datetime | None = None,
        *,
        draws: int = 0,
        seed: int = 1,
    ) -> tuple[Uncertainty, ...]:
        """How uncertain the totals of a month are, per carbon book (or of one ``book``); of one enterprise, or of
        all together. ``draws``: also by Monte Carlo, repeatable with ``seed``.
        """
        from lujin.workspace.reading import uncertainties

        return uncertainties(self, month, book, enterprise, as_of, draws, seed)

    def explain(self, reference: str) -> Explanation:
        """Where a number comes from: line, rule, factor, interval energy, readings."""
        from lujin.workspace.reading import explain

        return explain(self, reference)

    def arrived(self) -> int:
        """How many files were stored."""
        from lujin.readings.sources import sources

        return sum(source.state == "committed" for source in sources(self.engine))

    def listing(
        self, month: int | None = None, book: str = "location", enterprises: Sequence[str] | None = None
    ) -> Listing:
        """One line per enterprise of a month (None: the newest posted), and their total."""
        from lujin.workspace.listing import listing

        return listing(self, month, book, enterprises)

    def trend(self, enterprise: str, last: int | None = None, months: int = 24) -> Trend:
        """The months of an enterprise side by side: energy, cost, carbon in every book, completeness."""
        from lujin.workspace.trend import trend

        return trend(self, enterprise, last, months)

    def sector(self, enterprise: str, first: int | None = None, last: int | None = None) -> SectorComparison:
        """An enterprise beside median and quartiles of its sector, where it has enough neighbours in it."""
        from lujin.workspace.sector import sector

        return sector(self, enterprise, first, last)

    def load(self, enterprise: str, first: int, carrier: str = "electricity", last: int | None = None) -> Load:
        """What an enterprise used in each hour of the months ``first`` to ``last`` (None: of one month)."""
        from lujin.workspace.load import load

        return load(self, enterprise, first, carrier, last)

    def status(self) -> Status:
        """Months posted, their completeness, and what waits to be posted."""
        from lujin.workspace.reading import status

        return status(self)

    def quality(self, month: int, enterprise: str = "", as_of: datetime | None = None) -> MonthQuality:
        """Completeness of every meter in a month, and each gap, suspect value and event with its numbers."""
        from lujin.workspace.quality import month_quality

        return month_quality(self, month, enterprise, as_of)

    def balance(
        self,
        month: int,
        network: str = "",
        expected_loss: Mapping[str, Fraction] | None = None,
        as_of: datetime | None = None,
    ) -> ParkBalance:
        """Supply against users of every network, whether uncertainty explains the gap, and which meter does."""
        from lujin.workspace.balance import balance

        return balance(self, month, network, expected_loss, as_of)

    def settlements(
        self, month: int, enterprise: str = "", as_of: datetime | None = None
    ) -> tuple[Settlement, ...]:
        """Flows that two meters measured: what each said, and how they were settled."""
        from lujin.workspace.balance import settlements

        return settlements(self, month, enterprise, as_of)

    def series(
        self,
        names: Sequence[str],
        first: date | int,
        last: date | int,
        step: str = "hour",
        as_of: datetime | None = None,
        *,
        kind: Kind = "meter",
    ) -> Series:
        """Quantities of meters (or flows) per ``step``: quarter, hour, day or month. ``first`` and ``last``: local
        days, or months such as 202506, both included. Without ``as_of`` from the months kept under ``derived/``.
        """
        from lujin.workspace.series import series

        return series(self, names, first, last, step, as_of, kind)

    def totals(self) -> ParkTotals:
        """Sums over all enterprise accounts, before in-park transfers are eliminated."""
        from lujin.workspace.reading import totals

        return totals(self)

    def readings(
        self,
        meters: Sequence[str],
        start: datetime,
        end: datetime,
        *,
        limit: int = 1_000_000,
        after: Place | None = None,
        as_of: datetime | None = None,
    ) -> StoredPage:
        """Current readings of meters in [start, end), by month, meter and time, at most ``limit`` of them.

        ``after``: where the page before ended, its ``last``.
        """
        from lujin.workspace.stored import stored_readings

        return stored_readings(self, meters, start, end, limit=limit, after=after, as_of=as_of)

    def trace(self, month: int, *, progress: Progress = silent) -> MonthTrace:
        """Carbon intensity of every enterprise's power and heat, hour by hour, written under ``derived/``."""
        from lujin.workspace.tracing import trace

        return trace(self, month, progress)

    def backup(self, file: str | Path, *, with_keys: bool = False, progress: Progress = silent) -> BackupReport:
        """Write the whole park into one file, .tar or .tar.gz, while others go on using it.

        ``with_keys``: with the signing key. ``lujin.restore`` makes a park of it again.
        """
        from lujin.workspace.backup import backup

        return backup(self, Path(file), with_keys=with_keys, progress=progress)

    def verify(self, *, replay: bool = False, progress: Progress = silent) -> dict[str, Any]:
        """Check the stored ledger against its own digests, its signed heads and closed periods and, with
        ``replay``, against its facts.

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
