"""What a printed statement needs to know beside the account: the months before, and codes to check it by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts import Amount, Statement
from lujin.accounts.period_facts import period
from lujin.accounts.tables import BOOKS, certificate, certificate_superseded, entry
from lujin.errors import N_
from lujin.publish.letterhead import Code, Issued, Letterhead, MonthPoint, SignedHead
from lujin.workspace.evidence import heads
from lujin.workspace.trend import MonthPoint as TrendPoint
from lujin.workspace.trend import month_before, span, trend

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

MONTHS = 12
ENTRY = N_("newest entry")
CLOSING = N_("closing of the month")
Newest = dict[str, tuple[str, int]]  # book → id and number of an entry


def letterhead(workspace: Workspace, found: Statement) -> Letterhead:
    """State of the month, history of the year up to it, ids of the newest entries, newest signed head of the log
    and certificate; as known at the statement's time.
    """
    with workspace.engine.connect() as connection:
        held = period(connection, found.month, found.as_of)
        newest = _newest_entries(connection, found)
        head, issued = signed_head(connection, found, newest), newest_certificate(connection, found)
    codes = tuple(Code(ENTRY, newest[book][0], book) for book in BOOKS if book in newest)
    if held.closing is not None:
        codes += (Code(CLOSING, held.closing.digest),)
    return Letterhead(
        period=held.state, codes=codes, head=head, certificate=issued, history=history(workspace, found)
    )


def history(workspace: Workspace, found: Statement) -> tuple[MonthPoint, ...]:
    """Energy [tce, equal value] and carbon of the statement's book, twelve months, oldest first."""
    months = span(month_before(found.month, MONTHS - 1), found.month)
    if found.as_of is not None:
        return tuple(_point_then(workspace, found, month) for month in months)
    known = {point.month: point for point in trend(workspace, found.enterprise, found.month, MONTHS).months}
    return tuple(_point(found.book, known[m]) if m in known else MonthPoint(m, None, None, None) for m in months)


def _point(book: str, known: TrendPoint) -> MonthPoint:
    carbon = known.books.get(book)
    whole = carbon.whole if carbon and (carbon.gwp or book != "embodied") else None
    return MonthPoint(
        known.month, known.coal_equal if known.energy else None, whole, known.completeness.measured_part
    )


def _point_then(workspace: Workspace, found: Statement, month: int) -> MonthPoint:
    """As known at the time of the statement: from a statement of that month."""
    one = found
    if month != found.month:
        one = workspace.statement(found.enterprise, month, found.book, found.as_of)
    posted = bool(one.energy or one.books)
    book = next((b for b in one.books if b.book == found.book), None)
    carbon = None if book is None else book.co2 if book.co2e is None else book.co2e
    if found.book == "embodied" and one.embodied is not None:
        carbon = one.embodied.own
    measured = one.completeness.measured_part
    return MonthPoint(month, _energy(one) if posted else None, carbon, measured)


def _energy(one: Statement) -> Amount | None:
    return one.coal_equal if one.energy else None


# -------------------------------------------------------------------------------------------- to check it by


def _newest_entries(connection: Connection, found: Statement) -> Newest:
    """The newest entry of each book of the month: its id is a digest of all that it holds."""
    select = sa.select(entry.c.book, entry.c.id, entry.c.number).where(
        entry.c.enterprise == found.enterprise, entry.c.month == found.month, *_known(entry, found)
    )
    return {row.book: (row.id, row.number) for row in connection.execute(select.order_by(entry.c.number))}


def signed_head(connection: Connection, found: Statement, newest: Newest) -> SignedHead | None:
    """The newest head, and whether the entries of the month are among those that it seals."""
    known = heads(connection, last=found.as_of is None)
    known = [one for one in known if found.as_of is None or one.recorded_at <= found.as_of]
    if not known or not newest:
        return None
    head, last = known[-1].head, max(number for _, number in newest.values())
    return SignedHead(head.size, head.root, head.timestamp, last <= head.size)


def newest_certificate(connection: Connection, found: Statement) -> Issued | None:
    """The newest certificate of the enterprise that covers the month; one that holds goes before others."""
    taken = sa.select(certificate_superseded.c.certificate).where(*_known(certificate_superseded, found))
    superseded = certificate.c.number.in_(taken)
    select = sa.select(certificate.c.id, superseded.label("superseded")).where(
        certificate.c.enterprise == found.enterprise,
        certificate.c.first_month <= found.month,
        certificate.c.last_month >= found.month,
        *_known(certificate, found),
    )
    row = connection.execute(select.order_by(superseded, certificate.c.number.desc()).limit(1)).first()
    return None if row is None else Issued(row.id, bool(row.superseded))


def _known(table: sa.Table, found: Statement) -> tuple[sa.ColumnElement[bool], ...]:
    """Rows recorded up to the time of the statement."""
    return () if found.as_of is None else (table.c.recorded_at <= found.as_of,)
