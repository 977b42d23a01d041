"""Messy arrivals through the whole way: files, readings, energy, ledger, statement.

Registers of 100 kWh/h, read every 15 minutes for ten days, on the Guangdong tariff.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lujin.accounts.statement import Statement

from .small_park import END, MONTH, START, ZONE, Reading, Site, register, text_of, within, without

Make = Callable[..., Site]

HOUR = timedelta(hours=1)
METERS = [f"M{n}" for n in range(1, 6)]
EVERYBODY = [f"E{n}" for n in range(1, 6)]
ALL = [reading for meter in METERS for reading in register(meter)]
DAY = "2025-07-05"
# Readings from 10:00 to 15:45 are gone, so nothing is known between 09:45 and 16:00.
HOLE = (datetime(2025, 7, 5, 10, tzinfo=ZONE), datetime(2025, 7, 5, 16, tzinfo=ZONE))
OUTAGE = (datetime(2025, 7, 4, 9, tzinfo=ZONE), datetime(2025, 7, 6, 9, tzinfo=ZONE))
TOTAL = 24_000.0


def punched(meter: str, first: datetime, last: datetime) -> list[Reading]:
    """All readings, but for those of ``meter`` in [first, last)."""
    return [r for r in ALL if r.meter != meter or not first <= r.time < last]


def of(meter: str, readings: Iterable[Reading]) -> list[Reading]:
    return [r for r in readings if r.meter == meter]


def statement(site: Site, enterprise: str = "E1", book: str = "location", **asked: object) -> Statement:
    return site.open().statement(enterprise, MONTH, book, **asked)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def on_time(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Everything arrives at once and is posted once."""
    site = Site(tmp_path_factory.mktemp("messes") / "on-time").describe(text_of())
    site.take(ALL)
    site.run()
    return site


def test_on_time_arrival_is_the_measure(on_time: Site) -> None:
    for enterprise in EVERYBODY:
        said = statement(on_time, enterprise)
        assert said.status == "posted"
        assert said.energy[0].purchased.value == Decimal(24_000)
        assert said.energy[0].estimated.base == 0
        # 240 h by the clock of the shipped notice: 00-08 valley, 10-12 and 14-19 peak less 11-12 and 15-17.
        hours = {"valley": 80, "flat": 90, "peak": 40, "super_peak": 30}
        assert {p: a.value for p, a in said.energy[0].periods.items()} == {
            p: Decimal(100 * h) for p, h in hours.items()
        }
        # (0.72766875 − funds) × ratio, rounded to 0.0001, + funds 0.02766875.
        prices = {"valley": "0.29366875", "flat": "0.72766875", "peak": "1.21766875", "super_peak": "1.51516875"}
        cost = {line.period: line.amount.value for line in said.cost}
        assert cost == {p: round(Decimal(prices[p]) * 100 * h, 2) for p, h in hours.items()}
    assert on_time.verified()["entries"] == 20


# A gateway is silent for 48 hours ----------------------------------------------------------------------------


def test_outage_sent_in_later_gives_the_same_bytes_when_nothing_was_posted_between(
    on_time: Site, site: Make
) -> None:
    late = site("late")
    late.take(without(ALL, *OUTAGE))
    late.later(days=2).take(within(ALL, *OUTAGE))
    late.run()
    assert late.bytes() == on_time.bytes()
    assert late.bytes(recorded=True) != on_time.bytes(recorded=True)


def test_outage_sent_in_later_gives_the_same_net_when_something_was_posted_between(
    on_time: Site, site: Make
) -> None:
    late = site("late")
    late.take(without(ALL, *OUTAGE))
    late.run()
    during = {e: late.energy_kwh(e) for e in EVERYBODY}
    assert during == dict.fromkeys(EVERYBODY, TOTAL), "a register loses nothing in a gap"
    assert statement(late).energy[0].estimated.value == Decimal(4825)
    late.later(days=2).take(within(ALL, *OUTAGE))
    report = late.run()
    assert report.months[0].reasons == {"late_reading": 5}
    assert_frame_equal(late.net(), on_time.net())
    for enterprise in EVERYBODY:
        assert late.energy_kwh(enterprise) == TOTAL
        now, then = statement(late, enterprise), statement(on_time, enterprise)
        assert (now.energy, now.cost, now.books) == (then.energy, then.cost, then.books)
        assert now.completeness == then.completeness
        assert now.status == "restated"
    late.verified()


def test_outage_of_one_gateway_touches_its_own_meters_only(site: Make) -> None:
    late = site("late")
    late.take(punched("M2", *OUTAGE))
    late.run()
    late.later(days=2).take(within(of("M2", ALL), *OUTAGE))
    (month,) = late.run().months
    assert month.reasons == {"late_reading": 1}
    assert [statement(late, e).status for e in EVERYBODY] == ["posted", "restated", "posted", "posted", "posted"]


# Six hours are missing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", ["", "capacity = 150"])
def test_hole_never_filled_is_100_kwh_in_each_of_seven_hours(site: Make, capacity: str) -> None:
    park = site("hole", text_of(more={1: capacity}))
    park.take(punched("M1", *HOLE))
    park.run()
    hours = park.hours("E1", DAY)
    assert {energy for energy, _ in hours.values()} == {100_000}
    flags = {hour: said for hour, (_, said) in hours.items()}
    assert flags[9] == ["ESTIMATED"], "a quarter of the hour"
    assert [flags[hour] for hour in range(10, 16)] == [["ESTIMATED"] * 4] * 6
    assert all(not flags[hour] for hour in flags if not 9 <= hour < 16), "no spike, no other flag"
    said = statement(park)
    assert said.energy[0].purchased.value == Decimal(24_000)
    assert said.energy[0].estimated.value == Decimal(625)
    assert (said.completeness.estimated, said.completeness.suspect) == (25, 0)
    assert statement(park, "E2").completeness.estimated == 0


@pytest.mark.parametrize("capacity", ["", "capacity = 150"])
def test_limit_per_hour_deletes_nothing(on_time: Site, site: Make, capacity: str) -> None:
    """650 kWh arrive with one reading after the hole; that is far above the limit and yet no error."""
    park = site("hole", text_of(more={1: capacity}))
    report = park.take(punched("M1", *HOLE)).report
    assert report is not None and report.rejected == 0 and report.accepted == len(ALL) - 24
    assert not park.run().months[0].events
    cost = statement(park).cost_total
    assert cost == statement(on_time).cost_total
    assert statement(park).cost_estimated.base > 0


def test_hole_filled_later_replaces_the_estimate_by_delta_postings(on_time: Site, site: Make) -> None:
    park = site("hole")
    park.take(punched("M1", *HOLE))
    park.run()
    before, known = park.net(), park.now
    park.later(days=3).take(within(of("M1", ALL), *HOLE))
    park.run()
    assert_frame_equal(park.net(), on_time.net())
    assert_frame_equal(park.net(as_of=known), before)
    said = statement(park)
    assert said.status == "restated" and said.version == 2
    changes = {r.book: r for r in said.restatements}
    assert set(changes) == {"physical", "location"}
    assert {r.reason for r in said.restatements} == {"late_reading"}
    assert all(not r.changes for r in said.restatements), "estimates were right to the Wh: no balance moves"
    assert said.energy[0].estimated.base == 0 and said.completeness.estimated == 0
    assert statement(park, as_of=known).energy[0].estimated.value == Decimal(625)
    park.verified()


def test_hole_filled_with_what_was_not_expected_moves_energy_between_periods(site: Make) -> None:
    """The plant had stood still until noon and caught up after: the total stays, the bill changes."""

    def load(at: datetime) -> float:
        if at.date() != HOLE[0].date() or not 10 <= at.hour < 16:
            return 100.0
        return 0.0 if at.hour < 12 else 150.0

    real = register("M1", rate=load)
    park, direct = site("hole"), site("direct")
    direct.take([*real, *(r for r in ALL if r.meter != "M1")])
    direct.run()
    park.take([*without(real, *HOLE), *(r for r in ALL if r.meter != "M1")])
    park.run()
    estimate = statement(park)
    park.later(days=3).take(within(real, *HOLE))
    park.run()
    assert_frame_equal(park.net(), direct.net())
    said = statement(park)
    assert said.energy[0].purchased == estimate.energy[0].purchased
    assert said.cost_total != estimate.cost_total
    (physical,) = (r for r in said.restatements if r.book == "physical")
    moved = {c.account: c.amount.value for c in physical.changes}
    assert moved == {"COST/electricity": said.cost_total.value - estimate.cost_total.value}


# A factor is edited ------------------------------------------------------------------------------------------


NATIONAL = "grid_avg_national_2022"
EDITED = (
    "factor_id,scope,region_zh,region_en,data_year,basis,purpose,value,unit,valid_from,valid_to,source,confidence\n"
    f"{NATIONAL},national,全国,China,2022,average,"
    "location-based accounting; reference for accounting subjects; "
    "national ETS/enterprise reporting default when the year applies,"
    "0.5,kgCO2/kWh,2024-12-20,2025-12-30,edited by hand,unverified\n"
)


def factors(site: Site, enterprise: str = "E1") -> dict[str, int]:
    """Value of the factor → mg CO2 that the regulatory book holds under it."""
    frame = site.net().filter((pl.col("enterprise") == enterprise) & (pl.col("book") == "regulatory"))
    used = {f.id: f.value for f in statement(site, enterprise, "regulatory").factors}
    sums = frame.group_by("factor").agg(pl.col("amount").sum())
    return {used[factor]: amount for factor, amount in sums.iter_rows()}


def test_edited_factor_changes_no_posting_until_restated(site: Make) -> None:
    park = site("factor")
    park.take(without(ALL, *OUTAGE))
    park.run()
    old = {"0.5366": 24_000 * 536_600}
    assert factors(park) == old
    before, known = park.bytes(), park.now

    park.later(days=1).reference("grid_factors", EDITED)
    assert not park.run().months, "a changed factor is no reason to post"
    assert park.bytes() == before

    park.later(days=1).take(within(of("M1", ALL), *OUTAGE))
    assert park.run().months[0].reasons == {"late_reading": 1}
    assert factors(park) == old, "a late reading of the month keeps its factor"
    park.verified()

    park.later(days=1)
    report = park.open().restate([MONTH])
    assert report.months[0].reasons == {"restatement": 5}
    assert factors(park) == {"0.5": 24_000 * 500_000}
    said = statement(park, book="regulatory")
    last = said.restatements[-1]
    assert (last.reason, last.book) == ("restatement", "regulatory")
    moved = {(c.account, c.commodity): c.amount for c in last.changes}
    assert moved["S2/electricity", "CO2f"].base == -24_000 * 36_600
    assert [f.id.split("@")[0] for f in said.unverified] == [f"grid_factors:{NATIONAL}"]
    then = statement(park, book="regulatory", as_of=known)
    assert "0.5366" in {f.value for f in then.factors} and "0.5" not in {f.value for f in then.factors}
    assert {r.reason for r in statement(park).restatements} == {"late_reading"}, "the other books stand"
    park.verified()

    park.later(days=1).take(within(of("M2", ALL), *OUTAGE))
    assert park.run().months[0].reasons == {"late_reading": 1}
    assert factors(park, "E2") == {"0.5": 24_000 * 500_000}, "the restated factor holds from then on"
    park.verified()


def test_each_line_says_which_factor_it_used(site: Make) -> None:
    park = site("factor")
    park.take(ALL)
    park.run()
    account = "E1:2025-07:regulatory:S2/electricity"
    assert [n.params["value"] for n in park.nodes(account, "factor")] == ["0.5366"]
    park.later(days=1).reference("grid_factors", EDITED)
    park.open().restate([MONTH])
    said = [n.params["value"] for n in park.nodes(account, "factor")]
    assert sorted(said) == ["0.5", "0.5366"], "the reversed posting and the new one"


def test_month_posted_after_the_edit_uses_the_new_factor(site: Make) -> None:
    park = site("factor")
    park.take(register("M1"))
    park.run()
    park.later(days=1).reference("grid_factors", EDITED)
    park.take(register("M1", END, END.replace(month=8), initial=25_000))
    park.run()
    assert set(factors(park)) == {"0.5366"}
    august = park.open().statement("E1", 202508, "regulatory")
    assert "0.5" in {f.value for f in august.factors} and "0.5366" not in {f.value for f in august.factors}


# A load step inside an interval ------------------------------------------------------------------------------


def test_load_step_at_a_tariff_boundary_inside_an_interval_is_billed_by_interpolation(site: Make) -> None:
    """Read hourly at half past. At 10:00 (flat → peak) the load goes from 40 to 200 kW: the interval from 09:30
    to 10:30 holds 20 + 100 kWh, which the register's line halves."""
    day = START.replace(day=5)
    half = timedelta(minutes=30)
    step = day.replace(hour=10)
    readings, count = [], 1000.0
    at = START - half
    while at <= END + half:
        readings.append(Reading("M1", at, count))
        inside = max(timedelta(0), min(at + HOUR, day + timedelta(days=1)) - max(at, step))
        count += 40.0 + 160.0 * (inside / HOUR)
        at += HOUR
    park = site("step", text_of(1).replace('interval = "15min"', 'interval = "1h"'))
    park.take(readings)
    park.run()
    hours = park.hours("E1", "2025-07-05")
    assert hours[8][0] == 40_000, "no shift: the hour before is as it was"
    assert hours[9][0] == 20_000 + 60_000
    assert hours[10][0] == 60_000 + 100_000
    assert hours[11][0] == 200_000, "no shift: nor is the hour after"
    # In each of the other ten days, and in the half hour read after them, the hour holds 40 kWh. On 5 July from
    # 10:00 it holds 160 more: 4 h of peak, 3 h of super peak, 7 h of flat. Interpolation moves 40 kWh of that
    # before 10:00 (flat) and 40 kWh from before midnight (flat) to after it (valley).
    expected = {
        "valley": 10 * 8 * 40 + 40 + 20,
        "flat": 10 * 9 * 40 + 7 * 160 + 40 - 40,
        "peak": 10 * 4 * 40 + 4 * 160 - 40,
        "super_peak": 10 * 3 * 40 + 3 * 160,
    }
    said = statement(park)
    assert {p: a.value for p, a in said.energy[0].periods.items()} == expected
    prices = {"valley": "0.29366875", "flat": "0.72766875", "peak": "1.21766875", "super_peak": "1.51516875"}
    bill = {p: round(Decimal(prices[p]) * kwh, 2) for p, kwh in expected.items()}
    assert {line.period: line.amount.value for line in said.cost} == bill


# Devices -----------------------------------------------------------------------------------------------------


REPLACED = """
[[meter]]
id = "M1"
flow = "F1"
kind = "register"
unit = "kWh"
digits = 6
interval = "15min"
valid_to = 2025-07-05T10:07:00
final = 11611.667

[[meter]]
id = "M1b"
flow = "F1"
kind = "register"
unit = "kWh"
digits = 6
interval = "15min"
valid_from = 2025-07-05T10:07:00
replaces = "M1"
initial = 3.5
"""
SWAP = datetime(2025, 7, 5, 10, 7, tzinfo=ZONE)


def swapped() -> list[Reading]:
    """The old device until the swap, the new one from the next quarter hour on; none reads at the swap."""
    new = register("M1b", SWAP.replace(minute=15), END, initial=3.5 + 100 * 8 / 60)
    return [*within(register("M1"), START, SWAP), *new]


def park_with(meters: str) -> str:
    bare = text_of(1)
    return bare[: bare.index("[[meter]]")] + meters


def test_meter_replaced_in_the_month_counts_on(on_time: Site, site: Make) -> None:
    park = site("swap", park_with(REPLACED))
    park.take(swapped())
    report = park.run()
    assert [e.kind for e in report.months[0].events] == ["replacement", "replacement"]
    said, usual = statement(park), statement(on_time)
    assert said.energy[0].purchased.value == Decimal(24_000)
    assert said.energy[0].estimated.base == 0
    assert said.energy[0].periods == usual.energy[0].periods
    assert said.cost_total == usual.cost_total
    assert {energy for energy, _ in park.hours("E1", DAY).values()} == {100_000}


def test_readings_of_the_old_device_after_the_swap_are_refused_and_said(site: Make) -> None:
    park = site("swap", park_with(REPLACED))
    stray = [Reading("M1", SWAP + 6 * HOUR, 99_999.0)]
    report = park.take([*swapped(), *stray]).report
    assert report is not None and report.reasons == {"outside_validity": 1}
    park.run()
    assert park.energy_kwh() == TOTAL


def test_register_that_rolls_over_at_six_digits_loses_nothing(on_time: Site, site: Make) -> None:
    park = site("rollover")
    park.take([*register("M1", initial=990_000.0), *(r for r in ALL if r.meter != "M1")])
    report = park.run()
    assert [(e.meter, e.kind) for e in report.months[0].events] == [("M1", "rollover")]
    assert statement(park).energy == statement(on_time).energy
    assert statement(park).cost == statement(on_time).cost
    assert statement(park).completeness.suspect == 0


def test_rollover_inside_a_hole_loses_nothing(on_time: Site, site: Make) -> None:
    park = site("rollover")
    whole = register("M1", initial=1e6 - 10_300.0)  # rolls over at 11:00 on the fifth day
    park.take([*without(whole, *HOLE), *(r for r in ALL if r.meter != "M1")])
    park.run()
    assert {energy for energy, _ in park.hours("E1", DAY).values()} == {100_000}
    park.take(within(whole, *HOLE))
    park.run()
    assert_frame_equal(park.net(), on_time.net())


# Files -------------------------------------------------------------------------------------------------------


def test_same_file_twice_changes_nothing(on_time: Site, site: Make) -> None:
    park = site("twice")
    first = park.take(ALL, "july.csv")
    again = park.take_file(first.file)
    assert again.same_as == first.source
    assert again.report is not None
    assert (again.report.accepted, again.report.already_known) == (0, len(ALL))
    renamed = park.take(ALL, "copy of july.csv")
    assert renamed.same_as == first.source
    park.run()
    assert park.bytes() == on_time.bytes()
    park.take_file(first.file)
    assert not park.run().months
    assert park.bytes() == on_time.bytes()


def test_same_readings_in_another_file_change_nothing(on_time: Site, site: Make) -> None:
    park = site("twice")
    park.take(ALL)
    park.run()
    report = park.take(sorted(ALL, key=lambda r: r.time), "by time.csv").report
    assert report is not None
    assert (report.accepted, report.already_known, report.corrects) == (0, len(ALL), 0)
    assert not park.run().months
    assert park.bytes() == on_time.bytes()


@pytest.mark.parametrize("posted", [False, True])
def test_files_in_reverse_order_give_the_same(on_time: Site, site: Make, posted: bool) -> None:
    """One file a day, the last day first; ``posted``: a run after each file."""
    park = site("reverse")
    for day in reversed(range(10)):
        first = START + timedelta(days=day)
        # The last file also holds the register at its very end.
        park.take(within(ALL, first, first + timedelta(days=1, seconds=day // 9)))
        if posted and day % 3 == 0:
            park.run()
    if not posted:
        park.run()
        assert park.bytes() == on_time.bytes()
    assert_frame_equal(park.net(), on_time.net())
    park.verified()


def test_rows_in_reverse_order_inside_a_file_give_the_same(on_time: Site, site: Make) -> None:
    park = site("reverse")
    park.take(ALL[::-1])
    park.run()
    assert park.bytes() == on_time.bytes()


# The same time, another value --------------------------------------------------------------------------------


WHEN = datetime(2025, 7, 5, 10, 15, tzinfo=ZONE)
RIGHT = next(r.value for r in register("M1") if r.time == WHEN)
WRONG = RIGHT + 7.0


def test_later_recorded_duplicate_wins_and_both_are_shown(on_time: Site, site: Make) -> None:
    park = site("duplicate")
    faulty = [Reading("M1", WHEN, WRONG) if (r.meter, r.time) == ("M1", WHEN) else r for r in ALL]
    park.take(faulty, "first.csv")
    park.run()
    assert park.hours("E1", DAY)[10][0] == 100_000
    assert [s["amount"] for s in slots(park)][:2] == ["32000", "18000"]
    wrong = park.net()
    known = park.now
    report = park.take([Reading("M1", WHEN, RIGHT)], "second.csv").report
    assert report is not None and (report.accepted, report.corrects) == (0, 1)
    (correction,) = report.corrections
    assert (correction.meter, correction.old, correction.new) == ("M1", WRONG, RIGHT)
    assert correction.time == WHEN
    assert park.run().months[0].reasons == {"correction": 1}
    assert_frame_equal(park.net(), on_time.net())
    assert_frame_equal(park.net(as_of=known), wrong)
    assert [s["amount"] for s in slots(park)][:2] == ["25000", "25000"]
    assert {r.reason for r in statement(park).restatements} <= {"correction"}
    shown = [
        (n.params["value"], n.params["file"], n.data["current"])
        for n in park.nodes(f"E1:2025-07:physical:OWN/electricity:{DAY}", "reading")
        if n.params["time"] == WHEN.isoformat()
    ]
    assert shown == [(WRONG, "first.csv", False), (RIGHT, "second.csv", True)]
    park.verified()


def test_duplicate_inside_one_file_is_a_conflict_of_which_the_last_row_counts(on_time: Site, site: Make) -> None:
    park = site("duplicate")
    place = next(i for i, r in enumerate(ALL) if (r.meter, r.time) == ("M1", WHEN))
    report = park.take([*ALL[:place], Reading("M1", WHEN, WRONG), *ALL[place:]]).report
    assert report is not None and (report.accepted, report.conflicts) == (len(ALL), 1)
    (conflict,) = report.conflict_list
    assert (conflict.values, conflict.rows) == ((WRONG, RIGHT), (place + 1, place + 2))
    park.run()
    assert park.bytes() == on_time.bytes()
    shown = [
        (n.params["value"], n.data["current"])
        for n in park.nodes(f"E1:2025-07:physical:OWN/electricity:{DAY}", "reading")
        if n.params["time"] == WHEN.isoformat()
    ]
    assert shown == [(WRONG, False), (RIGHT, True)]


def test_correction_back_to_the_first_value_is_a_third_version(on_time: Site, site: Make) -> None:
    park = site("duplicate")
    park.take(ALL)
    park.run()
    park.take([Reading("M1", WHEN, WRONG)])
    park.run()
    report = park.take([Reading("M1", WHEN, RIGHT)], "back.csv").report
    assert report is not None and report.corrects == 1
    park.run()
    assert_frame_equal(park.net(), on_time.net())
    versions = [
        n.params["value"]
        for n in park.nodes(f"E1:2025-07:physical:OWN/electricity:{DAY}", "reading")
        if n.params["time"] == WHEN.isoformat()
    ]
    assert versions == [RIGHT, WRONG, RIGHT]
    park.verified()


def slots(park: Site) -> list[dict[str, object]]:
    """The quarter hours from 10:00 on the day."""
    account = f"E1:2025-07:physical:OWN/electricity:{DAY}"
    (hour,) = (n for n in park.nodes(account, "hour") if int(n.params["hour"]) == 10)
    return list(hour.data["slots"])
