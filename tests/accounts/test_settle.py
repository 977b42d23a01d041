"""Two meters on one pipe: the mean within uncertainty, a dispute beyond it, nothing from nothing."""

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from math import isqrt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.accounts.checks import Check, Metered
from lujin.accounts.posting import month_lines
from lujin.accounts.settle import class_uncertainty, settle
from lujin.accounts.subjects import SubjectSum
from lujin.park.calendar import month_grid
from lujin.park.carriers import CARRIERS
from lujin.park.model import Claim, Flow, Instrument, Meter, Node, Park, Price, Transfer
from lujin.readings.flags import Flag
from lujin.reference import Reference, load_reference
from lujin.workspace.plan import enterprises_of_meters

GRID = month_grid(202502, "Asia/Shanghai")
REFERENCE = Reference(load_reference())
PACKS = {"location": "ghgp-location@1"}


@dataclass(frozen=True, eq=False)
class Block:
    meters: tuple
    amount: np.ndarray
    flags: np.ndarray


def park(source="S", target="B", classes=("0.5S", "1"), check="C", meters=(), carrier="electricity"):
    nodes = [Node(id="GRID", kind="grid"), Node(id="BUYER", kind="customer")]
    nodes += [Node(id=n, kind="enterprise") for n in "SB"]
    devices = [
        Meter(id="A", flow="F", accuracy_class=classes[0]),
        Meter(id="C", accuracy_class=classes[1]),
        *meters,
    ]
    return Park(
        id="p",
        name_zh="",
        name_en="",
        timezone="Asia/Shanghai",
        region="广东",
        packs=PACKS,
        nodes={n.id: n for n in nodes},
        flows={"F": Flow(id="F", carrier=carrier, source=source, target=target)},
        meters={m.id: m for m in devices},
        carriers=CARRIERS,
        transfers=(Transfer(flow="F", status="energy", check_meter=check),) if check else (),
    )


def slots(value):
    return np.array(np.broadcast_to(np.asarray(value, dtype=np.int64), GRID.slots))


def energy(described, flags=None, **amounts):
    names = tuple(amounts)
    marks = np.zeros((len(names), GRID.slots), np.uint16)
    for name, found in (flags or {}).items():
        marks[names.index(name)] = found
    total = SubjectSum(described, GRID)
    total.add(Block(names, np.array([slots(a) for a in amounts.values()]), marks))
    return total.result()


def settled(described, flags=None, **amounts):
    return settle(described, energy(described, flags, **amounts), class_uncertainty(described))


def test_a_gap_within_uncertainty_is_settled_at_the_mean():
    found = settled(park(), A=1000, C=1010)
    (said,) = found.settlements
    a, b = 1000 * GRID.slots, 1010 * GRID.slots
    assert (said.outcome, said.own.base, said.other.base) == ("mean", a, b)
    assert said.uncertainty.base == isqrt(int((Fraction(5, 1000) * a) ** 2 + (Fraction(1, 100) * b) ** 2))
    assert found.energy.total.sum() == (a + b) // 2 == said.settled.base
    assert set(found.energy.total[0]) == {1005}
    assert not found.disputed


def test_a_gap_beyond_uncertainty_is_a_dispute_with_a_side_for_each_party():
    found = settled(park(), A=1000, C=1100)
    (said,) = found.settlements
    assert said.outcome == "dispute"
    assert found.disputed == {0: 100 * GRID.slots}
    assert found.least.total.tolist() == [[1000] * GRID.slots]
    assert (found.most.total - found.least.total).sum() == 100 * GRID.slots
    assert {found.energy.sides[row]: int(found.energy.total[row, 0]) for row in (0, 1)} == {
        "buyer": 1100,
        "seller": 1000,
    }


@pytest.mark.parametrize(("source", "target", "counts"), [("GRID", "B", 1100), ("S", "BUYER", 1000)])
def test_a_party_outside_the_park_has_no_side(source, target, counts):
    found = settled(park(source, target), A=1000, C=1100)
    assert found.disputed == {0: 100 * GRID.slots}
    assert set(found.energy.total[0]) == {counts}
    assert not found.energy.sides


def test_in_dispute_the_buyer_is_posted_the_larger_and_the_seller_the_smaller_quantity():
    described = park(carrier="steam", classes=("", ""))
    posted = month_lines(described, energy(described, A=900, C=1000), REFERENCE)
    sums = dict(
        posted.lines.filter(pl.col("book") == "physical", pl.col("commodity") == "steam")
        .group_by("enterprise")
        .agg(pl.col("amount").sum())
        .iter_rows()
    )
    assert sums == {"S": 900 * GRID.slots, "B": 1000 * GRID.slots}
    assert any("in dispute" in p.text() for p in posted.problems)
    assert posted.settlements[0].outcome == "dispute"
    alone = month_lines(described, energy(described, A=900, C=1000), REFERENCE, ["B"]).lines
    assert alone.equals(posted.lines.filter(pl.col("enterprise") == "B"))


def test_unknown_uncertainty_settles_nothing_and_is_a_dispute_only_when_material():
    described = park(classes=("", "a good one"))
    near, far = settled(described, A=1000, C=1049), settled(described, A=1000, C=1060)
    assert (near.settlements[0].outcome, far.settlements[0].outcome) == ("unknown", "dispute")
    assert near.settlements[0].uncertainty is None
    assert near.energy.total.sum() == 1000 * GRID.slots
    assert not near.disputed


def test_one_known_uncertainty_that_explains_the_gap_alone_is_enough():
    found = settled(park(classes=("1", "")), A=1000, C=1010)
    assert (found.settlements[0].outcome, found.settlements[0].uncertainty) == ("mean", None)


def test_the_class_of_a_heat_meter_is_not_read_as_a_per_cent():
    assert class_uncertainty(park(carrier="steam"))("A") is None
    assert class_uncertainty(park())("A") == Fraction(5, 1000)


def test_slots_that_one_side_did_not_measure_are_not_compared_and_stay_as_they_are():
    gone = np.zeros(GRID.slots, np.uint16)
    gone[:96] = int(Flag.MISSING)
    amounts = slots(1010)
    amounts[:96] = 0
    found = settled(park(), {"C": gone}, A=1000, C=amounts)
    (said,) = found.settlements
    assert (said.compared, said.expected) == (GRID.slots - 96, GRID.slots)
    assert found.energy.total[0, :96].tolist() == [1000] * 96
    assert set(found.energy.total[0, 96:]) == {1005}


def test_without_a_common_slot_nothing_is_settled():
    found = settled(park(), {"C": np.full(GRID.slots, int(Flag.ESTIMATED), np.uint16)}, A=1000, C=2000)
    assert found.settlements[0].outcome == "not_compared"
    assert found.energy.total.sum() == 1000 * GRID.slots


def test_a_virtual_check_meter_adds_up_its_terms():
    parts = [Meter(id="P1"), Meter(id="P2"), Meter(id="V", kind="virtual", terms={"P1": 1, "P2": 1})]
    described = park(check="V", meters=parts, classes=("1", ""))
    (said,) = settled(described, A=1000, C=0, P1=400, P2=605).settlements
    assert (said.outcome, said.other.base, said.check_meters) == ("mean", 1005 * GRID.slots, ("P1", "P2"))


def test_a_transfer_that_ends_in_the_month_compares_only_its_days():
    described = park()
    middle = GRID.slot_start(10 * 96)
    described = Park(
        **{
            **{f: getattr(described, f) for f in described.__dataclass_fields__},
            "transfers": (Transfer(flow="F", status="energy", check_meter="C", valid_to=middle),),
        }
    )
    found = settled(described, A=1000, C=1010)
    assert found.settlements[0].compared == 960
    assert set(found.energy.total[0, 960:]) == {1000}


def test_a_check_meter_moves_both_parties_of_its_flow():
    assert enterprises_of_meters(park())["C"] == {"S", "B"}


def test_without_check_meters_the_energy_is_the_very_same():
    described = park(check="")
    moved = energy(described, A=1000, C=1100)
    assert settle(described, moved, class_uncertainty(described)).energy is moved


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(-50, 5_000), min_size=4, max_size=4),
    st.lists(st.integers(-50, 5_000), min_size=4, max_size=4),
    st.sampled_from(["0.2", "1", "2", "50", ""]),
    st.sampled_from(["0.5", "2", "80", ""]),
)
def test_whatever_was_measured_the_settled_month_sums_exactly(own, other, first, second):
    repeat = GRID.slots // 4
    described = park(classes=(first, second))
    found = settled(described, A=np.tile(own, repeat), C=np.tile(other, repeat))
    (said,) = found.settlements
    a, b = sum(own) * repeat, sum(other) * repeat
    assert (said.own.base, said.other.base, said.gap.base) == (a, b, a - b)
    assert found.least.total.sum() + sum(found.disputed.values()) == found.most.total.sum()
    expected = {"mean": round(Fraction(a + b, 2)), "dispute": min(a, b)}.get(said.outcome, a)
    assert found.least.total.sum() == expected == said.settled.base
    swapped = settled(park(classes=(second, first)), A=np.tile(other, repeat), C=np.tile(own, repeat))
    assert swapped.settlements[0].outcome == said.outcome


def test_book_embodied_passes_on_the_smaller_quantity_and_holds_the_rest_in_suspense():
    described = park()
    described = replace(
        described,
        packs={**PACKS, "embodied": "embodied@1"},
        flows={**described.flows, "G": Flow(id="G", carrier="electricity", source="GRID", target="S")},
        meters={**described.meters, "MG": Meter(id="MG", flow="G")},
    )
    lines = month_lines(described, energy(described, A=1000, C=900, MG=4000), REFERENCE).lines
    book = lines.filter(pl.col("book") == "embodied")

    def net(account):
        debit = book.filter(pl.col("debit") == account)["amount"].sum()
        return debit - book.filter(pl.col("credit") == account)["amount"].sum()

    whole = -net("S/EXT/GRID")
    assert whole > 0
    assert net("B/OWN/B") == pytest.approx(whole * 900 / 4000, abs=2)
    assert net("S/SUSPENSE/F") == pytest.approx(whole * 100 / 4000, abs=2)
    assert net("S/OWN/S") == pytest.approx(whole * 3000 / 4000, abs=2)
    assert net("S/SUSPENSE/F") + net("S/OWN/S") + net("B/OWN/B") == whole
    assert net("S/WIP/S/electricity") == net("S/DUE/B") + net("B/DUE/S") == 0


def disputed(sketch, source, target, carrier, own, other, **nodes):
    """A sketch, with the energy of its one flow ``source`` > ``target`` in dispute."""
    made = sketch(packs={**PACKS, "market": "ghgp-market-hourly@1"})
    for node, (kind, owner) in nodes.items():
        made.node(node, kind, owner)
    made.flow(source, target, made.in_month(own), carrier)
    every = np.ones(made.grid.slots, dtype=np.bool_)
    sides = [(Metered(name, made.in_month(n), every, every),) for name, n in (("M", own), ("N", other))]
    check = Check(0, next(iter(made.park.flows)), *sides)
    return made, replace(made.energy, checks=(check,))


def post_disputed(described, energy):
    return month_lines(described, energy, REFERENCE, uncertainty=lambda _: Fraction(0)).lines


def summed(lines, account, commodity):
    chosen = lines.filter(pl.col("commodity") == commodity)
    debit = chosen.filter(pl.col("debit") == account)["amount"].sum()
    return debit - chosen.filter(pl.col("credit") == account)["amount"].sum()


def test_in_dispute_the_buyer_pays_for_the_larger_and_the_seller_earns_the_smaller_quantity_once(sketch):
    made, energy = disputed(sketch, "A", "B", "steam", 10**6, 6 * 10**5)
    price = Price(carrier="steam", value=Decimal(100), unit="CNY/GJ")
    lines = post_disputed(replace(made.park, prices=(price,)), energy)
    assert summed(lines, "B/COST/steam", "CNY") == 100_00
    assert summed(lines, "A/COST/steam_sold", "CNY") == -60_00


def test_power_in_dispute_is_billed_once_with_one_demand(sketch):
    usual = {"zone": "珠三角", "customer_class": "工商业两部制", "voltage": "1-10(20)kV", "basis": "demand"}

    def billed(other):
        made = sketch(month=202503, factor_date=None).connection("C", "B", **usual)
        made.flow("A", "B", made.in_month(10**6), connection="C")
        every = np.ones(made.grid.slots, dtype=np.bool_)
        sides = [(Metered(name, made.in_month(n), every, every),) for name, n in (("M", 10**6), ("N", other))]
        energy = replace(made.energy, checks=(Check(0, next(iter(made.park.flows)), *sides),))
        return month_lines(made.park, energy, REFERENCE, uncertainty=lambda _: Fraction(0))

    agreed, disputed = billed(10**6), billed(6 * 10**5)
    assert [c.max_demand_kw for c in disputed.charges] == [c.max_demand_kw for c in agreed.charges] == [4000]
    assert summed(disputed.lines, "B/COST/demand_charge", "CNY") == 4000 * 36_10
    assert summed(disputed.lines, "B/COST/electricity", "CNY") == summed(agreed.lines, "B/COST/electricity", "CNY")


def test_a_carbonate_in_dispute_is_decomposed_once(sketch):
    made, energy = disputed(sketch, "A", "KILN", "limestone", 10**9, 6 * 10**8, KILN=("process", "B"))
    location = post_disputed(made.park, energy).filter(pl.col("book") == "location")
    agreed = made.post().lines.filter(pl.col("book") == "location")
    assert summed(location, "B/S1/limestone", "CO2f") == summed(agreed, "B/S1/limestone", "CO2f") > 0


def test_a_device_whose_delivery_is_in_dispute_generated_once(sketch):
    made, energy = disputed(sketch, "PV", "A", "electricity", 10**6, 9 * 10**5, PV=("pv", "B"))
    facts = {"kind": "certificate", "energy_mwh": Decimal("1.6"), "device": "PV"}
    claim = Claim(instrument="I", enterprise="A", month=202407, energy_mwh=Decimal("1.6"))
    described = replace(made.park, instruments={"I": Instrument(id="I", **facts)}, claims=(claim,))
    posted = month_lines(described, energy, REFERENCE, uncertainty=lambda _: Fraction(0))
    assert any("it generated 0.9 MWh in the month: none is matched" in p.text() for p in posted.problems)
