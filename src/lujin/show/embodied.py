"""What carbon came to an enterprise and where it went, as a table of the statement. Holds no calculation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lujin.accounts.amounts import total
from lujin.accounts.totals import EMBODIED_OUT
from lujin.errors import N_
from lujin.show.amounts import number
from lujin.show.text import Column, Table, number_column, say_line, show_table
from lujin.show.words import Words

if TYPE_CHECKING:
    from rich.console import Console

    from lujin.accounts import ParkTotals, Statement
    from lujin.accounts.embodied_statement import EmbodiedLine
    from lujin.accounts.method_range import MethodRange

KINDS: Mapping[str, str] = {
    "direct": N_("own emissions: {party}"),
    "purchased": N_("bought outside: {party}"),
    "received": N_("received from {party}"),
    "used": N_("own use: {party}"),
    "passed_on": N_("passed on to {party}"),
    "sold_outside": N_("sold outside: {party}"),
    "suspense": N_("in suspense: {party}"),
    "stored": N_("stored for good: {party}"),
    "stock_change": N_("more in store: {party}"),
    "in_progress": N_("more in progress"),
    "captured": N_("memo, captured CO2: {party}"),
}
FATES: Mapping[str, str] = {
    "used": N_("used"),
    "mineral_binding": N_("bound in minerals"),
    "geological_storage": N_("stored underground"),
}


def embodied(console: Console, found: Statement, words: Words) -> None:
    """Both sides sum up to the same. Only where the park keeps the book."""
    section = found.embodied
    if section is None:
        return
    say = words.say
    columns = [
        Column(say(N_("embodied carbon")), spare=True),
        number_column(say(N_("in [tCO2e]"))),
        number_column(say(N_("out [tCO2e]"))),
        number_column(say(N_("estimated [tCO2e]"))),
        number_column(say(N_("biogenic CO2 [t]"))),
        Column(say(N_("line"))),
    ]
    rows = [
        [
            line_name(line, words),
            number(line.co2e) if line.way == "in" else "",
            number(line.co2e) if line.way != "in" else "",
            number(line.estimated_co2e),
            number(line.gases.get("CO2b")),
            line.reference.split(":", 3)[3],
        ]
        for line in section.lines
    ]
    sums = [say(N_("total")), number(section.incoming), number(section.outgoing), "", "", ""]
    show_table(console, say(N_("Embodied carbon: what came in, and where it went")), Table(columns, rows, sums))
    if found.methods is not None:
        say_line(console, by_formula(found.methods, words), "dim")


GROUPS: Mapping[str, str] = {
    "ATM": N_("own emissions of all"),
    "EXT": N_("bought outside the park"),
    "OWN": N_("used by the enterprises"),
    "OUT": N_("sold outside the park"),
    "STORED": N_("stored for good"),
    "STK": N_("in batteries and stores"),
    "WIP": N_("in progress"),
    "SUSPENSE": N_("in suspense"),
}


def whole(console: Console, found: ParkTotals, words: Words) -> None:
    """Book embodied of all enterprises: what came in is where it is now, and nothing stands twice."""
    if not found.embodied:
        return
    say = words.say
    columns = [
        Column(say(N_("embodied carbon"))),
        number_column(say(N_("in [tCO2e]"))),
        number_column(say(N_("out [tCO2e]"))),
    ]
    rows = [
        [say(GROUPS[group]), *(["", number(amount)] if group in EMBODIED_OUT else [number(amount), ""])]
        for group, amount in found.embodied.items()
    ]
    sums = [
        total((a for g, a in found.embodied.items() if (g in EMBODIED_OUT) == out), "mgCO2e")
        for out in (False, True)
    ]
    title = say(N_("Embodied carbon of the park, passed on and counted once"))
    show_table(console, title, Table(columns, rows, [say(N_("total")), *map(number, sums)]))


def by_formula(methods: MethodRange, words: Words) -> str:
    """How far the choice of a formula for joint production moves what the enterprise carries."""
    low, high = methods.span
    text = N_("by other formulas for joint production its use carries {low} to {high} tCO2e ({methods})")
    named = words.comma().join(methods.by_method)
    return words.say.fill(text, low=number(low), high=number(high), methods=named)


def line_name(line: EmbodiedLine, words: Words) -> str:
    """What a line of the balance is, and with whom."""
    party = line.party
    if line.kind == "direct":
        name = words.carrier(party)
    elif line.kind in ("captured", "stored"):
        name = words.term(FATES, party)
    else:
        name = words.node(party)
    return words.say.fill(KINDS[line.kind], party=name)
