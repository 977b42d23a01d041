"""The viewer: who asks, in which role, for which enterprises. Made anew for each request, then only read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lujin.language import Language


class Role(StrEnum):
    OPERATOR = "operator"
    ENTERPRISE = "enterprise"
    BANK = "bank"
    VERIFIER = "verifier"
    DEVICE = "device"


class Right(StrEnum):
    SEE_PARK = "see_park"
    SEE_ACCOUNT = "see_account"
    SEE_READINGS = "see_readings"
    WRITE_READINGS = "write_readings"
    POST = "post"
    CLOSE = "close"
    RESTATE = "restate"
    WRITE_OPINION = "write_opinion"
    CHANGE_REFERENCE = "change_reference"
    MANAGE_PEOPLE = "manage_people"
    GIVE_CONSENT = "give_consent"
    SEE_AUDIT = "see_audit"
    ACKNOWLEDGE_ALARMS = "acknowledge_alarms"
    CHANGE_SETTINGS = "change_settings"


@dataclass(frozen=True, slots=True)
class Viewer:
    """One person, or one device, as of one request.

    ``enterprises``: the viewer's own; of a bank those whose consent is in force today. Empty for operator and
    verifier, whose rights are over the whole park. ``meters``: None is all of ``enterprises``; a device may be
    bound to some only. ``scopes``: what a token leaves of the role's rights; None for a session. ``token``: the
    visible start of the token, for the audit trail.
    """

    person: int
    name: str
    role: Role
    enterprises: frozenset[str] = frozenset()
    meters: frozenset[str] | None = None
    scopes: frozenset[Right] | None = None
    language: Language = "zh"
    token: str = ""
