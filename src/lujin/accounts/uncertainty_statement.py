"""The uncertainty of a month's totals, from the ledger and the rows as they were known (不确定度).

Scope books: a line is activity × factors, so its sources are the meters behind its subject and the numbers of its
factor rows. Book ``embodied``: see ``uncertainty_embodied``. Nothing is estimated in place of what is not stated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts.amounts import Amount, GwpSet
from lujin.accounts.facts import stored_rows, table_as_of
from lujin.accounts.log import KEY
from lujin.accounts.tables import entry, line, line_key
from lujin.accounts.uncertainty import (
    Contributions,
    Lines,
    Sparse,
    aggregate,
    first_order,
    largest,
    matrix,
)
from lujin.accounts.uncertainty_draws import Draws, monte_carlo
from lujin.accounts.uncertainty_embodied import TOTALS as EMBODIED
from lujin.accounts.uncertainty_embodied import carbon_edges, trace_embodied
from lujin.accounts.uncertainty_parts import ContributorLine, UncertainTotal, Uncertainty, UnknownLine
from lujin.accounts.uncertainty_sources import Basis, basis, lines_of
from lujin.park import Park
from lujin.reference import Uncertainties

SCOPES = ("S1", "S2")
NAMED = 5  # unknown data named per total, those on which most rests
_ZERO = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Drawing:
    """How often to draw, with which seed: the same seed gives the same interval."""

    draws: int
    seed: int


def uncertainty(
    connection: Connection,
    park: Park,
    month: int,
    book: str,
    *,
    enterprise: str = "",
    as_of: datetime | None = None,
    gwp: GwpSet | None = None,
    amounts: Mapping[str, float] | None = None,
    drawing: Drawing | None = None,
    method_range: Mapping[str, tuple[Amount, Amount]] | None = None,
) -> Uncertainty | None:
    """Of one enterprise, or of the sum over all (``enterprise`` empty), as known on τ. None: nothing is posted.

    ``gwp``: gases as CO2e; None: fossil CO2 alone. ``amounts``: meter → amount of the month, where several meters
    stand behind one subject (``Basis``). ``method_range``: total → lowest and highest value under the other
    allocations of joint products.
    """
    whole = book == "embodied"  # what comes from a neighbour rests on the neighbour's meters
    found = moves(connection, month, book, "" if whole else enterprise, as_of)
    weights = _weights(gwp)
    found = found.filter(pl.col("commodity").is_in(list(weights)))
    if found.is_empty():
        return None
    rests = _basis(connection, park, month, found, as_of, amounts)
    if whole:
        every, known = trace_embodied(carbon_edges(found, weights), rests, enterprise)
        totals = _totals(
            EMBODIED, every, known, None if drawing is None else _drawn(every, drawing), gwp, method_range
        )
    else:
        lines, into = scope_lines(found, rests, weights)
        names = (*SCOPES, "book")
        every_sum = aggregate(lines.contributions(), into, names)
        known_sum = aggregate(lines.quantified().contributions(), into, names)
        drawn = None if drawing is None else _drawn(lines, drawing, into, names)
        totals = _totals(names, every_sum, known_sum, drawn, gwp, method_range)
    made = (drawing.draws, drawing.seed) if drawing else (0, None)
    return Uncertainty(enterprise, month, book, totals, *made)


def moves(
    connection: Connection, month: int, book: str, enterprise: str = "", as_of: datetime | None = None
) -> pl.DataFrame:
    """Net amount of the month per enterprise and line key; accounts without the enterprise."""
    chosen = sa.select(entry.c.enterprise, line.c.key, sa.func.sum(line.c.amount).label("amount"))
    chosen = chosen.join(line, line.c.entry == entry.c.number)
    chosen = chosen.where(entry.c.month == month, entry.c.book == book)
    if enterprise:
        chosen = chosen.where(entry.c.enterprise == enterprise)
    if as_of is not None:
        chosen = chosen.where(entry.c.recorded_at <= as_of)
    sums = chosen.group_by(entry.c.enterprise, line.c.key).subquery()
    columns = [line_key.c[name] for name in KEY]
    select = sa.select(sums.c.enterprise, *columns, sums.c.amount).join(line_key, line_key.c.id == sums.c.key)
    rows = [(*row[:-1], int(row[-1])) for row in connection.execute(select) if row[-1]]
    schema = {"enterprise": pl.String, **dict.fromkeys(KEY, pl.String), "amount": pl.Int64}
    cut = pl.col("enterprise").str.len_chars() + 1
    return (
        pl.DataFrame(rows, schema=schema, orient="row")
        .with_columns(pl.col("debit", "credit").str.slice(cut))
        .sort("enterprise", *KEY)
    )


def _weights(gwp: GwpSet | None) -> Mapping[str, float]:
    if gwp is None:
        return {"CO2f": 1.0}
    return {gas: float(value) for gas, value in gwp.values.items() if value}


def _basis(
    connection: Connection,
    park: Park,
    month: int,
    found: pl.DataFrame,
    as_of: datetime | None,
    amounts: Mapping[str, float] | None,
) -> Basis:
    on = park.factor_date or date(month // 100, month % 100, 1)
    table = Uncertainties(table_as_of(connection, "uncertainties", as_of), on)
    rows = stored_rows(connection, {name for factor in found["factor"] for name in factor.split("+") if name})
    return basis(park, month, table, rows, found["subject"].unique(), amounts)


def scope_lines(found: pl.DataFrame, rests: Basis, weights: Mapping[str, float]) -> tuple[Lines, Sparse]:
    """Lines [mg or mg CO2e] on the scope accounts, and the sums S1, S2 and book as sparse [3, L]."""
    base: list[float] = []
    basis_of = []
    labels: list[str] = []
    scope: list[int] = []
    for row in found.iter_rows(named=True):
        for account, sign in ((row["debit"], 1.0), (row["credit"], -1.0)):
            if (group := account.partition("/")[0]) in SCOPES:
                labels.append(f"{row['enterprise']}/{account}")
                base.append(sign * row["amount"] * weights[row["commodity"]])
                basis_of.append(rests.line(row["rule"], row["factor"], row["subject"], row["quality"]))
                scope.append(SCOPES.index(group))
    count = len(base)
    both = [*scope, *[len(SCOPES)] * count]
    into = matrix((len(SCOPES) + 1, count), both, [*range(count), *range(count)], np.ones(2 * count))
    return lines_of(labels, base, basis_of), into


def _drawn(
    model: Lines | Contributions, drawing: Drawing, into: Sparse = None, names: Sequence[str] = ()
) -> Draws:
    return monte_carlo(model, drawing.draws, np.random.default_rng(drawing.seed), into=into, accounts=names)


def _totals(
    names: Sequence[str],
    every: Contributions,
    known: Contributions,
    drawn: Draws | None,
    gwp: GwpSet | None,
    method_range: Mapping[str, tuple[Amount, Amount]] | None,
) -> tuple[UncertainTotal, ...]:
    unit = "mg" if gwp is None else "mgCO2e"

    def amount(value: float) -> Amount:
        return Amount(round(float(value)), unit)

    whole, part, top = first_order(every), first_order(known), largest(every)
    found = []
    for i, name in enumerate(names):
        if not every.gross[i]:
            continue
        quantified = known.gross[i] > 0
        relative = float(part.relative[i]) if quantified and part.value[i] else None
        # Where nothing is known nothing was drawn, and an interval without width would look exact
        interval = (
            None
            if drawn is None or not quantified
            else (amount(drawn.quantiles[i, 0]), amount(drawn.quantiles[i, -1]))
        )
        found.append(
            UncertainTotal(
                total=name,
                value=amount(every.value[i]),
                quantified=amount(known.value[i]),
                u95=amount(part.expanded[i]) if quantified else None,
                relative=relative,
                at_least=amount(whole.expanded[i]),
                unknown_share=_share(every.unknown[i], every.gross[i]),
                contributors=tuple(ContributorLine(c.source.id, c.source.kind, c.share) for c in top[i]),
                unknown=_unknown(every, i),
                interval=interval,
                method_range=(method_range or {}).get(name),
            )
        )
    return tuple(found)


def _share(part: float, whole: float) -> float:
    """Rounding of sums must not make all a little more than all, nor nothing a little."""
    share = float(part) / float(whole)
    return min(1.0, share) if share > 1e-12 else 0.0


def _unknown(every: Contributions, i: int) -> tuple[UnknownLine, ...]:
    row = np.asarray(every.reason[[i], :].todense()).ravel() if every.reason is not None else _ZERO
    order: Callable[[int], tuple[float, str]] = lambda r: (-row[r], every.reasons[r])  # noqa: E731
    lines = []
    for r in sorted(np.flatnonzero(row > 0).tolist(), key=order)[:NAMED]:
        kind, _, name = every.reasons[r].partition(":")
        lines.append(UnknownLine(name, kind, _share(row[r], every.gross[i])))
    return tuple(lines)
