"""Where a number comes from (溯源): account → lines → entries → rule → factor → subject → meters → readings.

The ledger's part is read from the database. What the meters say is computed again from their readings by the
caller's ``Sources``, so that an explanation cannot drift from the facts.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts.explain_embodied import explain_embodied, subjects_of
from lujin.accounts.explain_meters import Meters, Sources, explain_subject, meters_behind
from lujin.accounts.explanation import Explanation
from lujin.accounts.facts import stored_rows
from lujin.accounts.joint import METHODS
from lujin.accounts.ledger import as_date, net, stored_keys, stored_lines
from lujin.accounts.pools import with_neighbours
from lujin.accounts.rules import RULES
from lujin.accounts.sections import OWN, group, month_text, reference_of, shown
from lujin.accounts.statement import check_asked
from lujin.accounts.tables import entry
from lujin.errors import N_, InputError, Problem
from lujin.park import Park
from lujin.reference import Row

__all__ = ["Explanation", "LineReference", "Sources", "explain", "parse_reference"]

_REFERENCE = re.compile(
    r"(?P<enterprise>.+?):(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2]):(?P<book>[a-z]+)"
    r"(?::(?P<account>.*?))?(?::(?P<day>\d{4}-\d{2}-\d{2}))?"
)


@dataclass(frozen=True, slots=True)
class LineReference:
    """``account`` is an account or the beginning of one, or several with + between them; empty: all own accounts.
    ``day``: None, all days.
    """

    enterprise: str
    month: int
    book: str
    account: str = ""
    day: date | None = None

    def __str__(self) -> str:
        text = reference_of(self.enterprise, self.month, self.book, self.account).rstrip(":")
        return text if self.day is None else f"{text}:{self.day}"

    def matches(self, account: str) -> bool:
        if not self.account:
            return group(account) in OWN
        return any(account.startswith(part) for part in (self.account, *self.account.split("+")) if part)


def parse_reference(text: str) -> LineReference:
    """
    >>> parse_reference("E012:2025-06:location:S2/electricity:2025-06-03").day
    datetime.date(2025, 6, 3)
    >>> str(parse_reference("E012:2025-06:location"))
    'E012:2025-06:location'
    >>> parse_reference("E012:2025-06:location:S1+S2").matches("S2/electricity")
    True
    """
    found = _REFERENCE.fullmatch(text.strip())
    try:
        if found is not None:
            month = int(found["year"] + found["month"])
            day = date.fromisoformat(found["day"]) if found["day"] else None
            if day is None or day.year * 100 + day.month == month:
                return LineReference(found["enterprise"], month, found["book"], found["account"] or "", day)
    except ValueError:
        pass  # no such day: said below
    raise InputError(
        Problem(
            N_("{text!r} is not a line reference"),
            {"text": text},
            N_(
                "write enterprise:month:book:account as on the statement, perhaps with a day of the month, "
                "e.g. E012:2025-06:location:S2/electricity:2025-06-03"
            ),
        )
    )


def explain(
    connection: Connection,
    park: Park,
    reference: str,
    sources: Sources,
    *,
    as_of: datetime | None = None,
) -> Explanation:
    """The tree under a line of a statement; with a day in the reference, down to quarter hours and readings.

    InputError: not a reference, or nothing is posted under it.
    """
    asked = parse_reference(reference)
    check_asked(park, asked.enterprise, asked.book)
    heads = _heads(connection, asked, as_of)
    every = _touching(connection, asked.enterprise, heads)
    lines = _lines(every, asked)
    rows = stored_rows(connection, {name for factor in lines["factor"] for name in factor.split("+") if name})
    subjects = [name for name in lines["subject"].unique().sort() if name]
    # Money is posted on the last day of the month, for the whole of it.
    day = None if set(lines["commodity"]) == {"CNY"} else asked.day
    back: tuple[Explanation, ...] = ()
    if asked.book == "embodied":
        back = _traced_back(connection, park, asked, set(lines["account"]), as_of)
        subjects = sorted({*subjects, *subjects_of(back)})
    behind = meters_behind(park, subjects, asked.month, day, sources) if subjects else None
    children = (
        *_accounts(asked, lines, park),
        *_rules(lines, heads, rows, park),
        *back,
        *_claims(every, asked, park),
        *(_subjects(subjects, behind) if behind else ()),
    )
    params = {"reference": str(asked), "enterprise": asked.enterprise, "month": month_text(asked.month)}
    return Explanation("reference", "{reference}", {**params, "book": asked.book}, children)


def _heads(connection: Connection, asked: LineReference, as_of: datetime | None) -> Mapping[int, Any]:
    select = sa.select(entry).where(entry.c.enterprise == asked.enterprise, entry.c.book == asked.book)
    select = select.where(entry.c.month == asked.month)
    if as_of is not None:
        select = select.where(entry.c.recorded_at <= as_of)
    return {row.number: row for row in connection.execute(select.order_by(entry.c.number))}


def _touching(connection: Connection, enterprise: str, heads: Mapping[int, Any]) -> pl.DataFrame:
    """All lines of the entries, each under both its accounts: ``account`` and ``signed`` (debit positive)."""
    lines = stored_lines(connection, list(heads), ("entry", "no", "key", "day", "amount")).with_columns(
        as_date("day")
    )
    keys = stored_keys(connection, lines["key"].unique().to_list())
    cut = len(enterprise) + 1
    lines = lines.join(keys, left_on="key", right_on="id").with_columns(pl.col("debit", "credit").str.slice(cut))
    return pl.concat(
        [
            lines.with_columns(pl.col("debit").alias("account"), pl.col("amount").alias("signed")),
            lines.with_columns(pl.col("credit").alias("account"), (-pl.col("amount")).alias("signed")),
        ]
    )


def _lines(every: pl.DataFrame, asked: LineReference) -> pl.DataFrame:
    """Those that touch the accounts asked for."""
    names = every["account"].unique().sort()
    chosen = [name for name in names if name == asked.account] or [name for name in names if asked.matches(name)]
    found = every.filter(pl.col("account").is_in(chosen))
    if asked.day is not None:
        found = found.filter(pl.col("day") == asked.day)
    if found.is_empty():
        raise InputError(
            Problem(
                N_("nothing is posted under {reference}"),
                {"reference": str(asked), "accounts": ", ".join(names) or "–"},
                N_("accounts of this month and book: {accounts}"),
            )
        )
    return found.sort(
        "account", "commodity", "rule", "factor", "debit", "credit", "period", "quality", "day", "entry"
    )


def _traced_back(
    connection: Connection, park: Park, asked: LineReference, accounts: set[str], as_of: datetime | None
) -> tuple[Explanation, ...]:
    """Through the lines of all who are joined, back to what was burned and bought. Posted for the whole month."""
    joined = with_neighbours(park, [asked.enterprise])
    lines = net(connection, asked.month, joined, as_of, "embodied")
    cut = pl.col("enterprise").str.len_chars() + 1
    lines = lines.with_columns(pl.col(name).str.slice(cut) for name in ("debit", "credit"))
    names = {name for factor in lines["factor"].unique() for name in factor.split("+") if name}
    factors = {name: _factor(row) for name, row in stored_rows(connection, names).items()}
    return explain_embodied(lines, asked.enterprise, accounts, factors)


def _claims(every: pl.DataFrame, asked: LineReference, park: Park) -> Iterator[Explanation]:
    """What green power and certificates cover of purchased electricity: without it the sum cannot be followed."""
    if not asked.account.startswith("S2/electricity"):
        return
    lines = every.filter(pl.col("account").str.starts_with("MEMO/"), pl.col("commodity") == "electricity")
    if asked.day is not None:
        lines = lines.filter(pl.col("day") == asked.day)
    text = N_("{account}: {amount} claimed, counted at 0")
    if asked.book != "market":
        text = N_("{account}: {amount} reported apart, counted as any other")
    for account, sum_ in lines.group_by("account").agg(pl.col("signed").sum()).sort("account").iter_rows():
        if sum_:
            yield Explanation("claim", text, {"account": account, "amount": shown(park, sum_, "electricity")})


def _accounts(asked: LineReference, lines: pl.DataFrame, park: Park) -> Iterator[Explanation]:
    for (account, commodity), part in lines.group_by("account", "commodity", maintain_order=True):
        estimated = int(part.filter(pl.col("quality") == "estimated")["signed"].sum())
        days: tuple[Explanation, ...] = ()
        if asked.day is None:
            sums = part.group_by("day").agg(pl.col("signed").sum()).sort("day")
            days = tuple(_day(asked, str(account), d, a, str(commodity), park) for d, a in sums.iter_rows())
        params = {
            "account": account,
            "commodity": commodity,
            "amount": shown(park, int(part["signed"].sum()), str(commodity)),
            "estimated": shown(park, estimated, str(commodity)),
        }
        yield Explanation("account", N_("{account}, {commodity}: {amount}, estimated {estimated}"), params, days)


def _day(asked: LineReference, account: str, day: date, amount: int, commodity: str, park: Park) -> Explanation:
    line = LineReference(asked.enterprise, asked.month, asked.book, account, day)
    params = {"reference": str(line), "day": str(day), "amount": shown(park, amount, commodity)}
    return Explanation("day", N_("{day}  {amount}"), params)


def _rules(
    lines: pl.DataFrame, heads: Mapping[int, Any], rows: Mapping[str, Row], park: Park
) -> Iterator[Explanation]:
    for (rule, factor), part in lines.group_by("rule", "factor", maintain_order=True):
        formula = _formula(str(rule))
        factors = tuple(_factor(rows[name]) for name in str(factor).split("+") if name)
        yield Explanation(
            "rule",
            N_("rule {rule}\n{formula}"),
            {"rule": rule, "formula": formula},
            (*factors, *_moves(part, heads, park)),
        )


def _formula(rule: str) -> str:
    if (known := RULES.get(rule)) is not None:
        return known.formula
    method = METHODS.get(rule)
    return f"{method.id} · {inspect.getdoc(method.share)}" if method else ""


def _factor(row: Row) -> Explanation:
    params = {
        "factor": row.id,
        "value": row.values["value"],
        "unit": row.unit,
        "source": row.source,
        "confidence": row.confidence,
        "validity": row.validity,
    }
    text = N_("factor {factor} = {value} {unit}, {confidence}, in force {validity}; source: {source}")
    return Explanation("factor", text, params, data={"values": dict(row.values), "origin": row.origin})


def _moves(lines: pl.DataFrame, heads: Mapping[int, Any], park: Park) -> Iterator[Explanation]:
    names = ["debit", "credit", "commodity", "period", "quality", "subject"]
    for key, part in lines.group_by(names, maintain_order=True):
        move = dict(zip(names, map(str, key), strict=True))
        versions = part.group_by("entry").agg(pl.col("amount").sum()).sort("entry").iter_rows()
        entries = tuple(
            _entry(heads[number], shown(park, amount, move["commodity"])) for number, amount in versions
        )
        params = {**move, "amount": shown(park, int(part["amount"].sum()), move["commodity"])}
        text = N_("{debit} ← {credit}: {amount} {commodity}, {quality}, {subject} {period}")
        yield Explanation("line", text, params, entries)


def _entry(head: Any, amount: object) -> Explanation:
    params = {
        "entry": head.id,
        "short": head.id[:8],
        "version": head.version,
        "reason": head.reason,
        "recorded_at": head.recorded_at.isoformat(),
        "pack": head.pack,
        "amount": amount,
    }
    text = N_("entry {short}, version {version}, {reason}, recorded {recorded_at}, pack {pack}: {amount}")
    data = {"park_digest": head.park_digest, "input_digest": head.input_digest, "source": head.source}
    return Explanation("entry", text, params, data=data)


def _subjects(subjects: list[str], behind: Meters) -> Iterator[Explanation]:
    for subject in subjects:
        yield explain_subject(subject, behind)
