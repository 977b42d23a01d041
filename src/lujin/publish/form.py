"""The form of a file that came from anywhere: strict JSON, and shapes that say what may stand where.

A certificate file is the RFC 8785 form of its value, byte for byte: one value has one file, so no byte can
change unseen. A file that an editor or a mail program reformatted is refused as such.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from lujin.accounts.jcs import Json, encode
from lujin.errors import N_, InputError, Problem

LARGEST = 64 * 2**20  # bytes; a year of an enterprise with a hundred line keys a day takes about 3 MB
_LONGEST = 100_000  # letters of a text that no pattern bounds
# No control characters (a terminal obeys them), none that turn the direction of writing.
_SHOWN = "[^\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]*"
Shape = Callable[[Any, str], None]


def canonical_file(document: Mapping[str, Json]) -> bytes:
    """The bytes to write and hand on."""
    return encode(document)


def read(data: bytes, shape: Shape) -> dict[str, Any]:
    """The value of a canonical file of this shape.

    InputError: it is too large, no JSON, not canonical, or something else than was expected stands in it.
    """
    if len(data) > LARGEST:
        raise _bad(N_("the file has {size} bytes; none that lujin writes has more than {most}"), size=len(data))
    try:
        value = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_constant, parse_int=_integer)
    except UnicodeDecodeError:
        raise _bad(N_("the file is not UTF-8 text")) from None
    except json.JSONDecodeError as error:
        raise _bad(N_("the file is no JSON: line {line}, column {column}"), error.lineno, error.colno) from None
    except RecursionError:
        raise _bad(N_("the file is nested too deeply")) from None
    shape(value, "")
    if encode(value) != data:
        raise _bad(N_("the file was reformatted: its bytes are not the canonical form (RFC 8785)"))
    found: dict[str, Any] = value
    return found


_ORIGINAL = N_("ask the issuer for the original file, and hand it on unopened")


def _bad(message: str, line: int = 0, column: int = 0, **params: object) -> InputError:
    return InputError(Problem(message, {"line": line, "column": column, "most": LARGEST, **params}, _ORIGINAL))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _bad(N_("the member {name} stands twice"), name=next(n for n in names if names.count(n) > 1)[:80])
    return found


def _constant(text: str) -> Any:
    raise _bad(N_("{text} is no JSON number"), text=text)


def _integer(text: str) -> Any:
    """Digits beyond what Python converts would raise a ValueError of its own."""
    if len(text) > 17:
        raise _bad(N_("{text} is no JSON number"), text=text[:24] + "…")
    return int(text)


# ----------------------------------------------------------------------------------------------------- shapes


def text(pattern: str = "", longest: int = _LONGEST) -> Shape:
    """A text that all matches the pattern; without one, any that shows on a screen as it is."""
    fits = re.compile(pattern or _SHOWN, re.ASCII if pattern else re.UNICODE).fullmatch

    def shape(value: Any, where: str) -> None:
        if not isinstance(value, str) or len(value) > longest or not fits(value):
            raise _misplaced(where, value)

    return shape


def exactly(expected: Json) -> Shape:
    def shape(value: Any, where: str) -> None:
        if type(value) is not type(expected) or value != expected:
            raise _misplaced(where, value)

    return shape


def record(members: Mapping[str, Shape]) -> Shape:
    """An object with these members and no others."""
    names = members.keys()

    def shape(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise _misplaced(where, value)
        if value.keys() != names:
            if missing := sorted(names - value.keys()):
                raise _misplaced(f"{where}.{missing[0]}".lstrip("."), None)
            raise _misplaced(f"{where}.{sorted(value.keys() - names)[0][:40]}".lstrip("."), "…")
        for name, inner in members.items():
            inner(value[name], f"{where}.{name}".lstrip("."))

    return shape


def listing(item: Shape, least: int = 0, most: int = 1_000_000) -> Shape:
    def shape(value: Any, where: str) -> None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise _misplaced(where, value)
        for at, inner in enumerate(value):
            item(inner, f"{where}[{at}]")

    return shape


def both(first: Shape, second: Shape) -> Shape:
    """A list of exactly these two."""

    def shape(value: Any, where: str) -> None:
        if not isinstance(value, list) or len(value) != 2:
            raise _misplaced(where, value)
        first(value[0], f"{where}[0]")
        second(value[1], f"{where}[1]")

    return shape


def table(name_pattern: str, value_pattern: str) -> Shape:
    """An object of texts, at least one; patterns for all names and all values, neither matching a newline.

    All at once: a certificate of a year has tens of thousands of members of this kind.
    """
    names, values = (re.compile(f"(?:(?:{p})\n)+", re.ASCII).fullmatch for p in (name_pattern, value_pattern))
    name_fits, fits = (re.compile(p, re.ASCII).fullmatch for p in (name_pattern, value_pattern))

    def shape(value: Any, where: str) -> None:
        if not isinstance(value, dict) or not value:
            raise _misplaced(where, value)
        texts = all(type(inner) is str for inner in value.values())
        if texts and names("\n".join(value) + "\n") and values("\n".join(value.values()) + "\n"):
            return
        for name, inner in value.items():
            if not name_fits(name) or not isinstance(inner, str) or not fits(inner):
                raise _misplaced(f"{where}.{name[:40]}", inner)

    return shape


def _misplaced(where: str, value: Any) -> InputError:
    """What stands there is quoted in its first letters only: it may be hostile."""
    found = "—" if value is None else repr(value)[:40]
    message = N_("{found} stands where something else belongs")
    remedy = N_("ask for a file written by lujin; if a newer lujin wrote it, take that version to check it")
    return InputError(Problem(message, {"found": found}, remedy, field=where or "file"))
