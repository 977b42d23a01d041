"""Each kind of rule finds what it should in real readings, with its numbers, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.workspace.small_park import END, START, register, text_of, within, without

from lujin.alarms import dry_run, findings, known
from lujin.language import Speech

from .conftest import CONTRACT, Watched, local

NOW = local(10, 12)


def regular(at: datetime) -> float:
    """A daily rhythm: 20 kW at night, 80 kW by day."""
    return 80.0 if 8 <= at.hour < 20 else 20.0


# Completeness ------------------------------------------------------------------------------------------------


def test_completeness_counts_the_readings_of_the_window_alone(park: Watched) -> None:
    gap = without(register("M1"), local(10, 0, 15), local(10, 6))
    park.take([*gap, *register("M2")])
    rule = park.rule("completeness", "enterprise:*", least="95", window_h="24", delay_h="0")
    (one,) = park.found(rule, NOW)
    assert str(one.place) == "enterprise:E1" and one.enterprises == ("E1",)
    assert one.value == pytest.approx((96 - 24) / 96 * 100)
    assert "75.0 %" in one.said.text() and "24 quarter hours" in one.said.text() and "M1" in one.said.text()
    assert park.found(rule, local(9, 20)) == ()


def test_completeness_between_good_and_bad_only_holds(park: Watched) -> None:
    park.take([*without(register("M1"), local(10, 0, 15), local(10, 1, 15)), *register("M2")])
    share = (96 - 5) / 96 * 100
    for least, level in ((96, "raise"), (94.5, "hold"), (90, None)):
        found = park.found(park.rule("completeness", "meter:M1", least=str(least), delay_h="0"), NOW)
        assert [f.level for f in found] == ([level] if level else [])
        assert all(f.value == pytest.approx(share) for f in found)


def test_readings_that_may_be_late_are_not_missed_yet(park: Watched) -> None:
    park.take(within(register("M1"), START, local(10, 9)))
    late = park.rule("completeness", "meter:M1", least="99", delay_h="4")
    assert park.found(late, NOW) == ()
    assert park.found(park.rule("completeness", "meter:M1", least="99", delay_h="0"), NOW)


# Late ------------------------------------------------------------------------------------------------------


def test_a_silent_meter_is_told_with_the_time_of_its_last_reading(park: Watched) -> None:
    park.take([*register("M1"), *within(register("M2"), START, local(9, 0, 15))])
    (one,) = park.found(park.rule("late", "meter:*", after_h="24"), NOW)
    assert str(one.place) == "meter:M2" and one.value == 36 and one.enterprises == ("E2",)
    assert "2025-07-09 00:00" in one.said.text()
    (whole,) = park.found(park.rule("late", after_h="24"), NOW)
    assert "1 of 2 meters" in whole.said.text() and whole.enterprises == ()
    assert park.found(park.rule("late", after_h="37"), NOW) == ()


def test_a_meter_never_heard_of_is_late_too(park: Watched) -> None:
    park.take(register("M1"))
    (one,) = park.found(park.rule("late", "meter:M2", after_h="24"), NOW)
    assert "ever" in one.said.text() and one.value is None


# Limits ----------------------------------------------------------------------------------------------------


@pytest.fixture
def busy(park: Watched) -> Watched:
    """M1 regular; on the 9th from 14:00 to 15:00 it drew 110 kW."""
    peak = (local(9, 14), local(9, 15))
    park.take([*register("M1", rate=lambda at: 110.0 if peak[0] <= at < peak[1] else regular(at))])
    park.take(register("M2"))
    return park


@pytest.mark.parametrize("place", ["enterprise:E1", "flow:F1"])
def test_energy_of_a_day_above_a_limit(busy: Watched, place: str) -> None:
    spent = 12 * 80 + 12 * 20 + 30
    rule = busy.rule("limit", place, value=str(spent - 10), period="day")
    (one,) = [f for f in busy.found(rule, NOW) if f.level == "raise"]
    assert one.value == pytest.approx(spent) and one.unit == "kWh" and "2025-07-09" in one.said.text()
    assert not [f for f in busy.found(busy.rule("limit", place, value="1231"), NOW) if f.level == "raise"]


def test_power_above_a_limit_is_told_with_its_time(busy: Watched) -> None:
    rule = busy.rule("limit", "enterprise:E1", quantity="power", value="100", minutes="30")
    (one,) = busy.found(rule, NOW)
    assert one.value == pytest.approx(110) and one.unit == "kW" and "2025-07-09 14:00" in one.said.text()


def test_energy_below_a_limit_is_judged_of_whole_days_that_were_read(busy: Watched) -> None:
    rule = busy.rule("limit", "enterprise:E2", direction="below", value="2500", period="day")
    (one,) = busy.found(rule, NOW)
    assert one.value == pytest.approx(2400) and "2025-07-09" in one.said.text()


def test_missing_is_not_little(park: Watched) -> None:
    park.take(within(register("M1"), START, local(8, 12)))
    rule = park.rule("limit", "enterprise:E1", direction="below", value="5000", period="day")
    assert park.found(rule, local(10, 12)) == ()
    assert park.found(rule, local(8, 12))


def test_carbon_of_a_month_above_a_limit(busy: Watched) -> None:
    busy.later(days=0)
    busy.run()
    total = busy.open().statement("E1", 202507, "location").books[0].co2e
    assert total is not None
    tonnes = float(total.value)
    rule = busy.rule("limit", "enterprise:E1", quantity="carbon", period="month", value=str(tonnes * 0.9))
    (one,) = busy.found(rule, local(10, 12))
    assert one.value == pytest.approx(tonnes) and one.unit == "tCO2e" and one.level == "raise"
    assert not busy.found(busy.rule("limit", "enterprise:E1", quantity="carbon", period="month", value="999"), NOW)


# Demand ----------------------------------------------------------------------------------------------------


def test_a_demand_near_the_contract_tells_share_time_and_trend(busy: Watched) -> None:
    rule = busy.rule("demand", "connection:*", share="90")
    (one,) = [f for f in busy.found(rule, NOW) if f.level == "raise"]
    assert str(one.place) == "connection:C1" and one.enterprises == ("E1",)
    assert one.value == pytest.approx(110 / 120 * 100)
    for part in ("110.0 kW", "2025-07-09 14:00", "91.7 %", "120 kW"):
        assert part in one.said.text()
    assert one.cause.endswith("approaching")


def test_demand_is_not_known_before_it_happened(busy: Watched) -> None:
    assert busy.found(busy.rule("demand", "connection:C1"), local(9, 13, 59)) == ()


def test_a_demand_above_the_contract_is_another_cause(park: Watched) -> None:
    park.take(register("M1", rate=lambda at: 130.0 if at.day == 9 and at.hour == 3 else 50.0))
    (one,) = park.found(park.rule("demand", "enterprise:E1"), NOW)
    assert one.cause.endswith("exceeded") and "108.3 %" in one.said.text()


# Anomalies -------------------------------------------------------------------------------------------------


def test_what_quality_checks_suspect_is_told_for_its_day(park: Watched) -> None:
    park.describe(text_of(2, {1: "capacity = 200"}))
    values = register("M1", rate=regular)
    readings = [r if r.time < local(9, 3) else type(r)(r.meter, r.time, r.value + 5000) for r in values]
    park.take(readings)
    found = park.found(park.rule("anomaly", "meter:M1", slots="1", hours="24"), NOW)
    assert [f.cause for f in found] == ["anomaly|M1|2025-07-09|suspect"]
    assert "above capacity" in found[0].said.text()


def test_hours_unlike_the_same_hours_before_are_told_with_what_is_usual(park: Watched) -> None:
    """A night shift nobody knows of: plausible values, at the wrong time."""
    night = (local(10), local(10, 6))
    park.take(register("M1", rate=lambda at: 75.0 if night[0] <= at < night[1] else regular(at)))
    found = park.found(park.rule("anomaly", "meter:M1", hours="4"), NOW)
    assert [f.cause for f in found] == ["anomaly|M1|2025-07-10|unusual"]
    assert "6 h are unusual, 450.0 kWh where 120.0 kWh" in found[0].said.text()
    assert park.found(park.rule("anomaly", "meter:M1", hours="7"), NOW) == ()


def test_a_regular_meter_is_not_unusual(park: Watched) -> None:
    park.take(register("M1", rate=regular))
    for day in range(7, 11):
        assert park.found(park.rule("anomaly"), local(day, 12)) == ()


# Claims and ledger -----------------------------------------------------------------------------------------

CLAIMS = """
[[instrument]]
id = "GEC1"
kind = "certificate"
energy_mwh = 10

[[claim]]
instrument = "GEC1"
enterprise = "E1"
month = "2025-07"
energy_mwh = 7

[[claim]]
instrument = "GEC1"
enterprise = "E2"
month = "2025-07"
energy_mwh = 7
"""


def test_a_certificate_claimed_twice_concerns_both(park: Watched) -> None:
    assert park.found(park.rule("claimed_twice"), NOW) == ()
    """A park file that claims twice is refused when it is opened; who has the park open is told."""
    rule, workspace = park.rule("claimed_twice"), park.open()
    park.describe(text_of(2).replace('voltage = "<1kV"', CONTRACT) + CLAIMS)
    (one,) = findings(rule, known(workspace, [rule], NOW), NOW)
    assert one.enterprises == ("E1", "E2") and (one.value, one.limit, one.unit) == (14, 10, "MWh")
    assert "GEC1" in one.said.text()


def test_a_ledger_that_was_changed_is_told(park: Watched) -> None:
    import sqlite3

    park.take(register("M1"))
    park.run()
    rule = park.rule("ledger")
    assert park.found(rule, NOW) == ()
    with sqlite3.connect(park.directory / "lujin.db") as database:
        database.execute("DROP TRIGGER line_no_update")
        database.execute("UPDATE line SET amount = amount + 1 WHERE entry = 1 AND no = 1")
    (one,) = park.found(rule, NOW)
    assert one.value and "does not hold" in one.said.text()


# Language and dry run --------------------------------------------------------------------------------------


def test_a_finding_is_said_in_either_language(busy: Watched) -> None:
    (one,) = [f for f in busy.found(busy.rule("demand", "connection:C1"), NOW) if f.level == "raise"]
    assert one.said.text(Speech("zh")) != one.said.text(Speech("en"))
    assert type(one.said).of(one.said.as_dict()) == one.said


def test_a_dry_run_says_how_often_a_rule_would_have_raised(busy: Watched) -> None:
    rule = busy.rule("limit", "enterprise:E1", quantity="power", value="100")
    found = dry_run(busy.open(), rule, 202507)
    (one,) = found.raised
    assert found.rounds == 31 and "2025-07-09 14:00" in one.finding.said.text()
    assert one.at == local(10) and one.cleared_at is not None and one.cleared_at - one.at <= timedelta(days=2)
    late = dry_run(busy.open(), busy.rule("late", after_h="24"), 202507)
    assert [r.at for r in late.raised] == [local(12, 6)] and local(11) == END


def test_no_rule_finds_anything_in_an_empty_park(tmp_path: Path) -> None:
    park = Watched(tmp_path / "empty")
    park.describe(text_of(1))
    for kind, more in (("completeness", {}), ("limit", {"value": "1"}), ("demand", {}), ("anomaly", {})):
        place = "enterprise:E1" if kind in ("limit", "demand") else "park"
        found = park.found(park.rule(kind, place, **more), NOW)
        assert [f.level for f in found if kind != "completeness"] == []
