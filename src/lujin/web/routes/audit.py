"""The audit trail: who did what, when, from where; and whether it is whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query

from lujin.access import AuditHead, Right, audit_head, audit_trail, people, verify_audit
from lujin.errors import N_, InputError, IntegrityError, Problem
from lujin.web.answers import Answer
from lujin.web.forms import GREATEST, Sought, day_of
from lujin.web.page import page
from lujin.web.requests import WindowOf

router = APIRouter(include_in_schema=False)
PER_PAGE = 50


class AuditRow(Answer):
    number: int
    at: datetime
    person: int | None
    who: str
    role: str
    token: str
    address: str
    action: str
    subject: str
    enterprise: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    digest: str

    @property
    def changes(self) -> Sequence[tuple[str, str, str]]:
        """Name, value before, value after; of something new only what it has."""
        before, after = self.before or {}, self.after or {}
        pairs = [(name, _plain(before.get(name)), _plain(after.get(name))) for name in {**before, **after}]
        return [pair for pair in pairs if pair[1] or pair[2]]


class Trail(Answer):
    entries: tuple[AuditRow, ...]
    older: int | None
    head_number: int
    head_digest: str
    people: tuple[tuple[int, str], ...]

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        return tuple(AuditRow.model_fields), [tuple(dict(row).values()) for row in self.entries]


class Check(Answer):
    """``problem`` '' means whole, up to row ``number``."""

    number: int
    digest: str
    problem: str

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        return tuple(Check.model_fields), [tuple(dict(self).values())]


@page(router, "/audit", template="audit.html", title=N_("Audit trail"))
def trail(
    window: WindowOf,
    person: Annotated[str, Query(pattern=r"^\d{0,9}$")] = "",
    action: Sought = "",
    subject: Sought = "",
    enterprise: Sought = "",
    since: Sought = "",
    until: Sought = "",
    before: Annotated[int | None, Query(ge=1, le=GREATEST)] = None,
) -> Trail:
    engine = window.park(Right.SEE_AUDIT).engine
    last = day_of(until, "until") if until else None
    with engine.connect() as connection:
        found = audit_trail(
            connection,
            person=int(person) if person else None,
            action=action,
            subject=subject,
            enterprise=enterprise,
            since=_midnight(day_of(since, "since"), window.zone) if since else None,
            until=_midnight(last + timedelta(days=1), window.zone) if last and last < date.max else None,
            before=before,
            limit=PER_PAGE + 1,
        )
        head = audit_head(connection)
    rows = tuple(AuditRow(**{name: getattr(one, name) for name in AuditRow.model_fields}) for one in found)
    return Trail(
        entries=rows[:PER_PAGE],
        older=rows[PER_PAGE - 1].number if len(rows) > PER_PAGE else None,
        head_number=head.number,
        head_digest=head.digest,
        people=tuple((one.number, one.name) for one in people(engine)),
    )


@page(router, "/audit/check", template="audit_check.html", title=N_("Is the audit trail whole?"))
def check(
    window: WindowOf, number: Annotated[int | None, Query(ge=1, le=GREATEST)] = None, digest: Sought = ""
) -> Check:
    """Recompute every digest; with ``number`` and ``digest`` of a head kept before, that it is still there."""
    if bool(number) != bool(digest):
        message = N_("give both the number and the digest of the row that you kept")
        raise InputError(Problem(message, {}, field="digest"))
    known = AuditHead(number, digest.strip().lower()) if number else None
    with window.park(Right.SEE_AUDIT).engine.connect() as connection:
        try:
            head = verify_audit(connection, known)
        except IntegrityError as error:
            found = audit_head(connection)
            return Check(number=found.number, digest=found.digest, problem=error.problems[0].text())
    return Check(number=head.number, digest=head.digest, problem="")


def _plain(value: Any) -> str:
    """
    >>> _plain(["E001", "E002"]), _plain(None), _plain({"a": 1})
    ('E001, E002', '', 'a 1')
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return "" if value is None else str(value)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))
