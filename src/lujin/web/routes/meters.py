"""Meters: how complete each one is, what looked odd, what the device said itself, and how its neighbours run."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import polars as pl
from fastapi import APIRouter, FastAPI, Query
from pydantic import computed_field

from lujin.access.viewer import Right
from lujin.accounts.statement_parts import Completeness
from lujin.errors import N_, InputError, LujinError, Problem
from lujin.park.calendar import next_month, previous_month
from lujin.show.findings import WHY, kind_name, numbers
from lujin.show.words import METER_KINDS
from lujin.web.answers import Answer, Shown
from lujin.web.page import page
from lujin.web.quiet import wait_for_quiet
from lujin.web.render import THIN, environment
from lujin.web.requests import MonthText, WindowOf, month_number
from lujin.web.window import MeterWindow
from lujin.workspace.meter_days import keep_days
from lujin.workspace.meters import Device, ListedMeter, MeterDay
from lujin.workspace.neighbours import Comparison
from lujin.workspace.quality import Finding
from lujin.workspace.registers import QUALITY, RegisterView

router = APIRouter()
log = logging.getLogger("lujin.web")
PAUSE_S = 15.0


def install(app: FastAPI) -> None:  # noqa: ARG001  what every module of routes takes
    """Words for the templates of meters."""
    environment().globals |= {
        "finding_kind": kind_name,
        "finding_numbers": lambda finding, words: _thin(numbers(finding, words)),
        "finding_why": WHY,
        "local_day": lambda at, zone: at.astimezone(ZoneInfo(zone)).date(),
        "meter_kind": lambda kind, words: words.term(METER_KINDS, kind),
        "quality_words": QUALITY,
    }


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Beside the requests: what arrived is looked at month by month, so that nobody waits for a calendar."""
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(app, stop), name="days", daemon=True)
    thread.start()
    yield
    stop.set()
    await asyncio.to_thread(thread.join)


def _watch(app: FastAPI, stop: threading.Event) -> None:
    while not stop.wait(PAUSE_S):
        try:
            if not wait_for_quiet(lambda: app.state.open_park.current().stamp(), stop.wait):
                return
            waiting = True
            while waiting and not stop.is_set():
                waiting = keep_days(app.state.open_park.current(), 1) > 0
        except LujinError as error:
            log.warning("the days of meters are not kept: %s", error)


Only = Literal["", "odd", "missing", "estimated", "suspect"]
SORTS = ("meter", "carrier", "measured", "estimated", "missing", "suspect")
DEVICE = ("meter", "carrier", "kind", "unit", "source", "target")
SLOTS = ("expected", "measured", "interpolated", "estimated", "missing", "suspect")


class Meters(Answer):
    """``total``: slots of all meters shown together."""

    month: int
    months: tuple[int, ...]
    carriers: tuple[str, ...]
    enterprises: tuple[str, ...]
    meters: tuple[Shown[ListedMeter], ...]
    total: Shown[Completeness]
    found: int
    q: str
    carrier: str
    enterprise: str
    only: Only
    sort: str

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        return (*DEVICE, "enterprises", *SLOTS), [
            (*_about(m.device), " ".join(m.device.enterprises), *_slots(m.slots)) for m in self.meters
        ]


class MeterCalendar(Answer):
    device: Shown[Device]
    years: tuple[int, ...]
    year: int
    days: tuple[Shown[MeterDay], ...]
    findings: tuple[Shown[Finding], ...]
    total: Shown[Completeness]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def months(self) -> Mapping[int, Mapping[str, int]]:
        """Month → slots."""
        found: dict[int, dict[str, int]] = {}
        for day in self.days:
            sums = found.setdefault(day.day.year * 100 + day.day.month, dict.fromkeys(SLOTS, 0))
            for name in SLOTS:
                sums[name] += getattr(day, name)
        return found

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        unit = self.days[0].amount.unit if self.days else ""
        header = ("day", *SLOTS, "look", f"amount [{unit}]")
        return header, [
            (d.day, *(getattr(d, name) for name in SLOTS), d.look, d.amount.value if d.look != "missing" else None)
            for d in self.days
        ]


class MeterRegister(Answer):
    """``view`` has every version of every reading of the month, ``day`` is the one whose readings are listed."""

    month: int
    months: tuple[int, ...]
    day: date
    view: Shown[RegisterView]
    zone: str

    @property
    def chart(self) -> str:
        """Wall-clock milliseconds and counts: what stands, what was replaced, and what befell the device."""
        zone, readings = self.zone, self.view.readings
        wall = pl.col("time").dt.convert_time_zone(zone).dt.replace_time_zone(None).dt.epoch("ms")
        points = readings.select(wall, "value", "current")
        shown = {
            "unit": self.view.device.unit,
            "now": points.filter("current").select("time", "value").rows(),
            "was": points.filter(~pl.col("current")).select("time", "value").rows(),
            "events": [[_wall(e.start, zone), _wall(e.end, zone), e.kind, e.slots > 0] for e in self.view.events],
        }
        return json.dumps(shown, separators=(",", ":"))

    @cached_property
    def _days(self) -> pl.DataFrame:
        """The readings with their local ``day``."""
        local = pl.col("time").dt.convert_time_zone(self.zone).dt.date()
        return self.view.readings.with_columns(local.alias("day"))

    @property
    def listed(self) -> list[dict[str, Any]]:
        return self._days.filter(pl.col("day") == self.day).to_dicts()

    @property
    def counted(self) -> Mapping[date, tuple[int, int]]:
        """Day → readings that count, and versions that were replaced."""
        counts = pl.col("current").sum(), (~pl.col("current")).sum().alias("was")
        days = self._days.group_by("day", maintain_order=True).agg(counts)
        return {day: (now, was) for day, now, was in days.iter_rows()}

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        header = ("time", f"value [{self.view.device.unit}]", *self.view.readings.columns[2:])
        return header, [[_plain(cell) for cell in row] for row in self.view.readings.iter_rows()]


class MeterNeighbours(Answer):
    months: tuple[int, ...]
    comparison: Shown[Comparison]
    zone: str

    @property
    def chart(self) -> str:
        """Local hours, and shares of the greatest hour."""
        frame = self.comparison.frame
        local = frame["start"].dt.convert_time_zone(self.zone).dt.strftime("%m-%d %H:%M").to_list()
        columns = ("own", "low", "middle", "high")
        return json.dumps({"x": local, **{n: frame[n].round(4).to_list() for n in columns}}, separators=(",", ":"))

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        frame = self.comparison.frame
        return frame.columns, [[_plain(cell) for cell in row] for row in frame.iter_rows()]


@page(router, "/meters", template="meters.html", title=N_("Meters"), stable=True)
def meters(
    window: WindowOf,
    month: MonthText | None = None,
    q: Annotated[str, Query(max_length=100)] = "",
    carrier: Annotated[str, Query(max_length=60)] = "",
    enterprise: Annotated[str, Query(max_length=60)] = "",
    only: Only = "",
    sort: Annotated[str, Query(max_length=20)] = "meter",
) -> Meters:
    if not window.enterprises(Right.SEE_READINGS):
        window.park(Right.SEE_READINGS)
    months = window.months()
    chosen = month_number(month) if month else months[-1] if months else 0
    listed = window.meter_list(chosen)
    wanted = [m for m in listed if _fits(m, q.strip().casefold(), carrier, enterprise, only)]
    return Meters(
        month=chosen,
        months=months,
        carriers=tuple(sorted({m.device.carrier for m in listed} - {""})),
        enterprises=tuple(sorted({e for m in listed for e in m.device.enterprises})),
        meters=tuple(sorted(wanted, key=_order(sort))),
        total=_total([m.slots for m in wanted if m.slots]),
        found=len(listed),
        q=q,
        carrier=carrier,
        enterprise=enterprise,
        only=only,
        sort=sort,
    )


@page(router, "/meters/{meter}", template="meter.html", title=N_("Meter"), stable=True)
def meter_calendar(
    window: WindowOf, meter: str, year: Annotated[int | None, Query(ge=1990, le=2200)] = None
) -> MeterCalendar:
    own = window.meter(meter)
    years = own.years()
    found = own.year(year or (years[-1] if years else 2000))
    return MeterCalendar(
        device=found.device,
        years=years,
        year=found.year,
        days=found.days,
        findings=found.findings,
        total=found.total,
    )


@page(router, "/meters/{meter}/register", template="meter_register.html", title=N_("Register view"), stable=True)
def meter_register(
    window: WindowOf, meter: str, month: MonthText | None = None, day: date | None = None
) -> MeterRegister:
    own = window.meter(meter)
    chosen = day.year * 100 + day.month if day else month_number(month) if month else _newest(own)
    view = own.register(chosen)
    return MeterRegister(
        month=chosen,
        months=_around(own, chosen),
        day=day or _telling(view, chosen, window.zone),
        view=view,
        zone=window.zone,
    )


@page(
    router,
    "/meters/{meter}/neighbours",
    template="meter_neighbours.html",
    title=N_("Beside its neighbours"),
    stable=True,
)
def meter_neighbours(window: WindowOf, meter: str, month: MonthText | None = None) -> MeterNeighbours:
    own = window.meter(meter)
    chosen = month_number(month) if month else _newest(own)
    return MeterNeighbours(months=_around(own, chosen), comparison=own.comparison(chosen), zone=window.zone)


def _fits(m: ListedMeter, q: str, carrier: str, enterprise: str, only: Only) -> bool:
    device, slots = m.device, m.slots
    text = " ".join((device.meter, device.source, device.target, *device.flows, *device.enterprises)).casefold()
    if (q and q not in text) or (carrier and device.carrier != carrier):
        return False
    if enterprise and enterprise not in device.enterprises:
        return False
    if not only:
        return True
    if slots is None:
        return False
    return bool(slots.estimated or slots.missing or slots.suspect if only == "odd" else getattr(slots, only))


def _order(sort: str) -> Any:
    """By meter, or the worst first."""
    if sort not in SORTS:
        params = {"sort": sort, "known": ", ".join(SORTS)}
        raise InputError(Problem(N_("the list cannot be sorted by {sort}"), params, N_("use one of: {known}")))
    if sort in ("meter", "carrier"):
        return lambda m: ("" if sort == "meter" else m.device.carrier, m.device.meter)

    def worst(m: ListedMeter) -> tuple[float, str]:
        slots = m.slots
        if slots is None or not slots.expected:
            return 2.0, m.device.meter
        part = getattr(slots, sort) / slots.expected
        return (part if sort == "measured" else -part), m.device.meter

    return worst


def _total(slots: Sequence[Completeness]) -> Completeness:
    names = ("expected", "measured", "interpolated", "estimated", "suspect", "missing")
    return Completeness("", *(sum(getattr(s, name) for s in slots) for name in names))


def _newest(own: MeterWindow) -> int:
    """The newest month posted, or of this year if none is."""
    months = own.window.months()
    years = own.years()
    return months[-1] if months else (years[-1] if years else 2000) * 100 + 1


def _around(own: MeterWindow, month: int) -> tuple[int, ...]:
    return tuple(sorted({*own.window.months(), month, previous_month(month), next_month(month)}))


def _telling(view: RegisterView, month: int, zone: str) -> date:
    """The first day with a correction or an event of the device's life, else the first one with readings."""
    corrected = view.readings.filter(~view.readings["current"])["time"].to_list()
    events = [e.start for e in view.events if not e.slots and e.start >= view.start]
    times: list[datetime] = sorted([*corrected, *events]) or view.readings["time"].head(1).to_list()
    return times[0].astimezone(ZoneInfo(zone)).date() if times else date(month // 100, month % 100, 1)


def _thin(text: str) -> str:
    """Thousands as on the other pages.

    >>> _thin("peak 12,345.6 kWh, 3 h")
    'peak 12\u202f345.6 kWh, 3 h'
    """
    return re.sub(r"(?<=\d),(?=\d{3})", THIN, text)


def _about(device: Device) -> tuple[str, ...]:
    return tuple(getattr(device, name) for name in DEVICE)


def _slots(slots: Completeness | None) -> tuple[int | None, ...]:
    return tuple(None if slots is None else getattr(slots, name) for name in SLOTS)


def _wall(at: datetime, zone: str) -> int:
    """The clock on the wall as milliseconds, for axes that know no time zones."""
    return round(at.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC).timestamp() * 1000)


def _plain(cell: Any) -> Any:
    return cell.isoformat() if isinstance(cell, datetime) else cell
