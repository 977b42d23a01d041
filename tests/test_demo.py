"""The demo park: the same bytes each time, balances that hold, every part of its story in the smallest size."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

from lujin.demo import DemoFiles, write_demo
from lujin.demo.days import CALENDAR, HOLIDAYS, WORKED, source_days
from lujin.demo.inputs import Profiles, enterprises, folder
from lujin.errors import InputError
from lujin.park.model import Meter, Park
from lujin.park.toml import from_snapshot

RAW = Path(__file__).parents[1] / "../shared/data"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    return write_demo(tmp_path_factory.mktemp("demo") / "park", enterprises=12, months=2)


@pytest.fixture(scope="module")
def park(small: DemoFiles) -> Park:
    return from_snapshot(small.park.read_text("utf-8"))


@pytest.fixture(scope="module")
def archive(small: DemoFiles) -> pl.DataFrame:
    return pl.concat(pl.read_parquet(path) for path in small.arrivals if path.suffix == ".parquet")


def digests(directory: Path) -> dict[str, str]:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(p.relative_to(directory)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    write_demo(tmp_path / "a", enterprises=12, months=1)
    write_demo(tmp_path / "b", enterprises=12, months=1)
    first = digests(tmp_path / "a")
    assert first == digests(tmp_path / "b")
    assert len(first) >= 11


def test_another_seed_gives_other_readings(tmp_path: Path) -> None:
    write_demo(tmp_path / "a", enterprises=12, months=1)
    write_demo(tmp_path / "b", enterprises=12, months=1, seed=7)
    name = "arrivals/2025-01.parquet"
    assert digests(tmp_path / "a")[name] != digests(tmp_path / "b")[name]


def test_the_park_holds_together(small: DemoFiles) -> None:
    from lujin.park.files import check

    assert [p.text() for p in check(small.directory)] == []


def test_its_reference_rows_are_labelled_unverified(small: DemoFiles) -> None:
    for path in sorted((small.directory / "reference").glob("*.csv")):
        table = pl.read_csv(path, infer_schema=False)
        assert table["confidence"].unique().to_list() == ["unverified"]
        assert table["source"].str.contains("demo composite").all()


def test_every_connection_can_be_billed_all_year(small: DemoFiles, park: Park) -> None:
    from lujin.reference.files import load_reference
    from lujin.reference.select import Reference
    from lujin.reference.tariff import check_connection

    known = Reference(load_reference(small.directory / "reference"))
    for connection in park.connections.values():
        for month in range(1, 13):
            problems = check_connection(known, connection, CALENDAR[0].replace(month=month))
            assert [p.text() for p in problems] == []


def test_the_smallest_park_tells_the_whole_story(park: Park) -> None:
    carriers = {flow.carrier for flow in park.flows.values()}
    assert carriers == {
        "electricity", "steam", "natural_gas", "bituminous_coal", "diesel", "sludge", "compressed_air", "water",
        "fly_ash", "co2", "limestone",
    }  # fmt: skip
    assert {m.kind for m in park.meters.values()} == {"register", "interval", "power", "virtual"}
    assert {c.basis for c in park.connections.values()} == {"single", "demand", "capacity"}
    assert {n.kind for n in park.nodes.values()} >= {
        "pv",
        "battery",
        "chp",
        "main",
        "grid",
        "landfill",
        "operator",
    }
    assert any(n.valid_from and not n.split_from for n in park.nodes.values() if n.kind == "enterprise")  # joins
    assert any(n.valid_to for n in park.nodes.values() if n.kind == "enterprise")  # leaves
    assert any(n.split_from for n in park.nodes.values())
    assert any(m.replaces for m in park.meters.values())
    assert any(m.enthalpy_kj_per_kg for m in park.meters.values())
    assert any(f.carrier == "natural_gas" and f.valid_to for f in park.flows.values())  # boiler replaced by steam
    assert any(f.target == "GRID" and f.connection for f in park.flows.values())
    assert {i.kind for i in park.instruments.values()} == {"green_power"}
    assert park.claims and park.outputs and park.prices


def test_no_instrument_is_claimed_beyond_its_energy(tmp_path: Path) -> None:
    park = from_snapshot(write_demo(tmp_path / "p", enterprises=60, months=1).park.read_text("utf-8"))
    for instrument in park.instruments.values():
        claimed = sum(c.energy_mwh for c in park.claims if c.instrument == instrument.id)
        assert Decimal(0) < claimed <= instrument.energy_mwh


def amounts(small: DemoFiles) -> Callable[[str], int]:
    by_flow = dict(small.truth.group_by("flow").agg(pl.col("amount").sum()).iter_rows())
    return lambda flow: int(by_flow[flow])


def test_steam_into_the_main_is_what_users_took_and_a_loss(small: DemoFiles, park: Park) -> None:
    of = amounts(small)
    taken = sum(of(f.id) for f in park.flows.values() if f.source == "STEAM")
    assert 0.02 < 1 - taken / of("CHP1-STEAM") < 0.06


def test_fuel_pays_for_steam_and_power(small: DemoFiles) -> None:
    of = amounts(small)
    fuel_gj = of("COAL-CHP1") / 1e6 * 23.2 + of("E003-CHP1") / 1e6 * 2.6
    out_gj = of("CHP1-STEAM") / 1e6 + of("CHP1-E002") * 3.6e-6 / 0.97
    assert out_gj / fuel_gj == pytest.approx(0.88, abs=1e-4)


def test_the_battery_loses_and_never_gains(small: DemoFiles) -> None:
    of = amounts(small)
    assert of("DISCHARGE-E008") / of("CHARGE-E008") == pytest.approx(0.88, abs=1e-6)


def energy_of(meter: Meter, readings: pl.DataFrame) -> int:
    """Wh, kJ, L or g between the first and the last reading of a register, with its rollover."""
    from lujin.park.carriers import CARRIERS, to_base

    dimension = CARRIERS["steam" if meter.id.startswith("STEAM") else "electricity"].dimension
    base = to_base(meter.unit, dimension, enthalpy_kj_per_kg=meter.enthalpy_kj_per_kg)
    values = readings.filter(pl.col("meter") == meter.id).sort("time")["value"].to_numpy()
    first = float(meter.initial) if meter.initial is not None else values[0]
    last = float(meter.final) if meter.final is not None else values[-1]
    rolled = int((np.diff(values) < 0).sum())
    units = last - first + rolled * 10 ** (meter.digits or 0)
    return round(units * float(meter.multiplier) * float(base))


@pytest.mark.parametrize("meter", ["E001-EL1", "E002-EL1", "E003-EL1", "E006-EL1", "STEAM-E003-1", "STEAM-E004-1"])
def test_registers_integrate_to_the_flow(meter: str, small: DemoFiles, park: Park, archive: pl.DataFrame) -> None:
    record = park.meters[meter]
    true = amounts(small)(record.flow)
    last_digit = {"t": 26_846, "GJ": 10_000, "kWh": 0.1}[record.unit] * float(record.multiplier)
    assert abs(energy_of(record, archive) - true) <= last_digit + 1


def test_one_register_rolls_over(park: Park, archive: pl.DataFrame) -> None:
    values = archive.filter(pl.col("meter") == "E001-EL1")["value"].to_numpy()
    assert park.meters["E001-EL1"].digits == 6
    assert (np.diff(values) < 0).sum() == 1
    assert values.max() > 999_990 > 10 > values.min()


def test_a_replaced_meter_hands_over_between_two_readings(park: Park, archive: pl.DataFrame) -> None:
    old, new = park.meters["E012-EL1"], park.meters["E012-EL2"]
    assert (new.replaces, new.valid_from, old.valid_to) == (old.id, old.valid_to, new.valid_from)
    assert old.valid_to is not None and old.valid_to.minute % 15 != 0
    last = archive.filter(pl.col("meter") == old.id)["time"].max()
    first = archive.filter(pl.col("meter") == new.id)["time"].min()
    assert last < old.valid_to < first  # type: ignore[operator]
    assert first - last == timedelta(minutes=15)  # type: ignore[operator]


def test_registers_show_whole_last_digits(archive: pl.DataFrame) -> None:
    values = archive["value"]
    assert (values == values.round(4)).all()
    assert (archive["value"] >= 0).all()
    assert all(len(text.partition(".")[2]) <= 4 for text in archive["value"].unique().cast(pl.String).to_list())


def test_the_outage_is_missing_at_first_and_comes_late(small: DemoFiles, archive: pl.DataFrame) -> None:
    late = pl.read_csv(next(p for p in small.late if "采集中断" in p.name))
    late = late.with_columns(pl.col("time").str.to_datetime("%Y-%m-%dT%H:%M:%S%:z").dt.convert_time_zone("UTC"))
    first, last = late["time"].min(), late["time"].max()
    assert last - first == timedelta(hours=48, minutes=-15)  # type: ignore[operator]
    meters = late["meter"].unique()
    assert late.height == 192 * len(meters)
    between = archive.filter(pl.col("time").is_between(first, last), pl.col("meter").is_in(meters.implode()))
    assert between.is_empty()
    assert late.select(pl.col("time").dt.convert_time_zone("Asia/Shanghai").dt.month()).n_unique() == 1


def test_six_hours_are_gone_for_good(archive: pl.DataFrame) -> None:
    times = archive.filter(pl.col("meter") == "E004-EL1").sort("time")["time"]
    gaps = times.diff().drop_nulls()
    assert gaps.filter(gaps > timedelta(minutes=15)).to_list() == [
        timedelta(hours=6, minutes=15),
        timedelta(hours=48, minutes=15),
    ]


def test_the_old_export_is_gbk_with_title_lines_and_asset_numbers(small: DemoFiles, park: Park) -> None:
    raw = next(p for p in small.arrivals if "抄表" in p.name).read_bytes()
    with pytest.raises(UnicodeDecodeError):
        raw.decode("utf-8")
    lines = raw.decode("gb18030").split("\r\n")
    assert lines[2].split(",")[0] == "表号"
    assert lines[3].split(",")[0] in park.meters["E011-EL1"].alias


def test_the_monitoring_export_has_gaps_and_contradicting_duplicates(small: DemoFiles) -> None:
    table = pl.read_csv(next(p for p in small.arrivals if "kW" in p.name), separator=";", infer_schema_length=None)
    time, meter = table.columns[0], "E007-EL1"
    twice = table.filter(pl.col(time).is_duplicated())
    assert twice.height > 4
    assert table[meter].null_count() >= 8
    expected = 59 * 96
    assert table[time].n_unique() == expected - 4
    stuck = table.filter(pl.col(time).is_between(pl.lit("2025/01/25 00:15"), pl.lit("2025/01/25 23:45")))
    assert stuck[meter].n_unique() == 1


def test_three_rows_of_the_water_file_are_broken(small: DemoFiles, park: Park) -> None:
    table = pl.read_csv(next(p for p in small.arrivals if "水表" in p.name), infer_schema=False)
    number = pl.col("value").cast(pl.Float64, strict=False)
    time = pl.col("time").str.to_datetime("%Y-%m-%d %H:%M", strict=False)
    known = pl.col("meter").is_in(list(park.meters))
    assert table.select((number.is_null() | time.is_null() | ~known).sum()).item() == 3


def test_the_workbook_opens_and_holds_local_times(small: DemoFiles) -> None:
    path = next(p for p in small.arrivals if p.suffix == ".xlsx")
    from openpyxl import load_workbook

    rows = list(load_workbook(path, read_only=True).worksheets[0].iter_rows(values_only=True))
    assert rows[0][0] == "时间"
    assert rows[1][0] == datetime(2025, 1, 1)  # noqa: DTZ001 a cell has no zone
    assert rows[2][0] - rows[1][0] == timedelta(hours=1)
    assert len(rows) == 1 + 59 * 24 + 1


def test_the_last_instant_closes_the_last_interval(archive: pl.DataFrame) -> None:
    end = datetime(2025, 2, 28, 16, tzinfo=UTC)
    assert archive["time"].max() == end
    assert archive.filter(pl.col("time") == end)["meter"].n_unique() > 5


def test_an_enterprise_is_the_same_in_a_park_of_any_size(tmp_path: Path) -> None:
    few, more = (write_demo(tmp_path / str(n), enterprises=n, months=1).truth for n in (12, 30))
    flows = ["GRID-E001", "GRID-E011", "STEAM-E003", "WATER-E004", "PV-E012"]
    pick = pl.col("flow").is_in(flows)
    assert few.filter(pick).sort("flow").equals(more.filter(pick).sort("flow"))


@pytest.mark.parametrize(("enterprises", "months"), [(11, 1), (100_000, 1), (12, 0), (12, 13)])
def test_impossible_sizes_are_refused(tmp_path: Path, enterprises: int, months: int) -> None:
    with pytest.raises(InputError, match="cannot be made"):
        write_demo(tmp_path / "x", enterprises=enterprises, months=months)
    assert not (tmp_path / "x").exists()


def test_an_existing_park_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "park.toml").write_text("mine")
    with pytest.raises(InputError, match=r"already holds park\.toml"):
        write_demo(tmp_path, enterprises=12, months=1)
    assert (tmp_path / "park.toml").read_text() == "mine"


def test_the_table_has_two_hundred_enterprises_with_names_of_their_own() -> None:
    table = enterprises(folder())
    assert len(table) == 200
    assert len({e.id for e in table}) == len({e.name_zh for e in table}) == len({e.name_en for e in table}) == 200
    assert 35 <= sum(e.pv_kw > 0 for e in table) <= 45
    assert 400_000 < sum(e.annual_mwh for e in table) < 600_000


def test_profiles_keep_weekdays_and_skip_the_holidays_of_their_source() -> None:
    profiles = Profiles(folder() / "profiles")
    for name in profiles.rows:
        profile = profiles.read(name)
        assert profile.values.mean() == pytest.approx(1, abs=1e-3)
        for day, source in zip(CALENDAR, source_days(profile), strict=True):
            weekday = (int(source) + profile.first_weekday) % 7
            assert weekday == (6 if day in HOLIDAYS else 2 if day in WORKED else day.weekday())
            assert source not in profile.skip


def test_the_profiles_are_small() -> None:
    assert sum(path.stat().st_size for path in (folder() / "profiles").glob("*.parquet")) < 2_000_000


def build_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_profiles", folder() / "build_profiles.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_profiles_can_be_rebuilt_from_the_raw_data(tmp_path: Path) -> None:
    if not (RAW / "elmas_fr_enterprises").is_dir():
        pytest.skip("raw data sets absent")
    build_script().main(RAW, tmp_path)
    for path in sorted((folder() / "profiles").glob("*.parquet")):
        assert pl.read_parquet(path).equals(pl.read_parquet(tmp_path / path.name)), path.name


def test_the_steel_rows_keep_their_order() -> None:
    if not (RAW / "steel_daewoo_15min").is_dir():
        pytest.skip("raw data sets absent")
    # 2018-01-01 was a holiday: the works stood still until the evening, when the first shift of 2 January began.
    values = build_script().steel(RAW)["steel"].reshape(273, 96)
    assert values[0].mean() < 2_000 < values[1].mean()
    assert values[0, 95] < 2 * values[0].mean()
