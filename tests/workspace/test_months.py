"""What an arrival touches: where months meet, where months are missing, before everything known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from polars.testing import assert_frame_equal

from .small_park import PRICE, QUARTER, ZONE, Reading, Site, register, text_of, within

Make = Callable[..., Site]

JULY, AUGUST, SEPTEMBER = (datetime(2025, m, 1, tzinfo=ZONE) for m in (7, 8, 9))
AFTER = datetime(2026, 7, 1, tzinfo=UTC)
CURVE = register("M1", JULY, SEPTEMBER + timedelta(days=2), initial=0.0)


def one_meter(site: Make, name: str = "park") -> Site:
    park = site(name, text_of(1))
    park.now = AFTER
    return park


def posted(site: Site) -> list[int]:
    return [month.month for month in site.open().status().months]


def taken_and_posted(site: Site, *arrivals: Iterable[Reading]) -> list[list[int]]:
    """The months that each arrival made the run post."""
    done = []
    for readings in arrivals:
        site.take(readings)
        done.append([month.month for month in site.run().months])
    return done


def test_register_read_at_the_first_instant_closes_the_month_and_opens_none(site: Make) -> None:
    park = one_meter(site)
    result = park.take([r for r in CURVE if r.time <= AUGUST])
    assert result.report is not None and result.report.months == (202507, 202508), "by the calendar it is August"
    assert [m.month for m in park.run().months] == [202507]
    assert park.energy_kwh() == 31 * 2400
    assert park.open().statement("E1", 202507).completeness.missing == 0
    assert park.open().statement("E1", 202508).status == "not_posted"
    assert posted(park) == [202507]


def test_closing_reading_alone_closes_the_month_before(site: Make) -> None:
    park = one_meter(site)
    done = taken_and_posted(park, [r for r in CURVE if r.time < AUGUST], [r for r in CURVE if r.time == AUGUST])
    assert done == [[202507], [202507]]
    assert park.energy_kwh() == 31 * 2400


def test_the_next_reading_opens_the_new_month(site: Make) -> None:
    park = one_meter(site)
    done = taken_and_posted(
        park,
        [r for r in CURVE if r.time <= AUGUST],
        [r for r in CURVE if r.time == AUGUST + QUARTER],
        [r for r in CURVE if AUGUST + timedelta(days=3) < r.time < SEPTEMBER],
    )
    assert done == [[202507], [202507, 202508], [202507, 202508]], "July ends within sight of both"
    assert park.energy_kwh(month=202508) == 31 * 2400 - 25


def test_reading_at_the_first_instant_that_came_first_counts_once_the_month_has_others(site: Make) -> None:
    """It opened nothing when it came; the month it stands in needs it all the same."""
    park, whole = one_meter(site, "parts"), one_meter(site, "whole")
    taken_and_posted(
        park, [r for r in CURVE if r.time <= AUGUST], [r for r in CURVE if AUGUST < r.time <= SEPTEMBER]
    )
    taken_and_posted(whole, [r for r in CURVE if r.time <= SEPTEMBER])
    months = (202507, 202508)
    assert_frame_equal(park.net(months), whole.net(months))
    assert park.energy_kwh(month=202508) == 31 * 2400


def test_gap_over_whole_months_spreads_exactly_over_them(site: Make) -> None:
    """Two readings, in July and in November: every month between gets its part, in proportion to its seconds."""
    first, last = datetime(2025, 7, 20, 10, 7, tzinfo=ZONE), datetime(2025, 11, 3, 4, 52, 30, tzinfo=ZONE)
    park = one_meter(site)
    months = [202507, 202508, 202509, 202510, 202511]
    total = 123_456.789
    (done,) = taken_and_posted(park, [Reading("M1", first, 100.0), Reading("M1", last, 100.0 + total)])
    assert done == months
    amounts = {m: park.open().statement("E1", m).energy[0].purchased.base for m in months}
    assert sum(amounts.values()) == round(total * 1000)
    starts = [first, *(datetime(2025, m, 1, tzinfo=ZONE) for m in (8, 9, 10, 11)), last]
    span = (last - first).total_seconds()
    for month, (begin, end) in zip(months, pairwise(starts), strict=True):
        share = (end - begin).total_seconds() / span
        assert abs(amounts[month] - round(total * 1000) * share) <= 1, month
    for month in months:
        energy = park.open().statement("E1", month).energy[0]
        assert energy.estimated == energy.purchased


def test_gap_over_whole_months_that_is_filled_later_is_replaced_month_by_month(site: Make) -> None:
    park, whole = one_meter(site, "parts"), one_meter(site, "whole")
    outer = [r for r in CURVE if r.time < JULY + timedelta(days=20) or r.time >= SEPTEMBER + timedelta(days=1)]
    inner = within(CURVE, JULY + timedelta(days=20), SEPTEMBER + timedelta(days=1))
    months = [202507, 202508, 202509]
    assert taken_and_posted(park, outer, inner) == [months, months]
    taken_and_posted(whole, CURVE)
    assert_frame_equal(park.net(months), whole.net(months))
    park.verified()


def test_one_reading_inside_a_long_gap_changes_the_months_on_both_sides(site: Make) -> None:
    park, whole = one_meter(site, "parts"), one_meter(site, "whole")
    months = [202507, 202508, 202509, 202510, 202511]
    early, late = (Reading("M1", datetime(2025, m, 15, tzinfo=ZONE), v) for m, v in ((7, 0.0), (11, 90_000.0)))
    middle = Reading("M1", datetime(2025, 9, 10, tzinfo=ZONE), 80_000.0)
    assert taken_and_posted(park, [early, late], [middle]) == [months, months]
    taken_and_posted(whole, [middle, late, early])
    assert_frame_equal(park.net(months), whole.net(months))


def test_months_far_apart_are_posted_with_all_between(site: Make) -> None:
    park = one_meter(site)
    park.reference("tariffs", PRICE.replace("2024-01-01", "2019-01-01"))
    early = register("M1", datetime(2023, 2, 3, tzinfo=ZONE), datetime(2023, 2, 4, tzinfo=ZONE), initial=0.0)
    late = register("M1", datetime(2025, 7, 3, tzinfo=ZONE), datetime(2025, 7, 4, tzinfo=ZONE), initial=50_000.0)
    first, second = taken_and_posted(park, late, early)
    assert first == [202507]
    assert (second[0], second[-1], len(second)) == (202302, 202507, 30)
    kwh = [park.open().statement("E1", m).energy[0].purchased.base for m in second]
    assert sum(kwh) == 1000 * (50_000 + 2400)


@pytest.mark.parametrize("days", [0, 5])
def test_readings_older_than_everything_reach_the_first_known_one(site: Make, days: int) -> None:
    """``days``: how much of the gap before the month known first they leave open."""
    park, whole = one_meter(site, "parts"), one_meter(site, "whole")
    known = [r for r in CURVE if r.time >= AUGUST]
    older = [r for r in CURVE if r.time < AUGUST - timedelta(days=days)]
    months = [202507, 202508, 202509]
    done = taken_and_posted(park, known, older)
    assert done[0] == months[1:]
    assert done[1] == months[:2], "the month beside looks at the last readings before it"
    taken_and_posted(whole, [*older, *known])
    assert_frame_equal(park.net(months), whole.net(months))
    assert park.energy_kwh(month=202507) == 31 * 2400


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_bad_reading_near_a_month_end_is_judged_alike_however_its_neighbours_arrive(
    site: Make, place: int
) -> None:
    """A spike in the first readings of August shows as one only when the readings after it have come. July ends
    in the same interval, so it is posted again."""
    park, whole = one_meter(site, "parts"), one_meter(site, "whole")
    at = AUGUST + place * QUARTER
    readings = [Reading("M1", r.time, r.value + 5000) if r.time == at else r for r in CURVE if r.time < SEPTEMBER]
    taken_and_posted(park, [r for r in readings if r.time <= at], [r for r in readings if r.time > at])
    taken_and_posted(whole, readings)
    assert_frame_equal(park.net((202507, 202508)), whole.net((202507, 202508)))
    assert park.energy_kwh(month=202507) == 31 * 2400


@pytest.mark.parametrize("place", [1, 2, 3])
def test_the_same_at_the_end_of_a_month(site: Make, place: int) -> None:
    park, whole = one_meter(site, "parts"), one_meter(site, "whole")
    at = AUGUST - place * QUARTER
    readings = [Reading("M1", r.time, r.value - 5000) if r.time == at else r for r in CURVE if r.time < SEPTEMBER]
    taken_and_posted(park, [r for r in readings if r.time >= at], [r for r in readings if r.time < at])
    taken_and_posted(whole, readings)
    assert_frame_equal(park.net((202507, 202508)), whole.net((202507, 202508)))
    assert park.energy_kwh(month=202508) == 31 * 2400 - 25


def test_arrival_in_the_middle_of_a_month_leaves_the_months_beside_alone(site: Make) -> None:
    park = one_meter(site)
    middle = [r for r in CURVE if r.time.month == 8 and r.time.day == 10]
    rest = [r for r in CURVE if r not in set(middle)]
    done = taken_and_posted(park, rest, middle)
    assert done == [[202507, 202508, 202509], [202508]]


def test_run_of_one_month_leaves_the_others_waiting(site: Make) -> None:
    park = one_meter(site)
    park.take(CURVE)
    assert [m.month for m in park.run(202508).months] == [202508]
    assert {m.month: m.waiting for m in park.open().status().months} == {202507: 1, 202508: 0, 202509: 1}
    assert [m.month for m in park.run().months] == [202507, 202509]
    park.verified()
