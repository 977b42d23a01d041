"""The balance of a park for a month: every network closed, and every open one with the meters that explain it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lujin.accounts.amounts import Amount
from lujin.accounts.closure import SLOTS_PER_HOUR, Closed, MeterHours, close, components, networks, unmetered
from lujin.accounts.reconciliation import Reconciled, eliminate, reconcile
from lujin.accounts.settle import MATERIAL, Uncertainty
from lujin.accounts.statement_parts import Part
from lujin.accounts.suspects import Fit, Kind, Traces, alike, either, lone, rank, without
from lujin.errors import N_, Problem
from lujin.park import Park
from lujin.park.calendar import Grid

Verdict = Literal[
    "closed",
    "meter",
    "loss",
    "not_identifiable",
    "nothing_likely",
    "no_time_structure",
    "losses_unknown",
    "not_compared",
]
ROUNDS = 3  # faults looked for one after the other
PLAIN = 0.8  # share of the gap's variance from which a fault is named although uncertainty explains the total
_UNSTATED = Fraction(1, 100)  # relative size of errors taken where none is known, for weights alone; never shown


@dataclass(frozen=True, slots=True)
class MeterLine(Part):
    """A meter of a network: what it counts for (``direction`` in or out), its U, what reconciliation makes of it
    and the statistic of the measurement test (None: not redundant, or U unknown).
    """

    meter: str
    direction: str
    amount: Amount
    uncertainty: Amount | None
    reconciled: Amount | None
    statistic: float | None


@dataclass(frozen=True, slots=True)
class Suspect(Part):
    """An explanation of the gap. ``meter`` empty: losses of ``node``. ``share`` of the gap's variance explained,
    ``likelihood`` against all other explanations [1]; ``correction``: true per read; ``error``: what it adds to
    the gap; [start, end). ``round``: 1 the first fault, 2 the one that is left when that is put right, …
    """

    round: int
    meter: str
    node: str
    kind: Kind
    share: float
    likelihood: float
    correction: float | None
    error: Amount
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class NetworkBalance(Part):
    """Supply = users + losses of one network. ``expected_loss`` None: not known, and part of the gap.

    ``within``: whether U of the gap (k = 2) explains it; None: cannot be said. ``compared`` of ``hours``: those in
    which all its meters were measured, to which every amount refers. ``doubted``: meters that the measurement test
    puts in gross error, equal ones joined. ``blocking``: meters whose gaps keep hours from being compared.
    """

    node: str
    name_zh: str
    name_en: str
    carrier: str
    kind: str
    supply: Amount
    use: Amount
    loss: Amount
    expected_loss: Amount | None
    gap: Amount
    uncertainty: Amount | None
    within: bool | None
    verdict: Verdict
    compared: int
    hours: int
    meters: tuple[MeterLine, ...]
    doubted: tuple[tuple[str, ...], ...]
    suspects: tuple[Suspect, ...]
    blocking: tuple[str, ...]


@dataclass(frozen=True)
class ParkBalance(Part):
    month: int
    as_of: datetime | None
    networks: tuple[NetworkBalance, ...]
    problems: tuple[Problem, ...]

    @property
    def open(self) -> tuple[NetworkBalance, ...]:
        return tuple(network for network in self.networks if network.within is not True)

    def as_dict(self) -> dict[str, Any]:
        return {
            **Part.as_dict(self),
            "month": f"{self.month // 100}-{self.month % 100:02}",
            "problems": [problem.as_dict() for problem in self.problems],
        }


@dataclass(frozen=True, eq=False)
class _Component:
    """Balances that share meters. ``meters`` → column."""

    park: Park
    grid: Grid
    balances: tuple[Closed, ...]
    hours: MeterHours
    uncertainty: Uncertainty
    expected: Mapping[str, Fraction]

    @property
    def meters(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(meter for closed in self.balances for meter in closed.network.meters))


def park_balance(
    park: Park,
    grid: Grid,
    hours: MeterHours,
    uncertainty: Uncertainty,
    expected: Mapping[str, Fraction] | None = None,
    as_of: datetime | None = None,
) -> ParkBalance:
    """``hours``: the meters of ``networks(park, grid)``. ``expected``: node → expected loss per supply [1]."""
    declared = expected or {}
    closed = [close(park, network, hours, uncertainty, declared) for network in networks(park, grid)]
    found: list[NetworkBalance] = []
    for group in components(closed):
        found += _lines(_Component(park, grid, group, hours, uncertainty, declared))
    found.sort(key=lambda line: (line.carrier, line.kind, line.node))
    return ParkBalance(grid.month, as_of, tuple(found), tuple(_problems(park, closed, hours)))


def _lines(component: _Component) -> Iterator[NetworkBalance]:
    totals = _reconciled(component)
    ranked, timed = _suspects(component)
    for closed in component.balances:
        yield _line(component, closed, totals, ranked, timed)


# ------------------------------------------------------------------------------------- totals of the month


@dataclass(frozen=True, eq=False)
class _Totals:
    columns: Mapping[str, int]
    found: Reconciled
    doubted: tuple[tuple[str, ...], ...]


def _reconciled(component: _Component) -> _Totals | None:
    """Least squares over the hours that all balances share; None: there are none, or nothing has a known U.

    Losses that are not known, Δstock and standing losses are variables of their own: the first wholly free.
    """
    balances = [closed for closed in component.balances if closed.network.kind != "through"]
    if not balances:
        return None
    common = np.all([closed.compared for closed in balances], axis=0)
    columns = {meter: i for i, meter in enumerate(component.meters)}
    stores = [k for k, closed in enumerate(balances) if closed.slack or closed.expected is None]
    width = len(columns) + len(stores)
    a, c = np.zeros((len(balances), width)), np.zeros(len(balances))
    values, sigma = np.zeros(width), np.full(width, np.inf)
    for k, closed in enumerate(balances):
        supply = Fraction(0)
        for sign, place in closed.network.signed:
            quantity = int(component.hours.quantity(place)[common].sum())
            values[columns[place.meter]] = max(values[columns[place.meter]], quantity, key=abs)
            a[k, columns[place.meter]] += sign * float(place.coefficient)
            supply += place.coefficient * quantity if sign > 0 else 0
        if closed.expected is not None and closed.supply:
            c[k] = float(supply * closed.expected / closed.supply)
    for i, k in enumerate(stores):
        a[k, len(columns) + i] = 1
        sigma[len(columns) + i] = np.inf if balances[k].expected is None else balances[k].slack / 2
    for meter, i in columns.items():
        if (relative := component.uncertainty(meter)) is not None:
            sigma[i] = max(float(relative) * abs(values[i]) / 2, 0.5)
    if not common.any() or not np.isfinite(sigma[: len(columns)]).any():
        return None
    names = [*columns, *(f"Δ{balances[k].network.node}" for k in stores)]
    groups = tuple(tuple(names[i] for i in group) for group in eliminate(a, values, sigma, c))
    return _Totals(columns, reconcile(a, values, sigma, c), groups)


# ----------------------------------------------------------------------------------------- hour by hour


def _suspects(component: _Component) -> tuple[tuple[tuple[int, Fit], ...], bool]:
    """(round, explanation) of the component's gaps, and whether its meters are read often enough to ask.

    ``first`` and ``last`` of an explanation in slots, ``balance`` an index of the component's balances.
    """
    balances = [closed for closed in component.balances if closed.network.kind in ("main", "pipe")]
    spans = [component.park.meters[meter].interval_s for closed in balances for meter in closed.network.meters]
    if not balances or any(not 0 < span <= 86_400 for span in spans):
        return (), False
    step = 24 if max(spans) > 3_600 else 1
    traces = _traces(component, balances, step)
    found: list[tuple[int, Fit]] = []
    alone = lone(traces, any(closed.network.kind == "pipe" and closed.compared.any() for closed in balances))
    beyond = any(_beyond(closed) for closed in balances if closed.compared.any())
    for turn in range(1, ROUNDS + 1):
        likely = either(traces, beyond) if alone else alike(rank(traces))
        for fit in likely:
            first, last = (min(at * step * SLOTS_PER_HOUR, component.grid.slots) for at in (fit.first, fit.last))
            place = component.balances.index(balances[fit.balance])
            found.append((turn, replace(fit, balance=place, first=first, last=last)))
        if len(likely) != 1:
            break
        traces = without(traces, likely[0])
    return tuple(found), True


def _beyond(closed: Closed) -> bool:
    """Whether more than uncertainty stands between supply and users; where it is unknown, a material part."""
    if closed.within is None and closed.expected is not None:
        return abs(closed.gap) > MATERIAL * max(abs(closed.supply), abs(closed.use))
    return closed.within is False


def _traces(component: _Component, balances: Sequence[Closed], step: int) -> Traces:
    """``step`` [h]: hours that are taken together."""
    columns = {meter: i for i, meter in enumerate(component.meters)}
    places = [(b, sign, place) for b, closed in enumerate(balances) for sign, place in closed.network.signed]
    hours = component.hours
    allowed = np.array([float(component.uncertainty(meter) or _UNSTATED) / 2 for meter in columns])

    def stepped(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(np.add.reduceat(values.astype(np.float64), np.arange(0, hours.hours, step), axis=-1))

    flow = stepped(np.stack([sign * float(p.coefficient) * hours.quantity(p) for _, sign, p in places]))
    sign = stepped(np.stack([sign * float(p.coefficient) * hours.counts(p) for _, sign, p in places])) / step
    balance = np.array([b for b, _, _ in places])
    meter = np.array([columns[place.meter] for _, _, place in places])
    shape = (len(balances), flow.shape[1])
    residual, supply, noise = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    np.add.at(residual, balance, flow)
    into = np.array([sign > 0 for _, sign, _ in places])
    np.add.at(supply, balance[into], flow[into])
    np.add.at(noise, balance, (allowed[meter][:, None] * flow) ** 2)
    for b, closed in enumerate(balances):
        if closed.expected is not None and closed.supply:
            residual[b] -= closed.expected / closed.supply * supply[b]
    slots = np.arange(0, component.grid.slots, SLOTS_PER_HOUR * step)
    return Traces(
        residual=residual,
        valid=stepped(np.stack([~closed.compared for closed in balances])) == 0,
        noise=np.sqrt(noise.mean(axis=1)),
        meter=meter,
        balance=balance,
        flow=flow,
        sign=sign,
        supply=supply,
        allowed=allowed,
        loss=[b for b, closed in enumerate(balances) if closed.expected is None],
        day=component.grid.day[slots].astype(np.int64),
        hour=(component.grid.quarter[slots] // SLOTS_PER_HOUR).astype(np.int64),
    )


# ------------------------------------------------------------------------------------------------ lines


def _line(
    component: _Component,
    closed: Closed,
    totals: _Totals | None,
    ranked: Sequence[tuple[int, Fit]],
    timed: bool,
) -> NetworkBalance:
    park, network = component.park, closed.network
    unit = park.carriers[network.carrier].base_unit
    mine = set(network.meters)
    names = component.meters
    here = component.balances.index(closed)
    own = [
        (turn, fit)
        for turn, fit in ranked
        if (names[fit.meter] in mine if fit.meter >= 0 else fit.balance == here)
    ]
    if closed.within is True:
        plain = {turn for turn, fit in own if fit.share >= PLAIN}
        own = [
            (turn, fit) for turn, fit in own if fit.share >= PLAIN or (network.kind == "pipe" and turn in plain)
        ]
    if network.kind in ("through", "store"):
        own, timed = [], False
    node = park.nodes.get(network.node)
    doubted = () if totals is None or network.kind == "through" else totals.doubted
    return NetworkBalance(
        node=network.node,
        name_zh=node.name_zh if node else "",
        name_en=node.name_en if node else "",
        carrier=network.carrier,
        kind=network.kind,
        supply=Amount(closed.supply, unit),
        use=Amount(closed.use, unit),
        loss=Amount(closed.loss, unit),
        expected_loss=None if closed.expected is None else Amount(closed.expected, unit),
        gap=Amount(closed.gap, unit),
        uncertainty=None if closed.uncertainty is None else Amount(closed.uncertainty, unit),
        within=closed.within if closed.compared.any() else None,
        verdict=_verdict(closed, [fit for turn, fit in own if turn == 1], timed),
        compared=int(closed.compared.sum()),
        hours=len(closed.compared),
        meters=tuple(_meter_lines(component, closed, totals, unit)),
        doubted=tuple(group for group in doubted if set(group) & mine),
        suspects=tuple(_suspect(component, turn, fit, unit) for turn, fit in own),
        blocking=tuple(dict.fromkeys(p.meter for _, p in network.signed if component.hours.unknown(p).any())),
    )


def _verdict(closed: Closed, first: Sequence[Fit], timed: bool) -> Verdict:
    if not closed.compared.any():
        return "not_compared"
    if closed.network.kind == "store" and closed.expected is None:
        return "losses_unknown"
    if first:
        if len(first) > 1:
            return "not_identifiable"
        return "meter" if first[0].meter >= 0 else "loss"
    if closed.within is True:
        return "closed"
    return "nothing_likely" if timed else "no_time_structure"


def _meter_lines(component: _Component, closed: Closed, totals: _Totals | None, unit: str) -> Iterator[MeterLine]:
    redundant = totals is not None and closed.network.kind != "through"
    for meter, quantity in closed.meters.items():
        relative = component.uncertainty(meter)
        value = statistic = None
        if totals is not None and redundant:
            i = totals.columns[meter]
            measured = totals.found.values[i] - totals.found.adjusted[i]
            if np.isfinite(measured) and measured:
                value = Amount(round(abs(float(quantity)) * float(totals.found.values[i] / measured)), unit)
            z = float(totals.found.statistic[i])
            statistic = None if np.isnan(z) else round(z, 2)
        yield MeterLine(
            meter,
            "in" if quantity >= 0 else "out",
            Amount(round(abs(quantity)), unit),
            None if relative is None else Amount(round(relative * abs(quantity)), unit),
            value,
            statistic,
        )


def _suspect(component: _Component, turn: int, fit: Fit, unit: str) -> Suspect:
    return Suspect(
        round=turn,
        meter=component.meters[fit.meter] if fit.meter >= 0 else "",
        node=component.balances[fit.balance].network.node,
        kind=fit.kind,
        share=round(fit.share, 4),
        likelihood=round(fit.weight, 4),
        correction=None if fit.correction is None else round(fit.correction, 4),
        error=Amount(round(fit.error), unit),
        start=component.grid.slot_start(fit.first),
        end=component.grid.slot_start(fit.last),
    )


def _problems(park: Park, closed: Sequence[Closed], hours: MeterHours) -> Iterator[Problem]:
    """What cannot be: flows that run backwards, more given than taken in; and what cannot be closed."""
    for node, carrier, flow in unmetered(park):
        message = N_("{node} cannot be closed for {carrier}: flow {flow} has no meter")
        missing = {"node": node, "carrier": carrier, "flow": flow}
        yield Problem(message, missing, N_("give the flow a meter, or a virtual one"), severity="warning")
    said: set[str] = set()
    for balance in closed:
        for flow, amount, count in _backwards(balance, hours):
            if flow not in said and balance.network.kind != "pipe":
                said.add(flow)
                unit = park.carriers[balance.network.carrier].base_unit
                params: dict[str, Any] = {"flow": flow, "amount": Amount(amount, unit), "hours": count}
                message = N_("flow {flow} runs backwards for {hours} hours: {amount}")
                remedy = N_("check the meter's direction, or make the flow back one of its own")
                yield Problem(message, params, remedy, severity="warning")
        if (problem := _oversize(park, balance)) is not None:
            yield problem


def _backwards(balance: Closed, hours: MeterHours) -> Iterator[tuple[str, int, int]]:
    """Flow → what ran backwards [base units], and the hours in which it did so beyond a unit per meter."""
    flows: dict[str, list[NDArray[np.float64]]] = {}
    for _, place in balance.network.signed:
        quantity = hours.quantity(place).astype(np.float64)
        flows.setdefault(place.flow, []).append(float(place.coefficient) * quantity)
    for flow, parts in flows.items():
        moved = np.sum(parts, axis=0)
        back = moved < -len(parts)
        if back.any():
            yield flow, round(float(moved[back].sum())), int(back.sum())


def _oversize(park: Park, balance: Closed) -> Problem | None:
    """More goes out than came in, beyond U (where U is unknown, beyond what is material)."""
    network, unit = balance.network, park.carriers[balance.network.carrier].base_unit
    limit = balance.uncertainty
    if limit is None:
        limit = balance.slack + round(MATERIAL * abs(balance.supply))
    if network.kind == "pipe" or not balance.compared.any() or balance.use - balance.supply <= limit:
        return None
    message = N_(
        "{node} gives out {use} of {carrier} but takes in {supply} only: {excess} more than uncertainty explains"
    )
    params = {
        "node": network.node,
        "carrier": network.carrier,
        "use": Amount(balance.use, unit),
        "supply": Amount(balance.supply, unit),
        "excess": Amount(balance.use - balance.supply - limit, unit),
    }
    return Problem(message, params, N_("see which meter explains it: lujin balance"), severity="warning")
