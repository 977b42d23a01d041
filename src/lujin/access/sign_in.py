"""Signing in: password, then the second factor where there is one; and from another provider by e-mail address.

Failed attempts are counted in the database, so that several workers count together, and an attempt counts as
failed before the password is looked at, so that attempts at the same moment count too. Whoever has no account
gets the same answer in the same time as one with a wrong password.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from math import ceil

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from lujin.access.audit import audit
from lujin.access.opaque import digest_of
from lujin.access.passwords import check_password, hash_password, outdated
from lujin.access.sessions import SignedIn, Visit, end_session, start_session
from lujin.access.tables import credential, person, recovery_code, sign_in_attempt
from lujin.access.totp import plain_recovery_code, step_of
from lujin.access.viewer import Viewer
from lujin.access.viewers import viewer_of
from lujin.access.writes import insert_numbered
from lujin.database import writing
from lujin.errors import N_, InputError, Problem, TooManyError

# Failures within the window that are free, per pair of account and address, per address, per account.
WINDOW = timedelta(minutes=15)
FREE = {"pair": 5, "address": 30, "account": 50}
_FIRST_WAIT_S = 15


def sign_in(engine: Engine, email: str, password: str, visit: Visit) -> str:
    """The token of a new session; half open (``SignedIn.full`` false) while a second factor is to come.

    InputError for a wrong address or password, without saying which; TooManyError after too many.
    """
    email = email.strip().lower()
    attempt = count_attempt(engine, email, visit.address, visit.now)
    with engine.connect() as connection:
        row = connection.execute(_who(email)).first()
    if not check_password(None if row is None else row.password, password) or row is None:
        number = None if row is None else row.number
        _refused(engine, "sign_in.refused", number, visit)
        message = N_("address or password is wrong")
        raise InputError(
            Problem(message, {}, N_("try again, or ask the park office for a new link"), field="email")
        )
    renewed = hash_password(password) if outdated(row.password) else None
    with writing(engine) as connection:
        succeeded(connection, attempt)
        if renewed is not None:
            unchanged = (credential.c.person == row.number, credential.c.password == row.password)
            connection.execute(credential.update().where(*unchanged).values(password=renewed))
        full = row.totp_since is None
        if full:
            viewer = viewer_of(connection, row.number, visit.today)
            audit(connection, viewer, "sign_in", f"person/{row.number}", now=visit.now, address=visit.address)
        return start_session(connection, row.number, visit, full=full)


def second_factor(engine: Engine, half: SignedIn, code: str, visit: Visit) -> str:
    """The code of the telephone's app, or a recovery code: the token of the full session; the half one ends."""
    number = half.viewer.person
    attempt = count_attempt(engine, f"second factor of {number}", visit.address, visit.now)
    with writing(engine) as connection:
        used = accept_code(connection, number, code, visit.now)
        if used:
            succeeded(connection, attempt)
            end_session(connection, half.digest)
            said = {"second_factor": used}
            subject = f"person/{number}"
            audit(connection, half.viewer, "sign_in", subject, None, said, now=visit.now, address=visit.address)
            return start_session(connection, number, visit)
    _refused(engine, "sign_in.code_refused", number, visit)
    message = N_("the code is wrong, too old or was used already")
    raise InputError(Problem(message, {}, N_("wait for the next code, or use a recovery code"), field="code"))


def sign_in_by_email(engine: Engine, email: str, issuer: str, visit: Visit) -> str:
    """Sign in whom another provider vouches for, by the verified address: people that the park knows only."""
    email = email.strip().lower()
    with writing(engine) as connection:
        number = connection.execute(
            sa.select(person.c.number).where(person.c.email == email, person.c.disabled_at.is_(None))
        ).scalar()
        viewer = None if number is None else viewer_of(connection, number, visit.today)
        said = {"issuer": issuer} if viewer else {"issuer": issuer, "email": email}
        action = "sign_in" if viewer else "sign_in.refused"
        subject = f"person/{number}" if viewer else "person"
        audit(connection, viewer, action, subject, None, said, now=visit.now, address=visit.address)
        if viewer:
            return start_session(connection, viewer.person, visit)
    message = N_("{email} is not known to this park")
    raise InputError(Problem(message, {"email": email}, N_("ask the park office to invite you"), field="email"))


def accept_code(connection: Connection, number: int, code: str, now: datetime) -> str:
    """Use up a code of the app or a recovery code: "app", "recovery", or "" if it is neither."""
    row = connection.execute(sa.select(credential).where(credential.c.person == number)).first()
    if row is None or row.totp is None:
        return ""
    step = step_of(row.totp, code, now, row.totp_step)
    if step is not None:
        # The condition again in the statement: two workers may hold the same code.
        free = sa.or_(credential.c.totp_step.is_(None), credential.c.totp_step < step)
        used = credential.update().where(credential.c.person == number, free).values(totp_step=step)
        return "app" if connection.execute(used).rowcount == 1 else ""
    if row.totp_since is None:
        return ""
    c = recovery_code.c
    digest = digest_of(f"{number}:{plain_recovery_code(code)}")
    spent = recovery_code.update().where(c.digest == digest, c.person == number, c.used_at.is_(None))
    return "recovery" if connection.execute(spent.values(used_at=now)).rowcount == 1 else ""


def count_attempt(engine: Engine, account: str, address: str, now: datetime) -> int:
    """Count an attempt as failed, for now; returns its number. TooManyError if it comes too early."""
    digest = hashlib.sha256(account.encode()).hexdigest()
    a = sign_in_attempt.c
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            # Attempts on one account wait for each other, or all would count the same past.
            connection.execute(
                sa.text("SELECT pg_advisory_xact_lock(7102027, hashtext(:account))"), {"account": digest}
            )
        connection.execute(sign_in_attempt.delete().where(a.at < now - timedelta(days=1)))
        rules = {
            "pair": sa.and_(a.account == digest, a.address == address),
            "address": a.address == address,
            "account": a.account == digest,
        }
        wait = max(_wait(connection, rule, FREE[name], now) for name, rule in rules.items())
        if wait <= 0:
            row = {"account": digest, "address": address, "failed": 1, "at": now}
            return insert_numbered(connection, sign_in_attempt, row)
    message = N_("too many failed attempts; the next one counts in {seconds} s")
    raise TooManyError(
        Problem(message, {"seconds": wait}, N_("wait, then try again"), field="email"), retry_after_s=wait
    )


def succeeded(connection: Connection, attempt: int) -> None:
    """The attempt was right: it and the failures before it, of this account from this address, are forgiven."""
    a = sign_in_attempt.c
    row = connection.execute(sa.select(a.account, a.address).where(a.number == attempt)).one()
    forgiven = sign_in_attempt.update().where(a.account == row.account, a.address == row.address)
    connection.execute(forgiven.values(failed=0))


def _wait(connection: Connection, rule: sa.ColumnElement[bool], free: int, now: datetime) -> int:
    """Seconds until the next attempt counts: each failure beyond the free ones doubles the wait, up to WINDOW."""
    a = sign_in_attempt.c
    query = sa.select(sa.func.count(), sa.func.max(a.at))
    failures, last = connection.execute(query.where(rule, a.failed == 1, a.at > now - WINDOW)).one()
    if failures < free or last is None:
        return 0
    seconds: float = min(_FIRST_WAIT_S << min(failures - free, 10), WINDOW.total_seconds())
    passed: float = (now - last).total_seconds()
    return ceil(seconds - passed)


def _who(email: str) -> sa.Select[tuple[int, str, datetime]]:
    c = credential.c
    query = sa.select(person.c.number, c.password, c.totp_since).join_from(person, credential)
    return query.where(person.c.email == email, person.c.disabled_at.is_(None), c.password.is_not(None))


def _refused(engine: Engine, action: str, number: int | None, visit: Visit) -> None:
    """Failures are on the trail too, without the address typed where it is nobody's: it may be a password."""
    with writing(engine) as connection:
        viewer: Viewer | None = None if number is None else viewer_of(connection, number, visit.today)
        subject = "person" if number is None else f"person/{number}"
        audit(connection, viewer, action, subject, now=visit.now, address=visit.address)
