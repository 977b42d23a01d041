"""Limits and demand: how much energy moved, how much power was drawn, against a number or a contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lujin.accounts.base_units import SHOWN
from lujin.alarms.finding import Finding, Level, Said, local, number, percent
from lujin.alarms.known import Known, day_of, places, slot_of
from lujin.alarms.rules import EACH, Place, Rule
from lujin.errors import N_
from lujin.park.calendar import SLOT_SECONDS, month_of, month_start, next_month
from lujin.readings import Flag, bits

_TREND_SLOTS = 4
_SETTLE = {"day": timedelta(hours=24), "month": timedelta(hours=72)}  # so long the period before is judged


@dataclass(frozen=True, slots=True)
class Span:
    """A local day or month: its name and [start, end)."""

    name: str
    start: datetime
    end: datetime


def spans(period: str, now: datetime, zone: str) -> list[Span]:
    """The period of ``now``, and the one before while late readings may still come."""
    return list({s.name: s for s in (_span(period, at, zone) for at in (now - _SETTLE[period], now))}.values())


def _span(period: str, at: datetime, zone: str) -> Span:
    if period == "month":
        month = month_of(at, zone)
        return Span(
            f"{month // 100}-{month % 100:02}", month_start(month, zone), month_start(next_month(month), zone)
        )
    day = day_of(at, zone)
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    end = datetime.combine(day + timedelta(days=1), start.time(), tzinfo=ZoneInfo(zone))
    return Span(day.isoformat(), start.astimezone(UTC), end.astimezone(UTC))


# ----------------------------------------------------------------------------------------------- limits


def limit(rule: Rule, known: Known, now: datetime) -> Iterator[Finding]:
    """Energy, carbon or the greatest mean power of a day or month, above or below a value.

    ``below`` is judged of whole periods only, and never where readings lack: missing is not little.
    """
    for place in places(known.park, rule.place):
        for span in spans(rule.text("period"), now, known.park.timezone):
            if rule.text("direction") == "below" and span.end > now:
                continue
            found = _measured(rule, known, place, span, now)
            if found is not None:
                yield from _against(rule, known, place, span, found)


@dataclass(frozen=True, slots=True)
class Measured:
    value: float
    unit: str
    at: datetime | None = None


def _measured(rule: Rule, known: Known, place: Place, span: Span, now: datetime) -> Measured | None:
    quantity, end = rule.text("quantity"), min(span.end, now)
    if quantity == "carbon":
        return _carbon(rule, known, place, span)
    flows = flows_of(known, place, rule.text("carrier"))
    if not flows:
        return None
    carrier = known.park.carriers[known.park.flows[flows[0]].carrier]
    unit, digits = SHOWN[carrier.base_unit]
    amount, start = between(known, flows, span.start, end)
    if not len(amount) or (rule.text("direction") == "below" and lacks(known, flows, span.start, end)):
        return None
    if quantity == "energy":
        return Measured(float(amount.sum()) / 10**digits, unit)
    slots = int(rule.number("minutes")) // 15
    means = running_mean(amount, slots)
    if not len(means):
        return None
    best = int(means.argmin() if rule.text("direction") == "below" else means.argmax())
    at = datetime.fromtimestamp(start + best * SLOT_SECONDS, UTC)
    rate = "kW" if carrier.base_unit == "Wh" else f"{unit}/h"
    return Measured(float(means[best]) * 4 / 10**digits, rate, at)


def _carbon(rule: Rule, known: Known, place: Place, span: Span) -> Measured | None:
    zone = known.park.timezone
    first, last = day_of(span.start, zone), day_of(span.end - timedelta(seconds=1), zone)
    rows = known.carbon.filter((pl.col("book") == rule.text("book")) & pl.col("day").is_between(first, last))
    if place.kind == "enterprise":
        rows = rows.filter(pl.col("enterprise") == place.id)
    return Measured(float(rows["t"].sum()), "tCO2e") if rows.height else None


def _against(rule: Rule, known: Known, place: Place, span: Span, found: Measured) -> Iterator[Finding]:
    value, bound, margin = found.value, float(rule.number("value")), float(rule.number("margin")) / 100
    above = rule.text("direction") == "above"
    broken = value > bound if above else value < bound
    near = value > bound * (1 - margin) if above else value < bound * (1 + margin)
    if not (broken or near):
        return
    message = N_("{place} {period}: {value} {unit} are above {limit} {unit}")
    if not above:
        message = N_("{place} {period}: {value} {unit} are below {limit} {unit}")
    params: dict[str, str | Said] = {
        "place": Said(N_("the park")) if place.kind == "park" else place.id,
        "period": span.name if found.at is None else local(found.at, known.park.timezone),
        "value": number(value),
        "limit": number(bound),
        "unit": found.unit,
    }
    level: Level = "raise" if broken else "hold"
    cause = "|".join((rule.id, str(place), span.name))
    whose = _whose(known, place)
    link = f"/enterprises/{place.id}?month={span.name[:7]}" if place.kind == "enterprise" else "/flows"
    yield Finding(cause, place, Said(message, params), level, value, bound, found.unit, whose, link)


def _whose(known: Known, place: Place) -> tuple[str, ...]:
    park = known.park
    if place.kind == "enterprise":
        return (place.id,)
    if place.kind == "connection":
        return (park.connections[place.id].enterprise,)
    if place.kind == "flow":
        flow = park.flows[place.id]
        return tuple(sorted({park.owner(flow.source), park.owner(flow.target)} - {""}))
    return ()


# ----------------------------------------------------------------------------------------------- demand


def demand(rule: Rule, known: Known, now: datetime) -> Iterator[Finding]:
    """Greatest mean power of the month so far, and the last one with its trend, against the contracted demand."""
    for connection in known.park.connections.values():
        contract = connection.contract_kw
        own = connection.id if rule.place.kind == "connection" else connection.enterprise
        wanted = rule.place.id in (EACH, own)
        flows = flows_of(known, Place("connection", connection.id), "electricity") if contract and wanted else []
        if not contract or not flows:
            continue
        for span in spans("month", now, known.park.timezone):
            amount, start = between(known, flows, span.start, min(span.end, now))
            means = running_mean(amount, int(rule.number("minutes")) // 15) * 4 / 1000
            if len(means) and means.max() > 0:
                yield from _demanded(rule, known, connection.id, span, means, start, float(contract))


def _demanded(
    rule: Rule,
    known: Known,
    connection: str,
    span: Span,
    means: NDArray[np.float64],
    start: int,
    contract: float,
) -> Iterator[Finding]:
    peak = int(means.argmax())
    share, threshold = float(means[peak]) / contract, float(rule.number("share")) / 100
    if share < threshold - float(rule.number("margin")) / 100:
        return
    last = int(np.flatnonzero(means)[-1])
    slope = trend(means[: last + 1])
    message = N_(
        "{place} {month}: {demand} kW at {at}, {share} of contract {contract} kW; now {now} kW, {trend} kW/h"
    )
    at = datetime.fromtimestamp(start + peak * SLOT_SECONDS, UTC)
    params: dict[str, str | Said] = {
        "place": connection,
        "month": span.name,
        "demand": number(float(means[peak])),
        "at": local(at, known.park.timezone),
        "share": percent(share),
        "contract": number(contract, 0),
        "now": number(float(means[last])),
        "trend": f"{round(slope):+d}",
    }
    stage = "exceeded" if share > 1 and threshold < 1 else "approaching"
    level: Level = "raise" if share >= threshold else "hold"
    place = Place("connection", connection)
    whose = _whose(known, place)
    link = f"/enterprises/{whose[0]}?month={span.name}"
    cause = "|".join((rule.id, connection, span.name, stage))
    yield Finding(cause, place, Said(message, params), level, share * 100, threshold * 100, "%", whose, link)


def trend(means: NDArray[np.float64]) -> float:
    """Slope of the last hour by least squares [kW/h]; 0 with fewer than two values.

    >>> trend(np.array([100.0, 110.0, 120.0, 130.0]))
    40.0
    """
    last = means[-_TREND_SLOTS:]
    if len(last) < 2:
        return 0.0
    hours = np.arange(len(last)) * SLOT_SECONDS / 3600
    return round(float(np.polyfit(hours, last, 1)[0]), 6)


# ----------------------------------------------------------------------------------------------- series


def flows_of(known: Known, place: Place, carrier: str) -> list[str]:
    """Flows that count for a place: of an enterprise or connection what it takes in, of the park what crosses the
    fence.
    """
    park = known.park
    if place.kind == "flow":
        return [place.id]
    found = []
    for flow in park.flows.values():
        source, target = park.owner(flow.source), park.owner(flow.target)
        if flow.carrier != carrier or not target:
            continue
        if (
            (place.kind == "enterprise" and target == place.id and source != place.id)
            or (place.kind == "connection" and flow.connection == place.id and source != target)
            or (place.kind == "park" and not source)
        ):
            found.append(flow.id)
    return found


def between(known: Known, flows: Sequence[str], start: datetime, end: datetime) -> tuple[NDArray[np.int64], int]:
    """Quarter hours of these flows together that ended by ``end``, and the second at which the first starts."""
    parts, begin = [], 0
    for month, energy in sorted(known.energy.items()):
        first, last = slot_of(energy, start), slot_of(energy, end)
        if first < last:
            begin = begin or energy.grid.start + first * SLOT_SECONDS
            parts.append(known.flow_energy(month, flows)[first:last])
    return (np.concatenate(parts), begin) if parts else (np.zeros(0, np.int64), 0)


def lacks(known: Known, flows: Sequence[str], start: datetime, end: datetime) -> bool:
    """Whether some reading of these flows is missing in between."""
    wanted = {m for m, whose in known.park.meters.items() if whose.flow in flows}
    wanted |= {term for m in wanted for term in known.park.meters[m].terms}
    for energy in known.energy.values():
        first, last = slot_of(energy, start), slot_of(energy, end)
        rows = [i for i, m in enumerate(energy.meters) if m in wanted]
        gone = bits(Flag.MISSING | Flag.PARTIAL)
        if first < last and rows and (energy.flags[rows, first:last] & gone).any():
            return True
    return False


def running_mean(amount: NDArray[np.int64], slots: int) -> NDArray[np.float64]:
    """Mean per slot over each run of ``slots`` neighbours.

    >>> running_mean(np.array([1, 3, 5]), 2).tolist()
    [2.0, 4.0]
    """
    if len(amount) < slots:
        return np.zeros(0)
    sums = np.cumsum(np.concatenate([[0], amount]), dtype=np.float64)
    return (sums[slots:] - sums[:-slots]) / slots
