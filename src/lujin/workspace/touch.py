"""Which months an arrival changes.

A register's energy lies between two readings. So a new reading changes the month it stands in and every month
back to the last earlier reading and on to the next later one. The same rule serves interval meters, whose
gaps are estimated only between readings.

A month is computed from its own readings and from EDGE_ROWS beyond either end of it, so a reading among the
first or last EDGE_ROWS of its month changes the months beside it too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import polars as pl

from lujin.park.calendar import month_of, month_start, next_month, previous_month
from lujin.readings import ReadingStore

# A bad reading right at the border of two months is then seen alike from both.
EDGE_ROWS = 3
TOUCHED: dict[str, type[pl.DataType]] = {"month": pl.Int32, "meter": pl.Int32}


def touched_months(
    arrived: pl.DataFrame, source: int, store: ReadingStore, registers: Collection[int]
) -> pl.DataFrame:
    """Months and meters whose accounts an arrival can change.

    ``arrived``: one row per (month, meter) with ``first`` and ``last`` stored time of the arrival numbered
    ``source``, which is already in ``store``. ``registers``: keys of the meters that are read at an instant.
    Returns distinct (month, meter).
    """
    own = arrived.select(pl.col("month").cast(pl.Int32), pl.col("meter").cast(pl.Int32))
    frames = [pl.DataFrame(schema=TOUCHED)]
    for (number,), group in arrived.group_by("month", maintain_order=True):
        month = int(str(number))
        frames.append(_inside(month, group, source, store, registers))
        frames += _beside(month, group, own, source, store)
    return pl.concat(frames).unique().sort("month", "meter")


def _inside(
    month: int, edges: pl.DataFrame, source: int, store: ReadingStore, registers: Collection[int]
) -> pl.DataFrame:
    """The month itself, unless all that is known of it is a register read at its first instant: that closes
    the month before and says nothing of this one.
    """
    at_start = pl.col("last") == month_start(month, store.timezone)
    closing = edges.filter(pl.col("meter").is_in(list(registers)) & at_start)["meter"]
    if len(closing):
        others = store.extent(month, closing.to_list(), without_source=source)["meter"]
        closing = closing.filter(~closing.is_in(others.implode()))
    return _of(month, edges["meter"].filter(~edges["meter"].is_in(closing.implode())))


def _beside(
    month: int, edges: pl.DataFrame, own: pl.DataFrame, source: int, store: ReadingStore
) -> list[pl.DataFrame]:
    """Months between the arrival's first and last reading and the readings next to them."""
    opens, closes = (
        store.few_beyond(
            month, edges.select("meter", pl.col(end).alias("time")), EDGE_ROWS, last=last, without_source=source
        )
        for end, last in (("first", False), ("last", True))
    )
    earlier = own.filter(pl.col("month") == previous_month(month))["meter"]
    later = own.filter(pl.col("month") == next_month(month))["meter"]
    with_earlier, with_later = opens.is_in(earlier.implode()), closes.is_in(later.implode())
    return [
        _of(previous_month(month), opens.filter(with_earlier)),
        _of(month, closes.filter(with_later)),
        _span(store.before(month, opens.filter(~with_earlier).to_list()), previous_month(month), store.timezone),
        _span(store.after(month, closes.filter(~with_later).to_list()), month, store.timezone),
    ]


def _of(month: int, meters: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"month": [month] * len(meters), "meter": meters.cast(pl.Int32)}, schema=TOUCHED)


def _span(found: pl.DataFrame, month: int, timezone: str) -> pl.DataFrame:
    """``month`` and all months to the one of the reading found, per meter."""
    months: list[int] = []
    meters: list[int] = []
    for meter, time in found.select("meter", "time").iter_rows():
        end = month_of(time, timezone)
        step: Callable[[int], int] = next_month if end > month else previous_month
        at = month
        while at != end:
            months.append(at)
            meters.append(meter)
            at = step(at)
        months.append(end)
        meters.append(meter)
    return pl.DataFrame({"month": months, "meter": meters}, schema=TOUCHED)
