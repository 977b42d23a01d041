"""Sizing against one linear program by HiGHS; money over the years against hand calculation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.dispatch.year_program import cheapest, cheapest_size

from lujin.dispatch.interior import StorageYear
from lujin.dispatch.investment import Investment, annual_cost, annuity, appraise, cash_flow
from lujin.dispatch.sizing import Scenario, SizePlan, SizingCase, at_size, bundle, cvar, sensitivity, size
from lujin.errors import InputError

PV = Investment(price=3000.0, lifetime_a=25, high=1500.0, fixed=30.0)
POWER = Investment(price=400.0, lifetime_a=15, high=2000.0)
ENERGY = Investment(price=900.0, lifetime_a=12, high=8000.0, fixed=10.0)


def two_weeks(seed: int = 1, step_h: float = 1.0, **changes: Any) -> StorageYear:
    rng = np.random.default_rng(seed)
    steps = round(336 / step_h)
    hour = np.arange(steps) * step_h % 24
    load = 1000 * (1 + 0.4 * np.sin((hour - 8) / 12 * np.pi)) * rng.uniform(0.9, 1.1, steps)
    values: dict[str, Any] = {
        "step_h": step_h, "load_kw": load,
        "buy": np.where(hour < 8, 0.25, np.where((hour > 9) & (hour < 19), 1.1, 0.65)),
        "sell": np.full(steps, 0.2), "pv_kw": np.zeros(steps), "month": np.zeros(steps, np.int64),
        "demand_price": np.array([19.0]), "charge_kw": 0.0, "discharge_kw": 0.0, "max_kwh": 0.0, "start_kwh": 0.0,
        "end_kwh": 0.0, "wear": 0.02, "standing_loss": 1e-4,
    }  # fmt: skip
    return StorageYear(**(values | changes))


def sun(seed: int = 1, step_h: float = 1.0) -> np.ndarray:
    hour = np.arange(round(336 / step_h)) * step_h % 24
    return np.maximum(0.0, np.sin((hour - 6) / 12 * np.pi)) * np.random.default_rng(seed).uniform(
        0.3, 0.9, len(hour)
    )


def a_case(year: StorageYear | None = None, **changes: Any) -> SizingCase:
    scenario = Scenario(year or two_weeks(), sun())
    values: dict[str, Any] = {"scenarios": (scenario,), "pv": PV, "power": POWER, "energy": ENERGY}
    return SizingCase(**(values | {"span_a": 336 / 8760, "least": 0.05} | changes))


def proven(plan: SizePlan) -> SizePlan:
    assert plan.status == "optimal"
    assert plan.bound <= plan.total * (1 + 1e-9)
    assert plan.gap <= 1e-6
    assert plan.total == pytest.approx(plan.investment + plan.energy + plan.demand, rel=1e-12)
    return plan


CASES: dict[str, SizingCase] = {
    "from nothing": a_case(),
    "beside what stands": a_case(
        two_weeks(
            pv_kw=200 * sun(), charge_kw=100.0, discharge_kw=100.0, max_kwh=200.0, start_kwh=100.0, end_kwh=100.0
        )
    ),
    "a fortnight that closes on itself": a_case(two_weeks(start_kwh=None, end_kwh=None), start=None, end=0.0),
    "too dear to build": a_case(pv=replace(PV, price=1e5), energy=replace(ENERGY, price=1e5)),
    "no PV allowed": a_case(pv=replace(PV, high=0.0)),
    "at least a small battery": a_case(energy=replace(ENERGY, price=5000.0, low=100.0)),
    "no export": a_case(two_weeks(export_limit_kw=0.0)),
}


@pytest.mark.parametrize("name", CASES)
def test_size_is_that_of_one_linear_program(name: str) -> None:
    case = CASES[name]
    total, _ = cheapest_size(case)
    assert proven(size(case)).total == pytest.approx(total, rel=1e-6)


def test_worth_of_a_unit_is_its_cost_where_its_number_is_free() -> None:
    case = a_case()
    plan = proven(size(case))
    free = (plan.size > 1.0) & (plan.size < [PV.high - 1, POWER.high - 1, ENERGY.high - 1])
    assert free.any()
    np.testing.assert_allclose(plan.worth[free], case.unit_cost[free], rtol=1e-4)
    assert (plan.worth[plan.size < 1e-6] <= case.unit_cost[plan.size < 1e-6] * (1 + 1e-6)).all()


def test_bundle_comes_to_the_same_size_cost() -> None:
    case = a_case()
    first, second = proven(size(case)), proven(bundle(case))
    assert second.total == pytest.approx(first.total, rel=1e-6)
    assert second.evaluations < 60


def test_scenarios_share_one_size() -> None:
    """Expected cost equals the probability-weighted costs at the size; no size of the single years is better."""
    scenarios = (Scenario(two_weeks(1), sun(1), 0.7), Scenario(two_weeks(2), 0.6 * sun(2), 0.3))
    case = a_case(scenarios=scenarios)
    plan = proven(size(case))
    assert plan.total == pytest.approx(float(np.array([0.7, 0.3]) @ plan.costs), rel=1e-9)
    assert plan.costs.max() == pytest.approx(plan.cvar, rel=1e-9)
    for alone in scenarios:
        other = size(a_case(scenarios=(replace(alone, probability=1.0),))).size
        costs = [cheapest(at_size(case, s, other)) or 0.0 for s in scenarios]
        expected = float(case.unit_cost @ other) + (0.7 * costs[0] + 0.3 * costs[1]) / case.span_a
        assert plan.bound <= expected * (1 + 1e-9)


def test_sensitivity_moves_as_it_must() -> None:
    case = a_case()
    found = sensitivity(case, prices=(0.8, 1.2), investments=(0.8, 1.2), rates=(0.04, 0.12))
    plain = size(case)
    assert found["prices", 0.8].total < plain.total < found["prices", 1.2].total
    assert found["investments", 0.8].total < plain.total < found["investments", 1.2].total
    assert found["rates", 0.04].total < plain.total < found["rates", 0.12].total
    assert found["prices", 1.2].size.sum() >= plain.size.sum() - 1e-3


def test_case_without_meaning_is_refused() -> None:
    with pytest.raises(InputError, match="probabilities"):
        size(a_case(scenarios=(Scenario(two_weeks(), sun(), 0.5),)))
    with pytest.raises(InputError, match="closed year"):
        size(a_case(start=None))


def test_annuity_pays_back_its_loan() -> None:
    assert sum(annuity(0.07, 13) / 1.07**year for year in range(1, 14)) == pytest.approx(1.0)
    assert annuity(1e-12, 10) == pytest.approx(0.1)


def test_annual_cost_is_the_annuity_of_the_cash_flow() -> None:
    investment = Investment(price=900.0, lifetime_a=8, high=1.0, fixed=10.0, replacement=500.0)
    flow = cash_flow([(investment, 1.0)], 0.0, 20)
    present = sum(amount / 1.08**year for year, amount in enumerate(flow))
    assert annual_cost(investment, 0.08, 20) == pytest.approx(-present * annuity(0.08, 20))


def test_appraisal_by_hand() -> None:
    """1,000 for 300 a year, four years: pay-back 10/3 a; present value at 10 % −1000 + 300·3.169865."""
    worth = appraise([(Investment(price=1000.0, lifetime_a=4, high=1.0), 1.0)], 300.0, 0.1, 4)
    assert worth.payback_a == pytest.approx(10 / 3)
    assert worth.npv == pytest.approx(-1000 + 300 * 3.169865446349293)
    assert worth.discounted_payback_a is None
    assert worth.irr == pytest.approx(0.07713847, rel=1e-6)


def test_cvar_splits_the_scenario_at_the_border_of_the_tail() -> None:
    assert cvar(np.array([1.0, 5.0, 10.0]), np.array([0.6, 0.3, 0.1]), 0.8) == pytest.approx(7.5)
