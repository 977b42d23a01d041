"""Where a number comes from, and how much carbon each hour's energy carried."""

from __future__ import annotations

from io import BytesIO
from typing import Annotated, Any

import polars as pl
from fastapi import Query, Request, Response

from lujin.access.viewer import Right
from lujin.errors import NotFoundError
from lujin.web.api.bulk import ARROW_STREAM, CSV
from lujin.web.api.common import (
    NOT_MODIFIED,
    EnterpriseQuery,
    FreshWindow,
    MonthPath,
    SpeechOf,
    posted_month,
    problems,
    refused_as,
    resource,
    tags,
)
from lujin.web.api.media import chosen
from lujin.web.models.trace import Explained, Trace
from lujin.web.window import Window
from lujin.workspace.tracing import MonthTrace

router = resource("carbon")


@router.get("/explain", responses=NOT_MODIFIED)
def explain(
    window: FreshWindow,
    say: SpeechOf,
    reference: Annotated[
        str,
        Query(
            description="of a line of a statement: enterprise:month:book:account, perhaps with :day",
            max_length=300,
            examples=["K001:2025-06:location:S2/electricity"],
        ),
    ],
) -> Explained:
    """The tree under a number: account, rule with formula, factor with source, interval energy, readings."""
    own = window.of(reference.partition(":")[0])
    with refused_as(NotFoundError):
        found = own.explain(reference)
    return Explained.model_validate(found.as_dict(say))


@router.get("/trace/{month}", responses=NOT_MODIFIED)
def show_trace(window: FreshWindow, say: SpeechOf, month: MonthPath, enterprise: EnterpriseQuery = "") -> Trace:
    """Carbon intensity of every enterprise's power and heat over the month: mean, least and greatest hour."""
    found = _traced(window, month, enterprise)
    return Trace.model_validate(found.as_dict(say, enterprise), context={"say": say})


@router.get(
    "/trace/{month}/hours",
    responses={
        **NOT_MODIFIED,
        **problems(406),
        200: {"description": "Amount and gases of every hour", "content": {CSV: {}, ARROW_STREAM: {}}},
    },
)
def show_hours(
    request: Request, window: FreshWindow, month: MonthPath, enterprise: EnterpriseQuery = ""
) -> Response:
    """Hour by hour, as CSV or Arrow by `Accept`: amounts in base units, gases and CO2e in mg."""
    hours = _traced(window, month, enterprise).hours(enterprise)
    media = chosen(request.headers.get("accept", ""), (CSV, ARROW_STREAM))
    body: Any = BytesIO()
    if media == CSV:
        hours.with_columns(pl.col("hour").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_csv(body)
    else:
        hours.write_ipc_stream(body, compat_level=pl.CompatLevel.oldest())
    return Response(body.getvalue(), media_type=media, headers=tags(request, window))


def _traced(window: Window, month: str, enterprise: str) -> MonthTrace:
    workspace = window.of(enterprise).need(Right.SEE_ACCOUNT) if enterprise else window.park(Right.SEE_PARK)
    at = posted_month(window, month)
    return window.cached("trace", (at,), lambda: workspace.trace(at))
