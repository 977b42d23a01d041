"""Consolidation and matching periods through the whole program: files in, ledger, statement, replay."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import polars as pl
import pytest
from rich.console import Console

from lujin.language import Language, Speech
from lujin.show import reports
from lujin.show import statement as shown
from lujin.show.words import Words

from .small_park import ZONE, Site, register, text_of

Make = Callable[..., Site]
OCTOBER, NOVEMBER, DECEMBER, JANUARY = (
    datetime(y, m, 1, tzinfo=ZONE) for y, m in ((2025, 10), (2025, 11), (2025, 12), (2026, 1))
)
SIX_HOURS = timedelta(hours=6)
CLAIMS = """
[[instrument]]
id = "I"
kind = "certificate"
energy_mwh = 500

[[claim]]
instrument = "I"
enterprise = "E1"
month = "2025-10"
energy_mwh = 150
"""


def annual(site: Make) -> Site:
    text = text_of(1).replace("ghgp-market@1", "ghgp-market-annual@1").replace('@1"\nmarket', '@2"\nmarket')
    park = site("annual", text + CLAIMS)
    park.now = datetime(2026, 2, 1, tzinfo=UTC)
    return park


def mwh(kwh: float) -> Decimal:
    return Decimal(kwh) / 1000


def used(park: Site, *months: int) -> Decimal:
    found = park.net(months).filter(
        pl.col("book") == "market",
        pl.col("debit").str.starts_with("E1/MEMO/"),
        pl.col("commodity") == "electricity",
    )
    return Decimal(int(found["amount"].sum())) / 10**6


def test_december_settles_the_year_and_settles_it_again_after_a_late_month(site: Make) -> None:
    """October takes 74.4 of its 150 MWh; December takes the rest for itself, and what is left for November."""
    park = annual(site)
    park.take(register("M1", OCTOBER, NOVEMBER, step=SIX_HOURS))
    park.run()
    assert used(park, 202510) == mwh(74_400)
    december = [r for r in register("M1", OCTOBER, JANUARY, step=SIX_HOURS) if r.time >= DECEMBER]
    park.take(december)
    park.run()
    # the gap is November: its energy is known from the registers on either side of it
    assert used(park, 202512) == mwh(150_000 - 74_400)
    late = [r for r in register("M1", OCTOBER, JANUARY, step=SIX_HOURS) if NOVEMBER < r.time < DECEMBER]
    park.take(late)
    assert {m.month for m in park.run().months} >= {202511, 202512}
    assert used(park, 202510, 202511, 202512) == 150
    park.verified()


def test_a_closed_december_waits_where_an_earlier_month_of_its_year_changed(site: Make) -> None:
    park = annual(site)
    readings = register("M1", OCTOBER, JANUARY, step=SIX_HOURS)
    late = [r for r in readings if r.time < OCTOBER + timedelta(days=5)]
    park.take([r for r in readings if r not in late])
    park.run()
    park.later(minutes=1).open().close([202512], "October is known in part")
    park.take(late)
    (held,) = park.run().held
    assert (held.month, dict(held.reasons)) == (202512, {"E1": "carried"})
    assert park.run().held == (held,), "it is not forgotten"
    report = park.later(minutes=1).open().restate([202512], "October came late")
    assert [event.month for event in report.restated] == [202512] and not park.run().held
    assert used(park, 202510, 202511, 202512) == 150
    park.verified()


def test_the_park_as_one_enterprise_is_shown_with_what_it_eliminates(site: Make) -> None:
    text = text_of(2).replace("ghgp-location@1", "ghgp-location@2")
    text = text.replace('source = "GRID"\ntarget = "E2"\nconnection = "C2"', 'source = "PVBUS"\ntarget = "E2"')
    text += '\n[[node]]\nid = "PVBUS"\nkind = "main"\nowner = "E1"\n'
    park = site("roof", text)
    for name in ("M1", "M2"):
        park.take(register(name))
    park.run()
    totals = park.open().totals()
    location, market = totals.consolidated["location"], totals.consolidated["market"]
    assert location.by_addition and not market.by_addition
    assert location.scope2 == location.scope2_gross - location.eliminated
    assert location.as_dict()["scope2"]["unit"] == "tCO2e"
    console = Console(record=True, width=160, file=StringIO())
    reports.totals(console, totals, Words(Speech("en"), park.open().park))
    text = console.export_text()
    assert "The park as one enterprise" in text
    assert "no eliminations in: market-based, regulatory" in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_scope_3_has_its_own_table_and_its_iso_categories(site: Make, language: Language) -> None:
    park = site("value", text_of(1).replace("ghgp-location@1", "ghgp-location@2"))
    park.reference(
        "scope3_factors",
        "category,carrier,name_zh,name_en,stage,gas,gwp,value,unit,valid_from,valid_to,source,confidence\n"
        "3,electricity,线损,losses,loss,CO2f,,0.03,kg/kWh,2025-01-01,,test,verified\n"
        "3,electricity,上游,upstream,upstream,CO2e,AR5,0.05,kg/kWh,2025-01-01,,test,verified\n",
    )
    park.take(register("M1"))
    park.run()
    found = park.open().statement("E1", 202507)
    (line,) = found.scope3
    assert line.account == "S3.3/electricity"
    assert line.gases["CO2f"].value == Decimal("0.72")  # 24 MWh × 0.03
    assert line.gases["CO2e:AR5"].value == Decimal("1.2")
    assert line.co2e is not None and line.co2e.value == Decimal("0.72")
    assert [c.category for c in found.iso14064] == [1, 2, 3, 4, 5, 6]
    assert found.as_dict()["iso14064"][3]["gases"]["CO2e:AR5"]["unit"] == "tCO2e"
    assert found.books[0].co2e is not None and found.carbon[0].co2e == found.books[0].co2e, "never netted"
    console = Console(record=True, width=160, file=StringIO())
    physical = park.open().statement("E1", 202507, "physical")
    shown.statement(console, found, physical, Words(Speech(language), park.open().park), "p")
    text = console.export_text()
    assert "S3.3/electricity" in text
    assert "1.200 (AR5)" in text
    park.open().explain(line.reference)
    park.verified()
