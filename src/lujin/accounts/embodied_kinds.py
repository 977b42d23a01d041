"""What a line of book ``embodied`` says, read from its two accounts. Standard library alone: a check needs it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

Way = Literal["in", "out", "memo"]
# (group of the debited account, group of the credited) tells what a line is
_IN = {"ATM": "direct", "EXT": "purchased", "DUE": "received"}
_OUT = {
    "DUE": "passed_on",
    "OWN": "used",
    "OUT": "sold_outside",
    "SUSPENSE": "suspense",
    "STK": "stock_change",
    "STORED": "stored",
}


def kinds(debit: str, credit: str) -> Iterator[tuple[Way, str, str, str]]:
    """On the side that is not work in progress: (way, kind, party, account). Accounts without the enterprise.

    >>> list(kinds("WIP/boiler", "ATM/coal"))
    [('in', 'direct', 'coal', 'ATM/coal')]
    """
    to, _, target = debit.partition("/")
    origin, _, source = credit.partition("/")
    if to == "WIP" and origin in _IN:
        yield "in", _IN[origin], source, credit
    elif to == "WIP" and origin == "STORED":
        yield "out", "stored", source, credit
    elif origin == "WIP" and to in _OUT:
        yield "out", _OUT[to], target, debit
    elif to == "MEMO":
        yield "memo", "captured", target.partition("/")[2], debit
