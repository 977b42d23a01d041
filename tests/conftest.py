"""Databases for tests: SQLite in a file, and a PostgreSQL server of our own where its programs are installed.
Small file systems to fill up.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4
from zlib import crc32

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from lujin.database import migrate, open_database
from lujin.workspace import core


def _programs() -> Path | None:
    """The directory with initdb and pg_ctl; Debian keeps them out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    program = shutil.which("pg_ctl")
    return None if program is None else Path(program).resolve().parent


def _unprivileged() -> dict[str, Any]:
    """What subprocess needs to run the server under another account: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    name = "postgres" if "postgres" in names else "nobody"
    entry = pwd.getpwnam(name)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough", action="store_true", help="every test on each database, every page in each look"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The rooms below are tested on both databases. Of those that ask them, half of the tests run on SQLite, half
    on PostgreSQL, always the same, unless both are asked for.
    """
    if config.getoption("--thorough"):
        return
    turned = {"sqlite": 0, "postgresql": 1}
    kept, left = [], []
    for item in items:
        found = re.search(r"\b(sqlite|postgresql)\b-?", item.name)
        other = (
            item.nodeid.startswith(("tests/web/", "tests/alarms/", "tests/access/"))
            and found
            and crc32(item.nodeid.replace(found[0], "").encode()) % 2 != turned[found[1]]
        )
        (left if other else kept).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = kept


@pytest.fixture(scope="session", autouse=True)
def quick_schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hundreds of tests open a new park: its schema, made once by the revisions, is copied into the new file.
    `tests/test_database.py` tries the revisions themselves.
    """
    made = open_database(tmp_path_factory.mktemp("schema") / "lujin.db")
    migrate(made)

    def quick(engine: Engine) -> None:
        new = engine.dialect.name == "sqlite" and not sa.inspect(engine).get_table_names()
        if new:
            source, target = made.raw_connection(), engine.raw_connection()
            source.driver_connection.backup(target.driver_connection)  # type: ignore[union-attr]
            source.close()
            target.close()
        migrate(engine)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core, "migrate", quick)
        yield
    made.dispose()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[sa.URL]:
    """A private server on a Unix socket, gone after the tests."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    programs = _programs()
    if programs is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed; scripts/test_system.sh installs it")
        pytest.skip("the programs of PostgreSQL are not installed")
    options = _unprivileged()
    directory = Path(tempfile.mkdtemp(prefix="lujin-pg-"))
    if options:
        os.chown(directory, options["user"], options["group"])

    def run(*command: object) -> None:
        done = subprocess.run(
            list(map(str, command)), cwd=directory, capture_output=True, text=True, check=False, **options
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    try:
        run(programs / "initdb", "-D", "data", "-U", "lujin", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        settings = f"-k {directory} -c listen_addresses='' -c fsync=off"
        run(programs / "pg_ctl", "-D", "data", "-w", "-l", "log", "-o", settings, "start")
        yield sa.URL.create("postgresql", "lujin", database="postgres", query={"host": str(directory)})
        run(programs / "pg_ctl", "-D", "data", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Engine]]:
    """Opens an empty database, anew with each call as another process would; on both engines in turn."""
    opened: list[Engine] = []
    target: str | Path = tmp_path / "lujin.db"
    if request.param == "postgresql":
        server: sa.URL = request.getfixturevalue("postgresql_server")
        name = f"test_{uuid4().hex}"
        admin = open_database(server.render_as_string(hide_password=False))
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        admin.dispose()
        target = server.set(database=name).render_as_string(hide_password=False)

    def open_one() -> Engine:
        opened.append(open_database(target))
        return opened[-1]

    yield open_one
    for engine in opened:
        engine.dispose()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts a file system of its own with so many MiB; gone after the test."""
    disks: list[Path] = []

    def mount(mib: int) -> Path:
        disk = tmp_path / f"disk{len(disks)}"
        disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(disk)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("no mount command")
        if done.returncode:
            pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
        disks.append(disk)
        return disk

    yield mount
    for disk in disks:
        subprocess.run(["umount", "-l", str(disk)], check=True)
