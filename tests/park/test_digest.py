"""A digest follows what a park says, not how it is written, and an enterprise's only what concerns it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin import park
from lujin.errors import ParkError
from lujin.park import (
    Claim,
    Connection,
    DayFact,
    Flow,
    Instrument,
    Joint,
    Meter,
    Node,
    Output,
    Park,
    Price,
    Storage,
    Transfer,
)

PARK = Park(
    id="P",
    name_zh="",
    name_en="",
    timezone="Asia/Shanghai",
    region="广东",
    packs={"location": "x@1"},
    nodes={
        n.id: n
        for n in (
            Node(id="GRID", kind="grid"),
            Node(id="GAS", kind="supplier"),
            Node(id="OP", kind="operator"),
            Node(id="BUS", kind="main", owner="OP"),
            Node(id="E1", kind="enterprise"),
            Node(id="PV1", kind="pv", owner="E1"),
            Node(id="E2", kind="enterprise"),
        )
    },
    flows={
        f.id: f
        for f in (
            Flow(id="F1", carrier="electricity", source="GRID", target="E1", connection="C1"),
            Flow(id="FP", carrier="electricity", source="PV1", target="E1"),
            Flow(id="FB", carrier="electricity", source="BUS", target="E1"),
            Flow(id="F2", carrier="natural_gas", source="GAS", target="E2"),
        )
    },
    meters={
        m.id: m
        for m in (
            Meter(id="M0", flow="F1"),
            Meter(id="M1", flow="F1", replaces="M0"),
            Meter(id="V", flow="FP", kind="virtual", terms={"A": Decimal(1)}),
            Meter(id="A"),
            Meter(id="K1"),
            Meter(id="M2", flow="F2", unit="m3"),
        )
    },
    connections={
        "C1": Connection(id="C1", enterprise="E1", region="广东", zone="z", customer_class="c", voltage="v"),
        "C2": Connection(id="C2", enterprise="E2", region="广东", zone="z", customer_class="c", voltage="v"),
    },
    carriers=park.CARRIERS,
    prices=(
        Price(carrier="electricity", value=Decimal("0.5"), unit="CNY/kWh", source="BUS"),
        Price(carrier="natural_gas", value=Decimal(3), unit="CNY/m3"),
    ),
    outputs=(Output(enterprise="E2", product="p", month=202501, quantity=Decimal(1), unit="t"),),
    instruments={
        "I1": Instrument(id="I1", kind="certificate", energy_mwh=Decimal(9)),
        "I2": Instrument(id="I2", kind="certificate", energy_mwh=Decimal(9)),
    },
    claims=(
        Claim(instrument="I1", enterprise="E1", month=202501, energy_mwh=Decimal(1)),
        Claim(instrument="I2", enterprise="E2", month=202501, energy_mwh=Decimal(1)),
    ),
    joints=(Joint(node="PV1", method="energy@1"), Joint(node="BUS", method="energy@1")),
    transfers=(Transfer(flow="F1", status="energy", check_meter="K1"), Transfer(flow="F2", status="energy")),
    storages=(Storage(node="PV1", capacity=Decimal(1), unit="kWh"),),
)


def changed(table: str, key: str | int, **values: object) -> Park:
    records = getattr(PARK, table)
    if isinstance(key, str):
        return replace(PARK, **{table: {**records, key: replace(records[key], **values)}})
    return replace(PARK, **{table: (*records[:key], replace(records[key], **values), *records[key + 1 :])})


@pytest.mark.parametrize(
    "other",
    [
        changed("nodes", "E2", name_zh="新名"),
        changed("nodes", "BUS", name_zh="新名"),  # the other end of a flow: only kind and owner matter
        changed("flows", "F2", source="GRID"),
        changed("meters", "M2", multiplier=Decimal(2)),
        changed("connections", "C2", voltage="w"),
        changed("prices", 1, value=Decimal(4)),
        changed("outputs", 0, quantity=Decimal(2)),
        changed("claims", 1, energy_mwh=Decimal(2)),
        changed("instruments", "I2", energy_mwh=Decimal(8)),
        changed("joints", 1, method="egrid@1"),
        changed("transfers", 1, status="product"),
        replace(PARK, base_year=2025),
    ],
)
def test_an_unrelated_change_leaves_the_digest(other: Park) -> None:
    assert park.digest(other, "E1") == park.digest(PARK, "E1")
    assert park.digest(other) != park.digest(PARK)


@pytest.mark.parametrize(
    "other",
    [
        changed("nodes", "E1", sector="C22"),
        changed("nodes", "PV1", owner="E2"),
        changed("nodes", "BUS", owner="E2"),
        changed("flows", "F1", connection=""),
        changed("meters", "M1", multiplier=Decimal(2)),
        changed("meters", "M0", final=Decimal(2)),
        changed("meters", "A", multiplier=Decimal(2)),
        changed("meters", "V", terms={"A": Decimal(2)}),
        changed("connections", "C1", voltage="w"),
        changed("prices", 0, value=Decimal("0.6")),
        changed("claims", 0, energy_mwh=Decimal(2)),
        changed("instruments", "I1", energy_mwh=Decimal(8)),
        changed("joints", 0, method="egrid@1"),
        changed("transfers", 0, status="product"),
        changed("storages", 0, capacity=Decimal(2)),
        changed("meters", "K1", multiplier=Decimal(2)),
        replace(PARK, packs={"location": "x@2"}),
        replace(PARK, region="山东"),
        replace(PARK, timezone="UTC"),
        replace(PARK, factor_date=date(2025, 1, 1)),
        replace(PARK, days={date(2025, 1, 1): DayFact(day=date(2025, 1, 1), holiday=True)}),
        replace(PARK, meters={**PARK.meters, "N": Meter(id="N", flow="FB")}),
    ],
)
def test_a_change_that_concerns_it_shows(other: Park) -> None:
    assert park.digest(other, "E1") != park.digest(PARK, "E1")


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_lines_and_writing_of_numbers_do_not_show(random) -> None:  # type: ignore[no-untyped-def]
    def shuffled(records: dict[str, object]) -> dict[str, object]:
        items = list(records.items())
        random.shuffle(items)
        return {key: replace(record, line=random.randrange(99)) for key, record in items}

    prices = [replace(p, value=Decimal(f"{p.value}0") if "." in str(p.value) else p.value) for p in PARK.prices]
    random.shuffle(prices)
    other = replace(
        PARK,
        prices=tuple(prices),
        **{table: shuffled(getattr(PARK, table)) for table in ("nodes", "flows", "meters", "connections")},
    )
    assert park.digest(other) == park.digest(PARK)
    assert park.digests(other) == park.digests(PARK)


def test_many_at_once_are_the_same_as_each_alone() -> None:
    found = park.digests(PARK)
    assert found == {name: park.digest(PARK, name) for name in ("OP", "E1", "E2")}
    assert len(set(found.values())) == 3


def test_an_unknown_enterprise_is_refused() -> None:
    with pytest.raises(ParkError, match="enterprise GRID is unknown"):
        park.digest(PARK, "GRID")


def test_a_digest_is_the_same_after_writing_and_reading(loaded: Callable[[str], Park]) -> None:
    template = loaded(park.TEMPLATE)
    again = park.from_snapshot(park.dumps(template))
    assert park.digests(again) == park.digests(template)
