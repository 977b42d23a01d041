"""Loads of single enterprises: a measured shape, laid on the calendar, with a scale and weather of its own."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from lujin.demo.days import DAYS, SLOTS, festival, source_days
from lujin.demo.inputs import Profiles

Floats = NDArray[np.float64]
# Rooftops near Zhaoqing give some 1,050 full-load hours a year, the measured station in the dry north 1,700.
PV_YIELD = 0.62


class Shapes:
    """Shapes of the year on quarter hours, float64[35040], mean 1."""

    def __init__(self, profiles: Profiles, seed: int) -> None:
        self._seed = seed
        self._profiles = profiles
        self._plain = lru_cache(maxsize=None)(self._laid)

    def _laid(self, name: str) -> Floats:
        profile = self._profiles.read(name)
        shape = profile.values[source_days(profile)] * festival(profile.festival)[:, None]
        laid: Floats = shape.ravel() / shape.mean()
        return laid

    def of(self, name: str, *, stream: tuple[int, int], base: float, shift: int, variation: float) -> Floats:
        """One enterprise's own version of a shape.

        ``stream`` (enterprise number, purpose) picks its random numbers, so that an enterprise is the same in a
        park of any size. ``base`` is the constant part, ``shift`` moves the shape by quarter hours.
        """
        shape = base + (1 - base) * np.roll(self._plain(name), shift)
        shape = shape * _weather(np.random.default_rng([self._seed, *stream]), variation)
        own: Floats = shape / shape.mean()
        return own

    def pv(self) -> Floats:
        """Power of the rooftops as a part of their nominal power."""
        return (self._profiles.pv * PV_YIELD).ravel()


def _weather(rng: np.random.Generator, variation: float) -> Floats:
    """Multiplicative noise around 1: good and bad days that last, and quarter hours that wander."""
    days = _ar1(rng, DAYS, 0.6) * variation
    quarters = _ar1(rng, SLOTS, 0.8) * variation * 0.6
    noise: Floats = np.exp(np.repeat(days, 96) + quarters)
    return noise


def _ar1(rng: np.random.Generator, length: int, memory: float) -> Floats:
    """A series of unit variance in which each step remembers ``memory`` of the step before."""
    series: Floats = lfilter([np.sqrt(1 - memory**2)], [1, -memory], rng.standard_normal(length))
    return series


def hourly(quarter_hours: Floats) -> Floats:
    """Sums of four quarter hours."""
    sums: Floats = quarter_hours.reshape(-1, 4).sum(axis=1)
    return sums
