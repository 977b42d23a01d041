"""Answers of the API that are made and compressed once, for all who have the same rights and ask the same.

An answer is kept under all that it depends on: the facts (the window's version), who asks with which rights, the
language, the address, the form asked for, and the quarter hour, since what is still to come is not missing.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Coroutine, Hashable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from lujin.park.calendar import SLOT_SECONDS
from lujin.web.api.common import FreshWindow
from lujin.web.identity import clock
from lujin.web.requests import speech
from lujin.web.window import Window

_LARGEST = 4_000_000  # compressed bytes; what is larger is made each time
_LEVEL = 4
_SAID = ("content-type", "etag", "cache-control", "vary")
Packed = tuple[bytes, dict[str, str]]


class KnownAnswer(Exception):
    """It was worked out before."""

    def __init__(self, response: Response) -> None:
        self.response = response


def known(request: Request, window: FreshWindow) -> Window:
    """The window, once it is known that the answer was not made before."""
    key = _key(request, window)
    found: Packed | None = request.app.state.answers.known(key)
    if found is not None:
        raise KnownAnswer(_response(request, found))
    request.state.keep_as = key
    return window


KeptWindow = Annotated[Window, Depends(known)]


class KeptRoute(APIRoute):
    """Keeps what a view with a ``KeptWindow`` answers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            made = await handler(request)
            key: Hashable = getattr(request.state, "keep_as", None)
            if key is None or made.status_code != 200 or isinstance(made, StreamingResponse):
                return made
            return await run_in_threadpool(_kept, request, key, made)

        return answer


def install(app: FastAPI) -> None:
    app.add_exception_handler(KnownAnswer, _answered)  # type: ignore[arg-type]


def _answered(_request: Request, found: KnownAnswer) -> Response:
    return found.response


def _kept(request: Request, key: Hashable, made: Response) -> Response:
    body = gzip.compress(bytes(made.body), _LEVEL, mtime=0)
    if len(body) > _LARGEST:
        return made
    packed = body, {name: made.headers[name] for name in _SAID if name in made.headers}
    return _response(request, request.app.state.answers(key, lambda: packed))


def _response(request: Request, packed: Packed) -> Response:
    body, headers = packed
    if "gzip" in request.headers.get("accept-encoding", ""):
        vary = f"{headers['vary']}, Accept-Encoding"
        return Response(body, headers={**headers, "vary": vary, "content-encoding": "gzip"})
    return Response(gzip.decompress(body), headers=headers)


def _key(request: Request, window: Window) -> Hashable:
    who = window.viewer
    return (
        window.version,
        "api",
        (who.person, who.role, who.enterprises, who.meters, who.scopes),
        speech(request).language,
        request.url.path,
        request.url.query,
        request.headers.get("accept", ""),
        int(clock(request).timestamp()) // SLOT_SECONDS,
    )
