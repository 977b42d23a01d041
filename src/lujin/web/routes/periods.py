"""Periods: which months are open, closed, verified or restated; closing, opinions and restatements, each shown
before it is done.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, FastAPI, Form, Query, Request
from fastapi.responses import Response

from lujin.access import Right, audit
from lujin.accounts.periods import OUTCOMES, Disclosure, Period, PeriodEvent
from lujin.accounts.sections import month_text, shown
from lujin.database import writing
from lujin.errors import N_, InputError, NotFoundError, Problem, StaleError
from lujin.show.periods import PERIOD_STATES
from lujin.web.forms import Several, Typed, again, done
from lujin.web.identity import visit_of
from lujin.web.models.periods import PeriodPage, PeriodRow, Periods, Restatement
from lujin.web.page import page
from lujin.web.render import environment
from lujin.web.requests import WindowOf, month_number
from lujin.web.window import Window
from lujin.workspace import Workspace
from lujin.workspace.reading import MonthStatus

router = APIRouter(include_in_schema=False)
DETAIL, DETAIL_TITLE = "period.html", N_("Period")
RESTATE, RESTATE_TITLE = "restate.html", N_("Restate")
MOST_MONTHS = 24
STATE_CHIPS = {"open": "", "closed": "info", "verified": "good", "restated": "gold"}


def install(_app: FastAPI) -> None:
    environment().globals |= {
        "PERIOD_STATES": PERIOD_STATES,
        "STATE_CHIPS": STATE_CHIPS,
        "OUTCOMES": {name: said.message for name, said in OUTCOMES.items()},
        "in_unit": shown,
    }


@page(router, "/periods", template="periods.html", title=N_("Periods"))
def everything(window: WindowOf) -> Periods:
    workspace = window.park(Right.SEE_PARK)
    return Periods(periods=_rows(window, workspace), may_restate=window.may(Right.RESTATE))


@page(router, "/periods/restate", template=RESTATE, title=RESTATE_TITLE)
def restatement(
    window: WindowOf,
    month: Annotated[list[str], Query(max_length=MOST_MONTHS)] = [],  # noqa: B006 (never changed)
) -> Restatement:
    return _restatement(window, [month_number(text) for text in month])


@router.post("/periods/restate")
def restate(
    request: Request,
    window: WindowOf,
    month: Several,
    stamp: Typed = "",
    cause: Typed = "",
) -> Response:
    """Refused with 409 when what the preview rested on changed; the page then shows the preview of now."""
    workspace = window.park(Right.RESTATE)
    months = sorted({month_number(text) for text in month[:MOST_MONTHS]})
    try:
        if not stamp:
            message, remedy = N_("a restatement is looked at before it is done"), N_("show the preview first")
            raise InputError(Problem(message, {}, remedy))
        report = workspace.restate(months, cause, window.viewer.name, stamp=stamp)
    except InputError as error:
        answer = _restatement(window, months)
        return again(request, RESTATE, RESTATE_TITLE, error, answer=answer, cause=cause)
    after = {"cause": cause.strip(), "entries": sum(m.entries for m in report.months)}
    for number in months:
        _audit(workspace, request, window, "month.restate", number, after)
    path = "/periods" if len(months) != 1 else f"/periods/{month_text(months[0])}"
    count = sum(m.entries for m in report.months)
    return done(request, path, N_("Restated: {count} entries were posted."), count=count)


@page(router, "/periods/{month}", template=DETAIL, title=DETAIL_TITLE)
def one(window: WindowOf, month: str, examine: bool = False) -> PeriodPage:
    """``examine``: also the conditions of closing, which takes a while in a large park."""
    return _page(window, month_number(month), examine)


@router.post("/periods/{month}/close")
def close(
    request: Request, window: WindowOf, month: str, note: Typed = "", version: Annotated[str, Form()] = ""
) -> Response:
    workspace, number = window.park(Right.CLOSE), month_number(month)
    try:
        _refuse_stale(window, version)
        workspace.close([number], note, window.viewer.name)
    except InputError as error:
        return again(request, DETAIL, DETAIL_TITLE, error, answer=_page(window, number), note=note)
    _audit(workspace, request, window, "month.close", number, {"note": note.strip()})
    message = N_("{month} is closed. From now on only a restatement with a cause moves its accounts.")
    return done(request, f"/periods/{month}", message, month=month)


@router.post("/periods/{month}/opinion")
def opinion(
    request: Request,
    window: WindowOf,
    month: str,
    outcome: Typed = "",
    opinion: Typed = "",
    version: Annotated[str, Form()] = "",
) -> Response:
    workspace, number = window.park(Right.WRITE_OPINION), month_number(month)
    try:
        _refuse_stale(window, version)
        workspace.verified([number], window.viewer.name, outcome, opinion, window.viewer.name)
    except InputError as error:
        return again(request, DETAIL, DETAIL_TITLE, error, answer=_page(window, number), typed_opinion=opinion)
    _audit(workspace, request, window, "month.opinion", number, {"outcome": outcome, "opinion": opinion.strip()})
    return done(request, f"/periods/{month}", N_("Your opinion on {month} is recorded."), month=month)


def _restatement(window: Window, months: list[int]) -> Restatement:
    workspace = window.park(Right.RESTATE)
    chosen = tuple(sorted(set(months)))
    posted = window.months()
    if unknown := [m for m in chosen if m not in posted]:
        message, remedy = N_("{month} has no postings"), N_("choose one from the list")
        raise InputError(Problem(message, {"month": month_text(unknown[0])}, remedy, field="month"))
    found = window.cached("restate_preview", chosen, lambda: workspace.restate_preview(chosen)) if chosen else None
    return Restatement(
        months=posted,
        chosen=chosen,
        preview=found,
        needs_cause=found is not None and any(m.needs_cause for m in found.months),
    )


def _page(window: Window, month: int, examine: bool = True) -> PeriodPage:
    workspace = window.park(Right.SEE_PARK)
    row = next((row for row in _rows(window, workspace) if row.month == month), None)
    if row is None:
        message, remedy = N_("{month} has no postings"), N_("choose one from the list")
        raise NotFoundError(Problem(message, {"month": month_text(month)}, remedy))
    period = next((p for p in window.periods() if p.month == month), Period(month))
    closable = period.state in ("open", "restated")
    found = None
    if examine and closable:
        (found,) = window.cached("close_preview", month, lambda: workspace.close_preview([month]))
    closing = period.closing
    return PeriodPage(
        periods=(row,),
        may_restate=window.may(Right.RESTATE),
        examined=found is not None,
        closable=closable,
        conditions=found.conditions if found else (),
        disclosed=found.disclosed if found else _disclosed(closing),
        events=tuple(reversed(period.events)),
        version=window.version,
        may_close=window.may(Right.CLOSE),
        may_write_opinion=window.may(Right.WRITE_OPINION),
    )


def _disclosed(closing: PeriodEvent | None) -> tuple[Disclosure, ...]:
    return tuple(Disclosure(**part) for part in closing.disclosed) if closing else ()


def _rows(window: Window, workspace: Workspace) -> tuple[PeriodRow, ...]:
    """Newest month first."""
    status = window.cached("status", (), workspace.status)
    found = {period.month: period for period in window.periods()}
    return tuple(_row(month, found.get(month.month, Period(month.month))) for month in reversed(status.months))


def _row(month: MonthStatus, period: Period) -> PeriodRow:
    closing, opinion = period.closing, period.opinion
    last = period.events[-1] if period.events else None
    return PeriodRow(
        month=month.month,
        state=period.state,
        posted=month.posted,
        waiting=month.waiting,
        expected=month.expected,
        measured=month.measured,
        estimated=month.estimated,
        missing=month.missing,
        closed_at=closing.recorded_at if closing else None,
        verifier=opinion.verifier if opinion else "",
        outcome=opinion.outcome if opinion else "",
        note=(last.cause or (closing.note if closing else "")) if last else "",
    )


def _refuse_stale(window: Window, version: str) -> None:
    if version != window.version:
        message = N_("readings, factors, the park or the ledger changed since this page was made")
        raise StaleError(Problem(message, {}, N_("look at the month as it is now, then confirm")))


def _audit(
    workspace: Workspace,
    request: Request,
    window: Window,
    action: str,
    month: int,
    after: dict[str, object],
) -> None:
    visit = visit_of(request)
    with writing(workspace.engine) as connection:
        subject = f"month/{month_text(month)}"
        audit(connection, window.viewer, action, subject, None, after, now=visit.now, address=visit.address)
