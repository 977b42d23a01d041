"""The park as pools of carbon (碳池): what flows together mixes, what a node makes shares what went into it.

Every node has a pool per carrier that it passes on or makes, and one for its work (``carrier`` empty). A pool's
carbon leaves with what leaves it, in proportion to quantity (proportional sharing): to the next pool, out of the
park, or into final use. The structure comes from who is connected to whom; quantities come per step, so that a
month is one step and a trace has one per hour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from lujin.accounts.flows import RENEWABLE
from lujin.accounts.subjects import Subject
from lujin.park import Carrier, Flow, Joint, Park, Storage, Transfer
from lujin.park.calendar import Grid
from lujin.park.carriers import to_base
from lujin.park.model import ACCOUNT_HOLDERS, OUTSIDE

Floats = NDArray[np.float64]
Role = Literal["work", "through", "made", "store"]
_Key = TypeVar("_Key", bound=Hashable)
_Record = TypeVar("_Record", Joint, Storage, Transfer)

PARK_EDGE = -1  # as a pool's place: outside the fence
# What leaves these is their product, even where they take in some of the same themselves (厂用电)
MAKERS = frozenset({"pv", "wind", "boiler", "chp", "process"})
_NO_CARBON = frozenset({"waste", "by_product", "captured_co2"})
_ENERGY = frozenset({"electricity", "heat"})
_BURNERS = frozenset({"boiler", "chp"})
_NO_FEED = frozenset({"condensate", "compressed_air"})


@dataclass(frozen=True, slots=True, order=True)
class Pool:
    """``carrier``: empty for the work of the node itself."""

    node: str
    carrier: str = ""

    @property
    def label(self) -> str:
        """As accounts carry it.

        >>> Pool("CHP1").label, Pool("STEAM", "steam").label
        ('CHP1', 'STEAM/steam')
        """
        return f"{self.node}/{self.carrier}" if self.carrier else self.node


@dataclass(frozen=True, slots=True)
class Edge:
    """What passes from pool ``source`` to pool ``target`` (places in ``PoolGraph.pools``; PARK_EDGE: outside).

    ``row``: of the subject that is measured; −1 for what happens inside a node: use of what came in, or making.
    ``disputed``: the flow of which seller and buyer measured different quantities; what lies between them stays
    in suspense with the seller.
    """

    source: int
    target: int
    row: int = -1
    disputed: str = ""


@dataclass(frozen=True, eq=False)
class PoolGraph:
    """Structure alone, of one month. ``roles``: ``work`` of a node; ``through``: it comes in and goes on; ``made``
    there; ``store``. ``entry``: subject row → the pool that it enters inside the park. ``unstated``: rows of
    materials that somebody makes and nobody says what they are (waste, by-product, product): they carry nothing.
    ``stated``: subject row → what the park says of it. ``restated``: flows and nodes of which it says another
    thing within the month; what it said first counts.
    """

    park: Park
    subjects: tuple[Subject, ...]
    pools: tuple[Pool, ...]
    roles: tuple[Role, ...]
    edges: tuple[Edge, ...]
    entry: Mapping[int, int]
    unstated: tuple[int, ...]
    stated: Mapping[int, Transfer]
    joints: Mapping[str, Joint]
    storages: Mapping[str, Storage]
    restated: tuple[str, ...] = ()

    def owner(self, pool: int) -> str:
        return self.park.owner(self.pools[pool].node)

    def kind(self, pool: int) -> str:
        return self.park.nodes[self.pools[pool].node].kind

    def carrier(self, row: int) -> Carrier:
        return self.park.carriers[self.subjects[row].carrier]

    def made(self) -> Mapping[str, tuple[int, ...]]:
        """Node that makes something → the pools of what it makes, in order."""
        found: dict[str, list[int]] = defaultdict(list)
        for i, (pool, role) in enumerate(zip(self.pools, self.roles, strict=True)):
            if role == "made":
                found[pool.node].append(i)
        return {node: tuple(found[node]) for node in sorted(found)}


def _stated(
    park: Park, subjects: Sequence[Subject], grid: Grid
) -> tuple[dict[int, Transfer], dict[str, Joint], dict[str, Storage], tuple[str, ...]]:
    """What the park says in the month: by subject row, node and node; and of what it says another thing later."""
    rows = {(s.source, s.target, s.carrier, s.connection): row for row, s in enumerate(subjects)}
    transfers: list[tuple[int, Transfer]] = []
    for transfer in sorted(park.transfers, key=lambda t: t.flow):
        f = park.flows[transfer.flow]
        row = rows.get((f.source, f.target, f.carrier, f.connection))
        if row is not None and not _apart(f, transfer):
            transfers.append((row, transfer))
    stated, flows = _in_force(transfers, grid, lambda t: (t.status, t.fate, t.origin))
    joints, plants = _in_force([(j.node, j) for j in park.joints], grid, _undated)
    storages, stores = _in_force([(s.node, s) for s in park.storages], grid, _undated)
    return stated, joints, storages, (*sorted(stated[row].flow for row in flows), *sorted({*plants, *stores}))


def _apart(flow: Flow, transfer: Transfer) -> bool:
    """Whether what is said of a flow holds at no time at which there is the flow."""
    return any(
        end is not None and begin is not None and end <= begin
        for end, begin in ((flow.valid_to, transfer.valid_from), (transfer.valid_to, flow.valid_from))
    )


def _undated(record: Joint | Storage) -> object:
    return replace(record, valid_from=None, valid_to=None)


def _in_force(
    records: Iterable[tuple[_Key, _Record]], grid: Grid, content: Callable[[_Record], object]
) -> tuple[dict[_Key, _Record], set[_Key]]:
    """Per key the record that holds first in the month, from its start or from some later day on (月中投产); and
    the keys of which another one that says something else follows within it.
    """
    first, last = grid.slot_start(0), grid.slot_start(grid.slots)
    held: dict[_Key, _Record] = {}
    again: set[_Key] = set()
    for key, record in sorted(records, key=lambda item: item[1].valid_from or datetime.min.replace(tzinfo=UTC)):
        begins = record.valid_from is None or record.valid_from < last
        lasts = record.valid_to is None or record.valid_to > first
        if begins and lasts and content(held.setdefault(key, record)) != content(record):
            again.add(key)
    return held, again


def pool_graph(park: Park, subjects: Sequence[Subject], grid: Grid) -> PoolGraph:
    """The pools and edges of the subjects, with what the park states for the month. Sorted, so that the order of
    subjects does not matter.
    """
    stated, joints, stores, restated = _stated(park, subjects, grid)
    into: dict[Pool, list[int]] = defaultdict(list)
    out_of: dict[Pool, list[int]] = defaultdict(list)
    inside: dict[str, set[str]] = defaultdict(set)
    for row, s in enumerate(subjects):
        for node, ends in ((s.target, into), (s.source, out_of)):
            if park.nodes[node].kind not in OUTSIDE:
                ends[Pool(node, s.carrier)].append(row)
                inside[node].add(s.carrier)
    roles: dict[Pool, Role] = {}
    unstated: list[int] = []
    for node in sorted(inside):
        roles[Pool(node)] = "work"
        for carrier in sorted(inside[node]):
            pool = Pool(node, carrier)
            if park.nodes[node].kind == "battery" or node in stores:
                roles[pool] = "store"
            elif into[pool] and out_of[pool] and park.nodes[node].kind not in MAKERS:
                roles[pool] = "through"
            elif out_of[pool] and carrier != "condensate":  # water that returns is nobody's product
                unknown = [row for row in out_of[pool] if row not in stated]
                unstated += [] if _is_energy(park.carriers[carrier]) else unknown
                waste = {row for row in out_of[pool] if row in stated and stated[row].status in _NO_CARBON}
                if set(out_of[pool]) - waste - set(unstated):
                    roles[pool] = "made"  # what carries nothing is no product: its node's work keeps the carbon
    pools = tuple(sorted(roles))
    place = {pool: i for i, pool in enumerate(pools)}
    idle = {*unstated, *(row for row, transfer in stated.items() if transfer.status in _NO_CARBON)}
    entered = {pool: i for pool, i in place.items() if roles[pool] != "made"}
    edges, entry = _edges(subjects, place, entered, idle)
    edges += _inner(park, pools, roles, place)
    return PoolGraph(
        park,
        tuple(subjects),
        pools,
        tuple(roles[pool] for pool in pools),
        tuple(edges),
        entry,
        tuple(sorted(unstated)),
        stated,
        joints,
        stores,
        restated,
    )


def with_disputes(graph: PoolGraph, flows: Mapping[int, str]) -> PoolGraph:
    """With an edge into suspense beside each disputed flow. ``flows``: subject row → id of the flow."""
    beside = [
        Edge(item.source, PARK_EDGE, item.row, flows[item.row])
        for item in graph.edges
        if item.row in flows and not item.disputed
    ]
    return replace(graph, edges=(*graph.edges, *beside))


def _is_energy(carrier: Carrier) -> bool:
    """Carriers that are sold as energy unless the park says otherwise; compressed air is one of them."""
    return carrier.dimension in _ENERGY or carrier.id == "compressed_air" or bool(carrier.fuel)


def _edges(
    subjects: Sequence[Subject], place: Mapping[Pool, int], entered: Mapping[Pool, int], idle: set[int]
) -> tuple[list[Edge], dict[int, int]]:
    """Edges of the measured flows that carry carbon, and where each flow enters the park's pools."""
    edges: list[Edge] = []
    entry: dict[int, int] = {}
    for row in sorted(range(len(subjects)), key=lambda row: subjects[row]):
        s = subjects[row]
        source = place.get(Pool(s.source, s.carrier), PARK_EDGE)
        target = entered.get(Pool(s.target, s.carrier), entered.get(Pool(s.target), PARK_EDGE))
        if target != PARK_EDGE:
            entry[row] = target
        if source != PARK_EDGE and row not in idle and s.carrier != "condensate":
            edges.append(Edge(source, target, row))
    return edges, entry


def _inner(park: Park, pools: Sequence[Pool], roles: Mapping[Pool, Role], place: Mapping[Pool, int]) -> list[Edge]:
    """What is not led on is used by the node's work (in a main: lost); its work makes its products."""
    edges = []
    for pool in pools:
        work = place[Pool(pool.node)]
        if roles[pool] == "through" and park.nodes[pool.node].kind != "main":
            edges.append(Edge(place[pool], work))
        elif roles[pool] == "made":
            edges.append(Edge(work, place[pool]))
    return edges


@dataclass(frozen=True, eq=False)
class Quantities:
    """Of T steps. ``edge`` [edges, T] in the unit of the edge's source pool (base units; work: shares of 1),
    ``final`` [pools, T] what is used up there, ``throughput`` [pools, T] = what leaves + final.

    ``kept`` [pools, T]: pools that give nothing in the step; what carbon comes in is work in progress.
    ``excess`` [pools, T]: what leaves beyond what entered. ``negative``: rows with a negative amount, taken as 0.
    """

    edge: Floats
    final: Floats
    throughput: Floats
    excess: Floats
    negative: tuple[int, ...]

    @property
    def kept(self) -> NDArray[np.bool_]:
        return self.throughput <= 0


def quantities(
    graph: PoolGraph,
    amounts: NDArray[np.int64],
    shares: Mapping[int, Floats],
    stocks: Mapping[int, tuple[Floats, Floats]],
    disputed: Mapping[int, int] | None = None,
) -> Quantities:
    """Quantities of every edge and pool from ``amounts`` [rows, T] of the subjects.

    ``shares``: made pool → its part [T] of the carbon of its node's work. ``stocks``: store pool → (drawn, left)
    [T] as energy inside the store: what is drawn takes its part of the carbon, the rest stays. ``disputed``:
    row → what lies between the two meters of a disputed flow, for the whole of one step.
    """
    steps = amounts.shape[1]
    negative = tuple(np.flatnonzero((amounts < 0).any(axis=1)).tolist())
    moved = np.maximum(amounts, 0).astype(np.float64)
    size = len(graph.pools)
    entering, leaving = np.zeros((size, steps)), np.zeros((size, steps))
    for row, pool in graph.entry.items():
        if graph.subjects[row].carrier == graph.pools[pool].carrier:
            entering[pool] += moved[row]
    edge = np.zeros((len(graph.edges), steps))
    for e, item in enumerate(graph.edges):
        if item.row >= 0:
            edge[e] = (disputed or {})[item.row] if item.disputed else moved[item.row]
            leaving[item.source] += edge[e]
    excess = np.zeros((size, steps))
    final = np.zeros((size, steps))
    for e, item in enumerate(graph.edges):
        if item.row < 0 and graph.roles[item.source] == "through":
            rest = entering[item.source] - leaving[item.source]
            edge[e] = np.maximum(rest, 0)
        elif item.row < 0:
            edge[e] = shares[item.target]
    for pool, role in enumerate(graph.roles):
        if role == "through":
            excess[pool] = np.maximum(leaving[pool] - entering[pool], 0)
        elif role == "store" and pool in stocks:
            drawn, left = stocks[pool]
            part = np.divide(left, drawn, out=np.zeros(steps), where=drawn > 0)
            final[pool] = np.where(drawn > 0, leaving[pool] * part, left)
    _keep_rest(graph, edge, final)
    throughput = final.copy()
    np.add.at(throughput, [item.source for item in graph.edges], edge)
    return Quantities(edge, final, throughput, excess, negative)


def _keep_rest(graph: PoolGraph, edge: Floats, final: Floats) -> None:
    """What a node's work keeps for itself: all that no product carries; nothing where only products are made."""
    products: dict[int, list[int]] = defaultdict(list)
    for e, item in enumerate(graph.edges):
        if item.row < 0 and graph.roles[item.source] == "work":
            products[item.source].append(e)
    for pool, role in enumerate(graph.roles):
        if role == "work" and pool not in products:
            final[pool] = 1.0
    for pool, made in products.items():
        if graph.kind(pool) in ACCOUNT_HOLDERS:
            rest = 1.0 - edge[made].sum(axis=0)
            final[pool] = np.where(rest > 1e-12, rest, 0.0)


def unfed(graph: PoolGraph, amounts: NDArray[np.int64]) -> set[str]:
    """Plants that gave something though nothing went in: what they burn is not described, or not measured. Water
    and returned condensate feed no boiler.
    """
    moved = [s for s, row in zip(graph.subjects, amounts, strict=True) if (row > 0).any()]
    nodes, carriers = graph.park.nodes, graph.park.carriers
    fed = {
        s.target
        for s in moved
        if nodes[s.target].kind not in _BURNERS
        or carriers[s.carrier].biogenic
        or (_is_energy(carriers[s.carrier]) and s.carrier not in _NO_FEED)
    }
    giving = {s.source for s in moved}
    return {n for n in giving - fed if graph.park.nodes[n].kind in MAKERS - RENEWABLE}


def stock_of(
    storage: Storage, carrier: Carrier, charge: NDArray[np.int64], discharge: NDArray[np.int64], opening: float
) -> tuple[Floats, Floats, float, float]:
    """Drawn and left energy of one step over its slots, and by how much more was drawn than there was, or put in
    than it holds.

    S⁺ = S·(1−λ) + η_c·c − d/η_d per slot, all in base units of the carrier; never below zero nor above what the
    store holds. Returns (drawn [1], left [1], shortfall, surplus).
    """
    per_slot = 1 - (1 - float(storage.standing_loss_per_day)) ** (1 / 96)
    limit = float(Fraction(storage.capacity) * to_base(storage.unit, carrier.dimension))
    content, shortfall = min(opening, limit), 0.0
    surplus = opening - content
    gained = charge * float(storage.charge_efficiency)
    taken = discharge / float(storage.discharge_efficiency)
    for gain, take in zip(gained.tolist(), taken.tolist(), strict=True):
        content = content * (1 - per_slot) + gain - take
        if content < 0:
            shortfall -= content
            content = 0.0
        surplus += max(content - limit, 0.0)
        content = min(content, limit)
    return np.array([taken.sum()]), np.array([content]), shortfall, surplus


def components(park: Park) -> Mapping[str, frozenset[str]]:
    """Enterprise → all whose embodied carbon may depend on one another: those joined by flows inside the park."""
    leader = {name: name for name in park.enterprises()}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for flow in park.flows.values():
        seller, buyer = park.owner(flow.source), park.owner(flow.target)
        if seller and buyer and seller != buyer:
            first, second = sorted((find(seller), find(buyer)))
            leader[second] = first
    members: dict[str, set[str]] = defaultdict(set)
    for name in leader:
        members[find(name)].add(name)
    whole = {root: frozenset(names) for root, names in members.items()}
    return {name: whole[find(name)] for name in leader}


def with_neighbours(park: Park, enterprises: Iterable[str]) -> frozenset[str]:
    """The enterprises and all that are joined to them."""
    joined = components(park)
    return frozenset(name for e in enterprises for name in joined.get(e, frozenset({e})))


def may_hold(park: Park, enterprises: Iterable[str]) -> frozenset[str]:
    """Those of the enterprises with whom carbon can stay over the end of a month: all but those that only use
    what they buy outside or make on their roofs.
    """
    light = ACCOUNT_HOLDERS | OUTSIDE | {"pv", "wind"}
    owners = {n.owner for n in park.nodes.values() if n.kind not in light}
    joined = components(park)
    return frozenset(e for e in enterprises if e in owners or len(joined.get(e, ())) > 1)
