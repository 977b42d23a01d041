"""Consents: an enterprise lets a bank see its account from one day to another, and takes it back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from lujin.access import Right, banks, consents, give_consent, holds, revoke_consent
from lujin.errors import N_, ForbiddenError, LujinError, Problem
from lujin.web.answers import Answer
from lujin.web.forms import GREATEST, Number, Typed, again, day_of, done
from lujin.web.identity import clock, engine_of, visit_of
from lujin.web.page import page
from lujin.web.requests import WindowOf
from lujin.web.window import Window

router = APIRouter(include_in_schema=False)
PAGE, TITLE = "consents.html", N_("Consents")


class ConsentRow(Answer):
    number: int
    enterprise: str
    bank: str
    first_day: str
    until_day: str
    state: str
    given_by: str
    given_at: datetime
    revoked_by: str
    revoked_at: datetime | None


class Consents(Answer):
    consents: tuple[ConsentRow, ...]
    gives: tuple[str, ...]
    banks: tuple[tuple[int, str], ...]
    today: str
    in_a_year: str

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        return tuple(ConsentRow.model_fields), [tuple(dict(row).values()) for row in self.consents]


@page(router, "/consents", template=PAGE, title=TITLE)
def all_consents(request: Request, window: WindowOf) -> Consents:
    """An enterprise sees its own; the park office sees all, and gives none."""
    _may_look(window)
    whole = window.may(Right.MANAGE_PEOPLE)
    gives = window.enterprises(Right.GIVE_CONSENT)
    engine, today = engine_of(request), visit_of(request).today
    local = clock(request).astimezone(ZoneInfo(window.zone)).date()
    return Consents(
        consents=tuple(
            ConsentRow(
                number=one.number,
                enterprise=one.enterprise,
                bank=one.bank_name,
                first_day=_day(one.first_day),
                until_day=_day(one.until_day),
                state=one.state(today),
                given_by=one.given_by,
                given_at=one.given_at,
                revoked_by=one.revoked_by,
                revoked_at=one.revoked_at,
            )
            for one in consents(engine, enterprises=None if whole else frozenset(gives))
        ),
        gives=gives,
        banks=tuple(banks(engine).items()) if gives else (),
        today=local.isoformat(),
        in_a_year=(local + timedelta(days=365)).isoformat(),
    )


@router.post("/consents")
def give(
    request: Request,
    window: WindowOf,
    enterprise: Typed = "",
    bank: Annotated[int, Form(ge=0, le=GREATEST)] = 0,
    first: Typed = "",
    until: Typed = "",
) -> Response:
    window.of(enterprise, Right.GIVE_CONSENT)
    now = clock(request)
    try:
        give_consent(
            engine_of(request),
            window.viewer,
            enterprise,
            bank,
            day_of(first, "first"),
            day_of(until, "until"),
            today=now.astimezone(ZoneInfo(window.zone)).date(),
            now=now,
            address=visit_of(request).address,
        )
    except LujinError as error:
        typed = {"enterprise": enterprise, "bank": bank, "first": first[:10], "until": until[:10]}
        return again(request, PAGE, TITLE, error, answer=all_consents(request, window), typed=typed)
    return done(request, "/consents", N_("The consent is given."))


@router.post("/consents/{number}/revoke")
def revoke(request: Request, window: WindowOf, number: Number) -> Response:
    _may_look(window)
    visit = visit_of(request)
    revoke_consent(engine_of(request), window.viewer, number, now=visit.now, address=visit.address)
    return done(request, "/consents", N_("The consent is revoked; the bank sees nothing of it any more."))


def _may_look(window: Window) -> None:
    if not any(holds(window.viewer, right) for right in (Right.GIVE_CONSENT, Right.MANAGE_PEOPLE)):
        message, remedy = N_("you have no right to see or do this"), N_("ask the park's energy and carbon office")
        raise ForbiddenError(Problem(message, {}, remedy))


def _day(number: int) -> str:
    return f"{number // 10000}-{number // 100 % 100:02}-{number % 100:02}"
