"""The rules as the database has them: every version stays, the newest holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from lujin.alarms.parse import place_from
from lujin.alarms.rules import Place, Rule
from lujin.alarms.tables import alarm_rule
from lujin.database import writing
from lujin.errors import N_, NotFoundError, Problem, StaleError
from lujin.park import Park


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A rule as it was set. ``number``: of this version; a form that was made from an older one is stale."""

    number: int
    rule: Rule
    withdrawn: bool
    author: str
    recorded_at: datetime

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.rule.as_dict(),
            "version": self.number,
            "withdrawn": self.withdrawn,
            "author": self.author,
            "recorded_at": self.recorded_at.isoformat(),
        }


def rules(connection: Connection, *, withdrawn: bool = False) -> tuple[RuleVersion, ...]:
    """The newest version of every rule, by id; also those that were withdrawn if asked."""
    newest = sa.select(sa.func.max(alarm_rule.c.number)).group_by(alarm_rule.c.id)
    select = sa.select(alarm_rule).where(alarm_rule.c.number.in_(newest)).order_by(alarm_rule.c.id)
    found = (_version(row) for row in connection.execute(select))
    return tuple(version for version in found if withdrawn or not version.withdrawn)


def history(connection: Connection, rule: str) -> tuple[RuleVersion, ...]:
    """All versions of a rule, newest first."""
    select = sa.select(alarm_rule).where(alarm_rule.c.id == rule).order_by(alarm_rule.c.number.desc())
    return tuple(_version(row) for row in connection.execute(select))


Note = Callable[[Connection, Rule | None, Rule | None], None]  # written in the transaction of the change


def record(
    engine: Engine,
    rule: Rule,
    author: str,
    now: datetime,
    *,
    version: int | None = None,
    note: Note | None = None,
) -> RuleVersion:
    """Store a rule as its newest version. ``version``: of the one that was looked at, 0: there was none.

    StaleError: somebody changed the rule meanwhile, or another one has taken its id.
    """
    return _store(engine, rule, author, now, version, note, withdrawn=False)


def withdraw(
    engine: Engine,
    rule: str,
    author: str,
    now: datetime,
    *,
    version: int | None = None,
    note: Note | None = None,
) -> RuleVersion:
    """The rule is judged no longer; its alarms are cleared at the next round. NotFoundError: there is none."""
    with engine.connect() as connection:
        found = history(connection, rule)
    if not found or found[0].withdrawn:
        raise NotFoundError(Problem(N_("there is no rule {rule}"), {"rule": rule}, N_("choose one from the list")))
    return _store(engine, found[0].rule, author, now, version, note, withdrawn=True)


def _store(
    engine: Engine,
    rule: Rule,
    author: str,
    now: datetime,
    version: int | None,
    note: Note | None,
    *,
    withdrawn: bool,
) -> RuleVersion:
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE alarm_rule IN EXCLUSIVE MODE"))
        known = history(connection, rule.id)
        newest = known[0].number if known and not (version == 0 and known[0].withdrawn) else 0
        if version is not None and version != newest:
            message = N_("the rule {rule} was changed meanwhile")
            remedy = N_("look at it as it is now, and make your change again")
            raise StaleError(Problem(message, {"rule": rule.id}, remedy, field="id" if version == 0 else ""))
        row = {
            "id": rule.id,
            "owner": rule.owner,
            "definition": rule.as_dict(),
            "withdrawn": int(withdrawn),
            "author": author,
            "recorded_at": now,
        }
        connection.execute(sa.insert(alarm_rule).values(**row))
        if note is not None:
            note(connection, known[0].rule if newest else None, None if withdrawn else rule)
        return history(connection, rule.id)[0]


def _version(row: sa.Row[Any]) -> RuleVersion:
    return RuleVersion(row.number, of_dict(row.definition), bool(row.withdrawn), row.author, row.recorded_at)


def of_dict(stored: dict[str, Any]) -> Rule:
    values = {**stored, "place": place_from(stored["place"])}
    values |= {name: tuple(stored[name]) for name in ("recipients", "escalate_to")}
    return Rule(**values)


def suggested(park: Park, recipients: Sequence[str] = ()) -> tuple[Rule, ...]:
    """What a park begins with."""
    told = tuple(recipients)
    found = [
        Rule("late", "late", Place("park"), parameters={"after_h": "48"}, recipients=told),
        Rule("completeness", "completeness", Place("park"), parameters={"least": "95"}, recipients=told),
        Rule("anomaly", "anomaly", Place("park"), severity="info"),
        Rule("claims", "claimed_twice", Place("park"), severity="critical", recipients=told),
        Rule("ledger", "ledger", Place("park"), severity="critical", recipients=told),
    ]
    if any(c.contract_kw for c in park.connections.values()):
        found.append(Rule("demand", "demand", Place("connection", "*"), recipients=told))
    return tuple(found)
