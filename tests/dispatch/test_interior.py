"""The interior point of a storage year against the general formulation, which another solver works out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.dispatch import Bus, Demand, Load, Renewable, Site, Storage, Supply, schedule
from lujin.dispatch.interior import solve_year
from lujin.dispatch.storage_blocks import StorageYear

DAYS = 14


def _year(seed: int, **changes: object) -> StorageYear:
    rng = np.random.default_rng(seed)
    n = DAYS * 24
    hour = np.arange(n) % 24
    year = StorageYear(
        step_h=1.0,
        load_kw=rng.uniform(300, 900, n),
        buy=np.where(hour < 8, 0.3, np.where((hour >= 14) & (hour < 19), 1.2, 0.7)) * rng.uniform(0.9, 1.1, n),
        sell=np.full(n, 0.2),
        pv_kw=np.maximum(0.0, np.sin((hour - 6) / 12 * np.pi)) * rng.uniform(0, 900, n),
        month=np.repeat([0, 1], n // 2),
        demand_price=np.array([38.0, 38.0]),
        charge_kw=200.0,
        discharge_kw=250.0,
        min_kwh=50.0,
        max_kwh=800.0,
        start_kwh=300.0,
        end_kwh=300.0,
        wear=0.02,
        standing_loss=0.0005,
        demand_floor_kw=np.array([500.0, 0.0]),
        export_limit_kw=400.0,
    )
    return replace(year, **changes)  # type: ignore[arg-type]


def _site(year: StorageYear) -> Site:
    demand = Demand(
        price=tuple(year.demand_price), month=year.month.astype(np.int32), to_date=tuple(year.floor_kw)
    )
    return Site(
        start=datetime(2025, 1, 1, tzinfo=UTC),
        steps=year.steps,
        step_h=year.step_h,
        buses={"el": Bus("el")},
        devices=(
            Supply(
                id="grid", bus="el", buy=year.buy, sell=year.sell, limit=year.import_limit_kw,
                export_limit=year.export_limit_kw, demand=demand,
            ),
            Renewable(id="pv", bus="el", available=year.pv_kw),
            Load(id="load", bus="el", rate=year.load_kw),
            Storage(
                id="battery", bus="el", capacity=year.max_kwh, charge=year.charge_kw, discharge=year.discharge_kw,
                charge_efficiency=year.charge_efficiency, discharge_efficiency=year.discharge_efficiency,
                loss=year.standing_loss, least=year.min_kwh / year.max_kwh, initial=year.start_kwh or 0.0,
                final=year.end_kwh, wear=year.wear,
            ),
        ),
    )  # fmt: skip


def _agrees(year: StorageYear) -> None:
    plan, best = solve_year(year), schedule(_site(year)).objective
    assert plan.status == "optimal"
    assert plan.objective == pytest.approx(best, rel=1e-6)
    assert plan.bound <= best + 1e-6 * abs(best)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_it_has_the_optimum_of_the_simplex(seed: int) -> None:
    _agrees(_year(seed))


@pytest.mark.parametrize(
    "changes",
    [
        {"pv_kw": np.zeros(DAYS * 24)},
        {"export_limit_kw": 0.0},
        {"buy": np.full(DAYS * 24, 0.6)},
        {"demand_price": np.zeros(2)},
        {"import_limit_kw": 1000.0},
        {"charge_kw": 5000.0, "discharge_kw": 5000.0},
    ],
    ids=lambda changes: ",".join(changes),
)
def test_it_has_the_optimum_where_prices_or_limits_degenerate(changes: dict[str, object]) -> None:
    _agrees(_year(5, **changes))


def test_the_plan_keeps_balance_content_and_limits() -> None:
    year = _year(3)
    plan = solve_year(year)
    brought = plan.import_kw - plan.export_kw + plan.pv_used_kw + plan.discharge_kw - plan.charge_kw
    assert brought == pytest.approx(year.load_kw, abs=1e-4)
    before = np.concatenate(([300.0], plan.content_kwh[:-1])) * (1 - 0.0005)
    course = before + 0.95 * plan.charge_kw - plan.discharge_kw / 0.95
    assert plan.content_kwh == pytest.approx(course, abs=1e-3)
    assert plan.content_kwh.max() <= 800.0 + 1e-3
    assert plan.content_kwh.min() >= 50.0 - 1e-3


def test_prices_of_the_peak_sum_to_the_demand_charge() -> None:
    plan = solve_year(_year(3, demand_floor_kw=None))
    assert plan.peak_price.reshape(2, -1).sum(axis=1) == pytest.approx([38.0, 38.0], rel=1e-5)
