"""What every resource of ``/api/v1`` shares: routers, errors as they are declared, pages of lists, ETags."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import BaseModel, BeforeValidator, Field

from lujin.access.viewer import Right
from lujin.errors import N_, InputError, NotFoundError, Problem
from lujin.language import Speech
from lujin.publish.form import canonical_file
from lujin.web.models.base import Page, Told
from lujin.web.requests import WindowOf, speech
from lujin.web.window import Window

PREFIX = "/api/v1"
JSON, PROBLEM = "application/json", "application/problem+json"
MOST, USUAL = 1000, 100  # items of a page
BEARER = HTTPBearer(auto_error=False, scheme_name="token", description="An API token: Authorization: Bearer …")

T = TypeVar("T")


class ProblemDocument(BaseModel):
    """RFC 9457, with all problems, each with its place and what to do."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Please check what you entered"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["2025-13 is not a month; write it as 2025-06"])
    instance: str = Field(examples=["/api/v1/quality/2025-13"])
    problems: list[Told]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How errors of these statuses are declared."""
    said = {
        400: "The request cannot be understood",
        401: "No token, or one that no longer holds",
        403: "The token's owner has no right to this, or the token does not carry it",
        404: "There is no such thing, or the token's owner may not know of it",
        406: "Not to be had in this form",
        409: "Changed in the meantime, or still being worked on",
        413: "More than one request may carry",
        415: "A content type that is not taken",
        422: "Something in the request does not fit; every problem is listed",
        429: "Too many requests; Retry-After says when to come back",
        503: "Another process is writing; try again",
    }
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {status: {"description": said[status], "content": content} for status in statuses}


USUAL_PROBLEMS = problems(400, 401, 403, 404, 422, 429, 503)


def resource(tag: str, route: type[APIRoute] = APIRoute) -> APIRouter:
    return APIRouter(
        route_class=route,
        prefix=PREFIX,
        tags=[tag],
        responses=USUAL_PROBLEMS,
        dependencies=[Security(BEARER), Depends(known_parameters)],
    )


def public(tag: str) -> APIRouter:
    return APIRouter(
        prefix=PREFIX, tags=[tag], responses=problems(400, 413, 422, 429), dependencies=[Depends(known_parameters)]
    )


def needs(right: Right) -> Any:
    """A dependency of what changes something: whoever may not is told so before the body is looked at."""

    def over_the_park(window: WindowOf) -> None:
        window.park(right)

    return Depends(over_the_park)


async def known_parameters(request: Request) -> None:
    """A query parameter that nobody reads is a slip of the pen: told, not passed over."""
    route = request.scope["route"]
    parameters = _query_parameters(route.dependant)
    known = {parameter.alias for parameter in parameters}
    lists = {parameter.alias for parameter in parameters if "list[" in str(parameter.field_info.annotation)}
    if twice := [name for name in known - lists if len(request.query_params.getlist(name)) > 1]:
        message, remedy = N_("parameter {name} is given more than once"), N_("give it once")
        raise InputError(*(Problem(message, {"name": name}, remedy, field=name) for name in sorted(twice)))
    if unknown := sorted(set(request.query_params) - known):
        raise InputError(
            *(
                Problem(
                    N_("there is no parameter {name}"),
                    {"name": name[:40], "known": ", ".join(sorted(known)) or "—"},
                    N_("parameters here: {known}"),
                    field=name[:40],
                )
                for name in unknown
            )
        )


def _query_parameters(dependant: Any) -> list[Any]:
    return [*dependant.query_params, *(p for inner in dependant.dependencies for p in _query_parameters(inner))]


_DOCUMENT = {"type": "object", "additionalProperties": True}
SIGNED: dict[int | str, dict[str, Any]] = {
    status: {
        "description": "A signed document, in canonical form (RFC 8785)",
        "content": {JSON: {"schema": _DOCUMENT}},
    }
    for status in (200, 201)
}


def signed(document: Mapping[str, Any], status: int = 200) -> Response:
    """The very bytes that were signed."""
    return Response(canonical_file(document), status, media_type=JSON)


# ------------------------------------------------------------------------------------------------ parameters

MONTH_PATTERN = r"^(19|20)\d{2}-(0[1-9]|1[0-2])$"
MonthPath = Annotated[str, Path(pattern=MONTH_PATTERN, description="local calendar month", examples=["2025-06"])]
EnterprisePath = Annotated[str, Path(description="id of an enterprise", examples=["K001"])]
EnterpriseQuery = Annotated[str, Query(description="only of this enterprise", examples=["K001"])]
BookQuery = Annotated[
    str,
    Query(
        description="location, market, regulatory, embodied or physical",
        pattern="^(location|market|regulatory|embodied|physical)$",
    ),
]


def iso_text(value: Any) -> Any:
    """A bare number is no time: whether of seconds or milliseconds, from which year, nobody says."""
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[\d._]+(e[+-]?\d+)?\s*", value, re.IGNORECASE):
        raise ValueError("a bare number is no ISO 8601 time or date")
    return value


Moment = Annotated[datetime, BeforeValidator(iso_text)]
Day = Annotated[date, BeforeValidator(iso_text)]
AsOfQuery = Annotated[Moment | None, Query(description="as known at that time", examples=["2025-08-01T00:00:00Z"])]
Limit = Annotated[int, Query(ge=1, le=MOST, description="items of a page")]
Cursor = Annotated[str, Query(max_length=400, description="`next` of the page before")]


def month_of(text: str) -> int:
    """
    >>> month_of("2025-06")
    202506
    """
    return int(text.replace("-", ""))


def posted_month(window: Window, text: str) -> int:
    """NotFoundError: nothing is posted for the month."""
    if (found := month_of(text)) not in window.months():
        message, remedy = N_("{month} is not posted"), N_("see the list of periods")
        raise NotFoundError(Problem(message, {"month": text}, remedy, field="month"))
    return found


@contextmanager
def refused_as(kind: type[InputError]) -> Iterator[None]:
    """Say more of a refusal than that the input is at fault: ConflictError, what is well said cannot be done to
    the thing as it is now; NotFoundError, it names something that is not there.
    """
    try:
        yield
    except InputError as error:
        raise kind(*error.problems) from error


def known_at(as_of: datetime | None) -> datetime | None:
    return None if as_of is None else zoned(as_of, "as_of")


def zoned(time: datetime, field: str) -> datetime:
    """A time without zone would mean something else on every machine."""
    if time.tzinfo is None:
        remedy = N_("write it as 2025-08-01T00:00:00Z")
        raise InputError(Problem(N_("the time has no zone"), {}, remedy, field=field))
    return time


async def spoken(request: Request) -> Speech:
    return speech(request)


SpeechOf = Annotated[Speech, Depends(spoken)]


# ---------------------------------------------------------------------------------------------------- paging


def paged(items: Sequence[T], key: Callable[[T], Any], limit: int, cursor: str) -> Page[T]:
    """The page after the cursor. ``items`` stand in the order of ``key``; keys are JSON."""
    start = 0
    if cursor:
        after = read_cursor(cursor)
        try:
            start = next((i for i, item in enumerate(items) if key(item) > after), len(items))
        except TypeError:
            raise no_cursor() from None
    found = list(items[start : start + limit])
    more = start + limit < len(items)
    return Page(items=found, next=write_cursor(key(found[-1])) if found and more else None)


def write_cursor(key: Any) -> str:
    """
    >>> read_cursor(write_cursor(["E004", 3]))
    ['E004', 3]
    """
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def read_cursor(cursor: str) -> Any:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, msgspec.DecodeError):
        raise no_cursor() from None


def no_cursor() -> NotFoundError:
    remedy = N_("give `next` of the page before, as it is")
    return NotFoundError(Problem(N_("this is no cursor of the list"), {}, remedy, field="cursor"))


# ------------------------------------------------------------------------------------------------------ ETag


class NotModified(Exception):
    """The client has this answer already."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers


def fresh(request: Request, response: Response, window: WindowOf) -> Window:
    """The window, once it is known that the client has not this answer already: nothing is worked out twice.

    The tag stands for all that an answer depends on: the park's facts, who asks, in which language, for what.
    """
    headers = tags(request, window)
    asked = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    if headers["etag"].removeprefix("W/") in asked:
        raise NotModified(headers)
    response.headers.update(headers)
    return window


def tags(request: Request, window: Window) -> dict[str, str]:
    who = window.viewer
    parts = (
        window.version,
        repr(
            (who.person, who.role, *(kind and sorted(kind) for kind in (who.enterprises, who.meters, who.scopes)))
        ),
        speech(request).language,
        request.url.path,
        request.url.query,
        request.headers.get("accept", ""),
    )
    tag = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
    return {
        "etag": f'W/"{tag}"',
        "cache-control": "private, no-cache",
        "vary": "Authorization, Cookie, Accept, Accept-Language",
    }


FreshWindow = Annotated[Window, Depends(fresh)]
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "What the client has is still right"}}


def install(app: FastAPI) -> None:
    app.add_exception_handler(NotModified, _not_modified)  # type: ignore[arg-type]


def _not_modified(_request: Request, found: NotModified) -> Response:
    return Response(status_code=304, headers=found.headers)
