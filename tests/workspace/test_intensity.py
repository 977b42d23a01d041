"""The hourly trace as it is kept: read back without tracing, told stale, asked for clean hours."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from lujin.demo import write_demo
from lujin.workspace import Workspace, open_workspace
from lujin.workspace import tracing as kernel
from lujin.workspace.intensity import intensities, intensity

ZONE = "Asia/Shanghai"
JANUARY, FEBRUARY = 202501, 202502


@pytest.fixture(scope="module")
def park(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    files = write_demo(tmp_path_factory.mktemp("intensity") / "park", enterprises=12, months=2)
    workspace = open_workspace(files.directory)
    workspace.import_files(files.arrivals)
    workspace.run()
    workspace.trace(FEBRUARY)
    return workspace


def test_a_month_that_was_never_traced_has_no_answer(park: Workspace) -> None:
    assert intensity(park, 202503) is None
    assert set(intensities(park, range(202501, 202513))) == {JANUARY, FEBRUARY}


def test_what_is_kept_is_what_was_traced(park: Workspace) -> None:
    found, traced = intensity(park, JANUARY, "E003"), park.trace(JANUARY)
    assert found is not None
    assert (found.stale, found.sha256) == (False, traced.sha256)
    (power,) = traced.summary("E003").filter(pl.col("carrier") == "electricity").iter_rows(named=True)
    (mine,) = (c for c in found.summary() if c.carrier == "electricity")
    assert (mine.mean, mine.least, mine.greatest) == pytest.approx(
        (power["mean"], power["least"], power["greatest"])
    )
    assert (mine.amount.base, mine.unit) == (power["amount"], "gCO2e/kWh")


def test_the_park_is_the_sum_of_its_enterprises(park: Workspace) -> None:
    found, traced = intensity(park, JANUARY), park.trace(JANUARY)
    assert found is not None
    assert found.frame["amount"].sum() == traced.frame["amount"].sum()
    assert found.frame["co2e"].sum() == pytest.approx(traced.hours()["co2e"].sum())


def test_a_fresh_month_is_read_without_a_look_at_the_readings(
    park: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "energy_of", lambda *_: pytest.fail("the readings were read"))
    assert not park.trace(FEBRUARY).fresh
    found = intensity(park, FEBRUARY)
    assert found is not None
    assert not found.stale


def test_the_cleanest_hours_of_a_day_come_first(park: Workspace) -> None:
    found = intensity(park, JANUARY)
    assert found is not None
    day = date(2025, 1, 30)
    best = found.cleanest("electricity", day, ZONE, count=3)
    whole = found.cleanest("electricity", day, ZONE, count=30)
    assert whole.height == 24
    assert best["intensity"].to_list() == sorted(whole["intensity"].to_list())[:3]
    assert {at.astimezone(ZoneInfo(ZONE)).date() for at in whole["hour"]} == {day}
    assert found.day_hours("electricity", ZONE).height == 31 * 24
    assert found.mean_day("electricity", ZONE).height == 24


def test_a_late_reading_makes_its_month_and_the_later_ones_stale(park: Workspace, tmp_path: Path) -> None:
    meter = next(m for m in park.park.meters.values() if m.kind == "register" and m.flow.startswith("GRID"))
    at = datetime(2025, 1, 20, 5, tzinfo=ZoneInfo(ZONE))
    late = tmp_path / "late.csv"
    late.write_text(f"meter,time,value\n{meter.id},{at.isoformat()},1\n", encoding="utf-8")
    park.import_files([late])
    found = intensities(park, [JANUARY, FEBRUARY])
    assert {month: one.stale for month, one in found.items()} == {JANUARY: True, FEBRUARY: True}
    park.run()
    park.trace(FEBRUARY)
    assert not any(one.stale for one in intensities(park, [JANUARY, FEBRUARY]).values())
