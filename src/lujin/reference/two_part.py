"""The basic charge of two-part tariffs (两部制电价的基本电费): by maximum demand or by transformer capacity."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from lujin.errors import N_, InputError, Problem
from lujin.park.model import Connection
from lujin.reference.rows import Row
from lujin.reference.scope import row_selector
from lujin.reference.select import Resolve

_CENT = Decimal(100)


@dataclass(frozen=True, slots=True)
class BasicCharge:
    """What a connection pays per month for being able to draw power.

    ``price`` [``unit``: CNY/kW.month or CNY/kVA.month]. ``capacity_kva``: transformer capacity, billed when
    ``basis`` is ``capacity``. ``contract_kw``: declared maximum demand, already raised to ``floor_kw``, the
    smallest that may be declared; None: the measured maximum is billed. Above ``excess_share`` of the
    contract the excess is charged ``excess_multiple`` times. ``discount``: share of the demand price paid in
    months that use ``discount_from`` [kWh/kVA] or more; None: not asked for. ``share``: part of the month's
    charge that is paid, less than 1 where the connection begins or ends within the month.
    """

    basis: Literal["demand", "capacity"]
    price: Decimal
    unit: str
    rows: tuple[Row, ...]
    capacity_kva: Decimal | None = None
    contract_kw: Decimal | None = None
    floor_kw: Decimal | None = None
    excess_share: Decimal = Decimal(1)
    excess_multiple: Decimal = Decimal(1)
    discount: Decimal | None = None
    discount_from: Decimal | None = None
    problems: tuple[Problem, ...] = ()
    share: Fraction = Fraction(1)

    def billed(self, max_demand_kw: Decimal | None) -> Decimal | None:
        """Billed demand [kW] or capacity [kVA] of a month; None: it depends on a demand that is not known.

        With a contract: the contract up to ``excess_share`` of it; beyond, the measured maximum, with the
        part above the share counted ``excess_multiple`` times (国家电网财〔2016〕633号).
        """
        if self.basis == "capacity":
            return self.capacity_kva
        if self.contract_kw is None or max_demand_kw is None:
            return max_demand_kw
        limit = self.contract_kw * self.excess_share
        if max_demand_kw <= limit:
            return self.contract_kw
        return limit + (max_demand_kw - limit) * self.excess_multiple

    def amount(self, max_demand_kw: Decimal | None, energy_kwh: Decimal | None = None) -> Decimal | None:
        """The charge of a month [CNY], unrounded; None when it depends on something that is not known.

        ``energy_kwh``: use of the month, needed only where the discount was asked for.
        """
        billed = self.billed(max_demand_kw)
        if billed is None:
            return None
        if self.discount is None or self.discount_from is None or self.capacity_kva is None:
            return self._part(billed * self.price)
        if energy_kwh is None:
            return None
        earned = energy_kwh >= self.discount_from * self.capacity_kva
        return self._part(billed * self.price * (self.discount if earned else 1))

    def _part(self, whole: Decimal) -> Decimal:
        return whole * self.share.numerator / self.share.denominator


def basic_charge(
    resolve: Resolve,
    connection: Connection,
    on: date,
    *,
    load_factor_discount: bool = False,
    days: int | None = None,
) -> BasicCharge | None:
    """The basic charge of a connection in the month of ``on``; None for a single-part tariff.

    ``load_factor_discount`` asks for the lower demand price of high load factors (its rows are unverified).
    ``days``: days of use in a month in which the connection begins or ends, each a thirtieth of the charge
    (供电营业规则 第八十四条); None: the whole month.
    FactorError: no price, or several. InputError: the connection lacks the capacity that is billed.
    """
    if connection.basis == "single":
        return None
    row = resolve.one(row_selector(connection, f"{connection.basis}_charge"), on)
    if connection.basis == "capacity":
        capacity = _capacity(connection, N_("transformer capacity is billed"))
        charge = BasicCharge("capacity", row.value, row.unit, (row,), capacity)
    else:
        charge = _by_demand(resolve, connection, on, row, load_factor_discount)
    if days is None:
        return charge
    rule = resolve.one(row_selector(connection, "rule_basic_charge_days"), on)
    share = min(Fraction(days) / Fraction(rule.value), Fraction(1))
    return replace(charge, rows=(*charge.rows, rule), share=share)


def two_part_problems(resolve: Resolve, connection: Connection, on: date) -> list[Problem]:
    """A warning where the tariff form does not fit the transformer (>= 315 kVA must be two-part)."""
    capacity = connection.capacity_kva
    if connection.basis != "single" or capacity is None:
        return []
    selector = row_selector(connection, "rule_two_part_threshold", customer_class="两部制")
    return [
        Problem(
            N_("connection {id}: from {limit} kVA the two-part tariff is the rule, here {capacity} kVA is single"),
            {"id": connection.id, "limit": rule.value, "capacity": capacity},
            N_('set basis to "demand" or "capacity", or leave it if the old form was kept on application'),
            line=connection.line,
            field="basis",
            severity="warning",
        )
        for rule in resolve.all(selector, on)
        if capacity >= rule.value
    ]


def _by_demand(
    resolve: Resolve, connection: Connection, on: date, price: Row, load_factor_discount: bool
) -> BasicCharge:
    rows = [price]

    def rule(item: str) -> Decimal:
        row = resolve.one(row_selector(connection, item), on)
        rows.append(row)
        return row.value

    contract = connection.contract_kw
    floor: Decimal | None = None
    problems: tuple[Problem, ...] = ()
    share, multiple = Decimal(1), Decimal(1)
    if contract is not None:
        share, multiple = rule("rule_demand_excess") / _CENT, rule("rule_demand_excess_multiple")
        if connection.capacity_kva is not None:
            floor = connection.capacity_kva * rule("rule_min_contract_demand") / _CENT
            problems = _floor_problems(connection, floor)
            contract = max(contract, floor)
    discount = discount_from = None
    if load_factor_discount:
        _capacity(connection, N_("the discount counts use per kVA"))
        discount = rule("rule_high_load_factor_discount") / _CENT
        discount_from = rule("rule_high_load_factor_threshold")
    return BasicCharge(
        "demand",
        price.value,
        price.unit,
        tuple(rows),
        connection.capacity_kva,
        contract,
        floor,
        share,
        multiple,
        discount,
        discount_from,
        problems,
    )


def _floor_problems(connection: Connection, floor: Decimal) -> tuple[Problem, ...]:
    if connection.contract_kw is None or connection.contract_kw >= floor:
        return ()
    return (
        Problem(
            N_("connection {id}: the declared demand of {contract} kW is below the least of {floor} kW"),
            {"id": connection.id, "contract": connection.contract_kw, "floor": floor},
            N_("the least is billed; correct contract_kw or capacity_kva"),
            line=connection.line,
            field="contract_kw",
            severity="warning",
        ),
    )


def _capacity(connection: Connection, why: str) -> Decimal:
    if connection.capacity_kva is not None:
        return connection.capacity_kva
    message = N_("connection {id} has no transformer capacity, and {why}")
    params = {"id": connection.id, "why": why}
    raise InputError(
        Problem(
            message, params, N_("add capacity_kva to the connection"), line=connection.line, field="capacity_kva"
        )
    )
