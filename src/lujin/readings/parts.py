"""Data files of the readings table: sorted Parquet parts of one month, written before they are committed.

A part is complete and synced to disk before the commit that names it; parts that no commit names do not exist
for any reader.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
from deltalake._internal import DeltaFileSystemHandler
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction

from lujin.errors import N_, IntegrityError, Problem
from lujin.park.calendar import month_start, next_month
from lujin.readings.versions import SCHEMA, WITHDRAWN, ordered

PART_ROWS = 4_000_000
BUFFER_ROWS = 6_000_000
# A meter-month at 15 minutes has 2,976 rows: a group holds some 22 meters, and one meter is read from one or two.
ROW_GROUP_ROWS = 65_536
SORTED = "-by-meter.parquet"


class Place:
    """Where the table lies: a local directory, or an object store by URL with its options."""

    def __init__(self, uri: str | Path, options: Mapping[str, str] | None = None) -> None:
        text = str(uri).removeprefix("file://")
        self.options = dict(options or {})
        self.local = None if "://" in text else Path(text).absolute()
        self.uri = text.rstrip("/") if self.local is None else str(self.local)

    def of(self, path: str) -> str:
        return f"{self.uri}/{path}"

    def write(self, path: str, frame: pl.DataFrame) -> int:
        """Write one Parquet file and see it through to the disk; returns its size [B]."""
        if self.local is None:
            buffer = io.BytesIO()
            _write(frame, buffer)
            stream = self._handler().open_output_stream(path)
            stream.write(buffer.getvalue())
            stream.close()
            return buffer.getbuffer().nbytes
        file = self.local / path
        file.parent.mkdir(parents=True, exist_ok=True)
        _write(frame, file)
        sync(file)
        sync(file.parent)
        sync(file.parent.parent)
        return file.stat().st_size

    def remove(self, path: str) -> None:
        if self.local is not None:
            (self.local / path).unlink(missing_ok=True)
        else:
            self._handler().delete_file(path)

    def _handler(self) -> Any:
        return DeltaFileSystemHandler(self.uri, self.options)


def _write(frame: pl.DataFrame, target: Path | io.BytesIO) -> None:
    # Polars finds dictionary encoding by itself where it pays: all but value and row.
    frame.write_parquet(target, compression="zstd", compression_level=3, row_group_size=ROW_GROUP_ROWS)


def sync(path: Path) -> None:
    """Have the kernel write a file or directory to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class PartWriter:
    """Collects frames and writes them as parts, holding at most BUFFER_ROWS rows in memory."""

    def __init__(self, place: Place, timezone: str, name: str, *, new_data: bool = True) -> None:
        self._place = place
        self._timezone = timezone
        self._name = name
        self._new_data = new_data
        self._buffers: dict[int, list[pl.DataFrame]] = {}
        self._held: dict[int, int] = {}
        self._written: list[str] = []
        self.rows = 0
        self.actions: list[AddAction] = []

    def add(self, frame: pl.DataFrame) -> None:
        """Take rows with all stored columns and ``month``."""
        for month, part in _by_month(frame):
            self._buffers.setdefault(month, []).append(part)
            self._held[month] = self._held.get(month, 0) + part.height
            self.rows += part.height
            if self._held[month] >= PART_ROWS:
                self._flush(month)
        while sum(self._held.values()) > BUFFER_ROWS:
            self._flush(max(self._held, key=self._held.__getitem__))

    def flush(self) -> None:
        """Write all that is held."""
        for month in sorted(self._buffers):
            self._flush(month)

    def discard(self) -> None:
        """Remove what was written; called when nothing will be committed."""
        for path in self._written:
            with contextlib.suppress(OSError, DeltaError):
                self._place.remove(path)
        self._buffers.clear()

    def _flush(self, month: int) -> None:
        frames = self._buffers.pop(month)
        del self._held[month]
        frame = pl.concat(frames, rechunk=True)
        frames.clear()
        self._check(frame, month)
        frame = ordered(frame)
        path = f"month={month}/{self._name}-{uuid4().hex}{SORTED}"
        self._written.append(path)
        size = self._place.write(path, frame)
        self.actions.append(
            AddAction(
                path=path,
                size=size,
                partition_values={"month": str(month)},
                modification_time=int(time.time() * 1000),
                data_change=self._new_data,
                stats=json.dumps(statistics(frame)),
            )
        )

    def _check(self, frame: pl.DataFrame, month: int) -> None:
        """A reading without value or in the wrong month would be lost to every later question."""
        nulls = [name for name, count in frame.null_count().row(0, named=True).items() if count]
        start = month_start(month, self._timezone)
        end = month_start(next_month(month), self._timezone)
        first, last = (datetime.fromtimestamp(t / 1e6, UTC) for t in _extent(frame["time"].drop_nulls()))
        if nulls or not _valued(frame):
            what = N_("a reading without {column} cannot be stored")
            params = {"column": ", ".join(nulls) or "finite value"}
        elif first < start or last >= end:
            what = N_("readings from {first} to {last} do not lie in month {month}")
            params = {"first": first.isoformat(), "last": last.isoformat(), "month": str(month)}
        else:
            return
        raise IntegrityError(Problem(what, params, N_("report this: the import must refuse such rows")))


def _valued(frame: pl.DataFrame) -> bool:
    """Every reading has a finite value, every withdrawn one none."""
    value, kept = frame["value"], frame["quality"] != WITHDRAWN
    if kept.all():
        return bool(value.is_finite().all())
    return bool((value.is_finite() == kept).all() and (value.is_nan() != kept).all())


def _by_month(frame: pl.DataFrame) -> list[tuple[int, pl.DataFrame]]:
    """Rows per month, in the stored columns and types."""
    months = frame["month"].unique().to_list()
    columns = [pl.col(name).cast(kind) for name, kind in SCHEMA.items()]
    if len(months) == 1:
        return [(int(months[0]), frame.select(columns))]
    return [(int(m), frame.filter(pl.col("month") == m).select(columns)) for m in months]


def statistics(frame: pl.DataFrame) -> dict[str, Any]:
    """Delta file statistics. Times in milliseconds, rounded outwards: all readers understand those."""
    least: dict[str, int | str] = {}
    most: dict[str, int | str] = {}
    for name in ("meter", "time", "recorded", "source"):
        low, high = _extent(frame[name])
        instant = SCHEMA[name] == SCHEMA["time"]
        least[name] = _millis(low // 1000) if instant else low
        most[name] = _millis(-(-high // 1000)) if instant else high
    nulls = dict.fromkeys(SCHEMA, 0)
    return {"numRecords": frame.height, "minValues": least, "maxValues": most, "nullCount": nulls}


def _extent(column: pl.Series) -> tuple[int, int]:
    """Least and greatest value; of instants, in microseconds."""
    values = column.to_physical().to_numpy()
    return int(values.min()), int(values.max())


def _millis(millis: int) -> str:
    return f"{datetime.fromtimestamp(millis // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{millis % 1000:03d}Z"
