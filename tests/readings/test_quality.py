"""Quality checks flag what is odd for this very meter, and leave every value as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lujin.park.calendar import month_grid
from lujin.readings.energy import rest_days
from lujin.readings.flags import Flag
from lujin.readings.quality import check, check_bounds
from lujin.readings.specs import MeterSpec

GRID = month_grid(202504, "Asia/Shanghai")
REST = rest_days(GRID, {})
QUARTER = GRID.quarter.astype(int)
WORK = ~REST[GRID.day]


def spec(**fields: Any) -> MeterSpec:
    return MeterSpec(key=1, id="M1", **fields)


def factory(seed: int = 0) -> np.ndarray:
    """A one-shift works [Wh per slot]: 5 kWh at night and on rest days, up to 60 by day, noisy."""
    shift = np.clip(np.sin((QUARTER - 24) / 52 * np.pi), 0, None) * WORK
    noise = np.random.default_rng(seed).normal(1, 0.05, GRID.slots)
    return np.rint((5_000 + 55_000 * shift) * noise).astype(np.int64)


def found(amount: np.ndarray, flag: Flag, measured: np.ndarray | None = None, **fields: Any) -> np.ndarray:
    """Slots that carry the flag."""
    known = np.ones(GRID.slots, np.bool_) if measured is None else measured
    flags = check(amount[None], known[None], [spec(**fields)], REST, GRID)[0]
    return np.flatnonzero(flags & int(flag))


def day(number: int, hour: float = 0) -> int:
    """First slot of an hour on a day of April."""
    return (number - 1) * 96 + int(hour * 4)


def test_a_usual_month_has_no_flag() -> None:
    for seed in range(5):
        flags = check(factory(seed)[None], np.ones((1, GRID.slots), np.bool_), [spec()], REST, GRID)
        assert not flags.any()


def test_checks_change_no_value() -> None:
    amount = factory()
    amount[100] *= 50
    before = amount.copy()
    check(amount[None], np.ones((1, GRID.slots), np.bool_), [spec()], REST, GRID)
    assert (amount == before).all()


def test_isolated_peak_is_a_spike() -> None:
    amount = factory()
    amount[day(9, 3)] *= 9
    assert found(amount, Flag.SPIKE).tolist() == [day(9, 3)]


def test_peaks_that_the_meter_always_makes_are_no_spikes() -> None:
    amount = factory()
    amount[day(1, 3) :: 96] *= 9
    assert not len(found(amount, Flag.SPIKE))


def test_the_only_load_of_a_meter_at_rest_is_no_spike() -> None:
    amount = np.zeros(GRID.slots, np.int64)
    amount[day(9, 3)] = 5_000
    assert not len(found(amount, Flag.SPIKE))


def test_hourly_peak_is_one_spike_of_four_slots() -> None:
    hourly = factory().reshape(-1, 4).mean(axis=1).astype(np.int64)
    hourly[24 * 8 + 2] *= 12
    amount = np.repeat(hourly, 4)
    assert found(amount, Flag.SPIKE, interval_s=3600).tolist() == list(range(day(9, 2), day(9, 3)))


def test_standstill_where_the_meter_moves_is_flagged() -> None:
    amount = factory()
    amount[day(8, 10) : day(9, 12)] = 31_234
    assert found(amount, Flag.FLATLINE).tolist() == list(range(day(8, 10), day(9, 12)))


@pytest.mark.parametrize("constant", [0, 700])
def test_a_meter_that_is_always_constant_is_not_flagged(constant: int) -> None:
    assert not len(found(np.full(GRID.slots, constant), Flag.FLATLINE))


def test_nights_without_sun_are_no_standstill() -> None:
    amount = np.where((QUARTER > 28) & (QUARTER < 72), factory(), 0)
    assert not len(found(amount, Flag.FLATLINE))


def test_a_day_of_zeros_of_a_meter_that_often_rests_is_flagged_only_after_24_hours() -> None:
    amount = np.where((QUARTER > 28) & (QUARTER < 72), factory(), 0)
    amount[day(9, 7) : day(9, 15)] = 0
    assert len(found(amount, Flag.FLATLINE)) == 0 or found(amount, Flag.FLATLINE)[0] < day(9)
    amount[day(9) : day(11)] = 0
    assert set(range(day(9), day(11))) <= set(found(amount, Flag.FLATLINE).tolist())


def sells_surplus(*idle: int) -> np.ndarray:
    """An export meter: sun on every day but the ``idle`` ones, when the works takes all of it."""
    amount = np.where((QUARTER >= 28) & (QUARTER < 72), 3_000 + 17 * (np.arange(GRID.slots) % 53), 0)
    for number in idle:
        amount[day(number) : day(number + 1)] = 0
    return amount


def test_idle_days_of_a_meter_that_is_often_idle_are_no_standstill() -> None:
    assert not len(found(sells_surplus(3, 4, 9, 10, 11, 16, 17, 23, 24, 25), Flag.FLATLINE))


def test_a_meter_that_died_is_flagged_although_it_was_idle_for_a_day_before() -> None:
    dead = found(sells_surplus(3, *range(12, 31)), Flag.FLATLINE)
    assert set(range(day(12), day(31))) <= set(dead.tolist())


def test_rest_days_do_not_excuse_a_standstill_on_working_days() -> None:
    amount = factory() * WORK  # nothing at all on weekends
    amount[day(8) : day(10)] = 0
    assert set(range(day(8), day(10))) <= set(found(amount, Flag.FLATLINE).tolist())


def test_unmeasured_slots_are_no_standstill() -> None:
    amount, measured = factory(), np.ones(GRID.slots, np.bool_)
    amount[day(8) : day(10)], measured[day(8) : day(10)] = 0, False
    assert not len(found(amount, Flag.FLATLINE | Flag.UNIT_JUMP, measured))


@pytest.mark.parametrize(("numerator", "denominator"), [(1000, 1), (1, 1000), (1, 36)])
def test_level_off_by_a_unit_is_flagged(numerator: int, denominator: int) -> None:
    amount = factory()
    wrong = slice(day(8, 10), day(10, 14))
    amount[wrong] = amount[wrong] * numerator // denominator
    marked = set(found(amount, Flag.UNIT_JUMP).tolist())
    assert set(range(day(8, 12), day(10, 12))) <= marked
    assert marked <= set(range(wrong.start, wrong.stop))


def test_a_day_of_rest_is_no_unit_jump() -> None:
    amount = factory()
    amount[day(9) : day(10)] = 900
    assert not len(found(amount, Flag.UNIT_JUMP))


@pytest.mark.parametrize("lag", [-4, 4])
def test_clock_an_hour_off_for_a_week_is_flagged_in_whole_days(lag: int) -> None:
    amount = factory()
    late = slice(day(14), day(19))
    amount[late] = factory()[late.start - lag : late.stop - lag]
    marked = found(amount, Flag.CLOCK)
    assert set(marked // 96 + 1) == {14, 15, 16, 17, 18}
    assert len(marked) == 5 * 96


def test_two_late_days_are_no_clock_error() -> None:
    amount = factory()
    amount[day(14) : day(16)] = factory()[day(14) - 4 : day(16) - 4]
    assert not len(found(amount, Flag.CLOCK))


def test_days_off_by_different_times_are_no_clock_error() -> None:
    amount = factory()
    for number, lag in ((14, 2), (15, 5), (16, 8), (17, 3)):
        amount[day(number) : day(number + 1)] = factory()[day(number) - lag : day(number + 1) - lag]
    assert not len(found(amount, Flag.CLOCK))


def test_more_than_the_capacity_and_less_than_nothing_are_flagged() -> None:
    amount = np.array([[100, 251, 252, -5, -260]])
    flags = check_bounds(amount, [spec(capacity_base_per_hour=1000)])[0]
    assert np.flatnonzero(flags & int(Flag.RANGE)).tolist() == [2, 4]
    assert np.flatnonzero(flags & int(Flag.NEGATIVE)).tolist() == [3, 4]
    assert not check_bounds(amount, [spec()])[0, 2]
