"""Carbon that is passed on inside the park: what comes in goes out, to the last milligram."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.accounts.random_parks import HOLDERS, PACKS, build, parks

from lujin.accounts.amounts import GwpSet
from lujin.accounts.checks import Check, Metered
from lujin.accounts.embodied import GASES
from lujin.accounts.lines import SCHEMA
from lujin.accounts.pools import components, with_neighbours
from lujin.accounts.posting import methods_compared, month_lines
from lujin.accounts.subjects import SubjectEnergy
from lujin.park.model import Flow, Joint, Meter, Storage, Transfer

from .conftest import Balance

GUANGDONG = Decimal("0.4403")  # MEE+NBS 公告2024年第33号, in force on the sketch's factor date
GWH, T = 10**9, 10**9
EXITS = ("OWN", "OUT", "SUSPENSE", "STK", "WIP", "STORED")
GROUP = pl.col("account").str.split("/").list.get(1)


def sides(lines):
    """Both ends of every line of the book: account, commodity, signed amount."""
    book = lines.filter(pl.col("book") == "embodied")
    return pl.concat(
        [
            book.select(account="debit", commodity="commodity", amount="amount"),
            book.select(account="credit", commodity="commodity", amount=-pl.col("amount")),
        ]
    ).with_columns(group=GROUP)


def by_group(lines):
    """(group of accounts, gas) → net [mg], energy left away."""
    found = sides(lines).filter(pl.col("commodity").is_in(["CO2f", "CO2b", "CH4f", "CH4b", "N2O"]))
    return {
        (group, gas): amount
        for group, gas, amount in found.group_by("group", "commodity").agg(pl.col("amount").sum()).iter_rows()
    }


def conserved(lines):
    """Σ final use + exports + stock + work in progress + stored = Σ sources, per gas; transfers cancel."""
    sums = by_group(lines)
    for gas in {gas for _, gas in sums}:
        entered = -sum(sums.get((group, gas), 0) for group in ("ATM", "EXT"))
        left = sum(sums.get((group, gas), 0) for group in EXITS)
        assert left == entered, gas
        assert sums.get(("DUE", gas), 0) == 0
    return sums


@pytest.fixture
def park(sketch):
    return lambda *month, **facts: sketch(*month, **{"packs": PACKS, **facts})


def test_what_a_user_buys_and_uses_is_its_own(park):
    made = park()
    balance = made.flow("GRID", "A", made.in_month(GWH)).balance()
    assert balance.net("A/OWN/A", "embodied", "CO2f") == round(GWH * GUANGDONG * 1000)
    assert balance.net("A/EXT/GRID", "embodied", "CO2f") == -round(GWH * GUANGDONG * 1000)
    conserved(balance.lines)


def test_what_is_sold_on_takes_its_part_along(park):
    made = park()
    made.flow("GRID", "A", made.in_month(GWH)).flow("A", "B", made.in_month(GWH // 4))
    balance = made.balance()
    whole = round(GWH * GUANGDONG * 1000)
    assert balance.net("B/OWN/B", "embodied", "CO2f") == whole // 4
    assert balance.net("A/OWN/A", "embodied", "CO2f") == whole - whole // 4
    assert balance.net("A/DUE/B", "embodied", "CO2f") == -balance.net("B/DUE/A", "embodied", "CO2f") == whole // 4
    conserved(balance.lines)


def test_the_loss_of_a_main_stays_in_what_it_delivers(park):
    made = park().node("K", "boiler", "OP").node("M", "main", "OP")
    made.flow("GAS", "K", made.in_month(10**7), "natural_gas")
    made.flow("K", "M", made.in_month(1000), "steam")
    made.flow("M", "A", made.in_month(600), "steam").flow("M", "B", made.in_month(300), "steam")
    balance = made.balance()
    burned = -balance.net("OP/ATM/natural_gas", "embodied", "CO2f")
    assert burned > 0
    assert balance.net("A/OWN/A", "embodied", "CO2f") == pytest.approx(burned * 2 / 3, abs=1)
    assert balance.net("B/OWN/B", "embodied", "CO2f") == pytest.approx(burned / 3, abs=1)
    assert balance.net("OP/WIP/M/steam", "embodied", "CO2f") == 0
    conserved(balance.lines)


def test_direct_sources_are_the_scope_1_of_the_park(park):
    made = park().node("K", "boiler", "OP")
    made.flow("GAS", "A", made.in_month(10**8), "natural_gas").flow("A", "B", made.in_month(10**7), "natural_gas")
    made.flow("GAS", "K", made.in_month(10**7), "natural_gas").flow("K", "A", made.in_month(10**6), "steam")
    balance = made.balance()
    sums = conserved(balance.lines)
    for gas in ("CO2f", "CH4f", "N2O"):
        scope1 = sum(balance.net(f"{e}/S1/natural_gas", "location", gas) for e in ("A", "B", "OP"))
        assert -sums["ATM", gas] == scope1 > 0


def test_a_loop_of_neighbours_is_a_linear_system(park):
    """A makes steam for B from power, B makes power for A from steam: solved by hand."""
    made = park().node("KA", "boiler", "A").node("GB", "chp", "B")
    made.flow("GRID", "A", made.in_month(800)).flow("GB", "A", made.in_month(200))
    made.flow("A", "KA", made.in_month(500)).flow("KA", "B", made.in_month(900), "steam")
    made.flow("B", "GB", made.in_month(300), "steam")
    balance = made.balance()
    bought = round(800 * GUANGDONG * 1000)
    # a: mg per Wh at A, s: mg per kJ. 1000 a = bought + 200 p; 900 s = 500 a; 200 p = 300 s
    a = bought / (1000 - 500 * 300 / 900)
    assert balance.net("A/OWN/A", "embodied", "CO2f") == pytest.approx(500 * a, abs=2)
    assert balance.net("B/OWN/B", "embodied", "CO2f") == pytest.approx(600 * 500 / 900 * a, abs=2)
    conserved(balance.lines)


def test_a_plants_own_use_of_its_power_goes_round_through_the_system(park):
    """Power made for 100, of which 10 goes back into the plant: the 90 that are sold carry it all."""
    made = park().node("G", "chp", "OP")
    made.flow("GAS", "G", made.in_month(10**6), "natural_gas").flow("G", "OP", made.in_month(100))
    made.flow("OP", "G", made.in_month(10)).flow("OP", "A", made.in_month(90))
    balance = made.balance()
    burned = -balance.net("OP/ATM/natural_gas", "embodied", "CO2f")
    assert balance.net("A/OWN/A", "embodied", "CO2f") == pytest.approx(burned, abs=2)
    conserved(balance.lines)


def test_a_loop_that_lets_nothing_out_is_named_and_held(park):
    made = park().node("X", "process", "A").node("Y", "process", "B")
    made.flow("GAS", "X", made.in_month(10**6), "natural_gas")
    made.flow("X", "Y", made.in_month(100), "steam").flow("Y", "X", made.in_month(100), "hot_water")
    balance = made.balance()
    assert any("let none out" in text and "X" in text and "Y" in text for text in balance.said("error"))
    sums = conserved(balance.lines)
    assert sums["WIP", "CO2f"] == -sums["ATM", "CO2f"] > 0


def test_carbon_of_a_start_without_output_waits_for_the_next(park):
    """Fuel is burned, nothing is delivered: kept; what is carried in leaves with the next output."""
    made = park().node("K", "boiler", "OP")
    made.flow("GAS", "K", made.in_month(10**6), "natural_gas").flow("K", "A", made.in_month(0), "steam")
    first = made.balance()
    kept = first.net("OP/WIP/K", "embodied", "CO2f")
    assert kept == -first.net("OP/ATM/natural_gas", "embodied", "CO2f") > 0
    conserved(first.lines)
    made = park(202408).node("K", "boiler", "OP").flow("K", "A", made.in_month(50), "steam")
    later = month_lines(made.park, made.energy, reference_of(made), opening={"OP": {("WIP/K", "CO2f"): kept}})
    moved = sides(later.lines).group_by("account").agg(pl.col("amount").sum())
    amounts = dict(moved.iter_rows())
    assert amounts["A/OWN/A"] == kept
    assert amounts["OP/WIP/K"] == -kept


def reference_of(_made):
    from lujin.reference import Reference, load_reference

    return Reference(load_reference())


def test_a_battery_carries_its_carbon_into_the_next_month(park):
    stored = Storage(node="BAT", capacity=Decimal(1000), unit="kWh", charge_efficiency=Decimal("0.9"))
    made = park(storages=(stored,)).node("BAT", "battery", "A")
    made.flow("GRID", "A", made.in_month(10**6)).flow("A", "BAT", made.in_month(400_000))
    late = np.zeros(made.grid.slots, dtype=np.int64)
    late[2000] = 90_000
    balance = made.flow("BAT", "A", late).balance()
    conserved(balance.lines)
    # 360 kWh were stored, 90 drawn: a quarter of the carbon comes back and mixes again, the rest stays
    stock = balance.net("A/STK/BAT", "embodied", "CO2f")
    assert balance.net("A/STK/BAT", "embodied", "electricity") == 270_000
    # a [mg/Wh] at A: 1,090,000 a = bought + 90,000 b; the store's 90,000 b = 400,000 a / 4
    a = 10**6 * 440.3 / (1_090_000 - 100_000)
    assert stock == pytest.approx(0.75 * 400_000 * a, abs=2)
    next_month = park(202408, storages=(stored,)).node("BAT", "battery", "A")
    next_month.flow("A", "BAT", next_month.in_month(0)).flow("BAT", "A", next_month.in_month(270_000))
    opening = {"A": {("STK/BAT", "CO2f"): stock, ("STK/BAT", "electricity"): 270_000}}
    later = month_lines(next_month.park, next_month.energy, reference_of(made), opening=opening)
    amounts = dict(
        sides(later.lines)
        .group_by("account", "commodity")
        .agg(pl.col("amount").sum())
        .select(pl.concat_str("account", "commodity", separator=" "), "amount")
        .iter_rows()
    )
    assert amounts["A/OWN/A CO2f"] == stock
    assert amounts["A/STK/BAT CO2f"] == -stock
    assert amounts["A/STK/BAT electricity"] == -270_000


def test_waste_and_by_products_carry_nothing_and_products_what_is_declared(park):
    facts = [Transfer(flow="A>B:fly_ash", status="waste", evidence="permit")]
    made = park(transfers=tuple(facts))
    made.flow("GRID", "A", made.in_month(10**6)).flow("A", "B", made.in_month(500), "fly_ash")
    made.flow("A", "OP", made.in_month(500), "product")
    balance = made.balance()
    assert balance.net("B/OWN/B", "embodied", "CO2f") == 0
    assert any("A>OP:product" in text for text in balance.said("warning"))
    declared = park(
        transfers=(*facts, Transfer(flow="A>OP:product", status="product", evidence="contract")),
        joints=(Joint(node="A", method="declared@1", shares={"product": Decimal("0.6")}),),
    )
    declared.flow("GRID", "A", made.in_month(10**6)).flow("A", "B", made.in_month(500), "fly_ash")
    declared.flow("A", "OP", made.in_month(500), "product")
    sold = declared.balance()
    assert sold.net("OP/OWN/OP", "embodied", "CO2f") == pytest.approx(0.6 * 10**6 * 440.3, abs=1)
    conserved(sold.lines)


def test_a_process_that_gives_out_waste_alone_keeps_its_carbon_as_its_owners_use(park):
    fact = Transfer(flow="X>B:sludge", status="waste", evidence="permit")
    made = park(transfers=(fact,)).node("X", "process", "A")
    made.flow("GRID", "X", made.in_month(10**6)).flow("X", "B", made.in_month(500), "sludge")
    balance = made.balance()
    assert balance.net("A/OWN/X", "embodied", "CO2f") == 440_300_000
    assert balance.net("A/WIP/X", "embodied", "CO2f") == 0
    conserved(balance.lines)


def test_an_enterprise_that_sells_what_it_makes_without_saying_how_is_told(park):
    made = park()
    made.flow("GRID", "A", made.in_month(10**6)).flow("A", "B", made.in_month(500), "compressed_air")
    balance = made.balance()
    assert any("A sells compressed_air" in text for text in balance.said("error"))
    assert balance.net("A/OWN/A", "embodied", "CO2f") == 440_300_000


def test_a_main_that_returns_condensate_uses_its_own_power(park):
    made = park().node("K", "boiler", "OP").node("M", "main", "OP")
    made.flow("GAS", "K", made.in_month(10**6), "natural_gas").flow("K", "M", made.in_month(1000), "steam")
    made.flow("M", "A", made.in_month(900), "steam").flow("M", "K", made.in_month(50), "condensate")
    balance = made.flow("GRID", "M", made.in_month(10**6)).balance()
    assert balance.net("OP/OWN/M", "embodied", "CO2f") == 440_300_000
    assert balance.net("OP/WIP/M", "embodied", "CO2f") == 0
    conserved(balance.lines)


def test_an_output_without_a_declared_share_is_named(park):
    made = park(joints=(Joint(node="X", method="declared@1", shares={"steam": Decimal(1)}),)).node(
        "X", "process", "B"
    )
    made.flow("GRID", "X", made.in_month(10**6)).flow("X", "A", made.in_month(500), "compressed_air")
    balance = made.balance()
    assert any("X: declared@1 names no share for compressed_air" in text for text in balance.said("error"))
    assert balance.net("B/WIP/X", "embodied", "CO2f") == 440_300_000
    conserved(balance.lines)


def test_a_plant_whose_formula_fails_is_named_and_has_no_own_factor(park):
    """More heat than the boilers gave: neither a share nor a factor of zero for those who buy."""
    joint = Joint(node="G", method="mee_heat_ratio@1", boiler_efficiency=Decimal("0.9"))
    made = park(packs={**PACKS, "location": "ghgp-location@2"}, joints=(joint,)).node("G", "chp", "OP")
    made.flow("GAS", "G", made.in_month(1000), "natural_gas").flow("G", "B", made.in_month(10**6))
    balance = made.flow("G", "A", made.in_month(10**9), "steam").balance()
    assert any("G: more heat is supplied than the boilers gave" in text for text in balance.said("error"))
    assert any("steam from G was made in the park" in text for text in balance.said("error"))
    assert balance.posted.lines.filter(pl.col("rule") == "own_factor@1").is_empty()


def test_what_a_store_cannot_hold_is_told(park):
    stored = Storage(node="BAT", capacity=Decimal(1), unit="GJ")
    made = park(storages=(stored,)).node("BAT", "battery", "A")
    balance = made.flow("GRID", "BAT", made.in_month(300_000)).flow("BAT", "A", made.in_month(100_000)).balance()
    assert not any("BAT took in" in text for text in balance.said("warning"))
    made = park(storages=(stored,)).node("BAT", "battery", "A")
    balance = made.flow("GRID", "BAT", made.in_month(400_000)).flow("BAT", "A", made.in_month(0)).balance()
    assert any("BAT took in 122222 Wh more than it can hold" in text for text in balance.said("warning"))
    assert balance.net("A/STK/BAT", "embodied", "electricity") == round(10**9 / 3600)
    conserved(balance.lines)


def test_captured_co2_leaves_the_account_only_for_good(park):
    def with_fate(fate):
        fact = Transfer(flow="K>B:co2", status="captured_co2", fate=fate, origin="fossil", evidence="x")
        made = park(transfers=(fact,)).node("K", "boiler", "OP")
        made.flow("GAS", "K", made.in_month(10**8), "natural_gas").flow("K", "A", made.in_month(500), "steam")
        return made.flow("K", "B", made.in_month(50_000), "co2").balance()

    bound, used = with_fate("mineral_binding"), with_fate("used")
    assert bound.net("OP/STORED/mineral_binding", "embodied", "CO2f") == 50_000_000
    assert used.net("OP/MEMO/captured/used", "embodied", "CO2f") == 50_000_000
    assert used.net("A/OWN/A", "embodied", "CO2f") - bound.net("A/OWN/A", "embodied", "CO2f") == 50_000_000
    conserved(bound.lines)
    conserved(used.lines)


def captured(park, transfers, flows=()):
    made = park(transfers=transfers).node("K", "boiler", "OP")
    made.flow("GAS", "K", made.in_month(10**8), "natural_gas").flow("K", "A", made.in_month(500), "steam")
    made.flow("K", "B", made.in_month(50_000), "co2")
    described = made.park
    flows = {**described.flows, **{f.id: f for f in flows}}
    lines = month_lines(replace(described, flows=flows), made.energy, reference_of(made)).lines
    sums = conserved(lines)
    return sums.get(("STORED", "CO2f"), 0)


def test_the_fate_of_captured_co2_is_that_of_its_time_in_whatever_order_it_is_written(park):
    december = datetime(2024, 12, 1, tzinfo=UTC)
    facts = {"flow": "K>B:co2", "status": "captured_co2", "origin": "fossil", "evidence": "x"}
    used = Transfer(fate="used", valid_to=december, **facts)
    stored = Transfer(fate="geological_storage", valid_from=december, **facts)
    assert captured(park, (used, stored)) == captured(park, (stored, used)) == 0
    assert captured(park, (replace(stored, valid_from=None),)) == 50_000_000


def test_captured_co2_is_stored_once_however_many_pipes_the_park_describes(park):
    facts = {"status": "captured_co2", "origin": "fossil", "evidence": "x", "fate": "geological_storage"}
    old = Flow(id="OLD", carrier="co2", source="K", target="B", valid_to=datetime(2024, 1, 1, tzinfo=UTC))
    said = tuple(Transfer(flow=flow, **facts) for flow in ("K>B:co2", "OLD"))
    assert captured(park, said, (old,)) == 50_000_000


def test_what_is_stated_from_a_day_within_the_month_on_holds_for_the_month(park):
    """A plant that starts on the 15th has shared its carbon since it runs."""
    middle = datetime(2024, 7, 15, tzinfo=UTC)

    def of(*joints):
        made = park(joints=joints).node("G", "chp", "OP")
        made.flow("GAS", "G", made.in_month(10**7), "natural_gas").flow("G", "B", made.in_month(10**6))
        return made.flow("G", "A", made.in_month(10**6), "steam").balance()

    def heat(balance):
        return balance.net("A/OWN/A", "embodied", "CO2f")

    always = of(Joint(node="G", method="energy@1"))
    assert heat(of(Joint(node="G", method="energy@1", valid_from=middle))) == heat(always) > 0
    changed = of(
        Joint(node="G", method="egrid@1", valid_from=middle), Joint(node="G", method="energy@1", valid_to=middle)
    )
    assert heat(changed) == heat(always)
    assert any("G: what is stated changes within the month" in text for text in changed.said("warning"))


def test_the_range_over_methods_holds_what_is_in_suspense_apart_as_the_posting_does(park):
    """The chosen method gives what is posted, also where two meters disagree."""
    made = park(joints=(Joint(node="G", method="energy@1"),)).node("G", "chp", "OP")
    made.flow("GAS", "G", made.in_month(10**7), "natural_gas").flow("G", "B", made.in_month(10**6))
    made.flow("G", "A", made.in_month(10**6), "steam")
    every = np.ones(made.grid.slots, dtype=np.bool_)
    sides_of = [(Metered(m, made.in_month(n), every, every),) for m, n in (("M", 10**6), ("N", 5 * 10**5))]
    row = next(i for i, s in enumerate(made.energy.subjects) if s.carrier == "steam")
    meters = {m: Meter(id=m) for m in "MN"}
    described = replace(made.park, meters=meters)
    energy = replace(made.energy, checks=(Check(row, "G>A:steam", *sides_of),))
    gwp = GwpSet("x", {gas: Decimal(gas == "CO2f") for gas in GASES}, ())
    found = methods_compared(described, energy, reference_of(made), {}, "A", gwp)
    posted = Balance(month_lines(described, energy, reference_of(made)))
    assert posted.net("OP/SUSPENSE/G>A:steam", "embodied", "CO2f") > 0
    assert found.chosen.base == posted.net("A/OWN/A", "embodied", "CO2f")


def test_no_more_co2_is_stored_than_there_was(park):
    fact = Transfer(flow="K>B:co2", status="captured_co2", fate="mineral_binding", origin="fossil", evidence="x")
    made = park(transfers=(fact,)).node("K", "boiler", "OP")
    made.flow("GAS", "K", made.in_month(10**5), "natural_gas").flow("K", "A", made.in_month(500), "steam")
    balance = made.flow("K", "B", made.in_month(10**9), "co2").balance()
    assert any("more CO2f is stored than comes in" in text for text in balance.said("error"))
    sums = conserved(balance.lines)
    assert ("STORED", "CO2f") not in sums


def test_negative_flows_and_more_out_than_in_are_named(park):
    made = park()
    made.flow("GRID", "A", made.in_month(1000)).flow("A", "B", made.in_month(1500))
    made.flow("GRID", "B", made.in_month(-5))
    balance = made.balance()
    assert any("GRID>B:electricity is negative" in text for text in balance.said("error"))
    assert any("A/electricity" in text and "50.00 %" in text for text in balance.said("error"))
    conserved(balance.lines)


def test_estimated_energy_gives_estimated_carbon_all_the_way(park):
    made = park()
    made.flow("GRID", "A", 1000, estimated=250).flow("A", "B", 500)
    lines = made.post().lines.filter(pl.col("book") == "embodied", pl.col("debit") == "B/OWN/B")
    parts = dict(lines.select("quality", "amount").iter_rows())
    assert parts["estimated"] == pytest.approx(parts["measured"] / 3, rel=1e-9)


# --------------------------------------------------------------------------------------- any park at all


@settings(max_examples=60, deadline=None)
@given(plan=parks())
def test_carbon_is_conserved_to_the_milligram_in_any_park(sketch, plan):
    made = build(sketch, plan)
    lines = made.post().lines
    assert dict(lines.schema) == {name: kind() for name, kind in SCHEMA.items()}
    sums = conserved(lines)
    scope1 = lines.filter(pl.col("book") == "location", pl.col("debit").str.contains("/S1/"))
    for gas in ("CO2f", "CH4f", "N2O"):
        # Each node is rounded per day like each enterprise: within a milligram per line
        direct = -sum(amount for (group, g), amount in sums.items() if (group, g) == ("ATM", gas))
        counted = scope1.filter(pl.col("commodity") == gas)["amount"].sum()
        assert direct >= 0
        if all(f.carrier != "natural_gas" or f.source == "GAS" for f in plan.flows):
            assert direct == pytest.approx(counted, abs=2 * len(plan.flows))


@settings(max_examples=30, deadline=None)
@given(plan=parks(wide=True), seed=st.randoms(use_true_random=False))
def test_the_order_of_flows_does_not_matter(sketch, plan, seed):
    shuffled = list(plan.flows)
    seed.shuffle(shuffled)
    other = replace(plan, flows=tuple(shuffled))
    assert build(sketch, plan).post().lines.equals(build(sketch, other).post().lines)


@settings(max_examples=30, deadline=None)
@given(plan=parks(wide=True))
def test_those_who_are_joined_suffice_for_each_others_lines(sketch, plan):
    """What an enterprise carries depends on nothing outside its component."""
    made = build(sketch, plan)
    whole = made.post().lines
    assert set(components(made.park)) == set(HOLDERS)
    for name in HOLDERS:
        joined = with_neighbours(made.park, [name])
        touching = [
            i
            for i, s in enumerate(made.energy.subjects)
            if joined & {made.park.owner(s.source), made.park.owner(s.target)}
        ]
        energy = made.energy
        part = type(energy)(
            energy.grid,
            tuple(energy.subjects[i] for i in touching),
            energy.total[touching],
            energy.estimated[touching],
        )
        alone = month_lines(made.park, part, reference_of(made), [name]).lines
        assert alone.equals(whole.filter(pl.col("enterprise") == name))


@pytest.mark.parametrize("seed", [20, 27, 34])
def test_loops_that_have_nothing_to_do_with_one_another_do_not_move_each_others_milligrams(park, seed):
    """Amounts so large that the last digit of a double is more than a milligram."""
    dice, made = random.Random(seed), park()
    groups = [[f"X{g}{k}" for k in range(5)] for g in range(4)]
    for names in groups:
        for name in names:
            made.node(name, "enterprise")
        for _ in range(9):
            made.flow(*dice.sample(names, 2), made.in_month(dice.randrange(1, 10**12)))
        for name in names[:2]:
            made.flow("GRID", name, made.in_month(dice.randrange(10**12, 10**14)))
    described, energy = made.park, made.energy
    whole = month_lines(described, energy, reference_of(made)).lines
    for names in groups:
        rows = [i for i, s in enumerate(energy.subjects) if s.target in names]
        part = SubjectEnergy(
            energy.grid, tuple(energy.subjects[i] for i in rows), energy.total[rows], energy.estimated[rows]
        )
        alone = month_lines(described, part, reference_of(made), names).lines
        assert alone.equals(whole.filter(pl.col("enterprise").is_in(names)))
