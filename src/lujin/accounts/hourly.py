"""Hour by hour (逐时碳强度): how much carbon each enterprise's power and heat carried, traced through the park.

The pools are those of book ``embodied``, solved per hour instead of per month; stores carry their carbon along,
from hour to hour and from month to month. It informs; what is posted is the month's ratio.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lujin.accounts.amounts import Amount
from lujin.accounts.embodied import GASES
from lujin.accounts.embodied_shares import product_shares
from lujin.accounts.embodied_sources import Source, carbon_sources, fuel_energy, stored_co2
from lujin.accounts.network import Network, Storages
from lujin.accounts.pack import Pack
from lujin.accounts.pools import MAKERS, PARK_EDGE, Floats, PoolGraph, Quantities, pool_graph, quantities
from lujin.accounts.poster import Poster
from lujin.accounts.trace import Trace, trace
from lujin.errors import Problem
from lujin.park import Storage

SLOTS = 4  # quarter hours in an hour
_TRACED = frozenset({"electricity", "heat"})
FRAME: Mapping[str, type[pl.DataType] | pl.DataType] = {
    "hour": pl.Datetime("us", "UTC"),
    "enterprise": pl.String,
    "carrier": pl.String,
    "amount": pl.Int64,
    **dict.fromkeys(GASES, pl.Float64),
}


@dataclass(frozen=True)
class TraceState:
    """What one month hands to the next: per store node energy [base units] and carbon [mg] by gas, and work in
    progress per pool."""

    energy: Mapping[str, float] = field(default_factory=dict)
    carbon: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    wip: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class HourlyTrace:
    """``frame``: per hour (its start), enterprise and carrier, the amount that came in [base unit] and the carbon
    that came with it [mg per gas]; hours without any are left out. ``emitted`` and ``used`` [mg per gas] and the
    change of stores and work in progress balance. ``state``: for the next month.
    """

    frame: pl.DataFrame
    state: TraceState
    emitted: Mapping[str, float]
    used: Mapping[str, float]
    imbalance: Mapping[str, float]
    problems: tuple[Problem, ...]


def hourly_trace(poster: Poster, pack: Pack, before: TraceState) -> HourlyTrace:
    """Trace the month of ``poster`` by hour, all enterprises. InputError: a loop that lets nothing out."""
    grid = poster.flows.energy.grid
    graph = pool_graph(poster.flows.park, poster.flows.subjects, grid)
    amounts = np.add.reduceat(
        np.maximum(poster.flows.energy.total, 0), np.arange(0, grid.slots, SLOTS), axis=1, dtype=np.int64
    )
    shares = product_shares(graph, amounts, fuel_energy(poster, pack.fuel, graph, amounts))
    moved = quantities(graph, amounts, shares.parts, {})
    sources = [s for s in (*carbon_sources(poster, pack, graph), *stored_co2(poster, graph)) if _counts(s)]
    carbon = _by_hour(poster, graph, sources, amounts)
    starts = [grid.slot_start(i) for i in range(0, grid.slots, SLOTS)]
    traced = _traced(graph, moved, carbon, amounts, before, starts)
    frame = _frame(graph, traced.intensity, amounts, sources, starts, _days(poster))
    problems = (*shares.problems, *traced.problems)
    return HourlyTrace(
        frame,
        _state(graph, traced),
        dict(zip(GASES, traced.emitted.tolist(), strict=True)),
        dict(zip(GASES, traced.used.sum(axis=1).tolist(), strict=True)),
        dict(zip(GASES, traced.imbalance().tolist(), strict=True)),
        tuple(p for p in problems if p.severity == "error" or "work in progress" not in p.message),
    )


def _counts(source: Source) -> bool:
    return not source.account.startswith("MEMO/")


def _by_hour(poster: Poster, graph: PoolGraph, sources: list[Source], amounts: NDArray[np.int64]) -> Floats:
    """What sources bring into each pool [gases, pools, hours]: the posted day, spread by the hour's flow."""
    day = _days(poster)
    found = np.zeros((len(GASES), len(graph.pools), amounts.shape[1]))
    for source in sources:
        found[GASES.index(source.gas), source.pool] += hours_of(source, amounts[source.row], day)
    return np.maximum(found, 0, out=found)


def _days(poster: Poster) -> NDArray[np.int64]:
    """Day of the month of every hour."""
    return poster.flows.energy.grid.day[::SLOTS].astype(np.int64)


def hours_of(source: Source, flow: NDArray[np.int64], day: NDArray[np.int64]) -> Floats:
    """The source's carbon per hour [mg]: each posted day shared out by the flow of its hours."""
    posted = (source.measured + source.estimated).astype(np.float64)
    daily: Floats = np.bincount(day, weights=flow, minlength=len(posted)).astype(np.float64)
    rate = np.divide(posted, daily, out=np.zeros_like(posted), where=daily > 0)
    spread: Floats = flow.astype(np.float64) * rate[day]
    return spread


def _traced(
    graph: PoolGraph,
    moved: Quantities,
    carbon: Floats,
    amounts: NDArray[np.int64],
    before: TraceState,
    starts: list[datetime],
) -> Trace:
    """Run the kernel: every pool divides by what it delivers and uses; stores hang on their pools."""
    size, steps = len(graph.pools), amounts.shape[1]
    inner = [e for e, item in enumerate(graph.edges) if item.target != PARK_EDGE]
    use = moved.final.copy()
    for e, item in enumerate(graph.edges):
        if item.target == PARK_EDGE:
            use[item.source] += moved.edge[e]
    network = Network(
        tuple(pool.label for pool in graph.pools),
        tuple(
            f"{graph.pools[graph.edges[e].source].label}>{graph.pools[graph.edges[e].target].label}" for e in inner
        ),
        np.array([graph.edges[e].source for e in inner], dtype=np.intp),
        np.array([graph.edges[e].target for e in inner], dtype=np.intp),
        np.ones(size, dtype=np.bool_),
        np.zeros(len(inner), dtype=np.bool_),
    )
    zone, units = ZoneInfo(graph.park.timezone), _store_units(graph)
    opening = np.array(
        [[before.wip.get(pool.label, {}).get(gas, 0.0) for pool in graph.pools] for gas in GASES], dtype=np.float64
    )
    return trace(
        network,
        moved.edge[inner],
        np.zeros((size, steps)),
        carbon,
        _storages(graph, amounts, before),
        use=use,
        opening_wip=opening,
        say_step=lambda step: f"{starts[step].astimezone(zone):%Y-%m-%d %H:%M}",
        say_stored=lambda node, value: str(Amount(round(value), units[node])),
    )


def _store_units(graph: PoolGraph) -> dict[str, str]:
    """Store node → base unit of what it holds."""
    ends = [
        (end, graph.carrier(row).base_unit) for row, s in enumerate(graph.subjects) for end in (s.source, s.target)
    ]
    stores = {graph.pools[i].node for i, role in enumerate(graph.roles) if role == "store"}
    return {node: unit for node, unit in ends if node in stores}


def _storages(graph: PoolGraph, amounts: NDArray[np.int64], before: TraceState) -> Storages:
    """Stores as the park states them; one that is not described loses nothing."""
    pools = [i for i, role in enumerate(graph.roles) if role == "store"]
    nodes = [graph.pools[i].node for i in pools]
    facts = [graph.storages.get(node) or Storage(node=node, capacity=Decimal(1), unit="kWh") for node in nodes]
    shape = len(nodes), amounts.shape[1]
    charge, discharge = np.zeros(shape), np.zeros(shape)
    for row, s in enumerate(graph.subjects):
        for end, into in ((s.target, charge), (s.source, discharge)):
            if end in nodes:
                into[nodes.index(end)] += amounts[row]
    held = [[before.carbon.get(node, {}).get(gas, 0.0) for node in nodes] for gas in GASES]
    return Storages(
        tuple(nodes),
        np.array(pools, dtype=np.intp),
        charge,
        discharge,
        np.array([float(f.charge_efficiency) for f in facts]),
        np.array([float(f.discharge_efficiency) for f in facts]),
        np.array([1 - (1 - float(f.standing_loss_per_day)) ** (1 / 24) for f in facts]),
        np.array([before.energy.get(node, 0.0) for node in nodes]),
        np.array(held, dtype=np.float64).reshape(len(GASES), len(nodes)),
    )


def _frame(
    graph: PoolGraph,
    intensity: Floats,
    amounts: NDArray[np.int64],
    sources: list[Source],
    starts: list[datetime],
    day: NDArray[np.int64],
) -> pl.DataFrame:
    """What came in to each enterprise, over its own fence or from its own plants, and the carbon with it."""
    bought: dict[int, Floats] = {}
    for source in sources:
        if source.account.startswith("EXT/"):
            came = bought.setdefault(source.row, np.zeros((len(GASES), amounts.shape[1])))
            came[GASES.index(source.gas)] += hours_of(source, amounts[source.row], day)
    inside = {item.row: item.source for item in graph.edges if item.row >= 0}
    sums: dict[tuple[str, str], tuple[NDArray[np.int64], Floats]] = {}
    carbon: Floats
    for row, s in enumerate(graph.subjects):
        owner, seller = graph.park.owner(s.target), graph.park.owner(s.source)
        made = graph.park.nodes[s.source].kind in MAKERS
        if not owner or graph.carrier(row).dimension not in _TRACED or (seller == owner and not made):
            continue
        amount, carbon = sums.setdefault(
            (owner, s.carrier), (np.zeros_like(amounts[0]), np.zeros((len(GASES), amounts.shape[1])))
        )
        amount += amounts[row]
        if row in inside:
            carbon += intensity[:, inside[row]] * amounts[row]
        elif row in bought:
            carbon += bought[row]
    hours = pl.Series("hour", starts, dtype=pl.Datetime("us", "UTC"))
    frames = [
        pl.DataFrame({"hour": hours, "amount": amount, **dict(zip(GASES, carbon, strict=True))})
        .with_columns(pl.lit(owner).alias("enterprise"), pl.lit(carrier).alias("carrier"))
        .filter(pl.col("amount") > 0)
        .select(list(FRAME))
        for (owner, carrier), (amount, carbon) in sorted(sums.items())
    ]
    return pl.concat([pl.DataFrame(schema=dict(FRAME)), *frames])


def _state(graph: PoolGraph, traced: Trace) -> TraceState:
    nodes = [graph.pools[i].node for i, role in enumerate(graph.roles) if role == "store"]

    def by_gas(values: Floats) -> dict[str, float]:
        return {gas: float(v) for gas, v in zip(GASES, values, strict=True) if v}

    return TraceState(
        {node: float(traced.storage_energy[s, -1]) for s, node in enumerate(nodes)},
        {node: by_gas(traced.storage_carbon[:, s, -1]) for s, node in enumerate(nodes)},
        {pool.label: by_gas(traced.wip[:, i]) for i, pool in enumerate(graph.pools) if traced.wip[:, i].any()},
    )
