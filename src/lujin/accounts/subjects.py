"""From meters to posting subjects: what moved from one node to another, per carrier and grid connection.

Blocks of meters are fed one after the other; only [subjects, slots] stays in memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lujin.accounts.checks import Check, CheckSum, MeterBlock
from lujin.accounts.counted import counted_slots as counted_slots
from lujin.accounts.rules import scaled
from lujin.park import Flow, Park, Term, check_terms, flow_terms
from lujin.park.calendar import Grid
from lujin.readings.flags import Flag, bits

Side = Literal["buyer", "seller"]


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What a line speaks of (记账对象): all flows of one carrier between two nodes through one connection."""

    source: str
    target: str
    carrier: str
    connection: str = ""

    @property
    def label(self) -> str:
        """As lines carry it.

        >>> Subject("GRID", "E012", "electricity", "C012").label
        'GRID>E012:electricity'
        """
        return f"{self.source}>{self.target}:{self.carrier}"

    def __str__(self) -> str:
        return f"{self.label}:{self.connection}" if self.connection else self.label


@dataclass(frozen=True, eq=False)
class SubjectEnergy:
    """Interval quantities of a month per subject, subjects in sorted order.

    ``total`` int64 [subjects, slots] in base units of the carrier, estimates included; ``estimated`` int64
    [subjects, slots], the part of it that is estimated. Where a meter is known to be missing its part of a
    total is not known either; the completeness beside the totals says so. Where a meter that is *subtracted*
    is missing, the total is too large: all of it counts as estimated there. ``heard`` bool [subjects]: whether
    any meter of the subject said anything in the month; None: all did. ``checks``: what both meters of each
    flow with a check meter measured. ``sides``: rows that speak for the buyer or the seller alone, because the
    two have not agreed (``lujin.accounts.settle``).
    """

    grid: Grid
    subjects: tuple[Subject, ...]
    total: NDArray[np.int64]
    estimated: NDArray[np.int64]
    heard: NDArray[np.bool_] | None = None
    checks: tuple[Check, ...] = ()
    sides: Mapping[int, Side] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Part:
    """``coefficient`` × a meter goes to the subject in row ``row`` during slots [first, last)."""

    row: int
    coefficient: Fraction
    first: int
    last: int


class SubjectSum:
    """Accumulates blocks of meters. Integer coefficients stay exact; others are rounded per meter and slot.

    Blocks may come in any order and any size, each meter once. Which slots count: ``counted_slots``.
    """

    def __init__(
        self,
        park: Park,
        grid: Grid,
        meters: Collection[str] | None = None,
        terms: Mapping[str, Sequence[Term]] | None = None,
    ) -> None:
        """``meters``: those that will come (None: all). ``terms``: default ``flow_terms(park)``."""
        self.grid = grid
        wanted = None if meters is None else set(meters)
        parts: list[tuple[Subject, str, Fraction, int, int]] = []
        terms = flow_terms(park) if terms is None else terms
        for flow_id, flow_parts in sorted(terms.items()):
            flow = park.flows[flow_id]
            subject = _subject(flow)
            for term in flow_parts:
                first, last = counted_slots(park, flow, term, grid)
                if first < last and (wanted is None or term.meter in wanted):
                    parts.append((subject, term.meter, Fraction(term.coefficient), first, last))
        self.subjects = tuple(sorted({subject for subject, *_ in parts}))
        rows = {subject: row for row, subject in enumerate(self.subjects)}
        self._parts: dict[str, list[_Part]] = defaultdict(list)
        for subject, meter, coefficient, first, last in parts:
            self._parts[meter].append(_Part(rows[subject], coefficient, first, last))
        shape = (len(self.subjects), grid.slots)
        self._total = np.zeros(shape, dtype=np.int64)
        self._estimated = np.zeros(shape, dtype=np.int64)
        self._unsure: dict[int, NDArray[np.bool_]] = {}
        self._heard = np.zeros(len(self.subjects), dtype=np.bool_)
        checks = check_terms(park)
        self._checks = CheckSum(park, grid, wanted, {flow: (terms.get(flow, ()), checks[flow]) for flow in checks})
        self._rows = rows
        self._flows = park.flows

    def add(self, block: MeterBlock) -> None:
        """Add a block of meters; meters that belong to no flow are passed over."""
        whole: dict[Fraction, list[tuple[int, int]]] = defaultdict(list)
        estimated = np.where(block.flags & bits(Flag.ESTIMATED) != 0, block.amount, 0)
        heard = (block.flags & bits(Flag.MISSING | Flag.OUTSIDE) == 0).any(axis=1)
        for i, meter in enumerate(block.meters):
            for part in self._parts.get(meter, ()):
                self._heard[part.row] |= heard[i]
                if part.coefficient < 0:
                    self._doubt(part, block.flags[i])
                if part.last - part.first == self.grid.slots:
                    whole[part.coefficient].append((part.row, i))
                else:
                    self._add_part(part, block.amount[i], estimated[i])
        self._checks.add(block)
        for coefficient, pairs in whole.items():
            self._add_whole(coefficient, np.array(pairs), block.amount, estimated)

    def result(self) -> SubjectEnergy:
        estimated = self._estimated
        if self._unsure:
            estimated = estimated.copy()
            for row, slots in self._unsure.items():
                estimated[row, slots] = self._total[row, slots]
        flows = self._flows
        checks = self._checks.result(lambda flow: self._rows[_subject(flows[flow])])
        return SubjectEnergy(self.grid, self.subjects, self._total, estimated, self._heard, checks)

    def _doubt(self, part: _Part, flags: NDArray[np.uint16]) -> None:
        """A meter to be subtracted that is missing is not zero: what it leaves is no measured amount."""
        known = (flags & bits(Flag.MISSING | Flag.PARTIAL) == 0) | (flags & bits(Flag.ESTIMATED) != 0)
        if not known[part.first : part.last].all():
            unsure = self._unsure.setdefault(part.row, np.zeros(self.grid.slots, dtype=np.bool_))
            unsure[part.first : part.last] |= ~known[part.first : part.last]

    def _add_part(self, part: _Part, amount: NDArray[np.int64], estimated: NDArray[np.int64]) -> None:
        slots = slice(part.first, part.last)
        self._total[part.row, slots] += scaled(amount[slots], part.coefficient)
        self._estimated[part.row, slots] += scaled(estimated[slots], part.coefficient)

    def _add_whole(
        self,
        coefficient: Fraction,
        pairs: NDArray[np.int64],
        amount: NDArray[np.int64],
        estimated: NDArray[np.int64],
    ) -> None:
        """All terms with this coefficient that hold the whole month: one sparse product per array."""
        rows, position = np.unique(pairs[:, 0], return_inverse=True)
        ones = np.ones(len(pairs), dtype=np.int64)
        gather = sparse.csr_array((ones, (position, pairs[:, 1])), shape=(len(rows), len(amount)))
        for into, values in ((self._total, amount), (self._estimated, estimated)):
            if values.any():
                into[rows] += gather @ scaled(values, coefficient)


def _subject(flow: Flow) -> Subject:
    return Subject(flow.source, flow.target, flow.carrier, flow.connection)
