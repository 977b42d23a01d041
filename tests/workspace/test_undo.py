"""An arrival taken back: the accounts are as if it had never come, and what was known before stays known."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lujin.errors import InputError, NotFoundError

from .small_park import END, MONTH, START, ZONE, Reading, Site, register, text_of, within, without

Make = Callable[..., Site]
MONTHS = (202506, 202507, 202508)
few = settings(
    max_examples=3, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)


def taken(site: Site, readings: Sequence[Reading]) -> int:
    result = site.take(readings)
    assert result.source
    return result.source


def undone(site: Site, number: int) -> int:
    site.later(minutes=1)
    return site.open().undo(number, "the wrong file", "Lin").number


def same(one: Site, other: Site) -> None:
    """Equal readings, and equal accounts when everything is posted."""
    one.run(), other.run()
    for month in MONTHS:
        columns = ("meter", "time", "value", "quality")
        assert_frame_equal(
            one.open().store.read(month).select(columns), other.open().store.read(month).select(columns)
        )
    amounts = [s.net(MONTHS).filter(s.net(MONTHS)["amount"] != 0) for s in (one, other)]
    assert_frame_equal(*amounts, check_row_order=False)


def test_what_only_the_arrival_told_is_missing_again_and_not_zero(site: Make) -> None:
    park = site(text=text_of(1))
    gap = START + timedelta(days=3), START + timedelta(days=4)
    taken(park, without(register("M1"), *gap))
    before = park.energy_kwh() if park.run() else 0.0
    late = taken(park, within(register("M1", rate=250.0), *gap))
    park.run()

    report = park.open().undo(late, dry_run=True)
    assert (report.number, report.withdrawn, report.restated, report.months) == (0, 96, 0, (MONTH,))
    undone(park, late)
    posted = park.run()

    assert [m.month for m in posted.months] == [MONTH]
    assert park.energy_kwh() == before
    statement = park.open().statement("E1", MONTH)
    assert statement.completeness.estimated
    park.verified()


def test_a_corrected_value_comes_back(site: Make) -> None:
    park, never = site("park", text_of(1)), site("never", text_of(1))
    for one in (park, never):
        taken(one, register("M1"))
    wrong = taken(park, [Reading("M1", START + timedelta(days=2), 5_790.5)])
    report = park.open().undo(wrong)
    assert (report.withdrawn, report.restated) == (0, 1)
    same(park, never)


def test_as_known_before_the_undoing_stays_as_it_was(site: Make) -> None:
    park = site(text=text_of(1))
    taken(park, register("M1", end=START + timedelta(days=5)))
    second = taken(park, register("M1", START + timedelta(days=5, minutes=15), END, initial=13_025.0))
    park.run()
    known = park.later(minutes=1).now
    rows = park.open().store.read(MONTH, as_of=known)
    said = park.open().statement("E1", MONTH, as_of=known).as_dict()

    undone(park, second)
    park.run()

    assert_frame_equal(park.open().store.read(MONTH, as_of=known), rows)
    assert park.open().statement("E1", MONTH, as_of=known).as_dict() == said
    assert park.open().store.read(MONTH).height < rows.height


def test_a_later_correction_stands_whichever_is_taken_back_first(site: Make) -> None:
    at = START + timedelta(days=2)
    found = []
    for order in ("first", "second"):
        park = site(order, text_of(1))
        taken(park, without(register("M1"), at, at + timedelta(minutes=1)))
        one = taken(park, [Reading("M1", at, 5_790.5)])
        two = taken(park, [Reading("M1", at, 5_791.5)])
        assert park.open().undo(one, dry_run=True).untouched == 1
        for number in (one, two) if order == "first" else (two, one):
            undone(park, number)
        rows = park.open().store.read(MONTH)
        assert at not in [t.astimezone(ZONE) for t in rows["time"]]
        found.append(rows.select("meter", "time", "value", "quality"))
    assert_frame_equal(*found)


def test_undoing_the_undoing_brings_the_arrival_back(site: Make) -> None:
    park, plain = site("park", text_of(1)), site("plain", text_of(1))
    number = taken(park, register("M1"))
    taken(plain, register("M1"))
    back = undone(park, number)
    assert park.open().store.read(MONTH).is_empty()
    report = park.open().undo(back)
    assert report.restores and report.restated == len(register("M1"))
    same(park, plain)
    with pytest.raises(InputError, match="was taken back already"):
        undone(park, back)
    assert undone(park, number)


def test_the_same_file_comes_in_again_after_it_was_taken_back(site: Make) -> None:
    park, plain = site("park", text_of(1)), site("plain", text_of(1))
    path = park.write(register("M1"))
    first = park.take_file(path)
    taken(plain, register("M1"))
    undone(park, first.source)
    again = park.take_file(path)
    assert again.report is not None and again.report.accepted == len(register("M1"))
    same(park, plain)


def test_a_file_that_repeated_the_readings_is_named_and_brings_them_again(site: Make) -> None:
    park = site(text=text_of(1))
    first = taken(park, register("M1"))
    repeated = park.write(register("M1", end=START + timedelta(days=1)), "repeat.csv")
    assert park.take_file(repeated).source
    report = park.open().undo(first)
    assert [s.name for s in report.repeated_by] == ["repeat.csv"]
    again = park.take_file(repeated)
    assert again.report is not None and again.report.accepted == 97


def test_a_reading_at_the_turn_of_the_month_is_taken_back_on_both_sides(site: Make) -> None:
    border = datetime(2025, 8, 1, tzinfo=ZONE)
    rows = register("M1", border - timedelta(days=1), border + timedelta(days=1))
    around = border - timedelta(hours=1), border + timedelta(hours=1)
    park, never = site("park", text_of(1)), site("never", text_of(1))
    for one in (park, never):
        one.later(days=2)
        taken(one, without(rows, *around))
        one.run()
    number = taken(park, within(rows, *around))
    park.run()
    undone(park, number)
    # A later arrival meets the readings that are left, not those that were withdrawn.
    for one in (park, never):
        taken(one, [Reading("M1", border + timedelta(days=2), rows[-1].value + 2_400)])
    same(park, never)


def test_only_what_was_brought_can_be_taken_back(site: Make) -> None:
    park = site(text=text_of(1))
    with pytest.raises(NotFoundError, match="there is no arrival 7"):
        park.open().undo(7)
    number = taken(park, register("M1"))
    with pytest.raises(NotFoundError, match="there is no arrival"):
        park.open().undo(number, party="E2")


def test_a_closed_month_waits_for_a_restatement(site: Make) -> None:
    park = site(text=text_of(1))
    taken(park, register("M1", end=datetime(2025, 8, 1, tzinfo=ZONE)))
    late = taken(park, [Reading("M1", START + timedelta(days=2), 5_790.5)])
    park.run()
    park.later(days=3)
    park.open().close([MONTH])
    undone(park, late)
    report = park.run()
    assert not report.months and [h.month for h in report.held] == [MONTH]


def test_explain_tells_that_a_reading_was_taken_back(site: Make) -> None:
    park = site(text=text_of(1))
    taken(park, register("M1"))
    late = taken(park, [Reading("M1", START + timedelta(minutes=7), 1_011.0)])
    undone(park, late)
    park.run()
    told = park.nodes("E1:2025-07:physical:OWN/electricity:2025-07-01", "reading")
    gone = [n for n in told if n.params["value"] is None]
    assert len(gone) == 1 and gone[0].data["current"]
    assert "no reading since arrival-02.csv was taken back" in gone[0].sentence()


@given(st.data())
@few
def test_arrivals_taken_back_in_any_order_leave_no_trace(data: st.DataObject) -> None:
    """Whatever is imported, taken back and brought back, with runs in between: only arrivals that hold count."""
    draw = random.Random(data.draw(st.integers(0, 10**6)))
    border = datetime(2025, 8, 1, tzinfo=ZONE)
    rows = register("M1", border - timedelta(hours=12), border + timedelta(hours=12), step=timedelta(hours=1))
    parts = [draw.sample(rows, draw.randint(1, 20)) for _ in range(4)]
    # Every part says something of its own, so that nothing is "already known".
    parts = [[Reading(r.meter, r.time, r.value + n / 8) for r in part] for n, part in enumerate(parts)]
    with tempfile.TemporaryDirectory() as folder:
        park = Site(Path(folder) / "park").describe(text_of(1)).later(days=2)
        plain = Site(Path(folder) / "plain").describe(text_of(1)).later(days=2)
        holds: dict[int, bool] = {}
        last: dict[int, int] = {}
        numbers = {}
        for n, part in enumerate(parts):
            numbers[n], holds[n] = taken(park, part), True
            last[n] = numbers[n]
            if draw.random() < 0.4:
                park.run()
            for m in draw.sample(sorted(holds), draw.randint(0, len(holds))):
                last[m] = undone(park, last[m])
                holds[m] = not holds[m]
        for n, part in enumerate(parts):
            if holds[n]:
                taken(plain, part)
        same(park, plain)
        park.verified()
