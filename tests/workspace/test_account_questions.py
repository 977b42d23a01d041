"""Lists, trends, comparisons and loads say the very numbers of the statements, and none of a neighbour's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from lujin.errors import InputError
from lujin.workspace.sector import LEAST, quartiles

from .small_park import MONTH, QUARTER, ZONE, Site, register, text_of, within, without

Make = Callable[..., Site]
AUGUST = datetime(2025, 8, 1, tzinfo=ZONE)
SEPTEMBER = datetime(2025, 9, 1, tzinfo=ZONE)
HOUR = timedelta(hours=1)


def in_sectors(customers: int, sectors: dict[int, str]) -> str:
    text = text_of(customers)
    for n, sector in sectors.items():
        kind = f'id = "E{n}"\nkind = "enterprise"\n'
        text = text.replace(kind, f'{kind}sector = "{sector}"\nfloor_area_m2 = 100\n')
    return text


def two_months(site: Make, customers: int = 2, sectors: dict[int, str] | None = None) -> Site:
    park = site("two", in_sectors(customers, sectors or {}))
    park.now = datetime(2025, 10, 1, tzinfo=UTC)
    for n in range(1, customers + 1):
        park.take(register(f"M{n}", datetime(2025, 7, 1, tzinfo=ZONE), SEPTEMBER, rate=100.0 * n, step=HOUR))
    park.run()
    return park


def test_trend_says_what_each_statement_says(site: Make) -> None:
    park = two_months(site).open()
    found = park.trend("E2")
    assert [p.month for p in found.months] == [202507, 202508]
    for point in found.months:
        said = park.statement("E2", point.month)
        assert point.energy["electricity"] == said.energy[0].used
        assert (point.coal_equivalent, point.coal_equal) == (said.coal_equivalent, said.coal_equal)
        assert point.cost == said.cost_total
        assert sum(a.base for a in point.costs.values()) == said.cost_total.base
        assert point.completeness == said.completeness
        assert point.versions == said.version == 1
        assert point.demand == said.demand
        for book in said.books:
            own = point.books[book.book]
            assert own.whole == (book.co2e if book.co2e is not None else book.co2)
            assert own.gwp == book.gwp


def test_trend_compares_with_the_months_before(site: Make) -> None:
    park = two_months(site).open()
    first, later = park.trend("E1").against(202507), park.trend("E1").against(202508)
    assert [a.mean for a in first] == [None] * 3, "the first month has nothing before it"
    cost = next(a for a in later if a.quantity == "cost")
    july = park.statement("E1", 202507).cost_total
    assert cost.previous == cost.mean == july
    assert cost.months == 1
    assert cost.change == pytest.approx((cost.value.base - july.base) / july.base)


def test_a_month_without_postings_is_told_as_such(site: Make) -> None:
    park = two_months(site).open()
    missing = park.trend("E1", 202510).of(202510)
    assert missing is not None
    assert not missing.posted
    assert missing.cost is None
    assert missing.books == {}
    line = park.listing(202510).lines[0]
    assert (line.versions, line.cost, line.carbon) == (0, None, None)


def test_a_late_file_moves_the_months_that_it_touched_and_no_kept_sum_hides_it(site: Make) -> None:
    park = site("late", text_of(1))
    park.now = datetime(2025, 10, 1, tzinfo=UTC)
    whole = register("M1", datetime(2025, 7, 1, tzinfo=ZONE), SEPTEMBER, step=HOUR)
    # until the late file comes, a tenth of August is missing at its end
    park.take(within(whole, whole[0].time, datetime(2025, 8, 28, tzinfo=ZONE)))
    park.run()
    before = park.open().trend("E1")
    park.take(without(whole, whole[0].time, datetime(2025, 8, 28, tzinfo=ZONE)))
    park.run()
    after = park.open().trend("E1")
    assert after.of(202507) == before.of(202507)
    now, then = after.of(202508), before.of(202508)
    assert now is not None
    assert then is not None
    assert now.energy["electricity"].base > then.energy["electricity"].base
    assert now.versions == 2
    assert now.energy["electricity"] == park.open().statement("E1", 202508).energy[0].used


def test_listing_adds_up_its_lines(site: Make) -> None:
    park = two_months(site, 3).open()
    found = park.listing(202508)
    assert found.months == (202507, 202508)
    assert [line.enterprise for line in found.lines] == ["E1", "E2", "E3"]
    for name in ("electricity", "coal_equal", "cost", "carbon"):
        total = getattr(found.total, name)
        assert total.base == sum(getattr(line, name).base for line in found.lines)
    assert found.total.completeness.expected == sum(line.completeness.expected for line in found.lines)
    assert [line.enterprise for line in park.listing(202508, enterprises=["E2"]).lines] == ["E2"]
    with pytest.raises(InputError, match="no carbon book"):
        park.listing(202508, "physical")


def test_an_empty_park_lists_its_enterprises_without_amounts(site: Make) -> None:
    found = site("empty").open().listing()
    assert found.month == 0
    assert len(found.lines) == 5
    assert found.total.cost is None


def test_quartiles_need_five_others_of_the_sector(site: Make) -> None:
    """E1 to E6 are of one class, E7 and E8 only share the two digits with them, E9 nothing."""
    classes = {**dict.fromkeys(range(1, 7), "C1713"), 7: "C1751", 8: "C1762", 9: "C2231"}
    park = two_months(site, 9, classes).open()
    own = park.sector("E1", 202508)
    assert (own.group, own.members) == ("C1713", LEAST)
    price = own.measures["energy_per_area"][-1]
    assert price.others == LEAST
    assert price.lower is not None
    assert price.median is not None
    assert price.lower <= price.median
    wider = park.sector("E7", 202508)
    assert (wider.group, wider.members) == ("C17", 7)
    alone = park.sector("E9", 202508)
    assert not alone.comparable
    for points in alone.measures.values():
        assert all((p.lower, p.median, p.upper) == (None, None, None) for p in points)
    assert alone.measures["energy_per_area"][-1].own is not None, "its own value it may know"


def test_a_sector_of_four_others_shows_none_of_them(site: Make) -> None:
    park = two_months(site, 5, dict.fromkeys(range(1, 6), "C1713")).open()
    found = park.sector("E1")
    assert not found.comparable
    assert found.members == 0


def test_a_quartile_is_no_neighbours_value() -> None:
    values = [Decimal(v) for v in ("101.37", "115.21", "127.73", "149.98", "163.04")]
    assert not set(quartiles(values)) & set(values)


def test_load_adds_up_to_the_statement(site: Make) -> None:
    park = two_months(site).open()
    found = park.load("E2", 202508)
    assert found.total == park.statement("E2", 202508).energy[0].used
    assert len(found.hours) == 31
    assert all(hour.amount is not None and hour.amount.value == 200 for day in found.hours for hour in day)
    assert (found.peak, found.mean, found.missing_hours) == (200, 200, 0)
    with pytest.raises(InputError, match="no meter of E2 measures steam"):
        park.load("E2", 202508, "steam")


def test_load_of_several_months_is_that_of_each(site: Make) -> None:
    park = two_months(site).open()
    whole = park.load("E2", 202507, last=202508)
    parts = [park.load("E2", month) for month in (202507, 202508)]
    assert whole.hours == parts[0].hours + parts[1].hours
    assert whole.total == parts[0].total + parts[1].total
    assert [m.total for m in whole.by_month()] == [part.total for part in parts]
    assert (parts[0].peak_minutes, whole.peak_minutes) == (15, 60)
    assert whole.factor == 1
    for last in (202506, 203001):
        with pytest.raises(InputError, match="no span"):
            park.load("E2", 202507, last=last)


CHECKED = """
[[meter]]
id = "K1"
kind = "register"
unit = "kWh"
digits = 6
interval = "15min"
accuracy_class = "0.5S"

[[transfer]]
flow = "F1"
status = "energy"
check_meter = "K1"
"""


def test_load_of_a_flow_with_two_meters_is_what_was_settled(site: Make) -> None:
    """100.2 and 100.6 kWh/h are both within their uncertainty: the mean counts, on the statement and here."""
    text = text_of(1, {1: 'accuracy_class = "0.5S"'}) + CHECKED
    park = site("two_meters", text)
    park.now = datetime(2025, 8, 2, tzinfo=UTC)
    first = datetime(2025, 7, 1, tzinfo=ZONE)
    park.take(register("M1", first, AUGUST, rate=100.2))
    park.take(register("K1", first, AUGUST, rate=100.6))
    park.run()
    found = park.open().load("E1", MONTH)
    assert found.total == park.open().statement("E1", MONTH).energy[0].used
    assert found.mean is not None
    assert abs(found.mean - Decimal("100.4")) < Decimal("0.01")


def test_an_hour_that_no_meter_told_is_no_zero(site: Make) -> None:
    park = site("short")
    end = datetime(2025, 7, 6, 12, tzinfo=ZONE)
    park.now = datetime(2025, 8, 2, tzinfo=UTC)
    park.take(register("M1", datetime(2025, 7, 1, tzinfo=ZONE), end))
    park.run()
    found = park.open().load("E1", MONTH)
    assert found.hours[5][11].amount is not None
    assert found.hours[5][12].amount is None
    assert found.missing_hours == (31 * 24) - (5 * 24 + 12)
    assert found.mean == 100, "over the hours that are known"


def test_an_estimated_hour_says_so(site: Make) -> None:
    park = site("gap")
    park.now = datetime(2025, 8, 2, tzinfo=UTC)
    readings = register("M1", datetime(2025, 7, 1, tzinfo=ZONE), AUGUST, step=QUARTER)
    park.take(without(readings, datetime(2025, 7, 9, 3, tzinfo=ZONE), datetime(2025, 7, 9, 20, tzinfo=ZONE)))
    park.run()
    found = park.open().load("E1", MONTH)
    assert found.estimated_hours > 0
    assert found.hours[8][10].estimated
    assert not found.hours[7][10].estimated
