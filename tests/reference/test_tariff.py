"""Clocks, period prices, basic charge and feed-in, against published tables."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lujin.errors import FactorError, InputError
from lujin.park.model import Connection
from lujin.reference import SCHEMAS, Reference, Row, Selector, load_reference, make_row, unverified
from lujin.reference.files import parse_table
from lujin.reference.grammar import months_of
from lujin.reference.tariff import (
    PERIODS,
    Span,
    basic_charge,
    check_connection,
    clock,
    day_clock,
    energy_prices,
    feed_in_price,
    month_clock,
    partition,
    price_row,
    zone_adder,
)

REFERENCE = Reference(load_reference())
NORTH = Connection(
    id="N", enterprise="E1", region="广东", zone="粤北山区", customer_class="工商业单一制", voltage="<1kV"
)
PEARL = replace(NORTH, id="P", zone="珠三角六市")
WINGS = replace(NORTH, id="W", zone="东西两翼(肇庆)")
PEARL_10KV = replace(PEARL, zone="珠三角", customer_class="工商业两部制", voltage="1-10(20)kV")
SHANDONG = Connection(
    id="S",
    enterprise="E2",
    region="山东",
    zone="全省",
    customer_class="工商业两部制",
    voltage="110kV",
    basis="demand",
)


def text(codes: np.ndarray) -> str:
    """One digit per hour; quarters of an hour must agree."""
    hours = codes.reshape(24, 4)
    assert (hours == hours[:, :1]).all()
    return "".join(str(code) for code in hours[:, 0])


def tariff_row(**values: str) -> Row:
    columns = REFERENCE.table("tariffs")[0].values
    given = {"source": "contract", "confidence": "verified", "operator": "="} | values
    return make_row("tariffs", dict.fromkeys(columns, "") | given, "reference/tariffs.csv", 2)


# ---- clock -----------------------------------------------------------------------------------------------


def test_guangdong_clock_on_a_normal_day_and_in_the_super_peak_months() -> None:
    """粤发改价格〔2021〕331号: peak 10-12, 14-19; valley 0-8; super peak 11-12, 15-17 from July to September."""
    assert text(clock(REFERENCE, NORTH, date(2026, 1, 15), Decimal(20))) == "111111112233223333322222"
    assert text(clock(REFERENCE, NORTH, date(2026, 7, 15), None)) == "111111112234223443322222"


def test_guangdong_hot_day_outside_the_fixed_months_has_super_peak_hours() -> None:
    warm = day_clock(REFERENCE, NORTH, date(2026, 5, 20), Decimal("34.9"))
    hot = day_clock(REFERENCE, NORTH, date(2026, 5, 20), Decimal("35"))
    assert (warm.hot, text(warm.codes)) == (False, "111111112233223333322222")
    assert (hot.hot, text(hot.codes)) == (True, "111111112234223443322222")
    assert any(row.values["item"] == "rule_temperature_trigger" for row in hot.rows)


def test_unknown_temperature_triggers_nothing_and_is_told() -> None:
    unknown = day_clock(REFERENCE, NORTH, date(2026, 5, 20), None)
    assert text(unknown.codes) == "111111112233223333322222" and not unknown.hot
    assert [(p.severity, p.file, p.field) for p in unknown.problems] == [
        ("warning", "days.csv", "temperature_max_c")
    ]
    assert "2026-05-20" in unknown.problems[0].text() and "35" in unknown.problems[0].text()
    assert day_clock(REFERENCE, NORTH, date(2026, 8, 20), None).problems == ()
    assert day_clock(REFERENCE, SHANDONG, date(2026, 5, 20), None).problems == ()


def test_a_month_gives_one_warning_for_all_days_of_unknown_temperature() -> None:
    days = {date(2026, 5, 1) + timedelta(d): Decimal(36) if d == 3 else None for d in range(31)}
    codes, problems = month_clock(REFERENCE, NORTH, days)
    assert codes.shape == (31, 96) and text(codes[3]) == "111111112234223443322222"
    assert len(problems) == 1 and "2026-05-31" in problems[0].text() and "2026-05-04" not in problems[0].text()


@pytest.mark.parametrize(
    ("months", "hours"),
    [
        ((1, 2, 12), "221111233210001244433222"),
        ((3, 4, 5), "222222222210001224443322"),
        ((6,), "222222211111222234444432"),
        ((7, 8), "211111222222222234444432"),
        ((9, 10, 11), "222222222210001234433222"),
    ],
)
def test_shandong_clock_follows_the_month(months: tuple[int, ...], hours: str) -> None:
    """国网山东 2026 工商业分时公告: the inner period overrides the outer one, the rest is flat."""
    for month in months:
        assert text(clock(REFERENCE, SHANDONG, date(2026, month, 10), None)) == hours


def spans_of(connection: Connection, month: int) -> Iterator[Span]:
    for row in day_clock(REFERENCE, connection, date(2026, month, 1), Decimal(0)).rows:
        start, end = (int(row.values[c][:2]) * 4 for c in ("start", "end"))
        yield Span(row.values["period"], start, end)


@pytest.mark.parametrize("month", range(1, 13))
@pytest.mark.parametrize("connection", [NORTH, SHANDONG], ids=["广东", "山东"])
def test_every_quarter_hour_of_every_month_has_exactly_one_period(connection: Connection, month: int) -> None:
    found = partition(spans_of(connection, month), rest="" if connection.region == "广东" else "flat")
    assert found.holes == () and found.conflicts == ()
    for temperature in (None, Decimal(20), Decimal(40)):
        codes = clock(REFERENCE, connection, date(2026, month, 1), temperature)
        assert codes.shape == (96,) and codes.dtype == np.int8
        assert ((codes >= 0) & (codes < len(PERIODS))).all()


def test_a_clock_cannot_be_changed_by_its_user() -> None:
    with pytest.raises(ValueError, match="read-only"):
        clock(REFERENCE, NORTH, date(2026, 7, 15), None)[0] = 0


def test_no_clock_for_a_region_lists_the_nearest() -> None:
    with pytest.raises(FactorError, match="period_clock"):
        clock(REFERENCE, replace(NORTH, region="江苏"), date(2026, 7, 15), None)
    with pytest.raises(FactorError, match="2021-10-01"):
        clock(REFERENCE, NORTH, date(2021, 9, 30), None)


def test_a_park_clock_that_contradicts_the_notice_is_an_error() -> None:
    own = tariff_row(
        region="广东", applies_to="粤北山区", customer_class="工商业单一制", voltage="<1kV", item="period_clock",
        period="peak", start="20:00", end="22:00",
    )  # fmt: skip
    with pytest.raises(FactorError, match="applies_to"):
        clock(Reference((*REFERENCE.rows, own)), NORTH, date(2026, 7, 15), None)


def test_a_clock_with_a_hole_or_a_crossing_is_an_error_that_names_them() -> None:
    where = {
        "region": "江苏",
        "applies_to": "全省",
        "item": "period_clock",
        "voltage": "all",
        "customer_class": "all",
    }
    there = replace(NORTH, region="江苏", zone="全省")
    night = tariff_row(**where, period="valley", start="22:00", end="06:00")
    flat = tariff_row(**where, period="flat", start="06:00", end="20:00")
    peak = tariff_row(**where, period="peak", start="05:00", end="07:00")
    with pytest.raises(FactorError, match="holes 20:00-22:00"):
        clock(Reference([night, flat]), there, date(2026, 7, 15), None)
    with pytest.raises(FactorError, match=r"peak 05:00-07:00 / valley 22:00-06:00"):
        clock(Reference([night, peak]), there, date(2026, 7, 15), None)
    assert text(clock(Reference([night]), there, date(2026, 7, 15), None)) == "1" * 6 + "2" * 16 + "11"


_QUARTER = st.integers(0, 95)


@given(st.lists(st.builds(Span, st.sampled_from(PERIODS), _QUARTER, _QUARTER), max_size=6), st.randoms())
def test_a_partition_covers_the_day_and_does_not_depend_on_the_order_of_spans(
    spans: list[Span], random: object
) -> None:
    found = partition(spans)
    covered = np.zeros(96, dtype=bool)
    for span in spans:
        covered |= span.mask
    assert sum(int(hole.mask.sum()) for hole in found.holes) == int((~covered).sum())
    assert ((found.codes >= 0) == covered).all()
    shuffled = list(spans)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = partition(shuffled)
    assert (again.codes == found.codes).all()
    assert (len(again.conflicts), len(again.nested)) == (len(found.conflicts), len(found.nested))


# ---- energy prices ---------------------------------------------------------------------------------------


def published(connection: Connection, on: date) -> dict[str, Decimal]:
    return {period: price.value for period, price in energy_prices(REFERENCE, connection, on).items()}


def only_flat(connection: Connection, on: date) -> Reference:
    """The rows without the printed prices of all periods but flat."""
    printed = {row for price in energy_prices(REFERENCE, connection, on).values() for row in price.rows}
    return Reference(row for row in REFERENCE.rows if row not in printed or row.values["period"] in ("flat", ""))


@pytest.mark.parametrize(
    ("connection", "on", "table"),
    [
        (NORTH, date(2026, 7, 15), ("0.26826875", "0.66096875", "1.10426875", "1.37346875")),
        (PEARL, date(2026, 10, 15), ("0.32136875", "0.80066875", "1.34176875", "1.67036875")),
    ],
    ids=["north 2026-07", "Pearl River 2026-10"],
)
def test_guangdong_tables_are_taken_as_printed_and_follow_from_ratio_and_funds(
    connection: Connection, on: date, table: tuple[str, ...]
) -> None:
    """Ratio × price without funds, rounded to 0.0001 CNY, + funds 0.02766875 (粤发改价格〔2021〕331号)."""
    names = ("valley", "flat", "peak", "super_peak")
    assert published(connection, on) == dict(zip(names, map(Decimal, table), strict=True))
    computed = energy_prices(only_flat(connection, on), connection, on)
    assert tuple(computed) == names
    for name in names:
        assert computed[name].method == "ratio"
        assert abs(computed[name].value - published(connection, on)[name]) <= Decimal("0.0001")


def test_a_derived_flat_price_makes_every_period_unverified() -> None:
    """Zhaoqing 2026-10: flat 0.7190 is arithmetic on two rows and stands; the others come from the ratios."""
    prices = energy_prices(REFERENCE, WINGS, date(2026, 10, 15))
    assert {p: price.value for p, price in prices.items()} == {
        "valley": Decimal("0.29036875"),
        "flat": Decimal("0.719"),
        "peak": Decimal("1.20296875"),
        "super_peak": Decimal("1.49676875"),
    }
    for price in prices.values():
        assert [row.values["applies_to"] for row in unverified(price.rows)] == ["东西两翼(肇庆)"]
        assert {part.item: part.role for part in price.components} == {
            "energy_price": "floating",
            "government_funds": "fixed",
        }


def test_the_2021_tables_are_printed_without_funds_which_are_added() -> None:
    old = replace(NORTH, zone="广州珠海佛山中山东莞", customer_class="一般工商业(原普通工业专变)")
    prices = energy_prices(REFERENCE, old, date(2021, 11, 1))
    assert prices["peak"].value == Decimal("1.1433") + Decimal("0.02766875")
    assert [part.item for part in prices["peak"].components] == ["energy_price", "government_funds"]


def shandong_months() -> list[int]:
    rows = [
        r
        for r in REFERENCE.table("tariffs")
        if r.values["region"] == "山东" and r.values["item"] == "energy_price"
    ]
    return sorted({month for row in rows for month in months_of(row.values["months"])})


@pytest.mark.parametrize("month", shandong_months())
def test_shandong_months_are_ratio_times_a_floating_base_plus_a_constant(month: int) -> None:
    """鲁发改价格〔2023〕914号: ratios 2.0/1.7/1.0/0.3/0.1 on the floating base only."""
    prices = energy_prices(REFERENCE, SHANDONG, date(2026, month, 10))
    assert tuple(prices) == PERIODS
    ratios = {
        row.values["period"]: float(row.value)
        for row in REFERENCE.all(
            Selector.of("tariffs", region="山东", item="ratio_to_flat"), date(2026, month, 10)
        )
    }
    terms = np.array([[ratios[period], 1.0] for period in PERIODS])
    printed = np.array([float(prices[period].value) for period in PERIODS])
    (base, constant), *_ = np.linalg.lstsq(terms, printed, rcond=None)
    assert np.abs(terms @ (base, constant) - printed).max() <= 0.0002
    # far from "ratio on the whole price", which is Guangdong's rule
    assert abs(1.7 * (printed[2] - 0.02716875) + 0.02716875 - printed[3]) > 0.03
    assert constant > 0.08


def test_shandong_prices_follow_from_floating_and_fixed_components() -> None:
    on = date(2026, 1, 10)
    where = {
        "region": "山东",
        "applies_to": "全省",
        "customer_class": "两部制",
        "voltage": "110kV",
        "unit": "CNY/kWh",
    }
    parts = {
        "agency_price": "0.4184",
        "capacity_compensation": "0.0705",
        "line_loss": "0.0200",
        "pumped_storage_fee": "0.0100",
        "coal_capacity_fee": "0.0195",
        "deviation_adjustment": "-0.03585",
    }
    own = [tariff_row(**where, item=item, value=value) for item, value in parts.items()]
    kept = [
        r for r in REFERENCE.rows if not (r.values.get("item") == "energy_price" and r.values["region"] == "山东")
    ]
    prices = energy_prices(Reference((*kept, *own)), SHANDONG, on)
    assert tuple(prices) == PERIODS
    for period, price in prices.items():
        assert price.method == "components"
        assert abs(price.value - energy_prices(REFERENCE, SHANDONG, on)[period].value) <= Decimal("0.0002")
    roles = {part.item: part.role for part in prices["peak"].components}
    assert roles["td_energy_price"] == roles["government_funds"] == "fixed" and roles["line_loss"] == "floating"


def test_a_missing_component_is_an_error_not_zero() -> None:
    kept = only_flat(SHANDONG, date(2026, 1, 10))
    with pytest.raises(FactorError, match="deviation_adjustment"):
        energy_prices(kept, SHANDONG, date(2026, 1, 10))


def test_zone_adder_enters_where_a_price_is_built_from_components() -> None:
    on = date(2026, 9, 1)
    large = replace(WINGS, customer_class="工商业两部制", voltage=">=220kV", basis="demand")
    where = {"region": "广东", "applies_to": "全省", "customer_class": "all", "voltage": "all", "unit": "CNY/kWh"}
    parts = {"agency_price": "0.45", "line_loss": "0.02", "system_operation_fee": "0.03"}
    reference = Reference((*REFERENCE.rows, *(tariff_row(**where, item=i, value=v) for i, v in parts.items())))
    assert zone_adder(reference, large, on).value == Decimal("-0.058")
    flat = Decimal("0.45") + Decimal("0.02") + Decimal("0.03") + Decimal("0.0449") - Decimal("0.058")
    prices = energy_prices(reference, large, on)
    assert prices["flat"].value == flat + Decimal("0.02766875")
    assert prices["peak"].value == round(flat * Decimal("1.7"), 4) + Decimal("0.02766875")
    in_the_delta = energy_prices(reference, replace(large, zone="珠三角"), on)
    assert in_the_delta["flat"].value - prices["flat"].value == Decimal("0.0817")


def test_an_incomplete_table_says_which_period_is_missing() -> None:
    on = date(2026, 7, 15)
    rows = [
        r for r in REFERENCE.rows if r.values.get("period") != "super_peak" or r.values["item"] != "energy_price"
    ]
    with pytest.raises(FactorError, match="not super_peak"):
        energy_prices(Reference(rows), NORTH, on)


def test_no_price_in_the_month_lists_the_nearest_rows() -> None:
    with pytest.raises(FactorError) as caught:
        energy_prices(REFERENCE, NORTH, date(2026, 8, 1))
    assert "2026-08-01 ∉ 2026-07-01..2026-07-31" in str(caught.value)


# ---- basic charge and feed-in ----------------------------------------------------------------------------


def test_single_part_has_no_basic_charge() -> None:
    assert basic_charge(REFERENCE, NORTH, date(2026, 7, 1)) is None


def test_capacity_charge_is_price_times_transformer_capacity() -> None:
    charge = basic_charge(
        REFERENCE, replace(PEARL_10KV, basis="capacity", capacity_kva=Decimal(1000)), date(2025, 3, 1)
    )
    assert charge is not None
    assert (charge.price, charge.unit) == (Decimal("22.6"), "CNY/kVA.month")
    assert charge.amount(None) == Decimal("22600.0")
    with pytest.raises(InputError, match="capacity_kva"):
        basic_charge(REFERENCE, replace(PEARL_10KV, basis="capacity"), date(2025, 3, 1))


def test_demand_charge_without_a_contract_bills_the_measured_maximum() -> None:
    charge = basic_charge(REFERENCE, replace(PEARL_10KV, basis="demand"), date(2025, 3, 1))
    assert charge is not None
    assert charge.amount(Decimal(500)) == Decimal("36.1") * 500
    assert charge.amount(None) is None  # missing is not zero


@pytest.mark.parametrize(
    ("measured", "billed"), [("100", "500"), ("500", "500"), ("525", "500"), ("600", "675"), ("526", "527")]
)
def test_contract_demand_is_billed_up_to_105_percent_and_the_excess_twice(measured: str, billed: str) -> None:
    """国家电网财〔2016〕633号: up to 105 % the contract, the part above once more: 600 + (600 − 525) = 675."""
    charge = basic_charge(
        REFERENCE, replace(PEARL_10KV, basis="demand", contract_kw=Decimal(500)), date(2025, 3, 1)
    )
    assert charge is not None and charge.billed(Decimal(measured)) == Decimal(billed)


def test_declared_demand_is_at_least_40_percent_of_the_transformer() -> None:
    connection = replace(PEARL_10KV, basis="demand", contract_kw=Decimal(300), capacity_kva=Decimal(1000))
    charge = basic_charge(REFERENCE, connection, date(2025, 3, 1))
    assert charge is not None and charge.floor_kw == 400 and charge.billed(Decimal(100)) == 400
    assert [p.field for p in charge.problems] == ["contract_kw"] and charge.problems[0].severity == "warning"


def test_high_load_factor_discount_is_given_only_when_asked_for_and_is_unverified() -> None:
    connection = replace(PEARL_10KV, basis="demand", capacity_kva=Decimal(1000))
    plain = basic_charge(REFERENCE, connection, date(2025, 3, 1))
    asked = basic_charge(REFERENCE, connection, date(2025, 3, 1), load_factor_discount=True)
    assert plain is not None and asked is not None
    full = Decimal("36.1") * 600
    assert plain.amount(Decimal(600), Decimal(300_000)) == full and unverified(plain.rows) == ()
    assert asked.amount(Decimal(600), Decimal(259_999)) == full
    assert asked.amount(Decimal(600), Decimal(260_000)) == full * Decimal("0.9")
    assert asked.amount(Decimal(600)) is None
    assert len(unverified(asked.rows)) == 2


def test_a_large_single_part_connection_is_a_warning() -> None:
    on = date(2026, 7, 1)
    assert check_connection(REFERENCE, replace(NORTH, capacity_kva=Decimal(314)), on) == []
    (problem,) = check_connection(REFERENCE, replace(NORTH, capacity_kva=Decimal(315)), on)
    assert (problem.severity, problem.field) == ("warning", "basis")


def test_all_that_keeps_a_connection_from_being_billed_is_told_at_once() -> None:
    nowhere = replace(NORTH, region="江苏", basis="demand", feed_in="coal_benchmark_feed_in")
    texts = [p.text() for p in check_connection(REFERENCE, nowhere, date(2026, 7, 1))]
    for item in ("period_clock", "energy_price", "demand_charge", "coal_benchmark_feed_in"):
        assert any(f"item={item}" in text for text in texts)


def test_feed_in_names_its_item_and_where_needed_its_group() -> None:
    on = date(2026, 7, 1)
    assert feed_in_price(REFERENCE, NORTH, on) is None
    price = feed_in_price(REFERENCE, replace(NORTH, feed_in="coal_benchmark_feed_in"), on)
    assert price is not None and price.value == Decimal("0.453") and len(unverified(price.rows)) == 1
    with pytest.raises(FactorError, match="增量风电"):
        feed_in_price(REFERENCE, replace(SHANDONG, feed_in="mechanism_price"), on)
    pv = feed_in_price(REFERENCE, replace(SHANDONG, feed_in="mechanism_price:增量光伏"), on)
    assert pv is not None and pv.value == Decimal("0.225") and unverified(pv.rows) == ()


def test_prices_and_clocks_of_a_month_are_the_same_whoever_asks_first() -> None:
    days = [date(2026, 7, d + 1) for d in range(calendar.monthrange(2026, 7)[1])]
    fresh = Reference(load_reference())
    for on in reversed(days):
        assert energy_prices(fresh, NORTH, on) == energy_prices(REFERENCE, NORTH, on)
        assert (clock(fresh, NORTH, on, None) == clock(REFERENCE, NORTH, on, None)).all()


# ---- rows to add -------------------------------------------------------------------------------------------


def test_the_row_offered_for_a_missing_price_answers_once_it_is_filled_in() -> None:
    on = date(2026, 8, 1)
    filled = price_row(NORTH, "energy_price", on).replace("?", "0.72766875", 1).replace("?", "notice", 1)
    header = ",".join(SCHEMAS["tariffs"].columns)
    rows, problems = parse_table("tariffs", f"{header}\n{filled}\n", "reference/tariffs.csv")
    assert problems == []
    assert energy_prices(Reference((*REFERENCE.rows, *rows)), NORTH, on)["flat"].value == Decimal("0.72766875")
