"""Tariffs (电价): what a connection pays, when, and what it rests on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from lujin.errors import LujinError, Problem
from lujin.park.model import Connection
from lujin.reference.clock import (
    DayClock,
    Partition,
    Span,
    clock,
    clock_from_rows,
    day_clock,
    month_clock,
    partition,
)
from lujin.reference.grammar import PERIODS, QUARTERS
from lujin.reference.prices import Component, Price, energy_prices, feed_in_price, zone_adder
from lujin.reference.scope import price_row
from lujin.reference.select import Resolve
from lujin.reference.two_part import BasicCharge, basic_charge, two_part_problems

__all__ = [
    "PERIODS",
    "QUARTERS",
    "BasicCharge",
    "Component",
    "DayClock",
    "Partition",
    "Price",
    "Resolve",
    "Span",
    "basic_charge",
    "check_connection",
    "clock",
    "clock_from_rows",
    "day_clock",
    "energy_prices",
    "feed_in_price",
    "month_clock",
    "partition",
    "price_row",
    "zone_adder",
]


def check_connection(resolve: Resolve, connection: Connection, on: date) -> list[Problem]:
    """Everything that would keep a connection from being billed on a day, and what looks wrong."""
    problems: list[Problem] = []

    def attempt(step: Callable[[], object]) -> object:
        try:
            return step()
        except LujinError as error:
            problems.extend(error.problems)
            return None

    attempt(lambda: day_clock(resolve, connection, on, Decimal(0)))
    attempt(lambda: energy_prices(resolve, connection, on))
    charge = attempt(lambda: basic_charge(resolve, connection, on))
    if isinstance(charge, BasicCharge):
        problems.extend(charge.problems)
    attempt(lambda: feed_in_price(resolve, connection, on))
    problems.extend(two_part_problems(resolve, connection, on))
    return problems
