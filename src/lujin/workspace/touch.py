"""Which months an arrival changes.

A register's energy lies between two readings. So a new reading changes the month it stands in and every month
back to the last earlier reading and on to the next later one. The same rule serves interval meters, whose
gaps are estimated only between readings.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from lujin.park.calendar import month_of, next_month, previous_month
from lujin.readings.store import ReadingStore

TOUCHED = {"month": pl.Int32, "meter": pl.Int32}


def touched_months(arrived: pl.DataFrame, source: int, store: ReadingStore) -> pl.DataFrame:
    """Months and meters whose accounts an arrival can change.

    ``arrived``: one row per (month, meter) with ``first`` and ``last`` stored time of the arrival numbered
    ``source``, which is already in ``store``. Returns distinct (month, meter).
    """
    own = arrived.select(pl.col("month").cast(pl.Int32), pl.col("meter").cast(pl.Int32))
    frames = [own]
    for (month,), group in arrived.group_by("month", maintain_order=True):
        frames += _neighbours(int(str(month)), group, own, source, store)
    return pl.concat(frames).unique().sort("month", "meter")


def _neighbours(
    month: int, group: pl.DataFrame, own: pl.DataFrame, source: int, store: ReadingStore
) -> list[pl.DataFrame]:
    extent = store.extent(month, group["meter"].to_list(), without_source=source)
    edges = group.join(extent, on="meter", how="left", suffix="_other")
    opens = edges.filter(pl.col("first_other").is_null() | (pl.col("first") <= pl.col("first_other")))["meter"]
    closes = edges.filter(pl.col("last_other").is_null() | (pl.col("last") >= pl.col("last_other")))["meter"]
    frames = []
    for meters, look, step in (
        (opens, store.before, previous_month),
        (closes, store.after, next_month),
    ):
        beside = own.filter(pl.col("month") == step(month))["meter"]
        wanted = meters.filter(~meters.is_in(beside.implode())).to_list()
        if wanted:
            frames.append(_span(look(month, wanted), month, step, store.timezone))
    return frames


def _span(found: pl.DataFrame, month: int, step: Callable[[int], int], timezone: str) -> pl.DataFrame:
    """All months from the one beside ``month`` to the month of the reading found, per meter."""
    months: list[int] = []
    meters: list[int] = []
    for meter, time in found.select("meter", "time").iter_rows():
        end = month_of(time, timezone)
        at = month
        while at != end:
            at = step(at)
            months.append(at)
            meters.append(meter)
    return pl.DataFrame({"month": months, "meter": meters}, schema=TOUCHED)
