"""Questions to the hourly trace (逐时碳强度) as it is kept: how clean was which hour, of whom, of which carrier?

Nothing is traced here: a month that was never traced has no answer, one that facts have overtaken says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from lujin.accounts import Amount
from lujin.accounts.statement_parts import Part, plain
from lujin.errors import Problem
from lujin.park.carriers import BASE_UNIT, Dimension
from lujin.reference import Row
from lujin.workspace.reading import gwp_sets
from lujin.workspace.tracing import Kept, kept_traces

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

# Dimension → unit in which an intensity is told: mg/Wh is g/kWh, mg/kJ is kg/GJ.
UNITS: Mapping[Dimension, str] = {"electricity": "gCO2e/kWh", "heat": "kgCO2e/GJ"}


@dataclass(frozen=True, slots=True)
class CarrierIntensity(Part):
    """A carrier in a month: what came in and the carbon with it; mean and extreme hours [``unit``]."""

    carrier: str
    amount: Amount
    co2e: Amount
    unit: str
    mean: float
    least: float
    least_at: datetime
    greatest: float
    greatest_at: datetime
    hours: int


@dataclass(frozen=True, eq=False)
class MonthIntensity:
    """``frame``: ``hour`` (its start), ``carrier, amount`` [base unit], ``co2e`` [mg], ``intensity`` [mg per base
    unit]; hours in which nothing came in are left out. ``enterprise`` empty: the intake of all of them together,
    so that what one makes and another takes in counts with both.
    """

    month: int
    enterprise: str
    gwp: str
    stale: bool
    sha256: str
    frame: pl.DataFrame
    dimensions: Mapping[str, Dimension]
    problems: tuple[Problem, ...]

    @cached_property
    def carriers(self) -> tuple[str, ...]:
        return tuple(self.frame["carrier"].unique().sort().to_list())

    def unit(self, carrier: str) -> str:
        return UNITS[self.dimensions[carrier]]

    def of(self, carrier: str) -> pl.DataFrame:
        return self.frame.filter(pl.col("carrier") == carrier).sort("hour")

    def summary(self) -> tuple[CarrierIntensity, ...]:
        return self._summary

    @cached_property
    def _summary(self) -> tuple[CarrierIntensity, ...]:
        return tuple(self._carrier(carrier) for carrier in self.carriers)

    def _carrier(self, carrier: str) -> CarrierIntensity:
        hours = self.of(carrier)
        amount, co2e, of_hour = int(hours["amount"].sum()), float(hours["co2e"].sum()), hours["intensity"]
        low, high = int(of_hour.arg_min() or 0), int(of_hour.arg_max() or 0)
        return CarrierIntensity(
            carrier,
            Amount(amount, BASE_UNIT[self.dimensions[carrier]]),
            Amount(round(co2e), "mg"),
            self.unit(carrier),
            co2e / amount,
            of_hour[low],
            hours["hour"][low],
            of_hour[high],
            hours["hour"][high],
            hours.height,
        )

    def cleanest(self, carrier: str, day: date, timezone: str, count: int = 4) -> pl.DataFrame:
        """The ``count`` hours of a local day with the least carbon per unit, the cleanest first."""
        local = pl.col("hour").dt.convert_time_zone(timezone).dt.date()
        return self.of(carrier).filter(local == day).sort("intensity", "hour").head(count)

    def day_hours(self, carrier: str, timezone: str) -> pl.DataFrame:
        """``day, of_day, amount, intensity``: for a picture of days by hours of the local day."""
        local = pl.col("hour").dt.convert_time_zone(timezone)
        return self.of(carrier).select(
            local.dt.date().alias("day"), local.dt.hour().alias("of_day"), "amount", "intensity"
        )

    def mean_day(self, carrier: str, timezone: str) -> pl.DataFrame:
        """``of_day, mean, least, greatest`` over the days of the month [mg per base unit]."""
        local = pl.col("hour").dt.convert_time_zone(timezone).dt.hour().alias("of_day")
        mean = (pl.col("co2e").sum() / pl.col("amount").sum()).alias("mean")
        extremes = pl.col("intensity").min().alias("least"), pl.col("intensity").max().alias("greatest")
        return self.of(carrier).group_by(local).agg(mean, *extremes).sort("of_day")

    def as_dict(self) -> dict[str, Any]:
        return {
            **{name: plain(getattr(self, name)) for name in ("month", "enterprise", "gwp", "stale", "sha256")},
            "carriers": [carrier.as_dict() for carrier in self.summary()],
        }


def intensities(workspace: Workspace, months: Sequence[int], enterprise: str = "") -> Mapping[int, MonthIntensity]:
    """Those of the months that were traced."""
    rows = workspace.reference_rows
    return {m: _of(workspace, kept, enterprise, rows) for m, kept in kept_traces(workspace, months).items()}


def intensity(workspace: Workspace, month: int, enterprise: str = "") -> MonthIntensity | None:
    """None: the month was never traced."""
    return intensities(workspace, [month], enterprise).get(month)


def _of(workspace: Workspace, kept: Kept, enterprise: str, rows: Sequence[Row]) -> MonthIntensity:
    gwp = gwp_sets(workspace, kept.month, rows=rows)["embodied"]
    frame = _hours(kept.file, kept.sha256, enterprise, tuple((gas, float(v)) for gas, v in gwp.values.items()))
    dimensions = {name: carrier.dimension for name, carrier in workspace.park.carriers.items()}
    return MonthIntensity(
        kept.month, enterprise, gwp.assessment, kept.stale, kept.sha256, frame, dimensions, kept.problems
    )


@lru_cache(maxsize=128)
def _hours(
    file: Path,
    sha256: str,  # noqa: ARG001  stands for the content of the file, so that it is read once
    enterprise: str,
    gwp: tuple[tuple[str, float], ...],
) -> pl.DataFrame:
    lazy = pl.scan_parquet(file)
    if enterprise:
        lazy = lazy.filter(pl.col("enterprise") == enterprise)
    co2e = pl.sum_horizontal(pl.col(gas) * value for gas, value in gwp).alias("co2e")
    summed = lazy.select("hour", "carrier", "amount", co2e).group_by("hour", "carrier").agg(pl.all().sum())
    whole = summed.with_columns((pl.col("co2e") / pl.col("amount")).alias("intensity"))
    return whole.sort("carrier", "hour").collect()
