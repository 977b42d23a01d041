"""Who asks, which tokens and consents there are, and the audit trail. Tokens and consents are made on pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from lujin.access.api_tokens import tokens_of
from lujin.access.policy import may, rights_of
from lujin.web.api.common import (
    USUAL,
    Cursor,
    EnterpriseQuery,
    Limit,
    Moment,
    known_at,
    no_cursor,
    paged,
    read_cursor,
    resource,
    write_cursor,
)
from lujin.web.models.base import Page
from lujin.web.models.people import Audited, ConsentAnswer, Me, Token
from lujin.web.requests import WindowOf

router = resource("people")
Since = Annotated[Moment | None, Query(examples=["2025-06-01T00:00:00Z"])]


@router.get("/me")
def show_me(window: WindowOf) -> Me:
    """Who you are here, and what you may see and do."""
    who = window.viewer
    held = sorted(r for r in rights_of(who.role) if may(who, r) or any(may(who, r, e) for e in who.enterprises))
    return Me(
        name=who.name,
        role=who.role,
        rights=held,
        enterprises=sorted(who.enterprises),
        meters=None if who.meters is None else sorted(who.meters),
        token=who.token,
    )


@router.get("/tokens")
def list_tokens(window: WindowOf, limit: Limit = USUAL, cursor: Cursor = "") -> Page[Token]:
    """Your tokens, the newest first; only their beginnings are known here."""
    found = tokens_of(window.data().database, window.viewer.person)
    page = paged(found, lambda token: -token.number, limit, cursor)
    return Page(items=[Token.of_token(token, window.data().now()) for token in page.items], next=page.next)


@router.get("/consents")
def list_consents(window: WindowOf, limit: Limit = USUAL, cursor: Cursor = "") -> Page[ConsentAnswer]:
    """Consents of your enterprises to banks, the newest first."""
    page = paged(window.data().consents(), lambda consent: -consent.number, limit, cursor)
    return Page(items=[ConsentAnswer.of_consent(c, window.data().today()) for c in page.items], next=page.next)


@router.get("/audit")
def list_audit(
    window: WindowOf,
    action: Annotated[str, Query(description="beginning of the action", max_length=100)] = "",
    subject: Annotated[str, Query(description="beginning of the subject", max_length=100)] = "",
    enterprise: EnterpriseQuery = "",
    since: Since = None,
    until: Since = None,
    limit: Limit = USUAL,
    cursor: Cursor = "",
) -> Page[Audited]:
    """Who did what, the newest first."""
    before = read_cursor(cursor) if cursor else None
    if cursor and not (type(before) is int and abs(before) < 2**53):
        raise no_cursor()
    found = window.data().audit_trail(
        action=action,
        subject=subject,
        enterprise=enterprise,
        since=known_at(since),
        until=known_at(until),
        before=before,
        limit=limit + 1,
    )
    more = len(found) > limit
    items = [Audited.of_entry(entry) for entry in found[:limit]]
    return Page(items=items, next=write_cursor(items[-1].number) if more else None)
