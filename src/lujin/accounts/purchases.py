"""Purchased energy (外购能源): what counts of the flows of an enterprise, and at which published factor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lujin.accounts.flows import Leg, Split, grouped_legs, resold
from lujin.accounts.lines import Book
from lujin.accounts.pack import Exports
from lujin.accounts.poster import Convert, Poster
from lujin.reference import Row, Selector

Counted = tuple[list[Leg], Split]


def counted(poster: Poster, legs: Sequence[Leg], exports: Exports) -> list[Counted]:
    """Purchases, and what is deducted from them, as legs with their amounts [legs, days].

    Renewable power straight from a generator inside the park counts 0 on both sides (环办气候函〔2023〕332号;
    GHG Protocol Scope 2 Guidance 6.11.2: a direct line has the generator's own factor).
    """
    flows = poster.flows
    counting = [leg for leg in legs if not leg.direct]
    incoming = [leg for leg in counting if leg.inward]
    outgoing = [leg for leg in counting if not leg.inward]
    found = [(incoming, flows.of(incoming))]
    if exports == "all":
        return [*found, (outgoing, flows.of(outgoing))]
    made = generated(poster)
    for key, members in grouped_legs(legs).items():
        if (back := resold(flows, members, made.get(key, 0))) is not None:
            found.append(back)
    return found


def generated(poster: Poster) -> Mapping[tuple[str, str], int]:
    """(enterprise, carrier) → what its own generators and processes gave in the month [base units].

    Without renewable power that went straight to a neighbour: it never mixed with the rest.
    """
    flows = poster.flows
    straight = {leg.row for leg in flows.legs if leg.direct}
    totals = flows.days.total.sum(axis=1)
    found: dict[tuple[str, str], int] = defaultdict(int)
    for row, subject, owner in flows.generated():
        if row not in straight:
            found[owner, subject.carrier] += int(totals[row])
    for row, subject, owner in flows.internal:
        if flows.park.nodes[subject.source].kind == "process":
            found[owner, subject.carrier] += int(totals[row])
    return found


def of_dimension(poster: Poster, dimension: str) -> list[Leg]:
    return poster.legs(lambda leg: poster.flows.carrier(leg.subject).dimension == dimension)


@dataclass(frozen=True, slots=True)
class Purchase:
    """How a book accounts for one carrier that is bought: ``account``, ``rule`` and its published factor."""

    carrier: str
    account: str
    rule: str
    selector: Selector
    convert: Callable[[Row], Convert]


def post_published(poster: Poster, book: Book, purchase: Purchase, found: Sequence[Counted]) -> None:
    """CO2 of all that is counted at the published factor."""
    for segment in poster.choices.segments(purchase.selector):
        for members, values in found:
            poster.post(
                members,
                values,
                account=purchase.account,
                book=book,
                commodity="CO2f",
                rule=purchase.rule,
                convert=purchase.convert(segment.row),
                days=segment.days,
                rows=segment.rows,
            )
