"""Published facts and the park's own: which holds when, and what a new one would move, silently nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from lujin.errors import InputError, StaleError
from lujin.reference import Selector, grid_factor, load_reference
from lujin.workspace import Workspace
from lujin.workspace.reference import add_row, find_row, timeline, version, which

from .small_park import MONTH, Site, register, text_of

OWN = {
    "factor_id": "own-1",
    "scope": "province",
    "region_zh": "广东",
    "region_en": "Guangdong",
    "data_year": "2023",
    "basis": "average",
    "purpose": "location-based accounting; reference for accounting subjects",
    "value": "0.4000",
    "unit": "kgCO2/kWh",
    "valid_from": "2025-07-01",
    "valid_to": "2025-07-31",
    "source": "contract of the park, 2025-06-01",
    "confidence": "verified",
}
GUANGDONG = grid_factor("location", "广东")
DAY = date(2025, 7, 3)


@pytest.fixture
def posted(site: Callable[..., Site]) -> Site:
    park = site(text=text_of(1))
    park.take(register("M1"))
    park.run()
    return park


def shipped(workspace: Workspace) -> dict[str, str]:
    """The row that answers now, with another value: its key makes it take the place."""
    row = which(workspace, GUANGDONG, DAY).row
    assert row is not None
    return {**row.values, "value": "0.4000", "source": "contract of the park, 2025-06-01"}


def test_one_row_answers_a_day_and_the_nearest_are_named_where_none_does(posted: Site) -> None:
    workspace = posted.open()
    found = which(workspace, GUANGDONG, DAY)
    assert found.row is not None
    assert found.row.values["region_zh"] == "广东"
    none = which(workspace, GUANGDONG, date(1999, 1, 1))
    assert none.row is None
    assert none.problem is not None
    assert found.row in none.nearest


def test_an_own_row_tells_the_months_it_would_move_and_moves_none(posted: Site) -> None:
    workspace = posted.open()
    before, ledger = which(workspace, GUANGDONG, DAY).row, posted.bytes()
    told = add_row(workspace, "grid_factors", shipped(workspace), dry_run=True)
    assert not told.done
    assert which(workspace, GUANGDONG, DAY).row == before
    done = add_row(workspace, "grid_factors", shipped(workspace))
    assert done.done
    assert done.effects == told.effects
    (effect,) = done.effects
    assert (effect.month, effect.period) == (MONTH, "open")
    (change,) = (c for c in effect.changes if c.selector == str(GUANGDONG))
    assert before is not None
    assert (change.was, change.now) == ((before.id,), (done.row.id,))
    assert (change.first, change.last) == (date(2025, 7, 1), date(2025, 7, 31))
    assert which(workspace, GUANGDONG, DAY).row == done.row
    posted.run()
    assert posted.bytes() == ledger
    posted.open().restate([MONTH])
    assert posted.bytes() != ledger
    posted.verified()


def test_the_timeline_shows_who_stood_where_and_when_it_was_known(posted: Site) -> None:
    workspace = posted.open()
    first = which(workspace, GUANGDONG, DAY).row
    assert first is not None
    assert [s.months for s in timeline(workspace, first) if s.row == first] == [(MONTH,)]
    own = add_row(workspace, "grid_factors", shipped(workspace)).row
    fixed = add_row(workspace, "grid_factors", {**own.values, "value": "0.41"}, replaces=own.id).row
    whole = timeline(workspace, fixed)
    stated = {s.row.id: s for s in whole}
    assert [stated[name].present for name in (first.id, own.id, fixed.id)] == [False, False, True]
    years = [s.row.values["data_year"] for s in whole if s.present]
    assert years == sorted(years)
    assert len(years) == 3
    assert [present for _, present in stated[own.id].known] == [True, False]
    assert stated[first.id].months == (MONTH,)
    assert find_row(workspace, own.id) == own


def test_a_row_that_does_not_hold_is_refused_with_its_columns_and_nothing_is_written(posted: Site) -> None:
    workspace = posted.open()
    folder = workspace.directory / "reference"
    wrong = {**OWN, "value": "0,4", "unit": "kg/kWh", "source": "", "valid_from": "", "confidence": "sure"}
    with pytest.raises(InputError) as refused:
        add_row(workspace, "grid_factors", wrong)
    assert {p.field for p in refused.value.problems} == {"value", "unit", "source", "valid_from", "confidence"}
    assert not (folder / "grid_factors.csv").exists()
    with pytest.raises(InputError, match="no reference table"):
        add_row(workspace, "../../etc/passwd", OWN)
    with pytest.raises(InputError, match="no column"):
        add_row(workspace, "gwp", OWN)


def test_two_rows_for_the_same_day_are_refused(posted: Site) -> None:
    workspace = posted.open()
    row = which(workspace, GUANGDONG, DAY).row
    assert row is not None
    with pytest.raises(InputError, match="holds on the same days"):
        add_row(workspace, "grid_factors", {**row.values, "factor_id": "own-1", "value": "0.4"})


def test_a_file_keeps_its_encoding_and_its_other_rows(posted: Site) -> None:
    workspace = posted.open()
    path = workspace.directory / "reference" / "coal_equivalents.csv"
    held = path.read_text(encoding="utf-8")
    path.write_bytes(held.encode("gb18030"))
    gas = {
        "kind": "fuel",
        "name_zh": "自产沼气",
        "value": "0.6",
        "unit": "kgce/m3",
        "valid_from": "2025-01",
        "source": "lab\r\nreport",
        "confidence": "verified",
    }
    row = add_row(workspace, "coal_equivalents", gas).row
    text = path.read_bytes().decode("gb18030")
    assert text.startswith(held)
    assert row.source == "lab report"
    assert row in load_reference(path.parent)


def test_a_form_made_of_older_tables_is_refused(posted: Site) -> None:
    workspace = posted.open()
    known = version(workspace)
    own = add_row(workspace, "grid_factors", shipped(workspace), known=known).row
    with pytest.raises(StaleError, match="were changed since"):
        add_row(workspace, "grid_factors", {**OWN, "valid_from": "2030-01-01", "valid_to": ""}, known=known)
    add_row(workspace, "grid_factors", {**own.values, "value": "0.41"}, replaces=own.id)
    with pytest.raises(StaleError, match="any more"):
        add_row(workspace, "grid_factors", {**own.values, "value": "0.42"}, replaces=own.id)


def test_who_adds_a_row_is_told_in_the_transaction_that_records_it(posted: Site) -> None:
    workspace, told = posted.open(), []
    row = add_row(
        workspace, "grid_factors", shipped(workspace), trail=lambda _, new, old, at: told.append((new, old, at))
    ).row
    ((new, old, at),) = told
    assert (new, old) == (row, None)
    assert at.tzinfo is not None
    assert Selector.parse(str(GUANGDONG)) == GUANGDONG
