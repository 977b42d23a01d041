"""The sections of a statement, from the moves of a month. Pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from lujin.accounts.amounts import COAL, Amount, GwpSet, base_unit, total
from lujin.accounts.statement_parts import (
    AccountLine,
    BookTotal,
    CarbonLine,
    Completeness,
    CostLine,
    EnergyLine,
    MemoLine,
)
from lujin.park import Park

CARBON_BOOKS = ("location", "market", "regulatory")
SCOPE3 = ("S3.1", "S3.3", "S3.4", "S3.5", "S3.9")
# Groups whose accounts are the enterprise's own; the others are the far side of its transfers.
OWN = ("OWN", "COST", "S1", "S2", *SCOPE3, "ELIM", "MEMO")


class Move(NamedTuple):
    """Net of all lines of one month with one key. Accounts without the enterprise."""

    book: str
    debit: str
    credit: str
    commodity: str
    period: str
    quality: str
    factor: str
    amount: int


class Side(NamedTuple):
    """One end of a move, on an account of the enterprise. ``estimated``: what of it is estimated."""

    book: str
    account: str
    other: str
    commodity: str
    period: str
    inward: bool  # the account is debited
    amount: int
    estimated: int


def month_text(month: int) -> str:
    """
    >>> month_text(202506)
    '2025-06'
    """
    return f"{month // 100:04}-{month % 100:02}"


def reference_of(enterprise: str, month: int, book: str, account: str) -> str:
    """What ``explain`` takes: ``E012:2025-06:location:S2/electricity``."""
    return f"{enterprise}:{month_text(month)}:{book}:{account}"


def sides_of(move: Move) -> tuple[Side, Side]:
    estimated = move.amount if move.quality == "estimated" else 0
    return (
        Side(move.book, move.debit, move.credit, move.commodity, move.period, True, move.amount, estimated),
        Side(move.book, move.credit, move.debit, move.commodity, move.period, False, -move.amount, -estimated),
    )


def group(account: str) -> str:
    return account.partition("/")[0]


def shown(park: Park, base: int, commodity: str) -> Amount:
    return Amount(base, base_unit(commodity, park.carriers))


def accounts(
    park: Park,
    enterprise: str,
    month: int,
    book: str,
    sides: Iterable[Side],
    before: Mapping[tuple[str, str], int],
) -> tuple[AccountLine, ...]:
    moved: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for side in sides:
        moved[side.account, side.commodity][0] += side.amount
        moved[side.account, side.commodity][1] += side.estimated
    lines = []
    for account, commodity in sorted(moved.keys() | before.keys(), key=_order):
        opening = shown(park, before.get((account, commodity), 0), commodity)
        movement, estimated = (shown(park, n, commodity) for n in moved.get((account, commodity), (0, 0)))
        if opening or movement:
            reference = reference_of(enterprise, month, book, account)
            lines.append(
                AccountLine(
                    group(account),
                    account,
                    commodity,
                    opening,
                    movement,
                    estimated,
                    opening + movement,
                    reference,
                )
            )
    return tuple(lines)


def _order(pair: tuple[str, str]) -> tuple[int, str, str]:
    first = group(pair[0])
    return (OWN.index(first) if first in OWN else len(OWN), *pair)


def energy(park: Park, enterprise: str, month: int, sides: Sequence[Side]) -> tuple[EnergyLine, ...]:
    """The accounts OWN/<carrier>; by the far side, what came was bought or generated."""
    by_carrier: dict[str, list[Side]] = defaultdict(list)
    for side in sides:
        if group(side.account) == "OWN":
            by_carrier[side.account.partition("/")[2]].append(side)
    return tuple(
        _energy_line(
            park, carrier, by_carrier[carrier], reference_of(enterprise, month, "physical", f"OWN/{carrier}")
        )
        for carrier in park.carriers
        if carrier in by_carrier
    )


def _energy_line(park: Park, carrier: str, sides: Sequence[Side], reference: str) -> EnergyLine:
    record = park.carriers[carrier]
    sums = dict.fromkeys(("purchased", "generated", "delivered", "estimated", "ce_equivalent", "ce_equal"), 0)
    periods: dict[str, int] = defaultdict(int)
    for side in sides:
        if side.commodity in COAL:
            sums[side.commodity] += side.amount
        if side.commodity != carrier:
            continue
        sums["estimated"] += abs(side.estimated)
        if group(side.other) == "GEN":
            sums["generated"] += side.amount
        elif side.inward:
            sums["purchased"] += side.amount
            periods[side.period] += side.amount
        else:
            sums["delivered"] -= side.amount
    used = sums["purchased"] + sums["generated"] - sums["delivered"]
    unit = record.base_unit
    return EnergyLine(
        carrier,
        record.name_zh,
        record.name_en,
        Amount(sums["purchased"], unit),
        Amount(sums["generated"], unit),
        Amount(sums["delivered"], unit),
        Amount(used, unit),
        Amount(sums["estimated"], unit),
        Amount(sums["ce_equivalent"], "mgce"),
        Amount(sums["ce_equal"], "mgce"),
        {period: Amount(amount, unit) for period, amount in sorted(periods.items()) if period},
        reference,
    )


def cost(enterprise: str, month: int, sides: Iterable[Side]) -> tuple[CostLine, ...]:
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for side in sides:
        if group(side.account) == "COST":
            sums[side.account.partition("/")[2], side.period][0] += side.amount
            sums[side.account.partition("/")[2], side.period][1] += side.estimated
    return tuple(
        CostLine(
            item,
            period,
            Amount(amount, "0.01 CNY"),
            Amount(estimated, "0.01 CNY"),
            reference_of(enterprise, month, "physical", f"COST/{item}"),
        )
        for (item, period), (amount, estimated) in sorted(sums.items())
        if amount
    )


def _gases(sides: Iterable[Side]) -> tuple[dict[str, int], dict[str, int]]:
    """Gases [mg], and the estimated part of them."""
    amounts: dict[str, int] = defaultdict(int)
    estimated: dict[str, int] = defaultdict(int)
    for side in sides:
        amounts[side.commodity] += side.amount
        estimated[side.commodity] += side.estimated
    return dict(sorted(amounts.items())), {gas: mg for gas, mg in sorted(estimated.items()) if mg}


def carbon(
    enterprise: str, month: int, book: str, sides: Iterable[Side], gwp: GwpSet | None
) -> tuple[CarbonLine, ...]:
    """Scopes 1 and 2, what is eliminated on consolidation, and what stands beside."""
    return _carbon_lines(enterprise, month, book, sides, gwp, ("S1", "S2", "ELIM", "MEMO"))


def scope3(
    enterprise: str, month: int, book: str, sides: Iterable[Side], gwp: GwpSet | None
) -> tuple[CarbonLine, ...]:
    """Scope 3 by category and carrier, apart from scopes 1 and 2. ``scope``: S3.1 …"""
    return _carbon_lines(enterprise, month, book, sides, gwp, SCOPE3)


def _carbon_lines(
    enterprise: str, month: int, book: str, sides: Iterable[Side], gwp: GwpSet | None, groups: Sequence[str]
) -> tuple[CarbonLine, ...]:
    if book not in CARBON_BOOKS:
        return ()
    accounts: dict[str, list[Side]] = defaultdict(list)
    for side in sides:
        if group(side.account) in groups and side.commodity != "electricity":
            accounts[side.account].append(side)
    lines = []
    for account in sorted(accounts, key=lambda a: _order((a, ""))):
        amounts, estimated = _gases(accounts[account])
        lines.append(
            CarbonLine(
                group(account),
                account,
                {gas: _amount(gas, mg) for gas, mg in amounts.items()},
                gwp.co2e(amounts) if gwp else None,
                {gas: _amount(gas, mg) for gas, mg in estimated.items()},
                gwp.co2e(estimated) if gwp else None,
                reference_of(enterprise, month, book, account),
            )
        )
    return tuple(lines)


def _amount(gas: str, mg: int) -> Amount:
    return Amount(mg, base_unit(gas, {}))


def books(
    heads: Sequence[Mapping[str, Any]], sides: Sequence[Side], sets: Mapping[str, GwpSet]
) -> tuple[BookTotal, ...]:
    """Every carbon book that holds entries of the month."""
    kept = {head["book"]: head["pack"] for head in heads}
    return tuple(
        _book_total(name, kept[name], [s for s in sides if s.book == name], sets.get(name))
        for name in CARBON_BOOKS
        if name in kept
    )


def _book_total(book: str, pack: str, sides: Sequence[Side], gwp: GwpSet | None) -> BookTotal:
    scopes = {scope: _gases(s for s in sides if group(s.account) == scope) for scope in ("S1", "S2")}
    co2 = {scope: Amount(amounts.get("CO2f", 0), "mg") for scope, (amounts, _) in scopes.items()}
    co2e = {scope: gwp.co2e(amounts) if gwp else None for scope, (amounts, _) in scopes.items()}
    return BookTotal(
        book=book,
        pack=pack,
        scope1_co2=co2["S1"],
        scope2_co2=co2["S2"],
        co2=co2["S1"] + co2["S2"],
        estimated_co2=total((Amount(e.get("CO2f", 0), "mg") for _, e in scopes.values()), "mg"),
        gwp=gwp.assessment if gwp else "",
        scope1_co2e=co2e["S1"],
        scope2_co2e=co2e["S2"],
        co2e=co2e["S1"] + co2e["S2"] if co2e["S1"] is not None and co2e["S2"] is not None else None,
    )


def memo(enterprise: str, month: int, book: str, sides: Iterable[Side]) -> tuple[MemoLine, ...]:
    sums: dict[str, int] = defaultdict(int)
    for side in sides:
        if group(side.account) == "MEMO" and side.commodity == "electricity":
            sums[side.account] += side.amount
    return tuple(
        MemoLine(
            account.split("/")[1],
            account.split("/", 2)[2],
            Amount(amount, "Wh"),
            reference_of(enterprise, month, book, account),
        )
        for account, amount in sorted(sums.items())
        if amount
    )


def summed(meters: Sequence[Completeness]) -> Completeness:
    """All meters together; its ``meter`` is empty."""
    names = ("expected", "measured", "interpolated", "estimated", "suspect", "missing")
    return Completeness("", *(sum(getattr(m, name) for m in meters) for name in names))
