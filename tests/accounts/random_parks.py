"""Random parks for properties of the accounts: anything may flow anywhere, also round in circles.

Three account holders with a roof, a boiler, a cogeneration plant, a main with losses, a battery, a steam tank and
a process among them; resale, exports and customers outside. A *wide* park draws what is rarer too: each formula of
joint production, condensate that returns, coal, biomass, limestone, captured CO2 of either origin and any fate,
waste, by-products and products with a declared share, certificates and green power.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from hypothesis import strategies as st

from lujin.accounts.joint import METHODS
from lujin.park.model import Claim, Instrument, Joint, Storage, Transfer

PACKS = {"location": "ghgp-location@1", "embodied": "embodied@1"}
ALL_BOOKS = {
    "location": "ghgp-location@2",
    "market": "ghgp-market@2",
    "regulatory": "gbt32151-2024@1",
    "embodied": "embodied@1",
}
HOLDERS = ("A", "B", "OP")
KINDS = {
    "PV": ("pv", "A"),
    "K": ("boiler", "OP"),
    "G": ("chp", "B"),
    "M": ("main", "OP"),
    "BAT": ("battery", "A"),
    "X": ("process", "B"),
    "TANK": ("main", "OP"),
}
NODES = (*HOLDERS, *KINDS)
STORES = {"BAT": "electricity", "TANK": "steam"}
INSTRUMENTS = {"GEC": "certificate", "GREEN": "green_power"}
ISSUED = 500  # MWh of each instrument
RARE = (
    ("GAS", "G", "bituminous_coal"),
    ("GAS", "K", "biomass"),
    ("GAS", "G", "limestone"),
    ("A", "G", "condensate"),
    ("M", "G", "condensate"),
    ("A", "G", "sludge"),
    ("G", "B", "fly_ash"),
    ("G", "A", "co2"),
    ("K", "BUYER", "co2"),
    ("X", "A", "compressed_air"),
    ("X", "BUYER", "compressed_air"),
    ("A", "B", "product"),
    ("B", "BUYER", "product"),
    ("G", "M", "hot_water"),
    ("M", "A", "hot_water"),
)
STORING = (
    ("GRID", "BAT", "electricity"),
    ("A", "BAT", "electricity"),
    ("BAT", "A", "electricity"),
    ("BAT", "B", "electricity"),
    ("K", "TANK", "steam"),
    ("TANK", "B", "steam"),
)
STATUS = {"sludge": "waste", "fly_ash": "by_product", "co2": "captured_co2", "product": "product"}
FATES = ("used", "mineral_binding", "geological_storage", "")


@dataclass(frozen=True)
class Moved:
    """``amount`` [base units] in the month, a third of it estimated if ``guessed``."""

    source: str
    target: str
    carrier: str
    amount: int
    guessed: bool = False

    @property
    def label(self):
        return f"{self.source}>{self.target}:{self.carrier}"


@dataclass(frozen=True)
class Plan:
    flows: tuple[Moved, ...]
    method: str = "energy@1"
    fate: str = "used"
    origin: str = "fossil"
    claims: tuple[Claim, ...] = ()
    owners: tuple[tuple[str, str], ...] = tuple((node, owner) for node, (_, owner) in KINDS.items())

    def scaled(self, factor, *carriers):
        """With ``factor`` times as much of some carriers (all, if none is named)."""
        flows = (
            replace(f, amount=f.amount * (factor if f.carrier in carriers or not carriers else 1))
            for f in self.flows
        )
        return replace(self, flows=tuple(flows))


def _fits(source, target, carrier):
    """A store holds one carrier, and nothing goes into a roof."""
    return (
        all(STORES.get(end, carrier) == carrier for end in (source, target))
        and target != "PV"
        and (source != "PV" or carrier == "electricity")
    )


@st.composite
def parks(draw, wide=False, most=10**9):
    inner = set(NODES)
    pairs = st.tuples(
        st.sampled_from(["GRID", "GAS", *NODES]),
        st.sampled_from(["GRID", "BUYER", *NODES]),
        st.sampled_from(["electricity", "steam", "natural_gas"]),
    ).filter(lambda p: p[0] != p[1] and inner & {p[0], p[1]} and _fits(*p))
    wanted = draw(st.lists(pairs, min_size=1, max_size=14, unique=True))
    if wide:
        wanted += draw(st.lists(st.sampled_from(RARE), max_size=6, unique=True))
        wanted += draw(st.lists(st.sampled_from(STORING), max_size=6, unique=True))
        wanted = list(dict.fromkeys(wanted))
    flows = tuple(Moved(*p, draw(st.integers(0, most)), draw(st.booleans())) for p in wanted)
    if not wide:
        return Plan(flows)
    return Plan(
        tuple(replace(f, amount=f.amount // 10) if f.carrier in STATUS else f for f in flows),
        draw(st.sampled_from(sorted(METHODS))),
        draw(st.sampled_from(FATES)),
        draw(st.sampled_from(["fossil", "biogenic"])),
        tuple(
            Claim(
                instrument=draw(st.sampled_from(sorted(INSTRUMENTS))),
                enterprise=holder,
                month=draw(st.sampled_from([202407, 202408])),
                energy_mwh=Decimal(draw(st.integers(1, 300))),
            )
            for holder in draw(st.lists(st.sampled_from(HOLDERS), max_size=3))
        ),
    )


def build(sketch, plan, *, month=202407, packs=PACKS, storages=None, spread=None):
    """The park of ``plan`` and what it moved. ``spread``: slots over which each quantity goes evenly."""
    touched = {end for f in plan.flows for end in (f.source, f.target)}
    labels = {f.label: f.carrier for f in plan.flows}
    made = sketch(
        month,
        packs=packs,
        joints=tuple(_joint(node, plan.method) for node in ("A", "B", "G", "K", "X") if _shares(node, plan)),
        storages=stores(touched) if storages is None else storages,
        transfers=tuple(
            Transfer(
                flow=label,
                status=STATUS[carrier],
                fate=plan.fate if carrier == "co2" else "",
                origin=plan.origin if carrier == "co2" else "",
                evidence="contract",
            )
            for label, carrier in labels.items()
            if carrier in STATUS
        ),
        instruments={
            name: Instrument(id=name, kind=kind, energy_mwh=Decimal(ISSUED)) for name, kind in INSTRUMENTS.items()
        },
        claims=plan.claims,
    )
    for node, owner in plan.owners:
        made.node(node, KINDS[node.removesuffix("'")][0], owner)
    for f in plan.flows:
        quantity = made.in_month(f.amount) if spread is None else evenly(made, f.amount, spread)
        made.flow(f.source, f.target, quantity, f.carrier, estimated=quantity // 3 if f.guessed else 0)
    return made


def evenly(made, amount, slots):
    quantity = made.in_month(0)
    quantity[slots] = amount // len(slots)
    quantity[slots[0]] += amount % len(slots)
    return quantity


def stores(touched, capacity=Decimal(10**6)):
    """Some of them lose: on the way in and out, and by standing."""
    found = [
        Storage(
            node="BAT",
            capacity=capacity,
            unit="kWh",
            charge_efficiency=Decimal("0.9"),
            discharge_efficiency=Decimal("0.95"),
            standing_loss_per_day=Decimal("0.01"),
        ),
        Storage(node="TANK", capacity=capacity, unit="MJ", charge_efficiency=Decimal("0.98")),
    ]
    return tuple(s for s in found if s.node in touched or f"{s.node}'" in touched)


def _shares(node, plan):
    """A plant is shared by the drawn formula; an enterprise that sells its product by a declared share."""
    return node in KINDS or any(f.source == node and f.carrier == "product" for f in plan.flows)


def _joint(node, method):
    if node in HOLDERS:
        return Joint(node=node, method="declared@1", shares={"product": Decimal("0.6"), "other": Decimal("0.4")})
    shares = {"electricity": "0.5", "steam": "0.2", "hot_water": "0.2", "compressed_air": "0.1"}
    return Joint(
        node=node,
        method=method,
        power_reference=Decimal("0.35"),
        heat_reference=Decimal("0.8"),
        heat_temperature_k=Decimal(430),
        ambient_temperature_k=Decimal(298),
        boiler_efficiency=Decimal("0.9"),
        shares={carrier: Decimal(share) for carrier, share in shares.items()},
    )
