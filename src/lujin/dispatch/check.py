"""What is wrong with a site before anything is solved (计划输入检查): all of it, with device, field, step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

import numpy as np

from lujin.dispatch.site import (
    Commitment,
    Converter,
    Demand,
    Device,
    Extraction,
    Fleet,
    Link,
    Renewable,
    Site,
    Storage,
    Supply,
    series,
)
from lujin.errors import N_, Problem

_SIGNED = frozenset(
    {
        "buy",
        "sell",
        "green_price",
        "cost",
        "carbon",
        "carbon_export",
        "rate",
        "end_value",
        "charge_cost",
        "inputs",
        "outputs",
        "start_cost",
        "stop_cost",
        "running_cost",
    }
)
_ONE = ("charge_efficiency", "discharge_efficiency", "efficiency", "least", "most", "loss")
_ENDLESS = frozenset({"limit", "export_limit", "back_limit", "shed_amount"})


def check(site: Site) -> list[Problem]:
    """All problems of a site, in order of its devices. Empty: it can be put to the solver."""
    if site.steps < 1 or not 0 < site.step_h < float("inf"):
        message = N_("a horizon of {steps} steps of {hours} h cannot be planned")
        remedy = N_("give one step or more, of a positive length")
        return [Problem(message, {"steps": site.steps, "hours": site.step_h}, remedy, field="steps")]
    found: list[Problem] = []
    seen: set[str] = set()
    for device in site.devices:
        if device.id in seen:
            found.append(_problem(device, "id", N_("two devices are called {device}"), N_("give each its own id")))
        seen.add(device.id)
        found += _numbers(site, device)
        found += _windows(site, device)
        found += _buses(site, device)
        if isinstance(device, Storage):
            found += _storage(device)
        if isinstance(device, Fleet) and not found and (device.least > device.most).any():
            message = N_("{device}: at {at} more energy is asked for than may be put in")
            at = _at(site, int(np.argmax(device.least > device.most)))
            found.append(_problem(device, "least", message, N_("lower least, or raise most"), at=at))
    found += _events(site)
    return found or list(_sources(site))


def _at(site: Site, step: int) -> str:
    return f"{site.at(step):%Y-%m-%d %H:%M} UTC"


def _fields(record: object, before: str = "") -> Iterator[tuple[str, object]]:
    """Every number and series of a record: (name, value), those of its parts as "part.name"."""
    for name in (f.name for f in fields(record)):  # type: ignore[arg-type]
        value = getattr(record, name)
        if isinstance(value, Demand | Commitment):
            yield from _fields(value, f"{name}.")
        elif isinstance(value, Mapping):
            yield from ((f"{before}{name}.{key}", part) for key, part in value.items())
        elif name not in ("window", "month"):
            yield f"{before}{name}", value


def _windows(site: Site, device: Device) -> Iterator[Problem]:
    """Whole numbers that say which window or month a step is in: one each, never falling, from 0."""
    demand = getattr(device, "demand", None)
    for name, groups in (
        ("window", getattr(device, "window", None)),
        ("demand.month", getattr(demand, "month", None)),
    ):
        if groups is None:
            continue
        counts = np.shape(groups) == (site.steps,) and np.issubdtype(np.asarray(groups).dtype, np.integer)
        if not counts or groups[0] != 0 or not np.isin(np.diff(groups), (0, 1)).all():
            message = N_("{device}: {field} must count up from 0, one whole number for each of the {steps} steps")
            yield _problem(device, name, message, N_("number them in their order"), steps=site.steps)


def _events(site: Site) -> Iterator[Problem]:
    supplies = [device.id for device in site.devices if isinstance(device, Supply)]
    for event in site.events:
        if event.supply not in supplies:
            message, params = N_("{event} calls on {supply}, which is no supply"), {"event": event.id}
            params |= {"supply": event.supply, "known": ", ".join(supplies)}
            yield Problem(message, params, N_("name one of: {known}"), field=f"{event.id}.supply")
        lengths = {np.shape(event.called), np.shape(event.baseline) or (site.steps,)}
        numbers = (event.payment, event.penalty, event.most, 0.0 if event.committed is None else event.committed)
        if lengths != {(site.steps,)} or not (np.isfinite(numbers).all() and np.isfinite(event.baseline).all()):
            message = N_(
                "{event}: called and baseline need a value for each of the {steps} steps, all numbers known"
            )
            remedy = N_("a missing value is never zero: give it, or forecast it")
            yield Problem(message, {"event": event.id, "steps": site.steps}, remedy, field=event.id)


def _problem(device: Device, name: str, message: str, remedy: str, **params: object) -> Problem:
    return Problem(message, {"device": device.id, "field": name, **params}, remedy, field=f"{device.id}.{name}")


def _numbers(site: Site, device: Device) -> Iterator[Problem]:
    """Series as long as the horizon, without holes, and not negative where that means nothing."""
    for path, value in _fields(device):
        name = path.partition(".")[0] if path.startswith(("inputs", "outputs")) else path.rpartition(".")[2]
        if isinstance(value, bool) or not isinstance(value, int | float | np.ndarray):
            continue
        numbers = np.asarray(value, np.float64)
        if numbers.ndim and numbers.shape != (site.steps,):
            message = N_("{device}: {field} has {given} values, the horizon has {steps} steps")
            remedy = N_("give one value for each step, or one for all")
            yield _problem(device, path, message, remedy, given=len(numbers), steps=site.steps)
            continue
        endless = name in _ENDLESS or (not numbers.ndim and name in ("charge", "discharge", "since_h"))
        bad = np.isnan(numbers) if endless else ~np.isfinite(numbers)
        if bad.any():
            step = int(np.argmax(np.atleast_1d(bad)))
            message = N_("{device}: {field} is missing at {at} and {more} more steps")
            remedy = N_("a missing value is never zero: give it, or forecast it")
            at = _at(site, step)
            yield _problem(device, path, message, remedy, at=at, more=int(bad.sum()) - 1)
        elif name not in _SIGNED and (numbers < 0).any():
            step = int(np.argmax(np.atleast_1d(numbers < 0)))
            message, remedy = (
                N_("{device}: {field} is negative: {value} at {at}"),
                N_("give a value of zero or more"),
            )
            at, low = _at(site, step), float(numbers.min())
            yield _problem(device, path, message, remedy, at=at, value=low)
        if (
            name in _ONE
            and not isinstance(device, Extraction)
            and (numbers > 1).any()
            and not isinstance(device, Fleet)
        ):
            message, remedy = N_("{device}: {field} is above 1"), N_("give it as a part of one, 90 % as 0.9")
            yield _problem(device, path, message, remedy)


def _buses(site: Site, device: Device) -> Iterator[Problem]:
    for bus in _touches(device):
        if bus not in site.buses:
            message = N_("{device} is on the bus {bus}, which is not there")
            remedy = N_("name one of: {known}")
            yield _problem(device, "bus", message, remedy, bus=bus, known=", ".join(site.buses))


def _touches(device: Device) -> tuple[str, ...]:
    if isinstance(device, Converter):
        return (*device.inputs, *device.outputs)
    if isinstance(device, Extraction):
        return (device.fuel, device.power, device.heat)
    if isinstance(device, Link):
        return (device.source, device.target)
    return (device.bus,)


def _storage(s: Storage) -> Iterator[Problem]:
    if s.least > s.most:
        message = N_("{device}: the least state of charge {least} is above the most {most}")
        yield _problem(s, "least", message, N_("correct one of them"), least=s.least, most=s.most)
    elif not s.cyclic and not s.least * s.capacity - 1e-9 <= s.initial <= s.most * s.capacity + 1e-9:
        message = N_("{device}: it starts with {initial}, outside of {low} to {high}")
        low, high = s.least * s.capacity, s.most * s.capacity
        yield _problem(
            s, "initial", message, N_("correct initial, least or most"), initial=s.initial, low=low, high=high
        )
    if s.final is not None and s.final > s.most * s.capacity + 1e-9:
        message = N_("{device}: it is to end with {final}, but holds at most {high}")
        yield _problem(s, "final", message, N_("lower final"), final=s.final, high=s.most * s.capacity)
    wear = [cost for _, cost in s.wear_depth]
    if wear != sorted(wear):
        message = N_("{device}: the wear of deeper parts is below that of shallower ones")
        yield _problem(s, "wear_depth", message, N_("let wear rise with depth, or give one wear"))
    for name in ("charge_efficiency", "discharge_efficiency"):
        if getattr(s, name) <= 0:
            yield _problem(
                s, name, N_("{device}: {field} must be above 0"), N_("give it as a part of one, 90 % as 0.9")
            )


def _sources(site: Site) -> Iterator[Problem]:
    """Every bus that something takes from has something that gives."""
    giving: set[str] = set()
    for device in site.devices:
        if isinstance(device, Supply | Renewable | Storage | Fleet):
            giving.add(device.bus)
        elif isinstance(device, Converter):
            giving.update(device.outputs)
        elif isinstance(device, Extraction):
            giving.update((device.power, device.heat))
        elif isinstance(device, Link):
            giving.update((device.source, device.target))
    for device in site.devices:
        rate = getattr(device, "rate", None)
        if rate is None or getattr(device, "shed_cost", None) is not None:
            continue
        if device.bus not in giving and (series(rate, site.steps) > 0).any():  # type: ignore[union-attr]
            message = N_("{device}: nothing brings {carrier} to the bus {bus}, so it cannot be met")
            bus = site.buses[device.bus]  # type: ignore[union-attr]
            remedy = N_("describe its source: a supply, a converter or a link")
            yield _problem(device, "bus", message, remedy, carrier=bus.carrier, bus=bus.id)
