"""Whether anything was written into the database since: what rests on it alone need not be asked again."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeVar

from sqlalchemy.engine import Engine

T = TypeVar("T")
_MOST = 4096  # answers between two writes


class Keep(Protocol):
    """``work_out()``, or what it gave before while that still holds. The key tells everything it depends on."""

    def __call__(self, key: Hashable, work_out: Callable[[], T]) -> T: ...


def anew(key: Hashable, work_out: Callable[[], T]) -> T:  # noqa: ARG001  the shape of Keep
    """Keeps nothing.

    >>> anew("sum", lambda: 1 + 1)
    2
    """
    return work_out()


class Pulse:
    """A ``Keep`` until something is committed, by whichever process.

    SQLite tells a connection in some microseconds whether others have committed since (``PRAGMA data_version``);
    ours never writes, so it hears of all. With another database every answer is worked out anew.
    """

    def __init__(self, engine: Engine) -> None:
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._at = -1
        self._answers: dict[Hashable, Any] = {}
        if engine.dialect.name == "sqlite" and engine.url.database:
            self._connection = sqlite3.connect(engine.url.database, isolation_level=None, check_same_thread=False)

    def __call__(self, key: Hashable, work_out: Callable[[], T]) -> T:
        answers = self._standing()
        if key in answers:
            return answers[key]  # type: ignore[no-any-return]
        # Seen before it is worked out: what is committed meanwhile makes it old, never the other way round
        found = work_out()
        if len(answers) < _MOST:
            answers[key] = found
        return found

    def _standing(self) -> dict[Hashable, Any]:
        """The answers given since the last commit."""
        with self._lock:
            if self._connection is None:
                return {}
            try:
                (now,) = self._connection.execute("PRAGMA data_version").fetchone()
            except sqlite3.Error:
                return {}
            if now != self._at:
                self._at, self._answers = now, {}
            return self._answers

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
