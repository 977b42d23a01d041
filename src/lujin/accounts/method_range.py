"""How much the choice of a method moves what an enterprise carries: joint production by every formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lujin.accounts.amounts import Amount, GwpSet
from lujin.accounts.embodied import GASES, Disputed, EmbodiedMonth, Opening, embodied_month
from lujin.accounts.embodied_shares import stated
from lujin.accounts.joint import METHODS
from lujin.accounts.pack import Pack
from lujin.accounts.pools import PARK_EDGE
from lujin.accounts.poster import Poster
from lujin.accounts.statement_parts import Part
from lujin.park import Joint, Park


@dataclass(frozen=True)
class MethodRange(Part):
    """CO2e that stays with an enterprise or leaves with its customers, per formula id; ``chosen``: as posted."""

    chosen: Amount
    by_method: Mapping[str, Amount]

    @property
    def span(self) -> tuple[Amount, Amount]:
        """The least and the greatest, the chosen one included."""
        every = [self.chosen, *self.by_method.values()]
        return min(every, key=lambda a: a.base), max(every, key=lambda a: a.base)


def method_range(
    poster: Poster, pack: Pack, opening: Opening, enterprise: str, gwp: GwpSet, disputed: Disputed | None = None
) -> MethodRange | None:
    """Solve the month again with every formula whose values are stated. None: no plant here shares its carbon.

    ``poster``: of all who are joined with the enterprise. All plants take the formula at once; one whose values
    it lacks keeps its own.
    """
    park = poster.flows.park
    joints = [j for j in park.joints if j.method != "declared@1"]
    if not joints:
        return None
    found: dict[str, Amount] = {}
    for method in METHODS:
        changed = [_with(joint, method) for joint in joints]
        if method != "declared@1" and changed != joints:
            rest = [j for j in park.joints if j.method == "declared@1"]
            month = _solved(poster, pack, opening, replace(park, joints=(*rest, *changed)), disputed)
            if not any(problem.severity == "error" for problem in month.problems):
                found[method] = _final(month, enterprise, gwp)
    return MethodRange(_final(_solved(poster, pack, opening, park, disputed), enterprise, gwp), found)


def _with(joint: Joint, method: str) -> Joint:
    """The joint under another formula, if what the formula needs is stated."""
    given = stated(joint)
    needs = [need for need in METHODS[method].needs if need != "boiler_heat"]
    known = all(getattr(given, need) is not None for need in needs)
    if "boiler_heat" in METHODS[method].needs:
        known = joint.boiler_efficiency is not None
    return replace(joint, method=method) if known else joint  # type: ignore[arg-type]  # an id of METHODS


def _solved(poster: Poster, pack: Pack, opening: Opening, park: Park, disputed: Disputed | None) -> EmbodiedMonth:
    return embodied_month(replace(poster, flows=replace(poster.flows, park=park)), pack, opening, disputed)


def _final(month: EmbodiedMonth, enterprise: str, gwp: GwpSet) -> Amount:
    """What stays with the enterprise or leaves to its customers [mg CO2e]."""
    graph = month.graph
    total = np.zeros(len(GASES), dtype=np.int64)
    for pool, role in enumerate(graph.roles):
        if role != "store" and graph.owner(pool) == enterprise:
            total += month.passed.final[pool]
    for e, item in enumerate(graph.edges):
        if item.target == PARK_EDGE and not item.disputed and graph.owner(item.source) == enterprise:
            total += month.passed.edge[e]
    return gwp.co2e({gas: int(mg) for gas, mg in zip(GASES, total, strict=True)})
