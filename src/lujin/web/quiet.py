"""Work beside the requests waits while readings come in, so that the next body need not wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK_S = 3.0
LONGEST_S = 30.0


def wait_for_quiet(
    version: Callable[[], str],
    stopped: Callable[[float], bool],
    look_s: float = LOOK_S,
    longest_s: float = LONGEST_S,
) -> bool:
    """Wait until two looks, one after the other, find the same facts, but not for ever. ``stopped``: waits so
    long [s], and says whether all is over. False: it is.

    >>> versions = iter("abcc")
    >>> wait_for_quiet(lambda: next(versions), lambda _: False), list(versions)
    (True, [])
    >>> wait_for_quiet(lambda: str(time.monotonic()), lambda _: False, longest_s=0)
    True
    """
    deadline, before = time.monotonic() + longest_s, version()
    while not stopped(look_s):
        if (now := version()) == before or time.monotonic() >= deadline:
            return True
        before = now
    return False
