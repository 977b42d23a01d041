"""Purchased electricity (外购电力) in the location and regulatory books: one factor for all purchases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial

from lujin.accounts import rules as rule
from lujin.accounts.choose import listed
from lujin.accounts.claims import Claimed
from lujin.accounts.consolidation import Consolidation
from lujin.accounts.flows import RENEWABLE
from lujin.accounts.lines import Book
from lujin.accounts.market import cover, given_on
from lujin.accounts.pack import ElectricityRules
from lujin.accounts.poster import Convert, Poster
from lujin.accounts.purchases import Purchase, counted, of_dimension, post_published
from lujin.errors import N_, Problem
from lujin.reference import Row, grid_factor


def purchase_of(poster: Poster, rules: ElectricityRules) -> Purchase:
    selector = grid_factor(rules.purpose, poster.flows.park.region)
    return Purchase("electricity", "S2/electricity", rules.rule, selector, _factor)


def _factor(row: Row) -> Convert:
    return partial(rule.purchased_electricity_location, factor=row.value)


def post_grid_average(
    poster: Poster,
    rules: ElectricityRules,
    book: Book,
    claimed: Mapping[str, Sequence[Claimed]],
    consolidation: Consolidation | None,
) -> None:
    """Green power, where the pack says so, is reported apart and still counts."""
    legs = of_dimension(poster, "electricity")
    purchase = purchase_of(poster, rules)
    if consolidation is not None:
        consolidation.post(purchase, legs)
    else:
        poster.choices.report({leg.enterprise for leg in legs}, "electricity", purchase.selector)
        post_published(poster, book, purchase, counted(poster, legs, rules.exports))
    if rules.reported_apart:
        (incoming, bought), *deducted = counted(poster, legs, "resale")
        given = given_on(deducted)
        cover(poster, rules.reported_apart, book, rules.rule, incoming, bought, given, claimed)


def fuel_power(poster: Poster) -> list[Problem]:
    """Power from a neighbour who makes it from fuel counts with the factor of the grid, which it never saw.

    GHG Protocol Scope 2 Guidance 6.11.2 asks for the generator's own factor on a direct line; what of a
    neighbour's mix was bought can only be traced through the park's flows.
    """
    flows = poster.flows
    makers = {
        owner
        for _, subject, owner in flows.generated()
        if flows.park.nodes[subject.source].kind not in RENEWABLE
        and flows.carrier(subject).dimension == "electricity"
    }
    found: dict[str, set[str]] = defaultdict(set)
    for leg in of_dimension(poster, "electricity"):
        if leg.inward and not leg.direct and leg.account.removeprefix("DUE/") in makers:
            found[leg.account.removeprefix("DUE/")].add(leg.enterprise)
    return [
        Problem(
            N_("{enterprise}: power bought from {seller}, who makes it from fuel, counts with the grid's factor"),
            {"enterprise": listed(buyers), "seller": seller},
            N_("state the plant's own factor beside these books where the buyer relies on them"),
            severity="warning",
        )
        for seller, buyers in sorted(found.items())
    ]
