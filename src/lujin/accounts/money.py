"""Book ``physical``, commodity ``CNY`` [0.01 CNY]: what a month's energy costs and earns, on its last day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np

from lujin.accounts import rules as rule
from lujin.accounts.billing import Bill, Priced, pay, shared
from lujin.accounts.flows import Split
from lujin.accounts.physical import PERIOD_NAMES, tariff_class
from lujin.accounts.poster import Poster
from lujin.accounts.prices import post_priced
from lujin.accounts.subjects import Subject
from lujin.errors import N_, FactorError, LujinError, Problem
from lujin.park import Connection
from lujin.reference import Row
from lujin.reference.tariff import BasicCharge, basic_charge, energy_prices, feed_in_price, price_row


@dataclass(frozen=True, slots=True)
class Charge:
    """How a basic charge came about: greatest quarter hour and what was billed [kW or kVA]."""

    connection: str
    enterprise: str
    max_demand_kw: Decimal
    at: datetime | None
    billed: Decimal
    unit: str
    price: Decimal
    amount: int


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices of a tariff over the month, by period, and why days are missing."""

    by_period: Mapping[str, Sequence[Priced]]
    failure: tuple[date, FactorError] | None


def post_money(poster: Poster, periods: Mapping[int, Split]) -> tuple[Charge, ...]:
    """Energy by tariff, feed-in, all else by the park's own prices; then the basic charges."""
    bills = _tariff_bills(poster, periods)
    _post_tariff(poster, periods, bills)
    fed = _post_feed_in(poster, periods)
    post_priced(poster, bills.keys() | fed)
    return _post_basic(poster, bills)


def _connection(poster: Poster, subject: Subject) -> Connection:
    return poster.flows.park.connections[subject.connection]


# ------------------------------------------------------------------------------- electricity by tariff


def _tariff_bills(poster: Poster, periods: Mapping[int, Split]) -> Mapping[int, Bill]:
    """Row → bill for what came in through a grid connection, paid by the customer of the connection (用电户)."""
    park = poster.flows.park
    found: dict[int, Bill] = {}
    for row in periods:
        subject = poster.flows.subjects[row]
        payer = _connection(poster, subject).enterprise
        payee = park.owner(subject.source) or subject.source
        if park.owner(subject.target) and payee != payer:
            side = poster.flows.energy.sides.get(row)
            found[row] = Bill(payer, payee, subject, "electricity", "electricity_sold", side)
    return found


def _post_tariff(poster: Poster, periods: Mapping[int, Split], bills: Mapping[int, Bill]) -> None:
    """energy_cost@1 per subject and period: the total of the month × price, rounded once per price."""
    tables: dict[Connection, PriceTable] = {}
    for row, bill in bills.items():
        if not {bill.payer, bill.payee} & poster.wanted:
            continue
        tariff = tariff_class(_connection(poster, bill.subject))
        if tariff not in tables:
            tables[tariff] = _price_table(poster, tariff)
        table, sums = tables[tariff], periods[row]
        for code in np.flatnonzero(sums.total.any(axis=0)).tolist():
            period = PERIOD_NAMES[code]
            used = sums.at(slice(None), code)
            _post_period(poster, bill, used, table.by_period.get(period, ()), period)
            _explain_unpriced(poster, bill, used, table, period)


def _post_period(poster: Poster, bill: Bill, used: Split, prices: Sequence[Priced], period: str) -> None:
    for priced in prices:
        measured = int(used.measured[priced.days].sum())
        estimated = int(used.estimated[priced.days].sum())
        cost = int(rule.energy_cost([measured + estimated], price=priced.price, base_per_unit=Fraction(1000))[0])
        pay(poster, bill, shared(cost, measured, estimated), "energy_cost@1", priced.rows, period)


def _price_table(poster: Poster, tariff: Connection) -> PriceTable:
    days: dict[tuple[str, Decimal, tuple[Row, ...]], list[int]] = defaultdict(list)
    failure = None
    for i, day in enumerate(poster.out.days):
        try:
            prices = energy_prices(poster.choices.resolve, tariff, day)
        except FactorError as error:
            failure = failure or (day, error)
            continue
        for period, price in prices.items():
            days[period, price.value, price.rows].append(i)
    table: dict[str, list[Priced]] = defaultdict(list)
    for (period, value, rows), index in days.items():
        table[period].append(Priced(np.array(index), value, rows))
    return PriceTable(table, failure)


def _explain_unpriced(poster: Poster, bill: Bill, used: Split, table: PriceTable, period: str) -> None:
    """Say why quantities of a period have no cost: no tariff, no such period in it, or no clock."""
    priced = np.zeros(len(poster.out.days), dtype=bool)
    for part in table.by_period.get(period, ()):
        priced[part.days] = True
    open_days = np.flatnonzero(~priced & used.total.astype(bool))
    if not len(open_days):
        return
    if table.failure is not None:
        like = price_row(_connection(poster, bill.subject), "energy_price", table.failure[0])
        poster.choices.missing([bill.payer], "electricity", *table.failure, like)
    elif period:
        poster.problems.append(
            Problem(
                N_("{enterprise}: the tariff has no price for {period} on {date}, this cost is not posted"),
                {"enterprise": bill.payer, "period": period, "date": poster.out.days[open_days[0]]},
                N_("add the energy_price row of the period to reference/tariffs.csv"),
            )
        )


def _post_feed_in(poster: Poster, periods: Mapping[int, Split]) -> set[int]:
    """feed_in@1 · what the grid pays for exports through a connection that names a price item (上网)."""
    park = poster.flows.park
    prices: dict[Connection, PriceTable] = {}
    fed = set()
    for row in periods:
        subject = poster.flows.subjects[row]
        connection = _connection(poster, subject)
        seller = park.owner(subject.source)
        if park.owner(subject.target) or not connection.feed_in or seller not in poster.wanted:
            continue
        fed.add(row)
        bill = Bill(subject.target, seller, subject, "", "feed_in")
        exported = poster.flows.days.at(row)
        tariff = replace(tariff_class(connection), feed_in=connection.feed_in)
        if tariff not in prices:
            prices[tariff] = _feed_in_table(poster, tariff)
        if (failure := prices[tariff].failure) is not None:
            poster.choices.missing([seller], "electricity feed-in", *failure)
        for priced in prices[tariff].by_period.get("", ()):
            measured = int(exported.measured[priced.days].sum())
            estimated = int(exported.estimated[priced.days].sum())
            income = int(rule.feed_in([measured + estimated], price=priced.price)[0])
            pay(poster, bill, shared(income, measured, estimated), "feed_in@1", priced.rows)
    return fed


def _feed_in_table(poster: Poster, tariff: Connection) -> PriceTable:
    days: dict[tuple[Decimal, tuple[Row, ...]], list[int]] = defaultdict(list)
    failure = None
    for i, day in enumerate(poster.out.days):
        try:
            price = feed_in_price(poster.choices.resolve, tariff, day)
        except FactorError as error:
            failure = failure or (day, error)
            continue
        if price is not None:
            days[price.value, price.rows].append(i)
    priced = [Priced(np.array(index), value, rows) for (value, rows), index in days.items()]
    return PriceTable({"": priced}, failure)


def _post_basic(poster: Poster, bills: Mapping[int, Bill]) -> tuple[Charge, ...]:
    """basic_charge@1 once per connection, on its greatest quarter hour over all its feeders."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, bill in bills.items():
        if {bill.payer, bill.payee} & poster.wanted and bill.side != "seller":
            rows[bill.subject.connection].append(row)
    found = []
    for name, members in sorted(rows.items()):
        connection = poster.flows.park.connections[name]
        try:
            days = _days_of_use(poster, connection)
            charge = basic_charge(poster.choices.resolve, connection, poster.out.days[-1], days=days)
        except LujinError as error:
            like = price_row(connection, f"{connection.basis}_charge", poster.out.days[0])
            poster.failed([connection.enterprise], "electricity basic charge", error, like)
            continue
        if charge is not None:
            poster.problems.extend(charge.problems)
            made = _charge(poster, replace(bills[members[0]], side=None), charge, members)
            found += [made] if made else []
    return tuple(found)


def _days_of_use(poster: Poster, connection: Connection) -> int | None:
    """Local days on which the connection existed, a part of a day counting whole; None: the whole month."""
    zone = ZoneInfo(poster.flows.energy.grid.timezone)
    used = 0
    for day in poster.out.days:
        begin, end = (datetime(d.year, d.month, d.day, tzinfo=zone) for d in (day, day + timedelta(days=1)))
        began = connection.valid_from is None or connection.valid_from < end
        used += began and (connection.valid_to is None or connection.valid_to > begin)
    return None if used == len(poster.out.days) else used


def _charge(poster: Poster, bill: Bill, charge: BasicCharge, rows: Sequence[int]) -> Charge | None:
    """Post the basic charge; None where nothing was heard of the connection, so that its demand is not known."""
    energy = poster.flows.energy
    unknown = energy.heard is not None and not energy.heard[np.array(rows)].any()
    if unknown and charge.basis == "demand":
        poster.problems.append(_no_demand(bill))
        return None
    quarter = energy.total[np.array(rows)].sum(axis=0)
    peak = int(quarter.argmax())
    demand = Decimal(int(quarter[peak]) * 4) / 1000
    billed = charge.billed(demand)
    assert billed is not None, "a known demand always gives a billed one"
    amount = rule.basic_charge([round(billed * 1000)], price=charge.price, share=charge.share)
    item = f"{charge.basis}_charge"
    cost = Split(amount, np.zeros_like(amount))
    if energy.estimated[np.array(rows), peak].any() and charge.basis == "demand":
        cost = Split(cost.estimated, cost.measured)
    pay(poster, replace(bill, item=item), cost, "basic_charge@1", charge.rows)
    if unknown:
        return None
    at = energy.grid.slot_start(peak) if quarter[peak] > 0 else None
    connection = poster.flows.park.connections[bill.subject.connection]
    if at is not None and connection.capacity_kva is not None and demand > connection.capacity_kva:
        poster.problems.append(_above_transformer(poster, connection, demand, at))
    return Charge(
        bill.subject.connection, bill.payer, demand, at, billed, charge.unit, charge.price, int(amount[0])
    )


def _no_demand(bill: Bill) -> Problem:
    return Problem(
        N_("{enterprise}: no reading of connection {id} in the month, its demand charge is not posted"),
        {"enterprise": bill.payer, "id": bill.subject.connection},
        N_("import the readings, then: lujin run PARK"),
        severity="warning",
    )


def _above_transformer(poster: Poster, connection: Connection, demand: Decimal, at: datetime) -> Problem:
    """A transformer carries no more kW than kVA for long: the reading or the description is in error."""
    local = at.astimezone(ZoneInfo(poster.flows.energy.grid.timezone))
    return Problem(
        N_("connection {id}: {demand} kW at {at} are more than its transformer of {capacity} kVA"),
        {
            "id": connection.id,
            "demand": f"{demand.normalize():f}",
            "at": f"{local:%Y-%m-%d %H:%M}",
            "capacity": connection.capacity_kva,
        },
        N_("look at the reading with lujin explain before the bill is believed; or correct capacity_kva"),
        file="park.toml",
        line=connection.line,
        field="capacity_kva",
        severity="warning",
    )
