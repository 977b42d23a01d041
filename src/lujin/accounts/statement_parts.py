"""The parts of a statement (对账单): what each line of it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from lujin.accounts.amounts import Amount


def plain(value: Any) -> Any:
    """Records, amounts and times as JSON can hold them."""
    if isinstance(value, Part):
        return value.as_dict()
    if isinstance(value, Amount):
        return value.as_dict()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


class Part:
    """A frozen record that knows its JSON form."""

    __slots__ = ()

    def as_dict(self) -> dict[str, Any]:
        return {f.name: plain(getattr(self, f.name)) for f in fields(self)}  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class AccountLine(Part):
    """One account (账户) and commodity. ``opening``: year to date before the month (年初至上月末).

    ``estimated``: the part of the movement that rests on estimates. ``reference`` is what explain takes.
    """

    group: str
    account: str
    commodity: str
    opening: Amount
    movement: Amount
    estimated: Amount
    closing: Amount
    reference: str


@dataclass(frozen=True, slots=True)
class EnergyLine(Part):
    """One carrier: used = purchased + generated − delivered. ``periods``: purchases by tariff period.

    ``coal_equivalent`` (当量值) and ``coal_equal`` (等价值) [tce] are net: 0 for media and resold energy.
    """

    carrier: str
    name_zh: str
    name_en: str
    purchased: Amount
    generated: Amount
    delivered: Amount
    used: Amount
    estimated: Amount
    coal_equivalent: Amount
    coal_equal: Amount
    periods: Mapping[str, Amount]
    reference: str


@dataclass(frozen=True, slots=True)
class CostLine(Part):
    """One cost item (费用) and tariff period; income is negative."""

    item: str
    period: str
    amount: Amount
    estimated: Amount
    reference: str


@dataclass(frozen=True, slots=True)
class DemandLine(Part):
    """Basic charge (基本电费) of a connection: greatest quarter-hour demand [kW] and when it was (UTC),
    what was billed [``unit``], at which price [CNY per unit and month].
    """

    connection: str
    max_demand_kw: Decimal
    at: datetime | None
    billed: Decimal
    unit: str
    price: Decimal
    amount: Amount


@dataclass(frozen=True, slots=True)
class CarbonLine(Part):
    """Emissions of one account.

    ``scope``: S1, S2, a category of scope 3 (S3.1 …), ELIM for what the park's total eliminates of neighbours'
    scope 2, or MEMO for what stands beside the total (biogenic CO2). ``gases`` holds CO2e that a source does
    not resolve into gases under its GWP set, e.g. ``CO2e:unstated``; ``co2e`` adds it only for the same set.
    """

    scope: str
    account: str
    gases: Mapping[str, Amount]
    co2e: Amount | None
    estimated: Mapping[str, Amount]
    estimated_co2e: Amount | None
    reference: str


@dataclass(frozen=True, slots=True)
class BookTotal(Part):
    """Scopes 1 and 2 of one carbon book. ``co2``: fossil CO2 alone; ``co2e`` through the pack's GWP set."""

    book: str
    pack: str
    scope1_co2: Amount
    scope2_co2: Amount
    co2: Amount
    estimated_co2: Amount
    gwp: str
    scope1_co2e: Amount | None
    scope2_co2e: Amount | None
    co2e: Amount | None


@dataclass(frozen=True, slots=True)
class MemoLine(Part):
    """Green power or certificates used (绿电、绿证), each once per book."""

    kind: str
    instrument: str
    amount: Amount
    reference: str


@dataclass(frozen=True, slots=True)
class Completeness(Part):
    """Slots of a meter, or of all: expected = measured + interpolated + estimated + missing."""

    meter: str
    expected: int
    measured: int
    interpolated: int
    estimated: int
    suspect: int
    missing: int

    @property
    def measured_part(self) -> float | None:
        """Part of the expected slots for which a reading stands, 0 to 1. None: nothing is expected."""
        return (self.measured + self.interpolated) / self.expected if self.expected else None

    @property
    def estimated_part(self) -> float | None:
        return self.estimated / self.expected if self.expected else None

    @property
    def missing_part(self) -> float | None:
        return self.missing / self.expected if self.expected else None

    def as_dict(self) -> dict[str, Any]:
        parts = ("measured_part", "estimated_part", "missing_part")
        return {**Part.as_dict(self), **{name: getattr(self, name) for name in parts}}


@dataclass(frozen=True, slots=True)
class Change(Part):
    account: str
    commodity: str
    amount: Amount


@dataclass(frozen=True, slots=True)
class Restatement(Part):
    """A later version of the month: when it was recorded, why, and what it changed."""

    entry: str
    book: str
    version: int
    reason: str
    recorded_at: datetime
    pack: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class PeriodView(Part):
    """State of the month (期间状态): open, closed, verified or restated. ``known``: time of knowledge τ of the
    closed account; ``statement --as-of`` gives it for ever. ``cause``: of the restatement, until closed again.
    ``outcome`` of the verifier's opinion: ``adverse`` and ``disclaimer`` do not verify.
    """

    state: str
    closed_at: datetime | None
    known: datetime | None
    note: str
    verifier: str
    outcome: str
    opinion: str
    cause: str


@dataclass(frozen=True, slots=True)
class FactorUse(Part):
    """A published row that the month's lines rest on (引用参数). ``values``: all its columns as published."""

    id: str
    value: str
    unit: str
    source: str
    confidence: str
    origin: str
    books: tuple[str, ...]
    values: Mapping[str, str]

    @property
    def verified(self) -> bool:
        return self.confidence == "verified"

    def as_dict(self) -> dict[str, Any]:
        return {**Part.as_dict(self), "verified": self.verified}
