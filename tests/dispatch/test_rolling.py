"""Planned piece by piece: what is kept of the saving that perfect knowledge would bring."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from lujin.dispatch import Bus, Demand, Fleet, Load, Renewable, Site, Storage, Supply, replay, schedule
from lujin.errors import InputError

DAYS = 60


def _works(seed: int = 1) -> Site:
    """Two months at the hour: day shift, PV, a battery, time-of-use prices and a demand charge."""
    rng = np.random.default_rng(seed)
    n = DAYS * 24
    hour, day = np.arange(n) % 24, np.arange(n) // 24
    busy = ((hour >= 8) & (hour < 20) & (day % 7 < 5)).astype(float)
    load = 600 + busy * 900 * np.repeat(rng.uniform(0.8, 1.2, DAYS), 24) + rng.normal(0, 40, n)
    sun = np.maximum(0.0, np.sin((hour - 6) / 12 * np.pi)) * np.repeat(rng.uniform(0.2, 1.0, DAYS), 24)
    buy = np.where(hour < 8, 0.27, np.where((hour >= 14) & (hour < 19), 1.15, 0.68))
    return Site(
        start=datetime(2025, 4, 1, tzinfo=UTC),
        steps=n,
        step_h=1.0,
        buses={"el": Bus("el")},
        devices=(
            Supply(id="grid", bus="el", buy=buy, demand=Demand(price=38.0, month=(day // 30).astype(np.int32))),
            Renewable(id="pv", bus="el", available=400 * sun),
            Load(id="load", bus="el", rate=load),
            Storage(
                id="battery", bus="el", capacity=2000.0, charge=500.0, discharge=500.0, charge_efficiency=0.95,
                discharge_efficiency=0.95, initial=1000.0, wear=0.02,
            ),
        ),
    )  # fmt: skip


def _without(site: Site) -> float:
    return schedule(replace(site, devices=tuple(d for d in site.devices if not isinstance(d, Storage)))).objective


def test_with_the_targets_of_the_long_plan_nearly_all_of_the_saving_is_kept() -> None:
    site = _works()
    whole, alone = schedule(site), _without(site)
    lived = replay(site, ahead=48, keep=24, whole=whole)
    assert lived.plans == DAYS
    assert lived.cost >= whole.objective - 1e-6
    assert (alone - lived.cost) / (alone - whole.objective) >= 0.99


def test_memory_of_the_month_is_worth_more_than_none() -> None:
    site = _works()
    alone, best = _without(site), schedule(site).objective
    remembered = replay(site, ahead=48, keep=24)
    grid = site.device("grid")
    free = replace(site, devices=tuple(replace(d, demand=None) if d is grid else d for d in site.devices))  # type: ignore[call-arg]
    drawn = replay(free, ahead=48, keep=24).series["grid.import"]
    heedless = float((grid.buy * drawn).sum()) + 38.0 * (drawn[: 30 * 24].max() + drawn[30 * 24 :].max())  # type: ignore[union-attr]
    assert best < remembered.cost < heedless
    assert remembered.cost < alone


def test_one_piece_is_the_plan_itself() -> None:
    site = _works()
    lived = replay(site, ahead=site.steps, keep=site.steps)
    assert lived.cost == pytest.approx(schedule(site).objective, rel=1e-9)


def test_a_wrong_forecast_costs_and_the_true_load_is_served() -> None:
    site = _works()
    whole = schedule(site)

    def yesterday(piece: Site, start: int) -> Site:
        true = site.device("load").rate  # type: ignore[union-attr]
        seen = np.asarray(true)[max(start - 24, 0) : max(start - 24, 0) + piece.steps]
        known = np.resize(seen, piece.steps)
        return replace(
            piece,
            devices=tuple(replace(d, rate=known) if isinstance(d, Load) else d for d in piece.devices),
        )

    lived = replay(site, ahead=48, keep=24, whole=whole, foresee=yesterday)
    perfect = replay(site, ahead=48, keep=24, whole=whole)
    assert lived.cost > perfect.cost
    x = lived.series
    served = x["grid.import"] + x["pv.output"] + x["battery.discharge"] - x["battery.charge"]
    assert served == pytest.approx(np.asarray(site.device("load").rate), abs=1e-6)  # type: ignore[union-attr]
    before = np.concatenate(([1000.0], x["battery.level"][:-1]))
    course = before + 0.95 * x["battery.charge"] - x["battery.discharge"] / 0.95
    assert x["battery.level"] == pytest.approx(course, abs=1e-6)


def test_what_counts_over_the_whole_time_is_refused() -> None:
    site = _works()
    cars = Fleet(id="cars", bus="el", least=np.zeros(site.steps), most=np.ones(site.steps), charge=1.0)
    with pytest.raises(InputError, match="cars"):
        replay(replace(site, devices=(*site.devices, cars)), ahead=48, keep=24)
