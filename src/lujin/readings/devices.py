"""The life of a device: readings from within it, and the handover when one meter replaces another (换表).

A replaced meter is two records. The counts at the swap, where the park file states them, are readings like any
other; where it does not, the energy around the swap is not known and is estimated from similar days.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from lujin.park.calendar import SLOT_SECONDS, Grid
from lujin.readings.flags import Flag
from lujin.readings.intervals import LONGEST_ESTIMATE_S, Event, Holes, Ints, Rows
from lujin.readings.specs import MeterSpec


def within_validity(rows: Rows, specs: Sequence[MeterSpec], grid: Grid) -> tuple[Rows, list[Event]]:
    """Readings from the meter's life; a register is still read at the instant in which it is taken out."""
    if all(s.valid_from is None and s.valid_to is None for s in specs):
        return rows, []
    far = np.iinfo(np.int64).max
    lo = np.array([-far if s.valid_from is None else s.valid_from for s in specs])
    hi = np.array([far if s.valid_to is None else s.valid_to - (s.kind != "register") for s in specs], np.int64)
    inside = (rows.time >= lo[rows.meter]) & (rows.time <= hi[rows.meter])
    if inside.all():
        return rows, []
    events = []
    ignored = ~inside & (rows.time >= grid.start) & (rows.time < grid.end)
    for m in np.unique(rows.meter[ignored]):
        time = rows.time[ignored & (rows.meter == m)]
        detail = {"readings": len(time)}
        events.append(Event(specs[m].id, int(time[0]), int(time[-1]), "outside_validity", detail))
    return rows.where(inside), events


def with_stated_counts(rows: Rows, base: Ints, specs: Sequence[MeterSpec], grid: Grid) -> tuple[Rows, Ints]:
    """Adds the stated counts at the start and end of a register's life as readings [base unit]."""
    extra: list[tuple[int, int, int]] = []
    for m, spec in enumerate(specs):
        if spec.initial is None and spec.final is None:
            continue
        time = rows.time[np.searchsorted(rows.meter, m, "left") : np.searchsorted(rows.meter, m, "right")]
        # A count beyond the boundary rows says nothing about this month.
        first, last = not (time < grid.start).any(), not (time >= grid.end).any()
        for at, count, near in ((spec.valid_from, spec.initial, first), (spec.valid_to, spec.final, last)):
            if at is not None and count is not None and (grid.start <= at <= grid.end or near):
                extra.append((m, at, round(Fraction(count) * spec.base_per_unit)))
    if not extra:
        return rows, base
    meter, at_time, counts = (np.array(column, np.int64) for column in zip(*extra, strict=True))
    merged = Rows(
        np.concatenate([rows.meter, meter]),
        np.concatenate([rows.time, at_time]),
        np.concatenate([rows.value, np.zeros(len(extra))]),
        np.concatenate([rows.quality, np.zeros(len(extra), np.int8)]),
    )
    # The stated count sorts last, so it is the one kept when a reading lies on the same second.
    order = np.lexsort((merged.time, merged.meter))
    merged, base = merged.where(order), np.concatenate([base, counts])[order]
    last_of = np.ones(len(order), np.bool_)
    last_of[:-1] = (merged.meter[1:] != merged.meter[:-1]) | (merged.time[1:] != merged.time[:-1])
    return merged.where(last_of), base[last_of]


def swaps(specs: Sequence[MeterSpec], grid: Grid) -> list[Event]:
    """Replacements in this month, with the count at the swap if it is stated."""
    events = []
    for spec in specs:
        for other, at, count in (
            (spec.replaces, spec.valid_from, spec.initial),
            (spec.replaced_by, spec.valid_to, spec.final),
        ):
            if other and at is not None and grid.start <= at < grid.end:
                detail = {} if count is None else {"count": float(count)}
                events.append(Event(spec.id, at, at, "replacement", detail))
    return events


def swap_slots(specs: Sequence[MeterSpec], grid: Grid) -> list[tuple[int, int]]:
    """(meter, slot) of the first slot of a device that took over and the last of one that was replaced."""
    edges = [
        (m, at)
        for m, spec in enumerate(specs)
        for other, at in (
            (spec.replaces, spec.valid_from),
            (spec.replaced_by, None if spec.valid_to is None else spec.valid_to - 1),
        )
        if other and at is not None and grid.start <= at < grid.end
    ]
    return [(m, (at - grid.start) // SLOT_SECONDS) for m, at in edges]


def unstated(rows: Rows, specs: Sequence[MeterSpec]) -> Holes:
    """From the last reading of a replaced device to the swap, and from the swap to the first of the next."""
    spans = []
    for m, spec in enumerate(specs):
        opens = spec.valid_from if spec.replaces and spec.initial is None else None
        closes = spec.valid_to if spec.replaced_by and spec.final is None else None
        if opens is None and closes is None:
            continue
        time = rows.time[np.searchsorted(rows.meter, m, "left") : np.searchsorted(rows.meter, m, "right")]
        if not len(time):
            continue
        length = 0 if spec.kind == "register" else spec.interval_s
        if opens is not None:
            spans.append((m, opens, int(time[0]), Flag.REPLACED))
        if closes is not None:
            spans.append((m, int(time[-1]) + length, closes, Flag.REPLACED))
    return Holes.of([s for s in spans if 0 < s[2] - s[1] <= LONGEST_ESTIMATE_S])
