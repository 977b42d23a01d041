"""Two meters on one pipe (一管两表): what the flow's own meters and the other party's check meter measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lujin.accounts.counted import counted_slots
from lujin.accounts.rules import scaled
from lujin.park import Park, Term
from lujin.park.calendar import Grid
from lujin.readings.flags import Flag, bits

Terms = Sequence[Term]
UNMEASURED = Flag.MISSING | Flag.PARTIAL | Flag.ESTIMATED | Flag.OUTSIDE


class MeterBlock(Protocol):
    """Interval energy of a block of meters (``lujin.readings.energy.Energy``), all [meters, slots]."""

    @property
    def meters(self) -> tuple[str, ...]: ...
    @property
    def amount(self) -> NDArray[np.int64]: ...
    @property
    def flags(self) -> NDArray[np.uint16]: ...


@dataclass(frozen=True, eq=False, slots=True)
class Metered:
    """One meter's part of a quantity: ``amount`` int64 [slots], coefficient included, base units; ``counts``
    bool [slots]: where it counts at all; ``measured`` bool [slots]: where a reading stands for all of it.
    """

    meter: str
    amount: NDArray[np.int64]
    counts: NDArray[np.bool_]
    measured: NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class Check:
    """A flow measured by both parties. ``row``: its subject. ``own``: the flow's meters, which are those that
    accounts are kept by; ``other``: the check meter.
    """

    row: int
    flow: str
    own: tuple[Metered, ...]
    other: tuple[Metered, ...]

    @property
    def compared(self) -> NDArray[np.bool_]:
        """bool [slots]: where both sides were measured."""
        return measured(self.own) & measured(self.other)

    @property
    def expected(self) -> NDArray[np.bool_]:
        """bool [slots]: where both sides have a meter that should say something."""
        return counted(self.own) & counted(self.other)


def counted(parts: Sequence[Metered]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.any([part.counts for part in parts], axis=0)
    return found


def measured(parts: Sequence[Metered]) -> NDArray[np.bool_]:
    """Where at least one meter counts and all that count were measured."""
    whole: NDArray[np.bool_] = np.all([part.measured | ~part.counts for part in parts], axis=0)
    return whole & counted(parts)


def amount(parts: Sequence[Metered]) -> NDArray[np.int64]:
    """[slots]"""
    total: NDArray[np.int64] = np.sum([part.amount for part in parts], axis=0)
    return total


class CheckSum:
    """Collects the meters of both sides of every checked flow from blocks in any order."""

    def __init__(
        self, park: Park, grid: Grid, wanted: Collection[str] | None, terms: Mapping[str, tuple[Terms, Terms]]
    ) -> None:
        """``terms``: flow → its own terms and those of its check meter. A flow of which some meter will not come
        (``wanted``) is left out.
        """
        self._grid = grid
        self._places: dict[str, list[tuple[str, int, int, Fraction, int, int]]] = defaultdict(list)
        self._parts: dict[str, tuple[list[Metered | None], list[Metered | None]]] = {}
        for flow, sides in sorted(terms.items()):
            if wanted is not None and any(term.meter not in wanted for side in sides for term in side):
                continue
            spans = [[(t, *counted_slots(park, park.flows[flow], t, grid)) for t in side] for side in sides]
            spans = [[(t, first, last) for t, first, last in side if first < last] for side in spans]
            if not all(spans):
                continue
            self._parts[flow] = ([None] * len(spans[0]), [None] * len(spans[1]))
            for side, parts in enumerate(spans):
                for i, (term, first, last) in enumerate(parts):
                    place = (flow, side, i, Fraction(term.coefficient), first, last)
                    self._places[term.meter].append(place)

    def add(self, block: MeterBlock) -> None:
        for m in [m for m, meter in enumerate(block.meters) if meter in self._places]:
            known = (block.flags[m] & bits(UNMEASURED)) == 0
            for flow, side, i, coefficient, first, last in self._places[block.meters[m]]:
                counts = np.zeros(self._grid.slots, dtype=np.bool_)
                counts[first:last] = True
                whole = np.where(counts, scaled(block.amount[m], coefficient), 0)
                self._parts[flow][side][i] = Metered(block.meters[m], whole, counts, known & counts)

    def result(self, row: Callable[[str], int]) -> tuple[Check, ...]:
        """``row``: flow → row of its subject. A flow of which a meter did not come is left out."""
        found = []
        for flow, (own, other) in self._parts.items():
            sides = [tuple(part for part in side if part is not None) for side in (own, other)]
            if len(sides[0]) == len(own) and len(sides[1]) == len(other):
                found.append(Check(row(flow), flow, *sides))
        return tuple(found)
