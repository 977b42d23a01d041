"""Which published fact holds: rows of the reference tables with value, validity, source and confidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lujin.errors import N_
from lujin.reference import Row
from lujin.show.factors import PURPOSES, TABLES, factor_text, factor_value, source_name
from lujin.show.text import Column, Table, number_column, say_line, show_table, type_next
from lujin.show.words import CONFIDENCE, Words

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 40


def tables(console: Console, rows: Sequence[Row], words: Words, park: str) -> None:
    """What there is to search: tables with how many rows, the park's own among them, and the unverified."""
    say = words.say
    every = Counter(row.table for row in rows)
    own = Counter(row.table for row in rows if row.origin != "lujin")
    doubtful = Counter(row.table for row in rows if row.confidence != "verified")
    columns = [
        Column(say(N_("table"))),
        Column(say(N_("what it holds"))),
        number_column(say(N_("rows"))),
        number_column(say(N_("the park's own"))),
        number_column(say(N_("unverified"))),
    ]
    body = [
        [
            name,
            words.term(TABLES, name),
            f"{count:,}",
            f"{own[name]:,}" if own[name] else "",
            f"{doubtful[name]:,}",
        ]
        for name, count in sorted(every.items())
    ]
    show_table(console, say(N_("Reference tables")), Table(columns, body))
    command = f"lujin reference {park} --table grid_factors --region {words.park.region} --date 2025-06-30"
    type_next(console, say, [(command, say(N_("which factor holds when")))])


def rows(console: Console, found: Sequence[Row], words: Words, *, whole: bool = False) -> None:
    say = words.say
    if not found:
        say_line(console, say(N_("no row answers; leave out a word, the region or the date")), "yellow")
        return
    shown = found if whole else found[:SHOWN]
    sources = list(dict.fromkeys(row.source for row in shown))
    for table in dict.fromkeys(row.table for row in shown):
        of_table = [row for row in shown if row.table == table]
        _table(console, words.term(TABLES, table), of_table, sources, words)
    for place, source in enumerate(sources, start=1):
        say_line(console, f"[{place}] {source_name(words, source)}", "dim")
    if len(shown) < len(found):
        text = N_("{count} more rows; narrow the search, or list them with --all")
        say_line(console, say.fill(text, count=len(found) - len(shown)), "dim")


def _table(console: Console, title: str, found: Sequence[Row], sources: Sequence[str], words: Words) -> None:
    say = words.say
    columns = [
        Column(say(N_("factor or price"))),
        number_column(say(N_("value"))),
        Column(say(N_("unit"))),
        Column(say(N_("in force"))),
        Column(say(N_("confidence"))),
        Column(say(N_("use"))),
        Column(say(N_("origin"))),
        Column(say(N_("source"))),
    ]
    body = [
        [
            factor_text(words, row.table, row.values),
            *factor_value(words, row.values),
            _validity(row),
            words.term(CONFIDENCE, row.confidence),
            words.term(PURPOSES, row.values.get("purpose", "")),
            "" if row.origin == "lujin" else f"{Path(row.origin).name}:{row.line}",
            f"[{sources.index(row.source) + 1}]",
        ]
        for row in found
    ]
    show_table(console, title, Table(columns, body))


def _validity(row: Row) -> str:
    """Both days count. Open sides are left empty."""
    if row.valid_from is None and row.valid_to is None:
        return ""
    return f"{row.valid_from or '…'} – {row.valid_to or '…'}"


def as_dict(row: Row) -> dict[str, Any]:
    """For JSON: identity, place and every published column."""
    return {
        "id": row.id,
        "table": row.table,
        "value": row.values["value"],
        "unit": row.unit,
        "valid_from": None if row.valid_from is None else row.valid_from.isoformat(),
        "valid_to": None if row.valid_to is None else row.valid_to.isoformat(),
        "source": row.source,
        "confidence": row.confidence,
        "origin": row.origin,
        "line": row.line,
        "values": dict(row.values),
    }
