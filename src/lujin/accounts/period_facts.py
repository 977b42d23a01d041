"""Periods as the database has them: events, the digest of an account as known then, what a restatement moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts import sections
from lujin.accounts.amounts import GASES
from lujin.accounts.canonical import sha256_of
from lujin.accounts.facts import COUNTS, choices, completeness_as_of
from lujin.accounts.periods import STATES, Balance, Period, PeriodEvent
from lujin.accounts.statement_parts import PeriodView
from lujin.accounts.tables import (
    basic_charge,
    certificate,
    certificate_superseded,
    entry,
    line,
    line_key,
    period_event,
)
from lujin.errors import N_, Problem

_FIELDS = tuple(PeriodEvent.__dataclass_fields__)


def periods(
    connection: Connection, months: Collection[int] | None = None, as_of: datetime | None = None
) -> dict[int, Period]:
    """Months that were ever closed, by number, as known on τ; of ``months`` all, the open ones too."""
    select = sa.select(*(period_event.c[name] for name in _FIELDS)).order_by(period_event.c.number)
    if months is not None:
        select = select.where(period_event.c.month.in_(sorted(months)))
    if as_of is not None:
        select = select.where(period_event.c.recorded_at <= as_of)
    events: dict[int, list[PeriodEvent]] = {month: [] for month in months or ()}
    for row in connection.execute(select):
        values = dict(row._mapping)
        for name in ("disclosed", "effect"):
            values[name] = tuple(values[name])
        events.setdefault(row.month, []).append(PeriodEvent(**values))
    return {month: Period(month, tuple(found)) for month, found in sorted(events.items())}


def period(connection: Connection, month: int, as_of: datetime | None = None) -> Period:
    return periods(connection, [month], as_of)[month]


def record_event(connection: Connection, event: PeriodEvent) -> int:
    """Store the event; a restatement supersedes the certificates that cover its month. Returns its number."""
    values: dict[str, Any] = {name: getattr(event, name) for name in _FIELDS if name != "number"}
    values |= {name: list(values[name]) for name in ("disclosed", "effect")}
    values["arrived"] = dict(values["arrived"])
    connection.execute(sa.insert(period_event).values(**values))
    number = int(connection.execute(sa.select(sa.func.max(period_event.c.number))).scalar_one())
    if event.state == "restated":
        _supersede(connection, event.month, number, event.recorded_at)
    return number


def _supersede(connection: Connection, month: int, event: int, recorded_at: datetime) -> None:
    done = sa.select(certificate_superseded.c.certificate)
    covered = sa.select(certificate.c.number).where(
        certificate.c.first_month <= month, certificate.c.last_month >= month, certificate.c.number.not_in(done)
    )
    for number in connection.execute(covered.order_by(certificate.c.number)).scalars().all():
        row = {"certificate": number, "event": event, "recorded_at": recorded_at}
        connection.execute(sa.insert(certificate_superseded).values(**row))


def view(connection: Connection, month: int, as_of: datetime | None = None) -> PeriodView:
    """What a statement says of its period."""
    found = period(connection, month, as_of)
    closing, opinion = found.closing, found.opinion
    last = found.events[-1] if found.events else None
    return PeriodView(
        state=found.state,
        closed_at=None if closing is None else closing.recorded_at,
        known=None if closing is None else closing.known,
        note=closing.note if closing else "",
        verifier=opinion.verifier if opinion else "",
        outcome=opinion.outcome if opinion else "",
        opinion=opinion.opinion if opinion else "",
        cause=last.cause if last and last.state == "restated" else "",
    )


# ------------------------------------------------------------------------------------------- what is closed


def account_digest(connection: Connection, month: int, known: datetime) -> str:
    """SHA-256 over all that the accounts of a month rest on as known on τ: entry ids, which hold every line;
    choices of factors, completeness, basic charges. Arrival numbers and recorded times stay outside.
    """
    table = basic_charge.c
    charged = (
        sa.select(basic_charge).where(table.month == month, table.recorded_at <= known).order_by(table.number)
    )
    columns = ("max_demand_kw", "billed", "unit", "price", "amount")
    charges = {
        (row.enterprise, row.connection): [
            row.at.isoformat() if row.at else None,
            *(str(getattr(row, name)) for name in columns),
        ]
        for row in connection.execute(charged)
    }
    ids = (
        sa.select(entry.c.id)
        .where(entry.c.month == month, entry.c.recorded_at <= known)
        .order_by(entry.c.enterprise, entry.c.book, entry.c.version)
    )
    pinned = [
        [c.selector, c.day.isoformat(), "all" if c.many else "one", *c.rows]
        for c in choices(connection, month, known)
    ]
    slots = completeness_as_of(connection, [month], as_of=known).select("meter", *COUNTS)
    return sha256_of(
        {
            "entries": list(connection.execute(ids).scalars()),
            "choices": sorted(pinned),
            "completeness": [list(row) for row in slots.iter_rows()],
            "charges": [[*key, *charges[key]] for key in sorted(charges)],
        }
    )


def log_size(connection: Connection, known: datetime | None = None) -> int:
    """Number of the last entry recorded up to τ: the size of the log."""
    select = sa.select(sa.func.max(entry.c.number))
    if known is not None:
        select = select.where(entry.c.recorded_at <= known)
    return int(connection.execute(select).scalar() or 0)


def effect(connection: Connection, month: int, recorded_at: datetime) -> tuple[dict[str, str], ...]:
    """What the entries recorded at that moment moved: per enterprise and book, each own account [base units]."""
    sums: dict[tuple[str, str, str, str], int] = defaultdict(int)
    for enterprise, book, debit, credit, commodity, amount in connection.execute(
        moves().where(entry.c.month == month, entry.c.recorded_at == recorded_at)
    ):
        for account, signed in ((debit, int(amount)), (credit, -int(amount))):
            name = account.partition("/")[2]
            if book == "embodied" or sections.group(name) in sections.OWN:
                sums[enterprise, book, name, commodity] += signed
    names = ("enterprise", "book", "account", "commodity")
    return tuple({**dict(zip(names, key, strict=True)), "amount": str(n)} for key, n in sorted(sums.items()) if n)


def embodied_balances(connection: Connection, month: int) -> tuple[Balance, ...]:
    """Gases in book ``embodied`` at the end of the month [mg]: of all months up to it. Zeros are left away."""
    sums: dict[tuple[str, str, str], int] = defaultdict(int)
    for enterprise, _, debit, credit, commodity, amount in connection.execute(
        moves().where(entry.c.book == "embodied", entry.c.month <= month, line_key.c.commodity.in_(GASES))
    ):
        sums[enterprise, debit.partition("/")[2], commodity] += int(amount)
        sums[enterprise, credit.partition("/")[2], commodity] -= int(amount)
    return tuple(Balance(*key, amount) for key, amount in sorted(sums.items()) if amount)


def posted_since(connection: Connection, book: str, month: int, then: datetime) -> bool:
    """Whether anything was posted after that moment in the book of an earlier month."""
    found = sa.select(entry.c.number).where(
        entry.c.book == book, entry.c.month < month, entry.c.recorded_at > then
    )
    return connection.execute(found.limit(1)).first() is not None


def moves() -> sa.Select[Any]:
    """(enterprise, book, debit, credit, commodity, sum) over entries."""
    columns = (entry.c.enterprise, entry.c.book, line_key.c.debit, line_key.c.credit, line_key.c.commodity)
    joined = line.join(entry, entry.c.number == line.c.entry).join(line_key, line_key.c.id == line.c.key)
    return sa.select(*columns, sa.func.sum(line.c.amount)).select_from(joined).group_by(*columns)


# ----------------------------------------------------------------------------------------------- verification


def verify_periods(connection: Connection) -> list[Problem]:
    """A problem for every event whose account is no longer what it was; none if all are what they were at τ."""
    problems = []
    for found in periods(connection).values():
        for event in found.events:
            params = {
                "month": sections.month_text(event.month),
                "state": STATES[event.state],
                "known": event.known.isoformat(),
            }
            if account_digest(connection, event.month, event.known) != event.digest:
                message = N_("the account of {month} as known on {known}, when it was {state}, was changed")
                problems.append(Problem(message, params, _RESTORE))
            elif event.state == "restated" and effect(connection, event.month, event.known) != event.effect:
                message = N_("the restatement of {month} at {known} states another effect than its entries have")
                problems.append(Problem(message, params, _RESTORE))
    return problems


_RESTORE = N_("restore the database from a backup")
