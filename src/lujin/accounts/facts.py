"""What postings rest on, with two times: the park as described, the reference as published, factor choices.

Nothing is changed. A new park text, a new or withdrawn reference row, a new choice is a further record, and
"as known on τ" takes the newest record up to τ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts.canonical import sha256_of
from lujin.accounts.money import Charge
from lujin.accounts.tables import basic_charge, choice, completeness, park_fact, reference_event, reference_row
from lujin.database import insert_many
from lujin.errors import N_, FactorError, IntegrityError, Problem
from lujin.reference import Resolve, Row, Selector, make_row

COUNTS = ("expected", "measured", "interpolated", "estimated", "suspect", "missing")
COMPLETENESS_SCHEMA: Mapping[str, pl.DataType] = {
    "month": pl.Int32(),
    "meter": pl.String(),
    **{name: pl.Int64() for name in COUNTS},
}


def record_park(connection: Connection, text: str, digest: str, recorded_at: datetime) -> bool:
    """Store the park text if it differs from the newest one; whether it was stored."""
    newest = park_as_of(connection)
    if newest is not None and newest[0] == digest:
        return False
    connection.execute(sa.insert(park_fact).values(digest=digest, text=text, recorded_at=recorded_at))
    return True


def park_as_of(connection: Connection, as_of: datetime | None = None) -> tuple[str, str] | None:
    """(digest, text) of the park as known on τ; None if none was known."""
    select = sa.select(park_fact.c.digest, park_fact.c.text).order_by(park_fact.c.number.desc()).limit(1)
    if as_of is not None:
        select = select.where(park_fact.c.recorded_at <= as_of)
    row = connection.execute(select).one_or_none()
    return None if row is None else (row.digest, row.text)


def record_reference(connection: Connection, rows: Iterable[Row], recorded_at: datetime) -> int:
    """Record which rows came, which changed (a changed row is another row) and which went; their number."""
    offered = {row.id: row for row in rows}
    present = _present(connection)
    came = sorted(offered.keys() - present)
    events = [(name, 1) for name in came] + [(name, 0) for name in sorted(present - offered.keys())]
    _store_rows(connection, [offered[name] for name in came], recorded_at)
    columns: dict[str, list[Any]] = {
        "row": [name for name, _ in events],
        "present": [flag for _, flag in events],
        "recorded_at": [recorded_at] * len(events),
    }
    insert_many(connection, reference_event, columns)
    return len(events)


def reference_changed_at(connection: Connection) -> datetime | None:
    """When a row last came into the reference or went; None before the first."""
    newest = sa.select(reference_event.c.recorded_at).order_by(reference_event.c.number.desc()).limit(1)
    return connection.execute(newest).scalar_one_or_none()


def _store_rows(connection: Connection, rows: Sequence[Row], recorded_at: datetime) -> None:
    select = sa.select(reference_row.c.id, reference_row.c.digest)
    known = {row.id: row.digest for row in connection.execute(select)}
    for row in rows:
        if known.get(row.id, row.digest) != row.digest:
            raise IntegrityError(
                Problem(
                    N_("two different rows have the identity {row}"),
                    {"row": row.id},
                    N_("change a word in the note of the newer row"),
                    file=row.origin,
                    line=row.line,
                )
            )
    new = [row for row in rows if row.id not in known]
    columns: dict[str, list[Any]] = {
        "id": [row.id for row in new],
        "table": [row.table for row in new],
        "values": [dict(row.values) for row in new],
        "digest": [row.digest for row in new],
        "origin": [row.origin for row in new],
        "line": [row.line for row in new],
        "recorded_at": [recorded_at] * len(new),
    }
    insert_many(connection, reference_row, columns)


def _present(connection: Connection, as_of: datetime | None = None) -> set[str]:
    select = sa.select(sa.func.max(reference_event.c.number)).group_by(reference_event.c.row)
    if as_of is not None:
        select = select.where(reference_event.c.recorded_at <= as_of)
    chosen = sa.select(reference_event.c.row).where(
        reference_event.c.number.in_(select), reference_event.c.present == 1
    )
    return set(connection.execute(chosen).scalars())


def row_events(connection: Connection, ids: Iterable[str]) -> dict[str, list[tuple[datetime, bool]]]:
    """Row id → when it came into the reference (True) and when it went (False), in order; as recorded."""
    event = reference_event.c
    select = sa.select(event.row, event.recorded_at, event.present).order_by(event.number)
    found: dict[str, list[tuple[datetime, bool]]] = {}
    for name, at, present in connection.execute(select.where(event.row.in_(sorted(set(ids))))):
        found.setdefault(name, []).append((at, bool(present)))
    return found


def reference_as_of(connection: Connection, as_of: datetime | None = None) -> tuple[Row, ...]:
    """The reference as known on τ, sorted by id."""
    present = _present(connection, as_of)
    return tuple(row for name, row in sorted(stored_rows(connection).items()) if name in present)


def table_as_of(connection: Connection, table: str, as_of: datetime | None = None) -> tuple[Row, ...]:
    """The rows of one table as known on τ, sorted by id."""
    ids = set(connection.execute(sa.select(reference_row.c.id).where(reference_row.c.table == table)).scalars())
    known = ids & _present(connection, as_of)
    return tuple(row for _, row in sorted(stored_rows(connection, known).items()))


def stored_rows(connection: Connection, ids: Iterable[str] | None = None) -> dict[str, Row]:
    """Rows ever recorded, by id, also those withdrawn since; all of them, or those asked for."""
    columns = (reference_row.c[name] for name in ("id", "table", "values", "origin", "line"))
    select = sa.select(*columns)
    if ids is not None:
        select = select.where(reference_row.c.id.in_(sorted(set(ids))))
    rows = {}
    for name, table, values, origin, line in connection.execute(select):
        rows[name] = make_row(table, values, origin, line)
        if rows[name].id != name:
            raise IntegrityError(
                Problem(
                    N_("the stored factor {row} was changed"),
                    {"row": name},
                    N_("restore the database from a backup"),
                )
            )
    return rows


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rows answer a selector on a day, for one month's postings. ``many``: asked with ``all``."""

    selector: str
    day: date
    many: bool
    rows: tuple[str, ...]

    @property
    def question(self) -> tuple[str, date, bool]:
        return (self.selector, self.day, self.many)


def choices(
    connection: Connection, month: int, as_of: datetime | None = None, table: str = ""
) -> tuple[Choice, ...]:
    """The choices pinned to a month, the newest per selector and day; only those from one ``table``, if named."""
    select = sa.select(choice).where(choice.c.month == month).order_by(choice.c.number)
    if table:
        select = select.where(choice.c.selector.startswith(f"{table}?", autoescape=True))
    if as_of is not None:
        select = select.where(choice.c.recorded_at <= as_of)
    found = {}
    for row in connection.execute(select):
        day = date(row.day // 10_000, row.day // 100 % 100, row.day % 100)
        made = Choice(row.selector, day, bool(row.many), tuple(row.rows.splitlines()))
        found[made.question] = made
    return tuple(found.values())


def record_choices(
    connection: Connection, month: int, made: Iterable[Choice], rows: Iterable[Row], recorded_at: datetime
) -> None:
    """Pin ``made`` to the month, with the rows they name, so that the month can be posted again from them."""
    ordered = sorted(made, key=lambda c: (c.selector, c.day, c.many))
    _store_rows(connection, list({row.id: row for row in rows}.values()), recorded_at)
    columns: dict[str, list[Any]] = {
        "month": [month] * len(ordered),
        "selector": [c.selector for c in ordered],
        "day": [c.day.year * 10_000 + c.day.month * 100 + c.day.day for c in ordered],
        "many": [int(c.many) for c in ordered],
        "rows": ["\n".join(c.rows) for c in ordered],
        "recorded_at": [recorded_at] * len(ordered),
    }
    insert_many(connection, choice, columns)


@dataclass(slots=True)
class PinnedResolve:
    """Resolves selectors for one month, and keeps to what was chosen before.

    ``pinned`` are the month's choices with ``rows`` they name; what was not asked before goes to ``reference``
    and is collected in ``new``. With ``restate`` every question goes to the reference, and ``new`` holds the
    answers that differ. Store ``new`` with ``record(connection, …)`` in the transaction of the posting.

    "No row" is a choice as well, but not on a day on which some question failed: the row that is added then
    must be found by the next run.
    """

    reference: Resolve
    pinned: Mapping[tuple[str, date, bool], tuple[Row, ...]] = field(default_factory=dict)
    restate: bool = False
    _used: dict[tuple[Selector, date, bool], tuple[Row, ...]] = field(default_factory=dict)
    _new: dict[tuple[str, date, bool], tuple[Row, ...]] = field(default_factory=dict)
    _failed: set[date] = field(default_factory=set)

    @classmethod
    def for_month(
        cls,
        connection: Connection,
        month: int,
        reference: Resolve,
        *,
        restate: bool = False,
        as_of: datetime | None = None,
    ) -> PinnedResolve:
        chosen = choices(connection, month, as_of)
        rows = stored_rows(connection, {name for c in chosen for name in c.rows})
        pinned = {c.question: tuple(rows[name] for name in c.rows) for c in chosen}
        return cls(reference, pinned, restate)

    def one(self, selector: Selector, on: date) -> Row:
        return self._resolve(selector, on, False)[0]

    def all(self, selector: Selector, on: date) -> tuple[Row, ...]:
        return self._resolve(selector, on, True)

    def _resolve(self, selector: Selector, on: date, many: bool) -> tuple[Row, ...]:
        asked = (selector, on, many)
        if asked in self._used:
            return self._used[asked]
        question = (str(selector), on, many)
        before = self.pinned.get(question)
        if before is not None and not self.restate:
            rows = before
        else:
            try:
                rows = self.reference.all(selector, on) if many else (self.reference.one(selector, on),)
            except FactorError:
                self._failed.add(on)
                raise
            if rows != before:
                self._new[question] = rows
        self._used[asked] = rows
        return rows

    @property
    def new(self) -> tuple[Choice, ...]:
        return tuple(Choice(*q, tuple(row.id for row in rows)) for q, rows in self._kept().items())

    def digest(self) -> str:
        """SHA-256 of all choices of the month after this run: the pinned ones with ``new`` over them."""
        after = {**self.pinned, **self._kept()}
        return sha256_of(
            [
                [selector, day.isoformat(), many, *(row.id for row in rows)]
                for (selector, day, many), rows in sorted(after.items(), key=lambda item: item[0])
            ]
        )

    def record(self, connection: Connection, month: int, recorded_at: datetime) -> None:
        rows = [row for found in self._kept().values() for row in found]
        record_choices(connection, month, self.new, rows, recorded_at)

    def _kept(self) -> dict[tuple[str, date, bool], tuple[Row, ...]]:
        return {q: rows for q, rows in self._new.items() if rows or q[1] not in self._failed}


def record_completeness(
    connection: Connection, month: int, counts: pl.DataFrame, source: int, recorded_at: datetime
) -> int:
    """Store the rows of ``counts`` (``meter`` and the slot numbers of COUNTS) that differ from the newest ones."""
    new = counts.select(
        pl.lit(month, pl.Int32).alias("month"), "meter", *(pl.col(c).cast(pl.Int64) for c in COUNTS)
    )
    known = completeness_as_of(connection, [month])
    changed = new.join(known, on=list(COMPLETENESS_SCHEMA), how="anti").sort("meter")
    columns: dict[str, list[Any]] = {name: changed[name].to_list() for name in COMPLETENESS_SCHEMA}
    columns |= {"source": [source] * changed.height, "recorded_at": [recorded_at] * changed.height}
    return insert_many(connection, completeness, columns)


def completeness_as_of(
    connection: Connection,
    months: Sequence[int],
    meters: Sequence[str] | None = None,
    as_of: datetime | None = None,
) -> pl.DataFrame:
    """Slots per month and meter as known on τ: expected, and of these measured, estimated, missing …"""
    newest = sa.select(sa.func.max(completeness.c.number)).where(completeness.c.month.in_(months))
    if meters is not None:
        newest = newest.where(completeness.c.meter.in_(meters))
    if as_of is not None:
        newest = newest.where(completeness.c.recorded_at <= as_of)
    newest = newest.group_by(completeness.c.month, completeness.c.meter)
    select = sa.select(*(completeness.c[name] for name in COMPLETENESS_SCHEMA)).where(
        completeness.c.number.in_(newest)
    )
    rows = [tuple(row) for row in connection.execute(select)]
    return pl.DataFrame(rows, schema=COMPLETENESS_SCHEMA, orient="row").sort("month", "meter")


def record_charges(
    connection: Connection,
    month: int,
    enterprises: Iterable[str],
    charges: Iterable[Charge],
    source: int,
    recorded_at: datetime,
) -> int:
    """Store how basic charges came about, where that differs from what is known; their number.

    ``charges`` are all of the month for ``enterprises``.
    """
    known = {c.connection: c for e in sorted(set(enterprises)) for c in charges_as_of(connection, month, e)}
    changed = [c for c in charges if known.get(c.connection) != c]
    columns: dict[str, list[Any]] = {
        "month": [month] * len(changed),
        "enterprise": [c.enterprise for c in changed],
        "connection": [c.connection for c in changed],
        "max_demand_kw": [_text(c.max_demand_kw) for c in changed],
        "at": [c.at for c in changed],
        "billed": [_text(c.billed) for c in changed],
        "unit": [c.unit for c in changed],
        "price": [_text(c.price) for c in changed],
        "amount": [c.amount for c in changed],
        "source": [source] * len(changed),
        "recorded_at": [recorded_at] * len(changed),
    }
    return insert_many(connection, basic_charge, columns)


def charges_as_of(
    connection: Connection, month: int, enterprise: str, as_of: datetime | None = None
) -> tuple[Charge, ...]:
    """Basic charges of an enterprise and month as known on τ, the newest per connection."""
    return charges_by_month(connection, [month], enterprise, as_of).get(month, ())


def charges_by_month(
    connection: Connection, months: Sequence[int], enterprise: str, as_of: datetime | None = None
) -> Mapping[int, tuple[Charge, ...]]:
    """The same of several months; those without basic charges are left away."""
    table = basic_charge.c
    select = sa.select(basic_charge).where(table.month.in_(months), table.enterprise == enterprise)
    if as_of is not None:
        select = select.where(table.recorded_at <= as_of)
    found: dict[int, dict[str, Charge]] = {}
    for row in connection.execute(select.order_by(table.number)):
        found.setdefault(row.month, {})[row.connection] = Charge(
            row.connection,
            row.enterprise,
            Decimal(row.max_demand_kw),
            row.at,
            Decimal(row.billed),
            row.unit,
            Decimal(row.price),
            row.amount,
        )
    return {month: tuple(known[name] for name in sorted(known)) for month, known in found.items()}


def _text(number: Decimal) -> str:
    return f"{number:f}"
