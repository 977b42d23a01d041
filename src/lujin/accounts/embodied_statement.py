"""Book ``embodied`` of one enterprise and month as a balance: what carbon came in, and where it went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lujin.accounts.amounts import GASES, Amount, GwpSet
from lujin.accounts.embodied_kinds import Way, kinds
from lujin.accounts.sections import Move, reference_of
from lujin.accounts.statement_parts import Part

_ORDER = (
    *("direct", "purchased", "received"),
    *("used", "passed_on", "sold_outside", "suspense", "stored", "stock_change", "in_progress", "captured"),
)


@dataclass(frozen=True, slots=True)
class EmbodiedLine(Part):
    """``kind``: direct, purchased, received; used, passed_on, sold_outside, suspense, stored, stock_change,
    in_progress;
    captured (a memo). ``party``: carrier, supplier, neighbour or node. Gases in mg; ``co2e`` without biogenic CO2.
    """

    way: Way
    kind: str
    party: str
    gases: Mapping[str, Amount]
    co2e: Amount | None
    estimated_co2e: Amount | None
    reference: str


@dataclass(frozen=True, slots=True)
class Embodied(Part):
    """Σ in = Σ out to the milligram, per gas. ``own``: carbon of the enterprise's own use, its footprint here."""

    lines: tuple[EmbodiedLine, ...]
    incoming: Amount | None
    outgoing: Amount | None
    own: Amount | None


def embodied_section(enterprise: str, month: int, moves: Iterable[Move], gwp: GwpSet | None) -> Embodied | None:
    """From the moves of the month in all books; None: the book holds nothing of the month."""
    sums: dict[tuple[Way, str, str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    progress: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for move in moves:
        if move.book != "embodied" or move.commodity not in GASES:
            continue
        guessed = move.amount if move.quality == "estimated" else 0
        for key in kinds(move.debit, move.credit):
            sign = -1 if key[1] == "stored" and key[0] == "out" and move.credit.startswith("STORED/") else 1
            cell = sums[key][move.commodity]
            cell[0] += sign * move.amount
            cell[1] += sign * guessed
        for account, signed in ((move.debit, 1), (move.credit, -1)):
            if account.startswith("WIP/"):
                progress[move.commodity][0] += signed * move.amount
                progress[move.commodity][1] += signed * guessed
    if not sums:
        return None
    kept = {gas: [mg, 0] for gas, (mg, _) in progress.items() if mg}
    if kept:
        sums["out", "in_progress", "", "WIP"] = kept
    lines = tuple(
        _line(enterprise, month, key, cells, gwp)
        for key, cells in sorted(sums.items(), key=lambda item: (_ORDER.index(item[0][1]), item[0]))
        if any(mg for mg, _ in cells.values())
    )
    return Embodied(
        lines,
        _total((line for line in lines if line.way == "in"), gwp),
        _total((line for line in lines if line.way == "out"), gwp),
        _total((line for line in lines if line.kind == "used"), gwp),
    )


def _line(
    enterprise: str,
    month: int,
    key: tuple[Way, str, str, str],
    cells: Mapping[str, list[int]],
    gwp: GwpSet | None,
) -> EmbodiedLine:
    way, kind, party, account = key
    gases = {gas: cells[gas][0] for gas in GASES if gas in cells and cells[gas][0]}
    guessed = {gas: cells[gas][1] for gas in GASES if gas in cells}
    return EmbodiedLine(
        way,
        kind,
        party,
        {gas: Amount(mg, "mg") for gas, mg in gases.items()},
        gwp.co2e(gases) if gwp else None,
        gwp.co2e(guessed) if gwp else None,
        reference_of(enterprise, month, "embodied", account),
    )


def _total(lines: Iterable[EmbodiedLine], gwp: GwpSet | None) -> Amount | None:
    if gwp is None:
        return None
    sums: dict[str, int] = defaultdict(int)
    for line in lines:
        for gas, amount in line.gases.items():
            sums[gas] += amount.base
    return gwp.co2e(sums)
