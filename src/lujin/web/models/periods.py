"""A month's accounting period as pages and API tell it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from lujin.accounts.periods import Condition, Disclosure, PeriodEvent
from lujin.web.answers import Answer, Shown
from lujin.workspace.previewing import MonthEffect, RestatePreview


class PeriodRow(Answer):
    month: int
    state: str
    posted: int
    waiting: int
    expected: int
    measured: int
    estimated: int
    missing: int
    closed_at: datetime | None
    verifier: str
    outcome: str
    note: str

    @property
    def completeness(self) -> float | None:
        return self.measured / self.expected if self.expected else None


class Periods(Answer):
    periods: tuple[PeriodRow, ...]
    may_restate: bool

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        names = tuple(PeriodRow.model_fields)
        return names, [tuple(getattr(row, name) for name in names) for row in self.periods]


class PeriodPage(Periods):
    """One month: what bars its closing, and what was done to it. ``version``: a stale form is told by it."""

    examined: bool
    closable: bool
    conditions: tuple[Shown[Condition], ...]
    disclosed: tuple[Shown[Disclosure], ...]
    events: tuple[Shown[PeriodEvent], ...]
    version: str
    may_close: bool
    may_write_opinion: bool

    @property
    def period(self) -> PeriodRow:
        return self.periods[0]

    @property
    def met(self) -> bool:
        return self.examined and all(condition.met for condition in self.conditions)

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        names = (
            "recorded_at",
            "state",
            "author",
            "note",
            "verifier",
            "outcome",
            "opinion",
            "cause",
            "known",
            "digest",
        )
        return names, [tuple(getattr(event, name) for name in names) for event in self.events]


class Restatement(Answer):
    """``preview``: None until months are chosen."""

    months: tuple[int, ...]
    chosen: tuple[int, ...]
    preview: Shown[RestatePreview] | None
    needs_cause: bool

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        header = ("month", "enterprise", "book", "account", "commodity", "moved by [base unit]")
        return header, [
            (month.month, *(part[name] for name in ("enterprise", "book", "account", "commodity")), part["amount"])
            for month in _effects(self.preview)
            for part in month.effect
        ]


def _effects(preview: RestatePreview | None) -> tuple[MonthEffect, ...]:
    return preview.months if preview else ()
