"""A year of quarter hours behind one meter, and its sizing, against bare HiGHS in the same run.

    python benchmarks/dispatch_year.py [--small] [--no-sizing]

Load, PV and tariff are made on the spot: time of use as in Guangdong (0.38 in the valley, 1.7 at the peak, of 0.65
CNY/kWh), 38 CNY/kW·month. CPU seconds of the process. The sizing takes HiGHS 90 s and more, 600 MB.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.dispatch.year_program import cheapest, cheapest_size

from lujin.dispatch.interior import StorageYear, solve_year
from lujin.dispatch.investment import Investment
from lujin.dispatch.sizing import Scenario, SizingCase, size

Result = TypeVar("Result")


def site(step_h: float) -> StorageYear:
    """A works of 3 MW with 3 MW PV and a battery of 1 MW, 4 MWh, in 2025."""
    rng = np.random.default_rng(20260701)
    steps = round(8760 / step_h)
    hour, day = np.arange(steps) * step_h % 24, (np.arange(steps) * step_h // 24).astype(int)
    month = (np.datetime64("2025-01-01") + day).astype("datetime64[M]").astype(int) % 12
    shape = (1 + 0.35 * np.sin((hour - 8) / 12 * np.pi)) * np.where(day % 7 < 5, 1.0, 0.7)
    load = 3000 * shape * (1 + 0.1 * np.sin(2 * np.pi * day / 365)) * (1 + 0.08 * rng.standard_normal(steps))
    sky = rng.uniform(0.2, 1.0, 365)[day] * rng.uniform(0.8, 1.0, steps)
    valley, peak = hour < 8, ((hour >= 10) & (hour < 12)) | ((hour >= 14) & (hour < 19))
    return StorageYear(
        step_h=step_h, load_kw=load, buy=0.65 * np.where(valley, 0.38, np.where(peak, 1.7, 1.0)),
        sell=np.full(steps, 0.2), pv_kw=3000 * sky * np.maximum(0.0, np.sin((hour - 6) / 12 * np.pi)), month=month,
        demand_price=np.full(12, 38.0), charge_kw=1000.0, discharge_kw=1000.0, max_kwh=4000.0, min_kwh=200.0,
        standing_loss=1e-4, wear=0.02, start_kwh=2000.0, end_kwh=2000.0,
    )  # fmt: skip


def sizing_case(step_h: float) -> SizingCase:
    year = site(step_h)
    bare = replace(
        year, pv_kw=0 * year.pv_kw, charge_kw=0.0, discharge_kw=0.0, max_kwh=0.0, min_kwh=0.0, start_kwh=0.0,
        end_kwh=0.0,
    )  # fmt: skip
    return SizingCase(
        scenarios=(Scenario(bare, year.pv_kw / 3000),),
        pv=Investment(price=3000.0, lifetime_a=25, high=10_000.0, fixed=30.0),
        power=Investment(price=400.0, lifetime_a=15, high=5000.0),
        energy=Investment(price=900.0, lifetime_a=12, high=20_000.0, fixed=10.0), least=0.05,
    )  # fmt: skip


def clocked(work: Callable[[], Result]) -> tuple[Result, float]:
    start = time.process_time()
    return work(), time.process_time() - start


def told(name: str, ours: float, theirs: float, difference: float, more: str) -> None:
    print(
        f"{name:<12} ours {ours:7.2f} s   HiGHS {theirs:7.2f} s   ratio {theirs / ours:5.1f}"
        f"   cost differs by {difference:+.1e}   {more}"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--small", action="store_true", help="hours in place of quarter hours")
    arguments.add_argument("--no-sizing", action="store_true", help="the year alone")
    chosen = arguments.parse_args()
    step_h = 1.0 if chosen.small else 0.25
    year = site(step_h)
    solve_year(replace(year, load_kw=1.01 * year.load_kw))  # first use of memory is not counted
    plan, ours = clocked(lambda: solve_year(year))
    cost, theirs = clocked(lambda: cheapest(year))
    assert cost is not None
    more = f"{plan.iterations} iterations, gap {plan.gap:.0e}, {plan.status}"
    told("year", ours, theirs, (plan.objective - cost) / cost, more)
    if chosen.no_sizing:
        return
    case = sizing_case(step_h)
    best, ours = clocked(lambda: size(case))
    (total, there), theirs = clocked(lambda: cheapest_size(case))
    more = f"{best.iterations} iterations, gap {best.gap:.0e}, {best.status}"
    told("sizing", ours, theirs, (best.total - total) / total, more)
    print("size", best.size.round(3).tolist(), "HiGHS", there.round(3).tolist())


if __name__ == "__main__":
    main()
