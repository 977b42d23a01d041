"""Sign-ins on their way through another provider: what we asked, kept until the browser comes back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from lujin.access.opaque import digest_of, new_token
from lujin.access.tables import foreign_sign_in
from lujin.database import writing

LASTS = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Asked:
    """``nonce`` comes back inside the provider's answer; ``verifier`` proves that the one who asks for it is the
    one who began (PKCE); ``target``: the page to go to."""

    nonce: str
    verifier: str
    target: str


def begin(engine: Engine, target: str, now: datetime) -> tuple[str, Asked]:
    """A new attempt; its token goes with the browser to the provider and back (``state``)."""
    token, asked = new_token(), Asked(new_token(), new_token(), target)
    row = {
        "digest": digest_of(token),
        "nonce": asked.nonce,
        "verifier": asked.verifier,
        "target": target,
        "expires_at": now + LASTS,
    }
    with writing(engine) as connection:
        connection.execute(foreign_sign_in.delete().where(foreign_sign_in.c.expires_at <= now))
        connection.execute(foreign_sign_in.insert(), [row])
    return token, asked


def take(engine: Engine, token: str, now: datetime) -> Asked | None:
    """What was asked, once; None if it is unknown, used or too old."""
    c = foreign_sign_in.c
    mine = c.digest == digest_of(token)
    with writing(engine) as connection:
        row = connection.execute(sa.select(foreign_sign_in).where(mine)).first()
        if row is None or connection.execute(foreign_sign_in.delete().where(mine)).rowcount != 1:
            return None
    return Asked(row.nonce, row.verifier, row.target) if now < row.expires_at else None
