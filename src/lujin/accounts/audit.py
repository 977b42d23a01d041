"""What a reviewer runs on the ledger: canonical bytes for comparison, and verification from scratch.

A stored entry can be checked with a SHA-256 and a JSON writer alone. The digest of its lines is over, per line
in order of (debit, credit, commodity, period, quality, rule, factor, subject, day): the SHA-256 of the key's
canonical JSON, then the day number as 4 and the amount as 8 bytes, big-endian.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts.canonical import canonical_json, text_json
from lujin.accounts.ledger import key_id, lines_digest, records, stored_keys, stored_lines
from lujin.accounts.log import KEY, SORTED_KEY, entry_id, key_digest
from lujin.accounts.tables import choice, entry, line, line_key, reference_row
from lujin.errors import N_, Problem

_CONTENT = (
    "id",
    "enterprise",
    "month",
    "book",
    "version",
    "reason",
    "pack",
    "park_digest",
    "input_digest",
    "lines",
    "lines_digest",
)
_RECORDED = ("source", "recorded_at")


def canonical_bytes(connection: Connection, *, recorded: bool = False) -> Iterator[bytes]:
    """The whole ledger as JSON lines (RFC 8785), each with its newline.

    Entries by month, enterprise, book and version, each followed by its lines; amounts as decimal strings.
    Equal facts posted once give equal bytes. ``recorded`` adds arrival number and recorded time, which differ
    from run to run.
    """
    names = (*_CONTENT, *(_RECORDED if recorded else ()))
    for month in _months(connection):
        lines = _lines(connection, month)
        for head in _entries(connection, month):
            values = {n: str(head[n].isoformat()) if n == "recorded_at" else head[n] for n in names}
            yield canonical_json(values) + b"\n"
            part = lines.get(head["number"])
            if part is not None:
                yield from _line_bytes(head["id"], part)


def _line_bytes(entry: str, lines: pl.DataFrame) -> Iterator[bytes]:
    """Keys in order: amount, commodity, credit, day, debit, entry, factor, no, period, quality, rule, subject."""
    ordered = lines.select("no", "day", "amount", *KEY)
    for no, day, amount, debit, credit, commodity, period, quality, rule, factor, subject in ordered.iter_rows():
        said = [text_json(t) for t in (commodity, credit, debit, factor, period, quality, rule, subject)]
        yield (
            f'{{"amount":"{amount}","commodity":{said[0]},"credit":{said[1]},'
            f'"day":"{day // 10_000:04}-{day // 100 % 100:02}-{day % 100:02}","debit":{said[2]},'
            f'"entry":"{entry}","factor":{said[3]},"no":{no},"period":{said[4]},"quality":{said[5]},'
            f'"rule":{said[6]},"subject":{said[7]}}}\n'
        ).encode()


def _months(connection: Connection) -> list[int]:
    return list(connection.execute(sa.select(entry.c.month).distinct().order_by(entry.c.month)).scalars())


def _entries(connection: Connection, month: int) -> list[dict[str, Any]]:
    rows = connection.execute(
        sa.select(entry).where(entry.c.month == month).order_by(entry.c.enterprise, entry.c.book, entry.c.version)
    )
    return [dict(row) for row in rows.mappings()]


def _lines(connection: Connection, month: int) -> dict[int, pl.DataFrame]:
    numbers = connection.execute(sa.select(entry.c.number).where(entry.c.month == month)).scalars().all()
    lines = stored_lines(connection, list(numbers), ("entry", "no", "key", "day", "amount"))
    keys = stored_keys(connection, lines["key"].unique().to_list())
    joined = lines.join(keys, left_on="key", right_on="id", how="left").sort("entry", "no")
    return {int(str(n)): part for (n,), part in joined.group_by("entry", maintain_order=True)}


def verify(connection: Connection) -> list[Problem]:
    """Recompute every digest and check that entries balance; problems by entry, none if the ledger is whole.

    Raise them as ``IntegrityError(*problems)``. A truncated tail cannot show here: keep the canonical bytes
    or the last entry ids elsewhere to notice it.
    """
    problems = _verify_keys(connection)
    versions: dict[tuple[str, str, int], int] = defaultdict(int)
    for month in _months(connection):
        lines = _lines(connection, month)
        for head in _entries(connection, month):
            versions[head["enterprise"], head["book"], month] += 1
            if head["version"] != versions[head["enterprise"], head["book"], month]:
                problems.append(
                    _problem(head, N_("entry {id} of {enterprise} {book} {month}: a version is missing"))
                )
                versions[head["enterprise"], head["book"], month] = head["version"]
            problems += _verify_entry(head, lines.get(head["number"]))
    return problems + _verify_references(connection)


def _verify_entry(head: dict[str, Any], lines: pl.DataFrame | None) -> list[Problem]:
    if lines is None or lines.height != head["lines"]:
        return [_problem(head, N_("entry {id} of {enterprise} {book} {month} does not hold the lines it states"))]
    if lines.select(pl.col("debit").is_null().any()).item():
        return [_problem(head, N_("entry {id} of {enterprise} {book} {month} has a line without a key"))]
    said = []
    distinct = lines.unique("key").select("key", *SORTED_KEY)
    digests = {row[0]: key_digest(row[1:]) for row in distinct.iter_rows()}
    table = records(
        np.array([digests[key] for key in lines["key"]], dtype="V32"),
        lines["day"].to_numpy(),
        lines["amount"].to_numpy(),
    )
    # The digest holds four bytes of a day; the database's integers have eight
    inside = (lines["day"] // 100 == head["month"]).all()
    if not inside or lines_digest(table) != head["lines_digest"]:
        said.append(_problem(head, N_("the lines of entry {id} of {enterprise} {book} {month} were changed")))
    if entry_id(head) != head["id"]:
        said.append(_problem(head, N_("the heading of entry {id} of {enterprise} {book} {month} was changed")))
    if not _balances(lines):
        said.append(_problem(head, N_("entry {id} of {enterprise} {book} {month} does not balance")))
    own = pl.col("debit").str.starts_with(head["enterprise"] + "/")
    own &= pl.col("credit").str.starts_with(head["enterprise"] + "/")
    if not lines.select(own.all()).item():
        said.append(_problem(head, N_("entry {id} of {enterprise} {book} {month} moves accounts of another")))
    return said


def _balances(lines: pl.DataFrame) -> bool:
    """Per commodity the accounts of the entry sum to zero, and no line has one account on both sides."""
    sides = pl.concat(
        [
            lines.select(pl.col("debit").alias("account"), "commodity", "amount"),
            lines.select(pl.col("credit").alias("account"), "commodity", -pl.col("amount")),
        ]
    )
    sums = sides.group_by("commodity").agg(pl.col("amount").sum())
    return not (sums["amount"] != 0).any() and not lines.select((pl.col("debit") == pl.col("credit")).any()).item()


def _verify_keys(connection: Connection) -> list[Problem]:
    select = sa.select(line_key.c.id, *(line_key.c[name] for name in SORTED_KEY))
    wrong = [row[0] for row in connection.execute(select) if key_id(key_digest(tuple(row)[1:])) != row[0]]
    return [Problem(N_("line key {key} was changed"), {"key": key}, _REMEDY) for key in wrong]


def _verify_references(connection: Connection) -> list[Problem]:
    """Lines without an entry, and choices of rows that are not stored."""
    orphans = connection.execute(
        sa.select(sa.func.count()).select_from(line).where(line.c.entry.not_in(sa.select(entry.c.number)))
    ).scalar_one()
    problems = []
    if orphans:
        problems.append(Problem(N_("{count} lines belong to no entry"), {"count": orphans}, _REMEDY))
    known = set(connection.execute(sa.select(reference_row.c.id)).scalars())
    chosen = connection.execute(sa.select(choice.c.rows).distinct()).scalars()
    missing = sorted({row for rows in chosen for row in rows.splitlines()} - known)
    problems += [Problem(N_("the chosen factor {row} is not stored"), {"row": row}, _REMEDY) for row in missing]
    return problems


_REMEDY = N_("restore the database from a backup, or build the ledger anew from the stored readings")


def _problem(head: dict[str, Any], message: str) -> Problem:
    params = {name: head[name] for name in ("enterprise", "book", "month", "id")}
    return Problem(message, params, _REMEDY)
