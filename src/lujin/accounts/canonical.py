"""Canonical bytes: the same content is the same bytes, whoever writes it and when.

RFC 8785 (JSON Canonicalization Scheme) for objects of text, booleans, null and small integers. Amounts are
decimal strings: a JSON number is a double, and 9·10⁶ t in mg exceeds 2⁵³. Binary floats are refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

Plain = str | int | bool | None | Mapping[str, "Plain"] | Sequence["Plain"]
_SAFE = 2**53 - 1


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def canonical_json(value: Plain) -> bytes:
    """The RFC 8785 form of ``value``.

    >>> canonical_json({"b": "绿", "a": [1, True, None]}).decode()
    '{"a":[1,true,null],"b":"绿"}'
    """
    return _encode(_ordered(value)).encode()


def flat_json(names: Sequence[str], values: Sequence[str]) -> bytes:
    """The same for an object of texts whose ``names`` are ASCII and already sorted; fast.

    >>> flat_json(("a", "b"), ("1", "绿")).decode()
    '{"a":"1","b":"绿"}'
    """
    return _encode(dict(zip(names, values, strict=True))).encode()


def text_json(text: str) -> str:
    """One JSON string, quotes included."""
    return _encode(text)


def sha256_of(value: Plain) -> str:
    """Hex SHA-256 of the canonical form."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _ordered(value: Plain) -> Plain:
    """Keys by UTF-16 code units (RFC 8785, 3.2.3; Python would sort by code point); inexact numbers refused."""
    match value:
        case str() | bool() | None:
            return value
        case int():
            if abs(value) > _SAFE:
                raise TypeError(f"{value} does not fit a JSON number; write it as text")
            return value
        case Mapping():
            return {k: _ordered(value[k]) for k in sorted(value, key=lambda k: k.encode("utf-16-be"))}
        case Sequence():
            return [_ordered(v) for v in value]
    raise TypeError(f"{type(value).__name__} has no canonical form")
