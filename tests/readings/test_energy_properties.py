"""Laws of interval energy that hold for any readings."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.park.calendar import Grid, month_grid
from lujin.park.carriers import to_base
from lujin.readings.energy import Energy, completeness, interval_energy
from lujin.readings.flags import Flag
from lujin.readings.specs import MeterSpec

APRIL = month_grid(202504, "Asia/Shanghai")
MAY = month_grid(202505, "Asia/Shanghai")
FEW = settings(max_examples=25, deadline=None)


def frame(key: int, time: np.ndarray, value: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "meter": np.full(len(time), key, np.int32),
            "time": np.asarray(time, np.int64) * 1_000_000,
            "value": np.asarray(value, np.float64),
            "quality": np.zeros(len(time), np.int8),
        }
    ).with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))


def compute(
    time: np.ndarray, value: np.ndarray, grid: Grid = APRIL, scale: Fraction = Fraction(1000), **fields: Any
) -> Energy:
    spec = MeterSpec(key=1, id="M1", **{"kind": "register", "base_per_unit": scale, **fields})
    return interval_energy(frame(1, time, value), [spec], grid, {}, None)


def random_register(seed: int, start: int, end: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Readings at any seconds; energies in Wh from nothing to a lot."""
    rng = np.random.default_rng(seed)
    inner = rng.choice(np.arange(start + 1, end), size=count, replace=False)
    time = np.sort(np.concatenate([[start], inner, [end]]))
    counts = 10_000_000 + np.cumsum(rng.gamma(0.5, 40_000, len(time)).astype(np.int64))
    return time, counts


seeds = st.integers(0, 2**32 - 1)


@FEW
@given(seed=seeds, count=st.integers(3, 3000), keep=st.floats(0, 1))
def test_leaving_out_readings_keeps_the_total(seed: int, count: int, keep: float) -> None:
    time, counts = random_register(seed, APRIL.start, APRIL.end, count)
    kept = np.random.default_rng(seed + 1).random(len(time)) < keep
    kept[[0, -1]] = True
    total = int(counts[-1] - counts[0])
    assert compute(time, counts / 1000).amount.sum() == total
    assert compute(time[kept], counts[kept] / 1000).amount.sum() == total


@FEW
@given(seed=seeds, count=st.integers(0, 500), interval_s=st.sampled_from([900, 3600, 86_400]))
def test_two_months_add_up_to_the_register(seed: int, count: int, interval_s: int) -> None:
    time, counts = random_register(seed, APRIL.start, MAY.end, count)
    border = int(np.searchsorted(time, APRIL.end))
    april = compute(time[: border + 1], counts[: border + 1] / 1000, APRIL, interval_s=interval_s)
    may = compute(time[border - 1 :], counts[border - 1 :] / 1000, MAY, interval_s=interval_s)
    assert april.amount.sum() + may.amount.sum() == counts[-1] - counts[0]
    assert not (april.flags & int(Flag.MISSING)).any()


@FEW
@given(seed=seeds, count=st.integers(3, 500))
def test_energy_does_not_depend_on_the_unit_of_the_reading(seed: int, count: int) -> None:
    time, counts = random_register(seed, APRIL.start, APRIL.end, count)
    units = {unit: to_base(unit, "heat") for unit in ("kJ", "MJ", "GJ", "kWh", "MWh")}
    found = [compute(time, counts * 3600 / float(scale), scale=scale) for scale in units.values()]
    for energy in found[1:]:
        assert (energy.amount == found[0].amount).all()
        assert (energy.flags == found[0].flags).all()


@FEW
@given(seed=seeds, parts=st.sampled_from([2, 3, 4, 6, 12]))
def test_splitting_intervals_keeps_every_hour(seed: int, parts: int) -> None:
    hourly = np.random.default_rng(seed).integers(0, 10**6, APRIL.slots // 4) * 12
    time = np.arange(APRIL.start, APRIL.end, 3600)
    finer = np.arange(APRIL.start, APRIL.end, 3600 // parts)
    whole = compute(time, hourly / 1000, kind="interval", interval_s=3600)
    split = compute(finer, np.repeat(hourly / parts, parts) / 1000, kind="interval", interval_s=3600 // parts)
    assert (whole.amount.reshape(-1, 4).sum(axis=1) == hourly).all()
    if parts == 3:  # twenty-minute intervals cross slot borders; hours stay whole
        assert (split.amount.reshape(-1, 4).sum(axis=1) == hourly).all()
    else:
        assert np.abs(split.amount.reshape(-1, 4).sum(axis=1) - hourly).max() <= 2


def mixed_block(seed: int) -> tuple[list[MeterSpec], list[pl.DataFrame]]:
    """Ten meters of all kinds, with gaps, jitter, steps back, spikes and standstills."""
    rng = np.random.default_rng(seed)
    specs, frames = [], []
    for key in range(10):
        kind = ("register", "interval", "power")[key % 3]
        step = int(rng.choice([300, 900, 900, 900, 3600]))
        time = np.arange(APRIL.start - step, APRIL.end + step, step)
        if key % 4 == 0:
            time = time + rng.integers(0, 20, len(time))
        level = 20 + 10 * np.sin(2 * np.pi * (time % 86_400) / 86_400) + rng.random(len(time))
        level[rng.integers(0, len(time))] *= 200
        stand = int(rng.integers(0, len(time) - 200))
        level[stand : stand + 150] = level[stand]
        value = np.cumsum(level) if kind == "register" else level
        value[rng.integers(0, len(time), 3)] -= 300
        keep = rng.random(len(time)) > 0.03
        lost = int(rng.integers(0, len(time) - 400))
        keep[lost : lost + int(rng.integers(1, 400))] = False
        specs.append(
            MeterSpec(
                key=100 - key,
                id=f"M{key}",
                kind=kind,  # type: ignore[arg-type]
                base_per_unit=Fraction(1000),
                interval_s=step,
                modulus=Fraction(10**5),
                capacity_base_per_hour=None if key % 2 else 200_000,
            )
        )
        frames.append(frame(100 - key, time[keep], value[keep]))
    return specs, frames


@settings(max_examples=8, deadline=None)
@given(seed=seeds, data=st.data())
def test_a_meter_is_the_same_in_any_block_and_order(seed: int, data: st.DataObject) -> None:
    specs, frames = mixed_block(seed)
    together = interval_energy(pl.concat(frames).sort("meter", "time"), specs, APRIL, {}, None)
    order = data.draw(st.permutations(range(len(specs))))
    cut = data.draw(st.integers(1, len(specs) - 1))
    rows = pl.concat(frames).sample(fraction=1.0, shuffle=True, seed=seed)
    for part in (order[:cut], order[cut:]):
        energy = interval_energy(rows, [specs[m] for m in part], APRIL, {}, None)
        for at, m in enumerate(part):
            assert (energy.amount[at] == together.amount[m]).all()
            assert (energy.flags[at] == together.flags[m]).all()
            ours = [e for e in energy.events if e.meter == specs[m].id]
            assert ours == [e for e in together.events if e.meter == specs[m].id]


VALUES = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(-1e7, 1e7),
    st.sampled_from([0.0, 999_999.0, 1e18, -1e18]),
)


@FEW
@given(
    rows=st.lists(st.tuples(st.integers(-5000, 3_000_000), VALUES), max_size=30),
    kind=st.sampled_from(["register", "interval", "power"]),
    interval_s=st.sampled_from([0, 1, 60, 900, 3600, 86_400]),
    modulus=st.sampled_from([None, Fraction(10**6)]),
    quality=st.integers(0, 2),
)
def test_any_readings_give_energy_or_missing_and_completeness_adds_up(
    rows: list[tuple[int, float]], kind: Any, interval_s: int, modulus: Fraction | None, quality: int
) -> None:
    time = np.array([APRIL.start + t for t, _ in rows], np.int64)
    value = np.array([v for _, v in rows], np.float64)
    spec = MeterSpec(
        key=1, id="M1", kind=kind, base_per_unit=Fraction(1000), interval_s=interval_s, modulus=modulus
    )
    readings = frame(1, time, value).with_columns(quality=pl.lit(quality, pl.Int8))
    energy = interval_energy(readings, [spec], APRIL, {}, None)
    unknown = (energy.flags & int(Flag.MISSING)) != 0
    assert not energy.amount[unknown].any()
    row = completeness(energy).row(0, named=True)
    assert row["expected"] == row["measured"] + row["interpolated"] + row["estimated"] + row["missing"]
    assert row["amount"] == energy.amount.sum()
