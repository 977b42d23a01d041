"""Signing in with another provider, where one is set up: people that the park knows, by their address there."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from lujin.access import sign_in_by_email
from lujin.access.foreign import begin, take
from lujin.errors import N_, InputError, LujinError, NotFoundError, Problem
from lujin.web.forms import Sought, again
from lujin.web.identity import clock, engine_of, visit_of
from lujin.web.oidc import Connect
from lujin.web.routes.sign_in import SIGN_IN, TITLE, entered
from lujin.web.routes.start import own_path

router = APIRouter(include_in_schema=False)
STATE_COOKIE = "lujin_state"


def install(app: FastAPI) -> None:
    provider = app.state.settings.doors.provider
    app.state.connect = Connect(provider) if provider else None


@router.get("/sign-in/provider")
def go(request: Request, back: str = "/") -> Response:
    connect = _connect(request)
    state, asked = begin(engine_of(request), own_path(back), clock(request))
    try:
        address = connect.address(asked, state, _back(request))
    except LujinError as error:
        return _refused(request, error)
    response = RedirectResponse(address, 303)
    # Only the browser that went there may come back with the answer.
    secure = request.app.state.settings.secure
    response.set_cookie(
        STATE_COOKIE, state, max_age=600, path="/sign-in", secure=secure, httponly=True, samesite="lax"
    )
    return response


@router.get("/sign-in/provider/back")
def come_back(request: Request, state: str = "", code: str = "", error: Sought = "") -> Response:
    connect, visit = _connect(request), visit_of(request)
    try:
        known = hmac.compare_digest(request.cookies.get(STATE_COOKIE, "").encode(), state.encode())
        asked = take(engine_of(request), state, visit.now) if known and state else None
        if asked is None:
            raise InputError(Problem(N_("this sign-in was not begun here, or is too old"), {}, N_("begin again")))
        if error or not code:
            message = N_("the provider did not let you in: {reason}")
            raise InputError(Problem(message, {"reason": error or "—"}, N_("begin again")))
        email = connect.email(asked, code, _back(request))
        token = sign_in_by_email(engine_of(request), email, connect.provider.issuer, visit)
    except InputError as refusal:
        return _refused(request, refusal)
    response = entered(request, token, asked.target)
    response.delete_cookie(STATE_COOKIE, path="/sign-in")
    return response


def _connect(request: Request) -> Connect:
    connect: Connect | None = request.app.state.connect
    if connect is None:
        message = N_("this park signs in with no other provider")
        raise NotFoundError(Problem(message, {}, N_("sign in with your password")))
    return connect


def _back(request: Request) -> str:
    base = request.app.state.settings.public_url or str(request.base_url).rstrip("/")
    return f"{base}/sign-in/provider/back"


def _refused(request: Request, error: LujinError) -> Response:
    name = _connect(request).provider.name
    return again(request, SIGN_IN, TITLE, error, back="/", email="", provider=name)
