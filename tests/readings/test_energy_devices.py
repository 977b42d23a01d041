"""A real register with a rollover at 250,000 and a replaced device, and what the park file says of meters."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lujin.errors import ParkError, UnitError
from lujin.park.calendar import month_grid
from lujin.park.carriers import CARRIERS
from lujin.park.model import Flow, Meter, Park
from lujin.readings.energy import Energy, interval_energy
from lujin.readings.flags import Flag
from lujin.readings.specs import MeterSpec, meter_specs

FAULTS = Path(__file__).parents[2] / "../shared/data/injected_meter_faults"
ZONE = "Etc/GMT-1"  # the file is in local standard time, UTC+1
MONTHS = [month_grid(m, ZONE) for m in range(201801, 201813)]
SCALE = Fraction(40 * 1000)  # reading × 40 = kWh
# First reading to rollover, rollover to exchange, exchange to last reading [Wh].
EXACT = round(
    ((250_000 - Decimal("247500.049")) + Decimal("1688.486") + (Decimal("2073.918") - Decimal("12.5"))) * 40_000
)


@pytest.fixture(scope="module")
def counts() -> pl.DataFrame:
    file = FAULTS / "R01_register.csv.gz"
    if not file.exists():
        pytest.skip("shared/data/injected_meter_faults absent")
    return pl.read_csv(file).select(
        meter=pl.lit(1, pl.Int32),
        time=pl.col("timestamp").str.to_datetime("%Y-%m-%d %H:%M").dt.offset_by("-1h").dt.replace_time_zone("UTC"),
        value=pl.col("register_kwh_div_multiplier"),
        quality=pl.lit(0, pl.Int8),
    )


def year(rows: pl.DataFrame, specs: list[MeterSpec]) -> list[Energy]:
    """Each month by itself, with one boundary row per meter and side."""
    months = []
    for grid in MONTHS:
        second = pl.col("time").dt.epoch("s")
        inside = rows.filter(second.is_between(grid.start, grid.end, closed="left"))
        before = rows.filter(second < grid.start).group_by("meter").last()
        after = rows.filter(second >= grid.end).group_by("meter").first()
        part = pl.concat([before.select(rows.columns), inside, after.select(rows.columns)]).sort("meter", "time")
        months.append(interval_energy(part, specs, grid, {}, None))
    return months


def test_replacement_stated_in_the_park_file_gives_the_recoverable_energy(counts: pl.DataFrame) -> None:
    swap = int(datetime(2018, 9, 1, 7, 15, tzinfo=UTC).timestamp())
    rows = counts.with_columns(
        meter=pl.when(pl.col("time").dt.epoch("s") >= swap).then(2).otherwise(1).cast(pl.Int32)
    )
    common = {"kind": "register", "base_per_unit": SCALE, "modulus": Fraction(250_000)}
    old = MeterSpec(key=1, id="old", valid_to=swap, final=Decimal("1688.486"), replaced_by="new", **common)  # type: ignore[arg-type]
    new = MeterSpec(key=2, id="new", valid_from=swap, initial=Decimal("12.5"), replaces="old", **common)  # type: ignore[arg-type]
    months = year(rows, [old, new])
    total = sum(int(e.amount.sum()) for e in months)
    assert total == EXACT
    assert total == pytest.approx(249_994_220, abs=80)  # truth.csv, recoverable; counts resolve 40 Wh
    events = [(e.kind, e.meter) for month in months for e in month.events]
    assert events == [("rollover", "old"), ("replacement", "old"), ("replacement", "new")]


def test_undeclared_replacement_is_a_reset_and_estimates_the_exchange(counts: pl.DataFrame) -> None:
    spec = MeterSpec(key=1, id="R01", kind="register", base_per_unit=SCALE, modulus=Fraction(250_000))
    months = year(counts, [spec])
    estimated = sum(int(e.amount[(e.flags & int(Flag.ESTIMATED)) != 0].sum()) for e in months)
    total = sum(int(e.amount.sum()) for e in months)
    assert total - estimated == EXACT
    assert total == pytest.approx(249_998_040, abs=10_000)  # truth.csv: true energy, the exchange included
    assert [e.kind for month in months for e in month.events] == ["rollover", "reset"]


def test_bad_reading_at_the_month_border_is_bridged_alike_with_two_boundary_rows() -> None:
    april, may = month_grid(202504, "Asia/Shanghai"), month_grid(202505, "Asia/Shanghai")
    time = np.arange(april.start, may.end + 1, 900)
    value = 1000 + (time - april.start) / 36.0
    border = int(np.searchsorted(time, april.end))
    value[border - 1] += 60_000
    rows = pl.DataFrame({"meter": 1, "time": time * 1_000_000, "value": value, "quality": 0}).cast(
        {"meter": pl.Int32, "time": pl.Datetime("us", "UTC"), "quality": pl.Int8}
    )
    spec = MeterSpec(key=1, id="M1", kind="register", base_per_unit=Fraction(1000))
    first = interval_energy(rows[: border + 2], [spec], april, {}, None)
    second = interval_energy(rows[border - 2 :], [spec], may, {}, None)
    assert (first.amount == 25_000).all()
    assert (second.amount == 25_000).all()


def park(**meters: Meter) -> Park:
    flows = {
        "F1": Flow(id="F1", carrier="electricity", source="GRID", target="E1"),
        "F2": Flow(id="F2", carrier="steam", source="BOILER", target="E1"),
    }
    return Park(
        id="P", name_zh="", name_en="", timezone="Asia/Shanghai", region="广东", packs={}, flows=flows,
        meters=meters, carriers=CARRIERS,
    )  # fmt: skip


def test_specs_carry_units_multiplier_and_capacity_in_base_units() -> None:
    p = park(
        A=Meter(id="A", flow="F1", kind="register", multiplier=Decimal(40), digits=6, capacity=Decimal(500)),
        B=Meter(id="B", flow="F2", kind="power", unit="t/h", enthalpy_kj_per_kg=Decimal(2700)),
    )
    a, b = meter_specs(p, ["A", "B"], {"A": 7, "B": 3})
    assert (a.key, a.base_per_unit, a.modulus, a.capacity_base_per_hour) == (7, 40_000, 10**6, 500_000)
    assert (b.key, b.base_per_unit) == (3, 2_700_000)


def test_specs_know_the_device_before_and_after() -> None:
    swap = datetime(2025, 4, 3, tzinfo=UTC)
    p = park(
        A=Meter(id="A", flow="F1", kind="register", valid_to=swap, final=Decimal(9)),
        B=Meter(id="B", flow="F1", kind="register", valid_from=swap, initial=Decimal(1), replaces="A"),
    )
    a, b = meter_specs(p, ["A", "B"], {"A": 1, "B": 2})
    assert (a.replaced_by, a.valid_to, a.final) == ("B", int(swap.timestamp()), 9)
    assert (b.replaces, b.valid_from, b.initial) == ("A", int(swap.timestamp()), 1)


def test_term_of_a_virtual_meter_takes_the_carrier_of_its_flow() -> None:
    p = park(
        T=Meter(id="T", unit="GJ"),
        V=Meter(id="V", kind="virtual", terms={"T": Decimal(1)}),
        W=Meter(id="W", flow="F2", kind="virtual", terms={"V": Decimal(-1)}),
    )
    assert meter_specs(p, ["T"], {"T": 1})[0].base_per_unit == 10**6
    with pytest.raises(ParkError, match="W"):
        meter_specs(p, ["W"], {"W": 1})


def test_unit_that_does_not_measure_the_carrier_is_refused() -> None:
    with pytest.raises(UnitError, match="heat"):
        meter_specs(park(A=Meter(id="A", flow="F2", unit="m3")), ["A"], {"A": 1})
