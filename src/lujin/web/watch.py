"""Around every request: a number for it, a line in the log, a count in the metrics."""

from __future__ import annotations

import logging
import time
from secrets import token_hex

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lujin.web.logs import told
from lujin.web.metrics import Metrics

log = logging.getLogger("lujin.web.request")
QUIET = frozenset({"/healthz", "/readyz", "/metrics", "/static/{path:path}"})
_LONGEST = 64


class Watch:
    """ASGI middleware, the outermost: it sees what all others answered."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        number = _given(scope) or token_hex(8)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(id=number)
        scope.setdefault("state", {})["request_id"] = number
        started, answered = time.perf_counter(), {"status": 500, "bytes": 0}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered["status"] = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = number
            elif message["type"] == "http.response.body":
                answered["bytes"] += len(message.get("body", b""))
            await send(message)

        self._metrics.open_requests.inc()
        try:
            await self._app(scope, receive, sending)
        finally:
            self._metrics.open_requests.dec()
            self._tell(scope, answered, time.perf_counter() - started)

    def _tell(self, scope: Scope, answered: dict[str, int], seconds: float) -> None:
        method, route, status = _method(scope), route_of(scope), answered["status"]
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(method, route).observe(seconds)
        if route in QUIET and status < 400:
            return
        viewer = scope["state"].get("viewer")
        line = told(
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000, 1),
            bytes=answered["bytes"],
            person=None if viewer is None else viewer.person,
            role=None if viewer is None else str(viewer.role),
            token=getattr(viewer, "token", ""),
            address=(scope.get("client") or ("",))[0],
        )
        log.log(logging.ERROR if status >= 500 else logging.INFO, "request", extra=line)


def route_of(scope: Scope) -> str:
    """The path as it is registered: ``/enterprises/{enterprise}``; "-" where no route fits."""
    return str(getattr(scope.get("route"), "path", "") or "-")


def _method(scope: Scope) -> str:
    """Any text may be a method; the metrics count those there are."""
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return scope["method"] if scope["method"] in known else "other"


def _given(scope: Scope) -> str:
    """The number that a proxy gave the request, if it is one to put into a log."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text: str = value.decode("latin-1")
            return text if text.isascii() and text.replace("-", "").isalnum() and len(text) <= _LONGEST else ""
    return ""
