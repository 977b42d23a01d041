"""What is wrong with a site before anything is solved (计划输入检查): all of it, with device, field, step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import numpy as np

from lujin.dispatch.site import (
    Converter,
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
    }
)
_ONE = ("charge_efficiency", "discharge_efficiency", "efficiency", "least", "most", "loss")
_ENDLESS = frozenset({"limit", "export_limit", "back_limit", "shed_amount"})


def check(site: Site) -> list[Problem]:
    """All problems of a site, in order of its devices. Empty: it can be put to the solver."""
    found: list[Problem] = []
    seen: set[str] = set()
    for device in site.devices:
        if device.id in seen:
            found.append(_problem(device, "id", N_("two devices are called {device}"), N_("give each its own id")))
        seen.add(device.id)
        found += _numbers(site, device)
        found += _buses(site, device)
        if isinstance(device, Storage):
            found += _storage(device)
    return found or list(_sources(site))


def _problem(device: Device, name: str, message: str, remedy: str, **params: object) -> Problem:
    return Problem(message, {"device": device.id, "field": name, **params}, remedy, field=f"{device.id}.{name}")


def _numbers(site: Site, device: Device) -> Iterator[Problem]:
    """Series as long as the horizon, without holes, and not negative where that means nothing."""
    for name in (f.name for f in fields(device)):
        value = getattr(device, name)
        if isinstance(value, bool) or not isinstance(value, int | float | np.ndarray):
            continue
        numbers = np.asarray(value, np.float64)
        if name == "window":
            continue
        if numbers.ndim and numbers.shape != (site.steps,):
            message = N_("{device}: {field} has {given} values, the horizon has {steps} steps")
            remedy = N_("give one value for each step, or one for all")
            yield _problem(device, name, message, remedy, given=len(numbers), steps=site.steps)
            continue
        endless = name in _ENDLESS or (not numbers.ndim and name in ("charge", "discharge", "since_h"))
        bad = np.isnan(numbers) if endless else ~np.isfinite(numbers)
        if bad.any():
            step = int(np.argmax(np.atleast_1d(bad)))
            message = N_("{device}: {field} is missing at {at} and {more} more steps")
            remedy = N_("a missing value is never zero: give it, or forecast it")
            at = f"{site.at(step):%Y-%m-%d %H:%M} UTC"
            yield _problem(device, name, message, remedy, at=at, more=int(bad.sum()) - 1)
        elif name not in _SIGNED and (numbers < 0).any():
            step = int(np.argmax(np.atleast_1d(numbers < 0)))
            message, remedy = (
                N_("{device}: {field} is negative: {value} at {at}"),
                N_("give a value of zero or more"),
            )
            at, low = f"{site.at(step):%Y-%m-%d %H:%M} UTC", float(numbers.min())
            yield _problem(device, name, message, remedy, at=at, value=low)
        if (
            name in _ONE
            and not isinstance(device, Extraction)
            and (numbers > 1).any()
            and not isinstance(device, Fleet)
        ):
            message, remedy = N_("{device}: {field} is above 1"), N_("give it as a part of one, 90 % as 0.9")
            yield _problem(device, name, message, remedy)


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
