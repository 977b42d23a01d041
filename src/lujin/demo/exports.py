"""The files in which readings reach the energy office: a clean archive per month, and what other systems give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lujin.demo.days import TIMEZONE, YEAR, Horizon
from lujin.demo.metering import Device
from lujin.demo.streams import Story, Stream
from lujin.demo.workbook import write_wide_sheet

_GBK_TITLES = ("点绿高新区 一期配电房 电能表冻结数据", "导出人:值班员  电能表示数,倍率未乘")


def write_arrivals(folder: Path, story: Story, devices: Sequence[Device]) -> tuple[list[Path], list[Path]]:
    """Write ``arrivals/`` and ``arrivals/late/``; the files in the order in which they came."""
    (folder / "late").mkdir(parents=True)
    horizon = story.horizon
    on_time, outage = _without_outage(story, devices)
    on_time, stuck = _with_stuck_day(story, on_time)
    on_time = _with_hole(story, on_time)

    def channel(name: str) -> list[Device]:
        return [device for device in on_time if device.channel == name]

    files = [
        *_archive(folder, horizon, channel("bulk")),
        *_distribution_room(folder, horizon, channel("gbk"), story),
        _monitoring(folder, channel("power")),
        _water_meters(folder, channel("water")),
        _water_workbook(folder, channel("xlsx")),
        _deliveries(folder, channel("monthly")),
    ]
    late = [
        _late(folder / "late" / "补传_2号开闭所_采集中断.csv", outage),
        _late(folder / "late" / "更正_功率变送器.csv", stuck),
    ]
    return files, late


def _span(story: Story, slots: tuple[int, int]) -> tuple[int, int]:
    start = story.horizon.start
    return start + slots[0] * 900, start + slots[1] * 900


def _without_outage(story: Story, devices: Sequence[Device]) -> tuple[list[Device], list[Device]]:
    """The gateway of substation 2 stands still for 48 hours; its buffer is sent in later."""
    cut_off = {f"{e.id}-EL1" for e in story.enterprises if e.substation == "S2"}
    first, last = _span(story, story.outage)
    kept, missing = [], []
    for device in devices:
        if device.meter.id in cut_off and device.channel == "bulk":
            rest, gone = device.cut(first, last)
            kept.append(rest)
            missing.append(gone)
        else:
            kept.append(device)
    return kept, [device for device in missing if len(device.times)]


def _with_hole(story: Story, devices: Sequence[Device]) -> list[Device]:
    """Six hours of one register and one interval meter are gone for good."""
    holes = {f"{story.by_role[role].id}-EL1" for role in ("paper", "ash")}
    first, last = _span(story, story.hole)
    return [device.cut(first, last)[0] if device.meter.id in holes else device for device in devices]


def _with_stuck_day(story: Story, devices: Sequence[Device]) -> tuple[list[Device], list[Device]]:
    """A transducer repeats its last value for a day; the logger's own values come in later."""
    meter = f"{story.by_role['boilers'].id}-EL1"
    first, last = _span(story, story.stuck)
    out, true = [], []
    for device in devices:
        if device.meter.id == meter:
            inside = (device.times >= first) & (device.times < last)
            true.append(device.cut(first, last)[1])
            frozen = np.where(inside, device.values[int(np.argmax(inside)) - 1], device.values)
            device = Device(device.meter, device.stream, device.channel, device.times, frozen)
        out.append(device)
    return out, true


def _long(devices: Iterable[Device]) -> pl.DataFrame:
    """meter, time (UTC), value; sorted as the devices come, each in time."""
    chosen = [d for d in devices if len(d.times)]
    ids = pl.Series("meter", [d.meter.id for d in chosen], pl.String)
    counts = np.array([len(d.times) for d in chosen], np.int64)
    codes = np.repeat(np.arange(len(chosen), dtype=np.uint32), counts)
    times = np.concatenate([d.times for d in chosen]) if chosen else np.empty(0, np.int64)
    values = np.concatenate([d.values for d in chosen]) if chosen else np.empty(0)
    return pl.DataFrame({"meter": ids.gather(codes), "time": utc(times), "value": values})


def utc(seconds: NDArray[np.int64]) -> pl.Series:
    return pl.Series("time", seconds * 1_000_000).cast(pl.Datetime("us", "UTC"))


def local(column: str = "time") -> pl.Expr:
    return pl.col(column).dt.convert_time_zone(TIMEZONE)


def _archive(folder: Path, horizon: Horizon, devices: Sequence[Device]) -> Iterable[Path]:
    """One Parquet file per month; the last one also holds the registers at its very end."""
    for grid in horizon.grids:
        path = folder / f"{grid.month // 100}-{grid.month % 100:02d}.parquet"
        end = grid.end + 1 if grid.end == horizon.end else grid.end
        frame = _long(d.during(grid.start, end) for d in sorted(devices, key=lambda d: d.meter.id))
        frame.write_parquet(path, compression="zstd", compression_level=1, statistics=False)
        yield path


def _distribution_room(folder: Path, horizon: Horizon, devices: Sequence[Device], story: Story) -> Iterable[Path]:
    """Register exports of an old system: GBK, two title lines, asset numbers, one file a quarter."""
    names = {f"{e.id}-EL1": e.name_zh for e in story.enterprises}
    for quarter in range((horizon.months + 2) // 3):
        grids = horizon.grids[3 * quarter : 3 * quarter + 3]
        end = grids[-1].end + (grids[-1].end == horizon.end)
        frame = _long(d.during(grids[0].start, end) for d in devices)
        if not frame.height:
            continue
        asset = {d.meter.id: d.meter.alias[0] for d in devices}
        table = frame.select(
            pl.col("meter").replace_strict(asset, return_dtype=pl.String).alias("表号"),
            pl.col("meter").replace_strict(names, return_dtype=pl.String).alias("用户名称"),
            local().dt.strftime("%Y-%m-%d %H:%M:%S").alias("抄表时间"),
            pl.col("value").alias("正向有功总(kWh)"),
        )
        text = "\n".join([*_GBK_TITLES, table.write_csv(float_precision=2)])
        path = folder / f"一期配电房_抄表_{YEAR}Q{quarter + 1}.csv"
        path.write_bytes(text.replace("\n", "\r\n").encode("gb18030"))
        yield path


def _wide(devices: Sequence[Device]) -> pl.DataFrame:
    """time and one column per meter."""
    times = np.unique(np.concatenate([d.times for d in devices]))
    columns = {}
    for device in devices:
        values = np.full(len(times), np.nan)
        values[np.searchsorted(times, device.times)] = device.values
        columns[device.meter.id] = pl.Series(values).fill_nan(None)
    return pl.DataFrame({"time": utc(times), **columns})


def _monitoring(folder: Path, devices: Sequence[Device]) -> Path:
    """Mean power [kW], wide, semicolons, stamped at the end of the interval, with gaps and duplicates."""
    frame = _wide(devices).with_columns(pl.col("time") + pl.duration(minutes=15)).with_row_index("row")
    rows, row = frame.height, pl.col("row")
    first, last = devices[0].meter.id, devices[-1].meter.id
    # A screen that was closed for an hour, and cells that a transducer left empty.
    frame = frame.filter(~row.is_between(rows // 3, rows // 3 + 3)).with_columns(
        pl.when(row % 1013 != 500).then(pl.col(first)),
        pl.when(~row.is_between(rows // 2, rows // 2 + 7)).then(pl.col(last)),
    )
    # A half-finished value was logged first and the full one right after; some rows came twice as they were.
    early = frame.filter(row % 997 == 400).with_columns((pl.col(first) * 0.6).round(2))
    again = frame.filter(row % 997 == 600)
    table = pl.concat([frame.with_columns(order=1), early.with_columns(order=0), again.with_columns(order=2)])
    table = table.sort("row", "order").drop("row", "order")
    table = table.select(local().dt.strftime("%Y/%m/%d %H:%M").alias("采集时间"), pl.exclude("time"))
    path = folder / f"电力监控_有功功率kW_{YEAR}.csv"
    table.write_csv(path, include_bom=True, separator=";", float_precision=2)
    return path


def _water_meters(folder: Path, devices: Sequence[Device]) -> Path:
    """Hourly water registers with three broken rows: no number, no such day, no such meter."""
    table = _long(devices).select("meter", local().dt.strftime("%Y-%m-%d %H:%M").alias("time"), "value")
    lines = table.write_csv(float_precision=3).splitlines()
    known = lines[1].split(",")
    at = len(lines) // 3
    lines[at] = lines[at].rsplit(",", 1)[0] + ",通讯故障"
    lines.insert(2 * at, f"{known[0]},{YEAR}-02-30 01:00,{known[2]}")
    lines.insert(2 * at + 50, f"WATER-E999-1,{YEAR}-01-10 08:00,{known[2]}")
    path = folder / f"水表明细_{YEAR}.csv"
    path.write_bytes(("\n".join(lines) + "\n").encode())
    return path


def _water_workbook(folder: Path, devices: Sequence[Device]) -> Path:
    """Water registers in a wide sheet, as a clerk keeps them."""
    path = folder / f"用水_宽表_{YEAR}.xlsx"
    write_wide_sheet(path, "用水", _wide(devices).with_columns(local().dt.replace_time_zone(None)), "时间")
    return path


def _deliveries(folder: Path, devices: Sequence[Device]) -> Path:
    """Weighbridge sums, one row per month."""
    frame = _long(devices).sort("time", "meter")
    table = frame.select(
        local().dt.strftime("%Y-%m-%d").alias("月份"),
        pl.col("meter").alias("计量点"),
        pl.col("value").alias("数量(t)"),
    )
    path = folder / f"月度物料_{YEAR}.csv"
    table.write_csv(path, float_precision=2)
    return path


def _late(path: Path, devices: Sequence[Device]) -> Path:
    """What a gateway sends from its buffer: long, ISO times with offset; the stamp is that of the meter."""
    frame = pl.concat([_late_stamp(d, _long([d])) for d in devices]).sort("time", "meter")
    table = frame.select("meter", local().dt.strftime("%Y-%m-%dT%H:%M:%S%:z").alias("time"), "value")
    table.write_csv(path, float_precision=4)
    return path


def _late_stamp(device: Device, frame: pl.DataFrame) -> pl.DataFrame:
    shift = pl.duration(seconds=device.meter.interval_s if device.meter.stamp == "end" else 0)
    return frame.with_columns(pl.col("time") + shift)


def truth(horizon: Horizon, streams: Iterable[Stream]) -> pl.DataFrame:
    """flow, month, amount [base units]: what flowed, for checking what is made of the readings."""
    edges = np.cumsum([0, *(grid.slots for grid in horizon.grids)])[:-1]
    parts = []
    for stream in streams:
        cuts = edges * 900 // stream.step_s if stream.step_s else np.arange(horizon.months)
        parts += [
            (stream.id, grid.month, int(amount))
            for grid, amount in zip(horizon.grids, np.add.reduceat(stream.amounts, cuts), strict=True)
        ]
    return pl.DataFrame(parts, schema={"flow": pl.String, "month": pl.Int32, "amount": pl.Int64}, orient="row")
