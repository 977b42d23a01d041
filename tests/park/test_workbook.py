"""A workbook is read by what its cells are, and refused with sheet, row and column."""

import zipfile
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from openpyxl.workbook import Workbook

from lujin import park
from lujin.errors import ParkError, Problem, StoreError

METER_COLUMNS = ["id", "flow", "kind", "unit", "multiplier"]


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """The template park as a workbook."""
    path = tmp_path / "park.xlsx"
    park.write_workbook(park.from_snapshot(park.TEMPLATE), path)
    return path


def edited(path: Path, *cells: tuple[str, str, object]) -> list[Problem]:
    """Errors of the workbook after writing these (sheet, cell, value)."""
    book = openpyxl.load_workbook(path)
    for sheet, cell, value in cells:
        book[next(title for title in book.sheetnames if title.startswith(sheet))][cell] = value
    book.save(path)
    return [p for p in park.check(path) if p.severity == "error"]


def column(path: Path, sheet: str, name: str) -> str:
    book = openpyxl.load_workbook(path)
    header = next(s for s in book.worksheets if s.title.startswith(sheet))[1]
    return next(cell.column_letter for cell in header if str(cell.value).startswith(f"{name}\n"))


def test_the_template_round_trips_without_a_problem(template: Path) -> None:
    assert park.check(template) == []
    assert park.read_workbook(template) == park.from_snapshot(park.TEMPLATE)
    assert park.load(template) == park.read_workbook(template)


def test_sheets_are_bilingual_frozen_and_guided(template: Path) -> None:
    book = openpyxl.load_workbook(template)
    assert book.sheetnames[0] == "park 园区"
    assert book.sheetnames[-1] == "notes 说明"
    node = book["node 节点"]
    assert node["A1"].value == "id\n编号"
    assert node.freeze_panes == "B2"
    assert any("enterprise" in rule.formula1 for rule in node.data_validations.dataValidation)
    notes = [row[3] for row in book["notes 说明"].iter_rows(values_only=True)]
    assert "CT × PT ratio" in notes


def test_text_in_a_number_column_is_named_by_sheet_row_and_column(template: Path) -> None:
    letter = column(template, "meter", "multiplier")
    (found,) = edited(template, ("meter", f"{letter}3", "two thousand"))
    assert found.field == f"meter 计量点!{letter}3 multiplier"
    assert found.line == 3
    assert "two thousand is not a number" in found.text()


def test_digits_stored_as_text_are_not_guessed_to_be_a_number(template: Path) -> None:
    letter = column(template, "meter", "multiplier")
    (found,) = edited(template, ("meter", f"{letter}3", "2000"))
    assert "not a number" in found.text()


def test_merged_heading_cells_are_refused(template: Path) -> None:
    book = openpyxl.load_workbook(template)
    book["node 节点"].merge_cells("A1:C1")
    book.save(template)
    found = park.check(template)
    assert any("node 节点!A1:C1 are merged" in p.text() and p.line == 1 for p in found)


def test_a_formula_is_refused_and_not_computed(template: Path) -> None:
    letter = column(template, "meter", "multiplier")
    found = edited(template, ("meter", f"{letter}2", "=1000*2"))
    assert [p.line for p in found] == [2]
    assert f"{letter}2 holds a formula" in found[0].text()


def test_an_unknown_sheet_and_an_unknown_column_are_named(template: Path) -> None:
    book = openpyxl.load_workbook(template)
    book.create_sheet("metre")["A1"] = "id"
    book.create_sheet("# my scratch")["A1"] = "anything"
    book.create_sheet("全部资料")["A1"] = "id"
    book["flow 流"]["A1"] = "identity"
    book.save(template)
    found = "\n".join(p.text() for p in park.check(template))
    assert "sheet metre is unknown; did you mean meter?" in found
    assert "sheet 全部资料 is unknown; sheets may be park" in found
    assert "identity is not a column of flow; did you mean id?" in found or "column id" in found
    assert "scratch" not in found


def test_what_a_user_types_is_understood(tmp_path: Path) -> None:
    book = Workbook()
    sheets = {
        "园区": [
            ["编号", "timezone", "省级地区", "packs"],
            ["P", "Asia/Shanghai", "广东", "location = ghgp-location@1"],
        ],
        "node": [["id", "kind", "valid_from"], ["GRID", "grid", None], [1001, "enterprise", "2025-01-01"]],
        "flow": [["id", "carrier", "source", "target"], ["F", "electricity", "GRID", 1001]],
        "meter": [
            ["id", "flow", "kind", "terms", "alias", "valid_from"],
            ["V", "F", "virtual", "M = 1; N = -0.5", None, "2025-01-01"],
            ["M", None, "interval", None, "总表; 表 2", None],
            ["N", None, "interval", None, None, None],
        ],
        "output": [["enterprise", "product", "month", "quantity", "unit"], [1001, "纸", "2025-06", 1.1, "t"]],
    }
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    path = tmp_path / "typed.xlsx"
    book.save(path)
    found = park.read_workbook(path)
    assert found.flows["F"].target == "1001"
    assert {k: str(v) for k, v in found.meters["V"].terms.items()} == {"M": "1", "N": "-0.5"}
    assert found.meters["M"].alias == ("总表", "表 2")
    assert str(found.outputs[0].quantity) == "1.1"
    assert found.meters["M"].line == 3


def test_text_that_looks_like_a_formula_is_written_as_plain_text(tmp_path: Path) -> None:
    described = park.from_snapshot(park.TEMPLATE)
    evil = '=HYPERLINK("http://x")'
    nodes = {
        **described.nodes,
        "E001": replace(described.nodes["E001"], name_en=evil, name_zh="+86", tenant="@cmd"),
    }
    path = tmp_path / "park.xlsx"
    park.write_workbook(replace(described, nodes=nodes), path)
    sheet = openpyxl.load_workbook(path)["node 节点"]
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value in (evil, "+86", "@cmd")]
    assert len(cells) == 3
    assert all(cell.data_type == "s" and cell.quotePrefix for cell in cells)
    with zipfile.ZipFile(path) as archive:
        assert not any(b"<f>" in archive.read(name) for name in archive.namelist())
    assert park.read_workbook(path).nodes["E001"].name_en == evil


def test_structural_problems_name_the_cell(template: Path) -> None:
    letter = column(template, "flow", "target")
    (found, *_) = edited(template, ("flow", f"{letter}2", "E0001"))
    assert found.field == f"flow 流!{letter}2 target"
    assert "did you mean E001?" in found.text()


def test_a_value_without_heading_is_named(template: Path) -> None:
    (found,) = edited(template, ("flow", "Z2", 5))
    assert "flow 流!Z2 has no heading" in found.text()


def test_a_missing_park_sheet_or_row_is_said(tmp_path: Path) -> None:
    book = Workbook()
    book.active.title = "node"
    book.active.append(["id", "kind"])
    path = tmp_path / "p.xlsx"
    book.save(path)
    with pytest.raises(ParkError, match="sheet park"):
        park.read_workbook(path)
    book.create_sheet("park").append(["id", "timezone", "region"])
    book.save(path)
    with pytest.raises(ParkError, match="has no row"):
        park.read_workbook(path)


def test_a_cell_far_away_does_not_cost_a_million_rows(template: Path) -> None:
    (found,) = edited(template, ("output", "XFD1048576", "lost"))
    assert found.line == 1048576


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"id,name\n1,2\n", b"\xd0\xcf\x11\xe0" * 40])
def test_what_is_no_workbook_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "park.xlsx"
    path.write_bytes(content)
    with pytest.raises(ParkError, match="cannot be read as a workbook"):
        park.read_workbook(path)


def test_a_workbook_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ParkError, match="is not there"):
        park.read_workbook(tmp_path / "none.xlsx")


def test_a_folder_that_refuses_the_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        park.write_workbook(park.from_snapshot(park.TEMPLATE), tmp_path / "none" / "park.xlsx")
