"""What a request tells: who asks, in which language, for which month."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query, Request

from lujin.access.viewer import Viewer
from lujin.errors import N_, InputError, Problem, SignInError
from lujin.language import LANGUAGES, Language, Speech
from lujin.web.identity import workspace_of
from lujin.web.window import Window

LANGUAGE_COOKIE = "lujin_language"
THEME_COOKIE = "lujin_theme"
THEMES = ("auto", "light", "dark")


def month_number(text: str) -> int:
    """
    >>> month_number("2025-06")
    202506
    """
    year, _, number = text.partition("-")
    if len(year) == 4 and len(number) == 2 and text.replace("-", "").isascii() and (year + number).isdecimal():
        found = int(year + number)
        if 1 <= found % 100 <= 12 and found >= 190001:
            return found
    raise InputError(
        Problem(N_("{text} is not a month"), {"text": text[:40]}, N_("write it as 2025-06"), field="month")
    )


def instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            Problem(
                N_("{text} is not an instant"),
                {"text": text[:40]},
                N_("write it as 2025-08-01T00:00Z"),
                field="as_of",
            )
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


MonthText = Annotated[
    str,
    Query(description="Month of the park's calendar", examples=["2025-06"], pattern=r"^\d{4}-(0[1-9]|1[0-2])$"),
]


def language(request: Request) -> Language:
    """By cookie, else the browser's first language that we speak."""
    said = request.cookies.get(LANGUAGE_COOKIE, "")
    if said in LANGUAGES:
        return said
    for part in request.headers.get("accept-language", "").split(","):
        code = part.partition(";")[0].strip().lower()
        if code.startswith("zh"):
            return "zh"
        if code.startswith("en"):
            return "en"
    return "zh"


def speech(request: Request) -> Speech:
    return Speech(language(request))


def theme(request: Request) -> str:
    said = request.cookies.get(THEME_COOKIE, "")
    return said if said in THEMES else "auto"


def viewer(request: Request) -> Viewer | None:
    """Who asks, as security established it; None for somebody who is not signed in."""
    found: Viewer | None = getattr(request.state, "viewer", None)
    return found


def window(request: Request) -> Window:
    """The park as this viewer may see it, one for the whole request. SignInError: nobody is signed in."""
    found = viewer(request)
    if found is None:
        raise SignInError(Problem(N_("please sign in"), remedy=N_("sign in and repeat what you did")))
    known: Window | None = getattr(request.state, "window", None)
    if known is not None and known.viewer is found:
        return known
    state = request.app.state
    request.state.window = opened = Window(
        workspace_of(request), found, state.cache, state.open_park.pulse, state.answers
    )
    return opened


async def _window(request: Request) -> Window:
    """It asks nobody, so it need not wait for a thread."""
    return window(request)


WindowOf = Annotated[Window, Depends(_window)]
