"""Small cases with a published optimum (see each for its source)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lujin.dispatch.schedule import schedule
from lujin.dispatch.site import Bus, Commitment, Converter, Demand, Load, Renewable, Site, Storage, Supply

DERVET = Path(__file__).parents[2] / "../shared/data/industrial_bill_storage_dervet"


def _site(steps: int, *devices: object, buses: tuple[Bus, ...] = (Bus("el"),)) -> Site:
    return Site(
        start=datetime(2025, 1, 1, tzinfo=UTC),
        steps=steps,
        step_h=1.0,
        buses={bus.id: bus for bus in buses},
        devices=devices,  # type: ignore[arg-type]
    )


def _unit(
    name: str, cost: float, least: float, limit: float, *, was_on: bool, start: float = 0.0, stop: float = 0.0
) -> Converter:
    commitment = Commitment(least=least, start_cost=start, stop_cost=stop, was_on=was_on)
    return Converter(id=name, inputs={}, outputs={"el": 1.0}, limit=limit, cost=cost, commitment=commitment)


LOADS = np.array([4000.0, 6000.0, 5000.0, 800.0])


def test_start_costs_as_in_the_test_suite_of_pypsa() -> None:
    """PyPSA (MIT), test_lopf_unit_commitment.py, test_start_up_costs: 359,000."""
    coal = _unit("coal", 20.0, 0.1, 10000.0, was_on=False, start=3000.0)
    gas = _unit("gas", 70.0, 0.0, 10000.0, was_on=True, start=1000.0)
    plan = schedule(_site(4, coal, gas, Load(id="load", bus="el", rate=LOADS)))
    assert plan.objective == pytest.approx(sum(plan.costs.values()))
    assert plan.objective == pytest.approx(359_000)
    assert plan.series["gas.activity"] == pytest.approx([0, 0, 0, 800])  # coal cannot go down to 800


def test_the_dearer_unit_runs_while_the_cheap_one_must_rest() -> None:
    """PyPSA (MIT), minimum down time 3 with 2 hours gone: gas serves 3000 and 800, then coal 3000 and 8000."""
    coal = _unit("coal", 20.0, 0.3, 10000.0, was_on=False)
    rested = replace(coal.commitment, down_h=4.0, since_h=2.0)  # type: ignore[type-var]
    coal = replace(coal, commitment=rested)
    gas = _unit("gas", 70.0, 0.1, 4000.0, was_on=True)
    plan = schedule(_site(4, coal, gas, Load(id="load", bus="el", rate=np.array([3000.0, 800.0, 3000.0, 8000.0]))))
    assert plan.series["coal.activity"] == pytest.approx([0, 0, 3000, 8000])
    assert plan.series["gas.activity"] == pytest.approx([3000, 800, 0, 0])


def test_a_look_back_of_three_quarters_bills_every_month() -> None:
    """REopt.jl (Apache-2.0) look-back by months at 75 %: peaks 200, 400, 500, 300, else 100 at 10 per kW."""
    peaks = np.array([200.0, 100, 100, 400, 100, 500, 100, 100, 100, 100, 100, 300])
    demand = Demand(price=10.0, month=np.arange(12, dtype=np.int32), ratchet=0.75)
    plan = schedule(_site(12, Supply(id="grid", bus="el", demand=demand), Load(id="load", bus="el", rate=peaks)))
    assert plan.costs["demand"] == pytest.approx(10 * np.maximum(peaks, 375.0).sum())


def test_a_store_filled_in_the_cheap_hour_serves_the_two_dear_ones() -> None:
    """Worked out by hand: 16 are stored from 20 bought at 100, and one more costs 100/0.8."""
    prices = np.array([100.0, 300.0, 300.0])
    battery = Storage(
        id="store", bus="el", capacity=20.0, charge=20.0, discharge=10.0, charge_efficiency=0.8, initial=0.0
    )
    plan = schedule(
        _site(3, Supply(id="grid", bus="el", buy=prices), battery, Load(id="load", bus="el", rate=8.0))
    )
    assert plan.costs["energy"] == pytest.approx(100 * (8 + 16 / 0.8))
    assert plan.price["el"] == pytest.approx([100, 125, 125])


@pytest.mark.skipif(not DERVET.is_dir(), reason="../shared/data is not beside this checkout")
@pytest.mark.parametrize(("equipped", "bill"), [(False, 4_889_067.13), (True, 4_422_052.12)])
def test_an_industrial_bill_with_storage_is_the_published_one_to_the_cent(equipped: bool, bill: float) -> None:
    """EPRI DER-VET (BSD-3), "DER for bill reduction": 2017 hourly, PV 1,000 kW, battery 1,575 kW / 9,450 kWh."""
    hours = pl.read_csv(DERVET / "timeseries_2017.csv.gz")
    begins = [datetime(2017, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(len(hours))]
    month = np.array([t.month for t in begins])
    hour_ending = np.array([t.hour + 1 for t in begins])
    weekday = np.array([t.weekday() < 5 for t in begins])
    buy = np.full(len(hours), np.nan)
    for row in pl.read_csv(DERVET / "tariff.csv").filter(pl.col("Charge") == "Energy").iter_rows(named=True):
        here = (row["Start Month"] <= month) & (month <= row["End Month"]) & (weekday == bool(row["Weekday?"]))
        buy[here & (row["Start Time"] <= hour_ending) & (hour_ending <= row["End Time"])] = row["Value"]
    demand = Demand(price=7.016, month=(month - 1).astype(np.int32))
    store = Storage(
        id="battery",
        bus="el",
        capacity=9450.0,
        charge=1575.0,
        discharge=1575.0,
        charge_efficiency=0.91,
        initial=4725.0,
    )
    solar = Renewable(id="pv", bus="el", available=1000.0 * hours["pv_kw_per_kw"].to_numpy())
    site = _site(
        len(hours),
        Supply(id="grid", bus="el", buy=buy, demand=demand),
        Load(id="load", bus="el", rate=hours["site_load_kw"].to_numpy()),
        *((solar, store) if equipped else ()),
    )
    plan = schedule(site)
    assert plan.costs["energy"] + plan.costs["demand"] == pytest.approx(bill, abs=0.02)
