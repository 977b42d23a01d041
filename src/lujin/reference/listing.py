"""Rows for people: one line, a table, and the ones that nobody has verified."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from lujin.reference.rows import Row
from lujin.reference.schema import SCHEMAS


def describe(row: Row) -> str:
    """Value, unit, source and confidence in one line; the file too, when it is the park's own row."""
    own = f", {row.origin}:{row.line}" if row.origin != "lujin" else ""
    value = f"{row.values['value']} {row.unit}".strip() or row.key
    return f"{value} ({row.source}; {row.confidence}{own})"


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
