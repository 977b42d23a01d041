"""The same facts give the same ledger on SQLite and on PostgreSQL, byte for byte."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from lujin.accounts.audit import canonical_bytes
from lujin.database import open_database
from lujin.demo import write_demo
from lujin.workspace import Workspace, open_workspace


@pytest.fixture
def postgresql_database(postgresql_server: sa.URL) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    admin = open_database(postgresql_server.render_as_string(hide_password=False))
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    admin.dispose()
    yield postgresql_server.set(database=name).render_as_string(hide_password=False)


def _posted(directory: Path, late: tuple[Path, ...], environment: dict[str, str]) -> tuple[Workspace, bytes]:
    times = iter(datetime(2026, 1, 5, tzinfo=UTC) + timedelta(minutes=m) for m in range(1_000))
    workspace = open_workspace(directory, clock=lambda: next(times), environment=environment)
    arrivals = [p for p in sorted((directory / "arrivals").iterdir()) if p.is_file()]
    assert not any(r.failed for r in workspace.import_files(arrivals))
    workspace.run()
    workspace.import_files([directory / p.relative_to(p.parents[2]) for p in late])
    workspace.run()
    with workspace.engine.connect() as connection:
        return workspace, b"".join(canonical_bytes(connection, recorded=True))


def test_sqlite_and_postgresql_hold_the_same_ledger(tmp_path: Path, postgresql_database: str) -> None:
    files = write_demo(tmp_path / "one", enterprises=12, months=1)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    _, first = _posted(tmp_path / "one", files.late, {})
    second_workspace, second = _posted(tmp_path / "two", files.late, {"LUJIN_DATABASE": postgresql_database})
    assert len(first) > 100_000
    assert first == second
    assert second_workspace.verify(replay=True)["entries"] > 12
    assert not (tmp_path / "two" / "lujin.db").exists()
    second_workspace.engine.dispose()
