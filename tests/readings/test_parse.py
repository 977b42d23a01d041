"""Rows become readings; what fails is set aside with its row and reason, and holds up nothing else."""
# ruff: noqa: DTZ001 - files hold wall-clock times without a zone

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import polars as pl
import pytest

from lujin.errors import InputError, MappingError
from lujin.readings.mapping import Mapping

HEAD = "time,meter,value\n"


def put(tmp_path: Path, text: str, name: str = "a.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def long(**how: Any) -> Mapping:
    return Mapping(**{"time": "time", "meter": "meter", "value": "value", **how})


def reasons(taken: Any) -> list[tuple[int, str, str]]:
    return taken.rejected.select("row", "reason", "value").rows()  # type: ignore[no-any-return]


def test_local_time_becomes_utc(tmp_path: Path, border: Any) -> None:
    path = put(tmp_path, HEAD + "2025-06-01 00:15,M1,1.5\n2025-06-01 00:30,M1,2\n")
    taken = border.take(path, border.park(border.meter("M1")))
    assert taken.told() == [("M1", "2025-05-31 16:15", 1.5), ("M1", "2025-05-31 16:30", 2.0)]
    assert taken.rows.schema == {
        "meter": pl.Int32, "time": pl.Datetime("us", "UTC"), "value": pl.Float64, "quality": pl.Int8,
        "row": pl.Int32,
    }  # fmt: skip


def test_each_meter_has_its_own_zone_unless_the_mapping_states_one(tmp_path: Path, border: Any) -> None:
    park = border.park(border.meter("M1"), border.meter("M2", timezone="Europe/Berlin"))
    path = put(tmp_path, HEAD + "2025-06-01 00:15,M2,1\n2025-06-01 00:15,M1,1\n")
    assert border.take(path, park).told() == [("M1", "2025-05-31 16:15", 1.0), ("M2", "2025-05-31 22:15", 1.0)]
    utc = border.take(path, park, mapping=long(timezone="UTC")).told()
    assert utc == [("M1", "2025-06-01 00:15", 1.0), ("M2", "2025-06-01 00:15", 1.0)]


def test_every_broken_row_is_named_and_the_rest_goes_on(tmp_path: Path, border: Any) -> None:
    park = border.park(
        border.meter("M1", valid_from=datetime(2025, 1, 1, tzinfo=UTC)),
        border.meter("V", kind="virtual", flow="", terms={"M1": Decimal(1)}),
    )
    path = put(
        tmp_path,
        HEAD + "2025-06-01 00:00,M1,1\n"  # 1
        "2025-06-01 00:15,M9,2\n"
        "2025-06-01 00:30,M1,abc\n"
        "yesterday,M1,4\n"
        "2025-06-01 01:00,M1,inf\n"  # 5
        "0025-06-01 01:15,M1,6\n"
        "2025-06-01 01:30,V,7\n"
        "2024-06-01 01:45,M1,8\n"
        "2025-06-01 02:00,,9\n"
        "2025-06-01 02:15,M1\n"  # 10
        "2025-06-01 02:30,M1,11,12\n"
        "\n"
        "2025-06-01 03:00,M1,—\n"
        '2025-06-01 03:15,"M1,14\n'
        "2025-06-01 03:30,M1,1e20\n"  # 15
        "2025-06-01 03:45,M1,\n"
        "2025-06-01 04:00,M1,17\n",
    )
    taken = border.take(path, park, mapping=long())
    assert reasons(taken) == [
        (2, "unknown_meter", "M9"), (3, "not_a_number", "abc"), (4, "not_a_time", "yesterday"),
        (5, "not_finite", "inf"), (6, "absurd_year", "0025-06-01 01:15"), (7, "virtual_meter", "V"),
        (8, "outside_validity", "2024-06-01 01:45"), (9, "meter_missing", None), (10, "short_row", None),
        (11, "long_row", "11"), (14, "broken_quotes", None), (15, "too_large", "1e20"),
    ]  # fmt: skip
    assert taken.rows["row"].to_list() == [1, 17]
    report = taken.report
    assert (report.read, report.accepted, report.rejected, report.empty) == (16, 2, 12, 2)
    assert taken.rejected.filter(pl.col("row") == 3)["raw"].item() == "2025-06-01 00:30,M1,abc"
    assert report.rejections[1].line == 4  # the header is line 1
    assert all(p.text() and p.remedy for p in report.rejections)


def test_three_broken_rows_among_many_cost_three_rows(tmp_path: Path, border: Any) -> None:
    count = 60_000
    start = datetime(2025, 1, 1)
    lines = [f"{start + timedelta(minutes=i)},M1,{i}" for i in range(count)]
    lines[7], lines[30_000], lines[-1] = "x,M1,1", lines[30_000] + "kWh", lines[-1].replace("M1", "M7")
    taken = border.take(
        put(tmp_path, HEAD + "\n".join(lines)), border.park(border.meter("M1")), block_bytes=200_000
    )
    assert [r[:2] for r in reasons(taken)] == [
        (8, "not_a_time"),
        (30_001, "not_a_number"),
        (count, "unknown_meter"),
    ]
    assert taken.report.accepted == count - 3


def test_unknown_meters_are_told_their_likely_name(tmp_path: Path, border: Any) -> None:
    path = put(tmp_path, HEAD + "2025-06-01 00:00,PLANT_01,1\n2025-06-01 00:00,PLANT-O1,1\n")
    taken = border.take(path, border.park(border.meter("PLANT_01")), mapping=long())
    assert "did you mean PLANT_01?" in taken.report.rejections[0].text()


def test_thousands_of_foreign_names_are_refused_quickly(tmp_path: Path, border: Any) -> None:
    lines = "".join(f"2025-06-01 00:00,Z{i},1\n" for i in range(5_000))
    taken = border.take(put(tmp_path, HEAD + lines), border.park(border.meter("M1")), mapping=long())
    assert taken.report.reasons == {"unknown_meter": 5_000}
    assert len(taken.report.rejections) == 100


# Meters and units


def test_spreadsheet_marks_around_a_meter_number_are_not_part_of_it(tmp_path: Path, border: Any) -> None:
    path = put(
        tmp_path, HEAD + '2025-06-01 00:00,="00123",1\n2025-06-01 00:15,\'00123,2\n2025-06-01 00:30,00123\t,3\n'
    )
    taken = border.take(path, border.park(border.meter("00123")), mapping=long())
    assert taken.rows["value"].to_list() == [1.0, 2.0, 3.0]


def test_an_alias_means_the_device_in_service(tmp_path: Path, border: Any) -> None:
    swap = datetime(2025, 6, 15, tzinfo=UTC)
    park = border.park(
        border.meter("OLD", kind="register", valid_to=swap, alias=("一号进线",)),
        border.meter("NEW", kind="register", valid_from=swap, replaces="OLD"),
        timezone="UTC",
    )
    rows = (
        "2025-06-14 00:00,一号进线,900\n2025-06-15 00:00,一号进线,0\n"
        "2025-06-16 00:00,一号进线,5\n2025-06-16 00:00,OLD,6\n"
    )
    taken = border.take(put(tmp_path, HEAD + rows), park, mapping=long())
    assert taken.told() == [
        ("NEW", "2025-06-15 00:00", 0.0), ("NEW", "2025-06-16 00:00", 5.0), ("OLD", "2025-06-14 00:00", 900.0),
    ]  # fmt: skip
    assert reasons(taken) == [(4, "outside_validity", "2025-06-16 00:00")]


def test_the_last_reading_of_a_register_may_fall_on_its_removal(tmp_path: Path, border: Any) -> None:
    swap = datetime(2025, 6, 15, tzinfo=UTC)
    meters = [border.meter("R", kind="register", valid_to=swap), border.meter("I", valid_to=swap)]
    path = put(tmp_path, HEAD + "2025-06-15 00:00,R,1\n2025-06-15 00:00,I,1\n")
    taken = border.take(path, border.park(*meters, timezone="UTC"), mapping=long())
    assert [m for m, _, _ in taken.told()] == ["R"]


def test_units_of_the_same_dimension_are_converted_exactly(tmp_path: Path, border: Any) -> None:
    park = border.park(border.meter("M1"), border.meter("P1", kind="power", unit="MW"))
    path = put(
        tmp_path,
        "time,meter,value,unit\n2025-06-01 00:00,M1,1.1,MWh\n2025-06-01 00:15,M1,7,度\n2025-06-01 00:30,M1,9,kW\n"
        "2025-06-01 00:45,M1,9,t\n2025-06-01 00:00,P1,1702.85,kW\n2025-06-01 01:00,M1,3,\n",
    )
    taken = border.take(path, park, mapping=long(unit_column="unit"))
    assert [v for _, _, v in taken.told()] == [1100.0, 7.0, 3.0, 1.70285]
    assert reasons(taken) == [(3, "unit_not_fitting", "kW"), (4, "unit_not_fitting", "t")]
    assert taken.rejected["hint"].to_list() == ["kW → kWh", "t → kWh"]


def test_steam_by_mass_is_heat_only_with_the_enthalpy_of_its_meter(tmp_path: Path, border: Any) -> None:
    park = border.park(
        border.meter("S1", flow="steam", unit="GJ", enthalpy_kj_per_kg=Decimal(2700)),
        border.meter("S2", flow="steam", unit="GJ"),
    )
    path = put(tmp_path, HEAD + "2025-06-01 00:00,S1,10\n2025-06-01 00:00,S2,10\n")
    taken = border.take(path, park, mapping=long(unit="t"))
    assert taken.told() == [("S1", "2025-05-31 16:00", 27.0)]
    assert reasons(taken) == [(2, "unit_not_fitting", "t")]


def test_quality_words_are_kept_as_codes_and_unknown_ones_refused(tmp_path: Path, border: Any) -> None:
    rows = [("实测", 0), ("Estimated", 1), ("手工", 2), ("", 0)]
    text = "time,meter,value,q\n" + "".join(f"2025-06-01 0{i}:00,M1,1,{w}\n" for i, (w, _) in enumerate(rows))
    taken = border.take(
        put(tmp_path, text + "2025-06-01 09:00,M1,1,?\n"),
        border.park(border.meter("M1")),
        mapping=long(quality="q"),
    )
    assert taken.rows["quality"].to_list() == [code for _, code in rows]
    assert reasons(taken) == [(5, "unknown_quality", "?")]


# Time


def test_an_end_stamp_is_moved_to_the_start_of_its_interval(tmp_path: Path, border: Any) -> None:
    park = border.park(
        border.meter("I", stamp="end"), border.meter("D", stamp="end", interval_s=86_400),
        border.meter("R", kind="register", stamp="end"), timezone="Europe/Berlin",
    )  # fmt: skip
    # The day before 2025-03-31 has 23 hours in Berlin.
    path = put(tmp_path, HEAD + "".join(f"2025-03-31 00:00,{m},1\n" for m in "IDR"))
    assert border.take(path, park, mapping=long()).told() == [
        ("D", "2025-03-29 23:00", 1.0), ("I", "2025-03-30 21:45", 1.0), ("R", "2025-03-30 22:00", 1.0),
    ]  # fmt: skip
    stated = border.take(path, park, mapping=long(stamp="start")).told()
    assert {t for _, t, _ in stated} == {"2025-03-30 22:00"}


@pytest.mark.parametrize(
    ("text", "stamp", "how"),
    [
        ("2025-06", "start", {"time_form": "month"}),
        ("2025-06", "end", {"time_form": "month"}),
        ("2025年6月", "end", {"time_form": "month"}),
        ("2025-06-01 00:00", "start", {}),
        ("2025-06-15 10:00", "start", {}),
        ("2025-06-30 24:00", "end", {}),
        ("2025-07-01 00:00", "end", {}),
        ("2025-06-30", "end", {}),
    ],
)
def test_a_monthly_reading_starts_with_its_month(
    tmp_path: Path, border: Any, text: str, stamp: str, how: dict[str, str]
) -> None:
    park = border.park(border.meter("G", flow="natural_gas", unit="m3", interval_s=0, stamp=stamp))
    taken = border.take(put(tmp_path, HEAD + f"{text},G,5\n"), park, mapping=long(**how))
    assert taken.told() == [("G", "2025-05-31 16:00", 5.0)]


def test_a_month_is_no_time_of_a_quarter_hour_meter(tmp_path: Path, border: Any) -> None:
    taken = border.take(
        put(tmp_path, HEAD + "2025-06,M1,5\n"), border.park(border.meter("M1")), mapping=long(time_form="month")
    )
    assert reasons(taken) == [(1, "not_a_month", "2025-06")]


def test_hours_that_the_clock_skips_or_repeats_are_refused_without_offset(tmp_path: Path, border: Any) -> None:
    park = border.park(border.meter("M1"), timezone="Europe/Berlin")
    path = put(tmp_path, HEAD + "2025-03-30 02:30,M1,1\n2025-10-26 02:30,M1,2\n2025-10-26 02:30+01:00,M1,3\n")
    taken = border.take(path, park, mapping=long())
    assert [(r, why) for r, why, _ in reasons(taken)] == [(1, "nonexistent_time"), (2, "ambiguous_time")]
    assert taken.told() == [("M1", "2025-10-26 01:30", 3.0)]


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("block_bytes", [64, 1 << 20])
def test_a_repeated_hour_is_told_by_order_where_stated(
    tmp_path: Path, border: Any, order: str, block_bytes: int
) -> None:
    utc = [datetime(2025, 10, 25, 22) + timedelta(minutes=30 * i) for i in range(12)]
    labels = [t.replace(tzinfo=UTC).astimezone(ZoneInfo("Europe/Berlin")).strftime("%Y-%m-%d %H:%M") for t in utc]
    rows = [f"{label},{m},{i}\n" for i, label in enumerate(labels) for m in ("M1", "M2")]
    text = HEAD + "".join(rows if order == "ascending" else reversed(rows))
    taken = border.take(
        put(tmp_path, text), border.park(border.meter("M1"), border.meter("M2"), timezone="Europe/Berlin"),
        mapping=long(ambiguous="order", order=order), block_bytes=block_bytes,
    )  # fmt: skip
    expected = [(m, t.strftime("%Y-%m-%d %H:%M"), float(i)) for m in ("M1", "M2") for i, t in enumerate(utc)]
    assert taken.told() == expected


def test_seconds_are_the_finest_time(tmp_path: Path, border: Any) -> None:
    taken = border.take(
        put(tmp_path, HEAD + "2025-06-01 00:15:00.750,M1,1\n"), border.park(border.meter("M1"), timezone="UTC")
    )
    assert taken.rows["time"][0] == datetime(2025, 6, 1, 0, 15, tzinfo=UTC)


# Layouts


def test_wide_cells_are_readings_of_their_column(tmp_path: Path, border: Any) -> None:
    path = put(
        tmp_path, "时间,M1(kWh),M2\n2025-06-01 00:00,1,\n2025-06-01 00:15,x,4\nbad,5,\n", encoding="gb18030"
    )
    taken = border.take(path, border.park(border.meter("M1"), border.meter("M2")))
    assert taken.told() == [("M1", "2025-05-31 16:00", 1.0), ("M2", "2025-05-31 16:15", 4.0)]
    assert taken.rejected.select("row", "column", "reason", "value").rows() == [
        (2, "M1(kWh)", "not_a_number", "x"), (3, "时间", "not_a_time", "bad"),
    ]  # fmt: skip
    assert (taken.report.read, taken.report.empty) == (6, 2)


def test_96_columns_of_a_day_are_96_readings(tmp_path: Path, border: Any) -> None:
    clock = [f"{m // 60:02d}:{m % 60:02d}" for m in range(15, 1441, 15)]
    path = put(tmp_path, f"表号,日期,{','.join(clock)}\nM1,2025-06-01,{','.join(map(str, range(96)))}\n")
    taken = border.take(path, border.park(border.meter("M1", stamp="end"), timezone="UTC"))
    start = datetime(2025, 6, 1)
    assert taken.told() == [
        ("M1", (start + timedelta(minutes=15 * i)).strftime("%Y-%m-%d %H:%M"), float(i)) for i in range(96)
    ]


def test_date_and_clock_in_two_columns(tmp_path: Path, border: Any) -> None:
    path = put(tmp_path, "日期,时间,表号,电量\n2025/6/1,0:15,M1,1\n2025/6/1,24:00,M1,2\n")
    assert border.take(path, border.park(border.meter("M1"), timezone="UTC")).told() == [
        ("M1", "2025-06-01 00:15", 1.0), ("M1", "2025-06-02 00:00", 2.0),
    ]  # fmt: skip


# Workbooks and columnar files


def book_of(path: Path, *rows: list[Any]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_a_workbook_gives_dates_texts_and_exact_numbers(tmp_path: Path, border: Any) -> None:
    exact = 1 / 3  # sixteen digits, where the text of a cell has nine
    path = book_of(
        tmp_path / "a.xlsx", ["六月"], [], ["时间", "表号", "电量(kWh)"],
        [datetime(2025, 6, 1, 0, 15), "M1", exact], ["2025-06-01 00:30", "M1", "1,234.5"],
        [datetime(2025, 6, 1, 0, 45), "M1", None], [datetime(2025, 6, 1, 1), "M1", "x"], [],
        [datetime(2025, 6, 1, 1, 15), "M1", datetime(2025, 6, 1)], [datetime(2025, 6, 1, 1, 30), 7, 5],
    )  # fmt: skip
    taken = border.take(path, border.park(border.meter("M1"), border.meter("7"), timezone="UTC"))
    assert taken.told() == [
        ("7", "2025-06-01 01:30", 5.0), ("M1", "2025-06-01 00:15", exact), ("M1", "2025-06-01 00:30", 1234.5),
    ]  # fmt: skip
    assert [(r, why) for r, why, _ in reasons(taken)] == [(4, "not_a_number"), (6, "not_a_number")]
    assert (taken.report.empty, taken.report.rejections[0].line) == (1, 7)


def test_a_workbook_with_date_and_clock_columns(tmp_path: Path, border: Any) -> None:
    path = book_of(
        tmp_path / "a.xlsx",
        ["日期", "时间", "M1"],
        *([datetime(2025, 6, 1), time(0, 15 * i), i] for i in range(4)),
    )
    taken = border.take(path, border.park(border.meter("M1"), timezone="UTC"))
    assert [t for _, t, _ in taken.told()] == [f"2025-06-01 00:{15 * i:02d}" for i in range(4)]


def test_serial_days_of_a_workbook(tmp_path: Path, border: Any) -> None:
    path = book_of(tmp_path / "a.xlsx", ["时间", "表号", "电量"], [45_809 + 1 / 96, "M1", 5], [45_809.5, "M1", 6])
    taken = border.take(path, border.park(border.meter("M1"), timezone="UTC"))
    assert [t for _, t, _ in taken.told()] == ["2025-06-01 00:15", "2025-06-01 12:00"]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Shanghai"])
def test_columnar_files_keep_their_types(tmp_path: Path, border: Any, kind: str, zone: str | None) -> None:
    times = pl.Series([datetime(2025, 6, 1), datetime(2025, 6, 1, 0, 15), datetime(2025, 6, 1, 0, 30)])
    frame = pl.DataFrame(
        {
            "meter": pl.Series(["M1", "M1", "M2"], dtype=pl.Categorical),
            "time": times.dt.replace_time_zone(zone) if zone else times,
            "value": pl.Series([1.5, None, float("nan")]),
            "nested": [[1], [2], [3]],
        }
    )
    path = tmp_path / f"a.{kind}"
    frame.write_parquet(path) if kind == "parquet" else frame.write_ipc(path)
    taken = border.take(path, border.park(border.meter("M1"), border.meter("M2"), timezone="Asia/Shanghai"))
    hour = "2025-06-01 00:00" if zone == "UTC" else "2025-05-31 16:00"
    assert taken.told() == [("M1", hour, 1.5)]
    assert taken.report.empty == 2  # NaN is how data frames write a missing value


def test_integer_meters_and_wide_numbers_of_mixed_type(tmp_path: Path, border: Any) -> None:
    pl.DataFrame({"time": [datetime(2025, 6, 1)], "1": [3], "2": [4.5], "3": ["x"]}).write_parquet(tmp_path / "a")
    park = border.park(*(border.meter(str(i)) for i in (1, 2, 3)), timezone="UTC")
    taken = border.take(tmp_path / "a", park)
    assert [v for _, _, v in taken.told()] == [3.0, 4.5]
    assert [why for _, why, _ in reasons(taken)] == ["not_a_number"]
    pl.DataFrame({"time": [datetime(2025, 6, 1)], "meter": [2.0], "value": [7]}).write_parquet(tmp_path / "b")
    assert border.take(tmp_path / "b", park).told() == [("2", "2025-06-01 00:00", 7.0)]


# Files that are hardly files


def test_a_header_without_rows_has_no_readings(tmp_path: Path, border: Any) -> None:
    taken = border.take(put(tmp_path, HEAD), border.park(border.meter("M1")), mapping=long())
    assert taken.report.read == 0


def test_a_header_without_rows_has_nothing_to_guess_from(tmp_path: Path, border: Any) -> None:
    with pytest.raises(MappingError, match="no rows"):
        border.take(put(tmp_path, HEAD), border.park(border.meter("M1")))


def test_a_line_without_end_is_refused_in_bounded_memory(tmp_path: Path, border: Any) -> None:
    path = put(tmp_path, HEAD + "2025-06-01 00:00,M1,1\n" + "9" * (9 * 1024 * 1024))
    with pytest.raises(InputError, match="line is longer"):
        border.take(path, border.park(border.meter("M1")), mapping=long(), block_bytes=1 << 20)


def test_chinese_after_a_long_ascii_beginning_is_still_read(tmp_path: Path, border: Any) -> None:
    plain = "".join(f"{datetime(2025, 1, 1) + timedelta(minutes=i)},M1,{i},\n" for i in range(20_000))
    path = put(tmp_path, "time,meter,value,note\n" + plain + "2025-06-01 00:00,一号,7,换表\n", encoding="gb18030")
    taken = border.take(
        path, border.park(border.meter("M1"), border.meter("一号")), mapping=long(), block_bytes=100_000
    )
    assert taken.intake.shape.encoding == "utf-8"
    assert taken.told()[-1] == ("一号", "2025-05-31 16:00", 7.0)
    assert taken.report.rejected == 0
