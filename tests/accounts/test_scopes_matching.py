"""Claims on green power and certificates: month, hour and year; one claim per Wh."""

from datetime import date
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.accounts.posting import month_lines
from lujin.accounts.yearend import YearToDate
from lujin.park.model import Claim, Instrument, Meter
from lujin.reference import Reference, grid_factor, load_reference

RESIDUAL = Decimal("0.5856")  # MEE+NBS 公告2024年第33号, in force on the sketch's factor date
MWH = 10**6
HOURLY, MONTHLY, ANNUAL = "ghgp-market-hourly@1", "ghgp-market@2", "ghgp-market-annual@1"
REFERENCE = Reference(load_reference())


def mg(wh):
    return round(wh * RESIDUAL * 1000)


def claim(enterprise, energy, instrument="I", month=202407):
    return Claim(instrument=instrument, enterprise=enterprise, month=month, energy_mwh=Decimal(energy))


def posted(made, pack, claims, *instruments, year=None, **park):
    given = instruments or (Instrument(id="I", kind="certificate", energy_mwh=Decimal(100), device="PV"),)
    made.park_facts.update(packs={"market": pack}, claims=claims, instruments={i.id: i for i in given}, **park)
    return month_lines(made.park, made.energy, REFERENCE, year=year)


def net(found, account, commodity="CO2f"):
    chosen = found.lines.filter(pl.col("book") == "market", pl.col("commodity") == commodity)
    debit = chosen.filter(pl.col("debit") == account)["amount"].sum()
    return debit - chosen.filter(pl.col("credit") == account)["amount"].sum()


def used(found, enterprise, instrument="I", kind="certificate"):
    return net(found, f"{enterprise}/MEMO/{kind}/{instrument}", "electricity")


def said(found):
    return " ".join(p.text() for p in found.problems)


def at_hours(made, hours):
    """Wh in the first slot of hours of the month."""
    quantity = np.zeros(made.grid.slots, dtype=np.int64)
    for hour, energy in hours.items():
        quantity[4 * hour] = energy
    return quantity


# ---------------------------------------------------------------------------------------------- by the hour


def test_a_claim_covers_only_the_hours_in_which_its_device_ran(sketch):
    """The sun gives 3 MWh at noon and 1 MWh at one; A buys 2 MWh at noon and 8 MWh at night."""
    made = sketch().node("PV", "pv", "OP")
    made.flow("PV", "GRID", at_hours(made, {12: 3 * MWH, 13: MWH}))
    made.flow("GRID", "A", at_hours(made, {12: 2 * MWH, 22: 8 * MWH}))
    hourly = posted(made, HOURLY, [claim("A", 4)])
    assert used(hourly, "A") == 2 * MWH
    assert net(hourly, "A/S2/electricity") == mg(8 * MWH)
    assert "2.0 MWh of I exceed" in said(hourly)
    assert used(posted(made, MONTHLY, [claim("A", 4)]), "A") == 4 * MWH


def test_without_hours_nothing_is_matched_and_the_instrument_is_named(sketch):
    made = sketch().flow("GRID", "A", made_of(sketch))
    found = posted(made, HOURLY, [claim("A", 4)], Instrument(id="I", kind="certificate", energy_mwh=Decimal(9)))
    assert used(found, "A") == 0
    assert net(found, "A/S2/electricity") == mg(10 * MWH)
    assert "I names no device whose hours the park meters" in said(found)


def made_of(sketch):
    return at_hours(sketch(), {3: 10 * MWH})


def test_a_profile_meter_tells_the_hours_of_a_device_outside(sketch):
    made = sketch()
    made.flow("GRID", "A", at_hours(made, {5: 10 * MWH})).flow("GAS", "BUYER", at_hours(made, {5: 7 * MWH}))
    meters = {"WIND": Meter(id="WIND", flow="GAS>BUYER:electricity")}
    wind = Instrument(id="I", kind="green_power", energy_mwh=Decimal(9), device="WIND")
    found = posted(made, HOURLY, [claim("A", 5)], wind, meters=meters)
    assert used(found, "A", kind="green_power") == 5 * MWH


def test_more_claims_than_the_device_generated_match_nothing(sketch):
    made = sketch().node("PV", "pv", "OP")
    made.flow("PV", "GRID", at_hours(made, {12: 3 * MWH}))
    made.flow("GRID", "A", at_hours(made, {12: 9 * MWH})).flow("GRID", "B", at_hours(made, {12: 9 * MWH}))
    found = posted(made, HOURLY, [claim("A", 2), claim("B", 2)])
    assert used(found, "A") == used(found, "B") == 0
    assert "4.0 MWh of PV are claimed, it generated 3.0 MWh in the month" in said(found)


def test_two_claims_never_meet_in_the_same_wh(sketch):
    made = sketch().node("PV", "pv", "OP")
    made.flow("PV", "GRID", at_hours(made, {12: 1, 13: 1}))
    made.flow("GRID", "A", at_hours(made, {12: 5})).flow("GRID", "B", at_hours(made, {12: 5}))
    found = posted(made, HOURLY, [claim("A", "0.000001"), claim("B", "0.000001")])
    assert used(found, "A") + used(found, "B") == 1


def test_power_that_is_sold_on_in_the_hour_is_not_there_to_be_covered(sketch):
    made = sketch().node("PV", "pv", "B")
    made.flow("PV", "GRID", at_hours(made, {12: 9 * MWH}))
    made.flow("GRID", "OP", at_hours(made, {12: 5 * MWH})).flow("OP", "A", at_hours(made, {12: 4 * MWH}))
    found = posted(made, HOURLY, [claim("OP", 5), claim("A", 3)])
    assert used(found, "OP") == MWH
    assert used(found, "A") == 3 * MWH


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_wh_is_used_twice_over_enterprises_hours_and_instruments(sketch, data):
    """Invariant 9: used ≤ claimed ≤ issued; per hour used ≤ what the device gave and ≤ what was bought."""
    made = sketch().node("PV", "pv", "OP")
    hours = st.dictionaries(st.integers(0, 5), st.integers(1, 3 * MWH), min_size=1, max_size=4)
    sun = data.draw(hours)
    made.flow("PV", "GRID", at_hours(made, sun))
    bought = {e: data.draw(hours) for e in ("A", "B")}
    for enterprise, energy in bought.items():
        made.flow("GRID", enterprise, at_hours(made, energy), estimated=at_hours(made, energy) // 3)
    share = st.decimals(0, 3, places=6)
    claims = [claim(e, data.draw(share), name) for e in ("A", "B") for name in ("I", "J")]
    instruments = [
        Instrument(id=name, kind="certificate", energy_mwh=Decimal(4), device="PV") for name in ("I", "J")
    ]
    pack = data.draw(st.sampled_from([HOURLY, MONTHLY, ANNUAL]))
    found = posted(made, pack, claims, *instruments)
    issued = {i.id: sum(c.energy_mwh for c in claims if c.instrument == i.id) <= i.energy_mwh for i in instruments}
    for c in claims:
        amount = used(found, c.enterprise, c.instrument)
        assert 0 <= amount <= (c.energy_mwh * MWH if issued[c.instrument] else 0)
    for enterprise, energy in bought.items():
        covered = used(found, enterprise) + used(found, enterprise, "J")
        assert covered <= sum(energy.values())
        assert abs(net(found, f"{enterprise}/S2/electricity") - mg(sum(energy.values()) - covered)) <= 12
        if pack == HOURLY:
            assert covered <= sum(min(wh, sun.get(hour, 0)) for hour, wh in energy.items())
    if pack == HOURLY:
        assert sum(used(found, e, n) for e in ("A", "B") for n in ("I", "J")) <= sum(
            min(wh, sum(bought[e].get(hour, 0) for e in bought)) for hour, wh in sun.items()
        )


# ---------------------------------------------------------------------------------------------- by the year


def december(sketch):
    return sketch(month=202412, factor_date=date(2025, 6, 1))


def residual_row():
    return REFERENCE.one(grid_factor("market_residual", "广东"), date(2025, 6, 1))


def test_december_uses_what_earlier_months_left_and_then_corrects_them(sketch):
    """Claimed 10 for July, 4 used; December buys 1, July's residual holds 3: 1 + 3 are used, 2 are left."""
    made = december(sketch)
    made.flow("GRID", "A", made.in_month(MWH))
    year = {"A": YearToDate(((residual_row(), mg(3 * MWH)),), {"I": 4 * MWH})}
    found = posted(made, ANNUAL, [claim("A", 10)], year=year)
    assert used(found, "A") == 4 * MWH
    assert net(found, "A/S2/electricity") == -mg(3 * MWH)
    assert "2.0 MWh of I exceed the year's purchases" in said(found)


def test_a_year_never_takes_more_than_the_residual_holds(sketch):
    made = december(sketch)
    made.flow("GRID", "B", 1)
    held = mg(3 * MWH) + 1
    year = {"A": YearToDate(((residual_row(), held),), {})}
    found = posted(made, ANNUAL, [claim("A", 50)], year=year)
    assert -net(found, "A/S2/electricity") == mg(3 * MWH) <= held
    assert used(found, "A") == 3 * MWH


def test_other_months_of_annual_matching_are_those_of_monthly_matching(sketch):
    made = sketch().flow("GRID", "A", made_of(sketch))
    one, two = (posted(made, pack, [claim("A", 4)]) for pack in (ANNUAL, MONTHLY))
    assert one.lines.equals(two.lines)


# ------------------------------------------------------------------------------------- sold certificates


def roof(sketch):
    """B's roof gives 10 MWh, of which 3 leave through the fence."""
    made = sketch().node("PV", "pv", "B")
    made.flow("PV", "B", made.in_month(10 * MWH)).flow("B", "GRID", made.in_month(3 * MWH))
    return made.flow("GRID", "A", made.in_month(50 * MWH))


@pytest.mark.parametrize(("sold", "counted"), [(0, 0), (3, 0), (8, 5), (10, 7), (40, 7)])
def test_self_used_power_whose_certificate_is_sold_counts_at_the_residual_mix(sketch, sold, counted):
    made = roof(sketch)
    found = posted(made, MONTHLY, [claim("A", sold)] if sold else [])
    assert net(found, "B/S2/electricity") == mg(counted * MWH)
    assert net(found, "A/S2/electricity") == mg((50 - sold) * MWH)


def test_an_owner_cannot_count_its_roof_at_zero_and_use_its_certificates_too(sketch):
    made = roof(sketch).flow("GRID", "B", made_of(sketch))
    found = posted(made, MONTHLY, [claim("B", 10)])
    assert net(found, "B/S2/electricity") == mg(7 * MWH)


def test_the_location_book_does_not_ask_for_certificates(sketch):
    made = roof(sketch)
    made.park_facts.update(
        packs={"location": "ghgp-location@2"},
        claims=[claim("A", 10)],
        instruments={"I": Instrument(id="I", kind="certificate", energy_mwh=Decimal(100), device="PV")},
    )
    assert not month_lines(made.park, made.energy, REFERENCE).lines["debit"].str.contains("B/S2").any()


def test_what_neighbours_take_straight_from_a_roof_is_named_if_its_certificates_are_claimed(sketch):
    made = sketch().node("PV", "pv", "B")
    made.flow("PV", "OP", made.in_month(4 * MWH)).flow("GRID", "A", made.in_month(9 * MWH))
    found = posted(made, MONTHLY, [claim("A", 3)])
    assert "3.0 MWh of PV are claimed by certificate and counted at zero by neighbours" in said(found)


def test_a_claim_does_not_cover_what_a_neighbours_plant_made(sketch):
    made = sketch().node("CHP", "chp", "OP")
    made.flow("CHP", "A", made.in_month(5 * MWH)).flow("GRID", "A", made.in_month(2 * MWH))
    made.park_facts.update(packs={"market": MONTHLY})
    found = posted(made, MONTHLY, [claim("A", 6)])
    assert used(found, "A") == 2 * MWH
