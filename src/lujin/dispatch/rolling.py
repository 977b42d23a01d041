"""A long time planned piece by piece (滚动计划), as it is lived: each plan sees some hours ahead, its first hours
are kept, and the next starts from there. The greatest rate so far is remembered (当月已发生需量).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from lujin.dispatch.program import Floats
from lujin.dispatch.schedule import Schedule, formulate, schedule
from lujin.dispatch.site import Converter, Demand, Device, Extraction, Fleet, Shift, Site, Storage, Supply
from lujin.errors import N_, InputError, Problem

_FOLLOW = 1e3  # CNY per amount: more than any price, so that a plan is followed where it can be
Foresee = Callable[[Site, int], Site]


@dataclass(frozen=True, eq=False, slots=True)
class Replay:
    """What was lived: ``series`` as in ``Schedule``, ``costs`` [CNY] by part, ``peaks`` [rate] of each supply."""

    series: Mapping[str, Floats]
    costs: Mapping[str, float]
    peaks: Mapping[str, Floats]
    plans: int

    @property
    def cost(self) -> float:
        """The bill of the whole time [CNY]."""
        return sum(self.costs.values())


def replay(
    site: Site, *, ahead: int, keep: int, whole: Schedule | None = None, foresee: Foresee | None = None
) -> Replay:
    """Live through ``site`` in pieces: plans of ``ahead`` steps, of which ``keep`` are kept.

    ``whole``: a plan of all of it (a year's plan), whose monthly peaks are targets, and whose levels are aimed at
    where a piece ends. Without it each piece leaves in a store at least what there was at the very start.
    ``foresee`` (piece, its first step) → the piece as a forecast would have it; None: perfect knowledge. What is
    kept of such a plan is lived with the true loads: InputError there asks for a supply without a tight limit.
    InputError: something that counts over the whole time (a fleet, cycles, events, a cap, a green share), or a
    shiftable load whose windows do not end where pieces begin.
    """
    _check(site, keep)
    months = {s.id: _months(s.demand, site.steps) for s in _billed(site)}
    peaks = {id_: np.zeros(int(month.max()) + 1) for id_, month in months.items()}
    for supply in _billed(site):
        assert supply.demand is not None
        peaks[supply.id] += np.asarray(supply.demand.to_date, np.float64)
    kept: dict[str, list[Floats]] = {}
    state: dict[str, Any] = {}
    for start in range(0, site.steps, keep):
        piece = _piece(site, start, min(start + ahead, site.steps), peaks, state, whole)
        used = min(keep, site.steps - start)
        if foresee is None:
            lived = _first(schedule(piece, warm=True), used)
        else:
            lived = _lived(piece, schedule(foresee(piece, start), warm=True), used)
        for name, values in lived.items():
            kept.setdefault(name, []).append(values)
        for id_, month in months.items():
            np.maximum.at(peaks[id_], month[start : start + used], lived[f"{id_}.import"])
        state = _state(piece, lived)
    series = {name: np.concatenate(parts) for name, parts in kept.items()}
    return Replay(series, _bill(site, series, peaks), peaks, -(-site.steps // keep))


def _billed(site: Site) -> list[Supply]:
    return [d for d in site.devices if isinstance(d, Supply) and d.demand is not None]


def _months(demand: Demand | None, steps: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.zeros(steps, np.int32) if demand is None or demand.month is None else demand.month


def _check(site: Site, keep: int) -> None:
    if site.events or site.green is not None or site.carbon.cap is not None:
        raise InputError(_whole("site"))
    for device in site.devices:
        if isinstance(device, Fleet) or (isinstance(device, Storage) and (device.wear_depth or device.cycles)):
            raise InputError(_whole(device.id))
        if not isinstance(device, Shift):
            continue
        ends = (
            np.zeros(site.steps, bool) if device.window is None else np.append(np.diff(device.window) != 0, True)
        )
        if not ends[keep - 1 :: keep].all():
            message = N_("{device}: its windows do not end every {keep} steps, where a new plan begins")
            remedy = N_("let its windows be shorter: one for each piece that is kept")
            raise InputError(Problem(message, {"device": device.id, "keep": keep}, remedy, field=device.id))


def _whole(what: str) -> Problem:
    message = N_("{device}: what it counts over the whole time cannot be planned piece by piece")
    remedy = N_("plan the whole time at once, or leave out fleets, cycle limits, events, caps and green shares")
    return Problem(message, {"device": what}, remedy, field=what)


def _cut_values(record: Any, steps: int, start: int, stop: int) -> dict[str, Any]:
    """The fields that are series over the steps, cut to [start, stop)."""
    cut: dict[str, Any] = {}
    for f in fields(record):
        value = getattr(record, f.name)
        if isinstance(value, np.ndarray) and value.shape == (steps,):
            cut[f.name] = value[start:stop]
        elif isinstance(value, Mapping):
            cut[f.name] = {k: v[start:stop] if isinstance(v, np.ndarray) else v for k, v in value.items()}
    return cut


def _first(plan: Schedule, used: int) -> dict[str, Floats]:
    return {name: values[:used] for name, values in plan.series.items() if len(values) == plan.site.steps}


def _lived(piece: Site, plan: Schedule, used: int) -> dict[str, Floats]:
    """The first steps as they come, with the true loads: stores do what was planned as far as that is possible (a
    discharge that nobody takes is cut), the rest settles it.
    """
    devices: list[Device] = []
    for device in piece.devices:
        cut = _cut(device, piece.steps, 0, used)
        if isinstance(cut, Storage):
            charge, discharge = (
                np.clip(plan.series[f"{cut.id}.{k}"][:used], 0.0, None) for k in ("charge", "discharge")
            )
            cut = replace(
                cut, charge=charge, discharge=discharge, final=cut.least * cut.capacity, wear=0.0,
                charge_cost=-2 * _FOLLOW, end_value=-_FOLLOW,
            )  # fmt: skip
        devices.append(cut)
    return _first(schedule(replace(piece, steps=used, devices=tuple(devices)), warm=True), used)


def _cut(device: Device, steps: int, start: int, stop: int) -> Device:
    """A device on the steps [start, stop) alone."""
    cut = _cut_values(device, steps, start, stop)
    if isinstance(device, Supply) and device.demand is not None:
        cut["demand"] = replace(device.demand, **_cut_values(device.demand, steps, start, stop))
    return replace(device, **cut)


def _state(piece: Site, lived: Mapping[str, Floats]) -> dict[str, Any]:
    """What the next piece starts from: levels, energy put in, and how units run and since when [h]."""
    state: dict[str, Any] = {}
    for device in piece.devices:
        if isinstance(device, Storage):
            state[device.id] = min(max(lived[f"{device.id}.level"][-1], device.least * device.capacity),
                                   device.most * device.capacity)  # fmt: skip
        elif isinstance(device, Converter):
            state[device.id] = lived[f"{device.id}.activity"][-1]
        elif isinstance(device, Extraction):
            state[device.id] = lived[f"{device.id}.power"][-1] + device.loss * lived[f"{device.id}.heat"][-1]
        if isinstance(device, Converter | Extraction) and device.commitment is not None:
            on = lived[f"{device.id}.on"] > 0.5
            same = int(np.argmin(np.append(on[::-1] == on[-1], False)))
            before = device.commitment.since_h if same == len(on) and on[-1] == device.commitment.was_on else 0.0
            state[f"{device.id}.on"] = (bool(on[-1]), same * piece.step_h + before)
    return state


def _piece(
    site: Site,
    start: int,
    stop: int,
    peaks: Mapping[str, Floats],
    state: Mapping[str, Any],
    whole: Schedule | None,
) -> Site:
    """The site from ``start`` to ``stop``, with what has happened before."""
    devices = []
    for device in site.devices:
        cut = _cut_values(device, site.steps, start, stop)
        if isinstance(device, Storage):
            level = None if whole is None else float(whole.series[f"{device.id}.level"][stop - 1])
            wanted = device.initial if device.final is None or stop < site.steps else device.final
            cut |= {"initial": state.get(device.id, device.initial), "final": wanted if level is None else level}
        elif isinstance(device, Converter | Extraction) and device.id in state:
            cut["was"] = state[device.id]
            if device.commitment is not None:
                on, since = state[f"{device.id}.on"]
                cut["commitment"] = replace(device.commitment, was_on=on, since_h=since)
        elif isinstance(device, Supply) and device.demand is not None:
            cut["demand"] = _demand_of(device, site.steps, start, stop, peaks[device.id], whole)
        devices.append(replace(device, **cut))
    return replace(site, start=site.at(start), steps=stop - start, devices=tuple(devices))


def _demand_of(supply: Supply, steps: int, start: int, stop: int, peaks: Floats, whole: Schedule | None) -> Demand:
    demand = supply.demand
    assert demand is not None
    month = _months(demand, steps)
    found, here = np.unique(month[start:stop], return_inverse=True)
    price = np.broadcast_to(np.asarray(demand.price, np.float64), peaks.shape)
    target = np.broadcast_to(np.asarray(demand.target, np.float64), peaks.shape)
    if whole is not None:
        drawn = np.zeros(len(peaks))
        np.maximum.at(drawn, month, whole.series[f"{supply.id}.import"])
        target = np.maximum(target, drawn)
    return replace(
        demand, month=here.astype(np.int32), price=tuple(price[found]), to_date=tuple(peaks[found]),
        target=tuple(target[found]),
    )  # fmt: skip


def _bill(site: Site, series: Mapping[str, Floats], peaks: Mapping[str, Floats]) -> dict[str, float]:
    """The costs of what was lived, by the same program that plans."""
    program = formulate(site).program
    primal = np.zeros(program.columns)
    for name, block in program.blocks.items():
        device, _, quantity = name.rpartition(".")
        if name in series:
            primal[block.slice] = series[name]
        elif quantity == "peak":
            primal[block.slice] = np.maximum(peaks[device], program.vectors().lower[block.slice])
        elif quantity == "excess":
            supply = site.device(device)
            assert isinstance(supply, Supply) and supply.demand is not None and supply.demand.contract is not None
            limit = supply.demand.contract * supply.demand.excess_share
            primal[block.slice] = np.maximum(peaks[device] - limit, 0.0)
    costs = program.amounts(primal)
    if carbon := costs.pop("carbon", 0.0) * site.carbon.price / 1000.0:
        costs["carbon"] = carbon
    return costs
