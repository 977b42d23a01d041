"""Answer models of the library's records: the same names and words, typed for the OpenAPI document.

>>> from lujin.workspace.trend import Against
>>> [name for name, field in answer_of(Against).model_fields.items() if field.annotation == float | None]
['change']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import create_model

from lujin.accounts import Amount, ParkTotals
from lujin.accounts.statement_parts import BookTotal, Completeness, EnergyLine, Part
from lujin.errors import Problem
from lujin.web.models import accounts, base
from lujin.workspace.listing import Listing

_KNOWN: Mapping[Any, Any] = {
    Amount: base.Amount,
    Completeness: base.Completeness,
    BookTotal: accounts.BookTotal,
    EnergyLine: accounts.EnergyLine,
    ParkTotals: accounts.ParkSums,
    Problem: base.Told,
    datetime: base.Instant,
    date: date,
    Decimal: base.Text,
}
_NOT_TOLD: Mapping[Any, Sequence[str]] = {Listing: ("meters",)}  # their ``as_dict`` leaves these out
_MONTHS = ("month", "months", "touched")  # integers 202506 in the library


@cache
def answer_of(record: Any) -> type[base.Answer]:
    """The model of a record that is told by ``as_dict``, field by field."""
    hints = get_type_hints(record)
    described: dict[str, Any] = {
        field.name: (_kind(hints[field.name], field.name in _MONTHS), _default(field))
        for field in fields(record)
        if field.name not in _NOT_TOLD.get(record, ())
    }
    return create_model(record.__name__, __base__=base.Answer, __doc__=record.__doc__, **described)


def told(record: Any, say: Any = None) -> base.Answer:
    return answer_of(type(record)).of(record, say)  # type: ignore[arg-type]  # classes can be hashed


def _default(field: Field[Any]) -> Any:
    return ... if field.default is MISSING and field.default_factory is MISSING else None


def _kind(hint: Any, month: bool) -> Any:
    if hint in _KNOWN:
        return _KNOWN[hint]
    if hint is int and month:
        return base.Month
    if isinstance(hint, type) and issubclass(hint, Part):
        return answer_of(hint)  # type: ignore[arg-type]  # as above
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return str
    if origin in (Union, UnionType):
        return Union[tuple(a if a is NoneType else _kind(a, month) for a in arguments)]  # noqa: UP007 (not known before)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return tuple[tuple(_kind(a, month) for a in arguments)]  # type: ignore[misc]
    if origin in (tuple, list, Sequence):
        return list[_kind(arguments[0], month)]  # type: ignore[misc]
    if origin in (dict, Mapping):
        return dict[str, _kind(arguments[1], False)]  # type: ignore[misc]
    return hint
