"""Alarms as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from lujin.web.models.base import Answer, Instant


class AlarmEvent(Answer):
    """``kind``: raised, still, escalated, acknowledged, silenced or cleared."""

    kind: str
    recorded_at: Instant
    author: str
    note: str
    until: Instant | None
    text: str | None


class AlarmAnswer(Answer):
    """``enterprises``: whose matter it is; none: the park's alone. ``link``: the page that shows more."""

    number: int
    rule: str
    kind: str
    place: str
    severity: str
    state: str = Field(description="open, acknowledged, silenced or cleared")
    text: str
    measure: Mapping[str, Any]
    enterprises: list[str]
    link: str
    raised_at: Instant
    cleared_at: Instant | None
    events: list[AlarmEvent]
