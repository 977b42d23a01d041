"""The life of an alarm: raised, still there, escalated, cleared. Pure functions from findings to steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from lujin.alarms.finding import Finding, Said
from lujin.alarms.parse import quiet_hours
from lujin.alarms.rules import Rule, Severity
from lujin.errors import N_, Translate, as_written

Kind = Literal["still", "acknowledged", "silenced", "escalated", "cleared"]
State = Literal["open", "acknowledged", "silenced", "cleared"]
STATES: Mapping[State, str] = {
    "open": N_("open"),
    "acknowledged": N_("acknowledged"),
    "silenced": N_("silenced"),
    "cleared": N_("cleared"),
}
EVENT_WORDS: Mapping[str, str] = {
    "raised": N_("raised"),
    "still": N_("still there, with other numbers"),
    "acknowledged": N_("acknowledged"),
    "silenced": N_("silenced"),
    "escalated": N_("escalated"),
    "cleared": N_("cleared"),
}
RETOLD = timedelta(hours=1)  # other numbers of the same cause are recorded no oftener


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    kind: Kind
    recorded_at: datetime
    author: str = ""
    note: str = ""
    until: datetime | None = None
    said: Said | None = None

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "recorded_at": self.recorded_at.isoformat(),
            "author": self.author,
            "note": self.note,
            "until": None if self.until is None else self.until.isoformat(),
            "text": None if self.said is None else self.said.text(translate),
        }


@dataclass(frozen=True, slots=True)
class Alarm:
    """``rule``: as it was when this was raised. ``enterprises``: whose matter it is; none: the park's alone."""

    number: int
    cause: str
    occurrence: int
    rule: Rule
    place: str
    severity: Severity
    link: str
    enterprises: tuple[str, ...]
    first_said: Said
    measure: Mapping[str, Any]
    raised_at: datetime
    events: tuple[AlarmEvent, ...] = ()

    def _last(self, kind: Kind) -> AlarmEvent | None:
        return next((e for e in reversed(self.events) if e.kind == kind), None)

    @property
    def said(self) -> Said:
        """What there was to say last."""
        return next((e.said for e in reversed(self.events) if e.said is not None), self.first_said)

    @property
    def told_at(self) -> datetime:
        return next((e.recorded_at for e in reversed(self.events) if e.said is not None), self.raised_at)

    @property
    def cleared_at(self) -> datetime | None:
        found = self._last("cleared")
        return found.recorded_at if found else None

    @property
    def acknowledged(self) -> AlarmEvent | None:
        return self._last("acknowledged")

    @property
    def escalated(self) -> bool:
        return self._last("escalated") is not None

    def silenced_until(self, now: datetime) -> datetime | None:
        found = self._last("silenced")
        return found.until if found and found.until and found.until > now else None

    def state(self, now: datetime) -> State:
        if self.cleared_at is not None:
            return "cleared"
        if self.silenced_until(now):
            return "silenced"
        return "acknowledged" if self.acknowledged else "open"

    def as_dict(self, now: datetime, translate: Translate = as_written) -> dict[str, Any]:
        return {
            "number": self.number,
            "rule": self.rule.id,
            "kind": self.rule.kind,
            "place": self.place,
            "severity": self.severity,
            "state": self.state(now),
            "text": self.said.text(translate),
            "measure": dict(self.measure),
            "enterprises": list(self.enterprises),
            "link": self.link,
            "raised_at": self.raised_at.isoformat(),
            "cleared_at": None if self.cleared_at is None else self.cleared_at.isoformat(),
            "events": [event.as_dict(translate) for event in self.events],
        }


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to record: an alarm raised for ``finding``, or an event of ``alarm``."""

    kind: Literal["raised", "still", "escalated", "cleared"]
    rule: Rule
    alarm: Alarm | None = None
    finding: Finding | None = None


def steps(
    rules: Sequence[Rule], found: Mapping[str, Sequence[Finding]], standing: Collection[Alarm], now: datetime
) -> tuple[Step, ...]:
    """What follows from this round. ``found``: what each judged rule found, by its id; ``standing``: alarms not
    cleared. Alarms of rules that were not judged may escalate, and stay as they are.

    A cause that stands is not raised again; between good and bad ("hold") it neither rises nor clears.
    """
    by_cause = {alarm.cause: alarm for alarm in standing}
    out: list[Step] = []
    for rule in rules:
        for finding in found.get(rule.id, ()):
            alarm = by_cause.get(finding.cause)
            if alarm is None:
                if finding.level == "raise":
                    out.append(Step("raised", rule, finding=finding))
            elif finding.said != alarm.said and now - alarm.told_at >= RETOLD:
                out.append(Step("still", rule, alarm, finding))
    causes = {finding.cause for findings in found.values() for finding in findings}
    by_id = {rule.id: rule for rule in rules}
    for alarm in standing:
        rule_now = by_id.get(alarm.rule.id, alarm.rule)
        if alarm.rule.id in found and alarm.cause not in causes:
            out.append(Step("cleared", rule_now, alarm))
        elif _escalates(rule_now, alarm, now):
            out.append(Step("escalated", rule_now, alarm))
    return tuple(out)


def _escalates(rule: Rule, alarm: Alarm, now: datetime) -> bool:
    if not rule.escalate_after_min or alarm.state(now) != "open" or alarm.escalated:
        return False
    return now - alarm.raised_at >= timedelta(minutes=rule.escalate_after_min)


def told(step: Step, now: datetime) -> tuple[str, ...]:
    """Who is told of a step; nobody while the alarm is silenced."""
    if step.kind == "still" or (step.alarm is not None and step.alarm.silenced_until(now)):
        return ()
    more = step.rule.escalate_to if step.kind == "escalated" or (step.alarm and step.alarm.escalated) else ()
    return tuple(dict.fromkeys((*step.rule.recipients, *more)))


def not_before(rule: Rule, quiet: str, now: datetime, timezone: str) -> datetime:
    """When people may be told: now, or at the end of the quiet hours. What is critical does not wait.

    >>> from lujin.alarms.rules import Place
    >>> night = datetime(2025, 6, 1, 15, 30, tzinfo=UTC)  # 23:30 in Shanghai
    >>> not_before(Rule("r", "late", Place("park"), quiet="22:00-07:00"), "", night, "Asia/Shanghai").isoformat()
    '2025-06-01T23:00:00+00:00'
    """
    hours = quiet_hours(rule.quiet or quiet)
    if hours is None or rule.severity == "critical" or hours[0] == hours[1]:
        return now
    local = now.astimezone(ZoneInfo(timezone))
    start, end = hours
    if not _within(local.time(), start, end):
        return now
    at = local.replace(hour=end.hour, minute=end.minute, second=0, microsecond=0)
    return (at if at > local else at + timedelta(days=1)).astimezone(UTC)


def _within(at: time, start: time, end: time) -> bool:
    return start <= at < end if start < end else at >= start or at < end
