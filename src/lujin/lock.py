"""One writer per park: an advisory lock that the kernel releases when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from lujin.errors import N_, LockedError, Problem, StoreError

_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock. Fields are empty when the holder has not yet written them."""

    pid: int = 0
    host: str = ""
    purpose: str = ""
    since: str = ""  # UTC, ISO 8601


@contextmanager
def exclusive(
    path: Path | str, purpose: str, wait_s: float = 0.0, on_wait: Callable[[Holder], None] | None = None
) -> Iterator[None]:
    """Hold ``<path>/.lock`` while the block runs; ``path`` is the directory of the park.

    While another process (or thread) holds it, ``on_wait`` is told once who does; after ``wait_s`` [s]
    LockedError names the holder. The file stays behind when the lock is released: removing it would let two
    processes lock two different files under one name.
    """
    file = Path(path) / ".lock"
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(
            Problem(
                N_("the park cannot be locked for writing: {reason}"),
                {"reason": error.strerror or str(error)},
                N_("make the directory of the park exist and be writable"),
                file=str(file),
            )
        ) from error
    try:
        _acquire(descriptor, file, wait_s, on_wait)
        _sign(descriptor, purpose)
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, file: Path, wait_s: float, on_wait: Callable[[Holder], None] | None) -> None:
    deadline = time.monotonic() + wait_s
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        if on_wait is not None and not told:
            on_wait(holder(file))
            told = True
        left = deadline - time.monotonic()
        if left <= 0:
            raise _locked(file)
        time.sleep(min(_POLL_S, left))


def _sign(descriptor: int, purpose: str) -> None:
    """Say who we are. A full disk must not keep us from working: the lock itself needs no space."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    mine = Holder(os.getpid(), socket.gethostname(), purpose, since)
    os.ftruncate(descriptor, 0)
    try:
        os.pwrite(descriptor, json.dumps(asdict(mine), ensure_ascii=False).encode(), 0)
    except OSError:
        os.ftruncate(descriptor, 0)


def holder(file: Path) -> Holder:
    """What the holder wrote into the lock file; an empty Holder when nobody has (yet)."""
    try:
        return Holder(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Holder()


def _locked(file: Path) -> LockedError:
    who = holder(file)
    return LockedError(
        Problem(
            N_("another process is writing to this park: {purpose}, process {pid} on {host} since {since}"),
            {
                "purpose": who.purpose or "?",
                "pid": who.pid or "?",
                "host": who.host or "?",
                "since": who.since or "?",
            },
            N_("wait until it has finished, or stop that process"),
            file=str(file),
        )
    )
