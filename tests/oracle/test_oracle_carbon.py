"""The carbon that is passed on in the demo park, and the factors of its own plants, against a second calculation.

``oracle_carbon`` follows carbon through places by a dense solve of its own. Sources must agree to the milligram,
since they are rounded by day; every other line to a few milligrams, since what is passed on is rounded once.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from oracle_carbon import GASES, Graph, Masses, Place, Stock, Traced, stock_of_month
from oracle_ledger import FUELS, Posted, by_day, converted, read_lines
from oracle_recompute import half_even

from lujin.workspace import open_workspace

pytestmark = pytest.mark.xdist_group("oracle")
MONTHS = (202506, 202507, 202508, 202510)
each_month = pytest.mark.parametrize("month", MONTHS)
FEW = 5  # mg: what rounding may move along a way
PROVINCE, RESIDUAL = "grid_avg_guangdong_2023", "grid_resid_national_2023"
Source = tuple[Place, str]  # where it enters, and from which account
Key = tuple[str, str, str, str]  # enterprise, debit, credit, gas


def moved(posted: Posted, month: int) -> dict[str, int]:
    """flow id → base units; flows that have nothing in the month at all are not there."""
    oracle, found = posted.oracle, {}
    for name, flow in oracle.flows.items():
        if oracle.flow_month(name, month).slots:
            found[name] = posted.moved(month, flow["carrier"])[flow["source"], flow["target"]]
    return found


def sources(posted: Posted, month: int, graph: Graph, bought: bool = True) -> dict[Source, dict[str, int]]:
    """What is burned, decomposed and bought outside, per day as in the scope books [mg]."""
    oracle, found = posted.oracle, defaultdict(lambda: defaultdict(int))
    for (_, subject, _), days in by_day(posted.energy(month)).items():
        source, _, rest = subject.partition(">")
        target, _, carrier = rest.rpartition(":")
        if oracle.owner(source) or not oracle.owner(target):
            continue
        place = graph.enters({"source": source, "target": target, "carrier": carrier})
        factors: dict[str, Fraction] = {}
        account = f"ATM/{carrier}"
        if carrier in FUELS:
            name, kind, _, _ = FUELS[carrier]
            factors["CO2f"] = oracle.fuel_co2_mg_per_base("GBT32151-C1", name)
            factors["CH4f"] = oracle.fuel_gas_mg_per_base("GBT32151-C1", name, kind, "CH4")
            factors["N2O"] = oracle.fuel_gas_mg_per_base("GBT32151-C1", name, kind, "N2O")
        elif carrier == "limestone":
            factors["CO2f"] = oracle.process_factor("碳酸钙(石灰石)") * 1000
        elif carrier == "electricity" and bought:
            factors["CO2f"], account = oracle.grid_factor(PROVINCE) * 1000, f"EXT/{source}"
        for gas, factor in factors.items():
            found[place, account][gas] += converted(days, factor)
    return found


def entering(found: Mapping[Source, Mapping[str, int]]) -> dict[Place, Masses]:
    masses: dict[Place, Masses] = defaultdict(lambda: np.zeros(len(GASES)))
    for (place, _), gases in found.items():
        masses[place] += np.array([gases.get(gas, 0) for gas in GASES], dtype=np.float64)
    return masses


def label(place: Place) -> str:
    return "/".join(filter(None, place))


class Book:
    """Book ``embodied`` of some months in a row: stocks go from one into the next."""

    def __init__(self, posted: Posted) -> None:
        self.posted, self.oracle = posted, posted.oracle
        self.level: dict[str, int] = defaultdict(int)
        self.stock: dict[str, Masses] = defaultdict(lambda: np.zeros(len(GASES)))
        self.traced: Traced | None = None

    def month(self, month: int) -> dict[Key, float]:
        """(enterprise, debit, credit, gas) → mg."""
        oracle = self.oracle
        stores = {
            s["node"]: stock_of_month(oracle, s, month, self.level[s["node"]]) for s in oracle.park["storage"]
        }
        graph = Graph(oracle, moved(self.posted, month), stores)
        found = sources(self.posted, month, graph)
        for place, account, gases in self.bound(month):
            found[place, account] = gases
        masses = entering(found)
        for node in stores:
            masses[node, "electricity"] = masses[node, "electricity"] + self.stock[node]
        traced = self.traced = graph.trace(masses)
        lines: dict[Key, float] = defaultdict(float)
        for (place, account), gases in found.items():
            for gas, amount in gases.items():
                lines[oracle.owner(place[0]), f"WIP/{label(place)}", account, gas] += amount
        for way, carbon in traced.along:
            for key, amount in self.entries(graph, way.source, way.target, way.flow, carbon):
                lines[key] += amount
        self.stays(traced, stores, lines)
        return lines

    def bound(self, month: int) -> list[tuple[Place, str, dict[str, int]]]:
        """Captured CO2 that is gone for good is taken out of the plant: 1 g is 1000 mg."""
        found = []
        for fact in self.oracle.park["transfer"]:
            if fact.get("fate") in ("mineral_binding", "geological_storage"):
                grams = self.oracle.flow_month(fact["flow"], month).total
                place = (self.oracle.flows[fact["flow"]]["source"], "")
                found.append((place, f"STORED/{fact['fate']}", {"CO2f": -grams * 1000}))
        return found

    def entries(
        self, graph: Graph, source: Place, target: Place | None, flow: str, carbon: Masses
    ) -> list[tuple[Key, float]]:
        seller, origin = self.oracle.owner(source[0]), f"WIP/{label(source)}"
        if target is None:
            sides = [(seller, f"OUT/{graph.flows[flow]['target']}", origin)]
        elif (buyer := self.oracle.owner(target[0])) == seller:
            sides = [(seller, f"WIP/{label(target)}", origin)]
        else:
            sides = [(seller, f"DUE/{buyer}", origin), (buyer, f"WIP/{label(target)}", f"DUE/{seller}")]
        return [((*side, gas), float(mg)) for side in sides for gas, mg in zip(GASES, carbon, strict=True)]

    def stays(self, traced: Traced, stores: Mapping[str, Stock], lines: dict[Key, float]) -> None:
        for place, carbon in traced.stays.items():
            node = place[0]
            account = f"STK/{node}" if node in stores else f"OWN/{node}"
            rest = carbon - self.stock[node] if node in stores else carbon
            for gas, amount in zip(GASES, rest, strict=True):
                lines[self.oracle.owner(node), account, f"WIP/{label(place)}", gas] += float(amount)
        for node, stock in stores.items():
            self.stock[node] = traced.stays.get((node, "electricity"), np.zeros(len(GASES)))
            self.level[node] = round(stock.left)


def ledger(posted: Posted, month: int) -> dict[Key, int]:
    found: dict[Key, int] = defaultdict(int)
    for x in posted.select(month=month, book="embodied"):
        if x.commodity in GASES and not x.debit.startswith("MEMO/"):
            found[x.enterprise, x.debit, x.credit, x.commodity] += x.amount
    return found


def compare(expected: Mapping[Key, float], found: Mapping[Key, int]) -> int:
    for key in {*expected, *found}:
        exact = key[2].startswith(("ATM/", "EXT/", "STORED/"))
        assert abs(found.get(key, 0) - expected.get(key, 0)) <= (0 if exact else FEW), key
    return len(found)


@pytest.fixture(scope="module")
def book(posted: Posted) -> dict[int, dict[Key, float]]:
    second = Book(posted)
    return {month: second.month(month) for month in MONTHS}


@each_month
def test_every_line_of_passed_on_carbon(posted: Posted, book: dict[int, dict[Key, float]], month: int) -> None:
    assert compare(book[month], ledger(posted, month)) > 100


@each_month
def test_captured_co2_that_is_used_is_a_memo(posted: Posted, month: int) -> None:
    (flow,) = (name for name, f in posted.oracle.flows.items() if f["carrier"] == "co2")
    lines = posted.select(month=month, book="embodied", debit="MEMO/captured/used")
    assert sum(x.amount for x in lines) == posted.oracle.flow_month(flow, month).total * 1000


@each_month
def test_the_level_of_the_battery(posted: Posted, month: int) -> None:
    """From meter to meter: what went in by 0.9381, what came out by 1/0.9381."""
    second = Book(posted)
    for at in MONTHS[: MONTHS.index(month) + 1]:
        second.month(at)
    lines = [x for x in posted.select(book="embodied", commodity="electricity") if x.month <= month]
    assert sum(x.on("STK/E008-BAT") for x in lines) == second.level["E008-BAT"]


@each_month
@pytest.mark.parametrize("name", ["location", "market"])
def test_scope_2_of_heat_counts_with_the_plants_own_factor(posted: Posted, month: int, name: str) -> None:
    """What the plant burns and decomposes, less the power's share, per kJ that the main delivers."""
    graph = Graph(posted.oracle, moved(posted, month), {})
    traced = graph.trace(entering(sources(posted, month, graph, bought=False)))
    factor = traced.per_unit(("STEAM", "steam"))
    lines = posted.select(month=month, book=name)
    buyers = 0
    for (enterprise, subject, _), days in by_day(posted.energy(month)).items():
        if subject != f"STEAM>{enterprise}:steam":
            continue
        buyers += 1
        for column, gas in enumerate(GASES):
            exact = sum(days.values()) * float(factor[column])
            own = [x for x in lines if x.enterprise == enterprise and x.commodity == gas]
            assert sum(x.on("S2/heat") for x in own) == pytest.approx(exact, rel=1e-9, abs=len(days))
    assert buyers == 3


@each_month
@pytest.mark.parametrize("name", ["location", "market"])
def test_scope_2_of_the_park_is_what_crosses_its_fence(posted: Posted, month: int, name: str) -> None:
    """Σ S2 + Σ ELIM: of the steam nothing stays; what remains is grid power, less what was claimed."""
    oracle, lines = posted.oracle, posted.select(month=month, book=name)
    for gas in GASES:
        own = [x for x in lines if x.commodity == gas]
        assert sum(x.on("S2/heat") + x.on("ELIM/S2/heat") for x in own) == 0
    bought, days = 0, 0
    for (_, subject, _), amounts in by_day(posted.energy(month)).items():
        if subject.startswith("GRID>"):
            bought, days = bought + sum(amounts.values()), days + len(amounts)
    if name == "market":
        bought -= sum(
            int(c["energy_mwh"]) * 10**6
            for c in oracle.park["claim"]
            if int(str(c["month"]).replace("-", "")) == month
        )
    factor = oracle.grid_factor(PROVINCE if name == "location" else RESIDUAL) * 1000
    power = sum(x.on("S2/electricity") + x.on("ELIM/S2/electricity") for x in lines if x.commodity == "CO2f")
    assert abs(power - half_even(bought * factor)) <= days


@pytest.mark.parametrize("method", ["energy@1", "exergy@1"])
def test_another_formula_a_store_that_fills_and_co2_that_is_bound(
    posted: Posted, tmp_path: Path, method: str
) -> None:
    """The same park described otherwise and posted as a difference: two months, stock carried over."""
    months = MONTHS[:2] if method == "energy@1" else MONTHS[:1]
    directory = tmp_path / "park"
    shutil.copytree(posted.workspace.directory, directory)
    file = directory / "park.toml"
    text = file.read_text("utf-8").replace('"ghgp_efficiency@1"', f'"{method}"')
    text = text.replace("\ncharge_efficiency = 0.9381", "\ncharge_efficiency = 0.97")
    file.write_text(text.replace('fate = "used"', 'fate = "mineral_binding"'), encoding="utf-8")
    workspace = open_workspace(directory)
    for month in months:
        workspace.run(month)
    oracle = posted.oracle.described_again(directory)
    changed = Posted(workspace, oracle, read_lines(directory / "lujin.db"))
    second = Book(changed)
    for month in months:
        before = second.level["E008-BAT"]
        compare(second.month(month), ledger(changed, month))
        assert second.level["E008-BAT"] > 10**5 and bool(before) == (month != months[0])
    assert second.stock["E008-BAT"][0] > 10**8
    assert ledger(changed, months[0]) != ledger(posted, months[0])
