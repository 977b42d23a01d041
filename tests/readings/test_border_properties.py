"""The border as a whole: what is written is read back, and no bytes whatever make it fall."""
# ruff: noqa: DTZ001 - files hold wall-clock times without a zone

from __future__ import annotations

import codecs
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lujin.errors import LujinError
from lujin.readings.mapping import Mapping

ZONE = ZoneInfo("Asia/Shanghai")
QUIET = settings(
    max_examples=70,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
DATES = {
    "ymd": ["%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y年%m月%d日 %H:%M", "%Y-%m-%dT%H:%M:%S+08:00"],
    "dmy": ["%d-%m-%Y %H:%M"],
    "mdy": ["%m/%d/%Y %I:%M %p"],
    "compact": ["%Y%m%d%H%M%S"],
}
METERS = ("M1", "M2", "三号")

quarters = st.integers(0, 4 * 24 * 365)
values = st.floats(-1e9, 1e9, allow_nan=False).map(lambda v: round(v, 3))
readings = st.dictionaries(st.tuples(st.sampled_from(METERS), quarters), values, min_size=1, max_size=25)
written = st.sampled_from([(form, pattern) for form, patterns in DATES.items() for pattern in patterns])


def instant(quarter: int) -> datetime:
    return datetime(2025, 1, 1, tzinfo=ZONE) + timedelta(minutes=15 * quarter)


def number(value: float, decimal: str, grouped: bool) -> str:
    text = f"{value:,.3f}" if grouped else repr(value)
    return text.translate(str.maketrans(",.", ".,")) if decimal == "," else text


def cell(text: str, delimiter: str) -> str:
    return f'"{text}"' if delimiter in text else text


def lines_of(data: dict[tuple[str, int], float], layout: str, pattern: str, delimiter: str, say: Any) -> list[str]:
    if layout == "long":
        rows = [["采集时间", "表号", "电量(kWh)"]]
        rows += [[instant(q).strftime(pattern), m, say(v)] for (m, q), v in data.items()]
    else:
        rows = [["采集时间", *METERS]]
        for q in sorted({q for _, q in data}):
            cells = [say(data[m, q]) if (m, q) in data else "-" for m in METERS]
            rows.append([instant(q).strftime(pattern), *cells])
    return [delimiter.join(cell(c, delimiter) for c in row) for row in rows]


@QUIET
@given(
    data=readings,
    layout=st.sampled_from(["long", "wide"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]),
    delimiter=st.sampled_from([",", ";", "\t", "|", "，"]),
    written=written,
    decimal=st.sampled_from([".", ","]),
    grouped=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n"]),
    block_bytes=st.sampled_from([97, 1 << 20]),
)
def test_readings_come_back_however_they_were_written(
    tmp_path: Path, border: Any, data: dict[tuple[str, int], float], layout: str, encoding: str, delimiter: str,
    written: tuple[str, str], decimal: str, grouped: bool, newline: str, block_bytes: int,
) -> None:  # fmt: skip
    form, pattern = written
    lines = lines_of(data, layout, pattern, delimiter, lambda v: number(v, decimal, grouped))
    path = tmp_path / "any.csv"
    path.write_bytes((newline.join(lines) + newline).encode(encoding))
    columns: dict[str, Any] = {"meter": "表号", "value": "电量(kWh)", "unit": "kWh"}
    if layout == "wide":
        columns = {"layout": "wide", "meters": {m: m for m in METERS}}
    mapping = Mapping(time="采集时间", time_form=form, decimal=decimal, **columns)
    taken = border.take(path, border.park(*map(border.meter, METERS)), mapping=mapping, block_bytes=block_bytes)
    expected = sorted((m, instant(q).astimezone(UTC).strftime("%Y-%m-%d %H:%M"), v) for (m, q), v in data.items())
    assert taken.told() == expected
    assert taken.report.rejected == 0


@QUIET
@given(data=readings, layout=st.sampled_from(["long", "wide"]), written=written)
def test_a_guess_reads_the_same_or_asks(
    tmp_path: Path, border: Any, data: dict[tuple[str, int], float], layout: str, written: tuple[str, str]
) -> None:
    path = tmp_path / "any.csv"
    path.write_text("\n".join(lines_of(data, layout, written[1], ",", repr)), encoding="utf-8")
    try:
        taken = border.take(path, border.park(*map(border.meter, METERS)))
    except LujinError:
        # Day or month, or a column of meters with nothing in it: asked, not guessed.
        assert written[0] in ("dmy", "mdy") or len(data) < 4
        return
    assert taken.told() == sorted(
        (m, instant(q).astimezone(UTC).strftime("%Y-%m-%d %H:%M"), v) for (m, q), v in data.items()
    )


PLAIN = "采集时间,表号,电量(kWh),单位,数据质量\n" + "".join(
    f"2025-06-0{1 + i // 24} {i % 24:02d}:00,M{1 + i % 2},{i}.5,kWh,实测\n" for i in range(48)
)
ODD = st.sampled_from(
    ['"', ",", "\n", "\r", "\x00", "\xa0", "，", "NaN", "inf", "1e999", "-", "'", "=", "\ufeff", "\u2028",
     "9" * 40, ";", "2025-02-30", "24:00", "+08:00", "Z", "\t", "\x1f", "中", "0x", "年"]
)  # fmt: skip


@QUIET
@given(
    edits=st.lists(st.tuples(st.integers(0, len(PLAIN)), st.integers(0, 6), ODD), min_size=1, max_size=8),
    encoding=st.sampled_from(["utf-8", "gb18030", "utf-16"]),
    noise=st.binary(max_size=6),
    guess=st.booleans(),
)
def test_damaged_files_give_a_report_or_an_error_of_ours(
    tmp_path: Path, border: Any, edits: list[tuple[int, int, str]], encoding: str, noise: bytes, guess: bool
) -> None:
    text = PLAIN
    for at, drop, odd in edits:
        text = text[:at] + odd + text[at + drop :]
    data = text.encode(encoding, "replace")
    at = edits[0][0]
    path = tmp_path / "any.csv"
    path.write_bytes(data[:at] + noise + data[at:])
    mapping = None if guess else Mapping(time="采集时间", meter="表号", value="电量(kWh)", unit_column="单位")
    try:
        taken = border.take(path, border.park(border.meter("M1"), border.meter("M2")), mapping=mapping)
    except LujinError as error:
        assert error.problems and all(p.text() for p in error.problems)
        return
    report = taken.report
    settled = report.accepted + report.already_known + report.corrects + report.conflicts
    assert report.read == settled + report.rejected + report.empty
    assert taken.rows["value"].is_finite().all()
    assert taken.rows.null_count().sum_horizontal().sum() == 0
    assert all(p.text() for p in report.rejections)


@QUIET
@given(
    data=st.binary(max_size=300),
    head=st.sampled_from(
        [b"", b"time,meter,value\n2025-01-01 00:00,M1,1\n", codecs.BOM_UTF16_LE, codecs.BOM_UTF8]
    ),
)
def test_any_bytes_give_a_report_or_an_error_of_ours(
    tmp_path: Path, border: Any, data: bytes, head: bytes
) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(head + data)
    try:
        taken = border.take(path, border.park(border.meter("M1")))
    except LujinError:
        return
    assert taken.report.read >= taken.report.accepted


@QUIET
@given(data=st.data())
def test_any_columnar_file_gives_a_report_or_an_error_of_ours(tmp_path: Path, border: Any, data: Any) -> None:
    columns: list[pl.Series] = [
        pl.Series([1, None]), pl.Series([45_000, 2], dtype=pl.UInt32), pl.Series([1.5, float("inf")]),
        pl.Series(["M1", "2025-01-01"]), pl.Series([True, None]), pl.Series([date(2025, 1, 1), None]),
        pl.Series([time(1, 2), None]), pl.Series([datetime(2025, 1, 1), datetime(1, 1, 1)]),
        pl.Series([datetime(2025, 1, 1, tzinfo=UTC), None], dtype=pl.Datetime("ns", "UTC")),
        pl.Series([timedelta(1), None]), pl.Series([b"x", None]), pl.Series([[1], []]), pl.Series([None, None]),
        pl.Series(["M1", None], dtype=pl.Categorical), pl.Series([Decimal("1.5"), None]),
        pl.Series([2**62, -(2**62)]),
    ]  # fmt: skip
    names = ("time", "meter", "value", "M1")
    frame = pl.DataFrame({n: data.draw(st.sampled_from(columns)) for n in names})
    frame.write_parquet(tmp_path / "any.parquet")
    mapping = data.draw(
        st.sampled_from(
            [
                Mapping(time="time", meter="meter", value="value"),
                Mapping(layout="wide", time="time", meters={"M1": "M1", "value": "M1"}),
                Mapping(
                    date="time", time="value", meter="meter", value="M1", quality="meter", unit_column="value"
                ),
            ]
        )
    )
    try:
        taken = border.take(tmp_path / "any.parquet", border.park(border.meter("M1")), mapping=mapping)
    except LujinError:
        return
    assert taken.rows["value"].is_finite().all()
    assert taken.rows.null_count().sum_horizontal().sum() == 0
