"""Anomalies of meters, day by day: suspect quarter hours, and hours unlike the same hours before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from lujin.accounts.base_units import SHOWN
from lujin.alarms.finding import Finding, Said, number
from lujin.alarms.known import HISTORY_D, Known, day_of, places, slot_of
from lujin.alarms.rules import Place, Rule
from lujin.errors import N_
from lujin.park import meter_dimensions
from lujin.park.carriers import BASE_UNIT
from lujin.readings import SUSPECT, Flag, bits

_LEAST_DAYS = 5  # same hours of that many days before something is called unusual
_FLOOR = 0.1  # of the usual amount: smaller deviations are none, however regular the meter
_MAD = 1.4826  # median absolute deviation × this = standard deviation of a normal distribution
WORDS = {
    Flag.RANGE: N_("above capacity"),
    Flag.SPIKE: N_("spike"),
    Flag.FLATLINE: N_("flatline"),
    Flag.NEGATIVE: N_("negative"),
    Flag.CLOCK: N_("clock shift"),
    Flag.UNIT_JUMP: N_("unit jump"),
    Flag.RESET: N_("reset"),
    Flag.OVERLAP: N_("overlap"),
}
Amounts = NDArray[np.float64]


def anomaly(rule: Rule, known: Known, now: datetime) -> Iterator[Finding]:
    """Per meter and day: suspect quarter hours, and hours far from the median of the same hours before.

    An hour is unusual when it lies further from that median than ``deviation`` times the usual deviation
    (1.4826 × median absolute deviation) and than a tenth of the median; rest days are compared with rest days.
    """
    meters = {m for place in places(known.park, rule.place) for m in known.meters(place)}
    days = [day_of(now - timedelta(days=back), known.park.timezone) for back in range(int(rule.number("days")))]
    yield from _suspect(rule, known, now, meters, days)
    yield from _unusual(rule, known, now, meters, days)


def _suspect(rule: Rule, known: Known, now: datetime, meters: set[str], days: list[date]) -> Iterator[Finding]:
    least = int(rule.number("slots"))
    for energy in known.energy.values():
        inside = np.arange(energy.grid.slots) < slot_of(energy, now)
        for index, day in enumerate(energy.grid.days):
            if day not in days:
                continue
            flags = energy.flags[:, (energy.grid.day == index) & inside]
            count = np.count_nonzero(flags & bits(SUSPECT), axis=1)
            for m in np.flatnonzero(count >= least).tolist():
                if energy.meters[m] not in meters:
                    continue
                sums = {flag: int(np.count_nonzero(flags[m] & bits(flag))) for flag in WORDS}
                most = max(sums, key=lambda flag: sums[flag])
                params: dict[str, str | Said] = {
                    "count": str(int(count[m])),
                    "kind": Said(WORDS[most]),
                    "meter": energy.meters[m],
                    "day": day.isoformat(),
                }
                said = Said(N_("{meter} {day}: {count} quarter hours are suspect, {kind}"), params)
                yield _finding(rule, known, energy.meters[m], day, "suspect", said, float(count[m]), float(least))


def _unusual(rule: Rule, known: Known, now: datetime, meters: set[str], days: list[date]) -> Iterator[Finding]:
    names, hours, dates = hourly(known, now)
    chosen = np.array([n in meters for n in names], bool)
    if not chosen.any():
        return
    rest = np.array([_rests(known, day) for day in dates])
    least, factor = int(rule.number("hours")), float(rule.number("deviation"))
    units = meter_dimensions(known.park)
    for index, day in enumerate(dates):
        if day not in days:
            continue
        first = max(index - HISTORY_D, 0)
        alike = first + np.flatnonzero(rest[first:index] == rest[index])
        far, usual = far_from_usual(hours[:, index], hours[:, alike], factor)
        count = np.count_nonzero(far, axis=1)
        for m in np.flatnonzero((count >= least) & chosen).tolist():
            shown, digits = SHOWN[BASE_UNIT[min(units[names[m]])]]
            value = float(hours[m, index][far[m]].sum()) / 10**digits
            normal = float(usual[m][far[m]].sum()) / 10**digits
            message = N_("{meter} {day}: {count} h are unusual, {value} {unit} where {usual} {unit} are usual")
            numbers = {"count": str(int(count[m])), "value": number(value), "usual": number(normal), "unit": shown}
            said = Said(message, {"meter": names[m], "day": day.isoformat(), **numbers})
            yield _finding(rule, known, names[m], day, "unusual", said, float(count[m]), float(least))


def far_from_usual(value: Amounts, before: Amounts, factor: float) -> tuple[NDArray[np.bool_], Amounts]:
    """Which hours are unusual, and the median of each. ``value`` [meters, 24], ``before`` [meters, days, 24];
    NaN: not known. Hours with fewer than _LEAST_DAYS known before are not judged.
    """
    with np.errstate(invalid="ignore"):
        known = np.count_nonzero(~np.isnan(before), axis=1)
        usual = _median(before)
        spread = _MAD * _median(np.abs(before - usual[:, None]))
        off = np.abs(value - usual)
        level = _median(np.abs(before).mean(axis=2, keepdims=True))[:, :1] if before.shape[1] else usual[:, :1]
        floor = np.maximum(_FLOOR * np.abs(usual), _FLOOR * np.nan_to_num(level))
        far = (known >= _LEAST_DAYS) & (off > np.maximum(factor * spread, floor))
    return far, usual


def _median(values: Amounts) -> Amounts:
    """Median over axis 1, NaN left away; NaN where nothing is known."""
    if not values.shape[1]:
        return np.full((values.shape[0], values.shape[2]), np.nan)
    ordered = np.sort(values, axis=1)  # NaN last
    count = np.count_nonzero(~np.isnan(values), axis=1)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    high = np.minimum(high, values.shape[1] - 1)
    picked = [np.take_along_axis(ordered, at[:, None], axis=1)[:, 0] for at in (low, high)]
    found: Amounts = np.where(count > 0, (picked[0] + picked[1]) / 2, np.nan)
    return found


def hourly(known: Known, now: datetime) -> tuple[list[str], Amounts, list[date]]:
    """Meters, energy [meters, days, 24] in base units, NaN where an hour is not wholly measured, days."""
    names = list(dict.fromkeys(m for energy in known.energy.values() for m in energy.meters))
    row = {name: i for i, name in enumerate(names)}
    parts: list[Amounts] = []
    dates: list[date] = []
    lacking = bits(Flag.MISSING | Flag.PARTIAL | Flag.ESTIMATED | Flag.OUTSIDE)
    for _, energy in sorted(known.energy.items()):
        value = np.where((energy.flags & lacking) == 0, energy.amount, np.nan)
        value[:, slot_of(energy, now) :] = np.nan
        cells = np.full((len(names), len(energy.grid.days), 96), np.nan)
        rows = np.array([row[m] for m in energy.meters], int)
        cells[rows[:, None], energy.grid.day[None, :], energy.grid.quarter[None, :]] = value
        parts.append(cells.reshape(len(names), -1, 24, 4).sum(axis=3))
        dates += energy.grid.days
    return names, np.concatenate(parts, axis=1) if parts else np.zeros((0, 0, 24)), dates


def _rests(known: Known, day: date) -> bool:
    fact = known.park.days.get(day)
    return day.weekday() >= 5 or (fact is not None and fact.holiday)


def _finding(
    rule: Rule, known: Known, meter: str, day: date, what: str, said: Said, value: float, bound: float
) -> Finding:
    whose = tuple(sorted(known.owners.get(meter, ())))
    link = f"/meters/{meter}?month={day:%Y-%m}"
    cause = "|".join((rule.id, meter, day.isoformat(), what))
    return Finding(cause, Place("meter", meter), said, "raise", value, bound, "", whose, link)
