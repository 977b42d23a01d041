"""Own renewable power whose certificate somebody claims (环境权益已售): it can't be counted at zero as well."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial

from lujin.accounts import rules as rule
from lujin.accounts.claims import Claimed
from lujin.accounts.flows import RENEWABLE, Leg, spread
from lujin.accounts.lines import Book
from lujin.accounts.poster import Poster
from lujin.errors import N_, Problem
from lujin.reference import Selector


def post_sold_attributes(
    poster: Poster, book: Book, selector: Selector, claimed: Mapping[str, Sequence[Claimed]]
) -> None:
    """Self-use beyond what the claimed certificates of the device leave, at the residual mix.

    Of what the device generated in the month, certificates are first those of the power that left its owner
    (nobody counts that at zero), then those of the owner's own use, whoever claims them, the owner too: one
    claim per Wh. What then remains claimed was delivered straight to neighbours, who count it at zero: named.
    """
    park = poster.flows.park
    claims: dict[str, int] = defaultdict(int)
    for members in claimed.values():
        for claim in members:
            claims[park.instruments[claim.instrument].device] += claim.energy_wh
    left_fence: dict[str, int] = {}
    for device, energy in sorted(claims.items()):
        node = park.nodes.get(device)
        if node is None or node.kind not in RENEWABLE or park.owner(device) not in poster.wanted:
            continue
        owner = park.owner(device)
        if owner not in left_fence:
            left_fence[owner] = _given_away(poster, owner)
        left_fence[owner] = _post_device(poster, book, selector, device, energy, left_fence[owner])


def _given_away(poster: Poster, owner: str) -> int:
    """Electricity that left the owner's nodes other than straight from a generator [Wh]."""
    flows = poster.flows
    legs = [
        leg
        for leg in flows.legs
        if leg.enterprise == owner and not leg.inward and leg.subject.carrier == "electricity"
    ]
    mixed = [leg for leg in legs if flows.park.nodes[leg.subject.source].kind not in RENEWABLE]
    return max(int(flows.of(mixed).total.sum()), 0)


def _post_device(
    poster: Poster, book: Book, selector: Selector, device: str, claimed: int, given_away: int
) -> int:
    """Returns what of ``given_away`` is left for the owner's other generators [Wh]."""
    flows = poster.flows
    owner = flows.park.owner(device)
    own = [
        Leg(row, owner, True, f"GEN/{device}", s)
        for row, s, whose in flows.internal
        if s.source == device and whose == owner
    ]
    away = [leg for leg in flows.legs if leg.subject.source == device and leg.enterprise == owner]
    outside = max(int(flows.of([leg for leg in away if not leg.direct]).total.sum()), 0)
    straight = max(int(flows.of([leg for leg in away if leg.direct]).total.sum()), 0)
    inside = max(int(flows.of(own).total.sum()), 0)
    passed = min(given_away, inside)
    sold = min(max(claimed - outside - passed, 0), inside - passed)
    if sold:
        values = spread(sold, flows.of(own), own)
        poster.choices.report({owner}, "electricity", selector)
        for segment in poster.choices.segments(selector):
            poster.post(
                own,
                values,
                account="S2/electricity",
                book=book,
                commodity="CO2f",
                rule="sold_attribute@1",
                convert=partial(rule.sold_attribute, residual=segment.row.value),
                days=segment.days,
                rows=segment.rows,
            )
    if (twice := min(claimed - outside - passed - sold, straight)) > 0:
        poster.problems.append(
            Problem(
                N_(
                    "{enterprise}: {energy} MWh of {device} are claimed by certificate and counted at zero by "
                    "neighbours as well, who take them straight from it"
                ),
                {"enterprise": owner, "energy": float(Fraction(twice, 1_000_000)), "device": device},
                N_("claim less of the device's certificates, or tell the neighbours"),
                severity="warning",
            )
        )
    return given_away - passed
