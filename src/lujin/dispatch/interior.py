"""The cheapest year of one battery behind one meter: time-of-use energy, demand charge, PV.

    min Σ_t Δ [buy_t g_t − sell_t e_t + wear d_t + charge_cost c_t] + Σ_m D_m P_m
    g − e + q + d − c = load,  0 ≤ q ≤ pv,  0 ≤ g ≤ import limit,  0 ≤ e ≤ export limit
    s_t = (1 − δ)^Δ s_{t−1} + η_c c Δ − d Δ/η_d,  s_min ≤ s ≤ s_max,  0 ≤ c ≤ C,  0 ≤ d ≤ D
    P_m ≥ g_t for t in month m,  P_m ≥ floor_m

An own interior point (``lujin.dispatch.primal_dual``) on the chain that the year is: some thirty iterations of
vector operations in place of some ten thousands of pivots. The result carries a bound that anyone can work out
again from its prices. Where it does not converge it says so, and the caller takes the general solver.

>>> import numpy as np
>>> year = StorageYear(
...     step_h=1.0, load_kw=np.array([10.0, 10.0]), buy=np.array([0.2, 1.0]), sell=np.zeros(2), pv_kw=np.zeros(2),
...     month=np.array([0, 0]), demand_price=np.zeros(1), charge_kw=5.0, discharge_kw=5.0, max_kwh=10.0,
...     charge_efficiency=1.0, discharge_efficiency=1.0,
... )
>>> plan = solve_year(year)
>>> plan.status, round(plan.objective, 6), plan.discharge_kw.round(4).tolist()
('optimal', 8.0, [0.0, 5.0])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lujin.dispatch.blocks import CHARGE, CONTENT, DISCHARGE, EXPORT, IMPORT, PV
from lujin.dispatch.chain import Array
from lujin.dispatch.primal_dual import solve as run
from lujin.dispatch.storage_blocks import StorageYear, assemble, starting_point

__all__ = ["StorageYear", "StorageYearPlan", "solve_year"]

Status = Literal["optimal", "not_converged"]


@dataclass(frozen=True, eq=False)
class StorageYearPlan:
    """The plan with its proof.

    import_kw … discharge_kw [T] [kW], content_kwh [T] at the end of each step [kWh], peak_kw [M] [kW].
    balance_price [T]: what one more kWh of load costs [CNY/kWh]. content_value [T]: what one more kWh in the
    storage at the end of the step saves [CNY/kWh]. peak_price [T]: share of D_m that the step bears; sums to
    D_m or less in each month [CNY/kW].
    objective, bound [CNY]: cost of the plan; no plan costs less than ``bound``. gap: their relative difference.
    infeasibility: largest miss of a balance or content row [kW]. status: "optimal" where both are below tolerance.
    """

    import_kw: Array
    export_kw: Array
    pv_used_kw: Array
    charge_kw: Array
    discharge_kw: Array
    content_kwh: Array
    peak_kw: Array
    balance_price: Array
    content_value: Array
    peak_price: Array
    objective: float
    bound: float
    gap: float
    infeasibility: float
    iterations: int
    status: Status


def solve_year(year: StorageYear, tolerance: float = 1e-8, most: int = 100) -> StorageYearPlan:
    """The cheapest plan of a year to a relative gap of ``tolerance``; look at ``status`` before you use it."""
    made = assemble([year], [1.0])
    blocks = made.blocks
    outcome = run(blocks, starting_point(blocks), tolerance, most)
    point = outcome.point
    x = point.x * made.power
    money = made.money * made.power * made.step_h
    objective = outcome.objective * money + made.constant
    bound = outcome.bound * money + made.constant
    z = blocks.bound(point.price, point.value)[2]
    return StorageYearPlan(
        import_kw=x[IMPORT], export_kw=x[EXPORT], pv_used_kw=x[PV], charge_kw=x[CHARGE], discharge_kw=x[DISCHARGE],
        content_kwh=x[CONTENT] * made.step_h + made.least, peak_kw=np.maximum(point.y * made.power, year.floor_kw),
        balance_price=point.price * made.money, content_value=-point.value * made.money,
        peak_price=z[IMPORT] * made.money * made.step_h, objective=objective, bound=bound,
        gap=abs(objective - bound) / (1.0 + abs(objective)), infeasibility=outcome.infeasibility * made.power,
        iterations=outcome.iterations, status="optimal" if outcome.converged else "not_converged",
    )  # fmt: skip
