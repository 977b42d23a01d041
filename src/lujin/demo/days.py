"""The calendar of 2025 in Guangdong, and which day of a measured series stands for each of its days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from lujin.demo.inputs import Profile
from lujin.park.calendar import Grid, month_grid

YEAR = 2025
DAYS = 365
TIMEZONE = "Asia/Shanghai"
SLOTS = DAYS * 96

# 国务院办公厅关于2025年部分节假日安排的通知, 国办发明电〔2024〕12号: days off, and weekend days worked instead.
_HOLIDAYS = (("01-01", 1), ("01-28", 8), ("04-04", 3), ("05-01", 5), ("05-31", 3), ("10-01", 8))
_WORKED = ("01-26", "02-08", "04-27", "09-28", "10-11")
_FESTIVAL = (date(2025, 1, 28), date(2025, 2, 3))  # the days on which most works stand still
_RAMP_DAYS = 5
# Mean daily maximum temperature by month, rounded, as a climate for the composed weather [°C].
_NORMAL_MAX_C = (18.9, 20.2, 22.8, 26.9, 30.2, 32.1, 33.5, 33.3, 32.0, 29.4, 25.3, 20.9)


def _day(text: str) -> date:
    return date.fromisoformat(f"{YEAR}-{text}")


HOLIDAYS = frozenset(_day(text) + timedelta(days=n) for text, length in _HOLIDAYS for n in range(length))
WORKED = frozenset(_day(text) for text in _WORKED)
CALENDAR = tuple(date(YEAR, 1, 1) + timedelta(days=n) for n in range(DAYS))


@dataclass(frozen=True)
class Horizon:
    """The first ``months`` months of the year, in slots of 900 s from local midnight of 1 January."""

    months: int

    @property
    def grids(self) -> tuple[Grid, ...]:
        return tuple(month_grid(YEAR * 100 + m, TIMEZONE) for m in range(1, self.months + 1))

    @property
    def start(self) -> int:
        return self.grids[0].start

    @property
    def end(self) -> int:
        return self.grids[-1].end

    @property
    def slots(self) -> int:
        return (self.end - self.start) // 900

    @property
    def days(self) -> int:
        return self.slots // 96

    def midnight(self, part: float) -> int:
        """The slot at the local midnight after ``part`` of the horizon.

        >>> Horizon(12).midnight(90 / 365) // 96, Horizon(1).midnight(90 / 365) // 96
        (90, 8)
        """
        return round(part * self.days) * 96

    def instant(self, slot: float) -> datetime:
        return datetime.fromtimestamp(self.start + round(slot * 900), UTC)

    def local(self, slot: float) -> datetime:
        return self.instant(slot).astimezone(ZoneInfo(TIMEZONE))


def source_days(profile: Profile) -> NDArray[np.int64]:
    """Which day of the measured series stands for each day of 2025, int64[365].

    Weekdays stay weekdays. A public holiday takes the Sunday of its week, a worked weekend day the Wednesday; a
    day on which the source itself had a holiday gives way to the same weekday of a week before or after.
    """
    period = profile.weeks * 7
    offset = CALENDAR[0].weekday() - profile.first_weekday + 7 * profile.shift_weeks
    out = np.empty(DAYS, np.int64)
    for n, day in enumerate(CALENDAR):
        wanted = 6 if day in HOLIDAYS else 2 if day in WORKED else day.weekday()
        candidates = (
            (n + offset + wanted - day.weekday() + 7 * week) % period for week in (0, -1, 1, -2, 2, -3, 3)
        )
        out[n] = next(c for c in candidates if c not in profile.skip)
    return out


def festival(level: float) -> NDArray[np.float64]:
    """Level of the load by day around the Spring Festival: ``level`` on its core, ramps on both sides, else 1."""
    first, last = ((d - CALENDAR[0]).days for d in _FESTIVAL)
    days = np.arange(DAYS)
    away = np.maximum(first - days, days - last).clip(0, _RAMP_DAYS) / _RAMP_DAYS
    return level + (1 - level) * away


def temperatures(rng: np.random.Generator) -> list[float]:
    """Composed daily maximum temperatures [°C]: a monthly climate, interpolated, with weather that lasts days."""
    middle = np.cumsum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30]) + 15
    normal = np.interp(np.arange(DAYS), middle, _NORMAL_MAX_C, period=DAYS)
    spread = np.interp(normal, [19, 33], [4.0, 2.0])
    weather = np.empty(DAYS)
    state = 0.0
    for n, shock in enumerate(rng.standard_normal(DAYS)):
        state = 0.72 * state + 0.69 * shock
        weather[n] = state
    return [round(float(t), 1) for t in (normal + spread * weather).clip(6, 38.8)]
