"""Tables in: those shipped with the program and a park's own files beside them.

A park's file has the name and the columns of the table it adds to (``reference/grid_factors.csv``). A row with
the natural key of a shipped row takes its place; any other row is added. Two rows that name the same fact must
not be in force on the same day.
"""

from __future__ import annotations

import csv
from codecs import BOM_UTF8
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from io import StringIO
from itertools import combinations
from pathlib import Path

from lujin.errors import N_, InputError, Problem
from lujin.reference.factors import GRID_PURPOSES
from lujin.reference.grammar import tariff_problems
from lujin.reference.rows import SHIPPED, Row, date_of, decimal_of, make_row
from lujin.reference.schema import CONFIDENCE, SCHEMAS, Schema
from lujin.reference.uncertain import uncertainty_problems


def load_reference(overrides: Path | None = None) -> tuple[Row, ...]:
    """Shipped rows and, from the folder ``overrides``, the park's own. InputError with all problems at once."""
    rows, problems = read_reference(overrides)
    errors = [p for p in problems if p.severity == "error"]
    if errors:
        raise InputError(*errors)
    return rows


def check_reference(overrides: Path | None) -> list[Problem]:
    """Everything that is wrong with the park's own tables, errors and warnings."""
    return read_reference(overrides)[1]


def read_reference(overrides: Path | None) -> tuple[tuple[Row, ...], list[Problem]]:
    """The rows that could be read, and all problems in order of file and line."""
    own: list[Row] = []
    problems: list[Problem] = []
    for path in sorted(overrides.iterdir()) if overrides is not None and overrides.is_dir() else ():
        rows, found = _read_file(path)
        own.extend(rows)
        problems.extend(found)
    merged = merged_with(shipped_rows(), own)
    problems.extend(overlaps(merged))
    problems.sort(key=lambda p: (p.file, p.line or 0))
    return merged, problems


@lru_cache(maxsize=1)
def shipped_rows() -> tuple[Row, ...]:
    """The tables of the package."""
    rows: list[Row] = []
    folder = resources.files("lujin.reference") / "tables"
    for table in SCHEMAS:
        found, problems = parse_table(table, (folder / f"{table}.csv").read_text("utf-8"), SHIPPED)
        if problems:
            raise InputError(*problems)
        rows.extend(found)
    return tuple(rows)


def parse_table(table: str, text: str, origin: str) -> tuple[list[Row], list[Problem]]:
    """Read one table. Rows with a problem are left out; every problem names file, line and column."""
    schema = SCHEMAS[table]
    problems: list[Problem] = []
    rows: dict[str, Row] = {}
    for line, values in _records(schema, text, origin, problems):
        found = _check(schema, values, origin, line)
        problems.extend(found)
        if any(p.severity == "error" for p in found):
            continue
        row = make_row(table, values, origin, line)
        first = rows.setdefault(row.key, row)
        if first is not row:
            problems.append(
                Problem(
                    N_("this row repeats the key of line {other}: {key}"),
                    {"other": first.line, "key": row.key, "columns": ", ".join(schema.key)},
                    N_("keep one of the two, or let them differ in {columns}"),
                    file=origin,
                    line=line,
                )
            )
    return list(rows.values()), problems


def merged_with(shipped: Iterable[Row], own: Iterable[Row]) -> tuple[Row, ...]:
    merged = {row.key: row for row in shipped}
    merged.update((row.key, row) for row in own)
    return tuple(merged.values())


def _read_file(path: Path) -> tuple[list[Row], list[Problem]]:
    origin = f"{path.parent.name}/{path.name}"
    if path.name.startswith((".", "~")) or not path.is_file():
        return [], []
    if path.suffix.lower() != ".csv":
        message = N_("this file is not read: reference tables are CSV files")
        remedy = N_("save the sheet as CSV, or move the file out of this folder")
        return [], [Problem(message, {}, remedy, file=origin, severity="warning")]
    if path.stem not in SCHEMAS:
        return [], [_unknown_table(origin, path.stem)]
    try:
        text, _ = decoded(path.read_bytes())
    except UnicodeDecodeError:
        message = N_("the text is neither UTF-8 nor GB18030")
        return [], [Problem(message, {}, N_("save the file as CSV UTF-8"), file=origin)]
    return parse_table(path.stem, text, origin)


def decoded(content: bytes) -> tuple[str, str]:
    """The text and its encoding. UnicodeDecodeError: neither UTF-8 nor what Excel in Chinese writes."""
    try:
        return content.decode("utf-8-sig"), "utf-8-sig" if content.startswith(BOM_UTF8) else "utf-8"
    except UnicodeDecodeError:
        return content.decode("gb18030"), "gb18030"


def _unknown_table(origin: str, name: str) -> Problem:
    near = get_close_matches(name, SCHEMAS, n=1)
    return Problem(
        N_("there is no reference table {name}"),
        {"name": name, "known": ", ".join(near or SCHEMAS)},
        N_("name the file after the table that it adds to: {known}"),
        file=origin,
    )


def _records(
    schema: Schema, text: str, origin: str, problems: list[Problem]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and values by column of every row that has as many cells as the header."""
    reader = csv.reader(StringIO(text, newline=""))
    header: list[str] | None = None
    line = 1
    try:
        for cells in reader:
            start, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                wrong = list(_header_problems(schema, header, origin, start))
                problems.extend(wrong)
                if wrong:
                    return
            elif len(cells) != len(header):
                problems.append(
                    Problem(
                        N_("this row has {cells} cells, the header {columns}"),
                        {"cells": len(cells), "columns": len(header)},
                        N_("give every column a cell, and put a text that contains a comma in double quotes"),
                        file=origin,
                        line=start,
                    )
                )
            else:
                given = dict(zip(header, cells, strict=True))
                yield start, {column: given.get(column, "").strip() for column in schema.columns}
    except csv.Error as error:
        message = N_("the text is not CSV: {reason}")
        problems.append(
            Problem(message, {"reason": error}, N_("save the file as CSV UTF-8"), file=origin, line=line)
        )
    if header is None and not problems:
        message = N_("the file is empty")
        remedy = N_("start it with the header line {header}, or remove the file")
        problems.append(Problem(message, {"header": ",".join(schema.columns)}, remedy, file=origin))


def _header_problems(schema: Schema, header: list[str], origin: str, line: int) -> Iterator[Problem]:
    for column in schema.required:
        if column not in header:
            message = N_("column {column} is missing")
            remedy = N_("add it to the header; the columns of {table} are {columns}")
            params = {"column": column, "table": schema.name, "columns": ",".join(schema.columns)}
            yield Problem(message, params, remedy, file=origin, line=line, field=column)
    for column in sorted({c for c in header if c not in schema.columns or header.count(c) > 1}):
        message = N_("column {column!r} is not known, or stands there twice")
        remedy = N_("remove or rename it; the columns of {table} are {columns}")
        params = {"column": column, "table": schema.name, "columns": ",".join(schema.columns)}
        yield Problem(message, params, remedy, file=origin, line=line, field=column)


def _check(schema: Schema, values: Mapping[str, str], origin: str, line: int) -> list[Problem]:
    """What is wrong with one row."""

    def problem(column: str, message: str, remedy: str, **params: object) -> Problem:
        return Problem(message, {"text": values[column]} | params, remedy, file=origin, line=line, field=column)

    found: list[Problem] = []
    dates: list[date | None] = []
    for column in ("valid_from", "valid_to"):
        try:
            dates.append(date_of(values[column], last=column == "valid_to"))
        except InputError as error:
            found.append(problem(column, error.problems[0].message, error.problems[0].remedy))
    if len(dates) == 2 and dates[0] and dates[1] and dates[0] > dates[1]:
        remedy = N_("valid_to is the last day on which the row holds; write it on or after valid_from")
        found.append(problem("valid_to", N_("{text} lies before valid_from {start}"), remedy, start=dates[0]))
    for column in schema.numbers:
        words = column == "value" and values["unit"] in schema.text_units
        if values[column] and not words and decimal_of(values[column]) is None:
            remedy = N_("write a number with a decimal point, without unit and thousands separator")
            found.append(problem(column, N_("{text!r} is not a number"), remedy))
    if schema.units and values["unit"] not in schema.units:
        remedy = N_("convert the value and write one of: {units}")
        message = N_("unit {text!r} is not used in this table")
        found.append(problem("unit", message, remedy, units=", ".join(schema.units)))
    for column, known in schema.words.items():
        if values[column] not in known:
            message, remedy = N_("{text!r} is not used in this column"), N_("write one of: {known}")
            found.append(problem(column, message, remedy, known=", ".join(known)))
    if values["confidence"] not in CONFIDENCE:
        message = N_("confidence {text!r} is not known")
        remedy = N_("write verified if you have seen the value in its source, else unverified")
        found.append(problem("confidence", message, remedy))
    for column, told in tariff_problems(values) if schema.name == "tariffs" else ():
        found.append(problem(column, told.message, told.remedy, **told.params))
    for column, told in uncertainty_problems(values) if schema.name == "uncertainties" else ():
        found.append(problem(column, told.message, told.remedy, **told.params))
    if schema.name == "grid_factors" and not any(
        values["basis"] in rule.basis and values["purpose"] in rule.texts for rule in GRID_PURPOSES.values()
    ):
        message = N_("no purpose of an account reads a row of basis {basis!r} with this purpose text")
        remedy = N_("copy basis and purpose from a shipped row that serves the same purpose")
        params = {"basis": values["basis"]}
        found.append(replace(problem("purpose", message, remedy, **params), severity="warning"))
    if not values["source"]:
        message = N_("the row names no source")
        found.append(problem("source", message, N_("name the notice, standard, contract or measurement")))
    return found


def overlaps(rows: Iterable[Row]) -> Iterator[Problem]:
    """Two rows that name the same fact and hold on the same day. Told at the park's row."""
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[(row.table, *(row.values[c] for c in SCHEMAS[row.table].selector))].append(row)
    for group in groups.values():
        for one, two in combinations(group, 2):
            if not _meet(one, two):
                continue
            later, other = (one, two) if two.origin == SHIPPED else (two, one)
            yield Problem(
                N_("this row ({validity}) holds on the same days as {other} ({other_validity}) in {place}"),
                {
                    "validity": later.validity,
                    "other": other.key,
                    "other_validity": other.validity,
                    "place": f"{other.origin}:{other.line}",
                    "key": ", ".join(f"{c}={other.values[c]}" for c in SCHEMAS[other.table].key),
                },
                N_("let the dates not meet; a row with {key} takes the place of the other one"),
                file=later.origin,
                line=later.line,
                field="valid_from",
            )


def _meet(one: Row, two: Row) -> bool:
    low, high = date.min, date.max
    return (one.valid_from or low) <= (two.valid_to or high) and (two.valid_from or low) <= (one.valid_to or high)
