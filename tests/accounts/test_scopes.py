"""Scope 1 and 2 of a park: what its enterprises report, what is eliminated, what crosses the fence."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.accounts.posting import month_lines
from lujin.park.model import Node

GUANGDONG = Decimal("0.4403")  # MEE+NBS 公告2024年第33号, in force on the sketch's factor date
GWH = 10**9
PACKS = {"location": "ghgp-location@2", "market": "ghgp-market@2", "regulatory": "gbt32151-2024@1"}
# What a plant emits per Wh and per kJ that it sells [mg]: hand-made, as a joint method would give it
OWN = {
    ("CHP", "steam"): {"CO2f": Fraction(7001, 100), "CH4f": Fraction(1, 300), "N2O": Fraction(1, 700)},
    ("CHP", "electricity"): {"CO2f": Fraction(90013, 111)},
    ("BUS", "electricity"): {"CO2f": Fraction(60077, 113), "CH4f": Fraction(1, 977)},
    ("MAIN", "steam"): {"CO2f": Fraction(8003, 99)},
    ("A", "electricity"): {"CO2f": Fraction(71)},
    ("B", "electricity"): {"CO2f": Fraction(3, 7)},
    ("A", "steam"): {"CO2f": Fraction(5, 3)},
    ("B", "steam"): {"CO2f": Fraction(500, 3)},
}


def grams(wh, factor=GUANGDONG):
    return round(wh * factor * 1000)


def posted(made, own=OWN, packs=PACKS, **park):
    made.park_facts.update(packs=packs, **park)
    return month_lines(made.park, made.energy, made_reference(made), own=own)


def made_reference(_):
    from lujin.reference import Reference, load_reference

    return Reference(load_reference())


def sums(lines, group, book="location"):
    """Commodity → net of all accounts of a group over all enterprises [mg]."""
    found = {}
    chosen = lines.filter(pl.col("book") == book)
    for debit, credit, gas, amount in chosen.select("debit", "credit", "commodity", "amount").iter_rows():
        for account, signed in ((debit, amount), (credit, -amount)):
            if account.split("/", 1)[1].startswith(group):
                found[gas] = found.get(gas, 0) + signed
    return {gas: mg for gas, mg in found.items() if mg}


def park_scope_2(lines, book="location"):
    gross, out = sums(lines, "S2/", book), sums(lines, "ELIM/S2/", book)
    return {gas: mg for gas in gross | out if (mg := gross.get(gas, 0) + out.get(gas, 0))}


def net(lines, account, book="location", commodity="CO2f"):
    chosen = lines.filter(pl.col("book") == book, pl.col("commodity") == commodity)
    debit = chosen.filter(pl.col("debit") == account)["amount"].sum()
    return debit - chosen.filter(pl.col("credit") == account)["amount"].sum()


# --------------------------------------------------------------------------------------- elimination


def test_steam_of_a_neighbours_plant_counts_with_the_plants_factor_and_is_eliminated(sketch):
    made = sketch().node("CHP", "chp", "OP")
    lines = posted(made.flow("CHP", "A", made.in_month(1_000_000), "steam")).lines
    assert net(lines, "A/S2/heat") == 70_010_000  # 1 GJ × 70.01 mg/kJ, not the published 0.11 t
    assert net(lines, "A/S2/heat", commodity="CH4f") == 3_333
    assert net(lines, "OP/ELIM/S2/heat") == -70_010_000
    assert park_scope_2(lines) == park_scope_2(lines, "market") == {}
    out = lines.filter(pl.col("rule") == "elimination@1")
    assert set(out.select("debit", "credit", "subject").rows()) == {("OP/DUE/A", "OP/ELIM/S2/heat", "CHP>A:steam")}


def test_without_the_plants_factor_nothing_is_posted_and_the_plant_is_named(sketch):
    made = sketch().node("CHP", "chp", "OP")
    for own in (None, {}):
        found = posted(made.flow("CHP", "A", made.in_month(1_000_000), "steam"), own)
        assert found.lines.filter(pl.col("book") == "location").is_empty()
        assert any("steam from CHP was made in the park" in p.text() for p in found.problems)
        assert found.lacking


def test_what_is_only_passed_on_needs_no_elimination(sketch):
    made = sketch().node("BUS", "main", "OP")
    made.flow("GRID", "BUS", made.in_month(10 * GWH))
    made.flow("BUS", "A", made.in_month(6 * GWH)).flow("BUS", "B", made.in_month(4 * GWH))
    lines = posted(made).lines
    assert sums(lines, "ELIM/") == {}
    assert park_scope_2(lines) == {"CO2f": grams(10 * GWH)}


def test_power_of_a_roof_in_a_reseller_bus_is_eliminated_as_made_inside(sketch):
    """Bought 6, generated 4, sold 10: the neighbours book 10, the park bought 6."""
    made = sketch().node("PV", "pv", "OP").node("BUS", "main", "OP")
    made.flow("GRID", "BUS", made.in_month(6 * GWH)).flow("PV", "BUS", made.in_month(4 * GWH))
    lines = posted(made.flow("BUS", "A", made.in_month(10 * GWH))).lines
    assert net(lines, "A/S2/electricity") == grams(10 * GWH)
    assert net(lines, "OP/ELIM/S2/electricity") == -grams(4 * GWH)
    assert park_scope_2(lines) == {"CO2f": grams(6 * GWH)}


def test_power_made_inside_that_a_neighbour_exports_was_never_a_purchase_of_the_park(sketch):
    made = sketch().node("CHP", "chp", "B")
    made.flow("CHP", "OP", made.in_month(5 * GWH)).flow("OP", "GRID", made.in_month(5 * GWH))
    lines = posted(made, {**OWN, ("OP", "electricity"): OWN["BUS", "electricity"]}).lines
    assert net(lines, "OP/S2/electricity") == 0  # sold on
    assert park_scope_2(lines) == {}


def test_the_regulatory_book_nets_purchases_and_sales_and_eliminates_nothing(sketch):
    """Both sides are there at one factor; what is made inside stands as a negative purchase of its maker."""
    made = sketch().node("CHP", "chp", "OP")
    made.flow("CHP", "A", made.in_month(3 * GWH)).flow("CHP", "B", made.in_month(2_000_000), "steam")
    lines = posted(made).lines
    for buyer, account in (("A", "S2/electricity"), ("B", "S2/heat")):
        assert net(lines, f"{buyer}/{account}", "regulatory") == -net(lines, f"OP/{account}", "regulatory") > 0
    assert sums(lines, "S2/", "regulatory") == sums(lines, "ELIM/", "regulatory") == {}


def test_own_factors_leave_biogenic_co2_beside_the_total(sketch):
    made = sketch().node("CHP", "chp", "OP")
    own = {("CHP", "steam"): {"CO2b": Fraction(100), "CO2f": Fraction(1)}}
    lines = posted(made.flow("CHP", "A", made.in_month(1_000_000), "steam"), own).lines
    assert net(lines, "A/MEMO/biogenic", commodity="CO2b") == 100_000_000
    assert sums(lines, "S2/") == {"CO2f": 1_000_000}
    assert net(lines, "OP/ELIM/MEMO/biogenic", commodity="CO2b") == -100_000_000


# ------------------------------------------------------------------------------------------ invariant 4

INNER = ["A", "B", "OP", "BUS"]


@st.composite
def parks(draw, sketch):
    """Purchases, a cogeneration plant, a roof, sales in any direction, also in circles; exports of own power."""
    made = (
        sketch()
        .node("BUS", "main", "OP")
        .node("CHP", "chp", "OP")
        .node("PV", "pv", "A")
        .node("MAIN", "main", "OP")
    )

    def some(carrier="electricity", most=3_000_000):
        energy = draw(st.lists(st.integers(0, most), min_size=2, max_size=2))
        quantity = made.in_month(energy[0])
        quantity[40 + 96 * draw(st.integers(0, 30))] += energy[1]
        return {"carrier": carrier, "quantity": quantity, "estimated": quantity * draw(st.booleans()) // 3}

    for target in draw(st.sets(st.sampled_from(INNER))):
        made.flow("GRID", target, **some())
    for target in draw(st.sets(st.sampled_from(INNER))):
        made.flow("CHP", target, **some())
    made.flow("PV", "A", made.in_month(2_000_000)).flow("PV", "B", **some())
    for source in draw(st.sets(st.sampled_from(["CHP", "PV"]))):
        made.flow(source, "GRID", **some())
    if draw(st.booleans()):  # no more than its roof gives
        made.flow("A", "GRID", **some(most=1_000_000))
    pairs = st.tuples(st.sampled_from(INNER), st.sampled_from(INNER)).filter(lambda p: p[0] != p[1])
    for source, target in sorted(draw(st.sets(pairs, max_size=5))):
        made.flow(source, target, **some())
    for source, target in sorted(draw(st.sets(st.sampled_from([("MAIN", "A"), ("A", "B"), ("CHP", "B")])))):
        made.flow(source, target, **some("steam"))
    made.flow("CHP", "MAIN", **some("steam"))
    for target in draw(st.sets(st.sampled_from(["B", "OP"]))):
        made.flow("GAS", target, **some("natural_gas"))
    made.flow("OP", "CHP", **some("natural_gas"))
    made.flow("GAS", "A", made.in_month(2_000_000), "natural_gas")
    if draw(st.booleans()):  # no more than it bought
        made.flow("A", "B", **some("natural_gas", most=1_000_000))
    return made


def as_one(park):
    """The same park, all of it owned by one enterprise."""
    nodes = {
        n.id: n if n.kind in ("grid", "supplier", "air", "customer") else _owned(n) for n in park.nodes.values()
    }
    return replace(park, nodes={"ONE": Node(id="ONE", kind="operator"), **nodes})


def _owned(node):
    kind = "main" if node.kind in ("enterprise", "operator") else node.kind
    return Node(id=node.id, kind=kind, owner="ONE")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_scopes_of_the_park_are_those_of_one_enterprise_on_what_crosses_the_fence(sketch, data):
    """Invariant 4: S1 = Σ S1 and S2 = Σ S2 less what is eliminated, both to the milligram."""
    made = data.draw(parks(sketch))
    lines = posted(made, {**OWN, ("OP", "electricity"): OWN["BUS", "electricity"]}).lines
    whole = month_lines(as_one(made.park), made.energy, made_reference(made)).lines
    for book in ("location", "market"):
        assert park_scope_2(lines, book) == sums(whole, "S2/", book)
        assert sums(whole, "ELIM/", book) == {}
    assert sums(lines, "S1/") == sums(whole, "S1/")
