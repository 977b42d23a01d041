"""Book ``physical``: energy and materials in base units, and standard coal on both bases (综合能耗)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lujin.accounts.flows import PERIOD_CODES, RENEWABLE, Leg, Split, by_period
from lujin.accounts.pack import CoalRules
from lujin.accounts.poster import Poster
from lujin.accounts.rules import coal_equal_value, coal_equivalent
from lujin.errors import FactorError, Problem, UnitError
from lujin.park import Carrier, Connection
from lujin.park.carriers import to_base
from lujin.reference import coal_equivalent as coal_selector
from lujin.reference.factors import Basis
from lujin.reference.listing import spans
from lujin.reference.tariff import PERIODS, DayClock, day_clock

PERIOD_NAMES = (*PERIODS, "")


def tariff_class(connection: Connection) -> Connection:
    """What decides clock and prices, without what is this customer's own: equal for many connections."""
    return replace(
        connection,
        id="",
        enterprise="",
        contract_kw=None,
        capacity_kva=None,
        feed_in="",
        valid_from=None,
        valid_to=None,
        line=None,
    )


def period_sums(poster: Poster) -> Mapping[int, Split]:
    """Row → electricity [days, PERIOD_CODES] of every subject with a grid connection."""
    flows = poster.flows
    rows: dict[Connection, list[int]] = defaultdict(list)
    for row, subject in enumerate(flows.subjects):
        if subject.connection and flows.carrier(subject).dimension == "electricity":
            rows[tariff_class(flows.park.connections[subject.connection])].append(row)
    found: dict[int, Split] = {}
    for tariff, members in rows.items():
        owners = {flows.park.connections[flows.subjects[row].connection].enterprise for row in members}
        codes = _codes(poster, tariff, owners & poster.wanted)
        sums = by_period(flows.energy, np.array(members, dtype=np.int64), codes)
        found.update((row, sums.at(i)) for i, row in enumerate(members))
    return found


def _codes(poster: Poster, tariff: Connection, enterprises: set[str]) -> NDArray[np.int64]:
    """Period per slot; PERIOD_CODES − 1 where no clock says one."""
    grid, park = poster.flows.energy.grid, poster.flows.park
    clocks = np.full((len(grid.days), 96), PERIOD_CODES - 1, dtype=np.int64)
    undecided: list[Problem] = []
    for i, day in enumerate(grid.days):
        fact = park.days.get(day)
        try:
            found: DayClock = day_clock(
                poster.choices.resolve, tariff, day, fact.temperature_max_c if fact else None
            )
        except FactorError as error:
            poster.choices.missing(enterprises, f"{tariff.region} {tariff.customer_class}", day, error)
            continue
        poster.choices.use(found.rows)
        clocks[i] = np.where(found.codes < 0, PERIOD_CODES - 1, found.codes)
        undecided += found.problems
    if undecided and enterprises:
        listed = spans(problem.params["day"] for problem in undecided)
        first = undecided[0]
        poster.problems.append(replace(first, params={**first.params, "day": listed}))
    return clocks[grid.day, grid.quarter]


def post_energy(poster: Poster, periods: Mapping[int, Split]) -> None:
    """metered@1: what came in, went out, and was generated, day by day; grid electricity per tariff period."""
    flows = poster.flows
    legs: dict[str, list[Leg]] = defaultdict(list)
    timed: dict[str, list[Leg]] = defaultdict(list)
    for leg in poster.legs(lambda _: True):
        (timed if leg.row in periods else legs)[leg.subject.carrier].append(leg)
    for carrier, members in legs.items():
        poster.post(
            members,
            flows.of(members),
            account=f"OWN/{carrier}",
            book="physical",
            commodity=carrier,
            rule="metered@1",
        )
    for carrier, members in timed.items():
        measured = np.stack([periods[leg.row].measured for leg in members])
        estimated = np.stack([periods[leg.row].estimated for leg in members])
        for code, name in enumerate(PERIOD_NAMES):
            poster.post(
                members,
                Split(measured[:, :, code], estimated[:, :, code]),
                account=f"OWN/{carrier}",
                book="physical",
                commodity=carrier,
                rule="metered@1",
                period=name,
            )
    _post_generation(poster)


def _post_generation(poster: Poster) -> None:
    """What own generators made. With the export lines it leaves the self-use (自发自用) on the account."""
    for leg in generation_legs(poster):
        carrier = leg.subject.carrier
        renewable = poster.flows.park.nodes[leg.subject.source].kind in RENEWABLE
        poster.post(
            [leg],
            poster.flows.of([leg]),
            account=f"OWN/{carrier}",
            book="physical",
            commodity=carrier,
            rule="self_use@1" if renewable else "metered@1",
        )


def generation_legs(poster: Poster) -> list[Leg]:
    """Generation seen as a leg: from ``GEN/<node>`` into the owner's account."""
    return [
        Leg(row, owner, True, f"GEN/{subject.source}", subject)
        for row, subject, owner in poster.flows.generated()
        if owner in poster.wanted
    ]


def post_coal(poster: Poster, rules: CoalRules) -> None:
    """Comprehensive energy = purchased + self-generated renewable − exported (GB/T 2589-2020 5.2).

    Media (water, compressed air) have no line: their coefficients hold the energy that made them, which is
    counted already.
    """
    park = poster.flows.park
    legs = poster.legs(lambda _: True)
    legs += [leg for leg in generation_legs(poster) if park.nodes[leg.subject.source].kind in RENEWABLE]
    by_carrier: dict[str, list[Leg]] = defaultdict(list)
    for leg in legs:
        by_carrier[leg.subject.carrier].append(leg)
    for carrier_id, members in by_carrier.items():
        carrier = park.carriers[carrier_id]
        if name := coal_name(carrier, rules):
            for basis in ("equivalent", "equal"):
                _post_basis(poster, members, carrier, name, basis)


def coal_name(carrier: Carrier, rules: CoalRules) -> str:
    """The carrier's name in the coal-equivalent table; empty for media, materials and fuels without one."""
    if carrier.id in rules.without_coefficient:
        return ""
    plain = {"electricity": "电力", "heat": "热力"}.get(carrier.dimension, carrier.coal_equivalent or carrier.fuel)
    return rules.names.get(plain, plain)


def _post_basis(poster: Poster, legs: Sequence[Leg], carrier: Carrier, name: str, basis: Basis) -> None:
    selector = coal_selector(name, basis)
    values = poster.flows.of(legs)
    poster.choices.report({leg.enterprise for leg in legs}, carrier.id, selector)
    function = coal_equivalent if basis == "equivalent" else coal_equal_value
    for segment in poster.choices.segments(selector):
        row = segment.row
        try:
            base = to_base(row.unit.partition("/")[2], carrier.dimension)
        except UnitError as error:
            poster.failed({leg.enterprise for leg in legs}, carrier.id, error)
            continue
        poster.post(
            legs,
            values,
            account=f"OWN/{carrier.id}",
            book="physical",
            commodity="ce_equivalent" if basis == "equivalent" else "ce_equal",
            rule=f"{function.__name__}@1",
            convert=partial(function, coefficient=row.value, base_per_unit=base),
            days=segment.days,
            rows=segment.rows,
        )
