"""Evidence of a park: signed heads of the log of entries, proofs that it only grew, the status list."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts.log import instant_text, leaf_bytes
from lujin.accounts.merkle import Frontier, Tree, leaf_hash
from lujin.accounts.period_facts import log_size
from lujin.accounts.tables import certificate, certificate_superseded, entry, tree_head
from lujin.database import writing
from lujin.errors import N_, InputError, IntegrityError, Problem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from lujin.publish import TreeHead
    from lujin.workspace.core import Workspace

_RESTORE = N_("restore the database from a backup; ask the bank or verifier for the heads that they keep")


@dataclass(frozen=True, slots=True)
class StoredHead:
    """A signed head with what is needed to go on from it."""

    head: TreeHead
    frontier: Frontier
    recorded_at: datetime
    stored: bool = True


def key_of(workspace: Workspace) -> Ed25519PrivateKey:
    """The signing key of the park, made on first use."""
    from lujin.publish import signing_key

    return signing_key(workspace.directory / "keys")


# ------------------------------------------------------------------------------------------------- the log


def leaves(connection: Connection, after: int = 0) -> Iterator[bytes]:
    """Leaf hashes of the entries with numbers above ``after``, in order. IntegrityError: a number is missing."""
    select = sa.select(entry.c.number, entry.c.id, entry.c.recorded_at, entry.c.source)
    expected = after
    for number, name, recorded_at, source in connection.execute(
        select.where(entry.c.number > after).order_by(entry.c.number)
    ):
        expected += 1
        if number != expected:
            message = N_("entry number {number} is missing from the log")
            raise IntegrityError(Problem(message, {"number": expected}, _RESTORE))
        yield leaf_hash(leaf_bytes(name, number, instant_text(recorded_at), source))


def heads(connection: Connection, last: bool = False) -> list[StoredHead]:
    """The signed heads, oldest first; only the newest one with ``last``."""
    from lujin.publish import TreeHead

    select = sa.select(tree_head).order_by(tree_head.c.number.desc())
    return [
        StoredHead(
            TreeHead(row.size, row.root, row.recorded_at.replace(microsecond=0), row.key, row.signature),
            _frontier(row.size, row.frontier, row.recorded_at),
            row.recorded_at,
        )
        for row in connection.execute(select.limit(1) if last else select)
    ][::-1]


def _frontier(size: int, text: str, when: datetime) -> Frontier:
    try:
        return Frontier(size, tuple(bytes.fromhex(part) for part in text.splitlines()))
    except ValueError:
        message = N_("what is stored beside the head of {when} was changed")
        raise IntegrityError(Problem(message, {"when": when.isoformat(timespec="seconds")}, _RESTORE)) from None


def current_head(workspace: Workspace, now: datetime) -> StoredHead | None:
    """The head of the log as it is: the newest stored one if nothing came since, else a new one, signed.

    Only entries after the newest head are hashed. None: the log is empty.
    """
    from lujin.publish import public_did, sign_head

    with workspace.engine.connect() as connection:
        size = log_size(connection)
        newest = next(iter(heads(connection, last=True)), None)
        if not size and newest is None:
            return None
        if newest is not None and newest.head.size > size:
            raise IntegrityError(_cut_off(newest, size))
        key = key_of(workspace)
        if newest is not None and newest.head.size == size and newest.head.issuer == public_did(key):
            return newest
        known = newest.frontier if newest else Frontier()
        frontier = known.extended(leaves(connection, known.size))
    return StoredHead(sign_head(frontier.size, frontier.root(), now, key), frontier, now, stored=False)


def store_head(connection: Connection, found: StoredHead | None) -> None:
    """Keep a head that is not stored yet."""
    if found is None or found.stored:
        return
    connection.execute(
        sa.insert(tree_head).values(
            size=found.head.size,
            root=found.head.root,
            frontier="\n".join(part.hex() for part in found.frontier.hashes),
            key=found.head.issuer,
            signature=found.head.signature,
            recorded_at=found.recorded_at,
        )
    )


def prepared_head(workspace: Workspace, now: datetime) -> Callable[[Connection], None]:
    """Signs the head now; what is returned stores it in the caller's transaction."""
    found = current_head(workspace, now)
    return lambda connection: store_head(connection, found)


def daily_head(workspace: Workspace, now: datetime) -> tuple[Problem, ...]:
    """Sign a head if entries came and the newest head is of an earlier local day. Warnings: it cannot be."""
    zone = ZoneInfo(workspace.park.timezone)
    with workspace.engine.connect() as connection:
        newest = next(iter(heads(connection, last=True)), None)
        size = log_size(connection)
    if newest is not None:
        today = newest.recorded_at.astimezone(zone).date() == now.astimezone(zone).date()
        if today or newest.head.size == size:
            return ()
    try:
        found = current_head(workspace, now)
    except InputError as error:
        return tuple(replace(problem, severity="warning") for problem in error.problems)
    with writing(workspace.engine) as connection:
        store_head(connection, found)
    return ()


@dataclass(frozen=True, slots=True)
class Head:
    """The signed head of the log. ``witness``: the older head that was given, with the proof that the log extends
    it, as ``check`` takes it; ``grown``: how many entries came since. ``events``: the signed head of what was done
    to months.
    """

    document: Mapping[str, Any]
    heads: int
    witness: Mapping[str, Any] | None = None
    grown: int | None = None
    events: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        names = ("heads", "witness", "grown", "events")
        return {"head": self.document, **{name: getattr(self, name) for name in names}}


def head(workspace: Workspace, since: Path | None = None) -> Head:
    """Sign the head of the log as it is. ``since``: file with an older head, to which consistency is proved.

    IntegrityError: the log does not extend the older head, so that something recorded then was changed.
    """
    from lujin.publish import head_document
    from lujin.workspace.event_heads import refuse_unless_extended, seal_events

    older, events = (None, None) if since is None else _read_head(since)
    with workspace.writing("head"):
        now = workspace.now()
        found = current_head(workspace, now)
        if found is None:
            raise InputError(Problem(N_("nothing is posted, so there is no log yet"), {}, N_("run: lujin run")))
        with writing(workspace.engine) as connection:
            if events is not None:
                refuse_unless_extended(connection, events)
            store_head(connection, found)
            count = len(heads(connection))
            sealed = seal_events(workspace, connection, now)
    made = Head(head_document(found.head), count, events=None if sealed is None else sealed.document)
    if older is None:
        return made
    proof = consistency(workspace, older, found.head.size)
    return replace(made, witness=proof, grown=found.head.size - older.size)


def consistency(workspace: Workspace, older: TreeHead, size: int | None = None) -> dict[str, Any]:
    """The older head with the proof that the log of ``size`` entries (None: all) extends it.

    IntegrityError: it does not.
    """
    from lujin.publish import witness

    with workspace.engine.connect() as connection:
        tree = Tree(list(leaves(connection)))
    wanted = tree.size if size is None else size
    if older.size > wanted or tree.root(older.size).hex() != older.root:
        raise IntegrityError(
            Problem(
                N_("the log does not extend the head of {when} with {size} entries: entries of then were changed"),
                {"when": older.timestamp.isoformat(), "size": f"{older.size:,}"},
                _RESTORE,
            )
        )
    return witness(older, tree.consistency(older.size, wanted))


def _read_head(file: Path) -> tuple[TreeHead, dict[str, Any] | None]:
    """The head in a file: a head document, or what ``head --json`` wrote, perhaps with the head of events.

    InputError: none, or not signed.
    """
    from lujin.publish import head_of
    from lujin.publish.integrity import verify
    from lujin.publish.shapes import EVENT_HEAD, HEAD

    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = N_("the file cannot be read: {reason}")
        raise InputError(
            Problem(message, {"reason": error}, N_("check its name and place"), file=str(file))
        ) from None
    document = value.get("head", value) if isinstance(value, dict) else value
    HEAD(document, "head")
    verify(document)
    events = value.get("events")
    if events is not None:
        EVENT_HEAD(events, "events")
        verify(events)
    return head_of(document), events


# ------------------------------------------------------------------------------------------- status, checking


def status_list(workspace: Workspace) -> dict[str, Any]:
    """Which certificates were superseded, signed now."""
    from lujin.publish import status_list as signed

    with workspace.engine.connect() as connection:
        issued = int(connection.execute(sa.select(sa.func.count()).select_from(certificate)).scalar_one())
        taken = sa.select(certificate.c.status_index).join(
            certificate_superseded, certificate_superseded.c.certificate == certificate.c.number
        )
        superseded = list(connection.execute(taken).scalars())
    return signed(issued, superseded, key_of(workspace), workspace.clock())


def verify_heads(connection: Connection) -> tuple[list[Problem], int]:
    """Recompute the root of every signed head from the entries as they are; problems, and the number of heads.

    Notices entries that were removed, changed or cut off since a head was signed.
    """
    size, problems = log_size(connection), []
    try:
        stored = heads(connection)
        hashes = list(leaves(connection))
    except IntegrityError as error:
        return list(error.problems), 0
    frontier = Frontier()
    for found in sorted(stored, key=lambda item: item.head.size):
        if found.head.size > size:
            problems.append(_cut_off(found, size))
            continue
        frontier = frontier.extended(hashes[frontier.size : found.head.size])
        if frontier.root().hex() != found.head.root or frontier != found.frontier:
            message = N_("entries up to number {size} were changed since the head of {when} was signed")
            problems.append(Problem(message, _named(found), _RESTORE))
        problems += _signature(found)
    return problems, len(stored)


def _signature(found: StoredHead) -> Sequence[Problem]:
    from lujin.publish import head_document
    from lujin.publish.integrity import verify

    try:
        verify(head_document(found.head))
    except InputError:
        return [Problem(N_("the signature of the head of {when} does not hold"), _named(found), _RESTORE)]
    return []


def _cut_off(found: StoredHead, size: int) -> Problem:
    message = N_("the log has {found} entries, but {size} were there when the head of {when} was signed")
    return Problem(message, {**_named(found), "found": f"{size:,}"}, _RESTORE)


def _named(found: StoredHead) -> dict[str, Any]:
    return {"size": f"{found.head.size:,}", "when": found.recorded_at.isoformat(timespec="seconds")}
