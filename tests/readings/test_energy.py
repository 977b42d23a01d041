"""Interval energy: what must come out when readings are late, missing, rolled over, replaced or cut anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import pytest

from lujin.park.calendar import Grid, month_grid
from lujin.park.model import DayFact
from lujin.readings.energy import Energy, completeness, interval_energy
from lujin.readings.flags import SUSPECT, Flag
from lujin.readings.specs import MeterSpec

ZONE = "Asia/Shanghai"
MARCH = month_grid(202503, ZONE)
APRIL = month_grid(202504, ZONE)
KWH = Fraction(1000)
HOUR, DAY = 3600, 86_400


def frame(rows: Mapping[int, tuple[Sequence[int], Sequence[float]]], quality: int = 0) -> pl.DataFrame:
    """Readings per meter key: times [epoch s] and values."""
    parts = [
        pl.DataFrame(
            {
                "meter": np.full(len(time), key, np.int32),
                "time": np.asarray(time, np.int64) * 1_000_000,
                "value": np.asarray(value, np.float64),
                "quality": np.full(len(time), quality, np.int8),
            }
        )
        for key, (time, value) in rows.items()
    ]
    return pl.concat(parts).with_columns(pl.col("time").cast(pl.Datetime("us", "UTC"))).sort("meter", "time")


def register(key: int = 1, **fields: Any) -> MeterSpec:
    return MeterSpec(key=key, id=f"M{key}", kind="register", base_per_unit=KWH, **fields)


def energy_of(
    time: Sequence[int] | np.ndarray,
    value: Sequence[float] | np.ndarray,
    spec: MeterSpec | None = None,
    grid: Grid = APRIL,
    until: int | None = None,
    days: Mapping[date, DayFact] | None = None,
) -> Energy:
    """One meter; readings of the month and one boundary row on each side, as the store gives them."""
    time, value = np.asarray(time, np.int64), np.asarray(value, np.float64)
    lo = max(int(np.searchsorted(time, grid.start)) - 1, 0)
    hi = int(np.searchsorted(time, grid.end)) + 1
    spec = spec or register()
    return interval_energy(frame({spec.key: (time[lo:hi], value[lo:hi])}), [spec], grid, days or {}, until)


def steady(start: int, end: int, kwh_per_hour: float = 100.0, step: int = 900) -> tuple[np.ndarray, np.ndarray]:
    """A register that counts evenly."""
    time = np.arange(start, end + 1, step)
    return time, 5000 + (time - start) / HOUR * kwh_per_hour


def hours(energy: Energy, meter: int = 0) -> np.ndarray:
    return energy.amount[meter].reshape(-1, 4).sum(axis=1)


def has(energy: Energy, flag: Flag, meter: int = 0) -> np.ndarray:
    found: np.ndarray = (energy.flags[meter] & int(flag)) != 0
    return found


def kinds(energy: Energy) -> list[str]:
    return [event.kind for event in energy.events]


# The table of messes ---------------------------------------------------------------------------------------


def test_on_time_readings_give_100_kwh_in_every_hour_without_a_flag() -> None:
    energy = energy_of(*steady(APRIL.start, APRIL.end))
    assert (hours(energy) == 100_000).all()
    assert not energy.flags.any()
    assert energy.events == ()


def test_buffered_outage_gives_the_same_as_on_time_arrival_in_any_row_order() -> None:
    time, value = steady(APRIL.start, APRIL.start + 10 * DAY)
    on_time = energy_of(time, value)
    late = np.argsort((time // (2 * DAY)) % 2, kind="stable")
    shuffled = frame({1: (time, value)})[late]
    again = interval_energy(shuffled, [register()], APRIL, {}, None)
    assert (again.amount == on_time.amount).all()
    assert (again.flags == on_time.flags).all()


def six_hour_hole() -> tuple[np.ndarray, np.ndarray, int]:
    time, value = steady(APRIL.start, APRIL.start + 10 * DAY)
    hole = APRIL.start + 4 * DAY + 10 * HOUR
    keep = (time <= hole) | (time > hole + 6 * HOUR)
    return time[keep], value[keep], (hole - APRIL.start) // HOUR


@pytest.mark.parametrize("capacity", [None, 150_000])
def test_six_hour_hole_never_filled_keeps_100_kwh_in_each_of_seven_hours(capacity: int | None) -> None:
    time, value, hour = six_hour_hole()
    energy = energy_of(time, value, register(capacity_base_per_hour=capacity))
    assert (hours(energy)[hour : hour + 7] == 100_000).all()
    wholly_estimated = has(energy, Flag.ESTIMATED).reshape(-1, 4).all(axis=1)
    assert np.flatnonzero(wholly_estimated).tolist() == list(range(hour, hour + 6))
    assert not has(energy, SUSPECT).any()
    assert energy.amount.sum() == 10 * 24 * 100_000


def test_backfilled_hole_gives_the_measured_values() -> None:
    time, value, _ = six_hour_hole()
    full_time, full_value = steady(APRIL.start, APRIL.start + 10 * DAY)
    filled = energy_of(full_time, full_value)
    assert energy_of(time, value).amount.sum() == filled.amount.sum()
    assert not has(filled, Flag.ESTIMATED).any()


def test_load_step_inside_an_interval_is_interpolated_without_an_hour_shift() -> None:
    # Hourly readings on the half hour; the load steps from 60 to 120 kWh/h at a full hour, inside an interval.
    time = np.arange(APRIL.start + 1800, APRIL.start + 2 * DAY, HOUR)
    step = APRIL.start + 30 * HOUR
    value = (
        60 * np.minimum(time - APRIL.start, step - APRIL.start) / HOUR + 120 * np.maximum(time - step, 0) / HOUR
    )
    energy = energy_of(time, value, register(interval_s=3600))
    found = hours(energy)
    assert found[28] == 60_000
    assert (found[29], found[30]) == (30_000 + 45_000, 45_000 + 60_000)
    assert found[31] == 120_000
    assert has(energy, Flag.INTERPOLATED)[8:120].all()


def test_rollover_at_six_digits_is_exact_and_reported() -> None:
    time, value = steady(APRIL.start, APRIL.end)
    value = (value + 980_000) % 1_000_000
    energy = energy_of(time, value, register(modulus=Fraction(10**6)))
    assert (hours(energy) == 100_000).all()
    assert has(energy, Flag.ROLLOVER).sum() == 1
    assert kinds(energy) == ["rollover"]
    assert energy.events[0].detail["modulus"] == 10**9
    assert not has(energy, SUSPECT).any()


def test_rollover_during_an_outage_is_exact() -> None:
    time, value = steady(APRIL.start, APRIL.end)
    value = (value + 980_000) % 1_000_000
    turn = int(np.flatnonzero(np.diff(value) < 0)[0])
    keep = np.ones(len(time), bool)
    keep[turn - 90 : turn + 90] = False
    energy = energy_of(time[keep], value[keep], register(modulus=Fraction(10**6)))
    assert (hours(energy) == 100_000).all()
    assert has(energy, Flag.ROLLOVER).sum() == has(energy, Flag.ESTIMATED).sum() == 181


def test_replaced_meter_with_stated_counts_is_exact_on_both_devices() -> None:
    swap = APRIL.start + 9 * DAY + 10 * HOUR + 420  # seven minutes past ten
    before, after = np.arange(APRIL.start, swap, 900), np.arange(swap + 480, APRIL.end + 1, 900)
    final = Decimal(7000) + Decimal((swap - APRIL.start) * 100) / HOUR
    old = register(1, valid_to=swap, final=round(final, 6), replaced_by="M2")
    new = register(2, valid_from=swap, initial=Decimal("12.5"), replaces="M1")
    readings = frame(
        {
            1: (before, 7000 + (before - APRIL.start) / HOUR * 100),
            2: (after, 12.5 + (after - swap) / HOUR * 100),
        }
    )
    energy = interval_energy(readings, [old, new], APRIL, {}, None)
    assert (energy.amount.sum(axis=0).reshape(-1, 4).sum(axis=1) == 100_000).all()
    assert not has(energy, Flag.ESTIMATED | Flag.MISSING | Flag.PARTIAL, 0).any()
    assert not has(energy, Flag.ESTIMATED | Flag.MISSING | Flag.PARTIAL, 1).any()
    assert kinds(energy) == ["replacement", "replacement"]
    slot = (swap - APRIL.start) // 900
    assert has(energy, Flag.REPLACED, 0).nonzero()[0].tolist() == [slot]
    assert has(energy, Flag.REPLACED, 1).nonzero()[0].tolist() == [slot]
    assert completeness(energy)["expected"].to_list() == [slot + 1, APRIL.slots - slot]


def test_replaced_meter_without_stated_counts_is_estimated_around_the_swap() -> None:
    swap = APRIL.start + 9 * DAY + 10 * HOUR
    before, after = np.arange(APRIL.start, swap - 1800, 900), np.arange(swap + 900, APRIL.end + 1, 900)
    old = register(1, valid_to=swap, replaced_by="M2")
    new = register(2, valid_from=swap, replaces="M1")
    readings = frame({1: (before, before / 36.0 % 1e6), 2: (after, (after - swap) / 36.0)})
    energy = interval_energy(readings, [old, new], APRIL, {}, None)
    slot = (swap - APRIL.start) // 900
    assert has(energy, Flag.ESTIMATED, 0).nonzero()[0].tolist() == [slot - 3, slot - 2, slot - 1]
    assert has(energy, Flag.ESTIMATED, 1).nonzero()[0].tolist() == [slot]
    assert has(energy, Flag.REPLACED, 0).sum() == 3
    assert (energy.amount.sum(axis=0).reshape(-1, 4).sum(axis=1) == 100_000).all()


def test_of_two_readings_at_one_second_the_last_counts() -> None:
    time, value = steady(APRIL.start, APRIL.end)
    twice = frame({1: (np.append(time, time[50]), np.append(value, value[50] + 3))})
    energy = interval_energy(twice, [register()], APRIL, {}, None)
    assert energy.amount[0, 49:51].tolist() == [28_000, 22_000]


# Registers that step back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [9_000.0, -5_100.0])
def test_single_bad_reading_is_bridged_and_the_total_is_exact(offset: float) -> None:
    time, value = steady(APRIL.start, APRIL.end)
    value[500] += offset
    energy = energy_of(time, value)
    assert (hours(energy) == 100_000).all()
    assert has(energy, Flag.SPIKE).nonzero()[0].tolist() == [499, 500]
    assert has(energy, Flag.ESTIMATED).sum() == 2
    assert kinds(energy) == ["spike"]
    assert energy.events[0].detail["readings"] == 1


def test_run_of_bad_readings_is_bridged() -> None:
    time, value = steady(APRIL.start, APRIL.end)
    value[500:510] += 40_000
    energy = energy_of(time, value)
    assert (hours(energy) == 100_000).all()
    assert has(energy, Flag.SPIKE).sum() == 11


def test_small_step_back_is_kept_negative_and_the_total_telescopes() -> None:
    time, value = steady(APRIL.start, APRIL.end)
    value[700] = value[699] - 3
    energy = energy_of(time, value)
    assert energy.amount[0, 699:701].tolist() == [-3_000, 53_000]
    assert has(energy, Flag.NEGATIVE).nonzero()[0].tolist() == [699]
    assert kinds(energy) == ["backwards"]
    assert energy.amount.sum() == 30 * 24 * 100_000


def test_reset_counts_from_zero_when_that_is_plausible() -> None:
    time, value = steady(APRIL.start, APRIL.end)
    value[800:] -= value[800] - 20
    energy = energy_of(time, value)
    assert energy.amount[0, 799] == 20_000
    assert has(energy, Flag.RESET).nonzero()[0].tolist() == [799]
    assert kinds(energy) == ["reset"]
    assert energy.amount.sum() == 30 * 24 * 100_000 - 5_000


def test_reset_to_an_unknown_count_is_estimated_from_similar_days() -> None:
    time, value = steady(APRIL.start, APRIL.end)
    value[800:] -= 3_000
    energy = energy_of(time, value)
    assert energy.amount[0, 799] == 25_000
    assert has(energy, Flag.RESET).nonzero()[0].tolist() == [799]
    assert has(energy, Flag.ESTIMATED).nonzero()[0].tolist() == [799]


def test_register_that_counts_both_ways_keeps_every_step() -> None:
    time = np.arange(APRIL.start, APRIL.end + 1, 900)
    value = 500 + 200 * np.sin(2 * np.pi * (time % DAY) / DAY)
    energy = energy_of(time, value)
    assert energy.amount.sum() == np.rint(value[-1] * 1000) - np.rint(value[0] * 1000)
    assert has(energy, Flag.NEGATIVE).mean() > 0.4
    assert not has(energy, Flag.SPIKE | Flag.RESET | Flag.ESTIMATED).any()
    assert kinds(energy) == ["backwards"]
    assert energy.events[0].detail["steps"] == has(energy, Flag.NEGATIVE).sum()


def test_rollover_is_seen_under_a_capacity_that_is_stated_too_low() -> None:
    time, value = steady(APRIL.start, APRIL.end)
    spec = register(modulus=Fraction(10**6), capacity_base_per_hour=60_000)
    energy = energy_of(time, (value + 980_000) % 1_000_000, spec)
    assert (hours(energy) == 100_000).all()
    assert kinds(energy) == ["rollover"]
    assert has(energy, Flag.RANGE).all()


def test_gap_is_estimated_without_the_slots_that_are_suspect() -> None:
    time = np.arange(APRIL.start, APRIL.end, 900)
    value = np.where(time == APRIL.start + DAY, 900.0, 1.0 + (np.arange(len(time)) % 5) / 100)
    value[96 * 20 : 96 * 21] *= -1
    keep = (time < APRIL.start + 9 * DAY) | (time >= APRIL.start + 10 * DAY)
    energy = energy_of(time[keep], value[keep], interval(capacity_base_per_hour=100_000))
    assert (np.abs(energy.amount[0, 96 * 9 : 96 * 10] - 1_020) < 10).all()


def test_register_that_counts_both_ways_keeps_its_energy_in_a_gap() -> None:
    time = np.arange(APRIL.start, APRIL.end + 1, 900)
    value = 500 + 200 * np.sin(2 * np.pi * (time % DAY) / DAY)
    keep = np.ones(len(time), bool)
    keep[1000:1030] = False
    energy = energy_of(time[keep], value[keep])
    assert energy.amount[0, 999:1030].sum() == np.rint(value[1030] * 1000) - np.rint(value[999] * 1000)


def test_unreadable_values_are_reported_and_bridged() -> None:
    time, value = steady(APRIL.start, APRIL.end)
    value[300], value[301] = np.nan, 1e300
    energy = energy_of(time, value)
    assert (hours(energy) == 100_000).all()
    assert kinds(energy) == ["unreadable", "unreadable"]
    assert has(energy, Flag.ESTIMATED).sum() == 3


def test_counts_beyond_the_precision_of_floats_are_exact() -> None:
    time = np.arange(APRIL.start, APRIL.end + 1, 900)
    value = 4_000_000_000_000_000.0 + np.arange(len(time)) * 3.0
    spec = replace(register(), base_per_unit=Fraction(7))
    assert (energy_of(time, value, spec).amount == 21).all()


def test_register_gap_is_spread_like_the_meter_s_own_days() -> None:
    time = np.arange(APRIL.start, APRIL.end + 1, 900)
    day = (time - APRIL.start) // DAY % 30
    rest = np.array([d.weekday() >= 5 for d in APRIL.days])[day]
    load = np.where(rest, 2, 8) * (1 + (time - APRIL.start) % DAY // 900 // 32)
    value = np.concatenate([[0], np.cumsum(load[:-1])])
    keep = np.ones(len(time), bool)
    keep[96 * 10 + 5 : 96 * 11 + 50] = False  # a Friday and a half Saturday
    energy = energy_of(time[keep], value[keep])
    assert (np.abs(energy.amount[0] - load[:-1] * 1000) <= 1).all()
    assert energy.amount.sum() == value[-1] * 1000
    assert has(energy, Flag.ESTIMATED).sum() == 96 + 45 + 1


def test_reading_that_comes_a_third_late_makes_no_gap() -> None:
    time, value = steady(APRIL.start, APRIL.end, step=1200)
    energy = energy_of(time, value)
    assert not has(energy, Flag.ESTIMATED).any()
    assert has(energy, Flag.INTERPOLATED).all()


def test_interval_that_starts_when_the_meter_is_gone_does_not_count() -> None:
    end = APRIL.start + 2 * DAY
    time = np.arange(APRIL.start, APRIL.start + 3 * DAY, 900)
    energy = energy_of(time, np.ones(len(time)), interval(valid_to=end))
    assert energy.amount.sum() == 2 * 96 * 1_000
    assert energy.events[0].detail == {"readings": 96}


# Interval and power meters ---------------------------------------------------------------------------------


def interval(kind: Any = "interval", step: int = 900, **fields: Any) -> MeterSpec:
    return MeterSpec(key=1, id="M1", kind=kind, base_per_unit=KWH, interval_s=step, **fields)


def test_quarter_hour_intervals_are_taken_as_they_are() -> None:
    time = np.arange(APRIL.start, APRIL.end, 900)
    value = (np.arange(len(time)) % 40) / 8
    energy = energy_of(time, value, interval())
    assert (energy.amount[0] == value * 1000).all()
    assert not energy.flags.any()


def test_power_is_mean_power_times_hours() -> None:
    time = np.arange(APRIL.start, APRIL.end, 60)
    energy = energy_of(time, np.full(len(time), 33.3), interval("power", 60))
    assert (energy.amount == 8_325).all()
    assert not energy.flags.any()


def test_short_intervals_are_rounded_once_per_slot() -> None:
    time = np.arange(APRIL.start, APRIL.end, 60)
    energy = energy_of(time, np.full(len(time), 0.0004), interval(step=60))
    assert (energy.amount == 6).all()  # fifteen times 0.4 Wh


def test_hourly_intervals_are_spread_evenly_and_add_up() -> None:
    time = np.arange(APRIL.start, APRIL.end, HOUR)
    energy = energy_of(time, np.full(len(time), 10.001), interval(step=HOUR))
    assert (hours(energy) == 10_001).all()
    assert np.ptp(energy.amount) == 1
    assert has(energy, Flag.INTERPOLATED).all()


def test_monthly_interval_covers_the_local_month() -> None:
    times = [MARCH.start, APRIL.start, APRIL.end]
    march = energy_of(times, [310.0, 300.0, 1.0], interval(step=0), MARCH)
    april = energy_of(times, [310.0, 300.0, 1.0], interval(step=0), APRIL)
    assert (march.amount.sum(), april.amount.sum()) == (310_000, 300_000)
    assert not has(march, Flag.MISSING | Flag.PARTIAL).any()


def test_interval_gap_is_estimated_from_similar_days_and_never_zero() -> None:
    time = np.arange(APRIL.start, APRIL.end, 900)
    quarter = (time - APRIL.start) % DAY // 900
    rest = np.array([d.weekday() >= 5 for d in APRIL.days])[(time - APRIL.start) // DAY]
    value = (10 + quarter) * np.where(rest, 1, 5)
    gap = slice(96 * 10, 96 * 12)  # Friday and Saturday
    keep = np.ones(len(time), bool)
    keep[gap] = False
    energy = energy_of(time[keep], value[keep], interval())
    assert (energy.amount[0] == value * 1000).all()
    assert has(energy, Flag.ESTIMATED).nonzero()[0].tolist() == list(range(gap.start, gap.stop))


def test_holidays_are_similar_to_weekends() -> None:
    time = np.arange(APRIL.start, APRIL.end, 900)
    holiday = date(2025, 4, 10)
    rest = np.array([d.weekday() >= 5 or d == holiday for d in APRIL.days])[(time - APRIL.start) // DAY]
    value = np.where(rest, 1.0, 5.0)
    keep = (time < APRIL.start + 9 * DAY) | (time >= APRIL.start + 10 * DAY)
    days = {holiday: DayFact(day=holiday, holiday=True)}
    energy = energy_of(time[keep], value[keep], interval(), days=days)
    assert (energy.amount[0, 96 * 9 : 96 * 10] == 1_000).all()


def test_leading_and_trailing_gaps_stay_missing() -> None:
    time = np.arange(APRIL.start + 5 * DAY, APRIL.end - 3 * DAY, 900)
    energy = energy_of(time, np.ones(len(time)), interval())
    missing = has(energy, Flag.MISSING)
    assert missing[: 5 * 96].all()
    assert missing[-3 * 96 :].all()
    assert missing.sum() == 8 * 96
    assert not energy.amount[0, missing].any()


def test_gap_at_the_month_border_is_estimated_when_a_reading_lies_beyond() -> None:
    time = np.concatenate(
        [np.arange(APRIL.start - 2 * DAY, APRIL.start - DAY, 900), np.arange(APRIL.start + DAY, APRIL.end, 900)]
    )
    energy = energy_of(time, np.ones(len(time)), interval())
    assert has(energy, Flag.ESTIMATED).sum() == 96
    assert not has(energy, Flag.MISSING).any()
    assert (energy.amount == 1_000).all()


def test_interval_gap_of_more_than_31_days_stays_missing() -> None:
    time = np.concatenate(
        [
            np.arange(APRIL.start - 25 * DAY, APRIL.start - 20 * DAY, 900),
            np.arange(APRIL.start + 20 * DAY, APRIL.end, 900),
        ]
    )
    energy = energy_of(time, np.ones(len(time)), interval())
    assert has(energy, Flag.MISSING).sum() == 20 * 96


def test_month_without_a_profile_stays_missing_for_intervals_and_is_even_for_registers() -> None:
    outer = [APRIL.start - 900, APRIL.end]
    assert has(energy_of(outer, [1.0, 1.0], interval()), Flag.MISSING).all()
    energy = energy_of(outer, [0.0, 72_025.0])
    assert has(energy, Flag.ESTIMATED).all()
    assert (energy.amount == 25_000).all()


def test_hourly_values_declared_as_quarter_hours_are_not_multiplied() -> None:
    time = np.arange(APRIL.start, APRIL.end, HOUR)
    energy = energy_of(time, np.full(len(time), 10.0), interval())
    assert energy.amount.sum() == len(time) * 10_000
    assert has(energy, Flag.MISSING).mean() == 0.75
    assert kinds(energy) == ["spacing"]
    assert energy.events[0].detail == {"expected_s": 900, "found_s": 3600}


def test_overlapping_intervals_keep_their_energy_and_are_flagged() -> None:
    time = np.append(np.arange(APRIL.start, APRIL.end, 900), APRIL.start + 4500 + 300)
    order = np.argsort(time)
    energy = energy_of(time[order], np.ones(len(time)), interval())
    assert energy.amount.sum() == len(time) * 1_000
    assert has(energy, Flag.OVERLAP).nonzero()[0].tolist() == [5]


def test_clock_jitter_opens_no_holes() -> None:
    jitter = np.random.default_rng(3).integers(0, 9, APRIL.slots)
    time = np.arange(APRIL.start, APRIL.end, 900) + jitter
    for kind in ("interval", "power"):
        energy = energy_of(time, np.full(len(time), 4.0), interval(kind))
        assert not has(energy, Flag.ESTIMATED | Flag.OVERLAP | Flag.MISSING).any()
        assert abs(energy.amount[0, 1:-1].mean() - (4_000 if kind == "interval" else 1_000)) < 5


# Expected, partial, manual ---------------------------------------------------------------------------------


def test_slots_after_the_known_time_are_not_expected() -> None:
    now = APRIL.start + 10 * DAY
    energy = energy_of(*steady(APRIL.start, now - HOUR), until=now)
    assert has(energy, Flag.MISSING).sum() == 4
    assert has(energy, Flag.OUTSIDE).sum() == 20 * 96
    row = completeness(energy).row(0, named=True)
    assert (row["expected"], row["measured"], row["missing"]) == (960, 956, 4)


def test_slots_outside_validity_are_not_expected_and_readings_there_are_reported() -> None:
    spec = register(valid_from=APRIL.start + DAY, valid_to=APRIL.start + 3 * DAY)
    energy = energy_of(*steady(APRIL.start, APRIL.end), spec)
    assert energy.amount.sum() == 48 * 100_000
    assert has(energy, Flag.OUTSIDE).sum() == 28 * 96
    assert not has(energy, Flag.MISSING | Flag.PARTIAL).any()
    assert kinds(energy) == ["outside_validity"]


def test_slot_measured_in_part_is_partial() -> None:
    energy = energy_of(*steady(APRIL.start + 600, APRIL.start + DAY + 600))
    assert has(energy, Flag.PARTIAL).nonzero()[0].tolist() == [0, 96]
    assert energy.amount[0, [0, 1, 96]].tolist() == [8_333, 25_000, 16_667]
    assert energy.amount.sum() == 24 * 100_000


def test_meter_without_readings_is_missing_not_zero() -> None:
    readings = frame({1: steady(APRIL.start, APRIL.end)})
    energy = interval_energy(readings, [register(2), register(1)], APRIL, {}, None)
    assert energy.meters == ("M2", "M1")
    assert has(energy, Flag.MISSING, 0).all()
    assert not energy.flags[1].any()


def test_supplier_estimates_and_manual_readings_are_flagged() -> None:
    time, value = steady(APRIL.start, APRIL.end)
    readings = frame({1: (time, value)}).with_columns(
        quality=pl.Series(np.where(time == time[100], 1, np.where(time == time[200], 2, 0)), dtype=pl.Int8)
    )
    energy = interval_energy(readings, [register()], APRIL, {}, None)
    assert has(energy, Flag.ESTIMATED).nonzero()[0].tolist() == [99, 100]
    assert has(energy, Flag.MANUAL).nonzero()[0].tolist() == [199, 200]


def test_hourly_registers_are_interpolated_not_gaps() -> None:
    energy = energy_of(*steady(APRIL.start, APRIL.end, step=HOUR), register(interval_s=HOUR))
    assert has(energy, Flag.INTERPOLATED).all()
    assert not has(energy, Flag.ESTIMATED).any()
    assert completeness(energy)["interpolated"].item() == APRIL.slots


def test_completeness_adds_up() -> None:
    time, value, _ = six_hour_hole()
    row = completeness(energy_of(time, value)).row(0, named=True)
    assert row["expected"] == row["measured"] + row["interpolated"] + row["estimated"] + row["missing"]
    assert row["estimated"] == 25
    assert row["estimated_amount"] == 25 * 25_000
    assert row["missing"] == 20 * 96


# Months ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hole_days", [0, 1, 9, 45])
def test_two_months_add_up_exactly_across_a_gap(hole_days: int) -> None:
    time = np.arange(MARCH.start + 333, month_grid(202505, ZONE).end, 1100)
    border = APRIL.start - DAY
    time = time[(time < border) | (time > border + hole_days * DAY)]
    value = np.round(np.cumsum(np.random.default_rng(hole_days).gamma(2, 3, len(time))), 2)
    total = sum(
        int(energy_of(time, value, grid=month_grid(m, ZONE)).amount.sum()) for m in (202503, 202504, 202505)
    )
    may_end = month_grid(202505, ZONE).end
    full = energy_of(time, value, grid=month_grid(202505, ZONE))
    assert full.grid.end == may_end
    assert total == int(np.rint(value[-1] * 1000)) - int(np.rint(value[0] * 1000))


def test_summer_time_month_has_its_hours() -> None:
    grid = month_grid(202503, "Europe/Berlin")
    energy = energy_of(*steady(grid.start, grid.end), grid=grid)
    assert energy.amount.shape == (1, 31 * 96 - 4)
    assert energy.amount.sum() == (31 * 24 - 1) * 100_000
    hole = energy_of(*(a[np.r_[0:1500, 2900:2973]] for a in steady(grid.start, grid.end)), grid=grid)
    assert hole.amount.sum() == (31 * 24 - 1) * 100_000
