"""The Delta table under the readings: its files, its commits, its failures."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock

import polars as pl
from deltalake import CommitProperties, DeltaTable, Field, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.schema import PrimitiveType
from deltalake.transaction import RemoveAction

from lujin.errors import N_, IntegrityError, LockedError, Problem, StoreError
from lujin.readings.parts import PART_ROWS, SORTED, PartWriter, Place, sync

_SCHEMA = Schema(
    [
        Field(name, PrimitiveType(kind), nullable=False)
        for name, kind in (
            ("meter", "integer"),
            ("time", "timestamp"),
            ("value", "double"),
            ("quality", "byte"),
            ("recorded", "timestamp"),
            ("source", "integer"),
            ("row", "integer"),
            ("month", "integer"),
        )
    ]
)
# appendOnly makes every conforming writer refuse to change or delete a row.
_CONFIGURATION: Mapping[str, str | None] = {"delta.appendOnly": "true", "delta.checkpointInterval": "20"}

# One row per data file; null bounds (a file of another writer without statistics) mean: may hold anything.
FILES = pl.Schema(
    {
        "path": pl.String(),
        "size": pl.Int64(),
        "rows": pl.Int64(),
        "month": pl.Int32(),
        "meter_min": pl.Int32(),
        "meter_max": pl.Int32(),
        "source_min": pl.Int32(),
        "source_max": pl.Int32(),
    }
)
_FULL = ("No space left", "File too large", "Disk quota exceeded")


class ReadingTable:
    """Opens the table lazily, follows its newest version, commits parts. Safe to use from several threads."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._delta: DeltaTable | None = None
        self._version = -1
        self._files = pl.DataFrame(schema=FILES)
        self._refreshing = Lock()

    def files(self) -> pl.DataFrame:
        """The data files of the newest version, FILES, in order of month and meters."""
        with self._refreshing, self.failing():
            table = self._refreshed()
            if table is not None and table.version() != self._version:
                self._version = table.version()
                self._files = _files(table)
            return self._files

    def transaction(self, application: str) -> int | None:
        """Version of an application transaction (``txn`` action, kept through checkpoints); None: never."""
        with self._refreshing, self.failing():
            table = self._refreshed()
            return None if table is None else table.transaction_version(application)

    def commit(
        self, writer: PartWriter, application: str, turn: int, note: dict[str, str], replaced: pl.DataFrame
    ) -> None:
        """Add the parts of ``writer`` and remove the files ``replaced``, at once or not at all.

        Of two processes that commit the same ``application`` and ``turn`` only one succeeds. Parts of a failed
        commit are deleted only if the log shows that it did not land: a disk may run full right after.
        """
        now = int(time.time() * 1000)
        removes = [
            RemoveAction(path, False, now, size, {"month": str(month)})
            for path, size, month in replaced.select("path", "size", "month").iter_rows()
        ]
        try:
            with self.failing():
                table = self._created()
                before = table.version()
                # Delta Lake refuses a transaction that lands after this version; this sees those before it.
                if (table.transaction_version(application) or 0) >= turn:
                    raise CommitFailedError(f"{application} {turn} has been committed")
                table.create_write_transaction(
                    [*removes, *writer.actions],
                    mode="append",
                    schema=_SCHEMA,
                    partition_by=["month"],
                    commit_properties=CommitProperties(note, app_transactions=[Transaction(application, turn)]),
                )
        except StoreError:
            if not self._landed(writer, application, turn):
                writer.discard()
                raise
        with self.failing():
            table.update_incremental()
            self._sync_log(before, table.version())

    def vacuum(self, older_than_h: int) -> int:
        with self._refreshing, self.failing():
            table = self._refreshed()
            if table is None:
                return 0
            deleted = table.vacuum(
                retention_hours=older_than_h, dry_run=False, enforce_retention_duration=False, full=True
            )
            return len(deleted)

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Failures of disk, log or data file as StoreError."""
        try:
            yield
        except CommitFailedError as error:
            raise LockedError(
                Problem(
                    N_("another process changed the same readings at the same time: {reason}"),
                    {"reason": str(error)},
                    N_("repeat the command"),
                    file=self.place.uri,
                )
            ) from error
        except (DeltaError, OSError, pl.exceptions.PolarsError) as error:
            raise _store_error(error, self.place.uri) from error

    def _refreshed(self) -> DeltaTable | None:
        """The table at its newest version; None while nothing was ever stored."""
        options = self.place.options or None
        if self._delta is not None:
            self._delta.update_incremental()
        elif DeltaTable.is_deltatable(self.place.uri, options):
            self._delta = DeltaTable(self.place.uri, storage_options=options)
        return self._delta

    def _created(self) -> DeltaTable:
        """The table, created if need be, on a handle of its own: no other thread moves its version."""
        options = self.place.options or None
        if not DeltaTable.is_deltatable(self.place.uri, options):
            try:
                DeltaTable.create(
                    self.place.uri,
                    _SCHEMA,
                    mode="ignore",
                    partition_by=["month"],
                    configuration=_CONFIGURATION,
                    storage_options=options,
                )
                self._sync_log(-1, 0)
            except DeltaError:
                # Another process may have created it in the meantime.
                if not DeltaTable.is_deltatable(self.place.uri, options):
                    raise
        return DeltaTable(self.place.uri, storage_options=options)

    def _landed(self, writer: PartWriter, application: str, turn: int) -> bool:
        if self.transaction(application) != turn:
            return False
        return {action.path for action in writer.actions} <= set(self.files()["path"].to_list())

    def _sync_log(self, before: int, version: int) -> None:
        """See the commits through to the disk: a commit that returned survives a power cut."""
        if self.place.local is None:
            return
        log = self.place.local / "_delta_log"
        for number in range(before + 1, version + 1):
            sync(log / f"{number:020d}.json")
        sync(log)
        if before < 0:
            sync(self.place.local)
            sync(self.place.local.parent)


def is_compact(files: pl.DataFrame) -> bool:
    """Few files, each sorted, their ranges of meters apart from each other."""
    if files.height > 1 + 2 * int(files["rows"].fill_null(0).sum()) // PART_ROWS:
        return False
    if not files["path"].str.ends_with(SORTED).all() or files["meter_min"].null_count():
        return False
    return bool((files["meter_min"] > files["meter_max"].shift(1)).drop_nulls().all())


def holding(files: pl.DataFrame, month: int, meters: Sequence[int] | None = None) -> pl.DataFrame:
    """The files that may hold readings of these meters in this month."""
    files = files.filter(pl.col("month") == month)
    if meters is None:
        return files
    if not len(meters):
        return files.clear()
    apart = (pl.col("meter_max") < min(meters)) | (pl.col("meter_min") > max(meters))
    return files.filter(~apart.fill_null(False))


def _files(table: DeltaTable) -> pl.DataFrame:
    actions = pl.DataFrame(table.get_add_actions(flatten=True))
    if actions.is_empty():
        return pl.DataFrame(schema=FILES)
    bounds = [
        pl.col(f"{side}.{name}") if f"{side}.{name}" in actions.columns else pl.lit(None)
        for name in ("meter", "source")
        for side in ("min", "max")
    ]
    columns = (pl.col("path"), pl.col("size_bytes"), pl.col("num_records"), pl.col("partition.month"), *bounds)
    typed = [c.cast(kind).alias(name) for c, (name, kind) in zip(columns, FILES.items(), strict=True)]
    return actions.select(typed).sort("month", "meter_min", "meter_max", "path")


def _store_error(error: Exception, where: str) -> StoreError:
    said = str(error).strip()
    reason = {"reason": said.splitlines()[0] if said else type(error).__name__}
    if any(sign in said for sign in _FULL):
        return StoreError(
            Problem(
                N_("the disk is full; nothing of this step was stored"),
                {},
                N_("free some space and repeat the command; what was stored before is intact"),
                file=where,
            )
        )
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        return StoreError(
            Problem(
                N_("readings cannot be read or written: {reason}"),
                reason,
                N_("check that the directory exists and is writable"),
                file=where,
            )
        )
    return IntegrityError(
        Problem(
            N_("the readings table is damaged: {reason}"),
            reason,
            N_("restore the readings directory from a backup"),
            file=where,
        )
    )
