"""What a month moved, from the side of each enterprise: daily sums, tariff periods, and legs.

A leg is one enterprise's end of a subject: what came in to it or went out of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lujin.accounts.apportion import largest_remainder
from lujin.accounts.subjects import Subject, SubjectEnergy
from lujin.park import Carrier, Park

RENEWABLE = frozenset({"pv", "wind"})
GENERATING = frozenset({"pv", "wind", "boiler", "chp"})
PERIOD_CODES = 6  # five tariff periods, and one for hours of which no period is known


@dataclass(frozen=True, eq=False, slots=True)
class Split:
    """Measured and estimated amounts [base units] of the same shape."""

    measured: NDArray[np.int64]
    estimated: NDArray[np.int64]

    @property
    def total(self) -> NDArray[np.int64]:
        return self.measured + self.estimated

    def at(self, *index: Any) -> Split:
        return Split(self.measured[index], self.estimated[index])

    def map(self, function: Callable[[NDArray[np.int64]], NDArray[np.int64]]) -> Split:
        return Split(function(self.measured), function(self.estimated))


@dataclass(frozen=True, slots=True)
class Leg:
    """One enterprise's end of the subject in row ``row``.

    ``account``: the other side as an account, ``EXT/<node>`` outside the park, ``DUE/<enterprise>`` inside.
    ``direct``: renewable power straight from a generator inside the park (直供).
    """

    row: int
    enterprise: str
    inward: bool
    account: str
    subject: Subject
    direct: bool = False


@dataclass(frozen=True, eq=False)
class MonthFlows:
    """``days``: daily sums [subjects, days]; ``internal``: row, subject and owner of flows inside one owner."""

    park: Park
    energy: SubjectEnergy
    days: Split
    legs: tuple[Leg, ...]
    internal: tuple[tuple[int, Subject, str], ...]

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return self.energy.subjects

    def carrier(self, subject: Subject) -> Carrier:
        return self.park.carriers[subject.carrier]

    def of(self, legs: Sequence[Leg]) -> Split:
        """[legs, days]"""
        return self.days.at(np.array([leg.row for leg in legs], dtype=np.int64))

    def generated(self) -> tuple[tuple[int, Subject, str], ...]:
        """Rows that leave a generator of some enterprise, with that enterprise."""
        found = []
        for row, subject in enumerate(self.subjects):
            owner = self.park.owner(subject.source)
            one_sided = self.energy.sides.get(row) == "buyer"
            if owner and self.park.nodes[subject.source].kind in GENERATING and not one_sided:
                found.append((row, subject, owner))
        return tuple(found)


def month_flows(park: Park, energy: SubjectEnergy) -> MonthFlows:
    legs: list[Leg] = []
    internal: list[tuple[int, Subject, str]] = []
    for row, subject in enumerate(energy.subjects):
        seller, buyer = park.owner(subject.source), park.owner(subject.target)
        if seller == buyer:
            if seller:
                internal.append((row, subject, seller))
            continue
        direct = bool(seller and buyer) and park.nodes[subject.source].kind in RENEWABLE
        side = energy.sides.get(row)
        if buyer and side != "seller":
            account = f"DUE/{seller}" if seller else f"EXT/{subject.source}"
            legs.append(Leg(row, buyer, True, account, subject, direct))
        if seller and side != "buyer":
            account = f"DUE/{buyer}" if buyer else f"EXT/{subject.target}"
            legs.append(Leg(row, seller, False, account, subject, direct))
    return MonthFlows(park, energy, _by_day(energy), tuple(legs), tuple(internal))


def _by_day(energy: SubjectEnergy) -> Split:
    starts = np.flatnonzero(np.diff(energy.grid.day, prepend=-1))
    shape = (len(energy.subjects), len(energy.grid.days))
    total, estimated = (
        np.add.reduceat(a, starts, axis=1, dtype=np.int64) if a.size else np.zeros(shape, dtype=np.int64)
        for a in (energy.total, energy.estimated)
    )
    return Split(total - estimated, estimated)


def by_period(energy: SubjectEnergy, rows: NDArray[np.int64], codes: NDArray[np.int64]) -> Split:
    """Sums per day and tariff period [rows, days, PERIOD_CODES] for ``codes`` [slots] (index of the period)."""
    days = len(energy.grid.days)
    place = energy.grid.day.astype(np.int64) * PERIOD_CODES + codes
    ones = np.ones(len(place), dtype=np.int64)
    gather = sparse.csr_array((ones, (place, np.arange(len(place)))), shape=(days * PERIOD_CODES, len(place)))
    total, estimated = (
        np.ascontiguousarray((gather @ a[rows].T).T).reshape(len(rows), days, PERIOD_CODES)
        for a in (energy.total, energy.estimated)
    )
    return Split(total - estimated, estimated)


def grouped_legs(legs: Iterable[Leg]) -> Mapping[tuple[str, str], list[Leg]]:
    """(enterprise, carrier) → legs."""
    groups: dict[tuple[str, str], list[Leg]] = defaultdict(list)
    for leg in legs:
        groups[leg.enterprise, leg.subject.carrier].append(leg)
    return groups


def resold(flows: MonthFlows, legs: Sequence[Leg], generated: int) -> tuple[list[Leg], Split] | None:
    """Of what one enterprise gave away of one carrier, the part that it must have bought before [out legs, days].

    What leaves is taken from own generation first; only what is left must have come in. Over the month:
    resold = min(max(out − generated, 0), in). It belongs to the receiver's use, not the reseller's (GHG
    Protocol Scope 2 Guidance 5.4: purchased energy sold on is not scope 2 of the seller). ``generated`` is
    without what went straight to a neighbour; straight power from a neighbour counts as generated. None:
    nothing was resold.
    """
    outward, given, amount = resold_amount(flows, legs, generated)
    if amount == 0:
        return None
    if amount == int(given.total.sum()):
        return outward, given
    return outward, spread(amount, given, outward)


def resold_amount(flows: MonthFlows, legs: Sequence[Leg], generated: int) -> tuple[list[Leg], Split, int]:
    """What one enterprise gave away of one carrier [out legs, days], and what of it was ``resold``."""
    outward = [leg for leg in legs if not leg.inward and not leg.direct]
    given = flows.of(outward)
    bought, straight = (
        int(flows.of([leg for leg in legs if leg.inward and leg.direct is direct]).total.sum())
        for direct in (False, True)
    )
    out = int(given.total.sum())
    return outward, given, min(max(out - generated - straight, 0), max(bought, 0))


def spread(amount: int, cells: Split, legs: Sequence[Leg]) -> Split:
    """``amount`` over the cells [legs, days] in proportion to what they hold; negative ones get nothing."""
    both = np.stack([np.maximum(cells.measured, 0), np.maximum(cells.estimated, 0)])
    ids = [f"{leg.subject}|{d:02}|{q}" for q in "me" for leg in legs for d in range(both.shape[2])]
    shares = largest_remainder(amount, both.ravel().tolist(), ids)
    measured, estimated = np.array(shares, dtype=np.int64).reshape(both.shape)
    return Split(measured, estimated)
