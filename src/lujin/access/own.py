"""What people do to their own account: password, second factor, language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from lujin.access.audit import audit
from lujin.access.links import set_hash
from lujin.access.opaque import digest_of
from lujin.access.passwords import check_password, hash_password, password_problems
from lujin.access.people import read_person, require
from lujin.access.sessions import end_sessions
from lujin.access.sign_in import accept_code, count_attempt, succeeded
from lujin.access.tables import credential, person, recovery_code
from lujin.access.totp import enrolment_uri, new_recovery_codes, new_secret, plain_recovery_code
from lujin.access.viewer import Right, Viewer
from lujin.database import writing
from lujin.errors import N_, ForbiddenError, InputError, Problem
from lujin.language import LANGUAGES, Language


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the telephone's app has to be told: as a picture of ``uri``, or ``secret`` typed in."""

    secret: str
    uri: str


def change_password(
    engine: Engine, viewer: Viewer, old: str, new: str, *, now: datetime, keep: str = "", address: str = ""
) -> None:
    """Every other session of the person ends; the caller renews the one with digest ``keep``."""
    _prove(engine, viewer, old, "old", now, address)
    with engine.connect() as connection:
        mine = read_person(connection, viewer.person)
    problems = password_problems(new, (mine.name, mine.email), "new")
    if problems:
        raise InputError(*problems)
    hashed = hash_password(new)
    with writing(engine) as connection:
        set_hash(connection, viewer.person, hashed, now)
        end_sessions(connection, viewer.person, keep)
        audit(connection, viewer, "password.change", f"person/{viewer.person}", now=now, address=address)


def begin_second_factor(
    engine: Engine, viewer: Viewer, password: str, issuer: str, *, now: datetime, address: str = ""
) -> Enrolment:
    """A new key, not asked for until a code of it was shown (``confirm_second_factor``)."""
    _prove(engine, viewer, password, "password", now, address)
    secret = new_secret()
    with writing(engine) as connection:
        _not_enrolled(connection, viewer.person)
        values = {"totp": secret, "totp_since": None, "totp_step": None}
        connection.execute(credential.update().where(credential.c.person == viewer.person).values(values))
        return _enrolment(connection, viewer, secret, issuer)


def pending_second_factor(engine: Engine, viewer: Viewer, issuer: str) -> Enrolment | None:
    """The key that was begun and waits for its first code."""
    with engine.connect() as connection:
        c = credential.c
        query = sa.select(c.totp).where(c.person == viewer.person, c.totp_since.is_(None))
        secret = connection.execute(query).scalar()
        return None if secret is None else _enrolment(connection, viewer, secret, issuer)


def confirm_second_factor(
    engine: Engine, viewer: Viewer, code: str, *, now: datetime, keep: str = "", address: str = ""
) -> Sequence[str]:
    """From now on the code is asked for. Returns the recovery codes, which are shown once; other sessions end."""
    attempt = count_attempt(engine, f"second factor of {viewer.person}", address, now)
    with writing(engine) as connection:
        _not_enrolled(connection, viewer.person)
        if not accept_code(connection, viewer.person, code, now):
            message, remedy = (
                N_("the code does not fit"),
                N_("check the clock of the telephone, take the next code"),
            )
            raise InputError(Problem(message, {}, remedy, field="code"))
        succeeded(connection, attempt)
        mine = credential.update().where(credential.c.person == viewer.person)
        connection.execute(mine.values(totp_since=now))
        end_sessions(connection, viewer.person, keep)
        audit(connection, viewer, "second_factor.on", f"person/{viewer.person}", now=now, address=address)
        return _renew_recovery_codes(connection, viewer.person)


def renew_recovery_codes(
    engine: Engine, viewer: Viewer, password: str, *, now: datetime, address: str = ""
) -> Sequence[str]:
    """New recovery codes; the old ones are void."""
    _prove(engine, viewer, password, "password", now, address)
    with writing(engine) as connection:
        subject = f"person/{viewer.person}"
        audit(connection, viewer, "second_factor.recovery_codes", subject, now=now, address=address)
        return _renew_recovery_codes(connection, viewer.person)


def drop_second_factor(
    engine: Engine, viewer: Viewer, password: str, *, now: datetime, keep: str = "", address: str = ""
) -> None:
    _prove(engine, viewer, password, "password", now, address)
    with writing(engine) as connection:
        _clear(connection, viewer, viewer.person, now, address)
        end_sessions(connection, viewer.person, keep)


def clear_second_factor(
    engine: Engine, viewer: Viewer | None, number: int, *, now: datetime, address: str = ""
) -> None:
    """For someone who lost telephone and recovery codes: by the park office, after it made sure who asks; or by
    the command line on the machine itself (``viewer`` None)."""
    if viewer is not None:
        require(viewer, Right.MANAGE_PEOPLE)
    with writing(engine) as connection:
        read_person(connection, number)
        _clear(connection, viewer, number, now, address)
        end_sessions(connection, number)


def recovery_codes_left(engine: Engine, number: int) -> int:
    c = recovery_code.c
    query = sa.select(sa.func.count()).where(c.person == number, c.used_at.is_(None))
    with engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def change_language(
    engine: Engine, viewer: Viewer, language: Language, *, now: datetime, address: str = ""
) -> None:
    """The language that pages and messages to this person start in."""
    if language not in LANGUAGES:
        raise InputError(Problem(N_("there is no such language"), field="language"))
    if language == viewer.language:
        return
    with writing(engine) as connection:
        connection.execute(person.update().where(person.c.number == viewer.person).values(language=language))
        before, after = {"language": viewer.language}, {"language": language}
        subject = f"person/{viewer.person}"
        audit(connection, viewer, "person.language", subject, before, after, now=now, address=address)


def _prove(engine: Engine, viewer: Viewer, password: str, field: str, now: datetime, address: str) -> None:
    """Who sits at an open session must still know the password for what could lock its owner out."""
    if viewer.token:
        raise ForbiddenError(Problem(N_("a token cannot change how its owner signs in")))
    attempt = count_attempt(engine, f"password of {viewer.person}", address, now)
    with engine.connect() as connection:
        query = sa.select(credential.c.password).where(credential.c.person == viewer.person)
        stored = connection.execute(query).scalar()
    if not check_password(stored, password):
        raise InputError(Problem(N_("this is not your present password"), field=field))
    with writing(engine) as connection:
        succeeded(connection, attempt)


def _not_enrolled(connection: Connection, number: int) -> None:
    query = sa.select(credential.c.totp_since).where(credential.c.person == number)
    if connection.execute(query).scalar() is not None:
        message = N_("the second factor is on already")
        raise InputError(Problem(message, {}, N_("turn it off first to use another telephone"), field="code"))


def _enrolment(connection: Connection, viewer: Viewer, secret: str, issuer: str) -> Enrolment:
    account = read_person(connection, viewer.person).email
    return Enrolment(secret, enrolment_uri(secret, account, issuer))


def _renew_recovery_codes(connection: Connection, number: int) -> Sequence[str]:
    codes = new_recovery_codes()
    connection.execute(recovery_code.delete().where(recovery_code.c.person == number))
    rows = [{"digest": digest_of(f"{number}:{plain_recovery_code(code)}"), "person": number} for code in codes]
    connection.execute(recovery_code.insert(), rows)
    return codes


def _clear(connection: Connection, viewer: Viewer | None, number: int, now: datetime, address: str) -> None:
    values = {"totp": None, "totp_since": None, "totp_step": None}
    connection.execute(credential.update().where(credential.c.person == number).values(values))
    connection.execute(recovery_code.delete().where(recovery_code.c.person == number))
    audit(connection, viewer, "second_factor.off", f"person/{number}", now=now, address=address)
