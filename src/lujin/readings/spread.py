"""From intervals to the slots of one month, to the last base unit.

An interval that lies on one slot is copied. Any other is cut at the month's borders and spread over the slots
it touches by cumulative weights, each cumulative amount rounded to an integer: the pieces telescope, so they
add up to the interval exactly, and the months on both sides of a border add up too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lujin.park.calendar import SLOT_SECONDS, Grid
from lujin.readings.flags import Flag, bits
from lujin.readings.intervals import Bools, FlagBits, Floats, Holes, Intervals, Ints

QUARTERS = 96
_FULL = np.int32(SLOT_SECONDS)
_WEIGHT_SCALE = 2.0**20  # profile weights are integers, so that their cumulative sums are exact


@dataclass(frozen=True, eq=False, slots=True)
class Canvas:
    """Arrays [meters, slots] that fill up: energy [base unit], flags, seconds covered by known energy."""

    amount: Ints
    flags: FlagBits
    covered: NDArray[np.int32]

    @staticmethod
    def blank(meters: int, slots: int) -> Canvas:
        shape = (meters, slots)
        return Canvas(np.zeros(shape, np.int64), np.zeros(shape, np.uint16), np.zeros(shape, np.int32))

    def whole(self) -> Bools:
        """Slots measured from end to end."""
        whole: Bools = (self.covered == _FULL) & ((self.flags & bits(Flag.ESTIMATED)) == 0)
        return whole


@dataclass(frozen=True, eq=False, slots=True)
class Pieces:
    """Intervals cut at slot borders: ``owner`` is the interval, ``begin``/``end`` [s] of the piece."""

    owner: Ints
    cell: Ints  # meter * slots + slot
    slot: Ints
    begin: Ints
    end: Ints
    opens: Ints  # index of the first piece of each interval


def lay(canvas: Canvas, intervals: Intervals, grid: Grid) -> None:
    """Ordinary intervals: on one slot as they are, else linear in time and flagged INTERPOLATED."""
    inside = clip(intervals, grid)
    slot = (inside.begin - grid.start) // SLOT_SECONDS
    fits = (inside.end - inside.begin == SLOT_SECONDS) & (slot * SLOT_SECONDS == inside.begin - grid.start)
    if fits.all():
        _copy(canvas, inside, slot)
        return
    _copy(canvas, inside.where(fits), slot[fits])
    rest = inside.where(~fits)
    pieces = cut_at_slots(rest.meter, rest.begin, rest.end, grid)
    length = (rest.end - rest.begin)[pieces.owner]
    share = (pieces.end - rest.begin[pieces.owner]) / length
    # A short interval that touches a border puts little in the wrong slot: that is still measured.
    several = np.diff(pieces.opens, append=len(pieces.owner)) > 1
    flags = rest.flags | np.where(
        several & (rest.end - rest.begin > SLOT_SECONDS // 2), bits(Flag.INTERPOLATED), np.uint16(0)
    ).astype(np.uint16)
    _add(canvas, pieces, telescope(rest.amount, share, pieces, rest.end), flags[pieces.owner])


def lay_short(canvas: Canvas, intervals: Intervals, amount: Floats, grid: Grid) -> None:
    """Intervals under a slot, with fractions of a base unit: summed first, rounded once per slot."""
    inside = (intervals.end > grid.start) & (intervals.begin < grid.end)
    kept, amount = intervals.where(inside), amount[inside]
    begin, end = np.maximum(kept.begin, grid.start), np.minimum(kept.end, grid.end)
    pieces = cut_at_slots(kept.meter, begin, end, grid)
    if not len(pieces.cell):
        return
    share = (pieces.end - pieces.begin) / (kept.end - kept.begin)[pieces.owner]
    runs = _runs(pieces.cell)
    cells = pieces.cell[runs]
    canvas.amount.reshape(-1)[cells] += np.rint(np.add.reduceat(amount[pieces.owner] * share, runs)).astype(
        np.int64
    )
    canvas.covered.reshape(-1)[cells] += np.add.reduceat(pieces.end - pieces.begin, runs).astype(np.int32)
    canvas.flags.reshape(-1)[cells] |= np.bitwise_or.reduceat(kept.flags[pieces.owner], runs)


def lay_by_profile(
    canvas: Canvas, gaps: Intervals, profile: Floats, meters: Ints, rest: Bools, grid: Grid
) -> None:
    """Register gaps: the known energy, spread like the meter's own days and flagged ESTIMATED.

    ``profile`` float64 [len(meters), 2, 96]: mean energy per slot on working and rest days, NaN where never
    measured; ``meters`` the canvas rows it belongs to; ``rest`` bool [days of the month]. Quarters never
    measured take the meter's mean; a meter without a profile is spread evenly.
    """
    inside = clip(gaps, grid)
    if not len(inside):
        return
    pieces = cut_at_slots(inside.meter, inside.begin, inside.end, grid)
    weights = _weights(profile)[
        np.searchsorted(meters, inside.meter)[pieces.owner],
        rest[grid.day[pieces.slot]].astype(np.int64),
        grid.quarter[pieces.slot],
    ]
    cumulative = np.cumsum(weights * (pieces.end - pieces.begin))
    before = np.concatenate([[0], cumulative])[pieces.opens]
    closes = np.append(pieces.opens[1:], len(pieces.owner)) - 1
    total = cumulative[closes] - before
    even = (pieces.end - inside.begin[pieces.owner]) / (inside.end - inside.begin)[pieces.owner]
    shaped = (cumulative - before[pieces.owner]) / np.maximum(total, 1)[pieces.owner]
    share = np.where(total[pieces.owner] > 0, shaped, even)
    flags = (inside.flags | bits(Flag.ESTIMATED))[pieces.owner]
    _add(canvas, pieces, telescope(inside.amount, share, pieces, inside.end), flags)


def fill(canvas: Canvas, holes: Holes, profile: Floats, meters: Ints, rest: Bools, grid: Grid) -> None:
    """Holes of which no energy is known: the mean of similar slots for the seconds not covered, ESTIMATED.

    Slots for which the month has no similar slot stay as they are. Arguments as in ``lay_by_profile``.
    """
    begin, end = np.maximum(holes.begin, grid.start), np.minimum(holes.end, grid.end)
    pieces = cut_at_slots(holes.meter, begin, end, grid)
    mean = profile[
        np.searchsorted(meters, holes.meter)[pieces.owner],
        rest[grid.day[pieces.slot]].astype(np.int64),
        grid.quarter[pieces.slot],
    ]
    flags = holes.flags[pieces.owner]
    known = np.isfinite(mean)
    seconds = (pieces.end - pieces.begin)[known]
    cell = pieces.cell[known]
    estimate = np.rint(mean[known] * seconds / SLOT_SECONDS).astype(np.int64)
    np.add.at(canvas.amount.reshape(-1), cell, estimate)
    np.bitwise_or.at(canvas.flags.reshape(-1), cell, flags[known] | bits(Flag.ESTIMATED))
    np.bitwise_or.at(canvas.flags.reshape(-1), pieces.cell[~known], flags[~known])


def typical(amount: Ints, usable: Bools, rest: Bools, grid: Grid) -> Floats:
    """Mean energy per slot of working and rest days [meters, 2, 96], from usable slots [meters, slots].

    A quarter hour that one kind of day never measured takes the mean of all days, NaN if there is none.
    Sums are integers: a meter's profile does not depend on its neighbours in the block.
    """
    cells = rest[grid.day].astype(np.int64) * QUARTERS + grid.quarter
    order = np.argsort(cells, kind="stable")
    runs = _runs(cells[order])
    sums = np.zeros((len(amount), 2 * QUARTERS), np.int64)
    count = np.zeros_like(sums)
    sums[:, cells[order][runs]] = np.add.reduceat(np.where(usable, amount, 0)[:, order], runs, axis=1)
    count[:, cells[order][runs]] = np.add.reduceat(usable[:, order], runs, axis=1, dtype=np.int64)
    total, times = sums.reshape(-1, 2, QUARTERS), count.reshape(-1, 2, QUARTERS)
    with np.errstate(invalid="ignore"):
        own, both = total / times, total.sum(axis=1) / times.sum(axis=1)
    return np.where(times > 0, own, both[:, None, :])


def clip(intervals: Intervals, grid: Grid) -> Intervals:
    """Intervals cut at the month's borders by linear interpolation of the cumulative curve.

    Both months on a border use the same rounded value of the same curve, so they add up exactly.
    """
    inside = (intervals.end > grid.start) & (intervals.begin < grid.end)
    kept = intervals if inside.all() else intervals.where(inside)
    crossing = (kept.begin < grid.start) | (kept.end > grid.end)
    if not crossing.any():
        return kept
    begin, end = np.maximum(kept.begin, grid.start), np.minimum(kept.end, grid.end)
    length = kept.end - kept.begin
    until_begin = np.rint(kept.amount * ((begin - kept.begin) / length)).astype(np.int64)
    until_end = np.where(
        end == kept.end,
        kept.amount,
        np.rint(kept.amount * ((end - kept.begin) / length)).astype(np.int64),
    )
    amount = np.where(crossing, until_end - until_begin, kept.amount)
    return Intervals(kept.meter, begin, end, amount, kept.flags)


def cut_at_slots(meter: Ints, begin: Ints, end: Ints, grid: Grid) -> Pieces:
    """Spans inside the month, cut at slot borders."""
    first = (begin - grid.start) // SLOT_SECONDS
    count = np.maximum((end - 1 - grid.start) // SLOT_SECONDS - first + 1, 0)
    owner = np.repeat(np.arange(len(meter)), count)
    opens = np.cumsum(count) - count
    slot = first[owner] + (np.arange(len(owner)) - opens[owner])
    edge = grid.start + slot * SLOT_SECONDS
    return Pieces(
        owner,
        meter[owner] * grid.slots + slot,
        slot,
        np.maximum(edge, begin[owner]),
        np.minimum(edge + SLOT_SECONDS, end[owner]),
        opens,
    )


def telescope(amount: Ints, share: Floats, pieces: Pieces, end: Ints) -> Ints:
    """Differences of the rounded cumulative amount; ``share`` is the part reached at the end of each piece."""
    whole = amount[pieces.owner]
    cumulative = np.where(pieces.end == end[pieces.owner], whole, np.rint(whole * share).astype(np.int64))
    piece = np.diff(cumulative, prepend=np.int64(0))
    piece[pieces.opens] = cumulative[pieces.opens]
    return piece


def _weights(profile: Floats) -> Ints:
    """Profiles as integers up to 2**20; never negative."""
    known = np.isfinite(profile)
    count = known.sum(axis=(1, 2))
    level = np.where(known, profile, 0.0).sum(axis=(1, 2)) / np.maximum(count, 1)
    full = np.maximum(np.where(known, profile, level[:, None, None]), 0.0)
    top = full.max(axis=(1, 2), keepdims=True, initial=0.0)
    return np.rint(full / np.where(top > 0, top, 1.0) * _WEIGHT_SCALE).astype(np.int64)


def _copy(canvas: Canvas, intervals: Intervals, slot: Ints) -> None:
    cell = intervals.meter * canvas.amount.shape[1] + slot
    canvas.amount.reshape(-1)[cell] = intervals.amount
    canvas.covered.reshape(-1)[cell] = _FULL
    if intervals.flags.any():
        canvas.flags.reshape(-1)[cell] = intervals.flags


def _add(canvas: Canvas, pieces: Pieces, amount: Ints, flags: FlagBits) -> None:
    """Adds pieces to their cells. Pieces are sorted by cell, so integer runs can be summed exactly."""
    if not len(pieces.cell):
        return
    runs = _runs(pieces.cell)
    cells = pieces.cell[runs]
    canvas.amount.reshape(-1)[cells] += np.add.reduceat(amount, runs)
    canvas.covered.reshape(-1)[cells] += np.add.reduceat(pieces.end - pieces.begin, runs).astype(np.int32)
    canvas.flags.reshape(-1)[cells] |= np.bitwise_or.reduceat(flags, runs)


def _runs(cell: Ints) -> Ints:
    """Where runs of equal cells begin."""
    return np.flatnonzero(np.diff(cell, prepend=np.int64(-1)))
