"""The accounts of a demo park worked out a second time, from its files alone, in plain Python.

Nothing of lujin is imported. What comes in: ``park.toml``, ``days.csv``, ``arrivals/`` and the reference tables as
CSV. Readings become energy by plain differences; where a reading is missing nothing is estimated, the span is left
out and remembered (``Month.open``). Everything is exact (int, Fraction, Decimal); a ledger amount is rounded half
to even per line, as accounts are.
"""

from __future__ import annotations

import csv
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

SHANGHAI = timezone(timedelta(hours=8))
SLOT = 900
# Base units per unit: Wh, kJ, L, g
BASE = {
    ("electricity", "kWh"): 1000,
    ("electricity", "kW"): 1000,
    ("heat", "GJ"): 10**6,
    ("volume", "m3"): 1000,
    ("volume", "Nm3"): 1000,
    ("mass", "t"): 10**6,
    ("mass", "kg"): 1000,
}
DIMENSION = {
    "electricity": "electricity",
    "steam": "heat",
    "natural_gas": "volume",
    "water": "volume",
    "compressed_air": "volume",
}
GENERATORS = {"pv", "chp"}
OUTSIDE = {"grid", "supplier", "landfill"}


def half_even(value: Fraction) -> int:
    return round(value)


def epoch(value: Any) -> int | None:
    """Seconds of a TOML date (local midnight) or datetime."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return int(value.timestamp())
    return int(datetime(value.year, value.month, value.day, tzinfo=SHANGHAI).timestamp())


def month_bounds(month: int) -> tuple[int, int]:
    year, number = divmod(month, 100)
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    start, end = (datetime(y, m, 1, tzinfo=SHANGHAI) for y, m in ((year, number), following))
    return int(start.timestamp()), int(end.timestamp())


# ------------------------------------------------------------------------------------------------ files


def read_arrivals(folder: Path, meters: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[int, float]]:
    """meter → epoch second as written → value; later rows and later files win."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    alias = {name: m["id"] for m in meters.values() for name in m.get("alias", ())}
    for path in sorted(folder.glob("*.parquet")):
        for meter, time, value in pl.read_parquet(path).iter_rows():
            found[meter][int(time.timestamp())] = value
    for path in sorted(folder.glob("一期*.csv")):
        for row in csv.reader(path.read_text("gb18030").splitlines()[3:]):
            found[alias[row[0]]][local(row[2], "%Y-%m-%d %H:%M:%S")] = float(row[3])
    for path in folder.glob("电力监控*.csv"):
        rows = csv.reader(path.read_text("utf-8-sig").splitlines(), delimiter=";")
        names = next(rows)[1:]
        for row in rows:
            for name, cell in zip(names, row[1:], strict=True):
                if cell:
                    found[name][local(row[0], "%Y/%m/%d %H:%M")] = float(cell)
    for path in folder.glob("水表*.csv"):
        for meter, time, value in list(csv.reader(path.read_text("utf-8").splitlines()))[1:]:
            if meter in meters and "-02-30" not in time and value.replace(".", "").isdigit():
                found[meter][local(time, "%Y-%m-%d %H:%M")] = float(value)
    for path in folder.glob("用水*.xlsx"):
        frame = pl.read_excel(path)
        for row in frame.iter_rows(named=True):
            time, *cells = row.items()
            for name, value in cells:
                if value is not None:
                    found[name][int(time[1].replace(tzinfo=SHANGHAI).timestamp())] = value
    for path in folder.glob("月度*.csv"):
        for time, meter, value in list(csv.reader(path.read_text("utf-8").splitlines()))[1:]:
            found[meter][local(time, "%Y-%m-%d")] = float(value)
    for path in sorted((folder / "late").glob("*.csv")):
        for meter, time, value in list(csv.reader(path.read_text("utf-8").splitlines()))[1:]:
            found[meter][int(datetime.fromisoformat(time).timestamp())] = float(value)
    return found


def local(text: str, form: str) -> int:
    return int(datetime.strptime(text, form).replace(tzinfo=SHANGHAI).timestamp())


def read_table(*paths: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for path in paths:
        if path.is_file():
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows += list(csv.DictReader(file))
    return rows


# ------------------------------------------------------------------------------------------------ energy


@dataclass
class Span:
    """Energy [base units] of [begin, end) seconds, known as one number; ``gap``: a reading is missing inside."""

    begin: int
    end: int
    amount: int
    gap: bool


@dataclass
class Month:
    """Energy of one meter or flow: per slot where measured, per gap where only a sum or nothing is known."""

    slots: dict[int, int] = field(default_factory=dict)
    gaps: list[tuple[int, int, int]] = field(default_factory=list)  # begin, end, sum
    open: bool = False  # something is not known at all

    @property
    def total(self) -> int:
        return sum(self.slots.values()) + sum(amount for _, _, amount in self.gaps)

    @property
    def measured(self) -> int:
        return sum(self.slots.values())


class Oracle:
    """The park, its readings in ``months`` and the published tables."""

    def __init__(self, park: Path, tables: Path, months: Iterable[int]) -> None:
        described = tomllib.loads((park / "park.toml").read_text("utf-8"), parse_float=Decimal)
        self.park = described
        self.nodes = {n["id"]: n for n in described["node"]}
        self.flows = {f["id"]: f for f in described["flow"]}
        self.meters = {m["id"]: m for m in described["meter"]}
        self.connections = {c["id"]: c for c in described["connection"]}
        bounds = [month_bounds(month) for month in months]
        self.readings = {
            meter: {t: v for t, v in values.items() if any(a <= t <= b for a, b in bounds)}
            for meter, values in read_arrivals(park / "arrivals", self.meters).items()
        }
        self._spans: dict[str, list[Span]] = {}
        self._flows: dict[tuple[str, int], Month] = {}
        self.tariffs = read_table(tables / "tariffs.csv", park / "reference" / "tariffs.csv")
        self.coal = read_table(tables / "coal_equivalents.csv", park / "reference" / "coal_equivalents.csv")
        self.fuels = read_table(tables / "fuel_factors.csv")
        self.grid = read_table(tables / "grid_factors.csv")
        self.gwp = read_table(tables / "gwp.csv")
        self.hot = {
            date.fromisoformat(row["date"])
            for row in read_table(park / "days.csv")
            if Decimal(row["temperature_max_c"]) >= 35
        }

    def described_again(self, park: Path) -> Oracle:
        """The same readings and tables under another park file."""
        again = copy(self)
        again.park = tomllib.loads((park / "park.toml").read_text("utf-8"), parse_float=Decimal)
        assert again.park["meter"] == self.park["meter"] and again.park["flow"] == self.park["flow"]
        return again

    def owner(self, node: str) -> str:
        record = self.nodes[node]
        return "" if record["kind"] in OUTSIDE else record.get("owner", node)

    # ---- meters

    def base(self, meter: Mapping[str, Any], carrier: str) -> Fraction:
        if "enthalpy_kj_per_kg" in meter:
            unit = Fraction(1000) * Fraction(meter["enthalpy_kj_per_kg"])
        else:
            unit = Fraction(BASE[DIMENSION.get(carrier, "mass"), meter["unit"]])
        return unit * Fraction(meter.get("multiplier", 1))

    def spans(self, name: str, carrier: str) -> list[Span]:
        if name not in self._spans:
            self._spans[name] = self._read(name, carrier)
        return self._spans[name]

    def _read(self, name: str, carrier: str) -> list[Span]:
        """All that a physical meter says, as energies between instants."""
        meter = self.meters[name]
        base = self.base(meter, carrier)
        step = {"15min": 900, "1h": 3600, "1mo": 0}[meter["interval"]]
        begins, ends = epoch(meter.get("valid_from")), epoch(meter.get("valid_to"))
        # No export of the demo has more than four decimals
        exact = {
            time: Fraction(round(value * 10**4), 10**4) for time, value in self.readings.get(name, {}).items()
        }
        if meter["kind"] == "register":
            counts = {
                time: half_even(value * base)
                for time, value in exact.items()
                if (begins is None or time >= begins) and (ends is None or time <= ends)
            }
            if begins is not None and "initial" in meter:
                counts[begins] = half_even(Fraction(meter["initial"]) * base)
            if ends is not None and "final" in meter:
                counts[ends] = half_even(Fraction(meter["final"]) * base)
            modulus = half_even(10 ** meter["digits"] * base)
            times = sorted(counts)
            # Between two of the months there are no readings here, and nothing is asked.
            return [
                Span(a, b, (counts[b] - counts[a]) % modulus, 2 * (b - a) > 3 * step and b - a > SLOT)
                for a, b in pairwise(times)
                if b - a < 20 * 86_400
            ]
        shift = step if meter.get("stamp") == "end" else 0
        found = []
        for time in sorted(exact):
            start = time - shift
            if (begins is not None and start < begins) or (ends is not None and start >= ends):
                continue
            if step == 0:
                month = datetime.fromtimestamp(start, SHANGHAI)
                end = month_bounds(month.year * 100 + month.month)[1]
            else:
                end = start + step
            hours = Fraction(step, 3600) if meter["kind"] == "power" else 1
            found.append(Span(start, end, half_even(exact[time] * base * hours), False))
        return found

    def meter_month(self, name: str, carrier: str, month: int) -> Month:
        start, end = month_bounds(month)
        meter = self.meters[name]
        found = Month()
        covered = 0
        for span in self.spans(name, carrier):
            if span.end <= start or span.begin >= end:
                continue
            covered += min(span.end, end) - max(span.begin, start)
            assert start <= span.begin and span.end <= end, f"{name}: no reading at the month's border"
            if span.gap:
                found.gaps.append((span.begin, span.end, span.amount))
                continue
            # Linear inside, cut at slot borders of the cumulative sum
            done, length = 0, span.end - span.begin
            at = span.begin
            if span.end - span.begin == SLOT and (span.begin - start) % SLOT == 0:
                found.slots[(span.begin - start) // SLOT] = span.amount
                continue
            while at < span.end:
                slot = (at - start) // SLOT
                until = min(start + (slot + 1) * SLOT, span.end)
                reached = half_even(Fraction(span.amount * (until - span.begin), length))
                found.slots[slot] = found.slots.get(slot, 0) + reached - done
                at, done = until, reached
        lo = max(start, epoch(meter.get("valid_from")) or start)
        hi = min(end, epoch(meter.get("valid_to")) or end)
        found.open = covered < max(hi - lo, 0)
        return found

    # ---- flows

    def terms(self, flow: str) -> list[tuple[str, int, int | None, int | None]]:
        """meter, coefficient, window of the virtual meter."""
        found = []
        for meter in self.meters.values():
            if meter.get("flow") == flow:
                if meter["kind"] != "virtual":  # its own life is in its readings
                    found.append((meter["id"], 1, None, None))
                    continue
                window = epoch(meter.get("valid_from")), epoch(meter.get("valid_to"))
                found += [(name, int(coefficient), *window) for name, coefficient in meter["terms"].items()]
        return found

    def flow_month(self, flow: str, month: int) -> Month:
        if (flow, month) not in self._flows:
            self._flows[flow, month] = self._sum(flow, month)
        return self._flows[flow, month]

    def _sum(self, flow: str, month: int) -> Month:
        start, end = month_bounds(month)
        record = self.flows[flow]
        total = Month()
        for name, coefficient, opened, closed in self.terms(flow):
            lo = max(x for x in (start, opened, epoch(record.get("valid_from"))) if x is not None)
            hi = min(x for x in (end, closed, epoch(record.get("valid_to"))) if x is not None)
            if lo >= hi:
                continue
            part = self.meter_month(name, record["carrier"], month)
            total.open |= part.open
            for slot, amount in part.slots.items():
                if lo <= start + slot * SLOT < hi:  # a slot belongs to the window in which it starts
                    total.slots[slot] = total.slots.get(slot, 0) + coefficient * amount
            total.gaps += [(a, b, coefficient * amount) for a, b, amount in part.gaps]
        return total

    # ---- tariffs

    def period(self, on: date, quarter: int) -> str:
        """粤发改价格〔2021〕331号, written out by hand."""
        hour = quarter // 4
        if hour < 8:
            return "valley"
        if (hour == 11 or hour in (15, 16)) and (on.month in (7, 8, 9) or on in self.hot):
            return "super_peak"
        if hour in (10, 11) or 14 <= hour < 19:
            return "peak"
        return "flat"

    def tariff(self, connection: Mapping[str, Any], item: str, on: date, period: str = "") -> Decimal:
        rows = [
            row
            for row in self.tariffs
            if row["region"] == "广东"
            and row["item"] == item
            and row["period"] == period
            and row["applies_to"] in (connection["zone"], "全省")
            and row["customer_class"] in (connection["customer_class"], "all")
            and row["voltage"] in (connection["voltage"], "all")
            and row["valid_from"] <= on.isoformat()
            and (not row["valid_to"] or on.isoformat() <= row["valid_to"])
        ]
        (row,) = rows
        return Decimal(row["value"])

    def price(self, connection: Mapping[str, Any], on: date, period: str) -> Decimal:
        """CNY/kWh: flat as printed, else ratio × (flat price without funds), rounded to 0.01 fen, plus funds."""
        flat = self.tariff(connection, "energy_price", on, "flat")
        if period == "flat":
            return flat
        funds = Decimal("0.02766875")
        ratio = {"valley": "0.38", "flat": "1", "peak": "1.7", "super_peak": "2.125"}[period]
        moved = (Decimal(ratio) * (flat - funds)).quantize(Decimal("0.0001"), ROUND_HALF_UP)
        return moved + funds

    def demand_charge(self, connection: Mapping[str, Any], on: date, peak_kw: Fraction) -> Fraction | None:
        """Basic charge of the month [CNY] (两部制); None for a single-part tariff.

        In the month in which the connection begins or ends each day costs a thirtieth.
        """
        basis = connection["basis"]
        if basis == "single":
            return None
        price = Fraction(self.tariff(connection, f"{basis}_charge", on))
        if basis == "capacity":
            return price * Fraction(connection["capacity_kva"]) * self.part_of_month(connection, on)
        declared = max(Fraction(connection["contract_kw"]), Fraction(connection["capacity_kva"]) * Fraction(2, 5))
        limit = declared * Fraction(21, 20)
        billed = declared if peak_kw <= limit else limit + 2 * (peak_kw - limit)
        return price * half_even(billed * 1000) / 1000 * self.part_of_month(connection, on)

    def part_of_month(self, connection: Mapping[str, Any], on: date) -> Fraction:
        start, end = month_bounds(on.year * 100 + on.month)
        begins, ends = epoch(connection.get("valid_from")), epoch(connection.get("valid_to"))
        midnights = range(start, end, 86_400)
        used = [t for t in midnights if (begins is None or begins < t + 86_400) and (ends is None or ends > t)]
        return Fraction(1) if len(used) == len(midnights) else min(Fraction(len(used), 30), Fraction(1))

    # ---- factors

    def grid_factor(self, name: str) -> Fraction:
        (row,) = (row for row in self.grid if row["factor_id"] == name)
        return Fraction(row["value"])

    def coal_factor(self, name: str) -> Fraction:
        (row,) = (row for row in self.coal if row["name_zh"] == name)
        return Fraction(row["value"])

    def fuel_row(self, set_id: str, name: str) -> dict[str, str]:
        (row,) = (r for r in self.fuels if r["set_id"] == set_id and r["kind"] == "fuel" and r["name_zh"] == name)
        return row

    def fuel_co2_mg_per_base(self, set_id: str, name: str) -> Fraction:
        """NCV [GJ/unit] × CC [tC/TJ] / 1000 × OF × 44/12 tCO2 per unit → mg per base unit."""
        row = self.fuel_row(set_id, name)
        per_unit = (
            Fraction(row["ncv"])
            * Fraction(row["carbon_content_tC_per_TJ"])
            / 1000
            * Fraction(row["oxidation_fraction"])
            * Fraction(44, 12)
        )
        base = {"t": 10**6, "10^4 Nm3": 10**7}[row["activity_unit"]]
        return per_unit * 10**9 / base

    def fuel_gas_mg_per_base(self, set_id: str, name: str, kind: str, gas: str) -> Fraction:
        row = self.fuel_row(set_id, name)
        (parameter,) = (
            r
            for r in self.fuels
            if r["set_id"] == "IPCC2006"
            and r["kind"] == "parameter"
            and r["name_zh"] == kind
            and r["unit"] == f"kg{gas}/TJ"
        )
        base = {"t": 10**6, "10^4 Nm3": 10**7}[row["activity_unit"]]
        return Fraction(row["ncv"]) / 1000 * Fraction(parameter["value"]) * 10**6 / base

    def process_factor(self, name: str) -> Fraction:
        (row,) = (r for r in self.fuels if r["set_id"] == "PROCESS" and r["name_zh"] == name)
        return Fraction(row["value"])


def by_day(slots: Mapping[int, int]) -> dict[int, int]:
    found: dict[int, int] = defaultdict(int)
    for slot, amount in slots.items():
        found[slot // 96 + 1] += amount
    return found


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def rounded_days(amounts: Iterable[int], factor: Fraction) -> int:
    """Each day's amount times a factor, rounded half to even, added up: how a month of ledger lines sums."""
    return sum(half_even(amount * factor) for amount in amounts)
