"""What stands on a printed statement beside the account itself: its state, its history, how to check it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from lujin.accounts import Amount, Statement
from lujin.accounts.embodied_statement import EmbodiedLine
from lujin.accounts.method_range import MethodRange
from lujin.accounts.statement_parts import FactorUse
from lujin.accounts.uncertainty_parts import Uncertainty
from lujin.language import Speech

PeriodState = Literal["", "open", "closed", "verified", "restated"]
Quantity = Literal["energy", "carbon"]


@dataclass(frozen=True, slots=True)
class MonthPoint:
    """A month of the chart. ``energy`` [kWh or tce, one unit for all months] and ``carbon`` [t or tCO2e]: None
    where nothing is posted; ``measured``: part of the expected readings that stand, 0 to 1, None where nothing
    was expected.
    """

    month: int
    energy: Amount | None
    carbon: Amount | None
    measured: float | None

    def of(self, quantity: Quantity) -> Amount | None:
        return self.energy if quantity == "energy" else self.carbon


@dataclass(frozen=True, slots=True)
class Code:
    """Something to check the statement by. ``name``: marked for translation; ``text``: as it stands elsewhere."""

    name: str
    text: str
    book: str = ""


@dataclass(frozen=True, slots=True)
class SignedHead:
    """Newest signed head of the park's log: the first ``size`` entries have this Merkle root (RFC 6962).

    ``covers``: the statement's newest entries are among them.
    """

    size: int
    root: str
    signed_at: datetime
    covers: bool


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that was issued of the month. ``superseded``: the month was restated since."""

    id: str
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class Letterhead:
    """All of it may be unknown; what is unknown is printed as such.

    ``period``: state of the month, "" unknown. ``issued_at``: None takes the time at which the newest entry was
    recorded, so that the same account gives the same bytes. ``codes``: ids of entries, digest of the closing;
    ``head`` and ``certificate``: None, there is none. ``history``: up to twelve months up to this one, oldest
    first. ``uncertainty``: lines of text, as they are to be read.
    """

    period: PeriodState = ""
    issued_at: datetime | None = None
    codes: tuple[Code, ...] = ()
    head: SignedHead | None = None
    certificate: Issued | None = None
    history: tuple[MonthPoint, ...] = ()
    uncertainty: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FactorName:
    """A published row as a person reads it."""

    name: str
    value: str
    unit: str


class Names(Protocol):
    """The words of the field in the language of the paper; whoever prints has them."""

    @property
    def say(self) -> Speech: ...
    def park(self) -> str: ...
    def timezone(self) -> str: ...
    def book(self, code: str) -> str: ...
    def carrier(self, code: str) -> str: ...
    def unit(self, unit: str) -> str: ...
    def commodity(self, code: str) -> str: ...
    def item(self, code: str) -> str: ...
    def source(self, account: str) -> str: ...
    def account(self, account: str) -> str: ...
    def period(self, code: str) -> str: ...
    def instrument(self, kind: str) -> str: ...
    def scope(self, code: str) -> str: ...
    def reason(self, code: str) -> str: ...
    def state(self, code: str) -> str: ...
    def confidence(self, code: str) -> str: ...
    def outcome(self, code: str) -> str: ...
    def embodied(self, line: EmbodiedLine) -> str: ...
    def formulas(self, methods: MethodRange) -> str: ...
    def total(self, code: str) -> str: ...
    def datum(self, kind: str, source: str, factors: Sequence[FactorUse]) -> str: ...
    def doubts(self, found: Uncertainty, factors: Sequence[FactorUse]) -> tuple[str, ...]: ...
    def factor(self, table: str, values: Mapping[str, str]) -> FactorName: ...
    def reference_source(self, source: str) -> str: ...


@dataclass(frozen=True)
class Paper:
    """All that is printed. ``physical``: the same month in the book of energy and cost, for its balances."""

    statement: Statement
    physical: Statement
    names: Names
    letterhead: Letterhead = field(default_factory=Letterhead)

    @property
    def issued_at(self) -> datetime | None:
        """When the paper was issued; None: nothing is posted, and nobody said."""
        return self.letterhead.issued_at or self.statement.recorded_at or self.physical.recorded_at
