"""Which published row holds on each day of a month, and what to say where none does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from lujin.errors import N_, FactorError, LujinError, Problem
from lujin.reference import Resolve, Row, Selector

CANDIDATES = 3  # rows that nearly answer, as a report shows them


@dataclass(frozen=True, slots=True)
class Segment:
    """Days of the month (indices) on which the same rows answer."""

    days: NDArray[np.int64]
    rows: tuple[Row, ...]

    @property
    def row(self) -> Row:
        return self.rows[0]

    @property
    def factor(self) -> str:
        return joined(self.rows)


def listed(enterprises: Iterable[str]) -> str:
    """A few names, and how many there are in all.

    >>> listed(["b", "a"]), listed("abcdefg")
    ('a, b', 'a, b, c, d, e … (7)')
    """
    names = sorted(enterprises)
    return ", ".join(names) if len(names) <= 5 else f"{', '.join(names[:5])} … ({len(names)})"


def joined(rows: Iterable[Row]) -> str:
    """Row ids as a line carries them.

    >>> joined([])
    ''
    """
    return "+".join(sorted({row.id for row in rows}))


@dataclass(frozen=True, slots=True)
class _Missing:
    """From ``day`` on no row answers, for the reason given. ``row``: what would, ready to copy."""

    day: date
    reason: Problem
    row: str
    enterprises: set[str] = field(default_factory=set)

    def problem(self, carrier: str) -> Problem:
        none = self.row and "candidates" in self.reason.params and "count" not in self.reason.params
        remedy = N_("then post them with: lujin run PARK")
        if none:
            remedy = N_("add a row like this to reference/tariffs.csv, then: lujin run PARK\n  {row}")
        return Problem(
            N_("{enterprise}: no factor for {carrier} on {date}, these lines are not posted: {reason}"),
            {
                "enterprise": listed(self.enterprises),
                "carrier": carrier,
                "date": self.day,
                "reason": _nearest(replace(self.reason, remedy="") if none else self.reason),
                "month": f"{self.day:%Y-%m}",
                "row": self.row,
            },
            remedy,
        )


def _nearest(reason: Problem) -> Problem:
    """The reason with its nearest candidates only: a report has room for few."""
    lines = str(reason.params.get("candidates", "")).split("\n")
    if len(lines) > CANDIDATES + 1:
        lines = [*lines[: CANDIDATES + 1], f"  - … ({len(lines) - CANDIDATES - 1})"]
    return replace(reason, params={**reason.params, "candidates": "\n".join(lines)})


class Choices:
    """Resolves selectors for the days of a month and remembers rows used and answers missing."""

    def __init__(self, resolve: Resolve, days: Sequence[date], factor_date: date | None) -> None:
        """``factor_date``: the day on which factors must be in force; None: the day of activity itself.

        ``on``: per day of the month, the day on which its factors must be in force.
        """
        self.resolve = resolve
        self.days = tuple(days)
        self.on = [factor_date or day for day in days]
        self._segments: dict[tuple[Selector, ...], tuple[Segment, ...]] = {}
        self._failures: dict[tuple[Selector, ...], tuple[date, FactorError]] = {}
        self._missing: dict[tuple[str, str], _Missing] = {}
        self.used: dict[str, Row] = {}

    def segments(self, *selectors: Selector) -> tuple[Segment, ...]:
        """Days with one row for every selector; days without are in no segment. See ``report``."""
        if (found := self._segments.get(selectors)) is None:
            found = self._resolve(selectors)
            self._segments[selectors] = found
        return found

    def report(self, enterprises: Iterable[str], carrier: str, *selectors: Selector) -> None:
        """Say that lines of these enterprises are not posted on the days on which no row answers."""
        self.segments(*selectors)
        if failure := self._failures.get(selectors):
            self.missing(enterprises, carrier, *failure)

    def missing(
        self, enterprises: Iterable[str], carrier: str, day: date, error: LujinError, row: str = ""
    ) -> None:
        """``row``: what to add to a reference table, ready to copy."""
        entry = self._missing.setdefault((carrier, str(error)), _Missing(day, error.problems[0], row))
        entry.enterprises.update(enterprises)

    def use(self, rows: Iterable[Row]) -> None:
        """Remember the rows that a posted line rests on."""
        self.used.update((row.id, row) for row in rows)

    def problems(self) -> list[Problem]:
        """Missing answers as errors, unverified rows used as warnings."""
        found = [
            entry.problem(carrier) for (carrier, _), entry in sorted(self._missing.items()) if entry.enterprises
        ]
        found += [
            Problem(
                N_("an unverified value was used: {row} = {value} {unit}"),
                {"row": row.id, "value": row.values["value"], "unit": row.unit, "source": row.source},
                N_("check it against its source ({source}) and add it to the park's reference folder"),
                severity="warning",
            )
            for row in self.unverified()
        ]
        return found

    def lacking(self) -> frozenset[str]:
        """Carriers of which lines are not posted on some day."""
        return frozenset(carrier for (carrier, _), entry in self._missing.items() if entry.enterprises)

    def unverified(self) -> tuple[Row, ...]:
        return tuple(row for _, row in sorted(self.used.items()) if row.confidence != "verified")

    def _resolve(self, selectors: tuple[Selector, ...]) -> tuple[Segment, ...]:
        answers: dict[date, tuple[Row, ...] | None] = {}
        for on, day in zip(self.on, self.days, strict=True):
            if on not in answers:
                try:
                    answers[on] = tuple(self.resolve.one(selector, on) for selector in selectors)
                except FactorError as error:
                    answers[on] = None
                    self._failures.setdefault(selectors, (day, error))
        return grouped([answers[on] for on in self.on])


def grouped(rows: Sequence[tuple[Row, ...] | None]) -> tuple[Segment, ...]:
    """Segments of the days that have equal rows; days with None are left out."""
    days: dict[tuple[str, ...], list[int]] = defaultdict(list)
    first: dict[tuple[str, ...], tuple[Row, ...]] = {}
    for i, answer in enumerate(rows):
        if answer is not None:
            ids = tuple(row.id for row in answer)
            days[ids].append(i)
            first.setdefault(ids, answer)
    return tuple(Segment(np.array(index, dtype=np.int64), first[ids]) for ids, index in days.items())
