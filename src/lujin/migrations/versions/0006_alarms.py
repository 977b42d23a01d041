"""Alarms: alarm_rule, alarm, alarm_event, message, message_attempt; and operator_setting."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from lujin.migrations.triggers import append_only_sql

revision = "0006"
down_revision: str | None = "0005"

_INSTANT = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")
_TABLES = ("alarm_rule", "alarm", "alarm_event", "message", "message_attempt", "operator_setting")


def upgrade() -> None:
    _rules_and_alarms()
    _events()
    _messages()
    _settings()
    dialect = op.get_bind().dialect.name
    for table in _TABLES:
        for statement in append_only_sql(table, dialect):
            op.execute(sa.text(statement))


def _texts(*names: str) -> tuple[sa.Column[Any], ...]:
    return tuple(sa.Column(name, sa.Text, nullable=False) for name in names)


def _integer(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, nullable=False)


def _instant(name: str = "recorded_at", *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, _INSTANT, nullable=nullable)


def _number(table: str) -> tuple[Any, ...]:
    return (
        sa.Column("number", sa.Integer, nullable=False, autoincrement=True),
        sa.PrimaryKeyConstraint("number", name=f"pk_{table}"),
    )


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def _points_to(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.number"], name=f"fk_{table}_{column}_{target}")


def _rules_and_alarms() -> None:
    op.create_table(
        "alarm_rule",
        *_number("alarm_rule"),
        *_texts("id", "owner", "definition"),
        _integer("withdrawn"),
        *_texts("author"),
        _instant(),
        _check("alarm_rule", "withdrawn_flag", "withdrawn IN (0, 1)"),
        sqlite_strict=True,
    )
    op.create_index("ix_alarm_rule_id_number", "alarm_rule", ["id", "number"])
    op.create_table(
        "alarm",
        *_number("alarm"),
        *_texts("cause"),
        _integer("occurrence"),
        _integer("rule"),
        *_texts("place", "severity", "link", "enterprises", "said", "measure"),
        _instant(),
        _points_to("alarm", "rule", "alarm_rule"),
        sa.UniqueConstraint("cause", "occurrence", name="uq_alarm_cause_occurrence"),
        _check("alarm", "occurrence_positive", "occurrence > 0"),
        _check("alarm", "severity_known", "severity IN ('info', 'warning', 'critical')"),
        sqlite_strict=True,
    )
    op.create_index("ix_alarm_rule", "alarm", ["rule"])


def _events() -> None:
    op.create_table(
        "alarm_event",
        *_number("alarm_event"),
        _integer("alarm"),
        *_texts("kind", "author", "note"),
        _instant("until", nullable=True),
        sa.Column("said", sa.Text, nullable=True),
        _instant(),
        _points_to("alarm_event", "alarm", "alarm"),
        _check(
            "alarm_event",
            "kind_known",
            "kind IN ('still', 'acknowledged', 'silenced', 'escalated', 'cleared')",
        ),
        _check("alarm_event", "silenced_until", "(kind = 'silenced') = (until IS NOT NULL)"),
        sqlite_strict=True,
    )
    op.create_index("ix_alarm_event_alarm_number", "alarm_event", ["alarm", "number"])
    for kind in ("cleared", "escalated"):
        once = sa.text(f"kind = '{kind}'")
        op.create_index(
            f"uq_alarm_event_{kind}",
            "alarm_event",
            ["alarm"],
            unique=True,
            sqlite_where=once,
            postgresql_where=once,
        )


def _messages() -> None:
    op.create_table(
        "message",
        *_number("message"),
        _integer("alarm"),
        *_texts("kind", "recipient", "said"),
        _instant("not_before"),
        _instant(),
        _points_to("message", "alarm", "alarm"),
        _check("message", "kind_known", "kind IN ('raised', 'escalated', 'cleared')"),
        sqlite_strict=True,
    )
    op.create_index("ix_message_alarm", "message", ["alarm"])
    op.create_table(
        "message_attempt",
        *_number("message_attempt"),
        _integer("message"),
        *_texts("outcome", "detail"),
        _instant("next_at", nullable=True),
        _instant(),
        _points_to("message_attempt", "message", "message"),
        _check("message_attempt", "outcome_known", "outcome IN ('sent', 'failed', 'given_up')"),
        _check("message_attempt", "failed_goes_on", "(outcome = 'failed') = (next_at IS NOT NULL)"),
        sqlite_strict=True,
    )
    op.create_index("ix_message_attempt_message_number", "message_attempt", ["message", "number"])


def _settings() -> None:
    op.create_table(
        "operator_setting",
        *_number("operator_setting"),
        *_texts("name"),
        sa.Column("value", sa.Text, nullable=False),
        *_texts("author"),
        _instant(),
        sqlite_strict=True,
    )
    op.create_index("ix_operator_setting_name_number", "operator_setting", ["name", "number"])
