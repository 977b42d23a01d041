"""Whatever happens to process, disk or neighbours: the park opens, verifies and comes to the same bytes."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from lujin.errors import LockedError
from lujin.lock import Holder
from lujin.workspace import open_workspace

from .small_park import START, Reading, Site, register, text_of, within, without

Make = Callable[..., Site]
Lujin = Callable[..., tuple[int, str, str]]

WORKER = Path(__file__).with_name("worker.py")
WHOLE = [r for n in (1, 2) for r in register(f"M{n}", step=timedelta(hours=1))]
HOLE = (START + timedelta(days=3), START + timedelta(days=5))
FIXED = [Reading("M2", START + timedelta(days=7, hours=h), 17_803.0 + 100 * h) for h in range(6)]
HOURLY = text_of(2).replace('interval = "15min"', 'interval = "1h"')


def start(directory: Path, point: str, *steps: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(WORKER), str(directory), point, *steps]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said == "ready\n", process.communicate()
    return process


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, errors = process.communicate(timeout=120)
    return process.returncode, said + errors


def prepared(site: Site) -> list[str]:
    """The files of a story and its steps: a month with a hole, then the hole with rows refused, then corrections
    of what is posted."""
    first = site.write(without(WHOLE, *HOLE), "1-first.csv")
    late = site.write(within(WHOLE, *HOLE), "2-late.csv")
    late.write_text(late.read_text("utf-8") + "M1,2025-07-04T00:00:00+08:00,broken\nM9,2025-07-04,1\n", "utf-8")
    last = site.write(FIXED, "3-corrected.csv")
    return [f"import:{first}", "run", f"import:{late}", "run", f"import:{last}", "run"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, int, int]:
    """The ledger after the story undisturbed, and how many calls and statements it took."""
    site = Site(tmp_path_factory.mktemp("finished") / "park").describe(HOURLY)
    code, said = finish(start(site.directory, "count", *prepared(site)))
    assert code == 0, said
    _, calls, statements = said.split("\n")[-2].split()
    return site.bytes(), int(calls), int(statements)


def survives(site: Site, point: str, measure: bytes) -> None:
    """Killed at the point; what is there verifies; continued from the step that was not done, it ends the same."""
    steps = prepared(site)
    code, said = finish(start(site.directory, point, *steps))
    assert code == -signal.SIGKILL, said
    done = len(said.split())
    assert done < len(steps)
    site.open().verify(replay=True)
    code, said = finish(start(site.directory, "never", *steps[done:]))
    assert code == 0, said
    assert site.bytes() == measure
    counts = site.verified()
    assert counts["entries"] > 0
    assert site.open().status().unfinished_imports == 0
    site.now = datetime.now(UTC)
    assert not site.run().months


# kill -9 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_call_the_story_ends_the_same(
    site: Make, finished: tuple[bytes, int, int], seed: int
) -> None:
    measure, calls, _ = finished
    dice = random.Random(seed)
    survives(site(text=HOURLY), f"call:{dice.randrange(calls // 50, calls)}", measure)


@pytest.mark.parametrize("seed", range(2))
def test_killed_between_any_two_statements_the_story_ends_the_same(
    site: Make, finished: tuple[bytes, int, int], seed: int
) -> None:
    measure, _, statements = finished
    dice = random.Random(seed)
    survives(site(text=HOURLY), f"sql:{dice.randrange(1, statements)}", measure)


@pytest.mark.parametrize(
    "point",
    [
        # The Delta commit has landed, the arrival is still open: one with rows refused, and one
        # that corrects what is posted.
        "before:lujin.readings.sources:commit:2",
        "before:lujin.readings.sources:commit:3",
        "after:lujin.readings.sources:commit:3",
        "before:lujin.readings.delta:ReadingTable.commit:2",
        "before:lujin.readings.mapping:save:1",
        "before:lujin.workspace.running:post:2",
        "after:lujin.workspace.running:post:3",
    ],
)
def test_killed_at_a_known_point_the_story_ends_the_same(
    site: Make, finished: tuple[bytes, int, int], point: str
) -> None:
    survives(site(text=HOURLY), point, finished[0])


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_the_story_ends_the_same(
    site: Make, finished: tuple[bytes, int, int], seed: int
) -> None:
    """By the clock, so that it also hits what runs outside Python."""
    park = site(text=HOURLY)
    steps = prepared(park)
    process = start(park.directory, "never", *steps)
    time.sleep(random.Random(seed).uniform(0.02, 0.6))
    process.kill()
    done = len(finish(process)[1].split())
    park.open().verify(replay=True)
    assert finish(start(park.directory, "never", *steps[done:]))[0] == 0
    assert park.bytes() == finished[0]


# A full disk -------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(mounted: Callable[[int], Path]) -> Path:
    return mounted(4)


def fill(disk: Path, free_kib: int) -> Path:
    """Leaves this much room."""
    ballast, filler = disk / "ballast", disk / "filler"
    ballast.write_bytes(b"\0" * (free_kib * 1024))
    try:
        with filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)
    except OSError:
        pass
    ballast.unlink()
    return filler


@pytest.mark.parametrize(("free_kib", "refused"), [(0, 0), (16, 0), (32, 0), (60, 0), (200, 2_000)])
def test_full_disk_is_said_and_nothing_stored_is_lost(
    small_disk: Path, tmp_path: Path, lujin: Lujin, free_kib: int, refused: int
) -> None:
    """Import and run stop somewhere for want of room; with room again, they go on to the same bytes."""
    whole = Site(tmp_path / "whole").describe(HOURLY)
    park = Site(small_disk / "park").describe(HOURLY)
    arrivals = [whole.write(without(WHOLE, *HOLE), "1.csv"), whole.write(within(WHOLE, *HOLE), "2.csv")]
    spoilt = arrivals[1].read_text("utf-8") + "M9,2025-07-04,1\n" * refused
    arrivals[1].write_text(spoilt, "utf-8")
    for directory in (whole.directory, park.directory):
        assert lujin("import", directory, arrivals[0])[0] == 0
        assert lujin("run", directory)[0] == 0
    before = park.bytes()

    filler = fill(small_disk, free_kib)
    stopped = [lujin(*verb) for verb in (("import", park.directory, arrivals[1]), ("run", park.directory))]
    codes = [code for code, _, _ in stopped]
    assert set(codes) <= {0, 1} and (free_kib > 16 or codes[0] == 1), stopped
    for code, _, said in stopped:
        assert code == 0 or "disk is full" in said, said
    filler.unlink()

    if 0 not in codes:
        assert park.bytes() == before
    assert lujin("verify", park.directory, "--replay")[0] == 0
    for directory in (whole.directory, park.directory):
        code, said, _ = lujin("import", directory, arrivals[1], "--json")
        assert code == 0, said
        assert lujin("run", directory)[0] == 0
    assert park.bytes() == whole.bytes()
    assert lujin("verify", park.directory, "--replay")[0] == 0


def test_limit_of_a_files_size_is_said(site: Make) -> None:
    """Stands in for a quota; needs no privilege."""
    park = site(text=HOURLY)
    path = park.write(WHOLE)
    code, said = finish(start(park.directory, "never"))
    assert code == 0, said
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000));"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-c", limited, str(WORKER), str(park.directory), "never", f"import:{path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1, done.stderr
    assert "disk is full" in done.stderr or "disk I/O error" in done.stderr, done.stderr
    park.now = datetime.now(UTC)
    assert park.take_file(path).failed is False
    park.run()
    park.verified()


# Neighbours --------------------------------------------------------------------------------------------------


def test_second_process_waits_and_says_for_whom(site: Make, lujin: Lujin) -> None:
    park = site(text=HOURLY)
    path = park.write(WHOLE)
    first = start(park.directory, "never", "hold:1.5")
    assert first.stdout is not None and first.stdout.readline() == "held\n"
    code, _, said = lujin("import", park.directory, path)
    assert code == 0
    assert f"process {first.pid}" in said and "waiting for import" in said
    assert finish(first)[0] == 0


def test_second_process_with_no_patience_says_who_holds_the_lock(site: Make) -> None:
    park = site(text=HOURLY)
    first = start(park.directory, "never", "hold:30")
    assert first.stdout is not None and first.stdout.readline() == "held\n"
    waited: list[Holder] = []
    workspace = open_workspace(park.directory, on_wait=waited.append, wait_s=0.05, environment={})
    with pytest.raises(LockedError, match=f"import, process {first.pid} on"):
        workspace.run()
    assert [holder.pid for holder in waited] == [first.pid]
    workspace.status()  # reading needs no lock
    first.kill()
    finish(first)
    workspace.run()


def test_two_processes_at_once_leave_one_right_ledger(site: Make) -> None:
    together, alone = site("together", HOURLY), site("alone", HOURLY)
    hands = [within(WHOLE, START + n * timedelta(days=1), START + (n + 1) * timedelta(days=1)) for n in range(10)]
    paths = [together.write(hand) for hand in hands]
    first, second = ([f"import:{path}" for path in paths[n::2]] for n in (0, 1))
    for steps in (first, second):
        steps[2:2] = ["run"]
        steps.append("run")
    both = [start(together.directory, "never", *steps) for steps in (first, second)]
    assert [finish(process)[0] for process in both] == [0, 0]
    for path in paths:
        alone.take_file(path)
    alone.run()
    together.now = datetime.now(UTC)
    together.run()
    assert_frame_equal(together.net(), alone.net())
    together.verified()
