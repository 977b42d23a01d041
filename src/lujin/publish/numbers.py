"""Numbers on paper: grouped, with the digits that the unit deserves; zero is a number, unknown is a word."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from lujin.accounts import Amount
from lujin.errors import N_

DIGITS = {"kWh": 1, "m3": 1, "GJ": 3, "t": 3, "kg": 3, "tce": 3, "tCO2e": 3, "CNY": 2}
NOT_POSTED = "—"  # nothing was posted here; zero is printed as zero
NOTHING_POSTED = N_("nothing is posted here")  # where a whole table has no lines


@dataclass(frozen=True, slots=True)
class Number:
    """``digits``: decimals to print. The value stays exact, for the workbook."""

    value: Decimal
    digits: int

    @property
    def decimals(self) -> int:
        """``digits``, or as many as the first digit of a smaller value needs."""
        if self.value and abs(self.value) < Decimal(5).scaleb(-self.digits - 1):
            return -self.value.adjusted()
        return self.digits

    @property
    def text(self) -> str:
        """
        >>> Number(Decimal("1234567.891"), 2).text, Number(Decimal("-0.5"), 1).text, Number(Decimal(0), 3).text
        ('1,234,567.89', '−0.5', '0.000')
        >>> Number(Decimal("0.00042"), 3).text
        '0.0004'
        """
        return f"{self.value:,.{self.decimals}f}".replace("-", "−")


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, 0 to 1."""

    value: float

    @property
    def text(self) -> str:
        """One decimal; what is not quite all or not quite nothing says so.

        >>> Share(0.98765).text, Share(0.99999).text, Share(0.00001).text
        ('98.8 %', '<100 %', '>0 %')
        """
        shown = f"{self.value * 100:.1f}"
        if shown == "100.0" and self.value < 1:
            return "<100 %"
        if shown == "0.0" and self.value > 0:
            return ">0 %"
        return f"{shown} %"


Cell = str | Number | Share | None  # None: not available


def amount(found: Amount | None, digits: int | None = None) -> Number | None:
    if found is None:
        return None
    return Number(found.value, DIGITS.get(found.unit, 2) if digits is None else digits)


def kilograms(found: Amount | None) -> Cell:
    """A gas [mg] in kg: a boiler's methane is grams beside tonnes."""
    return NOT_POSTED if found is None else Number(found.value * 1000, DIGITS["kg"])


def share(part: float | None) -> Share | None:
    """None: nothing is expected."""
    return None if part is None else Share(part)


def headline(text: str) -> str:
    """As a heading or label: formulas with their subscripts, a capital where a small English word begins.

    >>> headline("of it estimated"), headline("tCO2e"), headline("CH4, 化石")
    ('Of it estimated', 'tCO₂e', 'CH₄, 化石')
    """
    said = formula(text)
    return said[:1].upper() + said[1:] if said[:2].isalpha() and said[:2].islower() else said


def formula(text: str) -> str:
    """Chemical formulas with subscripts. For words and units, never for ids.

    >>> formula("kgCO2/kWh"), formula("N2O"), formula("CO2-7")
    ('kgCO₂/kWh', 'N₂O', 'CO₂-7')
    """
    return text.replace("CO2", "CO₂").replace("CH4", "CH₄").replace("N2O", "N₂O")


def month_text(month: int) -> str:
    """
    >>> month_text(202506)
    '2025-06'
    """
    return f"{month // 100:04}-{month % 100:02}"


def local(instant: datetime | None, timezone: str) -> str | None:
    """Wall clock of the park, to the second, with its offset: ``2025-07-02 09:00:05+08:00``."""
    return None if instant is None else instant.astimezone(ZoneInfo(timezone)).isoformat(" ", "seconds")
