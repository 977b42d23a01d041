"""One published fact as a typed row: identity, digest, dates, source and confidence."""

from __future__ import annotations

import hashlib
import json
import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from lujin.errors import N_, FactorError, InputError, Problem
from lujin.reference.schema import SCHEMAS

SHIPPED = "lujin"
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Row:
    """One published fact (一条已发布的参数).

    ``id`` is ``table:natural key@first 8 hex of digest``. ``values`` holds all columns as text. ``digest`` is
    the sha256 of the canonical JSON of table and values. ``origin`` is ``lujin`` for shipped rows, else the
    park's file, with ``line`` in it. ``valid_from`` and ``valid_to`` are calendar dates, both inclusive; None:
    unbounded.
    """

    table: str
    id: str
    values: Mapping[str, str] = field(repr=False)
    digest: str = field(repr=False)
    origin: str = SHIPPED
    line: int | None = None
    valid_from: date | None = None
    valid_to: date | None = None

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def value(self) -> Decimal:
        """The number. FactorError when the fact has none (a clock, a list, an open threshold)."""
        return self.number("value")

    def number(self, column: str) -> Decimal:
        number = decimal_of(self.values[column])
        if number is None:
            raise FactorError(
                Problem(
                    N_("{row} has no number in column {column}: {text!r}"),
                    {"row": self.id, "column": column, "text": self.values[column]},
                    N_("name a row that holds a number, or supply the value in the park's own table"),
                    file=self.origin,
                    line=self.line,
                    field=column,
                )
            )
        return number

    @property
    def unit(self) -> str:
        return self.values["unit"]

    @property
    def source(self) -> str:
        return self.values["source"]

    @property
    def confidence(self) -> str:
        return self.values["confidence"]

    @property
    def key(self) -> str:
        """The natural key, without the digest: what a park row must repeat to take this row's place."""
        return self.id.rsplit("@", 1)[0]

    def holds_on(self, on: date) -> bool:
        return (self.valid_from is None or self.valid_from <= on) and (
            self.valid_to is None or on <= self.valid_to
        )

    @property
    def validity(self) -> str:
        """``2024-12-20..2025-12-30``; an open side is left empty."""
        return f"{self.valid_from or ''}..{self.valid_to or ''}"


def make_row(table: str, values: Mapping[str, str], origin: str = SHIPPED, line: int | None = None) -> Row:
    """Build a row from its texts. InputError when a date cannot be read; the table must be known."""
    name, digest, start, end = _identity(table, tuple(values.items()))
    return Row(table, name, values, digest, origin, line, start, end)


@lru_cache(maxsize=8192)
def _identity(table: str, items: tuple[tuple[str, str], ...]) -> tuple[str, str, date | None, date | None]:
    """Id, digest and validity: every opening of a park asks them of the same two thousand rows."""
    values = dict(items)
    start, end = date_of(values["valid_from"], last=False), date_of(values["valid_to"], last=True)
    canonical = json.dumps(
        {"table": table, "values": values}, ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    parts = (str(start or "") if column == "valid_from" else values[column] for column in SCHEMAS[table].key)
    # "+" joins several row ids in a posting, so no id may contain it
    key = "|".join(parts).replace("+", "%2B")
    return f"{table}:{key}@{digest[:8]}", digest, start, end


def decimal_of(text: str) -> Decimal | None:
    """A finite number, or None.

    >>> decimal_of("0.0237"), decimal_of(" -0.058"), decimal_of("60-80"), decimal_of("nan")
    (Decimal('0.0237'), Decimal('-0.058'), None, None)
    """
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def date_of(text: str, *, last: bool) -> date | None:
    """A day, or the first (``last``: the last) day of a month or year; None for an empty text.

    >>> date_of("2022-02", last=False), date_of("2022-02", last=True), date_of("", last=True)
    (datetime.date(2022, 2, 1), datetime.date(2022, 2, 28), None)
    """
    text = text.strip()
    if not text:
        return None
    if form := _DATE.fullmatch(text):
        year, month, day = (int(part) if part else 0 for part in form.groups())
        try:
            if last:
                month = month or 12
                return date(year, month, day or monthrange(year, month)[1])
            return date(year, month or 1, day or 1)
        except ValueError:
            pass  # told below, as for every text that is no date
    raise InputError(
        Problem(
            N_("{text!r} is not a date"), {"text": text}, N_("write a day as 2025-01-31 or a month as 2025-01")
        )
    )
