"""Bodies of many readings: every form gives the same frame; faults are told as a whole or left to their row."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.errors import InputError, LujinError, MediaError, TooLargeError
from lujin.web.api import bulk
from lujin.web.api.arrow import claims

FRAME = pl.DataFrame(
    {
        "meter": ["M1", "M1", "M2"],
        "time": [datetime(2025, 6, 1, 0, m, tzinfo=UTC) for m in (0, 15, 0)],
        "value": [1.5, None, -3.0],
    },
    schema_overrides={"time": pl.Datetime("us", "UTC")},
)
WRITTEN = FRAME.with_columns(pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))


def buffer(write: Callable[[Any], Any]) -> bytes:
    held = io.BytesIO()
    write(held)
    return held.getvalue()


BODIES = {
    "rows": (json.dumps({"readings": WRITTEN.to_dicts()}).encode(), bulk.JSON),
    "columns": (json.dumps({"columns": WRITTEN.to_dict(as_series=False)}).encode(), bulk.JSON),
    "lines": (WRITTEN.write_ndjson().encode(), bulk.NDJSON),
    "csv": (WRITTEN.write_csv().encode(), f"{bulk.CSV}; charset=utf-8"),
    "csv with a byte order mark": (b"\xef\xbb\xbf" + WRITTEN.write_csv().encode(), bulk.CSV),
    "stream": (buffer(FRAME.write_ipc_stream), bulk.ARROW_STREAM),
    "packed stream": (buffer(lambda b: FRAME.write_ipc_stream(b, compression="zstd")), bulk.ARROW_STREAM),
    "file": (buffer(FRAME.write_ipc), bulk.ARROW_FILE),
    "packed file": (buffer(lambda b: FRAME.write_ipc(b, compression="lz4")), bulk.ARROW_FILE),
    "parquet": (buffer(FRAME.write_parquet), bulk.PARQUET),
}


@pytest.mark.parametrize("form", BODIES)
def test_every_form_gives_the_same_readings(form: str) -> None:
    body, media = BODIES[form]
    found = bulk.decode(body, media)
    if found["time"].dtype == pl.String:
        found = found.with_columns(pl.col("time").str.to_datetime("%+", time_unit="us"))
    assert found.equals(FRAME)


def test_one_meter_holds_for_all_rows_of_columns() -> None:
    body = {"columns": {"meter": "M1", "time": ["2025-06-01T00:00:00Z", "2025-06-01T00:15:00Z"], "value": [1, 2]}}
    assert bulk.decode(json.dumps(body).encode(), bulk.JSON)["meter"].to_list() == ["M1", "M1"]


def test_a_value_that_is_no_number_stays_for_its_row_to_be_refused() -> None:
    rows = [{"meter": "M1", "time": "2025-06-01T00:00:00Z", "value": v} for v in (1.5, "abc")]
    for body, media in (
        (json.dumps({"readings": rows}).encode(), bulk.JSON),
        (b"meter,time,value\nM1,2025-06-01T00:00:00Z,1.5\nM1,2025-06-01T00:00:00Z,abc\n", bulk.CSV),
    ):
        assert bulk.decode(body, media)["value"].to_list() == ["1.5", "abc"]


def test_unit_and_quality_come_along() -> None:
    row = {"meter": "M1", "time": "2025-06-01T00:00:00Z", "value": 1, "unit": "MWh", "quality": "estimated"}
    found = bulk.decode(json.dumps({"readings": [row]}).encode(), bulk.JSON)
    assert found.select("unit", "quality").rows() == [("MWh", "estimated")]


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        (
            {"readings": [{"meter": "M1", "time": "2025-06-01T00:00:00Z"}, {"meter": 3, "time": "x"}]},
            "[1].meter",
            "str",
        ),
        ({"readings": [{"meter": "M1", "when": "2025"}]}, "", "when"),
        ({"columns": {"meter": "M1", "time": ["2025-06-01T00:00:00Z"], "value": [1, 2]}}, "columns", "value 2"),
        ({"columns": {"meter": "M1", "time": ["a"], "value": [1]}, "readings": []}, "", "both"),
        ({}, "", "neither"),
        ([], "", "object"),
        (3, "", "object"),
    ],
)
def test_a_json_body_that_does_not_hold_together_is_told_with_its_place(body: Any, field: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        bulk.decode(json.dumps(body).encode(), bulk.JSON)
    (problem,) = refused.value.problems
    assert field in problem.field
    assert said in problem.text()


@pytest.mark.parametrize("media", bulk.MEDIA)
@pytest.mark.parametrize("body", [b"\x00", b"{", b"ARROW1", b"PAR1PAR1", b"a" * 100, b"[" * 100_000, b"\xff\xfe"])
def test_garbage_is_refused_in_one_sentence(body: bytes, media: str) -> None:
    with pytest.raises(InputError):
        bulk.decode(body, media)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_body_is_refused_or_read_but_never_breaks(data: st.DataObject) -> None:
    whole, media = BODIES[data.draw(st.sampled_from(list(BODIES)))]
    body = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        bulk.decode(bytes(body[: data.draw(st.integers(0, len(body)))]), media)
    except LujinError as error:
        assert error.text()


def test_columns_that_are_missing_or_unknown_are_all_told() -> None:
    with pytest.raises(InputError) as refused:
        bulk.decode(b"meter,when,value\nM1,2025,1\n", bulk.CSV)
    assert [problem.field for problem in refused.value.problems] == ["time", "when"]


@pytest.mark.parametrize("form", ["file", "stream", "parquet"])
def test_columns_of_the_wrong_type_are_told(form: str) -> None:
    frame = FRAME.with_columns(pl.col("time").dt.replace_time_zone(None), pl.col("meter").str.len_chars())
    write = {"file": frame.write_ipc, "stream": frame.write_ipc_stream, "parquet": frame.write_parquet}[form]
    with pytest.raises(InputError) as refused:
        bulk.decode(buffer(write), BODIES[form][1])
    assert [problem.field for problem in refused.value.problems] == ["meter", "time"]


def test_limits_hold_for_every_form() -> None:
    for body, media in BODIES.values():
        with pytest.raises(TooLargeError):
            bulk.decode(body, media, bulk.Limits(rows=2))
        with pytest.raises(TooLargeError):
            bulk.decode(body, media, bulk.Limits(body=10))


@pytest.mark.parametrize("packed", ["zstd", "lz4"])
def test_what_a_packed_arrow_body_unpacks_to_is_known_beforehand(packed: Any) -> None:
    zeros = pl.select(pl.repeat(0.0, 1_000_000).alias("value"))
    for body, file in (
        (buffer(lambda b: zeros.write_ipc_stream(b, compression=packed)), False),
        (buffer(lambda b: zeros.write_ipc(b, compression=packed)), True),
    ):
        assert len(body) < 100_000
        assert claims(body, file=file) == (1_000_000, 8_000_000)
    with pytest.raises(TooLargeError):
        bulk.decode(body, bulk.ARROW_FILE, bulk.Limits(unpacked=1_000_000))


def test_a_header_that_claims_nonsense_is_refused() -> None:
    body = bytearray(BODIES["file"][0])
    struct.pack_into("<I", body, len(body) - 10, 2**31)
    with pytest.raises(InputError):
        claims(bytes(body), file=True)


def test_other_media_are_refused_with_those_that_are_taken() -> None:
    with pytest.raises(MediaError) as refused:
        bulk.decode(b"", "application/pdf")
    assert bulk.ARROW_STREAM in refused.value.problems[0].text()


def test_an_empty_list_is_no_fault() -> None:
    assert bulk.decode(msgspec.json.encode({"readings": []}), bulk.JSON).height == 0
    assert bulk.decode(b"", bulk.CSV).height == 0
