"""Loss closure (网损闭合): does what goes into a network equal what comes out, and if not, which meter is it?

Balances, per carrier and month, over the hours in which every meter of the balance was measured:

=========  ==================================================================================================
main       bus or pipe network: supply = Σ users + losses
store      battery, accumulator: in = out + losses + Δstock, |Δstock| ≤ capacity
through    account holder that takes in and passes on one carrier: the rest is its own use, never negative
pipe       a flow and its check meter: one quantity, measured twice
=========  ==================================================================================================

The gap is supply − users − expected loss. U of the gap (k = 2) is √Σ U² over its meters, each meter once with all
that it counts for; unknown where that of any meter is. Beyond U a network is *open*. What an open network's gap
is due to: ``reconciliation`` (monthly totals) and ``suspects`` (hour by hour).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lujin.accounts.checks import UNMEASURED, MeterBlock
from lujin.accounts.counted import counted_slots
from lujin.accounts.settle import Uncertainty
from lujin.park import Park, Storage, Term, check_terms, flow_terms
from lujin.park.calendar import Grid
from lujin.park.carriers import to_base
from lujin.park.model import ACCOUNT_HOLDERS, OUTSIDE
from lujin.readings.flags import bits

NetworkKind = Literal["main", "store", "through", "pipe"]
MAKERS = frozenset({"pv", "wind", "boiler", "chp", "process"})  # what goes out need not have come in
SLOTS_PER_HOUR = 4
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Place:
    """``coefficient`` × a meter counts for a flow in slots [first, last)."""

    flow: str
    meter: str
    coefficient: Fraction
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Network:
    """A balance to be closed: flows in and out of ``node`` (kind ``pipe``: the flow, and its check meter)."""

    node: str
    carrier: str
    kind: NetworkKind
    into: tuple[Place, ...]
    out: tuple[Place, ...]

    @property
    def signed(self) -> Iterable[tuple[int, Place]]:
        yield from ((1, place) for place in self.into)
        yield from ((-1, place) for place in self.out)

    @property
    def meters(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(place.meter for _, place in self.signed))


def networks(park: Park, grid: Grid) -> tuple[Network, ...]:
    """Every balance of the park that its meters can close: all flows of the carrier at the node are metered."""
    own = {flow: _places(park, grid, flow, terms) for flow, terms in flow_terms(park).items()}
    stores = {storage.node for storage in park.storages}
    ends: dict[tuple[str, str], tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for flow in park.flows.values():
        ends[flow.target, flow.carrier][0].append(flow.id)
        ends[flow.source, flow.carrier][1].append(flow.id)
    found = []
    for (node, carrier), (into, out) in sorted(ends.items()):
        kind = _kind(park, node, stores)
        if kind and into and out and all(own[flow] for flow in (*into, *out)):
            sides = (tuple(place for flow in side for place in own[flow]) for side in (into, out))
            found.append(Network(node, carrier, kind, *sides))
    for name, terms in sorted(check_terms(park).items()):
        if own[name] and (other := _places(park, grid, name, terms)):
            found.append(Network(name, park.flows[name].carrier, "pipe", own[name], other))
    return tuple(found)


def unmetered(park: Park) -> tuple[tuple[str, str, str], ...]:
    """(node, carrier, flow): flows without meter, for which a bus or store cannot be closed."""
    own = flow_terms(park)
    flows = park.flows.values()
    ends = {(f.target, f.carrier) for f in flows} & {(f.source, f.carrier) for f in flows}
    stores = {storage.node for storage in park.storages}
    return tuple(
        (node, carrier, flow.id)
        for node, carrier in sorted(ends)
        if _kind(park, node, stores) in ("main", "store")
        for flow in flows
        if flow.carrier == carrier and node in (flow.source, flow.target) and not own[flow.id]
    )


def _kind(park: Park, node: str, stores: set[str]) -> NetworkKind | None:
    kind = park.nodes[node].kind
    if kind in OUTSIDE or kind in MAKERS:
        return None
    if kind == "battery" or node in stores:
        return "store"
    return "through" if kind in ACCOUNT_HOLDERS else "main"


def _places(park: Park, grid: Grid, flow: str, terms: Sequence[Term]) -> tuple[Place, ...]:
    spans = [(term, *counted_slots(park, park.flows[flow], term, grid)) for term in terms]
    return tuple(Place(flow, t.meter, Fraction(t.coefficient), a, b) for t, a, b in spans if a < b)


class MeterHours:
    """Hourly quantities of the meters of some networks, from blocks in any order."""

    def __init__(self, grid: Grid, found: Sequence[Network]) -> None:
        self.meters = tuple(dict.fromkeys(meter for network in found for meter in network.meters))
        self.hours = grid.slots // SLOTS_PER_HOUR
        self._rows = {meter: row for row, meter in enumerate(self.meters)}
        self._amount = np.zeros((len(self.meters), grid.slots), dtype=np.int64)
        self._known = np.zeros((len(self.meters), grid.slots), dtype=np.bool_)

    def add(self, block: MeterBlock) -> None:
        for i, meter in enumerate(block.meters):
            if (row := self._rows.get(meter)) is not None:
                self._amount[row] = block.amount[i]
                self._known[row] = (block.flags[i] & bits(UNMEASURED)) == 0

    def quantity(self, place: Place) -> NDArray[np.int64]:
        """Per hour, without the coefficient [hours, base units]."""
        amount = np.zeros(self._amount.shape[1], dtype=np.int64)
        amount[place.first : place.last] = self._amount[self._rows[place.meter], place.first : place.last]
        summed: NDArray[np.int64] = amount.reshape(self.hours, SLOTS_PER_HOUR).sum(axis=1)
        return summed

    def unknown(self, place: Place) -> NDArray[np.bool_]:
        """Hours in which the meter counts and was not wholly measured."""
        lost = np.zeros(self._amount.shape[1], dtype=np.bool_)
        lost[place.first : place.last] = ~self._known[self._rows[place.meter], place.first : place.last]
        return np.asarray(lost.reshape(self.hours, SLOTS_PER_HOUR).any(axis=1))

    def counts(self, place: Place) -> NDArray[np.bool_]:
        found = np.zeros(self._amount.shape[1], dtype=np.bool_)
        found[place.first : place.last] = True
        return np.asarray(found.reshape(self.hours, SLOTS_PER_HOUR).any(axis=1))


@dataclass(frozen=True, eq=False)
class Closed:
    """A network over the hours ``compared`` [hours]. All quantities in base units of the carrier.

    ``flows``: flow → signed quantity (pipe: own and check meter apart); ``meters``: meter → what it counts for in
    this balance, signed. ``expected``: expected loss (None: not known); ``slack``: what Δstock and standing losses
    may add. ``square``: U² of the gap without slack (None: unknown); ``least``: of the meters whose U is known.
    """

    network: Network
    compared: NDArray[np.bool_]
    supply: int
    use: int
    expected: int | None
    slack: int
    meters: Mapping[str, Fraction]
    square: Fraction | None
    least: Fraction

    @property
    def loss(self) -> int:
        return self.supply - self.use

    @property
    def gap(self) -> int:
        return self.loss - (self.expected or 0)

    @property
    def uncertainty(self) -> int | None:
        """U of the gap (k = 2), slack included."""
        return None if self.square is None else isqrt(int(self.square)) + self.slack

    @property
    def within(self) -> bool | None:
        """Whether uncertainty explains the gap; None: cannot be said. A ``through`` may lose to own use."""
        if self.network.kind == "through" and self.gap >= 0:
            return True
        if self.network.kind == "store" and self.expected is None:
            return None
        if self.uncertainty is None:  # a pipe is settled by what is known of U, a lower bound of it
            known = self.network.kind == "pipe" and self.gap**2 <= self.least
            return True if known else None
        return abs(self.gap) <= self.uncertainty


def close(
    park: Park,
    network: Network,
    hours: MeterHours,
    uncertainty: Uncertainty,
    expected: Mapping[str, Fraction],
) -> Closed:
    """``expected``: node → expected loss, as a share of the supply [1]; a store's comes from its efficiencies."""
    places = [place for _, place in network.signed]
    # A meter of a side counts somewhere in the hour, and every one that counts was measured
    compared = ~np.any([hours.unknown(place) for place in places], axis=0)
    for side in (network.into, network.out):
        compared &= np.any([hours.counts(place) for place in side], axis=0)
    meters: dict[str, Fraction] = defaultdict(Fraction)
    totals = {1: Fraction(0), -1: Fraction(0)}
    for sign, place in network.signed:
        quantity = place.coefficient * int(hours.quantity(place)[compared].sum())
        meters[place.meter] += sign * quantity
        totals[sign] += quantity
    supply, use = round(totals[1]), round(totals[-1])
    storage = next((s for s in park.storages if s.node == network.node), None)
    share = expected.get(network.node)
    slack = 0
    if network.kind == "pipe":
        share = Fraction(0)
    elif storage is not None:
        share = 1 - Fraction(storage.charge_efficiency) * Fraction(storage.discharge_efficiency)
        slack = _slack(park, network, storage, int(compared.sum()))
    known = None if share is None else round(share * supply)
    return Closed(network, compared, supply, use, known, slack, meters, *_squares(meters, uncertainty))


def _slack(park: Park, network: Network, storage: Storage, hours: int) -> int:
    """The most that Δstock and standing losses can be: the whole capacity, and what a full store loses."""
    capacity = Fraction(storage.capacity) * to_base(storage.unit, park.carriers[network.carrier].dimension)
    return round(capacity * (1 + Fraction(storage.standing_loss_per_day) * Fraction(hours, 24)))


def _squares(meters: Mapping[str, Fraction], uncertainty: Uncertainty) -> tuple[Fraction | None, Fraction]:
    """Σ U² of all meters (None: one is unknown), and of those whose U is known."""
    known = [(u * quantity) ** 2 for meter, quantity in meters.items() if (u := uncertainty(meter)) is not None]
    least = sum(known, Fraction(0))
    return (least if len(known) == len(meters) else None), least


def components(closed: Sequence[Closed]) -> tuple[tuple[Closed, ...], ...]:
    """Balances that share a meter belong together; what passes through an account holder stands alone."""
    root = list(range(len(closed)))

    def find(i: int) -> int:
        while root[i] != i:
            i = root[i]
        return i

    seen: dict[str, int] = {}
    for i, balance in enumerate(closed):
        if balance.network.kind in ("main", "pipe", "store"):
            for meter in balance.network.meters:
                root[find(i)] = find(seen.setdefault(meter, i))
    groups: dict[int, list[Closed]] = defaultdict(list)
    for i, balance in enumerate(closed):
        groups[find(i)].append(balance)
    return tuple(tuple(group) for group in groups.values())
