"""Quality checks (数据质量检查): flags only, no value is ever changed.

Every check measures a meter against its own month, so that it needs no settings. Estimated slots take no part:
the checks run before gaps are filled. Thresholds were tuned on real profiles with injected faults; see
``tests/readings/test_quality_faults.py`` for what they find and what they raise in error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lujin.park.calendar import SLOT_SECONDS, Grid
from lujin.readings.flags import Flag, bits
from lujin.readings.intervals import Bools, FlagBits, Floats, Ints
from lujin.readings.rhythm import QUARTERS, Days, Singles, clock_shifts, unit_jumps
from lujin.readings.specs import MeterSpec

# SPIKE: this many times the greater neighbour, and the meter's own 0.5 % highest rises above both neighbours.
_SPIKE_RATIO = 3.0
_SPIKE_SCALE = 3.0
_SPIKE_QUANTILE = 0.995
# FLATLINE: at least 8 h; zeros of a meter that often rests at zero, 24 h.
_FLAT_SLOTS = 32
_FLAT_ZERO_SLOTS = 96
_FLAT_STRIDE = 8
_FLAT_ODDS = 12.0  # −ln of the probability of so long a standstill, given how often the meter moves then
_OFTEN_ZERO = 0.01
_HOURLY = 4  # slots; meters read less often have no spikes or standstills to tell


def check(amount: Ints, measured: Bools, specs: Sequence[MeterSpec], rest: Bools, grid: Grid) -> FlagBits:
    """SPIKE, FLATLINE, UNIT_JUMP and CLOCK of the slots measured from end to end [meters, slots]."""
    steps = np.array([-(-s.interval_s // SLOT_SECONDS) if s.interval_s else grid.slots for s in specs])
    level = np.where(measured, amount, 0).astype(np.float32)
    flags = np.zeros(amount.shape, np.uint16)
    for step in np.unique(steps[steps <= _HOURLY]):
        meters = np.flatnonzero(steps == step)
        flags[meters] |= _spikes(level[meters], measured[meters], int(step))
    usable = measured & (flags == 0) & (amount >= 0)
    days = Days.of(level, usable, rest, grid)
    flags |= unit_jumps(days, steps <= QUARTERS)
    meters = np.flatnonzero((steps <= _HOURLY) & _may_stand(amount))
    if len(meters):
        flags[meters] |= _standstills(amount[meters], measured[meters], rest, grid)
    odd = (flags != 0) & usable
    if odd.any():
        days = Days.of(level, usable & ~odd, rest, grid)
    return flags | clock_shifts(days, steps <= _HOURLY)


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


def _spikes(level: Singles, measured: Bools, step: int) -> FlagBits:
    """SPIKE: one reading far above both neighbours and above what this meter usually does.

    ``step``: slots per reading.
    """
    count = level.shape[1] // step
    value, known = level[:, : count * step], measured[:, : count * step]
    if step > 1:
        value = value.reshape(len(level), count, step).sum(axis=2)
        known = np.logical_and.reduce(known.reshape(len(level), count, step), axis=2)
    neighbour = np.maximum(value[:, :-2], value[:, 2:])
    rise = value[:, 1:-1] - neighbour
    sure = known[:, 1:-1] & known[:, :-2] & known[:, 2:]
    steep = (value[:, 1:-1] > _SPIKE_RATIO * neighbour) & (neighbour >= 0) & sure
    marked = np.zeros((len(level), count), np.bool_)
    meters = np.flatnonzero(steep.any(axis=1))
    if len(meters):
        usual = np.quantile(np.where(sure[meters], np.maximum(rise[meters], 0), 0), _SPIKE_QUANTILE, axis=1)
        # A meter that never rises has no scale of its own.
        far = (rise[meters] > _SPIKE_SCALE * usual[:, None]) & (usual[:, None] > 0)
        marked[meters, 1:-1] = steep[meters] & far
    flags = np.zeros(level.shape, np.uint16)
    flags[:, : count * step] = np.where(np.repeat(marked, step, axis=1), bits(Flag.SPIKE), np.uint16(0))
    return flags


def _may_stand(amount: Ints) -> Bools:
    """Meters that can have 32 equal slots in a row: three equal samples in a row at a stride of 8."""
    sample = amount[:, ::_FLAT_STRIDE]
    same = sample[:, 1:] == sample[:, :-1]
    may: Bools = (same[:, 1:] & same[:, :-1]).any(axis=1)
    return may


def _standstills(amount: Ints, measured: Bools, rest: Bools, grid: Grid) -> FlagBits:
    """FLATLINE: equal values for 8 h or more at hours in which the meter moves on the other days.

    How improbable a standstill is follows from how often each quarter hour of similar days differs from the
    one before. A meter that is always constant, or constant every night, is as usual. So is a day at zero of a
    meter that rests at zero on other such days too, as those of exports and stand-by do: each improbable run of
    zeros is measured against the month's others. One long run, as of a meter that died, has no others.
    """
    same = np.zeros(amount.shape, np.bool_)
    same[:, 1:] = (amount[:, 1:] == amount[:, :-1]) & measured[:, 1:] & measured[:, :-1]
    known = np.zeros(amount.shape, np.bool_)
    known[:, 1:] = measured[:, 1:] & measured[:, :-1]
    odds = _odds_of_moving(known & ~same, known, rest, grid)
    reached = np.cumsum(odds, axis=1)
    zero = (amount == 0) & measured
    often_zero = zero.sum(axis=1) > np.maximum(_OFTEN_ZERO * measured.sum(axis=1), _FLAT_ZERO_SLOTS)
    # Column 0 is never the same as before it, so a run of the flattened array stays within one meter.
    edges = np.flatnonzero(np.diff(np.append(same.reshape(-1), False), prepend=False))
    first, last = edges[::2], edges[1::2] - 1
    meter = first // amount.shape[1]
    least = np.where(often_zero[meter] & zero.reshape(-1)[first], _FLAT_ZERO_SLOTS, _FLAT_SLOTS)
    improbable = reached.reshape(-1)[last] - reached.reshape(-1)[first - 1] >= _FLAT_ODDS
    length = last - first + 2
    resting = zero.reshape(-1)[first] & (length >= _FLAT_ZERO_SLOTS) & improbable
    rests = np.bincount(meter[resting], length[resting], minlength=len(amount))
    usual = resting & (2 * (rests[meter] - length) >= length)
    marked = np.zeros(amount.shape, np.bool_)
    for begin, end in np.column_stack([first, last])[(length >= least) & improbable & ~usual]:
        marked.reshape(-1)[begin - 1 : end + 1] = True
    return np.where(marked, bits(Flag.FLATLINE), np.uint16(0))


def _odds_of_moving(moved: Bools, known: Bools, rest: Bools, grid: Grid) -> Floats:
    """−ln of the probability that a slot equals the one before [meters, slots], from similar quarter hours."""
    cell = rest[grid.day].astype(np.int64) * QUARTERS + grid.quarter
    order = np.argsort(cell, kind="stable")
    starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
    moves, times = np.zeros((len(moved), 2 * QUARTERS)), np.zeros((len(moved), 2 * QUARTERS))
    moves[:, cell[order][starts]] = np.add.reduceat(moved[:, order], starts, axis=1, dtype=np.int64)
    times[:, cell[order][starts]] = np.add.reduceat(known[:, order], starts, axis=1, dtype=np.int64)
    return -np.log1p(-(moves + 0.02) / (times + 1))[:, cell]
