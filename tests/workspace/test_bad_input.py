"""Bad input through the command line: what is wrong, where, what to do; the rest goes on where that is safe.

Exit code 0: done, with what was refused in the report. 1: the input is at fault. Never a traceback.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from lujin.demo import write_demo

from .small_park import HEAD, START, Site, register, text_of

Make = Callable[..., Site]
Lujin = Callable[..., tuple[int, str, str]]

HOUR = timedelta(hours=1)
GOOD = register("M1", step=HOUR)
ONE = text_of(1).replace('interval = "15min"', 'interval = "1h"')


def imported(lujin: Lujin, park: Site, *files: Path) -> tuple[int, list[dict[str, object]]]:
    code, said, errors = lujin("import", park.directory, *files, "--json")
    assert not errors, errors
    return code, json.loads(said)


def rewritten(path: Path, old: str, new: str) -> Path:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    return path


# Files of readings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["kWk", "百千瓦时", "kWh×100"])
def test_unknown_unit_in_the_header_is_not_taken_for_the_meters_own(site: Make, lujin: Lujin, unit: str) -> None:
    park = site(text=ONE)
    path = rewritten(park.write(GOOD, "unit.csv"), "meter,time,value", f"meter,time,value ({unit})")
    code, said, errors = lujin("import", park.directory, path)
    assert code == 1
    assert unit in said + errors and "unit.csv" in said + errors and "mapping" in said + errors
    assert park.open().store.months() == []


def test_ten_thousand_kilowatt_hours_are_a_unit(site: Make, lujin: Lujin) -> None:
    park = site(text=ONE)
    path = park.write([], "万.csv")
    rows = (f"M1,{r.time:%Y-%m-%d %H:%M},{r.value / 10_000:.6f}" for r in GOOD)
    path.write_text("\n".join(["表号,时间,电量(万千瓦时)", *rows]) + "\n", "utf-8")
    assert lujin("import", park.directory, path)[0] == 0
    assert lujin("run", park.directory)[0] == 0
    assert park.energy_kwh() == 24_000


def test_unknown_unit_in_a_row_refuses_the_row(site: Make, lujin: Lujin) -> None:
    park = site(text=ONE)
    path = park.write([], "unit.csv")
    rows = [f"M1,{r.time.isoformat()},{r.value},{'kWk' if i == 7 else 'kWh'}" for i, r in enumerate(GOOD)]
    path.write_text("\n".join(["meter,time,value,unit", *rows]) + "\n", "utf-8")
    code, (result,) = imported(lujin, park, path)
    report = result["report"]
    assert isinstance(report, dict) and code == 0
    assert (report["accepted"], report["rejected"]) == (len(GOOD) - 1, 1)
    (refused,) = report["rejections"]
    assert (refused["line"], refused["field"]) == (9, "unit") and "kWk" in refused["text"]


def test_unknown_meter_is_refused_with_a_likely_one_and_kept(site: Make, lujin: Lujin) -> None:
    park = site(text=ONE.replace('"M1"', '"MAIN-01"'))
    path = park.write([*register("MAIN-01", step=HOUR), *register("MAIN-10", step=HOUR)[:2]], "m.csv")
    code, said, _ = lujin("import", park.directory, path)
    assert code == 0 and "MAIN-10" in said and "did you mean MAIN-01" in said
    (kept,) = (park.directory / "inbox" / "rejected").iterdir()
    assert pl.read_csv(kept)["value"].to_list() == ["MAIN-10", "MAIN-10"]
    assert lujin("run", park.directory)[0] == 0
    assert park.energy_kwh() == 24_000


def test_file_that_names_no_meter_of_the_park_is_refused_row_by_row(site: Make, lujin: Lujin) -> None:
    park = site(text=ONE)
    strange = register("X77", step=HOUR)
    code, (result,) = imported(lujin, park, park.write(strange, "other.csv"))
    report = result["report"]
    assert isinstance(report, dict) and code == 1
    assert (report["accepted"], report["rejected"]) == (0, len(strange))
    assert report["reasons"] == {"unknown_meter": len(strange)}
    assert not list((park.directory / "mappings").iterdir()), "what fitted nothing is no mapping to keep"
    code, said, _ = lujin("run", park.directory, "--json")
    assert code == 0 and json.loads(said)["months"] == []


def test_unknown_enterprise_is_said_with_a_likely_one(site: Make, lujin: Lujin) -> None:
    park = site(text=ONE)
    park.take(GOOD)
    park.run()
    code, said, errors = lujin("statement", park.directory, "--enterprise", "E11", "--month", "2025-07")
    assert (code, said) == (1, "") and "E11" in errors and "E1" in errors.replace("E11", "")


def test_three_broken_rows_of_three_hundred_thousand_do_not_hold_up_the_rest(site: Make, lujin: Lujin) -> None:
    count = 300_000
    per_meter = count // 100
    text = HEAD + "".join(
        f'[[node]]\nid = "E{n}"\nkind = "enterprise"\n[[flow]]\nid = "F{n}"\ncarrier = "electricity"\n'
        f'source = "GRID"\ntarget = "E{n}"\n[[meter]]\nid = "M{n}"\nflow = "F{n}"\nkind = "interval"\n'
        for n in range(100)
    )
    park = site(text=text)
    times = pl.datetime_range(
        START, START + (per_meter - 1) * timedelta(minutes=15), "15m", time_zone="Asia/Shanghai", eager=True
    ).dt.strftime("%Y-%m-%d %H:%M")
    frame = pl.DataFrame({"meter": [f"M{n}" for n in range(100)]}).join(times.to_frame("time"), how="cross")
    lines = frame.with_columns(value=pl.lit("25.0")).write_csv().splitlines()
    places = {
        1_000: "M3,2025-07-01 10:00,n/a?",
        150_000: "M9,2025-13-01 10:00,25.0",
        299_000: "M1000,2025-07-01 10:00,25",
    }
    for place, broken in places.items():
        lines[place] = broken
    path = park.write([], "big.csv")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    code, (result,) = imported(lujin, park, path)
    report = result["report"]
    assert isinstance(report, dict) and code == 0
    assert (report["read"], report["accepted"], report["rejected"]) == (count, count - 3, 3)
    assert [r["line"] for r in report["rejections"]] == [place + 1 for place in places]
    assert report["reasons"] == {"not_a_number": 1, "not_a_time": 1, "unknown_meter": 1}
    assert len(Path(str(report["rejected_file"])).read_text("utf-8").splitlines()) == 4


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\n\n", b"meter,time,value\n"])
def test_empty_file_is_said(site: Make, lujin: Lujin, content: bytes) -> None:
    park = site(text=ONE)
    path = park.write(GOOD, "empty.csv")
    path.write_bytes(content)
    code, said, errors = lujin("import", park.directory, path)
    assert code == 1 and "empty.csv" in said + errors and "empty" in (said + errors).replace("empty.csv", "")


def test_text_in_the_number_column_is_refused_row_by_row(site: Make, lujin: Lujin) -> None:
    park = site(text=ONE)
    path = park.write(GOOD, "words.csv")
    lines = path.read_text("utf-8").splitlines()
    for place, word in ((5, "通讯故障"), (9, "12,5 kWh"), (11, "1e999")):
        lines[place] = lines[place].rsplit(",", 1)[0] + f',"{word}"'
    path.write_text("\n".join(lines), "utf-8")
    code, (result,) = imported(lujin, park, path)
    report = result["report"]
    assert isinstance(report, dict) and code == 0
    assert report["rejected"] == 3 and report["accepted"] == len(GOOD) - 3
    assert [r["line"] for r in report["rejections"]] == [6, 10, 12]
    assert all(r["remedy"] for r in report["rejections"])
    assert lujin("run", park.directory)[0] == 0
    assert park.energy_kwh() == 24_000, "a register loses nothing"


def test_whole_column_of_text_is_refused_with_a_remedy(site: Make, lujin: Lujin) -> None:
    park = site(text=ONE)
    path = park.write([], "words.csv")
    path.write_text("meter,time,value\n" + "".join(f"M1,{r.time.isoformat()},abc\n" for r in GOOD[:9]), "utf-8")
    code, said, errors = lujin("import", park.directory, path)
    assert code == 1 and "words.csv" in said + errors


def test_workbook_with_merged_header_is_read_or_refused_with_its_place(
    site: Make, lujin: Lujin, tmp_path: Path
) -> None:
    """A title over all columns, and a group name merged over two of them."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["七月抄表", None, None])
    sheet.merge_cells("A1:C1")
    sheet.append(["抄表", None, "电量"])
    sheet.merge_cells("A2:B2")
    sheet.append(["表号", "时间", "表底(kWh)"])
    for reading in GOOD:
        sheet.append([reading.meter, reading.time.replace(tzinfo=None), reading.value])
    book.save(tmp_path / "merged.xlsx")
    park = site(text=ONE)
    code, said, errors = lujin("import", park.directory, tmp_path / "merged.xlsx")
    if code == 0:
        assert lujin("run", park.directory)[0] == 0
        assert park.energy_kwh() == 24_000
    else:
        assert "merged.xlsx" in said + errors


def test_one_bad_file_does_not_hold_up_the_others(site: Make, lujin: Lujin) -> None:
    park = site(text=ONE)
    half = len(GOOD) // 2
    park.write(GOOD[:half], "1-good.csv")
    (park.directory / "arrivals" / "2-bad.xlsx").write_bytes(b"PK\x03\x04 not a workbook")
    (park.directory / "arrivals" / "3-bad.parquet").write_bytes(b"PAR1 broken PAR1")
    (park.directory / "arrivals" / "4-bad.csv").write_bytes(b"\x00\x01\x02\xff\xfe")
    park.write(GOOD[half:], "5-good.csv")
    code, results = imported(lujin, park, park.directory / "arrivals")
    assert code == 1
    assert [bool(r["problems"]) for r in results] == [False, True, True, True, False]
    assert lujin("run", park.directory)[0] == 0
    assert park.energy_kwh() == 24_000


def test_local_times_without_zone_in_the_hour_that_comes_twice_are_refused(site: Make, lujin: Lujin) -> None:
    """Berlin, 26 October 2025: 02:00 to 03:00 happens twice."""
    park = site(text=ONE.replace('timezone = "Asia/Shanghai"', 'timezone = "Europe/Berlin"'))
    path = park.write([], "autumn.csv")
    first = datetime(2025, 10, 25, tzinfo=UTC)  # stands for the wall clock
    times = [first + timedelta(hours=h) for h in range(48)]
    path.write_text(
        "meter,time,value\n" + "".join(f"M1,{t:%Y-%m-%d %H:%M},{1000 + i}\n" for i, t in enumerate(times)), "utf-8"
    )
    code, (result,) = imported(lujin, park, path)
    report = result["report"]
    assert isinstance(report, dict) and code == 0
    assert report["reasons"] == {"ambiguous_time": 1}
    assert report["rejections"][0]["remedy"]


# Park and reference ------------------------------------------------------------------------------------------


def test_missing_factor_is_said_and_the_rest_is_posted(site: Make, lujin: Lujin) -> None:
    """In February 2024 no grid factor of the notices was in force: energy and cost are posted, carbon is not."""
    park = site(text=ONE)
    early = START.replace(year=2024, month=2)
    park.take(register("M1", early, early + timedelta(days=2), step=HOUR))
    code, said, errors = lujin("run", park.directory)
    assert code == 0, errors
    assert "no factor" in said and "2024-02-01" in said and "grid_factors" in said
    statement = park.open().statement("E1", 202402, "location")
    assert statement.energy[0].purchased.value == 4800
    assert statement.status == "not_posted" and not statement.carbon


def test_factor_added_later_is_found_by_the_next_restatement(site: Make, lujin: Lujin) -> None:
    park = site(text=ONE)
    early = START.replace(year=2024, month=2)
    park.take(register("M1", early, early + timedelta(days=2), step=HOUR))
    park.run()
    park.reference(
        "grid_factors",
        "factor_id,scope,region_zh,region_en,data_year,basis,purpose,value,unit,valid_from,valid_to,"
        "source,confidence\n"
        "own_2020,provincial,广东,Guangdong,2020,average,"
        "location-based accounting; reference for accounting subjects,0.6,kgCO2/kWh,2024-01-01,2024-03-31,"
        "own,verified\n",
    )
    code, _, errors = lujin("restate", park.directory, "--month", "2024-02")
    assert code == 0, errors
    (line,) = park.open().statement("E1", 202402, "location").carbon
    assert line.gases["CO2f"].base == 4800 * 600_000


def test_overlapping_validity_of_reference_rows_is_refused_with_both_lines(site: Make, lujin: Lujin) -> None:
    park = site(text=ONE)
    text = (park.directory / "reference" / "tariffs.csv").read_text("utf-8")
    row = text.splitlines()[1].replace("2024-01-01", "2025-01-01")
    park.reference("tariffs", text + row + "\n")
    code, said, errors = lujin("check", park.directory)
    assert code == 1 and "tariffs.csv:3" in said + errors and "tariffs.csv:2" in said + errors
    park.write(GOOD, "july.csv")
    assert lujin("import", park.directory, park.directory / "arrivals")[0] == 0, "readings are safe to take in"
    code, said, errors = lujin("run", park.directory)
    assert code == 1 and "tariffs.csv:3" in errors
    assert park.bytes() == b""


def test_overlapping_validity_of_meters_is_refused_with_its_line(site: Make, lujin: Lujin) -> None:
    swapped = '[[meter]]\nid = "M2"\nflow = "F1"\nkind = "register"\nreplaces = "M1"\nvalid_from = 2025-07-03\n'
    park = site(text=ONE.replace('interval = "1h"', 'interval = "1h"\nvalid_to = 2025-07-05') + swapped)
    code, said, errors = lujin("check", park.directory)
    assert code == 1 and "M2" in said + errors and "park.toml:" in said + errors


def test_virtual_meters_in_a_circle_are_named(site: Make, lujin: Lujin) -> None:
    circle = (
        '[[meter]]\nid = "V1"\nkind = "virtual"\nterms = { V2 = 1 }\n'
        '[[meter]]\nid = "V2"\nkind = "virtual"\nterms = { V1 = 1 }\n'
    )
    park = site(text=ONE + circle)
    code, said, errors = lujin("check", park.directory)
    assert code == 1 and "V1" in said + errors and "V2" in said + errors
    code, _, errors = lujin("import", park.directory, park.write(GOOD))
    assert code == 1 and "V1" in errors


def test_all_problems_of_a_park_come_at_once(site: Make, lujin: Lujin) -> None:
    park = site(text=ONE.replace('unit = "kWh"', 'unit = "kWk"').replace('target = "E1"', 'target = "E7"'))
    code, said, _ = lujin("check", park.directory, "--json")
    problems = [p for p in json.loads(said)["problems"] if p["severity"] == "error"]
    assert code == 1 and len(problems) >= 2
    assert all(p["file"].endswith("park.toml") and p["line"] and p["remedy"] for p in problems)


# Fuzz --------------------------------------------------------------------------------------------------------


def damaged(content: bytes, dice: random.Random) -> bytes:
    """A file as a bad line, a bad disk or a bad editor leaves it."""
    data = bytearray(content)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(data) + 1)
        kind = dice.randrange(7)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            del data[at : at + dice.randrange(200)]
        elif kind == 2:
            data[at:at] = dice.randbytes(dice.randrange(1, 60))
        elif kind == 3 and data:
            for _ in range(dice.randint(1, 30)):
                data[dice.randrange(len(data))] = dice.randrange(256)
        elif kind == 4:
            data[at:at] = dice.choice([b'"', b"\n", b"\r", b",", b";", b"\t", b"\x00", "，".encode(), b"\xff\xfe"])
        elif kind == 5:
            data[at:at] = data[: dice.randrange(len(data) + 1)]
        else:
            data = bytearray(
                bytes(data).replace(*dice.choice([(b",", b";"), (b":", b"."), (b"2025", b"25"), (b".", b",")]))
            )
    return bytes(data) or b" "


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of every kind that the demo park has."""
    files = write_demo(tmp_path_factory.mktemp("samples") / "park", enterprises=12, months=1)
    cut = tmp_path_factory.mktemp("cut")
    small = []
    for path in (*files.arrivals, *files.late):
        if path.suffix == ".csv":
            path.write_bytes(b"\n".join(path.read_bytes().split(b"\n")[:60]))
        elif path.suffix == ".parquet":
            frame = pl.read_parquet(path).head(200)
            frame.write_parquet(path)
            frame.write_ipc(cut / "same.arrow")
        small.append(path)
    return [*small, cut / "same.arrow"]


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_give_a_report_or_an_error(
    samples: list[Path], tmp_path: Path, lujin: Lujin, seed: int
) -> None:
    dice = random.Random(seed)
    files = write_demo(tmp_path / "park", enterprises=12, months=1)
    for path in samples:
        for _ in range(3):
            broken = tmp_path / f"{dice.randrange(10**6)}-{path.name}"
            broken.write_bytes(damaged(path.read_bytes(), dice))
            code, said, errors = lujin("import", files.directory, broken, "--json")
            assert code in (0, 1), (broken.name, said, errors)
            for result in json.loads(said):
                assert result["problems"] or result["report"] if isinstance(result, dict) else True
    assert lujin("run", files.directory)[0] in (0, 1)
    assert lujin("verify", files.directory, "--replay")[0] == 0


@pytest.mark.parametrize("seed", range(2))
def test_damaged_park_files_give_problems(site: Make, lujin: Lujin, seed: int) -> None:
    dice = random.Random(seed)
    park = site(text=ONE)
    park.take(GOOD)
    park.run()
    names = ("park.toml", "reference/tariffs.csv", "mappings/arrival-01.toml", "days.csv")
    (park.directory / "days.csv").write_text("date,temperature_max_c,holiday\n2025-07-01,36.5,0\n", "utf-8")
    kept = {name: (park.directory / name).read_bytes() for name in names}
    for turn in range(16):
        name = names[turn % len(names)]
        (park.directory / name).write_bytes(damaged(kept[name], dice))
        for verb in (("check",), ("status",), ("run",), ("import", park.write(GOOD[:5]))):
            code, said, errors = lujin(verb[0], park.directory, *verb[1:])
            assert code in (0, 1), (name, verb[0], said, errors)
        (park.directory / name).write_bytes(kept[name])
    assert lujin("verify", park.directory)[0] == 0


def test_file_of_which_no_row_can_be_read_ends_with_exit_code_1(lujin: Lujin, site: Make) -> None:
    park = site(text=ONE)
    path = park.write([], "wrong.csv")
    path.write_text(
        "meter,time,value\nM1,2025-07-01 00:00,1\nM9,2025-07-01 00:15,2\n".replace(",1\n", ",x\n"), "utf-8"
    )
    code, said, _ = lujin("import", park.directory, path, "--mapping", "guess")
    assert code == 1
    assert "wrong.csv" in said
