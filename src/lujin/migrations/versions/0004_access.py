"""People and rights: bank, person, binding, credential, recovery_code, session, api_token, one_time_link,
foreign_sign_in, sign_in_attempt, consent, audit_entry.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from lujin.migrations.triggers import append_only_sql

revision = "0004"
down_revision: str | None = "0003"

_INSTANT = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    _people()
    _secrets()
    _sign_ins()
    _records()
    dialect = op.get_bind().dialect.name
    for table in ("consent", "audit_entry"):
        for statement in append_only_sql(table, dialect):
            op.execute(sa.text(statement))


def _texts(*names: str, nullable: bool = False) -> tuple[sa.Column[Any], ...]:
    return tuple(sa.Column(name, sa.Text, nullable=nullable) for name in names)


def _integers(*names: str, nullable: bool = False) -> tuple[sa.Column[Any], ...]:
    return tuple(sa.Column(name, sa.Integer, nullable=nullable, autoincrement=False) for name in names)


def _instants(*names: str, nullable: bool = False) -> tuple[sa.Column[Any], ...]:
    return tuple(sa.Column(name, _INSTANT, nullable=nullable) for name in names)


def _number(table: str) -> tuple[Any, ...]:
    return (
        sa.Column("number", sa.Integer, nullable=False, autoincrement=True),
        sa.PrimaryKeyConstraint("number", name=f"pk_{table}"),
    )


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.number"], name=f"fk_{table}_{column}_{to}")


def _unique(table: str, column: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(column, name=f"uq_{table}_{column}")


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def _people() -> None:
    op.create_table(
        "bank",
        *_number("bank"),
        *_texts("name"),
        *_instants("created_at"),
        _unique("bank", "name"),
        sqlite_strict=True,
    )
    op.create_table(
        "person",
        *_number("person"),
        *_texts("email", nullable=True),
        *_texts("name", "role", "language"),
        *_integers("bank", nullable=True),
        *_integers("version"),
        *_instants("created_at"),
        *_instants("disabled_at", nullable=True),
        _refers("person", "bank", "bank"),
        _unique("person", "email"),
        _check("person", "role_known", "role IN ('operator', 'enterprise', 'bank', 'verifier', 'device')"),
        _check("person", "bank_named", "(role = 'bank') = (bank IS NOT NULL)"),
        _check("person", "device_has_no_email", "(role = 'device') = (email IS NULL)"),
        sqlite_strict=True,
    )
    op.create_table(
        "binding",
        *_integers("person"),
        *_texts("enterprise", "meter"),
        _key("binding", "person", "enterprise", "meter"),
        _refers("binding", "person", "person"),
        sqlite_strict=True,
    )


def _secrets() -> None:
    op.create_table(
        "credential",
        *_integers("person"),
        *_texts("password", nullable=True),
        *_instants("password_since", nullable=True),
        *_texts("totp", nullable=True),
        *_instants("totp_since", nullable=True),
        *_integers("totp_step", nullable=True),
        _key("credential", "person"),
        _refers("credential", "person", "person"),
        sqlite_strict=True,
    )
    op.create_table(
        "recovery_code",
        *_texts("digest"),
        *_integers("person"),
        *_instants("used_at", nullable=True),
        _key("recovery_code", "digest"),
        _refers("recovery_code", "person", "person"),
        sqlite_strict=True,
    )
    op.create_index("ix_recovery_code_person", "recovery_code", ["person"])
    op.create_table(
        "api_token",
        *_number("api_token"),
        *_texts("digest", "prefix", "name"),
        *_integers("person"),
        *_texts("scopes"),
        *_instants("created_at", "expires_at"),
        *_instants("revoked_at", "used_at", nullable=True),
        _unique("api_token", "digest"),
        _refers("api_token", "person", "person"),
        sqlite_strict=True,
    )
    op.create_index("ix_api_token_person", "api_token", ["person"])
    op.create_table(
        "one_time_link",
        *_texts("digest", "purpose"),
        *_integers("person", nullable=True),
        *_instants("created_at", "expires_at"),
        *_instants("used_at", nullable=True),
        _key("one_time_link", "digest"),
        _refers("one_time_link", "person", "person"),
        _check("one_time_link", "purpose_known", "purpose IN ('first', 'invitation', 'reset')"),
        _check("one_time_link", "first_has_no_person", "(purpose = 'first') = (person IS NULL)"),
        sqlite_strict=True,
    )
    op.create_index("ix_one_time_link_person", "one_time_link", ["person"])


def _sign_ins() -> None:
    op.create_table(
        "session",
        *_texts("digest"),
        *_integers("person"),
        *_texts("stage", "address", "agent"),
        *_instants("created_at", "seen_at", "expires_at"),
        _key("session", "digest"),
        _refers("session", "person", "person"),
        _check("session", "stage_known", "stage IN ('password', 'full')"),
        sqlite_strict=True,
    )
    op.create_index("ix_session_person", "session", ["person"])
    op.create_table(
        "foreign_sign_in",
        *_texts("digest", "nonce", "verifier", "target"),
        *_instants("expires_at"),
        _key("foreign_sign_in", "digest"),
        sqlite_strict=True,
    )
    op.create_table(
        "sign_in_attempt",
        *_number("sign_in_attempt"),
        *_texts("account", "address"),
        *_integers("failed"),
        *_instants("at"),
        _check("sign_in_attempt", "failed_flag", "failed IN (0, 1)"),
        sqlite_strict=True,
    )
    for column in ("account", "address"):
        op.create_index(f"ix_sign_in_attempt_{column}_at", "sign_in_attempt", [column, "at"])


def _records() -> None:
    op.create_table(
        "consent",
        *_number("consent"),
        *_texts("event", "enterprise"),
        *_integers("bank"),
        *_integers("revokes", "first_day", "until_day", nullable=True),
        *_integers("person"),
        *_instants("recorded_at"),
        _refers("consent", "bank", "bank"),
        _refers("consent", "revokes", "consent"),
        _unique("consent", "revokes"),
        _refers("consent", "person", "person"),
        _check("consent", "event_known", "event IN ('given', 'revoked')"),
        _check("consent", "revokes_one", "(event = 'revoked') = (revokes IS NOT NULL)"),
        _check(
            "consent",
            "given_for_days",
            "(event = 'given') = (first_day IS NOT NULL) AND (event = 'given') = (until_day IS NOT NULL)"
            " AND (event = 'revoked' OR first_day <= until_day)",
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_consent_bank_enterprise", "consent", ["bank", "enterprise"])
    op.create_table(
        "audit_entry",
        *_integers("number"),
        *_instants("at"),
        *_integers("person", nullable=True),
        *_texts("who", "role", "token", "address", "action", "subject", "enterprise"),
        *_texts("before", "after", nullable=True),
        *_texts("digest"),
        _key("audit_entry", "number"),
        _check("audit_entry", "chained", "number > 0 AND length(digest) = 64"),
        sqlite_strict=True,
    )
    for column in ("enterprise", "person"):
        op.create_index(f"ix_audit_entry_{column}_number", "audit_entry", [column, "number"])
