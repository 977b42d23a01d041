"""Where carbon comes into the park's pools: fuel burned, carbonates decomposed at a node, energy bought outside.

The same rules and factors as in the scope books, but per node instead of per enterprise, so that the sum of all
direct sources is the park's scope 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lujin.accounts import rules as rule
from lujin.accounts.direct import DECOMPOSING, combustion_of
from lujin.accounts.flows import Split
from lujin.accounts.pack import ElectricityRules, FuelRules, HeatRules, Pack, ProcessRules
from lujin.accounts.pools import Floats, Pool, PoolGraph
from lujin.accounts.poster import Convert, Poster
from lujin.errors import N_, FactorError, Problem, UnitError
from lujin.park import Carrier
from lujin.park.carriers import to_base
from lujin.park.model import OUTSIDE
from lujin.reference import Row, Selector, fuel, fuel_parameter, grid_factor, heat_factor, process_factor

_MG_PER_G = 1000


@dataclass(frozen=True, slots=True)
class Source:
    """Carbon that enters ``pool`` from account ``account`` in a month, per day [mg]; negative: taken out again."""

    pool: int
    account: str
    gas: str
    rule: str
    factor: str
    row: int
    measured: NDArray[np.int64]
    estimated: NDArray[np.int64]
    per_unit: float = 0.0  # mg per base unit of the row's flow on the last day that a factor held


def carbon_sources(poster: Poster, pack: Pack, graph: PoolGraph) -> list[Source]:
    """All sources of the month. What lacks a factor is reported through the poster's choices and left out."""
    found: list[Source] = []
    if pack.fuel:
        found += _fuels(poster, pack.fuel, graph)
    if pack.process:
        found += _carbonates(poster, pack.process, graph)
    if pack.electricity:
        found += _electricity(poster, pack.electricity, graph)
    if pack.heat:
        found += _heat(poster, pack.heat, graph)
    return found


def _made(
    poster: Poster,
    places: Sequence[tuple[int, int, int]],
    *,
    account: str,
    gas: str,
    rule_id: str,
    convert: Convert,
    days: NDArray[np.int64],
    rows: Iterable[Row],
) -> list[Source]:
    """Sources at ``places`` (row, pool, sign) on ``days``, where there is anything."""
    used = tuple(rows)
    factor = "+".join(sorted({row.id for row in used}))
    found = []
    size = len(poster.out.days)
    unit = float(convert(np.array([10**6], dtype=np.int64))[0]) / 10**6
    for row, pool, sign in places:
        split = poster.flows.days.at(row)
        if not split.total[days].any() or split.total.sum() < 0:
            continue
        measured, estimated = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        measured[days] = sign * convert(split.measured[days])
        estimated[days] = sign * convert(split.estimated[days])
        found.append(Source(pool, account, gas, rule_id, factor, row, measured, estimated, sign * unit))
    if found:
        poster.choices.use(used)
    return found


def _owners(graph: PoolGraph, places: Iterable[tuple[int, int, int]]) -> set[str]:
    return {graph.owner(pool) for _, pool, _ in places}


# ------------------------------------------------------------------------------------------------ direct


def burned(poster: Poster, graph: PoolGraph, carrier: str) -> list[tuple[int, int, int]]:
    """Where a fuel is burned: (row, pool of the node's work, sign). What enters a node and is not led on.

    What a main does not pass on is its owner's, as in the scope books; a tank burns nothing; what a node makes
    itself was never brought in. A node that gives on more than it got in the month burns nothing: the difference
    is told with its pool.
    """
    totals = poster.flows.days.total.sum(axis=1)
    place = {pool: i for i, pool in enumerate(graph.pools)}
    entering: dict[str, list[int]] = defaultdict(list)
    leaving: dict[str, list[int]] = defaultdict(list)
    for row, s in enumerate(graph.subjects):
        if s.carrier == carrier:
            entering[s.target].append(row)
            leaving[s.source].append(row)
    found = []
    for node in sorted(entering):
        kind = graph.park.nodes[node].kind
        burns = sum(int(totals[r]) for r in entering[node]) >= sum(int(totals[r]) for r in leaving[node])
        if burns and kind not in OUTSIDE and node not in graph.storages:
            work = place[Pool(node)]
            found += [(row, work, 1) for row in sorted(entering[node], key=lambda r: graph.subjects[r])]
            found += [(row, work, -1) for row in sorted(leaving[node], key=lambda r: graph.subjects[r])]
    return found


def _fuels(poster: Poster, rules: FuelRules, graph: PoolGraph) -> list[Source]:
    found: list[Source] = []
    for carrier_id in sorted({s.carrier for s in graph.subjects}):
        carrier = graph.park.carriers[carrier_id]
        name, fuel_row = _fuel_of(rules, carrier)
        places = burned(poster, graph, carrier_id) if name else []
        if not places:
            continue
        owners = _owners(graph, places)
        kind = rules.kind(carrier_id, name)
        origin = "b" if carrier.biogenic else "f"
        gases: list[tuple[str, tuple[Selector, ...]]] = [("CO2", (fuel_row,))]
        gases += [(g, (fuel_row, fuel_parameter(rules.gases_set, kind, f"kg{g}/TJ"))) for g in rules.gases]
        for gas, selectors in gases:
            poster.choices.report(owners, carrier_id, *selectors)
            for segment in poster.choices.segments(*selectors):
                try:
                    convert = combustion_of(gas, segment.rows, carrier)
                except (UnitError, FactorError) as error:
                    poster.failed(owners, carrier_id, error)
                    continue
                found += _made(
                    poster,
                    places,
                    account=f"ATM/{carrier_id}",
                    gas=gas if gas == "N2O" else f"{gas}{origin}",
                    rule_id="combustion@1" if gas == "CO2" else "combustion_gas@1",
                    convert=convert,
                    days=segment.days,
                    rows=segment.rows,
                )
    return found


def fuel_energy(
    poster: Poster, rules: FuelRules | None, graph: PoolGraph, amounts: NDArray[np.int64]
) -> dict[str, Floats]:
    """Node → net calorific energy of the fuel that it burned [kJ], for the ``amounts`` [rows, T] of the subjects.

    Only for formulas that ask for it (供热比); by the heating value in force on the first day that has one.
    """
    found: dict[str, Floats] = {}
    if rules is None or all(joint.method != "mee_heat_ratio@1" for joint in graph.joints.values()):
        return found
    for carrier_id in sorted({s.carrier for s in graph.subjects}):
        carrier = graph.park.carriers[carrier_id]
        name, selector = _fuel_of(rules, carrier)
        segments = poster.choices.segments(selector) if name else ()
        for segment in segments[:1]:
            base = to_base(segment.row.values["activity_unit"], carrier.dimension)
            kj = float(segment.row.number("ncv")) * 1e6 / float(base)
            for row, pool, sign in burned(poster, graph, carrier_id):
                node = graph.pools[pool].node
                found[node] = found.get(node, np.zeros(amounts.shape[1])) + sign * kj * amounts[row]
    return found


def _fuel_of(rules: FuelRules, carrier: Carrier) -> tuple[str, Selector]:
    """The carrier's name as a fuel (empty: none), and where its parameters stand."""
    choice = rules.carriers.get(carrier.id)
    name = (choice.name if choice else "") or carrier.fuel
    return name, fuel((choice.set if choice else "") or rules.set, name)


def _carbonates(poster: Poster, rules: ProcessRules, graph: PoolGraph) -> list[Source]:
    place = {pool: i for i, pool in enumerate(graph.pools)}
    by_carrier: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for row in sorted(range(len(graph.subjects)), key=lambda r: graph.subjects[r]):
        s = graph.subjects[row]
        if graph.park.carriers[s.carrier].process and graph.park.nodes[s.target].kind in DECOMPOSING:
            by_carrier[s.carrier].append((row, place[Pool(s.target)], 1))
    found: list[Source] = []
    for carrier_id, places in sorted(by_carrier.items()):
        name = graph.park.carriers[carrier_id].process
        selector = process_factor(rules.names.get(name, name))
        poster.choices.report(_owners(graph, places), carrier_id, selector)
        for segment in poster.choices.segments(selector):
            found += _made(
                poster,
                places,
                account=f"ATM/{carrier_id}",
                gas="CO2f",
                rule_id="process@1",
                convert=partial(rule.process, factor=segment.row.value, purity=rules.purity),
                days=segment.days,
                rows=segment.rows,
            )
    return found


def stored_co2(poster: Poster, graph: PoolGraph) -> list[Source]:
    """Captured CO2 that is stored for good or bound in minerals is taken out of the node that captured it.

    Any other fate leaves it with the emitter (EU MRR 2018/2066 article 49): it is only a memo.
    """
    place = {pool: i for i, pool in enumerate(graph.pools)}
    found = []
    for row, fact in sorted(graph.stated.items(), key=lambda item: graph.subjects[item[0]]):
        pool = place.get(Pool(graph.subjects[row].source))
        split: Split = poster.flows.days.at(row)
        if fact.status != "captured_co2" or pool is None or not split.total.any():
            continue
        permanent = fact.fate in ("mineral_binding", "geological_storage")
        found.append(
            Source(
                pool,
                f"STORED/{fact.fate}" if permanent else f"MEMO/captured/{fact.fate or 'unknown'}",
                "CO2b" if fact.origin == "biogenic" else "CO2f",
                "captured_co2@1",
                "",
                row,
                -split.measured * _MG_PER_G,
                -split.estimated * _MG_PER_G,
                -float(_MG_PER_G),
            )
        )
    return found


# ------------------------------------------------------------------------------------------- bought outside


def _bought(graph: PoolGraph, dimension: str) -> list[tuple[int, int, int]]:
    return [
        (row, graph.entry[row], 1)
        for row in sorted(range(len(graph.subjects)), key=lambda r: graph.subjects[r])
        if row in graph.entry
        and graph.carrier(row).dimension == dimension
        and graph.park.nodes[graph.subjects[row].source].kind in OUTSIDE
    ]


def _by_supplier(
    graph: PoolGraph, places: Iterable[tuple[int, int, int]]
) -> dict[str, list[tuple[int, int, int]]]:
    found: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for place in places:
        found[graph.subjects[place[0]].source].append(place)
    return dict(sorted(found.items()))


def _electricity(poster: Poster, rules: ElectricityRules, graph: PoolGraph) -> list[Source]:
    places = _bought(graph, "electricity")
    selector = grid_factor(rules.purpose, graph.park.region)
    return _energy(poster, graph, places, selector, rules.rule, rule.purchased_electricity_location)


def _heat(poster: Poster, rules: HeatRules, graph: PoolGraph) -> list[Source]:
    places = [p for p in _bought(graph, "heat") if graph.carrier(p[0]).id not in rules.without_factor]
    return _energy(poster, graph, places, heat_factor(rules.region or None), rules.rule, rule.purchased_heat)


def _energy(
    poster: Poster,
    graph: PoolGraph,
    places: Sequence[tuple[int, int, int]],
    selector: Selector,
    rule_id: str,
    formula: Callable[..., NDArray[np.int64]],
) -> list[Source]:
    """Energy bought outside at one published factor, by supplier."""
    if not places:
        return []
    poster.choices.report(_owners(graph, places), graph.carrier(places[0][0]).dimension, selector)
    return [
        source
        for segment in poster.choices.segments(selector)
        for supplier, members in _by_supplier(graph, places).items()
        for source in _made(
            poster,
            members,
            account=f"EXT/{supplier}",
            gas="CO2f",
            rule_id=rule_id,
            convert=partial(formula, factor=segment.row.value),
            days=segment.days,
            rows=segment.rows,
        )
    ]


def without_factor(poster: Poster, graph: PoolGraph, sources: Iterable[Source]) -> Problem | None:
    """What comes in from outside and carries nothing here, since no factor is given: it is missing, not zero."""
    counted = {source.row for source in sources}
    moved = np.flatnonzero(poster.flows.days.total.any(axis=1)).tolist()
    outside = [row for row in moved if graph.park.nodes[graph.subjects[row].source].kind in OUTSIDE]
    rows = [row for row in outside if row in graph.entry and row not in counted]
    carriers = sorted({graph.subjects[row].carrier for row in rows})
    if not carriers:
        return None
    return Problem(
        N_("book embodied: {carriers} bought outside the park have no factor, their making is not counted"),
        {"carriers": ", ".join(carriers)},
        N_("this limit of the account stands on its statements"),
        severity="warning",
    )
