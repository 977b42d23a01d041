"""How well is a datum known? Rows of the table ``uncertainties``: published limits of meter classes, published
ranges of factors, and what a park states of its own meters, factors and estimates.

Where no row answers, the uncertainty is unknown. Nothing is assumed in its place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Literal

from lujin.errors import N_, Problem
from lujin.reference.rows import Row, decimal_of

KINDS = ("meter", "meter_class", "factor", "estimate", "allocation")
MEDIA = ("", "electricity", "heat", "steam", "gas", "mass", "water")
PARAMETERS = ("", "value", "ncv", "carbon_content")
# What the published number is, and what it is divided by to give a standard uncertainty. A limit of error without
# further knowledge is the half-width of a uniform distribution: u = a/√3 (JCGM 100:2008, 4.3.7). A 95 % range of a
# normal distribution is ±1.96 u (4.3.4); k=2 is an expanded uncertainty of a certificate (4.3.3).
DIVISORS: Mapping[str, float] = {"limit": math.sqrt(3), "95%": 1.96, "k=1": 1.0, "k=2": 2.0, "k=3": 3.0}
DISTRIBUTIONS = ("uniform", "normal", "lognormal")
_CLASS = re.compile(r"(?:class|cl\.?|准确度)?\s*(\d+(?:[.,]\d+)?)\s*(s?)\s*级?", re.IGNORECASE)


def class_name(text: str) -> str:
    """An accuracy class in one spelling.

    >>> class_name("0.5S"), class_name("2.0"), class_name("class 0,2s"), class_name("1.0级"), class_name("A")
    ('0.5S', '2', '0.2S', '1', 'A')
    """
    form = _CLASS.fullmatch(text.strip())
    if not form:
        return text.strip()
    return f"{float(form[1].replace(',', '.')):g}{form[2].upper()}"


@dataclass(frozen=True, slots=True)
class Stated:
    """A datum's relative standard uncertainty [1] and its row."""

    relative: float
    distribution: Literal["uniform", "normal", "lognormal"]
    row: Row


def stated(row: Row) -> Stated:
    """u = value / divisor of its coverage. The row passed ``uncertainty_problems``."""
    relative = float(row.value) / 100.0 / DIVISORS[row.values["coverage"]]
    return Stated(relative, row.values["distribution"], row)  # type: ignore[arg-type]


class Uncertainties:
    """The rows in force on a day, asked by what a number rests on.

    A row that names the datum itself goes before rows with a pattern (``*``). ``Several`` rows of one rank are
    no answer: the datum stays unknown until one of them is withdrawn.
    """

    def __init__(self, rows: Iterable[Row], on: date) -> None:
        self._rows: dict[str, list[Row]] = {kind: [] for kind in KINDS}
        for row in rows:
            if row.table == "uncertainties" and row.holds_on(on):
                self._rows[row.values["kind"]].append(row)
        self._classes = {
            (row.values["medium"], class_name(row.values["applies_to"])): row for row in self._rows["meter_class"]
        }
        self._known: dict[tuple[str, str, str], Stated | None] = {}

    def meter(self, meter: str, accuracy_class: str, medium: str) -> Stated | None:
        """What is stated of this meter (a certificate), else the limit of its class. None: unknown."""
        own = self._one("meter", meter)
        if own is not None or not accuracy_class:
            return own
        row = self._classes.get((medium, class_name(accuracy_class)))
        return None if row is None else stated(row)

    def factor(self, key: str, parameter: str = "value") -> Stated | None:
        """``key``: natural key of the factor's row (``Row.key``); ``parameter``: which of its numbers."""
        return self._one("factor", key, parameter)

    def estimate(self, subject: str) -> Stated | None:
        return self._one("estimate", subject)

    def allocation(self, name: str) -> Stated | None:
        return self._one("allocation", name)

    def _one(self, kind: str, name: str, parameter: str = "") -> Stated | None:
        asked = (kind, name, parameter)
        if asked not in self._known:
            rows = [row for row in self._rows[kind] if (row.values["parameter"] or parameter) == parameter]
            exact = [row for row in rows if row.values["applies_to"] == name]
            found = exact or [row for row in rows if fnmatchcase(name, row.values["applies_to"])]
            self._known[asked] = stated(found[0]) if len(found) == 1 else None
        return self._known[asked]


def uncertainty_problems(values: Mapping[str, str]) -> Iterator[tuple[str, Problem]]:
    """What is wrong inside one row: the column and the problem, without its place."""
    known: Mapping[str, Sequence[str]] = {
        "kind": KINDS,
        "medium": MEDIA,
        "parameter": PARAMETERS,
        "distribution": DISTRIBUTIONS,
        "coverage": tuple(DIVISORS),
    }
    for column, words in known.items():
        if values[column] not in words:
            params = {"text": values[column], "known": ", ".join(word or "∅" for word in words)}
            yield column, Problem(N_("{text!r} is not known here"), params, N_("use one of: {known}"))
    if not values["applies_to"]:
        yield (
            "applies_to",
            Problem(N_("the row does not say what it applies to"), {}, N_("name it, or a pattern with *")),
        )
    if (values["coverage"] == "limit") != (values["distribution"] == "uniform"):
        remedy = N_("write uniform with limit, normal or lognormal with 95%, k=1, k=2 or k=3")
        params = {"distribution": values["distribution"], "coverage": values["coverage"]}
        yield "coverage", Problem(N_("{distribution} does not go with {coverage}"), params, remedy)
    number = decimal_of(values["value"])
    if number is None or number <= 0:
        params = {"datum": values["applies_to"], "text": values["value"] or "∅"}
        remedy = N_("state a positive uncertainty in %, or leave the row out: it then counts as unknown")
        yield "value", Problem(N_("the uncertainty {text} of {datum} is not above zero"), params, remedy)
