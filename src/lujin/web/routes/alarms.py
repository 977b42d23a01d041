"""Alarms: what needs somebody now, who took it on, and the bell that says so on every page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Form, Query, Request
from fastapi.responses import Response

from lujin.access import Right, holds
from lujin.alarms import KINDS, Alarm, Sent
from lujin.alarms.life import EVENT_WORDS, STATES
from lujin.alarms.rules import SEVERITIES
from lujin.errors import N_, InputError
from lujin.language import Speech
from lujin.web.answers import Answer
from lujin.web.forms import Number, Typed, again, done
from lujin.web.identity import clock, visit_of
from lujin.web.page import page
from lujin.web.render import environment
from lujin.web.requests import WindowOf, speech, viewer, window
from lujin.web.watching import watching

router = APIRouter(include_in_schema=False)
lifespan = watching
DETAIL, DETAIL_TITLE = "alarm.html", N_("Alarm")
SILENCES_H = (1, 4, 24, 168, 720)
CHIPS = {"info": "info", "warning": "warn", "critical": "bad"}
OUTCOMES = {
    "waiting": N_("waiting"),
    "sent": N_("sent"),
    "failed": N_("failed, will be tried again"),
    "given_up": N_("given up"),
}
State = Literal["standing", "open", "acknowledged", "silenced", "cleared", "all"]
FILTERS: dict[str, str] = {
    "standing": N_("not cleared"),
    "open": N_("open"),
    "acknowledged": N_("acknowledged"),
    "silenced": N_("silenced"),
    "cleared": N_("cleared"),
    "all": N_("all"),
}


class AlarmRow(Answer):
    number: int
    state: str
    severity: str
    kind: str
    rule: str
    rule_name: str
    place: str
    text: str
    value: float | None
    limit: float | None
    unit: str
    enterprises: tuple[str, ...]
    link: str
    raised_at: datetime
    cleared_at: datetime | None
    acknowledged_by: str
    silenced_until: datetime | None


class Alarms(Answer):
    state: str
    severity: str
    kind: str
    alarms: tuple[AlarmRow, ...]
    counts: dict[str, int]
    messages_given_up: int
    rules: int
    may_judge: bool

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        what = ("number", "state", "severity", "kind", "place", "text", "value", "limit", "unit")
        names = (*what, "raised_at", "cleared_at", "acknowledged_by")
        return names, [tuple(getattr(row, name) for name in names) for row in self.alarms]


class EventRow(Answer):
    kind: str
    at: datetime
    author: str
    note: str
    until: datetime | None
    text: str


class MessageRow(Answer):
    kind: str
    recipient: str
    outcome: str
    detail: str
    attempts: int
    recorded_at: datetime
    next_at: datetime | None


class AlarmPage(Alarms):
    events: tuple[EventRow, ...]
    messages: tuple[MessageRow, ...]
    may_act: bool

    @property
    def alarm(self) -> AlarmRow:
        return self.alarms[0]

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        names = ("at", "kind", "author", "note", "until", "text")
        return names, [tuple(getattr(row, name) for name in names) for row in self.events]


def install(app: FastAPI) -> None:
    app.state.badges["/alarms"] = _open_alarms
    environment().globals |= {
        "ALARM_STATES": STATES,
        "ALARM_EVENTS": EVENT_WORDS,
        "ALARM_FILTERS": FILTERS,
        "ALARM_KINDS": {kind: about.title for kind, about in KINDS.items()},
        "ALARM_CHIPS": CHIPS,
        "MESSAGE_OUTCOMES": OUTCOMES,
        "SEVERITIES": SEVERITIES,
        "SILENCES_H": SILENCES_H,
        "bell": bell,
    }


def bell(request: Request) -> int | None:
    """How many alarms wait for the viewer; None for whom there is no bell."""
    who = viewer(request)
    if who is None or not (holds(who, Right.ACKNOWLEDGE_ALARMS) or holds(who, Right.SEE_PARK)):
        return None
    if not hasattr(request.state, "open_alarms"):
        request.state.open_alarms = window(request).alarms().open_count(clock(request))
    found: int = request.state.open_alarms
    return found


def _open_alarms(request: Request) -> int:
    return bell(request) or 0


@page(router, "/alarms", template="alarms.html", title=N_("Alarms"))
def everything(
    request: Request,
    window: WindowOf,
    state: Annotated[State, Query()] = "standing",
    severity: Annotated[Literal["", "info", "warning", "critical"], Query()] = "",
    kind: Annotated[str, Query(max_length=40)] = "",
) -> Alarms:
    own, now, say = window.alarms(), clock(request), speech(request)
    found = own.alarms(cleared={"cleared": True, "all": None}.get(state, False))
    rows = [_row(alarm, now, say) for alarm in found]
    counts: dict[str, int] = {name: sum(row.state == name for row in rows) for name in STATES}
    chosen = [
        row
        for row in rows
        if state in ("standing", "all", row.state) and severity in ("", row.severity) and kind in ("", row.kind)
    ]
    return Alarms(
        state=state,
        severity=severity,
        kind=kind,
        alarms=tuple(chosen),
        counts=counts,
        messages_given_up=own.given_up(now),
        rules=len(own.rules()),
        may_judge=own.sets_park_rules,
    )


@router.post("/alarms/evaluate")
def judge(request: Request, window: WindowOf) -> Response:
    settings = request.app.state.settings
    found = window.alarms().evaluate(clock(request), settings.public_url, settings.environment)
    counts = {kind: found.count(kind) for kind in ("raised", "cleared")}
    return done(request, "/alarms", N_("The rules were judged: {raised} raised, {cleared} cleared."), **counts)


@page(router, "/alarms/{number:int}", template=DETAIL, title=DETAIL_TITLE)
def one(request: Request, window: WindowOf, number: Number) -> AlarmPage:
    return _page(request, window, number)


@router.post("/alarms/{number:int}/acknowledge")
def acknowledge(request: Request, window: WindowOf, number: Number, note: Typed = "") -> Response:
    visit = visit_of(request)
    window.alarms().acknowledge(number, note, visit.now, visit.address)
    return done(request, f"/alarms/{number}", N_("You have taken the alarm on."))


@router.post("/alarms/{number:int}/silence")
def silence(
    request: Request,
    window: WindowOf,
    number: Number,
    hours: Annotated[int, Form(ge=1, le=2160)] = 24,
    note: Typed = "",
) -> Response:
    visit = visit_of(request)
    try:
        window.alarms().silence(number, visit.now + timedelta(hours=hours), note, visit.now, visit.address)
    except InputError as error:
        return again(request, DETAIL, DETAIL_TITLE, error, answer=_page(request, window, number))
    return done(request, f"/alarms/{number}", N_("Nobody is told of this alarm for {hours} h."), hours=hours)


def _page(request: Request, window: WindowOf, number: int) -> AlarmPage:
    own, now, say = window.alarms(), clock(request), speech(request)
    found = own.one(number)
    raised = EventRow(
        kind="raised", at=found.raised_at, author="", note="", until=None, text=found.first_said.text(say)
    )
    events = [
        EventRow(
            kind=event.kind,
            at=event.recorded_at,
            author=event.author,
            note=event.note,
            until=event.until,
            text=event.said.text(say) if event.said else "",
        )
        for event in found.events
    ]
    return AlarmPage(
        state="",
        severity="",
        kind="",
        alarms=(_row(found, now, say),),
        counts={},
        messages_given_up=0,
        rules=0,
        may_judge=own.sets_park_rules,
        events=(raised, *events),
        messages=tuple(_message(sent) for sent in own.messages(number)),
        may_act=own.may_act(found) and found.cleared_at is None,
    )


def _row(alarm: Alarm, now: datetime, say: Speech) -> AlarmRow:
    taken = alarm.acknowledged
    return AlarmRow(
        number=alarm.number,
        state=alarm.state(now),
        severity=alarm.severity,
        kind=alarm.rule.kind,
        rule=alarm.rule.id,
        rule_name=alarm.rule.name,
        place=alarm.place,
        text=alarm.said.text(say),
        value=alarm.measure["value"],
        limit=alarm.measure["limit"],
        unit=alarm.measure["unit"],
        enterprises=alarm.enterprises,
        link=alarm.link,
        raised_at=alarm.raised_at,
        cleared_at=alarm.cleared_at,
        acknowledged_by=taken.author if taken else "",
        silenced_until=alarm.silenced_until(now),
    )


def _message(sent: Sent) -> MessageRow:
    return MessageRow(
        kind=sent.kind,
        recipient=sent.recipient,
        outcome=sent.outcome,
        detail=sent.detail,
        attempts=sent.attempts,
        recorded_at=sent.recorded_at,
        next_at=sent.next_at,
    )
