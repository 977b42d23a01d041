"""Direct emissions (范围一): fuels that are burned, carbonates that are decomposed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from lujin.accounts import rules as rule
from lujin.accounts.choose import listed
from lujin.accounts.flows import Leg, Split
from lujin.accounts.lines import Book
from lujin.accounts.pack import FuelRules, ProcessRules
from lujin.accounts.poster import Convert, Poster
from lujin.accounts.purchases import counted
from lujin.errors import N_, FactorError, Problem, UnitError
from lujin.park import Carrier
from lujin.park.carriers import to_base
from lujin.park.model import OUTSIDE
from lujin.reference import Row, Selector, fuel, fuel_parameter, process_factor


def post_fuels(poster: Poster, rules: FuelRules, book: Book) -> None:
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
        found = counted(poster, by_carrier[carrier_id], "resale")
        if own[carrier_id]:
            found.append((own[carrier_id], flows.of(own[carrier_id])))
        _burn(poster, rules, book, flows.park.carriers[carrier_id], found)


def _burns(carrier: Carrier) -> bool:
    return bool(carrier.fuel) or carrier.biogenic


def _burn(
    poster: Poster, rules: FuelRules, book: Book, carrier: Carrier, found: Sequence[tuple[list[Leg], Split]]
) -> None:
    enterprises = {leg.enterprise for legs, _ in found for leg in legs}
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
            for legs, values in found:
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


def post_process(poster: Poster, rules: ProcessRules, book: Book) -> None:
    """Carbonates are counted where they enter a process or a furnace (脱硫), whoever they come from."""
    flows = poster.flows
    park = flows.park
    by_carrier: dict[str, list[Leg]] = defaultdict(list)
    for row, subject in enumerate(flows.subjects):
        owner = park.owner(subject.target)
        entering = park.nodes[subject.target].kind in DECOMPOSING and park.carriers[subject.carrier].process
        if entering and owner in poster.wanted and flows.energy.sides.get(row) != "seller":
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
