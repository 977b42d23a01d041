"""A checked certificate, said to the person who has to rely on it: what it states first, then what was checked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

from lujin.accounts.base_units import SHOWN
from lujin.errors import N_
from lujin.publish.kinds import NO_CERTIFICATE
from lujin.show.text import NOTHING, Column, Table, number_column, say_line, show_table
from lujin.show.words import BOOKS, COMMODITIES, SCOPES, SOURCES

if TYPE_CHECKING:
    from rich.console import Console

    from lujin.language import Speech
    from lujin.publish import Layer, Report
    from lujin.publish.summary import Book, Row, Summary

HOLDS = N_("This certificate holds")
DOES_NOT_HOLD = N_("This certificate does not hold: {layer} fails")
INTEGRITY_ONLY = N_("It proves integrity. It does not prove that the metering was correct.")
LAYERS = {
    "form": N_("layer form"),
    "signature": N_("layer signature"),
    "status": N_("layer status"),
    "proof": N_("layer proof"),
    "sum": N_("layer sum"),
}
_HELD = {
    "form": N_("the file is in its original, canonical form"),
    "signature": N_("signed by the issuer, not a byte changed since"),
    "status": N_("not superseded"),
    "proof": N_("every line is sealed in an entry of the park's log"),
    "sum": N_("the lines add up to the totals"),
}
STATES = {
    "passed": N_("holds"),
    "failed": N_("fails"),
    "unknown": N_("unknown"),
    "not reached": N_("not reached"),
}
_ROWS = {
    **SCOPES,
    "total": N_("total"),
    "direct": N_("own emissions"),
    "taken_over": N_("taken over"),
    "used": N_("own use"),
    "passed_on": N_("passed on"),
    "sold_outside": N_("sold outside"),
    "other": N_("in store, in progress and other"),
}
_ACCOUNTS = {
    **SCOPES,
    **SOURCES,
    "ATM": N_("from the atmosphere"),
    "EXT": N_("bought outside"),
    "DUE": N_("with neighbours"),
    "OWN": N_("own use"),
    "OUT": N_("sold outside"),
    "WIP": N_("in progress"),
    "STK": N_("in store"),
    "SUSPENSE": N_("in suspense"),
    "STORED": N_("stored for good"),
    "COST": N_("cost"),
}
MONTHS = N_("Months, in tCO2e: scopes 1 and 2, or own use of embodied carbon")
_COLOURS = {"passed": "green", "failed": "bold red", "unknown": "yellow", "not reached": "dim"}
_KILOGRAM = Decimal(10) ** 6  # mg


def certificate(
    console: Console, report: Report, say: Speech, *, trusted: bool, witnessed: bool, now: datetime | None = None
) -> None:
    failed = report.failed
    if failed is not None and failed.problem is not None and failed.problem.message == NO_CERTIFICATE:
        say_line(console, failed.problem.text(say), "bold red")
        return
    if report.failed is not None:
        say_line(console, say.fill(DOES_NOT_HOLD, layer=say(LAYERS[report.failed.name])), "bold red")
    else:
        say_line(console, say(HOLDS), "bold green")
    stated = report.certificate if report.ok else None
    if stated is not None:
        _facts(console, first(stated, say), say)
        _emissions(console, report, say)
        _energy(console, stated["credentialSubject"], say)
    say_line(console, "")
    _layers(console, report, say, now)
    if stated is not None:
        say_line(console, "")
        _facts(console, issued(stated, say), say)
        _gases(console, stated["credentialSubject"], say)
        say_line(console, "")
        _limits(console, stated, say, trusted=trusted, witnessed=witnessed)


def _facts(console: Console, rows: Sequence[tuple[str, str]], say: Speech) -> None:
    for label, value in rows:
        say_line(console, say.fill(N_("{label}: {value}"), label=say(label), value=value))


def first(stated: Any, say: Speech) -> list[tuple[str, str]]:
    subject = stated["credentialSubject"]
    verification = (
        N_("verified by {by}")
        if subject["verification"]["status"] == "verified"
        else N_("no verifier has confirmed it")
    )
    rows = [
        (N_("enterprise"), f"{_name(subject, say)} ({subject['identifier']})"),
        (N_("period"), " – ".join(dict.fromkeys(subject["period"].values()))),
        (N_("verification"), say.fill(verification, by=subject["verification"]["by"])),
    ]
    if opinions := subject["verification"]["opinions"]:
        from lujin.accounts.periods import OUTCOMES  # loads the table libraries, which few certificates need

    for told in opinions:
        label = say.fill(N_("opinion on {month}"), month=told["month"])
        outcome = say(OUTCOMES[told["outcome"]].message)
        text = N_("{outcome} of {by}: {opinion}")
        rows.append((label, say.fill(text, outcome=outcome, by=told["by"], opinion=told["opinion"])))
    return rows


def issued(stated: Any, say: Speech) -> list[tuple[str, str]]:
    from lujin.publish.checking import shown_time

    subject, issuer = stated["credentialSubject"], stated["issuer"]
    return [
        (N_("issuer"), f"{_name(issuer, say)} ({issuer['identifier']})"),
        (N_("signed as"), issuer["id"]),
        (N_("boundary"), subject["boundary"]),
        (N_("issued"), shown_time(stated["validFrom"])),
        (N_("as known on"), shown_time(subject["knownAt"])),
    ]


def _name(of: Any, say: Speech) -> str:
    return next(str(n["@value"]) for n in of["name"] if n["@language"] == say.language)


# ------------------------------------------------------------------------------------------------- the numbers


def _emissions(console: Console, report: Report, say: Speech) -> None:
    if report.summary is None or not report.summary.books:
        return
    columns = [
        Column(say(N_("book"))),
        Column(""),
        number_column("tCO2e"),
        number_column(say(N_("± U (95 %)"))),
    ]
    rows = emission_rows(report.summary, say)
    show_table(console, say(N_("Emissions, books are never added up")), Table(columns, rows))
    for text in emission_notes(report.summary, say):
        say_line(console, text, "dim")
    if report.summary.months:
        _months(console, report.summary, say)


def emission_rows(found: Summary, say: Speech) -> list[list[str]]:
    """Book, row, tCO2e, ± U."""
    return [row for book in found.books for row in _book(book, say)]


def emission_notes(found: Summary, say: Speech) -> list[str]:
    return [text for book in found.books for text in _notes(book, say)]


def _book(book: Book, say: Speech) -> list[list[str]]:
    named = say.fill(
        N_("{book} ({gwp})"), book=say(BOOKS.get(book.book, book.book)), gwp=book.gwp or say(N_("CO2 alone"))
    )
    rows = [row for row in book.rows if row.co2e or row.name != "other"]
    shown = dict(zip((row.name for row in rows), _tonnes(rows), strict=True))
    return [
        [named if i == 0 else "", say(_ROWS.get(row.name, row.name)), shown[row.name], _doubt(row, say)]
        for i, row in enumerate(rows)
    ]


def _tonnes(rows: Sequence[Row]) -> list[str]:
    """To the kilogram, so that scopes 1 and 2 as shown add up to the total shown: the larger one gives way."""
    kilograms = {row.name: _kilograms(row.co2e) for row in rows}
    if "total" in kilograms:
        larger = max((row for row in rows if row.name != "total"), key=lambda row: abs(row.co2e)).name
        others = sum(kg for name, kg in kilograms.items() if name not in ("total", larger))
        kilograms[larger] = kilograms["total"] - others
    return [_grouped(kilograms[row.name]) for row in rows]


def _kilograms(mg: int) -> int:
    return int((Decimal(mg) / _KILOGRAM).quantize(Decimal(1), ROUND_HALF_EVEN))


def _grouped(kilograms: int) -> str:
    return f"{Decimal(kilograms).scaleb(-3):,.3f}"


def _doubt(row: Row, say: Speech) -> str:
    if row.doubt is None:
        return say(N_("unknown")) if row.co2e else NOTHING
    if row.doubt.unknown_share:
        return say(N_("unknown"))
    return f"± {_grouped(_kilograms(row.doubt.known))}"


def _notes(book: Book, say: Speech) -> list[str]:
    named = say(BOOKS.get(book.book, book.book))
    said = []
    for row in book.rows:
        if row.doubt is not None and row.doubt.unknown_share and row.name not in ("S1", "S2"):
            text = N_(
                "{book}, {row}: nobody stated an uncertainty for {share} % of the amounts; the other data alone "
                "give ± {known} t"
            )
            share = f"{100 * row.doubt.unknown_share:.1f}"
            values = {"share": share, "known": _grouped(_kilograms(row.doubt.known))}
            said.append(say.fill(text, book=named, row=say(_ROWS[row.name]), **values))
    if book.left_out:
        text = N_("{book}: amounts that their source states as {gases} are not in the totals")
        said.append(say.fill(text, book=named, gases=", ".join(book.left_out)))
    return said


def _months(console: Console, found: Summary, say: Speech) -> None:
    columns = [Column(say(N_("month"))), *map(number_column, book_names(found, say))]
    *rows, total = month_rows(found, say)
    show_table(console, say(MONTHS), Table(columns, rows, total))
    say_line(console, say(N_("± of the period: the months added, which is the most that it can be")), "dim")


def book_names(found: Summary, say: Speech) -> list[str]:
    return [say(BOOKS.get(book.book, book.book)) for book in found.books]


def month_rows(found: Summary, say: Speech) -> list[list[str]]:
    """Totals per month, a column a book, and their sum; as shown they add up to what is shown for the period."""
    books = [book.book for book in found.books]
    whole = {book.book: _kilograms(_headline(book).co2e) for book in found.books}
    rest, rows = dict(whole), []
    for at, (month, of_month) in enumerate(found.months.items()):
        last = at == len(found.months) - 1
        exact = {book.book: _kilograms(_headline(book).co2e) for book in of_month}
        shown = {name: rest[name] if last else exact.get(name, 0) for name in books}
        for name in books:
            rest[name] -= shown[name]
        rows.append([month, *(_grouped(shown[name]) for name in books)])
    return [*rows, [say(N_("total")), *(_grouped(whole[name]) for name in books)]]


def _headline(book: Book) -> Row:
    return next(row for row in book.rows if row.name in ("total", "used"))


def _energy(console: Console, subject: Any, say: Speech) -> None:
    columns = [Column(""), Column(say(N_("carrier"))), number_column(say(N_("amount"))), Column(say(N_("unit")))]
    show_table(console, say(N_("Energy and cost")), Table(columns, energy_rows(subject, say)))


def energy_rows(subject: Any, say: Speech) -> list[list[str]]:
    """Own use of each carrier, and cost, where book physical is certified: account, carrier, amount, unit."""
    names = {c["id"]: c for c in subject["commodities"]}
    rows = []
    physical = (t for t in subject["totals"] if t["book"] == "physical")
    for total in sorted(physical, key=lambda t: (t["scope"] == "COST", t["gas"] in COMMODITIES)):
        code = total["gas"]
        name = say(COMMODITIES[code]) if code in COMMODITIES else _name(names[code], say)
        unit, power = SHOWN[total["unit"]]
        amount = f"{Decimal(total['amount']).scaleb(-power):,.{min(power, 3)}f}"
        rows.append([say(_ACCOUNTS.get(total["scope"], total["scope"])), name, amount, unit])
    return rows


def _gases(console: Console, subject: Any, say: Speech) -> None:
    columns = [Column(say(N_("book"))), Column(say(N_("account"))), Column(say(N_("gas"))), number_column("t")]
    show_table(console, say(N_("Gases")), Table(columns, gas_rows(subject, say)))
    for text in gas_notes(subject, say):
        say_line(console, text, "dim")


def gas_rows(subject: Any, say: Speech) -> list[list[str]]:
    """Book, account, gas, tonnes."""
    rows, before = [], ""
    for total in (t for t in subject["totals"] if t["book"] != "physical"):
        gas = say(COMMODITIES.get(total["gas"], total["gas"]))
        account = say(_ACCOUNTS.get(total["scope"], total["scope"]))
        book = "" if total["book"] == before else say(BOOKS.get(total["book"], total["book"]))
        before = total["book"]
        rows.append([book, account, gas, f"{Decimal(total['amount']).scaleb(-9):,.6f}"])
    return rows


def gas_notes(subject: Any, say: Speech) -> list[str]:
    said = []
    for stated in subject["gwp"]:
        values = ", ".join(f"{say(COMMODITIES.get(g, g))} {v}" for g, v in sorted(stated["values"].items()))
        text = N_("{book}: CO2e by {set}, kg per kg: {values}")
        book = say(BOOKS.get(stated["book"], stated["book"]))
        said.append(say.fill(text, book=book, set=stated["set"], values=values))
    return said


# -------------------------------------------------------------------------------------------- what was checked


def reason(layer: Layer, say: Speech) -> str:
    """Why it holds, fails or cannot be told."""
    if layer.problem is not None:
        return layer.problem.text(say)
    return say(_HELD[layer.name]) if layer.state == "passed" else ""


def _layers(console: Console, report: Report, say: Speech, now: datetime | None) -> None:
    for layer in report.layers:
        why = reason(layer, say)
        said = say(N_("{layer}: {state}")).format(layer=say(LAYERS[layer.name]), state=say(STATES[layer.state]))
        line = say.fill(N_("{said}, {reason}"), said=said, reason=why) if why else said
        say_line(console, line, _COLOURS[layer.state])
    told = [layer.problem for layer in report.layers]
    if report.status_time:
        say_line(console, listed(report.status_time, say, now))
    for notice in (notice for notice in report.notices if notice not in told):
        text = N_("note: {text}")
        say_line(console, say.fill(text, text=notice.text(say)), "yellow")
    if report.witnessed is not None:
        from lujin.publish.checking import shown_time

        text = N_(
            "the log extends the head you kept, of {size} entries, signed {time}: nothing of then was changed"
        )
        time = shown_time(report.witnessed["timestamp"])
        say_line(console, say.fill(text, size=report.witnessed["size"], time=time), "green")


def listed(time: str, say: Speech, now: datetime | None) -> str:
    from lujin.publish.checking import age_in_days, shown_time

    days = age_in_days(time, now)
    if days is None or days < 0:
        return say.fill(N_("status list of {time}"), time=shown_time(time))
    return say.fill(N_("status list of {time}, {days} days old"), time=shown_time(time), days=days)


def _limits(console: Console, stated: Any, say: Speech, *, trusted: bool, witnessed: bool) -> None:
    """What the check does not tell."""
    head = stated["credentialSubject"]["treeHead"]
    said = [say(INTEGRITY_ONLY)]
    if not trusted:
        said.append(say(N_("Anyone can sign: compare the name above with the one the park told you (--issuer).")))
    if not witnessed:
        text = N_(
            "Keep the head of its log ({size} entries, {root}…): later heads must extend it (--witness shows it)."
        )
        said.append(say.fill(text, size=head["size"], root=head["root"][:16]))
    for text in said:
        say_line(console, text, "dim")
