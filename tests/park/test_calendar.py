"""A month's grid tiles the local month without gap or overlap, also where clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.park.calendar import SLOT_SECONDS, month_grid, month_of, month_start, next_month, previous_month

ZONES = st.sampled_from(["Asia/Shanghai", "UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
MONTHS = st.builds(lambda y, m: y * 100 + m, st.integers(2000, 2030), st.integers(1, 12))


@settings(max_examples=60, deadline=None)
@given(MONTHS, ZONES)
def test_grids_follow_each_other(month: int, zone: str) -> None:
    grid, following = month_grid(month, zone), month_grid(next_month(month), zone)
    assert grid.end == following.start
    assert previous_month(next_month(month)) == month
    assert len(grid.day) == len(grid.quarter) == grid.slots
    assert grid.slots * SLOT_SECONDS == grid.end - grid.start


@settings(max_examples=60, deadline=None)
@given(MONTHS, ZONES, st.data())
def test_each_slot_knows_its_local_day_and_quarter(month: int, zone: str, data: st.DataObject) -> None:
    grid = month_grid(month, zone)
    slot = data.draw(st.integers(0, grid.slots - 1))
    local = datetime.fromtimestamp(grid.start + slot * SLOT_SECONDS, ZoneInfo(zone))
    assert grid.days[grid.day[slot]] == local.date()
    assert grid.quarter[slot] == (local.hour * 60 + local.minute) // 15
    assert grid.slot_start(slot) == local.astimezone(UTC)
    assert month_of(local, zone) == month


@pytest.mark.parametrize(("month", "slots"), [(202503, 31 * 96 - 4), (202510, 31 * 96 + 4), (202506, 30 * 96)])
def test_a_clock_change_makes_a_month_an_hour_shorter_or_longer(month: int, slots: int) -> None:
    assert month_grid(month, "Europe/Berlin").slots == slots


def test_the_last_moment_belongs_to_the_month() -> None:
    end = month_start(202502, "Asia/Shanghai")
    assert month_of(end - timedelta(microseconds=1), "Asia/Shanghai") == 202501
    assert month_of(end, "Asia/Shanghai") == 202502
