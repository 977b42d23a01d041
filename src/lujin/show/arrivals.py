"""Arrivals, and what taking one back changes, said to a person. No calculation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lujin.errors import N_
from lujin.show.amounts import local, month_text
from lujin.show.text import NOTHING, Column, Table, number_column, say_line, show_table, type_next
from lujin.show.words import Words

if TYPE_CHECKING:
    from rich.console import Console

    from lujin.workspace.arrivals import ArrivalRecord
    from lujin.workspace.undoing import Undoing

STATES: Mapping[str, str] = {
    "started": N_("interrupted"),
    "committed": N_("stored"),
    "abandoned": N_("given up, nothing stored"),
    "undone": N_("taken back"),
}
FEW = 5


def listed(console: Console, found: Sequence[ArrivalRecord], words: Words, park: str) -> None:
    say = words.say
    columns = [
        number_column(say(N_("number")), keep=True),
        Column(say(N_("file"))),
        Column(say(N_("recorded"))),
        Column(say(N_("by"))),
        number_column(say(N_("accepted"))),
        number_column(say(N_("corrects earlier"))),
        number_column(say(N_("rejected"))),
        Column(say(N_("months"))),
        Column(say(N_("state")), spare=True),
    ]
    rows = [
        [
            str(r.number),
            r.name,
            local(r.recorded_at, words.park.timezone),
            r.author or NOTHING,
            *(f"{count:,}" if (count := r.counts.get(name, 0)) else NOTHING for name in _COUNTS),
            months_text(r.months),
            state(r, words),
        ]
        for r in found
    ]
    show_table(console, say(N_("Arrivals")), Table(columns, rows))
    if any(r.can_be_undone for r in found):
        type_next(console, say, [(f"lujin undo {park} SOURCE --dry-run", say(N_("what taking one back changes")))])


_COUNTS = ("accepted", "corrects", "rejected")


def state(record: ArrivalRecord, words: Words) -> str:
    """In a few words, with the other arrival that it has to do with."""
    if record.undone_by is not None:
        return words.say.fill(N_("taken back by arrival {number}"), number=record.undone_by)
    if record.undoes is not None and record.state == "committed":
        return words.say.fill(N_("takes back arrival {number}"), number=record.undoes)
    return words.term(STATES, record.state)


def months_text(months: Sequence[int]) -> str:
    if not months:
        return NOTHING
    ends = month_text(months[0]), month_text(months[-1])
    return ends[0] if len(months) == 1 else f"{ends[0]} – {ends[1]}"


def undone(console: Console, found: Undoing, words: Words, park: str) -> None:
    say = words.say
    heading = N_("Arrival {source}, {name}, was taken back by arrival {number}")
    if not found.number:
        heading = N_("Taking back arrival {source}, {name}, would change")
    elif found.restores:
        heading = N_("Arrival {source}, {name}, was taken back by arrival {number}: what it took back holds again")
    say_line(console, say.fill(heading, source=found.source, name=found.name, number=found.number), "bold")
    for text in sentences(found, words):
        say_line(console, text, indent=2)
    if found.number and found.months:
        type_next(console, say, [(f"lujin run {park}", say(N_("post the difference")))])


def sentences(found: Undoing, words: Words) -> list[str]:
    """What it changes, one fact a line."""
    say = words.say
    told = [
        (found.withdrawn, N_("{count} readings are missing again: nobody else told of them")),
        (found.restated, N_("{count} readings have another value again")),
        (found.untouched, N_("{count} readings stay: a later arrival decides them")),
    ]
    lines = [say.fill(text, count=f"{count:,}") for count, text in told if count]
    if not lines:
        lines = [say(N_("no reading changes"))]
    if found.months:
        lines.append(say.fill(N_("months: {months}"), months=months_text(found.months)))
    if found.repeated_by:
        names = words.comma().join(f"{s.name} ({s.number})" for s in found.repeated_by[-FEW:])
        text = N_("later arrivals repeated readings known then; import them again if they bring the same: {names}")
        lines.append(say.fill(text, names=names))
    return lines
