"""Sums of every account of many enterprises in a month: what lists, trends and comparisons are made of.

A *sums frame* has ``month`` (Int32), ``enterprise, book, account`` (without the enterprise), ``commodity`` and
``period`` (String), ``amount`` and of it ``estimated`` (Int64, base units, debits less credits), and ``versions``
(Int32): how many entries the book has of the month.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts.sections import OWN
from lujin.accounts.tables import entry, line, line_key

SUMS_SCHEMA: Mapping[str, pl.DataType] = {
    "month": pl.Int32(),
    **{name: pl.String() for name in ("enterprise", "book", "account", "commodity", "period")},
    "amount": pl.Int64(),
    "estimated": pl.Int64(),
    "versions": pl.Int32(),
}
_GROUP = list(SUMS_SCHEMA)[:6]


def sums_of_month(connection: Connection, month: int, enterprises: Iterable[str] | None = None) -> pl.DataFrame:
    """The enterprises' own accounts of a month, a sums frame, sorted. ``enterprises``: None, all."""
    chosen = entry.c.month == month
    if enterprises is not None:
        chosen = sa.and_(chosen, entry.c.enterprise.in_(sorted(set(enterprises))))
    sides = _sides(connection, chosen, month)
    counted = sa.select(entry.c.enterprise, entry.c.book, sa.func.count()).where(chosen).group_by(sa.text("1, 2"))
    versions = pl.DataFrame(
        [tuple(row) for row in connection.execute(counted)],
        schema={"enterprise": pl.String, "book": pl.String, "versions": pl.Int32},
        orient="row",
    )
    own = pl.col("account").str.extract(r"^([^/]*)").is_in(list(OWN))
    sums = sides.filter(own).group_by(_GROUP).agg(pl.col("amount", "estimated").sum())
    return sums.join(versions, on=["enterprise", "book"]).select(*SUMS_SCHEMA).sort(_GROUP)


def _sides(connection: Connection, chosen: sa.ColumnElement[bool], month: int) -> pl.DataFrame:
    """Both ends of every transfer, with the accounts named without the enterprise."""
    sums = (
        sa.select(entry.c.enterprise, entry.c.book, line.c.key, sa.func.sum(line.c.amount).label("amount"))
        .join(line, line.c.entry == entry.c.number)
        .where(chosen)
        .group_by(entry.c.enterprise, entry.c.book, line.c.key)
        .subquery()
    )
    names = ("debit", "credit", "commodity", "period", "quality")
    select = sa.select(sums.c.enterprise, sums.c.book, *(line_key.c[name] for name in names), sums.c.amount).join(
        line_key, line_key.c.id == sums.c.key
    )
    moves = pl.DataFrame(
        [(*row[:-1], int(row[-1])) for row in connection.execute(select)],
        schema={**dict.fromkeys(("enterprise", "book", *names), pl.String), "amount": pl.Int64},
        orient="row",
    ).with_columns(pl.lit(month, pl.Int32).alias("month"))
    return pl.concat([_side(moves, "debit", 1), _side(moves, "credit", -1)])


def _side(moves: pl.DataFrame, name: str, sign: int) -> pl.DataFrame:
    amount = sign * pl.col("amount")
    return moves.select(
        "month",
        "enterprise",
        "book",
        pl.col(name).str.slice(pl.col("enterprise").str.len_chars() + 1).alias("account"),
        "commodity",
        "period",
        amount.alias("amount"),
        pl.when(pl.col("quality") == "estimated").then(amount).otherwise(0).alias("estimated"),
    )
