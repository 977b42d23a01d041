"""The park description: nodes, flows and meters with their dates, connections, prices, outputs, instruments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

import numpy as np

from lujin.demo.days import CALENDAR, HOLIDAYS, TIMEZONE, YEAR, Horizon
from lujin.demo.inputs import Enterprise
from lujin.demo.loads import Floats
from lujin.demo.metering import Device, two_digits
from lujin.demo.streams import Amounts, Story, Stream
from lujin.park.carriers import CARRIERS
from lujin.park.model import (
    Claim,
    Connection,
    DayFact,
    Flow,
    Instrument,
    Joint,
    Node,
    NodeKind,
    Output,
    Park,
    Price,
    Storage,
    Transfer,
)

REGION, ZONE = "广东", "东西两翼(肇庆)"
PACKS = {
    "physical": "energy-gbt2589@1",
    "location": "ghgp-location@2",
    "market": "ghgp-market@2",
    "regulatory": "gbt32151-2024@1",
    "embodied": "embodied@1",
}
_TRANSFORMERS = (315, 400, 500, 630, 800, 1000, 1250, 1600, 2000, 2500, 3150, 4000, 5000, 6300, 8000, 10000)
_OUTSIDE: tuple[tuple[str, NodeKind, str, str], ...] = (
    ("GRID", "grid", "公共电网", "Public grid"),
    ("GASCO", "supplier", "城市燃气公司", "City gas company"),
    ("WATERCO", "supplier", "自来水公司", "Water company"),
    ("COALCO", "supplier", "煤炭供应商", "Coal supplier"),
    ("LIMECO", "supplier", "石灰石供应商", "Limestone supplier"),
    ("FUELCO", "supplier", "成品油供应商", "Fuel supplier"),
    ("LANDFILL", "landfill", "灰渣填埋场", "Ash landfill"),
)
# (carrier, CNY per unit, unit, source, target): composed, of the order of 2025.
_PRICES = (
    ("steam", "76", "CNY/GJ", "STEAM", ""),
    ("compressed_air", "0.115", "CNY/m3", "AIRNET", ""),
    ("water", "3.15", "CNY/m3", "WATERCO", ""),
    ("bituminous_coal", "742", "CNY/t", "COALCO", "CHP1"),
    ("limestone", "165", "CNY/t", "LIMECO", "CHP1"),
    ("diesel", "7650", "CNY/t", "FUELCO", ""),
    ("co2", "230", "CNY/t", "CHP1", ""),
    ("fly_ash", "42", "CNY/t", "CHP1", ""),
    ("fly_ash", "0", "CNY/t", "CHP1", "LANDFILL"),
    ("sludge", "0", "CNY/t", "", "CHP1"),
)
_GAS_PRICES = ((date(YEAR, 1, 1), "3.92"), (date(YEAR, 4, 1), "3.58"), (date(YEAR, 11, 1), "3.86"))

# Reference efficiencies as the GHG Protocol's worksheets suggest them; T_m = Δh/Δs of saturated steam of 0.8 MPa
# against feed water of 20 °C.
_JOINT = Joint(
    node="CHP1",
    method="ghgp_efficiency@1",
    power_reference=Decimal("0.35"),
    heat_reference=Decimal("0.80"),
    heat_temperature_k=Decimal("421.8"),
    ambient_temperature_k=Decimal("298.15"),
)


def park(
    story: Story,
    streams: Sequence[Stream],
    devices: Sequence[Device],
    loads: Mapping[str, Amounts],
    temperatures: Sequence[float],
) -> Park:
    by_id = {stream.id: stream for stream in streams}
    return Park(
        id="dianlu",
        name_zh="点绿高新区(合成示例)",
        name_en="Dianlu High-tech Zone (composite example)",
        timezone=TIMEZONE,
        region=REGION,
        packs=PACKS,
        factor_date=date(YEAR, 12, 31),
        nodes={node.id: node for node in _nodes(story)},
        flows={stream.id: _flow(story.horizon, stream) for stream in streams},
        meters={device.meter.id: device.meter for device in devices},
        connections={c.id: c for c in _connections(story, by_id)},
        carriers=CARRIERS,
        prices=tuple(_prices(story.horizon)),
        outputs=tuple(_outputs(story, loads, by_id)),
        instruments={i.id: i for i in _instruments(story)},
        claims=tuple(_claims(story)),
        base_year=YEAR,
        joints=(_JOINT,),
        transfers=tuple(_transfers(by_id)),
        storages=tuple(_storages(story)),
        days={
            day: DayFact(day=day, temperature_max_c=Decimal(str(t)), holiday=day in HOLIDAYS)
            for day, t in zip(CALENDAR, temperatures, strict=True)
        },
    )


def _nodes(story: Story) -> Iterable[Node]:
    for e in story.enterprises:
        first, last = story.present(e)
        yield Node(
            id=e.id,
            kind="operator" if e.role == "operator" else "enterprise",
            name_zh=e.name_zh,
            name_en=e.name_en,
            owner=e.id,
            sector=e.sector,
            tenant=e.tenant,
            longitude=e.longitude,
            latitude=e.latitude,
            floor_area_m2=Decimal(e.floor_area_m2),
            employees=e.employees,
            split_from=story.by_role["split_parent"].id if e.role == "split_child" else "",
            valid_from=story.horizon.instant(first) if first else None,
            valid_to=None if last is None else story.horizon.instant(last),
        )
    for id_, kind, zh, en in _OUTSIDE:
        yield Node(id=id_, kind=kind, name_zh=zh, name_en=en)
    plant = story.by_role["chp"].id
    yield Node(id="CHP1", kind="chp", name_zh="热电机组", name_en="Cogeneration units", owner=plant)
    yield Node(id="STEAM", kind="main", name_zh="蒸汽管网", name_en="Steam main", owner=plant)
    yield Node(id="AIR1", kind="process", name_zh="空压站", name_en="Compressor station", owner=plant)
    yield Node(id="AIRNET", kind="main", name_zh="压缩空气管网", name_en="Compressed-air main", owner=plant)
    for e in story.enterprises:
        if e.pv_kw:
            yield Node(
                id=f"{e.id}-PV",
                kind="pv",
                name_zh=f"{e.name_zh}屋顶光伏 {e.pv_kw} kW",
                name_en=f"{e.name_en}, rooftop PV {e.pv_kw} kW",
                owner=e.id,
            )
        if e.role == "storage":
            yield Node(
                id=f"{e.id}-BAT",
                kind="battery",
                name_zh="储能电站 5 MW/10 MWh",
                name_en="Battery 5 MW/10 MWh",
                owner=e.id,
            )


def _flow(horizon: Horizon, stream: Stream) -> Flow:
    grid = {"GRID": stream.target}.get(stream.source) or {"GRID": stream.source}.get(stream.target, "")
    return Flow(
        id=stream.id,
        carrier=stream.carrier,
        source=stream.source,
        target=stream.target,
        connection=f"{grid}-C1" if grid else "",
        valid_from=horizon.instant(stream.first) if stream.first else None,
        valid_to=None if stream.last is None else horizon.instant(stream.last),
    )


def _connections(story: Story, streams: Mapping[str, Stream]) -> Iterable[Connection]:
    for e in story.enterprises:
        drawn = streams[f"GRID-{e.id}"]
        # A plant that mostly exports keeps a transformer for what it makes.
        peak_kw = max(
            int(s.amounts.max(initial=0)) * 4 / 1000 for s in (drawn, streams.get(f"{e.id}-GRID", drawn))
        )
        capacity = _transformer(peak_kw)
        single = e.basis == "single"
        yield Connection(
            id=f"{e.id}-C1",
            enterprise=e.id,
            region=REGION,
            zone=ZONE,
            customer_class="工商业单一制" if single else "工商业两部制",
            voltage=e.voltage,
            basis=e.basis,  # type: ignore[arg-type]
            contract_kw=max(two_digits(peak_kw * 0.97), capacity * 2 / 5) if e.basis == "demand" else None,
            capacity_kva=None if single else capacity,
            feed_in="coal_benchmark_feed_in" if f"{e.id}-GRID" in streams else "",
            valid_from=story.horizon.instant(drawn.first) if drawn.first else None,
            valid_to=None if drawn.last is None else story.horizon.instant(drawn.last),
        )


def _transformer(peak_kw: float) -> Decimal:
    """Installed capacity [kVA]: the standard size above the peak at power factor 0.95 and 80 % use."""
    wanted = peak_kw / 0.95 / 0.8
    return Decimal(next((size for size in _TRANSFORMERS if size >= wanted), int(two_digits(wanted))))


def _prices(horizon: Horizon) -> Iterable[Price]:
    for carrier, value, unit, source, target in _PRICES:
        yield Price(carrier=carrier, value=Decimal(value), unit=unit, source=source, target=target)
    starts = [horizon.instant((day - CALENDAR[0]).days * 96) for day, _ in _GAS_PRICES]
    for n, (_, value) in enumerate(_GAS_PRICES):
        yield Price(
            carrier="natural_gas",
            value=Decimal(value),
            unit="CNY/Nm3",
            source="GASCO",
            valid_from=starts[n] if n else None,
            valid_to=starts[n + 1] if n + 1 < len(starts) else None,
        )


def _outputs(story: Story, loads: Mapping[str, Amounts], streams: Mapping[str, Stream]) -> Iterable[Output]:
    """Monthly output of the larger producers, in proportion to what they used."""
    edges = np.cumsum([0, *(grid.slots for grid in story.horizon.grids)])
    for e in story.enterprises:
        if e.role == "chp":
            sold = np.add.reduceat(streams["CHP1-STEAM"].amounts, edges[:-1] // 4) / 1e6
            yield from _months(e, sold, "GJ", 0)
        elif e.output_t and (e.role or e.annual_mwh >= 2500):
            used = np.add.reduceat(loads[e.id], edges[:-1])
            yield from _months(e, used * (e.output_t / (e.annual_mwh * 1e6)), "t", 0 if e.output_t > 5000 else 2)


def _months(e: Enterprise, amounts: Floats, unit: str, decimals: int) -> Iterable[Output]:
    for n, amount in enumerate(amounts):
        if amount > 0:
            quantity = Decimal(str(round(float(amount), decimals)))
            yield Output(
                enterprise=e.id, product=e.product, month=YEAR * 100 + n + 1, quantity=quantity, unit=unit
            )


def _transfers(streams: Mapping[str, Stream]) -> Iterable[Transfer]:
    """What goes between neighbours beside energy: papers are composed, as all else."""
    for stream in streams.values():
        if stream.carrier == "sludge":
            yield Transfer(flow=stream.id, status="waste", evidence="污泥协同处置协议(示例)")
        elif stream.carrier == "fly_ash" and stream.target != "LANDFILL":
            yield Transfer(flow=stream.id, status="by_product", evidence="粉煤灰综合利用合同(示例)")
        elif stream.carrier == "fly_ash":
            yield Transfer(flow=stream.id, status="waste", evidence="固废台账(示例)")
        elif stream.carrier == "co2":
            yield Transfer(
                flow=stream.id,
                status="captured_co2",
                fate="used",
                origin="fossil",
                evidence="二氧化碳供应合同(示例)",
            )


def _storages(story: Story) -> Iterable[Storage]:
    for e in story.enterprises:
        if e.role == "storage":
            efficiency = Decimal("0.9381")  # both ways 0.88003, no less than it gives back
            yield Storage(
                node=f"{e.id}-BAT",
                capacity=Decimal(10),
                unit="MWh",
                charge_efficiency=efficiency,
                discharge_efficiency=efficiency,
            )


def _claims(story: Story) -> Iterable[Claim]:
    for e in story.enterprises:
        for month in range(1, story.horizon.months + 1) if e.green_mwh else ():
            yield Claim(
                instrument=_instrument(e),
                enterprise=e.id,
                month=YEAR * 100 + month,
                energy_mwh=Decimal(e.green_mwh // 12),
            )


def _instrument(e: Enterprise) -> str:
    return f"GP{YEAR}-{e.id}" if e.role == "storage" else f"GEC{YEAR}"


def _instruments(story: Story) -> Iterable[Instrument]:
    """Green power by contract for one, certificates bought together for the others, some not yet used."""
    claimed: dict[str, Decimal] = {}
    for claim in _claims(story):
        claimed[claim.instrument] = claimed.get(claim.instrument, Decimal(0)) + claim.energy_mwh
    for id_, energy in claimed.items():
        contract = id_.startswith("GP")
        yield Instrument(
            id=id_,
            kind="green_power" if contract else "certificate",
            energy_mwh=energy if contract else energy + 500,
            device="海上风电示例场站" if contract else "光伏示例场站",
            valid_from=story.horizon.instant(0),
            valid_to=story.horizon.instant(365 * 96),
        )
