"""Series of meters and flows: what the cube under ``derived/`` gives is what the readings say, always."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from lujin.errors import InputError
from lujin.park.calendar import month_grid
from lujin.workspace import open_workspace
from lujin.workspace.compute import energy_blocks
from lujin.workspace.cube import computed
from lujin.workspace.series import Series

from .small_park import MONTH, START, Site, register, text_of, without

Make = Callable[..., Site]
DAY = timedelta(days=1)
VIRTUAL = """
[[node]]
id = "SHOP"
kind = "process"
owner = "E1"

[[flow]]
id = "SUB"
carrier = "electricity"
source = "E1"
target = "SHOP"

[[meter]]
id = "V"
flow = "SUB"
kind = "virtual"
terms = { M1 = 1, M2 = -0.5 }
"""


def same(a: Series, b: Series) -> bool:
    names = ("start", "amount", "measured", "estimated", "missing", "suspect")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)


def files(park: Site) -> list[Path]:
    return sorted((park.directory / "derived" / "hourly").glob("*.npy"))


def test_hours_add_up_to_days_months_and_to_the_statement(site: Make) -> None:
    park = site("sums")
    park.take(register("M1", rate=lambda at: 50.0 + at.hour))
    park.run()
    workspace = park.open()
    hours, days, month = (workspace.series(["M1"], MONTH, MONTH, step) for step in ("hour", "day", "month"))
    quarters = workspace.series(["M1"], MONTH, MONTH, "quarter")
    assert (hours.amount.shape, days.amount.shape, month.amount.shape) == ((1, 744), (1, 31), (1, 1))
    assert hours.amount.sum() == days.amount.sum() == month.amount.sum() == quarters.amount.sum()
    assert hours.amount[0, :24].tolist() == [1000 * (50 + hour) for hour in range(24)]
    assert days.amount[0, 0] == hours.amount[0, :24].sum()
    total = month.total("M1")
    assert total is not None and float(total.value) == park.energy_kwh()


def test_missing_is_null_and_what_is_estimated_says_so(site: Make) -> None:
    park = site("gap")
    readings = register("M1")
    park.take(without(readings, START + 2 * DAY, START + 3 * DAY))
    found = park.open().series(["M1", "M2"], date(2025, 7, 1), date(2025, 7, 20), "day")
    values = found.values("M1")
    assert values[0] == 2400 and values[2] == pytest.approx(2400), "a register gap is known from both ends"
    assert found.estimated[0, 2] > 90 and found.estimated[0, 0] == 0
    assert values[12] is None and found.missing[0, 12] == 96
    assert found.values("M2") == [None] * 20, "a meter that never spoke is not zero"
    assert found.completeness is not None and found.completeness < 0.3


def test_what_lies_in_the_future_is_not_missing(site: Make) -> None:
    park = site("now")
    park.now = (START + 5 * DAY + timedelta(minutes=20)).astimezone(park.now.tzinfo)
    park.take(register("M1", end=START + 5 * DAY))
    found = park.open().series(["M1"], MONTH, MONTH)
    assert found.missing.sum() == 1 and found.expected.sum() == 5 * 96 + 1
    park.later(hours=1)
    assert park.open().series(["M1"], MONTH, MONTH).missing.sum() == 5, "the file stays true as time goes on"


def test_a_late_reading_is_never_hidden_by_an_old_file(site: Make) -> None:
    park = site("late")
    readings = register("M1")
    park.take(readings[:480])
    before = park.open().series(["M1"], MONTH, MONTH)
    (old,) = files(park)
    park.take(readings[480:])
    after = park.open().series(["M1"], MONTH, MONTH)
    assert after.amount.sum() > before.amount.sum()
    assert files(park) != [old] and len(files(park)) == 1
    assert same(after, park.open().series(["M1"], MONTH, MONTH))


def test_an_arrival_in_another_month_keeps_this_month_s_file(site: Make) -> None:
    park = site("other")
    park.take(register("M1", end=START + 3 * DAY))
    park.open().series(["M1"], MONTH, MONTH)
    kept = files(park)
    august = START + timedelta(days=31)
    park.later(days=20).take(register("M2", august + DAY, august + 2 * DAY))
    park.open().series(["M1", "M2"], MONTH, 202508)
    assert kept[0] in files(park) and len(files(park)) == 2


def test_the_file_outlives_a_new_price_but_not_a_new_multiplier(site: Make) -> None:
    park = site("edits")
    park.take(register("M1"))
    before = park.open().series(["M1"], MONTH, MONTH)
    kept = files(park)
    park.describe(text_of() + '\n[[price]]\ncarrier = "water"\nvalue = 3\nunit = "CNY/m3"\n')
    assert same(before, park.open().series(["M1"], MONTH, MONTH)) and files(park) == kept
    park.describe(text_of(more={1: "multiplier = 40"}))
    after = park.open().series(["M1"], MONTH, MONTH)
    assert after.amount.sum() == 40 * before.amount.sum()


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "json"])
def test_a_damaged_file_is_computed_again(site: Make, damage: str) -> None:
    park = site("damage")
    park.take(register("M1"))
    before = park.open().series(["M1"], MONTH, MONTH)
    (file,) = files(park)
    if damage == "flip":
        content = bytearray(file.read_bytes())
        content[200] ^= 1
        file.write_bytes(content)
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:5000])
    elif damage == "gone":
        file.unlink()
    else:
        file.with_name(f"{MONTH}.json").write_text('{"version": 1', encoding="utf-8")
    assert same(before, park.open().series(["M1"], MONTH, MONTH))
    assert json.loads(file.with_name(f"{MONTH}.json").read_text())["file"] == files(park)[0].name


def test_every_row_is_the_interval_energy_that_postings_use(site: Make) -> None:
    """Flows and virtual meters are the sums of their meters, with the same rounding."""
    park = site("rows", text_of(2) + VIRTUAL)
    for name in ("M1", "M2"):
        park.take(register(name, rate=lambda at: 77.7 + at.minute))
    workspace = park.open()
    grid = month_grid(MONTH, workspace.park.timezone)
    blocks = energy_blocks(workspace.park, workspace.store, workspace.meter_keys(), ["M1", "M2"], grid, grid.end)
    ((energy, _),) = blocks
    one, two = energy.amount
    found = workspace.series(["M1", "V"], MONTH, MONTH, "quarter")
    assert np.array_equal(found.amount[0], one)
    assert np.array_equal(found.amount[1], one + np.round(-0.5 * two).astype(int))
    flows = workspace.series(["F1", "SUB"], MONTH, MONTH, "quarter", kind="flow")
    assert np.array_equal(flows.amount, found.amount)


def test_as_of_gives_what_was_known_then(site: Make) -> None:
    park = site("then")
    readings = register("M1")
    park.take(readings[:480])
    known = park.open().series(["M1"], MONTH, MONTH)
    then = park.now
    park.take(readings[480:])
    again = park.open().series(["M1"], MONTH, MONTH, as_of=then)
    assert np.array_equal(known.amount, again.amount)
    assert park.open().series(["M1"], MONTH, MONTH).amount.sum() > again.amount.sum()


def test_a_folder_that_cannot_be_written_costs_time_and_nothing_else(site: Make) -> None:
    park = site("full")
    park.take(register("M1"))
    (park.directory / "derived").write_text("in the way", encoding="utf-8")
    assert park.open().series(["M1"], MONTH, MONTH).amount.sum() > 0


def ask(directory: str) -> int:
    return int(open_workspace(directory, environment={}).series(["M1"], MONTH, MONTH).amount.sum())


def test_processes_that_ask_at_once_get_one_answer(site: Make) -> None:
    park = site("many")
    park.take(register("M1"))
    with get_context("spawn").Pool(3) as pool:
        found = set(pool.map(ask, [str(park.directory)] * 6))
    assert len(found) == 1 and len(files(park)) == 1
    workspace = park.open()
    cube = computed(workspace, month_grid(MONTH, workspace.park.timezone), "hour")
    assert found == {int(cube.cells[cube.meters["M1"]]["amount"].sum())}


@pytest.mark.parametrize(
    ("names", "first", "last", "step", "said"),
    [
        (["M9"], MONTH, MONTH, "hour", "no meter M9"),
        (["M1"], MONTH, MONTH, "week", "no step week"),
        (["M1"], 202508, MONTH, "hour", "no span"),
        (["M1"], 202513, MONTH, "hour", "no month"),
        (["M1"], date.min, date.max, "hour", "no month"),
        (["M1"], 190001, 202512, "hour", "no span"),
    ],
)
def test_a_question_that_makes_no_sense_is_told_so(
    site: Make, names: list[str], first: int, last: int, step: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        site("wrong").open().series(names, first, last, step)
