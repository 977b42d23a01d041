"""Consents 授权: an enterprise lets a bank see its account from one day to another, and may take it back.

Nothing is ever changed: a consent is given, and perhaps revoked, each on record with who did it and when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from lujin.access.audit import audit
from lujin.access.people import require
from lujin.access.tables import bank, consent, person
from lujin.access.viewer import Right, Viewer
from lujin.access.writes import insert_numbered
from lujin.database import writing
from lujin.errors import N_, InputError, NotFoundError, Problem

LONGEST_DAYS = 3 * 366
State = Literal["in force", "to come", "over", "revoked"]


@dataclass(frozen=True, slots=True)
class Consent:
    """Days are integers 20250601, both included. ``revoked_by`` '' and ``revoked_at`` None while it stands."""

    number: int
    enterprise: str
    bank: int
    bank_name: str
    first_day: int
    until_day: int
    given_by: str
    given_at: datetime
    revoked_by: str
    revoked_at: datetime | None

    def state(self, today: int) -> State:
        if self.revoked_at is not None:
            return "revoked"
        if today > self.until_day:
            return "over"
        return "to come" if today < self.first_day else "in force"


def give_consent(
    engine: Engine,
    viewer: Viewer,
    enterprise: str,
    bank_number: int,
    first: date,
    until: date,
    *,
    today: date,
    now: datetime,
    address: str = "",
) -> int:
    """Let the bank see the enterprise's account on the days from ``first`` to ``until``; returns the number."""
    require(viewer, Right.GIVE_CONSENT, enterprise)
    problems = []
    if first > until:
        problems.append(Problem(N_("the last day lies before the first"), field="until"))
    elif until < today:
        problems.append(Problem(N_("the last day is over already"), field="until"))
    elif (until - first).days > LONGEST_DAYS:
        message, remedy = N_("a consent is given for three years at most"), N_("renew it then")
        problems.append(Problem(message, {}, remedy, field="until"))
    with writing(engine) as connection:
        name = connection.execute(sa.select(bank.c.name).where(bank.c.number == bank_number)).scalar()
        if name is None:
            problems.append(Problem(N_("choose a bank"), {}, N_("the park office adds banks"), field="bank"))
        if problems:
            raise InputError(*problems)
        row = {
            "event": "given",
            "enterprise": enterprise,
            "bank": bank_number,
            "first_day": day_number(first),
            "until_day": day_number(until),
            "person": viewer.person,
            "recorded_at": now,
        }
        number = insert_numbered(connection, consent, row)
        audit(
            connection,
            viewer,
            "consent.give",
            f"consent/{number}",
            None,
            {"bank": name, "first": first.isoformat(), "until": until.isoformat()},
            now=now,
            address=address,
            enterprise=enterprise,
        )
        return number


def revoke_consent(engine: Engine, viewer: Viewer, number: int, *, now: datetime, address: str = "") -> None:
    """Take a consent back: from this moment the bank sees nothing of it. Once is enough; twice does no harm."""
    with writing(engine) as connection:
        c = consent.c
        row = connection.execute(sa.select(consent).where(c.number == number, c.event == "given")).first()
        if row is None or (row.enterprise not in viewer.enterprises):
            raise NotFoundError(Problem(N_("there is no consent {number}"), {"number": number}))
        require(viewer, Right.GIVE_CONSENT, row.enterprise)
        if connection.execute(sa.select(c.number).where(c.revokes == number)).first() is not None:
            return
        event = {
            "event": "revoked",
            "enterprise": row.enterprise,
            "bank": row.bank,
            "revokes": number,
            "person": viewer.person,
            "recorded_at": now,
        }
        connection.execute(consent.insert().values(event))
        subject, of = f"consent/{number}", row.enterprise
        audit(connection, viewer, "consent.revoke", subject, now=now, address=address, enterprise=of)


def consents(
    engine: Engine, *, enterprises: frozenset[str] | None = None, bank_number: int | None = None
) -> Sequence[Consent]:
    """Every consent ever given, newest first; of some enterprises or to one bank only."""
    given, gone, giver, revoker = consent.alias(), consent.alias(), person.alias(), person.alias()
    c = given.c
    query = (
        sa.select(
            c.number,
            c.enterprise,
            c.bank,
            bank.c.name,
            c.first_day,
            c.until_day,
            giver.c.name,
            c.recorded_at,
            sa.func.coalesce(revoker.c.name, ""),
            gone.c.recorded_at,
        )
        .select_from(
            given.join(bank, c.bank == bank.c.number)
            .join(giver, c.person == giver.c.number)
            .outerjoin(gone, gone.c.revokes == c.number)
            .outerjoin(revoker, gone.c.person == revoker.c.number)
        )
        .where(c.event == "given")
        .order_by(c.number.desc())
    )
    if enterprises is not None:
        query = query.where(c.enterprise.in_(sorted(enterprises)))
    if bank_number is not None:
        query = query.where(c.bank == bank_number)
    with engine.connect() as connection:
        return [Consent(*tuple(row)) for row in connection.execute(query)]


def day_number(day: date) -> int:
    """
    >>> day_number(date(2025, 6, 1))
    20250601
    """
    return day.year * 10000 + day.month * 100 + day.day
