"""What an investment costs a year and what it earns: annuity, replacement, rest value, pay-back, NPV, IRR.

Costs are real, of today's prices; year 0 is the day of purchase, running costs and savings fall at the end of a
year.

Source: W. Short, D. J. Packey, T. Holt (1995), A Manual for the Economic Evaluation of Energy Efficiency and
Renewable Energy Technologies, NREL/TP-462-5173, sections 2 and 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from lujin.dispatch.chain import Array


@dataclass(frozen=True)
class Investment:
    """One kind of equipment; its unit is kW or kWh.

    price: purchase and installation [CNY/unit]. lifetime_a: years until it is replaced. replacement: cost of one
    replacement [CNY/unit]; none: the price again. fixed: fixed running cost [CNY/unit·a].
    low, high: least and most to build, beyond what stands [unit].
    """

    price: float
    lifetime_a: float
    high: float
    low: float = 0.0
    fixed: float = 0.0
    replacement: float | None = None

    @property
    def renewal(self) -> float:
        return self.price if self.replacement is None else self.replacement


def annuity(rate: float, years: float) -> float:
    """Capital recovery factor r (1 + r)ⁿ/((1 + r)ⁿ − 1) [1/a]; 1/n without interest.

    >>> round(annuity(0.08, 20), 6), annuity(0.0, 20)
    (0.101852, 0.05)
    """
    if rate == 0.0:
        return 1.0 / years
    return -rate / math.expm1(-years * math.log1p(rate))


def renewals(investment: Investment, horizon_a: float) -> list[float]:
    """Years in which equipment is replaced, within the horizon.

    >>> renewals(Investment(price=1.0, lifetime_a=8, high=1.0), 20)
    [8, 16]
    """
    count = math.ceil(horizon_a / investment.lifetime_a - 1e-9) - 1
    return [investment.lifetime_a * (i + 1) for i in range(count)]


def rest_value(investment: Investment, horizon_a: float) -> float:
    """What is left at the horizon of the last purchase, in proportion to the life that it still has [CNY/unit]."""
    times = renewals(investment, horizon_a)
    left = (times[-1] if times else 0.0) + investment.lifetime_a - horizon_a
    return (investment.renewal if times else investment.price) * left / investment.lifetime_a


def annual_cost(investment: Investment, rate: float, horizon_a: float) -> float:
    """Annual cost of a unit [CNY/unit·a]: annuity of purchase, replacements and rest value, plus fixed cost.

        annuity(r, n) · (price + Σ_j renewal (1 + r)^−t_j − rest (1 + r)^−n) + fixed

    >>> round(annual_cost(Investment(price=1000.0, lifetime_a=10, high=1.0, fixed=5.0), 0.08, 20), 4)
    154.0295
    """
    present = investment.price - rest_value(investment, horizon_a) * math.pow(1 + rate, -horizon_a)
    present += sum(investment.renewal * math.pow(1 + rate, -t) for t in renewals(investment, horizon_a))
    return annuity(rate, horizon_a) * present + investment.fixed


@dataclass(frozen=True)
class Worth:
    """Against no investment: outlay [CNY], saving of the first year net of fixed cost [CNY/a], pay-back simple and
    discounted [a] (none: not within the horizon), net present value [CNY], internal rate of return (none:
    none)."""

    outlay: float
    saving: float
    payback_a: float | None
    discounted_payback_a: float | None
    npv: float
    irr: float | None


def cash_flow(bought: Sequence[tuple[Investment, float]], saving: float, horizon_a: int) -> Array:
    """Flow at the end of year 0 … n [n + 1] [CNY]; a replacement within a year is paid at the end of that year."""
    flow = np.full(horizon_a + 1, saving - sum(i.fixed * size for i, size in bought))
    flow[0] = -sum(i.price * size for i, size in bought)
    for investment, size in bought:
        for year in renewals(investment, horizon_a):
            flow[math.ceil(year)] -= investment.renewal * size
        flow[-1] += rest_value(investment, horizon_a) * size
    return flow


def appraise(bought: Sequence[tuple[Investment, float]], saving: float, rate: float, horizon_a: int) -> Worth:
    """What the purchase is worth if it saves ``saving`` [CNY/a], fixed costs not yet taken off, every year."""
    flow = cash_flow(bought, saving, horizon_a)
    outlay, net = -float(flow[0]), saving - sum(i.fixed * size for i, size in bought)
    discounted = flow * (1.0 + rate) ** -np.arange(horizon_a + 1.0)
    simple = outlay / net if net > 0 else None
    return Worth(outlay, net, simple, _crossing(discounted), float(discounted.sum()), _internal_rate(flow))


def _crossing(flow: Array) -> float | None:
    """Year from which the sum stays above 0, linear within the year."""
    total = np.cumsum(flow)
    below = np.flatnonzero(total < 0)
    if not len(below):
        return 0.0
    last = int(below[-1])
    return None if last == len(flow) - 1 else last + float(-total[last] / flow[last + 1])


def _internal_rate(flow: Array) -> float | None:
    """Rate at which the present value is 0; none where no rate between −99 % and 1,000 % does it."""
    years = np.arange(len(flow), dtype=np.float64)

    def value(rate: float) -> float:
        return float((flow * (1.0 + rate) ** -years).sum())

    if not flow.any() or value(-0.99) * value(10.0) > 0:
        return None
    return float(brentq(value, -0.99, 10.0))
