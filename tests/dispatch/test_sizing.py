"""What to build, against one linear program with the sizes as variables."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linprog

from lujin.dispatch.interior import solve_year
from lujin.dispatch.investment import Investment, annuity
from lujin.dispatch.sizing import Scenario, SizingCase, at_size, size
from lujin.dispatch.storage_blocks import StorageYear
from lujin.errors import InputError

STEPS = 14 * 24


def _case(**changes: object) -> SizingCase:
    rng = np.random.default_rng(11)
    hour = np.arange(STEPS) % 24
    sun = np.maximum(0.0, np.sin((hour - 6) / 12 * np.pi)) * np.repeat(rng.uniform(0.3, 1.0, 14), 24)
    year = StorageYear(
        step_h=1.0,
        load_kw=rng.uniform(400, 900, STEPS) + 400 * ((hour > 8) & (hour < 18)),
        buy=np.where(hour < 8, 0.28, np.where((hour >= 14) & (hour < 19), 1.3, 0.7)),
        sell=np.full(STEPS, 0.1),
        pv_kw=np.zeros(STEPS),
        month=np.zeros(STEPS, np.int64),
        demand_price=np.array([19.0]),
        charge_kw=0.0,
        discharge_kw=0.0,
        max_kwh=0.0,
        start_kwh=0.0,
        end_kwh=0.0,
        export_limit_kw=2000.0,
    )
    said: dict[str, object] = {
        "scenarios": (Scenario(year, sun),),
        "pv": Investment(price=3000.0, lifetime_a=20, high=3000.0, fixed=30.0),
        "power": Investment(price=300.0, lifetime_a=15, high=1000.0),
        "energy": Investment(price=900.0, lifetime_a=12, high=4000.0),
        "span_a": 14 / 365,
    }
    return SizingCase(**(said | changes))  # type: ignore[arg-type]


def _one_program(case: SizingCase) -> float:
    """Annual cost by one linear program of x = (g, e, q, c, d, s, P, K_pv, K_kw, K_kwh)."""
    year, sun = case.scenarios[0].year, case.scenarios[0].pv_per_kw
    n, eye = year.steps, sparse.eye_array(year.steps)
    one, zero = np.ones((n, 1)), sparse.csr_array((n, n))
    start = np.zeros((n, 1))
    start[0] = -case.start  # type: ignore[operator]
    end = sparse.csr_array((np.array([-1.0]), (np.array([0]), np.array([n - 1]))), (1, n))
    none = sparse.csr_array((n, 1))
    equal = sparse.block_array(
        [
            [eye, -eye, eye, -eye, eye, zero, none, none, none, none],
            [zero, zero, zero, -0.95 * eye, eye / 0.95, eye - sparse.eye_array(n, k=-1), None, None, None, start],
        ]
    )
    nothing = np.zeros((n, 1))
    less = sparse.block_array(
        [
            [eye, None, None, None, None, None, -one, None, None, None],
            [None, None, eye, None, None, None, None, -sun[:, None], None, None],
            [None, None, None, eye, None, None, None, None, -one, None],
            [None, None, None, None, eye, None, None, None, -one, None],
            [None, eye, None, None, None, eye * 0, nothing, nothing, nothing, nothing],
            [None, None, None, None, None, eye, None, None, None, -one],
            [None, None, None, None, None, end, None, None, None, np.full((1, 1), case.end)],
        ]
    )
    free = np.zeros(n)
    cost = np.concatenate([year.buy, -year.sell, *[free] * 4, year.demand_price, case.unit_cost * case.span_a])
    right = np.concatenate([*[free] * 4, np.full(n, 2000.0), free, [0.0]])
    bounds = [*[(0, None)] * (6 * n + 1), (0, 3000.0), (0, 1000.0), (0, 4000.0)]
    found = linprog(
        cost, A_ub=less.tocsc(), b_ub=right, A_eq=equal.tocsc(), b_eq=np.concatenate([year.load_kw, free]),
        bounds=bounds, method="highs",
    )  # fmt: skip
    return float(found.fun) / case.span_a


def test_the_size_is_that_of_one_linear_program() -> None:
    case = _case()
    found = size(case)
    assert found.status == "optimal"
    assert found.total == pytest.approx(_one_program(case), rel=1e-6)
    assert found.bound <= found.total + 1e-6 * found.total
    assert found.size[0] > 1.0  # PV at these prices is worth building
    assert found.total < found.without


def test_the_cost_at_the_size_is_that_of_operating_it() -> None:
    case = _case()
    found = size(case)
    operated = solve_year(at_size(case, case.scenarios[0], found.size)).objective / case.span_a
    assert found.total == pytest.approx(float(case.unit_cost @ found.size) + operated, rel=1e-9)


def test_what_costs_too_much_is_not_built() -> None:
    dear = Investment(price=1e6, lifetime_a=15, high=1000.0)
    found = size(_case(pv=dear, power=dear, energy=dear))
    assert found.size == pytest.approx([0.0, 0.0, 0.0], abs=1e-2)


def test_an_annuity_pays_back_price_and_interest() -> None:
    left = 1000.0
    for _ in range(20):
        left = left * 1.08 - 1000.0 * annuity(0.08, 20)
    assert left == pytest.approx(0.0, abs=1e-6)


def test_probabilities_that_do_not_sum_to_one_are_refused() -> None:
    case = _case()
    half = Scenario(case.scenarios[0].year, case.scenarios[0].pv_per_kw, probability=0.5)
    with pytest.raises(InputError, match="scenarios"):
        size(_case(scenarios=(half,)))
