"""Where each carrier comes from and goes: Sankey, the table behind it, and all that one node takes and gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from fastapi import APIRouter, Request

from lujin.access.viewer import Right
from lujin.errors import N_
from lujin.show.words import Words
from lujin.web import pictures
from lujin.web.answers import Answer, Shown
from lujin.web.page import page
from lujin.web.requests import MonthText, WindowOf, month_number, speech
from lujin.web.routes.overview import month_days
from lujin.workspace.flows import CarbonMap, FlowEdge, FlowMap, carbon_map, carriers, flow_map, node_edges
from lujin.workspace.sankey import carbon_sankey, energy_sankey

router = APIRouter()


class Flows(Answer):
    """``node``: whose flows of every carrier ``edges`` are, if one was asked for."""

    months: tuple[int, ...]
    carriers: tuple[str, ...]
    carrier: str
    first: date
    last: date
    flows: Shown[FlowMap]
    node: str = ""
    edges: tuple[Shown[FlowEdge], ...] = ()
    chart: dict[str, Any] | None = None

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        header = ("flow", "carrier", "source", "target", "amount", "unit", "measured_part", "estimated_part")
        return header, [
            (
                *(e.flow, e.carrier, e.source, e.target),
                *((None, None) if e.amount is None else (e.amount.value, e.amount.unit)),
                *(e.slots.measured_part, e.slots.estimated_part),
            )
            for e in (self.edges if self.node else self.flows.edges)
        ]


class CarbonFlows(Answer):
    """Book ``embodied``: carbon that came in, was passed on, is used or sold. None: the book is not kept."""

    months: tuple[int, ...]
    month: int
    flows: Shown[CarbonMap] | None
    chart: dict[str, Any] | None = None

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        edges = self.flows.edges if self.flows else ()
        header = ("source", "target", "kind", "party", "tCO2e")
        return header, [(e.source, e.target, e.kind, e.party, e.co2e.value) for e in edges]


@page(router, "/flows", template="flows.html", title=N_("Energy flows"), stable=True)
def flows(
    request: Request,
    window: WindowOf,
    carrier: str = "",
    month: MonthText | None = None,
    first: date | None = None,
    last: date | None = None,
    node: str = "",
) -> Flows:
    workspace = window.park(Right.SEE_PARK)
    known = carriers(workspace.park)
    chosen = carrier or ("electricity" if "electricity" in known else known[0] if known else "")
    if first is None or last is None:
        first, last = month_days(month_number(month) if month else window.latest_month())
    span = (first, last)
    found = window.cached("flow_map", (chosen, *span), lambda: flow_map(workspace, chosen, *span))
    edges = window.cached("node_edges", (node, *span), lambda: node_edges(workspace, node, *span)) if node else ()
    words = Words(speech(request), window.description)
    unit = workspace.park.carriers[chosen].base_unit
    return Flows(
        months=window.months(),
        carriers=known,
        carrier=chosen,
        first=first,
        last=last,
        flows=found,
        node=node,
        edges=edges,
        chart=pictures.sankey_data(energy_sankey(found), words, unit, chosen),
    )


@page(router, "/flows/carbon", template="flows_carbon.html", title=N_("Carbon flows"), stable=True)
def carbon_flows(request: Request, window: WindowOf, month: MonthText | None = None) -> CarbonFlows:
    workspace = window.park(Right.SEE_PARK)
    at = month_number(month) if month else window.latest_month()
    found = window.cached("carbon_map", (at,), lambda: carbon_map(workspace, at))
    words = Words(speech(request), window.description)
    chart = pictures.sankey_data(carbon_sankey(found), words, "mgCO2e", "co2") if found else None
    return CarbonFlows(months=window.months(), month=at, flows=found, chart=chart)
