"""What a kilowatt hour costs in each tariff period, and what an exported one earns.

price(p) = ratio(p) × floating + fixed. Guangdong floats the whole price without funds, Shandong only the
agency price and what goes with it; the ``component_role`` rows say which component does what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from lujin.errors import N_, FactorError, Problem
from lujin.park.model import Connection
from lujin.reference.grammar import PERIODS, months_of
from lujin.reference.rows import Row
from lujin.reference.scope import one_group, row_selector
from lujin.reference.select import Resolve, Selector, several

Method = Literal["published", "ratio", "components"]


@dataclass(frozen=True, slots=True)
class Component:
    """A part of a price [CNY/kWh]: the item, whether it floats with the period, and its row."""

    item: str
    role: Literal["floating", "fixed", "whole"]
    value: Decimal
    row: Row


@dataclass(frozen=True, slots=True)
class Price:
    """Price of energy in one period [CNY/kWh].

    ``method``: ``published`` as printed for the period, ``ratio`` from the printed flat price, or
    ``components`` from the parts of the price. ``components`` are before the ratio; ``rows`` are all rows
    that the price rests on.
    """

    period: str
    value: Decimal
    unit: str
    method: Method
    ratio: Decimal | None
    components: tuple[Component, ...]
    rows: tuple[Row, ...]


def energy_prices(resolve: Resolve, connection: Connection, on: date) -> Mapping[str, Price]:
    """Period → price, for every period that the tariff knows, cheapest period first.

    Where the notice prints all periods, these are taken; where it prints flat only, the ratios apply to it;
    where it prints none, to the components. FactorError: nothing applies, rows contradict each other, or
    some periods are printed and others are not.
    """
    printed, selector = _by_period(resolve, connection, on, "energy_price")
    ratios, _ = _by_period(resolve, connection, on, "ratio_to_flat")
    if printed and ratios.keys() <= printed.keys():
        return _published(tuple(printed.values()), _left_out(resolve, connection, on))
    if printed.keys() == {"flat"}:
        fixed = _components(resolve, connection, on, "fixed")
        left_out = _left_out(resolve, connection, on)
        return _from_flat(printed["flat"], left_out, tuple(ratios.values()), fixed, _step(resolve, connection, on))
    if printed:
        raise _incomplete(selector, on, printed, ratios)
    if not ratios or not resolve.all(row_selector(connection, "agency_price"), on):
        resolve.one(selector, on)  # raises, with the candidates
    floating = _components(resolve, connection, on, "floating")
    fixed = _components(resolve, connection, on, "fixed")
    return _from_components(tuple(ratios.values()), floating, fixed, _step(resolve, connection, on))


def feed_in_price(resolve: Resolve, connection: Connection, on: date) -> Price | None:
    """What the grid pays for exported energy (上网电价) [CNY/kWh]; None when the connection names no item.

    ``connection.feed_in`` is an item of the tariff table, e.g. ``coal_benchmark_feed_in``; where an item is
    published per group, the group follows a colon: ``mechanism_price:增量光伏``.
    """
    if not connection.feed_in:
        return None
    item, _, group = connection.feed_in.partition(":")
    named = {"applies_to": group} if group else {}
    row = resolve.one(Selector.of("tariffs", region=connection.region, item=item, **named), on)
    part = Component(item, "whole", row.value, row)
    return Price("", row.value, row.unit, "published", None, (part,), (row,))


def zone_adder(resolve: Resolve, connection: Connection, on: date) -> Row:
    """The zone term of the transmission price (价区交叉补贴) [CNY/kWh]. It is part of every printed price."""
    return resolve.one(row_selector(connection, "zone_cross_subsidy"), on)


def _by_period(resolve: Resolve, connection: Connection, on: date, item: str) -> tuple[dict[str, Row], Selector]:
    """Period → row for the month; FactorError when two tables or two rows of one period apply."""
    selector = row_selector(connection, item)
    rows = [row for row in resolve.all(selector, on) if on.month in months_of(row.values["months"])]
    one_group(selector, on, rows)
    found = {row.values["period"]: row for row in rows}
    if len(found) < len(rows):
        raise several(selector, on, rows)
    return {period: found[period] for period in PERIODS if period in found}, selector


def _left_out(resolve: Resolve, connection: Connection, on: date) -> tuple[Row, ...]:
    """Rows that come on top of a printed price, because its table says that it leaves them out."""
    rules = resolve.all(row_selector(connection, "rule_price_excludes"), on)
    return tuple(resolve.one(row_selector(connection, rule.values["period"]), on) for rule in rules)


def _components(resolve: Resolve, connection: Connection, on: date, role: str) -> tuple[Row, ...]:
    """The rows of all components with the role; FactorError when one of them is missing."""
    selector = row_selector(connection, "component_role")
    roles = resolve.all(selector, on)
    if not roles:
        resolve.one(selector, on)  # raises, with the candidates
    one_group(selector, on, roles)
    items = [row.values["period"] for row in roles if row.values["value"] == role]
    return tuple(resolve.one(row_selector(connection, item), on) for item in items)


def _step(resolve: Resolve, connection: Connection, on: date) -> Row | None:
    """The rounding rule of the notice, if it states one."""
    selector = row_selector(connection, "rule_rounding")
    return resolve.one(selector, on) if resolve.all(selector, on) else None


@lru_cache(maxsize=1024)
def _published(printed: tuple[Row, ...], left_out: tuple[Row, ...]) -> Mapping[str, Price]:
    extra = tuple(Component(row.values["item"], "fixed", row.value, row) for row in left_out)
    prices = {}
    for row in printed:
        parts = (Component("energy_price", "whole", row.value, row), *extra)
        prices[row.values["period"]] = _price(row.values["period"], None, parts, sum_of(parts), "published")
    return MappingProxyType(prices)


@lru_cache(maxsize=1024)
def _from_flat(
    flat: Row, left_out: tuple[Row, ...], ratios: tuple[Row, ...], fixed: tuple[Row, ...], step: Row | None
) -> Mapping[str, Price]:
    """round(ratio × (flat − fixed)) + fixed; the flat price itself stands as it is printed."""
    constant = tuple(Component(row.values["item"], "fixed", row.value, row) for row in fixed)
    whole = flat.value + sum((row.value for row in left_out), Decimal(0))
    floating = Component("energy_price", "floating", whole - sum_of(constant), flat)
    prices = dict(_priced(ratios, (floating,), constant, step, "ratio"))
    if "flat" in prices:
        prices["flat"] = replace(prices["flat"], value=whole)
    return MappingProxyType(prices)


@lru_cache(maxsize=1024)
def _from_components(
    ratios: tuple[Row, ...], floating: tuple[Row, ...], fixed: tuple[Row, ...], step: Row | None
) -> Mapping[str, Price]:
    """round(ratio × Σ floating) + Σ fixed."""
    moving = tuple(Component(row.values["item"], "floating", row.value, row) for row in floating)
    constant = tuple(Component(row.values["item"], "fixed", row.value, row) for row in fixed)
    return _priced(ratios, moving, constant, step, "components")


def _priced(
    ratios: Sequence[Row],
    floating: tuple[Component, ...],
    fixed: tuple[Component, ...],
    step: Row | None,
    method: Method,
) -> Mapping[str, Price]:
    prices = {}
    for row in ratios:
        moved = row.value * sum_of(floating)
        if step is not None:
            moved = moved.quantize(step.value, ROUND_HALF_UP)
        rules = (row,) if step is None else (row, step)
        period = row.values["period"]
        prices[period] = _price(period, row, (*floating, *fixed), moved + sum_of(fixed), method, rules)
    return MappingProxyType(prices)


def _price(
    period: str,
    ratio: Row | None,
    parts: tuple[Component, ...],
    value: Decimal,
    method: Method,
    rules: tuple[Row, ...] = (),
) -> Price:
    rows = tuple(dict.fromkeys((*(part.row for part in parts), *rules)))
    return Price(period, value, "CNY/kWh", method, None if ratio is None else ratio.value, parts, rows)


def sum_of(parts: Sequence[Component]) -> Decimal:
    return sum((part.value for part in parts), Decimal(0))


def _incomplete(
    selector: Selector, on: date, printed: Mapping[str, Row], ratios: Mapping[str, Row]
) -> FactorError:
    params = {
        "selector": selector.told,
        "on": on,
        "printed": ", ".join(printed),
        "missing": ", ".join(period for period in ratios if period not in printed),
        "rows": ", ".join(row.id for row in printed.values()),
    }
    message = N_("the price table for {on} has {printed} but not {missing}: {rows}")
    remedy = N_("add the missing energy_price rows to reference/tariffs.csv, or keep flat only, then ratios apply")
    return FactorError(Problem(message, params, remedy))
