"""Repeated requests (重复请求): the same key and body get the answer of the first time, whatever happened to it.

After draft-ietf-httpapi-idempotency-key-header-07: a key belongs to who sent it; the same key with another body is
refused (422), and while the first request is still being worked on (409). A claim that a dead process left behind
is taken over after a while: what it stored is known by its bytes, so nothing is stored twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from lujin.database import Instant, metadata, writing
from lujin.errors import N_, ConflictError, InputError, Problem

KEPT = timedelta(days=2)
ABANDONED = timedelta(minutes=10)
_KEY = re.compile(r"^[\x21-\x7e]{1,200}$")

repeat = sa.Table(
    "repeat",
    metadata,
    sa.Column("person", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("claimed_at", Instant, nullable=False),
    sa.Column("status", sa.Integer, nullable=True),
    sa.Column("location", sa.Text, nullable=True),
    sa.Column("answer", sa.Text, nullable=True),
    sa.CheckConstraint("(status IS NULL) = (answer IS NULL)", name="answered"),
    sa.Index("ix_repeat_claimed_at", "claimed_at"),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    location: str
    answer: str


def claim(engine: Engine, person: int, key: str, digest: str, now: datetime) -> Answered | None:
    """The answer that the key got before; None: it is ours to answer now.

    InputError: it came with another body, or is no key. ConflictError: it is being worked on.
    """
    if not _KEY.match(key):
        remedy = N_("use 1 to 200 visible ASCII characters, a new one for every body")
        raise InputError(Problem(N_("this is no idempotency key"), {}, remedy, field="idempotency-key"))
    own = (repeat.c.person == person, repeat.c.key == key)
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE repeat IN SHARE ROW EXCLUSIVE MODE"))
        connection.execute(repeat.delete().where(repeat.c.claimed_at < now - KEPT))
        found = connection.execute(sa.select(repeat).where(*own)).first()
        if found is None:
            row = {"person": person, "key": key, "digest": digest, "claimed_at": now}
            connection.execute(repeat.insert().values(**row))
            return None
        if found.digest != digest:
            remedy = N_("use a new key for every body")
            message = N_("this idempotency key came with another body before")
            raise InputError(Problem(message, {}, remedy, field="idempotency-key"))
        if found.status is not None:
            return Answered(found.status, found.location or "", found.answer)
        if found.claimed_at > now - ABANDONED:
            remedy = N_("repeat it in a moment")
            message = N_("the first request with this idempotency key is still being worked on")
            raise ConflictError(Problem(message, {}, remedy, field="idempotency-key"))
        connection.execute(repeat.update().where(*own).values(claimed_at=now))
        return None


def settle(engine: Engine, person: int, key: str, answered: Answered) -> None:
    """Keep the answer for whoever repeats the request."""
    own = (repeat.c.person == person, repeat.c.key == key)
    values = {"status": answered.status, "location": answered.location, "answer": answered.answer}
    with writing(engine) as connection:
        connection.execute(repeat.update().where(*own).values(**values))


def release(engine: Engine, person: int, key: str) -> None:
    """Give the key back: the request failed, and may be repeated."""
    with writing(engine) as connection:
        own = (repeat.c.person == person, repeat.c.key == key, repeat.c.status.is_(None))
        connection.execute(repeat.delete().where(*own))
