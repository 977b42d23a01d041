"""The carbon tables of a printed statement: scopes 1 to 3, categories of ISO 14064-1, embodied carbon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from lujin.accounts import Amount
from lujin.accounts.amounts import CO2E, GASES
from lujin.accounts.embodied_statement import EmbodiedLine
from lujin.accounts.sections import CARBON_BOOKS
from lujin.errors import N_
from lujin.publish.content import Column, Table, explained
from lujin.publish.letterhead import Names, Paper
from lujin.publish.numbers import (
    NOT_POSTED,
    NOTHING_POSTED,
    Cell,
    amount,
    headline,
    kilograms,
)
from lujin.publish.tables import account_of


def carbon(paper: Paper) -> Table:
    """Lines of the book asked for: CO2 in t, the other gases in kg, CO2e through the GWP set of the pack."""
    say, names, found = paper.names.say, paper.names, paper.statement
    columns = (
        Column(say(N_("scope"))),
        Column(say(N_("source")), share=1.4),
        *_gas_columns(names, GASES),
        Column("CO2e", "t", numeric=True),
        Column(say(N_("of it estimated")), "tCO2e", numeric=True),
        Column(say(N_("line")), share=1.2),
    )
    rows = tuple(
        (
            headline(names.scope(c.scope)),
            names.source(c.account),
            *_gases(c.gases, GASES),
            amount(c.co2e),
            amount(c.estimated_co2e),
            account_of(c.reference),
        )
        for c in found.carbon
    )
    title = say.fill(N_("Carbon, {book}"), book=names.book(found.book))
    notes = [say(N_("Biogenic CO2 and memo lines stand beside the totals and are not part of them."))]
    if any(c.scope == "ELIM" for c in found.carbon):
        notes.append(say(N_("So does what the park as one enterprise eliminates: its neighbours' scope 2.")))
    empty = say(NOTHING_POSTED) if found.book in CARBON_BOOKS else ""
    lines = explained(columns, (c.reference for c in found.carbon))
    return Table("carbon", "carbon", title, columns, rows, _carbon_total(paper), tuple(notes), empty, lines)


def _carbon_total(paper: Paper) -> tuple[Cell, ...]:
    counted = [c for c in paper.statement.carbon if c.scope in ("S1", "S2")]
    if not counted:
        return ()
    gases: list[Cell] = []
    for gas in GASES:
        held = [c.gases[gas] for c in counted if gas in c.gases]
        gases.append(_gas(_sum(held), gas) if gas != "CO2b" else "")
    sums = (amount(_sum([c.co2e for c in counted])), amount(_sum([c.estimated_co2e for c in counted])))
    return (headline(paper.names.say(N_("total"))), "", *gases, *sums, "")


def memo(paper: Paper) -> Table:
    say, names = paper.names.say, paper.names
    columns = (
        Column(say(N_("kind")), share=1),
        Column(say(N_("instrument")), share=2),
        Column(say(N_("used")), numeric=True),
        Column(say(N_("unit"))),
    )
    rows = tuple(
        (headline(names.instrument(m.kind)), m.instrument, amount(m.amount), names.unit(m.amount.unit))
        for m in paper.statement.memo
    )
    lines = explained(columns, (m.reference for m in paper.statement.memo))
    title = say(N_("Green power and certificates used"))
    return Table("memo", "carbon", title, columns, rows, references=lines)


# ---------------------------------------------------------------------------------------------------- scope 3


def scope3(paper: Paper) -> Table:
    """By category, apart from scopes 1 and 2; CO2e that its source does not resolve into gases apart again."""
    say, names, lines = paper.names.say, paper.names, paper.statement.scope3
    gases = _held(line.gases for line in lines)
    columns = (
        Column(say(N_("category")), share=1.3),
        Column(say(N_("source")), share=0.7),
        *_gas_columns(names, gases),
        Column("CO2e", "t", numeric=True),
        Column(say(N_("of it estimated")), "tCO2e", numeric=True),
        Column(say(N_("line")), share=1),
    )
    rows = tuple(
        (
            headline(names.scope(line.scope)),
            names.carrier(line.account.partition("/")[2]),
            *_gases(line.gases, gases),
            _resolved(line.gases, line.co2e),
            _resolved(line.gases, line.estimated_co2e),
            account_of(line.reference),
        )
        for line in lines
    )
    note = say(
        N_("CO2e as published rests on other global warming potentials, or on none named, and is not added.")
    )
    notes = (note,) if any(_resolved(line.gases, line.co2e) == NOT_POSTED for line in lines) else ()
    title = say(N_("Scope 3, apart from scopes 1 and 2"))
    found = explained(columns, (line.reference for line in lines))
    return Table("scope3", "carbon", title, columns, rows, notes=notes, references=found)


def iso14064(paper: Paper) -> Table:
    """The same lines by category, where scope 3 is known; those that a park does not see stay empty."""
    say, names = paper.names.say, paper.names
    found = paper.statement.iso14064 if paper.statement.scope3 else ()
    gases = [gas for gas in _held(c.gases for c in found) if gas != "CO2b"]
    columns = (
        Column(say(N_("category"))),
        Column(say(N_("meaning")), share=1.6),
        *_gas_columns(names, gases),
        Column("CO2e", "t", numeric=True),
        Column(*_gas_title(names, "CO2b"), numeric=True),
        Column(say(N_("of scopes")), share=1),
    )
    rows = tuple(
        (
            str(c.category),
            headline(say.name(c.name_zh, c.name_en)),
            *_gases(c.gases, gases),
            _resolved(c.gases, c.co2e),
            amount(c.biogenic) if c.scopes else NOT_POSTED,
            ", ".join(c.scopes) or say(N_("not seen by the park's meters")),
        )
        for c in found
    )
    return Table("iso14064", "carbon", say(N_("The same by category of ISO 14064-1:2018")), columns, rows)


# --------------------------------------------------------------------------------------------------- embodied


def embodied(paper: Paper) -> Iterator[Table]:
    """What carbon came in and where it went; then what other formulas for joint production would say."""
    section = paper.statement.embodied
    if section is None:
        return
    say, names, lines = paper.names.say, paper.names, section.lines
    gases = _held(line.gases for line in lines)
    ways = {"in": say(N_("in")), "out": say(N_("out")), "memo": say(N_("memo"))}
    ways = {way: said for way, said in ways.items() if way != "memo" or any(line.way == way for line in lines)}
    columns = (
        Column(say(N_("embodied carbon")), share=1.6),
        *(Column(said, "tCO2e", numeric=True) for said in ways.values()),
        Column(say(N_("of it estimated")), "tCO2e", numeric=True),
        *_gas_columns(names, gases),
        Column(say(N_("line")), share=0.7),
    )
    rows = tuple(
        (
            headline(names.embodied(line)),
            *_in_its_column(line, ways),
            amount(line.estimated_co2e),
            *_gases(line.gases, gases),
            account_of(line.reference),
        )
        for line in lines
    )
    sums = {"in": amount(section.incoming), "out": amount(section.outgoing)}
    total = (headline(say(N_("total"))), *(sums.get(way, "") for way in ways), *("",) * (len(gases) + 2))
    title = say(N_("Embodied carbon: what came in, and where it went"))
    found = explained(columns, (line.reference for line in lines))
    yield Table("embodied", "carbon", title, columns, rows, total if rows else (), references=found)
    yield _formulas(paper)


def _in_its_column(line: EmbodiedLine, ways: Mapping[str, str]) -> Iterator[Cell]:
    return (amount(line.co2e) if way == line.way else "" for way in ways)


def _formulas(paper: Paper) -> Table:
    say, methods = paper.names.say, paper.statement.methods
    columns = (Column(say(N_("formula"))), Column("CO2e", "t", numeric=True))
    rows: tuple[tuple[Cell, ...], ...] = ()
    notes: tuple[str, ...] = ()
    if methods is not None:
        chosen = (headline(say(N_("as posted"))), amount(methods.chosen))
        rows = (chosen, *((name, amount(co2e)) for name, co2e in methods.by_method.items()))
        notes = (headline(paper.names.formulas(methods)),)
    title = say(N_("Carbon that remains with it, by formula for joint production"))
    return Table("formulas", "carbon", title, columns, rows, notes=notes)


# ------------------------------------------------------------------------------------------------------ gases


def _held(lines: Iterable[Mapping[str, Amount]]) -> list[str]:
    """The gases of the lines, in the order of the books; then CO2e as published under some GWP set."""
    held = {gas for gases in lines for gas in gases}
    return [*(gas for gas in GASES if gas in held), *sorted(held.difference(GASES))]


def _gas_columns(names: Names, gases: Iterable[str]) -> Iterator[Column]:
    return (Column(*_gas_title(names, gas), numeric=True) for gas in gases)


def _gases(held: Mapping[str, Amount], gases: Iterable[str]) -> Iterator[Cell]:
    return (_gas(held.get(gas), gas) for gas in gases)


def _resolved(gases: Mapping[str, Amount], co2e: Amount | None) -> Cell:
    """CO2e of what is resolved into gases, or published under the book's own GWP set; nothing is no zero."""
    none = co2e is not None and not co2e and not any(gas in GASES for gas in gases)
    return NOT_POSTED if none else amount(co2e)


def _gas_title(names: Names, gas: str) -> tuple[str, str]:
    unit = "tCO2e" if gas.startswith(CO2E) else "t" if gas.startswith("CO2") else "kg"
    return names.commodity(gas), unit


def _gas(found: Amount | None, gas: str) -> Cell:
    if found is None:
        return NOT_POSTED
    return amount(found) if gas.startswith("CO2") else kilograms(found)


def _sum(amounts: Sequence[Amount | None]) -> Amount | None:
    """None where one of them is unknown: a total of a part would pass for the whole."""
    found: Amount | None = None
    for one in amounts:
        if one is None:
            return None
        found = one if found is None else found + one
    return found
