"""Whatever happens to process, disk or neighbours: the park opens, verifies and comes to the same bytes."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from .small_park import START, Reading, Site, register, text_of, within, without

Make = Callable[..., Site]

WORKER = Path(__file__).with_name("worker.py")
WHOLE = [r for n in (1, 2) for r in register(f"M{n}", step=timedelta(hours=1))]
HOLE = (START + timedelta(days=3), START + timedelta(days=5))
FIXED = [Reading("M2", START + timedelta(days=7, hours=h), 17_800.0 + 100 * h) for h in range(6)]
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


@pytest.mark.parametrize("seed", range(8))
def test_killed_at_any_call_the_story_ends_the_same(
    site: Make, finished: tuple[bytes, int, int], seed: int
) -> None:
    measure, calls, _ = finished
    dice = random.Random(seed)
    survives(site(text=HOURLY), f"call:{dice.randrange(calls // 50, calls)}", measure)


@pytest.mark.parametrize("seed", range(4))
def test_killed_between_any_two_statements_the_story_ends_the_same(
    site: Make, finished: tuple[bytes, int, int], seed: int
) -> None:
    measure, _, statements = finished
    dice = random.Random(seed)
    survives(site(text=HOURLY), f"sql:{dice.randrange(1, statements)}", measure)


@pytest.mark.parametrize(
    "point",
    [
        # The Delta commit has landed, the arrival is still open: the first one, one with rows refused, one that
        # corrects what is posted.
        "before:lujin.readings.sources:commit:1",
        "before:lujin.readings.sources:commit:2",
        "before:lujin.readings.sources:commit:3",
        "after:lujin.readings.sources:commit:3",
        "before:lujin.readings.delta:ReadingTable.commit:2",
        "before:lujin.readings.mapping:save:1",
        "after:lujin.readings.sources:register:3",
        "before:lujin.workspace.running:post:2",
        "after:lujin.workspace.running:post:3",
        "after:lujin.workspace.running:post_month:1",
    ],
)
def test_killed_at_a_known_point_the_story_ends_the_same(
    site: Make, finished: tuple[bytes, int, int], point: str
) -> None:
    survives(site(text=HOURLY), point, finished[0])
