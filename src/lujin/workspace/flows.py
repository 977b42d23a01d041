"""Where a carrier came from and went in a span of time: every flow by its meters, every node with what is left.

What a node took in and did not give out is its own use where it uses energy, and a loss or a gap where it only
passes energy on; it is shown as such and never spread over others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from lujin.accounts import Amount
from lujin.accounts.closure import MAKERS
from lujin.accounts.sections import summed
from lujin.accounts.statement_parts import Completeness, Part
from lujin.errors import N_, InputError, Problem
from lujin.park import Flow, Park, flow_terms
from lujin.park.model import ACCOUNT_HOLDERS, OUTSIDE
from lujin.readings.sources import touched
from lujin.workspace.series import Series

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

Rest = Literal["", "use", "loss", "gap", "stock", "unknown"]


@dataclass(frozen=True, slots=True)
class FlowEdge(Part):
    """A flow in the span. ``amount`` None: nothing is known. ``slots``: quarter hours of its meters."""

    flow: str
    carrier: str
    source: str
    target: str
    amount: Amount | None
    slots: Completeness

    @property
    def size(self) -> int:
        return abs(self.amount.base) if self.amount is not None else -1


@dataclass(frozen=True, slots=True)
class FlowNode(Part):
    """``rest`` = incoming − outgoing, as ``kind`` says: ``use`` of its own, ``loss`` of a network, ``gap`` (more
    came out than went in), ``stock`` (losses and change of content of a store), ``unknown`` (one of its flows has
    no meter); empty where nothing has to balance: outside the fence, and where the carrier is made.
    """

    node: str
    name_zh: str
    name_en: str
    node_kind: str
    incoming: Amount
    outgoing: Amount
    rest: Amount
    kind: Rest


@dataclass(frozen=True)
class FlowMap(Part):
    """``unmetered``: flows of the carrier without a meter; what they moved is not known."""

    carrier: str
    first: date
    last: date
    edges: tuple[FlowEdge, ...]
    nodes: tuple[FlowNode, ...]
    unmetered: tuple[str, ...]
    slots: Completeness


def carriers(park: Park) -> tuple[str, ...]:
    """Carriers that flow in the park, those with most flows first."""
    count: dict[str, int] = defaultdict(int)
    for flow in park.flows.values():
        count[flow.carrier] += 1
    return tuple(sorted(count, key=lambda carrier: (-count[carrier], carrier)))


def flow_map(workspace: Workspace, carrier: str, first: date, last: date) -> FlowMap:
    """All flows of a carrier from the local day ``first`` to ``last``. InputError: no flow carries it."""
    park = workspace.park
    if carrier not in (known := carriers(park)):
        params = {"carrier": carrier, "known": ", ".join(known)}
        raise InputError(
            Problem(N_("nothing carries {carrier} here"), params, N_("use one of: {known}"), field="carrier")
        )
    flows = [flow for flow in park.flows.values() if flow.carrier == carrier]
    edges, unmetered = _edges(workspace, flows, first, last)
    nodes = dict.fromkeys(node for flow in flows for node in (flow.source, flow.target))
    blind = {node for name in unmetered for node in (park.flows[name].source, park.flows[name].target)}
    found = (_node(park, node, carrier, edges, node in blind) for node in nodes)
    return FlowMap(
        carrier,
        first,
        last,
        edges,
        tuple(node for node in found if node.incoming or node.outgoing or node.node in blind),
        unmetered,
        summed([edge.slots for edge in edges]),
    )


def node_edges(workspace: Workspace, node: str, first: date, last: date) -> tuple[FlowEdge, ...]:
    """Everything that goes in and out of one node, in all carriers. InputError: there is no such node."""
    park = workspace.park
    if node not in park.nodes:
        raise InputError(Problem(N_("there is no node {node}"), {"node": node}, field="node"))
    flows = [flow for flow in park.flows.values() if node in (flow.source, flow.target)]
    edges, unmetered = _edges(workspace, flows, first, last)
    silent = (park.flows[name] for name in unmetered)
    return (*edges, *(FlowEdge(f.id, f.carrier, f.source, f.target, None, _none(f.id)) for f in silent))


def _edges(
    workspace: Workspace, flows: Sequence[Flow], first: date, last: date
) -> tuple[tuple[FlowEdge, ...], tuple[str, ...]]:
    terms = flow_terms(workspace.park)
    metered = [flow.id for flow in flows if terms[flow.id]]
    found = workspace.series(metered, first, last, "month", kind="flow")
    edges = (
        FlowEdge(name, flow.carrier, flow.source, flow.target, found.total(name), slots_of(found, name))
        for name in metered
        for flow in (workspace.park.flows[name],)
    )
    seen = tuple(edge for edge in edges if edge.slots.expected or edge.amount is not None)
    return seen, tuple(flow.id for flow in flows if not terms[flow.id])


def slots_of(series: Series, name: str) -> Completeness:
    """Quarter hours of one meter or flow over the whole span; interpolated ones count as measured."""
    row = series.names.index(name)
    expected, measured, estimated, suspect, missing = (
        int(getattr(series, part)[row].sum())
        for part in ("expected", "measured", "estimated", "suspect", "missing")
    )
    return Completeness(name, expected, measured, 0, estimated, suspect, missing)


def _none(name: str) -> Completeness:
    return Completeness(name, 0, 0, 0, 0, 0, 0)


def _node(park: Park, node: str, carrier: str, edges: Sequence[FlowEdge], blind: bool) -> FlowNode:
    unit = park.carriers[carrier].base_unit
    incoming = sum(e.amount.base for e in edges if e.target == node and e.amount is not None)
    outgoing = sum(e.amount.base for e in edges if e.source == node and e.amount is not None)
    record = park.nodes[node]
    rest = incoming - outgoing
    return FlowNode(
        node,
        record.name_zh,
        record.name_en,
        record.kind,
        Amount(incoming, unit),
        Amount(outgoing, unit),
        Amount(rest, unit),
        _kind(park, node, rest, incoming, outgoing, blind),
    )


def _kind(park: Park, node: str, rest: int, incoming: int, outgoing: int, blind: bool) -> Rest:
    kind = park.nodes[node].kind
    # An enterprise that takes in nothing of what it gives makes it itself: sludge, ash, a product
    if kind in OUTSIDE or (outgoing and (kind in MAKERS or (kind in ACCOUNT_HOLDERS and not incoming))):
        return ""
    if blind:
        return "unknown"
    if kind == "battery" or any(storage.node == node for storage in park.storages):
        return "stock"
    if rest < 0:
        return "gap"
    return "use" if kind in ACCOUNT_HOLDERS or kind in MAKERS else "loss"


# --------------------------------------------------------------------------------------- carbon, book embodied


@dataclass(frozen=True, slots=True)
class CarbonEdge(Part):
    """CO2e of book ``embodied`` that went from one party to another. ``kind``: direct, purchased, received; used,
    sold_outside, suspense, stored, stock_change, in_progress. ``source``, ``target``: enterprises, or empty at the
    edge of the park, where ``party`` names the carrier, supplier, customer or node.
    """

    source: str
    target: str
    kind: str
    party: str
    co2e: Amount


@dataclass(frozen=True)
class CarbonMap(Part):
    month: int
    edges: tuple[CarbonEdge, ...]


def carbon_map(workspace: Workspace, month: int) -> CarbonMap | None:
    """Where carbon came in, whose hands it went through, and where it is. None: the book holds nothing of it."""
    from lujin.workspace.ledger_months import ledger_month
    from lujin.workspace.overview import embodied_of, enterprise_moves
    from lujin.workspace.reading import gwp_sets

    gwp = gwp_sets(workspace, month).get("embodied")
    edges: list[CarbonEdge] = []
    for enterprise, moves in sorted(enterprise_moves(ledger_month(workspace, month)).items()):
        section = embodied_of(enterprise, month, moves, gwp)
        for line in section.lines if section else ():
            if line.co2e is None or not line.co2e or line.kind in ("passed_on", "captured"):
                continue  # what is passed on stands with who received it; captured is a memo
            source = line.party if line.kind == "received" else "" if line.way == "in" else enterprise
            target = enterprise if line.way == "in" else ""
            edges.append(CarbonEdge(source, target, line.kind, line.party, line.co2e))
    return CarbonMap(month, tuple(edges)) if edges else None


# ------------------------------------------------------------------------------------------------ last days


@dataclass(frozen=True, slots=True)
class DayTotal(Part):
    """A carrier on a local day: what came in through the fence, what suns and winds made inside, what left."""

    day: date
    carrier: str
    bought: Amount | None
    generated: Amount | None
    sold: Amount | None
    slots: Completeness


def day_totals(workspace: Workspace, first: date, last: date) -> tuple[DayTotal, ...]:
    """Per day and carrier, by the meters at the fence and at generators; days without any reading are left out."""
    park = workspace.park
    terms = flow_terms(park)
    sides: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for flow in park.flows.values():
        side = _side(park, flow)
        if side and terms[flow.id]:
            sides[flow.carrier][side].append(flow.id)
    names = [name for by_side in sides.values() for flows in by_side.values() for name in flows]
    series = workspace.series(names, first, last, "day", kind="flow")
    days = [date.fromordinal(first.toordinal() + i) for i in range(len(series.start))]
    found = [
        _day(park, carrier, day, at, by_side, series)
        for at, day in enumerate(days)
        for carrier, by_side in sides.items()
    ]
    return tuple(total for total in found if total.slots.measured + total.slots.estimated)


def _day(
    park: Park, carrier: str, day: date, at: int, by_side: Mapping[str, Sequence[str]], series: Series
) -> DayTotal:
    unit = park.carriers[carrier].base_unit
    rows = {side: [series.names.index(name) for name in flows] for side, flows in by_side.items()}
    every = [row for found in rows.values() for row in found]
    counts = (
        int(getattr(series, part)[every, at].sum())
        for part in ("expected", "measured", "estimated", "suspect", "missing")
    )
    expected, measured, estimated, suspect, missing = counts

    def amount(side: str) -> Amount | None:
        mine = rows.get(side, [])
        return Amount(int(series.amount[mine, at].sum()), unit) if series.known[mine, at].any() else None

    slots = Completeness("", expected, measured, 0, estimated, suspect, missing)
    return DayTotal(day, carrier, amount("bought"), amount("generated"), amount("sold"), slots)


def month_to_date(days: Sequence[DayTotal]) -> tuple[DayTotal, ...]:
    """The days of the last day's month summed, one per carrier; None stays where no day knows."""
    if not days:
        return ()
    last = max(total.day for total in days)
    by_carrier: dict[str, list[DayTotal]] = defaultdict(list)
    for total in days:
        if (total.day.year, total.day.month) == (last.year, last.month):
            by_carrier[total.carrier].append(total)
    return tuple(_joined(last, carrier, own) for carrier, own in by_carrier.items())


def _joined(last: date, carrier: str, own: Sequence[DayTotal]) -> DayTotal:
    bought, generated, sold = (
        _known_sum([getattr(day, side) for day in own]) for side in ("bought", "generated", "sold")
    )
    return DayTotal(last, carrier, bought, generated, sold, summed([day.slots for day in own]))


def _known_sum(amounts: Sequence[Amount | None]) -> Amount | None:
    known = [amount for amount in amounts if amount is not None]
    return Amount(sum(amount.base for amount in known), known[0].base_unit) if known else None


def _side(park: Park, flow: Flow) -> str:
    outside = [park.nodes[node].kind in OUTSIDE for node in (flow.source, flow.target)]
    if outside == [True, False]:
        return "bought"
    if outside == [False, True]:
        return "sold"
    return "generated" if park.nodes[flow.source].kind in ("pv", "wind") else ""


def latest_day(workspace: Workspace, before: date) -> date | None:
    """The last local day before ``before`` on which any meter was measured; None: there is none."""
    import sqlalchemy as sa

    limit = before.year * 100 + before.month
    select = sa.select(touched.c.month).where(touched.c.month <= limit).distinct()
    with workspace.engine.connect() as connection:
        months = sorted(connection.execute(select).scalars(), reverse=True)
    names = [name for name, terms in flow_terms(workspace.park).items() if terms]
    for month in months[:3]:
        series = workspace.series(names, month, month, "day", kind="flow")
        days = [date(month // 100, month % 100, 1 + at) for at in range(len(series.start))]
        measured = series.measured.sum(axis=0)
        seen = [day for day, many in zip(days, measured.tolist(), strict=True) if many and day < before]
        if seen:
            return seen[-1]
    return None
