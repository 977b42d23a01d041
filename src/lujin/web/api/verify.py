"""What anyone may ask: whether a certificate holds, and which were superseded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from anyio.to_thread import run_sync
from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from lujin.accounts.jcs import encode
from lujin.errors import N_, InputError, NotFoundError, Problem
from lujin.language import Speech
from lujin.publish import check
from lujin.publish.form import LARGEST
from lujin.publish.integrity import key_of
from lujin.web.api.body import malformed, read_body, understood
from lujin.web.api.common import SIGNED, SpeechOf, problems, public
from lujin.web.models.months import Checked
from lujin.web.public import public_park

router = public("evidence")
DID = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"


class CheckAsked(BaseModel):
    """``certificate``: as it was issued. ``status``: the issuer's newest status list; ``witness``: an older
    head of the log with the proof that the log extends it; ``issuer``: whom you trust, as the park told you.
    """

    model_config = ConfigDict(extra="forbid")

    certificate: Mapping[str, Any]
    status: Mapping[str, Any] | None = None
    witness: Mapping[str, Any] | None = None
    issuer: str | None = Field(None, max_length=200, examples=[DID])


class Documents(msgspec.Struct, forbid_unknown_fields=True):
    certificate: msgspec.Raw
    status: msgspec.Raw = msgspec.Raw(b"null")
    witness: msgspec.Raw = msgspec.Raw(b"null")
    issuer: str | None = None


@router.get("/status-list", response_class=JSONResponse, responses={**SIGNED, **problems(404)})
def show_status_list(request: Request) -> Response:
    """Which certificates were superseded, signed: whoever checks one needs the newest list."""
    found = public_park(request).status_list()
    if found is None:
        message, remedy = N_("the park has signed nothing yet"), N_("come back when it has issued a certificate")
        raise NotFoundError(Problem(message, {}, remedy))
    return Response(found, media_type="application/json")


_SCHEMA = {"application/json": {"schema": CheckAsked.model_json_schema()}}
_BODY = {"requestBody": {"required": True, "content": _SCHEMA}}


@router.post("/verify", openapi_extra=_BODY)
async def verify(request: Request, say: SpeechOf) -> Checked:
    """Checks a certificate without asking any park: form, signature, status, proof, sum."""
    body = await read_body(request, 3 * LARGEST)
    return await run_sync(_checked, body, say)


def _checked(body: bytes, say: Speech) -> Checked:
    asked: Documents = understood(lambda: msgspec.json.decode(body, type=Documents))
    for name in ("certificate", "status", "witness"):
        raw = bytes(getattr(asked, name)).lstrip()
        if not raw.startswith(b"{") and (raw != b"null" or name == "certificate"):
            raise InputError(malformed("Expected `object`", name))
    status, witness = (None if bytes(raw) == b"null" else _file(raw) for raw in (asked.status, asked.witness))
    if asked.issuer is not None:
        key_of(asked.issuer)
    now = datetime.now(UTC)
    report = check(_file(asked.certificate), status, trusted=asked.issuer, witness=witness, now=now)
    return Checked.of(report, say)


def _file(document: msgspec.Raw) -> bytes:
    """The file that was signed: a JSON library may have ordered and spaced its members anew on the way here. What
    has no canonical form goes on as it is, and fails the check of its form.
    """
    try:
        return encode(json.loads(bytes(document), object_pairs_hook=_once))
    except (ValueError, RecursionError, InputError):
        return bytes(document)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name that comes twice would be read differently by different readers."""
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("twice")
    return found
