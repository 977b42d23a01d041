"""The park as a whole: what it is, how far its months have come, what they add up to, whether networks close."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from lujin.access.viewer import Right
from lujin.errors import NotFoundError
from lujin.web.api.common import (
    NOT_MODIFIED,
    AsOfQuery,
    MonthPath,
    SpeechOf,
    known_at,
    month_of,
    posted_month,
    refused_as,
    resource,
)
from lujin.web.api.kept import KeptRoute, KeptWindow
from lujin.web.models.accounts import Totals, Uncertainty
from lujin.web.models.park import ParkAnswer, Status
from lujin.web.models.quality import MonthQuality, ParkBalance
from lujin.workspace.quality import MonthQuality as Found

router = resource("park", KeptRoute)


@router.get("/park", responses=NOT_MODIFIED)
def show_park(window: KeptWindow) -> ParkAnswer:
    """What everyone who has a token may know."""
    park = window.description
    names = ("id", "name_zh", "name_en", "timezone", "region", "packs", "base_year")
    return ParkAnswer.model_validate({**{n: getattr(park, n) for n in names}, "months": window.months()})


@router.get("/totals", responses=NOT_MODIFIED)
def show_totals(window: KeptWindow) -> Totals:
    """Sums over all accounts, and the park as one enterprise."""
    workspace = window.park(Right.SEE_PARK)
    window.latest_month()
    sums = window.cached("totals", (), workspace.totals)
    months = window.cached("status", (), workspace.status).months
    counted = {name: sum(getattr(m, name) for m in months) for name in ("expected", "measured", "estimated")}
    counted |= {name: sum(getattr(m, name) for m in months) for name in ("missing", "suspect")}
    expected = counted["expected"]
    parts = {
        f"{n}_part": counted[n] / expected if expected else None for n in ("measured", "estimated", "missing")
    }
    complete = {"meter": "", "interpolated": 0, **counted, **parts}
    return Totals.model_validate({**sums.as_dict(), "completeness": complete})


@router.get("/status", responses=NOT_MODIFIED)
def show_status(window: KeptWindow) -> Status:
    """Months posted, their completeness, and what waits to be posted."""
    workspace = window.park(Right.SEE_PARK)
    return Status.of(window.cached("status", (), workspace.status))


@router.get("/quality/{month}", responses=NOT_MODIFIED)
def show_quality(window: KeptWindow, month: MonthPath, as_of: AsOfQuery = None) -> MonthQuality:
    """Completeness of every meter of the park, and each gap, suspect value and event with its numbers."""
    workspace, at, known = window.park(Right.SEE_READINGS), month_of(month), known_at(as_of)
    found: Found = window.cached("quality", (at, known), lambda: workspace.quality(at, "", known))
    return MonthQuality.of(found)


@router.get("/uncertainty/{month}", responses=NOT_MODIFIED)
def show_uncertainty(window: KeptWindow, month: MonthPath, as_of: AsOfQuery = None) -> list[Uncertainty]:
    """How uncertain the sum over all enterprises is, per carbon book."""
    workspace, at, known = window.park(Right.SEE_PARK), posted_month(window, month), known_at(as_of)
    found = window.cached("uncertainty", (at, known), lambda: workspace.uncertainty(at, as_of=known))
    return [Uncertainty.of(one) for one in found]


@router.get("/balance/{month}", responses=NOT_MODIFIED)
def show_balance(
    window: KeptWindow,
    say: SpeechOf,
    month: MonthPath,
    network: Annotated[str, Query(description="id of one node", max_length=100)] = "",
) -> ParkBalance:
    """Supply against users of every network, whether uncertainty explains the gap, and which meter does."""
    workspace, at = window.park(Right.SEE_READINGS), month_of(month)
    with refused_as(NotFoundError):
        found = window.cached("balance", (at, network), lambda: workspace.balance(at, network))
    return ParkBalance.model_validate(found.as_dict(), context={"say": say})
