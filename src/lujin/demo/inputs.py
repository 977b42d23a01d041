"""What the demo park is made of: the enterprise table and the measured profiles beside it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lujin.errors import N_, InputError, Problem

SCALE = 10_000  # profile files hold 1/10,000 of their mean


def folder() -> Path:
    """``examples/dianlu``: inside the installed package, or in the source checkout above it."""
    package = Path(__file__).resolve().parents[1]
    for place in (package / "examples/dianlu", package.parents[1] / "examples/dianlu"):
        if (place / "enterprises.csv").is_file():
            return place
    raise InputError(
        Problem(N_("the demo data are not installed"), remedy=N_("reinstall lujin"), file="examples/dianlu")
    )


@dataclass(frozen=True, slots=True)
class Enterprise:
    """One line of ``enterprises.csv``. Energies are annual: MWh, GJ, Nm³, m³, t."""

    number: int
    id: str
    name_zh: str
    name_en: str
    role: str  # its part in the park's story; empty for most
    sector: str
    tenant: str
    longitude: float
    latitude: float
    floor_area_m2: int
    employees: int
    profile: str
    annual_mwh: float
    base_share: float  # part of the load that is constant
    shift_quarters: int  # the profile is moved by so many quarter hours
    variation: float  # relative standard deviation of the composed day-to-day noise
    basis: str
    voltage: str
    meter: str  # register, interval or power
    channel: str  # in which export its main meter comes
    substation: str
    pv_kw: int
    pv_export: bool
    heat: str  # "", "steam", "gas", "switch": gas before, steam after
    switch_at: float  # part of the year after which it takes steam
    heat_gj: int
    heat_profile: str
    air_nm3: int
    water_m3: int
    diesel_t: int
    product: str
    output_t: int
    green_mwh: int


def enterprises(place: Path) -> tuple[Enterprise, ...]:
    with (place / "enterprises.csv").open(encoding="utf-8", newline="") as file:
        return tuple(_enterprise(number, row) for number, row in enumerate(csv.DictReader(file), 1))


def _enterprise(number: int, row: Mapping[str, str]) -> Enterprise:
    heat, _, at = row["heat"].partition(" ")
    texts = (
        "id name_zh name_en role sector tenant profile basis voltage meter channel substation product heat_profile"
    )
    whole = "floor_area_m2 employees shift_quarters pv_kw heat_gj air_nm3 water_m3 diesel_t output_t green_mwh"
    real = "longitude latitude annual_mwh base_share variation"
    return Enterprise(
        number=number,
        heat=heat,
        switch_at=float(at or 0),
        pv_export=row["pv_export"] == "yes",
        **{name: row[name] for name in texts.split()},  # type: ignore[arg-type]
        **{name: int(row[name]) for name in whole.split()},  # type: ignore[arg-type]
        **{name: float(row[name]) for name in real.split()},  # type: ignore[arg-type]
    )


@dataclass(frozen=True, eq=False)
class Profile:
    """A measured series on whole days, and how it is laid on the calendar (``profiles.csv``).

    ``values``: float64[days, 96], mean 1, on local quarter hours. ``weeks``: how many whole weeks of it are used.
    ``festival``: level of the load during the Spring Festival.
    """

    values: NDArray[np.float64]
    weeks: int
    first_weekday: int
    shift_weeks: int
    festival: float
    skip: frozenset[int]


@dataclass(frozen=True, eq=False)
class Profiles:
    """The profile files, each read when first asked for."""

    place: Path

    @cached_property
    def rows(self) -> Mapping[str, Mapping[str, str]]:
        with (self.place / "profiles.csv").open(encoding="utf-8", newline="") as file:
            return {row["profile"]: row for row in csv.DictReader(file)}

    @cached_property
    def pv(self) -> NDArray[np.float64]:
        """Power of a station as a part of its nominal power, float64[365, 96], by day of the year."""
        return pl.read_parquet(self.place / "pv.parquet")["pv"].to_numpy().reshape(365, 96) / SCALE

    def read(self, name: str) -> Profile:
        row = self.rows[name]
        # The district-heat series is used for one thing only and keeps its own name in its file.
        column = {"hot_water": "district_heat"}.get(name, name)
        values = (
            pl.read_parquet(self.place / f"{row['file']}.parquet", columns=[column])[column].to_numpy() / SCALE
        )
        if row["step_s"] == "3600":
            values = quarters(values)
        return Profile(
            values=values.reshape(-1, 96),
            weeks=int(row["weeks"]),
            first_weekday=int(row["first_weekday"]),
            shift_weeks=int(row["shift_weeks"]),
            festival=float(row["festival"]),
            skip=_days(row["skip"].split()),
        )


def quarters(hourly: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quarter hours on the line through the neighbouring hours; each hour keeps its mean.

    >>> quarters(np.array([1.0, 2.0, 3.0, 2.0]))[4:8].tolist()
    [1.625, 1.875, 2.125, 2.375]
    """
    slope = (np.roll(hourly, -1) - np.roll(hourly, 1)) / 2
    steps = np.array([-0.375, -0.125, 0.125, 0.375])
    out: NDArray[np.float64] = (hourly[:, None] + slope[:, None] * steps).clip(0).ravel()
    return out


def _days(parts: Sequence[str]) -> frozenset[int]:
    spans = [[int(n) for n in part.split("-")] for part in parts]
    return frozenset(day for span in spans for day in range(span[0], span[-1] + 1))
