"""The account of an enterprise for a month, like a bank statement (对账单).

Everything comes from the ledger as it was known at the time asked for; nothing is computed from readings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts import sections
from lujin.accounts.amounts import Amount, GwpSet, total
from lujin.accounts.embodied_statement import Embodied, embodied_section
from lujin.accounts.facts import COUNTS, charges_as_of, completeness_as_of, stored_rows
from lujin.accounts.iso14064 import IsoCategory, iso_categories
from lujin.accounts.method_range import MethodRange
from lujin.accounts.money import Charge
from lujin.accounts.pack import packs as known_packs
from lujin.accounts.period_facts import restatement_causes
from lujin.accounts.period_facts import view as period_view
from lujin.accounts.settle import Settlement
from lujin.accounts.statement_parts import (
    AccountLine,
    BookTotal,
    CarbonLine,
    Change,
    Completeness,
    CostLine,
    DemandLine,
    EnergyLine,
    FactorUse,
    MemoLine,
    Part,
    PeriodView,
    Restatement,
)
from lujin.accounts.tables import BOOKS, entry, line, line_key
from lujin.accounts.uncertainty_parts import Uncertainty
from lujin.accounts.uncertainty_statement import uncertainty
from lujin.errors import N_, InputError, IntegrityError, Problem
from lujin.park import Park

Status = Literal["not_posted", "posted", "restated"]


@dataclass(frozen=True)
class Statement(Part):
    """``version`` counts the entries of the book for this month; ``recorded_at`` is that of the newest one.

    ``energy`` and ``cost`` come from book ``physical``, ``carbon``, ``scope3`` and ``memo`` from the book asked
    for, ``books`` sums up every carbon book. ``iso14064`` shows the same lines by ISO 14064-1:2018 category.
    ``embodied`` is the balance of what was passed on, ``methods`` what the choice of a formula for joint
    production changes in it. ``uncertainty`` is that of the book asked for; None for energy and money.
    ``settlements``: flows that two meters measured; these and ``methods`` are worked out again from the readings
    that the newest entry knew.
    """

    enterprise: str
    name_zh: str
    name_en: str
    month: int
    book: str
    pack: str
    pack_zh: str
    pack_en: str
    as_of: datetime | None
    version: int
    status: Status
    recorded_at: datetime | None
    period: PeriodView
    accounts: tuple[AccountLine, ...]
    energy: tuple[EnergyLine, ...]
    coal_equivalent: Amount
    coal_equal: Amount
    cost: tuple[CostLine, ...]
    cost_total: Amount
    cost_estimated: Amount
    demand: tuple[DemandLine, ...]
    carbon: tuple[CarbonLine, ...]
    scope3: tuple[CarbonLine, ...]
    iso14064: tuple[IsoCategory, ...]
    books: tuple[BookTotal, ...]
    memo: tuple[MemoLine, ...]
    completeness: Completeness
    meters: tuple[Completeness, ...]
    restatements: tuple[Restatement, ...]
    factors: tuple[FactorUse, ...]
    embodied: Embodied | None = None
    uncertainty: Uncertainty | None = None
    methods: MethodRange | None = None
    settlements: tuple[Settlement, ...] = ()

    @property
    def unverified(self) -> tuple[FactorUse, ...]:
        return tuple(factor for factor in self.factors if not factor.verified)

    def as_dict(self) -> dict[str, Any]:
        return {
            **Part.as_dict(self),
            "month": sections.month_text(self.month),
            "unverified": [factor.id for factor in self.unverified],
        }


def statement(
    connection: Connection,
    park: Park,
    enterprise: str,
    month: int,
    book: str = "location",
    *,
    as_of: datetime | None = None,
    gwp: Mapping[str, GwpSet] | None = None,
) -> Statement:
    """The statement as known on τ (``as_of``; None: now). ``gwp``: book → GWP set of its pack, where it has one.

    InputError: no such enterprise or book.
    """
    check_asked(park, enterprise, book)
    sets = gwp or {}
    heads = _heads(connection, enterprise, month, as_of)
    own = [head for head in heads if head["book"] == book]
    moves = _moves(connection, [head["number"] for head in heads], enterprise)
    before = _before(connection, enterprise, month, book, as_of)
    sides = [side for move in moves for side in sections.sides_of(move)]
    physical = [side for side in sides if side.book == "physical"]
    chosen = [side for side in sides if side.book == book]
    energy = sections.energy(park, enterprise, month, physical)
    cost = sections.cost(enterprise, month, physical)
    meters = _completeness(connection, month, meters_of(park, enterprise), as_of)
    used = own[-1]["pack"] if own else ""
    about = known_packs().get(used)
    carbon = sections.carbon(enterprise, month, book, chosen, sets.get(book))
    scope3 = sections.scope3(enterprise, month, book, chosen, sets.get(book))
    return Statement(
        enterprise=enterprise,
        name_zh=park.nodes[enterprise].name_zh,
        name_en=park.nodes[enterprise].name_en,
        month=month,
        book=book,
        pack=used,
        pack_zh=about.title_zh if about else "",
        pack_en=about.title_en if about else "",
        as_of=as_of,
        version=len(own),
        status="not_posted" if not own else "posted" if len(own) == 1 else "restated",
        recorded_at=own[-1]["recorded_at"] if own else None,
        period=period_view(connection, month, as_of),
        accounts=sections.accounts(park, enterprise, month, book, chosen, before),
        energy=energy,
        coal_equivalent=total((e.coal_equivalent for e in energy), "mgce"),
        coal_equal=total((e.coal_equal for e in energy), "mgce"),
        cost=cost,
        cost_total=total((c.amount for c in cost), "0.01 CNY"),
        cost_estimated=total((c.estimated for c in cost), "0.01 CNY"),
        demand=_demand(connection, enterprise, month, as_of),
        carbon=carbon,
        scope3=scope3,
        iso14064=iso_categories((*carbon, *scope3), sets.get(book)) if carbon or scope3 else (),
        books=sections.books(heads, sides, sets),
        memo=sections.memo(enterprise, month, book, chosen),
        completeness=sections.summed(meters),
        meters=meters,
        restatements=_restatements(connection, park, heads, {"physical", book}),
        factors=_factors(connection, moves, {"physical", book}),
        embodied=embodied_section(enterprise, month, moves, sets.get("embodied")),
        uncertainty=None
        if book == "physical" or not own
        else uncertainty(connection, park, month, book, enterprise=enterprise, as_of=as_of, gwp=sets.get(book)),
    )


def check_asked(park: Park, enterprise: str, book: str) -> None:
    known = park.enterprises()
    if enterprise not in known:
        near = ", ".join(get_close_matches(enterprise, known, n=3) or known[:5])
        raise InputError(
            Problem(
                N_("there is no enterprise {enterprise}"),
                {"enterprise": enterprise, "near": near},
                N_("did you mean: {near}"),
            )
        )
    if book not in BOOKS:
        params = {"book": book, "known": ", ".join(BOOKS)}
        raise InputError(Problem(N_("there is no book {book}"), params, N_("use one of: {known}")))


# ------------------------------------------------------------------------------------------ from the ledger


def _heads(connection: Connection, enterprise: str, month: int, as_of: datetime | None) -> list[dict[str, Any]]:
    """The month's entries of the enterprise in all books, oldest first."""
    select = sa.select(entry).where(entry.c.enterprise == enterprise, entry.c.book.in_(BOOKS))
    select = select.where(entry.c.month == month).order_by(entry.c.number)
    if as_of is not None:
        select = select.where(entry.c.recorded_at <= as_of)
    return [dict(row) for row in connection.execute(select).mappings()]


_KEYS = tuple(line_key.c[name] for name in ("debit", "credit", "commodity", "period", "quality", "factor"))


def _moves(connection: Connection, numbers: Sequence[int], enterprise: str) -> list[sections.Move]:
    sums = (
        sa.select(entry.c.book, line.c.key, sa.func.sum(line.c.amount).label("amount"))
        .join(line, line.c.entry == entry.c.number)
        .where(entry.c.number.in_(numbers))
        .group_by(entry.c.book, line.c.key)
        .subquery()
    )
    select = sa.select(sums.c.book, *_KEYS, sums.c.amount).join(line_key, line_key.c.id == sums.c.key)
    cut = len(enterprise) + 1
    return [
        sections.Move(
            row.book,
            row.debit[cut:],
            row.credit[cut:],
            row.commodity,
            row.period,
            row.quality,
            row.factor,
            int(row.amount),
        )
        for row in connection.execute(select)
        if row.amount
    ]


def _before(
    connection: Connection, enterprise: str, month: int, book: str, as_of: datetime | None
) -> dict[tuple[str, str], int]:
    """Balance per (account, commodity) of the year before the month."""
    sums = (
        sa.select(line.c.key, sa.func.sum(line.c.amount).label("amount"))
        .join(entry, line.c.entry == entry.c.number)
        .where(entry.c.enterprise == enterprise, entry.c.book == book)
        .where(entry.c.month >= month // 100 * 100 + 1, entry.c.month < month)
        .group_by(line.c.key)
    )
    if as_of is not None:
        sums = sums.where(entry.c.recorded_at <= as_of)
    found = sums.subquery()
    select = sa.select(line_key.c.debit, line_key.c.credit, line_key.c.commodity, found.c.amount).join(
        line_key, line_key.c.id == found.c.key
    )
    cut = len(enterprise) + 1
    balance: dict[tuple[str, str], int] = defaultdict(int)
    for debit, credit, commodity, amount in connection.execute(select):
        balance[debit[cut:], commodity] += int(amount)
        balance[credit[cut:], commodity] -= int(amount)
    return balance


def _completeness(
    connection: Connection, month: int, meters: Sequence[str], as_of: datetime | None
) -> tuple[Completeness, ...]:
    found = completeness_as_of(connection, [month], meters, as_of)
    return tuple(Completeness(*row) for row in found.select("meter", *COUNTS).iter_rows())


def _demand(connection: Connection, enterprise: str, month: int, as_of: datetime | None) -> tuple[DemandLine, ...]:
    return demand_lines(charges_as_of(connection, month, enterprise, as_of))


def demand_lines(charges: Iterable[Charge]) -> tuple[DemandLine, ...]:
    return tuple(
        DemandLine(c.connection, c.max_demand_kw, c.at, c.billed, c.unit, c.price, Amount(c.amount, "0.01 CNY"))
        for c in charges
    )


def meters_of(park: Park, enterprise: str) -> tuple[str, ...]:
    """Physical meters behind every flow that touches the enterprise, check meters too, in file order."""
    return meters_by_enterprise(park).get(enterprise, ())


def meters_by_enterprise(park: Park) -> Mapping[str, tuple[str, ...]]:
    """The same of every enterprise."""
    sides = {flow.id: {park.owner(flow.source), park.owner(flow.target)} - {""} for flow in park.flows.values()}
    open_ends = [(m.id, e) for m in park.meters.values() for e in sides.get(m.flow, ())]
    open_ends += [(t.check_meter, e) for t in park.transfers if t.check_meter for e in sides.get(t.flow, ())]
    found: dict[str, set[str]] = defaultdict(set, {enterprise: set() for enterprise in park.enterprises()})
    while open_ends:
        meter, enterprise = open_ends.pop()
        if meter not in found[enterprise]:
            found[enterprise].add(meter)
            open_ends.extend((term, enterprise) for term in park.meters[meter].terms)
    place = {name: at for at, (name, meter) in enumerate(park.meters.items()) if meter.kind != "virtual"}
    return {e: tuple(sorted(names & place.keys(), key=place.__getitem__)) for e, names in found.items()}


def _restatements(
    connection: Connection, park: Park, heads: Sequence[Mapping[str, Any]], books: set[str]
) -> tuple[Restatement, ...]:
    """Later versions of the month and what each moved on the enterprise's own accounts."""
    later = [head for head in heads if head["version"] > 1 and head["book"] in books]
    if not later:
        return ()
    causes = restatement_causes(connection, later[0]["month"])
    select = (
        sa.select(
            line.c.entry, line_key.c.debit, line_key.c.credit, line_key.c.commodity, sa.func.sum(line.c.amount)
        )
        .join(line_key, line_key.c.id == line.c.key)
        .where(line.c.entry.in_([head["number"] for head in later]))
        .group_by(line.c.entry, line_key.c.debit, line_key.c.credit, line_key.c.commodity)
    )
    changes: dict[int, dict[tuple[str, str], int]] = defaultdict(lambda: defaultdict(int))
    for number, debit, credit, commodity, amount in connection.execute(select):
        for account, signed in ((debit, int(amount)), (credit, -int(amount))):
            changes[number][account.partition("/")[2], commodity] += signed
    return tuple(
        Restatement(
            head["id"],
            head["book"],
            head["version"],
            head["reason"],
            head["recorded_at"],
            head["pack"],
            tuple(
                Change(account, commodity, sections.shown(park, amount, commodity))
                for (account, commodity), amount in sorted(changes[head["number"]].items())
                if amount and sections.group(account) in sections.OWN
            ),
            causes.get(head["recorded_at"], ""),
        )
        for head in later
    )


def _factors(connection: Connection, moves: Sequence[sections.Move], books: set[str]) -> tuple[FactorUse, ...]:
    used: dict[str, set[str]] = defaultdict(set)
    for move in moves:
        for name in move.factor.split("+") if move.book in books and move.factor else ():
            used[name].add(move.book)
    rows = stored_rows(connection, used)
    if missing := sorted(used.keys() - rows.keys()):
        raise IntegrityError(
            Problem(
                N_("the ledger names factors that are not stored: {rows}"),
                {"rows": ", ".join(missing)},
                N_("restore the database from a backup"),
            )
        )
    return tuple(
        FactorUse(
            name,
            row.values["value"],
            row.unit,
            row.source,
            row.confidence,
            row.origin,
            tuple(sorted(used[name])),
            dict(row.values),
        )
        for name, row in sorted(rows.items())
    )
