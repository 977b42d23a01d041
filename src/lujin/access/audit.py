"""The audit trail 审计记录: who did what, when, from where, to what, with its value before and after.

A row is written in the transaction of the change it tells of, so that neither exists without the other. Each
row's digest is the SHA-256 over the digest of the row before and its own content: who takes a row out of the
middle, or alters one, breaks the chain. A cut at the end is noticed by whoever kept a later head.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.access.tables import audit_entry
from lujin.access.viewer import Viewer
from lujin.accounts.log import instant_text
from lujin.errors import N_, IntegrityError, Problem

_START = "0" * 64
_CHAIN_LOCK = 7102026  # PostgreSQL's advisory lock: rows of the chain are written one after the other
_BATCH = 5000

Values = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """``subject`` is kind and key, ``person/3`` or ``month/2025-06``; ``who`` is empty where no one was
    signed in."""

    number: int
    at: datetime
    person: int | None
    who: str
    role: str
    token: str
    address: str
    action: str
    subject: str
    enterprise: str
    before: Values
    after: Values
    digest: str


@dataclass(frozen=True, slots=True)
class AuditHead:
    """How long the trail is, and the digest of its last row."""

    number: int = 0
    digest: str = _START


def audit(
    connection: Connection,
    viewer: Viewer | None,
    action: str,
    subject: str,
    before: Values = None,
    after: Values = None,
    *,
    now: datetime,
    address: str = "",
    enterprise: str = "",
) -> AuditHead:
    """Record one change, in the caller's transaction (opened by ``lujin.database.writing``).

    ``viewer`` None: the command line on the machine itself, or someone not signed in (``address`` tells which).
    Where ``before`` and ``after`` are given, only what differs is kept.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CHAIN_LOCK})
    last = audit_head(connection)
    before, after = _differing(before, after)
    entry = AuditEntry(
        number=last.number + 1,
        at=now,
        person=viewer.person if viewer else None,
        who=viewer.name if viewer else "",
        role=viewer.role.value if viewer else "",
        token=viewer.token if viewer else "",
        address=address,
        action=action,
        subject=subject,
        enterprise=enterprise,
        before=before,
        after=after,
        digest="",
    )
    entry = replace(entry, digest=_chained(last.digest, entry))
    connection.execute(audit_entry.insert(), [{name: getattr(entry, name) for name in _COLUMNS}])
    return AuditHead(entry.number, entry.digest)


def audit_head(connection: Connection) -> AuditHead:
    query = sa.select(audit_entry.c.number, audit_entry.c.digest).order_by(audit_entry.c.number.desc()).limit(1)
    row = connection.execute(query).first()
    return AuditHead() if row is None else AuditHead(row.number, row.digest)


def audit_trail(
    connection: Connection,
    *,
    person: int | None = None,
    action: str = "",
    subject: str = "",
    enterprise: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> Sequence[AuditEntry]:
    """Newest first. ``action`` and ``subject`` are beginnings; ``[since, until)``; the next page continues
    ``before`` the last number of this one."""
    c = audit_entry.c
    query = sa.select(audit_entry).order_by(c.number.desc()).limit(limit)
    for condition in (
        c.person == person if person is not None else None,
        c.action.startswith(action, autoescape=True) if action else None,
        c.subject.startswith(subject, autoescape=True) if subject else None,
        c.enterprise == enterprise if enterprise else None,
        c.at >= since if since else None,
        c.at < until if until else None,
        c.number < before if before is not None else None,
    ):
        if condition is not None:
            query = query.where(condition)
    return [AuditEntry(*row) for row in connection.execute(query)]


def verify_audit(connection: Connection, known: AuditHead | None = None) -> AuditHead:
    """Recompute the chain and return its head; IntegrityError at the first row that does not fit.

    ``known``: a head that someone kept, which the trail must still contain.
    """
    head = AuditHead()
    found = known is None or known == head
    for entry in _all(connection):
        if entry.number != head.number + 1:
            raise _broken(N_("the audit trail lacks row {number}"), head.number + 1)
        if entry.digest != _chained(head.digest, entry):
            raise _broken(N_("row {number} of the audit trail was changed after it was written"), entry.number)
        head = AuditHead(entry.number, entry.digest)
        found = found or head == known
    if not found and known is not None:
        raise _broken(N_("the audit trail ends before row {number}, or holds another one there"), known.number)
    return head


_COLUMNS = tuple(column.name for column in audit_entry.columns)


def _all(connection: Connection) -> Any:
    number = 0
    while True:
        query = sa.select(audit_entry).where(audit_entry.c.number > number)
        rows = [AuditEntry(*r) for r in connection.execute(query.order_by(audit_entry.c.number).limit(_BATCH))]
        if not rows:
            return
        yield from rows
        number = rows[-1].number


def _chained(previous: str, entry: AuditEntry) -> str:
    content = {name: getattr(entry, name) for name in _COLUMNS if name != "digest"}
    content["at"] = instant_text(entry.at)
    said = json.dumps([previous, content], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


def _differing(before: Values, after: Values) -> tuple[Values, Values]:
    if before is None or after is None:
        return before, after
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {n: before[n] for n in changed if n in before}, {n: after[n] for n in changed if n in after}


def _broken(message: str, number: int) -> IntegrityError:
    return IntegrityError(Problem(message, {"number": number}, N_("restore the database from a backup")))
