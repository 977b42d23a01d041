"""Where a visit begins: the start page, language and colours."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from lujin.access.policy import holds
from lujin.access.viewer import Right
from lujin.errors import N_, NotFoundError, Problem
from lujin.language import LANGUAGES
from lujin.web.requests import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, viewer, window

router = APIRouter(include_in_schema=False)
YEAR_S = 365 * 86_400


@router.get("/")
def start(request: Request) -> Response:
    """To what this viewer works with: the park (a new one: its first steps), the own enterprise, or the list of
    those one may see.
    """
    who = viewer(request)
    if who is None:
        return RedirectResponse("/sign-in", 303)
    if holds(who, Right.SEE_PARK):
        return RedirectResponse("/overview" if window(request).months() else "/first-steps", 303)
    seen = window(request).enterprises()
    return RedirectResponse(f"/enterprises/{seen[0]}" if len(seen) == 1 else "/enterprises", 303)


@router.get("/language/{code}")
def choose_language(request: Request, code: str, back: str = "/") -> Response:
    return _chosen(request, LANGUAGE_COOKIE, code, LANGUAGES, back)


@router.get("/theme/{name}")
def choose_theme(request: Request, name: str, back: str = "/") -> Response:
    return _chosen(request, THEME_COOKIE, name, THEMES, back)


def _chosen(request: Request, cookie: str, value: str, known: tuple[str, ...], back: str) -> Response:
    if value not in known:
        params = {"value": value[:20], "known": ", ".join(known)}
        raise NotFoundError(Problem(N_("there is no {value}"), params, N_("use one of: {known}")))
    response = RedirectResponse(own_path(back), 303)
    secure = request.app.state.settings.secure
    response.set_cookie(cookie, value, max_age=YEAR_S, samesite="lax", httponly=True, secure=secure)
    return response


def own_path(back: str) -> str:
    """The path to go back to, if it is one of ours: never another site's address.

    >>> own_path("/meters?month=2025-06"), own_path("//evil.example"), own_path("/\\\\evil.example")
    ('/meters?month=2025-06', '/', '/')
    """
    ours = back.startswith("/") and not back.startswith(("//", "/\\")) and not any(c in back for c in "\r\n\t\\")
    return back if ours else "/"
