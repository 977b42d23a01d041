"""The general formulation: against an independent statement of the same problem, and its invariants."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from lujin.dispatch.schedule import Schedule, schedule
from lujin.dispatch.site import (
    Bus,
    Carbon,
    Converter,
    Demand,
    Event,
    Extraction,
    Fleet,
    Green,
    Link,
    Load,
    Renewable,
    Shift,
    Site,
    Storage,
    Supply,
)
from lujin.errors import InputError

STEPS, STEP_H = 24, 0.5
seeds = st.integers(0, 10_000)


def _park(seed: int, **changes: object) -> Site:
    """One of each device on four buses, with numbers drawn from ``seed``; gas and grid have no limit."""
    rng = np.random.default_rng(seed)
    load = rng.uniform(300, 900, STEPS)
    heat = rng.uniform(100, 400, STEPS)
    devices = (
        Supply(
            id="grid", bus="hv", buy=rng.uniform(0.2, 1.2, STEPS), sell=0.1, export_limit=500.0, carbon=0.5,
            demand=Demand(price=38.0 / 30, to_date=float(rng.uniform(0, 600))),
        ),
        Supply(id="gas", bus="gas", buy=0.35, carbon=0.2, part="fuel"),
        Link(id="transformer", source="hv", target="el", limit=5000.0, back_limit=5000.0, efficiency=0.99),
        Renewable(id="pv", bus="el", available=rng.uniform(0, 600, STEPS)),
        Load(id="load", bus="el", rate=load),
        Load(id="steam", bus="heat", rate=heat),
        Shift(id="mill", bus="el", up=80.0, down=80.0, amount=100.0, cost=0.01),
        Storage(
            id="battery", bus="el", capacity=500.0, charge=200.0, discharge=250.0, charge_efficiency=0.95,
            discharge_efficiency=0.93, loss=0.001, least=0.1, most=0.9, initial=200.0, wear=0.02,
        ),
        Fleet(
            id="cars", bus="el", least=np.linspace(0, 100, STEPS), most=np.linspace(50, 150, STEPS), charge=60.0,
            efficiency=0.9,
        ),
        Converter(id="boiler", inputs={"gas": 1 / 0.9}, outputs={"heat": 1.0}, limit=600.0),
        Extraction(
            id="chp", fuel="gas", power="el", heat="heat", power_limit=300.0, heat_limit=250.0, loss=0.15,
            back_pressure=0.4, fuel_rate=2.4,
        ),
    )  # fmt: skip
    carriers = {"hv": "electricity", "el": "electricity", "heat": "steam", "gas": "natural_gas"}
    buses = {id_: Bus(id_, carrier) for id_, carrier in carriers.items()}
    start = datetime(2025, 6, 1, tzinfo=UTC)
    site = Site(start=start, steps=STEPS, step_h=STEP_H, buses=buses, devices=devices, carbon=Carbon(price=60.0))
    return replace(site, **changes)  # type: ignore[arg-type]


def _left_over(plan: Schedule, bus: str) -> np.ndarray:
    """What comes to a bus minus what leaves it, written out device by device. [rate]"""
    x = plan.series
    if bus == "hv":
        return x["grid.import"] - x["grid.export"] - x["transformer.ahead"] + 0.99 * x["transformer.back"]
    if bus == "gas":
        burnt = x["boiler.activity"] / 0.9 + 2.4 * (x["chp.power"] + 0.15 * x["chp.heat"])
        return x["gas.import"] - burnt
    loads = {d.id: d.rate for d in plan.site.devices if isinstance(d, Load)}
    if bus == "heat":
        return x["boiler.activity"] + x["chp.heat"] - loads["steam"]
    moved = x["mill.down"] - x["mill.up"] + x["battery.discharge"] - x["battery.charge"] - x["cars.charge"]
    brought = 0.99 * x["transformer.ahead"] - x["transformer.back"] + x["pv.output"] + x["chp.power"]
    return brought + moved - loads["load"]


@settings(deadline=None, max_examples=40)
@given(seeds)
def test_energy_is_conserved_at_every_bus_and_step(seed: int) -> None:
    plan = schedule(_park(seed))
    for bus in plan.site.buses:
        assert np.abs(_left_over(plan, bus)).max() < 1e-6
    level = plan.series["battery.level"]
    before = np.concatenate(([200.0], level[:-1]))
    kept = before * 0.999**STEP_H + STEP_H * (
        0.95 * plan.series["battery.charge"] - plan.series["battery.discharge"] / 0.93
    )
    assert level == pytest.approx(kept, abs=1e-6)
    assert level[-1] >= 200.0 - 1e-6


@settings(deadline=None, max_examples=40)
@given(seeds)
def test_the_bill_is_the_sum_of_its_parts(seed: int) -> None:
    plan = schedule(_park(seed))
    grid = plan.site.device("grid")
    assert isinstance(grid, Supply)
    assert plan.objective == pytest.approx(sum(plan.costs.values()), rel=1e-9)
    assert plan.costs["energy"] == pytest.approx(float(np.sum(grid.buy * plan.series["grid.import"])) * STEP_H)
    peak = max(plan.series["grid.import"].max(), grid.demand.to_date)  # type: ignore[union-attr, type-var]
    assert plan.costs["demand"] == pytest.approx(38.0 / 30 * peak)
    assert plan.carbon_kg == pytest.approx(
        STEP_H * float((0.5 * plan.series["grid.import"] + 0.2 * plan.series["gas.import"]).sum())
    )


@settings(deadline=None, max_examples=40)
@given(seeds)
def test_warm_and_cold_starts_cost_the_same(seed: int) -> None:
    site = _park(seed)
    assert schedule(site, warm=True).objective == pytest.approx(schedule(site).objective, rel=1e-9)


@settings(deadline=None, max_examples=40)
@given(seeds, st.floats(-0.5, 0.5))
def test_a_dense_statement_solved_elsewhere_has_the_same_optimum(seed: int, shift: float) -> None:
    """Load, PV and a battery written as full matrices for another interface; prices may be negative."""
    rng = np.random.default_rng(seed)
    n, dt = 12, 0.25
    buy, load, pv = rng.uniform(0.2, 1.2, n) + shift, rng.uniform(100, 300, n), rng.uniform(0, 200, n)
    site = Site(
        start=datetime(2025, 6, 1, tzinfo=UTC), steps=n, step_h=dt, buses={"el": Bus("el")},
        devices=(
            Supply(id="grid", bus="el", buy=buy, limit=1000.0, demand=Demand(price=3.0, to_date=150.0)),
            Renewable(id="pv", bus="el", available=pv),
            Load(id="load", bus="el", rate=load),
            Storage(id="b", bus="el", capacity=200.0, charge=100.0, discharge=100.0, charge_efficiency=0.9,
                    discharge_efficiency=0.9, initial=80.0),
        ),
    )  # fmt: skip
    # x = (g, q, c, d, s, P)
    eye, zero = np.eye(n), np.zeros((n, n))
    balance = np.hstack([eye, eye, -eye, eye, zero, np.zeros((n, 1))])
    course = np.hstack([zero, zero, -0.9 * dt * eye, dt / 0.9 * eye, eye - np.eye(n, k=-1), np.zeros((n, 1))])
    start = np.zeros(n)
    start[0] = 80.0
    peak = np.hstack([eye, zero, zero, zero, zero, -np.ones((n, 1))])
    bounds = [
        *[(0, 1000.0)] * n, *[(0, float(q)) for q in pv], *[(0, 100.0)] * (2 * n), *[(0, 200.0)] * (n - 1),
        (80.0, 200.0), (150.0, None),
    ]  # fmt: skip
    cost = np.concatenate([buy * dt, np.zeros(4 * n), [3.0]])
    found = linprog(
        cost, A_ub=peak, b_ub=np.zeros(n), A_eq=np.vstack([balance, course]),
        b_eq=np.concatenate([load, start]), bounds=bounds, method="highs-ipm",
    )  # fmt: skip
    plan = schedule(site)
    assert plan.objective >= found.fun - 1e-6  # to charge and discharge at once is not allowed
    assert np.minimum(plan.series["b.charge"], plan.series["b.discharge"]).max() < 1e-6
    if shift >= 0:
        assert plan.objective == pytest.approx(found.fun, rel=1e-6)


def test_a_shadow_price_is_what_one_more_unit_saves() -> None:
    site = _park(7)
    battery = site.device("battery")
    plan = schedule(site)
    step = int(np.argmax(plan.worth["battery.discharge"]))
    more = np.full(STEPS, 250.0)
    more[step] += 0.01
    wider = replace(
        site, devices=tuple(replace(d, discharge=more) if d is battery else d for d in site.devices)  # type: ignore[call-arg]
    )  # fmt: skip
    saved = (plan.objective - schedule(wider).objective) / 0.01
    assert plan.worth["battery.discharge"][step] > 0.01
    assert saved == pytest.approx(plan.worth["battery.discharge"][step], rel=1e-3)


def test_a_carbon_cap_binds_and_costs_more() -> None:
    free = schedule(_park(3))
    capped = schedule(_park(3, carbon=Carbon(price=60.0, cap=free.carbon_kg * 0.97)))
    assert capped.carbon_kg <= free.carbon_kg * 0.97 + 1e-6
    assert capped.objective > free.objective


def test_green_share_is_met_by_certificates_where_own_power_is_short() -> None:
    plan = schedule(_park(3, green=Green(share=0.9, certificate_price=0.01)))
    own = plan.series["pv.output"].sum() * STEP_H
    use = sum(float(np.sum(d.rate)) for d in plan.site.devices if isinstance(d, Load) and d.bus == "el") * STEP_H
    assert own + plan.series["green.certificates"][0] >= 0.9 * use - 1e-6
    assert plan.costs["certificates"] > 0


def test_a_call_of_the_grid_is_bid_for_where_it_pays() -> None:
    called = np.zeros(STEPS, bool)
    called[10:14] = True
    event = Event(id="vpp", supply="grid", called=called, baseline=900.0, payment=3.0, penalty=9.0, most=200.0)
    plan = schedule(_park(3, events=(event,)))
    bid = plan.series["vpp.bid"][0]
    drawn = plan.series["grid.import"] - plan.series["grid.export"] - plan.series["vpp.short"]
    assert bid > 0
    assert (drawn[10:14] <= 900.0 - bid + 1e-6).all()


def test_what_cannot_be_met_is_named_with_limit_step_and_amount() -> None:
    site = Site(
        start=datetime(2025, 6, 1, tzinfo=UTC), steps=4, step_h=0.25, buses={"el": Bus("el")},
        devices=(
            Supply(id="grid", bus="el", buy=0.5, limit=100.0),
            Load(id="load", bus="el", rate=np.array([80.0, 130.0, 150.0, 90.0])),
        ),
    )  # fmt: skip
    with pytest.raises(InputError) as caught:
        schedule(site)
    (problem,) = caught.value.problems
    assert problem.params["limit"] == "grid.import"
    assert problem.params["amount"] == "50"
    assert "00:15" in problem.field and "00:45" in problem.field


@pytest.mark.parametrize(
    ("device", "field"),
    [
        (Storage(id="b", bus="el", capacity=10.0, charge=1.0, discharge=1.0, least=0.9, most=0.1), "b.least"),
        (Storage(id="b", bus="el", capacity=-10.0, charge=1.0, discharge=1.0), "b.capacity"),
        (Storage(id="b", bus="el", capacity=10.0, charge=1.0, discharge=1.0, initial=11.0), "b.initial"),
        (Supply(id="s", bus="el", buy=np.array([0.5, np.nan, 0.5, 0.5])), "s.buy"),
        (Supply(id="s", bus="el", buy=np.array([0.5, 0.5])), "s.buy"),
        (Load(id="x", bus="el", rate=np.array([1.0, 2.0, np.nan, np.nan])), "x.rate"),
        (Load(id="x", bus="cold", rate=1.0), "x.bus"),
        (Load(id="x", bus="steam", rate=1.0), "x.bus"),
        (Load(id="grid", bus="el", rate=1.0), "grid.id"),
        (Supply(id="s", bus="el", demand=Demand(price=float("nan"))), "s.demand.price"),
        (Supply(id="s", bus="el", demand=Demand(price=38.0, month=np.array([1, 1, 2, 2]))), "s.demand.month"),
        (Converter(id="c", inputs={"el": float("nan")}, outputs={"steam": 1.0}, limit=1.0), "c.inputs.el"),
        (
            Storage(
                id="b", bus="el", capacity=1.0, charge=1.0, discharge=1.0, wear_depth=((0.5, 0.2), (0.5, 0.1))
            ),
            "b.wear_depth",
        ),
        (Fleet(id="f", bus="el", least=np.full(4, 2.0), most=np.ones(4), charge=1.0), "f.least"),
    ],
)
def test_bad_input_is_refused_with_device_and_field(device: object, field: str) -> None:
    site = Site(
        start=datetime(2025, 6, 1, tzinfo=UTC), steps=4, step_h=0.25,
        buses={"el": Bus("el"), "steam": Bus("steam", "steam")},
        devices=(Supply(id="grid", bus="el"), device),  # type: ignore[arg-type]
    )  # fmt: skip
    with pytest.raises(InputError) as caught:
        schedule(site)
    assert field in [problem.field for problem in caught.value.problems]


def test_exports_without_a_limit_above_the_buying_price_are_refused() -> None:
    site = Site(
        start=datetime(2025, 6, 1, tzinfo=UTC), steps=2, step_h=1.0, buses={"el": Bus("el")},
        devices=(Supply(id="grid", bus="el", buy=0.1, sell=0.2), Load(id="load", bus="el", rate=1.0)),
    )  # fmt: skip
    with pytest.raises(InputError, match="grid"):
        schedule(site)


@settings(deadline=None, max_examples=15)
@given(seeds)
def test_below_zero_the_best_of_all_directions_is_found(seed: int) -> None:
    """Every choice of direction at every step solved by itself: the least of them is the optimum."""
    rng = np.random.default_rng(seed)
    n, load = 5, rng.uniform(50, 100, 5)
    buy = rng.uniform(-1.0, 0.6, n)
    site = Site(
        start=datetime(2025, 6, 1, tzinfo=UTC), steps=n, step_h=1.0, buses={"el": Bus("el")},
        devices=(
            Supply(id="grid", bus="el", buy=buy, limit=300.0),
            Load(id="load", bus="el", rate=load),
            Storage(id="b", bus="el", capacity=120.0, charge=80.0, discharge=80.0, charge_efficiency=0.8,
                    discharge_efficiency=0.8, initial=60.0),
        ),
    )  # fmt: skip
    # x = (g, c, d, s)
    eye, zero = np.eye(n), np.zeros((n, n))
    rows = np.vstack(
        [np.hstack([eye, -eye, eye, zero]), np.hstack([zero, -0.8 * eye, eye / 0.8, eye - np.eye(n, k=-1)])]
    )
    right = np.concatenate([load, [60.0], np.zeros(n - 1)])
    cost = np.concatenate([buy, np.zeros(3 * n)])
    best = np.inf
    for choice in product((0.0, 1.0), repeat=n):
        bounds = [
            *[(0, 300.0)] * n, *[(0, 80.0 * z) for z in choice], *[(0, 80.0 * (1 - z)) for z in choice],
            *[(0, 120.0)] * (n - 1), (60.0, 120.0),
        ]  # fmt: skip
        found = linprog(cost, A_eq=rows, b_eq=right, bounds=bounds)
        best = min(best, found.fun if found.success else np.inf)
    assert schedule(site).objective == pytest.approx(best, abs=1e-5)


def test_a_call_on_what_is_no_supply_is_refused() -> None:
    event = Event(
        id="vpp", supply="pv", called=np.ones(STEPS, bool), baseline=1.0, payment=1.0, penalty=1.0, most=1.0
    )
    with pytest.raises(InputError, match="vpp calls on pv"):
        schedule(_park(3, events=(event,)))


def test_a_horizon_without_a_step_is_refused() -> None:
    with pytest.raises(InputError, match="0 steps"):
        schedule(replace(_park(3), steps=0))
