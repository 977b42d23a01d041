"""What arrived, the rows that were refused, and taking an arrival back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from lujin.web.api.bulk import CSV
from lujin.web.api.common import (
    NOT_MODIFIED,
    USUAL,
    Cursor,
    FreshWindow,
    Limit,
    SpeechOf,
    no_cursor,
    read_cursor,
    resource,
    write_cursor,
)
from lujin.web.api.jobs import STARTED, begun
from lujin.web.models.base import Page
from lujin.web.models.readings import Arrival
from lujin.web.requests import WindowOf

router = resource("readings")
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
_CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "Refused rows, each with its reason", "content": {CSV: {}}}
}


def brings_readings(window: WindowOf) -> None:
    """Before the body is looked at."""
    window.imports()


class UndoingAsked(BaseModel):
    """``post``: post what changes as well, if you may."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: str = Field(min_length=1, max_length=2000, examples=["sent for the wrong meter"])
    post: bool = False


@router.get("/imports", responses=NOT_MODIFIED)
def list_imports(window: FreshWindow, limit: Limit = USUAL, cursor: Cursor = "") -> Page[Arrival]:
    """Arrivals, the newest first: all, or those that you brought."""
    before = read_cursor(cursor) if cursor else None
    if cursor and not (type(before) is int and 0 < before < 2**31):
        raise no_cursor()
    found = window.data().arrivals(limit + 1, before)
    items = [Arrival.of(record) for record in found[:limit]]
    return Page(items=items, next=write_cursor(items[-1].number) if len(found) > limit else None)


@router.get("/imports/{number}", responses=NOT_MODIFIED)
def show_import(window: FreshWindow, number: Number) -> Arrival:
    """One arrival: who brought it when, and how many of its rows were taken."""
    return Arrival.of(window.data().arrival(number))


@router.get("/imports/{number}/refused", responses=_CSV, response_class=Response)
def refused_rows(window: WindowOf, number: Number) -> Response:
    """All refused rows of an arrival, with row, column, value and reason in both languages."""
    return Response(window.imports().refused(number).read_bytes(), media_type="text/csv; charset=utf-8")


@router.post("/imports/{number}/undo", status_code=202, responses=STARTED, dependencies=[Depends(brings_readings)])
def undo(request: Request, window: WindowOf, say: SpeechOf, number: Number, asked: UndoingAsked) -> Response:
    """Takes an arrival back by newer facts: readings become what they would be had it never come."""
    work = window.imports().undo(number, asked.reason, post=asked.post)
    return begun(request, window, say, "undo", {"number": number}, work)
