"""Forms that people send: back to where they came from with a message, or shown again with what is wrong."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import Form, Path, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import AfterValidator

from lujin.errors import N_, InputError, LujinError, Problem, TooManyError
from lujin.web.identity import with_message
from lujin.web.page import html
from lujin.web.problems import status_of, wants_html
from lujin.web.requests import speech

GREATEST = 2**31 - 1  # of a number that the database gives


def _no_control(text: str) -> str:
    """
    >>> _no_control("绿金")
    '绿金'
    """
    if any(ord(c) < 32 for c in text):
        raise ValueError("control characters are not text")
    return text


Typed = Annotated[str, Form(max_length=2000), AfterValidator(_no_control)]
Several = Annotated[list[Annotated[str, AfterValidator(_no_control)]], Form(max_length=5000)]
Sought = Annotated[str, Query(max_length=100), AfterValidator(_no_control)]
Number = Annotated[int, Path(ge=1, le=GREATEST)]
Version = Annotated[int, Form(ge=1, le=GREATEST)]


def done(request: Request, path: str, message: str, **values: Any) -> Response:
    """After a change: the page ``path``, which says ``message``."""
    said = speech(request).fill(message, **values)
    return RedirectResponse(with_message(request, path, said), 303)


def again(request: Request, template: str, title: str, error: LujinError, **values: Any) -> Response:
    """The form once more, with what was typed and what is wrong with it beside each field."""
    if not wants_html(request):
        raise error
    page = html(request, template, title, status_of(error), problems=error.problems, **values)
    if isinstance(error, TooManyError):
        page.headers["retry-after"] = str(error.retry_after_s)
    return page


def day_of(text: str, field: str) -> date:
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
    except ValueError:
        pass
    message, remedy = N_("{text} is not a day"), N_("write it as 2025-06-30")
    raise InputError(Problem(message, {"text": text[:20] or "—"}, remedy, field=field))
