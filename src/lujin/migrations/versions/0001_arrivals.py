"""Arrivals: source, source_event, touched, meter_key."""

import sqlalchemy as sa
from alembic import op

from lujin.migrations.triggers import append_only_sql

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    instant = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")
    op.create_table(
        "source",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("mapping", sa.Text, nullable=False),
        sa.Column("recorded_at", instant, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_source"),
        sa.CheckConstraint("number > 0", name=op.f("ck_source_number_positive")),
        sqlite_strict=True,
    )
    op.create_index("ix_source_sha256", "source", ["sha256"])
    op.create_table(
        "source_event",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("recorded_at", instant, nullable=False),
        sa.Column("counts", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_source_event"),
        sa.ForeignKeyConstraint(["number"], ["source.number"], name="fk_source_event_number_source"),
        sa.CheckConstraint("state IN ('committed', 'abandoned')", name=op.f("ck_source_event_state_known")),
        sqlite_strict=True,
    )
    op.create_table(
        "meter_key",
        sa.Column("key", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meter_key"),
        sa.UniqueConstraint("id", name="uq_meter_key_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "touched",
        sa.Column("source", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("month", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("meter", sa.Integer, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("source", "month", "meter", name="pk_touched"),
        sa.ForeignKeyConstraint(["source"], ["source.number"], name="fk_touched_source_source"),
        sa.ForeignKeyConstraint(["meter"], ["meter_key.key"], name="fk_touched_meter_meter_key"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    dialect = op.get_bind().dialect.name
    for table in ("source", "source_event", "touched", "meter_key"):
        for statement in append_only_sql(table, dialect):
            op.execute(sa.text(statement))
