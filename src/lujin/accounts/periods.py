"""Accounting periods (会计期间): open → closed → verified → restated → closed again … Pure functions on records.

A month is open until it is first closed. From then on nothing moves its accounts but a restatement that names its
cause: late readings, corrections, edits of the park wait. The account as known at the closing stays what it was.

What must hold before a month is closed is data: every condition is examined, and all that fail are told at once.
Source: method notes 4.3; the embodied book conserves carbon, so that what one enterprise is owed another owes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from lujin.accounts.statement_parts import Part
from lujin.errors import N_, InputError, Problem, StoreError, Translate, as_written

State = Literal["open", "closed", "verified", "restated"]
Act = Literal["close", "verify", "restate"]
Outcome = Literal["unqualified", "qualified", "adverse", "disclaimer"]

# What a verifier may conclude, in the terms of ISAE 3410 (ISO 14064-3 says unmodified and modified for the first
# two). Named from memory: not compared with the text of the standards.
OUTCOMES: Mapping[Outcome, Problem] = {
    "unqualified": Problem(N_("unqualified opinion")),
    "qualified": Problem(N_("qualified opinion")),
    "adverse": Problem(N_("adverse opinion")),
    "disclaimer": Problem(N_("disclaimer of opinion")),
}
VERIFYING: tuple[Outcome, ...] = ("unqualified", "qualified")

STATES: Mapping[State, Problem] = {
    "open": Problem(N_("open")),
    "closed": Problem(N_("closed")),
    "verified": Problem(N_("closed and verified")),
    "restated": Problem(N_("restated")),
}
# Act → (states from which it may be done, state after it).
_MOVES: Mapping[Act, tuple[frozenset[State], State]] = {
    "close": (frozenset(("open", "restated")), "closed"),
    "verify": (frozenset(("closed",)), "verified"),
    "restate": (frozenset(("closed", "verified", "restated")), "restated"),
}
_REFUSALS: Mapping[tuple[Act, State], tuple[str, str]] = {
    ("close", "closed"): (
        N_("{month} is closed already"),
        N_("if facts have come since, post them with: lujin restate --month {month} --cause TEXT"),
    ),
    ("close", "verified"): (
        N_("{month} is closed and verified already"),
        N_("if facts have come since, post them with: lujin restate --month {month} --cause TEXT"),
    ),
    ("verify", "open"): (N_("{month} is open; only a closed month can be verified"), N_("run: lujin close")),
    ("verify", "verified"): (
        N_("{month} is verified already"),
        N_("a second opinion is recorded after: lujin restate, lujin close"),
    ),
    ("verify", "restated"): (
        N_("{month} was restated and not closed since; only a closed month can be verified"),
        N_("run: lujin close"),
    ),
    ("restate", "open"): (N_("{month} is open; what it lacks is posted by lujin run"), N_("run: lujin run")),
}


@dataclass(frozen=True, slots=True)
class PeriodEvent(Part):
    """What was done to a month. ``known``: time of knowledge τ of its account then; ``entries``: size of the log;
    ``digest``: of the account as known on τ. ``disclosed``: what the closing discloses; ``arrived`` and
    ``effect``: what a restatement took in and what it moved. ``outcome`` is given of an opinion alone; one that
    does not verify leaves the state ``closed``.
    """

    month: int
    state: State
    recorded_at: datetime
    known: datetime
    entries: int
    digest: str
    author: str = ""
    note: str = ""
    verifier: str = ""
    outcome: Outcome | Literal[""] = ""
    opinion: str = ""
    cause: str = ""
    disclosed: Sequence[Mapping[str, Any]] = ()
    arrived: Mapping[str, Any] = field(default_factory=dict)
    effect: Sequence[Mapping[str, Any]] = ()
    number: int = 0


@dataclass(frozen=True, slots=True)
class Period(Part):
    """A month with its history, oldest event first."""

    month: int
    events: tuple[PeriodEvent, ...] = ()

    @property
    def state(self) -> State:
        return self.events[-1].state if self.events else "open"

    @property
    def held(self) -> bool:
        """Whether only a restatement may move its accounts: it was closed once."""
        return bool(self.events)

    @property
    def closing(self) -> PeriodEvent | None:
        """The closing that stands: None while the month is open or restated."""
        if self.state not in ("closed", "verified"):
            return None
        return next(event for event in reversed(self.events) if event.state == "closed" and not event.outcome)

    @property
    def opinion(self) -> PeriodEvent | None:
        """The verifier's opinion that stands, whatever its outcome."""
        return self.events[-1] if self.events and self.events[-1].outcome else None

    def as_of(self, known: datetime | None) -> Period:
        if known is None:
            return self
        return Period(self.month, tuple(e for e in self.events if e.recorded_at <= known))

    def as_dict(self) -> dict[str, Any]:
        closing = self.closing
        return {
            **Part.as_dict(self),
            "state": self.state,
            "known": None if closing is None else closing.known.isoformat(),
        }


def refusal(act: Act, period: Period) -> Problem | None:
    """Why the act may not be done to the month now; None: it may."""
    if period.state in _MOVES[act][0]:
        return None
    message, remedy = _REFUSALS[act, period.state]
    return Problem(message, {"month": _text(period.month)}, remedy)


def after(act: Act, period: Period, event: PeriodEvent) -> Period:
    """The month with the event of the act.

    InputError: the act is not one that may follow. StoreError: the event lies before what is recorded.
    """
    if problem := refusal(act, period):
        raise InputError(problem)
    state = "closed" if act == "verify" and event.outcome not in VERIFYING else _MOVES[act][1]
    if event.state != state or event.month != period.month:
        raise ValueError(f"{event.state} of {event.month} is not what {act} of {period.month} leads to")
    last = period.events[-1].recorded_at if period.events else None
    if (last is not None and event.recorded_at <= last) or event.known > event.recorded_at:
        raise StoreError(
            Problem(
                N_("the clock runs backwards: {month} was {state} at {last}, and the clock says {now}"),
                {
                    "month": _text(period.month),
                    "state": STATES[period.state],
                    "last": (last or event.known).isoformat(timespec="seconds"),
                    "now": event.recorded_at.isoformat(timespec="seconds"),
                },
                N_("set the clock of this machine and repeat the command"),
            )
        )
    return Period(period.month, (*period.events, event))


# --------------------------------------------------------------------------------------- what closing demands


@dataclass(frozen=True, slots=True)
class Balance:
    """Balance of one account of the book ``embodied`` at the end of the month [base units, mg of gas]."""

    enterprise: str
    account: str  # without the enterprise, e.g. "WIP/boiler"
    commodity: str
    amount: int

    @property
    def group(self) -> str:
        return self.account.partition("/")[0]

    @property
    def name(self) -> str:
        return self.account.partition("/")[2]


@dataclass(frozen=True)
class Closing:
    """What is known of a month that is to be closed.

    ``ended``: whether its last instant lies in the past. ``posted``: enterprises posted; ``waiting``: enterprises
    whose facts are newer than their postings. ``unfinished``: imports that were interrupted. ``lacking``:
    enterprises posted without a factor or price. ``balances``: of book ``embodied``. ``carried``: accounts, or
    groups of them, that the pack of that book carries over the month's end. ``expected`` and ``measured``: slots.
    """

    month: int
    ended: bool
    posted: Collection[str]
    waiting: Mapping[str, str]
    unfinished: int
    lacking: Collection[str]
    balances: Sequence[Balance]
    carried: Collection[str]
    expected: int
    measured: int
    estimated: int
    missing: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Disclosure(Part):
    """Something that does not hinder the closing and is told with it. Amounts in base units, as text."""

    kind: Literal["completeness", "work_in_progress", "stock", "suspense"]
    enterprise: str = ""
    account: str = ""
    commodity: str = ""
    amount: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that must hold before a month is closed. ``problems``: why it does not; none: it is met."""

    name: str
    title: str
    problems: tuple[Problem, ...] = ()

    @property
    def met(self) -> bool:
        return not self.problems

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": translate(self.title),
            "met": self.met,
            "problems": [problem.as_dict(translate) for problem in self.problems],
        }


def conditions(closing: Closing) -> tuple[Condition, ...]:
    """Every condition of the closing, met or not, in the order in which they are worked off."""
    return (
        Condition("ended", N_("the month has ended"), _ended(closing)),
        Condition("imported", N_("no import was interrupted"), _interrupted(closing)),
        Condition("posted", N_("all facts are posted"), _posted(closing)),
        Condition("priced", N_("no factor or price is missing"), _lacking(closing)),
        Condition("work", N_("no carbon is left in the plants"), tuple(_work(closing))),
        Condition("dues", N_("neighbours agree on what passed between them"), tuple(_dues(closing))),
        Condition("suspense", N_("disputed amounts are settled or disclosed"), tuple(_suspense(closing))),
    )


def examine(closing: Closing) -> tuple[tuple[Problem, ...], tuple[Disclosure, ...]]:
    """Every condition that fails, at once, and what the closing must disclose."""
    problems = [problem for condition in conditions(closing) for problem in condition.problems]
    return tuple(problems), disclosures(closing)


def _ended(closing: Closing) -> tuple[Problem, ...]:
    if closing.ended:
        return ()
    params = {"month": _text(closing.month)}
    return (Problem(N_("{month} has not ended"), params, N_("close it after its last day")),)


def _interrupted(closing: Closing) -> tuple[Problem, ...]:
    if not closing.unfinished:
        return ()
    message = N_("{count} imports were interrupted, and what they brought is not posted")
    return (Problem(message, {"count": closing.unfinished}, N_("run: lujin run")),)


def _posted(closing: Closing) -> tuple[Problem, ...]:
    month, found = _text(closing.month), []
    if not closing.posted:
        remedy = N_("import readings and run: lujin run")
        found.append(Problem(N_("nothing is posted for {month}"), {"month": month}, remedy))
    if closing.waiting:
        params = {"month": month, "count": len(closing.waiting), "names": _some(closing.waiting)}
        message = N_("{month}: facts of {count} enterprises are not posted: {names}")
        found.append(Problem(message, params, N_("run: lujin run; for a closed month: lujin restate")))
    return tuple(found)


def _lacking(closing: Closing) -> tuple[Problem, ...]:
    if not closing.lacking:
        return ()
    params = {"month": _text(closing.month), "count": len(closing.lacking), "names": _some(closing.lacking)}
    message = N_("{month}: a factor or price is missing for {count} enterprises: {names}")
    remedy = N_("lujin run says which; add it to the park's reference folder and run: lujin run")
    return (Problem(message, params, remedy),)


def _carries(closing: Closing, balance: Balance) -> bool:
    return balance.group in closing.carried or balance.account in closing.carried


def _work(closing: Closing) -> list[Problem]:
    return [
        Problem(
            N_("{month}: {account} of {enterprise} still holds {amount} mg of {commodity}"),
            {
                "month": _text(closing.month),
                "account": balance.account,
                "enterprise": balance.enterprise,
                "amount": f"{balance.amount:,}",
                "commodity": balance.commodity,
            },
            N_("post what the node gave out, or have the pack carry it over the month's end"),
        )
        for balance in closing.balances
        if balance.group == "WIP" and balance.amount and not _carries(closing, balance)
    ]


def _dues(closing: Closing) -> list[Problem]:
    """What a is owed by b and what b owes a cancel, per gas; so the sum over the park is zero."""
    pairs: dict[tuple[str, str, str], int] = defaultdict(int)
    for balance in closing.balances:
        if balance.group == "DUE":
            one, other = sorted((balance.enterprise, balance.name))
            pairs[one, other, balance.commodity] += balance.amount
    return [
        Problem(
            N_("{month}: {one} and {other} disagree on {amount} mg of {commodity} that passed between them"),
            {
                "month": _text(closing.month),
                "one": one,
                "other": other,
                "amount": f"{amount:,}",
                "commodity": commodity,
            },
            N_("run: lujin run, so that both sides rest on the same readings"),
        )
        for (one, other, commodity), amount in sorted(pairs.items())
        if amount
    ]


def _suspense(closing: Closing) -> list[Problem]:
    held = [b for b in closing.balances if b.group == "SUSPENSE" and b.amount]
    if not held or closing.note.strip():
        return []
    names = _some(sorted({f"{b.enterprise}/{b.account}" for b in held}))
    return [
        Problem(
            N_("{month}: {count} disputed amounts stand in suspense: {names}"),
            {"month": _text(closing.month), "count": len(held), "names": names},
            N_("settle the two meters, or disclose the dispute with: --note TEXT"),
        )
    ]


def disclosures(closing: Closing) -> tuple[Disclosure, ...]:
    counts = f"{closing.measured}/{closing.estimated}/{closing.missing}/{closing.expected}"
    found = [Disclosure("completeness", amount=counts)]
    kinds: dict[str, Literal["work_in_progress", "stock", "suspense"]] = {
        "WIP": "work_in_progress",
        "STK": "stock",
        "SUSPENSE": "suspense",
    }
    found += [
        Disclosure(kinds[b.group], b.enterprise, b.account, b.commodity, str(b.amount))
        for b in sorted(closing.balances, key=lambda b: (b.enterprise, b.account, b.commodity))
        if b.group in kinds and b.amount
    ]
    return tuple(found)


def _some(names: Collection[str], most: int = 5) -> str:
    ordered = sorted(names)
    more = ["…"] if len(ordered) > most else []
    return ", ".join([*ordered[:most], *more])


def _text(month: int) -> str:
    return f"{month // 100:04}-{month % 100:02}"
