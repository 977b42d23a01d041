"""Before and after each request: who asks, whether the request is their own, and what browsers may do with us."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lujin.access.opaque import form_token_fits
from lujin.errors import N_, ForbiddenError, LujinError, Problem
from lujin.web.doors import Doors
from lujin.web.identity import address_of, half_session_of, identify
from lujin.web.problems import lujin_response
from lujin.web.rates import Rates

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
HTTPS_ONLY = {"strict-transport-security": "max-age=31536000"}
READING = frozenset({"GET", "HEAD", "OPTIONS"})
# Asked for by browsers and watchers all the time; they tell nothing.
OPEN = ("/static/", "/healthz", "/readyz", "/metrics")
READS_A_FILE = frozenset({"/verify", "/api/v1/verify"})  # by POST because of its size; changes nothing
PASSWORD_PATHS = ("/sign-in", "/link/")


class Guard:
    """The middleware around everything else."""

    def __init__(self, app: ASGIApp, doors: Doors) -> None:
        self.app = app
        self.rates = Rates(doors.requests_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        send = _with_headers(request, send)
        if not request.url.path.startswith(OPEN):
            try:
                await self._admit(request)
            except LujinError as error:
                response = await run_in_threadpool(lujin_response, request, error)
                await response(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _admit(self, request: Request) -> None:
        _same_origin(request)
        writes = request.method not in READING
        password = writes and request.url.path.startswith(PASSWORD_PATHS)
        await run_in_threadpool(identify, request)
        session = half_session_of(request)
        viewer = session.viewer if session else request.state.viewer
        self.rates.check(address_of(request), viewer.person if viewer else None, password)


async def own_form(request: Request) -> None:
    """For every route: what writes by the session's cookie must carry the token of our own page (CSRF)."""
    token = getattr(request.state, "session_token", "")
    if request.method in READING or not token or request.url.path in READS_A_FILE:
        return
    given = request.headers.get("x-csrf-token") or str((await request.form()).get("csrf", ""))
    if not form_token_fits(token, given):
        raise _forged(N_("this form is from another session or another site; nothing was changed"))


def _same_origin(request: Request) -> None:
    """Browsers say where a request comes from; what another site sends changes nothing here."""
    if request.method in READING:
        return
    site, origin = request.headers.get("sec-fetch-site", ""), request.headers.get("origin", "")
    if origin == "null" and site == "same-origin":
        return  # a page that sends no referrer, as those with a one-time link do, has no origin to tell either
    ours = {request.headers.get("host", ""), urlsplit(request.app.state.settings.public_url).netloc} - {""}
    if site not in ("", "same-origin", "none") or (origin and origin.partition("://")[2] not in ours):
        raise _forged(N_("this request comes from another site; nothing was changed"))


def _forged(message: str) -> ForbiddenError:
    return ForbiddenError(Problem(message, {}, N_("open the page again here and repeat what you did")))


def _with_headers(request: Request, send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            secure = HTTPS_ONLY if request.app.state.settings.secure else {}
            for name, value in {**HEADERS, **secure}.items():
                headers.setdefault(name, value)
            if getattr(request.state, "session", None) is not None:
                # What a signed-in person saw must not come back from the cache of a shared computer.
                headers.setdefault("cache-control", "no-store")
        await send(message)

    return sending
