"""An explanation leads from a number on the statement to the readings it came from."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from lujin.accounts.explain import LineReference, explain, parse_reference
from lujin.accounts.facts import PinnedResolve
from lujin.accounts.ledger import post
from lujin.accounts.statement import statement
from lujin.database import migrate, writing
from lujin.errors import InputError
from lujin.park.model import Meter
from lujin.readings.energy import Energy
from lujin.readings.flags import Flag

MONTH = 202407
NOW = datetime(2024, 8, 1, tzinfo=UTC)
FLOW = "GRID>A:electricity"


class Sources:
    """Two meters on the flow, one of which counts against it; 1 kWh a slot between them."""

    def __init__(self, grid):
        self.grid = grid
        self.asked = []

    def energy(self, month, meters):
        self.asked.append((month, tuple(meters)))
        amount = np.array([[1200 if m == "M1" else 200] * self.grid.slots for m in meters], dtype=np.int64)
        flags = np.zeros(amount.shape, dtype=np.uint16)
        flags[0, self.grid.day == 2] = int(Flag.ESTIMATED)
        return Energy(self.grid, tuple(meters), amount, flags, ())

    def history(self, meters, start, end):
        rows = [
            {
                "meter": "M1",
                "time": start + timedelta(minutes=15),
                "value": value,
                "quality": 0,
                "recorded": NOW - timedelta(days=3 - source),
                "source": source,
                "row": 17,
                "file": f"june-{source}.csv",
            }
            for source, value in ((1, 41.0), (2, 42.0))
        ]
        return pl.DataFrame(rows).filter(pl.col("meter").is_in(meters), pl.col("time").is_between(start, end))


@pytest.fixture
def posted(database, sketch, reference):
    """(connection, park, sources): a month posted twice, the second time with 960 Wh more on the third day."""
    engine = database()
    migrate(engine)
    made = sketch(MONTH).flow("GRID", "A", 1000)
    virtual = Meter(id="V", flow=FLOW, kind="virtual", terms={"M1": Decimal(1), "M2": Decimal(-1)})
    park = replace(made.park, meters={m.id: m for m in (Meter(id="M1"), Meter(id="M2"), virtual)})
    with writing(engine) as connection:
        for step in range(2):
            if step:
                made.flow("GRID", "A", np.where(made.grid.day == 2, 10, 0))
            resolve = PinnedResolve.for_month(connection, MONTH, reference)
            lines = made.post(resolve=resolve)
            post(
                connection,
                MONTH,
                lines.lines,
                enterprises=park.enterprises(),
                recorded_at=NOW + timedelta(days=step),
                source=step + 1,
                reason="late_reading",
                packs=lines.packs,
                park_digest=dict.fromkeys(park.enterprises(), "park"),
                input_digest=dict.fromkeys(park.enterprises(), "input"),
            )
            resolve.record(connection, MONTH, NOW)
    with engine.connect() as connection:
        yield connection, park, Sources(made.grid)


def of_kind(tree, kind):
    return [node for node in tree.walk() if node.kind == kind]


def test_every_line_of_a_statement_can_be_explained_to_the_same_amount(posted):
    connection, park, sources = posted
    for book in ("physical", "location", "market", "regulatory"):
        found = statement(connection, park, "A", MONTH, book)
        assert found.accounts
        for line in found.accounts:
            tree = explain(connection, park, line.reference, sources)
            sums = {n.params["commodity"]: n.params["amount"] for n in of_kind(tree, "account")}
            assert sums[line.commodity] == line.movement


def test_the_tree_holds_rule_formula_factor_entries_subject_flow_and_meters(posted):
    connection, park, sources = posted
    tree = explain(connection, park, "A:2024-07:location:S2/electricity", sources)
    (rule,) = of_kind(tree, "rule")
    assert rule.params["rule"] == "purchased_electricity_location@1"
    assert "E = Σ AD · EF" in rule.params["formula"]
    (factor,) = of_kind(tree, "factor")
    assert "广东" in json.dumps(tree.as_dict(), ensure_ascii=False)
    assert factor.params["source"]
    assert [e.params["reason"] for e in of_kind(tree, "entry")] == ["initial", "late_reading"]
    assert [n.params["subject"] for n in of_kind(tree, "subject")] == [FLOW]
    assert [n.params["flow"] for n in of_kind(tree, "flow")] == [FLOW]
    assert {n.params["meter"]: n.params["coefficient"] for n in of_kind(tree, "meter")} == {
        "M1": Decimal(1),
        "M2": Decimal(-1),
    }
    assert sources.asked == [(MONTH, ("M1", "M2"))]
    days = of_kind(tree, "day")
    assert len(days) == 31
    assert days[2].params["reference"] == "A:2024-07:location:S2/electricity:2024-07-03"


def test_a_day_leads_down_to_quarter_hours_and_every_version_of_a_reading(posted):
    connection, park, sources = posted
    tree = explain(connection, park, "A:2024-07:physical:OWN/electricity:2024-07-03", sources)
    power = next(n for n in of_kind(tree, "account") if n.params["commodity"] == "electricity")
    assert power.params["amount"].base == 96_960
    meter = next(n for n in of_kind(tree, "meter") if n.params["meter"] == "M1")
    assert meter.params["amount"].base == 1200 * 96
    assert meter.data["flags"] == {"ESTIMATED": 96}
    hours = of_kind(meter, "hour")
    assert len(hours) == 24
    assert hours[0].data["slots"][0] == {
        "start": "2024-07-02T16:00:00+00:00",
        "amount": "1200",
        "flags": ["ESTIMATED"],
    }
    readings = of_kind(meter, "reading")
    assert [(n.params["value"], n.params["file"], n.data["current"]) for n in readings] == [
        (41.0, "june-1.csv", False),
        (42.0, "june-2.csv", True),
    ]
    assert "corrected later" in tree.as_text()


def test_an_explanation_as_known_before_the_correction_does_not_show_it(posted):
    connection, park, sources = posted
    tree = explain(connection, park, "A:2024-07:physical:OWN/electricity:2024-07-03", sources, as_of=NOW)
    power = next(n for n in of_kind(tree, "account") if n.params["commodity"] == "electricity")
    assert power.params["amount"].base == 96_000
    assert {e.params["version"] for e in of_kind(tree, "entry")} == {1}


def test_the_beginning_of_an_account_stands_for_all_that_begin_so(posted):
    connection, park, sources = posted
    tree = explain(connection, park, "A:2024-07:location:S", sources)
    assert [n.params["account"] for n in of_kind(tree, "account")] == ["S2/electricity"]
    whole = explain(connection, park, "A:2024-07:location", sources)
    assert {n.params["account"] for n in of_kind(whole, "account")} == {"S2/electricity"}


def test_nothing_under_a_reference_lists_the_accounts_there_are(posted):
    connection, park, sources = posted
    with pytest.raises(InputError, match="EXT/GRID, S2/electricity"):
        explain(connection, park, "A:2024-07:location:S3", sources)


@pytest.mark.parametrize(
    "text", ["", "A", "A:2024-13:location:S2", "A:2024-07:location:S2:2024-06-01", "A:2024-07"]
)
def test_what_is_no_reference_is_refused_with_an_example(text):
    with pytest.raises(InputError, match="E012:2025-06:location:S2/electricity:2025-06-03"):
        parse_reference(text)


def test_a_reference_is_the_same_after_a_round_trip():
    for reference in (
        LineReference("E:1", 202506, "location", "S2/electricity", date(2025, 6, 3)),
        LineReference("E", 202506, "physical", "COST/x"),
        LineReference("E", 202506, "physical"),
    ):
        assert parse_reference(str(reference)) == reference


def test_the_json_form_can_be_written(posted):
    connection, park, sources = posted
    tree = explain(connection, park, "A:2024-07:location:S2:2024-07-03", sources)
    found = json.loads(json.dumps(tree.as_dict()))
    assert found["kind"] == "reference"
    assert found["children"][0]["amount"]["unit"] == "t"
