"""A printed statement as sections of plain tables: what both the PDF and the workbook show."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from lujin.publish.letterhead import MonthPoint, Quantity
from lujin.publish.numbers import Cell, Number

Sheet = Literal["summary", "lines", "carbon", "uncertainty", "factors", "completeness", "restatements"]


@dataclass(frozen=True, slots=True)
class Column:
    """``share``: how a column of long texts takes part in the width left over; 0: as wide as what stands in it."""

    title: str
    unit: str = ""
    numeric: bool = False
    share: float = 0


@dataclass(frozen=True, slots=True)
class Table:
    """``key`` names it among tables. ``empty`` is said where there are no rows; ``notes`` stand below.
    ``references``: per row and column what ``explain`` takes to say where the number comes from; paper leaves
    them away.
    """

    key: str
    sheet: Sheet
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] = ()
    notes: tuple[str, ...] = ()
    empty: str = ""
    references: tuple[tuple[str, ...], ...] = ()


def explained(
    columns: Sequence[Column], lines: Iterable[str], apart: Collection[int] = ()
) -> tuple[tuple[str, ...], ...]:
    """Every number of a row comes from its line; not those of the columns ``apart``."""
    numeric = [column.numeric and at not in apart for at, column in enumerate(columns)]
    return tuple(tuple(line if one else "" for one in numeric) for line in lines)


@dataclass(frozen=True, slots=True)
class Fact:
    """``wide``: takes a line of its own."""

    name: str
    text: str
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the summary: what it is, its unit, and what to know of it."""

    name: str
    value: Number | None
    unit: str
    detail: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Monthly bars of one quantity."""

    title: str
    unit: str
    of: Quantity


@dataclass(frozen=True, slots=True)
class Content:
    """The whole paper in words and numbers, in one language. ``other_codes`` stand at its end."""

    language: str
    title: str
    issuer: str
    holder: str
    facts: tuple[Fact, ...]
    figures: tuple[Figure, ...]
    charts: tuple[Chart, ...]
    history: tuple[MonthPoint, ...]
    chart_notes: tuple[str, ...]
    tables: tuple[Table, ...]
    uncertainty: tuple[str, ...]
    codes: tuple[tuple[str, str], ...]
    other_codes: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    warning: str
    footer: str
    words: dict[str, str]

    def of(self, sheet: Sheet) -> tuple[Table, ...]:
        return tuple(table for table in self.tables if table.sheet == sheet)
