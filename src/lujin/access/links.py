"""Links that work once: to the first operator, to an invited person, to someone who forgot the password."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from lujin.access.audit import audit
from lujin.access.opaque import digest_of, new_token
from lujin.access.passwords import hash_password, password_problems
from lujin.access.people import PersonForm, insert_person, nobody_yet, read_person, require
from lujin.access.sessions import Visit, end_sessions, start_session
from lujin.access.tables import credential, one_time_link
from lujin.access.viewer import Right, Role, Viewer
from lujin.access.viewers import viewer_of
from lujin.database import writing
from lujin.errors import N_, InputError, NotFoundError, Problem
from lujin.language import Language

FIRST_LASTS = timedelta(hours=24)
LASTS = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Link:
    """An open link: for whom. Name and address are empty for the first operator, who gives them."""

    purpose: str
    person: int | None
    name: str
    email: str
    expires_at: datetime


def first_link(engine: Engine, now: datetime) -> str | None:
    """The token of a link to become the first operator, valid for 24 h; None when there is a person already.

    Each call makes the links before void, so that only the one shown last works.
    """
    with engine.connect() as connection:
        if not nobody_yet(connection):
            return None
    with writing(engine) as connection:
        if not nobody_yet(connection):
            return None
        connection.execute(one_time_link.delete().where(one_time_link.c.purpose == "first"))
        return _issue(connection, "first", None, now, FIRST_LASTS)


def new_link(engine: Engine, viewer: Viewer | None, number: int, *, now: datetime, address: str = "") -> str:
    """The token of a link by which the person sets a password, valid for 72 h. Links before become void.

    ``viewer`` None: the command line on the machine itself.
    """
    if viewer is not None:
        require(viewer, Right.MANAGE_PEOPLE)
    with writing(engine) as connection:
        found = read_person(connection, number)
        if found.role is Role.DEVICE or found.disabled_at is not None:
            message = N_("{name} cannot sign in: a device has tokens, and who is disabled must be enabled first")
            raise InputError(Problem(message, {"name": found.name}))
        open_ones = (one_time_link.c.person == number, one_time_link.c.used_at.is_(None))
        connection.execute(one_time_link.delete().where(*open_ones))
        purpose = "invitation" if found.since is None else "reset"
        token = _issue(connection, purpose, number, now, LASTS)
        audit(connection, viewer, f"link.{purpose}", f"person/{number}", now=now, address=address)
        return token


def open_link(engine: Engine, token: str, now: datetime) -> Link:
    """What the link is for, without using it; NotFoundError if it was used, is too old or never was."""
    with engine.connect() as connection:
        return _find(connection, token, now)


def use_link(
    engine: Engine,
    token: str,
    password: str,
    visit: Visit,
    *,
    name: str = "",
    email: str = "",
    language: Language = "zh",
) -> str:
    """Set the password and sign in; returns the token of the new session. The link is void afterwards.

    The first operator gives ``name`` and ``email`` too. Who has a second factor is asked for it still.
    """
    with engine.connect() as connection:
        link = _find(connection, token, visit.now)
    typed = (name, email) if link.person is None else (link.name, link.email)
    problems = password_problems(password, typed)
    if problems:
        raise InputError(*problems)
    hashed = hash_password(password)  # takes a while: not while the database is held
    with writing(engine) as connection:
        link = _find(connection, token, visit.now)
        spent = one_time_link.update().where(one_time_link.c.digest == digest_of(token))
        if (
            connection.execute(spent.where(one_time_link.c.used_at.is_(None)).values(used_at=visit.now)).rowcount
            != 1
        ):
            raise _void()
        if link.person is None:
            if not nobody_yet(connection):
                raise _void()
            form = PersonForm(name, Role.OPERATOR, email, language=language)
            number = insert_person(connection, None, form, visit.now, visit.address)
        else:
            number = link.person
        set_hash(connection, number, hashed, visit.now)
        end_sessions(connection, number)
        viewer = viewer_of(connection, number, visit.today)
        full = not _second_factor(connection, number)
        audit(
            connection,
            viewer,
            f"link.used.{link.purpose}",
            f"person/{number}",
            now=visit.now,
            address=visit.address,
        )
        return start_session(connection, number, visit, full=full)


def set_hash(connection: Connection, number: int, hashed: str, now: datetime) -> None:
    values = {"password": hashed, "password_since": now}
    connection.execute(credential.update().where(credential.c.person == number).values(values))


def _second_factor(connection: Connection, number: int) -> bool:
    query = sa.select(credential.c.totp_since).where(credential.c.person == number)
    return connection.execute(query).scalar() is not None


def _issue(connection: Connection, purpose: str, number: int | None, now: datetime, lasts: timedelta) -> str:
    token = new_token()
    row = {
        "digest": digest_of(token),
        "purpose": purpose,
        "person": number,
        "created_at": now,
        "expires_at": now + lasts,
    }
    connection.execute(one_time_link.insert(), [row])
    return token


def _find(connection: Connection, token: str, now: datetime) -> Link:
    query = sa.select(one_time_link).where(one_time_link.c.digest == digest_of(token))
    row = connection.execute(query).first()
    if row is None or row.used_at is not None or now >= row.expires_at:
        raise _void()
    if row.person is None:
        return Link(row.purpose, None, "", "", row.expires_at)
    found = read_person(connection, row.person)
    if found.disabled_at is not None:
        raise _void()
    return Link(row.purpose, row.person, found.name, found.email, row.expires_at)


def _void() -> NotFoundError:
    message = N_("this link was used already, is too old, or was replaced by a newer one")
    return NotFoundError(Problem(message, {}, N_("ask the park office for a new link")))
