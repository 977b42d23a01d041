"""A statement as an Excel workbook: real numbers with their units, the texts as text, two charts.

The same paper gives the same bytes: the only time in the file is that of issue.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from openpyxl import Workbook
from openpyxl.cell import Cell as ExcelCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from lujin.park.workbook import write_text
from lujin.publish.compose import compose
from lujin.publish.content import Content, Sheet, Table
from lujin.publish.letterhead import Paper
from lujin.publish.numbers import Cell, Number, Share, formula, headline
from lujin.publish.xlsx_chart import add_charts

EXACT_DIGITS = 15  # a double keeps any decimal of so many digits; with more, a comment tells the exact value
ACCENT, GREY = "0B5C5A", "5B6666"
SHEETS: tuple[tuple[Sheet, str], ...] = (
    ("summary", "summary"),
    ("lines", "lines"),
    ("carbon", "carbon"),
    ("uncertainty", "uncertainty"),
    ("factors", "factors"),
    ("completeness", "completeness"),
    ("restatements", "restatements"),
)
_WIDEST = 46  # characters; longer texts wrap
_TITLE = Font(bold=True, size=12, color=ACCENT)
_HEAD = Font(bold=True, color=ACCENT)
_BOLD = Font(bold=True)
_NOTE = Font(size=9, color=GREY)
_RULE = Border(bottom=Side(style="thin", color=ACCENT))
_HAIR = Border(bottom=Side(style="hair", color="C9D6D5"))
_TINT = PatternFill("solid", fgColor="EEF4F3")


def xlsx(paper: Paper) -> bytes:
    content = compose(paper)
    book = Workbook()
    book.remove(book.active)
    issued = paper.issued_at or datetime(1980, 1, 1, tzinfo=UTC)
    for sheet, word in SHEETS:
        if sheet == "uncertainty" and not any(table.rows for table in content.of(sheet)):
            continue
        page = book.create_sheet(content.words[word])
        _print_setup(page, content)
        row = _summary(page, content) if sheet == "summary" else _top(page, content)
        for table in content.of(sheet):
            if table.rows or table.empty:
                row = _table(page, row, table, content)
        if sheet == "summary":
            _rest_of_summary(page, row, content)
        _widths(page)
    stamp = issued.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    book.properties.title = content.title
    book.properties.creator = _clean(content.issuer)
    book.properties.created = book.properties.modified = stamp
    return _same_bytes(book, stamp)


def _same_bytes(book: Workbook, stamp: datetime) -> bytes:
    """Saved, then packed anew with fixed times: a saved workbook holds the time of saving in two places."""
    saved, packed = BytesIO(), BytesIO()
    book.save(saved)
    modified = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*(<)")
    with ZipFile(saved) as source, ZipFile(packed, "w", ZIP_DEFLATED) as target:
        for name in source.namelist():
            held = source.read(name)
            if name == "docProps/core.xml":
                held = modified.sub(rb"\g<1>" + f"{stamp.isoformat()}Z".encode() + rb"\g<2>", held)
            info = ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = ZIP_DEFLATED
            target.writestr(info, held)
    return packed.getvalue()


# ---------------------------------------------------------------------------------------------------- sheets


def _print_setup(page: Worksheet, content: Content) -> None:
    page.sheet_view.showGridLines = False
    page.page_setup.orientation = "landscape"
    page.page_setup.paperSize = page.PAPERSIZE_A4
    page.page_setup.fitToWidth, page.page_setup.fitToHeight = 1, 0
    page.sheet_properties.pageSetUpPr.fitToPage = True
    page.print_options.horizontalCentered = True
    page.oddFooter.left.text = _clean(content.footer).replace("&", "&&")
    page.oddFooter.right.text = "&P / &N"
    page.oddFooter.left.size = page.oddFooter.right.size = 8


def _top(page: Worksheet, content: Content) -> int:
    """Whose sheet this is; the row after it."""
    _text(page.cell(1, 1), f"{content.holder} · {content.title}", _TITLE)
    _text(page.cell(2, 1), content.footer, _NOTE)
    return 4


def _summary(page: Worksheet, content: Content) -> int:
    _text(page.cell(1, 1), content.issuer, _HEAD)
    _text(page.cell(2, 1), content.holder, Font(bold=True, size=16))
    _text(page.cell(3, 1), content.title, _NOTE)
    row = 5
    for fact in content.facts:
        _text(page.cell(row, 1), fact.name, _NOTE)
        _text(page.cell(row, 2), fact.text)
        row += 1
    if content.warning:
        _text(page.cell(row, 1), content.warning, _BOLD)
        row += 1
    row += 1
    for figure in content.figures:
        _text(page.cell(row, 1), figure.name, _BOLD)
        _put(page.cell(row, 2), figure.value, content, _BOLD)
        _text(page.cell(row, 3), figure.unit)
        _text(page.cell(row, 4), figure.detail, _NOTE)
        row += 1
    return row + 1


def _rest_of_summary(page: Worksheet, row: int, content: Content) -> None:
    if content.charts:
        row = add_charts(page, row, content, lambda cell, text: _text(cell, text, _HEAD))
    for note in content.chart_notes:
        _text(page.cell(row, 1), note, _NOTE)
        row += 1
    short = [(content.words["code"], content.words["short_code"])] if content.words["short_code"] else []
    parts: tuple[tuple[str, list[tuple[str, ...]]], ...] = (
        ("uncertainty", [(text,) for text in content.uncertainty]),
        ("check", [*content.codes, *content.other_codes, *short]),
        ("notes", [(note,) for note in content.notes]),
    )
    for word, lines in parts:
        if not lines:
            continue
        row += 1
        _text(page.cell(row, 1), content.words[word], _TITLE)
        for line in lines:
            row += 1
            for column, text in enumerate(line, 1):
                _text(page.cell(row, column), text)
        row += 1


def _table(page: Worksheet, row: int, table: Table, content: Content) -> int:
    """Title, heading, rows, total and notes; the row after an empty one."""
    _text(page.cell(row, 1), formula(table.title), _TITLE)
    row += 1
    if not table.rows:
        _text(page.cell(row, 1), table.empty, _NOTE)
        return row + 2
    for at, column in enumerate(table.columns, 1):
        cell = page.cell(row, at)
        unit = f" [{formula(column.unit)}]" if column.unit else ""
        _text(cell, headline(column.title) + unit, _HEAD)
        cell.border = _RULE
        cell.alignment = Alignment(
            horizontal="right" if column.numeric else "left", vertical="bottom", wrap_text=True
        )
    if len(content.of(table.sheet)) == 1:
        page.freeze_panes = page.cell(row + 1, 1)
        page.print_title_rows = f"{row}:{row}"
    rows = [*table.rows, table.total] if table.total else table.rows
    for place, cells in enumerate(rows):
        row += 1
        last = place == len(table.rows)
        for at, value in enumerate(cells, 1):
            cell = page.cell(row, at)
            _put(cell, value, content, _BOLD if last else None)
            cell.border = _HAIR
            if last:
                cell.fill = _TINT
            right = table.columns[at - 1].numeric
            cell.alignment = Alignment(
                horizontal="right" if right else "left", vertical="top", wrap_text=not right
            )
    for note in table.notes:
        row += 1
        _text(page.cell(row, 1), formula(note), _NOTE)
    return row + 2


# ----------------------------------------------------------------------------------------------------- cells


def _put(cell: ExcelCell, value: Cell, content: Content, font: Font | None = None) -> None:
    match value:
        case None:
            _text(cell, content.words["none"], font)
        case Share():
            cell.value, cell.number_format = value.value, "0.0 %"
        case Number():
            _number(cell, value, content)
        case _:
            _text(cell, value, font)
    if font is not None:
        cell.font = font


def _number(cell: ExcelCell, number: Number, content: Content) -> None:
    """The exact value as far as a double goes; beyond that, a comment holds the rest."""
    cell.value = float(number.value)
    cell.number_format = "#,##0" + ("." + "0" * number.decimals if number.decimals else "")
    if len(number.value.normalize().as_tuple().digits) > EXACT_DIGITS:
        text = content.words["exact"].replace("{value}", f"{number.value:f}")
        cell.comment = Comment(text, "lujin", height=40, width=260)


def _text(cell: ExcelCell, text: str, font: Font | None = None) -> None:
    write_text(cell, _clean(text))
    if font is not None:
        cell.font = font


def _clean(text: str) -> str:
    """Control characters, which no workbook may hold, become visible replacements."""
    return re.sub(ILLEGAL_CHARACTERS_RE, "\ufffd", text)


def _widths(page: Worksheet) -> None:
    """Columns as wide as their numbers and usual texts; titles and notes may run over their neighbours."""
    widths: dict[int, int] = {}
    for cells in page.iter_rows():
        for cell in cells:
            if cell.value is None or (cell.column == 1 and cell.font in (_TITLE, _NOTE)):
                continue
            said = f"{cell.value:,.3f}" if isinstance(cell.value, float) else str(cell.value)
            wide = sum(2 if ord(c) > 0x2E7F else 1 for c in said)
            if wide <= _WIDEST or cell.alignment.wrap_text:
                widths[cell.column] = max(widths.get(cell.column, 9), min(wide, _WIDEST) + 2)
    for column, width in widths.items():
        page.column_dimensions[get_column_letter(column)].width = width
