"""Sessions: who holds the cookie is the person, for a while. Only a digest of the token is stored.

A session ends after some idle time, at the latest after its whole length, at sign-out, and when the rights or
the password of its person change. A token is never kept across a sign-in: the new session gets a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from lujin.access.audit import audit
from lujin.access.opaque import digest_of, new_token
from lujin.access.tables import session
from lujin.access.viewer import Viewer
from lujin.access.viewers import viewer_of
from lujin.access.writes import passing_write
from lujin.database import writing
from lujin.pulse import Keep, anew

_SEEN_EVERY = timedelta(minutes=2)  # how exactly idle time is known: not every request writes
_FOR_SECOND_FACTOR = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    idle: timedelta = timedelta(hours=2)
    whole: timedelta = timedelta(hours=12)


STANDARD = Lifetimes()


@dataclass(frozen=True, slots=True)
class Visit:
    """Someone at the door: when, on which day of the park (20250601; consents count by it), from where."""

    now: datetime
    today: int
    address: str = ""
    agent: str = ""
    lifetimes: Lifetimes = STANDARD


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session of a request. ``full`` is false while the second factor is still to come: no rights yet."""

    viewer: Viewer
    digest: str
    full: bool
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class OpenSession:
    digest: str
    address: str
    agent: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


def start_session(connection: Connection, person: int, visit: Visit, *, full: bool = True) -> str:
    """A new session in the caller's transaction; its token goes into the cookie and is not kept."""
    connection.execute(session.delete().where(session.c.expires_at <= visit.now))
    token = new_token()
    row = {
        "digest": digest_of(token),
        "person": person,
        "stage": "full" if full else "password",
        "address": visit.address,
        "agent": visit.agent[:200],
        "created_at": visit.now,
        "seen_at": visit.now,
        "expires_at": visit.now + (visit.lifetimes.whole if full else _FOR_SECOND_FACTOR),
    }
    connection.execute(session.insert(), [row])
    return token


def signed_in(engine: Engine, token: str, visit: Visit, keep: Keep = anew) -> SignedIn | None:
    """Whose session the token opens, with rights as of now."""
    digest = digest_of(token)
    row, viewer = keep(("session", digest, visit.today), lambda: _opened(engine, digest, visit.today))
    if row is None or visit.now >= row.expires_at or visit.now >= row.seen_at + visit.lifetimes.idle:
        return None
    if viewer is None:
        return None
    if visit.now >= row.seen_at + _SEEN_EVERY:
        passing_write(engine, session.update().where(session.c.digest == digest).values(seen_at=visit.now))
    return SignedIn(viewer, digest, row.stage == "full", row.expires_at)


def _opened(engine: Engine, digest: str, today: int) -> tuple[sa.Row[Any] | None, Viewer | None]:
    """The session as it is stored, and who holds it."""
    with engine.connect() as connection:
        row = connection.execute(sa.select(session).where(session.c.digest == digest)).first()
        return row, None if row is None else viewer_of(connection, row.person, today)


def renew_session(engine: Engine, old: SignedIn, visit: Visit) -> str:
    """A new token in place of the old one, after a change of what signs the person in."""
    with writing(engine) as connection:
        end_session(connection, old.digest)
        return start_session(connection, old.viewer.person, visit)


def sign_out(engine: Engine, found: SignedIn, *, now: datetime, address: str = "") -> None:
    with writing(engine) as connection:
        end_session(connection, found.digest)
        audit(connection, found.viewer, "sign_out", f"person/{found.viewer.person}", now=now, address=address)


def sign_out_everywhere(
    engine: Engine, viewer: Viewer, *, now: datetime, keep: str = "", address: str = ""
) -> int:
    """End all sessions of the viewer but the one with digest ``keep``; returns how many."""
    with writing(engine) as connection:
        ended = end_sessions(connection, viewer.person, keep)
        subject = f"person/{viewer.person}"
        audit(
            connection, viewer, "sign_out_everywhere", subject, None, {"sessions": ended}, now=now, address=address
        )
    return ended


def end_session(connection: Connection, digest: str) -> None:
    connection.execute(session.delete().where(session.c.digest == digest))


def end_sessions(connection: Connection, person: int, keep: str = "") -> int:
    done = connection.execute(session.delete().where(session.c.person == person, session.c.digest != keep))
    return done.rowcount


def sessions_of(engine: Engine, person: int, now: datetime) -> Sequence[OpenSession]:
    """The open sessions of a person, the one last used first."""
    c = session.c
    query = sa.select(c.digest, c.address, c.agent, c.created_at, c.seen_at, c.expires_at)
    query = query.where(c.person == person, c.stage == "full", c.expires_at > now).order_by(c.seen_at.desc())
    with engine.connect() as connection:
        return [OpenSession(*row) for row in connection.execute(query)]
