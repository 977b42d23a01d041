"""Tokens for programs: each a person's or device's, with some of its rights, for a time. Shown once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from lujin.access.audit import audit
from lujin.access.opaque import digest_of, new_token
from lujin.access.people import read_person, require
from lujin.access.policy import may, token_rights
from lujin.access.tables import api_token, person
from lujin.access.viewer import Right, Viewer
from lujin.access.viewers import viewer_of
from lujin.access.writes import insert_numbered, passing_write
from lujin.database import writing
from lujin.errors import N_, ForbiddenError, InputError, NotFoundError, Problem
from lujin.pulse import Keep, anew

PREFIX = "lujin_"
SHOWN = 14  # characters that stay visible, to tell tokens apart
LONGEST = timedelta(days=366)
_USED_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ApiToken:
    number: int
    prefix: str
    name: str
    person: int
    owner: str
    scopes: frozenset[Right]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None

    def valid(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at


def issue_token(
    engine: Engine,
    viewer: Viewer,
    name: str,
    scopes: Collection[Right],
    expires_at: datetime,
    *,
    owner: int | None = None,
    now: datetime,
    address: str = "",
) -> str:
    """The new token, which is not kept. For oneself; for a device (``owner``) by whoever manages people."""
    owner = viewer.person if owner is None else owner
    _over(viewer, owner)
    name = name.strip()
    with writing(engine) as connection:
        found = read_person(connection, owner)
        if owner != viewer.person and found.role != "device":
            raise ForbiddenError(Problem(N_("people make their tokens themselves; only a device gets one")))
        problems = []
        if not name or len(name) > 100:
            problems.append(Problem(N_("a name is missing or longer than 100 characters"), field="name"))
        if not scopes or not set(scopes) <= token_rights(found.role):
            problems.append(
                Problem(N_("choose among the rights that {name} has"), {"name": found.name}, field="scopes")
            )
        if not now < expires_at <= now + LONGEST:
            problems.append(Problem(N_("a token is valid for at least a day and at most a year"), field="expires"))
        if found.disabled_at is not None:
            problems.append(Problem(N_("{name} is disabled"), {"name": found.name}, field="owner"))
        if problems:
            raise InputError(*problems)
        token = new_token(PREFIX)
        row = {
            "digest": digest_of(token),
            "prefix": token[:SHOWN],
            "name": name,
            "person": owner,
            "scopes": sorted(scopes),
            "created_at": now,
            "expires_at": expires_at,
        }
        number = insert_numbered(connection, api_token, row)
        said = {"owner": owner, "name": name, "scopes": sorted(scopes), "expires_at": expires_at.isoformat()}
        audit(connection, viewer, "token.issue", f"token/{number}", None, said, now=now, address=address)
        return token


def revoke_token(engine: Engine, viewer: Viewer, number: int, *, now: datetime, address: str = "") -> None:
    """One's own; or anyone's, by whoever manages people."""
    with writing(engine) as connection:
        owner = connection.execute(sa.select(api_token.c.person).where(api_token.c.number == number)).scalar()
        if owner is None or not (owner == viewer.person or _manages(viewer)):
            raise NotFoundError(Problem(N_("there is no token {number}"), {"number": number}))
        _over(viewer, owner)
        live = (api_token.c.number == number, api_token.c.revoked_at.is_(None))
        if connection.execute(api_token.update().where(*live).values(revoked_at=now)).rowcount:
            audit(connection, viewer, "token.revoke", f"token/{number}", now=now, address=address)


def tokens_of(engine: Engine, owner: int | None = None) -> Sequence[ApiToken]:
    """The tokens of one person or of all, newest first."""
    query = sa.select(api_token, person.c.name.label("owner")).join_from(api_token, person)
    query = query.order_by(api_token.c.number.desc())
    if owner is not None:
        query = query.where(api_token.c.person == owner)
    with engine.connect() as connection:
        return [
            ApiToken(
                row.number,
                row.prefix,
                row.name,
                row.person,
                row.owner,
                frozenset(map(Right, row.scopes)),
                row.created_at,
                row.expires_at,
                row.revoked_at,
                row.used_at,
            )
            for row in connection.execute(query)
        ]


def token_viewer(engine: Engine, token: str, *, now: datetime, today: int, keep: Keep = anew) -> Viewer | None:
    """Who shows the token, with no more than its scopes and than its owner's rights as of now."""
    if not token.startswith(PREFIX):
        return None
    digest = digest_of(token)
    row, viewer = keep(("token", digest, today), lambda: _shown_by(engine, digest, today))
    if row is None or row.revoked_at is not None or now >= row.expires_at:
        return None
    if viewer is not None and (row.used_at is None or now >= row.used_at + _USED_EVERY):
        passing_write(engine, api_token.update().where(api_token.c.number == row.number).values(used_at=now))
    return viewer


def _shown_by(engine: Engine, digest: str, today: int) -> tuple[sa.Row[Any] | None, Viewer | None]:
    """The token as it is stored, and whose it is."""
    with engine.connect() as connection:
        row = connection.execute(sa.select(api_token).where(api_token.c.digest == digest)).first()
        if row is None:
            return None, None
        return row, viewer_of(connection, row.person, today, frozenset(map(Right, row.scopes)), row.prefix)


def _over(viewer: Viewer, owner: int) -> None:
    if viewer.token:
        raise ForbiddenError(Problem(N_("a token cannot make or revoke tokens")))
    if owner != viewer.person:
        require(viewer, Right.MANAGE_PEOPLE)


def _manages(viewer: Viewer) -> bool:
    return may(viewer, Right.MANAGE_PEOPLE)
