"""Signing in and out, and the links that work once."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from lujin.access import Link, SignedIn, open_link, second_factor, sign_in, sign_out, use_link
from lujin.errors import N_, InputError, LujinError, Problem, SignInError
from lujin.web.forms import Typed, again
from lujin.web.identity import clock, engine_of, enter, half_session_of, leave, visit_of
from lujin.web.page import html
from lujin.web.requests import language, viewer
from lujin.web.routes.start import own_path

router = APIRouter(include_in_schema=False)
SIGN_IN, CODE, LINK = "sign_in.html", "sign_in_code.html", "link.html"
TITLE = N_("Sign in")
CODE_TITLE = N_("Second factor")
LINK_TITLE = N_("Welcome")


@router.get("/sign-in")
def ask(request: Request, back: str = "/") -> Response:
    if viewer(request) is not None:
        # Who is in already must not be sent back to where one signs in.
        return RedirectResponse("/" if back.startswith("/sign-in") else own_path(back), 303)
    return html(request, SIGN_IN, TITLE, problems=(), back=own_path(back), email="", provider=_provider(request))


@router.post("/sign-in")
def enter_password(request: Request, email: Typed = "", password: Typed = "", back: Typed = "/") -> Response:
    back = own_path(back)
    try:
        visit = visit_of(request)
        token = sign_in(engine_of(request), email, password, visit)
        if (before := half_session_of(request)) is not None:
            sign_out(engine_of(request), before, now=visit.now, address=visit.address)
    except LujinError as error:
        return again(request, SIGN_IN, TITLE, error, back=back, email=email[:254], provider=_provider(request))
    return entered(request, token, back)


@router.get("/sign-in/code")
def ask_code(request: Request, back: str = "/") -> Response:
    _half(request)
    return html(request, CODE, CODE_TITLE, problems=(), back=own_path(back))


@router.post("/sign-in/code")
def enter_code(request: Request, code: Typed = "", back: Typed = "/") -> Response:
    back = own_path(back)
    try:
        token = second_factor(engine_of(request), _half(request), code, visit_of(request))
    except InputError as error:
        return again(request, CODE, CODE_TITLE, error, back=back)
    return entered(request, token, back)


@router.post("/sign-out")
def leave_now(request: Request) -> Response:
    session = half_session_of(request)
    if session is not None:
        visit = visit_of(request)
        sign_out(engine_of(request), session, now=visit.now, address=visit.address)
    response = RedirectResponse("/sign-in", 303)
    leave(request, response)
    return response


@router.get("/link/{token}")
def show_link(request: Request, token: str) -> Response:
    """Looking does not use the link up: programs that preview mail look too."""
    link = open_link(engine_of(request), token, clock(request))
    return _link_page(request, link)


@router.post("/link/{token}")
def follow_link(
    request: Request,
    token: str,
    password: Typed = "",
    repeated: Typed = "",
    name: Typed = "",
    email: Typed = "",
) -> Response:
    visit = visit_of(request)
    link = open_link(engine_of(request), token, visit.now)
    try:
        if password != repeated:
            message = N_("the two passwords differ")
            raise InputError(Problem(message, {}, N_("type the same one twice"), field="repeated"))
        session = use_link(
            engine_of(request),
            token,
            password,
            visit,
            name=name,
            email=email,
            language=language(request),
        )
    except InputError as error:
        return again(request, LINK, LINK_TITLE, error, link=link, name=name[:100], email=email[:254])
    return entered(request, session, "/")


def entered(request: Request, token: str, back: str) -> Response:
    """Hand out the session; on to the second factor where one is asked for."""
    response = RedirectResponse(f"/sign-in/go?back={quote(back)}", 303)
    enter(request, response, token)
    response.headers["cache-control"] = "no-store"
    return response


@router.get("/sign-in/go")
def go_on(request: Request, back: str = "/") -> Response:
    """After signing in: to the page asked for, or to the second factor first."""
    session = half_session_of(request)
    if session is not None and not session.full:
        return RedirectResponse(f"/sign-in/code?back={quote(own_path(back))}", 303)
    return RedirectResponse(own_path(back), 303)


def _link_page(request: Request, link: Link) -> Response:
    page = html(request, LINK, LINK_TITLE, problems=(), link=link, name="", email="")
    page.headers["referrer-policy"] = "no-referrer"
    page.headers["cache-control"] = "no-store"
    return page


def _half(request: Request) -> SignedIn:
    session = half_session_of(request)
    if session is None or session.full:
        raise SignInError(Problem(N_("please sign in"), {}, N_("begin with address and password")))
    return session


def _provider(request: Request) -> str:
    provider = request.app.state.settings.doors.provider
    return provider.name if provider else ""
