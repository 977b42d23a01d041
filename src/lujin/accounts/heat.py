"""Purchased heat (外购热力) in the carbon books."""

from __future__ import annotations

from collections import defaultdict
from functools import partial

from lujin.accounts import rules as rule
from lujin.accounts.choose import listed
from lujin.accounts.consolidation import Consolidation
from lujin.accounts.flows import Leg
from lujin.accounts.lines import Book
from lujin.accounts.pack import HeatRules
from lujin.accounts.poster import Convert, Poster
from lujin.accounts.purchases import Purchase, counted, of_dimension, post_published
from lujin.errors import N_, Problem
from lujin.reference import Row, heat_factor


def post_heat(poster: Poster, rules: HeatRules, book: Book, consolidation: Consolidation | None) -> None:
    by_carrier: dict[str, list[Leg]] = defaultdict(list)
    for leg in of_dimension(poster, "heat"):
        by_carrier[leg.subject.carrier].append(leg)
    for carrier_id in sorted(by_carrier.keys() & set(rules.without_factor)):
        buyers = {leg.enterprise for leg in by_carrier.pop(carrier_id) if leg.inward}
        if buyers:
            poster.problems.append(
                Problem(
                    N_("{enterprise}: no published factor for {carrier}, its emissions are not posted"),
                    {"enterprise": listed(buyers), "carrier": carrier_id},
                    N_("measure the electricity or heat that makes it as flows of their own"),
                    severity="warning",
                )
            )
    selector = heat_factor(rules.region or None)
    for carrier_id, legs in by_carrier.items():
        purchase = Purchase(carrier_id, "S2/heat", rules.rule, selector, _factor)
        if consolidation is None:
            poster.choices.report({leg.enterprise for leg in legs}, carrier_id, selector)
            post_published(poster, book, purchase, counted(poster, legs, rules.exports))
        else:
            consolidation.post(purchase, legs)


def _factor(row: Row) -> Convert:
    return partial(rule.purchased_heat, factor=row.value)
