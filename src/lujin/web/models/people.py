"""Who may do what, and who did what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from pydantic import Field

from lujin.access.api_tokens import ApiToken
from lujin.access.audit import AuditEntry
from lujin.access.consents import Consent
from lujin.access.viewer import Right, Role
from lujin.web.models.base import Answer, Instant, shown


class Me(Answer):
    """``meters``: those that a device is bound to; ``null``: all of its enterprises. ``token``: its beginning."""

    model_config = shown(
        name="gateway 3", role="device", rights=["write_readings"], enterprises=["K001"], meters=None,
        token="lujin_3f9a1c2b",
    )  # fmt: skip

    name: str
    role: Role
    rights: list[Right]
    enterprises: list[str]
    meters: list[str] | None
    token: str


class Token(Answer):
    number: int
    prefix: str
    name: str
    scopes: list[Right]
    created_at: Instant
    expires_at: Instant
    revoked_at: Instant | None
    used_at: Instant | None
    valid: bool

    @classmethod
    def of_token(cls, token: ApiToken, now: datetime) -> Token:
        names = ("number", "prefix", "name", "created_at", "expires_at", "revoked_at", "used_at")
        plain = {name: getattr(token, name) for name in names}
        return cls.model_validate({**plain, "scopes": sorted(token.scopes), "valid": token.valid(now)})


class ConsentAnswer(Answer):
    """From ``first`` to ``until``, both included, the bank may see the enterprise's account."""

    number: int
    enterprise: str
    bank: str
    first: date
    until: date
    state: str = Field(description="in force, to come, over or revoked")
    given_by: str
    given_at: Instant
    revoked_by: str
    revoked_at: Instant | None

    @classmethod
    def of_consent(cls, consent: Consent, today: int) -> ConsentAnswer:
        names = ("number", "enterprise", "given_by", "given_at", "revoked_by", "revoked_at")
        plain = {name: getattr(consent, name) for name in names}
        days = {"first": _day(consent.first_day), "until": _day(consent.until_day)}
        return cls.model_validate({**plain, **days, "bank": consent.bank_name, "state": consent.state(today)})


class Audited(Answer):
    """``digest`` chains each row to the one before."""

    number: int
    at: Instant
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

    @classmethod
    def of_entry(cls, entry: AuditEntry) -> Audited:
        return cls.model_validate({name: getattr(entry, name) for name in cls.model_fields})


def _day(number: int) -> date:
    """
    >>> _day(20250601)
    datetime.date(2025, 6, 1)
    """
    return date(number // 10_000, number // 100 % 100, number % 100)
