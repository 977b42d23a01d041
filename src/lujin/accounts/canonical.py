"""Canonical bytes: the same content is the same bytes, whoever writes it and when.

RFC 8785 (``jcs``) for objects of text, booleans, null and small integers. Amounts are decimal strings: a JSON
number is a double, and 9·10⁶ t in mg exceeds 2⁵³. Binary floats have no place in a ledger; the type says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from lujin.accounts.jcs import encode, text_json

Plain = str | int | bool | None | Mapping[str, "Plain"] | Sequence["Plain"]

__all__ = ["Plain", "canonical_json", "flat_json", "sha256_of", "text_json"]


def canonical_json(value: Plain) -> bytes:
    """The RFC 8785 form of ``value``.

    >>> canonical_json({"b": "绿", "a": [1, True, None]}).decode()
    '{"a":[1,true,null],"b":"绿"}'
    """
    return encode(value)


def flat_json(names: Sequence[str], values: Sequence[str]) -> bytes:
    """The same for an object of texts whose ``names`` are ASCII and already sorted; fast.

    >>> flat_json(("a", "b"), ("1", "绿")).decode()
    '{"a":"1","b":"绿"}'
    """
    members = [f'"{name}":{text_json(value)}' for name, value in zip(names, values, strict=True)]
    return ("{" + ",".join(members) + "}").encode()


def sha256_of(value: Plain) -> str:
    """Hex SHA-256 of the canonical form."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
