"""Carbon intensity hour by hour (逐时碳强度): of an enterprise or of the whole park, and its clean hours."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import polars as pl
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from lujin.access.viewer import Right
from lujin.accounts.statement_parts import Completeness
from lujin.errors import N_
from lujin.park.calendar import month_grid
from lujin.web.answers import Answer, Shown
from lujin.web.page import page
from lujin.web.requests import MonthText, WindowOf, month_number
from lujin.web.routes.jobs import long_work
from lujin.web.trail import record
from lujin.web.window import Window
from lujin.workspace import Workspace
from lujin.workspace.intensity import CarrierIntensity, MonthIntensity
from lujin.workspace.progress import Progress

router = APIRouter()
CLEANEST = 4


class YearMonth(Answer):
    """``found`` None: the month was never traced, or nothing of the carrier came in."""

    month: int
    stale: bool
    found: Shown[CarrierIntensity] | None


class Hour(Answer):
    """Intensity in ``unit`` of the answer; amount in base units."""

    hour: datetime
    of_day: int
    amount: int
    intensity: float


class Carbon(Answer):
    """``enterprise`` empty: the whole park. ``traced`` None: the month was never traced."""

    months: tuple[int, ...]
    month: int
    enterprise: str
    enterprises: tuple[str, ...]
    whole_park: bool
    carrier: str
    unit: str
    day: date
    traced: Shown[MonthIntensity] | None
    shown: Shown[CarrierIntensity] | None
    hours: tuple[Hour, ...]
    cleanest: tuple[Hour, ...]
    year: tuple[YearMonth, ...]
    completeness: Shown[Completeness]
    zone: str

    @property
    def line(self) -> str:
        """For the chart of every hour of the month; hours without intake are gaps."""
        values = {h.hour: round(h.intensity, 2) for h in self.hours}
        grid = month_grid(self.month, self.zone)
        starts = [grid.slot_start(i) for i in range(0, grid.slots, 4)]
        labels = [at.astimezone(ZoneInfo(self.zone)).strftime("%m-%d %H:%M") for at in starts]
        return _text({"unit": self.unit, "x": labels, "values": [values.get(at) for at in starts]})

    @property
    def heat(self) -> str:
        days = [str(day) for day in month_grid(self.month, self.zone).days]
        place = {day: i for i, day in enumerate(days)}
        values = [
            [place[str(h.hour.astimezone(ZoneInfo(self.zone)).date())], h.of_day, round(h.intensity, 1)]
            for h in self.hours
        ]
        numbers = [value for _, _, value in values]
        limits = {"low": min(numbers, default=0), "high": max(numbers, default=1)}
        return _text({"unit": self.unit, "rows": days, "columns": list(range(24)), "values": values, **limits})

    @property
    def of_day(self) -> list[Hour]:
        zone = ZoneInfo(self.zone)
        return [h for h in self.hours if h.hour.astimezone(zone).date() == self.day]

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        unit = self.shown.amount.base_unit if self.shown else ""
        header = ("hour", "carrier", f"amount [{unit}]", f"intensity [{self.unit}]")
        return header, [(h.hour.isoformat(), self.carrier, h.amount, round(h.intensity, 4)) for h in self.hours]


@page(router, "/carbon", template="carbon.html", title=N_("Carbon intensity"))
def carbon(
    window: WindowOf,
    month: MonthText | None = None,
    enterprise: Annotated[str | None, Query(max_length=60)] = None,
    carrier: Annotated[str, Query(max_length=60)] = "",
    day: date | None = None,
) -> Carbon:
    whole, own = window.may(Right.SEE_PARK), window.enterprises(Right.SEE_READINGS)
    who = enterprise if enterprise is not None else "" if whole or not own else own[0]
    ask = window.intensity(who)
    chosen = day.year * 100 + day.month if day else month_number(month) if month else window.latest_month()
    year = [m for m in window.months() if m // 100 == chosen // 100]
    every = ask(sorted({*year, chosen}))
    found = every.get(chosen)
    carriers = found.carriers if found else ()
    told = carrier if carrier in carriers else carriers[0] if carriers else ""
    first = date(chosen // 100, chosen % 100, 1)
    return Carbon(
        months=window.months(),
        month=chosen,
        enterprise=who,
        enterprises=own,
        whole_park=whole,
        carrier=told,
        unit=found.unit(told) if found and told else "",
        day=day or first,
        traced=found,
        shown=_of(found, told),
        hours=_listed(found.of(told), window.zone) if found else (),
        cleanest=_listed(found.cleanest(told, day or first, window.zone, CLEANEST), window.zone) if found else (),
        year=tuple(_year_month(m, every, told) for m in year),
        completeness=_completeness(window, chosen, who),
        zone=window.zone,
    )


@router.post("/carbon/trace", include_in_schema=False)
def trace(request: Request, window: WindowOf, month: Annotated[str, Form(max_length=20)]) -> Response:
    """Trace all months up to this one, beside the requests. What rests on the same facts is read back."""
    chosen = month_number(month)
    window.park(Right.POST)

    def work(workspace: Workspace, progress: Progress) -> Mapping[str, Any]:
        return {"sha256": workspace.trace(chosen, progress=progress).sha256}

    number = long_work(request).start(window.viewer, "trace", {"month": month}, work)
    record(request, window, "carbon.trace", f"month/{month}")
    return RedirectResponse(f"/jobs/{number}", 303)


def _of(found: MonthIntensity | None, carrier: str) -> CarrierIntensity | None:
    return next((c for c in found.summary() if c.carrier == carrier), None) if found else None


def _year_month(month: int, every: Mapping[int, MonthIntensity], carrier: str) -> YearMonth:
    found = every.get(month)
    return YearMonth(month=month, stale=found is not None and found.stale, found=_of(found, carrier))


def _listed(frame: pl.DataFrame, zone: str) -> tuple[Hour, ...]:
    local = pl.col("hour").dt.convert_time_zone(zone).dt.hour()
    rows = frame.select("hour", local.alias("of_day"), "amount", "intensity").iter_rows(named=True)
    return tuple(Hour.model_construct(**row) for row in rows)


def _completeness(window: Window, month: int, enterprise: str) -> Completeness:
    """Of the readings of the month on which the trace rests."""
    listed = [m for m in window.meter_list(month) if not enterprise or enterprise in m.device.enterprises]
    names = ("expected", "measured", "interpolated", "estimated", "suspect", "missing")
    return Completeness("", *(sum(getattr(m.slots, n) for m in listed if m.slots) for n in names))


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"))
