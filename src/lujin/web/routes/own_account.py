"""One's own account: password, second factor, sessions, tokens for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from lujin.access import (
    Right,
    Viewer,
    issue_token,
    person_of,
    revoke_token,
    sessions_of,
    sign_out_everywhere,
    token_rights,
    tokens_of,
)
from lujin.access.own import (
    begin_second_factor,
    change_language,
    change_password,
    confirm_second_factor,
    drop_second_factor,
    pending_second_factor,
    recovery_codes_left,
    renew_recovery_codes,
)
from lujin.access.sessions import renew_session
from lujin.access.totp import qr_svg
from lujin.errors import N_, ForbiddenError, InputError, LujinError, Problem
from lujin.language import LANGUAGES
from lujin.web.answers import Answer
from lujin.web.forms import Number, Several, Typed, again, done
from lujin.web.identity import clock, engine_of, enter, half_session_of, visit_of
from lujin.web.page import html, page
from lujin.web.requests import LANGUAGE_COOKIE, window

router = APIRouter(include_in_schema=False)
PAGE, TITLE = "own_account.html", N_("Own account")
FACTOR, FACTOR_TITLE = "second_factor.html", N_("Second factor")
TOKEN_DAYS = (7, 30, 90, 365)


class SessionRow(Answer):
    address: str
    agent: str
    created_at: datetime
    seen_at: datetime
    this_one: bool


class TokenRow(Answer):
    number: int
    prefix: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None
    valid: bool


class OwnAccount(Answer):
    name: str
    email: str
    role: str
    enterprises: tuple[str, ...]
    bank: str
    password_since: datetime | None
    second_factor: bool
    recovery_codes: int
    rights: tuple[str, ...]
    sessions: tuple[SessionRow, ...]
    tokens: tuple[TokenRow, ...]

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        names = ("number", "prefix", "name", "created_at", "expires_at", "revoked_at", "used_at")
        return (*names, "scopes"), [
            (*(getattr(token, name) for name in names), " ".join(token.scopes)) for token in self.tokens
        ]


@page(router, "/account", template=PAGE, title=TITLE)
def own_account(request: Request) -> OwnAccount:
    viewer, engine, now = _own(request), engine_of(request), clock(request)
    mine = person_of(engine, viewer.person)
    session = half_session_of(request)
    return OwnAccount(
        name=mine.name,
        email=mine.email,
        role=mine.role.value,
        enterprises=tuple(sorted(mine.enterprises)),
        bank=mine.bank,
        password_since=mine.since,
        second_factor=mine.second_factor,
        recovery_codes=recovery_codes_left(engine, viewer.person),
        rights=tuple(right.value for right in Right if right in token_rights(viewer.role)),
        sessions=tuple(
            SessionRow(
                address=one.address,
                agent=one.agent,
                created_at=one.created_at,
                seen_at=one.seen_at,
                this_one=session is not None and one.digest == session.digest,
            )
            for one in sessions_of(engine, viewer.person, now)
        ),
        tokens=token_rows(request, viewer.person),
    )


@router.post("/account/password")
def set_password(request: Request, old: Typed = "", new: Typed = "", repeated: Typed = "") -> Response:
    viewer, engine, visit = _own(request), engine_of(request), visit_of(request)
    try:
        if new != repeated:
            message = N_("the two passwords differ")
            raise InputError(Problem(message, {}, N_("type the same one twice"), field="repeated"))
        change_password(engine, viewer, old, new, now=visit.now, keep=_digest(request), address=visit.address)
    except LujinError as error:
        return _again(request, error)
    return _renewed(
        request, lambda: done(request, "/account", N_("The password is changed; other sessions are ended."))
    )


@router.post("/account/sessions/end")
def end_other_sessions(request: Request) -> Response:
    viewer, visit = _own(request), visit_of(request)
    ended = sign_out_everywhere(
        engine_of(request), viewer, now=visit.now, keep=_digest(request), address=visit.address
    )
    return done(request, "/account", N_("{count} other sessions are ended."), count=ended)


@router.post("/account/language")
def set_language(request: Request, language: Typed = "") -> Response:
    viewer, visit = _own(request), visit_of(request)
    try:
        known = next((one for one in LANGUAGES if one == language), None)
        if known is None:
            raise InputError(Problem(N_("there is no such language"), field="language"))
        change_language(engine_of(request), viewer, known, now=visit.now, address=visit.address)
    except LujinError as error:
        return _again(request, error)
    response = done(request, "/account", N_("Saved."))
    secure = request.app.state.settings.secure
    response.set_cookie(LANGUAGE_COOKIE, known, max_age=365 * 86_400, samesite="lax", httponly=True, secure=secure)
    return response


@router.post("/account/second-factor")
def begin(request: Request, password: Typed = "") -> Response:
    viewer, visit = _own(request), visit_of(request)
    try:
        key = begin_second_factor(
            engine_of(request), viewer, password, _issuer(request), now=visit.now, address=visit.address
        )
    except LujinError as error:
        return _again(request, error, where="second-factor")
    return html(request, FACTOR, FACTOR_TITLE, key=key, picture=qr_svg(key.uri), problems=(), codes=())


@router.post("/account/second-factor/confirm")
def confirm(request: Request, code: Typed = "") -> Response:
    viewer, engine, visit = _own(request), engine_of(request), visit_of(request)
    try:
        codes = confirm_second_factor(
            engine, viewer, code, now=visit.now, keep=_digest(request), address=visit.address
        )
    except LujinError as error:
        key = pending_second_factor(engine, viewer, _issuer(request))
        if key is None:
            return _again(request, error)
        return again(request, FACTOR, FACTOR_TITLE, error, key=key, picture=qr_svg(key.uri), codes=())
    return _renewed(
        request, lambda: html(request, FACTOR, FACTOR_TITLE, key=None, picture="", problems=(), codes=codes)
    )


@router.post("/account/second-factor/codes")
def renew_codes(request: Request, password: Typed = "") -> Response:
    viewer, visit = _own(request), visit_of(request)
    try:
        codes = renew_recovery_codes(engine_of(request), viewer, password, now=visit.now, address=visit.address)
    except LujinError as error:
        return _again(request, error, where="second-factor")
    return html(request, FACTOR, FACTOR_TITLE, key=None, picture="", problems=(), codes=codes)


@router.post("/account/second-factor/off")
def turn_off(request: Request, password: Typed = "") -> Response:
    viewer, visit = _own(request), visit_of(request)
    try:
        drop_second_factor(
            engine_of(request), viewer, password, now=visit.now, keep=_digest(request), address=visit.address
        )
    except LujinError as error:
        return _again(request, error, where="second-factor")
    return _renewed(
        request, lambda: done(request, "/account", N_("The second factor is off; other sessions are ended."))
    )


@router.post("/account/tokens")
def make_token(
    request: Request,
    name: Typed = "",
    days: Annotated[int, Form(ge=1, le=366)] = 90,
    scopes: Several = [],  # noqa: B006 (FastAPI copies it)
) -> Response:
    viewer, visit = _own(request), visit_of(request)
    try:
        token = issue_token(
            engine_of(request),
            viewer,
            name,
            chosen_rights(scopes),
            visit.now + timedelta(days=days),
            now=visit.now,
            address=visit.address,
        )
    except LujinError as error:
        return _again(request, error, where="tokens", typed_name=name[:100], typed_scopes=scopes)
    return html(request, PAGE, TITLE, answer=own_account(request), token=token)


@router.post("/account/tokens/{number}/revoke")
def end_token(request: Request, number: Number) -> Response:
    viewer, visit = _own(request), visit_of(request)
    revoke_token(engine_of(request), viewer, number, now=visit.now, address=visit.address)
    return done(request, "/account", N_("The token is void."))


def token_rows(request: Request, owner: int) -> tuple[TokenRow, ...]:
    now = clock(request)
    return tuple(
        TokenRow(
            number=one.number,
            prefix=one.prefix,
            name=one.name,
            scopes=tuple(right.value for right in Right if right in one.scopes),
            created_at=one.created_at,
            expires_at=one.expires_at,
            revoked_at=one.revoked_at,
            used_at=one.used_at,
            valid=one.valid(now),
        )
        for one in tokens_of(engine_of(request), owner)
    )


def chosen_rights(scopes: Sequence[str]) -> list[Right]:
    if unknown := [scope for scope in scopes if scope not in set(Right)]:
        message = N_("there is no right {name}")
        raise InputError(*(Problem(message, {"name": name[:40]}, field="scopes") for name in unknown))
    return [Right(scope) for scope in scopes]


def _own(request: Request) -> Viewer:
    viewer = window(request).viewer
    if viewer.token:
        message, remedy = N_("a token does not open its owner's account"), N_("sign in with a browser")
        raise ForbiddenError(Problem(message, {}, remedy))
    return viewer


def _digest(request: Request) -> str:
    session = half_session_of(request)
    return session.digest if session else ""


def _issuer(request: Request) -> str:
    park = request.app.state.open_park.current().park
    return f"绿金 {park.name_zh or park.name_en}"


def _renewed(request: Request, answer: Callable[[], Response]) -> Response:
    """The answer, with a new token for this session: what signs the person in has changed."""
    session = half_session_of(request)
    if session is None:
        return answer()
    token = renew_session(engine_of(request), session, visit_of(request))
    request.state.session_token = token  # the forms of the answer belong to the new one
    response = answer()
    enter(request, response, token)
    return response


def _again(request: Request, error: LujinError, where: str = "", **typed: Any) -> Response:
    return again(request, PAGE, TITLE, error, answer=own_account(request), where=where, **typed)
