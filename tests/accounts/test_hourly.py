"""Hour by hour: whose power was clean when, and that the hours add up to what is posted."""

from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from tests.accounts.random_parks import PACKS, build, parks
from tests.accounts.test_embodied import by_group

from lujin.accounts.embodied import GASES
from lujin.accounts.hourly import TraceState
from lujin.accounts.posting import trace_month
from lujin.errors import InputError
from lujin.park.model import Storage
from lujin.reference import Reference, load_reference

REFERENCE = Reference(load_reference())
GRID = 440.3  # g/kWh = mg/Wh, Guangdong


def traced(made, before=None):
    return trace_month(made.park, made.energy, REFERENCE, before or TraceState())


def hour_of(found, enterprise, carrier="electricity"):
    own = found.frame.filter(pl.col("enterprise") == enterprise, pl.col("carrier") == carrier)
    return own.with_columns((pl.col("CO2f") / pl.col("amount")).alias("intensity"))


def by_slot(made, hours, quantity):
    """``quantity`` in each quarter of these hours of every day."""
    found = np.zeros(made.grid.slots, dtype=np.int64)
    found[np.isin(made.grid.quarter // 4, list(hours))] = quantity
    return found


def test_power_is_clean_while_the_neighbours_roof_is_sunny(sketch):
    made = sketch(packs=PACKS).node("PV", "pv", "B")
    made.flow("GRID", "B", by_slot(made, range(24), 1000)).flow("PV", "B", by_slot(made, range(8, 16), 3000))
    found = traced(made.flow("B", "A", by_slot(made, range(24), 500)))
    shown = hour_of(found, "A").with_columns(
        pl.col("hour").dt.convert_time_zone("Asia/Shanghai").dt.hour().alias("of_day")
    )
    day, night = (
        shown.filter(pl.col("of_day").is_between(8, 15) == sunny)["intensity"] for sunny in (True, False)
    )
    assert day.to_numpy() == pytest.approx(GRID / 4)
    assert night.to_numpy() == pytest.approx(GRID)


def test_a_battery_gives_in_the_evening_the_carbon_that_it_took_at_noon(sketch):
    stored = Storage(node="BAT", capacity=Decimal(10), unit="MWh", charge_efficiency=Decimal("0.8"))
    made = sketch(packs=PACKS, storages=(stored,)).node("PV", "pv", "B").node("BAT", "battery", "B")
    made.flow("PV", "BAT", by_slot(made, [12], 1000)).flow("GRID", "BAT", by_slot(made, [12], 1000))
    found = traced(made.flow("BAT", "A", by_slot(made, [20], 1600)))
    evening = hour_of(found, "A")
    assert evening.height == len(made.grid.days)
    # half of it came from the grid, and 20 % was lost on the way in: the loss stays in what comes out
    assert evening["intensity"].to_numpy() == pytest.approx(GRID / 2 / 0.8)
    assert found.state.energy["BAT"] == pytest.approx(0, abs=1)


def test_what_is_in_the_battery_at_midnight_opens_the_next_month(sketch):
    stored = Storage(node="BAT", capacity=Decimal(10), unit="MWh")
    made = sketch(packs=PACKS, storages=(stored,)).node("BAT", "battery", "B")
    first = traced(made.flow("GRID", "BAT", made.in_month(1000)).flow("BAT", "A", made.in_month(0)))
    assert first.state.energy == {"BAT": 1000.0}
    assert first.state.carbon["BAT"]["CO2f"] == pytest.approx(1000 * GRID)
    made = sketch(202408, packs=PACKS, storages=(stored,)).node("BAT", "battery", "B")
    made.flow("GRID", "BAT", made.in_month(0)).flow("BAT", "A", made.in_month(400))
    second = traced(made, first.state)
    assert hour_of(second, "A")["intensity"].to_list() == pytest.approx([GRID])
    assert second.state.carbon["BAT"]["CO2f"] == pytest.approx(600 * GRID)


def test_steady_flows_have_the_same_intensity_in_every_hour_as_in_the_month(sketch):
    made = sketch(packs=PACKS).node("K", "boiler", "OP").node("M", "main", "OP")
    made.flow("GAS", "K", 100, "natural_gas").flow("K", "M", 1000, "steam").flow("OP", "K", 10)
    made.flow("GRID", "OP", 30).flow("M", "A", 900, "steam").flow("GRID", "A", 50)
    posted = made.balance()
    month = posted.net("A/DUE/OP", "embodied", "CO2f") / -(900 * made.grid.slots)
    assert hour_of(traced(made), "A", "steam")["intensity"].to_numpy() == pytest.approx(month, rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(plan=parks())
def test_hours_emit_what_the_month_posts_and_the_balance_closes(sketch, plan):
    made = build(sketch, plan)
    posted = by_group(made.post().lines)
    try:
        found = traced(made)
    except InputError as error:
        assert "loop" in str(error)
        return
    for gas in GASES:
        sources = -(posted.get(("ATM", gas), 0) + posted.get(("EXT", gas), 0))
        assert found.emitted[gas] == pytest.approx(sources, rel=1e-9, abs=1)
        assert found.imbalance[gas] == pytest.approx(0, abs=1e-9 * max(found.emitted[gas], 1.0))


def test_a_park_without_the_book_is_told_how_to_get_it(sketch):
    made = sketch(packs={"location": "ghgp-location@1"})
    with pytest.raises(InputError, match='embodied = "embodied@1"'):
        traced(made.flow("GRID", "A", 100))


def test_a_battery_that_gives_too_much_is_named_with_unit_and_the_time_of_the_park(sketch):
    stored = Storage(node="BAT", capacity=Decimal(10), unit="MWh")
    made = sketch(packs=PACKS, storages=(stored,)).node("BAT", "battery", "B")
    made.flow("GRID", "BAT", by_slot(made, [12], 1000)).flow("BAT", "A", by_slot(made, [20], 1500))
    (problem,) = traced(made).problems
    month = f"{made.grid.month // 100}-{made.grid.month % 100:02}"
    days = len(made.grid.days)
    said = f"BAT: gives more than it holds in step {month}-01 20:00 ({days} in all, by up to 2.000 kWh)"
    assert problem.text().startswith(said)
