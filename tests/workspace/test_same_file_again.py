"""The same file again: after a correction, after a new alias, with another mapping."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta
from pathlib import Path

from .small_park import START, Reading, Site, register, text_of

Make = Callable[..., Site]
BROKEN = "M1,2025-07-01T00:00:00+08:00,no number\n"


def spoilt(site: Site) -> Path:
    """A file with one broken row, so that it is read again each time."""
    path = site.write(register("M1"), "first.csv")
    path.write_text(path.read_text(encoding="utf-8") + BROKEN, encoding="utf-8")
    return path


def test_importing_a_folder_again_does_not_undo_a_correction(site: Make) -> None:
    park = site(text=text_of(1))
    path = spoilt(park)
    park.take_file(path)
    at = START + timedelta(days=2)
    park.take([Reading("M1", at, 5_790.5)])
    park.run()
    before = park.bytes()

    again = park.take_file(path)

    assert again.report is not None
    assert (again.report.accepted, again.report.corrects, again.report.rejected) == (0, 0, 1)
    assert not park.run().months
    assert park.bytes() == before
    stored = park.open().store.read(202507)
    assert stored.filter(stored["time"] == at.astimezone(UTC))["value"].to_list() == [5_790.5]


def test_rows_refused_for_an_unknown_meter_come_in_once_the_park_knows_it(site: Make) -> None:
    park = site(text=text_of(2, {1: 'alias = ["main 1"]'}))
    path = park.write([*register("main 1"), *register("main 2")], "both.csv")
    first = park.take_file(path)
    assert first.report is not None and first.report.rejected == first.report.accepted

    park.describe(text_of(2, {1: 'alias = ["main 1"]', 2: 'alias = ["main 2"]'}))
    second = park.take_file(path)

    assert second.report is not None and second.report.rejected == 0
    assert second.report.accepted == second.report.already_known == first.report.accepted


def test_a_corrected_mapping_reads_the_same_file_anew(site: Make) -> None:
    park = site(text=text_of(1))
    result = park.take_file(park.write(register("M1"), "hourly.csv"))
    mapping = park.directory / "mappings" / "hourly.toml"
    mapping.write_text(mapping.read_text(encoding="utf-8") + 'unit = "MWh"\n', encoding="utf-8")

    again = park.take_file(result.file)

    assert again.report is not None and result.report is not None
    assert again.report.corrects == result.report.accepted
    assert park.take_file(result.file).report.already_known == result.report.accepted  # type: ignore[union-attr]
