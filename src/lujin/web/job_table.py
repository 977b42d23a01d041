"""The table of long work: what runs, how far it is, what came of it. Any server process sees it."""

from __future__ import annotations

import sqlalchemy as sa

from lujin.database import Instant, Json, metadata

STATES = ("waiting", "running", "done", "failed", "interrupted")

# ``about``: what it was asked to do; ``result``: what came of it, or {"problems": …}. ``beat_at``: the last sign
# of life of the process ``worker`` that does it.
job = sa.Table(
    "job",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("about", Json, nullable=False),
    sa.Column("person", sa.Integer, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("result", Json, nullable=True),
    sa.Column("worker", sa.Text, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("beat_at", Instant, nullable=False),
    sa.Column("ended_at", Instant, nullable=True),
    sa.CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", name="state_known"),
    sqlite_strict=True,
)
