"""Readings as they are stored, page by page: what each meter said, in its own unit, with where it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from lujin.park.calendar import month_of, month_start, next_month
from lujin.readings.mapping import QUALITIES

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

STORED: pl.Schema = pl.Schema(
    {
        "meter": pl.String(),
        "time": pl.Datetime("us", "UTC"),
        "value": pl.Float64(),
        "unit": pl.String(),
        "quality": pl.String(),
        "source": pl.Int32(),
    }
)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Place:
    """A reading in the order month, meter, time: where a page ended."""

    month: int
    meter: str
    time: datetime


@dataclass(frozen=True, eq=False)
class StoredPage:
    """``rows``: columns STORED; ``last``: where more follow, None: nothing does."""

    rows: pl.DataFrame
    last: Place | None


def stored_readings(
    workspace: Workspace,
    meters: Sequence[str],
    start: datetime,
    end: datetime,
    *,
    limit: int,
    after: Place | None = None,
    as_of: datetime | None = None,
) -> StoredPage:
    """At most ``limit`` current readings of [start, end) after a place, by month, meter and time.

    Only so many meters are read at once as the page has room for: the cost is that of the page, not of the month.
    """
    zone = workspace.park.timezone
    keys = workspace.meter_keys()
    wanted = sorted((m for m in set(meters) if m in keys), key=keys.__getitem__)
    frames, room = [pl.DataFrame(schema=STORED)], limit + 1
    last = month_of(end - _SECOND, zone) if end > start else 0
    for month in (m for m in workspace.store.months() if month_of(start, zone) <= m <= last):
        if after is not None and month < after.month:
            continue
        begun = after is not None and month == after.month
        names = [m for m in wanted if not begun or keys[m] >= keys.get(after.meter, 0)]  # type: ignore[union-attr]
        while names and room > 0:
            few, names = _as_many(workspace, names, month, room)
            rows = _named(workspace, workspace.store.read(month, [keys[m] for m in few], as_of), few)
            rows = rows.filter((pl.col("time") >= start) & (pl.col("time") < end))
            if begun and after is not None and after.meter in few:
                rows = rows.filter((pl.col("meter") != after.meter) | (pl.col("time") > after.time))
            frames.append(rows.head(room))
            room -= rows.height
        if room <= 0:
            break
    found = pl.concat(frames)
    if found.height <= limit:
        return StoredPage(found, None)
    found = found.head(limit)
    meter, time = found.select("meter", "time").row(-1)
    return StoredPage(found, Place(month_of(time, zone), meter, time))


def _as_many(workspace: Workspace, names: list[str], month: int, room: int) -> tuple[list[str], list[str]]:
    """The meters whose readings of the month should fill the room, and the others."""
    zone = workspace.park.timezone
    seconds = (month_start(next_month(month), zone) - month_start(month, zone)).total_seconds()
    for count, name in enumerate(names, start=1):
        room -= max(1, int(seconds // (workspace.park.meters[name].interval_s or seconds)))
        if room <= 0:
            return names[:count], names[count:]
    return names, []


def _named(workspace: Workspace, rows: pl.DataFrame, meters: Sequence[str]) -> pl.DataFrame:
    """Keys become names, with the unit of the meter and the word for the quality."""
    keys = workspace.meter_keys()
    about = pl.DataFrame(
        {"meter": [keys[m] for m in meters], "id": list(meters), "unit": [_unit(workspace, m) for m in meters]},
        schema={"meter": pl.Int32, "id": pl.String, "unit": pl.String},
    )
    words = {code: word for word, code in QUALITIES.items()}
    quality = pl.col("quality").replace_strict(words, return_dtype=pl.String)
    joined = rows.join(about, on="meter", how="left", maintain_order="left")
    return joined.with_columns(quality).drop("meter").rename({"id": "meter"}).select(STORED.names())


def _unit(workspace: Workspace, meter: str) -> str:
    return workspace.park.meters[meter].unit
