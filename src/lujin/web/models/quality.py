"""What was odd in a month, and whether its networks close."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from lujin.web.models.base import Amount, Answer, Completeness, Instant, Month, Told


class Finding(Answer):
    """A gap, an estimate, a suspect value or an event of a register, in [start, end)."""

    meter: str
    kind: str
    start: Instant
    end: Instant
    suspect: bool
    slots: int = Field(description="quarter hours flagged; 0: an event")
    energy: Amount | None
    largest: Amount | None
    detail: Mapping[str, Any]


class MeterCompleteness(Completeness):
    enterprises: list[str]


class MonthQuality(Answer):
    month: Month
    enterprise: str
    as_of: Instant | None
    total: Completeness
    meters: list[MeterCompleteness]
    findings: list[Finding]


class MeterLine(Answer):
    """A meter of a network, and what reconciliation makes of it."""

    meter: str
    direction: str
    amount: Amount
    uncertainty: Amount | None
    reconciled: Amount | None
    statistic: float | None


class Suspect(Answer):
    """An explanation of the gap; ``meter`` empty: losses of the node."""

    round: int
    meter: str
    node: str
    kind: str
    share: float
    likelihood: float
    correction: float | None
    error: Amount
    start: Instant
    end: Instant


class NetworkBalance(Answer):
    """Supply = use + loss + gap. ``within``: whether uncertainty explains the gap; ``null``: it cannot be said.

    ``compared`` of ``hours``: those in which all its meters were measured, to which every amount refers.
    """

    node: str
    name_zh: str
    name_en: str
    carrier: str
    kind: str
    supply: Amount
    use: Amount
    loss: Amount
    expected_loss: Amount | None
    gap: Amount
    uncertainty: Amount | None
    within: bool | None
    verdict: str
    compared: int
    hours: int
    meters: list[MeterLine]
    doubted: list[list[str]]
    suspects: list[Suspect]
    blocking: list[str]


class ParkBalance(Answer):
    month: Month
    as_of: Instant | None
    networks: list[NetworkBalance]
    problems: list[Told]
