"""What is new in a file (比对): its readings against what is known, and against each other."""

from __future__ import annotations

import polars as pl

from lujin.readings.parse import ROWS

KEY = ["meter", "time"]
STATUS = ("new", "known", "corrects", "superseded", "overrules")
# Rows of earlier batches of the same file that are kept to compare with, some 30 bytes each.
SEEN_ROWS = 4_000_000
_KEY = (pl.col("meter").cast(pl.Int64) * 2**33) + pl.col("time").dt.epoch("s")


def classify(batch: pl.DataFrame, current: pl.DataFrame) -> pl.DataFrame:
    """``batch`` with ``status``, ``old`` (the value that a correction replaces) and ``keep`` (to be stored).

    ``current``: what is known now for (meter, time), columns meter, time, value, quality, at most one row per
    key. Status: ``new``; ``known``: same value and quality; ``corrects``: differs from what is known;
    ``superseded``: a later row of the batch gives the same meter and time another value. The last row of a
    key decides: where it is ``known`` nothing of that key is stored, so that the same file twice changes
    nothing.
    """
    judged = _compared(batch, current)
    # One integer per key, seconds beside the meter: far cheaper to compare than a struct.
    key = batch.select(_KEY.alias("key")).to_series()
    ascending = (key.diff() > 0).all()
    if not ascending and (twice := key.is_duplicated()).any():
        return _superseded(judged, twice)
    return judged.with_columns(keep=pl.col("status") != "known")


def _compared(batch: pl.DataFrame, current: pl.DataFrame) -> pl.DataFrame:
    """``batch`` with ``old`` and ``status``. Mostly nothing is known of its times: then it is all new."""
    if not batch.is_empty():
        current = current.filter(pl.col("time").is_between(batch["time"].min(), batch["time"].max()))
    if current.is_empty():
        return batch.with_columns(pl.lit(None, pl.Float64).alias("old"), pl.lit("new").alias("status"))
    known = current.select(*KEY, pl.col("value").alias("old"), pl.col("quality").alias("old_quality"))
    judged = batch.join(known, on=KEY, how="left", maintain_order="left")
    same = (pl.col("value") == pl.col("old")) & (pl.col("quality") == pl.col("old_quality"))
    status = pl.when(pl.col("old").is_null()).then(pl.lit("new")).when(same).then(pl.lit("known"))
    return judged.with_columns(status.otherwise(pl.lit("corrects")).alias("status")).drop("old_quality")


def _superseded(judged: pl.DataFrame, twice: pl.Series) -> pl.DataFrame:
    """Rows of a repeated key that don't have the last word: equal to it is known, unequal is superseded."""
    few = judged.with_row_index("no").filter(twice)
    last = pl.col("row") == pl.col("row").max().over(KEY)
    value, quality, status = (pl.col(n).sort_by("row").last().over(KEY) for n in ("value", "quality", "status"))
    equal = (pl.col("value") == value) & (pl.col("quality") == quality)
    settled = pl.when(last).then("status").when(equal).then(pl.lit("known")).otherwise(pl.lit("superseded"))
    few = few.select("no", settled.alias("status"), ((status != "known") & (settled != "known")).alias("keep"))
    judged = judged.with_columns(keep=pl.col("status") != "known")
    return judged.with_columns(judged[name].scatter(few["no"], few[name]) for name in ("status", "keep"))


def fresh(judged: pl.DataFrame) -> pl.DataFrame:
    """What the store has to take, superseded values included: columns ROWS."""
    return judged.filter("keep").select(list(ROWS))


class Reconcile:
    """``classify`` over the batches of one file, none of which is stored before the last.

    A row that repeats the meter and time of an earlier batch is compared with that batch, not with the store:
    else a file that first contradicts and then repeats what is known would leave the contradiction standing.
    Such a row ``overrules`` the earlier one where it differs; ``earlier`` and ``earlier_row`` say what.

    Sorted files never come back to a time they have left, so a range per meter tells most rows apart for
    free. Of very long unsorted files the oldest rows are forgotten; then a row in their range is stored even
    if it looks known, which costs space and never a value.
    """

    def __init__(self, seen_rows: int = SEEN_ROWS) -> None:
        self._limit = seen_rows
        self._seen: list[pl.DataFrame] = []
        self._range = pl.DataFrame(schema={"meter": pl.Int32, "low": ROWS["time"], "high": ROWS["time"]})
        self._forgotten = self._range

    def __call__(self, batch: pl.DataFrame, current: pl.DataFrame) -> pl.DataFrame:
        now = current.select(*KEY, "value", "quality")
        earlier = self._earlier(batch)
        if not earlier.is_empty():
            now = pl.concat([now.join(earlier, on=KEY, how="anti"), earlier.select(*KEY, "value", "quality")])
        judged = classify(batch, now)
        if not earlier.is_empty():
            judged = judged.join(
                earlier.select(*KEY, earlier_row="row"), on=KEY, how="left", maintain_order="left"
            )
            repeats = pl.col("earlier_row").is_not_null() & (pl.col("status") == "corrects")
            judged = judged.with_columns(
                status=pl.when(repeats).then(pl.lit("overrules")).otherwise("status"),
                earlier=pl.when(repeats).then("old"),
            )
        else:
            none = {"earlier_row": pl.Int32, "earlier": pl.Float64}
            judged = judged.with_columns(pl.lit(None, dtype=t).alias(n) for n, t in none.items())
        if not self._forgotten.is_empty():
            judged = judged.with_columns(pl.col("keep") | _within(judged, self._forgotten))
        self._remember(judged)
        return judged

    def _earlier(self, batch: pl.DataFrame) -> pl.DataFrame:
        """The last rows of earlier batches with keys of this one."""
        back = _within(batch, self._range)
        if not back.any():
            return pl.DataFrame(schema=ROWS)
        keys = batch.filter(back).select(KEY).unique()
        found = [part.join(keys, on=KEY, how="semi") for part in self._seen]
        return pl.concat(found).unique(KEY, keep="last", maintain_order=True)

    def _remember(self, judged: pl.DataFrame) -> None:
        told = judged.filter(pl.col("status").is_in(["new", "corrects", "overrules"])).select(list(ROWS))
        if told.is_empty():
            return
        self._seen.append(told)
        self._range = _widened(self._range, told)
        while sum(map(len, self._seen)) > self._limit and len(self._seen) > 1:
            self._forgotten = _widened(self._forgotten, self._seen.pop(0))


def _within(rows: pl.DataFrame, ranges: pl.DataFrame) -> pl.Series:
    if ranges.is_empty():
        return pl.repeat(False, len(rows), dtype=pl.Boolean, eager=True).alias("keep")
    joined = rows.select("meter", "time").join(ranges, on="meter", how="left", maintain_order="left")
    inside = pl.col("time").is_between("low", "high").fill_null(False)
    return joined.select(inside.alias("keep")).to_series()


def _widened(ranges: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    own = rows.group_by("meter").agg(pl.col("time").min().alias("low"), pl.col("time").max().alias("high"))
    return pl.concat([ranges, own]).group_by("meter").agg(pl.col("low").min(), pl.col("high").max())
