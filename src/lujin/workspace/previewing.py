"""What closing or restating months would do, shown before it is done. Nothing is stored.

The same steps as ``close`` and ``restate`` take run in a transaction that is undone, so a preview says what will
happen and not what resembles it. Its ``stamp`` names the facts it rests on: given to ``restate`` it has the act
refused when one of them changed meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts import Amount, GwpSet, PinnedResolve
from lujin.accounts import sections as sections
from lujin.accounts.amounts import COAL
from lujin.accounts.facts import stored_rows
from lujin.accounts.period_facts import effect, periods
from lujin.accounts.periods import Closing, Condition, Disclosure, State, conditions, disclosures, refusal
from lujin.accounts.tables import certificate, certificate_superseded
from lujin.database import rehearsing
from lujin.errors import N_, Problem, Translate, as_written
from lujin.park import Park
from lujin.readings.sources import sources
from lujin.reference import Row
from lujin.workspace.basis import facts_stamp
from lujin.workspace.closing import look_at
from lujin.workspace.plan import Held, counted
from lujin.workspace.progress import Progress, silent
from lujin.workspace.reading import gwp_sets
from lujin.workspace.restating import held_of, whole_months
from lujin.workspace.running import Due, Seal, due_work, post_all, record_facts

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace


@dataclass(frozen=True, slots=True)
class FactorChange:
    """A selector that would be answered by other rows. Without ``was`` it was not asked before."""

    selector: str
    day: date
    was: tuple[Row, ...]
    now: tuple[Row, ...]

    def as_dict(self) -> dict[str, Any]:
        def rows(found: tuple[Row, ...]) -> list[dict[str, Any]]:
            return [{"id": row.id, "value": row.values.get("value", ""), **_said(row)} for row in found]

        return {
            "selector": self.selector,
            "day": self.day.isoformat(),
            "was": rows(self.was),
            "now": rows(self.now),
        }


def _said(row: Row) -> dict[str, str]:
    return {name: row.values.get(name, "") for name in ("unit", "source", "confidence")}


@dataclass(frozen=True, slots=True)
class EnterpriseEffect:
    """What an enterprise's books would move by: cost, energy by carrier, standard coal (equal and equivalent
    value), and scopes 1 and 2 by book.
    """

    enterprise: str
    cost: Amount
    energy: Mapping[str, Amount]
    coal: Mapping[str, Amount]
    carbon: Mapping[str, Amount]

    def as_dict(self) -> dict[str, Any]:
        return {
            "enterprise": self.enterprise,
            "cost": self.cost.as_dict(),
            "energy": {carrier: amount.as_dict() for carrier, amount in self.energy.items()},
            "coal": {kind: amount.as_dict() for kind, amount in self.coal.items()},
            "carbon": {book: amount.as_dict() for book, amount in self.carbon.items()},
        }


def by_enterprise(
    park: Park, moved: Sequence[Mapping[str, str]], sets: Mapping[str, GwpSet]
) -> tuple[EnterpriseEffect, ...]:
    """The parts of an effect added up per enterprise, in order of their ids."""
    cost: dict[str, int] = defaultdict(int)
    energy: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    gases: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for part in moved:
        name, book, commodity, amount = part["enterprise"], part["book"], part["commodity"], int(part["amount"])
        group = sections.group(part["account"])
        if book == "physical" and group == "COST":
            cost[name] += amount
        elif book == "physical" and group == "OWN":
            energy[name][commodity] += amount
        elif book in sections.CARBON_BOOKS and group in ("S1", "S2"):
            gases[name, book][commodity] += amount
    return tuple(
        EnterpriseEffect(
            name,
            Amount(cost[name], "0.01 CNY"),
            {
                carrier: sections.shown(park, amount, carrier)
                for carrier, amount in sorted(energy[name].items())
                if amount and carrier in park.carriers
            },
            {kind: Amount(energy[name][kind], "mgce") for kind in COAL if energy[name].get(kind)},
            {b: sets[b].co2e(mg) for (e, b), mg in sorted(gases.items()) if e == name and b in sets},
        )
        for name in sorted({part["enterprise"] for part in moved})
    )


@dataclass(frozen=True, slots=True)
class MonthEffect:
    """What would happen to one month. ``effect``: per enterprise and book what each own account moves by [base
    units], as the event of a restatement has it. ``certificates``: those that would be superseded.
    """

    month: int
    state: State
    asked: bool
    reasons: Mapping[str, int]
    arrivals: tuple[Mapping[str, Any], ...]
    park: tuple[str, ...]
    factors: tuple[FactorChange, ...]
    effect: tuple[Mapping[str, str], ...]
    enterprises: tuple[EnterpriseEffect, ...]
    certificates: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def needs_cause(self) -> bool:
        return self.asked and self.state != "open"

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        return {
            "month": self.month,
            "state": self.state,
            "asked": self.asked,
            "needs_cause": self.needs_cause,
            "reasons": dict(self.reasons),
            "arrivals": [dict(a) for a in self.arrivals],
            "park": list(self.park),
            "factors": [f.as_dict() for f in self.factors],
            "effect": [dict(part) for part in self.effect],
            "enterprises": [e.as_dict() for e in self.enterprises],
            "certificates": list(self.certificates),
            "problems": [p.as_dict(translate) for p in self.problems],
        }


@dataclass(frozen=True, slots=True)
class RestatePreview:
    """``months``: those asked for, and open ones that move along. ``held``: closed months to which a change is
    carried over and where it would wait.
    """

    months: tuple[MonthEffect, ...]
    held: tuple[Held, ...]
    stamp: str

    @property
    def moves(self) -> bool:
        return any(m.effect for m in self.months)

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        return {
            "stamp": self.stamp,
            "moves": self.moves,
            "months": [m.as_dict(translate) for m in self.months],
            "held": [held.as_dict() for held in self.held],
        }


@dataclass(frozen=True, slots=True)
class ClosePreview:
    """The conditions of closing one month, each met or not, and what the closing would disclose."""

    month: int
    state: State
    conditions: tuple[Condition, ...]
    disclosed: tuple[Disclosure, ...]

    @property
    def met(self) -> bool:
        return all(condition.met for condition in self.conditions)

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        return {
            "month": self.month,
            "state": self.state,
            "met": self.met,
            "conditions": [c.as_dict(translate) for c in self.conditions],
            "disclosed": [d.as_dict() for d in self.disclosed],
        }


@contextmanager
def _trial(workspace: Workspace, purpose: str) -> Iterator[Workspace]:
    with workspace.writing(purpose), rehearsing(workspace.engine) as engine:
        yield replace(workspace, engine=engine)


def restate_preview(workspace: Workspace, months: Sequence[int], progress: Progress = silent) -> RestatePreview:
    """What ``restate`` would do to these months now, and to those that move along."""
    chosen = frozenset(months)
    with _trial(workspace, "preview") as trial:
        stamp = facts_stamp(trial, months)
        now = trial.now()
        reference = record_facts(trial, now)
        due = due_work(trial)
        rows = {row.id: row for row in trial.reference_rows}
        work = whole_months(due, months)
        collected: dict[int, MonthEffect] = {}

        def sealing(month: int) -> Seal:
            def seal(connection: Connection, resolve: PinnedResolve) -> None:
                collected[month] = _month_effect(trial, connection, due, month, resolve, rows, now)

            return seal

        reports, waits = post_all(
            trial,
            work,
            reference,
            due.digests,
            now,
            progress,
            renew=chosen,
            closed=due.periods.keys() - chosen,
            sealing=sealing,
        )
        held = due_work(trial).held if waits else ()
    found = tuple(
        replace(
            collected[report.month],
            asked=report.month in chosen,
            reasons=report.reasons,
            problems=report.problems,
        )
        for report in reports
    )
    return RestatePreview(found, tuple(h for h in held if h.month not in chosen), stamp)


def _month_effect(
    workspace: Workspace,
    connection: Connection,
    due: Due,
    month: int,
    resolve: PinnedResolve,
    rows: Mapping[str, Row],
    now: datetime,
) -> MonthEffect:
    held, period = held_of(due, month), due.periods.get(month)
    factors = _factors(connection, resolve, rows)
    numbers = held.arrivals if held else ()
    reasons = held.reasons if held else {}
    moved = effect(connection, month, now)
    return MonthEffect(
        month,
        period.state if period else "open",
        True,
        counted(reasons),
        tuple({"number": s.number, "file": s.name} for s in sources(workspace.engine, numbers)),
        tuple(sorted(name for name, why in reasons.items() if why == "park_change")),
        factors,
        moved,
        by_enterprise(workspace.park, moved, gwp_sets(workspace, month)),
        _covered(connection, month) if period and moved else (),
        (),
    )


def _factors(connection: Connection, resolve: PinnedResolve, rows: Mapping[str, Row]) -> tuple[FactorChange, ...]:
    """Each changed answer once, by the first day on which it differs."""
    found: dict[tuple[str, tuple[str, ...], tuple[str, ...]], FactorChange] = {}
    for choice in sorted(resolve.new, key=lambda c: (c.selector, c.day)):
        was = resolve.pinned.get(choice.question, ())
        key = (choice.selector, tuple(row.id for row in was), choice.rows)
        missing = [name for name in choice.rows if name not in rows]
        known = {**rows, **(stored_rows(connection, missing) if missing else {})}
        found.setdefault(
            key,
            FactorChange(choice.selector, choice.day, tuple(was), tuple(known[name] for name in choice.rows)),
        )
    return tuple(found.values())


def _covered(connection: Connection, month: int) -> tuple[str, ...]:
    done = sa.select(certificate_superseded.c.certificate)
    covered = sa.select(certificate.c.id).where(
        certificate.c.first_month <= month, certificate.c.last_month >= month, certificate.c.number.not_in(done)
    )
    return tuple(connection.execute(covered.order_by(certificate.c.number)).scalars())


# --------------------------------------------------------------------------------------------------- closing


def close_preview(workspace: Workspace, months: Sequence[int], note: str = "") -> tuple[ClosePreview, ...]:
    """The conditions of closing these months as the facts are now."""
    wanted = sorted(set(months))
    with _trial(workspace, "preview") as trial:
        now = trial.now()
        record_facts(trial, now)
        due = due_work(trial)
        with trial.engine.connect() as connection:
            known = periods(connection, wanted)
            found = {m: look_at(trial, connection, due, m, note.strip(), now) for m in wanted}
    return tuple(_closing(known[month].state, refusal("close", known[month]), *found[month]) for month in wanted)


def _closing(state: State, refused: Problem | None, closing: Closing, errors: tuple[Problem, ...]) -> ClosePreview:
    movable = Condition("state", N_("the month is not closed already"), (refused,) if refused else ())
    rest = tuple(
        replace(c, problems=(*c.problems, *errors)) if c.name == "priced" else c for c in conditions(closing)
    )
    return ClosePreview(closing.month, state, (movable, *rest), disclosures(closing))
