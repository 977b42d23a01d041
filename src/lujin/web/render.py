"""Templates and how they show numbers, units, months and times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from lujin.accounts import Amount
from lujin.publish.numbers import Cell, Number, Share, formula, headline
from lujin.show.sectors import sector_name
from lujin.show.trend import change_text, measured_text

THIN = "\u202f"  # narrow no-break space between groups of three digits
NOTHING = "—"  # missing is never zero
TEMPLATES = Path(__file__).parent / "templates"


def number(value: Decimal | int | float | str | None, digits: int | None = None) -> str:
    """
    >>> number(Decimal("1234567.891"), 1), number(None), number(-0.04, 1)
    ('1\u202f234\u202f567.9', '—', '0.0')
    """
    if value is None or value == "":
        return NOTHING
    exact = Decimal(str(value))
    if digits is None:
        digits = min(max(-int(exact.as_tuple().exponent), 0), 6)
    rounded = round(exact, digits)
    if rounded == 0:
        rounded = abs(rounded)
    return f"{rounded:,.{digits}f}".replace(",", THIN).replace("-", "−")


def amount(value: Amount | Mapping[str, Any] | None, digits: int = 1) -> str:
    """The number of an amount alone; its unit stands in the heading.

    >>> amount(Amount(1_234_567, "Wh")), amount({"value": "3.25", "unit": "t"}, 2)
    ('1\u202f234.6', '3.25')
    """
    if value is None:
        return NOTHING
    return number(value.value if isinstance(value, Amount) else value["value"], digits)


def share(part: float | Decimal | None, digits: int = 1) -> str:
    """
    >>> share(0.98765), share(0.99996), share(1.0)
    ('98.8\u202f%', '99.9\u202f%', '100\u202f%')
    """
    if part is None:
        return NOTHING
    percent = float(part) * 100
    if percent >= 100 or percent == 0:
        return f"{percent:.0f}{THIN}%"
    # What is not complete must not be rounded to "complete".
    top = 100 - 10**-digits
    return f"{min(percent, top):.{digits}f}{THIN}%"


def month(value: int | str | None) -> str:
    """
    >>> month(202506)
    '2025-06'
    """
    if value is None:
        return NOTHING
    return f"{value // 100}-{value % 100:02}" if isinstance(value, int) else str(value)


def moment(value: datetime | str | None, zone: str = "UTC", seconds: bool = False) -> Markup:
    """An instant in the park's own time, with the exact one for machines."""
    if value is None or value == "":
        return Markup(NOTHING)
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    local = found.astimezone(ZoneInfo(zone))
    said = local.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")
    return Markup('<time datetime="{}">{}</time>').format(found.isoformat(), said)


def day(value: date | str | None) -> str:
    return NOTHING if value is None else str(value)


def bar(part: float | None, kind: str = "") -> Markup:
    """A bar of a share 0 to 1, as SVG: the policy against inline styles allows no width in CSS."""
    width = 0.0 if part is None else max(0.0, min(1.0, float(part))) * 100
    return Markup(
        '<svg class="bar {}" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="bar-track" width="100" height="6"/><rect class="bar-fill" width="{}" height="6"/></svg>'
    ).format(kind, f"{width:.2f}")


def why(reference: str, value: Amount | None, digits: int = 1) -> Markup:
    """An amount that leads to where it comes from. What was never posted leads nowhere.

    >>> str(why("E1:2025-06:location:S2", Amount(0, "mg"), 3)), str(why("", None))
    ('0.000', '—')
    """
    said = amount(value, digits)
    if not value or not reference:
        return escape(said)
    return Markup('<a class="why" href="/explain/{}">{}</a>').format(quote(reference, safe=":/+"), said)


def linked(value: Cell, reference: str) -> Markup:
    """A cell of a printed table as a page shows it; with a reference its number leads to where it comes from.

    >>> str(linked(Number(Decimal("1234.5"), 2), "")), str(linked(None, "E1:2025-06:location:S2"))
    ('1 234.50', '—')
    """
    if isinstance(value, Number):
        said = number(value.value, value.decimals)
        if reference and value.value:
            return Markup('<a class="why" href="/explain/{}">{}</a>').format(quote(reference, safe=":/+"), said)
        return escape(said)
    if isinstance(value, Share):
        return escape(value.text.replace(" %", THIN + "%"))
    return escape(NOTHING if value is None else value)


def data(value: str) -> Markup:
    """JSON text inside a script element of type application/json."""
    return Markup(value.replace("<", "\\u003c").replace("&", "\\u0026"))


@cache
def environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "number": number,
        "amount": amount,
        "share": share,
        "month": month,
        "moment": moment,
        "day": day,
        "data": data,
        "formula": formula,
        "headline": headline,
    }
    found.globals |= {
        "bar": bar,
        "why": why,
        "linked": linked,
        "change_text": change_text,
        "measured_text": measured_text,
        "sector_name": sector_name,
        "THIN": THIN,
        "NOTHING": NOTHING,
    }
    return found
