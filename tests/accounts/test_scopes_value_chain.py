"""Scope 3 as a park sees it, apart from scopes 1 and 2, and the view by category of ISO 14064-1."""

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from lujin.accounts.amounts import Amount, gwp_set
from lujin.accounts.iso14064 import iso_categories
from lujin.accounts.sections import SCOPE3, Side, carbon, scope3
from lujin.park.model import Transfer
from lujin.reference import Reference, load_reference, make_row
from lujin.reference.files import parse_table

PACKS = {"location": "ghgp-location@2"}
SHIPPED = load_reference()
COLUMNS = (
    "category carrier name_zh name_en stage gas gwp value unit valid_from valid_to source confidence evidence note"
)


def factor(category, carrier, value, unit, *, gas="CO2f", stage="", gwp="", valid_from="", valid_to=""):
    given = {"category": category, "carrier": carrier, "value": value, "unit": unit, "gas": gas, "stage": stage}
    facts = {"gwp": gwp, "valid_from": valid_from, "valid_to": valid_to}
    usual = {"source": "a test", "confidence": "verified"}
    return make_row("scope3_factors", dict.fromkeys(COLUMNS.split(), "") | given | facts | usual)


def posted(made, *rows, transfers=()):
    flows = made.park.flows
    made.park_facts.update(packs=PACKS, transfers=transfers, flows=flows)
    return made.post(resolve=Reference([*SHIPPED, *rows]))


def net(lines, account, commodity="CO2f"):
    chosen = lines.filter(pl.col("book") == "location", pl.col("commodity") == commodity)
    debit = chosen.filter(pl.col("debit") == account)["amount"].sum()
    return debit - chosen.filter(pl.col("credit") == account)["amount"].sum()


def transfer(source, target, carrier, status, **facts):
    return Transfer(flow=f"{source}>{target}:{carrier}", status=status, evidence="contract", **facts)


def test_losses_of_the_grid_follow_the_power_that_an_enterprise_keeps(sketch):
    made = sketch().node("BUS", "main", "OP")
    made.flow("GRID", "BUS", made.in_month(10_000)).flow("BUS", "A", made.in_month(9_000))
    lines = posted(made, factor("3", "electricity", "0.05", "kg/kWh", stage="test_loss")).lines
    assert net(lines, "OP/S3.3/electricity") == 1_000 * 50
    assert net(lines, "A/S3.3/electricity") == 9_000 * 50


def test_power_of_a_neighbours_plant_has_no_losses_of_the_public_grid(sketch):
    made = sketch().node("CHP", "chp", "OP").flow("CHP", "A", 1_000)
    assert "S3." not in "".join(posted(made, factor("3", "electricity", "0.05", "kg/kWh")).lines["debit"])


def test_co2e_that_its_source_does_not_resolve_is_a_commodity_of_its_own(sketch):
    made = sketch()
    row = factor("3", "electricity", "0.0327", "kg/kWh", gas="CO2e", gwp="AR5")
    lines = posted(made.flow("GRID", "A", made.in_month(10**6)), row).lines
    assert net(lines, "A/S3.3/electricity", "CO2e:AR5") == 32_700_000
    assert net(lines, "A/S3.3/electricity") == 0


def test_a_view_adds_published_co2e_only_through_the_same_gwp_set():
    ar6 = gwp_set(Reference(SHIPPED), "AR6", date(2025, 6, 1))
    gases = {"CO2f": 10, "CO2e:AR6": 5, "CO2e:AR5": 7, "CO2e:unstated": 9}
    assert ar6.co2e(gases) == Amount(15, "mgCO2e")


def test_goods_from_a_neighbour_count_unless_they_are_waste_or_by_products(sketch):
    made = sketch()
    made.flow("A", "B", made.in_month(1_000_000), "product").flow("A", "B", made.in_month(2_000_000), "fly_ash")
    rows = [factor("1", "product", "500", "kg/t"), factor("1", "fly_ash", "30", "kg/t")]
    lines = posted(made, *rows, transfers=[transfer("A", "B", "fly_ash", "by_product")]).lines
    assert net(lines, "B/S3.1/product") == 500 * 10**6
    assert net(lines, "B/S3.1/fly_ash") == 0


def test_treatment_of_waste_belongs_to_its_producer_also_in_the_park(sketch):
    made = sketch()
    made.flow("A", "B", made.in_month(3_000_000), "sludge")
    row = factor("5", "sludge", "0.2", "kg/t", gas="CH4b")
    lines = posted(made, row, transfers=[transfer("A", "B", "sludge", "waste")]).lines
    assert net(lines, "A/S3.5/sludge", "CH4b") == 600_000
    assert net(lines, "B/S3.5/sludge", "CH4b") == 0
    assert set(lines.filter(pl.col("rule") == "scope3_activity@1")["credit"]) == {"A/DUE/B"}


def test_a_status_counts_from_its_day_on(sketch):
    made = sketch()
    made.flow("A", "B", 100, "fly_ash")  # 9600 g a day
    since = datetime(2024, 7, 10, 16, tzinfo=UTC)  # the local 11th
    row = factor("5", "fly_ash", "1000", "kg/t")
    lines = posted(made, row, transfers=[transfer("A", "B", "fly_ash", "waste", valid_from=since)]).lines
    assert net(lines, "A/S3.5/fly_ash") == 21 * 9_600 * 1_000


def test_transport_needs_mass_distance_and_factor_on_either_side(sketch):
    made = sketch()
    made.flow("A", "B", made.in_month(240_000_000), "product")
    rows = [factor("4", "product", "0.1", "kg/t.km"), factor("9", "product", "0.2", "kg/t.km")]
    moved = [transfer("A", "B", "product", "product", distance_km=Decimal("2.5"))]
    lines = posted(made, *rows, transfers=moved).lines
    assert net(lines, "B/S3.4/product") == 60 * 10**6  # 240 t × 2.5 km × 0.1 kg
    assert net(lines, "A/S3.9/product") == 120 * 10**6
    silent = posted(made, *rows, transfers=[transfer("A", "B", "product", "product")])
    assert "no distance is stated for A>B:product" in " ".join(p.text() for p in silent.problems)
    assert net(silent.lines, "B/S3.4/product") == 0


def test_a_missing_factor_is_named_and_asked_for_again(sketch):
    made = sketch()
    found = posted(made.flow("GRID", "A", 1_000).flow("GAS", "A", 10, "natural_gas"))
    said = [p for p in found.problems if "no factor of scope 3" in p.text()]
    assert [p.severity for p in said] == ["warning"]
    assert "S3.3: electricity, natural_gas" in said[0].text()  # the shipped loss is of October 2025
    assert found.lacking


def test_a_factor_in_a_unit_that_does_not_fit_is_an_error(sketch):
    made = sketch()
    found = posted(made.flow("GRID", "A", 1_000), factor("3", "electricity", "0.05", "kg/t"))
    assert any(p.severity == "error" and "electricity" in p.text() for p in found.problems)


def test_the_first_version_of_the_pack_posts_no_scope_3(sketch):
    made = sketch(packs={"location": "ghgp-location@1"}).flow("GRID", "A", 1_000)
    lines = made.post(resolve=Reference([*SHIPPED, factor("3", "electricity", "1", "kg/kWh")])).lines
    assert not lines["debit"].str.contains("S3.").any()


# ---------------------------------------------------------------------------------------- ISO 14064-1

LINES = {
    "S1/natural_gas": {"CO2f": 100, "CH4f": 3},
    "S2/electricity": {"CO2f": 50},
    "S2/heat": {"CO2f": 7},
    "S3.1/product": {"CO2f": 5},
    "S3.3/electricity": {"CO2f": 2, "CO2e:AR6": 11},
    "S3.4/product": {"CO2f": 1},
    "S3.5/sludge": {"CH4b": 4},
    "S3.9/product": {"CO2f": 9},
    "MEMO/biogenic": {"CO2b": 8},
    "ELIM/S2/heat": {"CO2f": -7},
}


@pytest.fixture
def categories():
    gwp = gwp_set(Reference(SHIPPED), "AR6", date(2025, 6, 1))
    sides = [
        Side("location", account, "EXT/GRID", gas, "", True, mg, 0)
        for account, gases in LINES.items()
        for gas, mg in gases.items()
    ]
    asked = ("A", 202506, "location", sides, gwp)
    return iso_categories((*carbon(*asked), *scope3(*asked)), gwp)


def test_every_line_is_in_one_category_of_iso_14064(categories):
    found = {c.category: {gas: a.base for gas, a in c.gases.items()} for c in categories}
    assert found == {
        1: {"CO2f": 100, "CH4f": 3},
        2: {"CO2f": 57},
        3: {"CO2f": 10},
        4: {"CO2f": 7, "CH4b": 4, "CO2e:AR6": 11},
        5: {},
        6: {},
    }
    assert [c.biogenic.base for c in categories] == [8, 0, 0, 0, 0, 0]
    assert categories[3].co2e == Amount(7 + round(4 * Decimal("27.0")) + 11, "mgCO2e")
    assert set(SCOPE3) <= {scope for c in categories for scope in c.scopes}
    assert categories[0].as_dict()["gases"]["CO2f"]["unit"] == "t"


def test_a_factor_of_an_unknown_gas_or_category_is_refused_with_the_known_ones():
    text = "category,carrier,name_zh,name_en,stage,gas,gwp,value,unit,valid_from,valid_to,source,confidence\n"
    rows, problems = parse_table("scope3_factors", text + "2,product,,,,CO2,,1,kg/t,,,test,verified\n", "own.csv")
    assert not rows
    assert [p.field for p in problems] == ["category", "gas"]
    assert "CO2f, CO2b" in problems[1].text()
