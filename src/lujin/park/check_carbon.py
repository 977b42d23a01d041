"""What must hold for joint production, transfers and storage."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, get_args

from lujin.errors import N_, Problem
from lujin.park.carriers import Dimension, fits, is_rate, units_of
from lujin.park.model import OUTSIDE, Joint, Storage, Transfer
from lujin.park.schema import Draft
from lujin.park.virtual import overlapping

# What each formula must know of the plant, beside the flows themselves.
NEEDS = {
    "ghgp_efficiency@1": ("power_reference", "heat_reference"),
    "exergy@1": ("heat_temperature_k", "ambient_temperature_k"),
    "mee_heat_ratio@1": ("boiler_efficiency",),
    "declared@1": ("shares",),
}


def joints(d: Draft) -> Iterator[Problem]:
    for n, joint in enumerate(d.park.joints):
        for column in NEEDS.get(joint.method, ()):
            if not getattr(joint, column):
                message, remedy = N_("{method} of {node} needs {column}"), N_("add {column}")
                params = {"method": joint.method, "node": joint.node, "column": column}
                yield d.problem("joint", n, column, message, remedy, **params)
        yield from _shares(d, n, joint)
        yield from _temperatures(d, n, joint)
    yield from _twice(d, "joint", d.park.joints, "node")


def _shares(d: Draft, n: int, joint: Joint) -> Iterator[Problem]:
    total = sum(joint.shares.values())
    if joint.shares and total != 1:
        message = N_("the shares of {node} sum to {total}, not to 1")
        remedy = N_("correct them: what one product does not carry, another must")
        yield d.problem("joint", n, "shares", message, remedy, node=joint.node, total=total)
    if joint.shares and joint.method != "declared@1":
        message, remedy = (
            N_("{method} works out the shares of {node} itself"),
            N_("remove shares, or use declared@1"),
        )
        yield d.problem("joint", n, "shares", message, remedy, "warning", node=joint.node, method=joint.method)


def _temperatures(d: Draft, n: int, joint: Joint) -> Iterator[Problem]:
    heat, ambient = joint.heat_temperature_k, joint.ambient_temperature_k
    if heat is not None and ambient is not None and heat <= ambient:
        message = N_("heat of {heat} K is no warmer than the surroundings of {ambient} K")
        remedy = N_("write both in K; the heat's is the mean between supply and return, Δh/Δs")
        yield d.problem("joint", n, "heat_temperature_k", message, remedy, heat=heat, ambient=ambient)


def transfers(d: Draft) -> Iterator[Problem]:
    for n, transfer in enumerate(d.park.transfers):
        flow = d.park.flows.get(transfer.flow)
        if flow is None:
            continue
        captured = transfer.status == "captured_co2"
        if captured != (flow.carrier == "co2"):
            message = N_("flow {flow} carries {carrier}: its status cannot be {status}")
            remedy = N_("captured_co2 is the status of flows of co2, and of no others")
            params = {"flow": flow.id, "carrier": flow.carrier, "status": transfer.status}
            yield d.problem("transfer", n, "status", message, remedy, **params)
        if captured and not (transfer.fate and transfer.origin):
            column = "fate" if not transfer.fate else "origin"
            message, remedy = N_("{column} of the CO2 in flow {flow} is not stated"), N_("add {column}")
            yield d.problem("transfer", n, column, message, remedy, flow=flow.id, column=column)
        for column in ("fate", "origin") if not captured else ():
            if getattr(transfer, column):
                message = N_("{column} is stated of flow {flow}, whose status is {status}, and counts for nothing")
                remedy = N_("remove {column}: only captured_co2 has a fate and an origin")
                params = {"column": column, "flow": flow.id, "status": transfer.status}
                yield d.problem("transfer", n, column, message, remedy, "warning", **params)
        if transfer.status != "energy" and not transfer.evidence:
            message = N_("nothing shows that flow {flow} is {status}")
            remedy = N_("name the contract, permit or analysis in evidence: a verifier will ask")
            params = {"flow": flow.id, "status": transfer.status}
            yield d.problem("transfer", n, "evidence", message, remedy, "warning", **params)
        yield from _checked(d, n, transfer)
    yield from _twice(d, "transfer", d.park.transfers, "flow")


def _checked(d: Draft, n: int, transfer: Transfer) -> Iterator[Problem]:
    meter = d.park.meters.get(transfer.check_meter)
    if meter is not None and meter.flow:
        message = N_("meter {meter} measures flow {flow} and cannot check {other} as well")
        remedy = N_("take flow out of the meter that only checks")
        params = {"meter": meter.id, "flow": meter.flow, "other": transfer.flow}
        yield d.problem("transfer", n, "check_meter", message, remedy, **params)


def storages(d: Draft) -> Iterator[Problem]:
    for n, storage in enumerate(d.park.storages):
        yield from _stored(d, n, storage)
    yield from _twice(d, "storage", d.park.storages, "node")


def _stored(d: Draft, n: int, storage: Storage) -> Iterator[Problem]:
    node = d.park.nodes.get(storage.node)
    if node is not None and node.kind in OUTSIDE:
        message, remedy = N_("{node} is outside the fence and stores nothing here"), N_("name a node of the park")
        yield d.problem("storage", n, "node", message, remedy, node=node.id)
    carriers = sorted({f.carrier for f in d.park.flows.values() if storage.node in (f.source, f.target)})
    if unit_problem := _unknown_unit(d, n, storage):
        yield unit_problem
    if node is not None and not carriers:
        message, remedy = (
            N_("no flow goes into {node} or out of it, so that nothing can be stored"),
            N_("describe the flows that charge and discharge it, or remove the storage"),
        )
        yield d.problem("storage", n, "node", message, remedy, node=storage.node)
    elif len(carriers) > 1:
        message = N_("{node} stores one carrier, but {carriers} flow in and out")
        remedy = N_("give each store a node of its own")
        params = {"node": storage.node, "carriers": ", ".join(carriers)}
        yield d.problem("storage", n, "node", message, remedy, **params)
    elif carriers and not unit_problem and (carrier := d.park.carriers.get(carriers[0])) is not None:
        known = _stock_units(carrier.dimension)
        if storage.unit not in known:
            message = N_("{unit} does not measure a stock of {carrier}")
            params = {"unit": storage.unit, "carrier": carrier.id, "known": ", ".join(known)}
            yield d.problem("storage", n, "unit", message, N_("use one of: {known}"), **params)


def _stock_units(dimension: Dimension) -> list[str]:
    return [unit for unit in units_of(dimension) if not is_rate(unit) and fits(unit, dimension)]


def _unknown_unit(d: Draft, n: int, storage: Storage) -> Problem | None:
    """A unit that measures no stock of anything, whatever flows in and out."""
    known = list(dict.fromkeys(unit for dimension in get_args(Dimension) for unit in _stock_units(dimension)))
    if not storage.unit or storage.unit in known:
        return None
    message, params = N_("{unit} is no unit of a stock"), {"unit": storage.unit, "known": ", ".join(known)}
    return d.problem("storage", n, "unit", message, N_("use one of: {known}"), **params)


def _twice(d: Draft, table: str, records: Any, column: str) -> Iterator[Problem]:
    numbers = {id(record): n for n, record in enumerate(records)}
    pairs: list[tuple[Hashable, Any]] = list(enumerate(records))
    for first, second in overlapping(pairs, lambda r: getattr(r, column)):
        message = N_("{name} is described twice for the same time")
        remedy = N_("end one (valid_to) when the other begins (valid_from)")
        name = getattr(first, column)
        yield d.problem(table, numbers[id(second)], "valid_from", message, remedy, name=name)
