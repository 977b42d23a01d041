"""Closing a month, recording a verifier's opinion, and the state of all months."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl
import sqlalchemy as sa

from lujin.accounts import posted_through
from lujin.accounts.facts import COUNTS, completeness_as_of
from lujin.accounts.pack import packs
from lujin.accounts.period_facts import account_digest, embodied_balances, log_size, periods, record_event
from lujin.accounts.periods import (
    OUTCOMES,
    VERIFYING,
    Act,
    Closing,
    Outcome,
    Period,
    PeriodEvent,
    after,
    examine,
    refusal,
)
from lujin.accounts.sections import month_text
from lujin.database import writing
from lujin.errors import N_, InputError, IntegrityError, Problem
from lujin.park.calendar import month_start, next_month
from lujin.readings.sources import pending
from lujin.workspace.arriving import recover
from lujin.workspace.event_heads import seal_events
from lujin.workspace.evidence import prepared_head
from lujin.workspace.replay import month_as_known
from lujin.workspace.running import Due, due_work, record_facts

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace


def close(workspace: Workspace, months: Sequence[int], note: str = "", author: str = "") -> tuple[Period, ...]:
    """Close months: all of them, or none. InputError lists every condition of every month that fails."""
    with workspace.writing("close"):
        recover(workspace)
        now = workspace.now()
        record_facts(workspace, now)
        due = due_work(workspace)
        wanted = sorted(set(months))
        with workspace.engine.connect() as connection:
            found = periods(connection, wanted)
        _refuse("close", found)
        events: list[PeriodEvent] = []
        problems: list[Problem] = []
        for month in wanted:
            failing, event = _examined(workspace, due, month, note.strip(), author, now)
            problems += failing
            events.append(event)
        if problems:
            raise InputError(*problems)
        store_head = prepared_head(workspace, now)
        with writing(workspace.engine) as connection:
            closed = tuple(after("close", found[event.month], event) for event in events)
            for event in events:
                record_event(connection, event)
            store_head(connection)
            seal_events(workspace, connection, now)
        return closed


def _refuse(act: Act, found: dict[int, Period]) -> None:
    if problems := [p for period in found.values() if (p := refusal(act, period))]:
        raise InputError(*problems)


def _examined(
    workspace: Workspace, due: Due, month: int, note: str, author: str, now: datetime
) -> tuple[tuple[Problem, ...], PeriodEvent]:
    """The conditions that fail, and the event of the closing if none does."""
    with workspace.engine.connect() as connection:
        found, errors = look_at(workspace, connection, due, month, note, now)
        problems, disclosed = examine(found)
        event = PeriodEvent(
            month,
            "closed",
            recorded_at=now,
            known=now,
            entries=log_size(connection),
            digest=account_digest(connection, month, now),
            author=author,
            note=note,
            disclosed=tuple(d.as_dict() for d in disclosed),
        )
    return (*problems, *errors), event


def look_at(
    workspace: Workspace, connection: sa.Connection, due: Due, month: int, note: str, now: datetime
) -> tuple[Closing, tuple[Problem, ...]]:
    """What is known of a month that is to be closed, and which factors or prices it lacks."""
    waiting = {w.month: w.reasons for w in due.work} | {h.month: h.reasons for h in due.held}
    posted = due.posted.filter(pl.col("month") == month)
    embodied = packs().get(workspace.park.packs.get("embodied", ""))
    lacking, errors = _lacking(workspace, connection, month, now, posted)
    slots = completeness_as_of(connection, [month], as_of=now).select(pl.col(COUNTS).sum()).row(0, named=True)
    found = Closing(
        month=month,
        ended=month_start(next_month(month), workspace.park.timezone) <= now,
        posted=posted["enterprise"].to_list(),
        waiting=waiting.get(month, {}),
        unfinished=len(pending(workspace.engine)),
        lacking=lacking,
        balances=embodied_balances(connection, month),
        carried=embodied.carries if embodied else (),
        expected=slots["expected"],
        measured=slots["measured"] + slots["interpolated"],
        estimated=slots["estimated"],
        missing=slots["missing"],
        note=note,
    )
    return found, errors


def _lacking(
    workspace: Workspace, connection: sa.Connection, month: int, now: datetime, posted: pl.DataFrame
) -> tuple[list[str], tuple[Problem, ...]]:
    """Enterprises whose account lacks a line that it must have, and why. What lacks in scope 3 alone, which an
    enterprise reports as far as it can, closes nothing out.
    """
    marked: list[str] = posted.filter(pl.col("lacking"))["enterprise"].to_list()
    if not marked:
        return [], ()
    again = month_as_known(workspace, connection, month, now, posted["enterprise"].to_list())
    errors = tuple(problem for problem in again.problems if problem.severity == "error")
    return (marked, errors) if errors else ([], ())


def verified(
    workspace: Workspace,
    months: Sequence[int],
    verifier: str,
    outcome: str,
    opinion: str,
    author: str = "",
) -> tuple[Period, ...]:
    """Record a verifier's opinion on closed months: all of them, or none. Only an ``outcome`` of VERIFYING
    verifies them; with another they stay closed, and the opinion stands beside them.
    """
    known_outcome = next((known for known in OUTCOMES if known == outcome), None)
    if known_outcome is None:
        params = {"outcome": outcome, "known": ", ".join(OUTCOMES)}
        raise InputError(
            Problem(N_("{outcome} is no outcome of a verification"), params, N_("use one of: {known}"))
        )
    if not verifier.strip() or not opinion.strip():
        message = N_("a verification names the verifier and the opinion")
        raise InputError(Problem(message, {}, N_("say them with: --verifier NAME --opinion TEXT")))
    with workspace.writing("approve"):
        now = workspace.now()
        with workspace.engine.connect() as connection:
            found = periods(connection, sorted(set(months)))
            _refuse("verify", found)
            if changed := [m for m, period in found.items() if not _stands(connection, period)]:
                raise IntegrityError(*(_changed(month) for month in changed))
        events = [
            _opinion(period, (verifier.strip(), known_outcome, opinion.strip()), author, now)
            for period in found.values()
        ]
        with writing(workspace.engine) as connection:
            done = tuple(after("verify", found[event.month], event) for event in events)
            for event in events:
                record_event(connection, event)
            seal_events(workspace, connection, now)
        return done


def _stands(connection: sa.Connection, period: Period) -> bool:
    closing = period.closing
    return closing is not None and account_digest(connection, period.month, closing.known) == closing.digest


def _changed(month: int) -> Problem:
    message = N_("the account of {month} is not what was closed")
    return Problem(message, {"month": month_text(month)}, N_("restore the database from a backup"))


def _opinion(period: Period, said: tuple[str, Outcome, str], author: str, now: datetime) -> PeriodEvent:
    verifier, outcome, opinion = said
    closing = period.closing
    assert closing is not None
    return PeriodEvent(
        period.month,
        "verified" if outcome in VERIFYING else "closed",
        recorded_at=now,
        known=closing.known,
        entries=closing.entries,
        digest=closing.digest,
        author=author,
        verifier=verifier,
        outcome=outcome,
        opinion=opinion,
    )


def all_periods(workspace: Workspace) -> tuple[Period, ...]:
    """Every month that is posted or was closed, with its history."""
    with workspace.engine.connect() as connection:
        months = posted_through(connection)["month"].unique().to_list()
        found = periods(connection)
        return tuple(found.get(month, Period(month)) for month in sorted({*months, *found}))
