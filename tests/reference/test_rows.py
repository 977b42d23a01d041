"""Shipped tables, a park's own rows, and what is said about broken ones."""

from __future__ import annotations

import codecs
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lujin.errors import FactorError, InputError, Problem
from lujin.reference import (
    SCHEMAS,
    Reference,
    check_reference,
    describe,
    load_reference,
    make_row,
    table_frame,
    unverified,
)
from lujin.reference.files import parse_table
from lujin.reference.rows import Row

GRID = ",".join(SCHEMAS["grid_factors"].columns)
LOCATION = "location-based accounting; reference for accounting subjects"


def grid_line(**changed: str) -> str:
    values = {
        "factor_id": "grid_avg_guangdong_2022",
        "scope": "provincial",
        "region_zh": "广东",
        "region_en": "Guangdong",
        "data_year": "2022",
        "basis": "average",
        "purpose": LOCATION,
        "value": "0.5",
        "unit": "kgCO2/kWh",
        "valid_from": "2024-12-20",
        "valid_to": "2025-12-30",
        "source": "own measurement",
        "confidence": "verified",
        "evidence": "",
        "note": "",
    } | changed
    return ",".join(values[c] for c in SCHEMAS["grid_factors"].columns)


def write(folder: Path, name: str, *lines: str, encoding: str = "utf-8") -> Path:
    reference = folder / "reference"
    reference.mkdir(exist_ok=True)
    (reference / name).write_bytes("\n".join(lines).encode(encoding))
    return reference


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, [p.text() for p in problems]
    return problems[0]


def test_every_shipped_row_keeps_source_and_confidence() -> None:
    rows = load_reference()
    assert len(rows) == 850
    assert {row.table for row in rows} == set(SCHEMAS)
    assert all(row.source and row.confidence in ("verified", "unverified") for row in rows)
    assert len({row.id for row in rows}) == len(rows)
    assert not any("+" in row.id for row in rows)


def test_shipped_tables_have_no_problem_and_no_two_rows_for_one_fact_on_one_day() -> None:
    assert check_reference(None) == []


def test_month_dates_cover_the_whole_month() -> None:
    row = Reference(load_reference()).by_id(
        next(r.id for r in load_reference() if r.values.get("factor_id") == "shanghai_ets_electricity")
    )
    assert row is not None and row.values["valid_from"] == "2022-02" and row.valid_from == date(2022, 2, 1)
    ends = make_row("grid_factors", {**row.values, "valid_to": "2024-02"})
    assert ends.valid_to == date(2024, 2, 29)
    assert ends.holds_on(date(2024, 2, 29)) and not ends.holds_on(date(2024, 3, 1))


def test_park_row_with_the_same_key_takes_the_place_of_the_shipped_row(tmp_path: Path) -> None:
    folder = write(tmp_path, "grid_factors.csv", GRID, grid_line())
    rows = load_reference(folder)
    assert len(rows) == 850
    row = next(r for r in rows if r.values.get("factor_id") == "grid_avg_guangdong_2022")
    assert (row.value, row.origin, row.line) == (Decimal("0.5"), "reference/grid_factors.csv", 2)
    shipped = next(r for r in load_reference() if r.key == row.key)
    assert shipped.origin == "lujin" and shipped.digest != row.digest and shipped.id != row.id
    assert "reference/grid_factors.csv:2" in describe(row) and "own measurement" in describe(row)


def test_park_row_with_a_new_key_is_added(tmp_path: Path) -> None:
    line = grid_line(factor_id="zhaoqing_2022", region_zh="肇庆")
    rows = load_reference(write(tmp_path, "grid_factors.csv", GRID, line))
    assert len(rows) == 851


def test_a_missing_folder_means_shipped_rows_only(tmp_path: Path) -> None:
    assert load_reference(tmp_path / "reference") == load_reference()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_files_saved_by_excel_are_read_in_any_of_its_encodings(tmp_path: Path, encoding: str) -> None:
    folder = write(tmp_path, "grid_factors.csv", GRID, grid_line(source="公司实测"), encoding=encoding)
    assert any(row.source == "公司实测" for row in load_reference(folder))


def test_columns_may_stand_in_any_order_and_evidence_and_note_may_be_left_out(tmp_path: Path) -> None:
    columns = [c for c in SCHEMAS["grid_factors"].columns if c not in ("evidence", "note")]
    cells = dict(zip(SCHEMAS["grid_factors"].columns, grid_line().split(","), strict=True))
    lines = (",".join(reversed(columns)), ",".join(cells[c] for c in reversed(columns)))
    row = next(r for r in load_reference(write(tmp_path, "grid_factors.csv", *lines)) if r.origin != "lujin")
    assert row == next(
        r
        for r in load_reference(write(tmp_path, "grid_factors.csv", GRID, grid_line()))
        if r.line == 2 and r.origin != "lujin"
    )


@pytest.mark.parametrize(
    ("column", "text", "said", "remedy"),
    [
        ("value", "0,44".replace(",", "，"), "not a number", "decimal point"),
        ("value", "nan", "not a number", "decimal point"),
        ("data_year", "two", "not a number", "decimal point"),
        ("unit", "g/kWh", "not used in this table", "kgCO2/kWh"),
        ("valid_from", "2025/1/1", "not a date", "2025-01-31"),
        ("valid_to", "2025-02-30", "not a date", "2025-01-31"),
        ("valid_to", "2020-01-01", "before valid_from", "last day"),
        ("confidence", "sure", "not known", "verified"),
        ("source", "", "no source", "notice"),
    ],
)
def test_a_bad_cell_is_told_with_file_line_column_and_remedy(
    tmp_path: Path, column: str, text: str, said: str, remedy: str
) -> None:
    folder = write(
        tmp_path, "grid_factors.csv", GRID, grid_line(factor_id="x", region_zh="X"), grid_line(**{column: text})
    )
    problem = only(check_reference(folder))
    assert (problem.file, problem.line, problem.field) == ("reference/grid_factors.csv", 3, column)
    assert said in problem.text() and remedy in problem.text()
    with pytest.raises(InputError):
        load_reference(folder)


def test_all_problems_come_at_once_in_order_of_file_and_line(tmp_path: Path) -> None:
    write(tmp_path, "grid_factors.csv", GRID, grid_line(value="x"), grid_line(value="y", confidence="z"))
    folder = write(tmp_path, "gwp.csv", "gas,formula")
    problems = check_reference(folder)
    assert [(p.file.split("/")[1], p.line) for p in problems[:3]] == [("grid_factors.csv", 2)] + [
        ("grid_factors.csv", 3)
    ] * 2
    assert {p.field for p in problems if p.file.endswith("gwp.csv")} == {
        "assessment",
        "horizon_years",
        "value",
        "unit",
        "valid_from",
        "valid_to",
        "source",
        "confidence",
    }


def test_overlapping_rows_for_one_fact_are_told_at_the_park_row(tmp_path: Path) -> None:
    folder = write(
        tmp_path, "grid_factors.csv", GRID, grid_line(factor_id="mine", valid_from="2025-06", valid_to="2026-06")
    )
    problem = only(check_reference(folder))
    assert (problem.file, problem.line, problem.field) == ("reference/grid_factors.csv", 2, "valid_from")
    assert "grid_avg_guangdong_2022" in problem.text() and "takes the place" in problem.text()


def test_a_shipped_open_row_can_be_ended_and_followed(tmp_path: Path) -> None:
    columns = SCHEMAS["tariffs"].columns
    old = next(
        r for r in load_reference() if r.values.get("item") == "demand_charge" and r.values["region"] == "广东"
    )
    ended = {**old.values, "valid_to": "2026-07-31"}
    follows = {**old.values, "valid_from": "2026-08-01", "value": "40.0"}
    lines = [",".join('"' + values[c] + '"' for c in columns) for values in (ended, follows)]
    rows = load_reference(write(tmp_path, "tariffs.csv", ",".join(columns), *lines))
    assert [r.value for r in rows if r.values.get("item") == "demand_charge" and r.values["region"] == "广东"] == [
        Decimal("36.1"),
        Decimal("40.0"),
    ]


def test_a_grid_row_that_no_purpose_reads_is_a_warning(tmp_path: Path) -> None:
    folder = write(tmp_path, "grid_factors.csv", GRID, grid_line(factor_id="mine", purpose="for us"))
    problem = only(check_reference(folder))
    assert (problem.severity, problem.field, problem.line) == ("warning", "purpose", 2)
    assert len(load_reference(folder)) == 851


def test_a_key_given_twice_in_one_file_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path, "grid_factors.csv", GRID, grid_line(), grid_line(value="0.6"))
    problem = only(check_reference(folder))
    assert problem.line == 3 and "line 2" in problem.text()


def test_unknown_table_names_the_nearest(tmp_path: Path) -> None:
    problem = only(check_reference(write(tmp_path, "grid_factor.csv", GRID)))
    assert problem.file == "reference/grid_factor.csv" and "grid_factors" in problem.text()


def test_a_workbook_beside_the_tables_is_a_warning(tmp_path: Path) -> None:
    problem = only(check_reference(write(tmp_path, "grid_factors.xlsx", "")))
    assert problem.severity == "warning"
    assert load_reference(tmp_path / "reference") == load_reference()


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"\xff\xfe\x00", b'"never closed', codecs.BOM_UTF8, b"a\x00b,c\n1\n"]
)
def test_files_that_are_no_table_are_told(tmp_path: Path, content: bytes) -> None:
    folder = write(tmp_path, "gwp.csv")
    (folder / "gwp.csv").write_bytes(content)
    assert check_reference(folder)


@given(st.text(max_size=200))
def test_any_text_gives_rows_or_problems_never_another_error(text: str) -> None:
    rows, problems = parse_table("grid_factors", GRID + "\n" + text, "x.csv")
    assert all(isinstance(row, Row) for row in rows) and all(p.text() for p in problems)


@pytest.mark.parametrize(
    ("changed", "column"),
    [
        ({"item": "period_clock", "period": "peak", "start": "10:07", "end": "12:00"}, "start"),
        ({"item": "period_clock", "period": "noon", "start": "10:00", "end": "12:00"}, "period"),
        ({"item": "period_clock", "period": "peak", "start": "10:00", "end": "12:00", "months": "13"}, "months"),
        ({"item": "energy_price", "period": "peak", "value": "1", "unit": "fen/kWh"}, "unit"),
        ({"item": "energy_price", "period": "peak", "value": "", "unit": "CNY/kWh"}, "value"),
    ],
)
def test_a_bad_tariff_row_is_told_by_column(changed: dict[str, str], column: str) -> None:
    columns = SCHEMAS["tariffs"].columns
    values = dict.fromkeys(columns, "") | {"region": "江苏", "source": "s", "confidence": "verified"} | changed
    rows, problems = parse_table("tariffs", ",".join(columns) + "\n" + ",".join(values.values()), "t.csv")
    assert only(problems).field == column and rows == []


def test_a_row_without_a_number_says_so_when_asked_for_one() -> None:
    row = next(r for r in load_reference() if r.values.get("item") == "price_zone")
    with pytest.raises(FactorError, match="no number"):
        _ = row.value


def test_digest_depends_on_table_and_values_only() -> None:
    row = load_reference()[0]
    again = make_row(row.table, dict(reversed(list(row.values.items()))), "elsewhere.csv", 99)
    assert (again.digest, again.id) == (row.digest, row.id)
    assert make_row(row.table, {**row.values, "note": "changed"}).digest != row.digest


def test_unverified_rows_are_listed_once() -> None:
    rows = load_reference()
    found = unverified((*rows, *rows))
    assert {row.confidence for row in found} == {"unverified"} and len(found) == len(set(found))
    assert unverified(row for row in rows if row.confidence == "verified") == ()


def test_a_table_is_listed_with_all_columns_and_its_origin() -> None:
    frame = table_frame("gwp", load_reference())
    assert frame.height == 93 and frame.columns[-3:] == ["id", "origin", "line"]
    assert frame["origin"].unique().to_list() == ["lujin"]
