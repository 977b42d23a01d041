"""An explanation as indented text: account, rule with formula, factor with source, entries, meters, readings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from inspect import cleandoc
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from lujin.accounts import Amount
from lujin.errors import N_
from lujin.show.amounts import grouped, local
from lujin.show.factors import factor_text, factor_value, source_name
from lujin.show.text import GAP, padded, say_line, type_next, width_of
from lujin.show.words import CONFIDENCE, DETAILS, EVENTS, QUALITIES, REASONS, Words

if TYPE_CHECKING:
    from rich.console import Console

    from lujin.accounts import Explanation

READINGS = 8  # per meter before "and N more"
ODD = 8  # later ones that a person should see


def explanation(console: Console, found: Explanation, words: Words, park: str, *, whole: bool = False) -> None:
    """``whole``: every reading, not only the first ones and those that were corrected or are not measured."""
    _Tree(console, words, whole).reference(found)
    reference = str(found.params["reference"])
    days = [
        day
        for account in found.children
        for day in account.children
        if day.kind == "day" and account.params["commodity"] != "CNY"
    ]
    if days:
        largest = max(days, key=lambda d: abs(d.params["amount"].base))
        what = words.say(N_("a day of it, down to the readings"))
        type_next(console, words.say, [(f"lujin explain {park} {largest.params['reference']}", what)])
    elif any(node.kind == "reading" for node in found.walk()) and not whole:
        what = words.say(N_("every reading of the day"))
        type_next(console, words.say, [(f"lujin explain {park} {reference} --all", what)])


class _Tree:
    """Says nodes at their depth."""

    def __init__(self, console: Console, words: Words, whole: bool) -> None:
        self.console, self.words, self.say, self.whole = console, words, words.say, whole
        self.told: set[str] = set()  # rules and factors that are explained in full already

    def put(self, depth: int, message: str, style: str = "", **values: Any) -> None:
        say_line(self.console, self.say.fill(message, **values), style, indent=2 * depth)

    def reference(self, node: Explanation) -> None:
        p = node.params
        enterprise = f"{self.words.node(p['enterprise'])} ({p['enterprise']})"
        head = N_("{enterprise}, {month}, book {book}")
        self.put(0, head, "bold", enterprise=enterprise, month=p["month"], book=self.words.book(p["book"]))
        say_line(self.console, str(p["reference"]), "dim")
        for child in node.children:
            self.console.print()
            self.node(child, 0)

    def node(self, node: Explanation, depth: int) -> None:
        match node.kind:
            case "account":
                self.account(node, depth)
            case "rule":
                self.rule(node, depth)
            case "factor":
                self.factor(node, depth)
            case "line":
                self.line(node, depth)
            case "entry":
                self.entry(node, depth)
            case "subject":
                self.subject(node, depth)
            case _:
                self.sentence(node, depth)

    def sentence(self, node: Explanation, depth: int) -> None:
        """What needs no layout of its own: its sentence, with names for accounts and units for amounts."""
        values = {
            name: self.amount(value) if isinstance(value, Amount) else value for name, value in node.params.items()
        }
        named = {
            "account": self.words.account,
            "origin": self.words.account,
            "pool": self.words.pool,
            "enterprise": self.words.node,
            "rule": self.words.rule,
            "commodity": self.words.commodity,
        }
        values |= {name: named[name](str(value)) for name, value in values.items() if name in named}
        self.put(depth, node.text, **values)
        for child in node.children:
            self.node(child, depth + 1)

    # ------------------------------------------------------------------------------- from the ledger

    def account(self, node: Explanation, depth: int) -> None:
        p = node.params
        name = self.words.account(p["account"])
        if p["commodity"] not in ("CNY", str(p["account"]).partition("/")[2]):
            about = self.words.commodity(p["commodity"])
            name = self.say.fill(N_("{account} [{commodity}]"), account=name, commodity=about)
        values = {"account": name, "amount": self.amount(p["amount"])}
        if p["estimated"]:
            message = N_("{account}: {amount}, of it {estimated} estimated")
            self.put(depth, message, "bold cyan", **values, estimated=self.amount(p["estimated"]))
        else:
            self.put(depth, N_("{account}: {amount}"), "bold cyan", **values)
        # Money is posted once, on the last day, for the whole month.
        days = [c for c in node.children if c.kind == "day" and p["commodity"] != "CNY"]
        if days:
            unit = self.words.unit(days[0].params["amount"].unit)
            self.put(depth + 1, N_("by day [{unit}]"), "dim", unit=unit)
            cells = [(str(d.params["day"])[5:], grouped(d.params["amount"].value, 3)) for d in days]
            self.grid(depth + 1, cells)

    def rule(self, node: Explanation, depth: int) -> None:
        rule = str(node.params["rule"])
        self.put(depth, N_("rule: {name} ({rule})"), "bold cyan", name=self.words.rule(rule), rule=rule)
        formula = self.say(cleandoc(str(node.params["formula"])))
        for text in formula.splitlines()[1:] if self.first(rule) else ():
            if text.strip():
                say_line(self.console, text.replace("``", "").strip(), "dim", indent=2 * depth + 2)
        for child in node.children:
            self.node(child, depth + 1)

    def factor(self, node: Explanation, depth: int) -> None:
        p, values = node.params, node.data["values"]
        name = factor_text(self.words, str(p["factor"]).partition(":")[0], values)
        value = " ".join(part for part in factor_value(self.words, values) if part)
        if not value:
            self.put(depth, N_("factor: {name}"), name=name)
        else:
            self.put(depth, N_("factor: {name} = {value}"), name=name, value=value)
        if not self.first(str(p["factor"])):
            return
        if values.get("ncv"):  # what is multiplied; the value of the row is their product, rounded
            self.put(
                depth + 1,
                N_("NCV {ncv} {unit}, CC {carbon} tC/TJ, OF {oxidation}"),
                ncv=values["ncv"],
                unit=self.words.unit(values["ncv_unit"]),
                carbon=values["carbon_content_tC_per_TJ"],
                oxidation=values["oxidation_fraction"],
            )
        start, _, end = str(p["validity"]).partition("..")
        message = N_("{confidence}, in force {start} to {end}; source: {source}")
        self.put(
            depth + 1,
            message,
            "dim" if p["confidence"] == "verified" else "yellow",
            confidence=self.words.term(CONFIDENCE, p["confidence"]),
            start=start or "…",
            end=end or "…",
            source=source_name(self.words, p["source"]),
        )

    def line(self, node: Explanation, depth: int) -> None:
        p = node.params
        about = [self.words.term(QUALITIES, p["quality"])]
        about += [self.words.period(p["period"])] if p["period"] else []
        self.put(
            depth,
            N_("{debit} ← {credit}: {amount}{commodity} ({about})"),
            debit=self.words.account(p["debit"]),
            credit=self.words.account(p["credit"]),
            amount=self.amount(p["amount"]),
            commodity="" if p["commodity"] == "CNY" else f" {self.words.commodity(p['commodity'])}",
            about=self.words.comma().join(about),
        )
        for child in node.children:
            self.entry(child, depth + 1)

    def claim(self, node: Explanation, depth: int) -> None:
        p = node.params
        account = self.words.account(p["account"])
        self.put(depth, str(node.text), "green", account=account, amount=self.amount(p["amount"]))

    def entry(self, node: Explanation, depth: int) -> None:
        p = node.params
        self.put(
            depth,
            N_("entry {short}, version {version}, {reason}, recorded {when}, {pack}: {amount}"),
            "dim",
            short=p["short"],
            version=p["version"],
            reason=self.words.term(REASONS, p["reason"]),
            when=local(datetime.fromisoformat(p["recorded_at"]), self.words.park.timezone),
            pack=p["pack"],
            amount=self.amount(p["amount"]),
        )

    # ------------------------------------------------------------------------------- from the meters

    def subject(self, node: Explanation, depth: int) -> None:
        source, _, rest = str(node.params["subject"]).partition(">")
        target, _, carrier = rest.partition(":")
        self.put(
            depth,
            N_("measured: {carrier} from {source} to {target}"),
            "bold cyan",
            carrier=self.words.carrier(carrier),
            source=self.words.node(source),
            target=self.words.node(target),
        )
        for flow in node.children:
            if flow.kind == "settlement":
                self.sentence(flow, depth + 1)
                continue
            self.put(depth + 1, N_("flow {flow}"), flow=flow.params["flow"])
            for meter in flow.children:
                self.meter(meter, depth + 2)

    def meter(self, node: Explanation, depth: int) -> None:
        p = node.params
        times = "" if p["coefficient"] == 1 else f" × {p['coefficient']}"
        self.put(
            depth,
            N_("meter {meter}: {amount} in {slots} quarter hours"),
            meter=f"{p['meter']}{times}",
            amount=self.amount(p["amount"]),
            slots=p["slots"],
        )
        if node.data["flags"]:
            flags = ", ".join(f"{name} {count}" for name, count in node.data["flags"].items())
            self.put(depth + 1, N_("flagged quarter hours: {flags}"), "yellow", flags=self.words.flags(flags))
        for event in (c for c in node.children if c.kind == "event"):
            self.event(event, depth + 1)
        hours = [c for c in node.children if c.kind == "hour"]
        if hours:
            unit = self.words.unit(hours[0].params["amount"].unit)
            self.put(depth + 1, N_("by hour [{unit}]; * marks hours with flags"), "dim", unit=unit)
            cells = [
                (
                    f"{h.params['hour']}:00",
                    grouped(h.params["amount"].value, 3) + ("*" if h.params["flags"] else ""),
                )
                for h in hours
            ]
            self.grid(depth + 1, cells)
        self.readings([c for c in node.children if c.kind == "reading"], depth + 1)

    def event(self, node: Explanation, depth: int) -> None:
        p = node.params
        start, end = (f"{datetime.fromisoformat(p[name]):%Y-%m-%d %H:%M}" for name in ("start", "end"))
        details = []
        for part in str(p["detail"]).split(", ") if p["detail"] else ():
            name, _, value = part.partition(" ")
            details.append(f"{self.words.term(DETAILS, name)} {value}")
        self.put(
            depth,
            N_("{event} from {start} to {end} {detail}"),
            "yellow",
            event=self.words.term(EVENTS, p["event"]),
            start=start,
            end=end,
            detail=f"({self.words.comma().join(details)})" if details else "",
        )

    def readings(self, nodes: Sequence[Explanation], depth: int) -> None:
        """Readings of one meter: what they have in common once, then times and values."""
        if not nodes:
            return
        shown = nodes if self.whole else list(_telling(nodes))
        unit = self.words.unit(str(nodes[0].params["unit"]))
        self.put(depth, N_("{count} readings [{unit}]"), "dim", count=len(nodes), unit=unit)
        for node in shown:
            self.reading(node, depth + 1)
        if len(shown) < len(nodes):
            self.put(depth + 1, N_("… and {count} more"), "dim", count=len(nodes) - len(shown))

    def reading(self, node: Explanation, depth: int) -> None:
        p = node.params
        zone = ZoneInfo(self.words.park.timezone)
        odd = "" if p["quality"] == "measured" else f" ({self.words.term(QUALITIES, p['quality'])})"
        message = N_("{time}  {value}{odd}  {file}, row {row}, recorded {when}")
        if p["value"] is None:
            message = N_("{time}  no reading since {file} was taken back, recorded {when}")
        elif not node.data["current"]:
            message = N_("{time}  {value}{odd}  {file}, row {row}, recorded {when}: corrected later")
        self.put(
            depth,
            message,
            "" if node.data["current"] else "yellow",
            time=f"{datetime.fromisoformat(p['time']).astimezone(zone):%m-%d %H:%M}",
            value="" if p["value"] is None else f"{p['value']:,}",
            odd=odd,
            file=p["file"],
            row=p["row"],
            when=local(datetime.fromisoformat(p["recorded"]), self.words.park.timezone),
        )

    # ----------------------------------------------------------------------------------------- layout

    def first(self, name: str) -> bool:
        """Whether this is told for the first time; from now on it is not."""
        if name in self.told:
            return False
        self.told.add(name)
        return True

    def amount(self, amount: Amount) -> str:
        """All digits of the ledger: an explanation is where they are looked up."""
        return f"{amount.value:,f} {self.words.unit(amount.unit)}"

    def grid(self, depth: int, cells: Sequence[tuple[str, str]]) -> None:
        """Names and numbers in as many columns as fit, read downwards."""
        left, right = (max(width_of(cell[i]) for cell in cells) for i in (0, 1))
        each = left + 1 + right + 2 * GAP
        columns = max(1, (min(self.console.width, 100) - 2 * depth + 2 * GAP) // each)
        height = -(-len(cells) // columns)
        for row in range(height):
            texts = [f"{name} {padded(value, right, right=True)}" for name, value in cells[row::height]]
            self.console.print(" " * 2 * depth + (" " * 2 * GAP).join(texts), soft_wrap=True)


def _telling(nodes: Sequence[Explanation]) -> Iterator[Explanation]:
    """The first readings, and some later ones that were corrected or are not simply measured."""
    more = ODD
    for place, node in enumerate(nodes):
        replaced = place > 0 and not nodes[place - 1].data["current"]
        if place < READINGS:
            yield node
        elif more and (replaced or not node.data["current"] or node.params["quality"] != "measured"):
            more -= 1
            yield node
