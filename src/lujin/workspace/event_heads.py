"""Signed heads of what is done to months: closings, opinions, restatements, certificates and what superseded them.

A head states, of each of the three tables, how many rows it has and the digest of the chain over them,

    d₀ = SHA-256(""),  dₙ = SHA-256(dₙ₋₁ ‖ SHA-256(row n as canonical JSON)),

and is signed with the park's key in the transaction that adds rows. So a row that was changed, removed or added by
other hands disagrees with a head. Rows cut off together with their heads leave no trace here: a head that is kept
outside the park tells (``lujin head --json``, ``--since``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts.canonical import canonical_json
from lujin.accounts.tables import certificate, certificate_superseded, event_head, period_event
from lujin.errors import N_, InputError, IntegrityError, Problem

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

# Kind of row → its table and the columns that give the order of recording.
_KINDS: Mapping[str, tuple[sa.Table, tuple[sa.ColumnElement[Any], ...]]] = {
    "period_event": (period_event, (period_event.c.number,)),
    "certificate": (certificate, (certificate.c.number,)),
    "certificate_superseded": (
        certificate_superseded,
        (certificate_superseded.c.event, certificate_superseded.c.certificate),
    ),
}
KINDS: Mapping[str, Problem] = {
    "period_event": Problem(N_("events of periods")),
    "certificate": Problem(N_("certificates")),
    "certificate_superseded": Problem(N_("records that a certificate was superseded")),
}
_START = hashlib.sha256(b"").hexdigest()
_RESTORE = N_("restore the database from a backup; compare with the heads that bank and verifier keep")
Chains = Mapping[str, tuple[int, str]]  # kind → rows, digest


@dataclass(frozen=True, slots=True)
class EventHead:
    """What stood at a moment, signed."""

    chains: Chains
    recorded_at: datetime
    document: Mapping[str, Any]

    @property
    def issuer(self) -> str:
        return str(self.document["issuer"])


def rows(connection: Connection, kind: str, after: int = 0) -> Iterator[bytes]:
    """Canonical JSON of every row after the first ``after``, in order of recording; values as they are stored."""
    table, order = _KINDS[kind]
    stored = [sa.type_coerce(column, sa.Text).label(column.name) for column in table.columns]
    for row in connection.execute(sa.select(*stored).order_by(*order).offset(after)):
        yield canonical_json({name: _text(value) for name, value in row._mapping.items()})


def _text(value: object) -> str:
    """An instant as SQLite has it, so that both engines give the same bytes."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value)


def _linked(digest: str, row: bytes) -> str:
    return hashlib.sha256(bytes.fromhex(digest) + hashlib.sha256(row).digest()).hexdigest()


def event_heads(connection: Connection, *, last: bool = False) -> list[EventHead]:
    """The stored heads, oldest first; only the newest one with ``last``."""
    select = sa.select(event_head).order_by(event_head.c.number.desc())
    return [_stored(row._mapping) for row in connection.execute(select.limit(1) if last else select)][::-1]


def _stored(row: Mapping[Any, Any]) -> EventHead:
    from lujin.publish.heads import event_head_document

    chains = {kind: (row[f"{kind}_rows"], row[f"{kind}_digest"]) for kind in _KINDS}
    document = event_head_document(chains, row["recorded_at"], row["key"], row["signature"])
    return EventHead(chains, row["recorded_at"], document)


def seal_events(workspace: Workspace, connection: Connection, now: datetime) -> EventHead | None:
    """Sign and store a head over all events and certificates: to be called last in the transaction that adds some.

    Nothing is signed if the newest head holds them already. None: there is nothing to sign. IntegrityError: rows
    that the newest head states are gone.
    """
    from lujin.publish.heads import sign_event_head
    from lujin.publish.integrity import did_of
    from lujin.workspace.evidence import key_of

    newest = next(iter(event_heads(connection, last=True)), None)
    chains = {}
    for kind, (table, _) in _KINDS.items():
        count, digest = newest.chains[kind] if newest else (0, _START)
        found = int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
        if found < count and newest is not None:
            raise IntegrityError(_fewer(kind, found, count, newest.recorded_at))
        for row in rows(connection, kind, count):
            digest = _linked(digest, row)
        chains[kind] = (found, digest)
    if newest is None and not any(count for count, _ in chains.values()):
        return None
    key = key_of(workspace)
    if newest is not None and newest.chains == chains and newest.issuer == did_of(key.public_key()):
        return newest
    document = sign_event_head(chains, now, key)
    values: dict[str, Any] = {f"{kind}_{name}": v for kind, chain in chains.items() for name, v in _columns(chain)}
    values |= {"key": document["issuer"], "signature": document["proof"]["proofValue"], "recorded_at": now}
    connection.execute(sa.insert(event_head).values(**values))
    return EventHead(chains, now, document)


def _columns(chain: tuple[int, str]) -> tuple[tuple[str, int | str], ...]:
    return ("rows", chain[0]), ("digest", chain[1])


# ----------------------------------------------------------------------------------------------- verification


def verify_events(connection: Connection, workspace: Workspace) -> list[Problem]:
    """Recompute every stored head from the rows as they are. Problems name the kind of row that was changed."""
    try:
        found = event_heads(connection)
        problems = [problem for kind in _KINDS for problem in _compared(connection, kind, found)]
    except IntegrityError as error:
        return list(error.problems)
    for head in found:
        problems += _signature(head)
    return problems + _key(workspace, found)


def _compared(connection: Connection, kind: str, found: list[EventHead]) -> list[Problem]:
    digests = _digests(connection, kind)
    if problem := next((p for head in found if (p := _held(kind, digests, head))), None):
        return [problem]
    there, sealed = len(digests) - 1, found[-1].chains[kind][0] if found else 0
    if there > sealed:
        message = N_("{kind}: {found} are there, but the newest signed head knows of {count}")
        return [Problem(message, {**_named(kind, sealed, None), "found": there}, _RESTORE)]
    return []


def _digests(connection: Connection, kind: str) -> list[str]:
    """The digest of the chain after 0, 1, 2 … rows."""
    digests = [_START]
    for row in rows(connection, kind):
        digests.append(_linked(digests[-1], row))
    return digests


def _held(kind: str, digests: list[str], head: EventHead) -> Problem | None:
    """Why the rows are not those that the head states, followed by newer ones; None: they are."""
    count, digest = head.chains[kind]
    if count >= len(digests):
        return _fewer(kind, len(digests) - 1, count, head.recorded_at)
    if digests[count] != digest:
        message = N_("{kind} were changed: the first {count} are not those of the head of {when}")
        return Problem(message, _named(kind, count, head.recorded_at), _RESTORE)
    return None


def _signature(head: EventHead) -> list[Problem]:
    from lujin.publish.integrity import verify

    try:
        verify(head.document)
    except InputError:
        message = N_("the signature of the head of events of {when} does not hold")
        return [Problem(message, {"when": head.recorded_at.isoformat(timespec="seconds")}, _RESTORE)]
    return []


def _key(workspace: Workspace, found: list[EventHead]) -> list[Problem]:
    """Whether the newest head is signed with the key that the park has, where the key is at hand."""
    from lujin.publish import public_did, signing_key
    from lujin.publish.keys import FILE

    directory = workspace.directory / "keys"
    if not found or not (directory / FILE).exists():
        return []
    own = public_did(signing_key(directory, create=False))
    if found[-1].issuer == own:
        return []
    message = N_("the newest head of events is signed by {signer}, and the key of this park is {own}")
    remedy = N_("if the key was renewed on purpose, sign with it: lujin head; else restore from a backup")
    return [Problem(message, {"signer": found[-1].issuer, "own": own}, remedy)]


def refuse_unless_extended(connection: Connection, kept: Mapping[str, Any]) -> None:
    """IntegrityError: the events are not an extension of those of a head that was kept outside the park."""
    at = datetime.fromisoformat(kept["timestamp"])
    chains = {kind: (int(kept[kind]["rows"]), kept[kind]["digest"]) for kind in _KINDS}
    older = EventHead(chains, at, kept)
    if problems := [p for kind in _KINDS if (p := _held(kind, _digests(connection, kind), older))]:
        raise IntegrityError(*problems)


def _fewer(kind: str, found: int, count: int, when: datetime) -> Problem:
    message = N_("{kind}: {found} are there, but {count} were when the head of {when} was signed")
    return Problem(message, {**_named(kind, count, when), "found": found}, _RESTORE)


def _named(kind: str, count: int, when: datetime | None) -> dict[str, Any]:
    said = "" if when is None else when.isoformat(timespec="seconds")
    return {"kind": KINDS[kind], "count": count, "when": said}
