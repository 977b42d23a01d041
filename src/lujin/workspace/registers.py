"""What a device said itself: every version of every reading, with its file, and the events of its life."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from lujin.accounts.statement_parts import plain
from lujin.park.calendar import month_of, month_start, next_month
from lujin.readings import SCHEMA
from lujin.readings.sources import all_meter_keys, sources
from lujin.workspace.meter_days import findings_in, meter_days
from lujin.workspace.meters import Device, device, episodes
from lujin.workspace.quality import Finding

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

QUALITY = ("measured", "estimated by the supplier", "read by hand", "withdrawn")  # the last one is -1


@dataclass(frozen=True, eq=False)
class RegisterView:
    """Readings of [start, end).

    ``readings``: ``time, value`` [the meter's unit, without its multiplier], ``quality`` (0 measured, 1 estimated
    by the supplier, 2 by hand, -1 withdrawn: no ``value``), ``recorded, source, row, file, current``: every
    version, the newest of a time is ``current``. ``events``: rollovers and replacements (no ``slots``), and the
    episodes in which slots look odd or are not measured.
    """

    device: Device
    start: datetime
    end: datetime
    readings: pl.DataFrame
    events: tuple[Finding, ...]

    @property
    def corrected(self) -> int:
        """Versions that a later one replaced."""
        return int((~self.readings["current"]).sum())

    @property
    def standing(self) -> int:
        """Readings that count: neither replaced nor withdrawn."""
        return int((self.readings["current"] & self.readings["value"].is_not_null()).sum())

    def as_dict(self) -> dict[str, Any]:
        return {
            "device": self.device.as_dict(),
            "start": plain(self.start),
            "end": plain(self.end),
            "corrected": self.corrected,
            "readings": [{k: plain(v) for k, v in row.items()} for row in self.readings.iter_rows(named=True)],
            "events": [event.as_dict() for event in self.events],
        }


def register_view(workspace: Workspace, meter: str, start: datetime, end: datetime) -> RegisterView:
    """InputError: the park has no such meter. A virtual meter and one that never sent have no readings."""
    about, zone = device(workspace.park, meter), workspace.park.timezone
    key = all_meter_keys(workspace.engine).get(meter)
    months = [m for m in workspace.store.months() if month_of(start, zone) <= m and month_start(m, zone) < end]
    frames = [] if key is None else [workspace.store.history(m, [key]) for m in months]
    found = pl.concat([pl.DataFrame(schema=SCHEMA), *frames]).filter(
        (pl.col("time") >= start) & (pl.col("time") < end)
    )
    events = () if about.kind == "virtual" else _events(workspace, meter, start, end)
    return RegisterView(about, start, end, _with_files(workspace, found), events)


def month_view(workspace: Workspace, meter: str, month: int) -> RegisterView:
    zone = workspace.park.timezone
    return register_view(workspace, meter, month_start(month, zone), month_start(next_month(month), zone))


def _with_files(workspace: Workspace, found: pl.DataFrame) -> pl.DataFrame:
    files = {s.number: s.name for s in sources(workspace.engine, found["source"].unique().to_list())}
    newest = (pl.col("time") != pl.col("time").shift(-1)).fill_null(True)
    return found.select(
        "time",
        pl.col("value").fill_nan(None),
        "quality",
        "recorded",
        "source",
        "row",
        pl.col("source").replace_strict(files, default="", return_dtype=pl.String).alias("file"),
        newest.alias("current"),
    )


def _events(workspace: Workspace, meter: str, start: datetime, end: datetime) -> tuple[Finding, ...]:
    zone = workspace.park.timezone
    months = []
    at = month_of(start, zone)
    while month_start(at, zone) < end:
        months.append(at)
        at = next_month(at)
    rows = meter_days(workspace, meter, months).values()
    found = episodes([finding for row in rows for finding in findings_in(row)])
    return tuple(f for f in found if f.start < end and (f.end > start or f.start >= start))
