"""What a certificate states, as frozen records, and the totals that its lines add up to.

Amounts are integers in base units (gases: mg). Days are numbers 20250601, months 202506.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

Verification = Literal["unverified", "verified"]
_SCOPE = re.compile(r"S[1-9]\Z")


@dataclass(frozen=True, slots=True)
class Party:
    """The park that issues, or the enterprise that the certificate is about."""

    id: str
    name_zh: str = ""
    name_en: str = ""


class Line(NamedTuple):
    """One line of an entry: the columns of its key, its day and its amount [base units]."""

    debit: str
    credit: str
    commodity: str
    period: str
    quality: str
    rule: str
    factor: str
    subject: str
    day: int
    amount: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the ledger with all its lines in their stored order, and its place in the log.

    ``inclusion``: the proof that leaf ``number - 1`` is in the tree of the certificate's head.
    """

    number: int
    id: str
    enterprise: str
    month: int
    book: str
    version: int
    reason: str
    pack: str
    park_digest: str
    input_digest: str
    lines_digest: str
    source: int
    recorded_at: datetime
    lines: Sequence[Line] = field(repr=False)
    inclusion: Sequence[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Total:
    """Net amount of one gas [mg] over the accounts of one scope in one book: debits less credits. In book physical
    of one commodity [its base unit] over ``OWN`` or ``COST``."""

    book: str
    scope: str
    gas: str
    amount: int


@dataclass(frozen=True, slots=True)
class FactorRow:
    """A reference row that the lines rest on: its id, SHA-256 and confidence."""

    id: str
    digest: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Gwp:
    """The global warming potentials behind CO2e of a book: name of the set, kg CO2e per kg of each gas."""

    book: str
    assessment: str
    values: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Commodity:
    """What book ``physical`` counts besides gases: base unit of its amounts, and its names."""

    id: str
    unit: str
    name_zh: str = ""
    name_en: str = ""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Uncertainty of one total of a book and month, as ``accounts.uncertainty_parts.UncertainTotal`` has it.

    ``value`` and ``at_least`` (k = 2) in ``unit``; ``relative`` of the quantified part, None: nothing is
    quantified; ``unknown_share``: 0 to 1, of the absolute amounts.
    """

    month: int
    book: str
    total: str
    unit: str
    value: int
    at_least: int
    relative: Decimal | None
    unknown_share: Decimal


@dataclass(frozen=True, slots=True)
class TreeHead:
    """A signed head of the log: that it had ``size`` entries with this root at that time.

    ``root``: 64 hex digits. ``issuer``: did:key of the signer. ``signature``: proofValue over ``head_document``.
    """

    size: int
    root: str
    timestamp: datetime
    issuer: str
    signature: str


class Opinion(NamedTuple):
    """What a verifier concluded of a month."""

    month: int
    by: str
    outcome: str
    opinion: str


@dataclass(frozen=True, slots=True)
class Certified:
    """All that a certificate states. ``first`` and ``last``: months, both included. ``known_at``: τ.

    ``entries``: every version recorded up to τ of every book certified. ``totals``: what the statement says;
    they must equal what the lines add up to (``totals_of``). ``gwp``: per book; ``commodities``: of book physical.
    ``uncertainty``: empty: unknown.
    """

    issuer: Party
    subject: Party
    boundary: str
    first: int
    last: int
    known_at: datetime
    head: TreeHead
    entries: Sequence[Entry]
    totals: Sequence[Total]
    factors: Sequence[FactorRow]
    gwp: Sequence[Gwp] = ()
    commodities: Sequence[Commodity] = ()
    uncertainty: Sequence[Doubt] = ()
    verification: Verification = "unverified"
    verified_by: str = ""
    opinions: Sequence[Opinion] = ()


Move = tuple[str, str, str, str, int]


def totals_of(entries: Iterable[Entry]) -> tuple[Total, ...]:
    """What the lines of the entries add up to, per book, scope and gas; zeros left away, sorted."""
    return summed(
        (entry.book, line.debit, line.credit, line.commodity, line.amount)
        for entry in entries
        for line in entry.lines
    )


def summed(moves: Iterable[Move]) -> tuple[Total, ...]:
    """The same from (book, debit, credit, commodity, amount)."""
    sums: dict[tuple[str, str, str], int] = defaultdict(int)
    for book, debit, credit, commodity, amount in moves:
        if to := scope_of(book, debit):
            sums[book, to, commodity] += amount
        if origin := scope_of(book, credit):
            sums[book, origin, commodity] -= amount
    return tuple(Total(*key, amount) for key, amount in sorted(sums.items()) if amount)


def scope_of(book: str, account: str) -> str:
    """The scope under which a certificate counts an account ``ENTERPRISE/CLASS/…``; empty: not counted.

    Scope books: S1, S2, … and biogenic CO2 beside them. Embodied book: every class. Physical book: own use of
    energy and its cost.

    >>> scope_of("location", "E004/S2/electricity"), scope_of("location", "E004/MEMO/biogenic")
    ('S2', 'MEMO/biogenic')
    >>> scope_of("location", "E004/ATM/coal"), scope_of("embodied", "E004/ATM/coal")
    ('', 'ATM')
    """
    parts = account.split("/")
    kind = parts[1] if len(parts) > 1 else ""
    if book == "physical":
        return kind if kind in ("OWN", "COST") else ""
    if book == "embodied":
        return kind
    if kind == "MEMO" and parts[2:3] == ["biogenic"]:
        return "MEMO/biogenic"
    return kind if _SCOPE.match(kind) else ""
