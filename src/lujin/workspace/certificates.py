"""Certificates that were issued for an enterprise: which there are, and their documents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from lujin.accounts.statement_parts import Part
from lujin.accounts.tables import certificate, certificate_superseded, period_event
from lujin.errors import N_, NotFoundError, Problem

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace


@dataclass(frozen=True, slots=True)
class IssuedCertificate(Part):
    """``known``: time of knowledge of the account that it states. ``superseded_at`` and ``cause``: of the
    restatement after which it no longer tells the newest account. ``size``: of the document [characters].
    """

    id: str
    first: int
    last: int
    known: datetime
    issued_at: datetime
    superseded_at: datetime | None
    cause: str
    size: int


def certificates(workspace: Workspace, enterprise: str) -> tuple[IssuedCertificate, ...]:
    """Newest first."""
    taken = certificate_superseded
    joined = certificate.outerjoin(taken, taken.c.certificate == certificate.c.number)
    joined = joined.outerjoin(period_event, period_event.c.number == taken.c.event)
    select = (
        sa.select(
            certificate.c.id,
            certificate.c.first_month,
            certificate.c.last_month,
            certificate.c.known,
            certificate.c.recorded_at,
            taken.c.recorded_at.label("superseded_at"),
            period_event.c.cause,
            sa.func.length(certificate.c.document).label("size"),
        )
        .select_from(joined)
        .where(certificate.c.enterprise == enterprise)
        .order_by(certificate.c.number.desc())
    )
    with workspace.engine.connect() as connection:
        return tuple(
            IssuedCertificate(
                row.id,
                row.first_month,
                row.last_month,
                row.known,
                row.recorded_at,
                row.superseded_at,
                row.cause or "",
                row.size,
            )
            for row in connection.execute(select)
        )


def document(workspace: Workspace, enterprise: str, name: str) -> str:
    """The certificate as it was signed, byte by byte. NotFoundError: this enterprise has none of that id."""
    select = sa.select(certificate.c.document).where(
        certificate.c.enterprise == enterprise, certificate.c.id == name
    )
    with workspace.engine.connect() as connection:
        found: str | None = connection.execute(select).scalar_one_or_none()
    if found is None:
        raise NotFoundError(
            Problem(
                N_("there is no certificate {id} of {enterprise}"),
                {"id": name, "enterprise": enterprise},
                N_("choose one from the enterprise's list of certificates"),
            )
        )
    return found
