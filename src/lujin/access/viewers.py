"""A person as the viewer of one request: role, bindings and consents as they stand now."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.access.tables import binding, consent, person
from lujin.access.viewer import Right, Role, Viewer
from lujin.language import Language


def viewer_of(
    connection: Connection,
    number: int,
    today: int,
    scopes: frozenset[Right] | None = None,
    token: str = "",
) -> Viewer | None:
    """The person with this number; None when there is none or the person is disabled."""
    row = connection.execute(sa.select(person).where(person.c.number == number)).first()
    if row is None or row.disabled_at is not None:
        return None
    role = Role(row.role)
    enterprises: frozenset[str] = frozenset()
    meters: frozenset[str] | None = None
    if role is Role.BANK:
        enterprises = consented(connection, row.bank, today)
    elif role in (Role.ENTERPRISE, Role.DEVICE):
        enterprises, meters = bound_to(connection, number)
    language: Language = "en" if row.language == "en" else "zh"
    return Viewer(number, row.name, role, enterprises, meters, scopes, language, token)


def bound_to(connection: Connection, number: int) -> tuple[frozenset[str], frozenset[str] | None]:
    """Enterprises, and meters if it is bound to some of them only; whoever is bound to a meter is to no other."""
    query = sa.select(binding.c.enterprise, binding.c.meter).where(binding.c.person == number)
    rows = [tuple(row) for row in connection.execute(query)]
    meters = frozenset(meter for _, meter in rows if meter)
    return frozenset(enterprise for enterprise, _ in rows), meters or None


def consented(connection: Connection, bank: int, today: int) -> frozenset[str]:
    """The enterprises whose consent to this bank is in force on the day ``today``."""
    c = consent.c
    query = sa.select(c.enterprise).where(
        c.bank == bank,
        c.event == "given",
        c.first_day <= today,
        c.until_day >= today,
        c.number.not_in(sa.select(c.revokes).where(c.revokes.is_not(None))),
    )
    return frozenset(connection.execute(query).scalars())
