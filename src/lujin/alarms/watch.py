"""One round: judge the rules, record what follows, and put what people are to be told into the outbox."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from lujin.alarms.book import add_event, alarms, raise_alarm
from lujin.alarms.evaluate import findings
from lujin.alarms.finding import Finding
from lujin.alarms.known import known
from lujin.alarms.life import Step, not_before, steps, told
from lujin.alarms.outbox import put
from lujin.alarms.rulebook import RuleVersion, rules
from lujin.alarms.rules import KINDS, Kind
from lujin.database import writing
from lujin.errors import Translate, as_written
from lujin.operator_options import options
from lujin.operator_settings import stored
from lujin.workspace import Workspace

MOST_STANDING = 100_000
SELDOM: frozenset[Kind] = frozenset({"ledger"})  # costly: once a day is enough


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a round found and did. ``messages``: how many were put into the outbox."""

    at: datetime
    found: Mapping[str, tuple[Finding, ...]]
    steps: tuple[Step, ...]
    messages: int = 0

    def count(self, kind: str) -> int:
        return sum(step.kind == kind for step in self.steps)

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        return {
            "at": self.at.isoformat(),
            **{kind: self.count(kind) for kind in ("raised", "still", "escalated", "cleared")},
            "messages": self.messages,
            "findings": [f.as_dict(translate) for found in self.found.values() for f in found],
        }


def evaluate(
    workspace: Workspace, now: datetime | None = None, kinds: Collection[Kind] = frozenset(KINDS)
) -> Evaluation:
    """Judge every rule of these kinds on what is known now, and record what follows. Two rounds at once give what
    one gives: each sees in one transaction which alarms stand.
    """
    at = now or workspace.clock()
    with workspace.engine.connect() as connection:
        versions = rules(connection, withdrawn=True)
    active = [v.rule for v in versions if v.rule.kind in kinds and v.rule.enabled and not v.withdrawn]
    what = known(workspace, active, at)
    found: dict[str, tuple[Finding, ...]] = {v.rule.id: () for v in versions if v.withdrawn or not v.rule.enabled}
    found |= {rule.id: findings(rule, what, at) for rule in active}
    quiet = options(stored(workspace.engine)).quiet
    numbers = {v.rule.id: v for v in versions}
    with writing(workspace.engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE alarm IN EXCLUSIVE MODE"))
        standing = alarms(connection, most=MOST_STANDING)
        done = steps([v.rule for v in versions], found, standing, at)
        messages = sum(_record(connection, step, numbers, at, quiet, workspace.park.timezone) for step in done)
    return Evaluation(at, found, done, messages)


def _record(
    connection: sa.Connection,
    step: Step,
    versions: Mapping[str, RuleVersion],
    now: datetime,
    quiet: str,
    timezone: str,
) -> int:
    """Store one step; how many people are to be told of it."""
    said = step.finding.said if step.finding else None
    if step.kind == "raised":
        number = raise_alarm(connection, versions[step.rule.id].number, step, now)
    else:
        assert step.alarm is not None
        number = step.alarm.number
        add_event(connection, number, step.kind, now, said=said)
        said = said or step.alarm.said
    if step.kind == "still" or said is None:
        return 0
    people = told(step, now)
    at = not_before(step.rule, quiet, now, timezone)
    for recipient in people:
        put(connection, number, step.kind, recipient, said, at, now)
    return len(people)
