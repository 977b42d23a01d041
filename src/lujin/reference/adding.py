"""A row for a park's own table (自有参数): checked like the file it goes into, before anything is written.

What a park states is never edited: a changed value is a new row. Where it states the same fact for the same
days, it takes the place of the row that it names, which stays on record in the database.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lujin.errors import N_, InputError, Problem, StaleError
from lujin.reference.files import decoded, merged_with, overlaps, parse_table, read_reference, shipped_rows
from lujin.reference.rows import SHIPPED, Row
from lujin.reference.schema import SCHEMAS, Schema


@dataclass(frozen=True, slots=True)
class Addition:
    """What the park's file ``path`` is to hold with the new ``row`` in it, and all rows that there are then."""

    path: Path
    content: bytes
    row: Row
    rows: tuple[Row, ...]
    warnings: tuple[Problem, ...] = ()


def addition(folder: Path, table: str, given: Mapping[str, str], replaces: str = "") -> Addition:
    """The park's table in ``folder`` with one more row, for somebody to write.

    ``replaces``: id of the park's own row whose place it takes. InputError: the row does not hold, each problem
    with its column as ``field``; or the table cannot be read as it is. StaleError: there is no such row any more.
    """
    schema = _schema(table)
    values = _values(schema, given)
    path, origin = folder / f"{table}.csv", f"{folder.name}/{table}.csv"
    held = path.read_bytes() if path.is_file() else b""
    _readable(folder)
    text, encoding = decoded(held) if held else ("", "utf-8-sig")
    header, records = _records(schema, text)
    if replaces:
        records = _without(schema, header, records, replaces, origin)
    header += [c for c in schema.columns if c not in header and (values[c] or c in schema.required)]
    new = _text([header, *(r + [""] * (len(header) - len(r)) for r in records), [values[c] for c in header]])
    rows, problems = parse_table(table, new, origin)
    last = new.count("\n")
    problems = [p for p in problems if p.line in (last, None)] + _undated(values)
    row = next((r for r in rows if r.line == last), None)
    others = [r for r in read_reference(folder)[0] if r.origin not in (origin, SHIPPED)]
    whole = merged_with(shipped_rows(), [*others, *rows])
    if row is not None:
        problems += [p for p in overlaps([*(r for r in whole if r is not row), row]) if p.line == last]
    problems = [replace(p, file="", line=None) for p in problems]
    if row is None or any(p.severity == "error" for p in problems):
        raise InputError(*(p for p in problems if p.severity == "error"))
    return Addition(path, new.encode(encoding), row, whole, tuple(problems))


def _schema(table: str) -> Schema:
    if schema := SCHEMAS.get(table):
        return schema
    params = {"name": table[:60], "known": ", ".join(SCHEMAS)}
    raise InputError(
        Problem(N_("there is no reference table {name}"), params, N_("use one of: {known}"), field="table")
    )


def _values(schema: Schema, given: Mapping[str, str]) -> dict[str, str]:
    """Every column; breaks of lines and control characters in a cell become spaces."""
    unknown = sorted(given.keys() - set(schema.columns))
    if unknown:
        params = {"table": schema.name, "column": unknown[0][:60], "columns": ", ".join(schema.columns)}
        raise InputError(Problem(N_("table {table} has no column {column}"), params, N_("use one of: {columns}")))
    return {
        c: " ".join("".join(k if k.isprintable() else " " for k in given.get(c, "")).split())
        for c in schema.columns
    }


def _undated(values: Mapping[str, str]) -> list[Problem]:
    if values["valid_from"]:
        return []
    message, remedy = N_("the row says not from which day it holds"), N_("write the first day on which it holds")
    return [Problem(message, {}, remedy, field="valid_from")]


def _readable(folder: Path) -> None:
    wrong = [p for p in read_reference(folder)[1] if p.severity == "error"] if folder.is_dir() else []
    if wrong:
        raise InputError(*wrong)


def _records(schema: Schema, text: str) -> tuple[list[str], list[list[str]]]:
    rows = [cells for cells in csv.reader(io.StringIO(text, newline="")) if any(cell.strip() for cell in cells)]
    return ([cell.strip() for cell in rows[0]], rows[1:]) if rows else (list(schema.columns), [])


def _without(
    schema: Schema, header: list[str], records: list[list[str]], replaced: str, origin: str
) -> list[list[str]]:
    kept = [
        r for r in records if [w.id for w in parse_table(schema.name, _text([header, r]), origin)[0]] != [replaced]
    ]
    if len(kept) == len(records):
        raise StaleError(
            Problem(
                N_("the park's own table has no row {row} any more"),
                {"row": replaced[:200]},
                N_("look at the rows as they are now, and enter yours again"),
            )
        )
    return kept


def _ids(schema: Schema, text: str, origin: str) -> list[str]:
    return [row.id for row in parse_table(schema.name, text, origin)[0]]


def _text(rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
