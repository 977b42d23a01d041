"""The park at a glance: the last day and the month, where energy comes from, who uses and emits most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request

from lujin.access.viewer import Right
from lujin.errors import N_
from lujin.park.calendar import next_month
from lujin.show.words import Words
from lujin.web import pictures
from lujin.web.answers import Answer, Shown
from lujin.web.page import page
from lujin.web.requests import MonthText, WindowOf, month_number, speech
from lujin.web.window import Window
from lujin.workspace.flows import DayTotal, day_totals, flow_map, latest_day, month_to_date
from lujin.workspace.overview import (
    Attention,
    MonthOverview,
    Rank,
    TrendMonth,
    attention,
    month_overview,
    ranking,
    trend_month,
)
from lujin.workspace.sankey import energy_sankey

router = APIRouter()
Book = Literal["location", "market", "regulatory"]
SHOWN_DAYS = 31
TREND_MONTHS = 13
FIRST = 10  # enterprises in the ranking before "all"


class Overview(Answer):
    """``months`` empty: nothing is posted yet. ``days``: up to ``last_day``, the latest with readings; ``so_far``:
    of its month, by carrier. ``ranks``: enterprises in order of ``by``.
    """

    months: tuple[int, ...] = ()
    month: int | None = None
    book: str = "location"
    by: str = "electricity"
    measures: tuple[str, ...] = ()
    last_day: date | None = None
    yesterday: date | None = None
    days: tuple[Shown[DayTotal], ...] = ()
    so_far: tuple[Shown[DayTotal], ...] = ()
    overview: Shown[MonthOverview] | None = None
    trend: tuple[Shown[TrendMonth], ...] = ()
    ranks: tuple[Shown[Rank], ...] = ()
    attention: tuple[Shown[Attention], ...] = ()
    charts: dict[str, Any] | None = None

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        header = (
            *("enterprise", "name_zh", "name_en", "electricity_kWh", "coal_equivalent_tce", "cost_CNY"),
            *("scope1_tCO2e", "scope2_tCO2e", "embodied_tCO2e", "measured_part"),
        )
        return header, self._rows()

    def _rows(self) -> Iterable[Sequence[Any]]:
        for e in self.overview.enterprises if self.overview else ():
            kept = e.book(self.book)
            amounts = (
                *(e.used("electricity"), e.coal_equivalent, e.cost),
                *((kept.scope1_co2e, kept.scope2_co2e) if kept else (None, None)),
                e.embodied,
            )
            values = (None if amount is None else amount.value for amount in amounts)
            yield (e.enterprise, e.name_zh, e.name_en, *values, e.completeness.measured_part)


@page(router, "/overview", template="overview.html", title=N_("Overview"), stable=True)
def overview(
    request: Request,
    window: WindowOf,
    month: MonthText | None = None,
    book: Book = "location",
    by: str = "electricity",
) -> Overview:
    window.park(Right.SEE_PARK)
    months = window.months()
    if not months:
        return Overview()
    at = month_number(month) if month else months[-1]
    found, course, open_ends = gathered(window, at)
    measures = (*(c.carrier for c in found.carriers if c.used), "coal_equivalent", "cost", "co2e", "embodied")
    chosen = by if by in measures else measures[0]
    yesterday = day_before(window)
    last, days = _last_days(window, yesterday)
    return Overview(
        months=months,
        month=at,
        book=book,
        by=chosen,
        measures=measures,
        last_day=last,
        yesterday=yesterday,
        days=days,
        so_far=month_to_date(days),
        overview=found,
        trend=course,
        ranks=ranking(found, chosen, book),
        attention=open_ends,
        charts=_charts(request, window, at, course, book),
    )


def gathered(window: Window, month: int) -> tuple[MonthOverview, tuple[TrendMonth, ...], tuple[Attention, ...]]:
    """What takes longest to work out."""
    workspace = window.park(Right.SEE_PARK)
    found = window.cached("month_overview", (month,), lambda: month_overview(workspace, month))
    shown = [m for m in window.months() if m <= month][-TREND_MONTHS:]
    course = (window.cached("trend_month", m, partial(trend_month, workspace, m)) for m in shown)
    now = window.cached("status", (), workspace.status)
    return (
        found,
        tuple(m for m in course if m is not None),
        window.cached("attention", (month,), lambda: attention(workspace, found, now)),
    )


def day_before(window: Window) -> date:
    return datetime.now(ZoneInfo(window.zone)).date() - timedelta(days=1)


def warm(window: Window) -> None:
    """Work out what the overview of the newest month needs, before somebody asks."""
    if months := window.months():
        gathered(window, months[-1])
        _last_days(window, day_before(window))


def _last_days(window: Window, yesterday: date) -> tuple[date | None, tuple[DayTotal, ...]]:
    """Yesterday, or the latest day before it with readings; and the days up to it."""
    workspace = window.park(Right.SEE_PARK)

    def days() -> tuple[date | None, tuple[DayTotal, ...]]:
        last = latest_day(workspace, yesterday + timedelta(days=1))
        if last is None:
            return None, ()
        return last, day_totals(workspace, last - timedelta(days=SHOWN_DAYS - 1), last)

    return window.cached("last_days", (yesterday,), days)


def _charts(
    request: Request, window: Window, month: int, course: Sequence[TrendMonth], book: str
) -> dict[str, Any]:
    workspace, words = window.park(Right.SEE_PARK), Words(speech(request), window.description)
    first, last = month_days(month)
    flows = window.cached("flow_map", ("electricity", first, last), lambda: _electricity(window, first, last))
    picture = None
    if flows is not None:
        unit = workspace.park.carriers["electricity"].base_unit
        picture = pictures.sankey_data(energy_sankey(flows, most=8), words, unit, "electricity")
    return {
        "sankey": picture,
        "trend": pictures.trend_data(course, words, "electricity"),
        "emissions": pictures.emission_data(course, words, book),
    }


def _electricity(window: Window, first: date, last: date) -> Any:
    workspace = window.park(Right.SEE_PARK)
    carried = any(flow.carrier == "electricity" for flow in workspace.park.flows.values())
    return flow_map(workspace, "electricity", first, last) if carried else None


def month_days(month: int) -> tuple[date, date]:
    """First and last local day of a month."""
    after = next_month(month)
    return date(month // 100, month % 100, 1), date(after // 100, after % 100, 1) - timedelta(days=1)
