"""Scope 3, the categories of ISO 14064-1 and the consolidated park, as tables. Holds no calculation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lujin.accounts.amounts import CO2E
from lujin.errors import N_
from lujin.show.amounts import number
from lujin.show.text import NOTHING, Column, Table, number_column, say_line, show_table
from lujin.show.words import SCOPES, Words

if TYPE_CHECKING:
    from rich.console import Console

    from lujin.accounts import ParkTotals, Statement
    from lujin.accounts.statement_parts import CarbonLine


def scope3(console: Console, found: Statement, words: Words) -> None:
    """By category, apart from scopes 1 and 2; CO2e that its source does not resolve into gases apart again."""
    say = words.say
    columns = [
        Column(say(N_("category"))),
        Column(say(N_("source"))),
        number_column(say(N_("CO2, fossil [t]"))),
        number_column("tCO2e"),
        number_column(say(N_("tCO2e as published"))),
        Column(say(N_("line"))),
    ]
    rows = [
        [
            words.term(SCOPES, line.scope),
            words.carrier(line.account.partition("/")[2]),
            number(line.gases["CO2f"]) if "CO2f" in line.gases else NOTHING,
            number(line.co2e),
            _as_published(line),
            line.account,
        ]
        for line in found.scope3
    ]
    show_table(console, say(N_("Scope 3, apart from scopes 1 and 2")), Table(columns, rows))


def _as_published(line: CarbonLine) -> str:
    parts = [
        f"{number(amount)} ({gas.removeprefix(CO2E)})"
        for gas, amount in line.gases.items()
        if gas.startswith(CO2E)
    ]
    return ", ".join(parts) or NOTHING


def iso14064(console: Console, found: Statement, words: Words) -> None:
    """The same lines by category; those that a park does not see stay empty."""
    say = words.say
    if not found.scope3:
        return
    columns = [
        Column(say(N_("category"))),
        Column(say(N_("meaning"))),
        number_column("tCO2e"),
        number_column(say(N_("CO2, biogenic [t]"))),
        Column(say(N_("of scopes"))),
    ]
    rows = [
        [
            str(c.category),
            say.name(c.name_zh, c.name_en),
            number(c.co2e) if c.gases else NOTHING,
            number(c.biogenic) if c.biogenic else NOTHING,
            ", ".join(c.scopes) or say(N_("not seen by the park's meters")),
        ]
        for c in found.iso14064
    ]
    show_table(console, say(N_("The same by category of ISO 14064-1:2018")), Table(columns, rows))


def consolidated(console: Console, found: ParkTotals, words: Words) -> None:
    """The park as one enterprise, book by book."""
    say = words.say
    columns = [
        Column(say(N_("book"))),
        number_column(say(N_("scope 1 [tCO2e]"))),
        number_column(say(N_("scope 2 of all [tCO2e]"))),
        number_column(say(N_("eliminated [tCO2e]"))),
        number_column(say(N_("scope 2 through the fence [tCO2e]"))),
    ]
    rows = [
        [
            words.book(book),
            number(c.scope1),
            number(c.scope2_gross),
            number(c.eliminated) if c.by_addition else NOTHING,
            number(c.scope2) if c.by_addition else NOTHING,
        ]
        for book, c in found.consolidated.items()
    ]
    show_table(console, say(N_("The park as one enterprise")), Table(columns, rows))
    without = [words.book(book) for book, c in found.consolidated.items() if not c.by_addition]
    if without:
        text = N_(
            "no eliminations in: {books}; the regulatory book nets purchases and sales, packs of version 1 "
            "hold what neighbours made in both scopes"
        )
        say_line(console, say.fill(text, books=words.comma().join(without)), "dim")
    if found.overlap:
        text = N_(
            "up to {energy} {unit} were sold to the public grid and may have been bought back: disclosed, not "
            "eliminated"
        )
        energy = say.fill(text, energy=number(found.overlap, 0), unit=words.unit(found.overlap.unit))
        say_line(console, energy, "dim")
