"""Times and numbers as exports write them."""
# ruff: noqa: DTZ001 - files hold wall-clock times without a zone

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.readings.numbers import NULLS, parse_numbers
from lujin.readings.times import parse_times, reads, written_as


def local(text: str, form: str, midnight: str = "start_of_day") -> str | None:
    frame = parse_times(pl.Series([text]), form, midnight)
    at = frame["local"][0]
    return None if at is None else at.strftime("%Y-%m-%d %H:%M:%S")


def instant(text: str, form: str = "ymd") -> str | None:
    at = parse_times(pl.Series([text]), form)["instant"][0]
    return None if at is None else at.strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2025-01-05 00:15:00", "ymd"), ("2025-01-05T00:15", "ymd"), ("2025/1/5 0:15", "ymd"),
        ("2025.01.05 00:15", "ymd"), ("2025年1月5日 0:15", "ymd"), ("2025年1月5日0时15分", "ymd"),
        ("2025年01月05日 00时15分00秒", "ymd"), ("2025-1-5 上午 12:15", "ymd"), ("2025/1/5 12:15 AM", "ymd"),
        ("２０２５-01-05 00：15", "ymd"), (" 2025-01-05 00:15\t", "ymd"), ('="2025-01-05 00:15"', "ymd"),
        ("05-01-2025 00:15", "dmy"), ("5.1.2025 0:15", "dmy"), ("1/5/2025 0:15", "mdy"),
        ("1/5/2025 12:15:00 AM", "mdy"), ("20250105001500", "compact"), ("202501050015", "compact"),
        ("20250105 0015", "compact"), ("45662.010416667", "excel"),
    ],
)  # fmt: skip
def test_every_way_of_writing_a_quarter_past_midnight(text: str, form: str) -> None:
    assert local(text, form) == "2025-01-05 00:15:00"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2025-01-05T00:15:00Z", "ymd"), ("2025-01-05 08:15:00+08:00", "ymd"), ("2025-01-05 08:15+0800", "ymd"),
        ("2025-01-04 19:15:00-05", "ymd"), ("1736036100", "epoch_s"), ("1736036100000", "epoch_ms"),
        ("20250105081500+0800", "compact"),
    ],
)  # fmt: skip
def test_offsets_and_epochs_are_instants(text: str, form: str) -> None:
    assert instant(text, form) == "2025-01-05 00:15:00"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2025-02-30 00:00", "ymd"), ("2025-13-01", "ymd"), ("2025-01-05 24:15", "ymd"), ("合计", "ymd"),
        ("2025-01-05 00:61", "ymd"), ("13/13/2025", "mdy"), ("2025-01-05 13:00 PM", "ymd"), ("1e300", "excel"),
        ("nan", "epoch_s"), ("-2025-01-05 00:15", "ymd"), ("2025-01-05 00:00+99:00", "ymd"), ("", "ymd"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_null_and_never_an_exception(text: str, form: str) -> None:
    assert (local(text, form), instant(text, form)) == (None, None)


def test_midnight_may_close_the_day_it_is_dated() -> None:
    assert local("05-01-2025 00:00", "dmy", "end_of_day") == "2025-01-06 00:00:00"
    assert local("2025-01-05", "ymd", "end_of_day") == "2025-01-06 00:00:00"
    assert local("05-01-2025 23:45", "dmy", "end_of_day") == "2025-01-05 23:45:00"


@pytest.mark.parametrize("midnight", ["start_of_day", "end_of_day"])
def test_24_00_is_the_next_midnight_whatever_00_00_means(midnight: str) -> None:
    assert local("2025-01-05 24:00", "ymd", midnight) == "2025-01-06 00:00:00"


def test_an_odd_row_among_plain_ones_is_read_all_the_same() -> None:
    texts = ["2025/1/5 0:15", "2025/1/5", "2025年1月6日", "2025-01-05 24:00", "x", None, "2025/1/5 0:15:30"]
    days = [t and t.strftime("%d %H:%M:%S") for t in parse_times(pl.Series(texts), "ymd")["local"]]
    assert days == ["05 00:15:00", "05 00:00:00", "06 00:00:00", "06 00:00:00", None, None, "05 00:15:30"]


@settings(max_examples=60, deadline=None)
@given(
    times=st.lists(
        st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 31)).map(lambda t: t.replace(microsecond=0)),
        min_size=1, max_size=20,
    ),
    written=st.sampled_from(
        [
            ("ymd", "%Y-%m-%d %H:%M:%S"), ("ymd", "%Y/%m/%d %H:%M:%S"), ("ymd", "%Y年%m月%d日 %H时%M分%S秒"),
            ("dmy", "%d-%m-%Y %H:%M:%S"), ("mdy", "%m/%d/%Y %I:%M:%S %p"), ("compact", "%Y%m%d%H%M%S"),
        ]
    ),
)  # fmt: skip
def test_the_quick_way_and_the_long_way_agree(times: list[datetime], written: tuple[str, str]) -> None:
    form, pattern = written
    texts = [t.strftime(pattern) for t in times]
    assert parse_times(pl.Series(texts), form)["local"].to_list() == times
    # A first value that no pattern reads sends the whole column the long way.
    assert parse_times(pl.Series(["？", *texts]), form)["local"].to_list() == [None, *times]
    assert all(reads(text, form) for text in texts)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(max_size=25), max_size=8))
def test_any_text_is_a_time_or_null(texts: list[str]) -> None:
    for form in ("ymd", "dmy", "mdy", "compact", "month", "excel", "epoch_s", "epoch_ms"):
        assert len(parse_times(pl.Series(texts, dtype=pl.String), form)) == len(texts)
        assert all(isinstance(reads(text, form), bool) for text in texts)


def test_a_month_is_its_first_day() -> None:
    assert {local(t, "month") for t in ("2025-06", "202506", "2025年6月", "2025/6")} == {"2025-06-01 00:00:00"}


def test_serial_days_are_rounded_to_the_second() -> None:
    quarter_hours = [datetime(2025, 1, 5) + timedelta(minutes=15 * i) for i in range(96)]
    serial = [str(round(45_662 + i / 96, 9)) for i in range(96)]
    assert parse_times(pl.Series(serial), "excel")["local"].to_list() == quarter_hours


def test_a_pattern_is_only_given_for_what_it_reads() -> None:
    assert written_as("2025-01-05 0:15 PM", "ymd") is None
    assert written_as("202501050015", "compact") is None  # strptime would take two digits of the year


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1702.85", ".", 1702.85), ("1,702.85", ".", 1702.85), ("-1,234", ".", -1234.0), ("1 234.5", ".", 1234.5),
        (" 3 ", ".", 3.0), ("１２", ".", 12.0), ("+5", ".", 5.0), ("1e3", ".", 1000.0), ('="7"', ".", 7.0),
        ("1.702,85", ",", 1702.85), ("1,5", ",", 1.5), ("1.234", ",", 1234.0), ("12", ",", 12.0),
    ],
)  # fmt: skip
def test_numbers_as_written(text: str, decimal: str, value: float) -> None:
    assert parse_numbers(pl.Series([text]), decimal, NULLS).row(0) == (value, False)


@pytest.mark.parametrize("mark", ["-", "—", "", "NULL", "NaN", "无", "#N/A", " ", "n/a"])
def test_marks_for_none_are_missing_not_wrong_and_not_zero(mark: str) -> None:
    assert parse_numbers(pl.Series([mark]), ".", NULLS).row(0) == (None, False)
    assert parse_numbers(pl.Series([mark]), ",", NULLS).row(0) == (None, False)


@pytest.mark.parametrize(
    ("text", "decimal"), [("1,70", "."), ("1.702,85", "."), ("x", "."), ("1,702.85", ","), ("0x1", ".")]
)
def test_what_is_no_number_fails(text: str, decimal: str) -> None:
    assert parse_numbers(pl.Series([text]), decimal, NULLS).row(0) == (None, True)


def test_sentinels_are_missing_where_the_mapping_names_them() -> None:
    parsed = parse_numbers(pl.Series(["-99", "-99.0", "99"]), ".", [*NULLS, "-99"])
    assert parsed["value"].to_list() == [None, None, 99.0]
    assert not parsed["failed"].any()
