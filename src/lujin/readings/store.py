"""The readings store (读数库): append-only, in Delta Lake, partitioned by the park's local month.

Every version of every reading is kept; reading gives the newest one recorded until a given instant. A month is
one or more Parquet files, each sorted by (meter, time), so that a few meters are read without touching the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from lujin.errors import N_, IntegrityError, Problem
from lujin.park.calendar import month_start, next_month
from lujin.readings.delta import FILES, ReadingTable, holding, is_compact
from lujin.readings.parts import PART_ROWS, PartWriter, Place
from lujin.readings.versions import CURRENT, KEY, SCHEMA, WITHDRAWN, current, newest, ordered

# Most meters report every hour or oftener; the few that do not are looked up in the whole month.
_NEAR = timedelta(hours=3)
VACUUM_AFTER_H = 168


class ReadingStore:
    """All readings of one park.

    ``uri`` is a directory or an object-store URL (``s3://…``); ``options`` go to the object store as they are.
    ``timezone`` is the park's own: it says which instants a month holds. Safe to use from several threads.
    """

    def __init__(self, uri: str | Path, timezone: str, options: Mapping[str, str] | None = None) -> None:
        self.timezone = timezone
        self._place = Place(uri, options)
        self._table = ReadingTable(self._place)

    @property
    def place(self) -> Place:
        """Where the table lies."""
        return self._place

    def append(self, frames: Iterable[pl.DataFrame], source: int) -> int:
        """Store the readings of arrival ``source`` in one atomic commit; returns their number.

        Frames have the columns of SCHEMA and ``month``, rows in any order. Memory is bounded by BUFFER_ROWS,
        however long the stream. Either all of it is stored or nothing, and an arrival is stored only once.
        """
        if self.has_source(source):
            raise IntegrityError(
                Problem(
                    N_("arrival {number} is already stored"),
                    {"number": str(source)},
                    N_("register a new arrival for new readings"),
                )
            )
        writer = PartWriter(self._place, self.timezone, f"{source:08d}")
        try:
            for frame in frames:
                with self._table.failing():
                    writer.add(frame)
            with self._table.failing():
                writer.flush()
        except BaseException:
            writer.discard()
            raise
        note = {"arrival": str(source)}
        self._table.commit(writer, _arrival(source), 1, note, replaced=pl.DataFrame(schema=FILES))
        return writer.rows

    def compact(self, month: int) -> None:
        """Rewrite a month as few files in disjoint ranges of meters. All versions of all readings stay.

        Readers notice nothing; arrivals that land meanwhile stay as they are. Memory is bounded by PART_ROWS.
        """
        # The turn is read before the files: whoever compacts in between takes it from us.
        application = f"lujin-compact-{month}"
        turn = (self._table.transaction(application) or 0) + 1
        files = holding(self._table.files(), month)
        if is_compact(files):
            return
        writer = PartWriter(self._place, self.timezone, "compact", new_data=False)
        try:
            with self._table.failing():
                for first, last in self._blocks(files):
                    block = self._scan(files, range(first, last + 1)).collect()
                    writer.add(block.with_columns(pl.lit(month, pl.Int32).alias("month")))
                    del block
                    writer.flush()
        except BaseException:
            writer.discard()
            raise
        self._table.commit(writer, application, turn, {"compact": str(month)}, replaced=files)

    def fragments(self, month: int) -> int:
        """How many files hold the month: many slow down reading and call for ``compact``."""
        return holding(self._table.files(), month).height

    def vacuum(self, older_than_h: int = VACUUM_AFTER_H) -> int:
        """Delete files that no reader can need: replaced ones and leftovers of interrupted writes.

        Younger files stay, as another process may be reading or writing them. Returns how many were deleted.
        """
        return self._table.vacuum(older_than_h)

    def months(self) -> list[int]:
        return sorted(self._table.files()["month"].unique().to_list())

    def read(
        self,
        month: int,
        meters: Sequence[int] | None = None,
        as_of: datetime | None = None,
        between: tuple[datetime, datetime] | None = None,
    ) -> pl.DataFrame:
        """Current readings of a month: columns CURRENT, sorted by (meter, time).

        ``as_of``: as known at that instant; ``meters``: only these keys; ``between``: only readings from the
        first to the last of these instants.
        """
        return current(self._versions(month, meters, as_of, between)).select(CURRENT)

    def history(
        self, month: int, meters: Sequence[int] | None = None, as_of: datetime | None = None
    ) -> pl.DataFrame:
        """Every version of every reading: columns of SCHEMA, sorted by (meter, time, recorded, source, row).

        One with quality WITHDRAWN has no value (null): the arrival that brought the reading was undone.
        """
        value = pl.when(pl.col("quality") != WITHDRAWN).then("value").alias("value")
        return ordered(self._versions(month, meters, as_of)).with_columns(value)

    def before(
        self, month: int, meters: Sequence[int], as_of: datetime | None = None, count: int = 1
    ) -> pl.DataFrame:
        """Per meter the last current reading before the month, where there is one. Columns CURRENT.

        With ``count`` up to that many, from the month in which the last one stands.
        """
        months = [m for m in reversed(self.months()) if m < month]
        return self._nearest(months, meters, as_of, count, last=True)

    def after(
        self, month: int, meters: Sequence[int], as_of: datetime | None = None, count: int = 1
    ) -> pl.DataFrame:
        """Per meter the first current reading after the month, where there is one; as ``before``."""
        months = [m for m in self.months() if m > month]
        return self._nearest(months, meters, as_of, count, last=False)

    def extent(
        self, month: int, meters: Sequence[int] | None = None, without_source: int | None = None
    ) -> pl.DataFrame:
        """Per meter the first and last time of its readings in a month: meter, first, last; sorted.

        ``without_source`` leaves out what that arrival brought.
        """
        lazy = self._present(holding(self._table.files(), month, meters), meters, without_source)
        times = (pl.col("time").min().alias("first"), pl.col("time").max().alias("last"))
        with self._table.failing():
            return lazy.group_by("meter").agg(times).sort("meter").collect()

    def few_beyond(
        self, month: int, times: pl.DataFrame, count: int, *, last: bool, without_source: int | None = None
    ) -> pl.Series:
        """Which meters have fewer than ``count`` readings of a month before their time (``last``: after it).

        ``times``: meter, time. What ``without_source`` brought does not count. Int32.
        """
        few = times.select("meter", pl.col("time").alias("own"))
        beyond = pl.col("time") > pl.col("own") if last else pl.col("time") < pl.col("own")
        # Most meters have enough readings in the first (last) hours of the month
        for near in (self._edge(month, last), pl.lit(True)):
            if few.is_empty():
                break
            bound = pl.col("time") > few["own"].min() if last else pl.col("time") < few["own"].max()
            meters = sorted(few["meter"])
            files = holding(self._table.files(), month, meters)
            lazy = self._present(files, meters, without_source, near & bound)
            lazy = lazy.join(few.lazy(), on="meter").filter(beyond)
            lazy = lazy.group_by("meter").agg(pl.col("time").n_unique()).filter(pl.col("time") >= count)
            with self._table.failing():
                enough = lazy.collect()["meter"]
            few = few.filter(~pl.col("meter").is_in(enough.implode()))
        return few["meter"]

    def sources_in(self, month: int) -> list[int]:
        """Numbers of the arrivals that brought readings of a month."""
        files = holding(self._table.files(), month)
        one = (pl.col("source_min") == pl.col("source_max")).fill_null(False)
        single = files.filter(one)["source_min"].to_list()
        mixed = self._scan(files.filter(~one), None).select(pl.col("source").unique())
        with self._table.failing():
            return sorted({*single, *mixed.collect()["source"].to_list()})

    def has_source(self, source: int) -> bool:
        """Whether the commit of this arrival landed. Asks the transaction log, not the data."""
        return self._table.transaction(_arrival(source)) is not None

    def _versions(
        self,
        month: int,
        meters: Sequence[int] | None,
        as_of: datetime | None,
        between: tuple[datetime, datetime] | None = None,
    ) -> pl.DataFrame:
        lazy = self._scan(holding(self._table.files(), month, meters), meters)
        if between is not None:
            lazy = lazy.filter(pl.col("time").is_between(*between))
        with self._table.failing():
            return _known_by(lazy, as_of).collect()

    def _scan(self, files: pl.DataFrame, meters: Sequence[int] | None) -> pl.LazyFrame:
        if files.is_empty():
            return pl.LazyFrame(schema=SCHEMA)
        lazy = pl.scan_parquet(
            [self._place.of(path) for path in files["path"]],
            storage_options=self._place.options or None,
            hive_partitioning=False,
            glob=False,
        ).select(SCHEMA.names())
        return lazy if meters is None else lazy.filter(_among(meters))

    def _present(
        self,
        files: pl.DataFrame,
        meters: Sequence[int] | None,
        without_source: int | None,
        near: pl.Expr | None = None,
    ) -> pl.LazyFrame:
        """Every version, but of no reading that is withdrawn in the end; as if without what one source brought."""
        lazy = self._scan(files, meters)
        if near is not None:
            lazy = lazy.filter(near)
        if without_source is not None:
            lazy = lazy.filter(pl.col("source") != without_source)
        with self._table.failing():
            doubtful = lazy.filter(pl.col("quality") == WITHDRAWN).select(KEY).unique().collect()
            if doubtful.is_empty():
                return lazy
            versions = newest(lazy.join(doubtful.lazy(), on=KEY, how="semi").collect())
        gone = versions.filter(pl.col("quality") == WITHDRAWN).select(KEY)
        return lazy.join(gone.lazy(), on=KEY, how="anti")

    def _nearest(
        self, months: Sequence[int], meters: Sequence[int], as_of: datetime | None, count: int, *, last: bool
    ) -> pl.DataFrame:
        """Per meter its last (or first) current readings in the first of ``months`` that has one."""
        found = [pl.DataFrame(schema=SCHEMA).select(CURRENT)]
        missing = set(meters)
        files = self._table.files()
        for month in months:
            # Most meters have enough readings in the last hours; for the others the whole month is looked at.
            for near, least in ((self._edge(month, last), count), (pl.lit(True), 1)):
                wanted = sorted(missing)
                lazy = self._scan(holding(files, month, wanted), wanted).filter(near)
                with self._table.failing():
                    rows = current(_known_by(lazy, as_of).collect()).select(CURRENT)
                rows = rows.filter(pl.len().over("meter") >= least)
                by_meter = rows.group_by("meter", maintain_order=True)
                found.append(by_meter.tail(count) if last else by_meter.head(count))
                missing.difference_update(rows["meter"].to_list())
                if not missing:
                    return pl.concat(found).sort("meter", "time")
        return pl.concat(found).sort("meter", "time")

    def _edge(self, month: int, last: bool) -> pl.Expr:
        if last:
            return pl.col("time") >= month_start(next_month(month), self.timezone) - _NEAR
        return pl.col("time") < month_start(month, self.timezone) + _NEAR

    def _blocks(self, files: pl.DataFrame) -> Iterator[tuple[int, int]]:
        """Ranges of meters [first, last] of at most PART_ROWS rows each (one meter may exceed it)."""
        counted = self._scan(files, None).group_by("meter").agg(pl.len().alias("rows")).sort("meter")
        first: int | None = None
        last = held = 0
        for meter, rows in counted.collect(engine="streaming").iter_rows():
            if first is not None and held + rows > PART_ROWS:
                yield first, last
                first, held = None, 0
            first = meter if first is None else first
            last, held = meter, held + rows
        if first is not None:
            yield first, last


def _arrival(source: int) -> str:
    return f"lujin-arrival-{source}"


def _among(meters: Sequence[int]) -> pl.Expr:
    first, last = min(meters), max(meters)
    within = pl.col("meter").is_between(first, last)
    if isinstance(meters, range) or last - first + 1 == len(set(meters)):
        return within
    return within & pl.col("meter").is_in(pl.Series(sorted(meters), dtype=pl.Int32).implode())


def _known_by(lazy: pl.LazyFrame, as_of: datetime | None) -> pl.LazyFrame:
    return lazy if as_of is None else lazy.filter(pl.col("recorded") <= as_of)
