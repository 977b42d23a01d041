"""The database as portable tables: what SQLite held can be loaded into PostgreSQL, and the other way round.

Tables are found in the database itself, so a room that adds one need not be named here. Instants are text of one
form; flags are 0 and 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from lujin.database import insert_many, migrate, writing
from lujin.errors import N_, InputError, Problem

CHUNK = 200_000  # rows of a part
SCHEMA_TABLE = "alembic_version"
# Who is signed in, and links that work once: in a restored park they would come to life again.
LEFT_OUT = frozenset({SCHEMA_TABLE, "session", "one_time_link", "foreign_sign_in"})
_KINDS: Mapping[type, pl.DataType] = {
    int: pl.Int64(),
    bool: pl.Int64(),
    float: pl.Float64(),
    str: pl.String(),
    datetime: pl.String(),
    bytes: pl.Binary(),
}


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees the database as it is now, whatever others commit meanwhile; nobody waits for it."""
    options = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        revision(connection)  # SQLite takes its snapshot with the first look
        yield connection


def revision(connection: Connection) -> str:
    return str(connection.execute(sa.text(f"SELECT version_num FROM {SCHEMA_TABLE}")).scalar_one())


def size(connection: Connection) -> int:
    """Rows of all tables."""
    counts = (sa.select(sa.func.count()).select_from(table) for table in _kept(connection))
    return sum(int(connection.execute(count).scalar_one()) for count in counts)


def parts(connection: Connection) -> Iterator[tuple[str, pl.DataFrame]]:
    """Every table in parts of at most CHUNK rows, in the order in which they can be loaded."""
    for table in _kept(connection):
        names = [column.name for column in table.columns]
        schema = pl.Schema({column.name: _KINDS[column.type.python_type] for column in table.columns})
        rows = connection.execution_options(yield_per=CHUNK).execute(sa.select(table).order_by(*table.primary_key))
        for block in rows.partitions():
            frame = pl.DataFrame([tuple(map(_plain, row)) for row in block], schema=names, orient="row")
            yield table.name, frame.cast(schema)


def load(engine: Engine, schema: str, tables: Iterable[tuple[str, pl.DataFrame]]) -> None:
    """Fill an empty database, in one transaction. ``schema``: the revision that the tables were dumped with.

    InputError: it holds something already.
    """
    refuse_filled(engine)
    migrate(engine, schema)
    with writing(engine) as connection:
        known = {table.name: table for table in loading_order(connection)}
        for name, frame in tables:
            table = known[name]
            flags = [c.name for c in table.columns if c.type.python_type is bool]
            frame = frame.with_columns(pl.col(flags).cast(pl.Boolean))
            insert_many(connection, table, dict(frame.to_dict(as_series=False)))
        if connection.dialect.name == "postgresql":
            for table in known.values():
                _go_on_counting(connection, table)


def refuse_filled(engine: Engine) -> None:
    with engine.connect() as connection:
        for table in loading_order(connection):
            if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).scalar() is not None:
                raise InputError(
                    Problem(
                        N_("the database already holds a park"),
                        {},
                        N_("name an empty database in LUJIN_DATABASE"),
                        file=engine.url.render_as_string(),
                    )
                )


def _kept(connection: Connection) -> list[sa.Table]:
    return [table for table in loading_order(connection) if table.name not in LEFT_OUT]


def loading_order(connection: Connection) -> list[sa.Table]:
    """All tables, each after those that it points to. One that points by a deferred key comes before its target:
    the target's triggers look for it.
    """
    found = sa.MetaData()
    found.reflect(connection)
    before: dict[str, set[str]] = {name: set() for name in sorted(found.tables)}
    for name, table in found.tables.items():
        for key in table.foreign_key_constraints:
            first, then = (name, key.referred_table.name) if key.initially else (key.referred_table.name, name)
            if first != then:
                before[then].add(first)
    order = TopologicalSorter(before).static_order()
    return [found.tables[name] for name in order if name != SCHEMA_TABLE]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return int(value) if isinstance(value, bool) else value


def _go_on_counting(connection: Connection, table: sa.Table) -> None:
    """The next number of a counted column follows the greatest that was loaded."""
    for column in table.primary_key:
        names = {"table": f'"{table.name}"', "column": column.name}
        sequence = connection.execute(sa.text("SELECT pg_get_serial_sequence(:table, :column)"), names).scalar()
        if sequence is not None:
            most = connection.execute(sa.select(sa.func.max(column))).scalar()
            connection.execute(sa.select(sa.func.setval(sequence, most or 1, most is not None)))
