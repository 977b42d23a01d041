"""Who asks: the session of a cookie, or the token of a program. Established once per request."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import Response
from markupsafe import Markup
from sqlalchemy.engine import Engine

from lujin.access import SignedIn, Viewer, Visit, signed_in, token_viewer
from lujin.access.opaque import form_token
from lujin.errors import N_, Problem, SignInError
from lujin.pulse import Pulse
from lujin.workspace import Workspace

_BEARER = "bearer "


def workspace_of(request: Request) -> Workspace:
    """The park as it was when the request came."""
    known: Workspace | None = getattr(request.state, "workspace", None)
    if known is None:
        known = request.state.workspace = request.app.state.open_park.current()
    return known


def engine_of(request: Request) -> Engine:
    return workspace_of(request).engine


def pulse_of(request: Request) -> Pulse:
    found: Pulse = request.app.state.open_park.pulse
    return found


def clock(request: Request) -> datetime:
    """The time by ``app.state.clock`` where a test sets one."""
    own = getattr(request.app.state, "clock", None)
    found: datetime = own() if own else datetime.now(UTC)
    return found


def visit_of(request: Request) -> Visit:
    now = clock(request)
    local = now.astimezone(ZoneInfo(workspace_of(request).park.timezone))
    return Visit(
        now,
        local.year * 10000 + local.month * 100 + local.day,
        address_of(request),
        request.headers.get("user-agent", ""),
        request.app.state.settings.doors.lifetimes,
    )


def address_of(request: Request) -> str:
    """Where the request comes from; behind a proxy the server puts in what the proxy said."""
    return request.client.host if request.client else ""


def identify(request: Request) -> None:
    """Put ``viewer`` (with rights), and ``session`` (perhaps still without the second factor) into the state."""
    state = request.state
    state.viewer, state.session, state.session_token = None, None, ""
    workspace_of(request)
    if (known := request.app.state.viewer_of) is not None:
        state.viewer = known(request)
    elif (bearer := _bearer(request)) is not None:
        state.viewer = _of_token(request, bearer)
    elif token := request.cookies.get(cookie_name(request), ""):
        session = signed_in(engine_of(request), token, visit_of(request), pulse_of(request))
        if session is not None:
            state.session, state.session_token = session, token
            state.viewer = session.viewer if session.full else None


def session_of(request: Request) -> SignedIn:
    """The full session. SignInError: there is none, or a program asks with its token."""
    session = half_session_of(request)
    if session is None or not session.full:
        raise SignInError(Problem(N_("please sign in"), {}, N_("sign in and repeat what you did")))
    return session


def half_session_of(request: Request) -> SignedIn | None:
    session: SignedIn | None = getattr(request.state, "session", None)
    return session


def enter(request: Request, response: Response, token: str) -> None:
    """Hand the session's token to the browser: not to scripts, nor to other sites."""
    doors = request.app.state.settings.doors
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=int(doors.lifetimes.whole.total_seconds()),
        path="/",
        secure=request.app.state.settings.secure,
        httponly=True,
        samesite="lax",
    )


def leave(request: Request, response: Response) -> None:
    secure = request.app.state.settings.secure
    response.delete_cookie(cookie_name(request), path="/", secure=secure, httponly=True, samesite="lax")


def cookie_name(request: Request) -> str:
    """Under https the browser itself holds the cookie to this host and to https."""
    return "__Host-lujin" if request.app.state.settings.secure else "lujin"


def csrf_token(request: Request) -> str:
    token = getattr(request.state, "session_token", "")
    return form_token(token) if token else ""


def csrf_field(request: Request) -> Markup:
    """The hidden field of every form that writes."""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(csrf_token(request))


def with_message(request: Request, path: str, message: str) -> str:
    """The path with a message for the page there to say, sealed: nobody's link makes our pages say something."""
    joint = "&" if "?" in path else "?"
    return f"{path}{joint}{urlencode({'message': message, 'seal': _seal(request, message)})}"


def message_of(request: Request) -> str:
    """The message that the page is to say; "" if there is none or it is not ours."""
    said, seal = request.query_params.get("message", ""), request.query_params.get("seal", "")
    return said if said and hmac.compare_digest(seal.encode(), _seal(request, said).encode()) else ""


def _seal(request: Request, message: str) -> str:
    token = getattr(request.state, "session_token", "")
    return hmac.new(token.encode(), f"message {message}".encode(), hashlib.sha256).hexdigest()[:32]


def _bearer(request: Request) -> str | None:
    """The token a program shows; for the API and for pages as data, not for pages."""
    path, said = request.url.path, request.headers.get("authorization", "")
    data = path.startswith("/api/") or path.endswith((".json", ".csv"))
    return said[len(_BEARER) :].strip() if data and said.lower().startswith(_BEARER) else None


def _of_token(request: Request, token: str) -> Viewer:
    visit = visit_of(request)
    keep = pulse_of(request)
    viewer = token_viewer(engine_of(request), token, now=visit.now, today=visit.today, keep=keep)
    if viewer is None:
        message = N_("this token is unknown, revoked or expired")
        raise SignInError(Problem(message, {}, N_("make a new one on your account's page")))
    return viewer
