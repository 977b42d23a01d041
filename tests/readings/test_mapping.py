"""Guessing which column is which, saying why, and keeping the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lujin.errors import LujinError, MappingError
from lujin.readings.guess import Guess, guess_mapping
from lujin.readings.mapping import FILE, Mapping, dumps, load, loads, require, save, saved_for
from lujin.readings.sniff import sniff
from lujin.readings.source import sample

NAMES = {"M1": "M1", "M2": "M2", "一号进线": "M1"}


def guessed(path: Path, text: str, names: dict[str, str] = NAMES) -> Guess:
    path.write_text(text, encoding="utf-8")
    shape = sniff(path)
    return guess_mapping(shape, sample(path, shape), names)


def chosen(guess: Guess) -> dict[str, Any]:
    names = ("layout", "date", "time", "meter", "value", "unit", "unit_column", "quality", "time_form", "stamp")
    return {n: getattr(guess.mapping, n) for n in names if getattr(guess.mapping, n)}


def test_a_chinese_long_export_is_understood_with_reasons(tmp_path: Path) -> None:
    guess = guessed(
        tmp_path / "a.csv",
        "序号,电表编号,表名,采集时间,正向有功总(kWh),反向有功总(kWh),数据状态\n"
        "1,M1,一号进线,2025-06-01 00:15,10.5,0,正常\n2,M2,x,2025-06-01 00:15,11.5,0,估算\n",
    )
    assert chosen(guess) == {
        "layout": "long", "time": "采集时间", "meter": "电表编号", "value": "正向有功总(kWh)", "unit": "kWh",
        "quality": "数据状态", "time_form": "ymd",
    }  # fmt: skip
    assert [c.role for c in guess.columns] == [
        "ignored",
        "meter",
        "ignored",
        "time",
        "value",
        "ignored",
        "quality",
    ]
    assert all(0 < c.confidence <= 1 and c.text() for c in guess.columns)


def test_an_english_export_with_unit_column(tmp_path: Path) -> None:
    guess = guessed(tmp_path / "a.csv", "meter_id,timestamp,value,unit\nM1,2025-06-01T00:15:00Z,1,kWh\n")
    assert chosen(guess) == {
        "layout": "long", "time": "timestamp", "meter": "meter_id", "value": "value", "unit_column": "unit",
        "time_form": "ymd",
    }  # fmt: skip


def test_date_and_time_of_day_in_two_columns(tmp_path: Path) -> None:
    guess = guessed(tmp_path / "a.csv", "日期,时间,表号,电量\n2025-06-01,00:15,M1,1\n2025-06-01,00:30,M1,2\n")
    assert (guess.mapping.date, guess.mapping.time) == ("日期", "时间")


def test_headers_that_name_meters_make_a_wide_file(tmp_path: Path) -> None:
    guess = guessed(tmp_path / "a.csv", "时间,一号进线(kWh),M2,气温,X9\n2025-06-01 00:00,1,2,30.5,4\n")
    assert guess.mapping.layout == "wide"
    assert guess.mapping.meters == {"一号进线(kWh)": "一号进线", "M2": "M2"}
    assert guess.mapping.units == {"一号进线(kWh)": "kWh"}
    assert guess.ignored == ("气温", "X9")


def test_columns_by_time_of_day_make_a_days_file(tmp_path: Path) -> None:
    clock = ",".join(f"{m // 60:02d}:{m % 60:02d}" for m in range(15, 1441, 15))
    guess = guessed(tmp_path / "a.csv", f"表号,日期,{clock}\nM1,2025-06-01,{','.join(['1'] * 96)}\n")
    assert chosen(guess) == {"layout": "days", "date": "日期", "meter": "表号", "time_form": "ymd"}


def test_a_file_named_after_a_meter_needs_no_meter_column(tmp_path: Path) -> None:
    guess = guessed(tmp_path / "2025-06 M2 export.csv", "时间,电量\n2025-06-01 00:00,1\n2025-06-01 00:15,2\n")
    assert guess.mapping.meters == {"电量": FILE}


def test_day_and_month_are_told_by_a_day_after_the_twelfth(tmp_path: Path) -> None:
    rows = "".join(f"{day:02d}/06/2025 00:00,M1,1\n" for day in range(1, 29))
    assert guessed(tmp_path / "a.csv", "time,meter,value\n" + rows).mapping.time_form == "dmy"


def test_day_and_month_are_told_by_even_steps(tmp_path: Path) -> None:
    rows = "".join(f"6/{day}/2025 {hour}:00,M1,1\n" for day in range(1, 6) for hour in range(24))
    assert guessed(tmp_path / "a.csv", "time,meter,value\n" + rows).mapping.time_form == "mdy"


def test_day_and_month_that_nothing_tells_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="day/month or month/day") as caught:
        guessed(tmp_path / "a.csv", "time,meter,value\n3/3/2025 0:00,M1,1\n4/4/2025 0:00,M1,1\n")
    assert caught.value.problems[0].field == "time_form"


def test_readings_on_the_first_of_each_month_do_not_tell_day_from_month(tmp_path: Path) -> None:
    rows = "".join(f"01/{month:02d}/2025 00:00,M1,1\n" for month in range(1, 13))
    with pytest.raises(MappingError, match="day/month or month/day"):
        guessed(tmp_path / "a.csv", "time,meter,value\n" + rows)


def test_midnight_that_closes_its_day_is_noticed(tmp_path: Path) -> None:
    labels = [f"{day:02d}-01-2025 {h:02d}:00" for day in range(13, 17) for h in [*range(1, 24), 0]]
    guess = guessed(tmp_path / "a.csv", "time,meter,value\n" + "".join(f"{t},M1,1\n" for t in labels))
    assert (guess.mapping.midnight, guess.mapping.stamp, guess.mapping.time_form) == ("end_of_day", "end", "dmy")


def test_a_plain_day_does_not_look_like_it(tmp_path: Path) -> None:
    labels = [f"2025-01-{day:02d} {h:02d}:00" for day in range(13, 17) for h in range(24)]
    guess = guessed(tmp_path / "a.csv", "time,meter,value\n" + "".join(f"{t},M1,1\n" for t in labels))
    assert (guess.mapping.midnight, guess.mapping.order) == ("start_of_day", "ascending")


def test_a_file_from_new_to_old_is_noticed(tmp_path: Path) -> None:
    labels = [f"2025-01-13 {h:02d}:00" for h in range(23, -1, -1)]
    guess = guessed(tmp_path / "a.csv", "time,meter,value\n" + "".join(f"{t},M1,1\n" for t in labels))
    assert guess.mapping.order == "descending"


@pytest.mark.parametrize(("header", "stamp"), [("结束时间", "end"), ("开始时间", "start"), ("时间", "")])
def test_a_header_may_say_which_end_a_time_marks(tmp_path: Path, header: str, stamp: str) -> None:
    guess = guessed(tmp_path / "a.csv", f"{header},表号,电量\n2025-06-01 00:15,M1,1\n")
    assert guess.mapping.stamp == stamp


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("表号,电量\nM1,1\nM2,2\n", "time"),
        ("时间,电量\n2025-06-01 00:00,1\n2025-06-01 00:15,1\n", "meter"),
        ("时间,表号,备注\n2025-06-01 00:00,M1,x\n2025-06-01 00:15,M1,y\n", "value"),
        ("时间,表号,A,B\n2025-06-01 00:00,M1,1,2\n2025-06-01 00:15,M1,1,2\n", "value"),
        ("时间,表号,电量,功率\n2025-06-01 00:00,M1,1,2\n2025-06-01 00:15,M1,1,2\n", "value"),
        ("时间;表号;电量\n2025-06-01 00:00;M1;1,234\n2025-06-01 00:15;M1;2,345\n", "decimal"),
        ("时间,M1,M1(kWh)\n2025-06-01 00:00,1,2\n2025-06-01 00:15,1,2\n", "meters"),
    ],
)
def test_what_is_ambiguous_is_asked_not_guessed(tmp_path: Path, text: str, field: str) -> None:
    with pytest.raises(MappingError) as caught:
        guessed(tmp_path / "export.csv", text)
    assert field in {p.field for p in caught.value.problems}
    assert all(p.remedy for p in caught.value.problems)


def test_unknown_meters_leave_the_column_named_but_doubtful(tmp_path: Path) -> None:
    guess = guessed(tmp_path / "a.csv", "时间,表号,电量\n2025-06-01 00:00,Z7,1\n2025-06-01 00:15,Z8,1\n")
    assert guess.mapping.meter == "表号"
    assert next(c for c in guess.columns if c.role == "meter").confidence < 0.5


def test_saved_mappings_come_back_equal_and_are_found_by_header(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    mapping = guessed(path, "时间,一号进线(kWh),M2\n2025-06-01 00:00,1,2\n").mapping
    named = Mapping(**{**{n: getattr(mapping, n) for n in Mapping.__slots__}, "name": "monthly"})
    save(named, tmp_path / "mappings")
    assert load(tmp_path / "mappings" / "monthly.toml") == named
    assert saved_for(sniff(path), tmp_path / "mappings") == named
    path.write_text("时间,M1\n2025-06-01 00:00,1\n", encoding="utf-8")
    assert saved_for(sniff(path), tmp_path / "mappings") is None


def test_two_saved_mappings_for_one_header_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    mapping = guessed(path, "时间,M1,M2\n2025-06-01 00:00,1,2\n").mapping
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(dumps(mapping), encoding="utf-8")
    with pytest.raises(MappingError, match="one, two"):
        saved_for(sniff(path), tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time = ", "not valid TOML"),
        ("tiem = 'x'", "tiem is not a key"),
        ("time = 3", "time is not a key of a mapping, or not of the right kind"),
        ("time_form = 'yy'", "yy is not a value of time_form"),
        ("timezone = 'Asia/Nowhere'", "timezone"),
        ("[quality_words]\nx = 'fine'", "fine is not a value"),
    ],
)
def test_mappings_with_mistakes_say_where(text: str, said: str) -> None:
    with pytest.raises(MappingError, match=said):
        loads(text, "m")


def test_a_mapping_for_other_columns_lists_them_all(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(LujinError) as caught:
        require(Mapping(time="时间", meter="表号", value="b"), sniff(tmp_path / "a.csv"))
    assert [p.field for p in caught.value.problems] == ["time", "meter"]
