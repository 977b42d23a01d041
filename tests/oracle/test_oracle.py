"""Every number of a small park against a second calculation that shares no code with the first."""

from __future__ import annotations

import shutil
from collections import defaultdict
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from oracle_ledger import FUELS, Line, Posted, by_day, converted, read_lines
from oracle_recompute import half_even

from lujin.workspace import open_workspace

pytestmark = pytest.mark.xdist_group("oracle")
MONTHS = (202506, 202507, 202508, 202510)
each_month = pytest.mark.parametrize("month", MONTHS)

RESIDUAL, NATION, PROVINCE = "grid_resid_national_2023", "grid_avg_national_2023", "grid_avg_guangdong_2023"
HEAT = Fraction(11, 100)


def label(flow: dict[str, str]) -> str:
    return f"{flow['source']}>{flow['target']}:{flow['carrier']}"


def ends(posted: Posted, flow: dict[str, str]) -> list[tuple[str, int]]:
    """The enterprises whose account a flow moves, each with the sign."""
    seller, buyer = posted.oracle.owner(flow["source"]), posted.oracle.owner(flow["target"])
    return [(e, sign) for e, sign in ((buyer, 1), (seller, -1)) if e and seller != buyer]


# ------------------------------------------------------------------------------------------------ energy


@each_month
def test_energy_per_flow_period_and_day(posted: Posted, month: int) -> None:
    oracle, ledger = posted.oracle, posted.energy(month)
    seen = set()
    for flow in oracle.flows.values():
        found = oracle.flow_month(flow["id"], month)
        timed = "connection" in flow
        expected: dict[tuple[str, int], int] = defaultdict(int)
        for slot, amount in found.slots.items():
            day, quarter = slot // 96 + 1, slot % 96
            period = oracle.period(date(month // 100, month % 100, day), quarter) if timed else ""
            expected[period, day] += amount
        for enterprise, sign in ends(posted, flow):
            seen.add((enterprise, label(flow)))
            cells = {
                (period, day, quality): amount
                for (who, subject, period), days in ledger.items()
                if (who, subject) == (enterprise, label(flow))
                for (day, quality), amount in days.items()
            }
            measured = {(p, d): a for (p, d, quality), a in cells.items() if quality == "measured" and a}
            assert measured == {key: sign * a for key, a in expected.items() if a}, flow["id"]
            estimated = sum(a for (_, _, quality), a in cells.items() if quality == "estimated")
            if not found.open:  # between two readings of a register the sum is known, whatever is missing
                assert estimated == sign * (found.total - found.measured), flow["id"]
    assert {(who, subject) for who, subject, _ in ledger} <= seen


@each_month
def test_generation_is_posted_whole(posted: Posted, month: int) -> None:
    for flow in posted.oracle.flows.values():
        node = posted.oracle.nodes[flow["source"]]
        if node["kind"] not in ("pv", "chp"):
            continue
        found = posted.oracle.flow_month(flow["id"], month)
        lines = posted.select(month=month, book="physical", credit=f"GEN/{node['id']}", subject=label(flow))
        carried = [x for x in lines if x.commodity == flow["carrier"]]
        assert sum(x.amount for x in carried) == found.total, flow["id"]


# ------------------------------------------------------------------------------------------------ money


@each_month
def test_electricity_bills(posted: Posted, month: int) -> None:
    oracle = posted.oracle
    first = date(month // 100, month % 100, 1)
    checked = 0
    for flow in oracle.flows.values():
        if flow["source"] != "GRID":
            continue
        enterprise, connection = flow["target"], oracle.connections[flow["connection"]]
        energy: dict[str, int] = defaultdict(int)
        for (who, subject, period), days in posted.energy(month).items():
            if (who, subject) == (enterprise, label(flow)):
                energy[period] += sum(days.values())
        cost: dict[str, int] = defaultdict(int)
        for x in posted.select(month=month, enterprise=enterprise, commodity="CNY", rule="energy_cost@1"):
            if x.subject == label(flow):
                cost[x.period] += x.on("COST/electricity")
        expected = {
            period: half_even(Fraction(wh) * Fraction(oracle.price(connection, first, period)) / 10)
            for period, wh in energy.items()
            if wh
        }
        assert cost == expected, flow["id"]
        checked += len(cost)
    assert checked > 25
    if month != 202510:  # one hot day in October, a whole season before
        assert any(x.period == "super_peak" for x in posted.select(month=month))


@each_month
def test_basic_charges(posted: Posted, month: int) -> None:
    oracle = posted.oracle
    first = date(month // 100, month % 100, 1)
    bases = set()
    for flow in oracle.flows.values():
        if flow["source"] != "GRID":
            continue
        found = oracle.flow_month(flow["id"], month)
        connection = oracle.connections[flow["connection"]]
        lines = posted.select(month=month, enterprise=flow["target"], rule="basic_charge@1")
        charged = sum(x.on(f"COST/{connection['basis']}_charge") for x in lines)
        peak_kw = Fraction(4 * max(found.slots.values(), default=0), 1000)
        charge = oracle.demand_charge(connection, first, peak_kw)
        if charge is None:
            assert not lines
            continue
        assert charged == half_even(charge * 100), flow["id"]
        bases.add(connection["basis"])
    assert bases == {"demand", "capacity"}


@each_month
def test_feed_in_and_prices_of_the_park(posted: Posted, month: int) -> None:
    oracle = posted.oracle
    energy = posted.energy(month)
    for (enterprise, subject, _), days in _joined(energy).items():
        source, _, rest = subject.partition(">")
        target, _, carrier = rest.partition(":")
        if source == "GRID":
            continue
        total = sum(days)
        lines = posted.select(month=month, enterprise=enterprise, subject=subject, commodity="CNY")
        paid = sum(x.amount * (x.debit.startswith("COST/") - x.credit.startswith("COST/")) for x in lines)
        if target == "GRID":
            assert paid == half_even(Fraction(total) * Fraction(453, 1000) / 10), subject
            continue
        price, base = _price(oracle.park["price"], carrier, source, target, month)
        assert paid == half_even(Fraction(total) * price * 100 / base), subject


def _joined(energy):  # type: ignore[no-untyped-def]
    found = defaultdict(list)
    for (enterprise, subject, _), days in energy.items():
        found[enterprise, subject, ""] += days.values()
    return found


def _price(prices, carrier, source, target, month):  # type: ignore[no-untyped-def]
    day = date(month // 100, month % 100, 1)
    held = [
        p
        for p in prices
        if p["carrier"] == carrier
        and p.get("source", source) == source
        and p.get("target", target) == target
        and p.get("valid_from", day) <= day
        and day < p.get("valid_to", date.max)
    ]
    best = max(held, key=lambda p: ("source" in p) + ("target" in p))
    base = {"CNY/GJ": 10**6, "CNY/m3": 1000, "CNY/Nm3": 1000, "CNY/t": 10**6}[best["unit"]]
    return Fraction(Decimal(best["value"])), base


# ------------------------------------------------------------------------------------------------ coal


@each_month
@pytest.mark.parametrize("basis", ["ce_equivalent", "ce_equal"])
def test_standard_coal(posted: Posted, month: int, basis: str) -> None:
    """Comprehensive energy = purchases + own renewable generation − deliveries, line by line, day by day."""
    oracle = posted.oracle
    equivalent = basis == "ce_equivalent"
    factor = {
        "electricity": oracle.coal_factor("电力(当量值)" if equivalent else "供电煤耗 2025") * 10**6 / 1000,
        "steam": oracle.coal_factor("热力(当量值)" if equivalent else "热力(等价值)") * 10**6 / 1000,
    }
    factor |= {c: oracle.coal_factor(coal) * 10**6 / base for c, (_, _, coal, base) in FUELS.items()}
    expected: dict[str, int] = defaultdict(int)
    for (enterprise, subject, _), days in by_day(posted.energy(month)).items():
        if subject.rpartition(":")[2] in factor:
            expected[enterprise] += converted(days, factor[subject.rpartition(":")[2]])
    for x in posted.select(month=month, book="physical", rule="self_use@1"):
        expected[x.enterprise] += half_even(x.amount * factor["electricity"])
    found: dict[str, int] = defaultdict(int)
    for x in posted.select(month=month, commodity=basis):
        found[x.enterprise] += x.amount * (x.debit.startswith("OWN/") - x.credit.startswith("OWN/"))
    assert found == expected


# ------------------------------------------------------------------------------------------------ carbon


def carbon(lines: list[Line], account: str) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = defaultdict(int)
    for x in lines:
        if account in (x.debit, x.credit):
            found[x.enterprise, x.commodity] += x.on(account)
    return {key: amount for key, amount in found.items() if amount}


@each_month
@pytest.mark.parametrize("book", ["location", "market", "regulatory"])
def test_scope_1_of_fuels(posted: Posted, month: int, book: str) -> None:
    oracle = posted.oracle
    for carrier, (name, kind, _, _) in FUELS.items():
        factors = {"CO2f": oracle.fuel_co2_mg_per_base("GBT32151-C1", name)}
        if book != "regulatory":
            factors["CH4f"] = oracle.fuel_gas_mg_per_base("GBT32151-C1", name, kind, "CH4")
            factors["N2O"] = oracle.fuel_gas_mg_per_base("GBT32151-C1", name, kind, "N2O")
        expected = {
            (enterprise, gas): converted(days, factor)
            for (enterprise, subject, _), days in by_day(posted.energy(month)).items()
            if subject.endswith(f":{carrier}")
            for gas, factor in factors.items()
        }
        assert carbon(posted.select(month=month, book=book), f"S1/{carrier}") == expected


@each_month
@pytest.mark.parametrize("book", ["location", "market", "regulatory"])
def test_scope_1_of_limestone_in_the_flue_gas(posted: Posted, month: int, book: str) -> None:
    factor = posted.oracle.process_factor("碳酸钙(石灰石)") * 1000
    expected = {
        (enterprise, "CO2f"): converted(days, factor)
        for (enterprise, subject, _), days in by_day(posted.energy(month)).items()
        if subject.endswith(":limestone")
    }
    assert list(expected) == [("E002", "CO2f")]
    assert carbon(posted.select(month=month, book=book), "S1/limestone") == expected


@each_month
def test_scope_2_by_location(posted: Posted, month: int) -> None:
    factor = posted.oracle.grid_factor(PROVINCE) * 1000
    expected = {
        (enterprise, "CO2f"): converted(days, factor)
        for (enterprise, subject, _), days in by_day(posted.energy(month)).items()
        if subject.startswith("GRID>") and any(days.values())
    }
    assert carbon(posted.select(month=month, book="location"), "S2/electricity") == expected


@each_month
def test_scope_2_by_market(posted: Posted, month: int) -> None:
    """Claims take from the purchases; the rest counts at the residual mix; each line is rounded to a mg."""
    oracle = posted.oracle
    factor = oracle.grid_factor(RESIDUAL) * 1000
    claimed = {
        c["enterprise"]: int(c["energy_mwh"]) * 10**6
        for c in oracle.park["claim"]
        if int(str(c["month"]).replace("-", "")) == month
    }
    assert claimed
    market = posted.select(month=month, book="market")
    found = carbon(market, "S2/electricity")
    for (enterprise, subject, _), days in by_day(posted.energy(month)).items():
        if not subject.startswith("GRID>") or not any(days.values()):
            continue
        bought, covered = sum(days.values()), claimed.get(enterprise, 0)
        assert covered <= bought
        memo = sum(x.amount for x in market if x.enterprise == enterprise and x.debit.startswith("MEMO/"))
        assert memo == covered
        assert abs(found.pop((enterprise, "CO2f")) - (bought - covered) * factor) <= len(days)
    assert not found


@each_month
def test_regulatory_net_purchases(posted: Posted, month: int) -> None:
    nation = posted.oracle.grid_factor(NATION) * 1000
    power: dict[tuple[str, str], int] = defaultdict(int)
    heat: dict[tuple[str, str], int] = defaultdict(int)
    for (enterprise, subject, _), days in by_day(posted.energy(month)).items():
        if subject.endswith(":electricity"):
            power[enterprise, "CO2f"] += converted(days, nation)
        elif subject.endswith(":steam"):
            heat[enterprise, "CO2f"] += converted(days, HEAT * 1000)
    lines = posted.select(month=month, book="regulatory")
    assert carbon(lines, "S2/electricity") == {key: a for key, a in power.items() if a}
    assert carbon(lines, "S2/heat") == {key: a for key, a in heat.items() if a}


# ------------------------------------------------------------------------------------------------ statement


@each_month
def test_statements_say_what_the_ledger_holds(posted: Posted, month: int) -> None:
    gwp = {
        row["gas"]: Fraction(row["value"])
        for row in posted.oracle.gwp
        if row["assessment"] == "AR6" and row["horizon_years"] == "100"
    }
    weight = {"CO2f": Fraction(1), "CO2b": 0, "CH4f": gwp["CH4 (fossil)"], "N2O": gwp["N2O"]}
    for enterprise in sorted({x.enterprise for x in posted.select(month=month)}):
        said = posted.workspace.statement(enterprise, month, "location").as_dict()
        own = posted.select(month=month, enterprise=enterprise)
        for book in said["books"]:
            for scope, name in (("S1", "scope1"), ("S2", "scope2")):
                gases: dict[str, int] = defaultdict(int)
                for x in own:
                    if x.book == book["book"]:
                        gases[x.commodity] += x.amount * (x.debit.startswith(scope) - x.credit.startswith(scope))
                assert int(book[f"{name}_co2"]["base"]) == gases["CO2f"]
                exact = sum(amount * weight[gas] for gas, amount in gases.items() if amount)
                assert int(book[f"{name}_co2e"]["base"]) == half_even(Fraction(exact))
        cost = sum(x.amount * _side(x, "COST/") for x in own if x.commodity == "CNY")
        assert int(said["cost_total"]["base"]) == cost
        for basis, name in (("ce_equivalent", "coal_equivalent"), ("ce_equal", "coal_equal")):
            coal = sum(x.amount * _side(x, "OWN/") for x in own if x.commodity == basis)
            assert int(said[name]["base"]) == coal


def _side(line: Line, beginning: str) -> int:
    return line.debit.startswith(beginning) - line.credit.startswith(beginning)


# ------------------------------------------------------------------------------------------------ second fuel set


def test_the_guideline_of_2015_takes_its_own_fuel_table(posted: Posted, tmp_path: Path) -> None:
    """The same park under the other regulatory pack: its NCV, carbon and oxidation, posted as a difference."""
    directory = tmp_path / "park"
    shutil.copytree(posted.workspace.directory, directory)
    file = directory / "park.toml"
    text = file.read_text("utf-8")
    file.write_text(text.replace("gbt32151-2024@1", "ndrc2015-other-industry@1"), encoding="utf-8")
    open_workspace(directory).run(202507)
    lines = [x for x in read_lines(directory / "lujin.db") if x.month == 202507]
    changed = Posted(posted.workspace, posted.oracle, lines)
    for carrier, (name, _, _, _) in FUELS.items():
        factor = posted.oracle.fuel_co2_mg_per_base("NDRC2015-other-industry", name)
        expected = {
            (enterprise, "CO2f"): converted(days, factor)
            for (enterprise, subject, _), days in by_day(posted.energy(202507)).items()
            if subject.endswith(f":{carrier}")
        }
        assert carbon(changed.select(book="regulatory"), f"S1/{carrier}") == expected
        if carrier != "natural_gas":  # the two tables agree on gas
            before = carbon(posted.select(month=202507, book="regulatory"), f"S1/{carrier}")
            assert all(expected[key] > amount for key, amount in before.items())
    for book in ("location", "market"):
        assert changed.select(book=book) == posted.select(month=202507, book=book)
