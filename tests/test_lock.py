"""Only one process writes to a park at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lujin.errors import LockedError, StoreError
from lujin.lock import Holder, exclusive, holder

HOLD = """
import sys, time
from lujin.lock import exclusive
with exclusive(sys.argv[1], "import of january.csv"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path):
    """Another process that holds the lock until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_second_process_is_told_who_holds_the_lock(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    told: list[Holder] = []
    with pytest.raises(LockedError, match=f"import of january.csv, process {other.pid}"), \
            exclusive(tmp_path, "run", wait_s=0.1, on_wait=told.append):  # fmt: skip
        pytest.fail("two holders")
    assert [(h.pid, h.purpose) for h in told] == [(other.pid, "import of january.csv")]


def test_second_process_waits_until_the_first_has_finished(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    assert other.stdin is not None
    stdin = other.stdin
    with exclusive(tmp_path, "run", wait_s=30, on_wait=lambda _: stdin.close()):
        assert holder(tmp_path / ".lock").pid == os.getpid()


def test_lock_of_a_killed_process_is_free(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    with exclusive(tmp_path, "run", wait_s=5):
        assert holder(tmp_path / ".lock").purpose == "run"


def test_lock_is_free_after_the_block_even_if_it_failed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path, "run"):
        raise ZeroDivisionError
    with exclusive(tmp_path, "run"):
        pass
    assert holder(tmp_path / ".lock") == Holder()


def test_two_threads_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    with exclusive(tmp_path, "outer"), pytest.raises(LockedError), exclusive(tmp_path, "inner"):
        pytest.fail("two holders")


def test_absent_directory_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be locked"), exclusive(tmp_path / "nowhere", "run"):
        pytest.fail("locked nothing")
