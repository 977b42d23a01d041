"""Quantities step by step, what went from where to where, and how enterprises compare."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from fastapi import Query, Request, Response

from lujin.access.viewer import Right
from lujin.errors import N_, NotFoundError, Problem
from lujin.web.api.bulk import ARROW_STREAM, CSV, JSON
from lujin.web.api.common import (
    NOT_MODIFIED,
    BookQuery,
    Day,
    EnterprisePath,
    MonthPath,
    posted_month,
    problems,
    resource,
    tags,
)
from lujin.web.api.kept import KeptRoute, KeptWindow
from lujin.web.api.media import chosen
from lujin.web.models.curves import SeriesAnswer, series_json
from lujin.web.models.derived import answer_of, told
from lujin.web.window import Window
from lujin.workspace.flows import CarbonMap, FlowMap, carbon_map, flow_map
from lujin.workspace.listing import Listing
from lujin.workspace.load import Load
from lujin.workspace.sector import SectorComparison
from lujin.workspace.series import Series
from lujin.workspace.trend import Trend

router = resource("curves", KeptRoute)
FORMS = (JSON, CSV, ARROW_STREAM)
LocalDay = Annotated[Day, Query(description="local day, included", examples=["2025-06-01"])]
Step = Annotated[Literal["quarter", "hour", "day", "month"], Query(description="length of a step")]
Meters = Annotated[list[str] | None, Query(alias="meter", max_length=200, description="id; may be repeated")]
Carrier = Annotated[str, Query(max_length=100, examples=["electricity"])]
_FILES: dict[int | str, dict[str, Any]] = {
    **NOT_MODIFIED,
    **problems(406),
    200: {"model": SeriesAnswer, "content": {CSV: {}, ARROW_STREAM: {}}, "description": "Amounts and counts"},
}


@router.get("/series", responses=_FILES)
def show_series(
    request: Request,
    window: KeptWindow,
    first: LocalDay,
    last: LocalDay,
    meter: Meters = None,
    step: Step = "hour",
) -> Response:
    """What meters moved, step by step, in the unit that people read; null: nothing is known. In the form that
    `Accept` prefers.
    """
    data = window.data()
    return _series(request, window, data.series(meter or (), first, last, step))


@router.get("/enterprises/{enterprise}/series", responses=_FILES)
def enterprise_series(
    request: Request,
    window: KeptWindow,
    enterprise: EnterprisePath,
    first: LocalDay,
    last: LocalDay,
    meter: Meters = None,
    step: Step = "hour",
) -> Response:
    """The same of the enterprise's own meters; of all of them where none is named."""
    own = window.of(enterprise, Right.SEE_READINGS)
    return _series(request, window, own.series(meter or (), first, last, step))


def _series(request: Request, window: Window, found: Series) -> Response:
    media = chosen(request.headers.get("accept", ""), FORMS)
    if media == JSON:
        return Response(series_json(found), media_type=JSON, headers=tags(request, window))
    frame, held = _frame(found), BytesIO()
    if media == CSV:
        frame.with_columns(pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_csv(held)
    else:
        frame.write_ipc_stream(held, compat_level=pl.CompatLevel.oldest())
    return Response(held.getvalue(), media_type=media, headers=tags(request, window))


def _frame(found: Series) -> pl.DataFrame:
    """One row per meter and step."""
    steps = len(found.start)
    time = pl.from_epoch(pl.Series(np.tile(found.start, len(found.names)))).dt.replace_time_zone("UTC")
    columns = {
        "meter": [name for name in found.names for _ in range(steps)],
        "time": time.dt.cast_time_unit("us"),
        "amount": [value for name in found.names for value in found.values(name)],
    }
    counts = {name: getattr(found, name).reshape(-1) for name in ("measured", "estimated", "missing", "suspect")}
    return pl.DataFrame({**columns, **counts}, schema_overrides={"meter": pl.String, "amount": pl.Float64})


@router.get("/accounts/{month}", responses=NOT_MODIFIED, response_model=answer_of(Listing))
def list_accounts(window: KeptWindow, month: MonthPath, book: BookQuery = "location") -> Any:
    """One line for every enterprise whose account you may see, and the total of these."""
    at = posted_month(window, month)
    chosen_book = "location" if book == "physical" else book
    return told(window.listing(at, chosen_book))


@router.get("/enterprises/{enterprise}/trend", responses=NOT_MODIFIED, response_model=answer_of(Trend))
def enterprise_trend(
    window: KeptWindow, enterprise: EnterprisePath, months: Annotated[int, Query(ge=1, le=120)] = 24
) -> Any:
    """Energy, cost and carbon of the last months, oldest first."""
    own = window.of(enterprise)
    window.latest_month()
    return told(own.trend(None, months))


@router.get("/enterprises/{enterprise}/sector", responses=NOT_MODIFIED, response_model=answer_of(SectorComparison))
def enterprise_sector(window: KeptWindow, enterprise: EnterprisePath) -> Any:
    """Where the enterprise stands among its sector: quartiles, no other enterprise by itself."""
    return told(window.of(enterprise).sector())


@router.get("/enterprises/{enterprise}/load/{month}", responses=NOT_MODIFIED, response_model=answer_of(Load))
def enterprise_load(
    window: KeptWindow, enterprise: EnterprisePath, month: MonthPath, carrier: Carrier = "electricity"
) -> Any:
    """What the enterprise used hour by hour of each day; and its greatest quarter hour."""
    own = window.of(enterprise, Right.SEE_READINGS)
    at = posted_month(window, month)
    if carrier not in own.load_carriers():
        raise _no_carrier(carrier, own.load_carriers())
    return told(own.load(at, carrier))


@router.get("/flow-map", responses=NOT_MODIFIED, response_model=answer_of(FlowMap))
def show_flow_map(window: KeptWindow, first: LocalDay, last: LocalDay, carrier: Carrier = "electricity") -> Any:
    """Where a carrier came from and went on these days, edge by edge, and what was left over at each node."""
    workspace = window.park(Right.SEE_PARK)
    known = tuple(dict.fromkeys(flow.carrier for flow in workspace.park.flows.values()))
    if carrier not in known:
        raise _no_carrier(carrier, known)
    key = (carrier, first, last)
    return told(window.cached("flow_map", key, lambda: flow_map(workspace, *key)))


@router.get("/carbon-map/{month}", responses=NOT_MODIFIED, response_model=answer_of(CarbonMap))
def show_carbon_map(window: KeptWindow, month: MonthPath) -> Any:
    """Carbon that came in, was passed on, is used or sold: book `embodied`, edge by edge."""
    workspace, at = window.park(Right.SEE_PARK), posted_month(window, month)
    found = window.cached("carbon_map", (at,), lambda: carbon_map(workspace, at))
    if found is None:
        message, remedy = N_("the park keeps no book embodied"), N_("name a method pack for it in park.toml")
        raise NotFoundError(Problem(message, {}, remedy))
    return told(found)


def _no_carrier(carrier: str, known: Sequence[str]) -> NotFoundError:
    params = {"carrier": carrier[:100], "known": ", ".join(known)}
    return NotFoundError(
        Problem(N_("there is no carrier {carrier} here"), params, N_("use one of: {known}"), field="carrier")
    )
