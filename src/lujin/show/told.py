"""A node of an explanation in words: what it says in one line, and what to know of it. Holds no calculation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from inspect import cleandoc
from typing import Any

from lujin.accounts import Amount, Explanation
from lujin.errors import N_
from lujin.show.amounts import local
from lujin.show.factors import factor_text, factor_value, source_name
from lujin.show.words import CONFIDENCE, DETAILS, EVENTS, QUALITIES, REASONS, Words

KINDS = {
    "account": N_("account"),
    "rule": N_("rule"),
    "factor": N_("factor"),
    "line": N_("line"),
    "entry": N_("entry"),
    "claim": N_("claim"),
    "subject": N_("measured"),
    "flow": N_("flow"),
    "meter": N_("meter"),
    "settlement": N_("settled"),
    "event": N_("event"),
    "traced": N_("traced"),
    "origin": N_("origin"),
    "carried": N_("rest"),
    "pool": N_("pool"),
    "transfer": N_("transfer"),
    "withheld": N_("not shown"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """``amount`` stands at the end of the line. ``formula``: as written, line by line. ``warn``: look at this."""

    kind: str
    head: str
    amount: str = ""
    about: tuple[str, ...] = ()
    formula: str = ""
    warn: bool = False


def told(node: Explanation, words: Words) -> Told:
    kind = words.say(KINDS[node.kind]) if node.kind in KINDS else ""
    match node.kind:
        case "account":
            return _account(node, words, kind)
        case "rule":
            return _rule(node, words, kind)
        case "factor":
            return _factor(node, words, kind)
        case "line":
            return _line(node, words, kind)
        case "entry":
            return _entry(node, words, kind)
        case "subject":
            return _subject(node, words, kind)
        case "flow":
            return Told(kind, str(node.params["flow"]))
        case "meter":
            return _meter(node, words, kind)
        case "event":
            return _event(node, words, kind)
        case _:
            return _sentence(node, words, kind)


def amount_text(amount: Amount, words: Words) -> str:
    """All digits of the ledger: an explanation is where they are looked up."""
    return f"{amount.value:,f}".replace(",", "\u202f").replace("-", "−") + f" {words.unit(amount.unit)}"


def _account(node: Explanation, words: Words, kind: str) -> Told:
    p = node.params
    name = words.account(p["account"])
    if p["commodity"] not in ("CNY", str(p["account"]).partition("/")[2]):
        name = words.say.fill(
            N_("{account} [{commodity}]"), account=name, commodity=words.commodity(p["commodity"])
        )
    about = []
    if p["estimated"]:
        said = amount_text(p["estimated"], words)
        about.append(words.say.fill(N_("of it {estimated} estimated"), estimated=said))
    return Told(kind, name, amount_text(p["amount"], words), tuple(about))


def _rule(node: Explanation, words: Words, kind: str) -> Told:
    rule = str(node.params["rule"])
    lines = words.say(cleandoc(str(node.params["formula"]))).splitlines()[1:]
    formula = "\n".join(text.replace("``", "").strip() for text in lines if text.strip())
    return Told(kind, words.rule(rule), "", (rule,), formula)


def _factor(node: Explanation, words: Words, kind: str) -> Told:
    p, values, say = node.params, node.data["values"], words.say
    name = factor_text(words, str(p["factor"]).partition(":")[0], values)
    value = " ".join(part for part in factor_value(words, values) if part)
    start, _, end = str(p["validity"]).partition("..")
    confidence = words.term(CONFIDENCE, p["confidence"])
    about = [
        say.fill(
            N_("{confidence}, in force {start} to {end}"),
            confidence=confidence,
            start=start or "…",
            end=end or "…",
        ),
        say.fill(N_("source: {source}"), source=source_name(words, p["source"])),
    ]
    if values.get("ncv"):  # what is multiplied; the value of the row is their product, rounded
        parts = N_("NCV {ncv} {unit}, CC {carbon} tC/TJ, OF {oxidation}")
        carbon, oxidation = values["carbon_content_tC_per_TJ"], values["oxidation_fraction"]
        unit = words.unit(values["ncv_unit"])
        about.insert(0, say.fill(parts, ncv=values["ncv"], unit=unit, carbon=carbon, oxidation=oxidation))
    return Told(kind, name, value, tuple(about), warn=p["confidence"] != "verified")


def _line(node: Explanation, words: Words, kind: str) -> Told:
    p = node.params
    about = [words.term(QUALITIES, p["quality"])]
    about += [words.period(p["period"])] if p["period"] else []
    if p["commodity"] != "CNY":
        about.append(words.commodity(p["commodity"]))
    head = words.say.fill(
        N_("{debit} ← {credit}"), debit=words.account(p["debit"]), credit=words.account(p["credit"])
    )
    return Told(
        kind, head, amount_text(p["amount"], words), (words.comma().join(about),), warn=p["quality"] != "measured"
    )


def _entry(node: Explanation, words: Words, kind: str) -> Told:
    p = node.params
    when = local(datetime.fromisoformat(p["recorded_at"]), words.park.timezone)
    head = words.say.fill(
        N_("version {version}, {reason}, recorded {when}"),
        version=p["version"],
        reason=words.term(REASONS, p["reason"]),
        when=when,
    )
    about = (
        words.say.fill(N_("method pack {pack}"), pack=p["pack"]),
        words.say.fill(N_("entry {id}"), id=p["entry"]),
        words.say.fill(N_("arrivals up to number {number}"), number=node.data["source"]),
    )
    return Told(kind, head, amount_text(p["amount"], words), about)


def _subject(node: Explanation, words: Words, kind: str) -> Told:
    source, _, rest = str(node.params["subject"]).partition(">")
    target, _, carrier = rest.partition(":")
    text = N_("{carrier} from {source} to {target}")
    names = {"carrier": words.carrier(carrier), "source": words.node(source), "target": words.node(target)}
    return Told(kind, words.say.fill(text, **names))


def _meter(node: Explanation, words: Words, kind: str) -> Told:
    p = node.params
    times = "" if p["coefficient"] == 1 else f" × {p['coefficient']}"
    about = [words.say.fill(N_("{slots} quarter hours"), slots=p["slots"])]
    flags = ", ".join(f"{name} {count}" for name, count in node.data["flags"].items())
    if flags:
        about.append(words.say.fill(N_("flagged quarter hours: {flags}"), flags=words.flags(flags)))
    return Told(kind, f"{p['meter']}{times}", amount_text(p["amount"], words), tuple(about), warn=bool(flags))


def _event(node: Explanation, words: Words, kind: str) -> Told:
    p = node.params
    start, end = (f"{datetime.fromisoformat(p[name]):%Y-%m-%d %H:%M}" for name in ("start", "end"))
    details = []
    for part in str(p["detail"]).split(", ") if p["detail"] else ():
        name, _, value = part.partition(" ")
        details.append(f"{words.term(DETAILS, name)} {value}")
    head = words.say.fill(
        N_("{event} from {start} to {end}"), event=words.term(EVENTS, p["event"]), start=start, end=end
    )
    return Told(kind, head, "", (words.comma().join(details),) if details else (), warn=True)


def _sentence(node: Explanation, words: Words, kind: str) -> Told:
    """What needs no layout of its own: its sentence, with names for codes and units for amounts."""
    named = {
        "account": words.account,
        "origin": words.account,
        "pool": words.pool,
        "enterprise": words.node,
        "rule": words.rule,
        "commodity": words.commodity,
    }
    values: dict[str, Any] = {}
    for name, value in node.params.items():
        if isinstance(value, Amount):
            values[name] = amount_text(value, words)
        else:
            values[name] = named[name](str(value)) if name in named else value
    return Told(kind, words.say.fill(node.text, **values))
