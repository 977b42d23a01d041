"""Arrivals: numbered in the order of recording, closed once, and what each touched."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from lujin.database import migrate
from lujin.errors import IntegrityError
from lujin.readings import sources

NOW = datetime(2025, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
COUNTS = {"accepted": 10, "rejected": 1}


@pytest.fixture
def engine(database: Callable[[], Engine]) -> Engine:
    engine = database()
    migrate(engine)
    return engine


def touches(*pairs: tuple[int, int]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema={"month": pl.Int32, "meter": pl.Int32}, orient="row")


def test_who_brought_what_and_what_was_taken_back_is_told(engine: Engine) -> None:
    brought = sources.Origin("Lin", "E001")
    first = sources.register(engine, "a.csv", "ab", NOW, None, brought)
    sources.commit(engine, first, COUNTS, touches((202501, 1), (202502, 1)) if keyed(engine) else touches(), NOW)
    second = sources.register(engine, "b.csv", "cd", NOW)
    sources.commit(engine, second, COUNTS, touches(), NOW)
    assert [s.origin for s in sources.sources(engine)] == [brought, sources.Origin()]
    assert [s.number for s in sources.latest(engine, 10)] == [2, 1]
    assert [s.number for s in sources.latest(engine, 10, before=2)] == [1]
    assert [s.number for s in sources.latest(engine, 10, party="E001")] == [1]
    assert sources.touched_by(engine, [1, 2]) == {1: (202501, 202502)}

    back = sources.Origin("Lin", "E001", first, "wrong file")
    third = sources.register(engine, "a.csv", "", NOW, None, back)
    assert sources.undoings(engine) == {}, "it is not there before it is stored"
    sources.commit(engine, third, {}, touches(), NOW)
    assert sources.undone(sources.undoings(engine)) == {first: third}
    assert sources.find_by_digest(engine, "ab") is None
    fourth = sources.register(engine, "a.csv", "", NOW, None, sources.Origin(undoes=third))
    sources.commit(engine, fourth, {}, touches(), NOW)
    assert sources.undone(sources.undoings(engine)) == {third: fourth}
    assert sources.find_by_digest(engine, "ab") is not None


def keyed(engine: Engine) -> bool:
    return bool(sources.meter_keys(engine, ["M1"]))


def test_arrivals_are_numbered_from_one_and_remembered_as_they_came(engine: Engine) -> None:
    first = sources.register(engine, "一月.csv", "ab" * 32, NOW, {"time": "时间"})
    second = sources.register(engine, "b.csv", "cd" * 32, NOW + timedelta(seconds=1))
    assert (first, second) == (1, 2)
    found = sources.sources(engine)
    assert [(s.number, s.name, s.state) for s in found] == [(1, "一月.csv", "started"), (2, "b.csv", "started")]
    assert found[0].recorded_at == NOW and found[0].mapping == {"time": "时间"}
    assert sources.sources(engine, [2, 99]) == [found[1]]


def test_an_arrival_is_pending_until_it_is_closed(engine: Engine) -> None:
    for name in "abc":
        sources.register(engine, name, name, NOW)
    sources.commit(engine, 1, COUNTS, touches(), NOW)
    sources.abandon(engine, 3, "the process was killed", NOW)
    assert [s.number for s in sources.pending(engine)] == [2]
    states = {s.number: (s.state, s.counts) for s in sources.sources(engine)}
    assert states[1] == ("committed", COUNTS)
    assert states[3] == ("abandoned", {"reason": "the process was killed"})
    assert sources.last_committed(engine) == 1


def test_an_arrival_is_closed_only_once(engine: Engine) -> None:
    keys = sources.meter_keys(engine, ["M1"])
    number = sources.register(engine, "a", "a", NOW)
    sources.abandon(engine, number, "disk full", NOW)
    with pytest.raises(IntegrityError, match="cannot become committed: it is abandoned"):
        sources.commit(engine, number, COUNTS, touches((202501, keys["M1"])), NOW)
    with pytest.raises(IntegrityError, match="it is unknown"):
        sources.abandon(engine, 77, "never came", NOW)
    assert sources.touched_since(engine, 0).is_empty()


def test_a_file_is_known_by_its_digest_once_it_is_committed(engine: Engine) -> None:
    for _ in range(3):
        sources.register(engine, "a.csv", "digest", NOW)
    assert sources.find_by_digest(engine, "digest") is None
    sources.abandon(engine, 1, "killed", NOW)
    sources.commit(engine, 3, COUNTS, touches(), NOW)
    sources.commit(engine, 2, COUNTS, touches(), NOW)
    found = sources.find_by_digest(engine, "digest")
    assert found is not None and found.number == 3  # the last one
    assert sources.find_by_digest(engine, "other") is None


def test_what_arrivals_touched_since_one(engine: Engine) -> None:
    keys = sources.meter_keys(engine, ["M1", "M2"])
    one, two = keys["M1"], keys["M2"]
    for name in "ab":
        sources.register(engine, name, name, NOW)
    sources.commit(engine, 2, COUNTS, touches((202502, two), (202501, one), (202501, one)), NOW)
    sources.commit(engine, 1, COUNTS, touches((202501, one)), NOW)
    assert sources.touched_since(engine, 0).rows() == [(202501, one, 1), (202501, one, 2), (202502, two, 2)]
    assert sources.touched_since(engine, 1).rows() == [(202501, one, 2), (202502, two, 2)]
    assert sources.touched_since(engine, 2).schema == sources.TOUCHED_SCHEMA


def test_a_failed_commit_leaves_no_trace(engine: Engine) -> None:
    number = sources.register(engine, "a", "a", NOW)
    with pytest.raises(sa.exc.IntegrityError):
        sources.commit(engine, number, COUNTS, touches((202501, 12345)), NOW)
    assert [s.number for s in sources.pending(engine)] == [number]
    assert sources.touched_since(engine, 0).is_empty()


def test_a_meter_keeps_its_key(engine: Engine) -> None:
    first = sources.meter_keys(engine, ["M2", "M1", "M2"])
    assert first == {"M2": 1, "M1": 2}
    assert sources.meter_keys(engine, ["M3", "M1"]) == {"M3": 3, "M1": 2}
    assert sources.all_meter_keys(engine) == {"M2": 1, "M1": 2, "M3": 3}
    assert sources.meter_keys(engine, []) == {}


def test_two_processes_number_without_gap_or_clash(database: Callable[[], Engine]) -> None:
    engines = [database(), database()]
    migrate(engines[0])
    numbers: list[int] = []
    failures: list[BaseException] = []

    def run(engine: Engine, name: str) -> None:
        try:
            for i in range(10):
                numbers.append(sources.register(engine, name, f"{name}{i}", NOW))
                sources.meter_keys(engine, [f"M{i}", f"{name}{i}"])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in zip(engines, "ab", strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(numbers) == list(range(1, 21))
    assert sorted(sources.all_meter_keys(engines[0]).values()) == list(range(1, 31))


@pytest.mark.parametrize("table", ["source", "source_event", "touched", "meter_key"])
def test_what_arrived_cannot_be_changed_or_deleted(engine: Engine, table: str) -> None:
    keys = sources.meter_keys(engine, ["M1"])
    sources.register(engine, "a", "a", NOW)
    sources.commit(engine, 1, COUNTS, touches((202501, keys["M1"])), NOW)
    with pytest.raises(IntegrityError, match=f"{table} is append-only"), engine.begin() as connection:
        connection.execute(sa.text(f"DELETE FROM {table}"))
