"""The database: schema by migration, facts append-only, failures reported; on SQLite and PostgreSQL."""

from __future__ import annotations

import importlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Engine

import lujin
from lujin.database import (
    Instant,
    Integer64,
    Json,
    append_only,
    insert_many,
    metadata,
    migrate,
    open_database,
    writing,
)
from lujin.errors import IntegrityError, LockedError, StoreError
from lujin.migrations import HEAD

Database = Callable[[], Engine]
NOON = datetime(2025, 1, 2, 12, 0, 0, 5, tzinfo=UTC)

own = sa.MetaData()
fact = append_only(
    sa.Table(
        "fact",
        own,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text),
        sa.Column("amount", Integer64),
        sa.Column("recorded_at", Instant),
        sa.Column("counts", Json),
        sqlite_strict=True,
    )
)


@pytest.fixture
def engine(database: Database) -> Engine:
    engine = database()
    own.create_all(engine)
    return engine


def rows(engine: Engine, table: sa.Table = fact) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key))]


class TestMigration:
    def test_migrated_schema_equals_what_the_rooms_declare(self, database: Database) -> None:
        for room in ("readings", "accounts", "access", "alarms", "web"):
            package = importlib.import_module(f"lujin.{room}")
            folder = Path(str(package.__path__[0]))
            for source in sorted(folder.rglob("*.py")):
                if "lujin.database import" in source.read_text(encoding="utf-8"):
                    name = ".".join(source.relative_to(folder).with_suffix("").parts)
                    importlib.import_module(f"lujin.{room}.{name}")
        engine = database()
        migrate(engine)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
            assert {"source", "touched", "meter_key"} <= set(sa.inspect(connection).get_table_names())

    def test_every_fact_is_as_well_guarded_as_declared(self, database: Database, tmp_path: Path) -> None:
        """Triggers and STRICT are invisible to the comparison above: compare them in SQLite's own catalogue."""
        engine = database()
        if engine.dialect.name != "sqlite":
            pytest.skip("looks at SQLite's catalogue")
        migrate(engine)
        declared = open_database(tmp_path / "declared.db")
        metadata.create_all(declared)
        names = sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
        strict = sa.text("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' ORDER BY name")
        with engine.connect() as migrated, declared.connect() as other:
            triggers = {name for (name,) in other.execute(names)}
            assert triggers <= {name for (name,) in migrated.execute(names)}
            kept = {name: flag for name, flag in migrated.execute(strict) if name in metadata.tables}
            assert all(kept[name] == flag for name, flag in other.execute(strict) if name in kept)

    def test_migrating_again_changes_nothing(self, database: Database) -> None:
        engine = database()
        migrate(engine)
        migrate(engine)
        migrate(database())
        with engine.connect() as connection:
            assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).all() == [(HEAD,)]

    def test_head_is_the_last_revision(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(lujin.__file__).parent / "migrations"))
        assert ScriptDirectory.from_config(config).get_heads() == [HEAD]

    def test_two_processes_migrate_at_once(self, database: Database) -> None:
        engine = database()
        url = engine.url.render_as_string(hide_password=False)
        code = "import sys; from lujin.database import *; migrate(open_database(sys.argv[1]))"
        both = [subprocess.Popen([sys.executable, "-c", code, url], stderr=subprocess.PIPE) for _ in range(2)]
        assert [process.communicate(timeout=60)[1] for process in both] == [b"", b""]
        migrate(engine)
        assert sa.inspect(engine).has_table("source")

    def test_database_of_a_newer_version_is_refused(self, database: Database) -> None:
        engine = database()
        migrate(engine)
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(StoreError, match="schema 9999"):
            migrate(database())


class TestFacts:
    def test_facts_can_be_added_but_not_changed_or_deleted(self, engine: Engine) -> None:
        with engine.begin() as connection:
            insert_many(connection, fact, {"id": [1, 2], "name": ["a", "b"]})
        for statement in ("UPDATE fact SET name = 'x'", "DELETE FROM fact", "DELETE FROM fact WHERE id = 7"):
            if statement.endswith("7") and engine.dialect.name == "sqlite":
                continue  # SQLite's triggers run per row: nothing to refuse.
            with pytest.raises(IntegrityError, match="fact is append-only"), engine.begin() as connection:
                connection.execute(sa.text(statement))
        assert [row[:2] for row in rows(engine)] == [(1, "a"), (2, "b")]

    def test_facts_cannot_be_replaced(self, engine: Engine) -> None:
        statement = {
            "sqlite": "INSERT OR REPLACE INTO fact (id, name) VALUES (1, 'x')",
            "postgresql": "TRUNCATE fact",
        }[engine.dialect.name]
        with engine.begin() as connection:
            insert_many(connection, fact, {"id": [1], "name": ["a"]})
        with pytest.raises(IntegrityError, match="fact is append-only"), engine.begin() as connection:
            connection.execute(sa.text(statement))
        assert [row[:2] for row in rows(engine)] == [(1, "a")]

    def test_bulk_insert_keeps_types(self, engine: Engine) -> None:
        beijing = NOON.astimezone(timezone(timedelta(hours=8)))
        big = 2**53 + 1
        with engine.begin() as connection:
            count = insert_many(
                connection,
                fact,
                {
                    "id": np.array([2, 1, 3], dtype=np.int32),
                    "name": pl.Series(["三", 'tab\t"quote" \\N', None]),
                    "amount": [big, -1, None],
                    "recorded_at": [NOON, beijing, None],
                    "counts": [{"b": 1, "a": [2]}, {}, None],
                },
            )
        assert count == 3
        assert rows(engine) == [
            (1, 'tab\t"quote" \\N', -1, NOON, {}),
            (2, "三", big, NOON, {"a": [2], "b": 1}),
            (3, None, None, None, None),
        ]

    def test_bulk_insert_is_part_of_its_transaction(self, engine: Engine) -> None:
        with pytest.raises(ZeroDivisionError), engine.begin() as connection:
            insert_many(connection, fact, {"id": list(range(70_000))})
            raise ZeroDivisionError
        assert rows(engine) == []

    def test_unequal_columns_are_refused_and_none_is_no_work(self, engine: Engine) -> None:
        with engine.begin() as connection:
            assert insert_many(connection, fact, {"id": []}) == 0
            with pytest.raises(ValueError, match="differ in length"):
                insert_many(connection, fact, {"id": [1, 2], "name": ["a"]})

    def test_instants_sort_by_time_and_need_a_zone(self, engine: Engine) -> None:
        with engine.begin() as connection:
            times = [NOON, NOON - timedelta(microseconds=5), NOON + timedelta(hours=1)]
            insert_many(connection, fact, {"id": [1, 2, 3], "recorded_at": times})
            known = sa.select(fact.c.id).where(fact.c.recorded_at <= NOON).order_by(fact.c.recorded_at)
            assert connection.execute(known).scalars().all() == [2, 1]
            with pytest.raises((TypeError, sa.exc.StatementError), match="time zone"):
                connection.execute(sa.insert(fact).values(id=4, recorded_at=NOON.replace(tzinfo=None)))

    def test_a_writer_that_read_before_waits_for_the_other(self, database: Database, engine: Engine) -> None:
        """Both read the greatest id and write the next: with ``writing`` neither fails nor takes the other's."""
        other = database()

        def add(engine: Engine, count: int) -> None:
            for _ in range(count):
                with writing(engine) as connection:
                    if engine.dialect.name == "postgresql":
                        connection.execute(sa.text("LOCK TABLE fact IN EXCLUSIVE MODE"))
                    last = connection.execute(sa.select(sa.func.max(fact.c.id))).scalar() or 0
                    insert_many(connection, fact, {"id": [last + 1]})

        threads = [threading.Thread(target=add, args=(e, 20)) for e in (engine, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [row[0] for row in rows(engine)] == list(range(1, 41))


class TestFailures:
    def test_file_that_is_no_database(self, tmp_path: Path) -> None:
        (tmp_path / "lujin.db").write_bytes(b"not a database at all, but long enough to look at" * 50)
        with pytest.raises(IntegrityError, match="the database file is damaged"):
            migrate(open_database(tmp_path / "lujin.db"))

    def test_directory_that_does_not_exist(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="unable to open database file"):
            migrate(open_database(tmp_path / "nowhere" / "lujin.db"))

    def test_database_that_another_process_writes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("lujin.database.BUSY_TIMEOUT_S", 0)
        engine = open_database(tmp_path / "lujin.db")
        own.create_all(engine)
        other = sqlite3.connect(tmp_path / "lujin.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockedError, match="in use by another process"), writing(engine):
            pytest.fail("two writers")
        with engine.connect() as reader:
            assert reader.execute(sa.select(fact)).all() == []
        other.close()

    def test_full_disk_loses_nothing_stored(self, tmp_path: Path) -> None:
        """A limit on the size of files stands in for the full disk."""
        path = tmp_path / "lujin.db"
        engine = open_database(path)
        own.create_all(engine)
        with engine.begin() as connection:
            insert_many(connection, fact, {"id": [1], "name": ["kept"]})
        engine.dispose()
        code = (
            "import resource, sys, sqlalchemy as sa;"
            "from lujin.database import open_database;"
            "from lujin.errors import StoreError\n"
            "engine = open_database(sys.argv[1])\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
            "try:\n"
            "    with engine.begin() as c:\n"
            "        for i in range(10, 1000): c.exec_driver_sql("
            "'INSERT INTO fact (id, name) VALUES (?, ?)', (i, 'x' * 5000))\n"
            "except StoreError as error: print(error)\n"
            "with engine.connect() as c: print(c.exec_driver_sql('SELECT count(*) FROM fact').scalar())\n"
        )
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
        said = done.stdout.splitlines()
        assert done.returncode == 0, done.stderr
        assert "disk is full" in said[0] or "cannot be read or written" in said[0]
        assert said[1:] == ["1"]
        assert [row[:2] for row in rows(open_database(path))] == [(1, "kept")]

    def test_killed_process_leaves_whole_transactions(self, tmp_path: Path) -> None:
        path = tmp_path / "lujin.db"
        own.create_all(open_database(path))
        code = (
            "import sys; from lujin.database import open_database\n"
            "engine = open_database(sys.argv[1])\n"
            "for n in range(1000):\n"
            "    with engine.begin() as c:\n"
            "        for i in range(10): c.exec_driver_sql('INSERT INTO fact (id) VALUES (?)', (n * 10 + i,))\n"
            "    print(n, flush=True)\n"
        )
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        said = process.communicate()[0].split()
        engine = open_database(path)
        found = len(rows(engine))
        assert found % 10 == 0 and found >= 10 * (20 + len(said))
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"

    def test_sqlite_is_opened_durable_and_strict(self, tmp_path: Path) -> None:
        with open_database(tmp_path / "lujin.db").connect() as connection:
            pragmas = ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
            found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
        assert found == ["wal", 2, 1, 1]

    def test_server_that_is_not_there(self, tmp_path: Path) -> None:
        pytest.importorskip("psycopg")
        with pytest.raises(StoreError, match="cannot be reached"):
            migrate(open_database(f"postgresql://lujin@/lujin?host={tmp_path}"))

    def test_other_kinds_of_database_are_refused(self) -> None:
        with pytest.raises(StoreError, match="mysql is not supported"):
            open_database("mysql://localhost/lujin")
