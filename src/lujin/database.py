"""The database of facts, ledger and users: SQLite in one file by default, PostgreSQL by URL.

Rooms declare their tables on ``metadata``; ``migrate`` creates them by the revisions in ``lujin.migrations``.
Tables of facts are ``append_only``: the database itself refuses to change or delete a row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect, Engine, ExceptionContext

from lujin.errors import N_, IntegrityError, LockedError, LujinError, Problem, StoreError
from lujin.migrations import HEAD
from lujin.migrations.triggers import REFUSAL, append_only_sql

BUSY_TIMEOUT_S = 30
_CHUNK = 50_000
_WRITE = "lujin_write"

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(column_0_N_label)s",
    }
)

# SQLite's STRICT tables know INTEGER (64 bit) and TEXT only.
Integer64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware UTC datetime: TIMESTAMPTZ, or in SQLite ISO 8601 text of fixed width, which sorts by time."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.DateTime(timezone=True))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"an instant needs a time zone: {value!r}")
        value = value.astimezone(UTC)
        if dialect.name == "postgresql":
            return value
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        try:
            instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            message = N_("the database holds {value!r} where a time belongs")
            raise IntegrityError(
                Problem(message, {"value": value}, N_("restore the database from a backup"))
            ) from None
        return instant.astimezone(UTC)


class Json(sa.types.TypeDecorator[Any]):
    """JSON as canonical text: sorted keys, no spaces, so that equal values are equal bytes."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        if value is None:
            return None
        return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        if value is None:
            return None
        try:
            return json.loads(value)
        except ValueError:
            message = N_("the database holds {value!r} where JSON belongs")
            raise IntegrityError(
                Problem(message, {"value": value[:40]}, N_("restore the database from a backup"))
            ) from None


def append_only(table: sa.Table) -> sa.Table:
    """Have ``metadata.create_all`` protect ``table`` as its revision does. Returns the table."""

    def protect(target: sa.Table, connection: Connection, **_options: Any) -> None:
        for statement in append_only_sql(target.name, connection.dialect.name):
            connection.execute(sa.text(statement))

    sa.event.listen(table, "after_create", protect)
    return table


def open_database(url_or_path: str | Path) -> Engine:
    """An engine for a file (SQLite, created when absent) or a database URL (``postgresql://…``).

    Failures of the database below reach the caller as StoreError, LockedError or IntegrityError.
    """
    text = str(url_or_path)
    url = sa.make_url(text) if "://" in text else sa.URL.create("sqlite", database=text)
    if url.get_backend_name() == "postgresql" and url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(
            Problem(
                N_("database {kind} is not supported"),
                {"kind": url.get_backend_name()},
                N_("give a file name or a postgresql:// URL"),
            )
        )
    try:
        if url.get_backend_name() == "sqlite":
            engine = sa.create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
            _tune_sqlite(engine)
        else:
            engine = sa.create_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise StoreError(
            Problem(
                N_("the driver for {kind} is not installed"),
                {"kind": url.drivername},
                N_("install lujin with the extra: pip install 'lujin[postgresql]'"),
            )
        ) from error
    sa.event.listen(engine, "handle_error", _translate_context)
    return engine


def _tune_sqlite(engine: Engine) -> None:
    """WAL with a sync per commit: readers never wait, and a commit that returned survives a power cut."""

    @sa.event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        # The driver must not open transactions of its own: it leaves DDL outside them.
        connection.isolation_level = None
        cursor = connection.cursor()
        try:
            cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA foreign_keys=ON")
            # Else INSERT OR REPLACE would delete past the triggers.
            cursor.execute("PRAGMA recursive_triggers=ON")
            cursor.execute("PRAGMA cache_size=-65536")
        except Exception as error:
            raise translated(error, str(engine.url.database)) or error from error
        finally:
            cursor.close()

    @sa.event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        write = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that takes SQLite's write lock first.

    A transaction that reads before it writes would otherwise fail at once, without waiting, when another
    process wrote in between.
    """
    with engine.connect().execution_options(**{_WRITE: True}) as connection, connection.begin():
        yield connection


@contextmanager
def rehearsing(engine: Engine) -> Iterator[Engine]:
    """An engine for a trial: what is written through it is seen through it, by nobody else, and then undone.

    One transaction on one connection, in which every further transaction is a savepoint; it is never committed.
    Other writers wait while it lasts.
    """
    with engine.connect().execution_options(**{_WRITE: True}) as connection:
        outermost = connection.begin()
        try:
            yield cast(Engine, _Rehearsal(connection))
        finally:
            outermost.rollback()


class _Rehearsal:
    """Stands in for an engine: every connection to it is the same one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def connect(self) -> _Part:
        return _Part(self._connection)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection.engine, name)


class _Part:
    """Stands in for a connection: to begin is to set a savepoint, to close does nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self) -> sa.NestedTransaction:
        return self._connection.begin_nested()

    def execution_options(self, **_options: Any) -> _Part:
        return self

    def __enter__(self) -> _Part:
        return self

    def __exit__(self, *_error: object) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def insert_many(connection: Connection, table: sa.Table, columns: Mapping[str, Sequence[Any]]) -> int:
    """Insert rows given as equally long columns (lists, NumPy arrays, Polars series); returns their number.

    Goes past the ORM to the driver: executemany on SQLite, COPY on PostgreSQL. Column types of ``table``
    apply (an ``Instant`` takes datetimes); columns not given get NULL or their server default.
    """
    names = list(columns)
    lists = [_bound(table.c[name].type, columns[name], connection.dialect) for name in names]
    count = len(lists[0]) if lists else 0
    if any(len(values) != count for values in lists):
        raise ValueError(f"columns of {table.name} differ in length")
    if not count:
        return 0
    quote = connection.dialect.identifier_preparer.quote
    target = f"{quote(table.name)} ({', '.join(quote(name) for name in names)})"
    if connection.dialect.name == "postgresql":
        _copy(connection, target, lists)
        return count
    sql = f"INSERT INTO {target} VALUES ({', '.join('?' * len(names))})"
    for start in range(0, count, _CHUNK):
        rows = list(zip(*(values[start : start + _CHUNK] for values in lists), strict=True))
        connection.exec_driver_sql(sql, rows)
    return count


def _bound(kind: sa.types.TypeEngine[Any], values: Sequence[Any], dialect: Dialect) -> Sequence[Any]:
    """Plain Python values as the driver wants them."""
    for method in ("to_list", "tolist"):
        if hasattr(values, method):
            values = getattr(values, method)()
            break
    processor = kind.dialect_impl(dialect).bind_processor(dialect)
    return values if processor is None else [processor(value) for value in values]


def _copy(connection: Connection, target: str, lists: Sequence[Sequence[Any]]) -> None:
    driver: Any = connection.connection.driver_connection
    statement = f"COPY {target} FROM STDIN"
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in zip(*lists, strict=True):
                copy.write_row(row)
    except driver.Error as error:
        # The driver was called past SQLAlchemy: raise what SQLAlchemy would have raised.
        usual = sa.exc.DBAPIError.instance(statement, None, error, driver.Error, dialect=connection.dialect)
        raise translated(error, str(connection.engine.url.database)) or usual from error


def migrate(engine: Engine, to: str = HEAD) -> None:
    """Bring the schema to this version of lujin (or to an older revision, where there is none yet); does nothing,
    quickly, when it is there already.
    """
    with engine.connect() as connection:
        found = _revision(connection)
    if found == to:
        return
    # Alembic takes 0.2 s to import: only when there is something to do.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(
            Problem(
                N_("the database has schema {revision}, which this version does not know"),
                {"revision": found},
                N_("install a newer version of lujin"),
                file=engine.url.render_as_string(),
            )
        )
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            # Two processes may start at once; the second finds the work done.
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7102025)"))
        config.attributes["connection"] = connection
        config.attributes["metadata"] = metadata
        command.upgrade(config, to)


def _revision(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _translate_context(context: ExceptionContext) -> None:
    engine = context.engine
    error = translated(context.original_exception, str(engine.url.database) if engine is not None else "")
    if error is not None:
        raise error from context.original_exception


# What the drivers say (SQLite's message, or PostgreSQL's SQLSTATE), what it means, what to do.
_FAILURES: Sequence[tuple[str, str, type[StoreError], str, str]] = (
    (
        REFUSAL,
        "",
        IntegrityError,
        N_("stored facts cannot be changed or deleted: {reason}"),
        N_("record a newer fact that corrects the old one"),
    ),
    (
        r"disk is full|No space left",
        "53100",
        StoreError,
        N_("the disk is full; nothing of this step was stored"),
        N_("free some space and repeat the command; what was stored before is intact"),
    ),
    (
        r"is locked",
        "55P03|40P01|40001",
        LockedError,
        N_("the database is in use by another process"),
        N_("wait until it has finished and repeat the command"),
    ),
    (
        r"malformed|not a database|file is encrypted",
        "XX001|XX002",
        IntegrityError,
        N_("the database file is damaged: {reason}"),
        N_("restore it from a backup; readings and park file are stored apart from it"),
    ),
    (
        r"disk I/O error|unable to open database file|readonly database|Permission denied",
        "58030|25006",
        StoreError,
        N_("the database cannot be read or written: {reason}"),
        N_("check that the directory exists, is writable and has free space"),
    ),
    (
        r"connection (failed|is bad|is lost|timeout)|server closed the connection|terminating connection",
        "08...|57P0.|53300|28...|3D000",
        StoreError,
        N_("the database server cannot be reached: {reason}"),
        N_("check the database URL and that the server runs"),
    ),
)


def translated(error: BaseException, where: str) -> LujinError | None:
    """The StoreError for a driver's error that comes from disk, lock or server; None for any other error."""
    said = str(error).strip()
    state = str(getattr(error, "sqlstate", None) or "")
    for pattern, states, kind, message, remedy in _FAILURES:
        if re.search(pattern, said) or (state and states and re.fullmatch(states, state)):
            reason = said.splitlines()[0]
            return kind(Problem(message, {"reason": reason}, remedy, file=where))
    return None
