"""A file looked at before it is imported: the guess, its reasons, and a mapping that a person corrected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lujin.errors import MappingError
from lujin.readings.mapping import Mapping

from .small_park import START, Site, register, text_of

Make = Callable[..., Site]


def test_the_guess_its_reasons_and_the_first_rows_are_told(site: Make) -> None:
    park = site(text=text_of(1))
    seen = park.open().look(park.write(register("M1"), "export.csv"))

    assert seen.ready and seen.shape is not None and seen.shape.encoding == "utf-8"
    assert {c.column: c.role for c in seen.columns} == {"meter": "meter", "time": "time", "value": "value"}
    assert all(0 < c.confidence <= 1 and c.reason for c in seen.columns)
    assert len(seen.rows) == 12 and seen.rows[0][0] == "M1"
    assert not park.open().store.months() and not list(park.open().mappings.iterdir())


def test_what_the_file_does_not_say_is_asked_and_the_rest_is_guessed(site: Make, tmp_path: Path) -> None:
    park = site(text=text_of(1))
    path = tmp_path / "two.csv"
    path.write_text("time,meter,total,peak\n2025-07-01 00:00,M1,1000,500\n2025-07-01 00:15,M1,1025,510\n")
    seen = park.open().look(path)
    assert not seen.ready
    assert [p.field for p in seen.problems] == ["value"]
    assert str(tmp_path) not in "".join(p.text() for p in seen.problems)
    assert (seen.mapping.time, seen.mapping.meter) == ("time", "meter")

    stated = park.open().look(path, replace(seen.mapping, value="total"))
    assert stated.ready
    (result,) = park.open().import_files([path], stated.mapping)
    assert result.report is not None and result.report.accepted == 2


def test_a_mapping_that_does_not_fit_says_which_field(site: Make) -> None:
    park = site(text=text_of(1))
    path = park.write(register("M1"))
    good = park.open().look(path).mapping
    for wrong, field in (
        (replace(good, value="nothing"), "value"),
        (replace(good, time_form="yesterday"), "time_form"),
        (replace(good, layout="wide", meters={"value": "M9"}), "meters"),
    ):
        assert [p.field for p in park.open().look(path, wrong).problems] == [field]


def test_a_saved_mapping_serves_the_next_file_with_this_header(site: Make) -> None:
    park = site(text=text_of(1))
    path = park.write(register("M1"))
    seen = park.open().look(path)
    park.open().save_mapping(replace(seen.mapping, unit="MWh"), "monthly")
    again = park.open().look(park.write(register("M1", START), "other.csv"))
    assert (again.saved, again.mapping.unit) == ("monthly", "MWh")

    park.open().save_mapping(replace(seen.mapping, unit="kWh"), "weekly")
    assert [m.name for m in park.open().mappings.iterdir()] == ["weekly.toml"]


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "a/b", "a b", "x" * 61, "con\n"])
def test_no_name_leads_out_of_the_folder(site: Make, name: str) -> None:
    park = site(text=text_of(1))
    with pytest.raises(MappingError, match="is not a name for a mapping"):
        park.open().save_mapping(Mapping(fingerprint="0"), name)
    assert not list(park.open().mappings.iterdir())


def test_a_mapping_of_meters_of_others_is_not_shown_to_whoever_may_not_write_them(site: Make) -> None:
    park = site(text=text_of(2))
    path = park.directory / "wide.csv"
    path.write_text("time,M1,M2\n2025-07-01 00:00,1000,2000\n2025-07-01 00:15,1025,2025\n")
    park.open().import_files([path])
    seen = park.open().look(path, meters={"M1"})
    assert dict(seen.mapping.meters) == {"M1": "M1"}
    assert "M2" in {c.column for c in seen.columns if c.role == "ignored"}


def test_a_trial_lists_the_rows_that_would_be_refused(site: Make, tmp_path: Path) -> None:
    park = site(text=text_of(1))
    path = park.write(register("M1"))
    path.write_text(path.read_text() + "M1,soon,1\n")
    kept = tmp_path / "refused.csv"
    (result,) = park.open().import_files([path], dry_run=True, rejects=kept)
    assert result.report is not None and result.report.rejected == 1
    assert "soon" in kept.read_text(encoding="utf-8-sig")
    assert not park.open().arrivals()
