"""Carbon passed on inside a park, worked out a second time: dense, in plain Python and NumPy, nothing of lujin.

Where the product solves intensities, (diag(X) − Fᵀ) q = b, this one follows the carbon itself. Every *place* (a
node and a carrier that it passes on or makes, or a node's own work) sends what reaches it on in fixed shares, so
that the carbon T through the places is

    T = b + Sᵀ T        S[k, p]: the share of what reaches k that goes to p

and what a share sends out of the system stays there: final use, stock, the world outside the fence.

Rules, from docs/accounts.md, docs/park-file.md and the book's description:

- What a node takes in and gives on of one carrier mixes; what it does not give on is its own use. A main uses
  nothing: what is lost stays in what it delivers. A plant that takes in some of what it makes (own use) does not
  pass it on.
- A plant's carbon leaves with its products; of power and heat in the shares of the formula that the park names.
- Waste, by-products and captured CO2 carry nothing, nor does a material of which nobody says what it is.
- A store: what is in it and what comes in mix over the month; what is drawn takes its part of the energy along,
  S⁺ = S + η_c·c − d/η_d per quarter of an hour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray
from oracle_recompute import BASE, DIMENSION, OUTSIDE, Oracle

GASES = ("CO2f", "CO2b", "CH4f", "CH4b", "N2O")
Place = tuple[str, str]  # node, carrier; carrier empty: the node's own work
Masses = NDArray[np.float64]  # [gases] mg
MAKERS = {"pv", "wind", "boiler", "chp", "process"}
ACCOUNTS = {"enterprise", "operator"}
SILENT = {"waste", "by_product", "captured_co2"}
SOLD_AS_ENERGY = {
    "electricity",
    "steam",
    "hot_water",
    "compressed_air",
    "natural_gas",
    "bituminous_coal",
    "diesel",
}


@dataclass(frozen=True)
class Way:
    """``share`` of what reaches ``source`` goes to ``target`` (None: out of the park), by ``flow`` or inside."""

    source: Place
    target: Place | None
    share: float
    flow: str = ""


@dataclass(frozen=True)
class Traced:
    """Carbon through each place [mg], along each way, and what stays: use, or stock of a store."""

    through: dict[Place, Masses]
    along: list[tuple[Way, Masses]]
    stays: dict[Place, Masses]
    given: dict[Place, int]  # what leaves a place [base units]

    def per_unit(self, place: Place) -> Masses:
        """mg per base unit of what leaves the place."""
        return sum((m for way, m in self.along if way.source == place), np.zeros(len(GASES))) / self.given[place]


@dataclass(frozen=True)
class Stock:
    """Of a store in a month [base units]: ``taken`` out of it (losses included), ``left`` in it."""

    taken: float
    left: float


class Graph:
    """Places and shares of one month. ``moved``: flow id → base units."""

    def __init__(self, oracle: Oracle, moved: Mapping[str, int], stocks: Mapping[str, Stock]) -> None:
        self.oracle, self.moved, self.stocks = oracle, moved, stocks
        self.flows = {name: oracle.flows[name] for name in moved}
        self.status = {t["flow"]: t["status"] for t in oracle.park.get("transfer", ())}
        self.joint = {j["node"]: j for j in oracle.park.get("joint", ())}
        self.comes, self.goes = defaultdict(list), defaultdict(list)
        for name, flow in self.flows.items():
            self.comes[flow["target"], flow["carrier"]].append(name)
            self.goes[flow["source"], flow["carrier"]].append(name)

    def kind(self, node: str) -> str:
        return str(self.oracle.nodes[node]["kind"])

    def outside(self, node: str) -> bool:
        return self.kind(node) in OUTSIDE

    def amount(self, names: Iterable[str]) -> int:
        return sum(self.moved[name] for name in names)

    def passes_on(self, place: Place) -> bool:
        return bool(self.comes[place] and self.goes[place]) and self.kind(place[0]) not in MAKERS

    def enters(self, flow: Mapping[str, str]) -> Place | None:
        """Where what a flow brings ends up."""
        node = flow["target"]
        if self.outside(node):
            return None
        place = node, flow["carrier"]
        return place if self.kind(node) == "battery" or self.passes_on(place) else (node, "")

    def carries(self, name: str) -> bool:
        flow = self.flows[name]
        made = not self.passes_on((flow["source"], flow["carrier"])) and self.kind(flow["source"]) != "battery"
        told = self.status.get(name, "")
        return told not in SILENT and bool(told or not made or flow["carrier"] in SOLD_AS_ENERGY)

    def ways(self) -> list[Way]:
        found: list[Way] = []
        for (node, carrier), names in sorted(self.goes.items()):
            if self.outside(node) or not names:
                continue
            sent = [name for name in names if self.carries(name) and self.moved[name]]
            out, place = self.amount(sent), (node, carrier)
            whole = float(out)
            if self.kind(node) == "battery":
                stock = self.stocks.get(node)
                whole *= (stock.taken + stock.left) / stock.taken if stock else 1.0
            elif self.passes_on(place) and self.kind(node) != "main":
                whole = float(max(out, self.amount(self.comes[place])))
                if whole > out:
                    found.append(Way(place, (node, ""), (whole - out) / whole))
            found += [Way(place, self.enters(self.flows[n]), self.moved[n] / whole, n) for n in sent]
        return [*found, *self._made()]

    def _made(self) -> list[Way]:
        made: dict[str, dict[str, int]] = defaultdict(dict)
        for (node, carrier), names in self.goes.items():
            if self.outside(node) or self.passes_on((node, carrier)) or self.kind(node) == "battery":
                continue
            if amount := self.amount(name for name in names if self.carries(name)):
                made[node][carrier] = amount
        found = []
        for node, products in made.items():
            assert self.kind(node) not in ACCOUNTS, f"{node} sells {products}: not in the demo"
            shares = dict.fromkeys(products, 1.0)
            if len(products) > 1:
                shares = joint_shares(self.joint[node], products, self.amount(self.comes[node, "condensate"]))
            found += [Way((node, ""), (node, c), share) for c, share in shares.items() if share]
        return found

    def trace(self, entering: Mapping[Place, Masses]) -> Traced:
        """T = b + Sᵀ T by one dense solve."""
        ways = self.ways()
        places = sorted({w.source for w in ways} | {w.target for w in ways if w.target} | set(entering))
        at = {place: i for i, place in enumerate(places)}
        brought = np.array([entering.get(place, np.zeros(len(GASES))) for place in places])
        matrix = np.eye(len(places))
        for way in ways:
            if way.target:
                matrix[at[way.target], at[way.source]] -= way.share
        through = np.linalg.solve(matrix, brought)
        sent = np.zeros(len(places))
        for way in ways:
            sent[at[way.source]] += way.share
        stays = {p: through[i] * (1 - sent[i]) for p, i in at.items() if 1 - sent[i] > 1e-13}
        given = {place: self.amount(n for n in names if self.carries(n)) for place, names in self.goes.items()}
        return Traced(
            dict(zip(places, through, strict=True)),
            [(w, through[at[w.source]] * w.share) for w in ways],
            stays,
            given,
        )


def joint_shares(joint: Mapping[str, object], products: Mapping[str, int], condensate: int) -> dict[str, float]:
    """Power and heat by the named formula, written out from docs/park-file.md."""
    power, heat = products["electricity"] * 3.6, float(products["steam"] - condensate)
    method = joint["method"]
    if method == "ghgp_efficiency@1":
        by_power = power / float(joint["power_reference"])  # type: ignore[arg-type]
        alpha = by_power / (by_power + heat / float(joint["heat_reference"]))  # type: ignore[arg-type]
    elif method == "energy@1":
        alpha = power / (power + heat)
    elif method == "fuel_share@1":
        alpha = heat / (power + heat)
    elif method == "egrid@1":
        alpha = power / (power + 0.75 * heat)
    elif method == "exergy@1":
        carnot = 1 - float(joint["ambient_temperature_k"]) / float(joint["heat_temperature_k"])  # type: ignore[arg-type]
        alpha = power / (power + carnot * heat)
    else:
        raise AssertionError(method)
    return {"electricity": alpha, "steam": 1 - alpha}


def stock_of_month(oracle: Oracle, storage: Mapping[str, object], month: int, start: float) -> Stock:
    """Quarter by quarter, from the meters of what goes in and out; never below zero nor above the capacity."""
    node = storage["node"]
    into = [oracle.flow_month(name, month).slots for name, f in oracle.flows.items() if f["target"] == node]
    out = [oracle.flow_month(name, month).slots for name, f in oracle.flows.items() if f["source"] == node]
    carrier = next(f["carrier"] for f in oracle.flows.values() if f["source"] == node)
    unit = {"MWh": 10**6}.get(str(storage["unit"])) or BASE[DIMENSION[carrier], str(storage["unit"])]
    limit = float(Decimal(str(storage["capacity"])) * unit)
    gain, loss = float(storage["charge_efficiency"]), float(storage["discharge_efficiency"])  # type: ignore[arg-type]
    assert float(storage.get("standing_loss_per_day", 0)) == 0  # type: ignore[arg-type]
    level, taken = min(start, limit), 0.0
    for slot in sorted({s for slots in (*into, *out) for s in slots}):
        drawn = sum(slots.get(slot, 0) for slots in out) / loss
        taken += drawn
        level += sum(slots.get(slot, 0) for slots in into) * gain - drawn
        level = min(max(level, 0.0), limit)
    return Stock(taken, level)
