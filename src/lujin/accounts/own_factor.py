"""The own factor of plants inside the park (自有因子): what they emitted directly, per unit that left each place.

GHG Protocol Scope 2 Guidance 6.11.2 asks for the generator's own factor on a direct line, and for heat the
supplier's; direct emissions alone, shared among power and heat as the park states, losses in what is delivered.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from lujin.accounts.consolidation import Intensity
from lujin.accounts.embodied import GASES, solve
from lujin.accounts.embodied_shares import product_shares
from lujin.accounts.embodied_sources import carbon_sources, fuel_energy
from lujin.accounts.pack import Pack
from lujin.accounts.pools import PoolGraph, pool_graph, quantities, unfed
from lujin.accounts.poster import Poster

DIGITS = 12  # of an intensity: beyond them a sum of doubles may differ from machine to machine
_DIMENSIONS = frozenset({"electricity", "heat"})


def own_factors(poster: Poster, pack: Pack) -> Intensity:
    """(node, carrier) → mg of each gas per base unit that left it in the month.

    A place behind a plant whose fuel lacks a factor or is not described, or of which nobody says how it shares its
    carbon, has none: nothing is counted as zero that is not known.
    """
    flows = poster.flows
    graph = pool_graph(flows.park, flows.subjects, flows.energy.grid.slot_start(0))
    amounts = flows.days.total.sum(axis=1, dtype=np.int64)[:, None]
    shares = product_shares(graph, amounts, fuel_energy(poster, pack.fuel, graph, amounts))
    moved = quantities(graph, amounts, shares.parts, {})
    lacking = _missing(poster)
    direct = pack.model_copy(update={"electricity": None, "heat": None})
    carbon = np.zeros((len(graph.pools), len(GASES)))
    for source in carbon_sources(poster, direct, graph):
        carbon[source.pool, GASES.index(source.gas)] += source.measured.sum() + source.estimated.sum()
    if _missing(poster) > lacking:
        return {}
    solution = solve(graph, moved, np.maximum(carbon, 0))
    unknown = _behind(graph, {*unfed(graph, amounts), *(str(p.params.get("node")) for p in shares.problems)})
    found: dict[tuple[str, str], dict[str, Fraction]] = {}
    for i, pool in enumerate(graph.pools):
        carrier = flows.park.carriers.get(pool.carrier)
        if carrier is None or carrier.dimension not in _DIMENSIONS or i in unknown or solution.held[i]:
            continue
        found[pool.node, pool.carrier] = {
            gas: Fraction(f"{solution.intensity[i, g]:.{DIGITS}g}") for g, gas in enumerate(GASES)
        }
    return found


def _missing(poster: Poster) -> int:
    return sum(problem.severity == "error" for problem in poster.choices.problems())


def _behind(graph: PoolGraph, nodes: set[str]) -> set[int]:
    """Pools that get something from one of the nodes."""
    reached = {i for i, pool in enumerate(graph.pools) if pool.node in nodes}
    waiting = list(reached)
    while waiting:
        at = waiting.pop()
        for item in graph.edges:
            if item.source == at and item.target >= 0 and item.target not in reached:
                reached.add(item.target)
                waiting.append(item.target)
    return reached
