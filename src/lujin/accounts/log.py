"""What seals an entry of the ledger, in the standard library alone: so a bank can recompute it.

    lines → lines_digest → entry id → leaf → root of the log → signed head

Lines stand in order of (debit, credit, commodity, period, quality, rule, factor, subject, day). Their digest is
the SHA-256 over, per line, the SHA-256 of the key's canonical JSON, the day number 20250601 as 4 and the amount
as 8 bytes, big-endian. The entry id is the SHA-256 of the heading's canonical JSON. Entry number n is leaf
n - 1 of the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import starmap
from struct import Struct
from typing import NewType

from lujin.accounts.canonical import canonical_json, flat_json, sha256_of

EntryId = NewType("EntryId", str)
KEY = ("debit", "credit", "commodity", "period", "quality", "rule", "factor", "subject")
SORTED_KEY = tuple(sorted(KEY))
HEADING = ("enterprise", "month", "book", "version", "reason", "pack", "park_digest", "input_digest")
_RECORD = Struct(">32siq")


def key_digest(values: Sequence[str]) -> bytes:
    """SHA-256 of a line key's canonical JSON; ``values`` in the order of SORTED_KEY."""
    return hashlib.sha256(flat_json(SORTED_KEY, values)).digest()


def digest_of_lines(lines: Iterable[tuple[bytes, int, int]]) -> str:
    """Hex SHA-256 over (key digest, day number, amount in base units) in canonical order."""
    return hashlib.sha256(b"".join(starmap(_RECORD.pack, lines))).hexdigest()


def entry_id(header: Mapping[str, str | int]) -> EntryId:
    """Content hash of an entry. Arrival number and recorded time stay outside: they say when, not what."""
    content = {name: header[name] for name in (*HEADING, "lines", "lines_digest")}
    return EntryId(sha256_of(content))


def instant_text(moment: datetime) -> str:
    """An instant as the log writes it: UTC, ISO 8601.

    >>> instant_text(datetime(2025, 7, 1, 8, tzinfo=UTC))
    '2025-07-01T08:00:00+00:00'
    """
    if moment.tzinfo is None:
        raise ValueError("an instant without time zone")
    return moment.astimezone(UTC).isoformat()


def leaf_bytes(entry: str, number: int, recorded_at: str, source: int) -> bytes:
    """The leaf of entry ``number`` (from 1) in the log: what was recorded, and when. All members are texts.

    >>> leaf_bytes("ab", 1, "2025-07-01T08:00:00+00:00", 3).decode()
    '{"entry":"ab","number":"1","recorded_at":"2025-07-01T08:00:00+00:00","source":"3"}'
    """
    said = {"entry": entry, "number": str(number), "recorded_at": recorded_at, "source": str(source)}
    return canonical_json(said)
