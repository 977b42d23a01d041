"""From a question to exactly one row: no "latest", no default, no fallback.

A selector names a table and the value of some columns; together with a date it must be answered by one row.
None or several is a FactorError that lists the candidates and says which condition each one fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import SequenceMatcher
from typing import Protocol
from urllib.parse import unquote

from lujin.errors import N_, FactorError, Problem
from lujin.reference.rows import Row
from lujin.reference.schema import SCHEMAS, Schema

_SHOWN = 6  # candidates in an error
_TOLD = 3  # alternatives of a condition


@dataclass(frozen=True, slots=True)
class Selector:
    """Conditions on the columns of one table, sorted. A column named twice may have either value.

    >>> str(Selector.of("gwp", gas="N2O", assessment="AR6"))
    'gwp?assessment=AR6&gas=N2O'
    """

    table: str
    conditions: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, table: str, /, **conditions: str | Iterable[str]) -> Selector:
        """Columns with the value, or the values, that they may have. FactorError: no such table or column."""
        schema = _schema(table)
        pairs: set[tuple[str, str]] = set()
        for column, wanted in conditions.items():
            if column not in schema.columns:
                raise FactorError(
                    Problem(
                        N_("table {table} has no column {column}"),
                        {"table": table, "column": column, "columns": ", ".join(schema.columns)},
                        N_("use one of: {columns}"),
                    )
                )
            values = (wanted,) if isinstance(wanted, str) else wanted
            pairs.update((column, value) for value in values)
        return cls(table, tuple(sorted(pairs)))

    @classmethod
    def parse(cls, text: str) -> Selector:
        """The inverse of ``str``.

        >>> Selector.parse("gwp?gas=N2O&assessment=AR6") == Selector.of("gwp", assessment="AR6", gas="N2O")
        True
        """
        table, _, query = text.partition("?")
        _schema(table)
        pairs = (part.partition("=") for part in query.split("&") if part)
        return cls(table, tuple(sorted({(unquote(column), unquote(value)) for column, _, value in pairs})))

    def __str__(self) -> str:
        return f"{self.table}?" + "&".join(f"{_quote(c)}={_quote(v)}" for c, v in self.conditions)

    @property
    def told(self) -> str:
        """For people: the conditions, alternatives behind one name."""
        return f"{self.table}: {', '.join(f'{column}={_told(values)}' for column, values in self.wanted.items())}"

    @property
    def wanted(self) -> dict[str, list[str]]:
        """Per column the values that are accepted."""
        wanted: dict[str, list[str]] = {}
        for column, value in self.conditions:
            wanted.setdefault(column, []).append(value)
        return wanted

    def failures(self, row: Row) -> list[str]:
        """The columns whose condition the row does not meet."""
        return [column for column, values in self.wanted.items() if row.values[column] not in values]


class Resolve(Protocol):
    """Answers selectors. A Reference does; a caller may wrap one to pin the choices it has made."""

    def one(self, selector: Selector, on: date) -> Row: ...
    def all(self, selector: Selector, on: date) -> tuple[Row, ...]: ...


class Reference:
    """A set of rows, as known at some time."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows: tuple[Row, ...] = tuple(rows)
        self._tables: dict[str, list[Row]] = {}
        for row in self.rows:
            self._tables.setdefault(row.table, []).append(row)
        self._by_id = {row.id: row for row in self.rows}
        # Rows never change, so that an answer may be kept
        self._matching: dict[Selector, tuple[Row, ...]] = {}
        self._answers: dict[tuple[Selector, date], tuple[Row, ...]] = {}

    def table(self, name: str) -> tuple[Row, ...]:
        _schema(name)
        return tuple(self._tables.get(name, ()))

    def by_id(self, row_id: str) -> Row | None:
        return self._by_id.get(row_id)

    def matching(self, selector: Selector) -> tuple[Row, ...]:
        """Rows that meet the conditions, whatever their dates."""
        if (found := self._matching.get(selector)) is None:
            wanted = [(column, frozenset(values)) for column, values in selector.wanted.items()]
            found = tuple(
                row
                for row in self.table(selector.table)
                if all(row.values[column] in values for column, values in wanted)
            )
            self._matching[selector] = found
        return found

    def all(self, selector: Selector, on: date) -> tuple[Row, ...]:
        """Rows that meet the conditions and are in force on the day; perhaps none."""
        if (answer := self._answers.get((selector, on))) is None:
            answer = tuple(row for row in self.matching(selector) if row.holds_on(on))
            self._answers[(selector, on)] = answer
        return answer

    def one(self, selector: Selector, on: date) -> Row:
        """The row that meets the conditions and is in force on the day. FactorError: none, or several."""
        rows = self.all(selector, on)
        if len(rows) == 1:
            return rows[0]
        raise several(selector, on, rows) if rows else self._nothing(selector, on)

    def nearest(self, selector: Selector, on: date, count: int = _SHOWN) -> tuple[Row, ...]:
        """Rows that come closest to answering, whatever their dates; those that meet the conditions, if any do."""
        rows = self.matching(selector) or self.table(selector.table)
        return tuple(sorted(rows, key=lambda row: _distance(row, selector, on))[:count])

    def _nothing(self, selector: Selector, on: date) -> FactorError:
        dated = self.matching(selector)
        params = {
            "table": selector.table,
            "selector": selector.told,
            "on": on,
            "candidates": "".join(_candidate(row, selector, on) for row in self.nearest(selector, on)),
        }
        remedy = (
            N_("name a date on which a row is in force, or add a row for this date to reference/{table}.csv")
            if dated
            else N_("correct the condition, or add a row to reference/{table}.csv")
        )
        message = N_("no row answers {selector} on {on}; nearest:{candidates}\n")
        return FactorError(Problem(message, params, remedy))


def several(selector: Selector, on: date, rows: Sequence[Row]) -> FactorError:
    """The error for an ambiguous choice: the candidates, and the columns that would tell them apart."""
    schema = SCHEMAS[selector.table]
    differing = [
        f"{column} ({', '.join(sorted({row.values[column] for row in rows}))})"
        for column in dict.fromkeys((*schema.selector, *schema.key))
        if len({row.values[column] for row in rows}) > 1
    ]
    params = {
        "count": len(rows),
        "selector": selector.told,
        "on": on,
        "candidates": "".join(_candidate(row, selector, on) for row in rows[:_SHOWN]),
        "columns": "; ".join(differing),
    }
    message = N_("{count} rows answer {selector} on {on}:{candidates}\n")
    return FactorError(Problem(message, params, N_("add a condition that tells them apart: {columns}")))


def own_selector(row: Row) -> Selector:
    """The selector that names the fact that the row states."""
    return Selector.of(row.table, **{column: row.values[column] for column in SCHEMAS[row.table].selector})


def _candidate(row: Row, selector: Selector, on: date) -> str:
    """One line: id, value, dates, and what it fails."""
    failed = [f"{column}={row.values[column] or '∅'}" for column in selector.failures(row)]
    if not row.holds_on(on):
        failed.append(f"{on} ∉ {row.validity}")
    reason = f" ✗ {'; '.join(failed)}" if failed else ""
    return f"\n  - {row.id} = {row.values['value'] or '∅'} {row.unit} [{row.validity}]{reason}"


def _distance(row: Row, selector: Selector, on: date) -> tuple[int, float, int, str]:
    """How far a row is from answering: conditions failed, unlikeness of the failed texts, days off, id."""
    wanted = selector.wanted
    failed = selector.failures(row)
    unlike = sum(1 - max(SequenceMatcher(None, row.values[c], v).ratio() for v in wanted[c]) for c in failed)
    before = (row.valid_from - on).days if row.valid_from else 0
    after = (on - row.valid_to).days if row.valid_to else 0
    # a row of another item can't be what was meant, however much else agrees
    return len(failed) + 10 * ("item" in failed), unlike, max(before, after, 0), row.id


def _told(values: Sequence[str]) -> str:
    """A few alternatives, those first that say something.

    >>> _told(["", "all", "东西两翼", "东西两翼(肇庆)", "全省"])
    '东西两翼 | 东西两翼(肇庆) | 全省 | …'
    """
    ordered = sorted(values, key=lambda value: value in ("", "all"))
    return " | ".join([value or "∅" for value in ordered[:_TOLD]] + ["…"] * (len(ordered) > _TOLD))


def _quote(text: str) -> str:
    """Only what the text form needs itself, so that Chinese stays legible."""
    return text.replace("%", "%25").replace("&", "%26").replace("=", "%3D").replace("?", "%3F")


def _schema(table: str) -> Schema:
    if schema := SCHEMAS.get(table):
        return schema
    known = ", ".join(SCHEMAS)
    message = N_("there is no reference table {table}")
    raise FactorError(Problem(message, {"table": table, "known": known}, N_("use one of: {known}")))
