"""Who brought an arrival and what it takes back: source_origin. Long work: job. Repeated requests: repeat."""

import sqlalchemy as sa
from alembic import op

from lujin.migrations.triggers import append_only_sql

revision = "0005"
down_revision: str | None = "0004"

_INSTANT = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    _arrivals_and_jobs()
    _repeats()


def _arrivals_and_jobs() -> None:
    op.create_table(
        "source_origin",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("party", sa.Text, nullable=False),
        sa.Column("undoes", sa.Integer, nullable=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_source_origin"),
        sa.ForeignKeyConstraint(["number"], ["source.number"], name="fk_source_origin_number_source"),
        sa.ForeignKeyConstraint(["undoes"], ["source.number"], name="fk_source_origin_undoes_source"),
        sqlite_strict=True,
    )
    for statement in append_only_sql("source_origin", op.get_bind().dialect.name):
        op.execute(sa.text(statement))
    op.create_table(
        "job",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("person", sa.Integer, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("result", sa.Text, nullable=True),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("started_at", _INSTANT, nullable=False),
        sa.Column("beat_at", _INSTANT, nullable=False),
        sa.Column("ended_at", _INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_job"),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'failed', 'interrupted')", name=op.f("ck_job_state_known")
        ),
        sqlite_strict=True,
    )


def _repeats() -> None:
    """Answers to requests that may be repeated; they go after some days."""
    op.create_table(
        "repeat",
        sa.Column("person", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("claimed_at", _INSTANT, nullable=False),
        sa.Column("status", sa.Integer, nullable=True),
        sa.Column("location", sa.Text, nullable=True),
        sa.Column("answer", sa.Text, nullable=True),
        sa.CheckConstraint("(status IS NULL) = (answer IS NULL)", name=op.f("ck_repeat_answered")),
        sa.PrimaryKeyConstraint("person", "key", name=op.f("pk_repeat")),
        sqlite_strict=True,
    )
    op.create_index("ix_repeat_claimed_at", "repeat", ["claimed_at"])
