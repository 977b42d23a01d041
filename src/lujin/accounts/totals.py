"""What the accounts of all enterprises add up to (园区合计), before in-park transfers are eliminated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts import sections
from lujin.accounts.amounts import Amount, GwpSet
from lujin.accounts.tables import entry, line, line_key
from lujin.park import Park


@dataclass(frozen=True, slots=True)
class ParkTotals:
    """Sums over all enterprise accounts, before in-park transfers are eliminated.

    ``energy``: carrier → bought from outside the fence or generated inside. ``carbon``: (book, scope) → CO2e.
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

    def as_dict(self) -> dict[str, Any]:
        return {
            "first": self.first,
            "last": self.last,
            "energy": {name: amount.as_dict() for name, amount in self.energy.items()},
            "generated": self.generated.as_dict(),
            "coal_equivalent": self.coal_equivalent.as_dict(),
            "coal_equal": self.coal_equal.as_dict(),
            "cost": self.cost.as_dict(),
            "carbon": {f"{book}/{scope}": amount.as_dict() for (book, scope), amount in self.carbon.items()},
            "estimated_electricity": self.estimated_electricity.as_dict(),
        }


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
    energy: dict[str, int] = defaultdict(int)
    others: dict[str, int] = defaultdict(int)
    gases: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for book, debit, credit, commodity, quality, amount in rows:
        amount = int(amount)
        to, (origin, party) = debit.split("/")[1], credit.split("/")[1:3]
        if book != "physical":
            for scope, signed in ((to, amount), (origin, -amount)):
                if scope in ("S1", "S2"):
                    gases[book, scope][commodity] += signed
        elif commodity in ("ce_equivalent", "ce_equal", "CNY"):
            own = "COST" if commodity == "CNY" else "OWN"
            others[commodity] += amount * ((to == own) - (origin == own))
        elif origin == "EXT" and party in park.nodes and not park.owner(party):
            energy[commodity] += amount
            others["estimated"] += amount if commodity == "electricity" and quality == "estimated" else 0
        elif origin == "GEN" and commodity == "electricity":
            others["generated"] += amount
    return ParkTotals(
        first=first or 0,
        last=last or 0,
        energy={name: sections.shown(park, amount, name) for name, amount in sorted(energy.items())},
        generated=Amount(others["generated"], "Wh"),
        coal_equivalent=Amount(others["ce_equivalent"], "mgce"),
        coal_equal=Amount(others["ce_equal"], "mgce"),
        cost=Amount(others["CNY"], "0.01 CNY"),
        carbon={key: gwp[key[0]].co2e(amounts) for key, amounts in sorted(gases.items()) if key[0] in gwp},
        estimated_electricity=Amount(others["estimated"], "Wh"),
    )
