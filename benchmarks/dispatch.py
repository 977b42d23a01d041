"""Dispatch against a bare HiGHS solve of the same program in the same run: python benchmarks/dispatch.py

A composed works of some 1.5 MW with PV and a battery under a five-period price and a monthly demand charge: 200
day-ahead plans of 96 steps, one year at 15 minutes, its replay in 365 pieces, and the sizing of PV and battery.
CPU seconds of the process; BLAS with one thread.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from lujin.dispatch import Bus, Demand, Load, Renewable, Site, Storage, Supply, replay, schedule
from lujin.dispatch.interior import solve_year
from lujin.dispatch.investment import Investment
from lujin.dispatch.schedule import formulate
from lujin.dispatch.sizing import Scenario, SizingCase, size
from lujin.dispatch.solver import solve
from lujin.dispatch.storage_blocks import StorageYear

YEAR = 35_040


def works(seed: int, days: int = 365) -> StorageYear:
    rng = np.random.default_rng(seed)
    n = days * 96
    hour, day = np.arange(n) / 4 % 24, np.arange(n) // 96
    busy = (hour > 8) & (hour < 20) & (day % 7 < 5)
    sun = np.maximum(0, np.sin((hour - 6) / 12 * np.pi)) * np.repeat(rng.uniform(0.15, 0.85, days), 96)
    return StorageYear(
        step_h=0.25,
        load_kw=1500 + 700 * busy * np.repeat(rng.uniform(0.8, 1.2, days), 96) + rng.normal(0, 60, n),
        buy=np.where(
            hour < 8, 0.26, np.where((hour >= 10) & (hour < 12) | (hour >= 14) & (hour < 19), 1.16, 0.68)
        ),
        sell=np.full(n, 0.25),
        pv_kw=1000 * sun,
        month=np.minimum(day // 31, 11),
        demand_price=np.full(int(min((days - 1) // 31, 11)) + 1, 38.0),
        charge_kw=1000.0,
        discharge_kw=1000.0,
        max_kwh=4000.0,
        start_kwh=2000.0,
        end_kwh=2000.0,
        wear=0.02,
    )


def site(year: StorageYear, to_date: float = 0.0) -> Site:
    demand = Demand(price=tuple(year.demand_price), month=year.month.astype(np.int32), to_date=to_date)
    return Site(
        start=datetime(2025, 1, 1, tzinfo=UTC),
        steps=year.steps,
        step_h=year.step_h,
        buses={"el": Bus("el")},
        devices=(
            Supply(id="grid", bus="el", buy=year.buy, sell=year.sell, demand=demand),
            Renewable(id="pv", bus="el", available=year.pv_kw),
            Load(id="load", bus="el", rate=year.load_kw),
            Storage(
                id="battery", bus="el", capacity=year.max_kwh, charge=year.charge_kw, discharge=year.discharge_kw,
                charge_efficiency=0.95, discharge_efficiency=0.95, initial=2000.0, wear=year.wear,
            ),
        ),
    )  # fmt: skip


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def main() -> None:
    days = [site(works(n, 1), to_date=1800.0) for n in range(200)]
    schedule(days[0], warm=True)
    taken, plans = timed(lambda: [schedule(day, warm=True) for day in days])
    programs = [formulate(day).program for day in days]
    bare, solved = timed(lambda: [solve(p.structure(), p.vectors()) for p in programs])
    apart = max(abs(a.objective / b.objective - 1) for a, b in zip(plans, solved, strict=True))
    print(f"day-ahead, 200 × 96 steps: {taken / 200 * 1e3:.2f} ms each; bare HiGHS {bare / 200 * 1e3:.2f} ms; "
          f"apart {apart:.1e}")  # fmt: skip
    year = works(0)
    program = formulate(site(year)).program
    bare, best = timed(lambda: solve(program.structure(), program.vectors()))
    taken, whole = timed(lambda: schedule(site(year)))
    print(f"year, {YEAR} steps, schedule: {taken:.2f} s, {taken / bare:.2f}× bare HiGHS {bare:.2f} s")
    taken, plan = timed(lambda: solve_year(year))
    print(f"year, interior point: {taken:.2f} s, {bare / taken:.1f}× faster; {plan.status}, "
          f"apart {plan.objective / best.objective - 1:.1e}")  # fmt: skip
    without = schedule(replace(site(year), devices=site(year).devices[:-1])).objective
    taken, lived = timed(lambda: replay(site(year), ahead=192, keep=96, whole=whole))
    kept = (without - lived.cost) / (without - whole.objective)
    print(f"replay of {lived.plans} days, 48 h ahead: {taken:.2f} s; {kept:.2%} of the saving kept")
    nothing = replace(
        year, pv_kw=0 * year.pv_kw, charge_kw=0.0, discharge_kw=0.0, max_kwh=0.0, start_kwh=0.0, end_kwh=0.0,
        export_limit_kw=3000.0,
    )  # fmt: skip
    case = SizingCase(
        scenarios=(Scenario(nothing, year.pv_kw / 1000),),
        pv=Investment(price=3000.0, lifetime_a=20, high=3000.0, fixed=30.0),
        power=Investment(price=300.0, lifetime_a=15, high=3000.0),
        energy=Investment(price=900.0, lifetime_a=12, high=12_000.0),
    )
    taken, found = timed(lambda: size(case))
    print(f"sizing: {taken:.2f} s; {found.status}, proven to {found.gap:.1e}; {found.size.round(1).tolist()}")


if __name__ == "__main__":
    main()
