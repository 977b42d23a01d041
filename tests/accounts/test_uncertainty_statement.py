"""What a statement says of its own uncertainty: what is quantified, what is unknown and why."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from sqlalchemy.engine import Engine

from lujin.accounts.amounts import gwp_set
from lujin.accounts.facts import PinnedResolve, record_reference
from lujin.accounts.ledger import post
from lujin.accounts.lines import KEY, SCHEMA
from lujin.accounts.statement import statement
from lujin.accounts.uncertainty_statement import Drawing, uncertainty
from lujin.database import migrate, writing
from lujin.park.model import Meter
from lujin.reference import SCHEMAS, load_reference, make_row

MONTH = 202407
NOW = datetime(2024, 8, 1, tzinfo=UTC)
GRID = "grid_factors:grid_avg_guangdong_2022"
CLASS_05 = 0.005 / math.sqrt(3)


@pytest.fixture
def engine(database: Callable[[], Engine]) -> Engine:
    engine = database()
    migrate(engine)
    return engine


def own(**changed):
    """A row of the park's own reference/uncertainties.csv."""
    values = dict.fromkeys(SCHEMAS["uncertainties"].columns, "") | {
        "kind": "factor",
        "parameter": "value",
        "distribution": "normal",
        "coverage": "k=2",
        "unit": "%",
        "source": "own study",
        "confidence": "unverified",
    }
    return make_row("uncertainties", values | changed, "reference/uncertainties.csv", 2)


def put(connection, made, resolve, rows=(), at=NOW):
    month, everyone = made.grid.month, made.park.enterprises()
    record_reference(connection, [*load_reference(), *rows], at)
    chosen = PinnedResolve.for_month(connection, month, resolve)
    posted = made.post(resolve=chosen)
    post(
        connection,
        month,
        posted.lines,
        enterprises=everyone,
        recorded_at=at,
        source=1,
        reason="late_reading",
        packs=posted.packs,
        park_digest=dict.fromkeys(everyone, "park"),
        input_digest=dict.fromkeys(everyone, "input"),
    )
    chosen.record(connection, month, at)


def metered(made, **classes):
    """The park of a sketch with one meter per flow: flow id → accuracy class, by number of the flow."""
    meters = {}
    for i, flow in enumerate(made.park.flows.values()):
        name = f"M{i}"
        meters[name] = Meter(id=name, flow=flow.id, accuracy_class=classes.get(name, "0.5S"))
    return replace(made.park, meters=meters)


@pytest.fixture
def two(sketch):
    """A and B buy power under one grid factor."""
    return sketch(MONTH).flow("GRID", "A", 1000).flow("GRID", "B", 3000)


def test_a_factor_without_a_published_uncertainty_says_unknown_and_nothing_is_invented(engine, two, reference):
    park = metered(two)
    with writing(engine) as connection:
        put(connection, two, reference)
        found = statement(connection, park, "A", MONTH, "location").uncertainty
    assert found is not None
    scope2 = found.of("S2")
    assert scope2 is not None
    assert (scope2.unknown_share, scope2.quantified.base, scope2.u95, scope2.relative) == (1.0, 0, None, None)
    assert [(u.source.split("#")[0], u.kind, u.share) for u in scope2.unknown] == [(GRID, "factor", 1.0)]
    # The meter alone already brings that much
    assert scope2.at_least.base == pytest.approx(2 * CLASS_05 * scope2.value.base, abs=1)
    assert [(c.source, c.kind, c.share) for c in scope2.contributors] == [("M0", "meter", 1.0)]


def test_a_stated_factor_makes_the_total_quantified_and_the_larger_source_comes_first(engine, two, reference):
    park = metered(two)
    with writing(engine) as connection:
        put(connection, two, reference, [own(applies_to=GRID, value="6")])
        found = statement(connection, park, "A", MONTH, "location").uncertainty
    scope2 = found.of("S2")
    assert scope2.unknown == () and scope2.known
    assert scope2.relative == pytest.approx(2 * math.hypot(0.03, CLASS_05))
    assert [c.source for c in scope2.contributors] == [f"{GRID}#value", "M0"]
    assert sum(c.share for c in scope2.contributors) == pytest.approx(1.0)
    assert found.of("book").value == scope2.value


def test_the_park_keeps_the_correlation_of_the_shared_factor(engine, two, reference):
    park = metered(two)
    with writing(engine) as connection:
        put(connection, two, reference, [own(applies_to=GRID, value="6")])
        whole = uncertainty(connection, park, MONTH, "location")
        one, other = (uncertainty(connection, park, MONTH, "location", enterprise=e).of("S2") for e in "AB")
    assert whole.enterprise == ""
    total = whole.of("S2")
    assert total.value == one.value + other.value
    meters = math.hypot(CLASS_05 * 1, CLASS_05 * 3) / 4
    assert total.relative == pytest.approx(2 * math.hypot(0.03, meters))
    independent = math.hypot(one.u95.base, other.u95.base)
    assert total.u95.base > 1.25 * independent


def test_burned_fuel_rests_on_calorific_value_and_carbon_content(engine, sketch, reference):
    """GB/T 32151 publishes no ranges: CO2 is unknown. The park states both numbers: CO2 is known, and CH4 and N2O,
    whose ranges are published by the IPCC, share its calorific value.
    """
    made = sketch(MONTH).flow("GAS", "A", 1000, carrier="natural_gas")
    park = metered(made, M0="1.5")
    gas = "fuel_factors:GBT32151-C1|fuel|天然气|*"
    rows = [own(applies_to=gas, parameter=p, value=v) for p, v in (("ncv", "4"), ("carbon_content", "3"))]
    sets = {"location": gwp_set(reference, "AR6", date(2025, 6, 1))}
    with writing(engine) as connection:
        put(connection, made, reference)
        before = statement(connection, park, "A", MONTH, "location", gwp=sets).uncertainty.of("S1")
        put(connection, made, reference, rows, NOW + timedelta(days=1))
        after = statement(connection, park, "A", MONTH, "location", gwp=sets).uncertainty.of("S1")
        then = statement(connection, park, "A", MONTH, "location", gwp=sets, as_of=NOW).uncertainty.of("S1")
    assert before.unknown_share == 1.0
    assert {u.source.split("#")[1] for u in before.unknown} == {"ncv", "carbon_content"}
    meter = 0.015 / math.sqrt(3)
    assert after.known and after.relative == pytest.approx(2 * math.hypot(0.02, 0.015, meter), rel=0.01)
    assert [c.source.rpartition("#")[2] for c in after.contributors] == ["ncv", "carbon_content", "M0"]
    assert then == before  # as known on τ


def test_estimated_amounts_are_unknown_unless_the_park_states_them(engine, sketch, reference):
    made = sketch(MONTH).flow("GRID", "A", 1000, estimated=250)
    park = metered(made)
    factor = own(applies_to=GRID, value="6")
    stated = own(kind="estimate", parameter="", applies_to="GRID>A:electricity", value="40")
    with writing(engine) as connection:
        put(connection, made, reference, [factor])
        before = uncertainty(connection, park, MONTH, "location", enterprise="A").of("S2")
        put(connection, made, reference, [factor, stated], NOW + timedelta(days=1))
        after = uncertainty(connection, park, MONTH, "location", enterprise="A").of("S2")
    assert before.unknown_share == pytest.approx(0.25)
    assert [(u.kind, u.source) for u in before.unknown] == [("estimate", "GRID>A:electricity")]
    assert before.quantified.base == pytest.approx(0.75 * before.value.base)
    assert before.relative == pytest.approx(2 * math.hypot(0.03, CLASS_05))
    assert after.relative == pytest.approx(2 * math.hypot(0.03, 0.75 * CLASS_05, 0.25 * 0.2))
    assert after.contributors[0].kind == "estimate"


def test_a_meter_without_class_is_unknown_by_name(engine, two, reference):
    park = metered(two, M0="")
    with writing(engine) as connection:
        put(connection, two, reference, [own(applies_to=GRID, value="6")])
        found = uncertainty(connection, park, MONTH, "location", enterprise="A").of("S2")
    assert [(u.kind, u.source) for u in found.unknown] == [("meter", "M0")]


def test_several_meters_behind_one_flow(engine, sketch, reference):
    """Without amounts the worst class stands for all; with amounts each brings its part; a difference of meters
    whose amounts are not given is unknown.
    """
    made = sketch(MONTH).flow("GRID", "A", 1000)
    (flow,) = made.park.flows
    pair = {n: Meter(id=n, flow=flow, accuracy_class=c) for n, c in (("FINE", "0.2S"), ("COARSE", "2"))}
    net = {
        "MAIN": Meter(id="MAIN", accuracy_class="0.5S"),
        "SUB": Meter(id="SUB", accuracy_class="1"),
        "NET": Meter(id="NET", flow=flow, kind="virtual", terms={"MAIN": Decimal(1), "SUB": Decimal(-1)}),
    }
    classes = {"FINE": 0.2, "COARSE": 2, "MAIN": 0.5, "SUB": 1}
    limit = {name: value / 100 / math.sqrt(3) for name, value in classes.items()}

    def asked(connection, meters, amounts=None):
        park = replace(made.park, meters=meters)
        return uncertainty(connection, park, MONTH, "location", enterprise="A", amounts=amounts).of("S2")

    with writing(engine) as connection:
        put(connection, made, reference, [own(applies_to=GRID, value="0.0002")])
        assert asked(connection, pair).relative == pytest.approx(2 * limit["COARSE"], rel=1e-6)
        parts = asked(connection, pair, {"FINE": 75.0, "COARSE": 25.0})
        expected = 2 * math.hypot(0.75 * limit["FINE"], 0.25 * limit["COARSE"])
        assert parts.relative == pytest.approx(expected, rel=1e-6)
        assert [u.source for u in asked(connection, net).unknown] == ["GRID>A:electricity"]
        difference = asked(connection, net, {"MAIN": 500.0, "SUB": 400.0})
        assert difference.relative == pytest.approx(2 * math.hypot(5 * limit["MAIN"], 4 * limit["SUB"]), rel=1e-6)


def test_drawing_gives_an_interval_beside_the_first_order(engine, two, reference):
    park = metered(two)
    with writing(engine) as connection:
        put(connection, two, reference, [own(applies_to=GRID, value="6")])
        drawn = [uncertainty(connection, park, MONTH, "location", drawing=Drawing(20_000, 7)) for _ in range(2)]
    asked = [one.of("S2") for one in drawn]
    assert asked[0] == asked[1]
    low, high = asked[0].interval
    assert high.base - low.base == pytest.approx(1.96 / 2 * 2 * asked[0].u95.base, rel=0.03)
    assert low.base < asked[0].value.base < high.base


def test_the_spread_of_methods_stands_beside(engine, two, reference):
    park = metered(two)
    with writing(engine) as connection:
        put(connection, two, reference)
        plain = uncertainty(connection, park, MONTH, "location", enterprise="A").of("S2")
        spread = (plain.value, plain.value + plain.value)
        found = uncertainty(connection, park, MONTH, "location", enterprise="A", method_range={"S2": spread})
    assert found.of("S2").method_range == spread and found.of("book").method_range is None


def test_energy_and_money_have_none_and_json_holds_text(engine, two, reference):
    park = metered(two)
    with writing(engine) as connection:
        put(connection, two, reference)
        assert statement(connection, park, "A", MONTH, "physical").uncertainty is None
        assert uncertainty(connection, park, 202401, "location") is None
        found = json.loads(json.dumps(statement(connection, park, "A", MONTH, "location").as_dict()))
    total = found["uncertainty"]["totals"][0]
    assert total["total"] == "S2" and total["u95"] is None
    assert total["value"]["unit"] == "t" and isinstance(total["value"]["base"], str)


def test_the_embodied_book_is_read_from_its_own_lines_across_enterprises(engine, sketch):
    """A makes steam of coal and sells a third of it to B; B also buys power. Lines as the book holds them."""
    made = sketch(MONTH).flow("A", "B", 1000, carrier="steam").flow("GRID", "B", 1000)
    made.flow("GAS", "A", 1, carrier="bituminous_coal")
    park = metered(made, M0="2", M1="0.5S", M2="0.5")
    coal = next(r for r in load_reference() if r.key.startswith("fuel_factors:IPCC2006|fuel|其他烟煤"))
    grid = next(r for r in load_reference() if r.key == GRID)
    day, blank = made.grid.days[0], {"commodity": "CO2f", "period": "", "quality": "measured", "book": "embodied"}
    lines = [
        ("A", "WIP/A", "ATM/coal", "combustion@1", coal.id, "GAS>A:bituminous_coal", 900_000),
        ("A", "DUE/B", "WIP/A", "transfer@1", "", "A>B:steam", 300_000),
        ("B", "WIP/B", "DUE/A", "transfer@1", "", "A>B:steam", 300_000),
        ("B", "WIP/B", "EXT/GRID", "purchased@1", grid.id, "GRID>B:electricity", 100_000),
    ]
    frame = pl.DataFrame(
        [
            {**blank, "enterprise": e, "debit": f"{e}/{d}", "credit": f"{e}/{c}", "rule": r, "factor": f}
            | {"subject": s, "amount": a, "day": day}
            for e, d, c, r, f, s, a in lines
        ]
    )
    with writing(engine) as connection:
        record_reference(connection, load_reference(), NOW)
        post(
            connection,
            MONTH,
            frame.select(list(SCHEMA)).sort(*KEY, "day"),
            enterprises=("A", "B"),
            recorded_at=NOW,
            source=1,
            reason="late_reading",
            packs={"embodied": "embodied@1"},
            park_digest=dict.fromkeys("AB", "park"),
            input_digest=dict.fromkeys("AB", "input"),
        )
        buyer = uncertainty(connection, park, MONTH, "embodied", enterprise="B", drawing=Drawing(2_000, 1))
        whole = uncertainty(connection, park, MONTH, "embodied")
    taken = buyer.of("acquired")
    assert (taken.value.base, taken.quantified.base) == (400_000, 300_000)
    assert [(u.kind, u.source.partition("#")[0]) for u in taken.unknown] == [("factor", GRID)]
    u = [0.205 / 1.96, 0.054 / 1.96, 0.005 / math.sqrt(3)]  # NCV, carbon content, weigher
    steam = 2 / 3 * 0.02 / math.sqrt(3)
    assert taken.relative == pytest.approx(2 * math.hypot(*u, steam), rel=1e-4)
    assert [c.source.rpartition("#")[2] for c in taken.contributors] == ["ncv", "carbon_content", "M0"]
    assert taken.interval[0].base < 400_000 < taken.interval[1].base
    assert [(t.total, t.value.base) for t in whole.totals] == [
        ("direct", 900_000),
        ("acquired", 100_000),
        ("final", 1_000_000),
    ]
    assert whole.of("final").relative == pytest.approx(2 * math.hypot(*u), rel=1e-4)


def test_the_own_factor_of_a_neighbours_plant_is_unknown_until_the_park_states_it(engine, sketch, reference):
    def made():
        park = sketch(packs={"location": "ghgp-location@2"}).node("K", "boiler", "OP")
        return park.flow("GAS", "K", park.in_month(10**7), "natural_gas").flow(
            "K", "A", park.in_month(10**6), "steam"
        )

    sketched = made()
    park = replace(
        sketched.park,
        meters={
            f"M{i}": Meter(id=f"M{i}", flow=flow.id, unit="GJ", accuracy_class="2")
            for i, flow in enumerate(sketched.park.flows.values())
        },
    )
    with writing(engine) as connection:
        put(connection, sketched, reference)
        found = uncertainty(connection, park, MONTH, "location", enterprise="A")
        scope2 = found.of("S2")
        assert scope2.unknown_share == 1
        assert [(line.kind, line.source) for line in scope2.unknown] == [("allocation", "K")]
        later = NOW + timedelta(hours=1)
        stated = own(kind="allocation", applies_to="K", parameter="", value="4")
        record_reference(connection, [*load_reference(), stated], later)
        known = uncertainty(connection, park, MONTH, "location", enterprise="A").of("S2")
    assert known.unknown_share == 0
    assert {line.source for line in known.contributors} >= {"K"}
