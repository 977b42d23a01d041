"""Annual matching (年度匹配): claims of a calendar year cover the purchases of that year.

Each month is matched as a month, so that it stays a function of its own facts. December settles the year: what
claims of any month left unused first covers December's purchases, then, as one closing transfer per factor on
its last day, what the earlier months of the year hold at the residual mix. It needs of these months only what
the ledger says, ``YearToDate``; when one of them changes, December is posted again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts.claims import Claimed, claims_of
from lujin.accounts.facts import stored_rows
from lujin.accounts.lines import Book
from lujin.accounts.pack import packs
from lujin.accounts.poster import Poster
from lujin.accounts.rules import scaled
from lujin.accounts.tables import entry, line, line_key
from lujin.errors import N_, Problem
from lujin.park import Park
from lujin.reference import Row

RULE = "purchased_electricity_market@1"


@dataclass(frozen=True, slots=True)
class YearToDate:
    """The market book of one enterprise from January to November.

    ``residual``: what stands at the residual mix, per factor [mg CO2]. ``used``: instrument → claimed [Wh].
    """

    residual: tuple[tuple[Row, int], ...] = ()
    used: Mapping[str, int] = field(default_factory=dict)


def matches_by_year(park: Park) -> bool:
    chosen = packs().get(park.packs.get("market", ""))
    return chosen is not None and chosen.electricity is not None and chosen.electricity.matching == "year"


def year_to_date(
    connection: Connection, park: Park, month: int, enterprises: Collection[str], as_of: datetime | None = None
) -> Mapping[str, YearToDate]:
    """What the ledger holds of the year before ``month`` as known at ``as_of``; only December asks, and only
    where the market book matches by year.
    """
    if month % 100 != 12 or not matches_by_year(park):
        return {}
    select = (
        sa.select(
            entry.c.enterprise,
            line_key.c.debit,
            line_key.c.credit,
            line_key.c.commodity,
            line_key.c.factor,
            sa.func.sum(line.c.amount),
        )
        .select_from(line.join(entry, line.c.entry == entry.c.number).join(line_key, line_key.c.id == line.c.key))
        .where(entry.c.book == "market", entry.c.month > month - 12, entry.c.month < month)
        .where(line_key.c.rule == RULE)
        .group_by(entry.c.enterprise, line_key.c.debit, line_key.c.credit, line_key.c.commodity, line_key.c.factor)
    )
    if as_of is not None:
        select = select.where(entry.c.recorded_at <= as_of)
    wanted = frozenset(enterprises)
    residual: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    used: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for enterprise, debit, credit, commodity, factor, amount in connection.execute(select):
        if enterprise not in wanted:
            continue
        for account, signed in ((debit, int(amount)), (credit, -int(amount))):
            group, _, rest = account[len(enterprise) + 1 :].partition("/")
            if group == "S2" and commodity == "CO2f":
                residual[enterprise][factor] += signed
            elif group == "MEMO" and commodity == "electricity":
                used[enterprise][rest.partition("/")[2]] += signed
    rows = stored_rows(connection, {name for sums in residual.values() for name in sums})
    return {
        enterprise: YearToDate(
            tuple((rows[name], mg) for name, mg in sorted(residual[enterprise].items()) if mg > 0),
            dict(used[enterprise]),
        )
        for enterprise in sorted(residual.keys() | used.keys())
    }


def carried_over(park: Park, month: int, year: Mapping[str, YearToDate]) -> Mapping[str, Sequence[Claimed]]:
    """Per enterprise what December may use: the claims of all months of the year, less what they used."""
    found: dict[str, list[Claimed]] = {}
    for enterprise, claims in claims_of(park, month - 11, month)[0].items():
        used = year[enterprise].used if enterprise in year else {}
        left = [replace(claim, energy_wh=claim.energy_wh - used.get(claim.instrument, 0)) for claim in claims]
        found[enterprise] = [claim for claim in left if claim.energy_wh > 0]
    return found


def post_year_end(
    poster: Poster,
    book: Book,
    year: Mapping[str, YearToDate],
    unused: Sequence[tuple[str, Claimed, int]],
) -> None:
    """What December left of the year's claims takes the residual mix out of the earlier months."""
    residual = {enterprise: dict(ytd.residual) for enterprise, ytd in year.items()}
    for enterprise, claim, energy in unused:
        left = energy
        for row, mg in sorted(residual.get(enterprise, {}).items(), key=lambda item: item[0].id):
            factor = Fraction(row.value) * 1000  # mg per Wh
            taken = min(left, int(mg / factor))
            if taken > 0:
                amount = int(scaled([taken], factor)[0])
                _transfer(poster, book, enterprise, claim, taken, amount, row)
                residual[enterprise][row] = mg - amount
                left -= taken
        if left:
            poster.problems.append(_unused(enterprise, book, claim, left))


def _transfer(
    poster: Poster, book: Book, enterprise: str, claim: Claimed, energy: int, amount: int, row: Row
) -> None:
    last = np.array([len(poster.out.days) - 1], dtype=np.int64)
    poster.choices.use([row])
    memo = f"MEMO/{claim.kind}/{claim.instrument}"
    moves = (
        (memo, f"EXT/{claim.instrument}", "electricity", energy, ""),
        (f"EXT/{claim.instrument}", "S2/electricity", "CO2f", amount, row.id),
    )
    for debit, credit, commodity, number, factor in moves:
        poster.out.add(
            np.array([[number]], dtype=np.int64),
            last,
            enterprise=[enterprise],
            debit=[debit],
            credit=[credit],
            subject=[""],
            book=book,
            commodity=commodity,
            rule=RULE,
            factor=factor,
        )


def _unused(enterprise: str, book: Book, claim: Claimed, unused: int) -> Problem:
    return Problem(
        N_("{enterprise}: {unused} MWh of {instrument} exceed the year's purchases and are not used ({book})"),
        {
            "enterprise": enterprise,
            "instrument": claim.instrument,
            "unused": float(Fraction(unused, 1_000_000)),
            "book": book,
        },
        N_("claim no more than the year's purchases"),
        severity="warning",
    )
