"""Months and their states, what runs and restatements did, certificates and their check."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic import Field

from lujin.web.models.base import Amount, Amounts, Answer, Instant, Month, Part, Told, shown


class PeriodEvent(Answer):
    """What was done to a month. ``disclosed``: what a closing discloses; ``arrived`` and ``effect``: what a
    restatement took in and what it moved.
    """

    month: Month
    state: str
    recorded_at: Instant
    known: Instant
    entries: int
    digest: str
    author: str
    note: str
    verifier: str
    outcome: str
    opinion: str
    cause: str
    disclosed: list[Mapping[str, Any]]
    arrived: Mapping[str, Any]
    effect: list[Mapping[str, Any]]
    number: int


class Period(Answer):
    """A month with its history, oldest event first. ``known``: gives the closed account for ever, as ``as_of``."""

    model_config = shown(month="2025-06", events=[], state="open", known=None)

    month: Month
    events: list[PeriodEvent]
    state: str = Field(description="open, closed, verified or restated")
    known: Instant | None


class MonthReport(Answer):
    """What a run did to one month. ``reasons``: how many enterprises were posted for which reason."""

    month: Month
    enterprises: int
    meters: int
    readings: int
    entries: int
    expected: int
    estimated: int
    missing: int
    suspect: int
    completeness: Part | None
    reasons: Mapping[str, int]
    events: int
    problems: list[Told]


class Held(Answer):
    """A month that was closed once: what came since waits for a restatement."""

    month: Month
    state: str
    enterprises: int
    reasons: Mapping[str, int]
    arrivals: list[int]


class RunReport(Answer):
    recorded_at: Instant
    seconds: float
    readings: int
    entries: int
    months: list[MonthReport]
    held: list[Held]
    restated: list[PeriodEvent]
    notices: list[Told]


class Layer(Answer):
    layer: str
    state: str = Field(description="passed, failed, unknown or not reached")
    problem: Told | None


class Checked(Answer):
    """Whether a certificate holds, layer by layer. ``certificate``: what it states, once its form holds."""

    ok: bool
    failed: str | None
    layers: list[Layer]
    notices: list[Told]
    status_list: Instant | None
    witnessed: Mapping[str, str] | None
    summary: Mapping[str, Any] | None
    certificate: Mapping[str, Any] | None


class HeadAnswer(Answer):
    """The signed head of the log, and of what was done to months."""

    head: Mapping[str, Any]
    heads: int
    witness: Mapping[str, Any] | None
    grown: int | None
    events: Mapping[str, Any] | None


class Issued(Answer):
    """A certificate. ``superseded_at`` and ``cause``: of the restatement after which it tells no longer the newest
    account.
    """

    id: str
    first: Month
    last: Month
    known: Instant
    issued_at: Instant
    superseded_at: Instant | None
    cause: str
    size: int


class Condition(Answer):
    """One thing that must hold before a month is closed."""

    name: str
    title: str
    met: bool
    problems: list[Told]


class ClosePreview(Answer):
    """The conditions of closing a month, and what the closing would disclose."""

    month: Month
    state: str
    met: bool
    conditions: list[Condition]
    disclosed: list[Mapping[str, Any]]


class FactorRow(Answer):
    id: str
    value: str
    unit: str
    source: str
    confidence: str


class FactorChange(Answer):
    """A selector that would be answered by other rows."""

    selector: str
    day: date
    was: list[FactorRow]
    now: list[FactorRow]


class EnterpriseEffect(Answer):
    """What an enterprise's books would move by: cost, purchased energy by carrier, scopes 1 and 2 by book."""

    enterprise: str
    cost: Amount
    energy: Amounts
    carbon: Amounts


class MonthEffect(Answer):
    """What would happen to a month. ``certificates``: those that would be superseded."""

    month: Month
    state: str
    asked: bool
    needs_cause: bool
    reasons: Mapping[str, int]
    arrivals: list[Mapping[str, Any]]
    park: list[str]
    factors: list[FactorChange]
    effect: list[Mapping[str, Any]]
    enterprises: list[EnterpriseEffect]
    certificates: list[str]
    problems: list[Told]


class RestatePreview(Answer):
    """``months``: the one asked for, and open ones that move along. ``held``: closed months where a change would
    wait. ``stamp``: give it with the restatement, which is refused when something came since.
    """

    stamp: str
    moves: bool
    months: list[MonthEffect]
    held: list[Held]
