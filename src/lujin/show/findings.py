"""What was odd in a month: meters that are not wholly measured, then every gap, suspect value and event."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from lujin.accounts import Amount
from lujin.errors import N_
from lujin.show.amounts import grouped, month_text, number, percent, share
from lujin.show.text import Column, Table, number_column, say_line, show_table, type_next
from lujin.show.words import DETAILS, EVENTS, FLAGS, Words

if TYPE_CHECKING:
    from rich.console import Console

    from lujin.workspace.quality import Finding, MonthQuality

# Why a finding is one: what the check saw.
WHY: Mapping[str, str] = {
    "missing": N_("readings were expected, and none came"),
    "partial": N_("only a part of the quarter hours was measured"),
    "estimated": N_("filled from the meter's own similar days, or sent as an estimate"),
    "range": N_("more than the stated capacity allows"),
    "spike": N_("one value far above both neighbours and above what this meter usually does"),
    "flatline": N_("the same value for hours in which the meter moves on other days"),
    "negative": N_("less than nothing flowed"),
    "clock": N_("the day runs early or late against the other days of the month: the clock may be off"),
    "unit_jump": N_("the level is off by a factor of thirty or more: unit or multiplier may be wrong"),
    "reset": N_("the count went back near zero without a stated reason"),
    "overlap": N_("intervals reach into the next ones"),
    "rollover": N_("the register passed its top; the full turn was added"),
    "replacement": N_("another device took over, with the counts at the swap as the park file states them"),
    "backwards": N_("the count stepped back a little; it was kept, so that totals stay exact"),
    "unreadable": N_("values that are no numbers, or beyond any register; they were left out"),
    "outside_validity": N_("readings before the device was there or after it was gone; they were left out"),
    "spacing": N_("readings come at another pace than the park file says"),
}

PER_METER = 6  # findings of one kind and meter before "and N more"


def quality(console: Console, found: MonthQuality, words: Words, park: str, *, whole: bool = False) -> None:
    """``whole``: list every finding, however many."""
    say = words.say
    who = words.node(found.enterprise) if found.enterprise else say.name(words.park.name_zh, words.park.name_en)
    title = say.fill(
        N_("{name}, {month}: readings of {count} meters"),
        name=who,
        month=month_text(found.month),
        count=len(found.meters),
    )
    columns = [
        Column(say(N_("meter"))),
        Column(say(N_("enterprise"))),
        *(number_column(say(n)) for n in (N_("measured"), N_("estimated"), N_("missing"), N_("suspect"))),
    ]
    total = found.total
    rows = [
        [
            slots.meter,
            words.comma().join(words.node(e) for e in found.enterprises.get(slots.meter, ())),
            percent(slots.measured_part),
            percent(slots.estimated_part),
            percent(slots.missing_part),
            share(slots.suspect, slots.expected),
        ]
        for slots in (*found.odd, total)
    ]
    rows[-1][0] = say.fill(N_("all {count} meters"), count=len(found.meters))
    if found.odd:
        show_table(console, title, Table(columns, rows[:-1], rows[-1]))
    else:
        say_line(console, title, "bold")
        text = N_("all {count} meters are wholly measured, nothing looks suspect")
        say_line(console, say.fill(text, count=len(found.meters)), "green")
    _findings(console, found.findings, words, whole)
    if found.odd:
        meter = found.odd[0].meter
        who = found.enterprise or next(iter(found.enterprises.get(meter, ())), "")
        if who:
            command = f"lujin statement {park} -e {who} -m {month_text(found.month)}"
            type_next(console, say, [(command, say(N_("the account of an enterprise")))])


def _findings(console: Console, findings: Sequence[Finding], words: Words, whole: bool) -> None:
    say = words.say
    columns = [
        Column(say(N_("meter"))),
        Column(say(N_("what"))),
        Column(say(N_("from"))),
        Column(say(N_("to"))),
        number_column(say(N_("energy"))),
        Column(say(N_("numbers"))),
    ]
    groups: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.meter, finding.kind].append(finding)
    rows = []
    hidden = 0
    for group in groups.values():
        kept = group if whole else sorted(sorted(group, key=_weight)[:PER_METER], key=lambda f: f.start)
        hidden += len(group) - len(kept)
        rows += [_row(finding, words) for finding in kept]
    show_table(console, say(N_("Findings")), Table(columns, rows))
    if hidden:
        text = N_("{count} smaller ones are not shown; all of them: --all or --json")
        say_line(console, say.fill(text, count=hidden), "dim")


def _weight(finding: Finding) -> int:
    return -abs(finding.energy.base) if finding.energy is not None and finding.energy.base else -finding.slots


def _row(finding: Finding, words: Words) -> list[str]:
    zone = ZoneInfo(words.park.timezone)
    start, end = finding.start.astimezone(zone), finding.end.astimezone(zone)
    kind = kind_name(finding, words)
    until = "" if end == start else f"{end:%H:%M}" if end.date() == start.date() else f"{end:%m-%d %H:%M}"
    energy = ""
    if finding.energy is not None:
        energy = f"{grouped(finding.energy.value, 1)} {words.unit(finding.energy.unit)}"
    return [finding.meter, kind, f"{start:%m-%d %H:%M}", until, energy, numbers(finding, words)]


def kind_name(finding: Finding, words: Words) -> str:
    return words.term(FLAGS if finding.slots else EVENTS, finding.kind.upper() if finding.slots else finding.kind)


def numbers(finding: Finding, words: Words) -> str:
    """How long, how much at most, and the numbers of an event, in words."""
    say = words.say
    parts = []
    if finding.slots:
        hours = timedelta(minutes=15 * finding.slots) / timedelta(hours=1)
        parts.append(say.fill(N_("{hours} h"), hours=f"{hours:g}"))
        if finding.slots > 1 and finding.largest:
            most = f"{number(finding.largest, 1)} {words.unit(finding.largest.unit)}"
            parts.append(say.fill(N_("peak {amount} in 15 min"), amount=most))
    parts += [
        f"{words.term(DETAILS, name)} {_value(name, value, words)}" for name, value in finding.detail.items()
    ]
    return words.comma().join(parts)


def _value(name: str, value: Any, words: Words) -> str:
    if isinstance(value, Amount):
        return f"{number(value, 1)} {words.unit(value.unit)}"
    if name.endswith("_s"):
        return f"{value / 60:g} min" if value else words.say(N_("one month"))
    return f"{value:,}" if isinstance(value, int) else f"{value:,g}"
