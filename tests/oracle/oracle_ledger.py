"""The ledger read from its database by hand, beside the second calculation."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
from oracle_recompute import Oracle, half_even

from lujin.workspace import Workspace

FUELS = {  # carrier → name in the fuel sets, kind in the IPCC table, name and unit in the coal-equivalent table
    "bituminous_coal": ("烟煤", "固体燃料", "原煤", 1000),
    "natural_gas": ("天然气", "气体燃料", "天然气(高)", 1000),
    "diesel": ("柴油", "液体燃料", "柴油", 1000),
}

_LINES = """
SELECT entry.enterprise, entry.month, entry.book, key.debit, key.credit, key.commodity, key.period, key.quality,
       key.rule, key.subject, line.day % 100, sum(line.amount)
FROM line JOIN entry ON entry.number = line.entry JOIN line_key AS key ON key.id = line.key
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 HAVING sum(line.amount) <> 0
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A net ledger line, read from the database by hand. Accounts without the enterprise."""

    enterprise: str
    month: int
    book: str
    debit: str
    credit: str
    commodity: str
    period: str
    quality: str
    rule: str
    subject: str
    day: int
    amount: int

    def on(self, account: str) -> int:
        """The amount as it moves an account: what comes in positive."""
        return self.amount * ((self.debit == account) - (self.credit == account))


@dataclass(frozen=True, eq=False)
class Posted:
    """A posted park and its second calculation."""

    workspace: Workspace
    oracle: Oracle
    lines: list[Line]
    _energy: dict[int, Any] = field(default_factory=dict, repr=False)
    truth: pl.DataFrame = field(default_factory=pl.DataFrame, repr=False)  # flow, month, amount

    def select(self, **wanted: object) -> list[Line]:
        return [x for x in self.lines if all(getattr(x, name) == value for name, value in wanted.items())]

    def energy(self, month: int) -> Mapping[tuple[str, str, str], dict[tuple[int, str], int]]:
        """(enterprise, subject, period) → (day, quality) → what came in, out negative [base units].

        Generation is left out: it shows what a generator made, apart from what crossed the account's border.
        """
        if month in self._energy:
            return self._energy[month]
        found: dict[tuple[str, str, str], dict[tuple[int, str], int]] = defaultdict(lambda: defaultdict(int))
        self._energy[month] = found
        for x in self.select(month=month, book="physical", rule="metered@1"):
            if not x.credit.startswith("GEN/"):
                found[x.enterprise, x.subject, x.period][x.day, x.quality] += x.on(f"OWN/{x.commodity}")
        return found

    def moved(self, month: int, carrier: str) -> dict[tuple[str, str], int]:
        """(source, target) → what flowed; where an account holds the flow, as the account has it."""
        found: dict[tuple[str, str], int] = {}
        for flow in self.oracle.flows.values():
            if flow["carrier"] == carrier:
                found[flow["source"], flow["target"]] = self.oracle.flow_month(flow["id"], month).total
        held: dict[tuple[str, str], int] = defaultdict(int)
        for (enterprise, subject, _), days in self.energy(month).items():
            source, _, rest = subject.partition(">")
            target, _, what = rest.rpartition(":")
            # A sale inside the park stands in two accounts: the buyer's is taken.
            buyer = self.oracle.owner(target)
            if what == carrier and (not buyer or buyer == enterprise):
                held[source, target] += sum(days.values()) * (1 if buyer else -1)
        return found | held


def by_day(energy: Mapping[tuple[str, str, str], dict[Any, int]]) -> Mapping[tuple[str, str, str], dict[Any, int]]:
    """The periods of a day together, as carbon and coal are posted."""
    found: dict[tuple[str, str, str], dict[Any, int]] = defaultdict(lambda: defaultdict(int))
    for (enterprise, subject, _), days in energy.items():
        for key, amount in days.items():
            found[enterprise, subject, ""][key] += amount
    return found


def converted(days: Mapping[Any, int], factor: Fraction) -> int:
    """A month of lines: every day is rounded."""
    return sum(half_even(amount * factor) for amount in days.values())


def read_lines(database: Path) -> list[Line]:
    with sqlite3.connect(database) as connection:
        rows = connection.execute(_LINES).fetchall()
    found = []
    for enterprise, month, book, debit, credit, *rest in rows:
        accounts = (account.removeprefix(f"{enterprise}/") for account in (debit, credit))
        found.append(Line(enterprise, month, book, *accounts, *rest))
    return found
