"""An explanation unfolds branch by branch, down to every version of every reading of a day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from lujin.accounts.explain_day import days_in
from lujin.accounts.explanation_levels import children_of, find, level, located, root_of
from lujin.errors import InputError

from .small_park import ZONE, Reading, Site, register, within

Make = Callable[..., Site]
LINE = "E1:2025-07:location:S2/electricity"
DAY = f"{LINE}:2025-07-03"


def posted(site: Make) -> Site:
    park = site("levels")
    park.take(register("M1"), "first.csv")
    park.run()
    return park


def test_every_part_has_an_id_of_its_own_that_later_facts_leave(site: Make) -> None:
    park = posted(site)
    before = {found.id: found.node.kind for found in located(park.open().explain(DAY))}
    assert len(before) == sum(1 for _ in park.open().explain(DAY).walk())
    late = [Reading("M1", r.time, r.value + 1) for r in _noon()]
    park.take(late, "corrected.csv")
    park.run()
    after = {found.id: found.node.kind for found in located(park.open().explain(DAY))}
    assert before.items() <= after.items(), "what was there keeps its id"
    assert len(after) > len(before)


def _noon() -> list[Reading]:
    noon, later = datetime(2025, 7, 3, 12, tzinfo=ZONE), datetime(2025, 7, 3, 13, tzinfo=ZONE)
    return within(register("M1"), noon, later)


def test_a_level_tells_its_children_and_how_much_is_below(site: Make) -> None:
    root = posted(site).open().explain(DAY)
    top = level(root)
    assert [child["kind"] for child in top["children"]] == ["account", "rule", "subject"]
    subject = top["children"][2]
    assert subject["more"] == 1
    assert "children" not in subject
    below = level(root, subject["id"])
    assert below["id"] == subject["id"]
    assert below["path"] == [top["id"]]
    assert [child["kind"] for child in below["children"]] == ["flow"]
    whole = level(root, "", 99)
    assert _count(whole) == sum(1 for _ in root.walk())


def _count(told: dict[str, object]) -> int:
    children = told.get("children", [])
    assert isinstance(children, list)
    return 1 + sum(_count(child) for child in children)


def test_walking_by_ids_comes_to_the_readings(site: Make) -> None:
    root = posted(site).open().explain(DAY)
    here = root_of(root)
    for kind in ("subject", "flow", "meter", "reading"):
        here = find(root, next(c.id for c in children_of(here) if c.node.kind == kind))
    assert here.node.params["file"] == "first.csv"
    assert len(here.path) == 4


def test_an_unknown_part_is_refused(site: Make) -> None:
    with pytest.raises(InputError, match="no part nothing"):
        find(posted(site).open().explain(LINE), "nothing")


def test_readings_of_a_day_tell_versions_and_files(site: Make) -> None:
    park = posted(site)
    park.take([Reading("M1", r.time, r.value + 1) for r in _noon()], "corrected.csv")
    park.run()
    (meter,) = days_in(park.open().explain(DAY))
    assert meter.meter == "M1"
    assert meter.flows == ("F1",)
    assert len(meter.quarters) == 96
    assert (meter.corrected, meter.late) == (4, 4)
    old, new = (r for r in meter.readings if r.time == datetime(2025, 7, 3, 4, tzinfo=UTC))
    assert (old.current, old.late, old.file) == (False, False, "first.csv")
    assert (new.current, new.late, new.file) == (True, True, "corrected.csv")
    assert new.value == old.value + 1
    assert new.recorded > old.recorded


def test_quarters_add_up_to_the_day(site: Make) -> None:
    (meter,) = days_in(posted(site).open().explain(DAY))
    amounts = [q.amount.base for q in meter.quarters if q.amount is not None]
    assert sum(amounts) == meter.amount.base == 2_400_000
    assert meter.quarters[0].start.astimezone(ZONE).hour == 0


def test_a_whole_month_has_no_readings_of_a_day(site: Make) -> None:
    assert days_in(posted(site).open().explain(LINE)) == ()
