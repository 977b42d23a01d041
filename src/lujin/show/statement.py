"""The statement of an enterprise (对账单) on a terminal, laid out like a bank statement. Holds no calculation
beyond sums of what the statement says.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from lujin.accounts import Amount
from lujin.accounts.amounts import total
from lujin.errors import N_
from lujin.show import periods
from lujin.show.amounts import grouped, local, month_text, number, percent, share
from lujin.show.balance import settlements
from lujin.show.embodied import embodied
from lujin.show.factors import factor_text, factor_value, source_name
from lujin.show.scopes import iso14064, scope3
from lujin.show.text import (
    LEAST,
    NOTHING,
    Column,
    Table,
    number_column,
    padded,
    say_line,
    show_table,
    type_next,
    width_of,
    wrapped,
)
from lujin.show.uncertainty import named_factors
from lujin.show.uncertainty import section as uncertainty_section
from lujin.show.words import CONFIDENCE, REASONS, SCOPES, STATES, Words

if TYPE_CHECKING:
    from rich.console import Console

    from lujin.accounts import Statement
    from lujin.accounts.statement_parts import AccountLine, CostLine, EnergyLine

CHANGES = 12  # changed accounts per restatement before "and N more"


def statement(console: Console, found: Statement, physical: Statement, words: Words, park: str) -> None:
    """``physical``: the same month in the book of energy and money, for the balances. ``park``: the path that the
    user typed, for the commands to type next.
    """
    _letterhead(console, found, words)
    if found.status == "not_posted":
        say = words.say(N_("nothing is posted for this month and book; import readings and run: lujin run {park}"))
        say_line(console, say.format(park=park), "yellow")
        return
    _balances(console, found, physical, words)
    _energy(console, found, words)
    _cost(console, found, words)
    _carbon(console, found, words)
    scope3(console, found, words)
    iso14064(console, found, words)
    embodied(console, found, words)
    _uncertainty(console, found, words)
    _completeness(console, found, words)
    settlements(console, found.settlements, words)
    _restatements(console, found, words)
    _factors(console, found, words)
    _next(console, found, words, park)


def _letterhead(console: Console, found: Statement, words: Words) -> None:
    say, width = words.say, min(console.width, 100)
    name = f"{say.name(found.name_zh, found.name_en)} ({found.enterprise})"
    title = say.fill(N_("energy and carbon statement {month}"), month=month_text(found.month))
    if width_of(name) + width_of(title) + 2 <= width:
        console.print(name + padded(title, width - width_of(name), right=True), style="bold", soft_wrap=True)
    else:
        say_line(console, name, "bold")
        say_line(console, title, "bold")
    say_line(console, say.name(words.park.name_zh, words.park.name_en))
    console.print("═" * width, style="dim", soft_wrap=True)
    year, month = divmod(found.month, 100)
    first, last = f"{year}-{month:02}-01", f"{year}-{month:02}-{monthrange(year, month)[1]}"
    zone = words.park.timezone
    method = say.name(found.pack_zh, found.pack_en)
    state = words.term(STATES, found.status)
    facts = [
        (N_("period"), say.fill(N_("{first} to {last} ({zone})"), first=first, last=last, zone=zone)),
        (N_("book"), f"{words.book(found.book)} · {method}" if method else words.book(found.book)),
    ]
    if found.version:
        version = say.fill(
            N_("{state}, version {version}, recorded {when}"),
            state=state,
            version=found.version,
            when=local(found.recorded_at, zone),
        )
        facts.append((N_("state"), version))
    else:
        facts.append((N_("state"), state))
    facts.append((N_("state of the period"), periods.state(words, found.period)))
    if found.as_of is not None:
        facts.append((N_("as known on"), local(found.as_of, zone)))
    slots = found.completeness
    if slots.expected:
        said = say.fill(
            N_("{measured} measured, {estimated} estimated, {missing} missing; {suspect} suspect"),
            measured=percent(slots.measured_part),
            estimated=percent(slots.estimated_part),
            missing=percent(slots.missing_part),
            suspect=share(slots.suspect, slots.expected),
        )
        facts.append((N_("readings"), said))
    left = max(width_of(say(label)) for label, _ in facts) + 2
    for label, text in facts:
        first_line, *rest = wrapped(text, console.width - left)
        console.print(padded(say(label), left), style="dim", end="", soft_wrap=True)
        console.print(first_line, soft_wrap=True)
        for more in rest:
            console.print(" " * left + more, soft_wrap=True)


# --------------------------------------------------------------------------------------------------- balances


def _balances(console: Console, found: Statement, physical: Statement, words: Words) -> None:
    """Opening, movement and closing since January: own energy, standard coal, cost, and gases by account."""
    say = words.say
    own = [a for a in physical.accounts if a.group == "OWN"]
    order = list(words.park.carriers)
    carriers = sorted((a for a in own if _is_carrier(a)), key=lambda a: order.index(a.commodity))
    rows = [_balance(words, words.carrier(a.commodity), [a]) for a in carriers]
    rows += [
        _balance(words, words.commodity(coal), [a for a in own if a.commodity == coal])
        for coal in ("ce_equivalent", "ce_equal")
    ]
    rows.append(_balance(words, say(N_("energy cost")), [a for a in physical.accounts if a.group == "COST"]))
    for line in found.accounts if found.book != "physical" else ():
        if line.group in SCOPES:
            gas = "" if line.commodity == "CO2f" else f", {words.commodity(line.commodity)}"
            rows.append(_balance(words, f"{words.account(line.account)}{gas}", [line]))
    columns = [
        Column(say(N_("account"))),
        Column(say(N_("unit"))),
        number_column(say(N_("opening"))),
        number_column(say(N_("movement"))),
        number_column(say(N_("of it estimated"))),
        number_column(say(N_("closing"))),
    ]
    year = found.month // 100
    title = say.fill(N_("Balances since {first}"), first=f"{year}-01")
    show_table(console, title, Table(columns, [row for row in rows if row]))


def _is_carrier(line: AccountLine) -> bool:
    return line.account.partition("/")[2] == line.commodity


def _balance(words: Words, name: str, lines: Sequence[AccountLine]) -> list[str]:
    if not lines:
        return []
    unit = lines[0].opening.base_unit
    sums = [
        total((getattr(a, part) for a in lines), unit) for part in ("opening", "movement", "estimated", "closing")
    ]
    shown = f"{sums[0].unit} CO2" if lines[0].commodity == "CO2f" else sums[0].unit
    return [name, words.unit(shown.replace("t CO2", "tCO2")), *(number(amount) for amount in sums)]


# ------------------------------------------------------------------------------------------ energy and money


def _energy(console: Console, found: Statement, words: Words) -> None:
    say = words.say
    columns = [
        Column(say(N_("carrier"))),
        Column(say(N_("unit"))),
        number_column(say(N_("purchased"))),
        number_column(say(N_("generated"))),
        number_column(say(N_("delivered"))),
        number_column(say(N_("used"))),
        number_column(say(N_("of it estimated"))),
    ]
    coal = [number_column(say(N_("tce equivalent"))), number_column(say(N_("tce equal value")))]
    line = Column(say(N_("line")), spare=True)
    rows = [_quantities(words, e) for e in found.energy]
    worth = [[number(e.coal_equivalent), number(e.coal_equal)] for e in found.energy]
    sums = [number(found.coal_equivalent), number(found.coal_equal)]
    refs = [_account_of(e.reference) for e in found.energy]
    blank = [""] * (len(columns) - 1)
    joined = Table(
        [*columns, *coal, line],
        [[*row, *tce, ref] for row, tce, ref in zip(rows, worth, refs, strict=True)],
        [say(N_("total")), *blank, *sums, ""],
    )
    if Table([*columns, *coal], [r[:-1] for r in joined.rows], joined.total[:-1]).natural_width() <= console.width:
        show_table(console, say(N_("Energy")), joined)
        return
    show_table(
        console,
        say(N_("Energy")),
        Table([*columns, line], [[*row, ref] for row, ref in zip(rows, refs, strict=True)]),
    )
    names = [[row[0], *tce] for row, tce in zip(rows, worth, strict=True) if set(tce) != {NOTHING}]
    show_table(console, say(N_("Standard coal")), Table([columns[0], *coal], names, [say(N_("total")), *sums]))


def _quantities(words: Words, line: EnergyLine) -> list[str]:
    amounts = (line.purchased, line.generated, line.delivered, line.used, line.estimated)
    return [words.say.name(line.name_zh, line.name_en), words.unit(line.used.unit), *map(number, amounts)]


def _account_of(reference: str) -> str:
    return reference.split(":", 3)[-1]


def _cost(console: Console, found: Statement, words: Words) -> None:
    say = words.say
    money = words.unit("CNY")
    columns = [
        Column(say(N_("item"))),
        Column(say(N_("tariff period"))),
        number_column(say(N_("quantity"))),
        Column(say(N_("unit"))),
        number_column(say.fill(N_("{money} per unit"), money=money)),
        number_column(money),
        number_column(say(N_("of it estimated"))),
        Column(say(N_("line")), spare=True),
    ]
    rows = [_cost_row(words, line, found.energy) for line in sorted(found.cost, key=_cost_order)]
    sums = [number(found.cost_total), number(found.cost_estimated)]
    show_table(console, say(N_("Cost")), Table(columns, rows, [say(N_("total")), "", "", "", "", *sums, ""]))
    _demand(console, found, words)


def _demand(console: Console, found: Statement, words: Words) -> None:
    """Basic charges: the greatest quarter hour of the month, and what was billed."""
    say = words.say
    columns = [
        Column(say(N_("connection"))),
        number_column(say(N_("greatest demand [kW]"))),
        Column(say(N_("at"))),
        number_column(say(N_("billed"))),
        Column(say(N_("unit"))),
        number_column(say.fill(N_("{money} per unit"), money=words.unit("CNY"))),
        number_column(words.unit("CNY")),
    ]
    rows = [
        [
            d.connection,
            grouped(d.max_demand_kw, 1),
            local(d.at, words.park.timezone),
            grouped(d.billed, 1),
            words.unit(d.unit),
            grouped(d.price, 2),
            number(d.amount),
        ]
        for d in found.demand
    ]
    show_table(console, say(N_("Basic charge by demand or capacity")), Table(columns, rows))


_PERIODS = ("super_peak", "peak", "flat", "valley", "deep_valley", "")


def _cost_order(line: CostLine) -> tuple[bool, bool, str, int]:
    """Electricity first, by period; its basic charges; the others by name; income last."""
    charge = line.item.endswith("_charge")
    place = _PERIODS.index(line.period) if line.period in _PERIODS else len(_PERIODS)
    return (
        line.amount.base < 0,
        not (line.item == "electricity" or charge),
        line.item * (not charge) or "f",
        place,
    )


def _cost_row(words: Words, line: CostLine, energy: Iterable[EnergyLine]) -> list[str]:
    quantity = _quantity(line, energy)
    each = ""
    if quantity:
        each = grouped(line.amount.value / quantity.value, 4)
    return [
        words.item(line.item),
        words.period(line.period),
        number(quantity) if quantity else "",
        words.unit(quantity.unit) if quantity else "",
        each,
        number(line.amount),
        number(line.estimated),
        _account_of(line.reference),
    ]


def _quantity(line: CostLine, energy: Iterable[EnergyLine]) -> Amount | None:
    """What the cost was paid for, where the statement says it: purchases of a period, or of a carrier."""
    for e in energy:
        if e.carrier == line.item and line.period:
            return e.periods.get(line.period)
        if e.carrier == line.item and not e.periods:
            return e.purchased
    return None


# --------------------------------------------------------------------------------------------------- carbon

_GASES = ("CO2f", "CO2b", "CH4f", "CH4b", "N2O")


def _carbon(console: Console, found: Statement, words: Words) -> None:
    say = words.say
    columns = [
        Column(say(N_("scope"))),
        Column(say(N_("source"))),
        *(number_column(f"{words.commodity(gas)} [{'t' if gas.startswith('CO2') else 'kg'}]") for gas in _GASES),
        number_column("tCO2e"),
        number_column(say(N_("of it estimated"))),
        Column(say(N_("line"))),
    ]
    rows = [
        [
            words.term(SCOPES, c.scope),
            words.source(c.account),
            *(_gas(c.gases.get(gas), gas) for gas in _GASES),
            number(c.co2e),
            number(c.estimated_co2e),
            c.account,
        ]
        for c in found.carbon
    ]
    counted = [c for c in found.carbon if c.scope in ("S1", "S2")]
    sums = [
        _gas(total((c.gases[gas] for c in counted if gas in c.gases), "mg"), gas) if gas != "CO2b" else ""
        for gas in _GASES
    ]
    whole = total((c.co2e for c in counted if c.co2e is not None), "mgCO2e")
    estimated = total((c.estimated_co2e for c in counted if c.estimated_co2e is not None), "mgCO2e")
    footer = [say(N_("total")), "", *sums, number(whole), number(estimated), ""]
    title = say.fill(N_("Carbon, {book}"), book=words.book(found.book))
    show_table(console, title, Table(columns, rows, footer))
    _books(console, found, words)
    memo = [[words.instrument(m.kind), m.instrument, number(m.amount), m.amount.unit] for m in found.memo]
    heads = [
        Column(say(N_("kind"))),
        Column(say(N_("instrument"))),
        number_column(say(N_("used"))),
        Column(say(N_("unit"))),
    ]
    show_table(console, say(N_("Green power and certificates used")), Table(heads, memo))


def _gas(amount: Amount | None, gas: str) -> str:
    """CO2 in t, the other gases in kg: a boiler's methane is grams beside tonnes."""
    if not amount:
        return NOTHING
    return number(amount) if gas.startswith("CO2") else grouped(amount.value * Decimal(1000), 3)


def _books(console: Console, found: Statement, words: Words) -> None:
    say = words.say
    columns = [
        Column(say(N_("book"))),
        number_column(say(N_("scope 1 [tCO2]"))),
        number_column(say(N_("scope 2 [tCO2]"))),
        number_column(say(N_("together [tCO2]"))),
        number_column(say(N_("of it estimated"))),
        number_column("tCO2e"),
        Column("GWP"),
        Column(say(N_("method pack")), spare=True),
    ]
    rows = [
        [
            words.book(b.book),
            *(number(a) for a in (b.scope1_co2, b.scope2_co2, b.co2, b.estimated_co2, b.co2e)),
            b.gwp,
            b.pack,
        ]
        for b in found.books
    ]
    show_table(console, say(N_("All carbon books side by side (they are not added up)")), Table(columns, rows))


# ------------------------------------------------------------------------------------------ what it rests on


def _uncertainty(console: Console, found: Statement, words: Words) -> None:
    if found.uncertainty is not None:
        uncertainty_section(console, found.uncertainty, words, named_factors(found.factors))


def _completeness(console: Console, found: Statement, words: Words) -> None:
    say = words.say
    odd = [m for m in found.meters if m.estimated or m.missing or m.suspect]
    title = say(N_("Completeness"))
    if not odd:
        console.print()
        console.print(title, style="bold cyan", soft_wrap=True)
        text = N_("all {count} meters are wholly measured, nothing looks suspect")
        say_line(console, say.fill(text, count=len(found.meters)))
        return
    columns = [
        Column(say(N_("meter"))),
        *(number_column(say(n)) for n in (N_("measured"), N_("estimated"), N_("missing"), N_("suspect"))),
    ]
    rows = [
        [
            m.meter,
            percent(m.measured_part),
            percent(m.estimated_part),
            percent(m.missing_part),
            share(m.suspect, m.expected),
        ]
        for m in (*odd, found.completeness)
    ]
    rows[-1][0] = say.fill(N_("all {count} meters"), count=len(found.meters))
    show_table(console, title, Table(columns, rows[:-1], rows[-1]))


def _restatements(console: Console, found: Statement, words: Words) -> None:
    say = words.say
    for place, restated in enumerate(found.restatements):
        if not place:
            console.print()
            console.print(say(N_("Restatements")), style="bold cyan", soft_wrap=True)
        head = say.fill(
            N_("{when} · {book}, version {version} · {reason}"),
            when=local(restated.recorded_at, words.park.timezone),
            book=words.book(restated.book),
            version=restated.version,
            reason=words.term(REASONS, restated.reason),
        )
        say_line(console, head)
        if restated.cause:
            say_line(console, say.fill(N_("cause: {cause}"), cause=restated.cause), indent=2)
        changes = restated.changes[:CHANGES]
        signed = [f"{'+' if c.amount.base > 0 else ''}{number(c.amount)}" for c in changes]
        units = [words.unit(c.amount.unit) for c in changes]
        left, unit = max(map(width_of, signed), default=0), max(map(width_of, units), default=0)
        for change, amount, its in zip(changes, signed, units, strict=True):
            coal = change.commodity in ("ce_equivalent", "ce_equal")
            what = words.commodity(change.commodity) if coal else words.account(change.account)
            if change.commodity in _GASES or change.commodity.startswith("CO2e"):
                what = say.fill(N_("{account} · {gas}"), account=what, gas=words.commodity(change.commodity))
            start = f"  {padded(amount, left, right=True)} {padded(its, unit)}  "
            for line in wrapped(what, max(console.width - width_of(start), LEAST)):
                console.print(start + line, soft_wrap=True)
                start = " " * width_of(start)
        if not restated.changes:
            say_line(console, "  " + say(N_("nothing on the enterprise's own accounts")))
        if len(restated.changes) > CHANGES:
            say_line(console, "  " + say.fill(N_("… and {count} more"), count=len(restated.changes) - CHANGES))


def _factors(console: Console, found: Statement, words: Words) -> None:
    """Values with readable names; sources as numbered notes. The keys are in --json."""
    say = words.say
    sources = list(dict.fromkeys(factor.source for factor in found.factors))
    columns = [
        number_column(say(N_("value"))),
        Column(say(N_("unit"))),
        Column(say(N_("factor or price"))),
        Column(say(N_("confidence"))),
        Column(say(N_("source"))),
    ]
    rows = [
        [
            *factor_value(words, factor.values),
            factor_text(words, factor.id.partition(":")[0], factor.values),
            words.term(CONFIDENCE, factor.confidence),
            f"[{sources.index(factor.source) + 1}]",
        ]
        for factor in found.factors
    ]
    show_table(console, say(N_("Factors and prices used")), Table(columns, rows))
    for place, source in enumerate(sources, start=1):
        say_line(console, f"[{place}] {source_name(words, source)}", "dim")
    if found.unverified:
        text = N_(
            "{count} of them are unverified: check them against their source before you rely on this statement"
        )
        say_line(console, say.fill(text, count=len(found.unverified)), "yellow")


def _next(console: Console, found: Statement, words: Words, park: str) -> None:
    say = words.say
    month = month_text(found.month)
    number_from = say(N_("where a number comes from"))
    commands = []
    if found.carbon:
        commands.append((f"lujin explain {park} {found.carbon[0].reference}", number_from))
        day = f"{month}-{monthrange(*divmod(found.month, 100))[1]}"
        readings = say(N_("a day of it, down to the readings"))
        commands.append((f"lujin explain {park} {found.carbon[0].reference}:{day}", readings))
    if found.cost:
        line = min(found.cost, key=_cost_order)
        commands.append((f"lujin explain {park} {line.reference}", number_from))
    asked = f"-e {found.enterprise} -m {month}"
    commands.append((f"lujin status {park} {asked}", say(N_("gaps, estimates and suspects, meter by meter"))))
    if others := [b.book for b in found.books if b.book != found.book]:
        commands.append((f"lujin statement {park} {asked} --book {others[0]}", words.book(others[0])))
    type_next(console, words.say, commands)
