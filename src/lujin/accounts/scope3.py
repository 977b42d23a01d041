"""The value chain as far as a park sees it (范围三): categories 1, 3, 4, 5 and 9 of the GHG Protocol.

Factors are rows of ``scope3_factors``, one per gas and stage; where none answers nothing is posted and a problem
says so. Scope 3 stands apart from scopes 1 and 2 and is never netted or consolidated: the same emission is one
enterprise's scope 1 and another's scope 3 by design (Scope 3 Standard, table 5.6).

    S3.1  goods that come in, unless they are waste or by-products: these carry nothing of their making
    S3.3  upstream of purchased fuels and energy, and losses of the public grid, of what was not sold on
    S3.4  goods that come in, over their distance
    S3.5  waste that goes out: its treatment belongs to the producer, also where a neighbour treats it
    S3.9  goods that go out, over their distance
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lujin.accounts import rules as rule
from lujin.accounts.choose import Segment, grouped, listed
from lujin.accounts.consolidation import Consolidation
from lujin.accounts.flows import Leg, Split
from lujin.accounts.lines import Book
from lujin.accounts.pack import Scope3Rules
from lujin.accounts.poster import Convert, Poster
from lujin.accounts.purchases import Counted
from lujin.errors import N_, FactorError, Problem, UnitError
from lujin.park import Carrier, Transfer
from lujin.park.carriers import to_base
from lujin.reference import Row, scope3_factor

GOODS = frozenset({"product", "co_product", "by_product", "captured_co2"})  # what is carried as goods
MADE_FOR_SALE = frozenset({"product", "co_product"})  # what carries the emissions of its making


@dataclass(frozen=True, slots=True)
class _Known:
    """A leg on the days [days] on which ``transfer`` says what it is; None: nothing is said."""

    leg: Leg
    transfer: Transfer | None
    days: NDArray[np.int64]


def post_scope3(poster: Poster, rules: Scope3Rules, book: Book, consolidation: Consolidation) -> None:
    post = _Scope3(poster, book)
    known = _known(poster)
    if "1" in rules.categories:
        post.activity("1", _goods(poster, known))
    if "3" in rules.categories:
        energy = poster.legs(lambda leg: _is_energy(poster.flows.carrier(leg.subject)))
        post.energy(consolidation.kept(energy))
    if "5" in rules.categories:
        post.activity("5", [k for k in known if not k.leg.inward and _is_waste(poster, k)])
    for category, inward in (("4", True), ("9", False)):
        if category in rules.categories:
            moved = [k for k in known if k.leg.inward is inward and k.transfer and k.transfer.status in GOODS]
            post.transport(category, moved)
    post.say_what_is_missing()


def _is_energy(carrier: Carrier) -> bool:
    return carrier.dimension in ("electricity", "heat") or bool(carrier.fuel) or carrier.biogenic


def _is_waste(poster: Poster, known: _Known) -> bool:
    if known.transfer is not None:
        return known.transfer.status == "waste"
    return poster.flows.park.nodes[known.leg.subject.target].kind == "landfill"


def _goods(poster: Poster, known: Sequence[_Known]) -> list[_Known]:
    """What is bought and carries the emissions of its making, whoever made it."""
    found = []
    for k in known:
        if not k.leg.inward or _is_energy(poster.flows.carrier(k.leg.subject)):
            continue
        if k.transfer is None or (k.transfer.status in MADE_FOR_SALE and k.transfer.scope in ("", "S3.1")):
            found.append(k)
    return found


def _known(poster: Poster) -> list[_Known]:
    """Every leg with what the park says of its flow, day by day."""
    flows = poster.flows
    by_ends: dict[tuple[str, str, str, str], list[Transfer]] = defaultdict(list)
    for transfer in flows.park.transfers:
        f = flows.park.flows[transfer.flow]
        by_ends[f.source, f.target, f.carrier, f.connection].append(transfer)
    grid = flows.energy.grid
    starts = [grid.slot_start(int(np.searchsorted(grid.day, day))) for day in range(len(grid.days))]
    found = []
    for leg in poster.legs(lambda _: True):
        s = leg.subject
        left = np.ones(len(starts), dtype=np.bool_)
        for transfer in by_ends.get((s.source, s.target, s.carrier, s.connection), ()):
            holds = left & np.array(
                [
                    (transfer.valid_from is None or transfer.valid_from <= at)
                    and (transfer.valid_to is None or at < transfer.valid_to)
                    for at in starts
                ]
            )
            if holds.any():
                found.append(_Known(leg, transfer, np.flatnonzero(holds)))
                left &= ~holds
        if left.any():
            found.append(_Known(leg, None, np.flatnonzero(left)))
    return found


@dataclass
class _Scope3:
    poster: Poster
    book: Book

    def __post_init__(self) -> None:
        self._lacking: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._undated: set[str] = set()

    def activity(self, category: str, members: Sequence[_Known]) -> None:
        """E = AD · EF of what the legs moved on their days."""
        for carrier, part in sorted(_by_carrier(members).items()):
            record = self.poster.flows.park.carriers[carrier]
            for segment in self._segments(category, carrier, {k.leg.enterprise for k in part}):
                for k in part:
                    days = np.intersect1d(k.days, segment.days)
                    self._post(category, [k.leg], segment.rows, days, partial(_activity, record))

    def energy(self, found: Sequence[Counted]) -> None:
        by_carrier: dict[str, list[Counted]] = defaultdict(list)
        for legs, values in found:
            by_carrier[legs[0].subject.carrier].append((legs, values))
        for carrier, members in sorted(by_carrier.items()):
            record = self.poster.flows.park.carriers[carrier]
            buyers = {leg.enterprise for legs, _ in members for leg in legs}
            for segment in self._segments("3", carrier, buyers):
                for row in segment.rows:
                    for legs, values in members:
                        convert = self._convert(partial(_activity, record), row, legs)
                        if convert is not None:
                            self._lines("3", legs, values, row, segment.days, convert, "scope3_activity@1")

    def transport(self, category: str, members: Sequence[_Known]) -> None:
        """E = m · d · EF of goods whose distance the park states."""
        for carrier, part in sorted(_by_carrier(members).items()):
            record = self.poster.flows.park.carriers[carrier]
            if record.dimension != "mass":
                continue
            self._undated |= {k.transfer.flow for k in part if k.transfer and k.transfer.distance_km is None}
            stated = [
                (k, k.transfer.distance_km) for k in part if k.transfer and k.transfer.distance_km is not None
            ]
            if not stated:
                continue
            for segment in self._segments(category, carrier, {k.leg.enterprise for k, _ in stated}):
                for k, distance in stated:
                    days = np.intersect1d(k.days, segment.days)
                    self._post(category, [k.leg], segment.rows, days, partial(_transport, distance))

    def _post(
        self,
        category: str,
        legs: Sequence[Leg],
        rows: Sequence[Row],
        days: NDArray[np.int64],
        convert_of: partial[Convert],
    ) -> None:
        rule_id = "scope3_transport@1" if category in ("4", "9") else "scope3_activity@1"
        for row in rows:
            convert = self._convert(convert_of, row, legs)
            if convert is not None and len(days):
                self._lines(category, legs, self.poster.flows.of(legs), row, days, convert, rule_id)

    def _convert(self, convert_of: partial[Convert], row: Row, legs: Sequence[Leg]) -> Convert | None:
        try:
            return convert_of(row)
        except (UnitError, FactorError) as error:
            self.poster.failed({leg.enterprise for leg in legs}, legs[0].subject.carrier, error)
            return None

    def _lines(
        self,
        category: str,
        legs: Sequence[Leg],
        values: Split,
        row: Row,
        days: NDArray[np.int64],
        convert: Convert,
        rule_id: str,
    ) -> None:
        # What goes out is a use of the account as well: waste and freight add to scope 3, whatever way they go
        out = category in ("5", "9")
        self.poster.post(
            [replace(leg, inward=True) for leg in legs] if out else legs,
            values,
            account=f"S3.{category}/{legs[0].subject.carrier}",
            book=self.book,
            commodity=commodity_of(row),
            rule=rule_id,
            convert=convert,
            days=days,
            rows=[row],
        )

    def _segments(self, category: str, carrier: str, enterprises: set[str]) -> tuple[Segment, ...]:
        """Days with the rows of all stages and gases; days without any are said to lack them."""
        choices = self.poster.choices
        selector = scope3_factor(category, carrier)
        answers: list[tuple[Row, ...] | None] = []
        for day in choices.on:
            rows = choices.resolve.all(selector, day)
            if not rows:
                try:  # asks again, so that "no row" is not kept as a choice
                    choices.resolve.one(selector, day)
                except FactorError:
                    self._lacking[category, carrier] |= enterprises
            answers.append(tuple(sorted(rows, key=lambda row: row.id)) or None)
        return grouped(answers)

    def say_what_is_missing(self) -> None:
        if self._lacking:
            self.poster.absent = True
            self.poster.problems.append(_no_factor(self._lacking))
        if self._undated:
            self.poster.problems.append(
                Problem(
                    N_("no distance is stated for {flows}: their transport is not posted (scope 3)"),
                    {"flows": listed(self._undated)},
                    N_("add distance_km to their transfer"),
                    severity="warning",
                )
            )


def commodity_of(row: Row) -> str:
    """The gas of a factor row. CO2e that its source doesn't resolve into gases stays a commodity of its own.

    ``CO2e:AR6`` is never mixed with gases nor with ``CO2e:AR5``; only a view of the very same GWP set adds it.
    """
    gas = row.values["gas"]
    return f"CO2e:{row.values['gwp'] or 'unstated'}" if gas == "CO2e" else gas


def _by_carrier(members: Sequence[_Known]) -> Mapping[str, list[_Known]]:
    found: dict[str, list[_Known]] = defaultdict(list)
    for k in members:
        found[k.leg.subject.carrier].append(k)
    return found


def _activity(carrier: Carrier, row: Row) -> Convert:
    base = to_base(row.unit.partition("/")[2], carrier.dimension)
    return partial(rule.scope3_activity, factor=row.value, base_per_unit=base)


def _transport(distance_km: Decimal, row: Row) -> Convert:
    if row.unit != "kg/t.km":
        raise UnitError(
            Problem(
                N_("the factor {row} of transport is in {unit}"),
                {"row": row.id, "unit": row.unit},
                N_("write it in kg/t.km"),
            )
        )
    return partial(rule.scope3_transport, distance_km=distance_km, factor=row.value)


def _no_factor(lacking: Mapping[tuple[str, str], set[str]]) -> Problem:
    told: dict[str, list[str]] = defaultdict(list)
    for category, carrier in sorted(lacking):
        told[category].append(carrier)
    return Problem(
        N_("no factor of scope 3 for {carriers}: these lines are not posted"),
        {"carriers": "; ".join(f"S3.{category}: {listed(names)}" for category, names in told.items())},
        N_("add rows to reference/scope3_factors.csv, then: lujin run PARK"),
        severity="warning",
    )
