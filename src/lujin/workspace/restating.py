"""Restating months: factors resolved anew, the difference posted; of a closed month with cause and effect."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection

from lujin.accounts import PinnedResolve
from lujin.accounts.period_facts import account_digest, effect, log_size, record_event
from lujin.accounts.periods import PeriodEvent, after
from lujin.accounts.sections import month_text
from lujin.errors import N_, InputError, Problem
from lujin.readings.sources import sources
from lujin.workspace.arriving import recover
from lujin.workspace.basis import refuse_stale
from lujin.workspace.event_heads import seal_events
from lujin.workspace.evidence import daily_head
from lujin.workspace.plan import Held, Work
from lujin.workspace.progress import Progress, silent
from lujin.workspace.running import (
    Due,
    RunReport,
    Seal,
    due_work,
    enterprise_digests,
    post_all,
    posted_in,
    record_facts,
)

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace


def restate(
    workspace: Workspace,
    months: Sequence[int],
    cause: str = "",
    author: str = "",
    *,
    stamp: str = "",
    progress: Progress = silent,
) -> RunReport:
    """Resolve the factors of posted months anew, and post the difference with the reason ``restatement``.

    Whole months: the choice of factors belongs to the month, so that no later posting mixes two of them. A month
    that was closed takes in whatever waited for it as well, and needs a ``cause``. ``stamp``: of the preview
    that was looked at; StaleError where it no longer tells what would happen.
    """
    started = time.perf_counter()
    with workspace.writing("restate"):
        recover(workspace)
        refuse_stale(workspace, months, stamp)
        now = workspace.now()
        reference = record_facts(workspace, now)
        due = due_work(workspace)
        work = whole_months(due, months)
        if missing := [w.month for w in work if w.month in due.periods and not cause.strip()]:
            raise InputError(*(_without_cause(month) for month in missing))
        events: list[PeriodEvent] = []
        digests = enterprise_digests(workspace)
        chosen = frozenset(months)
        reports, waits = post_all(
            workspace,
            work,
            reference,
            digests,
            now,
            progress,
            renew=chosen,
            closed=due.periods.keys() - chosen,
            sealing=lambda month: _sealing(workspace, due, month, (cause.strip(), author), now, events),
        )
        held = due_work(workspace).held if waits else ()
        notices = daily_head(workspace, now)
    spent = time.perf_counter() - started
    return RunReport(reports, spent, now, held, restated=tuple(events), notices=notices)


def whole_months(due: Due, months: Sequence[int]) -> list[Work]:
    return [_work(due, month) for month in sorted(set(months))]


def _work(due: Due, month: int) -> Work:
    """All enterprises posted; in a closed month also those that came since, which ``run`` holds back."""
    names = posted_in(due.posted, month)
    held = held_of(due, month)
    return Work(month, dict.fromkeys([*names, *(held.reasons if held else ())], "restatement"))


def held_of(due: Due, month: int) -> Held | None:
    return next((held for held in due.held if held.month == month), None)


def _without_cause(month: int) -> Problem:
    return Problem(
        N_("{month} was closed; a restatement must name its cause"),
        {"month": month_text(month)},
        N_("say it with: --cause TEXT"),
    )


def _sealing(
    workspace: Workspace,
    due: Due,
    month: int,
    said: tuple[str, str],
    now: datetime,
    events: list[PeriodEvent],
) -> Seal | None:
    """Records the restatement of a month that was closed, if anything of its account changed."""
    period = due.periods.get(month)
    if period is None:
        return None
    held = held_of(due, month)

    def seal(connection: Connection, resolve: PinnedResolve) -> None:
        digest = account_digest(connection, month, now)
        if digest == period.events[-1].digest:
            return
        event = PeriodEvent(
            month,
            "restated",
            recorded_at=now,
            known=now,
            entries=log_size(connection),
            digest=digest,
            author=said[1],
            cause=said[0],
            arrived=_arrived(workspace, held, resolve),
            effect=effect(connection, month, now),
        )
        after("restate", period, event)
        record_event(connection, event)
        seal_events(workspace, connection, now)
        events.append(event)

    return seal


def _arrived(workspace: Workspace, held: Held | None, resolve: PinnedResolve) -> dict[str, Any]:
    """What the restatement rests on: arrivals with their files, enterprises whose park changed, factors."""
    numbers = held.arrivals if held else ()
    factors = {}
    for choice in resolve.new:
        was = [row.id for row in resolve.pinned.get(choice.question, ())]
        factors[choice.selector, tuple(was), choice.rows] = {
            "selector": choice.selector,
            "was": was,
            "is": list(choice.rows),
        }
    return {
        "sources": [{"number": s.number, "file": s.name} for s in sources(workspace.engine, numbers)],
        "park": sorted(name for name, why in held.reasons.items() if why == "park_change") if held else [],
        "factors": [factors[key] for key in sorted(factors)],
    }
