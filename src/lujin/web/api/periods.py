"""Months: their state, closing, opinions of verifiers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lujin.access.viewer import Right
from lujin.errors import ConflictError
from lujin.web.api.common import (
    NOT_MODIFIED,
    FreshWindow,
    MonthPath,
    SpeechOf,
    month_of,
    needs,
    posted_month,
    problems,
    refused_as,
    resource,
)
from lujin.web.models.months import ClosePreview, Period, RestatePreview
from lujin.web.requests import WindowOf

router = resource("periods")


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class ClosingAsked(Asked):
    note: str = Field("", max_length=2000, description="discloses what is not measured", examples=["all measured"])


class OpinionAsked(Asked):
    outcome: Literal["unqualified", "qualified", "adverse", "disclaimer"]
    opinion: str = Field(
        min_length=1, max_length=5000, examples=["In our opinion the statement is fairly stated."]
    )


@router.get("/periods", responses=NOT_MODIFIED)
def list_periods(window: FreshWindow) -> list[Period]:
    """Every month that is posted or was closed, with its history."""
    window.park(Right.SEE_PARK)
    return [Period.of(found) for found in window.periods()]


@router.get("/periods/{month}", responses=NOT_MODIFIED)
def show_period(window: FreshWindow, month: MonthPath) -> Period:
    """State and history of one month."""
    window.park(Right.SEE_PARK)
    at = posted_month(window, month)
    return Period.of(next(period for period in window.periods() if period.month == at))


@router.post("/periods/{month}/close", responses=problems(409), dependencies=[needs(Right.CLOSE)])
def close_period(window: WindowOf, month: MonthPath, asked: ClosingAsked) -> Period:
    """From now on only a restatement with a cause moves the month. Every condition that fails is listed."""
    close = window.park(Right.CLOSE).close
    with refused_as(ConflictError):
        (found,) = close([month_of(month)], asked.note, window.viewer.name)
    window.data().record("month.close", f"month/{month}", {"note": asked.note})
    return Period.of(found)


@router.post("/periods/{month}/opinion", responses=problems(409), dependencies=[needs(Right.WRITE_OPINION)])
def state_opinion(window: WindowOf, month: MonthPath, asked: OpinionAsked) -> Period:
    """Your opinion, as a verifier, on a closed month; only the first two outcomes verify it."""
    record = window.park(Right.WRITE_OPINION).verified
    with refused_as(ConflictError):
        (found,) = record([month_of(month)], window.viewer.name, asked.outcome, asked.opinion, window.viewer.name)
    window.data().record("month.opinion", f"month/{month}", {"outcome": asked.outcome, "opinion": asked.opinion})
    return Period.of(found)


@router.get("/periods/{month}/closing-preview", responses=NOT_MODIFIED)
def preview_closing(window: FreshWindow, say: SpeechOf, month: MonthPath) -> ClosePreview:
    """What bars the closing of a month, and what the closing would disclose."""
    workspace, at = window.park(Right.SEE_PARK), posted_month(window, month)
    (found,) = window.cached("close_preview", at, lambda: workspace.close_preview([at]))
    return ClosePreview.of(found, say)


@router.get("/periods/{month}/restatement-preview", responses={**NOT_MODIFIED, **problems(409)})
def preview_restatement(window: FreshWindow, say: SpeechOf, month: MonthPath) -> RestatePreview:
    """Which factors a restatement would replace and what each account would move by. Stores nothing."""
    workspace, at = window.park(Right.RESTATE), posted_month(window, month)
    with refused_as(ConflictError):
        found = window.cached("restate_preview", (at,), lambda: workspace.restate_preview([at]))
    return RestatePreview.of(found, say)
