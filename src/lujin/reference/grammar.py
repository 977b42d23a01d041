"""Small texts inside tariff rows: periods, months, times of day, and the unit of each item."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from lujin.errors import N_, InputError, Problem

# 深谷, 低谷, 平段, 高峰, 尖峰: cheapest first; the index is the code
PERIODS = ("deep_valley", "valley", "flat", "peak", "super_peak")
QUARTERS = 96

ITEM_UNITS: Mapping[str, str] = {
    "energy_price": "CNY/kWh",
    "ratio_to_flat": "ratio",
    "component_role": "role",
    "agency_price": "CNY/kWh",
    "capacity_compensation": "CNY/kWh",
    "line_loss": "CNY/kWh",
    "system_operation_fee": "CNY/kWh",
    "pumped_storage_fee": "CNY/kWh",
    "coal_capacity_fee": "CNY/kWh",
    "deviation_adjustment": "CNY/kWh",
    "td_energy_price": "CNY/kWh",
    "zone_cross_subsidy": "CNY/kWh",
    "government_funds": "CNY/kWh",
    "rule_rounding": "CNY/kWh",
    "demand_charge": "CNY/kW.month",
    "capacity_charge": "CNY/kVA.month",
    "coal_benchmark_feed_in": "CNY/kWh",
    "mechanism_price": "CNY/kWh",
}
_OF_A_PERIOD = frozenset({"period_clock", "energy_price", "ratio_to_flat", "rule_temperature_trigger"})
_TIME = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)
_MONTHS = re.compile(r"(\d{1,2})(?:-(\d{1,2}))?", re.ASCII)


@lru_cache(maxsize=256)
def months_of(text: str) -> frozenset[int]:
    """Months 1..12; an empty text is every month, a range may run over the turn of the year.

    >>> sorted(months_of("7-9")), sorted(months_of("1,2,12")), sorted(months_of("11-2")), len(months_of(""))
    ([7, 8, 9], [1, 2, 12], [1, 2, 11, 12], 12)
    """
    if not text.strip():
        return frozenset(range(1, 13))
    months: set[int] = set()
    for part in text.split(","):
        form = _MONTHS.fullmatch(part.strip())
        first, last = (int(form[1]), int(form[2] or form[1])) if form else (0, 0)
        if not (1 <= first <= 12 and 1 <= last <= 12):
            remedy = N_("write months as 7-9 or 1,2,12, or nothing for the whole year")
            raise InputError(Problem(N_("{text!r} names no months"), {"text": text}, remedy))
        months.update((m - 1) % 12 + 1 for m in range(first, (last if last >= first else last + 12) + 1))
    return frozenset(months)


@lru_cache(maxsize=256)
def quarter_of(text: str) -> int:
    """Quarter hours since midnight, 0..96.

    >>> quarter_of("10:30"), quarter_of("24:00")
    (42, 96)
    """
    form = _TIME.fullmatch(text.strip())
    minutes = int(form[1]) * 60 + int(form[2]) if form and int(form[2]) < 60 else -1
    if not (0 <= minutes <= 1440 and minutes % 15 == 0):
        remedy = N_("write a time between 00:00 and 24:00 on a quarter hour, as 14:30")
        raise InputError(Problem(N_("{text!r} is no time of a tariff clock"), {"text": text}, remedy))
    return minutes // 15


def tariff_problems(values: Mapping[str, str]) -> Iterator[tuple[str, Problem]]:
    """What is wrong inside one tariff row: the column and the problem, without its place."""
    item = values["item"]
    if item in _OF_A_PERIOD and values["period"] not in PERIODS:
        params = {"text": values["period"], "known": ", ".join(PERIODS)}
        yield "period", Problem(N_("period {text!r} is not known"), params, N_("use one of: {known}"))
    if (unit := ITEM_UNITS.get(item)) and values["unit"] != unit:
        params = {"text": values["unit"], "item": item, "unit": unit}
        message = N_("unit {text!r} does not fit {item}")
        yield "unit", Problem(message, params, N_("convert the value and write {unit}"))
    if item not in ("period_clock", "price_zone") and not values["value"]:
        yield "value", Problem(N_("{item} has no value"), {"item": item}, N_("write the published value"))
    try:
        months_of(values["months"])
    except InputError as error:
        yield "months", error.problems[0]
    for column in ("start", "end") if item == "period_clock" else ():
        try:
            quarter_of(values[column])
        except InputError as error:
            yield column, error.problems[0]
