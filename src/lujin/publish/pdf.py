"""A statement as PDF (archive and accessible: PDF/A-2a, PDF/UA-1), set by Typst with fonts of our own.

The same paper gives the same bytes: the only time in the file is that of issue.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.resources import as_file, files
from typing import Any

import typst

from lujin.errors import N_, Problem, StoreError
from lujin.publish.chart import drawing
from lujin.publish.compose import compose
from lujin.publish.content import Content, Table
from lujin.publish.glyphs import Glyphs
from lujin.publish.letterhead import Paper
from lujin.publish.numbers import Cell, Number, Share, formula, headline


def pdf(paper: Paper) -> tuple[bytes, tuple[Problem, ...]]:
    """The PDF, and warnings about characters that its fonts cannot draw."""
    content, glyphs = compose(paper), Glyphs()
    issued = paper.issued_at
    data = {
        **_data(content, glyphs, paper.statement.month),
        "issued": [*issued.astimezone(UTC).timetuple()[:6]] if issued else None,
    }
    with as_file(files("lujin.publish")) as folder:
        made = set_type(folder, json.dumps(data, ensure_ascii=False), issued)
    return made, glyphs.problems()


def set_type(folder: Any, data: str, issued: datetime | None) -> bytes:
    """Typst over ``statement.typ`` of the folder, which reads ``data`` (JSON). No network, no other fonts.

    A file for archives has a date: without one it is only accessible (PDF/UA-1).
    """
    try:
        made = typst.compile(
            str(folder / "statement.typ"),
            root=str(folder),
            font_paths=[str(folder / "fonts")],
            ignore_system_fonts=True,
            sys_inputs={"data": data},
            pdf_standards=["ua-1"] if issued is None else ["a-2a", "ua-1"],
            timestamp=0 if issued is None else int(issued.timestamp()),
        )
    except typst.TypstError as error:
        problem = Problem(
            N_("the typesetter refused the statement: {reason}"),
            {"reason": str(error).strip().partition("\n")[0]},
            N_("use the workbook, and report this with the names and texts of the statement"),
        )
        raise StoreError(problem) from error
    return bytes(made)


def _data(content: Content, glyphs: Glyphs, month: int) -> dict[str, Any]:
    """The paper as plain data with texts that can be drawn."""
    plain = {
        "language": content.language,
        "title": content.title,
        "issuer": content.issuer,
        "holder": content.holder,
        "facts": [{"name": f.name, "text": f.text, "wide": f.wide} for f in content.facts],
        "figures": [
            {"name": f.name, "value": f.value.text if f.value else "", "unit": f.unit, "detail": f.detail}
            for f in content.figures
        ],
        "charts": [drawing(content, chart, month) for chart in content.charts],
        "chart_notes": content.chart_notes,
        "uncertainty": content.uncertainty,
        "codes": content.codes,
        "other_codes": content.other_codes,
        "notes": content.notes,
        "warning": content.warning,
        "footer": content.footer,
        "words": content.words,
    }
    tables = [
        _table(table, content.words["none"], glyphs) for table in content.tables if table.rows or table.empty
    ]
    return {**mapped(plain, glyphs.text), "holder": glyphs.cell(content.holder), "tables": tables}


def _table(table: Table, none: str, glyphs: Glyphs) -> dict[str, Any]:
    """Cells as [text, hidden]: what is hidden lines up the decimal points of a column."""
    rows = [*table.rows, table.total] if table.total else list(table.rows)
    deepest = [max((_decimals(row[at]) for row in rows), default=0) for at in range(len(table.columns))]
    cells = [[_cell(value, deepest[at], none, glyphs) for at, value in enumerate(row)] for row in rows]
    return {
        "key": table.key,
        "title": glyphs.text(formula(table.title)),
        "columns": [
            {
                "title": glyphs.cell(headline(c.title)),
                "unit": formula(c.unit),
                "numeric": c.numeric,
                "share": c.share,
            }
            for c in table.columns
        ],
        "rows": cells[: len(table.rows)],
        "total": cells[len(table.rows) :],
        "notes": [glyphs.text(formula(note)) for note in table.notes] if table.rows else [],
        "empty": glyphs.text(table.empty),
    }


def _decimals(cell: Cell) -> int:
    """How many characters of a number stand from the decimal point on."""
    return len(cell.text) - cell.text.find(".") if isinstance(cell, Number) and "." in cell.text else 0


def _cell(cell: Cell, decimals: int, none: str, glyphs: Glyphs) -> tuple[str, str]:
    if cell is None:
        return none, ""
    if isinstance(cell, str):
        return glyphs.cell(cell), ""
    if isinstance(cell, Share):
        return cell.text, ""
    lacking = decimals - _decimals(cell)
    return cell.text, ("." + "0" * (decimals - 1) if lacking == decimals else "0" * lacking) if lacking else ""


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Every text inside plain data, changed; keys stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: mapped(item, change) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [mapped(item, change) for item in value]
    return value
