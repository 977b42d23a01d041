"""Whatever happens to the process, the disk or the neighbours: an arrival is stored whole or not at all."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lujin.errors import IntegrityError, StoreError
from lujin.readings.store import ReadingStore
from lujin.readings.versions import SCHEMA, ordered

WORKER = Path(__file__).with_name("store_worker.py")
_spec = spec_from_file_location("store_worker", WORKER)
assert _spec is not None and _spec.loader is not None
worker = module_from_spec(_spec)
_spec.loader.exec_module(worker)
MONTH = 202503


def start(directory: Path, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(WORKER), str(directory), *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def expected(numbers: list[int]) -> pl.DataFrame:
    """The history that these arrivals make, and nothing else."""
    frames = [worker.arrival(number) for number in numbers]
    return ordered(pl.concat([f.select(*SCHEMA) for f in frames]) if frames else pl.DataFrame(schema=SCHEMA))


def stored(directory: Path) -> list[int]:
    """The arrivals that a fresh process finds, after checking that each is there whole."""
    readings = ReadingStore(directory, worker.ZONE)
    numbers = [n for n in range(1, 60) if readings.has_source(n)]
    assert_frame_equal(readings.history(MONTH), expected(numbers))
    assert readings.sources_in(MONTH) == numbers
    return numbers


@pytest.mark.parametrize(("point", "found"), [("write1", []), ("write2", []), ("commit", []), ("landed", [3])])
def test_append_killed_at_a_known_point_stores_all_or_nothing(
    tmp_path: Path, point: str, found: list[int]
) -> None:
    assert finish(start(tmp_path, "append", 1, 2))[0] == 0
    assert finish(start(tmp_path, "append", 3, 3, point))[0] == -signal.SIGKILL
    assert stored(tmp_path) == [1, 2, *found]
    # What the next process does after asking has_source.
    assert finish(start(tmp_path, "append", 3 + len(found), 4))[0] == 0
    assert stored(tmp_path) == [1, 2, 3, 4]


@pytest.mark.parametrize("point", ["write1", "commit", "landed"])
def test_compaction_killed_at_a_known_point_changes_no_answer(tmp_path: Path, point: str) -> None:
    assert finish(start(tmp_path, "append", 1, 3))[0] == 0
    assert finish(start(tmp_path, "compact", point))[0] == -signal.SIGKILL
    assert stored(tmp_path) == [1, 2, 3]
    assert finish(start(tmp_path, "compact"))[0] == 0
    assert stored(tmp_path) == [1, 2, 3]
    assert ReadingStore(tmp_path, worker.ZONE).vacuum(older_than_h=0) >= 1
    assert stored(tmp_path) == [1, 2, 3]


@pytest.mark.parametrize("seed", range(4))
def test_process_killed_at_any_moment_leaves_whole_arrivals(tmp_path: Path, seed: int) -> None:
    process = start(tmp_path, "append", 1, 50)
    time.sleep(random.Random(seed).uniform(0.0, 0.5))
    process.kill()
    said, _ = process.communicate()
    acknowledged = [int(line) for line in said.split()]
    found = stored(tmp_path)
    assert found[: len(acknowledged)] == acknowledged
    assert len(found) <= len(acknowledged) + 1
    assert finish(start(tmp_path, "append", len(found) + 1, len(found) + 2))[0] == 0
    assert len(stored(tmp_path)) == len(found) + 2


def test_two_processes_append_at_once(tmp_path: Path) -> None:
    """Both begin with an empty directory, so that they also race for creating the table."""
    first, second = start(tmp_path, "append", 1, 12), start(tmp_path, "append", 21, 32)
    assert finish(first) == (0, "")
    assert finish(second) == (0, "")
    assert stored(tmp_path) == [*range(1, 13), *range(21, 33)]


def test_two_processes_with_the_same_arrival_store_it_once(tmp_path: Path) -> None:
    both = [start(tmp_path, "append", 1, 1) for _ in range(2)]
    results = [finish(process) for process in both]
    assert sorted(code for code, _ in results)[0] == 0
    assert all(code == 0 or "LockedError" in said or "IntegrityError" in said for code, said in results)
    assert stored(tmp_path) == [1]


@pytest.fixture
def small_disk(mounted: Callable[[int], Path]) -> Path:
    return mounted(1)


@pytest.mark.parametrize("free_kib", [0, 4, 12, 24, 48])
def test_full_disk_is_reported_and_nothing_stored_is_lost(small_disk: Path, free_kib: int) -> None:
    readings = ReadingStore(small_disk / "readings", worker.ZONE)
    # 18 commits: the next ones also write a checkpoint, which may fail after its commit has landed.
    for number in range(1, 19):
        readings.append([worker.arrival(number)[::40]], number)
    reference = readings.history(MONTH)
    ballast = small_disk / "ballast"
    filler, size = small_disk / "filler", 0
    ballast.write_bytes(b"\0" * (free_kib * 1024))
    try:
        with filler.open("wb", buffering=0) as file:
            while True:
                size += file.write(b"\0" * 4096)
    except OSError:
        pass
    ballast.unlink()
    stopped = 0
    for number in range(19, 40):
        try:
            readings.append([worker.arrival(number)], number)
        except StoreError as error:
            assert not isinstance(error, IntegrityError), error
            assert "disk is full" in str(error)
            stopped = number
            break
    assert stopped, "the disk never ran full"
    landed = [n for n in range(19, 40) if ReadingStore(small_disk / "readings", worker.ZONE).has_source(n)]
    found = ReadingStore(small_disk / "readings", worker.ZONE).history(MONTH)
    assert_frame_equal(found.filter(pl.col("source") < 19), reference)
    assert_frame_equal(found.filter(pl.col("source") >= 19), expected(landed))
    filler.unlink()
    fresh = ReadingStore(small_disk / "readings", worker.ZONE)
    for number in range(19, 22):
        if not fresh.has_source(number):
            fresh.append([worker.arrival(number)], number)
    assert_frame_equal(
        fresh.history(MONTH).filter(pl.col("source") >= 19), expected(sorted({19, 20, 21, *landed}))
    )


def test_file_size_limit_is_reported(tmp_path: Path) -> None:
    """Stands in for a quota; needs no privilege."""
    readings = ReadingStore(tmp_path, worker.ZONE)
    readings.append([worker.arrival(1)], 1)
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000));"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-c", limited, str(WORKER), str(tmp_path), "append", "2", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1 and "StoreError: " in done.stderr and "disk is full" in done.stderr
    assert stored(tmp_path) == [1]
    assert len(list(tmp_path.glob("month=*/*.parquet"))) == 1
