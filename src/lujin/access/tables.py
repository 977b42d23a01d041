"""Tables of people and rights. Consents and the audit trail are append-only; people, sessions and tokens change,
and each change leaves its row in the trail.

Secrets are stored as SHA-256 (random tokens) or Argon2id (passwords). The key of the second factor has to be
readable to check a code. Days are integers 20250601.
"""

from __future__ import annotations

import sqlalchemy as sa

from lujin.access.viewer import Role
from lujin.database import Instant, Json, append_only, metadata

CONSENT_EVENTS = ("given", "revoked")
LINK_PURPOSES = ("first", "invitation", "reset")
SESSION_STAGES = ("password", "full")  # "password": the second factor is still to come


def _one_of(column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{v}'" for v in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def _number() -> sa.Column[int]:
    return sa.Column("number", sa.Integer, primary_key=True, autoincrement=True)


def _texts(*names: str) -> tuple[sa.Column[str], ...]:
    return tuple(sa.Column(name, sa.Text, nullable=False) for name in names)


def _digest() -> sa.Column[str]:
    return sa.Column("digest", sa.Text, primary_key=True)


bank = sa.Table(
    "bank",
    metadata,
    _number(),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("created_at", Instant, nullable=False),
    sqlite_strict=True,
)

# ``email`` is in lower case, and absent for devices. ``version`` counts changes: a stale form is told by it.
person = sa.Table(
    "person",
    metadata,
    _number(),
    sa.Column("email", sa.Text, nullable=True, unique=True),
    *_texts("name", "role", "language"),
    sa.Column("bank", sa.ForeignKey("bank.number"), nullable=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("disabled_at", Instant, nullable=True),
    _one_of("role", tuple(Role)),
    sa.CheckConstraint("(role = 'bank') = (bank IS NOT NULL)", name="bank_named"),
    sa.CheckConstraint("(role = 'device') = (email IS NULL)", name="device_has_no_email"),
    sqlite_strict=True,
)

# What a person of an enterprise, or a device, is bound to. ``meter`` '': all meters of the enterprise.
binding = sa.Table(
    "binding",
    metadata,
    sa.Column("person", sa.ForeignKey("person.number"), primary_key=True, autoincrement=False),
    sa.Column("enterprise", sa.Text, primary_key=True),
    sa.Column("meter", sa.Text, primary_key=True),
    sqlite_strict=True,
)

# ``totp_step``: the last time step whose code was used, so that no code works twice. ``totp_since``: when the
# second factor was confirmed; before that it is not asked for.
credential = sa.Table(
    "credential",
    metadata,
    sa.Column("person", sa.ForeignKey("person.number"), primary_key=True, autoincrement=False),
    sa.Column("password", sa.Text, nullable=True),
    sa.Column("password_since", Instant, nullable=True),
    sa.Column("totp", sa.Text, nullable=True),
    sa.Column("totp_since", Instant, nullable=True),
    sa.Column("totp_step", sa.Integer, nullable=True),
    sqlite_strict=True,
)

recovery_code = sa.Table(
    "recovery_code",
    metadata,
    _digest(),
    sa.Column("person", sa.ForeignKey("person.number"), nullable=False, index=True),
    sa.Column("used_at", Instant, nullable=True),
    sqlite_strict=True,
)

session = sa.Table(
    "session",
    metadata,
    _digest(),
    sa.Column("person", sa.ForeignKey("person.number"), nullable=False, index=True),
    *_texts("stage", "address", "agent"),
    *(sa.Column(name, Instant, nullable=False) for name in ("created_at", "seen_at", "expires_at")),
    _one_of("stage", SESSION_STAGES),
    sqlite_strict=True,
)

api_token = sa.Table(
    "api_token",
    metadata,
    _number(),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    *_texts("prefix", "name"),
    sa.Column("person", sa.ForeignKey("person.number"), nullable=False, index=True),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("revoked_at", Instant, nullable=True),
    sa.Column("used_at", Instant, nullable=True),
    sqlite_strict=True,
)

# A link that works once. ``person``: whose password it sets; absent for the link to the first operator.
one_time_link = sa.Table(
    "one_time_link",
    metadata,
    _digest(),
    *_texts("purpose"),
    sa.Column("person", sa.ForeignKey("person.number"), nullable=True, index=True),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("used_at", Instant, nullable=True),
    _one_of("purpose", LINK_PURPOSES),
    sa.CheckConstraint("(purpose = 'first') = (person IS NULL)", name="first_has_no_person"),
    sqlite_strict=True,
)

# Sign-ins to come back from another provider (OpenID Connect); deleted when they do.
foreign_sign_in = sa.Table(
    "foreign_sign_in",
    metadata,
    _digest(),
    *_texts("nonce", "verifier", "target"),
    sa.Column("expires_at", Instant, nullable=False),
    sqlite_strict=True,
)

# ``account``: SHA-256 of the address typed, whether or not anyone has it. ``failed`` 1 until it succeeded.
sign_in_attempt = sa.Table(
    "sign_in_attempt",
    metadata,
    _number(),
    *_texts("account", "address"),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.CheckConstraint("failed IN (0, 1)", name="failed_flag"),
    sa.Index("ix_sign_in_attempt_account_at", "account", "at"),
    sa.Index("ix_sign_in_attempt_address_at", "address", "at"),
    sqlite_strict=True,
)

# A consent is given for days from ``first_day`` to ``until_day``, both included; a revocation names it.
consent = append_only(
    sa.Table(
        "consent",
        metadata,
        _number(),
        *_texts("event", "enterprise"),
        sa.Column("bank", sa.ForeignKey("bank.number"), nullable=False),
        sa.Column("revokes", sa.ForeignKey("consent.number"), nullable=True, unique=True),
        sa.Column("first_day", sa.Integer, nullable=True),
        sa.Column("until_day", sa.Integer, nullable=True),
        sa.Column("person", sa.ForeignKey("person.number"), nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        _one_of("event", CONSENT_EVENTS),
        sa.CheckConstraint("(event = 'revoked') = (revokes IS NOT NULL)", name="revokes_one"),
        sa.CheckConstraint(
            "(event = 'given') = (first_day IS NOT NULL) AND (event = 'given') = (until_day IS NOT NULL)"
            " AND (event = 'revoked' OR first_day <= until_day)",
            name="given_for_days",
        ),
        sa.Index("ix_consent_bank_enterprise", "bank", "enterprise"),
        sqlite_strict=True,
    )
)

# ``digest`` chains each row to the one before; see lujin.access.audit.
audit_entry = append_only(
    sa.Table(
        "audit_entry",
        metadata,
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("person", sa.Integer, nullable=True),
        *_texts("who", "role", "token", "address", "action", "subject", "enterprise"),
        sa.Column("before", Json, nullable=True),
        sa.Column("after", Json, nullable=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.CheckConstraint("number > 0 AND length(digest) = 64", name="chained"),
        sa.Index("ix_audit_entry_enterprise_number", "enterprise", "number"),
        sa.Index("ix_audit_entry_person_number", "person", "number"),
        sqlite_strict=True,
    )
)
