"""Where passed-on carbon comes from: through loops and allocations, every milligram has its source."""

import json

import polars as pl
import pytest
from hypothesis import given, settings
from tests.accounts.random_parks import PACKS, build, parks

from lujin.accounts.explain_embodied import carbon_of, explain_embodied, traced
from lujin.accounts.explanation import Explanation
from lujin.accounts.provenance import as_prov


def own_lines(lines):
    """As explain reads them: accounts without the enterprise."""
    cut = pl.col("enterprise").str.len_chars() + 1
    book = lines.filter(pl.col("book") == "embodied")
    return book.with_columns(pl.col(name).str.slice(cut) for name in ("debit", "credit"))


def test_steam_of_a_neighbour_leads_back_to_his_fuel(sketch):
    made = sketch(packs=PACKS).node("K", "boiler", "OP").node("M", "main", "OP")
    made.flow("GAS", "K", made.in_month(10**7), "natural_gas").flow("K", "M", made.in_month(1000), "steam")
    made.flow("M", "A", made.in_month(600), "steam").flow("GRID", "A", made.in_month(10**6))
    posted = made.post()
    lines = own_lines(posted.lines)
    used = lines.filter(pl.col("debit") == "OWN/A", pl.col("commodity") == "CO2f")["amount"].sum()
    (tree,) = [e for e in explain_embodied(lines, "A", ["OWN/A"], {}) if e.params["commodity"] == "CO2f"]
    origins = {n.params["origin"]: n.params for n in tree.walk() if n.kind == "origin"}
    assert set(origins) == {"ATM/natural_gas", "EXT/GRID"}
    assert origins["ATM/natural_gas"]["subject"] == "GAS>K:natural_gas"
    assert origins["ATM/natural_gas"]["enterprise"] == "OP"
    assert sum(p["amount"].base for p in origins.values()) == pytest.approx(used, abs=1)
    pools = [n.params["pool"] for n in tree.walk() if n.kind == "pool"]
    assert {"K", "K/steam", "M/steam", "A"} <= set(pools)


@settings(max_examples=40, deadline=None)
@given(plan=parks())
def test_sources_and_openings_make_up_every_use_in_any_park(sketch, plan):
    made = build(sketch, plan)
    lines = own_lines(made.post().lines)
    for gas in ("CO2f", "N2O"):
        carbon = carbon_of(lines, gas)
        for a, amount, _enterprise, account in carbon.exits:
            if not account.startswith("OWN/"):
                continue
            way = traced(carbon, {a: amount})
            came = sum(mg * way.part[b] for b, mg, *_ in carbon.sources) + float(way.carried @ way.part)
            assert came == pytest.approx(amount, rel=1e-6, abs=2 * len(carbon.moves) + 2)
            assert ((way.part > -1e-9) & (way.part < 1 + 1e-6)).all()


def test_provenance_is_prov_json_that_the_reference_library_reads():
    from prov.model import ProvActivity, ProvDocument, ProvEntity

    reading = Explanation("reading", "reading {value}", {"value": 5})
    factor = Explanation("factor", "factor {factor}", {"factor": "f1"})
    rule = Explanation("rule", "rule {rule}", {"rule": "r@1"}, (factor,))
    tree = Explanation("account", "{account}", {"account": "S2"}, (rule, reading, reading))
    document = ProvDocument.deserialize(content=json.dumps(as_prov(tree)), format="json")
    kinds = [type(record) for record in document.get_records()]
    assert kinds.count(ProvEntity) == 3  # account, factor, and the one reading that is named twice
    assert kinds.count(ProvActivity) == 1
    assert len(as_prov(tree)["wasDerivedFrom"]) == 2
    assert set(as_prov(tree)) >= {"wasGeneratedBy", "used"}
