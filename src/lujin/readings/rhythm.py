"""Checks that lay the days of a month over each other: level jumps by a unit, clocks that are off.

The local day has 96 quarter hours by the wall clock. Where the clock changes, the hour that does not exist is
not usable and the one that comes twice counts once; the energy itself is not touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lujin.park.calendar import Grid
from lujin.readings.flags import Flag, bits
from lujin.readings.intervals import Bools, FlagBits, Ints

Singles = NDArray[np.float32]

QUARTERS = 96
# UNIT_JUMP, in blocks of three hours against the median block of the month's similar days.
_BLOCKS = 8
_JUMP = 30.0
_JUMP_PEAK = 3.0  # upwards, some block must also pass this many times the usual daily peak
_DROP_BLOCKS = 6  # downwards, a run must last 18 h: shorter ones are machines at rest
_DROP_SHAPE = 0.35  # and keep the usual shape: spread of log10(level / usual) at most this
_EDGE = 10.0  # every slot of a block is beyond this, and so are the slots by which a run is extended
# CLOCK
_LAGS = tuple(range(-8, 9))  # quarter hours
_LEAST_LAG = 2
_CLOCK_FIT = 0.80  # correlation with the shifted profile
_CLOCK_GAIN = 1.3  # unexplained variance in place, over that at the best lag
_CLOCK_DAYS = 3


@dataclass(frozen=True, eq=False, slots=True)
class Days:
    """``level`` float32 [meters, days, 96], 0 where not ``usable``; ``rest`` bool [days]."""

    level: Singles
    usable: Bools
    rest: Bools
    cell: Ints  # slot of the month → day * 96 + quarter

    @staticmethod
    def of(level: Singles, usable: Bools, rest: Bools, grid: Grid) -> Days:
        cell = grid.day.astype(np.int64) * QUARTERS + grid.quarter
        shape = (len(level), len(rest), QUARTERS)
        masked = np.where(usable, level, np.float32(0))
        if grid.slots == len(rest) * QUARTERS and (np.diff(cell) == 1).all():
            return Days(masked.reshape(shape), usable.reshape(shape), rest, cell)
        laid = np.zeros((len(level), len(rest) * QUARTERS), np.float32)
        seen = np.zeros(laid.shape, np.bool_)
        laid[:, cell], seen[:, cell] = masked, usable
        return Days(laid.reshape(shape), seen.reshape(shape), rest, cell)

    def on_slots(self, marked: Bools, flag: Flag) -> FlagBits:
        """Marks [meters, days, 96] as flags [meters, slots]."""
        marks = marked.reshape(len(marked), -1)[:, self.cell]
        return np.where(marks, bits(flag), np.uint16(0))


# Unit jumps ------------------------------------------------------------------------------------------------


def unit_jumps(days: Days, meters: Bools) -> FlagBits:
    """UNIT_JUMP: the level leaves that of similar days by a factor of 30 or more, for hours (kWh for MWh, Wh)."""
    shape = (*days.level.shape[:2], _BLOCKS, QUARTERS // _BLOCKS)
    level, usable = days.level.reshape(shape), days.usable.reshape(shape)
    count = usable.sum(axis=3)
    lowest = np.where(usable, level, np.float32(np.inf)).min(axis=3)
    highest = level.max(axis=3)
    mean = level.sum(axis=3) / np.maximum(count, 1)
    usual = _usual_blocks(mean, count > 0, days.rest)
    peak = row_median(days.level.max(axis=2), count.sum(axis=2) >= QUARTERS // 2)
    ready = (count >= 6) & (usual > 0) & meters[:, None, None]
    up = ready & (mean >= _JUMP * usual) & (lowest >= _EDGE * usual)
    far = up & (mean >= _JUMP_PEAK * peak[:, None, None])
    down = ready & (mean <= usual / _JUMP) & (highest <= usual / _EDGE) & (highest > 0)
    marked = np.zeros(days.level.shape, np.bool_)
    blocks = len(days.rest) * _BLOCKS
    for m in np.flatnonzero(far.any(axis=(1, 2)) | (down.sum(axis=(1, 2)) >= _DROP_BLOCKS)):
        usual_slots = np.repeat(usual[m].reshape(blocks), QUARTERS // _BLOCKS)
        slots = days.level[m].reshape(-1)
        ratio = np.divide(slots, usual_slots, out=np.ones_like(slots), where=usual_slots > 0)
        for first, last in runs(up[m].reshape(blocks)):
            if far[m].reshape(blocks)[first:last].any():
                _mark_run(marked[m].reshape(-1), ratio >= _EDGE, first, last)
        for first, last in runs(down[m].reshape(blocks)):
            part = ratio[first * QUARTERS // _BLOCKS : last * QUARTERS // _BLOCKS]
            if last - first >= _DROP_BLOCKS and np.log10(part[part > 0]).std() <= _DROP_SHAPE:
                _mark_run(marked[m].reshape(-1), (ratio <= 1 / _EDGE) & (slots > 0), first, last)
    return days.on_slots(marked & days.usable, Flag.UNIT_JUMP)


def _usual_blocks(mean: Singles, known: Bools, rest: Bools) -> Singles:
    """Median over similar days per block, given back for each day [meters, days, blocks]."""
    usual = np.empty_like(mean)
    for kind in (False, True):
        alike = rest == kind
        if alike.any():
            # With too few similar days the median would follow the very days that are in question.
            among = alike if alike.sum() >= 5 else np.ones_like(alike)
            usual[:, alike] = row_median(mean[:, among].transpose(0, 2, 1), known[:, among].transpose(0, 2, 1))[
                :, None, :
            ]
    return usual


def _mark_run(marked: Bools, beyond: Bools, first: int, last: int) -> None:
    """Marks blocks [first, last) and the slots around them, up to one block, that are beyond too."""
    width = QUARTERS // _BLOCKS
    lo, hi = first * width, last * width
    marked[lo:hi] = True
    before, after = beyond[max(lo - width, 0) : lo][::-1], beyond[hi : hi + width]
    marked[lo - int(np.cumprod(before).sum()) : lo] = True
    marked[hi : hi + int(np.cumprod(after).sum())] = True


# Clocks ----------------------------------------------------------------------------------------------------


def clock_shifts(days: Days, meters: Bools) -> FlagBits:
    """CLOCK: at least three days in a row fit the month's mean day clearly better at a lag of 2 to 8 quarters.

    Days that fit no lag well, such as flat rest days, neither begin nor break a run. At its ends a run is cut
    to whole local days: where in a day a clock jumped cannot be seen.
    """
    lag, decided, readable = _lags(days)
    shifted = decided & (np.abs(lag) >= _LEAST_LAG) & meters[:, None]
    marked = np.zeros(lag.shape, np.bool_)
    for m in np.flatnonzero(shifted.sum(axis=1) >= _CLOCK_DAYS):
        for sign in (-1, 1):
            off = shifted[m] & (np.sign(lag[m]) == sign)
            straight = readable[m] & ~off
            for first, last in runs(~straight):
                inside = np.flatnonzero(off[first:last]) + first
                if len(inside) >= _CLOCK_DAYS and np.ptp(lag[m][inside]) <= 2:
                    marked[m, inside[0] : inside[-1] + 1] = True
    return days.on_slots(marked[:, :, None] & days.usable, Flag.CLOCK)


def _lags(days: Days) -> tuple[Ints, Bools, Bools]:
    """Per meter and day: best lag [quarters], whether it is clearly better than none, whether any lag fits."""
    level, usable = days.level, days.usable
    peak = row_median(level.max(axis=2), np.logical_or.reduce(usable, axis=2))
    level = np.minimum(level, 3 * peak[:, None, None])
    best = np.zeros(level.shape[:2], np.int64)
    decided, readable = np.zeros(best.shape, np.bool_), np.zeros(best.shape, np.bool_)
    full = usable.sum(axis=2) >= QUARTERS - 6
    for kind in (False, True):
        alike = np.flatnonzero(days.rest == kind)
        if not len(alike):
            continue
        day, seen = level[:, alike], usable[:, alike]
        mean = day.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
        day = np.where(seen, day, mean[:, None, :])
        templates = np.stack([np.roll(mean, lag, axis=1) for lag in _LAGS], axis=2)
        fit = np.matmul(_centred(day, 2), _centred(templates, 1))
        here = fit[:, :, [k for k, lag in enumerate(_LAGS) if abs(lag) < _LEAST_LAG]].max(axis=2)
        top = fit.max(axis=2)
        best[:, alike] = np.array(_LAGS)[fit.argmax(axis=2)]
        readable[:, alike] = (top >= _CLOCK_FIT) & full[:, alike]
        decided[:, alike] = readable[:, alike] & (1 - here >= _CLOCK_GAIN * (1 - top))
    return best, decided, readable


def _centred(values: Singles, axis: int) -> Singles:
    """Mean 0 and length 1 along the axis; 0 where nothing varies."""
    off: Singles = values - values.mean(axis=axis, keepdims=True)
    length: Singles = np.sqrt(np.square(off).sum(axis=axis, keepdims=True))
    return np.divide(off, length, out=np.zeros_like(off), where=length > 0)


# Shared ----------------------------------------------------------------------------------------------------


def row_median(values: Singles, known: Bools) -> Singles:
    """Median of the known values along axis 1 of 2, or the last of 3; 0 where none is known."""
    ordered = np.sort(np.where(known, values, np.float32(np.inf)), axis=-1)
    count = known.sum(axis=-1, keepdims=True)
    middle = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=-1)
    return np.where(count > 0, middle, np.float32(0))[..., 0]


def runs(marked: Bools) -> Iterator[tuple[int, int]]:
    """Half-open index ranges in which a vector is true.

    >>> list(runs(np.array([False, True, True, False, True])))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return ((int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True))
