"""What a park is: a graph of dated nodes, flows and meters, as frozen records.

Every record has ``valid_from`` and ``valid_to`` (UTC, half-open; None: unbounded) and ``line``, its place in
the park file; two records that differ only in their line are equal. Numbers that enter money or carbon are
Decimal, never float.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from lujin.park.carriers import Carrier

NodeKind = Literal[
    "enterprise",  # 企业: holds an account
    "operator",  # 园区运营方: an enterprise that also owns the park's networks
    "grid",  # 公共电网: outside the fence
    "supplier",  # 供应商: gas, coal, water or heat company outside the fence
    "customer",  # 园区外客户
    "pv",
    "wind",
    "battery",
    "boiler",
    "chp",
    "main",  # 母线、管网: bus, steam main, air main
    "process",  # 工艺过程
    "landfill",
    "air",  # 大气
]
OUTSIDE: frozenset[str] = frozenset({"grid", "supplier", "customer", "landfill", "air"})
ACCOUNT_HOLDERS: frozenset[str] = frozenset({"enterprise", "operator"})

MeterKind = Literal["interval", "register", "power", "virtual"]
Stamp = Literal["start", "end"]
Basis = Literal["single", "demand", "capacity"]
# Formula ids: two formulas share the name "efficiency method", so that the word alone is none of them.
JointMethod = Literal[
    "energy@1",
    "ghgp_efficiency@1",
    "fuel_share@1",
    "exergy@1",
    "egrid@1",
    "mee_heat_ratio@1",
    "declared@1",
]
TransferStatus = Literal["energy", "product", "co_product", "by_product", "waste", "captured_co2"]
Fate = Literal["", "used", "mineral_binding", "geological_storage"]
Origin = Literal["", "fossil", "biogenic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A place that takes in or gives out. ``owner`` is the enterprise that answers for it (itself, if one)."""

    id: str
    kind: NodeKind
    name_zh: str = ""
    name_en: str = ""
    owner: str = ""
    sector: str = ""  # GB/T 4754-2017 class, e.g. "C2231"
    tenant: str = ""
    longitude: float | None = None
    latitude: float | None = None
    floor_area_m2: Decimal | None = None
    employees: int | None = None
    split_from: str = ""  # the enterprise this one was split off (拆分)
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One carrier from ``source`` to ``target``. ``connection`` names the grid connection that bills it."""

    id: str
    carrier: str
    source: str
    target: str
    connection: str = ""
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """Measures one flow.

    ``register``: a counter read at an instant, in ``unit``, times ``multiplier`` (CT × PT ratio), rolling over
    at 10**``digits``. ``interval``: a quantity per interval. ``power``: mean power or rate of the interval.
    ``virtual``: the sum of ``terms`` (meter id → coefficient). ``interval_s`` is the expected spacing [s],
    0 for one calendar month. ``stamp`` says whether a timestamp marks the start or the end of its interval
    (registers: the instant itself). ``capacity`` is the greatest plausible rate in ``unit`` per hour
    (power: in ``unit``) after the multiplier. ``replaces``: the device that this one took over from, with
    the old device's ``final`` lying on that record and the new one's ``initial`` here.
    Several meters on one flow add up.
    """

    id: str
    flow: str = ""
    kind: MeterKind = "interval"
    unit: str = "kWh"
    multiplier: Decimal = Decimal(1)
    digits: int | None = None
    accuracy_class: str = ""
    interval_s: int = 900
    stamp: Stamp = "start"
    capacity: Decimal | None = None
    timezone: str = ""
    enthalpy_kj_per_kg: Decimal | None = None
    replaces: str = ""
    initial: Decimal | None = None
    final: Decimal | None = None
    terms: Mapping[str, Decimal] = field(default_factory=dict)
    alias: Sequence[str] = ()  # names under which export files know this meter
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Grid connection and tariff class (用电户). Names the rows of the tariff tables that apply.

    ``basis``: ``single`` (单一制), ``demand`` (两部制, maximum demand) or ``capacity`` (两部制, transformer).
    ``contract_kw`` is the declared maximum demand [kW], ``capacity_kva`` the transformer capacity [kVA].
    """

    id: str
    enterprise: str
    region: str
    zone: str
    customer_class: str
    voltage: str
    basis: Basis = "single"
    contract_kw: Decimal | None = None
    capacity_kva: Decimal | None = None
    feed_in: str = ""  # tariff item that pays for export, e.g. "coal_benchmark_feed_in"
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a carrier costs between two parties [unit: "CNY/<unit of the carrier>"]. Empty party: any."""

    carrier: str
    value: Decimal
    unit: str
    source: str = ""
    target: str = ""
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Output quantity (产量) or value added of an enterprise in a local calendar month."""

    enterprise: str
    product: str
    month: int
    quantity: Decimal
    unit: str
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A contractual instrument: ``green_power`` (绿电交易) or ``certificate`` (绿证, GEC), issued once.

    ``energy_mwh`` is its whole quantity [MWh]; ``valid_from``/``valid_to`` its generation vintage.
    """

    id: str
    kind: Literal["green_power", "certificate"]
    energy_mwh: Decimal
    device: str = ""
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The retirement of a part of an instrument by one enterprise for one local calendar month."""

    instrument: str
    enterprise: str
    month: int
    energy_mwh: Decimal
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """How the carbon of a node is shared among what it makes (联产分摊).

    ``method`` is a formula id of ``lujin.accounts.joint``. ``power_reference`` and ``heat_reference`` [1] are
    the efficiencies of separate production, ``heat_temperature_k`` and ``ambient_temperature_k`` [K] the
    entropy-mean temperature of the heat and that of the surroundings, ``boiler_efficiency`` [1] gives the heat
    of the boiler from the fuel, ``shares`` are by carrier and sum to 1.
    """

    node: str
    method: JointMethod
    power_reference: Decimal | None = None
    heat_reference: Decimal | None = None
    heat_temperature_k: Decimal | None = None
    ambient_temperature_k: Decimal | None = None
    boiler_efficiency: Decimal | None = None
    shares: Mapping[str, Decimal] = field(default_factory=dict)
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What a flow from one party to another is in the accounts (转移属性), with its evidence.

    ``status``: energy and products carry the carbon of their making, by-products and waste do not (their
    treatment is the producer's), captured CO2 stays with the emitter unless its ``fate`` is permanent. ``scope``
    says where the receiver reports it, e.g. "S2" or "S3.1". ``check_meter`` is the other party's meter on the
    same pipe. ``distance_km`` [km] is what the goods travel.
    """

    flow: str
    status: TransferStatus
    scope: str = ""
    fate: Fate = ""
    origin: Origin = ""
    distance_km: Decimal | None = None
    check_meter: str = ""
    evidence: str = ""
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """A battery, accumulator or tank (储能): how much it holds and what it loses.

    ``capacity`` in ``unit``; efficiencies [1]; ``standing_loss_per_day`` [1/d] of what is in it.
    """

    node: str
    capacity: Decimal
    unit: str
    charge_efficiency: Decimal = Decimal(1)
    discharge_efficiency: Decimal = Decimal(1)
    standing_loss_per_day: Decimal = Decimal(0)
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFact:
    """What tariffs and similar-day estimates need to know of a local day. None: not known."""

    day: date
    temperature_max_c: Decimal | None = None
    holiday: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """The whole description, checked. Mappings are by id, in file order."""

    id: str
    name_zh: str
    name_en: str
    timezone: str
    region: str  # province as in the grid-factor table, e.g. "广东"
    packs: Mapping[str, str]  # book → method pack id, e.g. {"location": "ghgp-location@1"}
    factor_date: date | None = None  # date on which factors must be in force; None: the day of activity
    base_year: int | None = None
    recalculation_threshold: Decimal = Decimal("0.05")  # of the base year's emissions [1]
    nodes: Mapping[str, Node] = field(default_factory=dict)
    flows: Mapping[str, Flow] = field(default_factory=dict)
    meters: Mapping[str, Meter] = field(default_factory=dict)
    connections: Mapping[str, Connection] = field(default_factory=dict)
    carriers: Mapping[str, Carrier] = field(default_factory=dict)  # built-in and the park's own
    prices: Sequence[Price] = ()
    outputs: Sequence[Output] = ()
    instruments: Mapping[str, Instrument] = field(default_factory=dict)
    claims: Sequence[Claim] = ()
    joints: Sequence[Joint] = ()
    transfers: Sequence[Transfer] = ()
    storages: Sequence[Storage] = ()
    days: Mapping[date, DayFact] = field(default_factory=dict)

    def owner(self, node: str) -> str:
        """The enterprise that answers for a node; empty for nodes outside the fence."""
        record = self.nodes[node]
        if record.kind in ACCOUNT_HOLDERS:
            return node
        return "" if record.kind in OUTSIDE else record.owner

    def enterprises(self) -> tuple[str, ...]:
        return tuple(n.id for n in self.nodes.values() if n.kind in ACCOUNT_HOLDERS)
