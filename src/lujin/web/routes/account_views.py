"""Further views of one enterprise's account: load by hour, trend and sector, data quality."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from lujin.access.viewer import Right
from lujin.errors import N_, NotFoundError, Problem
from lujin.show.words import EVENTS, FLAGS
from lujin.web.models.account import LoadAnswer, QualityAnswer, TrendAnswer
from lujin.web.page import page
from lujin.web.render import environment
from lujin.web.requests import MonthText, WindowOf, month_number
from lujin.workspace.trend import month_before

router = APIRouter()
environment().globals |= {"FINDINGS": {**{name.lower(): said for name, said in FLAGS.items()}, **EVENTS}}

MEASURE_NAMES = {
    "energy_index": N_("Energy against its own mean"),
    "energy_price": N_("Energy cost per standard coal"),
    "carbon_intensity": N_("CO2e per standard coal"),
    "energy_per_area": N_("Energy per floor area"),
    "energy_per_employee": N_("Energy per employee"),
}
environment().globals |= {"MEASURE_NAMES": MEASURE_NAMES}


@page(
    router,
    "/enterprises/{enterprise}/load",
    template="enterprise/load.html",
    title=N_("Load by day and hour"),
    stable=True,
)
def load(
    window: WindowOf,
    enterprise: str,
    month: MonthText | None = None,
    carrier: str | None = None,
    span: Literal["month", "year"] = "month",
) -> LoadAnswer:
    """``span``: a month, or the twelve months up to it as far as they are posted."""
    own = window.of(enterprise, Right.SEE_READINGS)
    carriers = own.load_carriers()
    if not carriers:
        message = N_("no meter of {enterprise} is described")
        raise NotFoundError(
            Problem(message, {"enterprise": enterprise}, N_("describe its meters in the park file"))
        )
    chosen = carrier or ("electricity" if "electricity" in carriers else carriers[0])
    at = month_number(month) if month else window.latest_month()
    first = max(month_before(at, 11), window.months()[0]) if span == "year" and window.months() else at
    found = own.load(min(first, at), chosen, at)
    return LoadAnswer(months=window.months(), carriers=carriers, month=at, span=span, load=found)


@page(
    router,
    "/enterprises/{enterprise}/trend",
    template="enterprise/trend.html",
    title=N_("Trend and sector"),
    stable=True,
)
def trend(window: WindowOf, enterprise: str, month: MonthText | None = None) -> TrendAnswer:
    own = window.of(enterprise)
    at = month_number(month) if month else window.latest_month()
    return TrendAnswer(month=at, months=window.months(), trend=own.trend(at), sector=own.sector())


@page(
    router,
    "/enterprises/{enterprise}/quality",
    template="enterprise/quality.html",
    title=N_("Data quality"),
    stable=True,
)
def quality(window: WindowOf, enterprise: str, month: MonthText | None = None) -> QualityAnswer:
    own = window.of(enterprise, Right.SEE_READINGS)
    at = month_number(month) if month else window.latest_month()
    return QualityAnswer(months=window.months(), quality=own.quality(at))
