"""Closed months into which carbon is carried over: a boiler that is fired before it gives steam."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from polars.testing import assert_frame_equal

from lujin.accounts.period_facts import embodied_balances
from lujin.errors import InputError

from .small_park import COAL, HEAD, ZONE, Reading, Site

Make = Callable[..., Site]
JULY, AUGUST = 202507, 202508
PARK = (
    HEAD.replace("[[node]]", 'embodied = "embodied@1"\n\n[[node]]', 1)
    + """
[[node]]
id = "COALCO"
kind = "supplier"

[[node]]
id = "E1"
kind = "enterprise"

[[node]]
id = "B1"
kind = "boiler"
owner = "E1"

[[node]]
id = "E2"
kind = "enterprise"

[[flow]]
id = "COAL"
carrier = "bituminous_coal"
source = "COALCO"
target = "B1"

[[flow]]
id = "STEAM"
carrier = "steam"
source = "B1"
target = "E2"

[[meter]]
id = "MC"
flow = "COAL"
kind = "interval"
unit = "t"
interval = "1h"

[[meter]]
id = "MS"
flow = "STEAM"
kind = "interval"
unit = "GJ"
interval = "1h"

[[price]]
carrier = "bituminous_coal"
value = 800
unit = "CNY/t"

[[price]]
carrier = "steam"
value = 70
unit = "CNY/GJ"
"""
)


def hours(meter: str, first: datetime, count: int, value: float) -> list[Reading]:
    return [Reading(meter, first + timedelta(hours=hour), value) for hour in range(count)]


HEAT = "heat,热力(等价值),heat,,,,0.04,kgce/MJ,2024-01-01,2026-12-31,test,verified\n"
EVE = datetime(2025, 7, 31, 12, tzinfo=ZONE)
DAY = datetime(2025, 8, 1, tzinfo=ZONE)
FACTS = [
    *hours("MC", EVE, 24, 1.0),
    *hours("MS", EVE, 12, 0.0),
    *hours("MS", DAY, 12, 20.0),
]
LATE = [Reading("MC", EVE + timedelta(hours=3), 5.0)]


def balance(site: Site, month: int, group: str) -> int:
    with site.open().engine.connect() as connection:
        found = embodied_balances(connection, month)
    return sum(b.amount for b in found if b.group == group and b.commodity == "CO2f")


def lit(make: Make, name: str = "park", text: str = PARK) -> Site:
    site = make(name, text)
    site.reference("coal_equivalents", COAL + HEAT)
    site.now = datetime(2025, 9, 1, 1, tzinfo=ZONE)
    site.take(FACTS)
    return site


def test_start_up_carbon_is_disclosed_and_a_later_closed_month_waits_for_its_own_restatement(site: Make) -> None:
    park = lit(site)
    assert not [p for p in park.run().problems if p.severity == "error"]
    july, august = park.later(minutes=1).open().close([JULY, AUGUST])
    assert july.closing is not None and august.closing is not None
    waiting = balance(park, JULY, "WIP")
    assert waiting > 0 and balance(park, AUGUST, "WIP") == 0
    told = {(d["kind"], d["account"]): d["amount"] for d in july.closing.disclosed if d["commodity"] == "CO2f"}
    assert told == {("work_in_progress", "WIP/B1"): str(waiting)}

    park.take(LATE)
    assert [held.month for held in park.run().held] == [JULY]
    report = park.later(minutes=1).open().restate([JULY], "a weighbridge ticket came late")
    assert [event.month for event in report.restated] == [JULY]
    (held,) = report.held
    assert (held.month, set(held.reasons.values())) == (AUGUST, {"carried"})
    assert [(h.month, h.reasons) for h in park.run().held] == [(AUGUST, held.reasons)], "it is not forgotten"
    assert {m.month: m.waiting for m in park.open().status().months} == {JULY: 0, AUGUST: len(held.reasons)}

    report = park.later(minutes=1).open().restate([AUGUST], "carried over from July")
    assert [event.month for event in report.restated] == [AUGUST] and not report.held
    assert not park.run().held
    park.later(minutes=1).open().close([JULY, AUGUST])
    full = lit(site, "full")
    full.take(LATE)
    full.run()
    for month in (JULY, AUGUST):
        assert_frame_equal(park.net([month]), full.net([month]))
    park.verified()


def test_months_restated_together_need_one_command(site: Make) -> None:
    park = lit(site)
    park.run()
    park.later(minutes=1).open().close([JULY, AUGUST])
    park.take(LATE)
    report = park.later(minutes=1).open().restate([JULY, AUGUST], "a weighbridge ticket came late")
    assert [event.month for event in report.restated] == [JULY, AUGUST] and not report.held
    park.verified()


def test_an_open_month_takes_over_what_a_restated_one_carries(site: Make) -> None:
    park = lit(site)
    park.run()
    park.later(minutes=1).open().close([JULY])
    park.take(LATE)
    report = park.later(minutes=1).open().restate([JULY], "a weighbridge ticket came late")
    assert [m.month for m in report.months] == [JULY, AUGUST]
    assert [event.month for event in report.restated] == [JULY] and not report.held
    assert balance(park, AUGUST, "WIP") == 0
    park.verified()


DISPUTED = (
    PARK
    + """
[[meter]]
id = "MX"
kind = "interval"
unit = "GJ"
interval = "1h"
accuracy_class = "1.0"

[[transfer]]
flow = "STEAM"
status = "energy"
check_meter = "MX"
"""
)


def test_two_meters_that_disagree_hinder_the_closing_until_a_note_discloses_it(site: Make) -> None:
    park = lit(site, text=DISPUTED.replace('id = "MS"', 'id = "MS"\naccuracy_class = "1.0"'))
    park.take([*hours("MX", EVE, 12, 0.0), *hours("MX", DAY, 12, 15.0)])
    park.run()
    assert balance(park, AUGUST, "SUSPENSE") != 0
    with pytest.raises(InputError, match=r"disputed amounts stand in suspense: E1/SUSPENSE/STEAM") as refused:
        park.later(minutes=1).open().close([JULY, AUGUST])
    assert len(refused.value.problems) == 1
    note = "the steam meters of B1 and E2 differ by a quarter"
    _, august = park.later(minutes=1).open().close([JULY, AUGUST], note)
    assert august.closing is not None and august.closing.note == note
    kinds = {d["kind"] for d in august.closing.disclosed}
    assert "suspense" in kinds
    park.verified()


def test_the_base_year_counts_the_coal_and_not_the_steam_made_of_it_again(site: Make) -> None:
    text = PARK.replace("ghgp-location@1", "ghgp-location@2")
    park = lit(site, "base", text.replace('region = "广东"\n', 'region = "广东"\nbase_year = 2025\n', 1))
    park.now = park.now.astimezone(UTC)
    park.run()
    park.later(minutes=1).open().close([AUGUST])
    found, sums = park.open().base_year(), park.open().totals().consolidated["location"]
    assert found.by_addition and found.eliminated == sums.eliminated and sums.eliminated.base > 0
    assert found.assessment.original == sums.scope1 + sums.scope2
    assert sum(amount.base for amount in found.enterprises.values()) == (sums.scope1 + sums.scope2_gross).base
    park.take([Reading("MC", DAY + timedelta(hours=3), 5.0)])
    park.run()
    park.later(minutes=1).open().restate([AUGUST], "coal was weighed again")
    after = park.open().totals().consolidated["location"]
    changes = park.open().base_year().assessment.changes
    assert after.scope1.base > sums.scope1.base
    moved = sum(judged.change.amount.base for judged in changes if judged.change.amount)
    assert moved == (after.scope1 + after.scope2).base - (sums.scope1 + sums.scope2).base
    assert not park.open().base_year("market").by_addition
