"""Carbon intensity hour by hour as tables. Holds no calculation but units."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from lujin.errors import N_
from lujin.show.amounts import grouped, month_text
from lujin.show.reports import problems
from lujin.show.text import Column, Table, number_column, say_line, show_table, type_next
from lujin.show.words import Words

if TYPE_CHECKING:
    from rich.console import Console

    from lujin.workspace.tracing import MonthTrace

# dimension → unit of the amount, base units in it, unit of the intensity: mg/Wh is g/kWh, mg/kJ is kg/GJ
_UNITS = {"electricity": ("kWh", 1000, "gCO2e/kWh"), "heat": ("GJ", 10**6, "kgCO2e/GJ")}
_BARS = "▁▂▃▄▅▆▇█"


def intensities(console: Console, found: MonthTrace, words: Words, park: str, enterprise: str = "") -> None:
    """Every enterprise's power and heat: how much, and the carbon of a unit: mean, least and greatest hour."""
    say = words.say
    columns = [
        Column(say(N_("enterprise"))),
        Column(say(N_("carrier"))),
        number_column(say(N_("amount"))),
        Column(say(N_("unit"))),
        number_column(say(N_("mean"))),
        number_column(say(N_("least hour")), yields=True),
        number_column(say(N_("greatest hour")), yields=True),
        Column(say(N_("intensity"))),
    ]
    rows = []
    for row in found.summary(enterprise).iter_rows(named=True):
        unit, base, shown = _UNITS[words.park.carriers[row["carrier"]].dimension]
        values = [grouped(Decimal(row[name]), 1) for name in ("mean", "least", "greatest")]
        amount = grouped(Decimal(row["amount"] / base), 0)
        rows.append([words.node(row["enterprise"]), words.carrier(row["carrier"]), amount, unit, *values, shown])
    title = say.fill(N_("Carbon intensity hour by hour, {month}"), month=month_text(found.month))
    show_table(console, title, Table(columns, rows))
    if enterprise:
        _profile(console, found, words, enterprise)
    problems(console, [words.named(p) for p in found.problems], say)
    say_line(console, say.fill(N_("every hour: {file} (SHA-256 {hash})"), file=found.file, hash=found.sha256[:16]))
    if not enterprise and rows:
        first = found.frame["enterprise"][0]
        month = month_text(found.month)
        type_next(
            console,
            say,
            [(f"lujin trace {park} -m {month} -e {first}", say(N_("the hours of an enterprise's day")))],
        )


def _profile(console: Console, found: MonthTrace, words: Words, enterprise: str) -> None:
    """The mean day: one bar per hour, from the least to the greatest intensity."""
    say = words.say
    profile = found.day_profile(enterprise, words.park.timezone)
    for (carrier,), hours in profile.group_by("carrier", maintain_order=True):
        by_hour = {h: co2e / amount for h, amount, co2e in hours.select("of_day", "amount", "co2e").iter_rows()}
        low, high = min(by_hour.values()), max(by_hour.values())
        span = high - low
        bars = "".join(
            " " if h not in by_hour else _BARS[int((by_hour[h] - low) / span * 7.999) if span > 0 else 3]
            for h in range(24)
        )
        text = N_("{carrier}, mean day from 0 to 24 h: {bars}  {low} to {high} {unit}")
        unit = _UNITS[words.park.carriers[str(carrier)].dimension][2]
        numbers = {"low": grouped(Decimal(low), 1), "high": grouped(Decimal(high), 1), "unit": unit}
        say_line(console, say.fill(text, carrier=words.carrier(str(carrier)), bars=bars, **numbers))
