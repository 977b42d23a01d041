"""Every pack runs the published worked examples that it carries."""

import gzip
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from lujin.accounts.pack import pack, packs
from lujin.accounts.posting import pack_problems
from lujin.accounts.rules import RULES, purchased_electricity_location
from lujin.errors import InputError
from lujin.park import Park
from lujin.reference import GRID_PURPOSES, Reference, gwp, load_reference

STEEL = Path(__file__).parents[2] / "../shared/data/steel_daewoo_15min/steel_2018.csv.gz"
VECTORS = [(p.id, vector) for p in packs().values() for vector in p.vectors]


@pytest.mark.parametrize(("pack_id", "vector"), VECTORS, ids=[f"{p}: {v.title}" for p, v in VECTORS])
def test_published_example_is_reproduced(pack_id, vector):
    assert vector.source, "a vector without a source proves nothing"
    assert vector.holds(), f"{vector.result()} against {vector.expected} {vector.unit} in {pack_id}"


def test_a_vector_that_does_not_hold_says_so():
    vector = packs()["ghgp-location@1"].vectors[0]
    wrong = vector.model_copy(update={"arguments": {**vector.arguments, "factor": Decimal("0.4586")}})
    assert not wrong.holds()


@pytest.mark.parametrize("pack_id", packs())
def test_every_rule_of_a_pack_is_proven_or_said_not_to_be(pack_id):
    chosen = packs()[pack_id]
    assert set(chosen.rules) <= RULES.keys()
    assert set(chosen.rules) == {v.rule for v in chosen.vectors} | chosen.unproven.keys()


def test_the_packs_are_there_and_name_their_standard():
    assert {p.id: p.book for p in packs().values()} == {
        "embodied@1": "embodied",
        "energy-gbt2589@1": "physical",
        "gbt32151-2024@1": "regulatory",
        "ghgp-location@1": "location",
        "ghgp-location@2": "location",
        "ghgp-market-annual@1": "market",
        "ghgp-market-hourly@1": "market",
        "ghgp-market@1": "market",
        "ghgp-market@2": "market",
        "ndrc2015-other-industry@1": "regulatory",
    }
    assert all(p.standard and p.clause and p.title_zh and p.title_en for p in packs().values())


def test_the_two_chinese_methods_keep_fuel_set_and_gwp_apart():
    national, guideline = packs()["gbt32151-2024@1"], packs()["ndrc2015-other-industry@1"]
    assert (national.fuel.set, national.gwp) == ("GBT32151-C1", "AR6")
    assert (guideline.fuel.set, guideline.gwp) == ("NDRC2015-other-industry", "SAR")


def test_what_a_pack_names_exists_in_the_reference_tables():
    reference = Reference(load_reference())
    rows = reference.table("fuel_factors")
    for chosen in packs().values():
        if chosen.book == "physical":
            coal_names = {row.values["name_zh"] for row in reference.table("coal_equivalents")}
            assert set(chosen.coal.names.values()) <= coal_names
            continue
        assert chosen.electricity.purpose in GRID_PURPOSES
        assert reference.matching(gwp("N2O", chosen.gwp))
        sets = {row.values["set_id"] for row in rows}
        assert chosen.fuel.set in sets
        named = {row.values["name_zh"] for row in rows}
        assert {name for names in chosen.fuel.kinds.values() for name in names} <= named
        assert {choice.name for choice in chosen.fuel.carriers.values()} <= named
        assert set(chosen.process.names.values()) <= named


def test_a_pack_for_another_book_is_refused_with_the_right_ones():
    with pytest.raises(
        InputError, match=r"no method pack ghgp-location@1 for book market; use one of: ghgp-market-annual@1"
    ):
        pack("ghgp-location@1", "market")


def test_steel_works_account_matches_its_known_truth():
    """Nine months of real readings, slot by slot: 729316.67 kWh × 0.4585 = 334.392 t."""
    if not STEEL.exists():
        pytest.skip("shared/data/steel_daewoo_15min absent")
    frame = pl.read_csv(gzip.decompress(STEEL.read_bytes()))
    wh = (frame["Usage_kWh"] * 1000).round().cast(pl.Int64).to_numpy()
    mg = purchased_electricity_location(wh, factor=Decimal("0.4585"))
    assert wh.sum() == 729_316_670
    assert Decimal(int(mg.sum())) / 10**9 == pytest.approx(Decimal("334.392"), abs=Decimal("0.0005"))


def test_packs_that_there_are_not_are_all_told_with_those_that_there_are():
    named = {"physical": "energy-gbt2589@9", "location": "ghgp-location@1", "market": "ghgp-location@1"}
    park = Park(id="p", name_zh="", name_en="", timezone="UTC", region="广东", packs=named)
    assert [(p.params["book"], p.params["known"]) for p in pack_problems(park)] == [
        ("physical", "energy-gbt2589@1"),
        ("market", "ghgp-market-annual@1, ghgp-market-hourly@1, ghgp-market@1, ghgp-market@2"),
    ]
