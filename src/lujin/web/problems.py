"""Errors as answers: RFC 9457 for programs, a page for people. Never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from lujin.errors import (
    N_,
    ConflictError,
    ForbiddenError,
    InputError,
    LockedError,
    LujinError,
    MediaError,
    NotFoundError,
    Problem,
    SignInError,
    TooLargeError,
    TooManyError,
)
from lujin.web.page import html
from lujin.web.requests import speech

log = logging.getLogger("lujin.web")

# The first that fits.
STATUS: Sequence[tuple[type[LujinError], int]] = (
    (SignInError, 401),
    (ForbiddenError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (TooLargeError, 413),
    (MediaError, 415),
    (InputError, 422),
    (TooManyError, 429),
    (LockedError, 503),
    (LujinError, 500),
)
TITLES = {
    400: N_("The request cannot be understood"),
    401: N_("Please sign in"),
    403: N_("Not allowed"),
    404: N_("Not found"),
    405: N_("Not possible here"),
    406: N_("Not to be had in this form"),
    409: N_("Changed in the meantime"),
    413: N_("Too large"),
    415: N_("This kind of content is not taken"),
    422: N_("Please check what you entered"),
    429: N_("Too many requests"),
    500: N_("A fault of lujin"),
    503: N_("Busy at the moment"),
}


def install(app: FastAPI) -> None:
    app.add_exception_handler(LujinError, lujin_response)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _validation)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _http)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, _fault)


def status_of(error: LujinError) -> int:
    return next(status for kind, status in STATUS if isinstance(error, kind))


def lujin_response(request: Request, error: LujinError) -> Response:
    headers = {"retry-after": str(error.retry_after_s)} if isinstance(error, TooManyError) else {}
    status = status_of(error)
    if status == 500:
        log.error("%s", error)
    return problem_response(request, status, error.problems, headers)


def _validation(request: Request, error: RequestValidationError) -> Response:
    found = [
        Problem(
            N_("{field}: {reason}"),
            {"field": ".".join(map(str, e["loc"][1:])) or str(e["loc"][0]), "reason": e["msg"]},
            field=".".join(map(str, e["loc"][1:])),
        )
        for e in error.errors()
    ]
    return problem_response(request, 422, found)


def _http(request: Request, error: HTTPException) -> Response:
    found = [] if error.status_code in TITLES else [Problem(str(error.detail))]
    if error.status_code == 404:
        found = [
            Problem(N_("there is no page {path}"), {"path": request.url.path[:200]}, N_("go back or use the menu"))
        ]
    return problem_response(request, error.status_code, found, error.headers)


def _fault(request: Request, error: Exception) -> Response:
    log.exception("fault", exc_info=error)
    found = [
        Problem(N_("something went wrong here; it was recorded"), remedy=N_("try again, or tell the operator"))
    ]
    return problem_response(request, 500, found)


def problem_response(request: Request, status: int, problems: Sequence[Problem], headers: Any = None) -> Response:
    if wants_html(request):
        if status == 401 and request.method == "GET":
            back = quote(str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""))
            return RedirectResponse(f"/sign-in?back={back}", 303)
        page = html(request, "problem.html", title_of(status), status, problems=problems)
        page.headers.update(headers or {})
        return page
    return JSONResponse(
        problem_document(request, status, problems), status, headers, media_type="application/problem+json"
    )


def problem_document(request: Request, status: int, problems: Sequence[Problem]) -> dict[str, Any]:
    """RFC 9457, section 3, with one more member: ``problems``, each with place and remedy."""
    say = speech(request)
    return {
        "type": "about:blank",
        "title": say(title_of(status)),
        "status": status,
        "detail": "; ".join(p.text(say) for p in problems),
        "instance": request.url.path,
        "problems": [
            {
                "message": say(p.message).format(**_params(p, request)),
                "remedy": say(p.remedy).format(**_params(p, request)),
                "field": p.field,
                "file": p.file,
                "row": p.line,
                "severity": p.severity,
            }
            for p in problems
        ],
    }


def _params(problem: Problem, request: Request) -> dict[str, Any]:
    say = speech(request)
    return {k: v.text(say) if isinstance(v, Problem) else v for k, v in problem.params.items()}


def title_of(status: int) -> str:
    return TITLES.get(status, TITLES[500] if status >= 500 else TITLES[400])


def wants_html(request: Request) -> bool:
    path = request.url.path
    if path.startswith("/api/") or path.endswith((".json", ".csv")):
        return False
    return "text/html" in request.headers.get("accept", "") or "hx-request" in request.headers
