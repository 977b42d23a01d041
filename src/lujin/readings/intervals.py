"""Energy over spans of time: what interval and power meters say, and the shapes that registers share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lujin.park.calendar import SLOT_SECONDS, Grid, month_of, month_start, next_month
from lujin.readings.flags import Flag, bits
from lujin.readings.specs import MeterSpec

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
FlagBits = NDArray[np.uint16]

EventKind = Literal[
    "rollover",  # 翻转: the register passed its top
    "replacement",  # 换表
    "reset",  # 归零
    "spike",  # 尖峰: readings that were bridged
    "backwards",  # 倒走: a small step back, kept
    "unreadable",  # 无法读取: not a number, or beyond any register
    "outside_validity",  # readings before the meter was there or after it was gone
    "spacing",  # readings come at another pace than the park file says
]

LONGEST_ESTIMATE_S = 31 * 86_400  # a longer hole of an interval meter stays missing
_MONTH_S = 31 * 86_400
_EXACT = 2.0**52  # up to here float64 products round to the right integer
_GREATEST = 2**60  # beyond this no register counts; leaves room for differences in int64


@dataclass(frozen=True, slots=True)
class Event:
    """Something a person should see, with its numbers. ``start``, ``end``: UTC epoch seconds."""

    meter: str
    start: int
    end: int
    kind: EventKind
    detail: Mapping[str, float | int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """Readings sorted by (meter, time), one per pair. ``meter`` is the row of the meter in the block."""

    meter: NDArray[np.int64]
    time: Ints  # [s]
    value: Floats  # raw, in the meter's unit
    quality: NDArray[np.int8]

    def where(self, keep: Bools | Ints) -> Rows:
        return Rows(self.meter[keep], self.time[keep], self.value[keep], self.quality[keep])


@dataclass(frozen=True, eq=False, slots=True)
class Intervals:
    """Energy [base unit] over [begin, end) [s], sorted by (meter, begin), not overlapping within a meter."""

    meter: Ints
    begin: Ints
    end: Ints
    amount: Ints
    flags: FlagBits

    def where(self, keep: Bools) -> Intervals:
        return Intervals(self.meter[keep], self.begin[keep], self.end[keep], self.amount[keep], self.flags[keep])

    def __len__(self) -> int:
        return len(self.meter)


@dataclass(frozen=True, eq=False, slots=True)
class Holes:
    """Spans [begin, end) [s] of which no energy is known and which similar days may fill."""

    meter: Ints
    begin: Ints
    end: Ints
    flags: FlagBits

    def where(self, keep: Bools) -> Holes:
        return Holes(self.meter[keep], self.begin[keep], self.end[keep], self.flags[keep])

    def __len__(self) -> int:
        return len(self.meter)

    @staticmethod
    def of(spans: Sequence[tuple[int, int, int, Flag]]) -> Holes:
        meter, begin, end, flags = zip(*spans, strict=True) if spans else ((), (), (), ())
        return Holes(
            np.array(meter, np.int64),
            np.array(begin, np.int64),
            np.array(end, np.int64),
            np.array([int(f) for f in flags], np.uint16),
        )

    @staticmethod
    def join(parts: Sequence[Holes]) -> Holes:
        return Holes(
            np.concatenate([p.meter for p in parts]),
            np.concatenate([p.begin for p in parts]),
            np.concatenate([p.end for p in parts]),
            np.concatenate([p.flags for p in parts]),
        )


@dataclass(frozen=True, eq=False, slots=True)
class Metered:
    """What interval and power meters said. ``short`` intervals, under a slot, keep fractions of a base unit."""

    long: Intervals
    short: Intervals  # amount is not used
    short_amount: Floats
    holes: Holes
    events: Sequence[Event]


def base_units(value: Floats, meter: Ints, specs: Sequence[MeterSpec]) -> tuple[Ints, Bools]:
    """Readings in integer base units, and which of them are readable. Exact where float64 products are not."""
    with np.errstate(over="ignore", invalid="ignore"):
        product = value * np.array([float(s.base_per_unit) for s in specs])[meter]
        small = np.abs(product) < _EXACT
        if small.all():
            return np.rint(product).astype(np.int64), small
        readable = np.abs(product) < _GREATEST
    base = np.rint(np.where(small, product, 0.0)).astype(np.int64)
    for k in np.flatnonzero(readable & ~small):
        base[k] = round(Fraction(float(value[k])) * specs[int(meter[k])].base_per_unit)
    return base, readable


def metered(rows: Rows, specs: Sequence[MeterSpec], grid: Grid) -> Metered:
    """Intervals of ``interval`` and ``power`` meters and the holes between them.

    A reading at t stands for [t, t + spacing). A power holds until the next reading if that comes within 1.5
    spacings; an interval stretches or shrinks by a tenth, so that a jittering clock opens no holes. An
    interval that reaches into the next one ends there, keeps its energy and is flagged OVERLAP.
    """
    rows, events = drop_unreadable(rows, specs, grid)
    power = np.array([s.kind == "power" for s in specs])[rows.meter]
    expected = _expected(rows, specs, grid)
    following = np.full(len(rows.time), np.iinfo(np.int64).max)
    same = rows.meter[1:] == rows.meter[:-1]
    following[:-1][same] = rows.time[1:][same]
    spacing = following - rows.time
    stretch = np.where(power, 3 * expected // 2, 11 * expected // 10)
    length = np.where(spacing <= stretch, spacing, expected)
    flags = quality_flags(rows.quality)
    flags[~power & (spacing < expected - expected // 10)] |= bits(Flag.OVERLAP)

    scale = np.array([float(s.base_per_unit) for s in specs])[rows.meter]
    amount = rows.value * np.where(power, scale * (length / 3600.0), scale)
    short = length < SLOT_SECONDS
    base = np.rint(np.where(np.abs(amount) < _GREATEST, amount, 0.0)).astype(np.int64)
    all_of = Intervals(rows.meter, rows.time, rows.time + length, base, flags)
    holes = _holes(rows, length, following)
    holes, paced = _unpaced(rows, holes, specs, grid)
    return Metered(all_of.where(~short), all_of.where(short), amount[short], holes, (*events, *paced))


def drop_unreadable(rows: Rows, specs: Sequence[MeterSpec], grid: Grid) -> tuple[Rows, list[Event]]:
    _, readable = base_units(rows.value, rows.meter, specs)
    if readable.all():
        return rows, []
    events = [
        Event(specs[int(rows.meter[k])].id, int(rows.time[k]), int(rows.time[k]), "unreadable")
        for k in np.flatnonzero(~readable & (rows.time >= grid.start) & (rows.time < grid.end))
    ]
    return rows.where(readable), events


def quality_flags(quality: NDArray[np.int8]) -> FlagBits:
    """1: estimated by the supplier, 2: read by hand."""
    flags = np.zeros(len(quality), np.uint16)
    if quality.any():
        flags[quality == 1] |= bits(Flag.ESTIMATED)
        flags[quality == 2] |= bits(Flag.MANUAL)
    return flags


def expected_s(specs: Sequence[MeterSpec]) -> Ints:
    """Expected spacing per meter [s]; a calendar month counts as its longest."""
    return np.array([s.interval_s or _MONTH_S for s in specs], np.int64)


def _expected(rows: Rows, specs: Sequence[MeterSpec], grid: Grid) -> Ints:
    """Length of the interval that starts at each reading [s]."""
    expected = expected_s(specs)[rows.meter]
    monthly = np.array([s.interval_s == 0 for s in specs])[rows.meter]
    for instant in np.unique(rows.time[monthly]):
        month = month_of(datetime.fromtimestamp(int(instant), UTC), grid.timezone)
        length = month_start(next_month(month), grid.timezone) - month_start(month, grid.timezone)
        expected[monthly & (rows.time == instant)] = int(length.total_seconds())
    return expected


def _holes(rows: Rows, length: Ints, following: Ints) -> Holes:
    end = rows.time + length
    hole = (following > end) & (following < np.iinfo(np.int64).max) & (following - end <= LONGEST_ESTIMATE_S)
    return Holes(rows.meter[hole], end[hole], following[hole], np.zeros(int(hole.sum()), np.uint16))


def _unpaced(rows: Rows, holes: Holes, specs: Sequence[MeterSpec], grid: Grid) -> tuple[Holes, list[Event]]:
    """Where most readings are followed by a hole, the stated spacing is wrong: estimating would multiply."""
    readings = np.bincount(rows.meter, minlength=len(specs))
    count = np.bincount(holes.meter, minlength=len(specs))
    unpaced = (readings >= 8) & (2 * count > readings)
    events = []
    for m in (int(m) for m in np.flatnonzero(unpaced)):
        found = int(np.median(np.diff(rows.time[rows.meter == m])))
        detail = {"expected_s": specs[m].interval_s, "found_s": found}
        events.append(Event(specs[m].id, grid.start, grid.end, "spacing", detail))
    return holes.where(~unpaced[holes.meter]), events
