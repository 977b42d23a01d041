"""What a file is that was given in place of another: a person takes the wrong one of three easily."""

from __future__ import annotations

import json
from typing import Any, Literal

from lujin.errors import N_, InputError, Problem
from lujin.publish.form import LARGEST, Shape, read
from lujin.publish.shapes import HEAD_TYPE, LIST_TYPE, TYPE, WITNESS_TYPE

Kind = Literal["certificate", "status list", "witness"]
_WANTED: dict[Kind, str] = {
    "certificate": N_("this is no certificate: it is {what}"),
    "status list": N_("this is no status list: it is {what}"),
    "witness": N_("this is no witness, an older head with its proof: it is {what}"),
}
_NAMES: dict[Kind, str] = {
    "certificate": N_("a certificate"),
    "status list": N_("a status list"),
    "witness": N_("a witness, an older head of the log with its proof"),
}
NO_CERTIFICATE = _WANTED["certificate"]
_HEAD = N_("a head of the log")
_BINARY = (
    (b"%PDF-", N_("a PDF file")),
    (b"PK\x03\x04", N_("an Excel workbook or another archive")),
    (b"\x89PNG", N_("a picture")),
    (b"\xff\xd8\xff", N_("a picture")),
    (b"-----BEGIN", N_("a key in PEM form, which may be secret")),
)


def read_kind(data: bytes, shape: Shape, wanted: Kind) -> dict[str, Any]:
    """``form.read``; a file that is plainly another kind of document is told as that. InputError."""
    try:
        return read(data, shape)
    except InputError as error:
        what = _told(data)
        if what is None or what == _NAMES[wanted]:
            raise
        remedy = N_("give the right file")
        raise InputError(Problem(_WANTED[wanted], {"what": Problem(what)}, remedy)) from error


def _told(data: bytes) -> str | None:
    for start, name in _BINARY:
        if data.startswith(start):
            return name
    if len(data) > LARGEST:
        return None
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    kind = value.get("type")
    if kind == TYPE:
        return _NAMES["certificate"]
    if kind == LIST_TYPE:
        return _NAMES["status list"]
    if kind == WITNESS_TYPE:
        return _NAMES["witness"]
    return _HEAD if kind == HEAD_TYPE else None
