"""Embodied carbon: what a buyer takes over rests on the seller's meters and factors; what is shared stays so."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lujin.accounts.uncertainty import first_order, largest
from lujin.accounts.uncertainty_embodied import TOTALS, Carbon, Edge, Entering, carbon_edges, trace_embodied
from lujin.accounts.uncertainty_sources import Rests, Source

KNOWN = {  # subject or factor → relative standard uncertainty
    "coal": 0.03,
    "GRID>CHP": 0.004,
    "STEAM>FOOD": 0.02,
    "STEAM>PAPER": 0.01,
    "POWER>FOOD": 0.003,
    "grid": 0.05,
}


class Stated:
    """Stands for ``Basis``: each subject is one meter, each factor one number, known as in KNOWN."""

    def __init__(self, known=KNOWN):
        self.known = known

    def line(self, _rule, factor, subject, _quality):
        asked = [("meter", subject)] * bool(subject) + [("factor", factor)] * bool(factor)
        known = [(Source(n, k, self.known[n]), self.known[n]) for k, n in asked if n in self.known]
        return Rests(tuple(known), tuple((k, n) for k, n in asked if n not in self.known))

    def allocation(self, name):
        return ((Source(name, "allocation", self.known[name]), self.known[name]),) if name in self.known else ()


CHP, FOOD, PAPER = (("CHP", "WIP/chp")), (("FOOD", "WIP/food")), (("PAPER", "WIP/paper"))


def park(*more):
    """A CHP plant burns coal (900) and buys power (100); steam goes to the food works (300) and the paper mill
    (500); the rest (200) leaves to customers. The food works buys grid power too, under the same factor.
    """
    return Carbon(
        (
            Edge(CHP, FOOD, 300.0, "STEAM>FOOD"),
            Edge(CHP, PAPER, 500.0, "STEAM>PAPER"),
            *more,
        ),
        (
            Entering(CHP, 900.0, "", "combustion@1", "coal"),
            Entering(CHP, 100.0, "GRID>CHP", "purchased", "grid", kind="acquired"),
            Entering(FOOD, 50.0, "", "purchased", "grid", kind="acquired"),
        ),
    )


def traced(carbon, enterprise="", known=KNOWN):
    every, quantified = trace_embodied(carbon, Stated(known), enterprise)
    return every, quantified


def of(parts, total):
    i = TOTALS.index(total)
    row = {s.id: v for s, v in zip(parts.sources, np.asarray(parts.matrix[[i], :].todense()).ravel(), strict=True)}
    return parts.value[i], {name: value for name, value in row.items() if abs(value) > 1e-12}


def test_a_buyer_inherits_the_sellers_factors_and_meters_in_proportion():
    value, row = of(traced(park(), "FOOD")[0], "acquired")
    assert value == 350.0
    # 30 % of the plant's carbon; both meters on steam move the shares: s(1−s), −s·s'
    assert row == pytest.approx(
        {
            "coal": 0.3 * 900 * 0.03,
            "grid": (0.3 * 100 + 50) * 0.05,
            "GRID>CHP": 0.3 * 100 * 0.004,
            "STEAM>FOOD": 1000 * 0.3 * 0.7 * 0.02,
            "STEAM>PAPER": -1000 * 0.3 * 0.5 * 0.01,
        }
    )


def test_every_source_moves_carbon_about_but_makes_none():
    carbon = park(Edge(PAPER, CHP, 40.0, "POWER>FOOD"))  # sludge back: a loop
    sums = [of(traced(carbon, e)[0], "final") for e in ("CHP", "FOOD", "PAPER")]
    assert sum(value for value, _ in sums) == pytest.approx(1050.0)
    for name, entered in (("coal", 900 * 0.03), ("grid", 150 * 0.05), ("STEAM>FOOD", 0.0), ("POWER>FOOD", 0.0)):
        assert sum(row.get(name, 0.0) for _, row in sums) == pytest.approx(entered, abs=1e-9)


def test_the_park_total_has_no_transfers_and_only_what_entered():
    every, quantified = traced(park())
    assert dict(zip(TOTALS, every.value.tolist(), strict=True)) == {
        "direct": 900.0,
        "acquired": 150.0,
        "transferred": 0.0,
        "final": 1050.0,
    }
    expected = math.hypot(900 * 0.03, 150 * 0.05, 100 * 0.004)
    assert first_order(every).standard[TOTALS.index("final")] == pytest.approx(expected)
    assert quantified.value == pytest.approx(every.value)
    assert [c.source.id for c in largest(every)[TOTALS.index("final")]] == ["coal", "grid", "GRID>CHP"]


def test_carbon_of_an_unknown_factor_stays_unknown_where_it_goes():
    known = {name: u for name, u in KNOWN.items() if name != "coal"}
    every, quantified = traced(park(), "FOOD", known)
    i = TOTALS.index("acquired")
    assert every.unknown[i] == pytest.approx(0.3 * 900)
    assert every.reasons == ("factor:coal",)
    assert every.reason[i, 0] == pytest.approx(270.0)
    assert quantified.value[i] == pytest.approx(80.0)
    _, row = of(quantified, "acquired")
    assert row["grid"] < of(every, "acquired")[1]["grid"]


def test_a_transfer_whose_meter_is_unknown_is_unknown_as_a_whole():
    known = {name: u for name, u in KNOWN.items() if name != "STEAM>FOOD"}
    every, _ = traced(park(), "FOOD", known)
    i = TOTALS.index("final")
    assert (every.value[i], every.unknown[i]) == (350.0, pytest.approx(300.0))
    assert traced(park(), "PAPER", known)[0].unknown.tolist() == [0.0] * 4


def test_a_pool_that_gives_more_than_it_got_had_it_from_before_and_says_so():
    every, _ = traced(park(Edge(("FOOD", "STK/tank"), FOOD, 25.0, "")), "FOOD")
    i = TOTALS.index("final")
    assert (every.value[i], every.unknown[i]) == (375.0, pytest.approx(25.0))
    assert every.reasons == ("estimate:FOOD/STK/tank",)


def test_a_stated_allocation_moves_carbon_from_one_buyer_to_the_others():
    name = "CHP/WIP/chp>FOOD/WIP/food"
    value, row = of(traced(park(), "FOOD", KNOWN | {name: 0.1})[0], "acquired")
    assert (value, row[name]) == (350.0, pytest.approx(1000 * 0.3 * 0.7 * 0.1))
    assert name not in of(traced(park(), "FOOD")[0], "acquired")[1]


@st.composite
def networks(draw):
    """Random pools of three enterprises with carbon that goes round in loops; nothing gives more than it has."""
    n = draw(st.integers(2, 6))
    pools = [(f"E{i % 3}", f"WIP/{i}") for i in range(n)]
    share = np.array(draw(st.lists(st.lists(st.floats(0, 1), min_size=n, max_size=n), min_size=n, max_size=n)))
    np.fill_diagonal(share, 0.0)
    share *= draw(st.floats(0.1, 0.9)) / np.maximum(share.sum(axis=1, keepdims=True), 1e-9)
    entered = np.array(draw(st.lists(st.floats(1, 100), min_size=n, max_size=n)))
    return pools, share, entered


def solved(pools, share, entered, errors=None, flow_errors=None):
    """Totals and flows by the share matrix: T = (I − Sᵀ)⁻¹ b, shares renewed after errors of meters."""
    b = entered if errors is None else entered * (1 + errors)
    s = share
    if flow_errors is not None:
        rest = 1 - share.sum(axis=1, keepdims=True)
        moved = share * (1 + flow_errors)
        s = moved / (moved.sum(axis=1, keepdims=True) + rest)
    total = np.linalg.solve(np.eye(len(pools)) - s.T, b)
    return total, total[:, None] * s


@given(networks(), st.integers(0, 5))
def test_finite_differences_of_the_share_matrix_confirm_what_a_buyer_inherits(network, pick):
    pools, share, entered = network
    _, flows = solved(pools, share, entered)
    ends = [(i, j) for i, j in zip(*np.nonzero(flows > 1e-6), strict=True)]
    known = {f"f{i}": 0.02 for i in range(len(pools))} | {f"{i}>{j}": 0.01 for i, j in ends}
    carbon = Carbon(
        tuple(Edge(pools[i], pools[j], flows[i, j], f"{i}>{j}") for i, j in ends),
        tuple(
            Entering(p, float(v), "", "r", f"f{i}") for i, (p, v) in enumerate(zip(pools, entered, strict=True))
        ),
    )
    found = of(traced(carbon, "E0", known)[0], "final")[1]
    node = pick % len(pools)
    step = 1e-6

    def final(sign):
        error, flow_error = np.zeros(len(pools)), np.zeros_like(share)
        error[node] = sign * step * 0.02
        if ends:
            i, j = ends[pick % len(ends)]
            flow_error[i, j] = sign * step * 0.01
        only = [solved(pools, share, entered, errors=error), solved(pools, share, entered, flow_errors=flow_error)]
        return [
            sum(total[k] * (1 - moved[k].sum() / total[k]) for k, p in enumerate(pools) if p[0] == "E0")
            for total, moved in only
        ]

    above, below = final(1), final(-1)
    scale = max(1.0, entered.sum())
    assert (above[0] - below[0]) / (2 * step) == pytest.approx(found.get(f"f{node}", 0.0), abs=1e-4 * scale)
    if ends:
        i, j = ends[pick % len(ends)]
        assert (above[1] - below[1]) / (2 * step) == pytest.approx(found.get(f"{i}>{j}", 0.0), abs=1e-4 * scale)


def test_lines_of_the_book_become_edges_pairs_of_due_lines_one_each():
    columns = ("enterprise", "debit", "credit", "commodity", "quality", "rule", "factor", "subject", "amount")
    rows = [
        ("CHP", "WIP/chp", "ATM/coal", "CO2f", "measured", "combustion@1", "coal", "COAL>CHP:coal", 900),
        ("CHP", "WIP/chp", "ATM/coal", "N2O", "measured", "combustion_gas@1", "coal+n2o", "COAL>CHP:coal", 1),
        ("CHP", "WIP/steam", "WIP/chp", "CO2f", "measured", "joint@1", "", "", 600),
        ("CHP", "DUE/FOOD", "WIP/steam", "CO2f", "measured", "transfer@1", "", "STEAM>FOOD", 300),
        ("FOOD", "WIP/cook", "DUE/CHP", "CO2f", "measured", "transfer@1", "", "STEAM>FOOD", 200),
        ("FOOD", "WIP/heat", "DUE/CHP", "CO2f", "estimated", "transfer@1", "", "STEAM>FOOD", 100),
        ("FOOD", "WIP/cook", "EXT/GRID", "CO2f", "measured", "purchased@1", "grid", "GRID>FOOD", 50),
        ("FOOD", "OWN/food", "WIP/cook", "CO2f", "measured", "use@1", "", "", 250),
        ("FOOD", "EXT/GRID", "WIP/cook", "CO2f", "measured", "sold@1", "grid", "FOOD>GRID", 5),
    ]
    found = carbon_edges(pl.DataFrame(rows, schema=columns, orient="row"), {"CO2f": 1.0, "N2O": 273.0})
    assert {(e.source, e.target, e.amount, e.subject, e.quality) for e in found.edges} == {
        (("CHP", "WIP/chp"), ("CHP", "WIP/steam"), 600.0, "", "measured"),
        (("CHP", "WIP/steam"), ("FOOD", "WIP/cook"), 200.0, "STEAM>FOOD", "measured"),
        (("CHP", "WIP/steam"), ("FOOD", "WIP/heat"), 100.0, "STEAM>FOOD", "estimated"),
        (("FOOD", "WIP/cook"), ("FOOD", "OWN/food"), 250.0, "", "measured"),
        (("FOOD", "WIP/cook"), ("FOOD", "EXT/GRID"), 5.0, "FOOD>GRID", "measured"),
    }
    assert [(e.pool[1], e.amount, e.factor, e.kind) for e in found.entering] == [
        ("WIP/chp", 900.0, "coal", "direct"),
        ("WIP/chp", 273.0, "coal+n2o", "direct"),
        ("WIP/cook", 50.0, "grid", "acquired"),
    ]
