"""A map of flows as a picture without loops: marks in columns, bands between them, what comes in goes out.

Pure functions. A band that would close a loop (what a store gives back, what a buyer returns) is cut in two: one
end goes to a mark "to X", the other comes from a mark "from X", so that every mark in between still balances.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lujin.accounts.statement_parts import Part
from lujin.park.model import ACCOUNT_HOLDERS
from lujin.workspace.flows import CarbonMap, FlowMap

OTHERS = "others"  # enterprises that are too small to be shown one by one
GROUPED = frozenset({"pv", "wind"})  # one mark for all of a kind


@dataclass(frozen=True, slots=True)
class Band(Part):
    """From mark to mark [base units, above 0]. ``kind``: flow, or what is left at a node (``FlowNode.kind``)."""

    source: str
    target: str
    value: int
    kind: str = "flow"


@dataclass(frozen=True, slots=True)
class Mark(Part):
    """``node``: the park's node, or empty. ``role``: node; to, from (one direction of it); others; pv, wind; what
    is left over (use, loss, gap, stock, unknown); for carbon the kind of edge, ``party``: carrier or supplier.
    """

    key: str
    role: str
    node: str = ""
    party: str = ""


@dataclass(frozen=True)
class Sankey(Part):
    """``others``: how many enterprises are shown as one."""

    marks: tuple[Mark, ...]
    bands: tuple[Band, ...]
    others: int = 0


def energy_sankey(found: FlowMap, most: int = 20) -> Sankey:
    """The ``most`` greatest enterprises are shown one by one; the others are one mark, and so are all arrays."""
    size = {n.node: n.incoming.base + n.outgoing.base for n in found.nodes if n.node_kind in ACCOUNT_HOLDERS}
    small = _small(size, most)
    both = {n.node for n in found.nodes if n.kind in ("", "stock") and n.incoming and n.outgoing}
    kinds = {n.node: n.node_kind for n in found.nodes}
    marks: dict[str, Mark] = {}

    def mark(node: str, role: str) -> str:
        if node in small:
            return _mark(marks, Mark(OTHERS, OTHERS))
        if kinds[node] in GROUPED and role == "from":
            return _mark(marks, Mark(kinds[node], kinds[node]))
        return _mark(marks, Mark(f"{node}/{role}", role, node) if node in both else Mark(node, "node", node))

    sums: dict[tuple[str, str], int] = defaultdict(int)
    for edge in found.edges:
        if edge.amount is not None and edge.amount.base:
            ends = (edge.source, edge.target)
            if edge.amount.base < 0:  # a sum of meters that went the other way
                ends = (edge.target, edge.source)
            sums[mark(ends[0], "from"), mark(ends[1], "to")] += abs(edge.amount.base)
    bands = _without_loops(sums, marks)
    left: dict[tuple[str, str], int] = defaultdict(int)
    for node in found.nodes:
        if node.kind and node.rest and (node.node in small or node.node in marks):
            left[OTHERS if node.node in small else node.node, node.kind] += node.rest.base
    return _drawn([*bands, *_left_over(left, bands, marks)], marks, len(small))


def carbon_sankey(found: CarbonMap, most: int = 20) -> Sankey:
    """Carbon from its sources through the enterprises to where it is."""
    size: dict[str, int] = defaultdict(int)
    for edge in found.edges:
        for name in {edge.source, edge.target} - {""}:
            size[name] += abs(edge.co2e.base)
    small = _small(size, most)
    marks: dict[str, Mark] = {}

    def mark(name: str, outside: Mark) -> str:
        if not name:
            return _mark(marks, outside)
        return _mark(marks, Mark(OTHERS, OTHERS) if name in small else Mark(name, "node", name))

    sums: dict[tuple[str, str], int] = defaultdict(int)
    for edge in found.edges:
        source = mark(edge.source, Mark(f"{edge.kind}/{edge.party}", edge.kind, party=edge.party))
        target = mark(edge.target, Mark(f"/{edge.kind}", edge.kind))
        ends = (source, target) if edge.co2e.base > 0 else (target, source)
        sums[ends] += abs(edge.co2e.base)
    return _drawn(_without_loops(sums, marks), marks, len(small))


def _small(size: Mapping[str, int], most: int) -> frozenset[str]:
    ordered = sorted(size, key=lambda name: (-size[name], name))
    return frozenset(ordered[most:]) if len(ordered) > most + 1 else frozenset()


def _mark(marks: dict[str, Mark], mark: Mark) -> str:
    marks.setdefault(mark.key, mark)
    return mark.key


def _left_over(
    left: Mapping[tuple[str, str], int], bands: Sequence[Band], marks: dict[str, Mark]
) -> Iterator[Band]:
    """What stays at marks that also pass on, and what came from nowhere."""
    gives = {band.source for band in bands}
    for (key, kind), rest in left.items():
        if rest < 0:
            yield Band(_mark(marks, Mark(f"/{kind}", kind)), key, -rest, kind)
        elif rest and (kind != "use" or key in gives):
            yield Band(key, _mark(marks, Mark(f"{kind}/", kind)), rest, kind)


def _without_loops(sums: Mapping[tuple[str, str], int], marks: dict[str, Mark]) -> list[Band]:
    """Bands in order of size are kept as long as they close no loop; the others are cut in two."""
    after: dict[str, set[str]] = defaultdict(set)
    found: list[Band] = []
    for (source, target), value in sorted(sums.items(), key=lambda item: (-item[1], item[0])):
        if source == target:
            continue  # among those shown as one
        if _reaches(after, target, source):
            to = _mark(marks, Mark(f"{target}/to", "to", marks[target].node))
            start = _mark(marks, Mark(f"{source}/from", "from", marks[source].node))
            found += [Band(source, to, value), Band(start, target, value)]
        else:
            after[source].add(target)
            found.append(Band(source, target, value))
    return found


def _reaches(after: Mapping[str, Iterable[str]], start: str, goal: str) -> bool:
    seen, waiting = {start}, [start]
    while waiting:
        at = waiting.pop()
        if at == goal:
            return True
        new = set(after.get(at, ())) - seen
        seen |= new
        waiting += new
    return False


def _drawn(bands: Sequence[Band], marks: Mapping[str, Mark], others: int) -> Sankey:
    used = dict.fromkeys(key for band in bands for key in (band.source, band.target))
    return Sankey(tuple(marks[key] for key in used), tuple(bands), others)
