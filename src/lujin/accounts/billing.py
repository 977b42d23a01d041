"""From a sum of money to ledger lines of payer and payee (账单)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from lujin.accounts.apportion import largest_remainder
from lujin.accounts.flows import Leg, Split
from lujin.accounts.poster import Poster
from lujin.accounts.subjects import Side, Subject
from lujin.reference import Row


@dataclass(frozen=True, slots=True)
class Bill:
    """Who pays whom for what. A party is an enterprise, or a node outside the park.

    ``item`` names the payer's cost account, ``income`` the payee's. ``side``: the one party that the amount
    speaks for, where the two have not agreed on what was delivered.
    """

    payer: str
    payee: str
    subject: Subject
    item: str
    income: str
    side: Side | None = None


@dataclass(frozen=True, slots=True)
class Priced:
    """Days of the month (indices) with one price [CNY per unit] and the rows that it rests on."""

    days: NDArray[np.int64]
    price: Decimal
    rows: tuple[Row, ...]


def pay(poster: Poster, bill: Bill, cost: Split, rule_id: str, rows: Sequence[Row] = (), period: str = "") -> None:
    """The payer's line and, where the payee has an account in the park, the payee's. ``cost``: one amount."""
    last = len(poster.out.days) - 1
    month = cost.map(lambda a: np.broadcast_to(a.reshape(1, 1), (1, last + 1)))
    parties: tuple[tuple[Side, str, str, str], ...] = (
        ("buyer", bill.payer, bill.payee, bill.item),
        ("seller", bill.payee, bill.payer, bill.income),
    )
    for side, enterprise, partner, item in parties:
        if enterprise in poster.wanted and bill.side in (None, side):
            poster.post(
                [Leg(0, enterprise, side == "buyer", f"DUE/{partner}", bill.subject)],
                month,
                account=f"COST/{item}",
                book="physical",
                commodity="CNY",
                rule=rule_id,
                days=np.array([last]),
                rows=rows,
                period=period,
            )


def shared(cost: int, measured: int, estimated: int) -> Split:
    """A cost on measured and estimated quantity in proportion; estimated if their signs differ."""
    if estimated == 0 or measured * estimated < 0:
        parts = [cost, 0] if estimated == 0 else [0, cost]
    else:
        parts = largest_remainder(cost, [abs(measured), abs(estimated)])
    return Split(np.array(parts[:1], dtype=np.int64), np.array(parts[1:], dtype=np.int64))
