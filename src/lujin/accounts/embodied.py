"""Book ``embodied`` (隐含碳账): carbon passed on inside the park, like cost in cost accounting.

Per pool and gas: X q = d + m + Σ f q of what comes in; so final users together carry what all sources gave off
(E-liability, Kaplan & Ramanna 2021; W. Leontief 1936). The month is solved as one step, on monthly sums. Integers
keep the balance to the last milligram: every edge is rounded once, and what rounding leaves over in a pool is sent
on along its way to final use.

Accounts of an enterprise: ``ATM/<carrier>`` direct sources, ``EXT/<party>`` bought outside, ``DUE/<enterprise>``
passed on inside the park, ``WIP/<pool>`` work in progress, ``STK/<node>`` stock, ``OWN/<node>`` final use,
``OUT/<party>`` sold outside, ``SUSPENSE/<flow>`` between two meters that disagree, ``STORED/<fate>`` captured for
good, ``MEMO/captured/<fate>`` captured and not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lujin.accounts.embodied_shares import product_shares
from lujin.accounts.embodied_sources import (
    Source,
    carbon_sources,
    fuel_energy,
    stored_co2,
    without_factor,
)
from lujin.accounts.intensities import intensities
from lujin.accounts.network import stranded
from lujin.accounts.pack import Pack
from lujin.accounts.pools import (
    PARK_EDGE,
    Floats,
    PoolGraph,
    Quantities,
    pool_graph,
    quantities,
    stock_of,
    unfed,
    with_disputes,
)
from lujin.accounts.poster import Poster
from lujin.accounts.settle import MATERIAL
from lujin.errors import N_, Problem

GASES = ("CO2f", "CO2b", "CH4f", "CH4b", "N2O")
# Of what leaves a pool: below this part more than entered is rounding of meters, above MATERIAL it bars closing.
NOISE = 0.001
Integers = NDArray[np.int64]
Places = NDArray[np.intp]
# (account without enterprise, commodity) → balance at the start of the month, per enterprise
Opening = Mapping[str, Mapping[tuple[str, str], int]]
# row of a disputed flow → its id, and what lies between its two meters [base units]
Disputed = Mapping[int, tuple[str, int]]


@dataclass(frozen=True, eq=False)
class Solution:
    """Intensity per pool and column of carbon [mg per unit], and which pools hold what comes in.

    ``held`` [pools]: nothing leaves them in this step (no output, or a loop without a way out).
    ``loops``: groups of pools that carbon enters and nothing leaves, by place.
    """

    intensity: Floats
    held: NDArray[np.bool_]
    loops: tuple[tuple[int, ...], ...]


def solve(graph: PoolGraph, moved: Quantities, carbon: Floats, step: int = 0) -> Solution:
    """(diag(X) − Fᵀ) q = b for one step. ``carbon`` [pools, columns]: b, what enters each pool from sources.

    A loop that lets nothing out does not stop the month: its pools hold what enters, and are named.
    """
    size = len(graph.pools)
    source = np.array([e.source for e in graph.edges], dtype=np.intp)
    target = np.array([e.target for e in graph.edges], dtype=np.intp)
    weight, through = moved.edge[:, step], moved.throughput[:, step].copy()
    live = weight > 0
    leaves = moved.final[:, step] > 0
    leaves[source[live & (target == PARK_EDGE)]] = True
    inner = live & (target != PARK_EDGE)
    closed = stranded(size, source[inner], target[inner], leaves | (through <= 0))
    loops = _named(size, source[inner], target[inner], closed)
    held = closed | (through <= 0)
    through[held] = 0.0
    kept = inner & ~held[source]
    intensity, came = _by_part(graph, source[kept], target[kept], weight[kept], through, carbon)
    entered = set(np.flatnonzero(carbon.any(axis=1) | came).tolist())
    reached = tuple(tuple(loop) for loop in loops if entered.intersection(loop))
    return Solution(intensity, held, reached)


def _by_part(
    graph: PoolGraph, source: Places, target: Places, weight: Floats, through: Floats, carbon: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """Intensities of each connected part on its own, and where carbon came that nothing leaves.

    Solved with others, a part's sums may differ in the last digit, and with them a milligram: what is posted for
    some must be what is posted for all.
    """
    size = len(graph.pools)
    joined = sparse.coo_array((np.ones(len(source)), (source, target)), shape=(size, size))
    _, label = sparse.csgraph.connected_components(joined, directed=True, connection="weak")
    entering, waiting = carbon.copy(), np.bincount(target, minlength=size)
    order = np.argsort(source, kind="stable")
    cuts = np.searchsorted(source[order], np.arange(size + 1))
    ready, open_ = np.flatnonzero(waiting == 0), np.ones(size, dtype=np.bool_)
    intensity = np.zeros_like(carbon)
    while len(ready):  # what nothing flows back to, from its sources on
        open_[ready] = False
        giving = through[ready, None] > 0
        intensity[ready] = np.divide(
            entering[ready], through[ready, None], out=np.zeros_like(entering[ready]), where=giving
        )
        edges = np.sort(np.concatenate([order[cuts[i] : cuts[i + 1]] for i in ready.tolist()]))
        np.add.at(entering, target[edges], weight[edges, None] * intensity[source[edges]])
        np.subtract.at(waiting, target[edges], 1)
        reached = np.unique(target[edges])
        ready = reached[waiting[reached] == 0]
    came = (through <= 0) & (entering > 0).any(axis=1)
    for part in np.unique(label[open_]).tolist():
        members = np.flatnonzero(label == part)
        own = np.flatnonzero(label[source] == part)
        found = intensities(
            [graph.pools[i].label for i in members.tolist()],
            np.searchsorted(members, source[own]),
            np.searchsorted(members, target[own]),
            weight[own],
            through[members],
            carbon[members],
        )
        intensity[members], came[members] = found.intensity, found.held.any(axis=1)
    return intensity, came


def _named(size: int, source: Places, target: Places, closed: NDArray[np.bool_]) -> list[list[int]]:
    """Pools without a way out, grouped by what holds them together."""
    inside = closed[source] & closed[target]
    graph = sparse.coo_array((np.ones(int(inside.sum())), (source[inside], target[inside])), shape=(size, size))
    _, label = sparse.csgraph.connected_components(graph, directed=True, connection="weak")
    return [np.flatnonzero(closed & (label == n)).tolist() for n in np.unique(label[closed])]


@dataclass(frozen=True, eq=False)
class Passed:
    """Whole amounts [mg] per edge and of final use or stock left, [.., gases]; all pools but held ones balance."""

    edge: Integers
    final: Integers


def whole_amounts(graph: PoolGraph, moved: Quantities, solution: Solution, carbon: Integers) -> Passed:
    """Round every edge once; then send what rounding left in each pool along its way to final use or out."""
    source = np.array([e.source for e in graph.edges], dtype=np.int64)
    edge = np.rint(solution.intensity[source] * moved.edge[:, :1]).astype(np.int64)
    edge[solution.held[source]] = 0
    final = np.rint(solution.intensity * moved.final[:, :1]).astype(np.int64)
    final[solution.held] = 0
    hops = _ways_out(graph, moved, solution)
    rest = carbon.copy()
    for e, item in enumerate(graph.edges):
        rest[item.source] -= edge[e]
        if item.target != PARK_EDGE:
            rest[item.target] += edge[e]
    rest -= final
    for pool, hop in hops:
        if hop is None:
            final[pool] += rest[pool]
        else:
            edge[hop] += rest[pool]
            if graph.edges[hop].target != PARK_EDGE:
                rest[graph.edges[hop].target] += rest[pool]
        rest[pool] = 0
    return Passed(edge, final)


def _ways_out(graph: PoolGraph, moved: Quantities, solution: Solution) -> list[tuple[int, int | None]]:
    """Pools from the farthest to the nearest to an exit, each with the edge to take; None: final use is here."""
    distance = {p: 0 for p in range(len(graph.pools)) if moved.final[p, 0] > 0 and not solution.held[p]}
    hop: dict[int, int | None] = dict.fromkeys(distance)
    into: dict[int, list[int]] = defaultdict(list)
    for e, item in enumerate(graph.edges):
        if moved.edge[e, 0] <= 0 or solution.held[item.source]:
            continue
        into[item.target].append(e)
    # Leaving the park and entering a pool that holds are exits too.
    ends = [PARK_EDGE, *np.flatnonzero(solution.held).tolist()]
    frontier = [*sorted(distance), *ends]
    level = 0
    while frontier:
        level += 1
        best: dict[int, int] = {}
        for place in frontier:
            for e in into[place]:
                pool = graph.edges[e].source
                if pool not in distance and (
                    pool not in best or (moved.edge[e, 0], -e) > (moved.edge[best[pool], 0], -best[pool])
                ):
                    best[pool] = e
        for pool, e in best.items():
            distance[pool], hop[pool] = level, e
        frontier = sorted(best)
    order = sorted(distance, key=lambda p: (-distance[p], p))
    return [(p, hop[p]) for p in order]


@dataclass(frozen=True, eq=False)
class EmbodiedMonth:
    """The month of book embodied before it is posted: structure, quantities, sources, intensities, amounts."""

    graph: PoolGraph
    moved: Quantities
    rules: Mapping[int, str]
    sources: tuple[Source, ...]
    carbon: Integers  # [pools, gases] what sources and openings bring
    solution: Solution
    passed: Passed
    estimated: Floats  # [pools, gases] part of the intensity that rests on estimated sources
    openings: Mapping[int, Integers]  # pool → [gases] carried in
    stocks: Mapping[int, tuple[float, float]]  # store pool → energy in it at start and end [base units]
    problems: list[Problem] = field(default_factory=list)


def embodied_month(
    poster: Poster, pack: Pack, opening: Opening, disputed: Disputed | None = None
) -> EmbodiedMonth:
    """Solve the month of the whole graph that ``poster.flows`` describes."""
    flows, gaps = poster.flows, disputed or {}
    graph = pool_graph(flows.park, flows.subjects, flows.energy.grid)
    graph = with_disputes(graph, {row: flow for row, (flow, _) in gaps.items()})
    amounts = flows.days.total.sum(axis=1, dtype=np.int64)[:, None]
    shares = product_shares(graph, amounts, fuel_energy(poster, pack.fuel, graph, amounts))
    stocks, levels, problems = _stocks(poster, graph, opening)
    between = {row: gap for row, (_, gap) in gaps.items()}
    moved = quantities(graph, amounts, shares.parts, stocks, between)
    sources = (*carbon_sources(poster, pack, graph), *stored_co2(poster, graph))
    carried = _carried(graph, opening)
    carbon, _ = _entered(graph, sources)
    problems += [*shares.problems, *_found(graph, moved, amounts), *_negative(graph, carbon)]
    refused = {(pool, GASES[column]) for pool, column in np.argwhere(carbon < 0).tolist()}
    sources = tuple(s for s in sources if s.account[:7] != "STORED/" or (s.pool, s.gas) not in refused)
    carbon, guessed = _entered(graph, sources)
    for pool, amount in carried.items():
        carbon[pool] += amount
    entering = np.maximum(carbon, 0).astype(np.float64)
    solution = solve(graph, moved, np.hstack([entering, np.clip(guessed, 0, entering)]))
    whole = Solution(solution.intensity[:, : len(GASES)], solution.held, solution.loops)
    passed = whole_amounts(graph, moved, whole, carbon)
    problems += [_loop(graph, loop) for loop in solution.loops]
    if (outside := without_factor(poster, graph, sources)) is not None:
        problems.append(outside)
    return EmbodiedMonth(
        graph,
        moved,
        shares.rules,
        sources,
        carbon,
        whole,
        passed,
        solution.intensity[:, len(GASES) :],
        carried,
        levels,
        problems,
    )


def _entered(graph: PoolGraph, sources: Iterable[Source]) -> tuple[Integers, Floats]:
    """What sources bring into each pool [pools, gases], and the part of it that is estimated."""
    carbon = np.zeros((len(graph.pools), len(GASES)), dtype=np.int64)
    guessed = np.zeros((len(graph.pools), len(GASES)))
    for source in sources:
        if not source.account.startswith("MEMO/"):
            column = GASES.index(source.gas)
            carbon[source.pool, column] += source.measured.sum() + source.estimated.sum()
            guessed[source.pool, column] += source.estimated.sum()
    return carbon, guessed


def _stocks(
    poster: Poster, graph: PoolGraph, opening: Opening
) -> tuple[dict[int, tuple[Floats, Floats]], dict[int, tuple[float, float]], list[Problem]]:
    """Per store pool: energy drawn and left in the month, energy at start and end, and what is odd."""
    stocks: dict[int, tuple[Floats, Floats]] = {}
    levels: dict[int, tuple[float, float]] = {}
    problems: list[Problem] = []
    total = poster.flows.energy.total
    for pool, role in enumerate(graph.roles):
        if role != "store":
            continue
        node, carrier = graph.pools[pool].node, graph.pools[pool].carrier
        into = [r for r, s in enumerate(graph.subjects) if s.target == node]
        out_of = [r for r, s in enumerate(graph.subjects) if s.source == node]
        if node not in graph.storages:
            problems.append(_no_storage(node))
            continue
        start = opening.get(graph.owner(pool), {}).get((f"STK/{node}", carrier), 0)
        charge, discharge = (np.maximum(total[rows], 0).sum(axis=0) for rows in (into, out_of))
        drawn, left, lack, surplus = stock_of(
            graph.storages[node], graph.park.carriers[carrier], charge, discharge, float(start)
        )
        stocks[pool] = drawn, left
        levels[pool] = float(start), float(round(float(left[0])))
        if lack > 1e-3 * max(float(drawn[0]), 1.0):
            problems.append(_drained(graph, node, lack, carrier))
        if surplus > 1e-3 * max(float(left[0]), 1.0):
            problems.append(_overfull(graph, node, surplus, carrier))
    return stocks, levels, problems


def _carried(graph: PoolGraph, opening: Opening) -> dict[int, Integers]:
    """Work in progress and stock of earlier months, per pool [gases]."""
    place = {pool.label: i for i, pool in enumerate(graph.pools)}
    stores = {graph.pools[i].node: i for i, role in enumerate(graph.roles) if role == "store"}
    found: dict[int, Integers] = {}
    for balances in opening.values():
        for (account, commodity), amount in balances.items():
            group, _, rest = account.partition("/")
            pool = place.get(rest) if group == "WIP" else stores.get(rest)
            if pool is not None and commodity in GASES and amount:
                found.setdefault(pool, np.zeros(len(GASES), dtype=np.int64))[GASES.index(commodity)] += amount
    return found


# ------------------------------------------------------------------------------------------------- said


def _found(graph: PoolGraph, moved: Quantities, amounts: Integers) -> Iterable[Problem]:
    for row in moved.negative:
        yield Problem(
            N_("flow {subject} is negative in the month ({amount} {unit}): it carries no carbon"),
            {
                "subject": graph.subjects[row].label,
                "amount": int(amounts[row, 0]),
                "unit": graph.carrier(row).base_unit,
            },
            N_("check the signs of its meters, or describe the flow the other way round"),
        )
    for node in sorted(unfed(graph, amounts)):
        yield Problem(
            N_("{node} gave energy though nothing is known to have gone in: what it made carries no carbon"),
            {"node": node},
            N_("describe the flow of its fuel, or import its readings"),
        )
    for pool in np.flatnonzero(moved.excess[:, 0] > 0).tolist():
        more = float(moved.excess[pool, 0])
        whole = float(moved.throughput[pool, 0])
        if more > NOISE * whole:
            yield Problem(
                N_("{pool}: {percent:.2f} % more leaves than enters; its carbon goes to what leaves"),
                {"pool": graph.pools[pool].label, "percent": 100 * more / max(whole - more, 1.0)},
                N_("compare the meters around it with: lujin balance PARK"),
                severity="error" if more > float(MATERIAL) * whole else "warning",
            )
    if graph.restated:
        yield Problem(
            N_("{names}: what is stated changes within the month; what held first counts for all of it"),
            {"names": ", ".join(graph.restated)},
            N_("let such a change begin with a month where it matters"),
            severity="warning",
        )
    if graph.unstated:
        labels = sorted({graph.subjects[row].label for row in graph.unstated if amounts[row, 0]})
        if labels:
            yield Problem(
                N_("nothing says what {flows} are (waste, by-product, product): they carry no carbon"),
                {"flows": ", ".join(labels)},
                N_("state it with its evidence in a [[transfer]]"),
                severity="warning",
            )


def _negative(graph: PoolGraph, carbon: Integers) -> Iterable[Problem]:
    for pool, column in np.argwhere(carbon < 0).tolist():
        yield Problem(
            N_("{pool}: {amount} kg more {gas} is stored than comes in: the capture is not posted"),
            {"pool": graph.pools[pool].label, "gas": GASES[column], "amount": -int(carbon[pool, column]) / 1e6},
            N_("check the meter of the captured CO2 against what is burned"),
        )


def _loop(graph: PoolGraph, loop: Sequence[int]) -> Problem:
    return Problem(
        N_("{pools} pass carbon around and let none out: it is held as work in progress"),
        {"pools": " → ".join(graph.pools[i].label for i in loop)},
        N_("a flow that leaves the loop is missing: describe it, or check its meter"),
    )


def _no_storage(node: str) -> Problem:
    return Problem(
        N_("{node}: what it holds and loses is not stated; all carbon of a month leaves with what it gives"),
        {"node": node},
        N_("add a [[storage]] with capacity and efficiencies"),
        file="park.toml",
        field="storage",
        severity="warning",
    )


def _drained(graph: PoolGraph, node: str, lack: float, carrier: str) -> Problem:
    return Problem(
        N_("{node} gave {amount:.0f} {unit} more than it held"),
        {"node": node, "amount": lack, "unit": graph.park.carriers[carrier].base_unit},
        N_("check its efficiencies in [[storage]] and its meters"),
        severity="warning",
    )


def _overfull(graph: PoolGraph, node: str, surplus: float, carrier: str) -> Problem:
    return Problem(
        N_("{node} took in {amount:.0f} {unit} more than it can hold: they count as lost in it"),
        {"node": node, "amount": surplus, "unit": graph.park.carriers[carrier].base_unit},
        N_("check its capacity and efficiencies in [[storage]] and its meters"),
        severity="warning",
    )
