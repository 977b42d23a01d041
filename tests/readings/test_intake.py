"""What is new in a file, what was known, what it corrects; and the report that says so."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.errors import MappingError
from lujin.readings import reject
from lujin.readings.intake import Reconcile, classify, fresh
from lujin.readings.mapping import FILE, Mapping, save
from lujin.readings.parse import ROWS
from lujin.readings.reject import REASONS, RejectFile

START = datetime(2025, 6, 1, tzinfo=UTC)
LONG = Mapping(time="time", meter="meter", value="value")


def rows_of(*cells: tuple[int, int, float], first: int = 1) -> pl.DataFrame:
    """(meter, quarter hour, value) in file order."""
    data = [(m, START + timedelta(minutes=15 * q), v, 0, first + i) for i, (m, q, v) in enumerate(cells)]
    return pl.DataFrame(data, schema=ROWS, orient="row")


def known(*cells: tuple[int, int, float]) -> pl.DataFrame:
    return rows_of(*cells).drop("row")


def test_new_known_and_correcting_readings_are_told_apart() -> None:
    judged = classify(rows_of((1, 0, 5.0), (1, 1, 6.0), (1, 2, 7.0)), known((1, 0, 5.0), (1, 1, 6.5)))
    assert judged["status"].to_list() == ["known", "corrects", "new"]
    assert judged["old"].to_list() == [5.0, 6.5, None]
    assert fresh(judged)["row"].to_list() == [2, 3]


def test_a_changed_quality_is_a_correction() -> None:
    batch = rows_of((1, 0, 5.0)).with_columns(pl.lit(1, dtype=pl.Int8).alias("quality"))
    assert classify(batch, known((1, 0, 5.0)))["status"].to_list() == ["corrects"]


def test_the_later_row_of_a_key_wins_and_both_are_stored() -> None:
    judged = classify(rows_of((1, 0, 5.0), (1, 0, 6.0), (1, 0, 6.0), (1, 1, 1.0)), known())
    assert judged["status"].to_list() == ["superseded", "known", "new", "new"]
    assert fresh(judged)["value"].to_list() == [5.0, 6.0, 1.0]


def test_rows_are_last_by_row_number_not_by_place_in_the_frame() -> None:
    batch = rows_of((1, 0, 5.0), (1, 0, 6.0)).reverse()
    assert sorted(classify(batch, known()).select("row", "status").rows()) == [(1, "superseded"), (2, "new")]


def test_a_conflicting_file_twice_changes_nothing() -> None:
    batch = rows_of((1, 0, 5.0), (1, 0, 6.0))
    assert fresh(classify(batch, known((1, 0, 6.0)))).is_empty()


def play(batches: list[pl.DataFrame], store: dict[tuple[int, datetime], float], **how: Any) -> list[str]:
    """Import batches into a dict as a store would: looked up as it was before, last row wins."""
    reconcile = Reconcile(**how)
    before = pl.DataFrame(
        [(m, t, v, 0) for (m, t), v in store.items()], schema={n: ROWS[n] for n in list(ROWS)[:4]}, orient="row"
    )
    statuses = []
    for batch in batches:
        judged = reconcile(batch, before)
        statuses += judged["status"].to_list()
        for meter, time, value in fresh(judged).sort("row").select("meter", "time", "value").iter_rows():
            store[(meter, time)] = value
    return statuses


def test_a_repeat_in_a_later_batch_overrules_the_earlier_one() -> None:
    store: dict[tuple[int, datetime], float] = {}
    statuses = play([rows_of((1, 0, 5.0), (1, 1, 1.0)), rows_of((1, 0, 6.0), (1, 1, 1.0), first=3)], store)
    assert statuses == ["new", "new", "overrules", "known"]
    assert store == {(1, START): 6.0, (1, START + timedelta(minutes=15)): 1.0}


def test_a_contradiction_that_a_later_batch_takes_back_does_not_stay() -> None:
    store = {(1, START): 5.0}
    assert play([rows_of((1, 0, 9.0)), rows_of((1, 0, 5.0), first=2)], store) == ["corrects", "overrules"]
    assert store == {(1, START): 5.0}


cells = st.lists(
    st.tuples(st.integers(1, 2), st.integers(0, 3), st.sampled_from([1.0, 2.0, 3.0])), min_size=1, max_size=14
)


@settings(max_examples=80, deadline=None)
@given(told=cells, earlier=cells, cuts=st.sets(st.integers(1, 13)), seen=st.sampled_from([1, 3, 4_000_000]))
def test_a_file_leaves_its_last_values_however_it_is_cut(
    told: list[tuple[int, int, float]], earlier: list[tuple[int, int, float]], cuts: set[int], seen: int
) -> None:
    store = {(m, START + timedelta(minutes=15 * q)): v for m, q, v in earlier}
    expected = store | {(m, START + timedelta(minutes=15 * q)): v for m, q, v in told}
    whole = rows_of(*told)
    edges = [0, *sorted(c for c in cuts if c < len(told)), len(told)]
    batches = [whole.slice(a, b - a) for a, b in pairwise(edges)]
    statuses = play(batches, store, seen_rows=seen)
    assert store == expected
    assert len(statuses) == len(told)
    if len(batches) == 1:
        assert set(play([whole], dict(store))) <= {"known", "superseded"}
        assert all(s != "corrects" for s in play([whole], dict(store)))


# Reports


def put(tmp_path: Path, text: str, name: str = "a.csv") -> Path:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def test_a_report_accounts_for_every_cell(tmp_path: Path, border: Any) -> None:
    path = put(
        tmp_path,
        "time,meter,value\n2025-06-01 00:00,M1,1\n2025-06-01 00:00,M1,2\n2025-06-01 00:15,M1,3\n"
        "2025-06-01 00:30,M1,\n2025-06-01 00:45,M2,9\n2025-07-01 00:00,M1,4\n",
    )
    current = pl.DataFrame(
        [(1, datetime(2025, 6, 1, 0, 15, tzinfo=UTC), 3.0, 0), (1, datetime(2025, 7, 1, tzinfo=UTC), 3.5, 0)],
        schema=border.nothing.schema, orient="row",
    )  # fmt: skip
    report = border.take(path, border.park(border.meter("M1"), timezone="UTC"), current, mapping=LONG).report
    assert (report.read, report.accepted, report.already_known, report.corrects) == (6, 1, 1, 1)
    assert (report.conflicts, report.rejected, report.empty) == (1, 1, 1)
    assert (report.meters, report.months) == (("M1",), (202506, 202507))
    assert (report.first, report.last) == (datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC))
    assert [(c.old, c.new) for c in report.corrections] == [(3.5, 4.0)]
    assert [(c.rows, c.values) for c in report.conflict_list] == [((1, 2), (1.0, 2.0))]
    plain = json.loads(json.dumps(report.as_dict()))
    assert plain["rejections"][0]["line"] == 6
    assert "no meter M2" in plain["rejections"][0]["text"]


def test_a_conflict_between_batches_is_listed_too(tmp_path: Path, border: Any) -> None:
    lines = [f"2025-06-01 {h:02d}:00,M1,{h}\n" for h in range(24)]
    path = put(tmp_path, "time,meter,value\n" + "".join(lines) + "2025-06-01 03:00,M1,7\n")
    taken = border.take(path, border.park(border.meter("M1"), timezone="UTC"), mapping=LONG, block_bytes=100)
    assert len(taken.batches) > 3
    assert [(c.rows, c.values) for c in taken.report.conflict_list] == [((4, 25), (3.0, 7.0))]


def test_columns_of_numbers_without_a_meter_are_reported(tmp_path: Path, border: Any) -> None:
    path = put(tmp_path, "时间,M1,M7,备注\n2025-06-01 00:00,1,2,x\n")
    assert border.take(path, border.park(border.meter("M1"))).report.ignored == ("M7",)


# Mappings


def test_a_saved_mapping_is_found_by_the_header_and_named(tmp_path: Path, border: Any) -> None:
    park = border.park(border.meter("M1"), timezone="UTC")
    path = put(tmp_path, "time,meter,value\n3/3/2025 0:00,M1,1\n4/4/2025 0:00,M1,1\n")
    with pytest.raises(MappingError):
        border.take(path, park, mappings=tmp_path / "mappings")
    shape = border.take(path, park, mapping=LONG).intake.shape
    stated = Mapping(
        name="monthly", fingerprint=shape.fingerprint, time="time", meter="meter", value="value", time_form="dmy"
    )
    save(stated, tmp_path / "mappings")
    taken = border.take(path, park, mappings=tmp_path / "mappings")
    assert taken.report.mapping == "monthly"
    assert [t for _, t, _ in taken.told()] == ["2025-03-03 00:00", "2025-04-04 00:00"]


def test_one_mapping_serves_files_named_after_their_meters(tmp_path: Path, border: Any) -> None:
    park = border.park(border.meter("Hall"), border.meter("Library"), timezone="UTC")
    mapping = Mapping(layout="wide", time="DateTime", meters={"RealPower": FILE}, units={"RealPower": "kWh"})
    text = "DateTime,RealPower\n2025-06-01 00:00,1\n"
    for name in ("Hall", "Library"):
        taken = border.take(put(tmp_path, text, f"{name}.csv"), park, mapping=mapping)
        assert [m for m, _, _ in taken.told()] == [name]
    with pytest.raises(MappingError, match="not named after a meter"):
        border.take(put(tmp_path, text, "Gym.csv"), park, mapping=mapping)


# Rejected rows


def test_rejected_rows_are_kept_with_reasons_in_both_languages(tmp_path: Path, border: Any) -> None:
    path = put(tmp_path, "time,meter,value\n2025-06-01 00:00,M9,1\nx,M1,2\n2025-06-01 00:00,M1,a{b}\n")
    taken = border.take(path, border.park(border.meter("M1")), mapping=LONG)
    target = tmp_path / "inbox" / "rejected" / "7-a.csv"
    with RejectFile(target) as rejects:
        for batch in taken.batches:
            rejects.write(batch.rejected)
    kept = pl.read_csv(target)
    assert kept.columns == ["row", "column", "value", "reason", "原因", "raw"]
    assert kept["row"].to_list() == [1, 2, 3]
    assert kept["reason"][0].startswith("the park has no meter M9")
    assert kept["原因"][1].startswith("x 不是约定格式的时间")
    assert kept["reason"][2].startswith("a{b} is not a number")
    assert kept["raw"][2] == "2025-06-01 00:00,M1,a{b}"
    assert target.read_bytes().startswith(b"\xef\xbb\xbf")


def test_no_rejected_rows_leave_no_file(tmp_path: Path) -> None:
    with RejectFile(tmp_path / "rejected" / "1-a.csv") as rejects:
        rejects.write(reject.empty())
    assert not (tmp_path / "rejected").exists()


def test_every_reason_says_what_to_do() -> None:
    for reason in REASONS.values():
        assert reason.message and reason.remedy and "；" in reason.zh
        assert ("{value}" in reason.message) == ("{value}" in reason.zh)
