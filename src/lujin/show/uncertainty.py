"""How uncertain the totals of a book are, what brings most of it, and what nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from lujin.errors import N_
from lujin.show.amounts import month_text, percent
from lujin.show.amounts import number as amount_text
from lujin.show.factors import NUMBERS, factor_name
from lujin.show.text import NOTHING, Column, Table, number_column, say_line, show_table
from lujin.show.words import SCOPES, Words

if TYPE_CHECKING:
    from rich.console import Console

    from lujin.accounts.statement_parts import FactorUse
    from lujin.accounts.uncertainty_parts import UncertainTotal, Uncertainty

TOTALS: Mapping[str, str] = {
    "book": N_("together"),
    "direct": N_("own emissions"),
    "acquired": N_("taken over"),
    "transferred": N_("passed on"),
    "final": N_("own use and sold outside"),
}
# Natural key of a factor's row → its table and columns
Named = Mapping[str, tuple[str, Mapping[str, str]]]


def section(console: Console, found: Uncertainty, words: Words, named: Named) -> None:
    """One row per total; below it the largest contributors and the data of unknown uncertainty."""
    say = words.say
    unit = words.unit(found.totals[0].value.unit) if found.totals else ""
    columns = [
        Column(say(N_("total"))),
        number_column(unit),
        number_column(say(N_("± at 95 %"))),
        number_column(say(N_("quantified"))),
        number_column(say(N_("± of it"))),
        number_column(say(N_("unknown")), keep=True),
        number_column(say(N_("lowest drawn"))),
        number_column(say(N_("highest drawn"))),
        number_column(say(N_("lowest method"))),
        number_column(say(N_("highest method"))),
    ]
    rows = [_row(words, total) for total in found.totals]
    show_table(console, say(N_("Uncertainty (expanded, 95 %, k = 2)")), Table(columns, rows))
    if not found.totals:
        return
    last = whole(found)
    for text in largest(words, last, named):
        say_line(console, text, "dim")
    for text in unknown(words, last, named):
        say_line(console, text, "yellow")


def named_factors(factors: Iterable[FactorUse]) -> Named:
    """The factors of a statement by the keys that contributors have."""
    return {f.id.rsplit("@", 1)[0]: (f.id.partition(":")[0], f.values) for f in factors}


def whole(found: Uncertainty) -> UncertainTotal:
    """The total that holds all others; there is at least one."""
    return found.of("book") or found.of("final") or found.totals[-1]


def total_name(words: Words, total: str) -> str:
    return words.term(SCOPES, total) if total in SCOPES else words.term(TOTALS, total)


def _row(words: Words, total: UncertainTotal) -> list[str]:
    low, high = total.interval or (None, None)
    least, most = total.method_range or (None, None)
    bound = "" if total.known else "≥ "
    return [
        total_name(words, total.total),
        amount_text(total.value),
        f"{bound}{amount_text(total.at_least)}" if total.at_least else NOTHING,
        percent(1 - total.unknown_share),
        f"± {percent(total.relative)}" if total.relative is not None else NOTHING,
        percent(total.unknown_share) if total.unknown_share else "",
        *("" if one is None else amount_text(one) for one in (low, high, least, most)),
    ]


def largest(words: Words, total: UncertainTotal, named: Named) -> Iterable[str]:
    if total.contributors:
        parts = ((c.kind, c.source, c.share) for c in total.contributors)
        text = N_("largest of the known contributions: {names}")
        yield words.say.fill(text, names=_listed(words, parts, named))


def unknown(words: Words, total: UncertainTotal, named: Named) -> Iterable[str]:
    if total.unknown:
        parts = ((u.kind, u.source, u.share) for u in total.unknown)
        text = N_("unknown: no uncertainty is published or stated for {names}")
        yield words.say.fill(text, names=_listed(words, parts, named))


def _listed(words: Words, parts: Iterable[tuple[str, str, float]], named: Named) -> str:
    said = [f"{source_name(words, kind, source, named)} {percent(share)}" for kind, source, share in parts]
    return words.semicolon().join(said)


def source_name(words: Words, kind: str, source: str, named: Named) -> str:
    """A source as a person calls it: a meter by its id, a factor by its name and the number in it."""
    say = words.say
    if kind == "factor":
        key, _, parameter = source.partition("#")
        number = words.term(NUMBERS, parameter)
        table, values = named.get(key, ("", {}))
        name = factor_name(words, table, values) if values else _of_key(key)
        if parameter == "value" and not values:
            number = ""
        elif parameter == "value":  # CH4 and N2O of a fuel have one name and two rows
            number = words.unit(values["unit"]) if values.get("kind") == "parameter" else ""
        return say.fill(N_("{name}, {number}"), name=name, number=number) if number else name
    if kind == "meter":
        return say.fill(N_("meter {meter}"), meter=source)
    if kind == "estimate":
        return say.fill(N_("estimate of {subject}"), subject=source)
    return say.fill(N_("allocation at {node}"), node=source)


def _of_key(key: str) -> str:
    """A neighbour's factor, of which the statement knows the key alone.

    >>> _of_key("fuel_factors:GBT32151-C1|fuel|烟煤|tCO2/t|2024-01-01")
    '烟煤 (GBT32151-C1)'
    """
    parts = key.partition(":")[2].split("|")
    return f"{parts[2]} ({parts[0]})" if len(parts) > 2 else parts[0]


def report(console: Console, found: Sequence[Uncertainty], words: Words, named: Named) -> None:
    """The verb ``uncertainty``: one section per book."""
    for one in found:
        who = words.node(one.enterprise) if one.enterprise else words.say(N_("all enterprises"))
        text = N_("{who} · {month} · {book}")
        head = words.say.fill(text, who=who, month=month_text(one.month), book=words.book(one.book))
        console.print()
        say_line(console, head, "bold")
        section(console, one, words, named)
        if one.draws:
            text = N_("{draws} draws, seed {seed}: 2.5 % and 97.5 % over the known sources")
            say_line(console, words.say.fill(text, draws=f"{one.draws:,}", seed=one.seed), "dim")
