"""A park of any size for the benchmarks: deterministic, with published prices and factors only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

ENTERPRISES = 200
CARRIERS = ("electricity", "steam", "natural_gas", "compressed_air", "water")
SUPPLIER = dict(zip(CARRIERS, ("GRID", "HEAT", "GAS", "AIR", "WATERWORKS"), strict=True))
UNIT = dict(zip(CARRIERS, ("kWh", "GJ", "Nm3", "Nm3", "m3"), strict=True))

HEAD = """\
[park]
id = "bench"
name_zh = "基准园区"
name_en = "Benchmark park"
timezone = "Asia/Shanghai"
region = "山东"

[park.packs]
physical = "energy-gbt2589@1"
location = "ghgp-location@1"
market = "ghgp-market@1"
regulatory = "gbt32151-2024@1"
embodied = "embodied@1"

[[node]]
id = "GRID"
kind = "grid"

[[node]]
id = "PLANT"
kind = "boiler"
owner = "E000"
"""
NEIGHBOURS = 40  # enterprises 1 to 39 buy the steam that enterprise 0 makes from its gas


def park_toml(meters: int) -> str:
    """``meters`` register meters spread evenly over 200 enterprises and five carriers."""
    parts = [HEAD]
    parts += [f'[[node]]\nid = "{s}"\nkind = "supplier"\n' for s in list(SUPPLIER.values())[1:]]
    for e in range(ENTERPRISES):
        parts.append(f'[[node]]\nid = "E{e:03}"\nkind = "enterprise"\nname_zh = "企业{e:03}"\nsector = "C2231"\n')
        parts.append(
            f'[[connection]]\nid = "C{e:03}"\nenterprise = "E{e:03}"\nregion = "山东"\n'
            'zone = "全省 incl. 青岛 济南"\n'
            'customer_class = "工商业两部制"\nvoltage = "110kV"\nbasis = "demand"\n'
            "contract_kw = 4000\ncapacity_kva = 8000\n"
        )
        for carrier in CARRIERS:
            connection = f'connection = "C{e:03}"\n' if carrier == "electricity" else ""
            source = "PLANT" if carrier == "steam" and 0 < e < NEIGHBOURS else SUPPLIER[carrier]
            target = "PLANT" if carrier == "natural_gas" and e == 0 else f"E{e:03}"
            parts.append(
                f'[[flow]]\nid = "E{e:03}-{carrier}"\ncarrier = "{carrier}"\nsource = "{source}"\n'
                f'target = "{target}"\n{connection}'
            )
    for m in range(meters):
        carrier = CARRIERS[m // ENTERPRISES % len(CARRIERS)]
        parts.append(
            f'[[meter]]\nid = "M{m:05}"\nflow = "E{m % ENTERPRISES:03}-{carrier}"\nkind = "register"\n'
            f'unit = "{UNIT[carrier]}"\nmultiplier = 40\ndigits = 8\ninterval = "15min"\n'
        )
    parts += [
        f'[[price]]\ncarrier = "{c}"\nvalue = {v}\nunit = "CNY/{UNIT[c]}"\n'
        for c, v in (("steam", "70.0"), ("natural_gas", "3.6"), ("compressed_air", "0.09"), ("water", "3.2"))
    ]
    return "\n".join(parts)


def registers(meters: int, first: datetime, days: int) -> Iterator[pl.DataFrame]:
    """Readings (meter, time, value) day by day, every quarter hour, sorted by time as exports are."""
    rng = np.random.default_rng(20260601)
    ids = pl.Series("meter", [f"M{m:05}" for m in range(meters)])
    level = rng.uniform(0.2, 4.0, meters)
    shape = 1 + 0.6 * np.sin((np.arange(96) - 30) / 96 * 2 * np.pi)
    value = np.round(rng.uniform(1_000, 90_000, meters), 2)
    for day in range(days):
        steps = np.round(level[:, None] * shape * rng.uniform(0.8, 1.2, (meters, 96)), 2)
        curve = np.round(value[:, None] + np.cumsum(steps, axis=1) - steps, 2)
        value = np.round(value + steps.sum(axis=1), 2)
        start = first + timedelta(days=day)
        times = pl.datetime_range(
            start, start + timedelta(days=1), "15m", closed="left", time_unit="us", time_zone="UTC", eager=True
        )
        yield pl.DataFrame(
            {
                "meter": np.tile(np.arange(meters), 96),
                "time": np.repeat(np.arange(96), meters),
                "value": curve.T.ravel(),
            }
        ).select(
            pl.lit(ids).gather(pl.col("meter")).alias("meter"),
            pl.lit(times).gather(pl.col("time")).alias("time"),
            "value",
        )


def write_park(directory: Path, meters: int) -> None:
    (directory / "reference").mkdir(parents=True, exist_ok=True)
    (directory / "park.toml").write_text(park_toml(meters), encoding="utf-8")
    (directory / "reference" / "coal_equivalents.csv").write_text(EQUAL_VALUES, encoding="utf-8")
    (directory / "reference" / "tariffs.csv").write_text("\n".join(_prices()) + "\n", encoding="utf-8")


# No equal values are published for these years and no prices for the months outside January to August 2026.
EQUAL_VALUES = """\
kind,name_zh,name_en,standard,heat_value,heat_unit,value,unit,valid_from,valid_to,source,confidence,evidence,note
electricity,供电煤耗 2025,net coal,,,,0.3024,kgce/kWh,2025-01-01,2025-12-31,benchmark,unverified,,2024 value
electricity,供电煤耗 2026,net coal,,,,0.3024,kgce/kWh,2026-01-01,2026-12-31,benchmark,unverified,,2024 value
heat,热力(等价值),"heat, equal value",,,,0.0400,kgce/MJ,2025-01-01,,benchmark,unverified,,assumption
"""


def _prices() -> Iterator[str]:
    yield (
        "region,applies_to,customer_class,voltage,item,period,months,start,end,operator,value,unit,"
        "valid_from,valid_to,source,confidence,evidence,note"
    )
    levels = {"super_peak": 1.19, "peak": 1.03, "flat": 0.65, "valley": 0.27, "deep_valley": 0.16}
    for month, last in ((9, 30), (10, 31), (11, 30), (12, 31)):
        for period, value in levels.items():
            yield (
                f"山东,全省 incl. 青岛 济南,工商业两部制,110kV,energy_price,{period},{month},,,=,{value},CNY/kWh,"
                f"2025-{month:02}-01,2025-{month:02}-{last},benchmark,unverified,,"
            )
    yield (
        "山东,全省,工商业两部制,110kV,demand_charge,,,,,=,35.2,CNY/kW.month,"
        "2026-08-01,2026-08-31,benchmark,unverified,,as before August"
    )


def write_parquet(path: Path, meters: int, first: datetime, days: int) -> int:
    """One Parquet file a month-long export would be; returns its rows."""
    frames = list(registers(meters, first, days))
    frame = pl.concat(frames)
    frame.write_parquet(path)
    return frame.height


def write_csv(path: Path, meters: int, first: datetime, target_bytes: int) -> int:
    """A long CSV in local time of about ``target_bytes``; returns its rows."""
    rows = 0
    with path.open("wb") as file:
        file.write("表号,采集时间,示数\n".encode())
        for frame in registers(meters, first, 10_000):
            frame.with_columns(
                pl.col("time").dt.convert_time_zone("Asia/Shanghai").dt.strftime("%Y-%m-%d %H:%M:%S")
            ).write_csv(file, include_header=False)
            rows += frame.height
            if file.tell() >= target_bytes:
                return rows
    return rows


JUNE = datetime(2026, 5, 31, 16, tzinfo=UTC)
JULY = datetime(2026, 6, 30, 16, tzinfo=UTC)
YEAR = datetime(2025, 8, 31, 16, tzinfo=UTC)
AFTER = datetime(2026, 8, 31, 16, tzinfo=UTC)  # the day after that year
concat = pl.concat
