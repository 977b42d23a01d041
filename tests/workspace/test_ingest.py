"""Readings that arrive as columns: the same checks, durability and report as a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from lujin.errors import InputError, LujinError
from lujin.workspace.importing import FileResult

from .small_park import METER, MONTH, START, Reading, Site, register, text_of

Make = Callable[..., Site]


def frame(readings: Iterable[Reading], **more: Any) -> pl.DataFrame:
    rows = [(r.meter, r.time, r.value) for r in readings]
    columns = pl.DataFrame(
        rows, schema={"meter": pl.String, "time": pl.Datetime("us"), "value": pl.Float64}, orient="row"
    )
    local = pl.col("time").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Shanghai")
    return columns.with_columns(local, **more)


def ingest(site: Site, columns: Any, **how: Any) -> FileResult:
    site.later(minutes=1)
    return site.open().ingest(columns, "push", **how)


def test_columns_bring_what_a_file_of_the_same_readings_brings(site: Make) -> None:
    readings = [*register("M1"), *register("M2", rate=70.0)]
    file, columns = site("file", text_of(2)), site("columns", text_of(2))
    file.take(readings)
    file.run()
    result = ingest(columns, frame(readings))
    columns.run()

    assert result.report is not None and result.report.accepted == len(readings)
    assert columns.bytes() == file.bytes()


def test_batches_of_one_arrival_count_their_rows_on_and_land_together(site: Make) -> None:
    park = site(text=text_of(1))
    parts = [frame(register("M1")), frame([Reading("nobody", START, 1.0), register("M1")[-1]])]

    result = ingest(park, iter(parts))

    assert result.report is not None
    assert (result.report.accepted, result.report.already_known, result.report.rejected) == (parts[0].height, 1, 1)
    (refused,) = result.report.rejections
    assert refused.line == parts[0].height + 1
    assert refused.text() == f"push:{refused.line} [meter]: the park has no meter nobody; " + refused.remedy
    assert len(park.open().store.sources_in(MONTH)) == 1


@pytest.mark.parametrize("backwards", [False, True])
def test_what_is_known_is_recognised_whatever_time_a_batch_spans(site: Make, backwards: bool) -> None:
    park, readings = site(text=text_of(2)), [*register("M1"), *register("M2", rate=70.0)]
    ingest(park, frame(readings))
    changed = [replace(reading, value=reading.value + 1) for reading in readings[5:400:7]]
    again = sorted([*readings[::3], *changed], key=lambda r: (r.time, r.value), reverse=backwards)
    again = list({(r.meter, r.time): r for r in again}.values())
    batches = [frame(again[start : start + 40]) for start in range(0, len(again), 40)]
    report = ingest(park, batches).report
    stored = {(r.meter, r.time): r.value for r in readings}
    assert report is not None and report.read == len(again)
    assert report.corrects == sum(stored[r.meter, r.time] != r.value for r in again)
    assert report.already_known == len(again) - report.corrects


def test_a_meter_that_may_not_be_written_does_not_exist_for_the_sender(site: Make) -> None:
    park = site(text=text_of(2, {2: 'alias = ["neighbour"]'}))
    rows = [*register("M1"), *register("M2"), *register("neighbour"), *register("M3x")]

    result = ingest(park, frame(rows), meters={"M1"}, listed=10_000)

    assert result.report is not None
    assert result.report.meters == ("M1",)
    assert result.report.reasons == {"unknown_meter": 3 * len(register("M1"))}
    assert {p.message for p in result.report.rejections} == {"the park has no meter {value}"}
    assert {str(p.params["hint"]) for p in result.report.rejections} == {""}
    assert not park.open().store.read(MONTH, [park.open().meter_keys()["M2"]]).height


def test_files_too_are_kept_to_the_meters_that_may_be_written(site: Make) -> None:
    park = site(text=text_of(2))
    path = park.write([*register("M1"), *register("M2")], "both.csv")
    (result,) = park.open().import_files([path], meters={"M2"})
    assert result.report is not None
    assert (result.report.meters, result.report.rejected) == (("M2",), len(register("M1")))
    assert not list((park.directory / "mappings").iterdir())

    (again,) = park.open().import_files([path])
    assert again.report is not None and again.report.meters == ("M1",)


def test_units_and_qualities_come_in_columns_of_their_own(site: Make) -> None:
    park = site(text=text_of(2))
    rows = frame([Reading("M1", START, 1.0), Reading("M2", START, 7.0)])
    rows = rows.with_columns(unit=pl.Series(["MWh", "kWh"]), quality=pl.Series(["estimated", "guessed"]))

    result = ingest(park, rows)

    assert result.report is not None and result.report.reasons == {"unknown_quality": 1}
    assert park.open().store.read(MONTH).select("value", "quality").rows() == [(1000.0, 1)]


def test_the_same_bytes_again_do_not_undo_a_correction(site: Make) -> None:
    park = site(text=text_of(1))
    rows, digest = frame(register("M1")), hashlib.sha256(b"body").hexdigest()
    first = ingest(park, rows, digest=digest)
    ingest(park, frame([Reading("M1", START + timedelta(days=1), 3_390.5)]))

    again = ingest(park, rows, digest=digest)

    assert again.same_as == first.source and again.source == 0
    assert 3_390.5 in park.open().store.read(MONTH)["value"].to_list()


def test_a_trial_stores_nothing(site: Make) -> None:
    park = site(text=text_of(1))
    result = ingest(park, frame(register("M1")), dry_run=True)
    assert result.report is not None and result.report.accepted == len(register("M1"))
    assert result.source == 0 and not park.open().store.months()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (pl.DataFrame({"meter": ["M1"], "value": [1.0]}), "the file has no column time"),
        (pl.DataFrame({"meter": ["M1"], "time": ["2025-07-01"], "value": [[1.0]]}), "column value holds List"),
        ([frame(register("M1")), pl.DataFrame({"meter": ["M1"]})], "a later batch lacks the columns time, value"),
        (["no columns"], "the file has no column time"),
        ([{"time": object()}], "these are not columns|column time holds"),
    ],
    ids=["no time", "a list", "other batches", "text", "objects"],
)
def test_what_is_not_readings_is_refused_whole(site: Make, columns: Any, said: str) -> None:
    park = site(text=text_of(1, meters=METER))
    with pytest.raises(LujinError, match=said):
        ingest(park, columns)
    assert not park.open().store.months() and not park.open().status().unfinished_imports


def test_times_of_no_day_are_refused_row_by_row(site: Make) -> None:
    park = site(text=text_of(1))
    rows = pl.DataFrame(
        {
            "meter": ["M1"] * 3,
            "time": ["2025-07-01T00:00:00+08:00", "2025-13-01", "soon"],
            "value": [1.0, 2.0, 3.0],
        }
    )
    result = ingest(park, rows)
    assert result.report is not None
    assert (result.report.accepted, result.report.reasons) == (1, {"not_a_time": 2})


def test_an_empty_arrival_is_no_error(site: Make) -> None:
    park = site(text=text_of(1))
    result = ingest(park, frame([]))
    assert result.report is not None and result.report.read == 0
    with pytest.raises(InputError):
        ingest(park, frame([]).drop("value"))
