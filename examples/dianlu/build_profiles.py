#!/usr/bin/env python3
"""Build the compact profile files of the demo park from the raw open data.

    python build_profiles.py RAW [OUT]

RAW holds one folder per data set, as named in ``profiles/LICENCES.md``; OUT defaults to ``profiles/`` beside
this script. Each profile becomes one int32 column in units of 1/10,000 of its mean (PV: of its nominal power),
cleaned as that file says. No value is invented except where a hole is filled from the day before.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

SCALE = 10_000
VDI = {"metalworking": "LP_G_MV", "office": "LP_PUB_Buero_m", "school_small": "LP_PUB_Schule_k",
       "school": "LP_PUB_Schule_m"}  # fmt: skip
ELMAS = {
    "1": "manufacturing", "2": "trade", "4": "education", "5": "offices", "7": "livestock", "8": "water_telecom",
    "10": "food", "12": "energy_rental", "13": "hotel", "15": "property", "16": "hospital", "18": "construction",
}  # fmt: skip


def per_mean(values: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.rint(values / values.mean() * SCALE).astype(np.int32)


def elmas(raw: Path) -> dict[str, NDArray[np.int32]]:
    """Hourly, 364 days from Monday 2018-01-01, wall clock as published."""
    table = pl.read_csv(raw / "elmas_fr_enterprises/hourly_2018.csv.gz")
    return {name: per_mean(table[cluster].to_numpy()) for cluster, name in ELMAS.items()}


def steel(raw: Path) -> dict[str, NDArray[np.int32]]:
    """15 min, 273 days from Monday 2018-01-01. Rows run 00:15 … 23:45, 00:00 and label the END of their
    interval; the 00:00 that closes a day carries that same day's date. So the rows, in file order, already are
    the quarter hours from 00:00 on: never sort them by the label.
    """
    table = pl.read_csv(raw / "steel_daewoo_15min/steel_2018.csv.gz")
    labels = table["date"].str.slice(11, 5)
    if table.height != 273 * 96 or labels[0] != "00:15" or labels[95] != "00:00":
        raise SystemExit("steel_2018.csv.gz: rows do not run 00:15 … 00:00 day by day")
    return {"steel": per_mean(table["Usage_kWh"].to_numpy())}


def photovoltaic(raw: Path) -> dict[str, NDArray[np.int32]]:
    """Site 1 (50 MW), 15 min, 365 days from 2019-01-01, China time. A quarter hour whose power stands at zero
    although the irradiance exceeds 150 W/m² (curtailment or outage of that station) takes the value of the same
    quarter hour of the day before.
    """
    table = pl.read_csv(raw / "cn_pv_stations_15min/site1_50MW_original.csv.gz").head(365 * 96)
    power = table["Power (MW)"].to_numpy().clip(0) / 50
    dead = (power == 0) & (table["Total solar irradiance (W/m2)"].to_numpy() > 150)
    for at in np.flatnonzero(dead):
        power[at] = power[at - 96]
    return {"pv": np.rint(power * SCALE).astype(np.int32)}


def vdi(raw: Path) -> dict[str, NDArray[np.int32]]:
    """15 min, 365 days of local wall clock. Stamps carry +01:00 or +02:00; the missing hour of the spring day
    repeats the hour before, the doubled hour of the autumn day is averaged.
    """
    out = {}
    for name, file in VDI.items():
        table = pl.read_csv(raw / f"vdi4657_company_profiles/{file}.csv.gz", new_columns=["at", "watt"])
        wall = table.select(pl.col("at").str.slice(0, 19).str.to_datetime("%Y-%m-%d %H:%M:%S"), "watt")
        wall = wall.group_by("at").agg(pl.col("watt").mean()).sort("at").upsample("at", every="15m")
        values = wall["watt"].to_numpy().copy()
        for at in np.flatnonzero(np.isnan(values)):
            values[at] = values[at - 4]
        out[name] = per_mean(values)
    return out


def heat(raw: Path) -> dict[str, NDArray[np.int32]]:
    """Hourly district heat of 32 customers, 180 days from 2023-09-03. Brought to German winter time (UTC+1) by
    rolling one hour, so that the daily draw-off peaks stand where people are awake.
    """
    table = pl.read_csv(raw / "district_heat_32_customers_hourly/heat_hourly.csv.gz")
    return {"district_heat": per_mean(np.roll(table["consumption_kWh"].to_numpy(), 1))}


def main(raw: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, build in {"elmas": elmas, "steel": steel, "pv": photovoltaic, "vdi": vdi, "heat": heat}.items():
        pl.DataFrame(build(raw)).write_parquet(
            out / f"{name}.parquet", compression="zstd", compression_level=19, statistics=False
        )


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else Path(__file__).parent / "profiles")
