"""The own factor of a neighbour's plant: from its fuel, as the flows of the month tell it."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import polars as pl
import pytest

from lujin.accounts.checks import Check, Metered
from lujin.accounts.posting import month_lines
from lujin.reference import Reference, load_reference

PACKS = {"location": "ghgp-location@2", "market": "ghgp-market@2"}
GUANGDONG = Decimal("0.4403")  # MEE+NBS 公告2024年第33号, in force on the sketch's factor date
REFERENCE = Reference(load_reference())
MWH = 10**6


def without(fuel):
    return Reference([row for row in REFERENCE.rows if row.values.get("name_zh") != fuel])


def net(lines, account, book="location", commodity="CO2f"):
    chosen = lines.filter(pl.col("book") == book, pl.col("commodity") == commodity)
    debit = chosen.filter(pl.col("debit") == account)["amount"].sum()
    return debit - chosen.filter(pl.col("credit") == account)["amount"].sum()


def steam(sketch):
    made = sketch(packs=PACKS).node("K", "boiler", "OP")
    made.flow("GAS", "K", made.in_month(10**7), "natural_gas")
    return made.flow("K", "A", made.in_month(1000), "steam")


def test_what_a_neighbour_burns_is_what_its_steam_carries(sketch):
    lines = steam(sketch).post().lines
    burned = net(lines, "OP/S1/natural_gas")
    for book in PACKS:
        assert net(lines, "A/S2/heat", book) == pytest.approx(burned, abs=1)


@pytest.mark.parametrize("book", PACKS)
def test_a_fuel_without_factor_is_missing_in_every_book_and_never_zero(sketch, book):
    """Both books ask for the same fuel: that one has said so does not hide it from the other."""
    made = steam(sketch)
    made.flow("GAS", "K", made.in_month(10**6), "coke_oven_gas")
    posted = made.post(resolve=without("焦炉煤气"))
    assert net(posted.lines, "A/S2/heat", book) == 0
    assert any(
        f"own factor is not known, these lines are not posted ({book})" in p.text() for p in posted.problems
    )


def test_a_fuel_without_factor_elsewhere_takes_nothing_away(sketch):
    made = steam(sketch)
    whole = {book: net(made.post().lines, "A/S2/heat", book) for book in PACKS}
    made.node("K2", "boiler", "B").flow("GAS", "K2", made.in_month(10**7), "coke_oven_gas")
    made.flow("K2", "BUYER", made.in_month(10), "steam")
    lines = made.post(resolve=without("焦炉煤气")).lines
    assert {book: net(lines, "A/S2/heat", book) for book in PACKS} == whole


def test_power_of_the_grid_that_a_bus_passes_on_with_a_plants_keeps_its_factor(sketch):
    made = sketch(packs=PACKS).node("G", "chp", "OP").node("BUS", "main", "OP")
    made.flow("GAS", "G", made.in_month(10**7), "natural_gas").flow("G", "BUS", made.in_month(50 * MWH))
    made.flow("GRID", "BUS", made.in_month(50 * MWH)).flow("BUS", "A", made.in_month(100 * MWH))
    lines = made.post().lines
    bought, burned = round(50 * MWH * GUANGDONG * 1000), net(lines, "OP/S1/natural_gas")
    assert net(lines, "A/S2/electricity") == pytest.approx(bought + burned, abs=1)
    park = net(lines, "A/S2/electricity") + net(lines, "OP/S2/electricity") + net(lines, "OP/ELIM/S2/electricity")
    assert park == pytest.approx(bought, abs=1), "what crosses the fence"


def test_power_that_a_plant_buys_for_its_own_work_is_its_own_scope_2(sketch):
    made = steam(sketch)
    before = net(made.post().lines, "A/S2/heat")
    assert net(made.flow("GRID", "K", made.in_month(MWH)).post().lines, "A/S2/heat") == before


def test_two_meters_that_disagree_do_not_deliver_twice(sketch):
    """A's steam is in dispute: B's factor rests on one of the two quantities, not on their sum."""
    made = steam(sketch)
    made.flow("K", "B", made.in_month(1000), "steam")
    energy, slots = made.energy, made.grid.slots
    row = next(i for i, s in enumerate(energy.subjects) if s.target == "A" and s.carrier == "steam")
    every = np.ones(slots, dtype=np.bool_)
    sides = [(Metered(m, made.in_month(n), every, every),) for m, n in (("M", 1000), ("N", 600))]
    energy = replace(energy, checks=(Check(row, "K>A:steam", *sides),))
    lines = month_lines(made.park, energy, REFERENCE, uncertainty=lambda _: Fraction(0)).lines
    burned = net(lines, "OP/S1/natural_gas")
    assert net(lines, "B/S2/heat") == pytest.approx(burned * 1000 / 1600, abs=1)


def test_water_feeds_no_boiler(sketch):
    """What a boiler burns is not described: its steam has no factor, whatever water is metered."""
    made = sketch(packs={**PACKS, "embodied": "embodied@1"}).node("K", "boiler", "OP")
    made.flow("K", "A", made.in_month(1000), "steam").flow("GAS", "K", made.in_month(10**6), "water")
    posted = made.flow("A", "K", made.in_month(10), "condensate").post()
    said = [p.text() for p in posted.problems if p.severity == "error"]
    assert any(text.startswith("K gave energy though nothing is known to have gone in") for text in said)
    assert any("its own factor is not known, these lines are not posted (location)" in text for text in said)
