"""What a month's flows become in the books."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.accounts.lines import SCHEMA, LineBook
from lujin.accounts.subjects import SubjectEnergy
from lujin.errors import InputError
from lujin.park.carriers import CARRIERS
from lujin.park.model import Claim, Instrument
from lujin.reference import Reference

# MEE+NBS 公告2024年第33号 (data year 2022), in force on the sketch's factor date
GUANGDONG, NATION, RESIDUAL = Decimal("0.4403"), Decimal("0.5366"), Decimal("0.5856")
GWH = 10**9
T = 10**9  # mg


def grams(wh, factor):
    return round(wh * factor * 1000)


# ------------------------------------------------------------------------------------------- purchases


def test_purchased_electricity_is_scope_2_in_each_book_with_its_own_factor(sketch):
    made = sketch()
    balance = made.flow("GRID", "A", made.in_month(GWH)).balance()
    assert balance.net("A/OWN/electricity", commodity="electricity") == GWH
    assert balance.net("A/EXT/GRID", commodity="electricity") == -GWH
    for book, factor in (("location", GUANGDONG), ("market", RESIDUAL), ("regulatory", NATION)):
        assert balance.net("A/S2/electricity", book, "CO2f") == grams(GWH, factor)


def test_every_line_names_rule_factor_and_subject(sketch):
    made = sketch()
    line = (
        made.flow("GRID", "A", made.in_month(GWH))
        .post()
        .lines.row(by_predicate=pl.col("book") == "location", named=True)
    )
    assert line["rule"] == "purchased_electricity_location@1"
    assert line["factor"].startswith("grid_factors:grid_avg_guangdong_2022@")
    assert line["subject"] == "GRID>A:electricity"
    assert line["day"] == date(2024, 7, 1)


def test_estimated_energy_has_lines_of_its_own(sketch):
    balance = sketch().flow("GRID", "A", 1000, estimated=250).balance()
    for book, account in (("physical", "A/OWN/electricity"), ("location", "A/S2/electricity")):
        commodity = "electricity" if book == "physical" else "CO2f"
        estimated = balance.net(account, book, commodity, quality="estimated")
        measured = balance.net(account, book, commodity, quality="measured")
        assert measured == pytest.approx(3 * estimated, abs=31)


def test_lines_are_sorted_unique_and_typed(sketch):
    lines = sketch().flow("GRID", "A", 1000, estimated=10).flow("GAS", "A", 5, "natural_gas").post().lines
    assert dict(lines.schema) == {name: kind() for name, kind in SCHEMA.items()}
    key = [c for c in lines.columns if c != "amount"]
    assert not lines.select(key).is_duplicated().any()
    order = [c for c in SCHEMA if c not in ("amount", "day")]
    book_first = ["enterprise", "book", *[c for c in order if c not in ("enterprise", "book")], "day"]
    assert lines.equals(lines.sort(book_first))
    assert not (lines["amount"] == 0).any()


def test_lines_that_cancel_leave_no_line():
    book = LineBook([date(2024, 7, 1), date(2024, 7, 2)])
    sides = {"enterprise": ["A"], "debit": ["x"], "credit": ["y"], "subject": [""]}
    same = {**sides, "book": "physical", "commodity": "CNY", "rule": "metered@1"}
    book.add(np.array([[5, 7]]), np.array([0, 1]), **same)
    book.add(np.array([[-5, 1]]), np.array([0, 1]), **same)
    assert book.frame().select("day", "debit", "amount").rows() == [(date(2024, 7, 2), "A/x", 8)]


def test_nothing_moved_leaves_an_empty_frame_with_all_columns(sketch):
    posted = sketch().flow("GRID", "A", 0).post()
    assert posted.lines.is_empty()
    assert list(posted.lines.columns) == list(SCHEMA)


# ---------------------------------------------------------------------------------- exports and transfers


def test_exports_are_deducted_in_the_regulatory_book_only(sketch):
    made = sketch().node("PV", "pv", "A")
    made.flow("GRID", "A", made.in_month(10 * GWH)).flow("PV", "A", made.in_month(4 * GWH))
    balance = made.flow("A", "GRID", made.in_month(3 * GWH)).balance()
    assert balance.net("A/S2/electricity", "regulatory", "CO2f") == grams(7 * GWH, NATION)
    assert balance.net("A/S2/electricity", "location", "CO2f") == grams(10 * GWH, GUANGDONG)


def test_self_use_is_generation_less_export(sketch):
    made = sketch().node("PV", "pv", "A")
    balance = made.flow("PV", "A", made.in_month(400)).flow("A", "GRID", made.in_month(150)).balance()
    assert balance.net("A/GEN/PV", commodity="electricity") == -400
    assert balance.net("A/OWN/electricity", commodity="electricity") == 250
    assert balance.net("A/S2/electricity", "location") == 0


def test_sold_heat_is_scope_2_of_the_buyer_and_deducted_from_the_seller_in_the_regulatory_book(sketch):
    made = sketch().node("CHP", "chp", "OP")
    balance = made.flow("CHP", "A", made.in_month(1_000_000), "steam").balance()  # 1 GJ
    for book in ("location", "market", "regulatory"):
        assert balance.net("A/S2/heat", book, "CO2f") == 110_000_000  # 0.11 t
    assert balance.net("OP/S2/heat", "location") == balance.net("OP/S2/heat", "market") == 0
    assert balance.net("OP/S2/heat", "regulatory", "CO2f") == -110_000_000
    heat = balance.lines.filter(pl.col("debit") == "A/S2/heat")
    assert set(heat["subject"]) == {"CHP>A:steam"}
    assert set(heat["credit"]) == {"A/DUE/OP"}


def test_power_that_is_bought_to_be_sold_on_is_scope_2_of_its_user_only(sketch):
    """The operator buys 10 and passes 9 on: 1 is its own (losses, lighting)."""
    made = sketch().node("BUS", "main", "OP")
    made.flow("GRID", "BUS", made.in_month(10 * GWH))
    balance = made.flow("BUS", "A", made.in_month(6 * GWH)).flow("BUS", "B", made.in_month(3 * GWH)).balance()
    for book, factor in (("location", GUANGDONG), ("market", RESIDUAL), ("regulatory", NATION)):
        assert balance.net("OP/S2/electricity", book, "CO2f") == grams(GWH, factor)
        assert balance.net("A/S2/electricity", book, "CO2f") == grams(6 * GWH, factor)


def test_own_generation_is_sold_before_bought_power(sketch):
    """Bought 10, generated 4, sold 6: 2 of the 6 must have been bought, 8 were used."""
    made = sketch().node("CHP", "chp", "OP").node("BUS", "main", "OP")
    made.flow("GRID", "BUS", made.in_month(10 * GWH)).flow("CHP", "BUS", made.in_month(4 * GWH))
    balance = made.flow("BUS", "A", made.in_month(5 * GWH)).flow("BUS", "B", made.in_month(GWH)).balance()
    assert balance.net("OP/S2/electricity", "location", "CO2f") == grams(8 * GWH, GUANGDONG)
    assert balance.net("OP/S2/electricity", "regulatory", "CO2f") == grams(4 * GWH, NATION)


def test_power_straight_from_a_neighbours_panels_counts_nothing(sketch):
    made = sketch().node("PV", "pv", "B")
    balance = made.flow("PV", "A", made.in_month(GWH)).balance()
    assert balance.lines.filter(pl.col("book") != "physical").is_empty()
    assert balance.net("A/OWN/electricity", commodity="electricity") == GWH
    assert balance.net("B/OWN/electricity", commodity="electricity") == 0


def test_flows_inside_one_enterprise_post_no_carbon(sketch):
    made = sketch().node("BUS", "main", "A").node("SHOP", "process", "A")
    assert made.flow("BUS", "SHOP", 1000).flow("BUS", "A", 5, "steam").post().lines.is_empty()


def test_scope_2_of_the_park_adds_up_to_its_purchases(sketch):
    """However power is passed around, users together hold what came in from the grid."""
    made = sketch().node("BUS", "main", "OP")
    made.flow("GRID", "BUS", made.in_month(9 * GWH)).flow("GRID", "B", made.in_month(GWH))
    made.flow("BUS", "A", made.in_month(7 * GWH)).flow("A", "B", made.in_month(2 * GWH))
    balance = made.balance()
    users = sum(balance.net(f"{e}/S2/electricity", "location", "CO2f") for e in ("A", "B", "OP"))
    assert users == grams(10 * GWH, GUANGDONG)


# -------------------------------------------------------------------------------------- fuels and process


def test_gas_counts_where_it_enters_and_not_again_at_the_boiler(sketch):
    made = sketch().node("BOILER", "boiler", "A")
    made.flow("GAS", "A", made.in_month(10_000_000), "natural_gas")  # 10⁴ Nm³
    balance = made.flow("A", "BOILER", made.in_month(10_000_000), "natural_gas").balance()
    assert balance.net("A/S1/natural_gas", "regulatory", "CO2f") == 21_621_888_090
    assert balance.net("A/ATM/natural_gas", "regulatory", "CO2f") == -21_621_888_090
    # IPCC 2006: 1 kgCH4/TJ and 0.1 kgN2O/TJ on 389.31 GJ
    assert balance.net("A/S1/natural_gas", "location", "CH4f") == 389_310
    assert balance.net("A/S1/natural_gas", "location", "N2O") == 38_931
    assert balance.net("A/S1/natural_gas", "regulatory", "CH4f") == 0


def test_the_two_chinese_methods_give_their_own_result_for_the_same_coal(sketch):
    made = sketch()
    made.flow("GAS", "A", made.in_month(1_000_000), "bituminous_coal")  # 1 t
    assert made.balance().net("A/S1/bituminous_coal", "regulatory", "CO2f") == pytest.approx(1.7417 * T, abs=10**5)
    made.park_facts["packs"] = {"regulatory": "ndrc2015-other-industry@1"}
    assert made.balance().net("A/S1/bituminous_coal", "regulatory", "CO2f") == pytest.approx(2.0715 * T, abs=10**5)


def test_fuel_that_is_passed_on_is_burned_by_the_buyer(sketch):
    made = sketch()
    made.flow("GAS", "OP", made.in_month(10_000_000), "natural_gas")
    balance = made.flow("OP", "A", made.in_month(4_000_000), "natural_gas").balance()
    parts = [balance.net(f"{e}/S1/natural_gas", "location", "CO2f") for e in ("OP", "A")]
    assert parts == pytest.approx([0.6 * 21_621_888_090, 0.4 * 21_621_888_090], abs=1)


def test_biogenic_co2_stands_apart_and_its_other_gases_count(sketch):
    made = sketch()
    balance = made.flow("GAS", "A", made.in_month(1_000_000), "biomass").balance()  # 15.6 GJ/t, 30.55 tC/TJ
    assert balance.net("A/MEMO/biogenic", "location", "CO2b") == pytest.approx(1.7475 * T, abs=10**6)
    assert balance.net("A/S1/biomass", "location", "CO2f") == 0
    assert balance.net("A/S1/biomass", "location", "CH4b") == 468_000  # 30 kg/TJ
    assert balance.net("A/S1/biomass", "location", "N2O") == 62_400


def test_a_fuel_without_published_parameters_is_named_and_not_invented(sketch):
    made = sketch()
    balance = made.flow("A", "OP", made.in_month(1_000_000), "sludge").balance()
    assert balance.lines.filter(pl.col("book") != "physical").is_empty()
    assert any("OP: no published parameters for burning sludge" in text for text in balance.said("warning"))


def test_limestone_counts_where_it_enters_a_process(sketch):
    made = sketch().node("KILN", "process", "A")
    made.flow("GAS", "A", made.in_month(1_000_000), "limestone")
    balance = made.flow("A", "KILN", made.in_month(1_000_000), "limestone").balance()
    assert balance.net("A/S1/limestone", "regulatory", "CO2f") == 439_700_000


def test_power_of_a_neighbours_boiler_house_is_named(sketch):
    """It counts with the grid's factor although no grid saw it; the regulatory rule is the nation's for all."""
    made = sketch().node("CHP", "chp", "OP").node("PV", "pv", "B")
    made.flow("CHP", "OP", made.in_month(9 * GWH)).flow("PV", "A", made.in_month(GWH))
    balance = made.flow("OP", "A", made.in_month(4 * GWH)).flow("GRID", "A", made.in_month(GWH)).balance()
    (said,) = [text for text in balance.said("warning") if "makes it from fuel" in text]
    assert said.startswith("A: power bought from OP")
    without = sketch().node("PV", "pv", "B")
    without.flow("PV", "A", without.in_month(GWH)).flow("B", "A", without.in_month(GWH))
    assert not any("makes it from fuel" in text for text in without.balance().said("warning"))


@pytest.mark.parametrize("kind", ["boiler", "chp"])
@pytest.mark.parametrize("book", ["location", "market", "regulatory"])
def test_limestone_that_cleans_flue_gas_counts(sketch, kind, book):
    """脱硫过程: the carbonate gives up its CO2 in the furnace or the scrubber of the one who burns."""
    made = sketch().node("FURNACE", kind, "A")
    balance = made.flow("GAS", "FURNACE", made.in_month(1_000_000), "limestone").balance()
    assert balance.net("A/S1/limestone", book, "CO2f") == 439_700_000


def test_limestone_that_enters_no_process_is_named(sketch):
    made = sketch().node("KILN", "process", "B")
    made.flow("GAS", "A", made.in_month(1_000_000), "limestone")
    made.flow("GAS", "B", made.in_month(1_000_000), "limestone")
    balance = made.flow("B", "KILN", made.in_month(1_000_000), "limestone").balance()
    assert balance.net("A/S1/limestone", "regulatory", "CO2f") == 0
    (said,) = [text for text in balance.said("warning") if "enters no process" in text]
    assert said.startswith("A: limestone")


# ------------------------------------------------------------------------------------- standard coal


def test_standard_coal_stands_on_both_bases(sketch):
    made = sketch()
    balance = made.flow("GRID", "A", made.in_month(GWH)).balance()  # 1 GWh
    made.park_facts["factor_date"] = date(2024, 7, 1)
    dated = made.balance()
    assert balance.net("A/OWN/electricity", commodity="ce_equivalent") == 122_900 * 10**6
    assert dated.net("A/OWN/electricity", commodity="ce_equal") == 302_400 * 10**6


def test_media_have_no_standard_coal(sketch):
    made = sketch().flow("GAS", "A", 100, "water").flow("OP", "A", 100, "compressed_air")
    assert set(made.post().lines["commodity"]) == {"water", "compressed_air"}


def test_comprehensive_energy_is_purchased_plus_own_renewable_less_exported(sketch):
    made = sketch().node("PV", "pv", "A")
    made.flow("GRID", "A", made.in_month(10 * GWH)).flow("PV", "A", made.in_month(4 * GWH))
    balance = made.flow("A", "GRID", made.in_month(3 * GWH)).balance()
    assert balance.net("A/OWN/electricity", commodity="ce_equivalent") == 11 * 122_900 * 10**6


def test_power_from_own_fuel_has_no_standard_coal_of_its_own(sketch):
    """The fuel is counted already."""
    made = sketch().node("CHP", "chp", "OP").flow("CHP", "OP", 1000).flow("GAS", "OP", 10, "natural_gas")
    balance = made.balance()
    assert balance.net("OP/OWN/electricity", commodity="electricity") == 1000 * made.grid.slots
    assert balance.net("OP/OWN/electricity", commodity="ce_equivalent") == 0
    assert balance.net("OP/OWN/natural_gas", commodity="ce_equivalent") > 0


# ------------------------------------------------------------------------------------- market claims


def claims(made, *parts, issued="10", kind="certificate"):
    made.park_facts["instruments"] = {"GEC1": Instrument(id="GEC1", kind=kind, energy_mwh=Decimal(issued))}
    made.park_facts["claims"] = tuple(
        Claim(instrument="GEC1", enterprise=e, month=month, energy_mwh=Decimal(mwh)) for e, month, mwh in parts
    )
    return made


def test_claims_come_first_and_the_rest_takes_the_residual_mix(sketch):
    made = sketch()
    made = claims(made.flow("GRID", "A", 1000), ("A", 202407, "1"))
    balance = made.balance()
    used = 1000 * made.grid.slots
    assert balance.net("A/MEMO/certificate/GEC1", "market", "electricity") == 1_000_000
    assert balance.net("A/S2/electricity", "market", "CO2f") == pytest.approx(
        grams(used - 1_000_000, RESIDUAL), abs=31
    )
    daily = balance.lines.filter(pl.col("debit") == "A/MEMO/certificate/GEC1")["amount"]
    assert daily.max() - daily.min() <= 1
    assert balance.net("A/S2/electricity", "location", "CO2f") == grams(used, GUANGDONG)


def test_a_claim_beyond_consumption_is_reported_and_not_used(sketch):
    made = sketch()
    balance = claims(made.flow("GRID", "A", made.in_month(700_000)), ("A", 202407, "1")).balance()
    assert balance.net("A/MEMO/certificate/GEC1", "market", "electricity") == 700_000
    assert balance.net("A/S2/electricity", "market", "CO2f") == 0
    assert any("A: 0.3 MWh of GEC1 exceed the purchased electricity" in text for text in balance.said("warning"))


def test_no_certificate_is_used_twice(sketch):
    made = sketch().flow("GRID", "A", 1000).flow("GRID", "B", 1000)
    balance = claims(made, ("A", 202407, "6"), ("B", 202406, "6")).balance()
    assert balance.lines.filter(pl.col("debit").str.contains("MEMO")).is_empty()
    assert any("12 MWh of GEC1 are claimed, 10 MWh were issued: none is used" in t for t in balance.said("error"))


def test_two_claims_together_cover_no_more_than_was_bought(sketch):
    made = claims(sketch(), ("A", 202407, "1"))
    made.park_facts["instruments"]["GEC2"] = Instrument(id="GEC2", kind="green_power", energy_mwh=Decimal(9))
    made.park_facts["claims"] += (Claim(instrument="GEC2", enterprise="A", month=202407, energy_mwh=Decimal(1)),)
    balance = made.flow("GRID", "A", made.in_month(1_400_000)).balance()
    assert balance.net("A/MEMO/certificate/GEC1", "market") == 1_000_000
    assert balance.net("A/MEMO/green_power/GEC2", "market") == 400_000
    assert balance.net("A/S2/electricity", "market") == 0


def test_what_is_passed_on_cannot_be_covered_by_the_reseller(sketch):
    made = sketch()
    made.flow("GRID", "OP", made.in_month(1_000_000)).flow("OP", "A", made.in_month(800_000))
    balance = claims(made, ("OP", 202407, "1")).balance()
    assert balance.net("OP/MEMO/certificate/GEC1", "market", "electricity") == 200_000
    assert balance.net("OP/S2/electricity", "market", "CO2f") == 0


def test_green_power_is_reported_apart_in_the_regulatory_book_and_still_counts(sketch):
    made = sketch()
    made.flow("GRID", "A", made.in_month(2_000_000))
    balance = claims(made, ("A", 202407, "1"), kind="green_power").balance()
    assert balance.net("A/MEMO/green_power/GEC1", "regulatory", "electricity") == 1_000_000
    assert balance.net("A/S2/electricity", "regulatory", "CO2f") == grams(2_000_000, NATION)
    certificate = claims(made, ("A", 202407, "1"), kind="certificate").balance()
    assert certificate.net("A/MEMO/certificate/GEC1", "regulatory") == 0


# ------------------------------------------------------------------------------------------- factors


def test_a_missing_factor_is_named_and_the_rest_goes_on(sketch):
    made = sketch(region="西藏").flow("GRID", "A", 1000).flow("GAS", "A", 5, "natural_gas")
    balance = made.balance()
    assert balance.net("A/S2/electricity", "location") == 0
    assert balance.net("A/S2/electricity", "regulatory", "CO2f") > 0
    assert balance.net("A/S1/natural_gas", "location", "CO2f") > 0
    text = next(t for t in balance.said("error") if "西藏" in t)
    assert text.startswith("A: no factor for electricity on 2024-07-01, these lines are not posted")
    assert "grid_avg" in text, "candidates are listed"


def test_the_day_of_activity_decides_unless_the_park_names_a_factor_date(sketch):
    """The average of 2022 was published on 2024-12-20: until then that of 2021 holds."""
    made = sketch(month=202412, factor_date=None)
    lines = made.flow("GRID", "A", 1000).post().lines.filter(pl.col("book") == "location")
    used = dict(lines.group_by("factor").agg(pl.col("day").min()).iter_rows())
    assert {f.split("@")[0]: d.day for f, d in used.items()} == {
        "grid_factors:grid_avg_guangdong_2021": 1,
        "grid_factors:grid_avg_guangdong_2022": 20,
    }


def test_an_unverified_value_is_named(sketch):
    posted = sketch(month=202407, factor_date=date(2024, 7, 1)).flow("GRID", "A", 1000).post()
    assert any(row.id.startswith("grid_factors:grid_resid_national_2021") for row in posted.unverified)
    warning = next(p for p in posted.problems if "grid_resid_national_2021" in p.text())
    assert warning.severity == "warning"


def test_another_factor_changes_only_the_lines_that_rest_on_it(sketch, with_value, reference):
    made = sketch().flow("GRID", "A", 1000).flow("GAS", "A", 5, "natural_gas")
    before = made.post(resolve=reference).lines
    after = made.post(resolve=with_value("grid_factors:grid_avg_national_2022", "0.5")).lines
    changed = after.join(before, on=before.columns, how="anti")
    assert set(changed["book"]) == {"regulatory"}
    assert set(changed["rule"]) == {"net_purchased_electricity@1"}


def test_an_unknown_pack_is_refused_with_the_known_ones(sketch):
    made = sketch(packs={"location": "ghgp-location@9"}).flow("GRID", "A", 1)
    with pytest.raises(InputError, match="use one of: ghgp-location@1"):
        made.post()


def test_only_books_with_a_pack_are_kept(sketch):
    lines = sketch(packs={"market": "ghgp-market@1"}).flow("GRID", "A", 1000).post().lines
    assert set(lines["book"]) == {"physical", "market"}


def test_a_reference_without_rows_leaves_energy_alone(sketch):
    posted = sketch().flow("GRID", "A", 1000).post(resolve=Reference(()))
    assert set(posted.lines["book"]) == {"physical"}
    assert set(posted.lines["commodity"]) == {"electricity"}
    assert all(p.text() for p in posted.problems)


# ------------------------------------------------------------------------------------------- properties

CARRIER = st.sampled_from(
    ["electricity", "steam", "natural_gas", "bituminous_coal", "biomass", "water", "limestone"]
)
PLACE = st.sampled_from(["GRID", "GAS", "A", "B", "OP", "PVA", "CHP", "KILN", "BUYER"])
FLOWS = st.lists(
    st.tuples(PLACE, PLACE, CARRIER, st.integers(0, 10**7), st.integers(0, 10**6)), min_size=1, max_size=12
)
GENERATED = settings(max_examples=25, deadline=None)


def sketched(sketch, flows):
    made = sketch().node("PVA", "pv", "A").node("CHP", "chp", "OP").node("KILN", "process", "B")
    made = claims(made, ("A", 202407, "3"), ("B", 202407, "2"))
    for i, (source, target, carrier, quantity, estimated) in enumerate(flows):
        if source != target:
            amount = np.roll(np.arange(made.grid.slots) % (i + 2), i) * quantity
            made.flow(source, target, amount, carrier, estimated=np.minimum(amount, estimated))
    return made


def totals(lines, *columns):
    """Net per account and commodity."""
    sides = [
        lines.select("book", "commodity", *columns, account=pl.col("debit"), amount=pl.col("amount")),
        lines.select("book", "commodity", *columns, account=pl.col("credit"), amount=-pl.col("amount")),
    ]
    grouped = pl.concat(sides).group_by("book", "commodity", "account", *columns).agg(pl.col("amount").sum())
    return {row[:-1]: row[-1] for row in grouped.iter_rows()}


@given(FLOWS)
@GENERATED
def test_every_account_balances_and_stays_inside_its_enterprise(sketch, flows):
    lines = sketched(sketch, flows).post().lines
    for side in ("debit", "credit"):
        assert (lines[side].str.split("/").list.first() == lines["enterprise"]).all()
    assert (lines["debit"] != lines["credit"]).all()
    by_commodity = {}
    for (book, commodity, _), amount in totals(lines).items():
        by_commodity[book, commodity] = by_commodity.get((book, commodity), 0) + amount
    assert not any(by_commodity.values())


@given(FLOWS, st.randoms())
@GENERATED
def test_the_order_of_subjects_does_not_matter(sketch, flows, random):
    made = sketched(sketch, flows)
    energy = made.energy
    order = list(range(len(energy.subjects)))
    random.shuffle(order)
    mixed = SubjectEnergy(
        energy.grid, tuple(energy.subjects[i] for i in order), energy.total[order], energy.estimated[order]
    )
    assert made.post(energy=mixed).lines.equals(made.post().lines)


@given(FLOWS)
@GENERATED
def test_enterprises_posted_one_by_one_give_the_lines_of_all(sketch, flows):
    made = sketched(sketch, flows)
    whole = made.post().lines
    parts = [made.post([e]).lines for e in sorted(made.park.enterprises())]
    assert pl.concat(parts).equals(whole)


@given(FLOWS)
@GENERATED
def test_no_certificate_is_used_beyond_its_claim(sketch, flows):
    lines = sketched(sketch, flows).post().lines.filter(pl.col("debit").str.contains("/MEMO/certificate/"))
    used = dict(lines.group_by("enterprise").agg(pl.col("amount").sum()).iter_rows())
    assert used.get("A", 0) <= 3_000_000
    assert used.get("B", 0) <= 2_000_000
    assert (lines["amount"] > 0).all()


@given(FLOWS, st.integers(0, 11), st.integers(1, 99))
@GENERATED
def test_a_twin_node_changes_no_total_beyond_one_unit_per_line(sketch, flows, chosen, share):
    """One flow is split over a node and its twin with the same owner."""
    whole = sketched(sketch, flows)
    twins = sketched(sketch, flows)
    subject = sorted(twins.moved, key=str)[chosen % len(twins.moved)] if twins.moved else None
    if subject is None or twins.nodes[subject.target].kind not in ("enterprise", "operator", "process"):
        return
    kind = "process" if twins.nodes[subject.target].kind == "process" else "main"
    twins.node("TWIN", kind, twins.park.owner(subject.target))
    total, estimated = twins.moved[subject]
    part = [total * share // 100, estimated * share // 100]
    twins.moved[subject] = (total - part[0], estimated - part[1])
    twins.moved[replace(subject, target="TWIN")] = (part[0], part[1])
    before, after = totals(whole.post().lines), totals(twins.post().lines)
    lines = 4 * len(whole.grid.days) * len(twins.moved)
    power = [s for s in whole.moved if s.carrier == "electricity"]
    resold = {s.source for s in power} & {s.target for s in power}
    for key in before.keys() | after.keys():
        # What is sold on is shared out in whole Wh, whose carbon is at most 1,000 mg.
        sold = resold and key[0] != "physical" and re.search("S2/electricity|DUE/|EXT/", key[2])
        assert abs(before.get(key, 0) - after.get(key, 0)) <= lines * (1_000 if sold else 1), key


@given(st.integers(1, 10**7), st.integers(1, 9))
@GENERATED
def test_a_carrier_counted_in_another_unit_gives_the_same_account(sketch, wh, part):
    """Heat metered as energy, or the same heat in two flows: no more than a unit per line apart."""
    one = sketch().flow("GAS", "A", wh * 10, "steam").balance()
    two = sketch().flow("GAS", "A", wh * part, "steam").flow("GRID", "A", wh * (10 - part), "steam").balance()
    days = 31
    for account, book in (("A/S2/heat", "location"), ("A/S2/heat", "regulatory"), ("A/OWN/steam", "physical")):
        for commodity in set(one.lines.filter(pl.col("book") == book)["commodity"]):
            assert abs(one.net(account, book, commodity) - two.net(account, book, commodity)) <= days


def test_a_parks_own_carrier_follows_the_same_rules(sketch):
    wood = replace(CARRIERS["biomass"], id="wood_chips", name_zh="木片", fuel="木材(生物质)")
    made = sketch(carriers={**CARRIERS, "wood_chips": wood})
    balance = made.flow("GAS", "A", made.in_month(1_000_000), "wood_chips").balance()
    assert balance.net("A/S1/wood_chips", "location") == 0
    assert any("wood_chips" in text and "木材" in text for text in balance.said("error"))
