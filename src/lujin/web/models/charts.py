"""Records laid out for the charts of static/js/charts.js, and for the tables beside them. No calculation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lujin.accounts import Amount
from lujin.errors import N_
from lujin.publish.numbers import formula
from lujin.show.words import Words
from lujin.workspace.load import Load
from lujin.workspace.sector import SectorPoint
from lujin.workspace.trend import MonthPoint

PERIODS = ("super_peak", "peak", "flat", "valley", "deep_valley")
_TRUE = {"natural_gas": "--c-gas", "bituminous_coal": "--c-coal"}


@dataclass(frozen=True, slots=True)
class Line:
    """A series and its values; None where nothing is known."""

    name: str
    values: tuple[Amount | Decimal | None, ...]
    style: dict[str, Any]

    @property
    def empty(self) -> bool:
        return not any(self.values)


@dataclass(frozen=True, slots=True)
class Chart:
    """``x``: months or days as text. ``digits``: of tooltips and of the table."""

    unit: str
    x: tuple[str, ...]
    lines: tuple[Line, ...]
    digits: int

    @property
    def data(self) -> dict[str, Any]:
        return {
            "unit": self.unit,
            "digits": self.digits,
            "x": self.x,
            "series": [{"name": s.name, "values": [_float(v) for v in s.values], **s.style} for s in self.lines],
        }


def _float(amount: Amount | Decimal | None) -> float | None:
    return None if amount is None else float(amount.value if isinstance(amount, Amount) else amount)


def month_text(month: int) -> str:
    return f"{month // 100}-{month % 100:02}"


def _chart(
    unit: str, points: Sequence[MonthPoint], lines: Iterable[Line], digits: int, *, keep: bool = False
) -> Chart:
    shown = tuple(line for line in lines if keep or not line.empty)
    return Chart(unit, tuple(month_text(p.month) for p in points), shown, digits)


def _over(points: Sequence[MonthPoint], pick: Callable[[MonthPoint], Amount | None]) -> tuple[Amount | None, ...]:
    return tuple(pick(p) if p.posted else None for p in points)


def costs(points: Sequence[MonthPoint], words: Words) -> Chart:
    """Stacked bars: electricity by tariff period, then charges, then the other carriers, income below zero."""
    items = dict.fromkeys(item for p in points for item in p.costs)
    ordered = sorted(items, key=_cost_order)
    lines = (
        Line(_cost_name(item, words), _over(points, lambda p, i=item: p.costs.get(i)), _cost_style(item))  # type: ignore[misc]
        for item in ordered
    )
    return _chart(words.unit("CNY"), points, lines, 0)


def _cost_order(item: str) -> tuple[int, int, str]:
    name, _, period = item.partition("/")
    if name == "electricity":
        return (0, PERIODS.index(period) if period in PERIODS else len(PERIODS), name)
    return (1 if name.endswith("_charge") else 2, 0, name)


def _cost_name(item: str, words: Words) -> str:
    name, _, period = item.partition("/")
    return f"{words.item(name)} · {words.period(period)}" if period else words.item(name)


def _cost_style(item: str) -> dict[str, Any]:
    name, _, period = item.partition("/")
    style: dict[str, Any] = {"stack": "cost"}
    if name == "electricity":
        return {**style, "colour": f"--tariff-{period.replace('_', '-') or 'none'}"}
    if name.endswith("_charge"):
        return {**style, "colour": "--tariff-charge"}
    if name == "feed_in":
        return {**style, "colour": "--c-solar"}
    return {**style, **carrier_style(name.removesuffix("_sold"))}


def carrier_style(name: str) -> dict[str, Any]:
    return {"colour": _TRUE[name]} if name in _TRUE else {"carrier": name}


def demand(points: Sequence[MonthPoint], words: Words) -> Chart:
    """Lines per connection with a basic charge: greatest quarter hour of the month, and what was billed."""
    names = dict.fromkeys(d.connection for p in points for d in p.demand)
    lines = []
    for name in names:
        found = [next((d for d in p.demand if d.connection == name), None) for p in points]
        billed = "kVA" if any(d is not None and "kVA" in d.unit for d in found) else "kW"
        most = words.say.fill(N_("{connection}: greatest demand [kW]"), connection=name)
        paid = words.say.fill(N_("{connection}: billed [{unit}]"), connection=name, unit=billed)
        lines.append(
            Line(most, tuple(None if d is None else d.max_demand_kw for d in found), {"colour": "--c-electricity"})
        )
        lines.append(
            Line(paid, tuple(None if d is None else d.billed for d in found), {"colour": "--tariff-charge"})
        )
    return _chart("kW", points, lines, 1)


def carbon(points: Sequence[MonthPoint], book: str, words: Words) -> Chart:
    """Stacked bars of scopes 1 and 2; in book embodied what own use carries."""
    found = next((p.books[book] for p in reversed(points) if book in p.books), None)
    unit = "tCO₂e" if found is None or found.gwp else "tCO₂"
    if book == "embodied":
        lines = [_scope(points, book, "whole", words.say(N_("carried by own use")), "--c-co2")]
    else:
        lines = [
            _scope(points, book, "scope1", words.say(N_("scope 1")), "--scope-1"),
            _scope(points, book, "scope2", words.say(N_("scope 2")), "--scope-2"),
        ]
    return _chart(unit, points, lines, 3, keep=True)


def _scope(points: Sequence[MonthPoint], book: str, part: str, name: str, colour: str) -> Line:
    def pick(p: MonthPoint) -> Amount | None:
        found: Amount | None = getattr(p.books[book], part) if book in p.books else None
        return found

    return Line(name, _over(points, pick), {"stack": "carbon", "colour": colour})


def books(points: Sequence[MonthPoint], words: Words) -> Chart:
    """Lines: every carbon book over the months. They are not added up."""
    names = dict.fromkeys(book for p in points for book in p.books)
    colours = ("--scope-2", "--c-heat", "--c-air", "--c-co2")
    lines = (
        Line(
            words.book(book),
            _over(points, lambda p, b=book: p.books[b].whole if b in p.books else None),  # type: ignore[misc]
            {"colour": colour},
        )
        for book, colour in zip(names, colours, strict=False)
    )
    return _chart("tCO₂e", points, lines, 3)


def coal(points: Sequence[MonthPoint], words: Words) -> Chart:
    lines = [
        Line(words.say(N_("equal value")), _over(points, lambda p: p.coal_equal), {"colour": "--brand"}),
        Line(words.say(N_("equivalent value")), _over(points, lambda p: p.coal_equivalent), {"colour": "--gold"}),
    ]
    return _chart("tce", points, lines, 3, keep=True)


def carrier(points: Sequence[MonthPoint], name: str, words: Words) -> Chart:
    """Bars of what was used of one carrier."""
    unit = next((p.energy[name].unit for p in points if name in p.energy), "")
    line = Line(words.carrier(name), _over(points, lambda p: p.energy.get(name)), carrier_style(name))
    return _chart(words.unit(unit), points, [line], 1, keep=True)


def heat(found: Load, words: Words) -> dict[str, Any]:
    """Day × hour for the heat map; what is not known is null."""
    known = [float(h.amount.value) for day in found.hours for h in day if h.amount is not None]
    return {
        "unit": words.unit(found.unit),
        "rows": [day.isoformat() for day in found.days],
        "columns": [f"{hour:02}" for hour in range(24)],
        "low": min(known, default=0),
        "high": max(known, default=1),
        "values": [
            [day, hour, None if h.amount is None else float(h.amount.value)]
            for day, hours in enumerate(found.hours)
            for hour, h in enumerate(hours)
        ],
    }


def measure_unit(unit: str, words: Words) -> str:
    """The unit of a measure beside its sector."""
    return words.say(N_("tce/person")) if unit == "tce/person" else formula(words.unit(unit))


def band(points: Sequence[SectorPoint], unit: str, own: str, others: str) -> dict[str, Any]:
    """One's own line over the sector's quartiles."""

    def values(part: str) -> list[float | None]:
        return [None if (v := getattr(p, part)) is None else float(v) for p in points]

    return {
        "unit": unit,
        "x": [month_text(p.month) for p in points],
        "own": {"name": own, "values": values("own")},
        "others": {"name": others, "lower": values("lower"), "median": values("median"), "upper": values("upper")},
    }
