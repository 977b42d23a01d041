"""Two ways to write: a row that gets a number, and a small note that nobody should wait for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from lujin.database import BUSY_TIMEOUT_S
from lujin.errors import LockedError

_PATIENCE_MS = 50


def insert_numbered(connection: Connection, table: sa.Table, row: Mapping[str, Any]) -> int:
    """Insert one row and return the number that the database gave it."""
    key = connection.execute(table.insert().values(row)).inserted_primary_key
    assert key is not None
    return int(key[0])


def passing_write(engine: Engine, statement: sa.Update) -> None:
    """Carry out the statement, or leave it when another process holds the database: when a session or a token
    was last used is not worth a wait."""
    with suppress(LockedError), engine.connect() as connection:
        if connection.dialect.name != "sqlite":
            connection.execute(sa.text("SET LOCAL lock_timeout = '50ms'"))
            connection.execute(statement)
            connection.commit()
            return
        connection.exec_driver_sql(f"PRAGMA busy_timeout={_PATIENCE_MS}")
        try:
            connection.execute(statement)
            connection.commit()
        finally:
            connection.rollback()
            connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")
