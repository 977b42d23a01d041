"""Rows for people: one line, a table, and the ones that nobody has verified."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import polars as pl

from lujin.reference.rows import Row
from lujin.reference.schema import SCHEMAS


def describe(row: Row) -> str:
    """Value, unit, source and confidence in one line; the file too, when it is the park's own row."""
    own = f", {row.origin}:{row.line}" if row.origin != "lujin" else ""
    value = f"{row.values['value']} {row.unit}".strip() or row.key
    return f"{value} ({row.source}; {row.confidence}{own})"


def spans(days: Iterable[date]) -> str:
    """Days in a row as their first and last.

    >>> spans([date(2025, 6, 30), date(2025, 6, 1), date(2025, 7, 1), date(2025, 7, 2)])
    '2025-06-01, 2025-06-30 … 2025-07-02'
    """
    runs: list[list[date]] = []
    for day in sorted(days):
        if runs and day - runs[-1][-1] <= timedelta(days=1):
            runs[-1] = [runs[-1][0], day]
        else:
            runs.append([day])
    return ", ".join(" … ".join(map(str, dict.fromkeys(run))) for run in runs)


def unverified(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The rows whose value nobody saw in a source, each once, by id."""
    return tuple(sorted({row for row in rows if row.confidence != "verified"}, key=lambda row: row.id))


def table_frame(table: str, rows: Iterable[Row]) -> pl.DataFrame:
    """The rows of one table with all its columns as text, then ``id``, ``origin`` and ``line``."""
    columns = SCHEMAS[table].columns
    chosen = [row for row in rows if row.table == table]
    data: dict[str, list[str] | list[int | None]] = {c: [row.values[c] for row in chosen] for c in columns}
    data |= {"id": [r.id for r in chosen], "origin": [r.origin for r in chosen], "line": [r.line for r in chosen]}
    schema = {**dict.fromkeys((*columns, "id", "origin"), pl.String), "line": pl.Int64}
    return pl.DataFrame(data, schema=schema)


_REGIONS = ("region", "region_zh", "region_en", "applies_to")


def search(
    rows: Iterable[Row], *, table: str = "", region: str = "", on: date | None = None, words: Sequence[str] = ()
) -> tuple[Row, ...]:
    """Rows of a table, a region, in force on a day, with every word in one of their columns; by table and key.

    Words and region match parts of texts, whatever their case. Empty or None: any.
    """
    wanted = [word.casefold() for word in words]
    place = region.casefold()
    found = []
    for row in rows:
        if (table and row.table != table) or (on is not None and not row.holds_on(on)):
            continue
        if place and not any(place in row.values.get(column, "").casefold() for column in _REGIONS):
            continue
        text = "\n".join((row.table, *row.values.values())).casefold()
        if all(word in text for word in wanted):
            found.append(row)
    return tuple(sorted(found, key=lambda row: (row.table, row.key, row.id)))
