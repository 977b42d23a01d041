"""What a certificate says in a few numbers: CO2e, energy and cost, worked out from its lines when it is checked.

CO2e is gases [mg] times the global warming potentials that the certificate states, rounded once per sum to mg;
biogenic CO2 counts with the value stated for it. Nothing is read but the certificate itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from lujin.accounts.embodied_kinds import kinds

SCOPES = ("S1", "S2")
EMBODIED = ("direct", "taken_over", "used", "passed_on", "sold_outside", "other")
_TAKEN = {"purchased": "taken_over", "received": "taken_over"}
# the sum of a statement of uncertainty → the row that it speaks of, where both have the same value
_NAMED = {"acquired": "taken_over", "transferred": "passed_on", "final": "used", "book": "total"}
_NEAR = 1000  # mg: uncertainties are worked out in doubles
CO2E = "CO2e:"
Stated = dict[tuple[str, str], dict[str, Mapping[str, str]]]  # (book, row) → month → uncertainty as written


class Move(NamedTuple):
    """All days of one key: accounts with the enterprise, amount in base units."""

    book: str
    month: str
    debit: str
    credit: str
    commodity: str
    amount: int


@dataclass(frozen=True, slots=True)
class Doubt:
    """U at 95 % (k = 2) [mg CO2e] from the data whose uncertainty is known, and the part of the amounts, 0 to 1,
    that rests on others. Over several months: the sum of the months, which is the most that it can be.
    """

    known: int
    unknown_share: Decimal


@dataclass(frozen=True, slots=True)
class Row:
    """``name``: S1, S2, total; in book embodied one of EMBODIED. ``co2e`` [mg]. ``doubt`` None: not stated."""

    name: str
    co2e: int
    doubt: Doubt | None


@dataclass(frozen=True, slots=True)
class Book:
    """``gwp``: the set; empty: none stated, and ``rows`` count fossil CO2 alone. ``left_out``: gases stated as
    CO2e through another set, which do not add to this one."""

    book: str
    gwp: str
    rows: tuple[Row, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """``months``: the same per month, where there are several."""

    books: tuple[Book, ...]
    months: Mapping[str, tuple[Book, ...]]

    def as_dict(self) -> dict[str, Any]:
        months = {month: [_told(book) for book in books] for month, books in self.months.items()}
        return {"books": [_told(book) for book in self.books], "months": months}


def summary(subject: Mapping[str, Any], moves: Sequence[Move]) -> Summary:
    """Of all carbon books of a certificate's subject."""
    by_month: dict[str, list[Move]] = defaultdict(list)
    for move in moves:
        by_month[move.month].append(move)
    months = sorted(by_month)
    stated: Stated = defaultdict(dict)
    for u in subject["uncertainty"]:
        stated[u["book"], _NAMED.get(u["total"], u["total"])][u["month"]] = u
    whole = _books(subject, moves, months, stated)
    if len(months) < 2:
        return Summary(whole, {})
    return Summary(whole, {m: _books(subject, by_month[m], [m], stated) for m in months})


def weights_of(subject: Mapping[str, Any], book: str) -> tuple[str, Mapping[str, Decimal]]:
    """(name of the set, CO2e per gas); without a set fossil CO2 alone counts."""
    for stated in subject["gwp"]:
        if stated["book"] == book:
            values = {gas: Decimal(value) for gas, value in stated["values"].items()}
            return stated["set"], {**values, CO2E + stated["set"]: Decimal(1)}
    return "", {"CO2f": Decimal(1)}


def _books(
    subject: Mapping[str, Any], moves: Sequence[Move], months: Sequence[str], stated: Stated
) -> tuple[Book, ...]:
    by_book: dict[str, list[Move]] = defaultdict(list)
    for move in moves:
        if move.book != "physical":
            by_book[move.book].append(move)
    return tuple(
        _book(weights_of(subject, name), name, by_book[name], months, stated)
        for name in sorted(by_book, key=lambda name: (name == "embodied", name))
    )


def _book(
    gwp_set: tuple[str, Mapping[str, Decimal]],
    name: str,
    moves: Sequence[Move],
    months: Sequence[str],
    stated: Stated,
) -> Book:
    gwp, weights = gwp_set
    sums: dict[str, Decimal] = defaultdict(Decimal)
    left_out: set[str] = set()
    for move in moves:
        weight = weights.get(move.commodity)
        for row, sign in _embodied(move) if name == "embodied" else _scopes(move):
            if weight is not None:
                sums[row] += sign * weight * move.amount
            elif move.commodity.startswith(CO2E):
                left_out.add(move.commodity)
    rounded = {row: round(amount) for row, amount in sums.items()}
    if name == "embodied":
        found = {row: rounded.get(row, 0) for row in EMBODIED[:-1]}
        found["other"] = found["direct"] + found["taken_over"] - sum(found[row] for row in EMBODIED[2:-1])
    else:
        found = {row: rounded.get(row, 0) for row in SCOPES}
        found["total"] = sum(found.values())
    rows = tuple(Row(row, mg, _doubt(stated.get((name, row), {}), mg, months)) for row, mg in found.items())
    return Book(name, gwp, rows, tuple(sorted(left_out)))


def _scopes(move: Move) -> Iterable[tuple[str, int]]:
    for account, sign in ((move.debit, 1), (move.credit, -1)):
        if (scope := account.split("/", 2)[1]) in SCOPES:
            yield scope, sign


def _embodied(move: Move) -> Iterable[tuple[str, int]]:
    accounts = (account.partition("/")[2] for account in (move.debit, move.credit))
    for _, kind, _, _ in kinds(*accounts):
        if (row := _TAKEN.get(kind, kind)) in EMBODIED:
            yield row, 1


def _doubt(told: Mapping[str, Mapping[str, str]], value: int, months: Sequence[str]) -> Doubt | None:
    """None unless every month says it, of the very value that the lines give."""
    if not months or any(month not in told for month in months):
        return None
    stated = {month: told[month] for month in months}
    values = {month: int(u["value"]) for month, u in stated.items()}
    if abs(sum(values.values()) - value) > _NEAR * len(months) + abs(value) // 10**9:
        return None
    gross = sum(map(abs, values.values()))
    shares = [(abs(values[m]), Decimal(u["unknownShare"])) for m, u in stated.items()]
    share = sum((size * part for size, part in shares), Decimal(0)) / gross if gross else Decimal(0)
    return Doubt(sum(int(u["atLeast"]) for u in stated.values()), share or max(part for _, part in shares))


def _told(book: Book) -> dict[str, Any]:
    """Numbers as texts: a JSON number is a double."""
    rows = [
        {
            "row": row.name,
            "co2e": str(row.co2e),
            "unit": "mgCO2e" if book.gwp else "mg",
            "uncertainty": None
            if row.doubt is None
            else {name: f"{value:f}" for name, value in ((n, Decimal(v)) for n, v in asdict(row.doubt).items())},
        }
        for row in book.rows
    ]
    return {"book": book.book, "gwp": book.gwp, "rows": rows, "left_out": list(book.left_out)}
