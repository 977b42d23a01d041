"""Ledger and its facts: line_key, entry, line, posted, completeness, park_fact, reference, choice."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from lujin.migrations.seal import seal_sql
from lujin.migrations.triggers import append_only_sql

revision = "0002"
down_revision: str | None = "0001"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")
_MONTH = "month BETWEEN 190001 AND 999912 AND month % 100 BETWEEN 1 AND 12"
_TABLES = (
    "line_key",
    "entry",
    "line",
    "posted",
    "completeness",
    "basic_charge",
    "park_fact",
    "reference_row",
    "reference_event",
    "choice",
)


def upgrade() -> None:
    _ledger()
    _states()
    _facts()
    dialect = op.get_bind().dialect.name
    for table in _TABLES:
        for statement in append_only_sql(table, dialect):
            op.execute(sa.text(statement))
    for statement in seal_sql(dialect):
        op.execute(sa.text(statement))


def _texts(*names: str) -> tuple[sa.Column[Any], ...]:
    return tuple(sa.Column(name, sa.Text, nullable=False) for name in names)


def _integers(*names: str) -> tuple[sa.Column[Any], ...]:
    return tuple(sa.Column(name, sa.Integer, nullable=False) for name in names)


def _recorded() -> sa.Column[Any]:
    return sa.Column("recorded_at", _INSTANT, nullable=False)


def _number(table: str) -> tuple[Any, ...]:
    return (
        sa.Column("number", sa.Integer, nullable=False, autoincrement=True),
        sa.PrimaryKeyConstraint("number", name=f"pk_{table}"),
    )


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def _ledger() -> None:
    op.create_table(
        "line_key",
        sa.Column("id", _BIG, nullable=False, autoincrement=False),
        *_texts("debit", "credit", "commodity", "period", "quality", "rule", "factor", "subject"),
        sa.PrimaryKeyConstraint("id", name="pk_line_key"),
        _check("line_key", "two_sides", "debit <> credit"),
        _check("line_key", "named", "debit <> '' AND credit <> '' AND commodity <> '' AND rule <> ''"),
        _check("line_key", "quality_known", "quality IN ('measured', 'estimated')"),
        sqlite_strict=True,
    )
    reasons = "'initial', 'late_reading', 'correction', 'park_change', 'late_factor', 'restatement'"
    books = "'physical', 'embodied', 'location', 'market', 'regulatory'"
    op.create_table(
        "entry",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        *_texts("id", "enterprise"),
        *_integers("month"),
        *_texts("book"),
        *_integers("version"),
        *_texts("reason", "pack", "park_digest", "input_digest"),
        *_integers("lines"),
        *_texts("lines_digest"),
        *_integers("source"),
        _recorded(),
        sa.PrimaryKeyConstraint("number", name="pk_entry"),
        sa.UniqueConstraint("id", name="uq_entry_id"),
        sa.UniqueConstraint(
            "enterprise", "book", "month", "version", name="uq_entry_enterprise_book_month_version"
        ),
        _check("entry", "has_lines", "lines > 0"),
        _check("entry", "digests", "length(id) = 64 AND length(lines_digest) = 64"),
        _check("entry", "first_is_initial", "(reason = 'initial') = (version = 1) AND version > 0"),
        _check("entry", "book_known", f"book IN ({books})"),
        _check("entry", "reason_known", f"reason IN ({reasons})"),
        _check("entry", "month_valid", _MONTH),
        sqlite_strict=True,
    )
    op.create_index("ix_entry_month", "entry", ["month"])
    op.create_table(
        "line",
        sa.Column("entry", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("no", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("key", _BIG, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("amount", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("entry", "no", name="pk_line"),
        sa.ForeignKeyConstraint(
            ["entry"], ["entry.number"], name="fk_line_entry_entry", deferrable=True, initially="DEFERRED"
        ),
        sa.ForeignKeyConstraint(["key"], ["line_key.id"], name="fk_line_key_line_key"),
        _check("line", "amount_not_zero", "amount <> 0"),
        _check("line", "no_positive", "no > 0"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _states() -> None:
    op.create_table(
        "posted",
        *_number("posted"),
        *_integers("month"),
        *_texts("enterprise"),
        *_integers("source"),
        *_texts("park_digest", "choices_digest"),
        *_integers("lacking"),
        _recorded(),
        _check("posted", "lacking_flag", "lacking IN (0, 1)"),
        _check("posted", "month_valid", _MONTH),
        sqlite_strict=True,
    )
    op.create_index("ix_posted_month_enterprise_number", "posted", ["month", "enterprise", "number"])
    op.create_table(
        "completeness",
        *_number("completeness"),
        *_integers("month"),
        *_texts("meter"),
        *_integers("expected", "measured", "interpolated", "estimated", "suspect", "missing", "source"),
        _recorded(),
        _check("completeness", "month_valid", _MONTH),
        sqlite_strict=True,
    )
    op.create_index("ix_completeness_meter_month_number", "completeness", ["meter", "month", "number"])
    op.create_table(
        "basic_charge",
        *_number("basic_charge"),
        *_integers("month"),
        *_texts("enterprise", "connection", "max_demand_kw"),
        sa.Column("at", _INSTANT, nullable=True),
        *_texts("billed", "unit", "price"),
        sa.Column("amount", _BIG, nullable=False),
        *_integers("source"),
        _recorded(),
        _check("basic_charge", "month_valid", _MONTH),
        sqlite_strict=True,
    )
    op.create_index("ix_basic_charge_month_enterprise_number", "basic_charge", ["month", "enterprise", "number"])


def _facts() -> None:
    op.create_table("park_fact", *_number("park_fact"), *_texts("digest", "text"), _recorded(), sqlite_strict=True)
    op.create_table(
        "reference_row",
        *_texts("id", "table", "values", "digest", "origin"),
        sa.Column("line", sa.Integer, nullable=True),
        _recorded(),
        sa.PrimaryKeyConstraint("id", name="pk_reference_row"),
        sqlite_strict=True,
    )
    op.create_table(
        "reference_event",
        *_number("reference_event"),
        *_texts("row"),
        *_integers("present"),
        _recorded(),
        sa.ForeignKeyConstraint(["row"], ["reference_row.id"], name="fk_reference_event_row_reference_row"),
        _check("reference_event", "present_flag", "present IN (0, 1)"),
        sqlite_strict=True,
    )
    op.create_table(
        "choice",
        *_number("choice"),
        *_integers("month"),
        *_texts("selector"),
        *_integers("day", "many"),
        *_texts("rows"),
        _recorded(),
        _check("choice", "many_flag", "many IN (0, 1)"),
        _check("choice", "one_is_some", "many = 1 OR rows <> ''"),
        _check("choice", "month_valid", _MONTH),
        sqlite_strict=True,
    )
    op.create_index("ix_choice_month_number", "choice", ["month", "number"])
