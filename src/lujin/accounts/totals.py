"""What the accounts of all enterprises add up to (园区合计), and what the park as one enterprise has (合并)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts import sections
from lujin.accounts.amounts import GASES, Amount, GwpSet
from lujin.accounts.pack import packs
from lujin.accounts.tables import entry, line, line_key
from lujin.park import Park


@dataclass(frozen=True, slots=True)
class Consolidated:
    """One carbon book of the park as one enterprise: scope 2 = gross − eliminated = what crosses the fence.

    ``eliminated``: scope 2 of energy that neighbours made, which is their scope 1. ``by_addition``: the book's
    pack posts eliminations; where it does not, gross and consolidated are the same sum and may hold both.
    """

    scope1: Amount
    scope2_gross: Amount
    eliminated: Amount
    scope2: Amount
    by_addition: bool

    def as_dict(self) -> dict[str, Any]:
        names = ("scope1", "scope2_gross", "eliminated", "scope2")
        parts = {name: getattr(self, name).as_dict() for name in names}
        return {**parts, "by_addition": self.by_addition}


@dataclass(frozen=True, slots=True)
class ParkTotals:
    """Sums over all enterprise accounts, before in-park transfers are eliminated, and consolidated.

    ``energy``: carrier → bought from outside the fence. ``sold``: carrier → what left through it.
    ``carbon``: (book, scope) → CO2e. ``consolidated``: book → the park as one enterprise, CO2e. ``overlap``:
    electricity that was sold to the public grid and may have been bought back: it has no origin and is disclosed,
    not eliminated. ``embodied``: group of accounts → CO2e of book embodied: what came in (EMBODIED_IN), and where
    it is (EMBODIED_OUT). Scope 3 has no total: one enterprise's is another's scope 1.
    """

    first: int
    last: int
    energy: Mapping[str, Amount]
    generated: Amount
    coal_equivalent: Amount
    coal_equal: Amount
    cost: Amount
    carbon: Mapping[tuple[str, str], Amount]
    estimated_electricity: Amount
    consolidated: Mapping[str, Consolidated]
    overlap: Amount
    embodied: Mapping[str, Amount] = field(default_factory=dict)
    sold: Mapping[str, Amount] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "first": self.first,
            "last": self.last,
            "energy": {name: amount.as_dict() for name, amount in self.energy.items()},
            "sold": {name: amount.as_dict() for name, amount in self.sold.items()},
            "generated": self.generated.as_dict(),
            "coal_equivalent": self.coal_equivalent.as_dict(),
            "coal_equal": self.coal_equal.as_dict(),
            "cost": self.cost.as_dict(),
            "carbon": {f"{book}/{scope}": amount.as_dict() for (book, scope), amount in self.carbon.items()},
            "estimated_electricity": self.estimated_electricity.as_dict(),
            "consolidated": {book: found.as_dict() for book, found in self.consolidated.items()},
            "overlap": self.overlap.as_dict(),
            "embodied": {group: amount.as_dict() for group, amount in self.embodied.items()},
        }


Sum = tuple[str, str, str, str, str, int]  # book, debit, credit, commodity, quality, amount


def park_totals(connection: Connection, park: Park, gwp: Mapping[str, GwpSet]) -> ParkTotals:
    """What the whole ledger holds. ``gwp``: book → GWP set; a book without one has no ``carbon``."""
    sums = sa.select(entry.c.book, line.c.key, sa.func.sum(line.c.amount).label("amount")).join(
        line, line.c.entry == entry.c.number
    )
    grouped = sums.group_by(entry.c.book, line.c.key).subquery()
    columns = (line_key.c.debit, line_key.c.credit, line_key.c.commodity, line_key.c.quality)
    select = sa.select(grouped.c.book, *columns, grouped.c.amount).join(line_key, line_key.c.id == grouped.c.key)
    months = sa.select(sa.func.min(entry.c.month), sa.func.max(entry.c.month))
    rows = [tuple(row) for row in connection.execute(select)]
    first, last = connection.execute(months).one()
    return totals_of(park, rows, gwp, first or 0, last or 0, packs_used(connection))


def packs_used(connection: Connection) -> list[tuple[str, str]]:
    """Books with every pack that ever posted them."""
    used = connection.execute(sa.select(entry.c.book, entry.c.pack).distinct())
    return [(book, pack) for book, pack in used]


def totals_of(
    park: Park,
    sums: Iterable[Sum],
    gwp: Mapping[str, GwpSet],
    first: int,
    last: int,
    used: Iterable[tuple[str, str]],
) -> ParkTotals:
    """Totals of sums per line key. ``used``: books with the packs that posted them."""
    energy: dict[str, int] = defaultdict(int)
    sold: dict[str, int] = defaultdict(int)
    others: dict[str, int] = defaultdict(int)
    gases: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    passed: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for book, debit, credit, commodity, quality, amount in sums:
        amount = int(amount)
        if book == "embodied":
            _add_embodied(passed, debit, credit, commodity, amount)
            continue
        to, (origin, party) = debit.split("/")[1], credit.split("/")[1:3]
        if book != "physical":
            for account, signed in ((debit, amount), (credit, -amount)):
                scope, _, rest = account.partition("/")[2].partition("/")
                if scope in ("S1", "S2") or (scope == "ELIM" and rest.startswith("S2/")):
                    gases[book, scope][commodity] += signed
        elif commodity in ("ce_equivalent", "ce_equal", "CNY"):
            own = "COST" if commodity == "CNY" else "OWN"
            others[commodity] += amount * ((to == own) - (origin == own))
        elif to == "EXT":
            sold[commodity] += amount
            if commodity == "electricity" and _public_grid(park, debit.split("/")[2]):
                others["exported"] += amount
        elif origin == "EXT" and party in park.nodes and not park.owner(party):
            energy[commodity] += amount
            others["estimated"] += amount if commodity == "electricity" and quality == "estimated" else 0
        elif origin == "GEN" and commodity == "electricity":
            others["generated"] += amount
    bought = energy.get("electricity", 0)
    sold = {name: amount for name, amount in sold.items() if amount}
    return ParkTotals(
        first=first,
        last=last,
        energy={name: sections.shown(park, amount, name) for name, amount in sorted(energy.items())},
        generated=Amount(others["generated"], "Wh"),
        coal_equivalent=Amount(others["ce_equivalent"], "mgce"),
        coal_equal=Amount(others["ce_equal"], "mgce"),
        cost=Amount(others["CNY"], "0.01 CNY"),
        carbon={
            key: gwp[key[0]].co2e(amounts)
            for key, amounts in sorted(gases.items())
            if key[0] in gwp and key[1] != "ELIM"
        },
        estimated_electricity=Amount(others["estimated"], "Wh"),
        consolidated=_consolidated(used, gases, gwp),
        overlap=Amount(max(min(others["exported"], bought), 0), "Wh"),
        embodied={
            group: gwp["embodied"].co2e(passed[group])
            for group in (*EMBODIED_IN, *EMBODIED_OUT)
            if "embodied" in gwp and any(passed[group].values())
        },
        sold={name: sections.shown(park, amount, name) for name, amount in sorted(sold.items())},
    )


# Groups of accounts of book embodied by which carbon comes in, and where it can be at the end.
EMBODIED_IN = ("ATM", "EXT")
EMBODIED_OUT = ("OWN", "OUT", "STORED", "STK", "WIP", "SUSPENSE")


def _add_embodied(passed: dict[str, dict[str, int]], debit: str, credit: str, commodity: str, amount: int) -> None:
    """What came in and where it went; transfers between neighbours cancel and have no group here."""
    for account, signed in ((debit, amount), (credit, -amount)):
        group = account.split("/")[1]
        if commodity in GASES and group in EMBODIED_IN:
            passed[group][commodity] -= signed
        elif commodity in GASES and group in EMBODIED_OUT:
            passed[group][commodity] += signed


def _public_grid(park: Park, node: str) -> bool:
    return node in park.nodes and park.nodes[node].kind == "grid"


def _consolidated(
    used: Iterable[tuple[str, str]],
    gases: Mapping[tuple[str, str], Mapping[str, int]],
    gwp: Mapping[str, GwpSet],
) -> dict[str, Consolidated]:
    known = packs()
    adding: dict[str, bool] = {}
    for book, name in used:
        adding[book] = adding.get(book, True) and name in known and known[name].consolidation is not None
    found = {}
    for book in sorted({book for book, _ in gases} & gwp.keys()):
        one, gross, out = (gwp[book].co2e(gases.get((book, s), {})) for s in ("S1", "S2", "ELIM"))
        eliminated = Amount(-out.base, out.base_unit)
        found[book] = Consolidated(one, gross, eliminated, gross - eliminated, adding.get(book, False))
    return found
