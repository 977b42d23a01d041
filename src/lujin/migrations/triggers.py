"""Triggers that make a table append-only: the database itself refuses UPDATE and DELETE."""

from __future__ import annotations

REFUSAL = "is append-only"

_SQLITE = """CREATE TRIGGER {table}_no_{event} BEFORE {EVENT} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} {refusal}'); END"""

_POSTGRESQL_FUNCTION = """CREATE OR REPLACE FUNCTION lujin_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% {refusal}', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$"""

_POSTGRESQL = """CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION lujin_append_only()"""


def append_only_sql(table: str, dialect: str) -> tuple[str, ...]:
    """Statements that protect ``table``, for ``dialect`` ``sqlite`` or ``postgresql``.

    >>> len(append_only_sql("entry", "sqlite")), len(append_only_sql("entry", "postgresql"))
    (2, 2)
    """
    if dialect == "sqlite":
        return tuple(
            _SQLITE.format(table=table, event=event, EVENT=event.upper(), refusal=REFUSAL)
            for event in ("update", "delete")
        )
    return (_POSTGRESQL_FUNCTION.format(refusal=REFUSAL), _POSTGRESQL.format(table=table))
