"""The tables of a printed statement that hold its lines: energy, money, meters, balances."""

from __future__ import annotations

from collections.abc import Iterator

from lujin.accounts import Statement
from lujin.accounts.sections import reference_of
from lujin.accounts.settle import IN_DISPUTE, Settlement
from lujin.accounts.statement_parts import CostLine
from lujin.errors import N_
from lujin.publish.content import Column, Table, explained
from lujin.publish.letterhead import Paper
from lujin.publish.numbers import (
    NOT_POSTED,
    NOTHING_POSTED,
    Cell,
    Number,
    amount,
    formula,
    headline,
    local,
    share,
)

_PERIODS = ("super_peak", "peak", "flat", "valley", "deep_valley", "")


def account_of(reference: str) -> str:
    return reference.split(":", 3)[-1]


# ---------------------------------------------------------------------------------------------------- summary


def books(paper: Paper) -> Table:
    """Scopes 1 and 2 of every carbon book; CO2e where the pack has a GWP set."""
    say, names = paper.names.say, paper.names
    scopes = (say(N_("scope 1")), say(N_("scope 2")), say(N_("together")))
    columns = (
        Column(say(N_("book")), share=1.2),
        *(Column(title, "tCO2", numeric=True) for title in (*scopes, say(N_("of it estimated")))),
        *(Column(title, "tCO2e", numeric=True) for title in scopes),
        Column(say(N_("GWP"))),
        Column(say(N_("method")), share=1.4),
    )
    rows = tuple(
        (
            headline(names.book(b.book)),
            *map(amount, (b.scope1_co2, b.scope2_co2, b.co2, b.estimated_co2)),
            *map(amount, (b.scope1_co2e, b.scope2_co2e, b.co2e)),
            b.gwp or NOT_POSTED,
            b.pack,
        )
        for b in paper.statement.books
    )
    note = say(N_("The books answer different questions and are never added up."))
    title = say(N_("Carbon, all books side by side"))
    lines = tuple(_of_scopes(paper.statement, b.book) for b in paper.statement.books)
    return Table("books", "summary", title, columns, rows, (), (note,), say(NOTHING_POSTED), lines)


def _of_scopes(found: Statement, book: str) -> tuple[str, ...]:
    """Under each column of ``books``."""
    one, two, both = (reference_of(found.enterprise, found.month, book, scope) for scope in ("S1", "S2", "S1+S2"))
    return ("", one, two, both, both, one, two, both, "", "")


# ------------------------------------------------------------------------------------------ energy and money


def energy(paper: Paper) -> Table:
    say, names, found = paper.names.say, paper.names, paper.statement
    columns = (
        Column(say(N_("carrier")), share=1.3),
        Column(say(N_("unit"))),
        *(
            Column(say(n), numeric=True)
            for n in (N_("purchased"), N_("generated"), N_("delivered"), N_("used"), N_("of it estimated"))
        ),
        Column(say(N_("equivalent value")), "tce", numeric=True),
        Column(say(N_("equal value")), "tce", numeric=True),
    )
    rows = tuple(
        (
            headline(say.name(e.name_zh, e.name_en)),
            names.unit(e.used.unit),
            *map(amount, (e.purchased, e.generated, e.delivered, e.used, e.estimated)),
            amount(e.coal_equivalent),
            amount(e.coal_equal),
        )
        for e in found.energy
    )
    total = (headline(say(N_("total"))), *("",) * 6, amount(found.coal_equivalent), amount(found.coal_equal))
    note = say(N_("Standard coal (GB/T 2589) is net of what is delivered; media and resold energy count nothing."))
    lines = explained(columns, (e.reference for e in found.energy))
    return _table("energy", say(N_("Energy")), columns, rows, total, (note,), say(NOTHING_POSTED), lines)


def periods(paper: Paper) -> Table:
    """What was purchased in each tariff period."""
    say, names = paper.names.say, paper.names
    columns = (
        Column(say(N_("carrier"))),
        Column(say(N_("tariff period"))),
        Column(say(N_("purchased")), numeric=True),
        Column(say(N_("unit"))),
    )
    rows = tuple(
        (
            headline(say.name(e.name_zh, e.name_en)),
            names.period(code),
            amount(e.periods[code]),
            names.unit(e.used.unit),
        )
        for e in paper.statement.energy
        for code in sorted(e.periods, key=_period_order)
    )
    lines = explained(columns, (e.reference for e in paper.statement.energy for _ in e.periods))
    return _table("periods", say(N_("Purchases by tariff period")), columns, rows, (), (), "", lines)


def _period_order(code: str) -> tuple[int, str]:
    return (_PERIODS.index(code) if code in _PERIODS else len(_PERIODS), code)


def cost(paper: Paper) -> Table:
    say, names, found = paper.names.say, paper.names, paper.statement
    money = names.unit("CNY")
    ordered = sorted(found.cost, key=_cost_order)
    columns = (
        Column(say(N_("item")), share=1.4),
        Column(say(N_("tariff period")), share=0.7),
        Column(say(N_("amount")), money, numeric=True),
        Column(say(N_("of it estimated")), money, numeric=True),
        Column(say(N_("line")), share=1),
    )
    rows = tuple(
        (
            headline(names.item(c.item)),
            names.period(c.period) or NOT_POSTED,
            amount(c.amount),
            amount(c.estimated),
            account_of(c.reference),
        )
        for c in ordered
    )
    total = (headline(say(N_("total"))), "", amount(found.cost_total), amount(found.cost_estimated), "")
    note = say(N_("Income is negative."))
    lines = explained(columns, (c.reference for c in ordered))
    return _table("cost", say(N_("Cost")), columns, rows, total, (note,), say(NOTHING_POSTED), lines)


def _cost_order(line: CostLine) -> tuple[bool, bool, str, tuple[int, str]]:
    """Electricity first, by period, then its basic charges; the others by name; income last."""
    electric = line.item == "electricity" or line.item.endswith("_charge")
    kind = ("" if line.item == "electricity" else "charge") if electric else line.item
    return (line.amount.base < 0, not electric, kind, _period_order(line.period))


def demand(paper: Paper) -> Table:
    """Basic charges: the greatest quarter hour of the month, and what was billed."""
    say, names = paper.names.say, paper.names
    money = names.unit("CNY")
    columns = (
        Column(say(N_("connection")), share=1),
        Column(say(N_("greatest demand")), "kW", numeric=True),
        Column(say(N_("at")), share=1.2),
        Column(say(N_("billed")), numeric=True),
        Column(say(N_("unit"))),
        Column(say.fill(N_("{money} per unit"), money=money), numeric=True),
        Column(say(N_("amount")), money, numeric=True),
    )
    rows = tuple(
        (
            d.connection,
            Number(d.max_demand_kw, 1),
            local(d.at, names.timezone()),
            Number(d.billed, 1),
            names.unit(d.unit),
            Number(d.price, 2),
            amount(d.amount),
        )
        for d in paper.statement.demand
    )
    charges = {c.item: c.reference for c in paper.statement.cost if c.item.endswith("_charge")}
    items = ("capacity_charge" if "kVA" in d.unit else "demand_charge" for d in paper.statement.demand)
    lines = explained(columns, (charges.get(item, "") for item in items))
    return _table("demand", say(N_("Basic charge by demand or capacity")), columns, rows, (), (), "", lines)


def settlements(paper: Paper) -> Table:
    """Flows that both parties measured: what each meter said, and what stands in the books."""
    say, names = paper.names.say, paper.names
    within = N_("± of it")
    said = (N_("own meter"), within, N_("check meter"), within, N_("gap"), N_("U (k = 2)"), N_("settled"))
    columns = (
        Column(say(N_("flow")), share=1),
        *(Column(say(n), numeric=True) for n in said),
        Column(say(N_("unit"))),
        Column(say(N_("compared")), numeric=True),
        Column(say(N_("outcome")), share=1),
    )
    rows = tuple(
        (
            s.flow,
            *map(amount, (s.own, s.own_uncertainty, s.other, s.other_uncertainty)),
            *map(amount, (s.gap, s.uncertainty)),
            "—" if s.outcome == "dispute" else amount(s.settled),
            names.unit(s.own.unit),
            share(s.compared / s.expected if s.expected else None),
            headline(names.outcome(s.outcome)),
        )
        for s in paper.statement.settlements
    )
    note = say.fill(N_("{none}: the uncertainty of a meter is unknown."), none=say(N_("n/a")))
    notes = (note, *(_in_dispute(paper, s) for s in paper.statement.settlements if s.outcome == "dispute"))
    return _table("settlements", say(N_("Two meters on one pipe")), columns, rows, (), notes, "", ())


def _in_dispute(paper: Paper, found: Settlement) -> str:
    """What each side of a disputed flow counts, with its unit."""
    least, most = found.sides
    said = {
        name: f"{a.value:,.3f} {paper.names.unit(a.unit)}"
        for name, a in (("least", least), ("most", most), ("gap", most - least))
    }
    return paper.names.say.fill(IN_DISPUTE, flow=found.flow, **said)


# --------------------------------------------------------------------------------------------------- balances


def balances(paper: Paper) -> Iterator[Table]:
    """Opening, movement and closing since January of each account: of energy and cost, then of the book."""
    yield _balances(paper, paper.physical)
    if paper.statement.book != paper.physical.book:
        yield _balances(paper, paper.statement)


def _balances(paper: Paper, found: Statement) -> Table:
    say, names = paper.names.say, paper.names
    columns = (
        Column(say(N_("account")), share=1.6),
        Column(say(N_("commodity")), share=1.3),
        Column(say(N_("unit"))),
        *(
            Column(say(n), numeric=True)
            for n in (N_("opening"), N_("movement"), N_("of it estimated"), N_("closing"))
        ),
        Column(say(N_("line")), share=1.2),
    )
    rows = tuple(
        (
            headline(names.account(a.account)),
            formula(names.commodity(a.commodity)),
            formula(names.unit(a.opening.unit)),
            *map(amount, (a.opening, a.movement, a.estimated, a.closing)),
            a.account,
        )
        for a in found.accounts
    )
    title = say.fill(
        N_("Balances since {first}, {book}"), first=f"{found.month // 100}-01", book=names.book(found.book)
    )
    lines = explained(columns, (a.reference for a in found.accounts), apart=(3, 6))
    return _table(f"balances_{found.book}", title, columns, rows, (), (), say(NOTHING_POSTED), lines)


def _table(
    key: str,
    title: str,
    columns: tuple[Column, ...],
    rows: tuple[tuple[Cell, ...], ...],
    total: tuple[Cell, ...],
    notes: tuple[str, ...],
    empty: str,
    references: tuple[tuple[str, ...], ...],
) -> Table:
    """A table of sheet "lines"; without rows it has no total and no notes."""
    kept = (total, notes) if rows else ((), ())
    return Table(key, "lines", title, columns, rows, *kept, empty, references)
