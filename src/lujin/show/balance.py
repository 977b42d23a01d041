"""Networks and their gaps, and flows that two meters measured, on a terminal. Holds no calculation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from lujin.accounts import Amount
from lujin.accounts.settle import IN_DISPUTE
from lujin.errors import N_
from lujin.show.amounts import grouped, month_text, number, percent, share
from lujin.show.reports import problems
from lujin.show.text import NOTHING, Column, Table, number_column, say_line, show_table, type_next
from lujin.show.words import Words

if TYPE_CHECKING:
    from rich.console import Console

    from lujin.accounts.balance import NetworkBalance, ParkBalance, Suspect
    from lujin.accounts.settle import Settlement

KINDS: Mapping[str, str] = {
    "main": N_("network"),
    "store": N_("store"),
    "through": N_("passed on"),
    "pipe": N_("two meters"),
}
VERDICTS: Mapping[str, str] = {
    "closed": N_("in balance"),
    "meter": N_("open: one meter explains it"),
    "loss": N_("open: losses explain it"),
    "not_identifiable": N_("open: not identifiable"),
    "nothing_likely": N_("open: no single cause is likely"),
    "no_time_structure": N_("open"),
    "losses_unknown": N_("losses are not known"),
    "not_compared": N_("not compared"),
}
FAULTS: Mapping[str, str] = {
    "factor": N_("reads by a factor off"),
    "offset": N_("reads a constant too much or too little"),
    "stuck": N_("stands still"),
    "loss_share": N_("losses in proportion to supply"),
    "loss_constant": N_("constant losses"),
}
OUTCOMES: Mapping[str, str] = {
    "agreed": N_("equal"),
    "mean": N_("settled at the mean"),
    "dispute": N_("in dispute, held in suspense"),
    "unknown": N_("not settled: uncertainty unknown"),
    "not_compared": N_("not compared"),
}


def balance(console: Console, found: ParkBalance, settled: Sequence[Settlement], words: Words, park: str) -> None:
    say = words.say
    name = say.name(words.park.name_zh, words.park.name_en)
    title = say.fill(N_("{name}, {month}: balance of networks"), name=name, month=month_text(found.month))
    if not found.networks:
        say_line(console, title, "bold")
        say_line(console, say(N_("no node takes in and gives out one carrier by metered flows")))
    columns = [
        Column(say(N_("network"))),
        Column(say(N_("carrier")), yields=True),
        Column(say(N_("kind")), spare=True),
        number_column(say(N_("supply")), yields=True),
        number_column(say(N_("users")), yields=True),
        number_column(say(N_("expected loss")), yields=True),
        number_column(say(N_("gap"))),
        number_column(say(N_("U (k = 2)")), keep=True),
        Column(say(N_("unit"))),
        number_column(say(N_("compared")), spare=True),
        Column(say(N_("verdict"))),
    ]
    show_table(console, title, Table(columns, [_network(line, words) for line in found.networks]))
    for line in found.networks:
        _why(console, line, words)
    settlements(console, settled, words)
    problems(console, [words.named(p) for p in found.problems], say)
    if found.open:
        node = found.open[0].node
        month = month_text(found.month)
        commands = [
            (f"lujin balance {park} -m {month} -n {node} --json", say(N_("every meter of it, reconciled"))),
            (f"lujin status {park} -m {month}", say(N_("gaps, estimates and suspects, meter by meter"))),
        ]
        type_next(console, say, commands)


def _network(line: NetworkBalance, words: Words) -> list[str]:
    say = words.say
    unknown = say(N_("unknown"))
    return [
        words.node(line.node),
        words.carrier(line.carrier),
        words.term(KINDS, line.kind),
        number(line.supply),
        number(line.use),
        _expected(line, words),
        _signed(line.gap),
        unknown if line.uncertainty is None else number(line.uncertainty),
        words.unit(line.gap.unit),
        share(line.compared, line.hours),
        _verdict(line, words),
    ]


def _verdict(line: NetworkBalance, words: Words) -> str:
    if line.within is None and line.verdict in ("nothing_likely", "no_time_structure"):
        return words.say(N_("cannot be said: uncertainty unknown"))
    if line.within is True and line.kind == "through":
        return words.say(N_("the rest is own use"))
    if line.within is True and line.verdict != "closed":
        return words.say(N_("closed in sum, not hour by hour"))
    return words.term(VERDICTS, line.verdict)


def _expected(line: NetworkBalance, words: Words) -> str:
    if line.expected_loss is None and line.kind != "through":
        return words.say(N_("unknown"))
    return number(line.expected_loss)


def _signed(amount: Amount) -> str:
    return f"{'+' if amount.base > 0 else ''}{number(amount)}"


def _why(console: Console, line: NetworkBalance, words: Words) -> None:
    """What explains the gap of one network, most likely first."""
    say = words.say
    if line.suspects:
        console.print()
        title = say.fill(N_("What explains the gap of {name}"), name=words.node(line.node))
        columns = [
            Column(say(N_("round")), number=True),
            Column(say(N_("meter"))),
            Column(say(N_("what"))),
            number_column(say(N_("share explained")), yields=True),
            number_column(say(N_("likelihood"))),
            number_column(say(N_("true per read")), yields=True),
            number_column(say(N_("part of the gap"))),
            Column(say(N_("unit"))),
            Column(say(N_("from")), yields=True),
            Column(say(N_("to")), yields=True),
        ]
        show_table(console, title, Table(columns, [_suspect(s, words) for s in line.suspects]))
        if line.verdict == "not_identifiable":
            text = N_(
                "these explain the gap equally well, and the series cannot tell which: test them, or add a meter"
            )
            say_line(console, say(text), "yellow")
    elif line.doubted and line.within is not True:
        named = words.semicolon().join(" = ".join(group) for group in line.doubted)
        text = N_("{name}: by the month's totals alone the measurement test doubts: {meters}")
        say_line(console, say.fill(text, name=words.node(line.node), meters=named))
    if line.compared < line.hours and line.blocking:
        text = N_("{name}: {hours} of {all} hours are not compared, for want of readings of {meters}")
        said = words.comma().join(line.blocking[:5]) + (" …" if len(line.blocking) > 5 else "")
        missing = line.hours - line.compared
        say_line(
            console,
            say.fill(text, name=words.node(line.node), hours=missing, all=line.hours, meters=said),
            "dim",
        )


def _suspect(found: Suspect, words: Words) -> list[str]:
    zone = ZoneInfo(words.park.timezone)
    start, end = found.start.astimezone(zone), found.end.astimezone(zone)
    return [
        str(found.round),
        found.meter or words.node(found.node),
        words.term(FAULTS, found.kind),
        percent(found.share),
        percent(found.likelihood),
        "" if found.correction is None else grouped(Decimal(str(found.correction)), 3),
        _signed(found.error),
        words.unit(found.error.unit),
        f"{start:%m-%d %H:%M}",
        f"{end:%m-%d %H:%M}",
    ]


def settlements(console: Console, found: Sequence[Settlement], words: Words) -> None:
    """Flows measured by both parties: what each said, and the quantity in the books."""
    say = words.say
    columns = [
        Column(say(N_("flow"))),
        number_column(say(N_("own meter"))),
        number_column(say(N_("check meter"))),
        number_column(say(N_("gap"))),
        number_column(say(N_("U (k = 2)")), keep=True, yields=True),
        number_column(say(N_("settled")), yields=True),
        Column(say(N_("unit"))),
        number_column(say(N_("compared")), yields=True),
        Column(say(N_("outcome"))),
    ]
    rows = [
        [
            said.flow,
            number(said.own),
            number(said.other),
            _signed(said.gap),
            say(N_("unknown")) if said.uncertainty is None else number(said.uncertainty),
            NOTHING if said.outcome == "dispute" else number(said.settled),
            words.unit(said.own.unit),
            share(said.compared, said.expected),
            words.term(OUTCOMES, said.outcome),
        ]
        for said in found
    ]
    show_table(console, say(N_("Two meters on one pipe")), Table(columns, rows))
    for said in found:
        if said.outcome == "dispute":
            say_line(console, say.fill(IN_DISPUTE, **disputed(said, words)), "yellow")


def disputed(found: Settlement, words: Words) -> dict[str, str]:
    """What each side of a disputed flow counts, for ``IN_DISPUTE``: the giver the smaller quantity."""
    least, most = found.sides
    amounts = {"least": least, "most": most, "gap": most - least}
    unit = words.unit(found.own.unit)
    return {"flow": found.flow, **{name: f"{number(amount)} {unit}" for name, amount in amounts.items()}}
