"""Files as metering systems really wrote them, against what their documentation says is true.

The files lie beside the project and are not part of it; without them these tests are skipped.
"""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from lujin.errors import MappingError
from lujin.readings.mapping import Mapping

DATA = Path(__file__).parents[2] / "../shared/data"


def real(name: str) -> Path:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{path} absent")
    return path


def local_days(rows: pl.DataFrame, zone: str) -> dict[str, int]:
    days = rows["time"].dt.convert_time_zone(zone).dt.date().cast(pl.String).value_counts()
    return dict(days.iter_rows())


def test_thousands_commas_and_dashes_of_the_campus_battery(border: Any) -> None:
    """The sum closes only if the 11,175 values with a comma are read and the 6,599 dashes are missing."""
    path = real("ucsd_microgrid_15min/BatteryStorage.csv.gz")
    park = border.park(border.meter("BatteryStorage", kind="power", unit="kW"), timezone="America/Los_Angeles")
    taken = border.take(path, park)
    guess = taken.intake.mapping
    assert (guess.time_form, guess.order, guess.meters) == ("mdy", "descending", {"RealPower": "{file}"})
    assert taken.report.empty == 6_599
    assert taken.report.reasons == {"ambiguous_time": 24}

    names = [n for n in Mapping.__slots__ if n != "ambiguous"]
    by_order = Mapping(**{n: getattr(guess, n) for n in names}, ambiguous="order")
    whole = border.take(path, park, mapping=by_order)
    assert whole.report.rejected == 0
    # What comes twice (other than by the clock) has its last value counted; here all rows as the source did.
    energy = pl.concat([b.rows for b in whole.batches])["value"] / 4
    assert round(-energy.filter(energy < 0).sum()) == 4_732_232
    assert round(energy.filter(energy > 0).sum()) == 4_153_040


def test_clock_changes_of_the_campus_load(border: Any) -> None:
    path = real("ucsd_microgrid_15min/DemandCharge.csv.gz")
    zone = "America/Los_Angeles"
    columns = ("TotalCampusLoad", "OnCampusGeneration", "SDG&E Import")
    park = border.park(*(border.meter(c, kind="power", unit="kW") for c in columns), timezone=zone)
    guess = border.take(path, park).intake.mapping
    assert set(guess.meters) == set(columns)
    names = [n for n in Mapping.__slots__ if n != "ambiguous"]
    taken = border.take(path, park, mapping=Mapping(**{n: getattr(guess, n) for n in names}, ambiguous="order"))
    one = taken.rows.filter(pl.col("meter") == 1)
    assert one["row"].is_unique().all()
    # Four stamps really stand twice in the source, with different values; all three columns say so.
    assert sorted({c.rows for c in taken.report.conflict_list}) == [
        (224, 225), (5214, 5215), (12448, 12449), (16573, 16574),
    ]  # fmt: skip
    assert (taken.report.conflicts, taken.report.already_known) == (11, 1)  # one value of the twelve is the same
    days = local_days(one, zone)
    assert days["2018-03-11"] == 92
    assert days["2018-11-04"] == 100
    wide = pl.concat([b.rows for b in taken.batches]).pivot("meter", index="row", values="value")
    off = wide.select((pl.col("1") - pl.col("2") - pl.col("3")).abs() <= 1).to_series().sum()
    assert off == 46_180


def test_interval_end_labels_of_the_steel_works(border: Any) -> None:
    """dd-mm-yyyy, and the 00:00 that closes a day carries that day's date."""
    path = real("steel_daewoo_15min/steel_2018.csv.gz")
    taken = border.take(path, border.park(border.meter("S", alias=("steel_2018",)), timezone="Asia/Seoul"))
    guess = taken.intake.mapping
    assert (guess.time_form, guess.midnight, guess.stamp) == ("dmy", "end_of_day", "end")
    assert taken.rows["value"].sum() == pytest.approx(729_316.67, abs=0.005)
    assert len(taken.rows) == 26_208
    assert set(local_days(taken.rows, "Asia/Seoul").values()) == {96}
    steps = taken.rows["time"].diff().drop_nulls().unique().to_list()
    assert [s.total_seconds() for s in steps] == [900]
    assert taken.report.first == datetime(2017, 12, 31, 15, tzinfo=UTC)


@pytest.mark.parametrize(("name", "mwh"), [("site1_50MW", 169_640.2), ("site3_30MW", 68_529.8)])
def test_power_of_chinese_pv_stations_among_weather_columns(border: Any, name: str, mwh: float) -> None:
    path = real(f"cn_pv_stations_15min/{name}_original.csv.gz")
    park = border.park(border.meter("PV", kind="power", unit="kW", alias=(name,)))
    taken = border.take(path, park)
    assert taken.intake.mapping.meters == {"Power (MW)": "{file}"}
    assert taken.rows["value"].sum() / 4_000 == pytest.approx(mwh, abs=0.05)  # converted to the meter's kW
    assert taken.report.rejected == 0


@pytest.mark.parametrize("name", ["LP_G_MV", "LP_PUB_Buero_m", "LP_PUB_Schule_k", "LP_PUB_Schule_m"])
def test_mixed_offsets_of_german_profiles(border: Any, tmp_path: Path, name: str) -> None:
    path = real(f"vdi4657_company_profiles/{name}.csv.gz")
    park = border.park(border.meter("L", kind="power", unit="W", alias=(name,)), timezone="Europe/Berlin")
    text = gzip.decompress(path.read_bytes()).decode()
    if "[W/MWh]" in text:
        with pytest.raises(MappingError, match="W/MWh"):
            border.take(path, park)
        path = tmp_path / f"{name}.csv"
        path.write_text(text.replace("[W/MWh]", "[W]", 1), encoding="utf-8")
    taken = border.take(path, park)
    assert len(taken.rows) == 35_040
    assert taken.rows["value"].sum() / 4_000 == pytest.approx(1000.0, abs=0.005)
    assert taken.rows["time"].is_unique().all()
    days = local_days(taken.rows, "Europe/Berlin")
    assert sorted(days.values())[0] == 92
    assert sorted(days.values())[-1] == 100


def test_wide_columns_of_french_enterprises(border: Any) -> None:
    path = real("elmas_fr_enterprises/hourly_2018.csv.gz")
    gwh = {"1": 1983.88, "2": 202.29, "4": 419.23, "5": 368.51, "7": 340.52, "8": 455.94, "10": 2544.32,
           "12": 199.20, "13": 290.62, "15": 188.33, "16": 813.75, "18": 160.68}  # fmt: skip
    park = border.park(
        *(border.meter(c, kind="power", unit="kW", interval_s=3600) for c in gwh), timezone="Etc/GMT-1"
    )
    taken = border.take(path, park)
    keys = border.keys(park)
    sums = dict(taken.rows.group_by("meter").agg(pl.col("value").sum() / 1e6).iter_rows())
    assert {m: round(sums[keys[m]], 2) for m in gwh} == gwh
    # The grid was made regular: read as French clock time, the hour that never was is refused.
    french = border.take(path, border.park(*park.meters.values(), timezone="Europe/Paris"))
    assert french.report.reasons == {"nonexistent_time": 12, "ambiguous_time": 12}


def test_daily_kwh_of_a_whole_park_in_a_wide_table(border: Any) -> None:
    path = real("yangzhong_park_1454_enterprises_daily/daily_kwh_wide.csv.gz")
    with gzip.open(path, "rt") as file:
        names = file.readline().strip().split(",")[1:]
    park = border.park(*(border.meter(n, interval_s=86_400) for n in names))
    taken = border.take(path, park)
    assert taken.rows["value"].sum() == 1_935_591_203
    local = taken.rows.with_columns(pl.col("time").dt.convert_time_zone("Asia/Shanghai").dt.strftime("%Y%m"))
    months = dict(local.group_by("time").agg(pl.col("value").sum()).iter_rows())
    assert (months["201501"], months["201602"]) == (114_224_704, 86_662_306)


def test_the_same_park_re_encoded_and_split_gives_the_same(tmp_path: Path, border: Any) -> None:
    path = real("steel_daewoo_15min/steel_2018.csv.gz")
    park = border.park(border.meter("S", alias=("steel_2018",)), timezone=str(ZoneInfo("Asia/Seoul")))
    whole = border.take(path, park)
    text = gzip.decompress(path.read_bytes()).decode("utf-8-sig")
    other = tmp_path / "steel_2018.txt"
    other.write_bytes(text.replace(",", "\t").replace("\n", "\r\n").encode("utf-16"))
    again = border.take(other, park, block_bytes=50_000)
    assert again.told() == whole.told()
    assert again.intake.shape.fingerprint == whole.intake.shape.fingerprint
