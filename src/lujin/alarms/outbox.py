"""Messages that wait (发件箱): in the database, so that a restart forgets none; sent again with growing pauses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from lujin.alarms.book import alarm
from lujin.alarms.finding import Said
from lujin.alarms.life import Alarm
from lujin.alarms.tables import message, message_attempt
from lujin.database import writing
from lujin.errors import LujinError

log = logging.getLogger("lujin.alarms")

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=2)
GIVE_UP_AFTER = timedelta(days=1)
MOST_AT_ONCE = 200
Outcome = Literal["sent", "failed", "given_up"]


@dataclass(frozen=True, slots=True)
class Message:
    """``attempts`` so far; ``since``: from when on it could be sent."""

    number: int
    alarm: Alarm
    kind: Literal["raised", "escalated", "cleared"]
    recipient: str
    said: Said
    since: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Sent:
    """How a message stands, for pages."""

    number: int
    kind: str
    recipient: str
    outcome: Literal["waiting", "sent", "failed", "given_up"]
    detail: str
    attempts: int
    recorded_at: datetime
    next_at: datetime | None

    def as_dict(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "kind": self.kind,
            "recipient": self.recipient,
            "outcome": self.outcome,
            "detail": self.detail,
            "attempts": self.attempts,
            "recorded_at": self.recorded_at.isoformat(),
            "next_at": None if self.next_at is None else self.next_at.isoformat(),
        }


class NotSentError(Exception):
    """A message did not reach its recipient; ``final``: trying again is of no use."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


Send = Callable[[Message], None]  # raises NotSentError


def put(
    connection: Connection, number: int, kind: str, recipient: str, said: Said, not_before: datetime, now: datetime
) -> None:
    row = {
        "alarm": number,
        "kind": kind,
        "recipient": recipient,
        "said": said.as_dict(),
        "not_before": not_before,
        "recorded_at": now,
    }
    connection.execute(sa.insert(message).values(**row))


def pause(attempts: int) -> timedelta:
    """How long after so many attempts.

    >>> [int(pause(n).total_seconds()) for n in (1, 2, 3, 20)]
    [30, 60, 120, 7200]
    """
    doublings = min(attempts - 1, 20)
    return min(timedelta(seconds=FIRST_PAUSE.total_seconds() * 2.0**doublings), LONGEST_PAUSE)


def due(connection: Connection, now: datetime) -> tuple[Message, ...]:
    """Messages to be sent now, oldest first."""
    over = sa.select(message_attempt.c.message).where(message_attempt.c.outcome.in_(("sent", "given_up")))
    later = (
        sa.select(message_attempt.c.message)
        .group_by(message_attempt.c.message)
        .having(sa.func.max(message_attempt.c.next_at, type_=message_attempt.c.next_at.type) > now)
    )
    select = (
        sa.select(message, sa.func.count(message_attempt.c.number).label("attempts"))
        .outerjoin(message_attempt, message_attempt.c.message == message.c.number)
        .where(message.c.not_before <= now, message.c.number.not_in(over), message.c.number.not_in(later))
        .group_by(*message.columns)
        .order_by(message.c.number)
        .limit(MOST_AT_ONCE)
    )
    return tuple(
        Message(
            row.number,
            alarm(connection, row.alarm),
            row.kind,
            row.recipient,
            Said.of(row.said),
            row.not_before,
            row.attempts,
        )
        for row in connection.execute(select).all()
    )


def deliver(engine: Engine, send: Send, clock: Callable[[], datetime]) -> int:
    """Send what is due, one after the other, recording each attempt at once; how many were sent.

    At least once: a server that dies between sending and recording sends again, with the same number.
    """
    with engine.connect() as connection:
        waiting = due(connection, clock())
    sent = 0
    for one in waiting:
        try:
            send(one)
            outcome, detail, next_at = "sent", "", None
            sent += 1
        except (NotSentError, LujinError) as error:
            outcome, detail, next_at = _after(one, error, clock())
            log.warning("message %s to %s: %s", one.number, one.recipient, detail)
        with writing(engine) as connection:
            row = {
                "message": one.number,
                "outcome": outcome,
                "detail": detail[:500],
                "next_at": next_at,
                "recorded_at": clock(),
            }
            connection.execute(sa.insert(message_attempt).values(**row))
    return sent


def _after(one: Message, error: Exception, now: datetime) -> tuple[Outcome, str, datetime | None]:
    """When to try again; given up after a day, or at once where it is of no use."""
    detail = str(error)
    if (isinstance(error, NotSentError) and error.final) or now - one.since >= GIVE_UP_AFTER:
        return "given_up", detail, None
    return "failed", detail, now + pause(one.attempts + 1)


def messages_of(connection: Connection, alarms: Sequence[int]) -> dict[int, tuple[Sent, ...]]:
    """Alarm → its messages and how they stand, oldest first."""
    found: dict[int, list[Sent]] = {number: [] for number in alarms}
    if not alarms:
        return {}
    select = sa.select(message).where(message.c.alarm.in_(sorted(alarms))).order_by(message.c.number)
    rows = connection.execute(select).all()
    tried = sa.select(message_attempt).where(message_attempt.c.message.in_([row.number for row in rows]))
    attempts: dict[int, list[Any]] = {}
    for attempt in connection.execute(tried.order_by(message_attempt.c.number)) if rows else ():
        attempts.setdefault(attempt.message, []).append(attempt)
    for row in rows:
        own = attempts.get(row.number, [])
        last = own[-1] if own else None
        found[row.alarm].append(
            Sent(
                row.number,
                row.kind,
                row.recipient,
                last.outcome if last else "waiting",
                last.detail if last else "",
                len(own),
                row.recorded_at,
                last.next_at if last else row.not_before,
            )
        )
    return {number: tuple(sent) for number, sent in found.items()}


def given_up_since(connection: Connection, now: datetime, span: timedelta = timedelta(days=7)) -> int:
    return given_up(connection, now - span)


def given_up(connection: Connection, since: datetime) -> int:
    """How many messages were given up since then: shown where alarms are."""
    count = sa.select(sa.func.count()).select_from(message_attempt)
    chosen = count.where(message_attempt.c.outcome == "given_up", message_attempt.c.recorded_at >= since)
    return int(connection.execute(chosen).scalar_one())
