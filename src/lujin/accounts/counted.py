"""Which slots of a month a meter counts in for a flow."""

from __future__ import annotations

from datetime import datetime

from lujin.park import Flow, Meter, Park, Term
from lujin.park.calendar import SLOT_SECONDS, Grid


def counted_slots(park: Park, flow: Flow | Meter, term: Term, grid: Grid) -> tuple[int, int]:
    """Slots [first, last) of the month in which a term counts for its flow (or virtual meter).

    A slot counts if it starts within the validity of flow and term. A device that comes in within a slot counts
    from that slot on: it has measured nothing before, and what it has is nobody else's (换表时刻不在整点刻).
    """
    start = max((t for t in (flow.valid_from, term.valid_from) if t is not None), default=None)
    end = min((t for t in (flow.valid_to, term.valid_to) if t is not None), default=None)
    first = 0 if start is None else _slot(grid, start)
    if start is not None and start == park.meters[term.meter].valid_from:
        first = (int(start.timestamp()) - grid.start) // SLOT_SECONDS
    last = grid.slots if end is None else _slot(grid, end)
    return min(max(first, 0), grid.slots), min(max(last, 0), grid.slots)


def _slot(grid: Grid, instant: datetime) -> int:
    """The first slot that starts at or after ``instant``."""
    return -(-(int(instant.timestamp()) - grid.start) // SLOT_SECONDS)
