"""What arrived when: arrivals (来源), the months and meters each one touched, and meter keys.

An arrival is registered before its readings are written and closed by one event afterwards, ``committed`` or
``abandoned``; without an event it is ``started``, and after a crash ``ReadingStore.has_source`` tells which
event is due. Nothing here is ever changed. Callers that write hold the lock of the park.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, Row

from lujin.database import Instant, Json, append_only, insert_many, metadata, writing
from lujin.errors import N_, IntegrityError, Problem

State = Literal["started", "committed", "abandoned"]

TOUCHED_SCHEMA = {"month": pl.Int32, "meter": pl.Int32, "source": pl.Int32}
_FEW = 500

source = append_only(
    sa.Table(
        "source",
        metadata,
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False, index=True),
        sa.Column("mapping", Json, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.CheckConstraint("number > 0", name="number_positive"),
        sqlite_strict=True,
    )
)

# At most one event per arrival: it cannot be both committed and abandoned.
source_event = append_only(
    sa.Table(
        "source_event",
        metadata,
        sa.Column("number", sa.ForeignKey("source.number"), primary_key=True, autoincrement=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.Column("counts", Json, nullable=False),
        sa.CheckConstraint("state IN ('committed', 'abandoned')", name="state_known"),
        sqlite_strict=True,
    )
)

# Who brought an arrival, for which enterprise ("": for the park), and which earlier one it takes back, if it does.
source_origin = append_only(
    sa.Table(
        "source_origin",
        metadata,
        sa.Column("number", sa.ForeignKey("source.number"), primary_key=True, autoincrement=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("party", sa.Text, nullable=False),
        sa.Column("undoes", sa.ForeignKey("source.number"), nullable=True),
        sa.Column("reason", sa.Text, nullable=False),
        sqlite_strict=True,
    )
)

meter_key = append_only(
    sa.Table(
        "meter_key",
        metadata,
        sa.Column("key", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sqlite_strict=True,
    )
)

touched = append_only(
    sa.Table(
        "touched",
        metadata,
        sa.Column("source", sa.ForeignKey("source.number"), primary_key=True, autoincrement=False),
        sa.Column("month", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("meter", sa.ForeignKey("meter_key.key"), primary_key=True, autoincrement=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who brought an arrival; ``party``: the enterprise for which, "" for the park. ``undoes``: number of the
    earlier arrival that it takes back, for ``reason``.
    """

    author: str = ""
    party: str = ""
    undoes: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """One arrival. ``counts`` is what its closing event says, e.g. {"accepted": 2880, "rejected": 3}."""

    number: int
    name: str
    sha256: str
    mapping: Mapping[str, Any]
    recorded_at: datetime
    state: State = "started"
    counts: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin = Origin()


def register(
    engine: Engine,
    name: str,
    sha256: str,
    recorded_at: datetime,
    mapping: Mapping[str, Any] | None = None,
    origin: Origin | None = None,
) -> int:
    """Number a new arrival. Numbers follow the order of recording, without regard to valid time."""
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE source IN EXCLUSIVE MODE"))
        last = connection.execute(sa.select(sa.func.max(source.c.number))).scalar() or 0
        connection.execute(
            sa.insert(source).values(
                number=last + 1, name=name, sha256=sha256, mapping=dict(mapping or {}), recorded_at=recorded_at
            )
        )
        if origin is not None and origin != Origin():
            connection.execute(sa.insert(source_origin).values(number=last + 1, **asdict(origin)))
    return int(last) + 1


def commit(
    engine: Engine, number: int, counts: Mapping[str, Any], touches: pl.DataFrame, recorded_at: datetime
) -> None:
    """Close an arrival whose readings are stored; ``touches`` has the columns month and meter.

    Event and touched months land together, so that no run sees one without the other.
    """
    distinct = touches.select("month", "meter").unique().sort("month", "meter")
    with writing(engine) as connection:
        _close(connection, number, "committed", counts, recorded_at)
        columns = {"month": distinct["month"].to_list(), "meter": distinct["meter"].to_list()}
        insert_many(connection, touched, {"source": [number] * distinct.height, **columns})


def abandon(engine: Engine, number: int, reason: str, recorded_at: datetime) -> None:
    """Close an arrival none of whose readings were stored."""
    with writing(engine) as connection:
        _close(connection, number, "abandoned", {"reason": reason}, recorded_at)


def _close(
    connection: Connection, number: int, state: State, counts: Mapping[str, Any], recorded_at: datetime
) -> None:
    found = connection.execute(_sources().where(source.c.number == number)).one_or_none()
    if found is None or found.state is not None:
        raise IntegrityError(
            Problem(
                N_("arrival {number} cannot become {state}: it is {found}"),
                {"number": number, "state": state, "found": found.state if found else "unknown"},
                N_("each arrival is registered once and closed once"),
            )
        )
    connection.execute(
        sa.insert(source_event).values(number=number, state=state, recorded_at=recorded_at, counts=dict(counts))
    )


def _sources() -> sa.Select[Any]:
    closing = (source_event.c.state, source_event.c.counts)
    origin = (source_origin.c[name] for name in ("author", "party", "undoes", "reason"))
    with_origin = source.outerjoin(source_event, source_event.c.number == source.c.number).outerjoin(
        source_origin, source_origin.c.number == source.c.number
    )
    return sa.select(source, *closing, *origin).select_from(with_origin).order_by(source.c.number)


def _record(row: Row[Any]) -> Source:
    state: State = row.state or "started"
    counts = row.counts or {}
    origin = Origin(row.author or "", row.party or "", row.undoes, row.reason or "")
    return Source(row.number, row.name, row.sha256, row.mapping, row.recorded_at, state, counts, origin)


def sources(engine: Engine, numbers: Iterable[int] | None = None) -> list[Source]:
    """All arrivals by number, or those asked for."""
    wanted = None if numbers is None else set(numbers)
    select = _sources()
    if wanted is not None and len(wanted) <= _FEW:
        select = select.where(source.c.number.in_(sorted(wanted)))
    with engine.connect() as connection:
        found = [_record(row) for row in connection.execute(select)]
    return found if wanted is None else [s for s in found if s.number in wanted]


def latest(engine: Engine, limit: int, before: int | None = None, party: str | None = None) -> list[Source]:
    """The newest arrivals first, those before the number ``before``; of one ``party`` only, if named."""
    select = _sources().order_by(None).order_by(source.c.number.desc()).limit(limit)
    if before is not None:
        select = select.where(source.c.number < before)
    if party is not None:
        select = select.where(source_origin.c.party == party)
    with engine.connect() as connection:
        return [_record(row) for row in connection.execute(select)]


def pending(engine: Engine) -> list[Source]:
    """Arrivals that were started and neither committed nor abandoned: a process died there."""
    with engine.connect() as connection:
        rows = connection.execute(_sources().where(source_event.c.state.is_(None)))
        return [_record(row) for row in rows]


def find_by_digest(engine: Engine, sha256: str) -> Source | None:
    """The last committed arrival of a file with this digest, if any that holds."""
    select = _sources().where(source.c.sha256 == sha256, source_event.c.state == "committed")
    select = select.order_by(None).order_by(source.c.number.desc())
    gone = undone(undoings(engine))
    with engine.connect() as connection:
        rows = (_record(row) for row in connection.execute(select))
        return next((found for found in rows if found.number not in gone), None)


def undoings(engine: Engine) -> dict[int, int]:
    """Every committed undoing → the arrival that it takes back. What it stored restates other arrivals."""
    select = (
        sa.select(source_origin.c.number, source_origin.c.undoes)
        .join(source_event, source_event.c.number == source_origin.c.number)
        .where(source_origin.c.undoes.is_not(None), source_event.c.state == "committed")
    )
    with engine.connect() as connection:
        return {row.number: row.undoes for row in connection.execute(select)}


def undone(pairs: Mapping[int, int]) -> dict[int, int]:
    """Arrivals that do not hold → the one that took each back. An undoing that was undone takes nothing back.

    >>> undone({2: 1}), undone({2: 1, 3: 2}), undone({2: 1, 3: 2, 4: 1})
    ({1: 2}, {2: 3}, {1: 4, 2: 3})
    """
    found: dict[int, int] = {}
    # Newest first: whatever takes an undoing back is known before it.
    for number in sorted(pairs, reverse=True):
        if number not in found:
            found[pairs[number]] = number
    return found


def last_committed(engine: Engine) -> int:
    """Number of the last committed arrival; 0 before the first."""
    select = sa.select(sa.func.max(source_event.c.number)).where(source_event.c.state == "committed")
    with engine.connect() as connection:
        return int(connection.execute(select).scalar() or 0)


def touched_by(engine: Engine, numbers: Iterable[int]) -> dict[int, tuple[int, ...]]:
    """Arrival → the months that it touched, in order."""
    select = sa.select(touched.c.source, touched.c.month).distinct().where(touched.c.source.in_(list(numbers)))
    found: dict[int, list[int]] = {}
    with engine.connect() as connection:
        for row in connection.execute(select.order_by(touched.c.source, touched.c.month)):
            found.setdefault(row.source, []).append(row.month)
    return {number: tuple(months) for number, months in found.items()}


def touched_since(engine: Engine, number: int) -> pl.DataFrame:
    """What arrivals after ``number`` touched: month, meter, source (Int32 each), sorted."""
    select = (
        sa.select(touched.c.month, touched.c.meter, touched.c.source)
        .where(touched.c.source > number)
        .order_by(touched.c.month, touched.c.meter, touched.c.source)
    )
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(select)]
    return pl.DataFrame(rows, schema=TOUCHED_SCHEMA, orient="row")


def last_touching(engine: Engine) -> dict[int, int]:
    """Month → number of the last arrival that touched it, of any meter."""
    newest = sa.select(touched.c.month, sa.func.max(touched.c.source)).group_by(touched.c.month)
    with engine.connect() as connection:
        return {
            int(month): int(number) for month, number in sorted(tuple(row) for row in connection.execute(newest))
        }


def meter_keys(engine: Engine, ids: Iterable[str]) -> dict[str, int]:
    """The key of each meter id; ids seen for the first time get the next keys, in the order given."""
    wanted = list(dict.fromkeys(ids))
    known = all_meter_keys(engine)
    if any(name not in known for name in wanted):
        with writing(engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("LOCK TABLE meter_key IN EXCLUSIVE MODE"))
            known = _all_keys(connection)
            new = [name for name in wanted if name not in known]
            keys = range(max(known.values(), default=0) + 1, max(known.values(), default=0) + 1 + len(new))
            insert_many(connection, meter_key, {"key": list(keys), "id": new})
            known.update(zip(new, keys, strict=True))
    return {name: known[name] for name in wanted}


def all_meter_keys(engine: Engine) -> dict[str, int]:
    """Every meter id ever seen, with its key."""
    with engine.connect() as connection:
        return _all_keys(connection)


def _all_keys(connection: Connection) -> dict[str, int]:
    rows = connection.execute(sa.select(meter_key.c.id, meter_key.c.key).order_by(meter_key.c.key))
    return {row.id: row.key for row in rows}
