"""Wall clock to UTC instants (当地时间换算): zones, clock changes, stamps at interval ends, whole months."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl

from lujin.readings.mapping import Mapping

_FIRST, _LAST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_DAY_S = 86_400


@dataclass
class Clock:
    """Turns labels into instants for one file. Remembers which repeated labels it has seen (``order``)."""

    mapping: Mapping
    _seen: dict[tuple[int, datetime], int] = field(default_factory=dict)

    def instants(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Columns ``time`` (UTC: the instant of a register, the start of an interval) and ``late``: why not.

        ``frame``: ``at`` (position of the meter), ``local``, ``instant``, and of the meter ``kind``,
        ``interval_s``, ``end``, ``timezone``. Whole days and months step by the local calendar, shorter
        intervals by elapsed time.
        """
        frame = frame.with_columns(self._steps()).with_columns(timezone=self._zone())
        calendar = pl.col("monthly") | ((pl.col("back") > 0) & (pl.col("back") % _DAY_S == 0))
        frame = frame.with_columns(calendar=calendar)
        zones = frame["timezone"].drop_nulls().unique().sort().to_list() or ["UTC"]
        if len(zones) == 1:
            return self._in_zone(frame, zones[0])
        parts = [
            self._in_zone(part, zone).with_columns(part["no"])
            for zone in zones
            for part in [frame.with_row_index("no").filter(pl.col("timezone").fill_null(zones[0]) == zone)]
        ]
        return pl.concat(parts).sort("no").drop("no")

    def _steps(self) -> list[pl.Expr]:
        end = {"end": pl.lit(True), "start": pl.lit(False)}.get(self.mapping.stamp, pl.col("end"))
        register = pl.col("kind") == "register"
        monthly = (pl.col("interval_s") == 0) & ~register
        back = pl.when(end & ~register).then(pl.col("interval_s")).otherwise(0)
        return [back.alias("back"), monthly.fill_null(False).alias("monthly"), end.alias("end")]

    def _zone(self) -> pl.Expr:
        return pl.lit(self.mapping.timezone) if self.mapping.timezone else pl.col("timezone")

    def _in_zone(self, frame: pl.DataFrame, zone: str) -> pl.DataFrame:
        if frame["calendar"].any():
            frame = self._by_calendar(frame, zone)
        local = pl.col("local")
        aware = local.dt.replace_time_zone(zone, ambiguous="null", non_existent="null").dt.convert_time_zone("UTC")
        frame = frame.with_columns(late=pl.lit(None, dtype=pl.String), time=pl.coalesce("instant", aware))
        lost = frame.select(pl.col("time").is_null() & local.is_not_null()).to_series()
        if lost.any():
            frame = self._repeated(frame, lost.arg_true(), zone)
        if frame.select((~pl.col("calendar") & (pl.col("back") > 0)).any()).item():
            elapsed = pl.when(pl.col("calendar")).then(0).otherwise("back")
            frame = frame.with_columns(pl.col("time") - pl.duration(seconds=elapsed))
        if frame.select((pl.col("time").to_physical() % 1_000_000 != 0).any()).item():
            frame = frame.with_columns(pl.col("time").dt.truncate("1s"))
        absurd = ~pl.col("time").is_between(_FIRST, _LAST, closed="left")
        late: pl.Expr = pl.when(absurd).then(pl.lit("absurd_year")).otherwise("late")
        if self.mapping.time_form == "month":
            # A month names the period of a monthly meter; for a register only a stated stamp says which end.
            fits = pl.col("monthly") | ((pl.col("kind") == "register") & pl.lit(bool(self.mapping.stamp)))
            late = pl.when(~fits).then(pl.lit("not_a_month")).otherwise(late)
        return frame.select("time", late.alias("late"))

    def _by_calendar(self, frame: pl.DataFrame, zone: str) -> pl.DataFrame:
        """Days and months back by the local calendar. A month stamped at its end contains the second before."""
        seen = pl.coalesce("local", pl.col("instant").dt.convert_time_zone(zone).dt.replace_time_zone(None))
        labelled = self.mapping.time_form == "month"
        last = seen if labelled else pl.when("end").then(seen - pl.duration(seconds=1)).otherwise(seen)
        moved = (
            pl.when("monthly")
            .then(last.dt.truncate("1mo"))
            .otherwise(seen - pl.duration(days=pl.col("back") // _DAY_S))
        )
        return frame.with_columns(
            local=pl.when("calendar").then(moved).otherwise("local"),
            instant=pl.when(~pl.col("calendar")).then("instant"),
        )

    def _repeated(self, frame: pl.DataFrame, lost: pl.Series, zone: str) -> pl.DataFrame:
        """Labels that a clock change made impossible, or made to occur twice."""
        few = frame[lost].select("at", "local").with_columns(
            pl.col("local").dt.replace_time_zone(zone, ambiguous=which, non_existent="null")
            .dt.convert_time_zone("UTC").alias(which)
            for which in ("earliest", "latest")
        )  # fmt: skip
        if self.mapping.ambiguous == "order":
            few = few.with_columns(second=pl.Series(self._turns(few), dtype=pl.Boolean))
            time: pl.Expr = pl.when("second").then("latest").otherwise("earliest")
            twice = pl.lit(None, dtype=pl.String)
        else:
            time, twice = pl.lit(None, dtype=pl.Datetime("us", "UTC")), pl.lit("ambiguous_time")
        late = pl.when(pl.col("earliest").is_null()).then(pl.lit("nonexistent_time")).otherwise(twice)
        settled = few.select(time.alias("time"), late.alias("late"))
        return frame.with_columns(
            frame["time"].scatter(lost, settled["time"]), frame["late"].scatter(lost, settled["late"])
        )

    def _turns(self, few: pl.DataFrame) -> list[bool]:
        """Whether each label is the later of the two, told by how often its meter has carried it so far."""
        later_first = self.mapping.order == "descending"
        turns = []
        for at, local in few.select("at", "local").iter_rows():
            times = self._seen.get((at, local), 0)
            self._seen[(at, local)] = times + 1
            turns.append((times == 0) == later_first)
        return turns
