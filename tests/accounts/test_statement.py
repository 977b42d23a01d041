"""A statement says what the ledger holds, what of it is estimated, and what changed since."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from sqlalchemy.engine import Engine

from lujin.accounts import sections
from lujin.accounts.amounts import Amount, gwp_set
from lujin.accounts.facts import COUNTS, PinnedResolve, record_completeness
from lujin.accounts.ledger import post
from lujin.accounts.statement import meters_of, statement
from lujin.database import migrate, writing
from lujin.errors import InputError
from lujin.park.model import DayFact, Meter, Price
from lujin.reference import grid_factor

MONTH = 202407
NOW = datetime(2024, 8, 1, tzinfo=UTC)


@pytest.fixture
def engine(database: Callable[[], Engine]) -> Engine:
    engine = database()
    migrate(engine)
    return engine


def put(connection, made, resolve, at=NOW, reason="late_reading", restate=False):
    """Post every enterprise of a sketch, pinning its choices."""
    month = made.grid.month
    chosen = PinnedResolve.for_month(connection, month, resolve, restate=restate)
    posted = made.post(resolve=chosen)
    everyone = made.park.enterprises()
    post(
        connection,
        month,
        posted.lines,
        enterprises=everyone,
        recorded_at=at,
        source=1,
        reason=reason,
        packs=posted.packs,
        park_digest=dict.fromkeys(everyone, "park"),
        input_digest=dict.fromkeys(everyone, "input"),
    )
    chosen.record(connection, month, at)


@pytest.fixture
def busy(sketch):
    """A buys 1 kWh a quarter hour, a tenth of it estimated, generates, delivers and burns gas."""
    made = sketch(MONTH).connection("C", "A").node("PV", "pv", "A")
    made.flow("GRID", "A", 1000, estimated=100, connection="C")
    made.flow("PV", "A", made.in_month(500_000))
    made.flow("A", "GRID", made.in_month(200_000), connection="C")
    made.flow("GAS", "A", made.in_month(3_000_000), carrier="natural_gas")
    return made


@pytest.fixture
def gwp(reference):
    found = gwp_set(reference, "AR6", date(2025, 6, 1))
    return {"location": found, "market": found, "regulatory": found}


def test_energy_is_purchased_plus_generated_less_delivered(engine, busy, reference, gwp):
    with writing(engine) as connection:
        put(connection, busy, reference)
        found = statement(connection, busy.park, "A", MONTH, gwp=gwp)
    power = next(e for e in found.energy if e.carrier == "electricity")
    slots = busy.grid.slots
    assert (power.purchased.base, power.generated.base, power.delivered.base) == (1000 * slots, 500_000, 200_000)
    assert power.used.base == 1000 * slots + 300_000
    assert power.estimated.base == 100 * slots
    assert sum(p.base for p in power.periods.values()) == power.purchased.base
    assert power.coal_equivalent.value == pytest.approx(
        power.used.value * Decimal("0.0001229"), rel=Decimal("1e-5")
    )
    assert found.coal_equivalent == power.coal_equivalent + found.energy[1].coal_equivalent


def test_a_net_negative_purchase_stays_a_purchase(busy):
    move = sections.Move("physical", "OWN/electricity", "EXT/GRID", "electricity", "", "measured", "", -5)
    back = move._replace(debit="EXT/GRID", credit="OWN/electricity", amount=7, quality="estimated")
    (power,) = sections.energy(busy.park, "A", MONTH, [s for m in (move, back) for s in sections.sides_of(m)])
    assert (power.purchased.base, power.delivered.base, power.used.base, power.estimated.base) == (-5, 7, -12, 7)


def test_cost_stands_by_item_and_tariff_period_and_income_is_negative(engine, sketch, reference):
    october = 202610
    made = sketch(october, factor_date=None).connection("C", "A")
    made.park_facts["days"] = {d: DayFact(day=d, temperature_max_c=Decimal(28)) for d in made.grid.days}
    made.park_facts["prices"] = (Price(carrier="steam", value=Decimal(200), unit="CNY/GJ"),)
    made.flow("GRID", "A", 1000, estimated=100, connection="C")
    made.flow("A", "B", made.in_month(3_000_000), carrier="steam")
    with writing(engine) as connection:
        put(connection, made, reference, at=datetime(2026, 11, 1, tzinfo=UTC))
        found = statement(connection, made.park, "A", october)
    power = {c.period: c for c in found.cost if c.item == "electricity"}
    assert {"peak", "flat", "valley"} <= set(power)
    assert power["peak"].amount.base == pytest.approx(power["peak"].estimated.base * 10, abs=10)
    assert [c.amount.value for c in found.cost if c.item == "steam_sold"] == [Decimal(-600)]
    assert found.cost_total.base == sum(c.amount.base for c in found.cost)


def test_carbon_stands_by_scope_and_book_in_gases_and_co2e(engine, busy, reference, gwp):
    with writing(engine) as connection:
        put(connection, busy, reference)
        found = statement(connection, busy.park, "A", MONTH, "location", gwp=gwp)
    gas, power = found.carbon
    assert (gas.scope, gas.account, power.scope, power.account) == ("S1", "S1/natural_gas", "S2", "S2/electricity")
    assert set(gas.gases) == {"CO2f", "CH4f", "N2O"}
    expected = gas.gases["CO2f"].base + round(
        gas.gases["CH4f"].base * Decimal("29.8") + gas.gases["N2O"].base * 273
    )
    assert gas.co2e is not None and gas.co2e.base == expected
    assert power.estimated["CO2f"].base * 10 == pytest.approx(power.gases["CO2f"].base, rel=1e-6)
    assert [b.book for b in found.books] == ["location", "market", "regulatory"]
    location = found.books[0]
    assert location.scope2_co2 == power.gases["CO2f"]
    assert location.co2 == location.scope1_co2 + location.scope2_co2
    assert location.co2e == location.scope1_co2e + location.scope2_co2e  # type: ignore[operator]


def test_without_a_gwp_set_gases_are_not_added(engine, busy, reference):
    with writing(engine) as connection:
        put(connection, busy, reference)
        found = statement(connection, busy.park, "A", MONTH)
    assert found.carbon[0].co2e is None
    assert found.books[0].co2e is None


def test_accounts_open_where_the_months_before_closed(engine, sketch, reference):
    months = [
        sketch(month).flow("GRID", "A", amount)
        for month, amount in ((202312, 7), (202401, 1), (202402, 2), (202403, 4))
    ]
    with writing(engine) as connection:
        for made in months:
            put(connection, made, reference)
        found = statement(connection, months[-1].park, "A", 202403, "physical")
    own = next(a for a in found.accounts if a.account == "OWN/electricity" and a.commodity == "electricity")
    slots = [made.grid.slots for made in months]
    assert own.opening.base == slots[1] + 2 * slots[2]
    assert own.movement.base == 4 * slots[3]
    assert own.closing == own.opening + own.movement
    assert own.reference == "A:2024-03:physical:OWN/electricity"
    sums = {c: sum(a.closing.base for a in found.accounts if a.commodity == c) for c in ("electricity", "CNY")}
    assert set(sums.values()) == {0}


def test_a_correction_is_listed_with_what_it_changed(engine, sketch, reference):
    before, after = sketch(MONTH).flow("GRID", "A", 1000), sketch(MONTH).flow("GRID", "A", 1001)
    later = NOW + timedelta(days=9)
    with writing(engine) as connection:
        put(connection, before, reference)
        put(connection, after, reference, at=later)
        new = statement(connection, after.park, "A", MONTH, "location")
        old = statement(connection, after.park, "A", MONTH, "location", as_of=NOW)
    assert (old.version, old.status, old.restatements) == (1, "posted", ())
    assert (new.version, new.status, new.recorded_at) == (2, "restated", later)
    location, physical = new.restatements
    assert (physical.book, location.book, location.reason) == ("physical", "location", "late_reading")
    changed = {(c.account, c.commodity): c.amount for c in physical.changes}
    assert changed["OWN/electricity", "electricity"].base == after.grid.slots
    assert all(account.split("/")[0] in ("OWN", "COST") for account, _ in changed)
    assert new.energy[0].used.base - old.energy[0].used.base == after.grid.slots


def test_an_edited_factor_holds_only_after_restatement_and_each_line_names_its_own(
    engine, sketch, reference, with_value
):
    made = sketch(MONTH).flow("GRID", "A", 1000)
    edited = with_value(reference.one(grid_factor("location", "广东"), made.park.factor_date).key, "0.5")
    with writing(engine) as connection:
        put(connection, made, reference)
        first = statement(connection, made.park, "A", MONTH)
        put(connection, made, edited, at=NOW + timedelta(days=1))
        same = statement(connection, made.park, "A", MONTH)
        put(connection, made, edited, at=NOW + timedelta(days=2), reason="restatement", restate=True)
        restated = statement(connection, made.park, "A", MONTH)
    assert same == first
    assert first.books[0].scope2_co2 != restated.books[0].scope2_co2
    assert restated.books[0].scope2_co2.base == made.grid.slots * 1000 * 500
    assert [r.reason for r in restated.restatements] == ["restatement"]
    factors = [{f.id: f.value for f in s.factors if f.id.startswith("grid_factors")} for s in (first, restated)]
    assert [len(f) for f in factors] == [1, 1]
    assert factors[0] != factors[1]
    assert list(factors[1].values()) == ["0.5"]


def test_unverified_factors_are_marked(engine, busy, reference):
    with writing(engine) as connection:
        put(connection, busy, reference)
        found = statement(connection, busy.park, "A", MONTH, "market")
    assert all(factor.source for factor in found.factors)
    assert {f.id for f in found.unverified} == {f.id for f in found.factors if f.confidence != "verified"}
    assert found.as_dict()["unverified"] == [f.id for f in found.unverified]


def test_completeness_counts_the_meters_of_the_enterprise_and_no_others(engine, sketch):
    from dataclasses import replace

    made = sketch(MONTH).flow("GRID", "A", 1).flow("GRID", "B", 1)
    meters = {
        m.id: m
        for m in (
            Meter(id="MA", flow="GRID>A:electricity"),
            Meter(id="MB", flow="GRID>B:electricity"),
            Meter(id="V", flow="GRID>A:electricity", kind="virtual", terms={"T": Decimal(1), "MB": Decimal(-1)}),
            Meter(id="T"),
        )
    }
    park = replace(made.park, meters=meters)
    assert meters_of(park, "A") == ("MA", "MB", "T")
    assert meters_of(park, "B") == ("MB",)
    counts = pl.DataFrame(
        [
            {**dict.fromkeys(COUNTS, 0), "meter": "MA", "expected": 100, "measured": 90, "estimated": 10},
            {**dict.fromkeys(COUNTS, 0), "meter": "T", "expected": 100, "measured": 50, "missing": 50},
            {**dict.fromkeys(COUNTS, 0), "meter": "X", "expected": 100, "measured": 0, "missing": 100},
        ]
    )
    with writing(engine) as connection:
        record_completeness(connection, MONTH, counts, 1, NOW)
        found = statement(connection, park, "A", MONTH)
    assert [m.meter for m in found.meters] == ["MA", "T"]
    assert found.completeness.measured_part == 0.7
    assert (found.completeness.estimated_part, found.completeness.missing_part) == (0.05, 0.25)


def test_a_month_that_was_not_posted_says_so(engine, busy):
    with engine.connect() as connection:
        found = statement(connection, busy.park, "A", MONTH)
    assert (found.status, found.version, found.accounts, found.energy) == ("not_posted", 0, (), ())
    assert found.completeness.measured_part is None


def test_green_power_stands_as_a_memo(engine, sketch, reference):
    from lujin.park.model import Claim, Instrument

    made = sketch(
        MONTH,
        instruments={"GEC1": Instrument(id="GEC1", kind="certificate", energy_mwh=Decimal(1))},
        claims=(Claim(instrument="GEC1", enterprise="A", month=MONTH, energy_mwh=Decimal("0.5")),),
    ).flow("GRID", "A", 1000)
    with writing(engine) as connection:
        put(connection, made, reference)
        found = statement(connection, made.park, "A", MONTH, "market")
    assert [(m.kind, m.instrument, m.amount.value) for m in found.memo] == [("certificate", "GEC1", Decimal(500))]


@pytest.mark.parametrize(("enterprise", "book", "said"), [("a", "location", "enterprise a"), ("A", "x", "book x")])
def test_unknown_enterprise_or_book_is_an_error_with_what_there_is(engine, busy, enterprise, book, said):
    with engine.connect() as connection, pytest.raises(InputError, match=said):
        statement(connection, busy.park, enterprise, MONTH, book)


def test_the_json_form_holds_amounts_as_text(engine, busy, reference, gwp):
    with writing(engine) as connection:
        put(connection, busy, reference)
        found = json.loads(json.dumps(statement(connection, busy.park, "A", MONTH, gwp=gwp).as_dict()))
    assert found["month"] == "2024-07"
    power = found["energy"][0]["purchased"]
    assert power == {
        "value": f"{busy.grid.slots}.000",
        "unit": "kWh",
        "base": f"{busy.grid.slots * 1000}",
        "base_unit": "Wh",
    }


def test_amounts_of_other_units_do_not_add():
    with pytest.raises(TypeError):
        Amount(1, "Wh") + Amount(1, "kJ")
