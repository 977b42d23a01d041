"""What a month's energy costs and earns [0.01 CNY]."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.accounts.posting import month_lines
from lujin.accounts.subjects import SubjectSum
from lujin.park.model import DayFact, Meter, Price
from lujin.reference import Reference, make_row

# 广东 珠三角六市, 工商业单一制 <1kV, October 2026 (CNY/kWh); peak 10-12 and 14-19, valley 0-8
FLAT, PEAK, VALLEY = Decimal("0.80066875"), Decimal("1.34176875"), Decimal("0.32136875")
KWH = 1000


def october(sketch, **park):
    made = sketch(month=202610, factor_date=None, **park).connection("C1", "A")
    made.park_facts["days"] = {d: DayFact(day=d, temperature_max_c=Decimal(28)) for d in made.grid.days}
    return made


def on_hours(made, hours, wh):
    """``wh`` per quarter hour in the given local hours of every day."""
    return np.where(np.isin(made.grid.quarter // 4, hours), wh, 0)


def cents(kwh, price):
    return round(kwh * price * 100)


# ------------------------------------------------------------------------------------------ tariffs


def test_a_bill_has_one_line_per_tariff_period(sketch):
    made = october(sketch)
    balance = made.flow("GRID", "A", 250, connection="C1").balance()  # 1 kWh in every hour
    hours = {"peak": (7, PEAK), "valley": (8, VALLEY), "flat": (9, FLAT)}
    for period, (count, price) in hours.items():
        kwh = count * 31
        assert balance.net("A/OWN/electricity", commodity="electricity", period=period) == kwh * KWH
        assert balance.net("A/COST/electricity", commodity="CNY", period=period) == cents(kwh, price)
    cost = balance.lines.filter(pl.col("commodity") == "CNY")
    assert set(cost["day"]) == {date(2026, 10, 31)}
    assert set(cost["credit"]) == {"A/DUE/GRID"}
    assert balance.said("error") == [] or all("coal_equivalents" in text for text in balance.said("error"))


def test_the_line_names_the_price_rows(sketch):
    made = october(sketch)
    line = (
        made.flow("GRID", "A", on_hours(made, [11], 250), connection="C1")
        .post()
        .lines.row(by_predicate=pl.col("commodity") == "CNY", named=True)
    )
    assert (line["rule"], line["period"]) == ("energy_cost@1", "peak")
    assert "energy_price" in line["factor"]


def test_a_cost_is_rounded_once_for_the_whole_month(sketch):
    """0.004 kWh a day is less than half a cent, 0.124 kWh a month is more."""
    made = october(sketch)
    quantity = np.where(made.grid.quarter == 44, 4, 0)
    balance = made.flow("GRID", "A", quantity, connection="C1").balance()
    assert balance.net("A/COST/electricity", commodity="CNY") == cents(Decimal("0.124"), PEAK) == 17


def test_a_step_at_a_period_boundary_is_billed_in_its_quarter_hour(sketch):
    made = october(sketch)
    quantity = np.where(made.grid.quarter == 40, 1000, 0) + np.where(made.grid.quarter == 39, 10, 0)
    balance = made.flow("GRID", "A", quantity, connection="C1").balance()
    assert balance.net("A/COST/electricity", commodity="CNY", period="peak") == cents(31, PEAK)
    assert balance.net("A/COST/electricity", commodity="CNY", period="flat") == cents(Decimal("0.31"), FLAT)


def test_estimated_energy_carries_its_share_of_the_cost(sketch):
    made = october(sketch)
    balance = made.flow("GRID", "A", 1000, estimated=250, connection="C1").balance()
    whole = balance.net("A/COST/electricity", commodity="CNY")
    estimated = balance.net("A/COST/electricity", commodity="CNY", quality="estimated")
    assert whole == sum(cents(4 * hours * 31, price) for hours, price in ((7, PEAK), (8, VALLEY), (9, FLAT)))
    assert estimated == pytest.approx(whole / 4, abs=3)


def test_super_peak_hours_follow_the_heat_of_the_day(sketch):
    made = october(sketch)
    hot = made.grid.days[4]
    made.park_facts["days"][hot] = DayFact(day=hot, temperature_max_c=Decimal("35.5"))
    balance = made.flow("GRID", "A", on_hours(made, [11], 250), connection="C1").balance()
    assert balance.net("A/OWN/electricity", commodity="electricity", period="super_peak") == KWH
    assert balance.net("A/OWN/electricity", commodity="electricity", period="peak") == 30 * KWH


def test_an_unknown_temperature_is_said(sketch):
    made = october(sketch, days={}).flow("GRID", "A", 250, connection="C1")
    made.park_facts["days"] = {}
    warnings = made.balance().said("warning")
    assert sum("highest temperature" in text for text in warnings) == 1


def test_prices_that_change_within_the_month_are_billed_by_day(sketch, reference):
    made = october(sketch).flow("GRID", "A", 250, connection="C1")
    rows = []
    for row in reference.rows:
        v = row.values
        october_row = (
            v.get("item") == "energy_price" and v["valid_from"] == "2026-10-01" and "珠三角" in v["applies_to"]
        )
        if october_row:
            rows.append(make_row("tariffs", {**v, "valid_to": "2026-10-10"}))
            dearer = {"valid_from": "2026-10-11", "value": str(row.value + Decimal("0.1"))}
            rows.append(make_row("tariffs", {**v, **dearer}))
        else:
            rows.append(row)
    balance = made.balance(resolve=Reference(rows))
    expected = cents(7 * 10, PEAK) + cents(7 * 21, PEAK + Decimal("0.1"))
    assert balance.net("A/COST/electricity", commodity="CNY", period="peak") == expected
    peak = balance.lines.filter((pl.col("commodity") == "CNY") & (pl.col("period") == "peak"))
    assert peak["factor"].n_unique() == 2


def test_a_month_without_prices_posts_energy_but_no_cost(sketch):
    made = sketch(month=202610, factor_date=None).connection("C1", "A", zone="粤东", voltage="35kV")
    balance = made.flow("GRID", "A", 250, connection="C1").balance()
    assert balance.net("A/OWN/electricity", commodity="electricity") == 31 * 24 * KWH
    assert balance.net("A/COST/electricity", commodity="CNY") == 0
    errors = [
        text for text in balance.said("error") if text.startswith("A: no factor for electricity on 2026-10-01")
    ]
    row = "广东,粤东,工商业单一制,35kV,energy_price,flat,,,,=,?,CNY/kWh,2026-10-01,2026-10-31,?,verified,,"
    assert any(f"lujin run PARK\n  {row}" in text for text in errors)


# ------------------------------------------------------------------------------------------ basic charge


def two_part(sketch, **facts):
    usual = {"zone": "珠三角", "customer_class": "工商业两部制", "voltage": "1-10(20)kV"}
    return sketch(month=202503, factor_date=None).connection("C1", "A", **{**usual, **facts})


def test_maximum_demand_is_billed_on_the_greatest_quarter_hour(sketch):
    made = two_part(sketch, basis="demand")
    quantity = np.full(made.grid.slots, 100 * KWH)
    quantity[1234] = 250 * KWH  # 1000 kW
    posted = made.flow("GRID", "A", quantity, connection="C1").post()
    (charge,) = posted.charges
    assert (charge.max_demand_kw, charge.billed, charge.price) == (1000, 1000, Decimal("36.1"))
    assert charge.at == made.grid.slot_start(1234)
    line = posted.lines.row(by_predicate=pl.col("rule") == "basic_charge@1", named=True)
    assert (line["debit"], line["amount"]) == ("A/COST/demand_charge", 3_610_000)


def test_demand_adds_up_over_the_feeders_of_a_connection(sketch):
    made = two_part(sketch, basis="demand").node("HALL", "main", "A")
    first, second = (np.zeros(made.grid.slots, dtype=np.int64) for _ in range(2))
    first[[10, 20]], second[[10, 30]] = 100 * KWH, 150 * KWH
    made.flow("GRID", "A", first, connection="C1").flow("GRID", "HALL", second, connection="C1")
    assert made.post().charges[0].max_demand_kw == 1000


def test_a_declared_demand_below_the_least_is_raised_to_it(sketch):
    """At least 40 % of the transformer capacity is billed."""
    made = two_part(sketch, basis="demand", contract_kw=Decimal(100), capacity_kva=Decimal(1000))
    posted = made.flow("GRID", "A", 10 * KWH, connection="C1").post()
    assert posted.charges[0].billed == 400
    assert any("least of 400" in p.text() for p in posted.problems)


def test_a_demand_that_no_transformer_carries_is_named(sketch):
    made = two_part(sketch, basis="demand", capacity_kva=Decimal(1000))
    quantity = np.full(made.grid.slots, 100 * KWH)
    quantity[33] = 15_000 * KWH  # 60 MW at a quarter past eight
    posted = made.flow("GRID", "A", quantity, connection="C1").post()
    assert posted.charges[0].max_demand_kw == 60_000
    (said,) = [p.text() for p in posted.problems if "transformer" in p.text()]
    assert "60000 kW at 2025-03-01 08:15" in said
    quantity[33] = 250 * KWH
    usual = two_part(sketch, basis="demand", capacity_kva=Decimal(1000))
    assert not [p for p in usual.flow("GRID", "A", quantity, connection="C1").post().problems if "kVA" in p.text()]


def test_transformer_capacity_is_billed_whatever_was_used(sketch):
    made = two_part(sketch, basis="capacity", capacity_kva=Decimal(1250))
    balance = made.flow("GRID", "A", made.in_month(1), connection="C1").balance()
    assert balance.net("A/COST/capacity_charge", commodity="CNY") == 2_825_000


@pytest.mark.parametrize(
    ("first", "last", "thirtieths"),
    [
        (None, None, 30),
        ((11, 0), None, 21),  # 31 days in March
        ((11, 9), None, 21),  # a part of a day counts whole
        (None, (11, 0), 10),
        (None, (11, 9), 11),
        ((2, 0), None, 30),  # never more than the month's charge
        ((5, 0), (8, 0), 3),
    ],
)
def test_a_connection_of_a_part_of_the_month_pays_a_thirtieth_a_day(sketch, first, last, thirtieths):
    """供电营业规则: each day of use a thirtieth in the month in which use begins or ends."""

    def instant(at):
        return None if at is None else datetime(2025, 3, *at, tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC)

    made = two_part(
        sketch,
        basis="capacity",
        capacity_kva=Decimal(1250),
        valid_from=instant(first),
        valid_to=instant(last),
    )
    balance = made.flow("GRID", "A", made.in_month(1), connection="C1").balance()
    assert balance.net("A/COST/capacity_charge", commodity="CNY") == round(2_825_000 * thirtieths / 30)
    (line,) = balance.lines.filter(pl.col("rule") == "basic_charge@1").iter_rows(named=True)
    assert ("rule_basic_charge_days" in line["factor"]) == (first is not None or last is not None)


def test_a_connection_that_lacks_its_capacity_is_named(sketch):
    balance = two_part(sketch, basis="capacity").flow("GRID", "A", 1, connection="C1").balance()
    assert any("connection C1 has no transformer capacity" in text for text in balance.said("error"))
    assert balance.net("A/COST/capacity_charge", commodity="CNY") == 0


# ------------------------------------------------------------------------------------------ feed-in and prices


def test_exported_power_earns_the_feed_in_price(sketch):
    made = sketch(month=202610, factor_date=None).connection("C1", "A", feed_in="coal_benchmark_feed_in")
    balance = made.flow("A", "GRID", made.in_month(10**9), connection="C1").balance()
    assert balance.net("A/COST/feed_in", commodity="CNY") == -45_300_000
    assert balance.net("A/DUE/GRID", commodity="CNY") == 45_300_000


def priced(made, *prices):
    made.park_facts["prices"] = tuple(
        Price(**{"carrier": "natural_gas", "unit": "CNY/Nm3", **p, "value": Decimal(p["value"])}) for p in prices
    )
    return made


def test_a_carrier_costs_what_the_park_says(sketch):
    made = sketch()
    made.flow("GAS", "A", made.in_month(12_345), "natural_gas")
    balance = priced(made, {"value": "3.45"}).balance()
    assert balance.net("A/COST/natural_gas", commodity="CNY") == 4_259
    assert balance.net("A/DUE/GAS", commodity="CNY") == -4_259


def test_the_price_that_names_the_parties_goes_first(sketch):
    made = sketch()
    made.flow("GAS", "A", made.in_month(1_000), "natural_gas").flow(
        "GAS", "B", made.in_month(1_000), "natural_gas"
    )
    balance = priced(made, {"value": "3"}, {"value": "2", "target": "A"}).balance()
    assert balance.net("A/COST/natural_gas", commodity="CNY") == 200
    assert balance.net("B/COST/natural_gas", commodity="CNY") == 300


def test_a_new_price_holds_from_its_day(sketch):
    made = sketch()
    made.flow("GAS", "A", 1_000, "natural_gas")  # 96 m3 a day
    change = datetime(2024, 7, 10, 16, tzinfo=UTC)  # midnight of July 11 in China
    balance = priced(made, {"value": "3", "valid_to": change}, {"value": "4", "valid_from": change}).balance()
    assert balance.net("A/COST/natural_gas", commodity="CNY") == 96 * (10 * 300 + 21 * 400)


def test_two_prices_that_hold_at_once_are_refused(sketch):
    made = sketch()
    made.flow("GAS", "A", 1_000, "natural_gas")
    balance = priced(made, {"value": "3"}, {"value": "4"}).balance()
    assert balance.net("A/COST/natural_gas", commodity="CNY") == 0
    assert any("GAS>A:natural_gas: several prices hold on" in text for text in balance.said("error"))


def test_a_carrier_without_price_is_named_and_not_free(sketch):
    balance = sketch().flow("GAS", "A", 1_000, "natural_gas").balance()
    assert any(
        text.endswith("with value 0 if it is free") and "A: no price" in text for text in balance.said("warning")
    )
    free = sketch().flow("GAS", "A", 1_000, "natural_gas")
    assert not any("no price" in text for text in priced(free, {"value": "0"}).balance().said("warning"))


def test_a_sale_inside_the_park_is_a_cost_and_an_income(sketch):
    made = sketch().node("CHP", "chp", "OP")
    made.flow("CHP", "A", made.in_month(2_000_000), "steam")
    balance = priced(made, {"carrier": "steam", "value": "60", "unit": "CNY/GJ"}).balance()
    assert balance.net("A/COST/steam", commodity="CNY") == 12_000
    assert balance.net("OP/COST/steam_sold", commodity="CNY") == -12_000
    assert balance.net("OP/DUE/A", commodity="CNY") == 12_000


def test_steam_priced_by_the_ton_takes_the_enthalpy_of_its_meter(sketch):
    made = sketch().node("CHP", "chp", "OP")
    made.flow("CHP", "A", made.in_month(2_700_000), "steam")  # 1 t at 2700 kJ/kg
    made = priced(made, {"carrier": "steam", "value": "200", "unit": "CNY/t"})
    refused = made.balance()
    assert refused.net("A/COST/steam", commodity="CNY") == 0
    assert any("unit t" in text for text in refused.said("error"))
    meter = Meter(id="M1", flow="CHP>A:steam", unit="t", enthalpy_kj_per_kg=Decimal(2700))
    made.park_facts["meters"] = {"M1": meter}
    assert made.balance().net("A/COST/steam", commodity="CNY") == 20_000


def test_power_resold_through_the_parks_own_network_is_billed_between_its_parties(sketch):
    made = october(sketch).node("BUS", "main", "OP")
    balance = made.flow("BUS", "A", on_hours(made, [11], 250), connection="C1").balance()
    assert balance.net("A/COST/electricity", commodity="CNY") == cents(31, PEAK)
    assert balance.net("OP/COST/electricity_sold", commodity="CNY") == -cents(31, PEAK)


# ------------------------------------------------------------------------------------------ properties


@given(st.integers(1, 10**7), st.integers(0, 95), st.integers(1, 99))
@settings(max_examples=20, deadline=None)
def test_period_totals_of_money_follow_period_totals_of_energy(sketch, wh, quarter, share):
    made = october(sketch)
    quantity = np.where(made.grid.quarter == quarter, wh, wh * share // 100)
    balance = made.flow("GRID", "A", quantity, connection="C1").balance()
    prices = {"peak": PEAK, "flat": FLAT, "valley": VALLEY}
    for period, price in prices.items():
        energy = balance.net("A/OWN/electricity", commodity="electricity", period=period)
        cost = balance.net("A/COST/electricity", commodity="CNY", period=period)
        assert cost == cents(Decimal(energy) / 1000, price)


def test_metered_blocks_lead_to_the_same_lines_as_the_sum(sketch, reference):
    """From meters through subjects to lines: two meters on one flow, one of them replaced mid-month."""
    made = october(sketch).flow("GRID", "A", 0, connection="C1")
    park = made.park
    (flow_id,) = park.flows
    change = made.grid.slot_start(10 * 96)
    meters = {
        "M1": Meter(id="M1", flow=flow_id, valid_to=change),
        "M2": Meter(id="M2", flow=flow_id, valid_from=change),
    }
    park = replace(park, meters=meters)
    total = SubjectSum(park, made.grid)
    for name in meters:
        total.add(_Block((name,), np.full((1, made.grid.slots), 250), np.zeros((1, made.grid.slots), np.uint16)))
    straight = made.flow("GRID", "A", 250, connection="C1").post().lines
    assert month_lines(park, total.result(), reference).lines.equals(straight)


class _Block:
    def __init__(self, meters, amount, flags):
        self.meters, self.amount, self.flags = meters, amount, flags
