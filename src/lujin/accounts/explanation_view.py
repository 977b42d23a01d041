"""What of an explanation a reader may see who may not see the whole park: carbon leads through neighbours'
accounts, and every number ends at meters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lujin.accounts.amounts import Amount
from lujin.accounts.explanation import Explanation
from lujin.errors import N_
from lujin.park import Park


def own_part(root: Explanation, park: Park, enterprise: str) -> Explanation:
    """Without what neighbours measured, burned and bought; what came from them stands as one sum.

    Flows between the enterprise and a neighbour stay: both are party to them.
    """
    kept: list[Explanation] = []
    left = 0
    for child in root.children:
        if child.kind == "subject" and not _touches(park, str(child.params["subject"]), enterprise):
            left += 1
        elif child.kind == "traced":
            kept.append(_own_traces(child, enterprise))
        else:
            kept.append(child)
    if left:
        text = N_("{count} flows between neighbours are not shown")
        kept.append(Explanation("withheld", text, {"count": left}))
    return replace(root, children=tuple(kept))


def without_meters(root: Explanation) -> Explanation:
    """Without interval energies and readings."""
    kept = tuple(child for child in root.children if child.kind != "subject")
    if len(kept) == len(root.children):
        return root
    text = N_("the meters and readings behind it are not shown to you")
    return replace(root, children=(*kept, Explanation("withheld", text)))


def _touches(park: Park, subject: str, enterprise: str) -> bool:
    """Subject as lines carry it, ``GRID>E012:electricity``."""
    source, _, rest = subject.partition(">")
    target = rest.partition(":")[0]
    return enterprise in (park.owner(node) for node in (source, target) if node in park.nodes)


def _own_traces(traced: Explanation, enterprise: str) -> Explanation:
    own = [c for c in traced.children if c.params.get("enterprise", enterprise) == enterprise]
    others = [c for c in traced.children if c.params.get("enterprise", enterprise) != enterprise]
    origins = [c for c in others if c.kind == "origin"]
    if origins:
        own.append(_summed(origins, traced.params["amount"]))
    return replace(traced, children=tuple(own))


def _summed(origins: Sequence[Explanation], whole: Amount) -> Explanation:
    amounts = [origin.params["amount"] for origin in origins]
    came = Amount(sum(amount.base for amount in amounts), whole.base_unit)
    percent = 100 * came.base / whole.base if whole else 0.0
    text = N_("{percent} % from what neighbours burned or bought: {amount}")
    return Explanation("carried", text, {"percent": f"{percent:.2f}", "amount": came})
