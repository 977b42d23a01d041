"""Taking an arrival back (冲销一次导入): nothing is deleted; newer facts say again what would hold without it."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from lujin.readings.versions import KEY, WITHDRAWN, newest


def counter_facts(versions: pl.DataFrame, ignored: Collection[int]) -> pl.DataFrame:
    """What makes the current readings those that hold without the arrivals ``ignored``. Columns meter, time,
    value, quality, row; nothing for a reading that is as it should be already.

    ``versions``: every version of some readings, columns of SCHEMA. Where no other arrival told of a reading it is
    withdrawn: quality WITHDRAWN, value NaN. What holds depends on nothing but the set of arrivals that count, so
    arrivals may be taken back, and brought back, in any order.
    """
    others = newest(versions.filter(~pl.col("source").is_in(list(ignored))))
    wanted = others.select(*KEY, pl.col("value", "quality", "row").name.suffix("_wanted"))
    both = newest(versions).join(wanted, on=KEY, how="left", maintain_order="left")
    told = pl.col("quality_wanted").is_not_null()
    differs = (pl.col("value") != pl.col("value_wanted")) | (pl.col("quality") != pl.col("quality_wanted"))
    wrong = pl.when(told).then(differs).otherwise(pl.col("quality") != WITHDRAWN)
    return both.filter(wrong).select(
        *KEY,
        pl.col("value_wanted").fill_null(float("nan")).alias("value"),
        pl.col("quality_wanted").fill_null(WITHDRAWN).alias("quality"),
        pl.coalesce("row_wanted", "row").alias("row"),
    )
