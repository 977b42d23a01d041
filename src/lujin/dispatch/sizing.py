"""How much PV and battery to build: the size, the year's operation and the proof in one program.

    min over K in [low, high]   Σ_k a_k K_k + Σ_ω p_ω v_ω(K)

v_ω(K) is the cheapest operation of scenario year ω (``lujin.dispatch.interior``) and a_k the annual cost of a
unit. v is convex and piecewise linear in K. The three sizes are three more columns in the border of the interior
point: no outer loop is needed, and its bound proves the size. Each set of prices also gives a plane below v;
``bundle`` uses these planes alone, one operation per evaluation, and is the way that remains where the one program
does not converge.

Sources: W. Short, D. J. Packey, T. Holt (1995), NREL/TP-462-5173 (annuity, pay-back, present value, internal
rate); C. Lemaréchal, A. Nemirovskii, Y. Nesterov (1995), Mathematical Programming 69, 111 (level bundle); R. T.
Rockafellar, S. Uryasev (2000), Journal of Risk 2, 21 (CVaR).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linprog

from lujin.dispatch.chain import Array
from lujin.dispatch.interior import StorageYearPlan, solve_year
from lujin.dispatch.investment import Investment, Worth, annual_cost, appraise
from lujin.dispatch.primal_dual import solve as run
from lujin.dispatch.storage_blocks import Growth, StorageYear, assemble, starting_point
from lujin.errors import N_, InputError, Problem


@dataclass(frozen=True, eq=False)
class Scenario:
    """A year that may come: the site with what stands there already, PV output per kW built [T], its
    probability."""

    year: StorageYear
    pv_per_kw: Array
    probability: float = 1.0


@dataclass(frozen=True, eq=False)
class SizingCase:
    """What may be built for which years.

    pv, power, energy: investment in PV [kW], battery [kW] and battery [kWh]. rate: discount rate [1/a]. horizon_a:
    years looked at. span_a: share of a year that the scenarios cover. least, most, start, end: content of what is
    built as a share of its kWh; start none: the year closes on itself (one scenario only).
    """

    scenarios: tuple[Scenario, ...]
    pv: Investment
    power: Investment
    energy: Investment
    rate: float = 0.08
    horizon_a: int = 20
    span_a: float = 1.0
    least: float = 0.0
    most: float = 1.0
    start: float | None = 0.5
    end: float = 0.5

    @property
    def investments(self) -> tuple[Investment, Investment, Investment]:
        return self.pv, self.power, self.energy

    @property
    def unit_cost(self) -> Array:
        """Annual cost per kW, kW and kWh [3] [CNY/unit·a]."""
        return np.array([annual_cost(i, self.rate, self.horizon_a) for i in self.investments])


@dataclass(frozen=True, eq=False)
class SizePlan:
    """The size, its costs and its proof; amounts in CNY per year, expected over the scenarios.

    size [3]: PV [kW], battery [kW], battery [kWh] to build. investment, energy, demand: annual cost of what is
    built, of energy and wear less sales, of peaks. total: their sum. bound: no size costs less. worth [3]: what
    one more unit would save in operation, so that worth less unit cost is its gain. without: annual cost if
    nothing is built.
    costs [S]: annual cost of each scenario at this size; cvar: mean of the worst tail. evaluations: programs
    solved.
    """

    size: Array
    investment: float
    energy: float
    demand: float
    total: float
    bound: float
    gap: float
    worth: Array
    without: float
    benefit: Worth
    costs: Array
    cvar: float
    evaluations: int
    iterations: int
    status: str


def at_size(case: SizingCase, scenario: Scenario, size: Array) -> StorageYear:
    """The scenario year with PV [kW], battery [kW] and battery [kWh] of ``size`` added to what stands."""
    year, (pv, power, energy) = scenario.year, size.tolist()
    start = None if year.start_kwh is None or case.start is None else year.start_kwh + case.start * energy
    return replace(
        year, pv_kw=year.pv_kw + pv * scenario.pv_per_kw, charge_kw=year.charge_kw + power,
        discharge_kw=year.discharge_kw + power, min_kwh=year.min_kwh + case.least * energy,
        max_kwh=year.max_kwh + case.most * energy, start_kwh=start,
        end_kwh=max(year.end_kwh or 0.0, year.min_kwh) + max(case.end, case.least) * energy,
    )  # fmt: skip


def cvar(costs: Array, probability: Array, level: float = 0.9) -> float:
    """Mean cost of the worst 1 − level of probability.

    >>> cvar(np.array([1.0, 2.0, 10.0]), np.array([0.5, 0.4, 0.1]), 0.75).__round__(6)
    5.2
    """
    order = np.argsort(-costs)
    tail = 1.0 - level
    before = np.concatenate([[0.0], np.cumsum(probability[order])[:-1]])
    weight = np.clip(tail - before, 0.0, probability[order])
    return float((weight * costs[order]).sum() / weight.sum())


def size(case: SizingCase, tolerance: float = 1e-8, level: float = 0.9) -> SizePlan:
    """The cheapest size for the expected year, with its proof; look at ``status`` before you use it."""
    _check(case)
    low = np.array([i.low for i in case.investments])
    high = np.array([i.high for i in case.investments])
    prices = case.unit_cost * case.span_a
    probability = np.array([s.probability for s in case.scenarios])
    profiles = tuple(s.pv_per_kw for s in case.scenarios)
    room = np.maximum(high, low + 1e-6)  # an interior point needs some
    growth = Growth(prices, low, room, profiles, (case.least, case.most, case.start, case.end))
    made = assemble([s.year for s in case.scenarios], probability.tolist(), growth)
    outcome = run(made.blocks, starting_point(made.blocks), tolerance)
    units = np.array([made.power, made.power, made.power * made.step_h])
    money = made.money * made.power * made.step_h
    chosen = _snapped(outcome.point.y[-3:] * units, low, high)
    bound = outcome.bound * money + made.constant
    _, reduced, _ = made.blocks.bound(outcome.point.price, outcome.point.value)
    worth = prices - reduced[-3:] * money / units
    plans = [solve_year(at_size(case, s, chosen)) for s in case.scenarios]
    return _report(case, chosen, plans, bound, worth / case.span_a, outcome.iterations, outcome.converged, level)


def _snapped(sizes: Array, low: Array, high: Array) -> Array:
    """Sizes within a millionth of a bound are at the bound."""
    near = 1e-6 * np.maximum(high - low, 1.0)
    sizes = np.where(sizes - low < near, low, sizes)
    return np.where(high - sizes < near, high, sizes)


def _check(case: SizingCase) -> None:
    wrong = []
    if not case.scenarios or abs(sum(s.probability for s in case.scenarios) - 1.0) > 1e-9:
        wrong.append(("scenarios", N_("must be there, with probabilities that sum to 1")))
    if any(not np.isfinite(i.high) or i.high < i.low or i.low < 0 or i.lifetime_a <= 0 for i in case.investments):
        wrong.append(("investments", N_("need 0 ≤ low ≤ high, all finite, and a lifetime above 0")))
    closed = {s.year.start_kwh is None for s in case.scenarios} | {case.start is None}
    if len(closed) > 1 or (case.start is None and len(case.scenarios) > 1):
        wrong.append(("start", N_("must be given for case and years alike; a closed year stands alone")))
    if not 0 <= case.least <= case.most <= 1 or not case.least <= (case.start or case.least) <= case.most:
        wrong.append(("least", N_("must not exceed start, nor start the most content")))
    if wrong:
        raise InputError(
            *(Problem(message, remedy=N_("correct the input"), field=name) for name, message in wrong)
        )


def demand_cost(year: StorageYear, plan: StorageYearPlan) -> float:
    """Σ_m D_m P_m [CNY] of the billed peaks: the largest import of the month, at least the floor."""
    starts = np.flatnonzero(np.diff(year.month, prepend=-1))
    peak = np.maximum(np.maximum.reduceat(plan.import_kw, starts), year.floor_kw)
    return float((year.demand_price * peak).sum())


def _report(
    case: SizingCase, chosen: Array, plans: Sequence[StorageYearPlan], bound: float, worth: Array, iterations: int,
    converged: bool, level: float,
) -> SizePlan:  # fmt: skip
    probability = np.array([s.probability for s in case.scenarios])
    nothing = [solve_year(at_size(case, s, np.zeros(3))) for s in case.scenarios]
    span = case.span_a
    without = float(probability @ [p.objective for p in nothing]) / span
    investment = float(case.unit_cost @ chosen)
    operation = np.array([p.objective for p in plans]) / span
    demand = np.array([demand_cost(s.year, p) for s, p in zip(case.scenarios, plans, strict=True)]) / span
    total = investment + float(probability @ operation)
    bound = bound / span
    gap = (total - bound) / (1.0 + abs(total))
    saving = without - float(probability @ operation)
    costs = investment + operation
    sound = converged and all(p.status == "optimal" for p in plans) and gap < 1e-6
    bought = list(zip(case.investments, chosen.tolist(), strict=True))
    return SizePlan(
        size=chosen, investment=investment, energy=float(probability @ (operation - demand)),
        demand=float(probability @ demand), total=total, bound=bound, gap=gap, worth=worth, without=without,
        benefit=appraise(bought, saving, case.rate, case.horizon_a), costs=costs,
        cvar=cvar(costs, probability, level), evaluations=1 + len(plans) + len(nothing), iterations=iterations,
        status="optimal" if sound else "not_converged",
    )  # fmt: skip


def bundle(case: SizingCase, tolerance: float = 1e-7, most: int = 80, level: float = 0.9) -> SizePlan:
    """The same by a level bundle: planes under the cost of operation, each from one evaluation per scenario.

    A plane holds for every size whatever the accuracy of the evaluation, as it is a Lagrangian bound. The next
    size is the point nearest the best one on which the planes lie below a level between bound and best.
    """
    _check(case)
    low = np.array([i.low for i in case.investments])
    high = np.array([i.high for i in case.investments])
    unit = np.maximum(high - low, 1e-9)
    prices = case.unit_cost * case.span_a
    here = low + 0.25 * (high - low)
    best, chosen, bound, iterations = np.inf, here, -np.inf, 0
    slopes, heights = np.zeros((0, 3)), np.zeros(0)
    plans: list[StorageYearPlan] = []
    evaluations = 0
    while evaluations < most:
        evaluations += 1
        found = [_plane(case, s, here) for s in case.scenarios]
        iterations += sum(plan.iterations for plan, _, _ in found)
        if any(plan.status != "optimal" for plan, _, _ in found) and plans:
            here = 0.5 * (here + chosen)  # no operation there, such as content without power to hold it
            continue
        chance = [s.probability for s in case.scenarios]
        total = float(
            prices @ here + sum(p * plan.objective for p, (plan, _, _) in zip(chance, found, strict=True))
        )
        slope = prices + sum(p * slope for p, (_, slope, _) in zip(chance, found, strict=True))
        height = sum(p * height for p, (_, _, height) in zip(chance, found, strict=True))
        slopes, heights = np.vstack([slopes, slope * unit]), np.append(heights, height + slope @ low)
        if total < best:
            best, chosen, plans = total, here, [plan for plan, _, _ in found]
        bound = _lowest(slopes, heights)
        if best - bound <= tolerance * (1.0 + abs(best)):
            break
        centre = (chosen - low) / unit
        here = low + unit * _nearest(slopes, heights, bound + 0.3 * (best - bound), centre)
    converged = best - bound <= tolerance * (1.0 + abs(best))
    worth = (prices - slopes[-1] / unit) / case.span_a
    plan = _report(case, chosen, plans, bound, worth, iterations, converged, level)
    return replace(plan, evaluations=evaluations * len(case.scenarios))


def _plane(case: SizingCase, scenario: Scenario, here: Array) -> tuple[StorageYearPlan, Array, float]:
    """Operation at a size, slope [3] and height at size 0 of the plane that its prices put under v.

    ∂v/∂K: PV −Σ profile z, power −Σ (z_c + z_d), energy −Σ room z + Σ G μ with the bound duals z.
    """
    plan = solve_year(at_size(case, scenario, here), 1e-9)
    growth = Growth(np.zeros(3), here, here, (scenario.pv_per_kw,), (case.least, case.most, case.start, case.end))
    made = assemble([scenario.year], [1.0], growth)
    price, value = plan.balance_price / made.money, -plan.content_value / made.money
    _, reduced, _ = made.blocks.bound(price, value)
    units = np.array([made.power, made.power, made.power * made.step_h])
    slope = reduced[-3:] * made.money * made.power * made.step_h / units
    return plan, slope, plan.bound - float(slope @ here)


def _lowest(slopes: Array, heights: Array) -> float:
    """Least of the largest plane over the unit box."""
    planes = len(heights)
    cost = np.array([0.0, 0.0, 0.0, 1.0])
    rows = np.hstack([slopes, -np.ones((planes, 1))])
    found = linprog(cost, rows, -heights, bounds=[(0, 1)] * 3 + [(None, None)], method="highs")
    return float(found.fun)


def _nearest(slopes: Array, heights: Array, level: float, centre: Array) -> Array:
    """Point of the unit box nearest ``centre`` (in the largest coordinate) where no plane rises above
    ``level``."""
    planes = len(heights)
    rows = np.vstack(
        [
            np.hstack([slopes, np.zeros((planes, 1))]),
            np.hstack([np.eye(3), -np.ones((3, 1))]),
            np.hstack([-np.eye(3), -np.ones((3, 1))]),
        ]
    )
    right = np.concatenate([level - heights, centre, -centre])
    found = linprog(np.array([0.0, 0.0, 0.0, 1.0]), rows, right, bounds=[(0, 1)] * 3 + [(0, None)], method="highs")
    return np.clip(found.x[:3], 0.0, 1.0) if found.status == 0 else centre


def sensitivity(
    case: SizingCase,
    prices: Sequence[float] = (0.9, 1.1),
    investments: Sequence[float] = (0.9, 1.1),
    rates: Sequence[float] = (0.06, 0.10),
) -> dict[tuple[str, float], SizePlan]:
    """The size if all prices of the tariff or all investments are multiplied, or at other discount rates."""

    def dearer(year: StorageYear, by: float) -> StorageYear:
        return replace(year, buy=by * year.buy, sell=by * year.sell, demand_price=by * year.demand_price)

    def costlier(i: Investment, by: float) -> Investment:
        return replace(i, price=by * i.price, replacement=by * i.renewal)

    result: dict[tuple[str, float], SizePlan] = {}
    for by in prices:
        scenarios = tuple(replace(s, year=dearer(s.year, by)) for s in case.scenarios)
        result["prices", by] = size(replace(case, scenarios=scenarios))
    for by in investments:
        pv, power, energy = (costlier(i, by) for i in case.investments)
        result["investments", by] = size(replace(case, pv=pv, power=power, energy=energy))
    for rate in rates:
        result["rates", rate] = size(replace(case, rate=rate))
    return result
