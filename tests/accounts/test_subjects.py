from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.accounts.subjects import Subject, SubjectSum
from lujin.park.calendar import month_grid
from lujin.park.carriers import CARRIERS
from lujin.park.model import Flow, Meter, Node, Park
from lujin.readings.flags import Flag

GRID = month_grid(202502, "Asia/Shanghai")
NODES = [Node(id="GRID", kind="grid")] + [Node(id=f"E{i}", kind="enterprise") for i in range(4)]


@dataclass(frozen=True, eq=False)
class Block:
    meters: tuple[str, ...]
    amount: np.ndarray
    flags: np.ndarray


def block(meters, amount, flags=None):
    amount = np.broadcast_to(np.asarray(amount, dtype=np.int64), (len(meters), GRID.slots)).copy()
    flags = np.zeros(amount.shape, np.uint16) if flags is None else flags
    return Block(tuple(meters), amount, flags)


def park(flows, meters):
    return Park(
        id="p",
        name_zh="",
        name_en="",
        timezone="Asia/Shanghai",
        region="广东",
        packs={},
        nodes={n.id: n for n in NODES},
        flows={f.id: f for f in flows},
        meters={m.id: m for m in meters},
        carriers=CARRIERS,
    )


def feed(described, *blocks):
    total = SubjectSum(described, GRID)
    for b in blocks:
        total.add(b)
    return total.result()


def at(day, hour=0):
    """UTC instant of a local hour of February 2025."""
    return datetime.fromtimestamp(GRID.start + (day - 1) * 86_400 + hour * 3_600, UTC)


def flow(id, target="E1", source="GRID", connection="", **dates):
    return Flow(id=id, carrier="electricity", source=source, target=target, connection=connection, **dates)


def test_all_flows_of_a_subject_add_up():
    described = park(
        [flow("F1"), flow("F2"), flow("F3", "E2")],
        [
            Meter(id="M1", flow="F1"),
            Meter(id="M2", flow="F1"),
            Meter(id="M3", flow="F2"),
            Meter(id="M4", flow="F3"),
        ],
    )
    result = feed(described, block(["M1", "M2", "M3", "M4"], [[1], [10], [100], [1000]]))
    assert [str(s) for s in result.subjects] == ["GRID>E1:electricity", "GRID>E2:electricity"]
    assert result.total.tolist() == [[111] * GRID.slots, [1000] * GRID.slots]


def test_a_connection_makes_a_subject_of_its_own_under_the_same_label():
    described = park(
        [flow("F1", connection="C1"), flow("F2")], [Meter(id="M1", flow="F1"), Meter(id="M2", flow="F2")]
    )
    result = feed(described, block(["M1", "M2"], [[1], [10]]))
    assert [str(s) for s in result.subjects] == ["GRID>E1:electricity", "GRID>E1:electricity:C1"]
    assert {s.label for s in result.subjects} == {"GRID>E1:electricity"}


def test_a_flow_counts_only_while_it_is_valid():
    described = park(
        [flow("F1", valid_to=at(11)), flow("F2", "E2", valid_from=at(11))],
        [Meter(id="M1", flow="F1"), Meter(id="M2", flow="F2")],
    )
    result = feed(described, block(["M1", "M2"], [[1], [1]]))
    assert result.total.sum(axis=1).tolist() == [10 * 96, 18 * 96]
    assert not (result.total[0] & result.total[1]).any()


def test_a_replaced_meter_hands_over_in_its_slot():
    described = park(
        [flow("F1")],
        [Meter(id="M1", flow="F1", valid_to=at(5, 6)), Meter(id="M2", flow="F1", valid_from=at(5, 6))],
    )
    result = feed(described, block(["M1"], 1), block(["M2"], 2))
    switch = 4 * 96 + 24
    assert result.total[0, switch - 1 : switch + 1].tolist() == [1, 2]
    assert result.total.sum() == switch + 2 * (GRID.slots - switch)


def test_a_replacement_between_two_quarter_hours_loses_no_minute():
    swap = datetime.fromtimestamp(GRID.start + 4 * 86_400 + 20 * 60, UTC)
    described = park(
        [flow("F1")], [Meter(id="M1", flow="F1", valid_to=swap), Meter(id="M2", flow="F1", valid_from=swap)]
    )
    old, new = np.zeros(GRID.slots, np.int64), np.zeros(GRID.slots, np.int64)
    slot = 4 * 96 + 1  # from a quarter past to half past
    old[: slot + 1], old[slot], new[slot:], new[slot] = 3, 1, 3, 2
    result = feed(described, block(["M1"], old), block(["M2"], new))
    assert result.total[0].tolist() == [3] * GRID.slots


def test_a_virtual_meter_that_changes_within_a_quarter_hour_counts_it_once():
    change = datetime.fromtimestamp(GRID.start + 4 * 86_400 + 20 * 60, UTC)
    described = park(
        [flow("F1")],
        [
            Meter(id="M1"),
            Meter(id="V1", flow="F1", kind="virtual", terms={"M1": Decimal(1)}, valid_to=change),
            Meter(id="V2", flow="F1", kind="virtual", terms={"M1": Decimal(2)}, valid_from=change),
        ],
    )
    result = feed(described, block(["M1"], 1))
    assert result.total[0].tolist() == [1] * (4 * 96 + 2) + [2] * (GRID.slots - 4 * 96 - 2)


def test_virtual_meters_subtract_and_fractions_are_rounded_per_slot():
    described = park(
        [flow("F1"), flow("F2", "E2")],
        [
            Meter(id="M1"),
            Meter(id="M2"),
            Meter(id="V1", flow="F1", kind="virtual", terms={"M1": Decimal(1), "M2": Decimal(-1)}),
            Meter(id="V2", flow="F2", kind="virtual", terms={"M1": Decimal("0.25")}),
        ],
    )
    result = feed(described, block(["M1", "M2"], [[10], [3]]))
    assert result.total[:, 0].tolist() == [7, 2]


def test_what_a_missing_meter_should_be_taken_from_is_no_measured_amount():
    """Missing is never zero: the feeder less an unread sub-meter is an upper bound, not a reading."""
    described = park(
        [flow("F1"), flow("F2", "E2")],
        [
            Meter(id="M1"),
            Meter(id="M2"),
            Meter(id="V1", flow="F1", kind="virtual", terms={"M1": Decimal(1), "M2": Decimal(-1)}),
            Meter(id="V2", flow="F2", kind="virtual", terms={"M1": Decimal(1), "M2": Decimal(1)}),
        ],
    )
    flags = np.zeros((2, GRID.slots), np.uint16)
    flags[1, :2], flags[1, 2], flags[1, 3] = Flag.MISSING, Flag.PARTIAL, Flag.PARTIAL | Flag.ESTIMATED
    amount = np.full((2, GRID.slots), 10)
    amount[1] = [0, 0, 1, *[3] * (GRID.slots - 3)]
    result = feed(described, block(["M1", "M2"], amount, flags))
    assert result.total[:, :5].tolist() == [[10, 10, 9, 7, 7], [10, 10, 11, 13, 13]]
    assert result.estimated[:, :5].tolist() == [[10, 10, 9, -3, 0], [0, 0, 0, 3, 0]]
    apart = feed(described, block(["M2"], amount[1:], flags[1:]), block(["M1"], amount[:1]))
    assert apart.estimated.tolist() == result.estimated.tolist()


def test_estimates_are_a_part_of_the_total():
    described = park([flow("F1")], [Meter(id="M1", flow="F1"), Meter(id="M2", flow="F1")])
    flags = np.zeros((2, GRID.slots), np.uint16)
    flags[0, :4] = Flag.ESTIMATED | Flag.INTERPOLATED
    flags[1, :4] = Flag.INTERPOLATED
    result = feed(described, block(["M1", "M2"], [[5], [7]], flags))
    assert result.total[0, :5].tolist() == [12] * 5
    assert result.estimated[0, :5].tolist() == [5, 5, 5, 5, 0]


def test_meters_of_no_flow_and_flows_of_no_meter_are_passed_over():
    described = park([flow("F1"), flow("F2", "E2")], [Meter(id="M1", flow="F1"), Meter(id="M9")])
    result = feed(described, block(["M9", "M1"], [[1], [2]]))
    assert result.subjects == (Subject("GRID", "E1", "electricity"),)
    assert result.total.sum() == 2 * GRID.slots


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=12),
    st.lists(st.sampled_from(["1", "-1", "2", "0.5", "1.37"]), min_size=12, max_size=12),
    st.randoms(),
    st.integers(1, 5),
)
@settings(max_examples=30, deadline=None)
def test_blocks_of_any_size_and_order_give_the_same_subjects(targets, coefficients, random, size):
    flows = [flow(f"F{i}", f"E{t}", valid_from=at(1 + t)) for i, t in enumerate(targets)]
    meters = [Meter(id=f"M{i}") for i in range(len(targets))]
    meters += [
        Meter(id=f"V{i}", flow=f"F{i}", kind="virtual", terms={f"M{i}": Decimal(coefficients[i])})
        for i in range(len(targets))
    ]
    described = park(flows, meters)
    rng = np.random.default_rng(len(targets))
    amount = rng.integers(-(10**6), 10**9, (len(targets), GRID.slots))
    flags = np.where(rng.random(amount.shape) < 0.1, np.uint16(Flag.ESTIMATED), np.uint16(0))
    names = [f"M{i}" for i in range(len(targets))]
    whole = feed(described, block(names, amount, flags))
    order = list(range(len(names)))
    random.shuffle(order)
    parts = [order[i : i + size] for i in range(0, len(order), size)]
    blocks = feed(described, *(block([names[i] for i in p], amount[p], flags[p]) for p in parts))
    assert blocks.subjects == whole.subjects
    assert (blocks.total == whole.total).all()
    assert (blocks.estimated == whole.estimated).all()
    expected = sum(
        round(Fraction(coefficients[i]) * int(amount[i, slot]))
        for i, t in enumerate(targets)
        for slot in (GRID.slots - 1,)
    )
    assert whole.total[:, -1].sum() == expected
