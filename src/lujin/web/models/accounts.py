"""The account of an enterprise for a month (对账单), and what all accounts add up to (园区合计)."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from lujin.web.models.base import Amount, Amounts, Answer, Completeness, Instant, Month, Text

Reference = str  # what /explain takes


class AccountLine(Answer):
    """``opening``: the year before the month. ``estimated``: the part of the movement that rests on estimates."""

    group: str
    account: str
    commodity: str
    opening: Amount
    movement: Amount
    estimated: Amount
    closing: Amount
    reference: Reference


class EnergyLine(Answer):
    """One carrier: used = purchased + generated - delivered. ``periods``: purchases by tariff period."""

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
    periods: Amounts
    reference: Reference


class CostLine(Answer):
    """One cost item and tariff period; income is negative."""

    item: str
    period: str
    amount: Amount
    estimated: Amount
    reference: Reference


class DemandLine(Answer):
    """Basic charge of a connection: greatest quarter-hour demand, what was billed, at which price."""

    connection: str
    max_demand_kw: Text
    at: Instant | None
    billed: Text
    unit: str
    price: Text
    amount: Amount


class CarbonLine(Answer):
    """Emissions of one account; ``scope`` S1, S2, S3.1 …, ELIM or MEMO."""

    scope: str
    account: str
    gases: Amounts
    co2e: Amount | None
    estimated: Amounts
    estimated_co2e: Amount | None
    reference: Reference


class IsoCategory(Answer):
    """The same emissions by category of ISO 14064-1:2018; ``scopes`` empty: a park's flows say nothing of it."""

    category: int
    name_zh: str
    name_en: str
    scopes: list[str]
    gases: Amounts
    co2e: Amount | None
    biogenic: Amount


class BookTotal(Answer):
    """Scopes 1 and 2 of one carbon book. ``gwp``: the set through which ``co2e`` is seen."""

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


class MemoLine(Answer):
    """Green power or certificates used, each once per book."""

    kind: str
    instrument: str
    amount: Amount
    reference: Reference


class Change(Answer):
    account: str
    commodity: str
    amount: Amount


class Restatement(Answer):
    """A later version of the month: when it was recorded, why, and what it changed."""

    entry: str
    book: str
    version: int
    reason: str
    recorded_at: Instant
    pack: str
    changes: list[Change]
    cause: str


class PeriodView(Answer):
    """State of the month: open, closed, verified or restated. ``known``: the time of knowledge of the closing."""

    state: str
    closed_at: Instant | None
    known: Instant | None
    note: str
    verifier: str
    outcome: str
    opinion: str
    cause: str


class FactorUse(Answer):
    """A published row that the month rests on. ``values``: all its columns as published."""

    id: str
    value: str
    unit: str
    source: str
    confidence: str
    origin: str
    books: list[str]
    values: Mapping[str, str]
    verified: bool


class EmbodiedLine(Answer):
    way: str = Field(description="in or out")
    kind: str
    party: str
    gases: Amounts
    co2e: Amount | None
    estimated_co2e: Amount | None
    reference: Reference


class Embodied(Answer):
    """Carbon that came in and went out, equal to the milligram. ``own``: the footprint of the enterprise's use."""

    lines: list[EmbodiedLine]
    incoming: Amount | None
    outgoing: Amount | None
    own: Amount | None


class MethodRange(Answer):
    """What the choice of a formula for joint production changes, per formula id."""

    chosen: Amount
    by_method: Amounts


class Settlement(Answer):
    """A flow that two meters measured: what each said, and which quantity stands in the books."""

    flow: str
    subject: str
    own_meters: list[str]
    check_meters: list[str]
    own: Amount
    other: Amount
    own_uncertainty: Amount | None
    other_uncertainty: Amount | None
    uncertainty: Amount | None
    gap: Amount
    outcome: str
    settled: Amount
    compared: int
    expected: int


class Source(Answer):
    """A datum that uncertainty comes from, or whose uncertainty nobody stated. ``share``: 0 to 1."""

    source: str
    kind: str
    share: float


class UncertainTotal(Answer):
    """``u95``: expanded uncertainty (k = 2) of what is ``quantified``; ``at_least``: what the known sources alone
    bring to the whole total; ``unknown_share``: of the amounts whose uncertainty nobody stated.
    """

    total: str
    value: Amount
    quantified: Amount
    u95: Amount | None
    relative: float | None
    at_least: Amount
    unknown_share: float
    contributors: list[Source]
    unknown: list[Source]
    interval: tuple[Amount, Amount] | None
    method_range: tuple[Amount, Amount] | None


class Uncertainty(Answer):
    """``enterprise`` empty: all together. ``draws``: of a Monte Carlo, repeatable with ``seed``."""

    enterprise: str
    month: Month
    book: str
    totals: list[UncertainTotal]
    draws: int
    seed: int | None


class Statement(Answer):
    """The account of an enterprise for a month. ``version``: how often the book was posted for it."""

    enterprise: str
    name_zh: str
    name_en: str
    month: Month
    book: str
    pack: str
    pack_zh: str
    pack_en: str
    as_of: Instant | None
    version: int
    status: str = Field(description="not_posted, posted or restated")
    recorded_at: Instant | None
    period: PeriodView
    accounts: list[AccountLine]
    energy: list[EnergyLine]
    coal_equivalent: Amount
    coal_equal: Amount
    cost: list[CostLine]
    cost_total: Amount
    cost_estimated: Amount
    demand: list[DemandLine]
    carbon: list[CarbonLine]
    scope3: list[CarbonLine]
    iso14064: list[IsoCategory]
    books: list[BookTotal]
    memo: list[MemoLine]
    completeness: Completeness
    meters: list[Completeness]
    restatements: list[Restatement]
    factors: list[FactorUse]
    embodied: Embodied | None
    uncertainty: Uncertainty | None
    methods: MethodRange | None
    settlements: list[Settlement]
    unverified: list[str] = Field(description="ids of factors that nobody saw in a source")

    def table(self) -> tuple[list[str], list[list[str]]]:
        """The accounts as rows."""
        header = ["account", "commodity", "unit", "opening", "movement", "estimated", "closing"]
        rows = [
            [line.account, line.commodity, line.movement.unit]
            + [getattr(line, name).value for name in ("opening", "movement", "estimated", "closing")]
            for line in self.accounts
        ]
        return header, rows


class Consolidated(Answer):
    """One carbon book of the park as one enterprise: scope 2 = gross - eliminated."""

    scope1: Amount
    scope2_gross: Amount
    eliminated: Amount
    scope2: Amount
    by_addition: bool


class ParkSums(Answer):
    """Sums over all enterprise accounts. ``carbon``: "book/scope" → CO2e; ``energy``: bought from outside or
    generated; ``sold``: to outside.
    """

    first: Month
    last: Month
    energy: Amounts
    sold: Amounts
    generated: Amount
    coal_equivalent: Amount
    coal_equal: Amount
    cost: Amount
    carbon: Amounts
    estimated_electricity: Amount
    consolidated: Mapping[str, Consolidated]
    overlap: Amount
    embodied: Amounts


class Totals(ParkSums):
    """The same, with how complete all meters are over all months that are posted."""

    completeness: Completeness
