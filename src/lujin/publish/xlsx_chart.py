"""The twelve months on the summary sheet: a table, and a native chart per quantity beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openpyxl.cell import Cell as ExcelCell
from openpyxl.chart import BarChart, Reference
from openpyxl.worksheet.worksheet import Worksheet

from lujin.publish.content import Chart, Content
from lujin.publish.numbers import amount, headline, month_text

_COLOURS = {"energy": "0B5C5A", "carbon": "7A6A4F"}  # told apart by lightness as well
_WIDTH, _HEIGHT = 15.0, 6.5  # cm
_ROWS = 15  # rows of the sheet that a chart covers


def add_charts(page: Worksheet, row: int, content: Content, head: Callable[[ExcelCell, str], None]) -> int:
    """From ``row`` down; the row below. A month without postings is an empty cell: a gap, not a bar of nothing."""
    page.cell(row, 1)
    head(page.cell(row, 1), content.words["history"])
    first = row + 1
    for column, text in enumerate(_headings(content), 1):
        head(page.cell(first, column), text)
    for line, point in enumerate(content.history, first + 1):
        page.cell(line, 1).value = month_text(point.month)
        for column, chart in enumerate(content.charts, 2):
            number = amount(point.of(chart.of))
            if number is not None:
                cell = page.cell(line, column)
                cell.value = float(number.value)
                cell.number_format = "#,##0." + "0" * number.digits
        if point.measured is not None:
            cell = page.cell(line, len(content.charts) + 2)
            cell.value, cell.number_format = point.measured, "0.0 %"
    last = first + len(content.history)
    for place, chart in enumerate(content.charts):
        anchor = page.cell(last + 2 + place * _ROWS, 1).coordinate
        page.add_chart(_chart(page, chart, place + 2, first, last), anchor)
    return last + 2 + _ROWS * len(content.charts)


def _headings(content: Content) -> list[str]:
    quantities = [f"{chart.title} [{chart.unit}]" for chart in content.charts]
    return [headline(content.words["month"]), *quantities, headline(content.words["measured"])]


def _chart(page: Worksheet, chart: Chart, column: int, first: int, last: int) -> Any:
    found = BarChart()
    found.type, found.style, found.legend = "col", 2, None
    found.title = f"{chart.title} [{chart.unit}]"
    found.width, found.height, found.gapWidth = _WIDTH, _HEIGHT, 60
    found.display_blanks = "gap"
    found.add_data(Reference(page, min_col=column, min_row=first, max_row=last), titles_from_data=True)
    found.set_categories(Reference(page, min_col=1, min_row=first + 1, max_row=last))
    found.series[0].graphicalProperties.solidFill = _COLOURS[chart.of]
    found.x_axis.delete = found.y_axis.delete = False
    found.y_axis.majorGridlines.spPr = None
    found.y_axis.title = chart.unit
    found.y_axis.numFmt = "#,##0"
    return found
