"""Carbon books: direct emissions (范围一) and purchased energy (范围二) as a pack asks for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np

from lujin.accounts import rules as rule
from lujin.accounts.choose import Segment, listed
from lujin.accounts.claims import Cells, Claimed, shares_of
from lujin.accounts.flows import RENEWABLE, Leg, Split, grouped_legs, resold
from lujin.accounts.lines import Book
from lujin.accounts.pack import ElectricityRules, Exports, FuelRules, HeatRules, Pack, ProcessRules
from lujin.accounts.poster import Convert, Poster
from lujin.errors import N_, FactorError, Problem, UnitError
from lujin.park import Carrier
from lujin.park.carriers import to_base
from lujin.park.model import OUTSIDE
from lujin.reference import Row, Selector, fuel, fuel_parameter, grid_factor, heat_factor, process_factor


def post_carbon(poster: Poster, pack: Pack, book: Book, claimed: Mapping[str, Sequence[Claimed]]) -> None:
    """All lines of a carbon book. ``claimed``: per enterprise the retired instruments of the month."""
    if pack.fuel:
        _post_fuels(poster, pack.fuel, book)
    if pack.process:
        _post_process(poster, pack.process, book)
    if pack.heat:
        _post_heat(poster, pack.heat, book)
    if pack.electricity and pack.electricity.rule == "purchased_electricity_market@1":
        _post_market(poster, pack.electricity, book, claimed)
    elif pack.electricity:
        _post_grid_average(poster, pack.electricity, book, claimed)
    if pack.electricity and pack.electricity.exports == "resale":
        poster.problems.extend(_fuel_power(poster))


# ---------------------------------------------------------------- what counts of the flows of an enterprise


def _counted(poster: Poster, legs: Sequence[Leg], exports: Exports) -> list[tuple[list[Leg], Split]]:
    """Purchases, and what is deducted from them, as legs with their amounts [legs, days].

    Renewable power straight from a generator inside the park counts 0 on both sides (环办气候函〔2023〕332号;
    GHG Protocol Scope 2 Guidance 6.11.2: a direct line has the generator's own factor).
    """
    flows = poster.flows
    counting = [leg for leg in legs if not leg.direct]
    incoming = [leg for leg in counting if leg.inward]
    outgoing = [leg for leg in counting if not leg.inward]
    found = [(incoming, flows.of(incoming))]
    if exports == "all":
        return [*found, (outgoing, flows.of(outgoing))]
    generated = _generated(poster)
    for key, members in grouped_legs(legs).items():
        if (back := resold(flows, members, generated.get(key, 0))) is not None:
            found.append(back)
    return found


def _generated(poster: Poster) -> Mapping[tuple[str, str], int]:
    """(enterprise, carrier) → what its own generators and processes gave in the month [base units].

    Without renewable power that went straight to a neighbour: it never mixed with the rest.
    """
    flows = poster.flows
    straight = {leg.row for leg in flows.legs if leg.direct}
    totals = flows.days.total.sum(axis=1)
    found: dict[tuple[str, str], int] = defaultdict(int)
    for row, subject, owner in flows.generated():
        if row not in straight:
            found[owner, subject.carrier] += int(totals[row])
    for row, subject, owner in flows.internal:
        if flows.park.nodes[subject.source].kind == "process":
            found[owner, subject.carrier] += int(totals[row])
    return found


def _of_dimension(poster: Poster, dimension: str) -> list[Leg]:
    return poster.legs(lambda leg: poster.flows.carrier(leg.subject).dimension == dimension)


# ---------------------------------------------------------------------------------------------- scope 1


def _post_fuels(poster: Poster, rules: FuelRules, book: Book) -> None:
    """Fuel counts once, where it enters its burner's owner; what is sold on is taken out again.

    Fuel that a process of the same owner makes never enters from outside; it counts where it leaves the process.
    """
    flows = poster.flows
    by_carrier: dict[str, list[Leg]] = defaultdict(list)
    for leg in poster.legs(lambda leg: _burns(flows.carrier(leg.subject))):
        by_carrier[leg.subject.carrier].append(leg)
    own: dict[str, list[Leg]] = defaultdict(list)
    for row, subject, owner in flows.internal:
        made = flows.park.nodes[subject.source].kind == "process"
        burned = flows.park.nodes[subject.target].kind in ("boiler", "chp")
        if owner in poster.wanted and made and burned and _burns(flows.carrier(subject)):
            own[subject.carrier].append(Leg(row, owner, True, "", subject))
    for carrier_id in sorted(by_carrier.keys() | own.keys()):
        counted = _counted(poster, by_carrier[carrier_id], "resale")
        if own[carrier_id]:
            counted.append((own[carrier_id], flows.of(own[carrier_id])))
        _burn(poster, rules, book, flows.park.carriers[carrier_id], counted)


def _burns(carrier: Carrier) -> bool:
    return bool(carrier.fuel) or carrier.biogenic


def _burn(
    poster: Poster, rules: FuelRules, book: Book, carrier: Carrier, counted: Sequence[tuple[list[Leg], Split]]
) -> None:
    enterprises = {leg.enterprise for legs, _ in counted for leg in legs}
    choice = rules.carriers.get(carrier.id)
    name = (choice.name if choice else "") or carrier.fuel
    if not enterprises:
        return
    if not name:
        poster.problems.append(_no_parameters(carrier, enterprises))
        return
    fuel_row = fuel((choice.set if choice else "") or rules.set, name)
    kind = rules.kind(carrier.id, name)
    origin = "b" if carrier.biogenic else "f"
    gases: list[tuple[str, tuple[Selector, ...]]] = [("CO2", (fuel_row,))]
    gases += [(g, (fuel_row, fuel_parameter(rules.gases_set, kind, f"kg{g}/TJ"))) for g in rules.gases]
    for gas, selectors in gases:
        # Biogenic CO2 stands beside the total; its CH4 and N2O count
        account = "MEMO/biogenic" if gas == "CO2" and carrier.biogenic else f"S1/{carrier.id}"
        poster.choices.report(enterprises, carrier.id, *selectors)
        for segment in poster.choices.segments(*selectors):
            try:
                convert = combustion_of(gas, segment.rows, carrier)
            except (UnitError, FactorError) as error:
                poster.failed(enterprises, carrier.id, error)
                continue
            for legs, values in counted:
                poster.post(
                    legs,
                    values,
                    account=account,
                    other=f"ATM/{carrier.id}",
                    book=book,
                    commodity=gas if gas == "N2O" else f"{gas}{origin}",
                    rule="combustion@1" if gas == "CO2" else "combustion_gas@1",
                    convert=convert,
                    days=segment.days,
                    rows=segment.rows,
                )


def combustion_of(gas: str, rows: tuple[Row, ...], carrier: Carrier) -> Convert:
    row = rows[0]
    base = to_base(row.values["activity_unit"], carrier.dimension)
    ncv = row.number("ncv")
    if gas == "CO2":
        carbon, oxidation = row.number("carbon_content_tC_per_TJ"), row.number("oxidation_fraction")
        return partial(
            rule.combustion, ncv=ncv, carbon_content=carbon, oxidation=oxidation, base_per_activity=base
        )
    return partial(rule.combustion_gas, ncv=ncv, kg_per_tj=rows[1].value, base_per_activity=base)


def _no_parameters(carrier: Carrier, enterprises: set[str]) -> Problem:
    return Problem(
        N_("{enterprise}: no published parameters for burning {carrier}, its emissions are not posted"),
        {"enterprise": listed(enterprises), "carrier": carrier.id},
        N_("declare the carrier in the park with the name of a fuel in the fuel table"),
        severity="warning",
    )


DECOMPOSING = frozenset({"process", "boiler", "chp"})  # GB/T 32151.1: carbonates of flue-gas cleaning count


def _undecomposed(poster: Poster) -> list[Problem]:
    """Carbonates that come in to an enterprise and are not led on: whether they are decomposed is not known."""
    flows = poster.flows
    nodes, carriers = flows.park.nodes, flows.park.carriers
    led_on = {
        (flows.park.owner(s.source), s.carrier) for s in flows.subjects if nodes[s.source].kind not in OUTSIDE
    }
    stopped: dict[str, set[str]] = defaultdict(set)
    for leg in poster.legs(lambda leg: leg.inward and bool(carriers[leg.subject.carrier].process)):
        if nodes[leg.subject.target].kind in DECOMPOSING or (leg.enterprise, leg.subject.carrier) in led_on:
            continue
        stopped[leg.subject.carrier].add(leg.enterprise)
    return [
        Problem(
            N_("{enterprise}: {carrier} enters no process, its emissions are not posted"),
            {"enterprise": listed(enterprises), "carrier": carrier},
            N_("describe the kiln, furnace or process that decomposes it as a node, and the flow into it"),
            severity="warning",
        )
        for carrier, enterprises in sorted(stopped.items())
    ]


def _post_process(poster: Poster, rules: ProcessRules, book: Book) -> None:
    """Carbonates are counted where they enter a process or a furnace (脱硫), whoever they come from."""
    flows = poster.flows
    park = flows.park
    by_carrier: dict[str, list[Leg]] = defaultdict(list)
    for row, subject in enumerate(flows.subjects):
        owner = park.owner(subject.target)
        entering = park.nodes[subject.target].kind in DECOMPOSING and park.carriers[subject.carrier].process
        if entering and owner in poster.wanted:
            by_carrier[subject.carrier].append(Leg(row, owner, True, "", subject))
    poster.problems.extend(_undecomposed(poster))
    for carrier_id, legs in by_carrier.items():
        name = park.carriers[carrier_id].process
        selector = process_factor(rules.names.get(name, name))
        poster.choices.report({leg.enterprise for leg in legs}, carrier_id, selector)
        for segment in poster.choices.segments(selector):
            poster.post(
                legs,
                flows.of(legs),
                account=f"S1/{carrier_id}",
                other=f"ATM/{carrier_id}",
                book=book,
                commodity="CO2f",
                rule="process@1",
                convert=partial(rule.process, factor=segment.row.value, purity=rules.purity),
                days=segment.days,
                rows=segment.rows,
            )


# ---------------------------------------------------------------------------------------------- scope 2


def _post_heat(poster: Poster, rules: HeatRules, book: Book) -> None:
    by_carrier: dict[str, list[Leg]] = defaultdict(list)
    for leg in _of_dimension(poster, "heat"):
        by_carrier[leg.subject.carrier].append(leg)
    for carrier_id in sorted(by_carrier.keys() & set(rules.without_factor)):
        buyers = {leg.enterprise for leg in by_carrier.pop(carrier_id) if leg.inward}
        if buyers:
            poster.problems.append(
                Problem(
                    N_("{enterprise}: no published factor for {carrier}, its emissions are not posted"),
                    {"enterprise": listed(buyers), "carrier": carrier_id},
                    N_("measure the electricity or heat that makes it as flows of their own"),
                    severity="warning",
                )
            )
    selector = heat_factor(rules.region or None)
    for carrier_id, legs in by_carrier.items():
        poster.choices.report({leg.enterprise for leg in legs}, carrier_id, selector)
        counted = _counted(poster, legs, rules.exports)
        for segment in poster.choices.segments(selector):
            for members, values in counted:
                poster.post(
                    members,
                    values,
                    account="S2/heat",
                    book=book,
                    commodity="CO2f",
                    rule=rules.rule,
                    convert=partial(rule.purchased_heat, factor=segment.row.value),
                    days=segment.days,
                    rows=segment.rows,
                )


def _post_grid_average(
    poster: Poster, rules: ElectricityRules, book: Book, claimed: Mapping[str, Sequence[Claimed]]
) -> None:
    """One factor for all purchases; green power, where the pack says so, is reported apart and still counts."""
    legs = _of_dimension(poster, "electricity")
    counted = _counted(poster, legs, rules.exports)
    _post_electricity(poster, rules, book, legs, counted)
    if rules.reported_apart:
        _cover(poster, rules.reported_apart, book, rules, _counted(poster, legs, "resale"), claimed)


def _post_market(
    poster: Poster, rules: ElectricityRules, book: Book, claimed: Mapping[str, Sequence[Claimed]]
) -> None:
    """Claims first, each once; the rest at the residual mix."""
    legs = _of_dimension(poster, "electricity")
    counted = _counted(poster, legs, rules.exports)
    covered = _cover(poster, rules.instruments, book, rules, counted, claimed)
    (incoming, bought), *deducted = counted
    left = Split(bought.measured - covered.measured, bought.estimated - covered.estimated)
    _post_electricity(poster, rules, book, legs, [(incoming, left), *deducted])


def _fuel_power(poster: Poster) -> list[Problem]:
    """Power from a neighbour who makes it from fuel counts with the factor of the grid, which it never saw.

    GHG Protocol Scope 2 Guidance 6.11.2 asks for the generator's own factor on a direct line; what of a
    neighbour's mix was bought can only be traced through the park's flows.
    """
    flows = poster.flows
    makers = {
        owner
        for _, subject, owner in flows.generated()
        if flows.park.nodes[subject.source].kind not in RENEWABLE
        and flows.carrier(subject).dimension == "electricity"
    }
    found: dict[str, set[str]] = defaultdict(set)
    for leg in _of_dimension(poster, "electricity"):
        if leg.inward and not leg.direct and leg.account.removeprefix("DUE/") in makers:
            found[leg.account.removeprefix("DUE/")].add(leg.enterprise)
    return [
        Problem(
            N_("{enterprise}: power bought from {seller}, who makes it from fuel, counts with the grid's factor"),
            {"enterprise": listed(buyers), "seller": seller},
            N_("state the plant's own factor beside these books where the buyer relies on them"),
            severity="warning",
        )
        for seller, buyers in sorted(found.items())
    ]


def _post_electricity(
    poster: Poster,
    rules: ElectricityRules,
    book: Book,
    legs: Sequence[Leg],
    counted: Sequence[tuple[list[Leg], Split]],
) -> None:
    selector = grid_factor(rules.purpose, poster.flows.park.region)
    poster.choices.report({leg.enterprise for leg in legs}, "electricity", selector)
    for segment in poster.choices.segments(selector):
        for members, values in counted:
            _post_segment(poster, rules, book, segment, members, values)


def _post_segment(
    poster: Poster, rules: ElectricityRules, book: Book, segment: Segment, legs: Sequence[Leg], values: Split
) -> None:
    poster.post(
        legs,
        values,
        account="S2/electricity",
        book=book,
        commodity="CO2f",
        rule=rules.rule,
        convert=partial(rule.purchased_electricity_location, factor=segment.row.value),
        days=segment.days,
        rows=segment.rows,
    )


def _cover(
    poster: Poster,
    kinds: Sequence[str],
    book: Book,
    rules: ElectricityRules,
    counted: Sequence[tuple[list[Leg], Split]],
    claimed: Mapping[str, Sequence[Claimed]],
) -> Split:
    """What claims of the accepted kinds cover of the purchases [incoming legs, days], with a memo line each."""
    (incoming, bought), *deducted = counted
    covered = bought.map(np.zeros_like)
    for enterprise in sorted({leg.enterprise for leg in incoming} & claimed.keys()):
        at = [i for i, leg in enumerate(incoming) if leg.enterprise == enterprise]
        given = sum(
            int(values.at(i).total.sum())
            for legs, values in deducted
            for i, leg in enumerate(legs)
            if leg.enterprise == enterprise
        )
        cells = Cells([str(incoming[i].subject) for i in at], bought.at(at), given)
        for claim, part, unused in shares_of(cells, [c for c in claimed[enterprise] if c.kind in kinds]):
            covered.measured[at] += part.measured
            covered.estimated[at] += part.estimated
            memo = [replace(incoming[i], account=f"EXT/{claim.instrument}") for i in at]
            poster.post(
                memo,
                part,
                account=f"MEMO/{claim.kind}/{claim.instrument}",
                book=book,
                commodity="electricity",
                rule=rules.rule,
            )
            if unused:
                poster.problems.append(_unused(enterprise, book, claim, unused))
    return covered


def _unused(enterprise: str, book: Book, claim: Claimed, unused: int) -> Problem:
    return Problem(
        N_(
            "{enterprise}: {unused} MWh of {instrument} exceed the purchased electricity and are not used ({book})"
        ),
        {
            "enterprise": enterprise,
            "instrument": claim.instrument,
            "unused": float(Fraction(unused, 1_000_000)),
            "book": book,
        },
        N_("claim no more than the month's purchases"),
        severity="warning",
    )
