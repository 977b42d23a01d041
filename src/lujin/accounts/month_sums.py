"""What the ledger holds of one month, summed over days and versions: one row per book and line key."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts.tables import entry, line, line_key

SUMS: Mapping[str, pl.DataType] = {
    **dict.fromkeys(
        ("book", "enterprise", "debit", "credit", "commodity", "period", "quality", "factor"), pl.String()
    ),
    "amount": pl.Int64(),
}


def month_sums(connection: Connection, month: int) -> pl.DataFrame:
    """Columns SUMS, sorted; keys whose versions cancel are left out. Accounts with the enterprise in front."""
    sums = sa.select(entry.c.book, entry.c.enterprise, line.c.key, sa.func.sum(line.c.amount).label("amount"))
    grouped = (
        sums.join(line, line.c.entry == entry.c.number)
        .where(entry.c.month == month)
        .group_by(entry.c.book, entry.c.enterprise, line.c.key)
        .subquery()
    )
    texts = (line_key.c[name] for name in ("debit", "credit", "commodity", "period", "quality", "factor"))
    select = sa.select(grouped.c.book, grouped.c.enterprise, *texts, grouped.c.amount).join(
        line_key, line_key.c.id == grouped.c.key
    )
    rows = [(*row[:-1], int(row[-1])) for row in connection.execute(select) if row[-1]]
    return pl.DataFrame(rows, schema=SUMS, orient="row").sort(list(SUMS))


def month_packs(connection: Connection, month: int) -> pl.DataFrame:
    """The pack of each enterprise's newest entry: ``book, enterprise, pack``; sorted."""
    newest = (
        sa.select(sa.func.max(entry.c.number))
        .where(entry.c.month == month)
        .group_by(entry.c.book, entry.c.enterprise)
    )
    select = sa.select(entry.c.book, entry.c.enterprise, entry.c.pack).where(entry.c.number.in_(newest))
    rows = [tuple(row) for row in connection.execute(select)]
    schema = dict.fromkeys(("book", "enterprise", "pack"), pl.String())
    return pl.DataFrame(rows, schema=schema, orient="row").sort("book", "enterprise")


def month_versions(connection: Connection) -> Mapping[int, str]:
    """Month → a text that changes with each entry of it: how many there are and the id of the newest."""
    newest = sa.select(entry.c.month, sa.func.count().label("many"), sa.func.max(entry.c.number).label("last"))
    found = newest.group_by(entry.c.month).subquery()
    select = sa.select(found.c.month, found.c.many, entry.c.id).join(entry, entry.c.number == found.c.last)
    return {month: f"{many}-{id[:16]}" for month, many, id in connection.execute(select.order_by(found.c.month))}
