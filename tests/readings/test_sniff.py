"""What a file is, whatever its name says."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lujin.errors import InputError, LujinError
from lujin.readings.sniff import sniff

CHINESE = (
    "导出时间：2025-07-01 08:00\n\n采集时间,表号,电量(kWh)\n2025-06-01 00:15,M1,1.5\n2025-06-01 00:30,M1,2.5\n"
)
HEADER = ("采集时间", "表号", "电量(kWh)")


def written(path: Path, data: str | bytes, encoding: str = "utf-8") -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "，"])
def test_encoding_delimiter_and_header_below_title_lines_are_found(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    path = written(tmp_path / "export.csv", CHINESE.replace(",", delimiter), encoding)
    shape = sniff(path)
    assert (shape.encoding, shape.delimiter) == (encoding, delimiter)
    assert shape.columns == HEADER
    assert shape.skip == 3


def test_a_gzipped_file_is_read_as_what_it_holds(tmp_path: Path) -> None:
    shape = sniff(written(tmp_path / "export.csv.gz", gzip.compress(CHINESE.encode("gb18030"))))
    assert (shape.compression, shape.encoding, shape.columns) == ("gzip", "gb18030", HEADER)


def test_the_fingerprint_knows_the_header_not_the_encoding(tmp_path: Path) -> None:
    one = sniff(written(tmp_path / "a.csv", CHINESE))
    other = sniff(written(tmp_path / "b.txt", CHINESE.replace(",", "\t"), "gb18030"))
    third = sniff(written(tmp_path / "c.csv", CHINESE.replace("电量", "功率")))
    assert one.fingerprint == other.fingerprint != third.fingerprint


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        ("t;v\n2025-01-01 00:00;1,5\n2025-01-01 00:15;12\n", ","),
        ("t;v\n2025-01-01 00:00;1.234,5\n2025-01-01 00:15;1\n", ","),
        ('t,v\n2025-01-01 00:00,"1,702.85"\n2025-01-01 00:15,"1,234"\n', "."),
        ("t;v\n2025-01-01 00:00;1,234\n2025-01-01 00:15;2,345\n", "?"),
    ],
)
def test_decimal_comma_and_thousands_are_told_apart(tmp_path: Path, text: str, decimal: str) -> None:
    assert sniff(written(tmp_path / "a.csv", text)).decimal == decimal


def test_a_header_with_line_break_in_quotes_is_one_header(tmp_path: Path) -> None:
    shape = sniff(written(tmp_path / "a.csv", '时间,"电量\n(kWh)"\n2025-01-01 00:00,1\n2025-01-01 00:15,2\n'))
    assert (shape.columns, shape.skip) == (("时间", "电量 (kWh)"), 2)


def test_headers_are_made_unique_and_named(tmp_path: Path) -> None:
    shape = sniff(written(tmp_path / "a.csv", "时间,电量,电量,\n2025-01-01,1,2,3\n2025-01-02,1,2,3\n"))
    assert shape.columns == ("时间", "电量", "电量 (2)", "column 4")


def test_a_file_without_header_gets_numbered_columns(tmp_path: Path) -> None:
    shape = sniff(written(tmp_path / "a.csv", "2025-01-01 00:00,M1,1\n2025-01-01 00:15,M1,2\n"))
    assert (shape.skip, shape.columns) == (0, ("column 1", "column 2", "column 3"))


def test_a_header_without_rows_is_still_a_header(tmp_path: Path) -> None:
    assert sniff(written(tmp_path / "a.csv", "时间,表号,电量\n")).columns == ("时间", "表号", "电量")


def test_merged_header_cells_of_a_workbook_are_joined(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["六月电量报表"])
    sheet.append(["时间", "一号厂房", None, "二号厂房"])
    sheet.append([None, "有功", "无功", "有功"])
    sheet.append(["2025-06-01 00:15", 1, 2, 3])
    sheet.append(["2025-06-01 00:30", 1, 2, 3])
    sheet.merge_cells("A1:D1")
    sheet.merge_cells("A2:A3")
    sheet.merge_cells("B2:C2")
    book.save(tmp_path / "a.xlsx")
    shape = sniff(tmp_path / "a.xlsx")
    assert shape.columns == ("时间", "一号厂房 有功", "一号厂房 无功", "二号厂房 有功")
    assert shape.skip == 3


def test_a_workbook_with_several_filled_sheets_asks_which(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for sheet in (book.active, book.create_sheet("二月")):
        sheet.append(["时间", "M1"])
        sheet.append(["2025-01-01 00:00", 1])
    book.create_sheet("空")
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(InputError, match="2 sheets"):
        sniff(tmp_path / "a.xlsx")
    assert sniff(tmp_path / "a.xlsx", sheet="二月").sheet == "二月"
    with pytest.raises(InputError, match="no sheet 三月"):
        sniff(tmp_path / "a.xlsx", sheet="三月")


def test_parquet_and_arrow_are_told_by_their_bytes(tmp_path: Path) -> None:
    frame = pl.DataFrame({"time": ["2025-01-01"], "M1": [1.0]})
    frame.write_parquet(tmp_path / "a.csv")
    frame.write_ipc(tmp_path / "b.csv")
    assert [sniff(tmp_path / n).format for n in ("a.csv", "b.csv")] == ["parquet", "arrow"]
    assert sniff(tmp_path / "a.csv").columns == ("time", "M1")


def zip_of(path: Path, **parts: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def test_a_workbook_that_unpacks_beyond_the_limit_is_refused_unopened(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "bomb.xlsx", sheet=b"0" * 3_000_000)
    assert path.stat().st_size < 10_000
    with pytest.raises(InputError, match="unpacks to 3000000 bytes"):
        sniff(path, limit_bytes=1_000_000)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"\n\n", "delimiter"),
        (bytes(range(256)) * 4, "not a table"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "web page"),
        (b"PK\x03\x04 no zip at all", "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "damaged, encrypted"),
        (b"PAR1 nothing PAR1", "damaged"),
        (b"ARROW1 nothing", "damaged"),
        (b"\x1f\x8b nothing", "damaged"),
        (gzip.compress(b"a,b\n1,2\n" * 9_999, mtime=0)[:40], "damaged"),
        (b"one column\n1\n2\n", "delimiter"),
    ],
)
def test_what_is_no_table_is_refused_with_a_remedy(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        sniff(written(tmp_path / "a.xlsx", data))
    assert caught.value.problems[0].remedy


def test_directories_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="directory"):
        sniff(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        sniff(tmp_path / "none.csv")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.one_of(
        st.binary(max_size=400),
        st.builds(
            bytes.__add__,
            st.sampled_from(
                [b"PK\x03\x04", b"PAR1", b"ARROW1\0\0", b"\x1f\x8b", b"\xff\xfe", b"\xd0\xcf\x11\xe0"]
            ),
            st.binary(max_size=200),
        ),
        st.text(max_size=300).map(lambda s: s.encode("utf-8", "replace")),
    )
)
def test_any_bytes_give_a_shape_or_an_error_of_ours(tmp_path: Path, data: bytes) -> None:
    try:
        shape = sniff(written(tmp_path / "any.bin", data))
    except LujinError:
        return
    assert shape.columns
