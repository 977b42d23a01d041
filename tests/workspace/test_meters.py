"""Single meters: the days of a year, what looked odd and why, what the device said itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from lujin.errors import InputError
from lujin.workspace.meter_days import keep_days
from lujin.workspace.meters import MeterYear, device, meter_list, meter_year, owners, years
from lujin.workspace.registers import month_view

from .small_park import MONTH, START, ZONE, Site, register, text_of, without

GAP = datetime(2025, 7, 4, 6, tzinfo=ZONE), datetime(2025, 7, 4, 12, tzinfo=ZONE)
SWAPPED = """
[[meter]]
id = "M1B"
flow = "F1"
kind = "register"
unit = "kWh"
digits = 6
interval = "15min"
replaces = "M1"
initial = 0
valid_from = 2025-07-06T00:00:00+08:00
"""


def year_of(site: Site, meter: str = "M1", year: int = 2025) -> MeterYear:
    return meter_year(site.open(), meter, year)


def day(found: MeterYear, number: int) -> str:
    return {d.day: d.look for d in found.days}[date(2025, 7, number)]


def test_a_calendar_tells_whole_estimated_missing_and_not_yet(site: Callable[..., Site]) -> None:
    park = site(text=text_of(1))
    park.now = datetime(2025, 7, 15, 12, tzinfo=ZONE)
    park.take(without(register("M1"), *GAP))
    found = year_of(park)
    assert [day(found, n) for n in (3, 4, 12, 20)] == ["whole", "estimated", "missing", "outside"]
    (fourth,) = (d for d in found.days if d.day.day == 4)
    assert (fourth.expected, fourth.estimated, fourth.amount.value) == (96, 25, 2400)
    assert found.total.expected == sum(d.expected for d in found.days) < 31 * 96
    assert years(park.open()) == (2025,)


def test_what_is_kept_equals_what_is_computed_and_a_late_file_makes_it_stale(site: Callable[..., Site]) -> None:
    park = site(text=text_of(2))
    park.take(without(register("M1"), *GAP))
    alone = year_of(park)
    assert keep_days(park.open()) == 1
    assert keep_days(park.open()) == 0
    assert year_of(park) == alone
    park.take([r for r in register("M1") if GAP[0] <= r.time < GAP[1]])
    assert day(year_of(park), 4) == "whole"
    assert keep_days(park.open()) == 1
    assert len(list((park.directory / "derived").glob("days-*"))) == 1


def test_a_run_of_estimates_over_the_border_of_months_is_one_episode(site: Callable[..., Site]) -> None:
    park = site(text=text_of(1))
    hole = datetime(2025, 7, 31, 22, tzinfo=ZONE), datetime(2025, 8, 1, 2, tzinfo=ZONE)
    park.now = datetime(2025, 9, 1, tzinfo=ZONE)
    park.take(without(register("M1", end=datetime(2025, 8, 10, tzinfo=ZONE)), *hole))
    (episode,) = [f for f in year_of(park).findings if f.kind == "estimated"]
    assert (episode.start, episode.end) == (hole[0] - timedelta(minutes=15), hole[1])
    assert episode.energy is not None
    assert episode.slots == 17
    assert episode.energy.value == 425


def test_a_corrected_count_stands_beside_the_one_it_replaced(site: Callable[..., Site]) -> None:
    park = site(text=text_of(1))
    readings = register("M1")
    park.take(readings, "first.csv")
    wrong = readings[100]
    park.take([type(wrong)("M1", wrong.time, wrong.value + 7)], "corrected.csv")
    view = month_view(park.open(), "M1", MONTH)
    at = view.readings.filter(view.readings["time"] == wrong.time.astimezone(UTC))
    assert at["value"].to_list() == [wrong.value, wrong.value + 7]
    assert at["current"].to_list() == [False, True]
    assert at["file"].to_list() == ["first.csv", "corrected.csv"]
    assert view.corrected == 1
    assert view.readings.height == len(readings) + 1


def test_readings_of_an_arrival_taken_back_stand_there_without_a_value(site: Callable[..., Site]) -> None:
    park = site(text=text_of(1))
    park.take(register("M1", end=GAP[0]))
    late = park.take([r for r in register("M1") if GAP[0] < r.time < GAP[1]])
    park.open().undo(late.source, "wrong meter")
    view = month_view(park.open(), "M1", MONTH)
    gone = view.readings.filter(view.readings["value"].is_null())
    assert gone.height == 23
    assert gone["current"].all()
    assert view.standing == len(register("M1", end=GAP[0]))
    assert day(year_of(park), 4) == "partly"


def test_a_register_view_tells_rollover_and_replacement(site: Callable[..., Site]) -> None:
    more = {1: "valid_to = 2025-07-06T00:00:00+08:00\nfinal = 13000"}
    park = site(text=text_of(2, more) + SWAPPED)
    swap = datetime(2025, 7, 6, tzinfo=ZONE)
    park.take([*register("M1", end=swap), *register("M1B", start=swap, initial=0.0)])
    park.take(register("M2", initial=990_000.0))
    (turn,) = (e for e in month_view(park.open(), "M2", MONTH).events if not e.slots)
    assert turn.kind == "rollover"
    assert str(turn.detail["modulus"]) == "1000000.000 kWh"
    (out,) = (e for e in month_view(park.open(), "M1", MONTH).events if not e.slots)
    assert (out.kind, out.start) == ("replacement", swap)
    assert device(park.open().park, "M1").chain == ("M1", "M1B")
    assert day(year_of(park, "M1"), 8) == "outside"
    assert day(year_of(park, "M1B"), 8) == "whole"


def test_the_list_holds_the_meters_of_an_enterprise_with_posted_completeness(site: Callable[..., Site]) -> None:
    park = site(text=text_of(3))
    park.take([*without(register("M1"), *GAP), *register("M2")])
    assert [m.slots for m in meter_list(park.open(), MONTH)] == [None] * 3
    park.run()
    (own,) = meter_list(park.open(), MONTH, "E1")
    assert own.device.meter == "M1"
    assert own.slots is not None
    assert own.slots.estimated == 25
    assert owners(park.open().park)["M2"] == {"E2"}


def test_an_unknown_meter_is_refused(site: Callable[..., Site]) -> None:
    park = site(text=text_of(1))
    with pytest.raises(InputError, match="no meter M9"):
        year_of(park, "M9")
    assert year_of(park).days == ()
    assert month_view(park.open(), "M1", START.year * 100 + 7).readings.is_empty()
