"""The own factor of plants inside the park (自有因子): what they emitted directly, per unit that left each place.

GHG Protocol Scope 2 Guidance 6.11.2 asks for the generator's own factor on a direct line, and for heat the
supplier's; direct emissions alone, shared among power and heat as the park states, losses in what is delivered.
What a place passes on of energy bought outside mixes in at the book's factor; what a plant bought for its own
work does not, it is the plant's scope 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from lujin.accounts.choose import Choices
from lujin.accounts.consolidation import Intensity
from lujin.accounts.direct import DECOMPOSING
from lujin.accounts.embodied import GASES, solve
from lujin.accounts.embodied_shares import product_shares
from lujin.accounts.embodied_sources import Source, burned, carbon_sources, fuel_energy
from lujin.accounts.pack import Pack
from lujin.accounts.pools import Floats, Pool, PoolGraph, Quantities, pool_graph, quantities, unfed
from lujin.accounts.poster import Poster
from lujin.park.model import OUTSIDE

DIGITS = 12  # of an intensity: beyond them a sum of doubles may differ from machine to machine
_DIMENSIONS = frozenset({"electricity", "heat"})


def own_factors(poster: Poster, pack: Pack) -> Intensity:
    """(node, carrier) → mg of each gas per base unit that left it in the month.

    ``poster``: of flows that have one row each, also where two meters disagree. A place behind a plant whose fuel
    lacks a factor or is not described, or of which nobody says how it shares its carbon, has none: nothing is
    counted as zero that is not known.
    """
    flows = poster.flows
    graph = pool_graph(flows.park, flows.subjects, flows.energy.grid)
    amounts = flows.days.total.sum(axis=1, dtype=np.int64)[:, None]
    # Choices of their own: what some book missed before must be missed here again
    asked = replace(poster, choices=Choices(poster.choices.resolve, poster.choices.days, flows.park.factor_date))
    shares = product_shares(graph, amounts, fuel_energy(asked, pack.fuel, graph, amounts))
    moved = quantities(graph, amounts, shares.parts, {})
    sources = carbon_sources(asked, pack, graph)
    poster.choices.use(asked.choices.used.values())
    direct = _carbon(graph, [s for s in sources if s.account.startswith("ATM/")])
    bought = _carbon(graph, [s for s in sources if s.account.startswith("EXT/")])
    made, passed = solve(graph, moved, direct), solve(graph, _passed_on(graph, moved), bought)
    nodes = {*unfed(graph, amounts), *(str(p.params.get("node")) for p in shares.problems)}
    start = {i for i, pool in enumerate(graph.pools) if pool.node in nodes}
    unknown = _behind(graph, start | _without_factor(asked, graph, amounts))
    found: dict[tuple[str, str], dict[str, Fraction]] = {}
    for i, pool in enumerate(graph.pools):
        carrier = flows.park.carriers.get(pool.carrier)
        if carrier is None or carrier.dimension not in _DIMENSIONS or i in unknown or made.held[i]:
            continue
        whole = made.intensity[i] + passed.intensity[i]
        found[pool.node, pool.carrier] = {gas: Fraction(f"{whole[g]:.{DIGITS}g}") for g, gas in enumerate(GASES)}
    return found


def _carbon(graph: PoolGraph, sources: Sequence[Source]) -> Floats:
    carbon = np.zeros((len(graph.pools), len(GASES)))
    for source in sources:
        carbon[source.pool, GASES.index(source.gas)] += source.measured.sum() + source.estimated.sum()
    return np.maximum(carbon, 0)


def _passed_on(graph: PoolGraph, moved: Quantities) -> Quantities:
    """What plants make takes nothing along of what came in to their work."""
    edge, final, throughput = moved.edge.copy(), moved.final.copy(), moved.throughput.copy()
    for e, item in enumerate(graph.edges):
        if item.row < 0 and graph.roles[item.source] == "work":
            edge[e] = 0
    work = [i for i, role in enumerate(graph.roles) if role == "work"]
    final[work] = throughput[work] = 1.0
    return replace(moved, edge=edge, final=final, throughput=throughput)


def _without_factor(asked: Poster, graph: PoolGraph, amounts: NDArray[np.int64]) -> set[int]:
    """Pools that something entered of which a factor is missing, on some day at least."""
    place = {pool: i for i, pool in enumerate(graph.pools)}
    found: set[int] = set()
    for lacking in asked.choices.lacking():
        if lacking in graph.park.carriers:
            found |= {pool for _, pool, _ in burned(asked, graph, lacking)}
        for row, s in enumerate(graph.subjects):
            if not amounts[row].any() or row not in graph.entry:
                continue
            bought = graph.park.nodes[s.source].kind in OUTSIDE and graph.carrier(row).dimension == lacking
            if bought:
                found.add(graph.entry[row])
            elif s.carrier == lacking and graph.park.nodes[s.target].kind in DECOMPOSING:
                found.add(place[Pool(s.target)])
    return found


def _behind(graph: PoolGraph, start: set[int]) -> set[int]:
    """Pools that get something from one of those that ``start`` names, and these themselves."""
    onward: dict[int, list[int]] = {}
    for item in graph.edges:
        if item.target >= 0:
            onward.setdefault(item.source, []).append(item.target)
    reached, waiting = set(start), list(start)
    while waiting:
        for target in onward.get(waiting.pop(), ()):
            if target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached
