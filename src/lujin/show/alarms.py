"""Alarms said to a person. No calculation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from lujin.alarms.life import STATES
from lujin.alarms.rules import SEVERITIES
from lujin.errors import N_
from lujin.show.amounts import local
from lujin.show.text import Column, Table, number_column, say_line, show_table, type_next

if TYPE_CHECKING:
    from rich.console import Console

    from lujin.alarms import Alarm, Evaluation
    from lujin.language import Speech
    from lujin.show.words import Words


def alarms(console: Console, found: Sequence[Alarm], words: Words, now: datetime) -> None:
    say, zone = words.say, words.park.timezone
    columns = [
        number_column(say(N_("number"))),
        Column(say(N_("state"))),
        Column(say(N_("severity"))),
        Column(say(N_("since"))),
        Column(say(N_("what"))),
    ]
    rows = [
        [
            str(alarm.number),
            say(STATES[alarm.state(now)]),
            say(SEVERITIES[alarm.severity]),
            local(alarm.raised_at, zone),
            alarm.said.text(say),
        ]
        for alarm in found
    ]
    show_table(console, say(N_("Alarms")), Table(columns, rows))
    if not found:
        say_line(console, say(N_("no alarm stands")), "green")


def round_of(
    console: Console, found: Evaluation | None, rules: int, given_up: int, say: Speech, park: str
) -> None:
    if found is not None:
        text = N_("{rules} rules judged: {raised} raised, {cleared} cleared, {escalated} escalated")
        counts = {kind: found.count(kind) for kind in ("raised", "cleared", "escalated")}
        say_line(console, say.fill(text, rules=rules, **counts), "dim")
    if given_up:
        text = N_("{count} messages of the last seven days could not be delivered")
        say_line(console, say.fill(text, count=given_up), "yellow")
    if not rules:
        say_line(console, say(N_("the park has no rules yet")), "yellow")
        command = f"lujin alarms {park} --suggested --evaluate"
        type_next(console, say, [(command, say(N_("begin with the usual ones")))])
