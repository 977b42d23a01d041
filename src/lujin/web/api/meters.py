"""Meters, flows and the readings that are stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Annotated

import msgspec
import polars as pl
from fastapi import Query, Request, Response

from lujin.access.viewer import Right
from lujin.accounts.statement_parts import Completeness
from lujin.errors import N_, InputError, Problem
from lujin.park import flow_terms
from lujin.web.api.bulk import ARROW_STREAM, CSV, JSON, PARQUET
from lujin.web.api.common import (
    MONTH_PATTERN,
    NOT_MODIFIED,
    PREFIX,
    USUAL,
    AsOfQuery,
    Cursor,
    EnterpriseQuery,
    FreshWindow,
    Limit,
    Moment,
    known_at,
    month_of,
    no_cursor,
    paged,
    problems,
    read_cursor,
    resource,
    tags,
    write_cursor,
)
from lujin.web.api.kept import KeptRoute, KeptWindow
from lujin.web.api.media import chosen
from lujin.web.models.base import Page
from lujin.web.models.park import Flow, Meter
from lujin.web.models.readings import Reading
from lujin.workspace.meters import Device
from lujin.workspace.stored import Place

router = resource("meters", KeptRoute)
MOST_ROWS = 1_000_000
FORMS = (JSON, CSV, ARROW_STREAM, PARQUET)


@router.get("/meters", responses=NOT_MODIFIED)
def list_meters(
    window: KeptWindow,
    enterprise: EnterpriseQuery = "",
    carrier: Annotated[str, Query(max_length=100, examples=["electricity"])] = "",
    month: Annotated[str, Query(pattern=f"({MONTH_PATTERN})|^$", description="of `completeness`")] = "",
    limit: Limit = USUAL,
    cursor: Cursor = "",
) -> Page[Meter]:
    """Meters whose readings you may see, by id; with a month also how complete they are in it, as posted."""
    window.data().may_see_readings(enterprise)
    listed = window.meter_list(month_of(month) if month else 0)
    found = [
        meter
        for meter in sorted(listed, key=lambda m: m.device.meter)
        if carrier in ("", meter.device.carrier) and (not enterprise or enterprise in meter.device.enterprises)
    ]
    page = paged(found, lambda m: m.device.meter, limit, cursor)
    return Page(items=[of_device(m.device, m.slots) for m in page.items], next=page.next)


@router.get("/meters/{meter}", responses=NOT_MODIFIED)
def show_meter(window: KeptWindow, meter: str) -> Meter:
    """What the park file says of a meter."""
    return of_device(window.meter(meter).device, None)


@router.get("/flows", responses=NOT_MODIFIED)
def list_flows(
    window: KeptWindow,
    carrier: Annotated[str, Query(max_length=100, examples=["electricity"])] = "",
    node: Annotated[str, Query(description="source or target", max_length=100)] = "",
    limit: Limit = USUAL,
    cursor: Cursor = "",
) -> Page[Flow]:
    """What moves from where to where, by id."""
    park = window.park(Right.SEE_PARK).park
    measured = {flow: [term.meter for term in terms] for flow, terms in flow_terms(park).items()}
    names = ("id", "source", "target", "carrier", "valid_from", "valid_to")
    found = [
        Flow.model_validate({**{n: getattr(f, n) for n in names}, "meters": measured.get(f.id, [])})
        for f in sorted(park.flows.values(), key=lambda f: f.id)
        if carrier in ("", f.carrier) and node in ("", f.source, f.target)
    ]
    return paged(found, lambda f: f.id, limit, cursor)


@router.get(
    "/readings",
    responses={
        **NOT_MODIFIED,
        **problems(406),
        200: {
            "description": "Readings; `Link` with rel=next, and `next` in JSON, lead to the following page",
            "model": Page[Reading],
            "content": {form: {} for form in FORMS[1:]},
        },
    },
)
def list_readings(
    request: Request,
    window: FreshWindow,
    start: Annotated[Moment, Query(description="included", examples=["2025-06-01T00:00:00+08:00"])],
    end: Annotated[Moment, Query(description="not included", examples=["2025-06-02T00:00:00+08:00"])],
    meter: Annotated[list[str] | None, Query(description="id of a meter; may be repeated")] = None,
    enterprise: EnterpriseQuery = "",
    as_of: AsOfQuery = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="readings of a page")] = 10_000,
    cursor: Cursor = "",
) -> Response:
    """Stored readings in the unit of their meter, by month, meter and time; in the form that `Accept` prefers."""
    data = window.data()
    names = meter or data.meters(enterprise=enterprise)
    for name in names if meter else ():
        window.meter(name)
    media = chosen(request.headers.get("accept", ""), FORMS)
    after, known = _place(cursor) if cursor else None, known_at(as_of)
    found = data.readings(names, *_between(start, end), limit=limit, after=after, as_of=known)
    last = found.last
    following = None if last is None else write_cursor([last.month, last.meter, int(last.time.timestamp() * 1e6)])
    headers = tags(request, window)
    if following is not None:
        headers["link"] = (
            f'<{PREFIX}/readings?{request.url.include_query_params(cursor=following).query}>; rel="next"'
        )
    return Response(_WRITE[media](found.rows, following), media_type=media, headers=headers)


def of_device(device: Device, slots: Completeness | None) -> Meter:
    complete = None if slots is None else slots.as_dict()
    return Meter.model_validate({**device.as_dict(), "completeness": complete})


def _between(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    problems = [
        Problem(N_("the time has no zone"), {}, N_("write it as 2025-08-01T00:00:00Z"), field=name)
        for name, time in (("start", start), ("end", end))
        if time.tzinfo is None
    ]
    if problems:
        raise InputError(*problems)
    return start.astimezone(UTC), end.astimezone(UTC)


def _place(cursor: str) -> Place:
    match read_cursor(cursor):
        case [int(month), str(meter), int(time)] if abs(time) < 2**52:
            return Place(month, meter, datetime.fromtimestamp(0, UTC) + timedelta(microseconds=time))
    raise no_cursor()


# -------------------------------------------------------------------------------------------- forms


def _json(rows: pl.DataFrame, after: str | None) -> bytes:
    written = rows.with_columns(pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return msgspec.json.encode({"items": written.to_dicts(), "next": after})


def _csv(rows: pl.DataFrame, _after: str | None) -> bytes:
    """As the import takes it; text that a spreadsheet would take for a formula cannot be a meter's id or unit."""
    return rows.with_columns(pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_csv().encode()


def _arrow(rows: pl.DataFrame, _after: str | None) -> bytes:
    held = BytesIO()
    rows.write_ipc_stream(held, compat_level=pl.CompatLevel.oldest())
    return held.getvalue()


def _parquet(rows: pl.DataFrame, _after: str | None) -> bytes:
    held = BytesIO()
    rows.write_parquet(held)
    return held.getvalue()


_WRITE: Mapping[str, Callable[[pl.DataFrame, str | None], bytes]] = {
    JSON: _json,
    CSV: _csv,
    ARROW_STREAM: _arrow,
    PARQUET: _parquet,
}
