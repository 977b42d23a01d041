"""Certificates of closed months: what the account of an enterprise says, with the proof of every line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts.amounts import base_unit
from lujin.accounts.facts import reference_as_of, stored_rows
from lujin.accounts.ledger import stored_keys, stored_lines
from lujin.accounts.log import KEY
from lujin.accounts.merkle import Tree
from lujin.accounts.period_facts import periods
from lujin.accounts.periods import STATES, Period
from lujin.accounts.sections import month_text
from lujin.accounts.statement import check_asked
from lujin.accounts.tables import BOOKS, certificate, entry, line, line_key
from lujin.database import writing
from lujin.errors import N_, InputError, Problem
from lujin.park import Park
from lujin.park.calendar import next_month
from lujin.workspace.event_heads import seal_events
from lujin.workspace.evidence import current_head, key_of, leaves, store_head

if TYPE_CHECKING:
    from lujin.publish import Certified, Commodity, Doubt, Entry, FactorRow, Gwp, Total, TreeHead
    from lujin.workspace.core import Workspace

CARBON = tuple(book for book in BOOKS if book != "physical")
MOST_MONTHS = 120


def issue(
    workspace: Workspace,
    enterprise: str,
    first: int,
    last: int | None = None,
    *,
    books: Sequence[str] = CARBON,
) -> dict[str, Any]:
    """A signed certificate of the enterprise's account from month ``first`` to ``last``, stored and returned.

    ``books``: which are certified; energy and money (``physical``) tell a firm's production, so they are left out
    unless asked for. InputError: a month is not closed.
    """
    from lujin.publish import canonical_file
    from lujin.publish import issue as signed

    months = _months(first, first if last is None else last)
    for book in books:
        check_asked(workspace.park, enterprise, book)
    with workspace.writing("certificate"):
        now = workspace.now()
        key = key_of(workspace)
        with workspace.engine.connect() as connection:
            found = periods(connection, months)
            _all_closed(found)
            head = current_head(workspace, now)
            assert head is not None  # a month was closed, so entries there are
            asked = _Asked(workspace.park, enterprise, tuple(months), tuple(books), found)
            potentials = _potentials(workspace, connection, asked)
            certified = _certified(connection, asked, head.head, potentials, _uncertainty(workspace, asked))
            index = int(connection.execute(sa.select(sa.func.count()).select_from(certificate)).scalar_one())
        document = signed(certified, key, now, index)
        with writing(workspace.engine) as connection:
            store_head(connection, head)
            connection.execute(
                sa.insert(certificate).values(
                    id=document["id"],
                    enterprise=enterprise,
                    first_month=months[0],
                    last_month=months[-1],
                    known=asked.known,
                    status_index=index,
                    document=canonical_file(document).decode(),
                    recorded_at=now,
                )
            )
            seal_events(workspace, connection, now)
    return document


@dataclass(frozen=True, slots=True)
class _Asked:
    park: Park
    enterprise: str
    months: tuple[int, ...]
    books: tuple[str, ...]
    periods: Mapping[int, Period]

    @property
    def known(self) -> datetime:
        """τ of the last month closed; nothing moves a closed month between its closing and that."""
        return max(period.closing.known for period in self.periods.values() if period.closing)

    def chosen(self) -> sa.ColumnElement[bool]:
        return sa.and_(
            entry.c.enterprise == self.enterprise,
            entry.c.month.in_(self.months),
            entry.c.book.in_(self.books),
            entry.c.recorded_at <= self.known,
        )


def _months(first: int, last: int) -> list[int]:
    months = [first]
    while months[-1] < last and len(months) <= MOST_MONTHS:
        months.append(next_month(months[-1]))
    if first > last or months[-1] != last:
        params = {"first": month_text(first), "last": month_text(last), "most": MOST_MONTHS}
        message = N_("a certificate runs from an earlier to a later month, not from {first} to {last}")
        raise InputError(Problem(message, params, N_("name at most {most} months in order")))
    return months


def _all_closed(found: Mapping[int, Period]) -> None:
    problems = [
        Problem(
            N_("{month} is {state}; only a closed month can be certified"),
            {"month": month_text(period.month), "state": STATES[period.state]},
            N_("run: lujin close"),
        )
        for period in found.values()
        if period.closing is None
    ]
    if problems:
        raise InputError(*problems)


def _potentials(workspace: Workspace, connection: Connection, asked: _Asked) -> tuple[Gwp, ...]:
    """The sets that the statements of then show CO2e by."""
    from lujin.publish import Gwp
    from lujin.workspace.reading import gwp_sets, park_then

    park = park_then(workspace, connection, asked.known)
    sets = gwp_sets(workspace, asked.months[-1], park, reference_as_of(connection, asked.known))
    return tuple(Gwp(book, sets[book].assessment, sets[book].values) for book in asked.books if book in sets)


def _uncertainty(workspace: Workspace, asked: _Asked) -> tuple[Doubt, ...]:
    """What the statements say, month by month and book by book."""
    from lujin.publish import Doubt
    from lujin.workspace.reading import uncertainties

    return tuple(
        Doubt(
            month,
            book,
            total.total,
            total.value.base_unit,
            total.value.base,
            total.at_least.base,
            None if total.relative is None else Decimal(total.relative),
            Decimal(total.unknown_share),
        )
        for month in asked.months
        for book in asked.books
        if book != "physical"
        for found in uncertainties(workspace, month, book, asked.enterprise, asked.known, 0, 1)
        for total in found.totals
    )


def _certified(
    connection: Connection,
    asked: _Asked,
    head: TreeHead,
    potentials: Sequence[Gwp],
    uncertainty: Sequence[Doubt],
) -> Certified:
    from lujin.publish import Certified, Party
    from lujin.publish.records import Opinion

    park, node = asked.park, asked.park.nodes[asked.enterprise]
    entries = _entries(connection, asked, Tree(list(leaves(connection))))
    opinions = [event for period in asked.periods.values() if (event := period.opinion)]
    verifiers = sorted({event.verifier for event in opinions})
    verified = all(period.state == "verified" for period in asked.periods.values())
    totals = _totals(connection, asked)
    books = {e.book for e in entries}
    own = [name for name in park.nodes if park.owner(name) == asked.enterprise]
    return Certified(
        issuer=Party(park.id, park.name_zh, park.name_en),
        subject=Party(node.id, node.name_zh, node.name_en),
        boundary=f"法人边界 legal entity: {', '.join(own)}",
        first=asked.months[0],
        last=asked.months[-1],
        known_at=asked.known,
        head=head,
        entries=entries,
        totals=totals,
        factors=_factors(connection, entries),
        gwp=[gwp for gwp in potentials if gwp.book in books],
        commodities=_commodities(park, totals),
        uncertainty=[doubt for doubt in uncertainty if doubt.book in books],
        verification="verified" if verified else "unverified",
        verified_by=", ".join(verifiers) if verified else "",
        opinions=[Opinion(e.month, e.verifier, e.outcome, e.opinion) for e in opinions],
    )


def _entries(connection: Connection, asked: _Asked, tree: Tree) -> tuple[Entry, ...]:
    """Every version of the books up to τ, with its lines in stored order and its proof."""
    from lujin.publish import Entry, Line

    heads = connection.execute(sa.select(entry).where(asked.chosen()).order_by(entry.c.number)).mappings().all()
    columns = ("entry", "no", "key", "day", "amount")
    stored = stored_lines(connection, [head["number"] for head in heads], columns)
    names = stored_keys(connection, stored["key"].unique().to_list()).select("id", *KEY)
    keys: dict[int, tuple[Any, ...]] = {row[0]: row[1:] for row in names.iter_rows()}
    lines: dict[int, list[Line]] = defaultdict(list)
    for number, _, name, day, amount in stored.sort("entry", "no").iter_rows():
        lines[number].append(Line._make((*keys[name], day, amount)))
    left_out = ("lines", "number")
    return tuple(
        Entry(
            **{name: value for name, value in head.items() if name not in left_out},
            number=head["number"],
            lines=lines[head["number"]],
            inclusion=tree.inclusion(head["number"] - 1),
        )
        for head in heads
    )


def _totals(connection: Connection, asked: _Asked) -> tuple[Total, ...]:
    """Summed by the database, not from the lines that the certificate lists."""
    from lujin.publish.records import summed

    columns = (entry.c.book, line_key.c.debit, line_key.c.credit, line_key.c.commodity)
    joined = line.join(entry, entry.c.number == line.c.entry).join(line_key, line_key.c.id == line.c.key)
    select = sa.select(*columns, sa.func.sum(line.c.amount)).select_from(joined).where(asked.chosen())
    rows = connection.execute(select.group_by(*columns))
    return summed((book, debit, credit, gas, int(amount)) for book, debit, credit, gas, amount in rows)


def _commodities(park: Park, totals: Sequence[Total]) -> tuple[Commodity, ...]:
    """Units and names of what book physical counts."""
    from lujin.publish import Commodity

    found = []
    for code in sorted({t.gas for t in totals if t.book == "physical"}):
        carrier = park.carriers.get(code)
        names = (carrier.name_zh, carrier.name_en) if carrier else ("", "")
        found.append(Commodity(code, base_unit(code, park.carriers), *names))
    return tuple(found)


def _factors(connection: Connection, entries: Sequence[Entry]) -> tuple[FactorRow, ...]:
    from lujin.publish import FactorRow

    used = {name for e in entries for item in e.lines for name in item.factor.split("+") if name}
    rows = stored_rows(connection, used)
    return tuple(FactorRow(name, row.digest, row.confidence) for name, row in sorted(rows.items()))
