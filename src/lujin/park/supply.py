"""Where a carrier that is passed around inside the park is made: a question about the graph alone."""

from __future__ import annotations

from collections import defaultdict

from lujin.park.model import OUTSIDE, Park

MAKERS = frozenset({"boiler", "chp", "process"})  # they give out a carrier that they made from another one


def made_in_park(park: Park) -> frozenset[tuple[str, str]]:
    """(node, carrier): what leaves the node of this carrier was made, wholly or partly, by a plant of the park.

    Power and heat of boilers, cogeneration and processes, followed through buses, mains and enterprises to
    wherever it goes on. It ends at the fence: what comes back from the public grid is the grid's.
    """
    onward: dict[tuple[str, str], list[str]] = defaultdict(list)
    for flow in park.flows.values():
        onward[flow.source, flow.carrier].append(flow.target)
    found = {place for place in onward if park.nodes[place[0]].kind in MAKERS and not _passes(park, place)}
    waiting = list(found)
    while waiting:
        node, carrier = waiting.pop()
        for target in onward.get((node, carrier), ()):
            place = (target, carrier)
            if place in onward and place not in found and park.nodes[target].kind not in OUTSIDE:
                found.add(place)
                waiting.append(place)
    return frozenset(found)


def _passes(park: Park, place: tuple[str, str]) -> bool:
    """Whether the node takes the same carrier in: it may pass it on, as a process does with auxiliary power."""
    node, carrier = place
    if park.nodes[node].kind != "process":
        return False
    return any(flow.target == node and flow.carrier == carrier for flow in park.flows.values())
