"""Interval energy on the canonical grid (区间电量): the curve of every meter, and how sure it is.

Readings become intervals (``registers``, ``intervals``), intervals are spread on the slots of the month
(``spread``), odd values are flagged (``quality``), gaps are estimated from the meter's own similar days.
Nothing is zero because it is missing, and nothing is dropped because it is odd.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lujin.park.calendar import SLOT_SECONDS, Grid
from lujin.park.model import DayFact
from lujin.readings import quality
from lujin.readings.devices import swap_slots, swaps, unstated, within_validity
from lujin.readings.flags import SUSPECT, Flag, bits
from lujin.readings.intervals import Bools, Event, Holes, Ints, Rows, metered
from lujin.readings.registers import Counted, counted
from lujin.readings.specs import MeterSpec
from lujin.readings.spread import Canvas, fill, lay, lay_by_profile, lay_short, typical

_BOTH_WAYS = 0.05  # share of negative slots from which a meter counts both ways
_CHUNK = 128  # meters at a time: keeps the working set in the cache and memory bounded


@dataclass(frozen=True, eq=False)
class Energy:
    """Energy of a block of meters in one month.

    ``amount`` int64 [meters, slots] in base units of the meter's carrier, 0 where nothing is known (see
    MISSING). ``flags`` uint16 [meters, slots], bits of ``Flag``. ``events``: what a person should see.
    """

    grid: Grid
    meters: tuple[str, ...]
    amount: NDArray[np.int64]
    flags: NDArray[np.uint16]
    events: tuple[Event, ...]


def interval_energy(
    readings: pl.DataFrame,
    meters: Sequence[MeterSpec],
    grid: Grid,
    days: Mapping[date, DayFact],
    until: int | None = None,
) -> Energy:
    """The month's energy per meter and slot. Each meter is computed by itself: blocks may be cut anywhere.

    ``readings``: columns meter (key), time (UTC), value (raw), quality, one row per (meter, time): those of
    the month and, per meter, at least one row before and one after it where there are any. ``days``: holidays.
    ``until`` [UTC epoch s]: later slots are not expected.
    """
    frame = readings.select("meter", "time", "value", "quality")
    if not frame["meter"].is_sorted():
        frame = frame.sort("meter", "time", maintain_order=True)
    column = frame["meter"].to_numpy()
    rest = rest_days(grid, days)
    amount = np.zeros((len(meters), grid.slots), np.int64)
    flags = np.zeros((len(meters), grid.slots), np.uint16)
    events: list[Event] = []
    by_key = sorted(range(len(meters)), key=lambda m: meters[m].key)
    for at in range(0, len(by_key), _CHUNK):
        places = by_key[at : at + _CHUNK]
        specs = [meters[m] for m in places]
        lo = int(np.searchsorted(column, specs[0].key, "left"))
        hi = int(np.searchsorted(column, specs[-1].key, "right"))
        canvas, found = _chunk(_rows(frame.slice(lo, hi - lo), specs), specs, grid, rest, until)
        amount[places], flags[places] = canvas.amount, canvas.flags
        events += found
    place = {spec.id: m for m, spec in enumerate(meters)}
    events.sort(key=lambda e: (place[e.meter], e.start, e.end, e.kind))
    return Energy(grid, tuple(spec.id for spec in meters), amount, flags, tuple(events))


def slot_kinds(energy: Energy) -> Mapping[str, Bools]:
    """Which slots are expected, and how each is known [meters, slots]: ``expected`` = measured + interpolated +
    estimated + missing.

    A slot measured only in part, with nothing estimated for the rest, counts as missing. ``suspect`` slots
    belong to one of the four as well.
    """
    expected = (energy.flags & bits(Flag.OUTSIDE)) == 0
    estimated = (energy.flags & bits(Flag.ESTIMATED)) != 0
    missing = ((energy.flags & bits(Flag.MISSING | Flag.PARTIAL)) != 0) & ~estimated
    interpolated = ((energy.flags & bits(Flag.INTERPOLATED)) != 0) & ~estimated & ~missing
    return {
        "expected": expected,
        "measured": expected & ~interpolated & ~estimated & ~missing,
        "interpolated": interpolated,
        "estimated": estimated,
        "suspect": (energy.flags & bits(SUSPECT)) != 0,
        "missing": missing,
    }


def completeness(energy: Energy) -> pl.DataFrame:
    """Slots per meter (数据完整性), see ``slot_kinds``. ``amount`` and ``estimated_amount`` in base units."""
    kinds = slot_kinds(energy)
    return pl.DataFrame(
        {
            "meter": energy.meters,
            **{name: np.count_nonzero(marked, axis=1) for name, marked in kinds.items()},
            "amount": energy.amount.sum(axis=1),
            "estimated_amount": np.where(kinds["estimated"], energy.amount, 0).sum(axis=1),
        }
    )


def day_completeness(energy: Energy) -> Mapping[str, NDArray[np.int64]]:
    """Slots of every local day [meters, days], see ``slot_kinds``, and ``amount`` in base units."""
    first = np.searchsorted(energy.grid.day, np.arange(len(energy.grid.days)))
    counts = {
        name: np.add.reduceat(marked, first, axis=1, dtype=np.int64) for name, marked in slot_kinds(energy).items()
    }
    return {**counts, "amount": np.add.reduceat(energy.amount, first, axis=1)}


def rest_days(grid: Grid, days: Mapping[date, DayFact]) -> Bools:
    """Days of the month on which a business rests: weekends and holidays."""
    return np.array([d.weekday() >= 5 or (d in days and days[d].holiday) for d in grid.days])


def _rows(frame: pl.DataFrame, specs: Sequence[MeterSpec]) -> Rows:
    """Readings of these meters as arrays, sorted, the last of several at one second kept."""
    keys = np.array([s.key for s in specs])
    key = frame["meter"].to_numpy()
    meter = np.searchsorted(keys, key)
    rows = Rows(
        meter,
        frame["time"].to_physical().to_numpy() // 1_000_000,
        frame["value"].to_numpy(),
        frame["quality"].to_numpy(),
    )
    foreign = keys[meter] != key
    if foreign.any():
        rows = rows.where(~foreign)
    new = rows.meter[1:] != rows.meter[:-1]
    if not ((rows.time[1:] > rows.time[:-1]) | new).all():
        order = np.lexsort((rows.time, rows.meter))
        rows = rows.where(order)
        last = np.ones(len(rows.time), np.bool_)
        last[:-1] = (rows.meter[1:] != rows.meter[:-1]) | (rows.time[1:] != rows.time[:-1])
        rows = rows.where(last)
    return rows


def _chunk(
    rows: Rows, specs: Sequence[MeterSpec], grid: Grid, rest: Bools, until: int | None
) -> tuple[Canvas, list[Event]]:
    canvas = Canvas.blank(len(specs), grid.slots)
    rows, events = within_validity(rows, specs, grid)
    events += swaps(specs, grid)
    register = np.array([s.kind == "register" for s in specs])
    holes = [unstated(rows, specs)]
    counts: Counted | None = None
    if register.any():
        counts = counted(rows if register.all() else rows.where(register[rows.meter]), specs, grid)
        lay(canvas, counts.intervals if not counts.gap.any() else counts.intervals.where(~counts.gap), grid)
        events += counts.events
        holes.append(counts.holes)
    if not register.all():
        said = metered(rows.where(~register[rows.meter]), specs, grid)
        lay(canvas, said.long, grid)
        lay_short(canvas, said.short, said.short_amount, grid)
        events += said.events
        holes.append(said.holes)
    whole = canvas.whole()
    canvas.flags[...] |= quality.check(canvas.amount, whole, specs, rest, grid)
    canvas.flags[...] |= quality.check_bounds(canvas.amount, specs)
    _estimate(canvas, whole, counts, Holes.join(holes), rest, grid)
    _mark(canvas, specs, grid, until)
    return canvas, events


def _estimate(canvas: Canvas, whole: Bools, counts: Counted | None, holes: Holes, rest: Bools, grid: Grid) -> None:
    """Fills register gaps and holes by the profile of the meter's slots that are whole and not suspect."""
    holes = holes.where((holes.end > grid.start) & (holes.begin < grid.end))
    gaps = None if counts is None else counts.intervals.where(counts.gap)
    meters = np.unique(np.concatenate([holes.meter] if gaps is None else [holes.meter, gaps.meter]))
    if not len(meters):
        return
    usable = whole[meters] & ((canvas.flags[meters] & bits(SUSPECT & ~Flag.NEGATIVE)) == 0)
    negative = usable & (canvas.amount[meters] < 0)
    # A flow that often turns round has negative slots by nature; a few of them are errors.
    usable &= ~negative | (negative.sum(axis=1) > _BOTH_WAYS * usable.sum(axis=1))[:, None]
    profile = typical(canvas.amount[meters], usable, rest, grid)
    if gaps is not None:
        lay_by_profile(canvas, gaps, profile, meters, rest, grid)
    fill(canvas, holes, profile, meters, rest, grid)


def _mark(canvas: Canvas, specs: Sequence[MeterSpec], grid: Grid, until: int | None) -> None:
    """What is expected and missing; range and sign of every amount, the estimated ones too."""
    expected = _expected_seconds(specs, grid, until)
    covered = canvas.covered
    estimated = (canvas.flags & bits(Flag.ESTIMATED)) != 0
    short = covered < expected
    if short.any():
        canvas.flags[short & (covered > 0)] |= bits(Flag.PARTIAL)
        canvas.flags[short & (covered == 0) & ~estimated] |= bits(Flag.MISSING)
    outside = expected == 0
    if outside.any():
        canvas.flags[np.broadcast_to(outside, canvas.flags.shape) & (covered == 0) & ~estimated] = bits(
            Flag.OUTSIDE
        )
    for m, slot in swap_slots(specs, grid):
        canvas.flags[m, slot] |= bits(Flag.REPLACED)
    if estimated.any():
        canvas.flags[...] |= quality.check_bounds(canvas.amount, specs)


def _expected_seconds(specs: Sequence[MeterSpec], grid: Grid, until: int | None) -> NDArray[np.int64]:
    """Seconds of each slot that can be measured [meters or 1, slots]."""
    lo = np.array([max(s.valid_from or grid.start, grid.start) for s in specs], np.int64)
    hi = np.array([min(grid.end if s.valid_to is None else s.valid_to, grid.end) for s in specs], np.int64)
    if until is not None:
        hi = np.minimum(hi, until)
    start = grid.start + SLOT_SECONDS * np.arange(grid.slots)
    if (lo == grid.start).all() and (hi == grid.end).all():
        return np.full((1, grid.slots), SLOT_SECONDS, np.int64)
    span: Ints = np.minimum(start + SLOT_SECONDS, hi[:, None]) - np.maximum(start, lo[:, None])
    return span.clip(0, SLOT_SECONDS)
