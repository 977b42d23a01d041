"""The readings store: every version kept, the newest known one read, nothing lost whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lujin.errors import IntegrityError, LockedError
from lujin.park.calendar import month_of
from lujin.readings import parts, store
from lujin.readings.store import ReadingStore
from lujin.readings.versions import CURRENT, ORDER, SCHEMA, current, ordered

ZONE = "Asia/Shanghai"
MARCH = datetime(2025, 2, 28, 16, tzinfo=UTC)  # local midnight of 1 March
APRIL = datetime(2025, 3, 31, 16, tzinfo=UTC)
KNOWN = datetime(2025, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

Row = tuple[int, datetime, float, datetime, int, int]


def frame(rows: list[Row]) -> pl.DataFrame:
    """Rows of (meter, time, value, recorded, source, row) as a frame to append."""
    columns = ["meter", "time", "value", "recorded", "source", "row"]
    data = pl.DataFrame(rows, schema={name: SCHEMA[name] for name in columns}, orient="row")
    months = [month_of(time, ZONE) for time in data["time"]]
    quality = pl.lit(0, pl.Int8).alias("quality")
    return data.with_columns(quality, pl.Series("month", months, pl.Int32)).select(*SCHEMA, "month")


def hourly(meter: int, start: datetime, hours: int, source: int = 1, value: float = 1.0) -> list[Row]:
    """One reading per hour, recorded ``source`` days after KNOWN."""
    recorded = KNOWN + timedelta(days=source)
    return [(meter, start + h * HOUR, value + h, recorded, source, h + 1) for h in range(hours)]


def winners(rows: list[Row], as_of: datetime | None = None) -> list[tuple[int, datetime, float]]:
    """The definition of what counts, one reading at a time."""
    best: dict[tuple[int, datetime], Row] = {}
    for row in rows:
        meter, time, _value, recorded, source, number = row
        if as_of is not None and recorded > as_of:
            continue
        other = best.get((meter, time))
        if other is None or (recorded, source, number) > (other[3], other[4], other[5]):
            best[meter, time] = row
    return sorted((meter, time, row[2]) for (meter, time), row in best.items())


def values(found: pl.DataFrame) -> list[tuple[int, datetime, float]]:
    return found.select("meter", "time", "value").rows()


@st.composite
def arrivals(draw: st.DrawFn) -> list[Row]:
    """Versions of the readings of few meters and hours around the end of March, none twice the same."""
    number = st.integers
    keys = draw(
        st.lists(
            st.tuples(number(1, 4), number(-3, 3), number(0, 2), number(1, 3), number(1, 5)),
            min_size=1,
            max_size=40,
            unique=True,
        )
    )
    return [
        (meter, APRIL + hour * HOUR, float(i), KNOWN + timedelta(days=day), source, row)
        for i, (meter, hour, day, source, row) in enumerate(keys)
    ]


class TestVersions:
    @given(arrivals())
    def test_current_is_the_newest_version_of_each_reading(self, rows: list[Row]) -> None:
        stored = frame(rows).select(*SCHEMA)
        found = current(stored)
        assert values(found) == winners(rows)
        assert_frame_equal(ordered(stored), stored.sort(*ORDER))
        assert_frame_equal(current(ordered(stored)), found)

    def test_meters_and_times_far_apart_stay_in_order(self) -> None:
        far = [(2**31 - 1, APRIL), (1, MARCH), (2**31 - 1, datetime(1970, 1, 1, tzinfo=UTC)), (1, APRIL)]
        rows = [(meter, time, 1.0, KNOWN, 1, i) for i, (meter, time) in enumerate(far)]
        stored = frame(rows).select(*SCHEMA)
        assert_frame_equal(ordered(stored), stored.sort(*ORDER))

    def test_nothing_stays_nothing(self) -> None:
        assert current(pl.DataFrame(schema=SCHEMA)).is_empty()


class TestReading:
    @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        rows=arrivals(), cuts=st.lists(st.integers(0, 40), max_size=3), shuffle=st.randoms(), compact=st.booleans()
    )
    def test_any_split_into_commits_in_any_order_reads_the_same(
        self, tmp_path_factory: pytest.TempPathFactory, rows: list[Row], cuts: list[int], shuffle, compact: bool
    ) -> None:
        readings = ReadingStore(tmp_path_factory.mktemp("readings"), ZONE)
        mixed = list(rows)
        shuffle.shuffle(mixed)
        edges = [0, *sorted(cuts), len(mixed)]
        pieces = [mixed[a:b] for a, b in pairwise(edges) if mixed[a:b]]
        # The first piece comes in twice: storing a fact again changes nothing.
        for number, piece in enumerate([*pieces, pieces[0]], start=1):
            readings.append([frame(piece)], number)
        if compact:
            for month in readings.months():
                readings.compact(month)
        for as_of in (None, KNOWN, KNOWN + timedelta(days=1), KNOWN - HOUR):
            found = [value for month in readings.months() for value in values(readings.read(month, as_of=as_of))]
            assert sorted(found) == winners(rows, as_of)
            meters = [1, 3]
            found = [value for m in readings.months() for value in values(readings.read(m, meters, as_of))]
            assert sorted(found) == [w for w in winners(rows, as_of) if w[0] in meters]
        for look, month, side in ((readings.before, 202504, -1), (readings.after, 202503, 0)):
            per_meter: dict[int, tuple[int, datetime, float]] = {}
            for winner in winners(rows):
                if (winner[1] < APRIL) == (side == -1) and (side == -1 or winner[0] not in per_meter):
                    per_meter[winner[0]] = winner
            assert values(look(month, [1, 2, 3, 4])) == sorted(per_meter.values())

    def test_read_has_the_columns_and_types_promised(self, tmp_path: Path) -> None:
        readings = ReadingStore(tmp_path / "readings", ZONE)
        readings.append([frame(hourly(1, MARCH, 3))], 1)
        assert readings.read(202503).schema == {name: SCHEMA[name] for name in CURRENT}
        assert readings.read(202511).schema == readings.read(202503).schema
        assert readings.history(202503).schema == SCHEMA
        assert readings.before(202504, [1]).schema == readings.read(202503).schema

    def test_empty_store_has_nothing_and_creates_nothing(self, tmp_path: Path) -> None:
        readings = ReadingStore(tmp_path / "readings", ZONE)
        assert readings.months() == []
        assert readings.read(202503).is_empty() and readings.before(202503, [1]).is_empty()
        assert not readings.has_source(1) and readings.sources_in(202503) == [] and readings.vacuum() == 0
        readings.compact(202503)
        assert not (tmp_path / "readings").exists()

    def test_a_part_of_a_month_is_read_from_its_first_to_its_last_instant(self, tmp_path: Path) -> None:
        rows = [
            *hourly(1, MARCH, 48),
            *hourly(2, MARCH, 48),
            *hourly(1, MARCH + 10 * HOUR, 5, source=2, value=9.0),
        ]
        found = ReadingStore(tmp_path, ZONE)
        found.append([frame([row for row in rows if row[4] == 1])], 1)
        found.append([frame([row for row in rows if row[4] == 2])], 2)
        first, last = MARCH + 9 * HOUR, MARCH + 12 * HOUR
        whole = found.read(202503, [1])
        part = found.read(202503, [1], between=(first, last))
        assert_frame_equal(part, whole.filter(pl.col("time").is_between(first, last)))
        assert part["value"].to_list() == [10.0, 9.0, 10.0, 11.0]

    def test_history_shows_every_version(self, tmp_path: Path) -> None:
        readings = ReadingStore(tmp_path, ZONE)
        readings.append([frame(hourly(1, MARCH, 2, source=1))], 1)
        readings.append([frame(hourly(1, MARCH, 2, source=2, value=9.0))], 2)
        readings.compact(202503)
        found = readings.history(202503, [1])
        assert found.select("value", "source").rows() == [(1.0, 1), (9.0, 2), (2.0, 1), (10.0, 2)]
        assert values(readings.read(202503, as_of=KNOWN + timedelta(days=1))) == values(
            frame(hourly(1, MARCH, 2, source=1))
        )

    def test_a_reading_months_away_is_found_per_meter(self, tmp_path: Path) -> None:
        """A register silent since January still opens April; its neighbours open it from the hour before."""
        readings = ReadingStore(tmp_path, ZONE)
        january = datetime(2025, 1, 10, tzinfo=UTC)
        readings.append([frame(hourly(1, january, 5) + hourly(2, january, 5) + hourly(2, MARCH, 30 * 24))], 1)
        found = readings.before(202504, [1, 2, 3])
        assert found.select("meter", "time").rows() == [
            (1, january + 4 * HOUR),
            (2, MARCH + (30 * 24 - 1) * HOUR),
        ]
        found = readings.after(202412, [2, 1])
        assert found.select("meter", "time").rows() == [(1, january), (2, january)]

    def test_several_readings_beside_a_month_are_found_however_far_apart(self, tmp_path: Path) -> None:
        """One close to the border does not hide those before it."""
        readings = ReadingStore(tmp_path, ZONE)
        hours = (-400, -90, -30, -1, 0, 50, 300, 301)
        rows = [(1, APRIL + h * HOUR, float(h), KNOWN, 1, i) for i, h in enumerate(hours, 1)]
        rows += [
            (2, APRIL + h * HOUR, float(h), KNOWN, 1, 100 + i) for i, h in enumerate((-3, -2, -1, 0, 1, 2, 3))
        ]
        readings.append([frame(rows)], source=1)
        assert readings.before(202504, [1, 2], count=3)["value"].to_list() == [-90, -30, -1, -3, -2, -1]
        assert readings.after(202503, [1, 2], count=3)["value"].to_list() == [0, 50, 300, 0, 1, 2]
        assert readings.before(202504, [1])["value"].to_list() == [-1]

    def test_boundary_reading_is_the_one_known_then(self, tmp_path: Path) -> None:
        readings = ReadingStore(tmp_path, ZONE)
        readings.append([frame(hourly(1, APRIL - 3 * HOUR, 2, source=1))], 1)
        readings.append([frame(hourly(1, APRIL - HOUR, 1, source=2))], 2)
        assert readings.before(202504, [1])["time"].to_list() == [APRIL - HOUR]
        known = KNOWN + timedelta(days=1)
        assert readings.before(202504, [1], as_of=known)["time"].to_list() == [APRIL - 2 * HOUR]

    def test_extent_leaves_out_one_arrival(self, tmp_path: Path) -> None:
        readings = ReadingStore(tmp_path, ZONE)
        readings.append([frame(hourly(1, MARCH, 5, source=1) + hourly(2, MARCH, 1, source=1))], 1)
        readings.append([frame(hourly(1, MARCH + 4 * HOUR, 5, source=2))], 2)
        assert readings.extent(202503, [1]).rows() == [(1, MARCH, MARCH + 8 * HOUR)]
        assert readings.extent(202503, [1], without_source=2).rows() == [(1, MARCH, MARCH + 4 * HOUR)]

    @pytest.mark.parametrize("apart", [1, 200])
    def test_few_readings_beyond_a_time_are_counted_without_the_arrival_that_asks(
        self, tmp_path: Path, apart: int
    ) -> None:
        readings = ReadingStore(tmp_path, ZONE)
        rows = [(m, MARCH + h * apart * HOUR, 1.0, KNOWN, 1, h + 1) for m in (1, 2) for h in range(4)]
        readings.append([frame(rows)], 1)
        readings.append([frame([(1, MARCH + h * HOUR, 2.0, KNOWN, 2, h + 1) for h in range(700)])], 2)
        for place in range(4):
            at = MARCH + place * apart * HOUR
            asked = pl.DataFrame(
                {"meter": [1, 2], "time": [at, at]}, schema={n: SCHEMA[n] for n in ("meter", "time")}
            )
            before = readings.few_beyond(202503, asked, 2, last=False, without_source=2)
            after = readings.few_beyond(202503, asked, 2, last=True, without_source=2)
            assert sorted(before) == ([1, 2] if place < 2 else [])
            assert sorted(after) == ([1, 2] if 3 - place < 2 else [])

    def test_another_engine_reads_the_same_table(self, tmp_path: Path) -> None:
        readings = ReadingStore(tmp_path, ZONE)
        rows = hourly(1, MARCH, 50) + hourly(2, APRIL - HOUR, 3)
        readings.append([frame(rows)], 1)
        other = pl.DataFrame(DeltaTable(tmp_path).scan(predicate="month = 202503").read_all())
        assert_frame_equal(
            other.sort(*ORDER).select(*SCHEMA), readings.history(202503), check_dtypes=True, check_row_order=True
        )


class TestWriting:
    def test_an_arrival_is_stored_once(self, tmp_path: Path) -> None:
        readings = ReadingStore(tmp_path, ZONE)
        assert readings.append([frame(hourly(1, MARCH, 3)), frame(hourly(2, MARCH, 4))], 7) == 7
        assert readings.has_source(7) and not readings.has_source(1)
        with pytest.raises(IntegrityError, match="arrival 7 is already stored"):
            readings.append([frame(hourly(1, MARCH, 3))], 7)
        assert readings.read(202503).height == 7

    def test_an_arrival_without_readings_is_an_arrival(self, tmp_path: Path) -> None:
        readings = ReadingStore(tmp_path, ZONE)
        assert readings.append([], 1) == 0
        assert readings.has_source(1) and readings.months() == []

    def test_arrivals_stay_known_through_checkpoints_and_compaction(self, tmp_path: Path) -> None:
        readings = ReadingStore(tmp_path, ZONE)
        for number in range(1, 46):
            readings.append([frame(hourly(number, MARCH, 2, source=number))], number)
        readings.compact(202503)
        fresh = ReadingStore(tmp_path, ZONE)
        assert [n for n in range(1, 50) if fresh.has_source(n)] == list(range(1, 46))
        assert fresh.sources_in(202503) == list(range(1, 46))
        assert len(list((tmp_path / "_delta_log").glob("*.checkpoint.parquet"))) >= 2

    def test_a_failing_stream_stores_nothing_and_leaves_no_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(parts, "PART_ROWS", 10)
        readings = ReadingStore(tmp_path, ZONE)
        readings.append([frame(hourly(1, MARCH, 3))], 1)

        def broken() -> Iterator[pl.DataFrame]:
            yield frame(hourly(2, MARCH, 20, source=2))
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            readings.append(broken(), 2)
        assert readings.read(202503).height == 3 and not readings.has_source(2)
        assert len(list(tmp_path.glob("month=*/*.parquet"))) == 1

    @pytest.mark.parametrize(
        ("column", "message"),
        [
            (pl.lit(None, pl.Float64).alias("value"), "without value"),
            (pl.lit(float("nan")).alias("value"), "without finite value"),
            (pl.lit(202504, pl.Int32).alias("month"), "do not lie in month 202504"),
        ],
    )
    def test_readings_that_would_be_lost_are_refused(self, tmp_path: Path, column: pl.Expr, message: str) -> None:
        readings = ReadingStore(tmp_path, ZONE)
        with pytest.raises(IntegrityError, match=message):
            readings.append([frame(hourly(1, MARCH, 3)).with_columns(column)], 1)
        assert readings.months() == []

    def test_memory_bound_makes_more_files_and_the_same_readings(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(parts, "PART_ROWS", 50)
        monkeypatch.setattr(parts, "BUFFER_ROWS", 70)
        readings = ReadingStore(tmp_path, ZONE)
        rows = [row for meter in (3, 1, 2) for row in hourly(meter, APRIL - 40 * HOUR, 80)]
        readings.append((frame(rows[i : i + 30]) for i in range(0, len(rows), 30)), 1)
        assert len(list(tmp_path.glob("month=202503/*.parquet"))) > 1
        found = values(readings.read(202503)) + values(readings.read(202504))
        assert sorted(found) == winners(rows)

    def test_no_writer_may_change_or_delete_a_reading(self, tmp_path: Path) -> None:
        ReadingStore(tmp_path, ZONE).append([frame(hourly(1, MARCH, 3))], 1)
        with pytest.raises(DeltaError):
            DeltaTable(tmp_path).delete("meter = 1")
        with pytest.raises(DeltaError):
            DeltaTable(tmp_path).update({"value": "0"})


class TestCompaction:
    def test_compacting_in_small_blocks_changes_no_answer(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(store, "PART_ROWS", 60)
        readings = ReadingStore(tmp_path, ZONE)
        for number in range(1, 9):
            rows = [r for m in range(6) for r in hourly(m, MARCH + number * 3 * HOUR, 5, number, 10.0 * number)]
            readings.append([frame(rows)], number)
        known, now = readings.history(202503), readings.read(202503)
        readings.compact(202503)
        assert_frame_equal(readings.history(202503), known)
        assert_frame_equal(readings.read(202503), now)
        assert DeltaTable(tmp_path).count() == known.height
        version = DeltaTable(tmp_path).version()
        assert len(DeltaTable(tmp_path).file_uris()) == 6  # one meter with 40 rows per block of 60

        monkeypatch.undo()
        readings.compact(202503)
        assert len(DeltaTable(tmp_path).file_uris()) == 1
        readings.compact(202503)
        assert DeltaTable(tmp_path).version() == version + 1

    def test_two_compactions_at_once_do_not_double_a_month(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        readings, other = ReadingStore(tmp_path, ZONE), ReadingStore(tmp_path, ZONE)
        for number in (1, 2):
            readings.append([frame(hourly(1, MARCH, 5, number))], number)
        commit = readings._table.commit

        def late(*arguments, **options) -> None:
            other.append([frame(hourly(2, MARCH, 5, 3))], 3)
            other.compact(202503)
            commit(*arguments, **options)

        monkeypatch.setattr(readings._table, "commit", late)
        with pytest.raises(LockedError, match="same time"):
            readings.compact(202503)
        assert readings.history(202503).height == 15
        assert len(DeltaTable(tmp_path).file_uris()) == 1

    def test_an_arrival_that_lands_during_compaction_stays(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        readings, other = ReadingStore(tmp_path, ZONE), ReadingStore(tmp_path, ZONE)
        for number in (1, 2):
            readings.append([frame(hourly(1, MARCH, 5, number))], number)
        commit = readings._table.commit

        def late(*arguments, **options) -> None:
            other.append([frame(hourly(2, MARCH, 5, 3))], 3)
            commit(*arguments, **options)

        monkeypatch.setattr(readings._table, "commit", late)
        readings.compact(202503)
        assert readings.read(202503)["meter"].value_counts(sort=True)["count"].to_list() == [5, 5]
        assert readings.history(202503).height == 15 and readings.sources_in(202503) == [1, 2, 3]

    def test_vacuum_removes_what_no_reader_needs(self, tmp_path: Path) -> None:
        readings = ReadingStore(tmp_path, ZONE)
        for number in (1, 2):
            readings.append([frame(hourly(1, MARCH, 5, number))], number)
        readings.compact(202503)
        (tmp_path / "month=202503" / "00000009-leftover-by-meter.parquet").write_bytes(b"half a file")
        before = readings.history(202503)
        assert readings.vacuum() == 0
        assert readings.vacuum(older_than_h=0) == 3
        assert_frame_equal(ReadingStore(tmp_path, ZONE).history(202503), before)
        assert len(list(tmp_path.glob("month=*/*.parquet"))) == 1


class TestDamage:
    def test_missing_data_file_is_reported(self, tmp_path: Path) -> None:
        readings = ReadingStore(tmp_path, ZONE)
        readings.append([frame(hourly(1, MARCH, 5))], 1)
        next(tmp_path.glob("month=*/*.parquet")).unlink()
        with pytest.raises(IntegrityError, match="damaged"):
            readings.read(202503)

    def test_broken_data_file_is_reported(self, tmp_path: Path) -> None:
        readings = ReadingStore(tmp_path, ZONE)
        readings.append([frame(hourly(1, MARCH, 5))], 1)
        next(tmp_path.glob("month=*/*.parquet")).write_bytes(b"PAR1 nothing PAR1")
        with pytest.raises(IntegrityError, match="damaged"):
            readings.read(202503)

    def test_broken_log_is_reported(self, tmp_path: Path) -> None:
        ReadingStore(tmp_path, ZONE).append([frame(hourly(1, MARCH, 5))], 1)
        (tmp_path / "_delta_log" / f"{1:020d}.json").write_text("{broken")
        with pytest.raises(IntegrityError, match="damaged"):
            ReadingStore(tmp_path, ZONE).read(202503)
