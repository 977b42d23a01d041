"""The ledger (账簿): append-only entries of transfers, in integer base units, with two times.

An entry belongs to one enterprise, one month and one book; version 1 states the month, every later version the
difference to what the ledger already holds (红字冲销, 补充登记). So the net of all versions is always the account
of the newest facts, and the net of the versions recorded up to τ is the account as known on τ.

A *lines frame* has ``enterprise, book, debit, credit, commodity, period, quality, rule, factor, subject``
(String), ``day`` (Date) and ``amount`` (Int64, base units).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from lujin.accounts.log import KEY, SORTED_KEY, EntryId, entry_id, key_digest
from lujin.accounts.tables import entry, line, line_key, posted
from lujin.database import insert_many
from lujin.errors import N_, Problem, StoreError

IDENTITY = ("enterprise", "book", *KEY)
LINES_SCHEMA: Mapping[str, pl.DataType] = {
    **{name: pl.String() for name in IDENTITY},
    "day": pl.Date(),
    "amount": pl.Int64(),
}
POSTED_SCHEMA: Mapping[str, pl.DataType] = {
    "month": pl.Int32(),
    "enterprise": pl.String(),
    "source": pl.Int64(),
    "park_digest": pl.String(),
    "choices_digest": pl.String(),
    "lacking": pl.Boolean(),
    "recorded_at": pl.Datetime("us", "UTC"),
}
_FEW = 500
_RECORD = np.dtype([("key", "V32"), ("day", ">i4"), ("amount", ">i8")])


@dataclass(frozen=True, slots=True)
class _Entry:
    side: tuple[str, str]  # enterprise, book
    start: int  # its lines are [start, end) of the flat columns
    end: int
    lines_digest: str


@dataclass(frozen=True, eq=False)
class _Sheet:
    """Lines ready to store: entries in order of enterprise and book, lines in canonical order inside each."""

    keys: pl.DataFrame  # id and KEY, distinct
    entries: list[_Entry]
    key: NDArray[np.int64]
    day: NDArray[np.int64]
    amount: NDArray[np.int64]


def key_id(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big") >> 1


def lines_digest(records: NDArray[np.void]) -> str:
    """SHA-256 over an entry's lines in canonical order: key digest (32 bytes), day and amount (big-endian)."""
    return hashlib.sha256(records.tobytes()).hexdigest()


def records(keys: NDArray[np.void], day: NDArray[np.int64], amount: NDArray[np.int64]) -> NDArray[np.void]:
    table = np.empty(len(day), dtype=_RECORD)
    table["key"], table["day"], table["amount"] = keys, day, amount
    return table


def delta(new: pl.DataFrame, old: pl.DataFrame) -> pl.DataFrame:
    """The lines that turn ``old`` net amounts into ``new`` ones, key by key and day by day. Sorted."""
    columns = [*IDENTITY, "day"]
    parts = [new.select(*columns, "amount"), old.select(*columns, -pl.col("amount"))]
    return (
        pl.concat(parts).group_by(columns).agg(pl.col("amount").sum()).filter(pl.col("amount") != 0).sort(columns)
    )


def net(
    connection: Connection,
    month: int,
    enterprises: Collection[str] | None = None,
    as_of: datetime | None = None,
    book: str = "",
) -> pl.DataFrame:
    """Net amount per line key and day of a month, a lines frame; amounts that cancel out are left away. ``book``
    empty: of all books.
    """
    chosen = sa.select(entry.c.number, entry.c.enterprise, entry.c.book).where(entry.c.month == month)
    if as_of is not None:
        chosen = chosen.where(entry.c.recorded_at <= as_of)
    if book:
        chosen = chosen.where(entry.c.book == book)
    if enterprises is not None and len(enterprises) <= _FEW:
        chosen = chosen.where(entry.c.enterprise.in_(sorted(enterprises)))
    heads = pl.DataFrame(
        [tuple(row) for row in connection.execute(chosen)],
        schema={"entry": pl.Int64, "enterprise": pl.String, "book": pl.String},
        orient="row",
    )
    if enterprises is not None:
        heads = heads.filter(pl.col("enterprise").is_in(list(enterprises)))
    if heads.is_empty():
        return pl.DataFrame(schema=LINES_SCHEMA)
    lines = stored_lines(connection, heads["entry"].to_list()).join(heads, on="entry")
    sums = (
        lines.group_by("enterprise", "book", "key", "day")
        .agg(pl.col("amount").sum())
        .filter(pl.col("amount") != 0)
    )
    keys = stored_keys(connection, sums["key"].unique().to_list())
    return (
        sums.join(keys, left_on="key", right_on="id")
        .with_columns(as_date("day"))
        .select(LINES_SCHEMA.keys())
        .sort(*IDENTITY, "day")
    )


def as_date(column: str) -> pl.Expr:
    """A day number 20250601 as Date."""
    number = pl.col(column)
    return pl.date(number // 10_000, number // 100 % 100, number % 100).alias(column)


def stored_lines(
    connection: Connection, numbers: list[int], columns: tuple[str, ...] = ("entry", "key", "day", "amount")
) -> pl.DataFrame:
    """Lines of the entries with these numbers, Int64 columns."""
    schema = dict.fromkeys(columns, pl.Int64)
    frames = [pl.DataFrame(schema=schema)]
    for chunk in _chunks(sorted(numbers)):
        select = sa.select(*(line.c[name] for name in columns)).where(line.c.entry.in_(chunk))
        if rows := connection.execute(select).fetchall():
            frames.append(pl.DataFrame(dict(zip(schema, zip(*rows, strict=True), strict=True)), schema=schema))
    return pl.concat(frames)


def stored_keys(connection: Connection, ids: list[int]) -> pl.DataFrame:
    """The keys with these ids: ``id`` and the columns of KEY."""
    schema = {"id": pl.Int64, **dict.fromkeys(KEY, pl.String)}
    rows = [
        tuple(row)
        for chunk in _chunks(ids)
        for row in connection.execute(sa.select(*(line_key.c[n] for n in schema)).where(line_key.c.id.in_(chunk)))
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _chunks(items: list[int], size: int = 10_000) -> Iterator[list[int]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def post(
    connection: Connection,
    month: int,
    lines: pl.DataFrame,
    *,
    enterprises: Collection[str],
    recorded_at: datetime,
    source: int,
    reason: str | Mapping[str, str],
    packs: Mapping[str, str],
    park_digest: Mapping[str, str],
    input_digest: Mapping[str, str],
    choices_digest: str = "",
    lacking: bool = False,
) -> list[EntryId]:
    """Bring the month of ``enterprises`` to ``lines``; returns the ids of the entries written.

    Runs inside the caller's transaction (``lujin.database.writing``): all of it is stored, or nothing. Each
    (enterprise, book) gets at most one entry; where nothing changed there is none, and an enterprise of
    ``enterprises`` without lines has what was posted before reversed. ``source`` is the last arrival the lines
    know; ``reason`` (see REASONS) says why a month already posted changes, one or per enterprise; a first entry
    is ``initial`` by itself. ``packs`` is by book, the digests are by enterprise. ``lacking``: lines are left
    out because a factor or price is missing.
    """
    _check(lines, month, enterprises)
    versions = _versions(connection, month, enterprises, recorded_at)
    if versions:
        lines = delta(lines, net(connection, month, enterprises))
    sheet = _sheet(lines)
    packs = {**_packs_before(connection, month, {item.side[1] for item in sheet.entries} - packs.keys()), **packs}
    headers: list[dict[str, str | int]] = [
        {
            "enterprise": item.side[0],
            "month": month,
            "book": item.side[1],
            "version": versions.get(item.side, 0) + 1,
            "reason": reason if isinstance(reason, str) else reason[item.side[0]],
            "pack": packs[item.side[1]],
            "park_digest": park_digest[item.side[0]],
            "input_digest": input_digest[item.side[0]],
            "source": source,
        }
        for item in sheet.entries
    ]
    ids = _store(connection, sheet, headers, recorded_at)
    names = sorted(enterprises)
    insert_many(
        connection,
        posted,
        {
            "month": [month] * len(names),
            "enterprise": names,
            "source": [source] * len(names),
            "park_digest": [park_digest.get(name, "") for name in names],
            "choices_digest": [choices_digest] * len(names),
            "lacking": [int(lacking)] * len(names),
            "recorded_at": [recorded_at] * len(names),
        },
    )
    return ids


def _check(lines: pl.DataFrame, month: int, enterprises: Collection[str]) -> None:
    """The caller's contract; a breach is a fault of the program, not of the input."""
    if any(lines.schema.get(name) != kind for name, kind in LINES_SCHEMA.items()):
        raise TypeError(f"not a lines frame: {lines.schema}")
    if any(lines.select(LINES_SCHEMA.keys()).null_count().row(0)):
        raise ValueError("lines have nulls")
    strangers = set(lines["enterprise"].unique()) - set(enterprises)
    if strangers:
        raise ValueError(f"lines of enterprises that are not being posted: {sorted(strangers)}")
    outside = lines.filter(pl.col("day").dt.year() * 100 + pl.col("day").dt.month() != month)
    if outside.height:
        raise ValueError(f"{outside.height} lines lie outside {month}")


def _versions(
    connection: Connection, month: int, enterprises: Collection[str], recorded_at: datetime
) -> dict[tuple[str, str], int]:
    """Newest version per (enterprise, book). Refuses a recorded time before what is already recorded."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE entry IN EXCLUSIVE MODE"))
    last = connection.execute(
        sa.select(entry.c.recorded_at).order_by(entry.c.number.desc()).limit(1)
    ).scalar_one_or_none()
    if last is not None and recorded_at < last:
        raise StoreError(
            Problem(
                N_("the clock says {now}, but the ledger already holds an entry recorded at {last}"),
                {"now": recorded_at.isoformat(), "last": last.isoformat()},
                N_("set the clock of this machine and repeat the command"),
            )
        )
    wanted = frozenset(enterprises)
    rows = connection.execute(
        sa.select(entry.c.enterprise, entry.c.book, sa.func.max(entry.c.version))
        .where(entry.c.month == month)
        .group_by(entry.c.enterprise, entry.c.book)
    )
    return {(enterprise, book): version for enterprise, book, version in rows if enterprise in wanted}


def _packs_before(connection: Connection, month: int, books: Collection[str]) -> dict[str, str]:
    """Packs with which books were posted that the park no longer keeps, so that they are reversed."""
    if not books:
        return {}
    chosen = sa.select(entry.c.book, entry.c.pack).where(entry.c.month == month, entry.c.book.in_(sorted(books)))
    return {row.book: row.pack for row in connection.execute(chosen.order_by(entry.c.number))}


def _sheet(lines: pl.DataFrame) -> _Sheet:
    """Group by key first: there are far fewer keys than lines, so text is handled once per key."""
    groups = (
        lines.group_by(IDENTITY)
        .agg(pl.col("day").dt.strftime("%Y%m%d").cast(pl.Int64), "amount")
        .sort(IDENTITY)
        .with_row_index("group")
    )
    flat = (
        groups.select("group", "day", "amount")
        .explode("day", "amount")
        .group_by("group", "day")
        .agg(pl.col("amount").sum())
        .filter(pl.col("amount") != 0)
        .sort("group", "day")
    )
    digests = [key_digest(row) for row in groups.select(SORTED_KEY).iter_rows()]
    ids = np.array([key_id(d) for d in digests], dtype=np.int64)
    group = flat["group"].to_numpy()
    day, amount = flat["day"].to_numpy(), flat["amount"].to_numpy()
    table = records(np.frombuffer(b"".join(digests), dtype="V32")[group], day, amount)
    sides: list[tuple[str, str]] = [(e, b) for e, b in groups.select("enterprise", "book").iter_rows()]
    side = groups.select(pl.struct("enterprise", "book").rle_id()).to_series().to_numpy()[group]
    starts = np.flatnonzero(np.diff(side, prepend=-1)) if len(side) else np.zeros(0, dtype=np.int64)
    ends = [*starts[1:].tolist(), len(side)]
    entries = [
        _Entry(sides[group[start]], start, end, lines_digest(table[start:end]))
        for start, end in zip(starts.tolist(), ends, strict=False)
    ]
    used = np.unique(group)
    keys = groups.select(pl.Series("id", ids), *KEY)[used].unique("id", maintain_order=True)
    return _Sheet(keys, entries, ids[group], day, amount)


def _store(
    connection: Connection, sheet: _Sheet, headers: list[dict[str, str | int]], recorded_at: datetime
) -> list[EntryId]:
    """Keys, then lines, then the entries that seal them."""
    if not headers:
        return []
    first = 1 + (connection.execute(sa.select(sa.func.max(entry.c.number))).scalar() or 0)
    for number, (item, header) in enumerate(zip(sheet.entries, headers, strict=True), first):
        if header["version"] == 1:
            header["reason"] = "initial"
        header.update(number=number, lines=item.end - item.start, lines_digest=item.lines_digest)
        header["id"] = entry_id(header)
    _add_keys(connection, sheet.keys)
    sizes = np.array([item.end - item.start for item in sheet.entries])
    columns: dict[str, NDArray[Any]] = {
        "entry": np.repeat(np.arange(first, first + len(sizes)), sizes),
        "no": np.arange(len(sheet.day)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + 1,
        "key": sheet.key,
        "day": sheet.day,
        "amount": sheet.amount,
    }
    insert_many(connection, line, {name: values.tolist() for name, values in columns.items()})
    rows = {name: [header[name] for header in headers] for name in headers[0]}
    insert_many(connection, entry, {**rows, "recorded_at": [recorded_at] * len(headers)})
    return [EntryId(str(header["id"])) for header in headers]


def _add_keys(connection: Connection, keys: pl.DataFrame) -> None:
    """Insert the keys that are new. Two contents with one id (2⁻⁶³ per pair) would show in ``verify``."""
    select = sa.select(line_key.c.id)
    if keys.height <= _FEW:
        select = select.where(line_key.c.id.in_(keys["id"].to_list()))
    known = connection.execute(select).scalars().all()
    new = keys.filter(~pl.col("id").is_in(pl.Series(list(known), dtype=pl.Int64).implode()))
    insert_many(connection, line_key, {name: new[name].to_list() for name in ("id", *KEY)})


def posted_through(connection: Connection) -> pl.DataFrame:
    """Per (month, enterprise) what the newest posting knew: arrival number, park and choices digest, whether a
    factor was missing, and when it was recorded.
    """
    newest = sa.select(sa.func.max(posted.c.number)).group_by(posted.c.month, posted.c.enterprise)
    rows = connection.execute(
        sa.select(*(posted.c[name] for name in POSTED_SCHEMA))
        .where(posted.c.number.in_(newest))
        .order_by(posted.c.month, posted.c.enterprise)
    )
    known = [(*row[:5], bool(row.lacking), row.recorded_at) for row in rows]
    return pl.DataFrame(known, schema=POSTED_SCHEMA, orient="row")


_CARRIED = ("WIP", "STK")


def carried(
    connection: Connection,
    month: int,
    enterprises: Collection[str],
    as_of: datetime | None = None,
    since: int = 0,
) -> dict[str, dict[tuple[str, str], int]]:
    """Work in progress and stocks of book ``embodied`` at the start of a month (期初结转): per enterprise, balance
    by (account without enterprise, commodity), zeros left away. With ``since`` only what months from that one on
    added to it.
    """
    if not enterprises:
        return {}
    columns = (entry.c.enterprise, line_key.c.debit, line_key.c.credit, line_key.c.commodity)
    chosen = sa.select(*columns, sa.func.sum(line.c.amount)).where(entry.c.book == "embodied")
    chosen = chosen.where(entry.c.month >= since, entry.c.month < month)
    if len(enterprises) <= _FEW:
        chosen = chosen.where(entry.c.enterprise.in_(sorted(enterprises)))
    if as_of is not None:
        chosen = chosen.where(entry.c.recorded_at <= as_of)
    chosen = chosen.select_from(entry.join(line).join(line_key)).group_by(*columns)
    found: dict[str, dict[tuple[str, str], int]] = defaultdict(lambda: defaultdict(int))
    for enterprise, debit, credit, commodity, amount in connection.execute(chosen):
        for account, signed in ((debit, int(amount)), (credit, -int(amount))):
            own = account.removeprefix(f"{enterprise}/")
            if own.partition("/")[0] in _CARRIED and enterprise in enterprises:
                found[enterprise][own, commodity] += signed
    kept = {name: {key: n for key, n in sorted(sums.items()) if n} for name, sums in sorted(found.items())}
    return {name: sums for name, sums in kept.items() if sums}


def balances(connection: Connection, enterprise: str, as_of: datetime | None = None) -> pl.DataFrame:
    """Balance of each account: ``book, account, commodity, amount`` (debits less credits, base units). Sorted."""
    chosen = sa.select(
        entry.c.book, line_key.c.debit, line_key.c.credit, line_key.c.commodity, sa.func.sum(line.c.amount)
    ).where(entry.c.enterprise == enterprise)
    if as_of is not None:
        chosen = chosen.where(entry.c.recorded_at <= as_of)
    chosen = chosen.select_from(entry.join(line).join(line_key)).group_by(
        entry.c.book, line_key.c.debit, line_key.c.credit, line_key.c.commodity
    )
    names = ("book", "debit", "credit", "commodity")
    moves = pl.DataFrame(
        [(*row[:4], int(row[4])) for row in connection.execute(chosen)],
        schema={**dict.fromkeys(names, pl.String), "amount": pl.Int64},
        orient="row",
    )
    return account_sums(moves, "book")


def account_sums(moves: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Sum transfers into accounts: ``*by, account, commodity, amount``, debits less credits. Sorted."""
    columns = [*by, "account", "commodity"]
    sides = [
        moves.select(*by, pl.col("debit").alias("account"), "commodity", "amount"),
        moves.select(*by, pl.col("credit").alias("account"), "commodity", -pl.col("amount")),
    ]
    return pl.concat(sides).group_by(columns).agg(pl.col("amount").sum()).sort(columns)


def entries_by_month(connection: Connection) -> dict[int, tuple[int, datetime]]:
    """Month → number of entries and when the last one was recorded."""
    select = sa.select(
        entry.c.month, sa.func.count(), sa.func.max(entry.c.recorded_at, type_=entry.c.recorded_at.type)
    ).group_by(entry.c.month)
    return {month: (count, last) for month, count, last in connection.execute(select.order_by(entry.c.month))}


def ledger_size(connection: Connection) -> dict[str, int]:
    """How many ``entries`` and ``lines`` the ledger holds."""
    tables = {"entries": entry, "lines": line}
    return {
        name: int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
        for name, table in tables.items()
    }
