"""Alarms as the database has them, and what people do to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from lujin.alarms.finding import Finding, Said
from lujin.alarms.life import Alarm, AlarmEvent, Kind, Step
from lujin.alarms.rulebook import of_dict
from lujin.alarms.tables import alarm as alarm_table
from lujin.alarms.tables import alarm_event, alarm_rule
from lujin.database import writing
from lujin.errors import N_, InputError, NotFoundError, Problem, StaleError

__all__ = ["Alarm", "AlarmEvent", "acknowledge", "alarm", "alarms", "open_count", "silence"]

MOST = 500
LONGEST_SILENCE = timedelta(days=90)


def alarms(
    connection: Connection,
    *,
    cleared: bool | None = False,
    enterprises: Collection[str] | None = None,
    numbers: Iterable[int] | None = None,
    most: int = MOST,
) -> tuple[Alarm, ...]:
    """Alarms, newest first. ``cleared``: those that are, those that are not, None: both.
    ``enterprises``: only what is a matter of one of these; None: all.
    """
    table = alarm_table
    select = sa.select(table, alarm_rule.c.definition).join(alarm_rule, alarm_rule.c.number == table.c.rule)
    done = sa.select(alarm_event.c.alarm).where(alarm_event.c.kind == "cleared")
    if cleared is not None:
        select = select.where(table.c.number.in_(done) if cleared else table.c.number.not_in(done))
    if numbers is not None:
        select = select.where(table.c.number.in_(sorted(numbers)))
    if enterprises is None:
        select = select.limit(most)
    rows = [
        row
        for row in connection.execute(select.order_by(table.c.number.desc()))
        if enterprises is None or set(row.enterprises) & set(enterprises)
    ][:most]
    events = _events(connection, [row.number for row in rows])
    return tuple(_alarm(row, events[row.number]) for row in rows)


def alarm(connection: Connection, number: int, enterprises: Collection[str] | None = None) -> Alarm:
    """NotFoundError: there is none, or it is no matter of these enterprises."""
    found = alarms(connection, cleared=None, enterprises=enterprises, numbers=[number])
    if not found:
        message = N_("there is no alarm {number}, or you may not see it")
        raise NotFoundError(Problem(message, {"number": number}, N_("choose one from the list")))
    return found[0]


def open_count(connection: Connection, now: datetime, enterprises: Collection[str] | None = None) -> int:
    """How many alarms wait for somebody: neither cleared nor acknowledged nor silenced."""
    if enterprises is None:
        busy = sa.select(alarm_event.c.alarm).where(
            alarm_event.c.kind.in_(("cleared", "acknowledged"))
            | ((alarm_event.c.kind == "silenced") & (alarm_event.c.until > now))
        )
        count = sa.select(sa.func.count()).select_from(alarm_table).where(alarm_table.c.number.not_in(busy))
        return int(connection.execute(count).scalar_one())
    return sum(a.state(now) == "open" for a in alarms(connection, enterprises=enterprises))


def _events(connection: Connection, numbers: list[int]) -> dict[int, list[AlarmEvent]]:
    found: dict[int, list[AlarmEvent]] = defaultdict(list)
    select = sa.select(alarm_event).where(alarm_event.c.alarm.in_(numbers)).order_by(alarm_event.c.number)
    for row in connection.execute(select) if numbers else ():
        said = None if row.said is None else Said.of(row.said)
        found[row.alarm].append(AlarmEvent(row.kind, row.recorded_at, row.author, row.note, row.until, said))
    return found


def _alarm(row: sa.Row[Any], events: list[AlarmEvent]) -> Alarm:
    return Alarm(
        row.number,
        row.cause,
        row.occurrence,
        of_dict(row.definition),
        row.place,
        row.severity,
        row.link,
        tuple(row.enterprises),
        Said.of(row.said),
        row.measure,
        row.recorded_at,
        tuple(events),
    )


# ------------------------------------------------------------------------------------------- what people do


Also = Callable[[Connection, Alarm], None]  # written in the transaction of the change


def acknowledge(
    engine: Engine, number: int, author: str, note: str, now: datetime, also: Also | None = None
) -> None:
    """Somebody has taken the alarm on. StaleError: it is cleared, or somebody else has already."""
    with writing(engine) as connection:
        found = _standing(connection, number)
        if found.acknowledged is not None:
            params = {"number": number, "who": found.acknowledged.author}
            message = N_("alarm {number} was acknowledged already by {who}")
            raise StaleError(Problem(message, params, N_("look at the alarm as it is now")))
        add_event(connection, number, "acknowledged", now, author=author, note=note.strip())
        if also is not None:
            also(connection, found)


def silence(
    engine: Engine,
    number: int,
    author: str,
    until: datetime,
    note: str,
    now: datetime,
    also: Also | None = None,
) -> None:
    """Nobody is told of the alarm until then. InputError: that is not ahead, or too far."""
    if not now < until <= now + LONGEST_SILENCE:
        params = {"days": LONGEST_SILENCE.days}
        message, remedy = N_("silence lasts until a time ahead"), N_("name a time within the next {days} days")
        raise InputError(Problem(message, params, remedy, field="until"))
    with writing(engine) as connection:
        found = _standing(connection, number)
        add_event(connection, number, "silenced", now, author=author, note=note.strip(), until=until)
        if also is not None:
            also(connection, found)


def _standing(connection: Connection, number: int) -> Alarm:
    found = alarm(connection, number)
    if found.cleared_at is not None:
        message = N_("alarm {number} is cleared already")
        raise StaleError(Problem(message, {"number": number}, N_("look at the alarm as it is now")))
    return found


# --------------------------------------------------------------------------------------------- what a round does


def raise_alarm(connection: Connection, rule_version: int, step: Step, now: datetime) -> int:
    finding = step.finding
    assert finding is not None
    counted = sa.select(sa.func.max(alarm_table.c.occurrence)).where(alarm_table.c.cause == finding.cause)
    before = connection.execute(counted).scalar() or 0
    row = {
        "cause": finding.cause,
        "occurrence": before + 1,
        "rule": rule_version,
        "place": str(finding.place),
        "severity": step.rule.severity,
        "link": finding.link,
        "enterprises": list(finding.enterprises),
        "said": finding.said.as_dict(),
        "measure": measure(finding),
        "recorded_at": now,
    }
    connection.execute(sa.insert(alarm_table).values(**row))
    return int(connection.execute(sa.select(sa.func.max(alarm_table.c.number))).scalar_one())


def measure(finding: Finding) -> dict[str, Any]:
    return {"value": finding.value, "limit": finding.limit, "unit": finding.unit}


def add_event(
    connection: Connection,
    number: int,
    kind: Kind,
    now: datetime,
    *,
    author: str = "",
    note: str = "",
    until: datetime | None = None,
    said: Said | None = None,
) -> None:
    row = {
        "alarm": number,
        "kind": kind,
        "author": author,
        "note": note,
        "until": until,
        "said": None if said is None else said.as_dict(),
        "recorded_at": now,
    }
    connection.execute(sa.insert(alarm_event).values(**row))
