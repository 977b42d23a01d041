"""The body of a request: read up to a limit, and what is said of one that cannot be understood."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import Request

from lujin.errors import N_, InputError, Problem, TooLargeError


async def read_body(request: Request, limit: int) -> bytes:
    """TooLargeError as soon as it is known, whatever the client goes on to send."""
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > limit:
        raise too_large(N_("the body has more than {limit} bytes"), limit)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise too_large(N_("the body has more than {limit} bytes"), limit)
        parts.append(part)
    return b"".join(parts)


def too_large(message: str, limit: int) -> TooLargeError:
    return TooLargeError(Problem(message, {"limit": f"{limit:,}"}, N_("send it in several requests")))


def understood(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at `")
        raise InputError(malformed(said, place.rstrip("`").removeprefix("$."))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(malformed(str(error), "")) from None


def malformed(detail: str, field: str) -> Problem:
    return Problem(
        N_("the body cannot be read: {detail}"), {"detail": detail}, N_("compare it with the example"), field=field
    )
