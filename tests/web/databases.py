"""Where the data of a copy of the demo park lie: SQLite in its directory, or a database of PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from filelock import FileLock

import lujin
from lujin.database import open_database

Where = Callable[[Path], Mapping[str, str]]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def where(
    request: pytest.FixtureRequest, demo_park: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Where]:
    """For a copy of the demo park its environment: on PostgreSQL a new database that holds the same, and the file
    of SQLite is gone. Each test that uses it runs on both.
    """
    if request.param == "sqlite":
        yield lambda _: {}
        return
    server: sa.URL = request.getfixturevalue("postgresql_server")
    template = _database(server, None)
    restored = tmp_path_factory.mktemp("template") / "park"
    lujin.restore(_backup(demo_park), restored, environment={"LUJIN_DATABASE": _text(server, template)})

    def one(copy: Path) -> Mapping[str, str]:
        for file in copy.glob("lujin.db*"):
            file.unlink()
        return {"LUJIN_DATABASE": _text(server, _database(server, template))}

    yield one


def _backup(demo_park: Path) -> Path:
    """Made once for all workers."""
    file = demo_park.with_name("demo-park.tar")
    with FileLock(file.with_suffix(".lock")):
        if not file.exists():
            park = lujin.open(demo_park, environment={})
            park.backup(file, with_keys=True)
            park.engine.dispose()
    return file


def _database(server: sa.URL, template: str | None) -> str:
    name = f"web_{uuid4().hex}"
    admin = open_database(_text(server, "postgres"))
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else "")))
    admin.dispose()
    return name


def _text(server: sa.URL, database: str) -> str:
    return server.set(database=database).render_as_string(hide_password=False)
