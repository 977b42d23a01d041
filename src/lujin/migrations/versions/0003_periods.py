"""Periods and evidence: period_event, tree_head, certificate, certificate_superseded, event_head."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from lujin.migrations.triggers import append_only_sql

revision = "0003"
down_revision: str | None = "0002"

_INSTANT = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")
_MONTH = "month BETWEEN 190001 AND 999912 AND month % 100 BETWEEN 1 AND 12"
_TABLES = ("period_event", "tree_head", "certificate", "certificate_superseded", "event_head")


def upgrade() -> None:
    _periods()
    _evidence()
    _event_heads()
    dialect = op.get_bind().dialect.name
    for table in _TABLES:
        for statement in append_only_sql(table, dialect):
            op.execute(sa.text(statement))


def _texts(*names: str) -> tuple[sa.Column[Any], ...]:
    return tuple(sa.Column(name, sa.Text, nullable=False) for name in names)


def _integers(*names: str) -> tuple[sa.Column[Any], ...]:
    return tuple(sa.Column(name, sa.Integer, nullable=False) for name in names)


def _instants(*names: str) -> tuple[sa.Column[Any], ...]:
    return tuple(sa.Column(name, _INSTANT, nullable=False) for name in names)


def _number(table: str) -> tuple[Any, ...]:
    return (
        sa.Column("number", sa.Integer, nullable=False, autoincrement=True),
        sa.PrimaryKeyConstraint("number", name=f"pk_{table}"),
    )


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def _periods() -> None:
    op.create_table(
        "period_event",
        *_number("period_event"),
        *_integers("month"),
        *_texts("state"),
        *_instants("known"),
        *_integers("entries"),
        *_texts(
            "digest", "author", "note", "verifier", "outcome", "opinion", "cause", "disclosed", "arrived", "effect"
        ),
        *_instants("recorded_at"),
        _check("period_event", "state_known", "state IN ('closed', 'verified', 'restated')"),
        _check("period_event", "month_valid", _MONTH),
        _check("period_event", "digest_and_size", "length(digest) = 64 AND entries >= 0"),
        _check(
            "period_event",
            "opinion_by_name",
            "(outcome <> '') = (verifier <> '') AND (outcome <> '') = (opinion <> '')",
        ),
        _check(
            "period_event",
            "verified_by_outcome",
            "(state = 'verified') = (outcome IN ('unqualified', 'qualified'))"
            " AND (outcome IN ('', 'unqualified', 'qualified') OR state = 'closed')"
            " AND outcome IN ('', 'unqualified', 'qualified', 'adverse', 'disclaimer')",
        ),
        _check("period_event", "restated_for_cause", "(state = 'restated') = (cause <> '')"),
        sqlite_strict=True,
    )
    op.create_index("ix_period_event_month_number", "period_event", ["month", "number"])


def _evidence() -> None:
    op.create_table(
        "tree_head",
        *_number("tree_head"),
        *_integers("size"),
        *_texts("root", "frontier", "key", "signature"),
        *_instants("recorded_at"),
        _check("tree_head", "signed", "size > 0 AND length(root) = 64 AND signature <> ''"),
        sqlite_strict=True,
    )
    op.create_table(
        "certificate",
        *_number("certificate"),
        *_texts("id", "enterprise"),
        *_integers("first_month", "last_month"),
        *_instants("known"),
        *_integers("status_index"),
        *_texts("document"),
        *_instants("recorded_at"),
        sa.UniqueConstraint("id", name="uq_certificate_id"),
        sa.UniqueConstraint("status_index", name="uq_certificate_status_index"),
        _check("certificate", "ordered", "first_month <= last_month AND status_index >= 0"),
        sqlite_strict=True,
    )
    op.create_table(
        "certificate_superseded",
        sa.Column("certificate", sa.Integer, nullable=False, autoincrement=False),
        *_integers("event"),
        *_instants("recorded_at"),
        sa.PrimaryKeyConstraint("certificate", name="pk_certificate_superseded"),
        sa.ForeignKeyConstraint(
            ["certificate"], ["certificate.number"], name="fk_certificate_superseded_certificate_certificate"
        ),
        sa.ForeignKeyConstraint(
            ["event"], ["period_event.number"], name="fk_certificate_superseded_event_period_event"
        ),
        sqlite_strict=True,
    )


def _event_heads() -> None:
    kinds = ("period_event", "certificate", "certificate_superseded")
    chains = [c for kind in kinds for c in (*_integers(f"{kind}_rows"), *_texts(f"{kind}_digest"))]
    op.create_table(
        "event_head",
        *_number("event_head"),
        *chains,
        *_texts("key", "signature"),
        *_instants("recorded_at"),
        _check("event_head", "signed", "length(period_event_digest) = 64 AND signature <> ''"),
        sqlite_strict=True,
    )
