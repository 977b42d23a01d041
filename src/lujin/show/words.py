"""The words of the field in the user's language: codes of books, accounts, periods, reasons, flags … as names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lujin.errors import N_, Problem
from lujin.language import Speech

if TYPE_CHECKING:
    from lujin.park import Park

BOOKS: Mapping[str, str] = {
    "physical": N_("energy and cost"),
    "embodied": N_("embodied carbon"),
    "location": N_("location-based"),
    "market": N_("market-based"),
    "regulatory": N_("regulatory"),
}
SCOPES: Mapping[str, str] = {
    "S1": N_("scope 1"),
    "S2": N_("scope 2"),
    "S3.1": N_("scope 3.1, purchased goods"),
    "S3.3": N_("scope 3.3, upstream of fuels and energy"),
    "S3.4": N_("scope 3.4, upstream transport"),
    "S3.5": N_("scope 3.5, waste"),
    "S3.9": N_("scope 3.9, downstream transport"),
    "ELIM": N_("eliminated in the park"),
    "MEMO": N_("memo"),
}
PERIODS: Mapping[str, str] = {
    "super_peak": N_("super peak"),
    "peak": N_("peak"),
    "flat": N_("flat"),
    "valley": N_("valley"),
    "deep_valley": N_("deep valley"),
}
COMMODITIES: Mapping[str, str] = {
    "CO2f": N_("CO2, fossil"),
    "CO2b": N_("CO2, biogenic"),
    "CH4f": N_("CH4, fossil"),
    "CH4b": N_("CH4, biogenic"),
    "N2O": "N2O",
    "CNY": N_("money"),
    "ce_equivalent": N_("standard coal, equivalent value"),
    "ce_equal": N_("standard coal, equal value"),
}
ITEMS: Mapping[str, str] = {
    "capacity_charge": N_("basic charge by capacity"),
    "demand_charge": N_("basic charge by demand"),
    "feed_in": N_("income from feed-in"),
}
SOURCES: Mapping[str, str] = {
    "S2/electricity": N_("purchased electricity"),
    "S2/heat": N_("purchased heat"),
    "MEMO/biogenic": N_("biogenic CO2"),
    "MEMO/green_power": N_("green power"),
    "MEMO/certificate": N_("green certificate"),
}
REASONS: Mapping[str, str] = {
    "initial": N_("first posting"),
    "late_reading": N_("late readings"),
    "correction": N_("corrected readings"),
    "park_change": N_("park changed"),
    "late_factor": N_("missing factor supplied"),
    "restatement": N_("restatement"),
}
STATES: Mapping[str, str] = {
    "not_posted": N_("not posted"),
    "posted": N_("posted"),
    "restated": N_("restated"),
}
QUALITIES: Mapping[str, str] = {
    "measured": N_("measured"),
    "estimated": N_("estimated"),
    "estimated by the supplier": N_("estimated by the supplier"),
    "read by hand": N_("read by hand"),
    "withdrawn": N_("withdrawn"),
}
CONFIDENCE: Mapping[str, str] = {"verified": N_("verified"), "unverified": N_("unverified")}
FLAGS: Mapping[str, str] = {
    "MISSING": N_("missing"),
    "ESTIMATED": N_("estimated"),
    "INTERPOLATED": N_("interpolated"),
    "PARTIAL": N_("partial"),
    "RANGE": N_("above capacity"),
    "SPIKE": N_("spike"),
    "FLATLINE": N_("flatline"),
    "NEGATIVE": N_("negative"),
    "CLOCK": N_("clock shift"),
    "UNIT_JUMP": N_("unit jump"),
    "ROLLOVER": N_("rollover"),
    "REPLACED": N_("meter replaced"),
    "RESET": N_("reset"),
    "OVERLAP": N_("overlap"),
    "MANUAL": N_("read by hand"),
    "OUTSIDE": N_("not in service"),
}
EVENTS: Mapping[str, str] = {
    "rollover": N_("rollover"),
    "replacement": N_("meter replaced"),
    "reset": N_("reset"),
    "spike": N_("spike"),
    "backwards": N_("runs backwards"),
    "unreadable": N_("unreadable"),
    "outside_validity": N_("not in service"),
    "spacing": N_("other interval than stated"),
}
DETAILS: Mapping[str, str] = {
    "before": N_("before"),
    "after": N_("after"),
    "count": N_("count at the swap"),
    "readings": N_("number of readings"),
    "steps": N_("number of steps"),
    "energy": N_("energy"),
    "off_by": N_("off by"),
    "modulus": N_("full turn"),
    "expected_s": N_("stated interval"),
    "found_s": N_("found interval"),
}
ROLES: Mapping[str, str] = {
    "time": N_("time"),
    "date": N_("date"),
    "meter": N_("meter"),
    "value": N_("reading"),
    "unit": N_("unit"),
    "quality": N_("quality"),
    "ignored": N_("ignored"),
}
METER_KINDS: Mapping[str, str] = {
    "interval": N_("interval meter"),
    "register": N_("register"),
    "power": N_("power meter"),
    "virtual": N_("virtual meter"),
}
RULES: Mapping[str, str] = {
    "combustion": N_("CO2 of burned fuel"),
    "combustion_gas": N_("CH4 or N2O of burned fuel"),
    "process": N_("CO2 of a decomposed carbonate"),
    "purchased_electricity_location": N_("CO2 of purchased electricity, grid average"),
    "purchased_electricity_market": N_("CO2 of purchased electricity, by contract"),
    "net_purchased_electricity": N_("CO2 of net purchased electricity"),
    "purchased_heat": N_("CO2 of purchased heat"),
    "net_purchased_heat": N_("CO2 of net purchased heat"),
    "own_factor": N_("emissions of energy from a neighbour's plant, by its own factor"),
    "elimination": N_("neighbours' scope 2 that consolidation takes out"),
    "sold_attribute": N_("own renewable power whose certificate is claimed"),
    "scope3_activity": N_("scope 3 by activity and factor"),
    "scope3_transport": N_("scope 3 of transport"),
    "coal_equivalent": N_("standard coal, equivalent value"),
    "coal_equal_value": N_("standard coal, equal value"),
    "self_use": N_("own generation used on site"),
    "energy_cost": N_("energy charge"),
    "basic_charge": N_("basic charge of the two-part tariff"),
    "feed_in": N_("income from feed-in"),
    "metered": N_("metered quantity"),
    "pass_on": N_("carbon passed on"),
    "stock_change": N_("change of stock"),
    "captured_co2": N_("captured CO2"),
    "energy": N_("shared by energy"),
    "ghgp_efficiency": N_("shared by efficiency, GHG Protocol"),
    "fuel_share": N_("shared by fuel"),
    "exergy": N_("shared by exergy"),
    "egrid": N_("shared as eGRID does"),
    "mee_heat_ratio": N_("shared by the ratio of heat supplied"),
    "declared": N_("shared as declared"),
}
UNITS: Mapping[str, str] = {
    "% of contract demand": N_("% of contract demand"),
    "% of transformer capacity": N_("% of transformer capacity"),
}
_EN_UNITS = {"m3": "m³", "Nm3": "Nm³", ".": "·"}
_ZH_UNITS = {"m3": "m³", "Nm3": "Nm³", ".": "·", "CNY": "元", "month": "月", "certificate": "张"}


@dataclass(frozen=True)
class Words:
    """Names of everything a report mentions. ``park`` gives the names of carriers and nodes."""

    say: Speech
    park: Park

    @property
    def chinese(self) -> bool:
        return self.say.language == "zh"

    def term(self, table: Mapping[str, str], code: str) -> str:
        return self.say(table.get(code, code))

    def book(self, code: str) -> str:
        return self.term(BOOKS, code)

    def unit(self, unit: str) -> str:
        """The unit as printed: 元 for CNY in Chinese."""
        if unit in UNITS:
            return self.term(UNITS, unit)
        units = _ZH_UNITS if self.chinese else _EN_UNITS
        return "".join(units.get(part, part) for part in re.split(r"([/. ])", unit))

    def carrier(self, code: str) -> str:
        found = self.park.carriers.get(code)
        return self.say(code) if found is None else self.say.name(found.name_zh, found.name_en)

    def node(self, code: str) -> str:
        """Name of an enterprise or plant; the id where it has none."""
        found = self.park.nodes.get(code)
        return code if found is None else self.say.name(found.name_zh, found.name_en) or code

    def commodity(self, code: str) -> str:
        if code.startswith("CO2e:"):
            gwp = code.partition(":")[2]
            said = self.say(N_("no GWP stated")) if gwp == "unstated" else gwp
            return self.say.fill(N_("CO2e as published ({gwp})"), gwp=said)
        return self.term(COMMODITIES, code) if code in COMMODITIES else self.carrier(code)

    def item(self, code: str) -> str:
        """A cost item: a charge of the tariff, a carrier, or a carrier that was sold."""
        if code in ITEMS:
            return self.term(ITEMS, code)
        if code.endswith("_sold"):
            return self.say.fill(N_("sale of {carrier}"), carrier=self.carrier(code.removesuffix("_sold")))
        return self.carrier(code)

    def source(self, account: str) -> str:
        """What stands behind an account of scope 1, scope 2 or memo."""
        group, _, rest = account.partition("/")
        if group == "ELIM":
            return self.source(rest)
        if account in SOURCES:
            return self.term(SOURCES, account)
        kind, _, instrument = rest.partition("/")
        if f"{group}/{kind}" in SOURCES and instrument:
            return f"{self.term(SOURCES, f'{group}/{kind}')} {instrument}"
        return self.carrier(rest)

    def account(self, account: str) -> str:
        """A ledger account, without the enterprise, as a person calls it."""
        group, _, rest = account.partition("/")
        if group in SCOPES:
            return self.say.fill(N_("{scope}: {name}"), scope=self.term(SCOPES, group), name=self.source(account))
        match group:
            case "OWN" if rest in self.park.nodes:
                return self.say.fill(N_("own use: {party}"), party=self.node(rest))
            case "OWN":
                return self.say.fill(N_("own use of {carrier}"), carrier=self.carrier(rest))
            case "OUT":
                return self.say.fill(N_("sold outside: {party}"), party=self.node(rest))
            case "WIP":
                return self.say.fill(N_("in progress: {pool}"), pool=self.pool(rest))
            case "STK":
                return self.say.fill(N_("in store: {party}"), party=self.node(rest))
            case "SUSPENSE":
                return self.say.fill(N_("in suspense: {party}"), party=rest)
            case "COST":
                return self.say.fill(N_("cost of {item}"), item=self.item(rest))
            case "EXT":
                return self.say.fill(N_("outside: {name}"), name=self.node(rest))
            case "GEN":
                return self.say.fill(N_("generation: {name}"), name=self.node(rest))
            case "DUE":
                return self.say.fill(N_("settlement with {name}"), name=self.node(rest))
            case "ATM":
                return self.say.fill(N_("atmosphere, from {carrier}"), carrier=self.carrier(rest))
        return account

    def pool(self, code: str) -> str:
        """A pool of book embodied: the node's work, or a carrier at the node."""
        node, _, carrier = code.partition("/")
        return f"{self.node(node)} · {self.carrier(carrier)}" if carrier else self.node(node)

    def rule(self, code: str) -> str:
        return self.term(RULES, code.partition("@")[0]) if code.partition("@")[0] in RULES else code

    def flags(self, names: str | tuple[str, ...]) -> str:
        """Flag names, given as a tuple or as ``NAME 3, OTHER 1``."""
        listed = names.split(", ") if isinstance(names, str) else list(names)
        said = []
        for entry in listed:
            name, _, count = entry.partition(" ")
            said.append(f"{self.term(FLAGS, name)} {count}".rstrip())
        return self.comma().join(said)

    def period(self, code: str) -> str:
        return self.term(PERIODS, code) if code else ""

    def instrument(self, kind: str) -> str:
        return self.term(SOURCES, f"MEMO/{kind}")

    def named(self, problem: Problem) -> Problem:
        """The problem with names where its fields hold codes of this park."""
        return replace(problem, params={name: self._field(name, value) for name, value in problem.params.items()})

    def _field(self, name: str, value: Any) -> Any:
        if isinstance(value, Problem):
            return self.named(value)
        match name:
            case "carrier" if value in self.park.carriers:
                return self.carrier(value)
            case "carriers":
                return re.sub(r"[a-z]\w*", lambda found: self.carrier(found[0]), str(value))
            case "pool":
                return self.pool(str(value))
            case "pools":
                return " → ".join(self.pool(code) for code in str(value).split(" → "))
            case "enterprise" if value in self.park.nodes:
                return f"{self.node(value)} ({value})"
            case "period":
                return self.term(PERIODS, value)
            case "book":
                return self.term(BOOKS, value)
            case "month" if isinstance(value, int):
                return f"{value // 100}-{value % 100:02}"
        return value

    def semicolon(self) -> str:
        return "；" if self.chinese else "; "

    def comma(self) -> str:
        return "、" if self.chinese else ", "
