"""Answers about the list of enterprises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from lujin.accounts import Amount
from lujin.show.sectors import division
from lujin.web.answers import Answer, Shown
from lujin.workspace.listing import EnterpriseLine, Listing

Sort = Literal[
    "id", "name", "sector", "electricity", "coal_equal", "cost", "scope1", "scope2", "carbon", "completeness"
]
Order = Literal["asc", "desc"]
AMOUNTS: Sequence[Sort] = ("electricity", "coal_equal", "cost", "scope1", "scope2", "carbon")


class Enterprises(Answer):
    """``listing`` holds the lines that answer the search, sorted, and their total. ``sectors``: division → how
    many enterprises the viewer sees in it.
    """

    month: int
    book: str
    q: str
    sector: str
    sort: Sort
    order: Order
    sectors: Mapping[str, int]
    all: int
    listing: Shown[Listing]

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        carbon = "tCO2e" if self.listing.gwp else "tCO2"
        units = ("kWh", "tce", "CNY", carbon, carbon, carbon)
        header = (
            *("month", "book", "enterprise", "name_zh", "name_en", "sector", "versions"),
            *(f"{name} [{unit}]" for name, unit in zip(AMOUNTS, units, strict=True)),
            *("measured_part", "estimated_part", "missing_part"),
        )
        return header, [self._row(line) for line in self.listing.lines]

    def _row(self, line: EnterpriseLine) -> Sequence[Any]:
        slots = line.completeness
        return (
            f"{self.month // 100}-{self.month % 100:02}" if self.month else "",
            self.book,
            *(line.enterprise, line.name_zh, line.name_en, line.sector, line.versions),
            *(value(getattr(line, name)) for name in AMOUNTS),
            *(slots.measured_part, slots.estimated_part, slots.missing_part),
        )


def value(amount: Amount | None) -> Decimal | None:
    return None if amount is None else amount.value


def answer(
    found: Listing, q: str, sector: str, sort: Sort, order: Order, name_of: Callable[[EnterpriseLine], str]
) -> Enterprises:
    """Searched by id, either name, or class; sorted with what is missing last, whichever the order."""
    counts: dict[str, int] = {}
    for line in found.lines:
        counts[division(line.sector)] = counts.get(division(line.sector), 0) + 1
    words = q.casefold().split()
    chosen = [
        line
        for line in found.lines
        if (not sector or line.sector.startswith(sector)) and all(word in _searched(line) for word in words)
    ]
    return Enterprises(
        month=found.month,
        book=found.book,
        q=q,
        sector=sector,
        sort=sort,
        order=order,
        sectors=dict(sorted(counts.items())),
        all=len(found.lines),
        listing=found.of(_sorted(chosen, sort, order, name_of)),
    )


def _searched(line: EnterpriseLine) -> str:
    return " ".join((line.enterprise, line.name_zh, line.name_en, line.sector)).casefold()


def _sorted(
    lines: Sequence[EnterpriseLine], sort: Sort, order: Order, name_of: Callable[[EnterpriseLine], str]
) -> list[EnterpriseLine]:
    def key(line: EnterpriseLine) -> Any:
        match sort:
            case "id":
                return line.enterprise
            case "name":
                return name_of(line).casefold()
            case "sector":
                return line.sector or None
            case "completeness":
                return line.completeness.measured_part
            case _:
                return value(getattr(line, sort))

    known = [line for line in lines if key(line) is not None]
    missing = [line for line in lines if key(line) is None]
    return sorted(known, key=key, reverse=order == "desc") + missing
