"""JSON Canonicalization Scheme, RFC 8785: one value has one sequence of bytes.

Numbers are IEEE 754 doubles written as ECMAScript writes them (ECMA-262, Number::toString; RFC 8785, 3.2.2.3).
What a double cannot hold is refused; an amount belongs into a decimal string.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from json import JSONEncoder
from json.encoder import encode_basestring as text_json

from lujin.errors import N_, InputError, Problem

Json = str | int | float | bool | None | Mapping[str, "Json"] | Sequence["Json"]
SAFE_INTEGER = 2**53 - 1
_plain = JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, check_circular=False).encode
_TEXT = {str}

__all__ = ["SAFE_INTEGER", "Json", "encode", "number_json", "text_json"]


def encode(value: Json) -> bytes:
    """The RFC 8785 form of ``value``, UTF-8.

    InputError: the value holds something that JSON cannot represent exactly.

    >>> encode({"b": "绿", "a": [1, True, None, 1e30, 56.0]}).decode()
    '{"a":[1,true,null,1e+30,56],"b":"绿"}'
    """
    try:
        return (_plain(value) if _is_plain(value) else _written(value)).encode()
    except UnicodeEncodeError:
        raise _refused(N_("a text holds half a surrogate pair"), N_("write the whole character")) from None
    except RecursionError:
        raise _refused(N_("the value is nested too deeply"), N_("write it with fewer levels")) from None


def _is_plain(value: Json) -> bool:
    """Whether Python's own writer gives the same: no numbers, and names in ASCII, where both orders agree.

    So it is with all that we sign, and several times faster.
    """
    if type(value) is dict:
        if ({*map(type, value)} != _TEXT and value) or not _ascii(value):
            return False
        return {*map(type, value.values())} == _TEXT or all(map(_is_plain, value.values()))
    if type(value) is list:
        return {*map(type, value)} == _TEXT or all(map(_is_plain, value))
    return type(value) is str or value is None or value is True or value is False


def _written(value: Json) -> str:
    if isinstance(value, str):
        return text_json(value)
    if isinstance(value, Mapping):
        return "{" + ",".join([f"{text_json(k)}:{_written(value[k])}" for k in _ordered(value)]) + "}"
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, int | float):
        return number_json(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return "[" + ",".join([_written(v) for v in value]) + "]"
    raise _refused(N_("{kind} has no JSON form"), N_("write it as text"), kind=type(value).__name__)


def _ordered(value: Mapping[str, Json]) -> list[str]:
    """Names by UTF-16 code units (RFC 8785, 3.2.3; Python would sort by code point)."""
    names = list(value)
    for name in names:
        if not isinstance(name, str):
            raise _refused(N_("{kind} is no name of a member"), N_("write it as text"), kind=type(name).__name__)
    if _ascii(names):
        return sorted(names)
    return sorted(names, key=lambda name: name.encode("utf-16-be", "surrogatepass"))


def _ascii(names: Iterable[str]) -> bool:
    """Then both orders are the same."""
    return "".join(names).isascii()


def number_json(value: int | float) -> str:
    """A number as ECMAScript writes it: shortest digits that give the same double back.

    >>> [number_json(v) for v in (-0.0, 1e21, 1e20, 1e-6, 1e-7, 0.1)]
    ['0', '1e+21', '100000000000000000000', '0.000001', '1e-7', '0.1']
    """
    if isinstance(value, int):
        if abs(value) > SAFE_INTEGER:
            remedy = N_("write amounts as decimal strings")
            raise _refused(N_("{value} does not fit a JSON number"), remedy, value=value)
        return int.__repr__(value)
    if not math.isfinite(value):
        raise _refused(N_("{value} is not a JSON number"), N_("leave out what is unknown"), value=value)
    if value == 0:
        return "0"
    sign, digits, point = _decimal(value)
    count = len(digits)
    if count <= point <= 21:
        said = digits + "0" * (point - count)
    elif 0 < point <= 21:
        said = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        said = f"0.{'0' * -point}{digits}"
    else:
        fraction = f".{digits[1:]}" if count > 1 else ""
        said = f"{digits[0]}{fraction}e{point - 1:+d}"
    return sign + said


def _decimal(value: float) -> tuple[str, str, int]:
    """Sign, shortest digits without zeros at either end, and the place of the point: 0.digits · 10^point."""
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = float.__repr__(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    return sign, digits.rstrip("0"), point


def _refused(message: str, remedy: str, **params: object) -> InputError:
    return InputError(Problem(message, params, remedy))
