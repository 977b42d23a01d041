"""Many readings in one request: durable before it is answered, row by row accounted for."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import polars as pl
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Header, Query, Request, Response

from lujin.access.viewer import Right
from lujin.errors import N_, InputError, Problem
from lujin.language import Speech
from lujin.web.api import bulk
from lujin.web.api.body import read_body
from lujin.web.api.common import PREFIX, SpeechOf, problems, resource
from lujin.web.api.repeats import Answered, claim, release, settle
from lujin.web.models.readings import ArrivalReport
from lujin.web.requests import WindowOf
from lujin.web.window import Window
from lujin.workspace.importing import FileResult

router = resource("readings")
AT_ONCE = CapacityLimiter(2)  # bodies that are worked on at once; the others wait in their connection
LISTED = 1000

_ROW = {"meter": "K001-EL1", "time": "2025-06-01T00:00:00+08:00", "value": 12.5}
_COLUMNS = {"meter": "K001-EL1", "time": ["2025-06-01T00:00:00Z", "2025-06-01T00:15:00Z"], "value": [12.5, 13.1]}
_CSV = "meter,time,value,unit,quality\nK001-EL1,2025-06-01T00:00:00+08:00,12.5,kWh,measured\n"
_READING = {
    "type": "object",
    "required": ["meter", "time"],
    "additionalProperties": False,
    "properties": {
        "meter": {"type": "string", "description": "id or alias of a meter"},
        "time": {"type": "string", "description": "ISO 8601; without offset in the zone of the meter"},
        "value": {"type": ["number", "string", "null"], "description": "in `unit`; null: there is none"},
        "unit": {"type": ["string", "null"], "description": "the meter's own unless given"},
        "quality": {"type": ["string", "null"], "description": "measured, estimated or manual"},
    },
}


def _list_of(*types: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": list(types) if len(types) > 1 else types[0]}}


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            bulk.JSON: {
                "schema": {
                    "oneOf": [
                        {
                            "type": "object",
                            "required": ["readings"],
                            "additionalProperties": False,
                            "properties": {"readings": {"type": "array", "items": _READING}},
                        },
                        {
                            "type": "object",
                            "required": ["columns"],
                            "additionalProperties": False,
                            "properties": {
                                "columns": {
                                    "type": "object",
                                    "required": ["meter", "time", "value"],
                                    "additionalProperties": False,
                                    "properties": {
                                        "meter": {"oneOf": [{"type": "string"}, _list_of("string")]},
                                        "time": _list_of("string"),
                                        "value": _list_of("number", "string", "null"),
                                        "unit": {"oneOf": [{"type": "string"}, _list_of("string", "null")]},
                                        "quality": {"oneOf": [{"type": "string"}, _list_of("string", "null")]},
                                    },
                                }
                            },
                        },
                    ]
                },
                "examples": {
                    "rows": {"value": {"readings": [_ROW]}},
                    "columns": {"summary": "a third of the time", "value": {"columns": _COLUMNS}},
                },
            },
            bulk.NDJSON: {"schema": {"type": "string"}},
            bulk.CSV: {"schema": {"type": "string"}, "example": _CSV},
            **{m: {"schema": {"type": "string", "format": "binary"}} for m in bulk.MEDIA[3:]},
        },
    }
}
_CREATED: dict[int | str, dict[str, Any]] = {
    201: {
        "description": "Stored; `Location` leads to the arrival",
        "model": ArrivalReport,
        "headers": {"Location": {"schema": {"type": "string"}}},
    },
    200: {"description": "Nothing was new, or it was a dry run", "model": ArrivalReport},
}


@router.post("/readings", status_code=201, responses={**_CREATED, **problems(409, 413, 415)}, openapi_extra=_BODY)
async def take_readings(
    request: Request,
    window: WindowOf,
    say: SpeechOf,
    name: Annotated[
        str, Query(description="what the arrival is called", max_length=100, pattern=r"^[\w.() -]*$")
    ] = "",
    dry_run: Annotated[bool, Query(description="only say what would happen")] = False,
    idempotency_key: Annotated[
        str | None, Header(description="one per body: a repeated request gets the answer of the first")
    ] = None,
) -> Response:
    """Stores a body whole, in one commit, before it answers. A row that cannot be taken is refused with its reason
    and holds up none of the others. Readings that are known already change nothing; others of the same meter and
    time correct them. Batches of 100,000 to 1,000,000 readings are best.
    """
    window.data().meters(Right.WRITE_READINGS)
    body = await read_body(request, bulk.LIMITS.body)
    media = request.headers.get("content-type", "")
    arguments = (window, say, body, media, name, dry_run, idempotency_key)
    return await run_sync(_taken, *arguments, limiter=AT_ONCE)


def _taken(
    window: Window, say: Speech, body: bytes, media: str, name: str, dry_run: bool, key: str | None
) -> Response:
    digest = hashlib.sha256(body).hexdigest()
    about = hashlib.sha256(f"{digest}\n{media}\n{name}\n{dry_run}".encode()).hexdigest()
    person, database = window.viewer.person, window.data().database
    found = None if key is None else claim(database, person, key, about, window.data().now())
    if found is None:
        try:
            found = _stored(window, say, bulk.decode(body, media), digest, name, dry_run)
        except BaseException:
            if key is not None:
                release(database, person, key)
            raise
        if key is not None:
            settle(database, person, key, found)
    headers = {"location": found.location} if found.location else {}
    return Response(found.answer, found.status, headers, media_type=bulk.JSON)


def _stored(window: Window, say: Speech, frame: pl.DataFrame, digest: str, name: str, dry_run: bool) -> Answered:
    called = name or f"{window.viewer.name} {digest[:8]}"
    result = window.data().ingest(frame, called, digest=digest, dry_run=dry_run or frame.is_empty(), listed=LISTED)
    if result.failed:
        _refuse(result)
    answer = report_of(result, say, dry_run=dry_run).model_dump_json()
    if dry_run or not result.source:
        return Answered(200, "", answer)
    return Answered(201, f"{PREFIX}/imports/{result.source}", answer)


def _refuse(result: FileResult) -> None:
    """InputError: not one reading could be taken."""
    if result.report is None:
        raise InputError(*result.problems)
    message = N_("none of the {count} readings could be taken")
    summary = Problem(message, {"count": result.report.rejected}, N_("correct them and send them again"))
    raise InputError(summary, *result.report.rejections)


def report_of(result: FileResult, say: Speech, *, dry_run: bool) -> ArrivalReport:
    assert result.report is not None
    plain = result.report.as_dict(say)
    kept = {name: plain[name] for name in ArrivalReport.model_fields if name in plain}
    about = {"source": result.source, "same_as": result.same_as, "name": plain["file"], "dry_run": dry_run}
    return ArrivalReport.model_validate({**kept, **about}, context={"say": say})
