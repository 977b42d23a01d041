"""``days.csv`` beside the park file: what tariffs and similar-day estimates must know of a day.

Columns ``date,temperature_max_c,holiday``; an empty cell means not known (temperature) or no (holiday).
"""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal, InvalidOperation

from lujin.errors import N_, Problem
from lujin.park.columns import columns
from lujin.park.schema import Row, heading_problems

_FLAGS = {"1": True, "true": True, "yes": True, "是": True, "0": False, "false": False, "no": False, "否": False}


def read_days(text: str, file: str) -> tuple[list[Row], list[Problem]]:
    """Raw rows of the ``day`` table, with their lines, and the problems of the file as a whole."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    try:
        records = [(reader.line_num, [cell.strip() for cell in record]) for record in reader]
    except csv.Error as error:
        message, remedy = N_("not readable as CSV: {reason}"), N_("save it as CSV with commas")
        return [], [Problem(message, {"reason": error}, remedy, file, reader.line_num)]
    records = [(line, cells) for line, cells in records if any(cells)]
    if not records:
        message, remedy = N_("the file is empty"), N_("write the header {header}, or remove the file")
        return [], [Problem(message, {"header": ",".join(columns("day"))}, remedy, file)]
    (header_line, header), *body = records
    problems = heading_problems("day", [(name, "") for name in header], file, header_line)
    if problems:
        return [], problems
    rows = []
    for line, cells in body:
        if len(cells) > len(header):
            message, remedy = N_("the row has {count} cells"), N_("the header has {header}: remove the others")
            problems.append(Problem(message, {"count": len(cells), "header": len(header)}, remedy, file, line))
            continue
        values = {name: _value(name, cell) for name, cell in zip(header, cells, strict=False) if cell}
        rows.append(Row("day", values, file, line))
    return rows, problems


def _value(column: str, cell: str) -> object:
    """The cell as its type if it can be, else as it stands, to be refused with its place."""
    if column == "holiday":
        return _FLAGS.get(cell.casefold(), cell)
    try:
        return date.fromisoformat(cell) if column == "date" else Decimal(cell)
    except (ValueError, InvalidOperation):
        return cell
