"""Months and the 15-minute grid: local calendar outside, UTC seconds inside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

SLOT_SECONDS = 900


@dataclass(frozen=True, eq=False)
class Grid:
    """The canonical grid of one local calendar month.

    ``month`` is 202501 for January 2025. ``start`` and ``end`` are UTC epoch seconds of the local month,
    half-open. Arrays have one element per slot of 900 s: ``day`` int16 (0 = first local day), ``quarter``
    int16 (local quarter hour of the day, 0..95, by the wall clock). ``days`` lists the local dates.
    """

    month: int
    timezone: str
    start: int
    end: int
    day: NDArray[np.int16]
    quarter: NDArray[np.int16]
    days: tuple[date, ...]

    @property
    def slots(self) -> int:
        return (self.end - self.start) // SLOT_SECONDS

    def slot_start(self, slot: int) -> datetime:
        return datetime.fromtimestamp(self.start + slot * SLOT_SECONDS, UTC)


def next_month(month: int) -> int:
    """
    >>> next_month(202512), next_month(202501)
    (202601, 202502)
    """
    return month + 89 if month % 100 == 12 else month + 1


def previous_month(month: int) -> int:
    """
    >>> previous_month(202601), previous_month(202502)
    (202512, 202501)
    """
    return month - 89 if month % 100 == 1 else month - 1


def month_of(instant: datetime, timezone: str) -> int:
    local = instant.astimezone(ZoneInfo(timezone))
    return local.year * 100 + local.month


def month_start(month: int, timezone: str) -> datetime:
    """First instant of the local month, in UTC.

    >>> month_start(202501, "Asia/Shanghai").isoformat()
    '2024-12-31T16:00:00+00:00'
    """
    return datetime(month // 100, month % 100, 1, tzinfo=ZoneInfo(timezone)).astimezone(UTC)


@lru_cache(maxsize=64)
def month_grid(month: int, timezone: str) -> Grid:
    zone = ZoneInfo(timezone)
    start = int(month_start(month, timezone).timestamp())
    end = int(month_start(next_month(month), timezone).timestamp())
    first = date(month // 100, month % 100, 1)
    last = date(next_month(month) // 100, next_month(month) % 100, 1)
    days = tuple(first + timedelta(days=d) for d in range((last - first).days))
    starts = np.arange(start, end, SLOT_SECONDS, dtype=np.int64)
    offsets = np.array(
        [
            int((zone.utcoffset(datetime.fromtimestamp(int(t), zone)) or timedelta()).total_seconds())
            for t in starts[::4]
        ],
        dtype=np.int64,
    )
    local = starts + np.repeat(offsets, 4)[: len(starts)]
    epoch_day = (first - date(1970, 1, 1)).days
    return Grid(
        month=month,
        timezone=timezone,
        start=start,
        end=end,
        day=(local // 86_400 - epoch_day).astype(np.int16),
        quarter=(local % 86_400 // SLOT_SECONDS).astype(np.int16),
        days=days,
    )
