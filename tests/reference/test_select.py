"""One row or an error that lists the candidates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lujin.errors import FactorError
from lujin.reference import (
    Reference,
    Row,
    Selector,
    coal_equivalent,
    fuel,
    fuel_parameter,
    grid_factor,
    gwp,
    heat_factor,
    load_reference,
    make_row,
    own_selector,
    process_factor,
)

REFERENCE = Reference(load_reference())


KGCE = Decimal("29307.6")  # [kJ/kgce]


def half_digit(text: str) -> Decimal:
    """Half a unit of the last digit that is printed."""
    exponent = Decimal(text).as_tuple().exponent
    assert isinstance(exponent, int)
    return Decimal(5).scaleb(exponent - 1)


def value(selector: Selector, *on: int) -> Decimal:
    return REFERENCE.one(selector, date(*on)).value


def test_every_shipped_row_is_reached_by_its_own_selector_on_a_day_on_which_it_holds() -> None:
    for row in REFERENCE.rows:
        for on in (row.valid_from, row.valid_to, date(2025, 1, 1)):
            if on is not None and row.holds_on(on):
                assert REFERENCE.one(own_selector(row), on) is row


def grid_questions() -> Iterator[Selector]:
    regions = {row.values["region_zh"] for row in REFERENCE.table("grid_factors")}
    for purpose in ("location", "historic", "footprint", "offset_project_om", "offset_project_bm", "pilot_market"):
        yield from {grid_factor(purpose, region) for region in regions}
    yield from {grid_factor(purpose) for purpose in ("regulatory", "market_residual", "fossil")}


def test_every_grid_row_answers_exactly_the_purposes_that_it_was_published_for() -> None:
    reached: dict[str, int] = {}
    for selector in grid_questions():
        for row in REFERENCE.matching(selector):
            on = row.valid_from or date(2025, 1, 1)
            assert REFERENCE.one(selector, on) is row
            reached[row.id] = reached.get(row.id, 0) + 1
    assert set(reached) == {row.id for row in REFERENCE.table("grid_factors")}
    twice = {row_id for row_id, count in reached.items() if count > 1}
    # only the national averages serve two purposes: location and the national reporting scheme
    assert {row_id.split(":")[1].split("@")[0] for row_id in twice} == {
        "grid_avg_national_2021",
        "grid_avg_national_2022",
        "grid_avg_national_2023",
    }


@pytest.mark.parametrize(
    ("on", "expected"),
    [((2024, 6, 1), "0.4715"), ((2025, 6, 30), "0.4403"), ((2025, 12, 30), "0.4403"), ((2025, 12, 31), "0.4419")],
)
def test_location_factor_of_guangdong_changes_on_the_day_of_the_notice(
    on: tuple[int, int, int], expected: str
) -> None:
    assert value(grid_factor("location", "广东"), *on) == Decimal(expected)


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ((2021, 6, 1), "0.6101"),
        ((2022, 6, 1), "0.581"),
        ((2023, 6, 1), "0.5703"),
        ((2024, 6, 1), "0.5568"),
        ((2025, 6, 1), "0.5366"),
        ((2026, 6, 1), "0.5306"),
    ],
)
def test_reporting_uses_the_national_average_wherever_the_power_is_used(
    on: tuple[int, int, int], expected: str
) -> None:
    assert value(grid_factor("regulatory", "广东"), *on) == Decimal(expected)


def test_residual_fossil_and_footprint_factors_stay_apart_from_the_average() -> None:
    on = (2026, 1, 15)
    assert value(grid_factor("location", "全国"), *on) == Decimal("0.5306")
    assert value(grid_factor("market_residual", "广东"), *on) == Decimal("0.6096")
    assert value(grid_factor("fossil"), *on) == Decimal("0.8273")
    assert value(grid_factor("footprint", "全国"), *on) == Decimal("0.5777")
    assert REFERENCE.one(grid_factor("footprint", "光伏发电"), date(*on)).unit == "kgCO2e/kWh"


def test_a_footprint_factor_of_a_province_does_not_exist_and_none_is_put_in_its_place() -> None:
    with pytest.raises(FactorError, match="全国电力平均"):
        value(grid_factor("footprint", "广东"), 2026, 1, 15)


def test_operating_margin_and_2018_values_are_reached_only_by_their_own_purpose() -> None:
    assert value(grid_factor("location", "南方"), 2025, 6, 30) == Decimal("0.3869")
    assert value(grid_factor("offset_project_om", "南方"), 2025, 6, 30) == Decimal("0.8042")
    row = REFERENCE.one(grid_factor("historic", "广东"), date(2025, 6, 30))
    assert row.value == Decimal("0.4512") and row.confidence == "unverified"


def test_provincial_factors_2022_to_2023_fall_in_20_and_rise_in_10_provinces() -> None:
    """As MEE told the press at the publication of 公告2025年第47号."""
    by_year: dict[str, dict[str, Decimal]] = {"2022": {}, "2023": {}}
    for row in REFERENCE.table("grid_factors"):
        if row.values["scope"] == "provincial" and row.values["data_year"] in by_year:
            by_year[row.values["data_year"]][row.values["region_zh"]] = row.value
    changes = [by_year["2023"][region] - old for region, old in by_year["2022"].items()]
    assert (sum(c < 0 for c in changes), sum(c > 0 for c in changes)) == (20, 10)


def test_no_row_lists_the_candidates_with_what_each_one_fails() -> None:
    with pytest.raises(FactorError) as caught:
        value(grid_factor("location", "广东"), 2023, 12, 31)
    text = str(caught.value)
    assert "grid_avg_guangdong_2021" in text and "0.4715" in text and "2023-12-31 ∉ 2024-04-12..2024-12-19" in text
    assert "reference/grid_factors.csv" in text


def test_a_misspelt_name_lists_the_nearest_names() -> None:
    with pytest.raises(FactorError) as caught:
        value(coal_equivalent("天然气", "equivalent"), 2025, 1, 1)
    assert "天然气(低)" in str(caught.value) and "天然气(高)" in str(caught.value)


def test_two_rows_name_the_columns_that_tell_them_apart() -> None:
    with pytest.raises(FactorError) as caught:
        REFERENCE.one(Selector.of("grid_factors", region_zh="广东"), date(2025, 6, 30))
    assert "2 rows answer" in str(caught.value) and "data_year (2018, 2022)" in str(caught.value)


def test_data_years_in_force_together_must_be_named() -> None:
    base = next(r for r in REFERENCE.rows if r.values.get("factor_id") == "grid_avg_guangdong_2022")
    changed = {**base.values, "factor_id": "draft", "data_year": "2024"}
    reference = Reference((*REFERENCE.rows, make_row("grid_factors", changed, "reference/grid_factors.csv", 2)))
    with pytest.raises(FactorError, match="data_year"):
        reference.one(grid_factor("location", "广东"), date(2025, 6, 30))
    assert reference.one(grid_factor("location", "广东", 2022), date(2025, 6, 30)) is base


def test_unknown_purpose_table_and_column_are_errors_that_list_the_known_ones() -> None:
    with pytest.raises(FactorError, match="market_residual"):
        grid_factor("latest", "广东")
    with pytest.raises(FactorError, match="needs a region"):
        grid_factor("location")
    with pytest.raises(FactorError, match="region_zh"):
        Selector.of("grid_factors", province="广东")
    with pytest.raises(FactorError, match="fuel_factors"):
        Selector.of("fuels", name_zh="柴油")


def test_fuel_value_is_ncv_times_carbon_times_oxidation_for_every_fuel() -> None:
    """E = FC × NCV × CC × OF × 44/12 (all Chinese guides); CC in tC/TJ."""
    fuels = [row for row in REFERENCE.table("fuel_factors") if row.values["kind"] == "fuel"]
    assert len(fuels) == 90
    for row in fuels:
        carbon = row.number("carbon_content_tC_per_TJ")
        product = row.number("ncv") * carbon / 1000 * row.number("oxidation_fraction") * 44 / 12
        # IPCC prints kgCO2/TJ; its carbon content is rounded to two digits here
        rounded = product * half_digit("0.01") / carbon if row.values["set_id"] == "IPCC2006" else 0
        assert abs(product - row.value) <= half_digit(row.values["value"]) + rounded, row.id


def test_fuel_sets_are_never_mixed() -> None:
    on = (2025, 1, 1)
    assert value(fuel("NDRC2015-other-industry", "烟煤"), *on) == Decimal("2.0715")
    assert value(fuel("GBT32151-C1", "烟煤"), *on) == Decimal("1.7417")
    assert value(fuel("GBT32151-C1", "天然气"), *on) == Decimal("21.6219")
    assert value(fuel("MEE-power", "天然气"), *on) == Decimal("21.6502")
    assert REFERENCE.one(fuel("IPCC2006", "天然气"), date(*on)).values["activity_unit"] == "t"
    with pytest.raises(FactorError):
        value(fuel("MEE-power", "烟煤"), *on)
    with pytest.raises(FactorError):
        value(fuel("GBT32151-C1", "天然气"), 2023, 12, 31)


def test_heat_is_national_unless_a_region_is_named() -> None:
    assert value(heat_factor(), 2025, 1, 1) == Decimal("0.11")
    assert value(heat_factor("上海"), 2025, 1, 1) == Decimal("0.06")
    with pytest.raises(FactorError):
        value(heat_factor("广东"), 2025, 1, 1)


def test_process_and_parameters() -> None:
    assert value(process_factor("碳酸钙(石灰石)"), 2025, 1, 1) == Decimal("0.4397")
    assert value(fuel_parameter("IPCC2006", "气体燃料", "kgN2O/TJ"), 2025, 1, 1) == Decimal("0.1")


@pytest.mark.parametrize(
    ("gas", "assessment", "expected"),
    [
        ("CH4 (unspecified)", "SAR", "21"),
        ("N2O", "SAR", "310"),
        ("SF6", "SAR", "23900"),
        ("HFC-134a", "SAR", "1300"),
        ("CH4 (unspecified)", "AR5", "28"),
        ("N2O", "AR5", "265"),
        ("SF6", "AR5", "23500"),
        ("CH4 (fossil)", "AR6", "29.8"),
        ("CH4 (non-fossil)", "AR6", "27.0"),
        ("CH4 (unspecified)", "AR6", "27.9"),
        ("N2O", "AR6", "273"),
        ("SF6", "AR6", "24300"),
    ],
)
def test_gwp_100_by_assessment_report(gas: str, assessment: str, expected: str) -> None:
    assert value(gwp(gas, assessment), 2025, 1, 1) == Decimal(expected)


def test_fossil_methane_has_no_value_of_its_own_before_ar5() -> None:
    with pytest.raises(FactorError, match=r"CH4 \(unspecified\)"):
        value(gwp("CH4 (fossil)", "AR4"), 2025, 1, 1)


def test_coal_equivalent_is_heat_value_over_29307_6() -> None:
    """GB/T 2589-2020: 1 kgce = 29307.6 kJ. Exact to half a digit of both numbers, as printed."""
    scale = {"kJ/kg": 1, "kJ/m3": 1, "kJ/kWh": 1, "MJ/MJ": 1000, "MJ/t": 1000, "MJ/m3": 1000, "MJ/kg": 1000}
    rows = [row for row in REFERENCE.table("coal_equivalents") if row.values["heat_unit"] in scale]
    assert len(rows) == 48
    apart = {"蒸汽(低压)"}  # the standard prints 3763 kJ/kg beside 0.1286, which is 900 kcal/kg
    for row in rows:
        unit = scale[row.values["heat_unit"]] / KGCE
        rounding = half_digit(row.values["heat_value"]) * unit + half_digit(row.values["value"])
        difference = abs(row.number("heat_value") * unit - row.value)
        assert (difference <= rounding) is (row.values["name_zh"] not in apart), row.id


def test_equivalent_and_equal_value_of_electricity_stay_apart() -> None:
    assert value(coal_equivalent("电力", "equivalent"), 2024, 6, 1) == Decimal("0.1229")
    assert value(coal_equivalent("电力", "equal"), 2024, 6, 1) == Decimal("0.3024")
    assert value(coal_equivalent("电力", "equal"), 2020, 6, 1) == Decimal("0.3055")
    assert value(coal_equivalent("原煤", "equal"), 2024, 6, 1) == value(
        coal_equivalent("原煤", "equivalent"), 2024, 6, 1
    )
    for missing in (coal_equivalent("电力", "equal"), coal_equivalent("热力", "equal")):
        with pytest.raises(FactorError):
            value(missing, 2025, 6, 1)


def test_water_follows_the_edition_of_the_standard() -> None:
    assert value(coal_equivalent("新水", "equivalent"), 2021, 3, 31) == Decimal("0.0857")
    assert value(coal_equivalent("新水", "equivalent"), 2021, 4, 1) == Decimal("0.2571")


@given(st.dictionaries(st.sampled_from(["gas", "formula", "note"]), st.text(max_size=20), max_size=3))
def test_selector_text_reads_back(conditions: dict[str, str]) -> None:
    selector = Selector.of("gwp", **conditions)
    assert Selector.parse(str(selector)) == selector


@given(st.permutations(REFERENCE.table("gwp")), st.sampled_from(REFERENCE.table("gwp")))
def test_the_answer_does_not_depend_on_the_order_of_rows(rows: list[Row], row: Row) -> None:
    assert Reference(rows).one(own_selector(row), date(2025, 1, 1)) is row
