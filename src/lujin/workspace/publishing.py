"""What a printed statement needs to know beside the account: the months before, and codes to check it by."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from lujin.accounts import Amount, Statement
from lujin.accounts.tables import BOOKS, entry
from lujin.errors import N_
from lujin.publish.letterhead import Code, Letterhead, MonthPoint

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

MONTHS = 12
ENTRY = N_("newest entry")


def letterhead(workspace: Workspace, found: Statement) -> Letterhead:
    """History of the year up to the month and the ids of the newest entries, as known at the statement's time."""
    return Letterhead(codes=entry_codes(workspace, found), history=history(workspace, found))


def history(workspace: Workspace, found: Statement) -> tuple[MonthPoint, ...]:
    """Energy [tce, equal value] and carbon of the statement's book, twelve months, oldest first."""
    months = [_before(found.month, back) for back in reversed(range(MONTHS))]
    return tuple(_point(workspace, found, month) for month in months)


def _before(month: int, back: int) -> int:
    """
    >>> _before(202501, 1), _before(202503, 12)
    (202412, 202403)
    """
    index = month // 100 * 12 + month % 100 - 1 - back
    return index // 12 * 100 + index % 12 + 1


def _point(workspace: Workspace, found: Statement, month: int) -> MonthPoint:
    one = found
    if month != found.month:
        one = workspace.statement(found.enterprise, month, found.book, found.as_of)
    posted = bool(one.energy or one.books)
    book = next((b for b in one.books if b.book == found.book), None)
    carbon = None if book is None else book.co2 if book.co2e is None else book.co2e
    measured = one.completeness.measured_part
    return MonthPoint(month, _energy(one) if posted else None, carbon, measured)


def _energy(one: Statement) -> Amount | None:
    return one.coal_equal if one.energy else None


def entry_codes(workspace: Workspace, found: Statement) -> tuple[Code, ...]:
    """The newest entry of each book of the month: its id is a digest of all that it holds."""
    newest: dict[str, str] = {}
    with workspace.engine.connect() as connection:
        for row in connection.execute(_entries(found.enterprise, found.month, found.as_of)):
            newest[row.book] = row.id
    return tuple(Code(ENTRY, newest[book], book) for book in BOOKS if book in newest)


def _entries(enterprise: str, month: int, as_of: datetime | None) -> sa.Select[tuple[str, str]]:
    """Book and id, oldest first."""
    select = sa.select(entry.c.book, entry.c.id).where(entry.c.enterprise == enterprise, entry.c.month == month)
    if as_of is not None:
        select = select.where(entry.c.recorded_at <= as_of)
    return select.order_by(entry.c.number)
