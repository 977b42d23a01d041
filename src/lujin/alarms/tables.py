"""Tables of alarms, all append-only: rules by version, an alarm as a life of events, messages with attempts."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from lujin.database import Instant, Json, append_only, metadata

EVENTS = ("still", "acknowledged", "silenced", "escalated", "cleared")
OUTCOMES = ("sent", "failed", "given_up")


def _one_of(column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{v}'" for v in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def _number() -> sa.Column[int]:
    return sa.Column("number", sa.Integer, primary_key=True, autoincrement=True)


def _texts(*names: str) -> tuple[sa.Column[str], ...]:
    return tuple(sa.Column(name, sa.Text, nullable=False) for name in names)


def _recorded() -> sa.Column[Any]:
    return sa.Column("recorded_at", Instant, nullable=False)


# A version of a rule; the newest of an ``id`` holds. ``withdrawn`` 1: it is no longer judged.
alarm_rule = append_only(
    sa.Table(
        "alarm_rule",
        metadata,
        _number(),
        *_texts("id", "owner"),
        sa.Column("definition", Json, nullable=False),
        sa.Column("withdrawn", sa.Integer, nullable=False),
        *_texts("author"),
        _recorded(),
        sa.CheckConstraint("withdrawn IN (0, 1)", name="withdrawn_flag"),
        sa.Index("ix_alarm_rule_id_number", "id", "number"),
        sqlite_strict=True,
    )
)

# ``occurrence`` counts how often the same cause came up: two watchers cannot both raise it.
alarm = append_only(
    sa.Table(
        "alarm",
        metadata,
        _number(),
        *_texts("cause"),
        sa.Column("occurrence", sa.Integer, nullable=False),
        sa.Column("rule", sa.ForeignKey("alarm_rule.number"), nullable=False, index=True),
        *_texts("place", "severity", "link"),
        sa.Column("enterprises", Json, nullable=False),
        sa.Column("said", Json, nullable=False),
        sa.Column("measure", Json, nullable=False),
        _recorded(),
        sa.UniqueConstraint("cause", "occurrence"),
        sa.CheckConstraint("occurrence > 0", name="occurrence_positive"),
        _one_of("severity", ("info", "warning", "critical")),
        sqlite_strict=True,
    )
)

alarm_event = append_only(
    sa.Table(
        "alarm_event",
        metadata,
        _number(),
        sa.Column("alarm", sa.ForeignKey("alarm.number"), nullable=False),
        *_texts("kind", "author", "note"),
        sa.Column("until", Instant, nullable=True),
        sa.Column("said", Json, nullable=True),
        _recorded(),
        _one_of("kind", EVENTS),
        sa.CheckConstraint("(kind = 'silenced') = (until IS NOT NULL)", name="silenced_until"),
        sa.Index("ix_alarm_event_alarm_number", "alarm", "number"),
        sqlite_strict=True,
    )
)
for _kind in ("cleared", "escalated"):
    sa.Index(
        f"uq_alarm_event_{_kind}",
        alarm_event.c.alarm,
        unique=True,
        sqlite_where=alarm_event.c.kind == _kind,
        postgresql_where=alarm_event.c.kind == _kind,
    )

# What somebody is told of an alarm; not before the end of quiet hours.
message = append_only(
    sa.Table(
        "message",
        metadata,
        _number(),
        sa.Column("alarm", sa.ForeignKey("alarm.number"), nullable=False, index=True),
        *_texts("kind", "recipient"),
        sa.Column("said", Json, nullable=False),
        sa.Column("not_before", Instant, nullable=False),
        _recorded(),
        _one_of("kind", ("raised", "escalated", "cleared")),
        sqlite_strict=True,
    )
)

message_attempt = append_only(
    sa.Table(
        "message_attempt",
        metadata,
        _number(),
        sa.Column("message", sa.ForeignKey("message.number"), nullable=False),
        *_texts("outcome", "detail"),
        sa.Column("next_at", Instant, nullable=True),
        _recorded(),
        _one_of("outcome", OUTCOMES),
        sa.CheckConstraint("(outcome = 'failed') = (next_at IS NOT NULL)", name="failed_goes_on"),
        sa.Index("ix_message_attempt_message_number", "message", "number"),
        sqlite_strict=True,
    )
)
