"""A small park in a directory: registers of 100 kWh/h, files as gateways write them, a clock set by hand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from lujin.accounts.audit import canonical_bytes
from lujin.accounts.explanation import Explanation
from lujin.accounts.ledger import IDENTITY, net
from lujin.workspace import Workspace, open_workspace
from lujin.workspace.importing import FileResult
from lujin.workspace.running import RunReport

ZONE = ZoneInfo("Asia/Shanghai")
QUARTER = timedelta(minutes=15)
START = datetime(2025, 7, 1, tzinfo=ZONE)
END = datetime(2025, 7, 11, tzinfo=ZONE)
MONTH = 202507

HEAD = """\
[park]
id = "p"
timezone = "Asia/Shanghai"
region = "广东"

[park.packs]
location = "ghgp-location@1"
market = "ghgp-market@1"
regulatory = "gbt32151-2024@1"

[[node]]
id = "GRID"
kind = "grid"
"""
CUSTOMER = """
[[node]]
id = "E{n}"
kind = "enterprise"

[[flow]]
id = "F{n}"
carrier = "electricity"
source = "GRID"
target = "E{n}"
connection = "C{n}"

[[connection]]
id = "C{n}"
enterprise = "E{n}"
region = "广东"
zone = "珠三角六市"
customer_class = "工商业单一制"
voltage = "<1kV"
"""
METER = """
[[meter]]
id = "M{n}"
flow = "F{n}"
kind = "register"
unit = "kWh"
digits = 6
interval = "15min"
{more}
"""
# A flat price for every month of these tests; the shipped ratios make five periods of it.
PRICE = (
    "region,applies_to,customer_class,voltage,item,period,months,start,end,operator,value,unit,"
    "valid_from,valid_to,source,confidence\n"
    "广东,珠三角六市,工商业单一制,<1kV,energy_price,flat,,,,=,0.72766875,CNY/kWh,2024-01-01,2026-07-31,test,verified\n"
)
COAL = (
    "kind,name_zh,name_en,standard,heat_value,heat_unit,value,unit,valid_from,valid_to,source,confidence\n"
    "electricity,电力(等价值),electricity,,,,0.3,kgce/kWh,2024-01-01,2026-12-31,test,verified\n"
)

Rate = Callable[[datetime], float]


@dataclass(frozen=True)
class Reading:
    meter: str
    time: datetime
    value: float


def register(
    meter: str,
    start: datetime = START,
    end: datetime = END,
    rate: float | Rate = 100.0,
    initial: float = 1000.0,
    modulus: float = 1e6,
    step: timedelta = QUARTER,
) -> list[Reading]:
    """Counts at every step from start to end, both included. ``rate`` [kWh/h]: of the interval that follows."""
    found, count, at = [], initial, start
    while at <= end:
        found.append(Reading(meter, at, round(count % modulus, 3)))
        now = rate(at) if callable(rate) else rate
        count += now * step / timedelta(hours=1)
        at += step
    return found


def without(readings: Iterable[Reading], first: datetime, last: datetime) -> list[Reading]:
    """Readings outside [first, last)."""
    return [r for r in readings if not first <= r.time < last]


def within(readings: Iterable[Reading], first: datetime, last: datetime) -> list[Reading]:
    return [r for r in readings if first <= r.time < last]


@dataclass
class Site:
    """A park directory and a clock. Every verb opens the park anew, as another command would."""

    directory: Path
    now: datetime = datetime(2025, 8, 1, 1, tzinfo=UTC)
    files: int = 0
    opened: list[Workspace] = field(default_factory=list)

    def describe(self, text: str) -> Site:
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "park.toml").write_text(text, encoding="utf-8")
        self.reference("tariffs", PRICE)
        self.reference("coal_equivalents", COAL)
        return self

    def reference(self, table: str, text: str) -> None:
        folder = self.directory / "reference"
        folder.mkdir(exist_ok=True)
        (folder / f"{table}.csv").write_text(text, encoding="utf-8")

    def open(self) -> Workspace:
        workspace = open_workspace(self.directory, clock=self.tick, environment={})
        self.opened.append(workspace)
        return workspace

    def tick(self) -> datetime:
        """Every look at the clock is a little later."""
        self.now += timedelta(milliseconds=1)
        return self.now

    def later(self, **span: float) -> Site:
        self.now += timedelta(**span)
        return self

    def write(self, readings: Iterable[Reading], name: str = "") -> Path:
        self.files += 1
        path = self.directory / "arrivals" / (name or f"arrival-{self.files:02}.csv")
        path.parent.mkdir(exist_ok=True)
        rows = (f"{r.meter},{r.time.isoformat()},{r.value!r}" for r in readings)
        path.write_text("\n".join(["meter,time,value", *rows]) + "\n", encoding="utf-8")
        return path

    def take(self, readings: Iterable[Reading], name: str = "") -> FileResult:
        return self.take_file(self.write(readings, name))

    def take_file(self, path: Path) -> FileResult:
        self.later(minutes=1)
        (result,) = self.open().import_files([path])
        return result

    def run(self, month: int | None = None) -> RunReport:
        self.later(minutes=1)
        return self.open().run(month)

    # Questions ---------------------------------------------------------------------------------------------

    def bytes(self, *, recorded: bool = False) -> bytes:
        with self.open().engine.connect() as connection:
            return b"".join(canonical_bytes(connection, recorded=recorded))

    def net(self, months: Collection[int] = (MONTH,), as_of: datetime | None = None) -> pl.DataFrame:
        """Net amounts of every line key and day; keys tell account, period, quality, factor."""
        with self.open().engine.connect() as connection:
            frames = [net(connection, month, as_of=as_of) for month in months]
        return pl.concat(frames).sort(*IDENTITY, "day")

    def verified(self) -> dict[str, int]:
        return self.open().verify(replay=True)

    def energy_kwh(self, enterprise: str = "E1", month: int = MONTH) -> float:
        return float(self.open().statement(enterprise, month).energy[0].purchased.value)

    def hours(self, enterprise: str, day: str) -> Mapping[int, tuple[int, list[str]]]:
        """Hour of the day → energy [Wh] over all meters and the flags of its quarters, as explain tells them."""
        found: dict[int, tuple[int, list[str]]] = {}
        for node in self.nodes(f"{enterprise}:{day[:7]}:physical:OWN/electricity:{day}", "hour"):
            hour, slots = int(node.params["hour"]), node.data["slots"]
            energy, flags = found.get(hour, (0, []))
            energy += sum(int(slot["amount"]) for slot in slots)
            found[hour] = (energy, flags + [flag for slot in slots for flag in slot["flags"]])
        return found

    def nodes(self, reference: str, kind: str) -> list[Explanation]:
        return [node for node in self.open().explain(reference).walk() if node.kind == kind]


def text_of(customers: int = 5, more: Mapping[int, str] | None = None, meters: str = METER) -> str:
    """A park of customers with one register each; ``more``: further lines of a meter."""
    extra = more or {}
    parts = [CUSTOMER.format(n=n) + meters.format(n=n, more=extra.get(n, "")) for n in range(1, customers + 1)]
    return HEAD + "".join(parts)
