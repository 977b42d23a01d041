"""What must hold for meters: units, virtual sums, replaced devices, names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from lujin.errors import N_, Problem, Severity
from lujin.park.carriers import Dimension, fits, is_rate, unit_name, units_of
from lujin.park.model import Meter
from lujin.park.schema import Draft
from lujin.park.virtual import begins, ends, intersect, meter_dimensions, term_order


def meters(d: Draft) -> Iterator[Problem]:
    newer = {meter.replaces: meter.id for meter in d.park.meters.values() if meter.replaces}
    terms = {name for meter in d.park.meters.values() for name in meter.terms}
    terms |= {transfer.check_meter for transfer in d.park.transfers}
    for meter in d.park.meters.values():
        if not meter.flow and meter.id not in terms and not d.broken.get("meter"):
            yield _of(
                d,
                meter,
                "flow",
                N_("meter {meter} belongs to no flow and to no virtual meter: its readings would count nowhere"),
                N_("add flow, or name it in the terms of a virtual meter or as check_meter of a transfer"),
                True,
            )
        yield from _within(d, meter)
        yield from _virtual(d, meter, newer) if meter.kind == "virtual" else _device(d, meter)
    yield from _loops(d)
    yield from _dimensions(d)
    yield from _replacements(d)
    yield from _names(d)
    yield from _twice(d)


def _of(
    d: Draft, meter: Meter, column: str, message: str, remedy: str, warn: bool = False, /, **params: Any
) -> Problem:
    severity: Severity = "warning" if warn else "error"
    return d.problem("meter", meter.id, column, message, remedy, severity, meter=meter.id, **params)


def _within(d: Draft, meter: Meter) -> Iterator[Problem]:
    """A meter runs while its flow holds and while the nodes at both ends, and who answers for them, are there."""
    flow = d.park.flows.get(meter.flow)
    if flow is None:
        return
    window = intersect((meter.valid_from, meter.valid_to), (flow.valid_from, flow.valid_to))
    if window is None:
        message = N_("meter {meter} and its flow {flow} share no time")
        yield _of(d, meter, "valid_from", message, N_("correct valid_from and valid_to"), flow=flow.id)
        return
    known = d.park.nodes
    ends_at = [n for n in (flow.source, flow.target) if n in known]
    concerned = dict.fromkeys([*ends_at, *(owner for n in ends_at if (owner := d.park.owner(n)) in known)])
    for name in concerned:
        node = known[name]
        if node.valid_to is not None and ends(window) > node.valid_to:
            yield _of(
                d,
                meter,
                "valid_to",
                N_("{node} leaves on {day}, but meter {meter} still runs"),
                N_("end the meter or flow {flow} on {day}, and begin a new flow to whoever takes over"),
                node=name,
                day=d.shown(node.valid_to),
                flow=flow.id,
            )
        if node.valid_from is not None and begins(window) < node.valid_from:
            yield _of(
                d,
                meter,
                "valid_from",
                N_("{node} is there from {day}, but meter {meter} runs before"),
                N_("let the meter or flow {flow} begin on {day}"),
                True,
                node=name,
                day=d.shown(node.valid_from),
                flow=flow.id,
            )


def _device(d: Draft, meter: Meter) -> Iterator[Problem]:
    if meter.terms:
        message, remedy = N_("meter {meter} has terms but is not virtual"), N_('write kind = "virtual"')
        yield _of(d, meter, "terms", message, remedy)
    yield from _unit(d, meter)
    register = meter.kind == "register"
    if register and meter.digits is None:
        message = N_("digits of register {meter} are missing: a rollover cannot be told from a reset")
        yield _of(d, meter, "digits", message, N_("count the digits before the decimal point on its face"), True)
    for column in ("initial", "final"):
        value = getattr(meter, column)
        if value is None:
            continue
        if not register:
            message, remedy = N_("{column} means nothing for {kind} meter {meter}"), N_("remove it")
            yield _of(d, meter, column, message, remedy, True, column=column, kind=meter.kind)
        elif meter.digits is not None and value >= 10**meter.digits:
            message = N_("{column} {value} of {meter} does not fit a register of {digits} digits")
            remedy = N_("correct {column} or digits")
            yield _of(d, meter, column, message, remedy, column=column, value=value, digits=meter.digits)


def _unit(d: Draft, meter: Meter) -> Iterator[Problem]:
    checked = next((t.flow for t in d.park.transfers if t.check_meter == meter.id), "")
    flow = d.park.flows.get(meter.flow or checked)
    carrier = d.park.carriers.get(flow.carrier) if flow else None
    dimensions: tuple[Dimension, ...] = ("electricity", "heat", "volume", "mass")
    if carrier is not None:
        dimensions = (carrier.dimension,)
    elif meter.flow or checked:  # the flow or its carrier is at fault, and said so
        return
    if not any(fits(meter.unit, dimension, meter.enthalpy_kj_per_kg) for dimension in dimensions):
        if carrier is not None and carrier.dimension == "heat" and fits(meter.unit, "mass"):
            message = N_("meter {meter} weighs {carrier} in {unit}, but its heat per mass is not given")
            remedy = N_("add enthalpy_kj_per_kg: the enthalpy above feed water that the contract names")
            yield _of(d, meter, "enthalpy_kj_per_kg", message, remedy, carrier=carrier.id, unit=meter.unit)
            return
        known = dict.fromkeys(unit for dimension in dimensions for unit in units_of(dimension))
        kept = [unit for unit in known if is_rate(unit) == (meter.kind == "power")]
        message = N_("unit {unit} of {meter} does not measure {what}")
        what = carrier.id if carrier else "/".join(dimensions)
        yield _of(
            d, meter, "unit", message, N_("use one of: {known}"), unit=meter.unit, what=what, known=", ".join(kept)
        )
    elif is_rate(meter.unit) != (meter.kind == "power"):
        message = N_("unit {unit} does not fit {kind} meter {meter}")
        remedy = (
            N_('a power or rate needs kind = "power"')
            if is_rate(meter.unit)
            else N_("a power meter reads kW or a rate")
        )
        yield _of(d, meter, "unit", message, remedy, unit=meter.unit, kind=meter.kind)
    elif carrier is not None and carrier.fuel and unit_name(meter.unit) in ("m3", "万m3", "m3/h"):
        # Gas is sold at 20 °C (GB/T 19205), heating values are per Nm3 at 0 °C: 7 % lie between them.
        message = N_("meter {meter} reads {carrier} in {unit}, which is counted as Nm3 at 0 °C and 101.325 kPa")
        remedy = N_("write Nm3 if the meter corrects to it; for m3 at 20 °C multiply its multiplier by 0.9318")
        yield _of(d, meter, "unit", message, remedy, True, carrier=carrier.id, unit=meter.unit)


def _virtual(d: Draft, meter: Meter, newer: Mapping[str, str]) -> Iterator[Problem]:
    if not meter.terms:
        message, remedy = N_("virtual meter {meter} has no terms"), N_("add terms = {{M1 = 1, M2 = -1}}")
        yield _of(d, meter, "terms", message, remedy)
    for name in meter.terms:
        successor = newer.get(name, "")
        if successor and successor not in meter.terms:
            message = N_("virtual meter {meter} names {old}, but not {new}, which replaced it")
            yield _of(d, meter, "terms", message, N_("add {new} to its terms"), True, old=name, new=successor)


def _loops(d: Draft) -> Iterator[Problem]:
    for loop in term_order(d.park)[1]:
        message = N_("virtual meters run in a circle: {loop}")
        names = " → ".join((*loop, loop[0]))
        yield _of(d, d.park.meters[loop[0]], "terms", message, N_("take one of them out of the terms"), loop=names)


def _dimensions(d: Draft) -> Iterator[Problem]:
    found = meter_dimensions(d.park)
    for meter in d.park.meters.values():
        for name in meter.terms:
            term = d.park.meters.get(name)
            if term is None or found[name] & found[meter.id]:
                continue
            own = found[name] or {"another dimension"}
            message = N_("{meter} measures {whole}, but its term {term} measures {part}")
            yield _of(
                d,
                meter,
                "terms",
                message,
                N_("sum meters of one dimension only"),
                whole="/".join(sorted(found[meter.id])) or "another dimension",
                term=name,
                part="/".join(sorted(own)),
            )


def _replacements(d: Draft) -> Iterator[Problem]:
    successors: dict[str, str] = {}
    for meter in d.park.meters.values():
        if not meter.replaces:
            continue
        old = d.park.meters.get(meter.replaces)
        if old is None:
            continue
        other = successors.setdefault(old.id, meter.id)
        if other != meter.id:
            message = N_("{old} is replaced by {other} and by {meter}")
            yield _of(d, meter, "replaces", message, N_("keep one of them"), old=old.id, other=other)
        if _in_circle(d, meter):
            message, remedy = N_("{meter} replaces itself in the end"), N_("correct replaces")
            yield _of(d, meter, "replaces", message, remedy)
            continue
        yield from _swap(d, old, meter)


def _in_circle(d: Draft, meter: Meter) -> bool:
    seen, current = {meter.id}, meter.replaces
    while current in d.park.meters and current not in seen:
        seen.add(current)
        current = d.park.meters[current].replaces
    return current == meter.id


def _swap(d: Draft, old: Meter, new: Meter) -> Iterator[Problem]:
    if old.flow != new.flow:
        message = N_("{meter} replaces {old}, but measures another flow")
        yield _of(d, new, "flow", message, N_("give both the same flow"), old=old.id)
    if old.valid_to is None or new.valid_from is None:
        where, column = (new, "valid_from") if new.valid_from is None else (old, "valid_to")
        message = N_("nobody knows when {new} replaced {old}")
        remedy = N_("end {old} (valid_to) and begin {new} (valid_from) at the time of the swap")
        yield _of(d, where, column, message, remedy, old=old.id, new=new.id)
    elif new.valid_from < old.valid_to:
        message = N_("{meter} begins on {start}, before {old} ends on {end}: that time would count twice")
        remedy = N_("let the one end when the other begins")
        times = {"start": d.shown(new.valid_from), "end": d.shown(old.valid_to)}
        yield _of(d, new, "valid_from", message, remedy, old=old.id, **times)
    elif new.valid_from > old.valid_to:
        message = N_("nothing measures between the end of {old} on {end} and the begin of {meter} on {start}")
        remedy = N_("let the one begin when the other ends, if the line was not without a meter")
        times = {"start": d.shown(new.valid_from), "end": d.shown(old.valid_to)}
        yield _of(d, new, "valid_from", message, remedy, True, old=old.id, **times)
    for meter, column in ((old, "final"), (new, "initial")):
        if meter.kind == "register" and getattr(meter, column) is None:
            message = N_("{column} of {meter} is missing: the energy around the swap will be estimated")
            yield _of(d, meter, column, message, N_("add it from the swap record"), True, column=column)


def _names(d: Draft) -> Iterator[Problem]:
    """Ids and aliases name one meter each."""
    owner: dict[str, str] = {name: name for name in d.park.meters}
    for meter in d.park.meters.values():
        for alias in meter.alias:
            other = owner.setdefault(alias, meter.id)
            if other != meter.id:
                message = N_("alias {alias} of {meter} also names {other}")
                remedy = N_("an import could not tell them apart: keep the alias on one of them")
                yield _of(d, meter, "alias", message, remedy, alias=alias, other=other)


def _twice(d: Draft) -> Iterator[Problem]:
    """Several meters of one flow add up; said once per flow, as it may be a mistake."""
    by_flow: dict[str, list[Meter]] = defaultdict(list)
    for meter in d.park.meters.values():
        if meter.flow in d.park.flows:
            by_flow[meter.flow].append(meter)
    for flow, group in by_flow.items():
        group.sort(key=lambda m: begins((m.valid_from, m.valid_to)))
        longest = group[0]
        for meter in group[1:]:
            if intersect((longest.valid_from, longest.valid_to), (meter.valid_from, meter.valid_to)):
                message = N_("flow {flow} is measured by {other} and {meter} at the same time; they add up")
                remedy = N_("if one only checks the other, take flow out of it")
                yield _of(d, meter, "flow", message, remedy, True, flow=flow, other=longest.id)
                break
            longest = max(longest, meter, key=lambda m: ends((m.valid_from, m.valid_to)))
