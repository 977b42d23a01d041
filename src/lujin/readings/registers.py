"""Registers (累计表): from counts to energy between two readings.

The energy between two readings is the difference of the counts, so that every total telescopes. Where a count
steps back, the few candidates are told apart with the meter's own rate as the measure:

1. **rollover** 翻转: adding the modulus gives a plausible energy; it is added.
2. **backwards** 倒走: a step back of no more than a usual interval is kept, negative, so that totals telescope.
3. **spike** 尖峰: leaving out a run of readings makes the sequence plausible; they are bridged, and the energy
   of the bridged span is exact.
4. **reset** 归零: the count starts near zero. What it counts since zero is taken (a lower bound) when that is
   plausible for the span, otherwise the span is a hole for similar days to fill.

A rate is plausible up to the capacity or, when none is stated, ten times the upper quartile of the meter's
own positive rates in the rows given. A register that steps back more often than once in twenty counts both
ways: whatever is below the plausible rate is kept as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lujin.park.calendar import SLOT_SECONDS, Grid
from lujin.readings.devices import with_stated_counts
from lujin.readings.flags import Flag, bits
from lujin.readings.intervals import (
    LONGEST_ESTIMATE_S,
    Bools,
    Event,
    EventKind,
    FlagBits,
    Holes,
    Intervals,
    Ints,
    Rows,
    base_units,
    drop_unreadable,
    expected_s,
    quality_flags,
)
from lujin.readings.specs import MeterSpec

_PLAUSIBLE = 10.0  # times the upper quartile of a meter's own rates
_LONGEST_RUN = 96  # readings that one excursion may last
_BOTH_WAYS = 0.05  # share of steps back from which a register counts both ways


@dataclass(frozen=True, eq=False, slots=True)
class Counted:
    """What registers said. ``gap``: longer than 1.5 expected spacings and a slot; to be spread by profile."""

    intervals: Intervals
    gap: Bools
    holes: Holes
    events: Sequence[Event]


def counted(rows: Rows, specs: Sequence[MeterSpec], grid: Grid) -> Counted:
    rows, unreadable = drop_unreadable(rows, specs, grid)
    base, _ = base_units(rows.value, rows.meter, specs)
    rows, base = with_stated_counts(rows, base, specs, grid)
    verdict = _steps_back(rows, base, specs, grid)
    if not verdict.keep.all():
        rows, base = rows.where(verdict.keep), base[verdict.keep]
    within = rows.meter[1:] == rows.meter[:-1]
    ends = np.flatnonzero(within) + 1
    amount = base[ends] - base[ends - 1]
    flags = np.zeros(len(ends), np.uint16)
    if rows.quality.any():
        quality = quality_flags(rows.quality)
        flags |= quality[ends] | quality[ends - 1]
    known = np.ones(len(ends), np.bool_)
    if verdict.rulings:
        _apply(verdict, ends, amount, flags, known)
    begin, end, meter = rows.time[ends - 1], rows.time[ends], rows.meter[ends]
    span = end - begin
    gap = (span > SLOT_SECONDS) & (2 * span > 3 * expected_s(specs)[meter])
    intervals = Intervals(meter, begin, end, amount, flags)
    unknown = ~known & (span <= LONGEST_ESTIMATE_S)
    holes = Holes(meter[unknown], begin[unknown], end[unknown], flags[unknown])
    if not known.all():
        intervals, gap = intervals.where(known), gap[known]
    return Counted(intervals, gap, holes, (*unreadable, *verdict.events))


# Steps back ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ruling:
    """About the interval that ends at row ``row``. ``amount`` None: not known; ``add``: on top of the step."""

    row: int
    flag: Flag
    amount: int | None = None
    add: int = 0
    known: bool = True


@dataclass(frozen=True, eq=False, slots=True)
class _Verdict:
    keep: Bools
    rulings: Sequence[_Ruling]
    events: Sequence[Event]


def _steps_back(rows: Rows, base: Ints, specs: Sequence[MeterSpec], grid: Grid) -> _Verdict:
    keep = np.ones(len(base), np.bool_)
    back = np.flatnonzero((np.diff(base) < 0) & (rows.meter[1:] == rows.meter[:-1])) + 1
    rulings: list[_Ruling] = []
    events: list[Event] = []
    for m in np.unique(rows.meter[back]):
        lo, hi = (int(np.searchsorted(rows.meter, m, side)) for side in ("left", "right"))
        steps = back[(back >= lo) & (back < hi)] - lo
        sequence = _Sequence(specs[int(m)], rows.time[lo:hi], base[lo:hi])
        sequence.judge(steps)
        keep[lo:hi] = sequence.keep
        rulings += [_Ruling(r.row + lo, r.flag, r.amount, r.add, r.known) for r in sequence.rulings]
        events += [e for e in sequence.events if e.end > grid.start and e.start < grid.end]
    return _Verdict(keep, rulings, events)


def _apply(verdict: _Verdict, ends: Ints, amount: Ints, flags: FlagBits, known: Bools) -> None:
    """Writes the rulings onto the intervals; ``ends`` counts rows after the bridged ones were left out."""
    position = np.cumsum(verdict.keep) - 1
    for ruling in verdict.rulings:
        k = int(np.searchsorted(ends, position[ruling.row]))
        flags[k] |= bits(ruling.flag)
        known[k] &= ruling.known
        amount[k] = amount[k] + ruling.add if ruling.amount is None else ruling.amount


class _Sequence:
    """The counts of one meter that stepped back at least once; ``judge`` fills keep, rulings and events."""

    def __init__(self, spec: MeterSpec, time: Ints, base: Ints) -> None:
        self.spec, self.time, self.base = spec, time, base
        self.keep = np.ones(len(base), np.bool_)
        self.rulings: list[_Ruling] = []
        self.events: list[Event] = []
        step, span = np.diff(base), np.diff(time)
        rates = step[step > 0] / span[step > 0]
        self.usual = float(np.quantile(rates, 0.75)) if len(rates) else math.inf
        capacity = spec.capacity_base_per_hour
        self.limit = _PLAUSIBLE * self.usual if capacity is None else 1.05 * capacity / 3600
        self.both_ways = int((step < 0).sum()) > _BOTH_WAYS * len(step) + 1
        self.small = self.limit if self.both_ways else self.usual
        modulus = None if spec.modulus is None else round(spec.modulus * spec.base_per_unit)
        self.modulus = modulus if modulus is not None and modulus < 2**60 else None

    def plausible(self, energy: int, i: int, j: int, limit: float | None = None) -> bool:
        span = int(self.time[j] - self.time[i])
        return 0 <= energy <= (self.limit if limit is None else limit) * span + 1

    def judge(self, steps: Ints) -> None:
        if self.both_ways:
            steps = self._unwind(steps)
        settled = 0  # rows before this one are decided
        for j in (int(s) for s in steps):
            if j >= settled:
                settled = self._judge_one(j, settled)

    def _unwind(self, steps: Ints) -> Ints:
        """Steps back of a register that counts both ways: one event for all that are usual; the others."""
        back = self.base[steps - 1] - self.base[steps]
        usual = back <= self.small * (self.time[steps] - self.time[steps - 1])
        if self.modulus is not None:
            usual &= 2 * back < self.modulus
        if usual.any():
            first, last = int(steps[usual][0]) - 1, int(steps[usual][-1])
            self._event("backwards", first, last, steps=int(usual.sum()), energy=-int(back[usual].sum()))
        return steps[~usual]

    def _judge_one(self, j: int, settled: int) -> int:
        before, now = int(self.base[j - 1]), int(self.base[j])
        span = int(self.time[j] - self.time[j - 1])
        if self.modulus is not None and before <= self.modulus:
            rolled = now + self.modulus - before
            # A capacity stated too low must not turn a rollover into a loss.
            generous = max(self.limit, _PLAUSIBLE * self.usual)
            if self.plausible(rolled, j - 1, j, generous) and 2 * rolled < self.modulus:
                self.rulings.append(_Ruling(j, Flag.ROLLOVER, add=self.modulus))
                self._event("rollover", j - 1, j, energy=rolled, modulus=self.modulus)
                return j
        if math.isfinite(self.small) and before - now <= self.small * span:
            self.rulings.append(_Ruling(j, Flag.NEGATIVE))
            self._event("backwards", j - 1, j, steps=1, energy=now - before)
            return j
        run = self._high_run(j, settled) or self._low_run(j)
        if run is not None:
            first, last, following = run
            self.keep[first : last + 1] = False
            self.rulings.append(_Ruling(following, Flag.SPIKE))
            worst = int(np.abs(self.base[first : last + 1] - self.base[first - 1]).max())
            self._event("spike", first - 1, following, readings=last - first + 1, off_by=worst)
            return following
        since_zero = now if 0 <= now <= before // 20 and self.plausible(now, j - 1, j) else None
        self.rulings.append(_Ruling(j, Flag.RESET, amount=since_zero, known=since_zero is not None))
        self._event("reset", j - 1, j, before=before, after=now)
        return j

    def _high_run(self, j: int, settled: int) -> tuple[int, int, int] | None:
        """Readings before j that stand too high: (first, last, j), if row j follows plausibly without them."""
        floor = max(settled, j - 1 - _LONGEST_RUN)
        lower = np.flatnonzero(self.base[floor : j - 1] <= self.base[j])
        if not len(lower):
            return None
        i = floor + int(lower[-1])
        jump = int(self.base[i + 1] - self.base[i])
        fits = self.plausible(int(self.base[j] - self.base[i]), i, j)
        return (i + 1, j - 1, j) if fits and (i == j - 2 or not self.plausible(jump, i, i + 1)) else None

    def _low_run(self, j: int) -> tuple[int, int, int] | None:
        """Readings from j on that stand too low: (j, last, following), if the row after them fits."""
        higher = np.flatnonzero(self.base[j + 1 : j + 1 + _LONGEST_RUN] >= self.base[j - 1])
        if not len(higher):
            return None
        m = j + 1 + int(higher[0])
        jump = int(self.base[m] - self.base[m - 1])
        fits = self.plausible(int(self.base[m] - self.base[j - 1]), j - 1, m)
        return (j, m - 1, m) if fits and (m == j + 1 or not self.plausible(jump, m - 1, m)) else None

    def _event(self, kind: EventKind, i: int, j: int, **detail: int) -> None:
        self.events.append(Event(self.spec.id, int(self.time[i]), int(self.time[j]), kind, detail))
