"""Energy that changes hands inside the park: who reports it, and what consolidation takes out again (抵销).

In the scope books a buyer reports what it bought, whoever made it; a plant of the park reports what it burned.
Energy that a neighbour *made* therefore stands twice in the sum of all enterprises. Each seller's entry holds
the other side, account ``ELIM/S2/…``, so that consolidation is addition:

    scope 2 of the park = Σ S2 + Σ ELIM/S2 = what crosses the fence

Per delivery and day the seller eliminates the very amount that the buyer books, less what the seller itself
deducts as sold on; what a seller merely passes on cancels by itself. What leaves through the fence is taken
from what was made in the park first, as every enterprise's own export is: the deduction of energy that was
bought in the park and sold outside is taken back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from lujin.accounts import rules as rule
from lujin.accounts.apportion import largest_remainder
from lujin.accounts.choose import listed
from lujin.accounts.flows import Leg, MonthFlows, Split, grouped_legs, resold_amount, spread
from lujin.accounts.lines import Book
from lujin.accounts.pack import InPark
from lujin.accounts.poster import Convert, Poster
from lujin.accounts.purchases import Counted, Purchase, generated
from lujin.errors import N_, Problem
from lujin.park.supply import made_in_park
from lujin.reference import Row

Place = tuple[str, str]  # node and carrier
# Per place that sells, mg of each gas per base unit that leaves it: the plant's own factor.
Intensity = Mapping[Place, Mapping[str, Fraction]]
PUBLISHED: Place = ("", "")  # the price class of everything that has no factor of its own


@dataclass(frozen=True, slots=True)
class _Source:
    """Where energy that an enterprise sells on came from.

    ``place``: its price class; ``outside``: it crossed the fence; ``made``: a plant of the park made it.
    """

    place: Place
    outside: bool
    made: bool


@dataclass
class _Batch:
    """Legs with their amounts that are posted at one factor; negative amounts take back."""

    legs: list[Leg] = field(default_factory=list)
    measured: list[NDArray[np.int64]] = field(default_factory=list)
    estimated: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, legs: Sequence[Leg], values: Split, sign: int = 1) -> None:
        self.legs.extend(legs)
        self.measured.append(sign * values.measured)
        self.estimated.append(sign * values.estimated)

    @property
    def values(self) -> Split:
        return Split(np.concatenate(self.measured), np.concatenate(self.estimated))


@dataclass
class Consolidation:
    """Posts purchases of one book so that the park can be consolidated by addition.

    ``own``: intensities of what is sold inside the park. With ``in_park`` = ``own_factor`` energy that a plant
    of the park made counts with them, and is not posted where there is none; with ``default`` it counts with
    the published factor like any other.
    """

    poster: Poster
    book: Book
    in_park: InPark
    own: Intensity | None = None

    @cached_property
    def made(self) -> frozenset[Place]:
        return made_in_park(self.poster.flows.park)

    def place(self, leg: Leg) -> Place:
        """The price class of a delivery: the selling node where it has a factor of its own."""
        at = (leg.subject.source, leg.subject.carrier)
        sold_inside = bool(self.poster.flows.park.owner(leg.subject.source))
        return at if self.in_park == "own_factor" and sold_inside and at in self.made else PUBLISHED

    def was_made(self, leg: Leg) -> bool:
        """Whether a plant of the park made what the leg moves, wholly or partly."""
        return (leg.subject.source, leg.subject.carrier) in self.made

    def passed_on(self, legs: Sequence[Leg]) -> Mapping[str, int]:
        """Enterprise → what it sold on of purchases that a claim may cover [base units]."""
        found: dict[str, int] = defaultdict(int)
        made = generated(self.poster)
        for key, members in grouped_legs(legs).items():
            if (back := self._sold_on(members, made.get(key, 0))) is not None:
                for source, _, values in _traced(*back, self._sources(members)):
                    found[key[0]] += 0 if source.made else int(values.total.sum())
        return found

    def kept(self, legs: Sequence[Leg]) -> list[Counted]:
        """Purchases of what was not made in the park, and what of them was sold on, one carrier each."""
        found: list[Counted] = []
        made = generated(self.poster)
        for key, members in grouped_legs(legs).items():
            incoming = [leg for leg in members if leg.inward and not leg.direct and not self.was_made(leg)]
            if incoming:
                found.append((incoming, self.poster.flows.of(incoming)))
            if (back := self._sold_on(members, made.get(key, 0))) is not None:
                parts = _traced(*back, self._sources(members))
                found += [(sold, values) for source, sold, values in parts if not source.made]
        return found

    def _sold_on(self, members: Sequence[Leg], made: int) -> Counted | None:
        """As ``resold``, but what leaves through the fence is own generation first, before what neighbours get.

        The same for all books of the month, and kept for them.
        """
        key = (members[0].enterprise, members[0].subject.carrier)
        if key not in self.poster.sold_on:
            self.poster.sold_on[key] = _sold_on(self.poster.flows, members, made)
        return self.poster.sold_on[key]

    def _sources(self, members: Sequence[Leg]) -> dict[_Source, int]:
        """What one enterprise bought of one carrier, by where it came from."""
        found: dict[_Source, int] = defaultdict(int)
        for leg in members:
            if leg.inward and not leg.direct:
                source = _Source(self.place(leg), leg.account.startswith("EXT/"), self.was_made(leg))
                found[source] += int(self.poster.flows.of([leg]).total.sum())
        return found

    def post(self, purchase: Purchase, legs: Sequence[Leg], covered: Mapping[Leg, Split] | None = None) -> None:
        """``legs`` of one carrier; ``covered``: what claims cover of incoming ones [days], counted at 0."""
        booked: dict[Place, _Batch] = defaultdict(_Batch)
        eliminated: dict[Place, _Batch] = defaultdict(_Batch)
        made = generated(self.poster)
        for key, members in grouped_legs(legs).items():
            self._group(members, made.get(key, 0), covered or {}, booked, eliminated)
        published = {leg.enterprise for leg in (*booked[PUBLISHED].legs, *eliminated[PUBLISHED].legs)}
        self.poster.choices.report(published, purchase.carrier, purchase.selector)
        for place, batch in sorted(booked.items()):
            self._post(purchase, place, batch, purchase.account, "")
        for place, batch in sorted(eliminated.items()):
            self._post(purchase, place, batch, f"ELIM/{purchase.account}", "elimination@1")
        self._lacking(booked)

    def _group(
        self,
        members: Sequence[Leg],
        made: int,
        covered: Mapping[Leg, Split],
        booked: dict[Place, _Batch],
        eliminated: dict[Place, _Batch],
    ) -> None:
        """One enterprise and carrier."""
        flows = self.poster.flows
        for leg in members:
            if leg.direct:
                continue
            amounts = flows.of([leg])
            if not leg.inward:
                if leg.account.startswith("DUE/"):
                    eliminated[self.place(leg)].add([leg], amounts)
                continue
            if (part := covered.get(leg)) is not None:
                amounts = Split(amounts.measured - part.measured, amounts.estimated - part.estimated)
            booked[self.place(leg)].add([leg], amounts)
        if (back := self._sold_on(members, made)) is None:
            return
        for source, sold, values in _traced(*back, self._sources(members)):
            booked[source.place].add(sold, values)
            for i, leg in enumerate(sold):
                if leg.account.startswith("DUE/") or not source.outside:
                    eliminated[source.place].add([leg], values.at([i]), -1)

    def _post(self, purchase: Purchase, place: Place, batch: _Batch, account: str, rule_id: str) -> None:
        if not batch.legs:
            return
        for price in self._prices(purchase, place):
            biogenic = price.commodity == "CO2b"  # beside the total
            memo = "ELIM/MEMO/biogenic" if account.startswith("ELIM/") else "MEMO/biogenic"
            self.poster.post(
                batch.legs,
                batch.values,
                account=memo if biogenic else account,
                book=self.book,
                commodity=price.commodity,
                rule=rule_id or price.rule,
                convert=price.convert,
                days=price.days,
                rows=price.rows,
            )

    def _prices(self, purchase: Purchase, place: Place) -> Iterator[_Price]:
        if place != PUBLISHED:
            for gas, intensity in sorted((self.own or {}).get(place, {}).items()):
                yield _Price(gas, "own_factor@1", partial(rule.own_factor, intensity=intensity), None, ())
            return
        for segment in self.poster.choices.segments(purchase.selector):
            yield _Price("CO2f", purchase.rule, purchase.convert(segment.row), segment.days, segment.rows)

    def _lacking(self, booked: Mapping[Place, _Batch]) -> None:
        for place in sorted(booked.keys() - {PUBLISHED} - (self.own or {}).keys()):
            node, carrier = place
            buyers = {leg.enterprise for leg in booked[place].legs if leg.inward}
            self.poster.problems.append(
                Problem(
                    N_(
                        "{enterprise}: {carrier} from {seller} was made in the park and its own factor is not "
                        "known, these lines are not posted ({book})"
                    ),
                    {"enterprise": listed(buyers), "carrier": carrier, "seller": node, "book": self.book},
                    N_("describe fuel and joint production of the plant, or choose another pack"),
                )
            )


@dataclass(frozen=True, eq=False, slots=True)
class _Price:
    commodity: str
    rule: str
    convert: Convert
    days: NDArray[np.int64] | None
    rows: tuple[Row, ...]


def _sold_on(flows: MonthFlows, members: Sequence[Leg], made: int) -> Counted | None:
    outward, given, amount = resold_amount(flows, members, made)
    if amount == 0:
        return None
    if amount == int(given.total.sum()):
        return outward, given
    order = sorted(range(len(outward)), key=lambda i: outward[i].account.startswith("EXT/"))
    legs, given = [outward[i] for i in order], given.at(order)
    inside = sum(not leg.account.startswith("EXT/") for leg in legs)
    near, far = given.at(slice(inside)), given.at(slice(inside, None))
    within = int(near.total.sum())
    if amount < within:
        near = spread(amount, near, legs[:inside])
    far = spread(max(amount - within, 0), far, legs[inside:])
    joined = (np.concatenate(pair) for pair in ((near.measured, far.measured), (near.estimated, far.estimated)))
    return legs, Split(*joined)


def _traced(
    legs: Sequence[Leg], given: Split, sources: Mapping[_Source, int]
) -> list[tuple[_Source, list[Leg], Split]]:
    """What was sold on, by where it came from [legs, days]. Parts of each cell sum to the cell.

    Every source gives in proportion to what was bought of it; through the fence goes first what was bought
    inside the park.
    """
    bought = {source: amount for source, amount in sorted(sources.items(), key=_order) if amount > 0}
    if len(bought) == 1:
        return [(next(iter(bought)), list(legs), given)]
    total = int(given.total.sum())
    ids = [f"{i:06}" for i in range(len(bought))]
    shares = dict(zip(bought, largest_remainder(total, list(bought.values()), ids), strict=True))
    outside = [i for i, leg in enumerate(legs) if leg.account.startswith("EXT/")]
    inside = [i for i, leg in enumerate(legs) if not leg.account.startswith("EXT/")]
    found = []
    for places in (outside, inside):
        left = given.at(places)
        for source in list(shares):
            amount = min(shares[source], int(left.total.sum()))
            if amount <= 0:
                continue
            shares[source] -= amount
            part = left if amount == int(left.total.sum()) else spread(amount, left, [legs[i] for i in places])
            left = Split(left.measured - part.measured, left.estimated - part.estimated)
            found.append((source, [legs[i] for i in places], part))
    return found


def _order(item: tuple[_Source, int]) -> tuple[bool, Place, bool]:
    return item[0].outside, item[0].place, item[0].made
