"""Base-year recalculation (基准年重算): which changes move the reference that emissions are compared with.

Structural changes (mergers, divestments, outsourcing, insourcing), changes of method and discovered errors count,
organic growth and decline never do. A change is significant from a threshold on, a share of the base year's
emissions; small ones add up: "several small changes that are cumulatively significant".

Sources: GHG Protocol Corporate Value Chain (Scope 3) Standard, section 9.3 and table 9.4; Corporate Standard,
chapter 5. The standards leave the threshold to the policy, and do not say how changes of opposite sign add up:
here they do not offset each other when significance is judged, only in the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from lujin.accounts.amounts import Amount
from lujin.errors import Problem, Translate, as_written

Kind = Literal["structural", "method", "error", "organic", "undecided"]
Decision = Literal["recalculated", "memo", "never", "undecided"]
CO2E = "mgCO2e"


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened since the base year. ``amount``: what it changes in the emissions of the base year
    [mgCO2e]; None: not known. ``subject``: the enterprise, or what was restated. ``reason``: told to the reader.
    """

    kind: Kind
    subject: str
    at: datetime
    amount: Amount | None
    reason: Problem


@dataclass(frozen=True, slots=True)
class Judged:
    """A change with its ``share`` of the base year's emissions [1], what had ``gathered`` with it [1] and what was
    decided: ``recalculated`` in the base year; ``memo``, still counting; ``never``; ``undecided``.
    """

    change: Change
    share: Decimal | None
    gathered: Decimal | None
    decision: Decision

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        change = self.change
        return {
            "kind": change.kind,
            "subject": change.subject,
            "at": change.at.isoformat(),
            "amount": None if change.amount is None else change.amount.as_dict(),
            "reason": change.reason.text(translate),
            "share": _share(self.share),
            "gathered": _share(self.gathered),
            "decision": self.decision,
        }


def _share(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:.6f}"


@dataclass(frozen=True, slots=True)
class Assessment:
    """``original``: emissions of the base year as first closed; ``current``: those to compare with now.
    ``pending``: net of the changes below the threshold that still count.
    """

    original: Amount
    current: Amount
    pending: Amount
    threshold: Decimal
    changes: tuple[Judged, ...]

    @property
    def recalculated(self) -> bool:
        return any(judged.decision == "recalculated" for judged in self.changes)


def boundary_moves(*, reported_before: bool, one_base_year: bool) -> bool:
    """Whether outsourcing or insourcing of an activity counts as a change of structure.

    Scope 3 Standard, table 9.4: not where the company reported the activity before and has one base year for all
    scopes, since the emissions then only pass from one scope into another.

    >>> boundary_moves(reported_before=True, one_base_year=True)
    False
    """
    return not (reported_before and one_base_year)


def assess(original: Amount, changes: Sequence[Change], threshold: Decimal) -> Assessment:
    """Judge the changes in order of time. Where what gathered reaches the threshold, all of it is recalculated.

    significant: Σ|amount| / emissions of the base year ≥ threshold; the sum starts anew after each recalculation.
    """
    current, pending, gathered = original, Amount(0, CO2E), 0
    judged: list[Judged] = []
    waiting: list[int] = []
    for change in sorted(changes, key=lambda c: (c.at, c.subject)):
        if change.kind == "organic":
            judged.append(Judged(change, None, None, "never"))
            continue
        if change.kind == "undecided" or change.amount is None:
            judged.append(Judged(change, _part(change.amount, current), None, "undecided"))
            continue
        gathered += abs(change.amount.base)
        pending += change.amount
        waiting.append(len(judged))
        part = _part(Amount(gathered, CO2E), current)
        judged.append(Judged(change, _part(change.amount, current), part, "memo"))
        if gathered and (part is None or part >= threshold):
            for at in waiting:
                judged[at] = replace(judged[at], decision="recalculated")
            current, pending, gathered, waiting = current + pending, Amount(0, CO2E), 0, []
    return Assessment(original, current, pending, threshold, tuple(judged))


def _part(amount: Amount | None, whole: Amount) -> Decimal | None:
    return None if amount is None or not whole.base else abs(Decimal(amount.base)) / Decimal(whole.base)


@dataclass(frozen=True, slots=True)
class BaseYear:
    """The base year of a park as one enterprise: scopes 1 and 2 of all enterprises in one book, less what is
    eliminated, Σ S1 + Σ S2 + Σ ELIM/S2. ``by_addition``: the packs of its months post eliminations; where they do
    not, nothing is ``eliminated`` and energy made in the park may stand in both scopes. ``enterprises``: as each
    reports. ``open_months``: months that were never closed; while there are any it is not established.
    """

    year: int
    book: str
    gwp: str
    open_months: tuple[int, ...]
    enterprises: Mapping[str, Amount]
    eliminated: Amount
    by_addition: bool
    assessment: Assessment

    @property
    def established(self) -> bool:
        return not self.open_months

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        found = self.assessment
        return {
            "year": self.year,
            "book": self.book,
            "gwp": self.gwp,
            "established": self.established,
            "open_months": list(self.open_months),
            "threshold": f"{found.threshold:f}",
            "recalculated": found.recalculated,
            "original": found.original.as_dict(),
            "current": found.current.as_dict(),
            "pending": found.pending.as_dict(),
            "eliminated": self.eliminated.as_dict(),
            "by_addition": self.by_addition,
            "enterprises": {name: amount.as_dict() for name, amount in self.enterprises.items()},
            "changes": [judged.as_dict(translate) for judged in found.changes],
        }
