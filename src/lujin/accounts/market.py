"""Purchased electricity by contract (基于市场): claims first, each Wh once, the rest at the residual mix."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from lujin.accounts.claims import Cells, Claimed, shares_of
from lujin.accounts.consolidation import Consolidation
from lujin.accounts.flows import Leg, Split
from lujin.accounts.lines import Book
from lujin.accounts.matching import Hourly
from lujin.accounts.pack import ElectricityRules
from lujin.accounts.poster import Poster
from lujin.accounts.purchases import Counted, Purchase, counted, of_dimension, post_published
from lujin.accounts.sold import post_sold_attributes
from lujin.accounts.yearend import YearToDate, carried_over, post_year_end
from lujin.errors import N_, Problem

Match = Callable[[str, Sequence[Leg], Cells, Sequence[Claimed]], list[tuple[Claimed, Split, int]]]


def post_market(
    poster: Poster,
    rules: ElectricityRules,
    book: Book,
    claimed: Mapping[str, Sequence[Claimed]],
    purchase: Purchase,
) -> None:
    """As the first version of the pack asks: month by month, without elimination."""
    legs = of_dimension(poster, "electricity")
    (incoming, bought), *deducted = counted(poster, legs, rules.exports)
    covered, _ = cover(poster, rules.instruments, book, rules.rule, incoming, bought, given_on(deducted), claimed)
    left = Split(bought.measured - covered.measured, bought.estimated - covered.estimated)
    poster.choices.report({leg.enterprise for leg in legs}, "electricity", purchase.selector)
    post_published(poster, book, purchase, [(incoming, left), *deducted])


def post_matched_market(
    poster: Poster,
    rules: ElectricityRules,
    claimed: Mapping[str, Sequence[Claimed]],
    purchase: Purchase,
    consolidation: Consolidation,
    year: Mapping[str, YearToDate],
) -> None:
    """With elimination, and with the matching period that the pack names.

    A claim covers power that came through the grid, also through a neighbour's bus; not what a plant of the
    park made, which has that plant's factor.
    """
    book = consolidation.book
    legs = of_dimension(poster, "electricity")
    incoming = [leg for leg in legs if leg.inward and not leg.direct and not consolidation.was_made(leg)]
    bought = poster.flows.of(incoming)
    month = poster.flows.energy.grid.month
    last = rules.matching == "year" and month % 100 == 12
    own = carried_over(poster.flows.park, month, year) if last else claimed
    hourly = Hourly(poster, claimed, rules.instruments) if rules.matching == "hour" else None
    covered, unused = cover(
        poster,
        rules.instruments,
        book,
        rules.rule,
        incoming,
        bought,
        consolidation.passed_on(legs),
        own,
        match=hourly.shares if hourly else None,
        silent=rules.matching == "year",
    )
    consolidation.post(purchase, legs, {leg: covered.at(i) for i, leg in enumerate(incoming)})
    if last:
        buyers = {leg.enterprise for leg in incoming}
        unused += [
            (enterprise, claim, claim.energy_wh)
            for enterprise in sorted(poster.wanted - buyers)
            for claim in own.get(enterprise, ())
            if claim.kind in rules.instruments
        ]
        post_year_end(poster, book, year, unused)
    if rules.sold_attributes:
        post_sold_attributes(poster, book, purchase.selector, claimed)


def given_on(deducted: Sequence[Counted]) -> Mapping[str, int]:
    """Enterprise → what it sold on [Wh]."""
    found: dict[str, int] = defaultdict(int)
    for legs, values in deducted:
        for i, leg in enumerate(legs):
            found[leg.enterprise] += int(values.at(i).total.sum())
    return found


def cover(
    poster: Poster,
    kinds: Sequence[str],
    book: Book,
    rule_id: str,
    incoming: Sequence[Leg],
    bought: Split,
    given: Mapping[str, int],
    claimed: Mapping[str, Sequence[Claimed]],
    *,
    match: Match | None = None,
    silent: bool = False,
) -> tuple[Split, list[tuple[str, Claimed, int]]]:
    """What claims of the accepted kinds cover of the purchases [incoming legs, days], with a memo line each.

    With it what each enterprise could not use of a claim [Wh]; it is told unless ``silent``.
    """
    covered = bought.map(np.zeros_like)
    left_over: list[tuple[str, Claimed, int]] = []
    for enterprise in sorted({leg.enterprise for leg in incoming} & claimed.keys()):
        at = [i for i, leg in enumerate(incoming) if leg.enterprise == enterprise]
        own = [incoming[i] for i in at]
        cells = Cells([str(leg.subject) for leg in own], bought.at(at), given.get(enterprise, 0))
        accepted = [c for c in claimed[enterprise] if c.kind in kinds]
        found = match(enterprise, own, cells, accepted) if match else shares_of(cells, accepted)
        for claim, part, unused in found:
            covered.measured[at] += part.measured
            covered.estimated[at] += part.estimated
            memo = [replace(leg, account=f"EXT/{claim.instrument}") for leg in own]
            poster.post(
                memo,
                part,
                account=f"MEMO/{claim.kind}/{claim.instrument}",
                book=book,
                commodity="electricity",
                rule=rule_id,
            )
            if unused:
                left_over.append((enterprise, claim, unused))
    if not silent:
        poster.problems.extend(_unused(enterprise, book, claim, unused) for enterprise, claim, unused in left_over)
    return covered, left_over


def _unused(enterprise: str, book: Book, claim: Claimed, unused: int) -> Problem:
    return Problem(
        N_(
            "{enterprise}: {unused} MWh of {instrument} exceed the purchased electricity and are not used ({book})"
        ),
        {
            "enterprise": enterprise,
            "instrument": claim.instrument,
            "unused": float(Fraction(unused, 1_000_000)),
            "book": book,
        },
        N_("claim no more than the month's purchases"),
        severity="warning",
    )
