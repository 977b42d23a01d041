"""The structured interior point against HiGHS, its own optimality conditions, and a published bill."""

from __future__ import annotations

import csv
import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dispatch.year_program import cheapest

from lujin.dispatch.chain import Stretch, chain_shape, reduce_chain
from lujin.dispatch.interior import StorageYear, StorageYearPlan, solve_year
from lujin.errors import InputError

BILL = Path(__file__).parents[2] / "../shared/data/industrial_bill_storage_dervet"


def a_year(steps: int = 96, seed: int = 1, **changes: Any) -> StorageYear:
    """A works with PV and battery under a time-of-use tariff; two billing months."""
    rng = np.random.default_rng(seed)
    hour = np.arange(steps) % 24
    values: dict[str, Any] = {
        "step_h": 1.0,
        "load_kw": rng.uniform(200, 1000, steps),
        "buy": np.where(hour < 8, 0.25, np.where((hour > 9) & (hour < 19), 1.1, 0.65)),
        "sell": np.full(steps, 0.2),
        "pv_kw": 900 * np.maximum(0.0, np.sin((hour - 6) / 12 * np.pi)) * rng.uniform(0.3, 1, steps),
        "month": np.minimum(np.arange(steps) * 2 // steps, 1),
        "demand_price": np.array([38.0, 38.0]),
        "charge_kw": 300.0,
        "discharge_kw": 300.0,
        "max_kwh": 1200.0,
        "min_kwh": 60.0,
        "standing_loss": 1e-4,
        "wear": 0.02,
        "start_kwh": 600.0,
        "end_kwh": 600.0,
    }
    return StorageYear(**(values | changes))


def random_year(seed: int) -> StorageYear:
    """Anything that a site may be: without PV, at negative prices, with floors, limits and losses."""
    rng = np.random.default_rng(seed)
    steps = int(rng.choice([1, 2, 5, 24, 97, 150]))
    month = np.sort(rng.integers(0, 3, steps))
    month = np.searchsorted(np.unique(month), month)
    months = int(month[-1]) + 1
    buy = (
        rng.choice([0.2, 0.6, 1.1], steps)
        if rng.random() < 0.5
        else rng.uniform(rng.choice([-0.2, 0.1]), 1.2, steps)
    )
    sell = np.minimum(buy, rng.choice([0.0, 0.2, 0.5])) if rng.random() < 0.8 else np.full(steps, 0.3)
    resale = bool((sell > buy).any())
    power, energy = float(rng.choice([100.0, 500.0, 1e4])), float(rng.choice([0.0, 100.0, 1000.0, 1e5]))
    least = 0.1 * energy * rng.integers(0, 2)
    start = None if rng.random() < 0.3 else float(rng.uniform(least, energy))
    return StorageYear(
        step_h=float(rng.choice([0.25, 1.0])), load_kw=rng.uniform(rng.choice([-200, 0]), 1000, steps), buy=buy,
        sell=sell,
        pv_kw=rng.uniform(0, 800, steps) * (rng.random(steps) < 0.5), month=month,
        demand_price=rng.choice([0.0, 5.0, 38.0], months), charge_kw=power,
        discharge_kw=power * float(rng.choice([0.5, 1.0])), max_kwh=energy, min_kwh=least,
        charge_efficiency=float(rng.choice([1.0, 0.95, 0.8])),
        discharge_efficiency=float(rng.choice([1.0, 0.9])), standing_loss=float(rng.choice([0.0, 1e-4])),
        wear=float(rng.choice([0.0, 0.02])), start_kwh=start, end_kwh=least,
        export_limit_kw=300.0 if resale else np.inf, demand_floor_kw=rng.choice([0.0, 500.0, 900.0], months),
        import_limit_kw=float(rng.choice([np.inf, 2500.0])),
    )  # fmt: skip


def agrees(year: StorageYear, relative: float = 1e-7) -> StorageYearPlan:
    """The plan, once it equals HiGHS, holds its own rows and lies above its own bound."""
    plan, expected = solve_year(year), cheapest(year)
    assert plan.status == "optimal"
    assert expected is not None
    unit = 1.0 + abs(expected) + year.step_h * float(np.abs(year.buy).max() * np.abs(year.load_kw).max())
    assert abs(plan.objective - expected) <= relative * unit
    assert abs(plan.objective - plan.bound) <= relative * unit
    assert misses(year, plan) <= 1e-6
    return plan


def misses(year: StorageYear, plan: StorageYearPlan) -> float:
    """Largest violation of any row or bound [kW or kWh]."""
    before = np.append(plan.content_kwh[-1] if year.start_kwh is None else year.start_kwh, plan.content_kwh[:-1])
    gain = year.charge_efficiency * plan.charge_kw - plan.discharge_kw / year.discharge_efficiency
    flows = plan.import_kw - plan.export_kw + plan.pv_used_kw + plan.discharge_kw - plan.charge_kw
    over = [
        np.abs(flows - year.load_kw), np.abs(plan.content_kwh - year.keep * before - gain * year.step_h),
        plan.import_kw - plan.peak_kw[year.month], year.floor_kw - plan.peak_kw, plan.pv_used_kw - year.pv_kw,
        plan.charge_kw - year.charge_kw, plan.discharge_kw - year.discharge_kw, plan.content_kwh - year.max_kwh,
        year.min_kwh - plan.content_kwh, plan.export_kw - year.export_limit_kw, plan.import_kw -
        year.import_limit_kw, -plan.import_kw, -plan.export_kw, -plan.pv_used_kw, -plan.charge_kw,
        -plan.discharge_kw,
    ]  # fmt: skip
    return max(float(o.max()) for o in over)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, derandomize=True, deadline=None, database=None)
def test_any_year_costs_what_highs_says_or_is_left_to_it(seed: int) -> None:
    year = random_year(seed)
    if cheapest(year) is None:
        assert solve_year(year).status == "not_converged"
    else:
        agrees(year)


EDGES: dict[str, dict[str, Any]] = {
    "no PV": {"pv_kw": np.zeros(96)},
    "zero prices": {"buy": np.zeros(96), "sell": np.zeros(96)},
    "negative prices at night": {"buy": np.where(np.arange(96) % 24 < 6, -0.3, 0.8), "sell": np.full(96, -0.3)},
    "no battery": {
        "charge_kw": 0.0,
        "discharge_kw": 0.0,
        "max_kwh": 0.0,
        "min_kwh": 0.0,
        "start_kwh": 0.0,
        "end_kwh": 0.0,
    },
    "battery much too large": {"charge_kw": 1e6, "discharge_kw": 1e6, "max_kwh": 1e7},
    "no export": {"export_limit_kw": 0.0},
    "flat tariff": {"buy": np.full(96, 0.6), "sell": np.full(96, 0.6)},
    "energy only": {"demand_price": np.zeros(2)},
    "a year that closes on itself": {"start_kwh": None, "end_kwh": None},
    "no losses": {"charge_efficiency": 1.0, "discharge_efficiency": 1.0, "standing_loss": 0.0, "wear": 0.0},
    "heavy losses": {"standing_loss": 0.05},
    "peak to date": {"demand_floor_kw": np.array([700.0, 0.0])},
    "floor above every import": {"demand_floor_kw": np.array([5000.0, 5000.0])},
    "floor at the limit": {"demand_floor_kw": np.array([1500.0, 0.0]), "import_limit_kw": 1500.0},
    "export dearer than import": {"sell": np.full(96, 0.9), "export_limit_kw": 500.0},
}


@pytest.mark.parametrize("edge", EDGES)
def test_edges(edge: str) -> None:
    agrees(a_year(**EDGES[edge]))


def test_tightens_to_the_last_digits() -> None:
    plan = solve_year(a_year(), tolerance=1e-12)
    assert plan.status == "optimal"
    assert abs(plan.gap) <= 1e-12


def test_prices_prove_the_plan() -> None:
    """Stationarity and complementarity, from prices alone, in the terms of the tariff (Wright 1997, chapter 1)."""
    year = a_year()
    plan = solve_year(year, tolerance=1e-12)
    price, value = plan.balance_price, plan.content_value
    for month in range(2):
        inside = year.month == month
        assert plan.peak_price[inside].sum() == pytest.approx(year.demand_price[month], rel=1e-6)
    assert (plan.peak_price[plan.import_kw < plan.peak_kw[year.month] - 1e-3] < 1e-6).all()
    imports = plan.import_kw > 1e-3
    np.testing.assert_allclose(price[imports], (year.buy + plan.peak_price / year.step_h)[imports], atol=1e-6)
    between = (plan.charge_kw > 1e-3) & (plan.charge_kw < year.charge_kw - 1e-3)
    np.testing.assert_allclose(year.charge_efficiency * value[between], price[between], atol=1e-6)
    between = (plan.discharge_kw > 1e-3) & (plan.discharge_kw < year.discharge_kw - 1e-3)
    np.testing.assert_allclose(value[between] / year.discharge_efficiency, price[between] - year.wear, atol=1e-6)
    half = (plan.content_kwh[:-1] > year.min_kwh + 1e-3) & (plan.content_kwh[:-1] < year.max_kwh - 1e-3)
    np.testing.assert_allclose(value[:-1][half], year.keep * value[1:][half], atol=1e-6)


def test_price_and_value_are_slopes_of_the_cost() -> None:
    year = a_year()
    plan = solve_year(year, tolerance=1e-12)
    load = year.load_kw.copy()
    load[10] += 1e-2
    dearer = solve_year(replace(year, load_kw=load), tolerance=1e-12).objective - plan.objective
    assert dearer == pytest.approx(1e-2 * plan.balance_price[10], rel=1e-4)
    richer = solve_year(replace(year, start_kwh=600.01), tolerance=1e-12).objective - plan.objective
    assert richer == pytest.approx(-1e-2 * year.keep * plan.content_value[0], rel=1e-4)


def test_what_cannot_be_served_does_not_converge() -> None:
    assert solve_year(a_year(import_limit_kw=100.0)).status == "not_converged"


@pytest.mark.parametrize(
    "wrong",
    [
        {"buy": np.ones(3)}, {"month": np.full(96, 1)}, {"max_kwh": 1.0}, {"charge_efficiency": 1.1},
        {"sell": np.full(96, 2.0)}, {"pv_kw": np.full(96, -1.0)}, {"load_kw": np.full(96, np.nan)},
        {"import_limit_kw": 0.0}, {"demand_price": np.array([-1.0, 0.0])},
    ],
)  # fmt: skip
def test_input_without_meaning_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="correct the input"):
        solve_year(a_year(**wrong))


def spring_matrix(ground: np.ndarray, weight: np.ndarray, k: float, closing: float) -> np.ndarray:
    nodes = len(ground)
    matrix = np.diag(ground)
    for t in range(nodes):
        if t == nodes - 1 and not closing:
            break
        row = np.zeros(nodes)
        row[t], row[(t + 1) % nodes] = 1.0, -k
        matrix += (weight[t] if t < nodes - 1 else closing) * np.outer(row, row)
    return matrix


@pytest.mark.parametrize("nodes", [2, 3, 5, 64, 65, 66, 300])
@pytest.mark.parametrize(("k", "closing"), [(1.0, 0.0), (0.97, 0.0), (1.0, 0.7), (0.97, 0.7)])
def test_chain_is_the_inverse(nodes: int, k: float, closing: float) -> None:
    rng = np.random.default_rng(nodes)
    ground, weight = rng.random(nodes), rng.random(nodes - 1)
    matrix, chain = (
        spring_matrix(ground, weight, k, closing),
        reduce_chain(chain_shape(nodes, k), ground, weight, closing),
    )
    right = rng.standard_normal(nodes)
    np.testing.assert_allclose(chain.solve(right), np.linalg.solve(matrix, right), atol=1e-10)
    columns = np.zeros((nodes, 3))
    columns[: nodes // 2, 0], columns[nodes // 2 :, 1], columns[:, 2] = 1.0, rng.random(nodes - nodes // 2), right
    held = [Stretch(0, columns[: nodes // 2, 0]), Stretch(nodes // 2, columns[nodes // 2 :, 1]), Stretch(0, right)]
    np.testing.assert_allclose(chain.gram(held), columns.T @ np.linalg.solve(matrix, columns), atol=1e-9)


def test_chain_keeps_a_ground_that_rounding_would_lose() -> None:
    """Weights of 1e20, grounds of 1e-3: a matrix of doubles holds the weights alone; x = Σ r/Σ ground."""
    nodes = 1000
    chain = reduce_chain(chain_shape(nodes, 1.0), np.full(nodes, 1e-3), np.full(nodes - 1, 1e20))
    np.testing.assert_allclose(chain.solve(np.ones(nodes)), 1e3, rtol=1e-12)


@pytest.mark.skipif(not BILL.is_dir(), reason="shared/data/industrial_bill_storage_dervet absent")
def test_published_bill_of_a_works_with_pv_and_battery() -> None:
    """EPRI DER-VET, predefined case "DER for bill reduction": the best bill is 4,422,052.12 USD."""
    plan = solve_year(published_year())
    assert plan.status == "optimal"
    assert plan.objective == pytest.approx(4_422_052.12, abs=0.02)
    with (BILL / "expected_monthly_bill.csv").open() as file:
        published = [float(row["Demand Charge ($)"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(7.016 * plan.peak_kw, published, rtol=1e-5)


def published_year() -> StorageYear:
    """Hourly stamps are ends of hours; the year is 2017, hours of the tariff run from 1 to 24."""
    with gzip.open(BILL / "timeseries_2017.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    start = np.datetime64("2017-01-01T00") + np.arange(len(rows)).astype("timedelta64[h]")
    month = start.astype("datetime64[M]").astype(int) % 12
    hour = start.astype(int) % 24 + 1
    weekday = (start.astype("datetime64[D]").astype(int) + 3) % 7 < 5
    buy = np.zeros(len(rows))
    with (BILL / "tariff.csv").open() as file:
        for span in csv.DictReader(file):
            if span["Charge"] == "Energy":
                inside = (month + 1 >= int(span["Start Month"])) & (month + 1 <= int(span["End Month"]))
                inside &= (hour >= int(span["Start Time"])) & (hour <= int(span["End Time"]))
                buy[inside & (weekday == (span["Weekday?"] == "1"))] = float(span["Value"])
    return StorageYear(
        step_h=1.0, load_kw=np.array([float(row["site_load_kw"]) for row in rows]), buy=buy, sell=buy,
        pv_kw=1000 * np.array([float(row["pv_kw_per_kw"]) for row in rows]), month=month,
        demand_price=np.full(12, 7.016), charge_kw=1575.0, discharge_kw=1575.0, max_kwh=9450.0,
        charge_efficiency=0.91, discharge_efficiency=1.0, start_kwh=4725.0, end_kwh=4725.0,
    )  # fmt: skip
