"""Which form of an answer the client prefers (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.exceptions import HTTPException


def chosen(accept: str, forms: Sequence[str]) -> str:
    """The form that the client likes best; of equals the first of ``forms``. 406: it takes none of them.

    >>> chosen("text/csv, application/json;q=0.5", ["application/json", "text/csv"])
    'text/csv'
    >>> chosen("*/*", ["application/json", "text/csv"]), chosen("", ["application/json"])
    ('application/json', 'application/json')
    """
    liked = [(part.partition(";")[0].strip().lower(), _weight(part)) for part in accept.split(",") if part.strip()]
    if not liked:
        return forms[0]
    if any(form == "text/html" for form, _ in liked):
        liked.append((forms[0], 0.01))  # a browser that follows a link
    weighed = [(_liking(form, liked), form) for form in forms]
    best = max(weight for weight, _ in weighed)
    if not best:
        raise HTTPException(406)
    return next(form for weight, form in weighed if weight == best)


def _liking(form: str, liked: Sequence[tuple[str, float]]) -> float:
    """The weight of the most specific range that the form falls into."""
    for wanted in (form, f"{form.partition('/')[0]}/*", "*/*"):
        for name, weight in liked:
            if name == wanted:
                return weight
    return 0.0


def _weight(part: str) -> float:
    for parameter in part.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
