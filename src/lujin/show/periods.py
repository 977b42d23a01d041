"""Periods, restatements, heads of the log, certificates, the base year, said to a person. No calculation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lujin.accounts import Amount
from lujin.accounts.periods import OUTCOMES, STATES
from lujin.accounts.sections import shown
from lujin.errors import N_
from lujin.show.amounts import local, month_text, number, percent
from lujin.show.text import NOTHING, Column, Table, number_column, say_line, show_table, type_next
from lujin.show.words import REASONS, Words

if TYPE_CHECKING:
    from rich.console import Console

    from lujin.accounts.base_year import BaseYear, Judged
    from lujin.accounts.periods import Period, PeriodEvent
    from lujin.accounts.statement_parts import PeriodView
    from lujin.workspace.evidence import Head
    from lujin.workspace.plan import Held

PERIOD_STATES: Mapping[str, str] = {state: named.message for state, named in STATES.items()}
OPINIONS: Mapping[str, str] = {outcome: named.message for outcome, named in OUTCOMES.items()}
CHANGES: Mapping[str, str] = {
    "structural": N_("change of structure"),
    "method": N_("change of method"),
    "error": N_("error found"),
    "organic": N_("organic growth or decline"),
    "undecided": N_("not said"),
}
DECISIONS: Mapping[str, str] = {
    "recalculated": N_("recalculated"),
    "memo": N_("below the threshold, counts on"),
    "never": N_("never recalculated"),
    "undecided": N_("to be said"),
}
WHY: Mapping[str, str] = {**REASONS, "carried": N_("another balance carried over")}
SHOWN = 24  # rows of an effect before "and N more"


def state(words: Words, view: PeriodView) -> str:
    """The state of a statement's month in one sentence."""
    say, zone = words.say, words.park.timezone
    if view.state == "restated":
        return say.fill(N_("restated after closing, not closed again: {cause}"), cause=view.cause)
    if view.closed_at is None:
        return say(N_("open: facts that come still move this account"))
    when = local(view.closed_at, zone)
    if view.verifier:
        text = N_("closed {when}, verified by {verifier}, {outcome}: {opinion}")
        if view.state != "verified":
            text = N_("closed {when}, not verified; {verifier} gave an {outcome}: {opinion}")
        outcome = words.term(OPINIONS, view.outcome)
        return say.fill(text, when=when, verifier=view.verifier, outcome=outcome, opinion=view.opinion)
    return say.fill(N_("closed {when}, not verified"), when=when)


def held(console: Console, found: Sequence[Held], words: Words, park: str) -> None:
    """What waits in months that were closed."""
    say = words.say
    for item in found:
        counts: dict[str, int] = {}
        for why in item.reasons.values():
            counts[why] = counts.get(why, 0) + 1
        why = words.comma().join(f"{words.term(WHY, reason)} {count}" for reason, count in counts.items())
        text = N_("{month} is {state}: {count} enterprises wait ({why}), arrivals {arrivals}")
        arrivals = words.comma().join(map(str, item.arrivals)) or NOTHING
        month, named = month_text(item.month), words.term(PERIOD_STATES, item.state)
        said = say.fill(text, month=month, state=named, count=len(item.reasons), why=why, arrivals=arrivals)
        say_line(console, said, "yellow")
    if found:
        months = " ".join(f"--month {month_text(item.month)}" for item in found)
        command = f"lujin restate {park} {months} --cause TEXT"
        type_next(console, say, [(command, say(N_("post what waits, as a restatement with its cause")))])


def restated(console: Console, events: Sequence[PeriodEvent], words: Words) -> None:
    """Cause, what arrived, and what each total moved by."""
    say = words.say
    for event in events:
        console.print()
        text = N_("{month} restated: {cause}")
        say_line(console, say.fill(text, month=month_text(event.month), cause=event.cause), "bold")
        for source in event.arrived["sources"]:
            say_line(console, say.fill(N_("arrival {number}: {file}"), **source), indent=2)
        if event.arrived["park"]:
            names = words.comma().join(event.arrived["park"])
            say_line(console, say.fill(N_("park description changed for: {names}"), names=names), indent=2)
        if replaced := [factor for factor in event.arrived["factors"] if factor["was"]]:
            say_line(console, say.fill(N_("{count} factors or prices replaced"), count=len(replaced)), indent=2)
        _effect(console, event.effect, words)


def _effect(console: Console, effect: Sequence[Mapping[str, Any]], words: Words) -> None:
    say = words.say
    columns = [
        Column(say(N_("enterprise"))),
        Column(say(N_("book"))),
        Column(say(N_("account"))),
        number_column(say(N_("moved by"))),
        Column(say(N_("unit"))),
    ]
    rows = []
    for part in effect[:SHOWN]:
        amount = shown(words.park, int(part["amount"]), part["commodity"])
        sign = "+" if amount.base > 0 else ""
        coal = part["commodity"] in ("ce_equivalent", "ce_equal")
        what = words.commodity(part["commodity"]) if coal else words.account(part["account"])
        named = (part["enterprise"], words.book(part["book"]), what)
        rows.append([*named, f"{sign}{number(amount)}", words.unit(amount.unit)])
    show_table(console, "", Table(columns, rows))
    if len(effect) > SHOWN:
        say_line(console, say.fill(N_("… and {count} more"), count=len(effect) - SHOWN), "dim")


def periods(console: Console, found: Sequence[Period], words: Words) -> None:
    say, zone = words.say, words.park.timezone
    if not found:
        say_line(console, say(N_("nothing is posted yet")))
        return
    columns = [
        Column(say(N_("month"))),
        Column(say(N_("state")), keep=True),
        Column(say(N_("closed"))),
        Column(say(N_("as known on"))),
        Column(say(N_("opinion of"))),
        Column(say(N_("note or cause"))),
    ]
    rows = []
    for period in found:
        closing, opinion = period.closing, period.opinion
        last = period.events[-1] if period.events else None
        said = "" if last is None else last.cause or (closing.note if closing else "")
        rows.append(
            [
                month_text(period.month),
                words.term(PERIOD_STATES, period.state),
                local(closing.recorded_at, zone) if closing else "",
                closing.known.isoformat() if closing else "",
                _opinion(opinion, words) if opinion else "",
                said,
            ]
        )
    show_table(console, say(N_("Periods")), Table(columns, rows))
    for period in found:
        for event in period.events if len(period.events) > 1 else ():
            text = say.fill(
                N_("{month} {state} {when} {said}"),
                month=month_text(event.month),
                state=words.term(PERIOD_STATES, event.state),
                when=local(event.recorded_at, zone),
                said=_opinion(event, words) if event.outcome else event.cause or event.note,
            )
            say_line(console, text.rstrip(), "dim")


def _opinion(event: PeriodEvent, words: Words) -> str:
    values = {"verifier": event.verifier, "outcome": words.term(OPINIONS, event.outcome), "opinion": event.opinion}
    return words.say.fill(N_("{verifier}, {outcome}: {opinion}"), **values)


def closed(console: Console, found: Sequence[Period], words: Words) -> None:
    """What was closed, with what the closing discloses."""
    say = words.say
    for period in found:
        closing = period.closing
        if closing is None:
            continue
        text = N_("{month} is closed; its account as known on {known} stays as it is")
        said = say.fill(text, month=month_text(period.month), known=closing.known.isoformat())
        say_line(console, said, "green")
        for part in closing.disclosed:
            if part["kind"] == "completeness":
                measured, estimated, missing, expected = map(int, part["amount"].split("/"))
                shares = {
                    name: percent(count / expected if expected else None)
                    for name, count in (("measured", measured), ("estimated", estimated), ("missing", missing))
                }
                told = say.fill(N_("{measured} measured, {estimated} estimated, {missing} missing"), **shares)
            else:
                name = f"{part['enterprise']}/{part['account']}"
                amount = f"{int(part['amount']):,}"
                told = say.fill(
                    N_("disclosed: {account} holds {amount} mg of {commodity}"),
                    account=name,
                    amount=amount,
                    commodity=words.commodity(part["commodity"]),
                )
            say_line(console, told, indent=2)


def head(console: Console, found: Head, words: Words, written: Path | None) -> None:
    say, document = words.say, found.document
    text = N_("log of {size} entries, root {root}, signed {when} by {issuer}")
    values = {"size": f"{int(document['size']):,}", "root": document["root"], "when": document["timestamp"]}
    say_line(console, say.fill(text, **values, issuer=document["issuer"]))
    if found.grown is not None:
        text = N_("it extends the older head: {count} entries came since, none before was changed")
        say_line(console, say.fill(text, count=f"{found.grown:,}"), "green")
    if written is not None:
        say_line(console, say.fill(N_("wrote {file}"), file=written))
    else:
        say_line(console, say(N_("keep it outside the park, with bank and verifier: --out FILE")), "dim")


def certificate(console: Console, document: Mapping[str, Any], words: Words, file: Path) -> None:
    say = words.say
    status = document["credentialStatus"]["statusListIndex"]
    text = N_("wrote {file}: certificate {id}, number {index} of the status list")
    say_line(console, say.fill(text, file=file, id=document["id"], index=status), "green")
    command = f"lujin verify {file} --issuer {document['issuer']['id']}"
    type_next(console, say, [(command, say(N_("what the bank runs, offline")))])


# ------------------------------------------------------------------------------------------------ base year


def base_year(console: Console, found: BaseYear, words: Words) -> None:
    say, result = words.say, found.assessment
    if not found.established:
        text = N_("base year {year} is not established: {count} of its months were never closed")
        count = len(found.open_months)
        say_line(console, say.fill(text, year=found.year, count=count), "yellow")
    columns = [Column(say(N_("base year"))), number_column("tCO2e")]
    rows = [
        [say.fill(N_("{year} as first closed"), year=found.year), number(result.original)],
        [say(N_("of it eliminated between neighbours")), number(found.eliminated)],
        [say.fill(N_("{year} to compare with"), year=found.year), number(result.current)],
        [say(N_("below the threshold, not recalculated")), number(result.pending)],
    ]
    title = say.fill(
        N_("Base year {year}, {book}, threshold {threshold}"),
        year=found.year,
        book=words.book(found.book),
        threshold=percent(float(result.threshold)),
    )
    show_table(console, title, Table(columns, rows))
    if not found.by_addition:
        text = N_("the method pack of book {book} posts no eliminations: energy made in the park may count twice")
        say_line(console, say.fill(text, book=words.book(found.book)), "yellow")
    heads = [
        Column(say(N_("when"))),
        Column(say(N_("kind"))),
        Column(say(N_("what"))),
        number_column("tCO2e"),
        number_column(say(N_("share"))),
        number_column(say(N_("gathered"))),
        Column(say(N_("decision"))),
    ]
    show_table(
        console, say(N_("What has changed since")), Table(heads, [_judged(j, words) for j in result.changes])
    )
    if not result.changes:
        say_line(console, say(N_("nothing has changed since")))


def _judged(judged: Judged, words: Words) -> list[str]:
    change, say = judged.change, words.say
    return [
        local(change.at, words.park.timezone),
        words.term(CHANGES, change.kind),
        say.fill(N_("{subject}: {reason}"), subject=change.subject, reason=change.reason.text(say)),
        _signed(change.amount),
        _percent(judged.share),
        _percent(judged.gathered),
        words.term(DECISIONS, judged.decision),
    ]


def _signed(amount: Amount | None) -> str:
    return f"{'+' if amount and amount.base > 0 else ''}{number(amount)}"


def _percent(value: Decimal | None) -> str:
    return NOTHING if value is None else f"{value * 100:.2f} %"
