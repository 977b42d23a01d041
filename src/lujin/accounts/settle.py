"""Settlement of flows that both parties measure (一管两表的结算).

Rule: Commission Implementing Regulation (EU) 2018/2066 (MRR), Article 48(3). Where the deviation between the two
measured values can be explained by the uncertainty of the measurement systems, both parties use the arithmetic
mean; otherwise the values are aligned by conservative adjustments.

With a (the flow's own meters) and b (check meter) over the slots that both measured, and their expanded
uncertainties U: |a − b| ≤ √(U_a² + U_b²) settles at (a + b)/2. Otherwise the gap is a **dispute**: in the scope
books the receiver takes the larger and the giver the smaller quantity, book ``embodied`` moves the smaller one
and holds the gap in ``SUSPENSE/<flow>`` of the giver. Slots that only one side measured are not compared, and
keep what the flow's own meters say: nothing is estimated from nothing.

Where a class cannot be read U is **unknown**, not zero and not guessed. One known U is a lower bound of
√(U_a² + U_b²), so a gap within it is explained all the same. Beyond that nothing can be settled: own meters stay
in force and it is said, and from ``MATERIAL`` of the larger quantity on it is a dispute. That share is no
uncertainty; it is what a verifier must call material (Regulation (EU) 2018/2067, Article 23: 5 %).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import isqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lujin.accounts.amounts import Amount
from lujin.accounts.apportion import largest_remainder
from lujin.accounts.checks import Check, Metered, amount
from lujin.accounts.statement_parts import Part
from lujin.accounts.subjects import Side, SubjectEnergy
from lujin.errors import N_, Problem
from lujin.park import Park, meter_dimensions

Outcome = Literal["agreed", "mean", "dispute", "unknown", "not_compared"]
Uncertainty = Callable[[str], Fraction | None]
"""Meter id → its relative expanded uncertainty (k = 2) [1]; None: unknown."""

MATERIAL = Fraction(5, 100)
IN_DISPUTE = N_(
    "{flow}: not settled; the giver counts {least}, the receiver {most}, and {gap} is held in suspense"
)
_CLASS = re.compile(r"(\d+(?:\.\d+)?)\s*S?")


@dataclass(frozen=True, slots=True)
class Settlement(Part):
    """How one flow was settled for a month.

    ``own`` and ``other``: what flow and check meter measured in the slots that both did, with their expanded
    uncertainties (None: unknown). ``gap`` = own − other. ``settled``: the quantity of these slots in the books;
    under dispute the smaller one. ``compared`` of ``expected`` slots.
    """

    flow: str
    subject: str
    own_meters: tuple[str, ...]
    check_meters: tuple[str, ...]
    own: Amount
    other: Amount
    own_uncertainty: Amount | None
    other_uncertainty: Amount | None
    uncertainty: Amount | None
    gap: Amount
    outcome: Outcome
    settled: Amount
    compared: int
    expected: int

    @property
    def sides(self) -> tuple[Amount, Amount]:
        """The smaller and the larger quantity: under dispute what giver and receiver count."""
        least, most = sorted((self.own, self.other), key=lambda amount: amount.base)
        return least, most


@dataclass(frozen=True, eq=False)
class Settled:
    """``energy``: what scope books, energy and money take; a disputed flow inside the park has a row for the
    buyer and one for the seller (``sides``). ``least``: what book ``embodied`` moves, rows as they came in;
    ``disputed``: row → gap [base units] that it holds in ``SUSPENSE/<flow>``; ``most`` − ``least`` is that gap
    slot by slot.
    """

    energy: SubjectEnergy
    least: SubjectEnergy
    most: SubjectEnergy
    settlements: tuple[Settlement, ...] = ()
    disputed: Mapping[int, int] | None = None


def class_uncertainty(park: Park) -> Uncertainty:
    """The accuracy class of electricity meters as relative expanded uncertainty: class 0.5S gives 0.5 %.

    The limit of error that the class allows is taken as U (k = 2), as MRR guidance document 4 does with the
    maximum permissible error in service (from memory, not re-read). Classes of other meters mean other things
    (a heat meter of class 2, EN 1434, is wider): unknown.
    """
    dimensions = meter_dimensions(park)

    def of(meter: str) -> Fraction | None:
        found = _CLASS.fullmatch(park.meters[meter].accuracy_class.strip())
        if found is None or dimensions.get(meter) != frozenset({"electricity"}):
            return None
        return Fraction(found[1]) / 100

    return of


def settle(park: Park, energy: SubjectEnergy, uncertainty: Uncertainty) -> Settled:
    """Every checked flow of the month settled. Without checks ``energy`` comes back as it is."""
    if not energy.checks:
        return Settled(energy, energy, energy, (), {})
    least, most = energy.total.copy(), energy.total.copy()
    disputed: dict[int, int] = {}
    found = []
    for check in energy.checks:
        said, low, high = _settle(park, energy, check, uncertainty)
        least[check.row] += low
        most[check.row] += high
        if said.outcome == "dispute":
            disputed[check.row] = disputed.get(check.row, 0) + abs(said.gap.base)
        found.append(said)
    low_rows, high_rows = replace(energy, total=least), replace(energy, total=most)
    books = _two_sides(park, high_rows, least, sorted(disputed)) if disputed else high_rows
    return Settled(books, low_rows, high_rows, tuple(found), disputed)


def _settle(
    park: Park, energy: SubjectEnergy, check: Check, uncertainty: Uncertainty
) -> tuple[Settlement, NDArray[np.int64], NDArray[np.int64]]:
    """The settlement, and what it changes in each slot of the flow: for the smaller and the larger quantity."""
    subject = energy.subjects[check.row]
    unit = park.carriers[subject.carrier].base_unit
    compared = check.compared
    own, other = (np.where(compared, amount(side), 0) for side in (check.own, check.other))
    a, b = int(own.sum()), int(other.sum())
    squares = (_squared(check.own, compared, uncertainty), _squared(check.other, compared, uncertainty))
    outcome = _outcome(a, b, squares) if compared.any() else "not_compared"
    low, high = min(a, b), max(a, b)
    if outcome == "mean":
        low = high = round(Fraction(a + b, 2))
    elif outcome != "dispute":
        low = high = a
    both = None if squares[0] is None or squares[1] is None else squares[0] + squares[1]
    settlement = Settlement(
        flow=check.flow,
        subject=subject.label,
        own_meters=tuple(dict.fromkeys(part.meter for part in check.own)),
        check_meters=tuple(dict.fromkeys(part.meter for part in check.other)),
        own=Amount(a, unit),
        other=Amount(b, unit),
        own_uncertainty=_root(squares[0], unit),
        other_uncertainty=_root(squares[1], unit),
        uncertainty=_root(both, unit),
        gap=Amount(a - b, unit),
        outcome=outcome,
        settled=Amount(low, unit),
        compared=int(compared.sum()),
        expected=int(check.expected.sum()),
    )
    shape = own if own.any() else other
    return settlement, spread(low - a, shape), spread(high - a, shape)


def _outcome(a: int, b: int, squares: tuple[Fraction | None, Fraction | None]) -> Outcome:
    gap = Fraction(a - b) ** 2
    if a == b:
        return "agreed"
    if gap <= sum(square for square in squares if square is not None):
        return "mean"
    if None not in squares or abs(a - b) > MATERIAL * max(abs(a), abs(b)):
        return "dispute"
    return "unknown"


def _squared(side: Sequence[Metered], compared: NDArray[np.bool_], uncertainty: Uncertainty) -> Fraction | None:
    """U² of the sum [base units²]: U of each meter in proportion to what it measured, meters independent."""
    total = Fraction(0)
    by_meter: dict[str, int] = {}
    for part in side:
        by_meter[part.meter] = by_meter.get(part.meter, 0) + int(part.amount[compared].sum())
    for meter, quantity in by_meter.items():
        relative = uncertainty(meter)
        if relative is None:
            return None
        total += (relative * quantity) ** 2
    return total


def _root(square: Fraction | None, unit: str) -> Amount | None:
    return None if square is None else Amount(isqrt(int(square)), unit)


def spread(change: int, shape: NDArray[np.int64]) -> NDArray[np.int64]:
    """``change`` shared among slots in proportion to the size of ``shape`` [slots], exact in sum.

    Added to the slots of a flow that sums to T this scales them to T + change, each within one unit.

    >>> spread(-3, np.array([10, 0, 20])).tolist()
    [-1, 0, -2]
    """
    if not change:
        return np.zeros(len(shape), dtype=np.int64)
    at = np.flatnonzero(shape)
    found = np.zeros(len(shape), dtype=np.int64)
    found[at] = largest_remainder(change, np.abs(shape[at]).tolist())
    return found


def _two_sides(park: Park, most: SubjectEnergy, least: NDArray[np.int64], rows: Sequence[int]) -> SubjectEnergy:
    """The receiver takes the larger, the giver the smaller quantity; a party outside the park has no side."""
    total, sides = most.total.copy(), dict[int, Side]()
    twins: list[int] = []
    for row in rows:
        subject = most.subjects[row]
        giver, receiver = park.owner(subject.source), park.owner(subject.target)
        if giver and receiver and giver != receiver:
            sides[row] = "buyer"
            sides[len(most.subjects) + len(twins)] = "seller"
            twins.append(row)
        elif not receiver:
            total[row] = least[row]
    return replace(
        most,
        subjects=(*most.subjects, *(most.subjects[row] for row in twins)),
        total=np.concatenate([total, least[twins]]),
        estimated=np.concatenate([most.estimated, most.estimated[twins]]),
        heard=None if most.heard is None else np.concatenate([most.heard, most.heard[twins]]),
        sides=sides,
    )


def settlement_problems(
    park: Park, settlements: Sequence[Settlement], enterprises: frozenset[str]
) -> list[Problem]:
    """What the parties of a flow must know: disputes, and what could not be settled."""
    texts: Mapping[Outcome, tuple[str, str]] = {
        "dispute": (
            N_("flow {flow}: {own} by its own meter, {other} by the check meter {meter}: in dispute"),
            N_("have both meters tested; until then {gap} stand in suspense, and closing needs them disclosed"),
        ),
        "unknown": (
            N_("flow {flow}: {own} by its own meter, {other} by the check meter {meter}: not settled"),
            N_("state accuracy_class of both meters; until then the flow's own meter counts"),
        ),
        "not_compared": (
            N_("flow {flow}: in no quarter hour did its own meter and the check meter {meter} both measure"),
            N_("import the readings of both; until then the flow's own meter counts"),
        ),
    }
    found = []
    for said in settlements:
        flow = park.flows[said.flow]
        if said.outcome in texts and {park.owner(flow.source), park.owner(flow.target)} & enterprises:
            message, remedy = texts[said.outcome]
            params = {
                "flow": said.flow,
                "own": said.own,
                "other": said.other,
                "gap": Amount(abs(said.gap.base), said.gap.base_unit),
            }
            params["meter"] = ", ".join(said.check_meters)
            found.append(Problem(message, params, remedy, severity="warning"))
    return found
