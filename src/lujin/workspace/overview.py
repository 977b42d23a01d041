"""The park at a glance: a month's totals, who uses and emits how much, and how months compare.

All of it comes from the ledger in one question per month, with the very functions that make statements and park
totals; nothing is calculated a second way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from lujin.accounts import Amount, GwpSet, ParkTotals, posted_through, sections
from lujin.accounts.amounts import total
from lujin.accounts.embodied_statement import Embodied, embodied_section
from lujin.accounts.facts import COUNTS, completeness_as_of, stored_rows
from lujin.accounts.sections import Move, month_text, sides_of, summed
from lujin.accounts.statement import meters_by_enterprise
from lujin.accounts.statement_parts import BookTotal, Completeness, EnergyLine, Part, plain
from lujin.accounts.totals import totals_of
from lujin.park import Park
from lujin.workspace.ledger_months import LedgerMonth, ledger_month
from lujin.workspace.reading import gwp_sets

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace
    from lujin.workspace.reading import Status


@dataclass(frozen=True, slots=True)
class CarrierTotal(Part):
    """One carrier of the whole park: bought from outside, generated inside, used by all, sold outside."""

    carrier: str
    name_zh: str
    name_en: str
    bought: Amount
    generated: Amount
    used: Amount
    sold: Amount
    estimated: Amount


@dataclass(frozen=True, slots=True)
class EnterpriseMonth(Part):
    """What an enterprise's statement of the month says in short. ``embodied``: carbon of its own use, CO2e."""

    enterprise: str
    name_zh: str
    name_en: str
    sector: str
    energy: tuple[EnergyLine, ...]
    coal_equivalent: Amount
    coal_equal: Amount
    cost: Amount
    books: tuple[BookTotal, ...]
    embodied: Amount | None
    completeness: Completeness

    def book(self, name: str) -> BookTotal | None:
        return next((book for book in self.books if book.book == name), None)

    def as_dict(self) -> dict[str, Any]:
        """In short: what was used of each carrier, and scopes 1 and 2 of each book."""
        return {
            **{name: plain(getattr(self, name)) for name in ("enterprise", "name_zh", "name_en", "sector")},
            "used": {line.carrier: line.used.as_dict() for line in self.energy},
            **{name: plain(getattr(self, name)) for name in ("coal_equivalent", "coal_equal", "cost", "embodied")},
            "books": {
                kept.book: {"scope1": plain(kept.scope1_co2e), "scope2": plain(kept.scope2_co2e)}
                for kept in self.books
            },
            "completeness": self.completeness.as_dict(),
        }

    def used(self, carrier: str) -> Amount | None:
        return next((line.used for line in self.energy if line.carrier == carrier), None)


@dataclass(frozen=True)
class MonthOverview(Part):
    """``completeness``: of all meters of the month. ``factors``: ids of the published rows its lines rest on."""

    month: int
    totals: ParkTotals
    carriers: tuple[CarrierTotal, ...]
    enterprises: tuple[EnterpriseMonth, ...]
    completeness: Completeness
    factors: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return {**Part.as_dict(self), "month": month_text(self.month), "totals": self.totals.as_dict()}


@dataclass(frozen=True)
class TrendMonth(Part):
    month: int
    totals: ParkTotals
    completeness: Completeness

    def as_dict(self) -> dict[str, Any]:
        return {**Part.as_dict(self), "month": month_text(self.month), "totals": self.totals.as_dict()}


def month_overview(workspace: Workspace, month: int) -> MonthOverview:
    """A month of the park and of every enterprise that has postings in it."""
    park = workspace.park
    ledger = ledger_month(workspace, month)
    sets = gwp_sets(workspace, month)
    slots = meter_slots(workspace, [month])[month]
    moves = enterprise_moves(ledger)
    heads: dict[str, list[dict[str, str]]] = defaultdict(list)
    for book, enterprise, pack in ledger.packs.iter_rows():
        heads[enterprise].append({"book": book, "pack": pack})
    meters = meters_by_enterprise(park)
    enterprises = tuple(
        _enterprise(
            park, name, month, moves[name], heads[name], sets, [slots[m] for m in meters[name] if m in slots]
        )
        for name in park.enterprises()
        if name in moves
    )
    totals = _totals(park, ledger, sets)
    return MonthOverview(
        month,
        totals,
        tuple(_carriers(park, totals, enterprises)),
        enterprises,
        summed(tuple(slots.values())),
        tuple(sorted({name for text in ledger.sums["factor"].unique() for name in text.split("+") if name})),
    )


def trend(workspace: Workspace, months: Sequence[int]) -> tuple[TrendMonth, ...]:
    """Totals of the park month by month; months without postings are left out."""
    found = (trend_month(workspace, month) for month in months)
    return tuple(month for month in found if month is not None)


def trend_month(workspace: Workspace, month: int) -> TrendMonth | None:
    ledger = ledger_month(workspace, month)
    if not ledger.version:
        return None
    totals = _totals(workspace.park, ledger, gwp_sets(workspace, month))
    return TrendMonth(month, totals, summed(tuple(meter_slots(workspace, [month])[month].values())))


def enterprise_moves(ledger: LedgerMonth) -> Mapping[str, list[Move]]:
    """Enterprise → its moves of the month in all books, as statements are made of."""
    found: dict[str, list[Move]] = defaultdict(list)
    columns = ("enterprise", "book", "debit", "credit", "commodity", "period", "quality", "factor", "amount")
    sums = ledger.sums.select(columns).group_by(columns[:-1], maintain_order=True).agg(pl.col("amount").sum())
    for enterprise, book, debit, credit, *rest in sums.filter(pl.col("amount") != 0).iter_rows():
        cut = len(enterprise) + 1
        found[enterprise].append(Move(book, debit[cut:], credit[cut:], *rest))
    return found


def embodied_of(enterprise: str, month: int, moves: Sequence[Move], gwp: GwpSet | None) -> Embodied | None:
    """The embodied section of the enterprise's statement."""
    return embodied_section(enterprise, month, moves, gwp)


def meter_slots(workspace: Workspace, months: Sequence[int]) -> Mapping[int, dict[str, Completeness]]:
    """Month → meter → how many of its quarter hours were measured, estimated, missing, as last posted."""
    with workspace.engine.connect() as connection:
        known = completeness_as_of(connection, months)
    found: dict[int, dict[str, Completeness]] = {month: {} for month in months}
    for month, meter, *counts in known.select("month", "meter", *COUNTS).iter_rows():
        found[month][meter] = Completeness(meter, *counts)
    return found


def _enterprise(
    park: Park,
    name: str,
    month: int,
    moves: Sequence[Move],
    heads: Sequence[Mapping[str, str]],
    sets: Mapping[str, GwpSet],
    slots: Sequence[Completeness],
) -> EnterpriseMonth:
    sides = [side for move in moves for side in sides_of(move)]
    physical = [side for side in sides if side.book == "physical"]
    energy = sections.energy(park, name, month, physical)
    embodied = embodied_of(name, month, moves, sets.get("embodied"))
    node = park.nodes[name]
    return EnterpriseMonth(
        name,
        node.name_zh,
        node.name_en,
        node.sector,
        energy,
        total((line.coal_equivalent for line in energy), "mgce"),
        total((line.coal_equal for line in energy), "mgce"),
        total((line.amount for line in sections.cost(name, month, physical)), "0.01 CNY"),
        sections.books(heads, sides, sets),
        embodied.own if embodied else None,
        summed(slots),
    )


def _totals(park: Park, ledger: LedgerMonth, sets: Mapping[str, GwpSet]) -> ParkTotals:
    columns = ("book", "debit", "credit", "commodity", "quality", "amount")
    sums = ledger.sums.group_by(columns[:-1], maintain_order=True).agg(pl.col("amount").sum())
    used = ledger.packs.select("book", "pack").unique().rows()
    return totals_of(park, sums.select(columns).iter_rows(), sets, ledger.month, ledger.month, used)


def _carriers(park: Park, totals: ParkTotals, enterprises: Sequence[EnterpriseMonth]) -> list[CarrierTotal]:
    by_carrier: dict[str, list[EnergyLine]] = defaultdict(list)
    for enterprise in enterprises:
        for line in enterprise.energy:
            by_carrier[line.carrier].append(line)
    found = []
    for carrier in park.carriers:
        if carrier not in by_carrier and carrier not in totals.energy:
            continue
        lines, unit = by_carrier[carrier], park.carriers[carrier].base_unit
        found.append(
            CarrierTotal(
                carrier,
                park.carriers[carrier].name_zh,
                park.carriers[carrier].name_en,
                totals.energy.get(carrier, Amount(0, unit)),
                total((line.generated for line in lines), unit),
                total((line.used for line in lines), unit),
                totals.sold.get(carrier, Amount(0, unit)),
                total((line.estimated for line in lines), unit),
            )
        )
    return found


# ------------------------------------------------------------------------------------------------- ranking


@dataclass(frozen=True, slots=True)
class Rank(Part):
    """An enterprise's place; ``share`` of the sum over all [1]; ``amount`` None: it has none of this."""

    enterprise: str
    name_zh: str
    name_en: str
    amount: Amount | None
    share: float | None


def ranking(overview: MonthOverview, by: str, book: str = "location") -> tuple[Rank, ...]:
    """Enterprises in order of ``by``: a carrier (used), coal_equivalent, cost, co2e (of ``book``), embodied."""
    amounts = {e.enterprise: _measure(e, by, book) for e in overview.enterprises}
    whole = sum(amount.base for amount in amounts.values() if amount is not None and amount.base > 0)
    names = {e.enterprise: (e.name_zh, e.name_en) for e in overview.enterprises}
    ordered = sorted(
        amounts.items(), key=lambda item: (item[1] is None, -(item[1].base if item[1] else 0), item[0])
    )
    return tuple(
        Rank(name, *names[name], amount, amount.base / whole if amount is not None and whole else None)
        for name, amount in ordered
    )


def _measure(enterprise: EnterpriseMonth, by: str, book: str) -> Amount | None:
    if by in ("coal_equivalent", "cost", "embodied"):
        found: Amount | None = getattr(enterprise, by)
        return found
    if by == "co2e":
        kept = enterprise.book(book)
        return kept.co2e if kept else None
    return enterprise.used(by)


# ----------------------------------------------------------------------------------------------- attention

INCOMPLETE = 0.95  # measured share below which an enterprise's month needs a look


@dataclass(frozen=True, slots=True)
class Attention(Part):
    """Something a person should look at. ``kind``: waiting, held, lacking, incomplete, suspect, unverified, gap,
    unfinished. ``count`` of what; ``names``: the first of them, the worst before.
    """

    kind: str
    month: int
    count: int
    names: tuple[str, ...] = ()


def attention(
    workspace: Workspace, overview: MonthOverview, now: Status | None = None, most: int = 5
) -> tuple[Attention, ...]:
    """What waits, is incomplete, looks suspect or rests on unverified factors, in the month and in all others.
    ``now``: the park's status, where it is known already.
    """
    now = now or workspace.status()
    month = overview.month
    found = [
        Attention("held" if m.period != "open" else "waiting", m.month, m.waiting) for m in now.months if m.waiting
    ]
    if now.unfinished_imports:
        found.append(Attention("unfinished", month, now.unfinished_imports))
    low = sorted(
        (part, e.enterprise)
        for e in overview.enterprises
        if (part := e.completeness.measured_part) is not None and part < INCOMPLETE
    )
    suspect = sorted(
        (
            (-slots.suspect, meter)
            for meter, slots in meter_slots(workspace, [month])[month].items()
            if slots.suspect
        )
    )
    with workspace.engine.connect() as connection:
        rows = stored_rows(connection, overview.factors)
        posted = posted_through(connection).filter((pl.col("month") == month) & pl.col("lacking"))
    gaps = [net.node for net in workspace.balance(month).networks if net.within is False]
    unverified = [name for name in overview.factors if name in rows and rows[name].confidence != "verified"]
    for kind, names in (
        ("lacking", posted["enterprise"].to_list()),
        ("incomplete", [name for _, name in low]),
        ("suspect", [meter for _, meter in suspect]),
        ("gap", list(dict.fromkeys(gaps))),
        ("unverified", unverified),
    ):
        if names:
            found.append(Attention(kind, month, len(names), tuple(names[:most])))
    return tuple(found)
