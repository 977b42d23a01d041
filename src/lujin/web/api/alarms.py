"""Alarms: what needs somebody now, and taking it on."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from lujin.alarms import Alarm
from lujin.language import Speech
from lujin.web.api.common import USUAL, Cursor, Limit, Moment, SpeechOf, paged, problems, resource, zoned
from lujin.web.identity import visit_of
from lujin.web.models.alarms import AlarmAnswer
from lujin.web.models.base import Page
from lujin.web.requests import WindowOf

router = resource("alarms")
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
State = Literal["standing", "open", "acknowledged", "silenced", "cleared", "all"]


def sees_alarms(window: WindowOf) -> None:
    """Before the body is looked at."""
    window.alarms()


class NoteAsked(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    note: str = Field("", max_length=2000, examples=["the meter is being replaced"])


class SilenceAsked(NoteAsked):
    until: Moment = Field(description="at most 90 days ahead", examples=["2026-01-05T08:00:00Z"])


@router.get("/alarms")
def list_alarms(
    window: WindowOf,
    say: SpeechOf,
    state: Annotated[State, Query(description="standing: not cleared")] = "standing",
    limit: Limit = USUAL,
    cursor: Cursor = "",
) -> Page[AlarmAnswer]:
    """Alarms of the park or of your enterprises, the newest first."""
    now = window.data().now()
    cleared = {"all": None, "cleared": True}.get(state, False)
    every = window.alarms().alarms(cleared=cleared)
    found = [a for a in every if state in ("all", "standing", "cleared") or a.state(now) == state]
    page = paged(found, lambda alarm: -alarm.number, limit, cursor)
    return Page(items=[of_alarm(alarm, now, say) for alarm in page.items], next=page.next)


@router.get("/alarms/{number}")
def show_alarm(window: WindowOf, say: SpeechOf, number: Number) -> AlarmAnswer:
    """One alarm with all that happened to it."""
    return of_alarm(window.alarms().one(number), window.data().now(), say)


@router.post("/alarms/{number}/acknowledge", responses=problems(409), dependencies=[Depends(sees_alarms)])
def acknowledge(
    request: Request, window: WindowOf, say: SpeechOf, number: Number, asked: NoteAsked
) -> AlarmAnswer:
    """Take it on: nobody is told of it again."""
    now, address = window.data().now(), visit_of(request).address
    window.alarms().acknowledge(number, asked.note, now, address)
    return of_alarm(window.alarms().one(number), now, say)


@router.post("/alarms/{number}/silence", responses=problems(409), dependencies=[Depends(sees_alarms)])
def silence(request: Request, window: WindowOf, say: SpeechOf, number: Number, asked: SilenceAsked) -> AlarmAnswer:
    """Nobody is told of it until then."""
    now, address = window.data().now(), visit_of(request).address
    until = zoned(asked.until, "until")
    window.alarms().silence(number, until, asked.note, now, address)
    return of_alarm(window.alarms().one(number), now, say)


def of_alarm(alarm: Alarm, now: datetime, say: Speech) -> AlarmAnswer:
    return AlarmAnswer.model_validate(alarm.as_dict(now, say))
