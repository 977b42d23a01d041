"""Numbers as a person reads them: grouped, rounded to what the unit deserves, never a zero that is none."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from lujin.accounts import Amount
from lujin.show.text import NOTHING

_DIGITS = {"kWh": 0, "m3": 0, "GJ": 2, "t": 3, "tce": 3, "tCO2e": 3, "CNY": 2}


def month_text(month: int) -> str:
    """
    >>> month_text(202506)
    '2025-06'
    """
    return f"{month // 100}-{month % 100:02}"


def percent(part: float | None) -> str:
    """One decimal; what is not quite all or not quite nothing says so.

    >>> percent(None), percent(0.98765), percent(1.0), percent(0.99999), percent(0.00001)
    ('—', '98.8 %', '100.0 %', '<100 %', '>0.0 %')
    """
    if part is None:
        return NOTHING
    text = f"{part * 100:.1f}"
    if text == "100.0" and part < 1:
        return "<100 %"
    if text == "0.0" and part > 0:
        return ">0.0 %"
    return f"{text} %"


def share(part: int, whole: int) -> str:
    return percent(part / whole if whole else None)


def grouped(value: Decimal, digits: int) -> str:
    """
    >>> grouped(Decimal("1234567.891"), 2), grouped(Decimal("0.0004"), 0), grouped(Decimal(0), 2)
    ('1,234,567.89', '0.0004', '0.00')
    """
    if value and abs(value) < Decimal(5).scaleb(-digits - 1):
        return f"{value:.1g}" if abs(value) >= Decimal("1e-6") else f"{value:.0e}"
    return f"{value:,.{digits}f}"


def number(amount: Amount | None, digits: int | None = None) -> str:
    """Without unit; a dash for nothing.

    >>> number(Amount(1_234_567, "Wh")), number(Amount(0, "Wh")), number(None)
    ('1,235', '—', '—')
    """
    if not amount:
        return NOTHING
    return grouped(amount.value, _DIGITS.get(amount.unit, 2) if digits is None else digits)


def local(instant: datetime | None, timezone: str) -> str:
    """Wall clock of the park, to the minute."""
    return NOTHING if instant is None else f"{instant.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"
