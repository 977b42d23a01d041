"""How long a request may be: a body is cut off where its limit is, however it was announced."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lujin.errors import N_, Problem, TooLargeError
from lujin.web.problems import lujin_response
from lujin.web.settings import MIB

USUAL = 20 * MIB  # a form, a certificate
SLACK = 64 * 1024  # what a form puts around a file


class BodyLimit:
    """Middleware. ``limit_of``: path → most bytes of a body."""

    def __init__(self, app: ASGIApp, limit_of: Callable[[str], int]) -> None:
        self.app = app
        self.limit_of = limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limit_of(scope["path"])
        request = Request(scope)
        said = request.headers.get("content-length", "")
        if said.isdecimal() and int(said) > limit + SLACK:
            response = await run_in_threadpool(lujin_response, request, _too_large(limit))
            await response(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit + SLACK:
                raise _too_large(limit)
            return message

        await self.app(scope, counted, send)


def limits(upload: int) -> Callable[[str], int]:
    """Where files and bulk readings come in, as much as is taken of an upload; elsewhere little."""

    def limit_of(path: str) -> int:
        return upload if path in ("/imports", "/imports/upload") or path.startswith("/api/") else USUAL

    return limit_of


def _too_large(limit: int) -> TooLargeError:
    message = N_("more than {limit} MiB are not taken in one request")
    remedy = N_("send it in parts, as Parquet or gzip, or import it on the server with: lujin import")
    return TooLargeError(Problem(message, {"limit": limit // MIB}, remedy, field="file"))
