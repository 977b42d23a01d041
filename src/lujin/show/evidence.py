"""A checked certificate, said to the person who has to rely on it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lujin.accounts.periods import OUTCOMES
from lujin.errors import N_
from lujin.show.text import say_line
from lujin.show.words import BOOKS, SCOPES, SOURCES

if TYPE_CHECKING:
    from rich.console import Console

    from lujin.language import Speech
    from lujin.publish import Report

_LAYERS = {
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
_STATES = {
    "passed": N_("holds"),
    "failed": N_("fails"),
    "unknown": N_("unknown"),
    "not reached": N_("not reached"),
}
_SCOPES = {**SCOPES, **SOURCES}
_COLOURS = {"passed": "green", "failed": "bold red", "unknown": "yellow", "not reached": "dim"}


def certificate(console: Console, report: Report, say: Speech, *, trusted: bool, witnessed: bool) -> None:
    if report.failed is not None:
        text = N_("This certificate does not hold: {layer} fails")
        say_line(console, say.fill(text, layer=say(_LAYERS[report.failed.name])), "bold red")
    else:
        say_line(console, say(N_("This certificate holds")), "bold green")
    say_line(console, "")
    for layer in report.layers:
        reason = say(_HELD[layer.name]) if layer.state == "passed" else ""
        if layer.problem is not None:
            reason = layer.problem.text(say)
        said = say(N_("{layer}: {state}")).format(layer=say(_LAYERS[layer.name]), state=say(_STATES[layer.state]))
        line = say.fill(N_("{said}, {reason}"), said=said, reason=reason) if reason else said
        say_line(console, line, _COLOURS[layer.state])
    if report.ok and report.certificate is not None:
        say_line(console, "")
        _stated(console, report.certificate, say)
        say_line(console, "")
        _limits(console, report.certificate, say, trusted=trusted, witnessed=witnessed)


def _stated(console: Console, stated: Any, say: Speech) -> None:
    subject, issuer = stated["credentialSubject"], stated["issuer"]
    verification = (
        N_("verified by {by}")
        if subject["verification"]["status"] == "verified"
        else N_("no verifier has confirmed it")
    )
    rows = [
        (N_("issuer"), f"{_name(issuer, say)} ({issuer['identifier']})"),
        (N_("signed as"), issuer["id"]),
        (N_("enterprise"), f"{_name(subject, say)} ({subject['identifier']})"),
        (N_("boundary"), subject["boundary"]),
        (N_("period"), " – ".join(dict.fromkeys(subject["period"].values()))),
        (N_("issued"), stated["validFrom"]),
        (N_("as known on"), subject["knownAt"]),
        (N_("verification"), say.fill(verification, by=subject["verification"]["by"])),
        (N_("uncertainty"), say(N_("unknown")) if subject["uncertainty"] == "unknown" else subject["uncertainty"]),
    ]
    for told in subject["verification"]["opinions"]:
        label = say.fill(N_("opinion on {month}"), month=told["month"])
        outcome = say(OUTCOMES[told["outcome"]].message)
        text = N_("{outcome} of {by}: {opinion}")
        rows.append((label, say.fill(text, outcome=outcome, by=told["by"], opinion=told["opinion"])))
    for total in subject["totals"]:
        amount = f"{Decimal(total['amount']).scaleb(-9):f} t {total['gas']}"
        book, scope = (say(names.get(total[n], total[n])) for n, names in (("book", BOOKS), ("scope", _SCOPES)))
        rows.append((say.fill(N_("{scope}, {book}"), scope=scope, book=book), amount))
    for label, value in rows:
        say_line(console, say.fill(N_("{label}: {value}"), label=say(label), value=value))


def _name(of: Any, say: Speech) -> str:
    return next(str(n["@value"]) for n in of["name"] if n["@language"] == say.language)


def _limits(console: Console, stated: Any, say: Speech, *, trusted: bool, witnessed: bool) -> None:
    """What the check does not tell."""
    head = stated["credentialSubject"]["treeHead"]
    said = [say(N_("It proves integrity. It does not prove that the metering was correct."))]
    if not trusted:
        said.append(say(N_("Anyone can sign: compare the name above with the one the park told you (--issuer).")))
    if not witnessed:
        text = N_(
            "Keep the head of its log ({size} entries, {root}…): later heads must extend it (--witness shows it)."
        )
        said.append(say.fill(text, size=head["size"], root=head["root"][:16]))
    for text in said:
        say_line(console, text, "dim")
