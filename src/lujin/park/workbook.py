"""The park as an Excel workbook: one sheet per table, headings in two languages, and back.

Cells are read by what they are: a number cell is a number, text is text, and a formula is refused, never
computed. Text that a spreadsheet could take for a formula is written as plain text with the quote-prefix mark.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import openpyxl
from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.workbook import Workbook
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from lujin.errors import N_, Problem, StoreError
from lujin.park.columns import TABLES, TITLES_ZH, Form, columns, required
from lujin.park.forms import shown, write_number
from lujin.park.model import Park
from lujin.park.names import closest
from lujin.park.schema import Draft, Row, build, encode, heading_problems

NOTES = "notes 说明"
_LARGEST_UNPACKED = 500_000_000
_EXCEL_DIGITS = 15  # a double keeps any decimal of 15 digits
_FORMULA_START = ("=", "+", "-", "@", "\t", "\r")
_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_ESCAPED = re.compile(r"_x005F_(?=x[0-9A-Fa-f]{4}_)")
_PLAIN_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_HEADING = {"font": Font(bold=True, color="FFFFFF"), "fill": PatternFill("solid", fgColor="1F6F54")}
_NEEDED = PatternFill("solid", fgColor="B3541E")


# --- reading ---------------------------------------------------------------------------------------------


def parse(path: Path) -> Draft:
    """The park of a workbook as far as it can be read, with every problem of its rows."""
    book, problems = _open(path)
    rows: dict[str, list[Row]] = {}
    for sheet in book.worksheets if book else ():
        table = _table_of(sheet.title)
        if not table or sheet.title.startswith("#"):
            continue
        if table not in TABLES or table in rows:
            problems.append(_unknown_sheet(sheet.title, table, path.name))
            continue
        rows[table], found = _read_sheet(sheet, table, path.name)
        problems.extend(found)
    if book and "park" not in rows:
        message, remedy = N_("sheet park (园区) is missing"), N_("add it, or export a workbook and fill that in")
        problems.append(Problem(message, {}, remedy, path.name))
    elif book and not rows["park"] and not problems:
        message, remedy = N_("sheet park (园区) has no row"), N_("fill in row 2: id, timezone, region")
        problems.append(Problem(message, {}, remedy, path.name, 2, "park"))
    return build(rows, problems)


def _open(path: Path) -> tuple[Workbook | None, list[Problem]]:
    message, remedy = (
        N_("{path} cannot be read as a workbook: {reason}"),
        N_("open it in Excel and save it as .xlsx"),
    )
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
        if size > _LARGEST_UNPACKED:
            reason = f"{size // 1_000_000} MB unpacked"
            return None, [Problem(message, {"path": path, "reason": reason}, remedy, path.name)]
        return openpyxl.load_workbook(path), []
    except FileNotFoundError:
        return None, [Problem(N_("{path} is not there"), {"path": path}, N_("check the name"), path.name)]
    except Exception as error:  # openpyxl meets a damaged file with whatever breaks first
        reason = shown(f"{type(error).__name__} {error}")
        return None, [Problem(message, {"path": path, "reason": reason}, remedy, path.name)]


def _table_of(title: str) -> str:
    """Table of a sheet by its title: the first word, or the Chinese title. Empty: the notes."""
    words = title.split() or [title]
    if title.casefold().startswith("notes") or "说明" in title:
        return ""
    by_zh = {zh: table for table, zh in TITLES_ZH.items()}
    return by_zh.get(words[0], words[0].casefold())


def _unknown_sheet(title: str, table: str, file: str) -> Problem:
    if table in TABLES:
        return Problem(N_("sheet {title} is there twice"), {"title": title}, N_("keep one"), file, None, title)
    guess = closest(table, list(TABLES))
    remedy = N_("did you mean {guess}? To leave the sheet out, begin its name with #")
    params = {"title": title, "guess": guess, "known": ", ".join(TABLES)}
    other = N_("sheets may be {known}; to leave the sheet out, begin its name with #")
    return Problem(N_("sheet {title} is unknown"), params, remedy if guess else other, file, None, title)


def _read_sheet(sheet: Worksheet, table: str, file: str) -> tuple[list[Row], list[Problem]]:
    merged = [
        Problem(
            N_("cells {cells} are merged"),
            {"cells": f"{sheet.title}!{area.coord}"},
            N_("unmerge them: one heading and one value per cell"),
            file,
            area.min_row,
            f"{sheet.title}!{area.coord}",
        )
        for area in sheet.merged_cells.ranges
    ]
    lines: dict[int, dict[int, Cell]] = {}
    # Only the cells that are there: the extent of a sheet may be a million empty rows.
    for (line, column), cell in sorted(sheet._cells.items()):
        if cell.value is not None and str(cell.value).strip():
            lines.setdefault(line, {})[column] = cell
    if not lines:
        message, remedy = (
            N_("sheet {title} has no heading row"),
            N_("write the headings in row 1, or remove the sheet"),
        )
        return [], [*merged, Problem(message, {"title": sheet.title}, remedy, file, 1, sheet.title)]
    header = min(lines)
    names = {column: _column_of(table, str(cell.value)) for column, cell in lines.pop(header).items()}
    headings = [(name, f"{sheet.title}!{get_column_letter(column)}{header}") for column, name in names.items()]
    problems = [*merged, *heading_problems(table, headings, file, header)]
    if problems:
        return [], problems
    cells = {name: f"{sheet.title}!{get_column_letter(column)}" for column, name in names.items()}
    rows = []
    for line, found in lines.items():
        values: dict[str, object] = {}
        row = Row(table, values, file, line, cells=cells)
        for column, cell in found.items():
            place = f"{sheet.title}!{cell.coordinate}"
            if column not in names:
                message, remedy = N_("{cell} has no heading"), N_("head the column, or clear the cell")
                problems.append(Problem(message, {"cell": place}, remedy, file, line, place))
            elif cell.data_type in ("f", "e"):
                message = (
                    N_("{cell} holds a formula") if cell.data_type == "f" else N_("{cell} holds an error value")
                )
                remedy = N_("copy the column and paste it as values")
                problems.append(Problem(message, {"cell": place}, remedy, file, line, place))
            else:
                values[names[column]] = _raw(cell.value, columns(table)[names[column]][1])
        if values:
            rows.append(row)
    return rows, problems


def _column_of(table: str, heading: str) -> str:
    """Column by its heading: the first word, or the Chinese title alone."""
    word = heading.split()[0]
    by_zh = {str(TABLES[table].model_fields[name].title): column for column, (name, _) in columns(table).items()}
    return by_zh.get(" ".join(heading.split()), by_zh.get(word, word))


def _raw(value: object, form: Form) -> object:
    """The cell as TOML would have given it; what does not fit stays as it is, to be refused with its place."""
    if isinstance(value, str):
        value = _ESCAPED.sub("_", value)  # openpyxl undoes this for shared strings, not for inline ones
    if form == "number":
        long = (
            isinstance(value, str) and _PLAIN_NUMBER.fullmatch(value.strip()) and not _fits_double(value.strip())
        )
        return Decimal(str(value).strip()) if long else value
    if form in ("time", "day"):
        return _raw_time(value, form)
    if form == "month":
        first = isinstance(value, date) and value.day == 1
        return f"{value:%Y-%m}" if first else value
    if form == "flag":
        return {"true": True, "false": False, "是": True, "否": False}.get(str(value).strip().casefold(), value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # an id or a name that is all digits
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**_EXCEL_DIGITS:
        value = str(int(value))
    if isinstance(value, str) and form == "list":
        return [part.strip() for line in csv.reader(io.StringIO(value), delimiter=";") for part in line]
    if isinstance(value, str) and form == "pairs":
        return _pairs(value)
    return value


def _raw_time(value: object, form: Form) -> object:
    if isinstance(value, str):
        text = value.strip()
        try:
            return date.fromisoformat(text) if len(text) <= 10 else datetime.fromisoformat(text)
        except ValueError:
            return value
    if isinstance(value, datetime) and value.tzinfo is None and value.time() == time():
        return value.date()
    return value if form == "time" or not isinstance(value, datetime) else shown(value)


def _pairs(text: str) -> object:
    pairs: dict[str, object] = {}
    for part in text.replace("；", ";").split(";"):
        name, equal, value = (piece.strip() for piece in part.replace("＝", "=").partition("="))
        if not part.strip():
            continue
        if not equal or name in pairs:
            return text
        try:
            pairs[name] = Decimal(value)
        except InvalidOperation:
            pairs[name] = value
    return pairs


def _fits_double(text: str) -> bool:
    return Decimal(repr(float(text))) == Decimal(text) and len(text.strip("-0.").replace(".", "")) <= _EXCEL_DIGITS


# --- writing ---------------------------------------------------------------------------------------------


def write_workbook(park: Park, path: Path) -> None:
    """Write the park so that ``read_workbook`` gives an equal park back. StoreError if the disk refuses."""
    book = Workbook()
    book.remove(book.active)
    for table, rows in encode(park):
        _write_sheet(book.create_sheet(f"{table} {TITLES_ZH[table]}"), table, rows)
    _write_notes(book.create_sheet(NOTES))
    try:
        book.save(path)
    except OSError as error:
        message, remedy = (
            N_("{path} cannot be written: {reason}"),
            N_("close it if it is open; check space and rights"),
        )
        raise StoreError(Problem(message, {"path": path, "reason": error.strerror}, remedy)) from error


def _write_sheet(sheet: Worksheet, table: str, rows: list[dict[str, object]]) -> None:
    known = columns(table)
    needed = required(table)
    for number, (column, (name, _)) in enumerate(known.items(), 1):
        info = TABLES[table].model_fields[name]
        cell = sheet.cell(1, number, f"{column}\n{info.title}")
        cell.font, cell.fill = _HEADING["font"], _NEEDED if column in needed else _HEADING["fill"]
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        sheet.column_dimensions[get_column_letter(number)].width = max(12, len(column) + 2)
        choices = ["TRUE", "FALSE"] if info.annotation is bool else list(get_args(info.annotation))
        if choices and all(isinstance(choice, str) for choice in choices):
            rule = DataValidation(
                "list", formula1=f'"{",".join(choices)}"', allow_blank=True, showErrorMessage=True
            )
            sheet.add_data_validation(rule)
            rule.add(f"{get_column_letter(number)}2:{get_column_letter(number)}20000")
    sheet.freeze_panes = "B2"
    sheet.row_dimensions[1].height = 32
    for line, row in enumerate(rows, 2):
        for number, (column, (_, form)) in enumerate(known.items(), 1):
            if column in row:
                _write_cell(sheet.cell(line, number), row[column], form)


def _write_cell(cell: Cell, value: Any, form: Form) -> None:
    if isinstance(value, Mapping):
        value = "; ".join(f"{k}={write_number(v) if isinstance(v, Decimal) else v}" for k, v in value.items())
    elif form == "list":
        text = io.StringIO()
        csv.writer(text, delimiter=";", lineterminator="").writerow(value)
        value = text.getvalue()
    elif isinstance(value, datetime):
        value = _excel_time(value)
    elif isinstance(value, Decimal):
        text_of = write_number(value)
        value = (float(text_of) if "." in text_of else int(text_of)) if _fits_double(text_of) else text_of
    if isinstance(value, str):
        write_text(cell, value)
        return
    cell.value = value
    if isinstance(value, datetime):
        cell.number_format = "yyyy-mm-dd hh:mm:ss"
    elif isinstance(value, date):
        cell.number_format = "yyyy-mm-dd"


def write_text(cell: Cell, text: str) -> None:
    """Whatever it begins with, it is text: no spreadsheet computes it."""
    cell.value = _ESCAPE.sub("_x005F_", text)
    cell.data_type = "s"
    cell.number_format = "@"
    cell.quotePrefix = text.startswith(_FORMULA_START)


def _excel_time(value: datetime) -> datetime | str:
    """Park time without offset where that is exact and clear, else ISO text with the offset."""
    zone = value.tzinfo
    naive = value.replace(tzinfo=None)
    if not isinstance(zone, ZoneInfo) or value.microsecond or naive.time() == time():
        return value.isoformat()
    both = {naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return naive if len(both) == 1 else value.isoformat()


def _write_notes(sheet: Worksheet) -> None:
    rows = [
        ("lujin 绿金", "园区描述：每张表一个工作表，第一行为列名，不要合并单元格，不要写公式。", "", ""),
        ("", "A park: one sheet per table, headings in row 1; no merged cells, no formulas.", "", ""),
        ("", "橙色列必填。时间为园区当地时间；失效时间不含当时。超过 15 位的数字写成文本。", "", ""),
        ("", "Orange columns are required. Times are park time; valid_to is exclusive.", "", ""),
        ("", "Numbers of more than 15 digits are written as text. Sheets named #… are left out.", "", ""),
        ("table 表", "column 列", "说明", "meaning"),
    ]
    for table in TABLES:
        for column, (name, _) in columns(table).items():
            info = TABLES[table].model_fields[name]
            zh, en = (info.description or "\n").split("\n")
            rows.append((f"{table} {TITLES_ZH[table]}", column, f"{info.title}：{zh}".rstrip("："), en))
    for line, row in enumerate(rows, 1):
        for number, text in enumerate(row, 1):
            sheet.cell(line, number, text).alignment = Alignment(vertical="top")
    for letter, width in (("A", 18), ("B", 24), ("C", 48), ("D", 48)):
        sheet.column_dimensions[letter].width = width
    for cell in sheet[6]:
        cell.font, cell.fill = _HEADING["font"], _HEADING["fill"]
