"""The storage year, and its sizing, as one plain linear program for HiGHS: the other opinion in the tests."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array

from lujin.dispatch.interior import StorageYear
from lujin.dispatch.sizing import SizingCase

Array = np.ndarray
IMPORT, EXPORT, PV, CHARGE, DISCHARGE, CONTENT = range(6)


class Rows:
    """Triplets of a sparse matrix, in blocks of T rows."""

    def __init__(self, steps: int, columns: int) -> None:
        self.steps, self.columns = steps, columns
        self.parts: list[tuple[Array, Array, Array]] = []

    def put(self, row: Array, column: Array, value: float | Array) -> None:
        self.parts.append((row, column, np.broadcast_to(np.asarray(value, float), row.shape)))

    def matrix(self, blocks: int) -> csr_array:
        row, column, value = (np.concatenate(part) for part in zip(*self.parts, strict=True))
        return coo_array((value, (row, column)), shape=(blocks * self.steps, self.columns)).tocsr()


def _common(year: StorageYear, columns: int) -> tuple[Rows, Rows, Array]:
    """Balance and content rows (equal), peak rows (at most 0), and the cost of the columns of a year."""
    steps = year.steps
    t = np.arange(steps)
    equal, most = Rows(steps, columns), Rows(steps, columns)
    for unknown, sign in ((IMPORT, 1), (EXPORT, -1), (PV, 1), (CHARGE, -1), (DISCHARGE, 1)):
        equal.put(t, unknown * steps + t, sign)
    equal.put(steps + t, CONTENT * steps + t, 1.0)
    equal.put(steps + t, CHARGE * steps + t, -year.charge_efficiency * year.step_h)
    equal.put(steps + t, DISCHARGE * steps + t, year.step_h / year.discharge_efficiency)
    equal.put(steps + t[1:], CONTENT * steps + t[:-1], -year.keep)
    most.put(t, IMPORT * steps + t, 1.0)
    most.put(t, 6 * steps + year.month, -1.0)
    rates = [
        year.buy,
        -year.sell,
        0 * year.buy,
        0 * year.buy + year.charge_cost,
        0 * year.buy + year.wear,
        0 * year.buy,
    ]
    cost = np.concatenate([np.concatenate(rates[:5]) * year.step_h, rates[5], year.demand_price])
    return equal, most, cost


def cheapest(year: StorageYear) -> float | None:
    """Least cost [CNY] by HiGHS; none where there is no plan."""
    steps, months = year.steps, len(year.demand_price)
    equal, most, cost = _common(year, 6 * steps + months)
    start = np.zeros(2 * steps)
    start[:steps] = year.load_kw
    if year.start_kwh is None:
        equal.put(np.array([steps]), np.array([6 * steps - 1]), -year.keep)
    else:
        start[steps] = year.keep * year.start_kwh
    full = np.ones(steps)
    low = np.concatenate([np.zeros(5 * steps), full * year.min_kwh, year.floor_kw])
    low[6 * steps - 1] = max(year.min_kwh, year.end_kwh or 0.0)
    limits = [year.import_limit_kw, year.export_limit_kw, 1.0, year.charge_kw, year.discharge_kw, year.max_kwh]
    high = np.concatenate([*(full * limit for limit in limits), np.full(months, np.inf)])
    high[PV * steps : (PV + 1) * steps] = year.pv_kw
    result = linprog(
        cost,
        most.matrix(1),
        np.zeros(steps),
        equal.matrix(2),
        start,
        np.stack([low, high], axis=1),
        method="highs",
    )
    return float(result.fun) if result.status == 0 else None


def cheapest_size(case: SizingCase) -> tuple[float, Array]:
    """Least annual cost [CNY] and the size, by HiGHS, for a case of one scenario."""
    (scenario,) = case.scenarios
    year, steps = scenario.year, scenario.year.steps
    months = len(year.demand_price)
    built = 6 * steps + months
    t, full = np.arange(steps), np.ones(steps)
    equal, most, cost = _common(year, built + 3)
    right, above = np.concatenate([year.load_kw, 0 * full]), np.zeros(6 * steps)
    equal.put(np.array([steps]), np.array([6 * steps - 1 if case.start is None else built + 2]),
              -year.keep * (case.start or 1.0))  # fmt: skip
    if year.start_kwh is not None:
        right[steps] = year.keep * year.start_kwh
    least = full * case.least
    least[-1] = max(case.least, case.end)
    bounds = (
        (PV, built, scenario.pv_per_kw, year.pv_kw),
        (CHARGE, built + 1, 1.0, year.charge_kw),
        (DISCHARGE, built + 1, 1.0, year.discharge_kw),
        (CONTENT, built + 2, case.most, year.max_kwh),
    )
    for block, (unknown, column, share, standing) in enumerate(bounds, 1):
        most.put(block * steps + t, unknown * steps + t, 1.0)
        most.put(block * steps + t, np.full(steps, column), -np.asarray(share))
        above[block * steps : (block + 1) * steps] = standing
    most.put(5 * steps + t, CONTENT * steps + t, -1.0)
    most.put(5 * steps + t, np.full(steps, built + 2), least)
    above[5 * steps :] = -year.min_kwh
    above[-1] = -max(year.min_kwh, year.end_kwh or 0.0)
    high = [*(full * year.import_limit_kw), *(full * year.export_limit_kw), *np.full(4 * steps + months, np.inf)]
    low = [*np.zeros(6 * steps), *year.floor_kw, *(i.low for i in case.investments)]
    high += [i.high for i in case.investments]
    prices = np.concatenate([cost, case.unit_cost * case.span_a])
    result = linprog(
        prices, most.matrix(6), above, equal.matrix(2), right, np.stack([low, high], axis=1), method="highs"
    )
    assert result.status == 0
    return float(result.fun) / case.span_a, result.x[built:]
