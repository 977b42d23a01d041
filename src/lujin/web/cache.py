"""Answers kept while the facts they rest on stay the same."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass
class Cache:
    """The last ``kept`` answers. Whoever asks for one that is being worked out waits for it.

    >>> cache = Cache(2)
    >>> cache(("stamp", "totals"), lambda: 1), cache(("stamp", "totals"), lambda: 2)
    (1, 1)
    """

    kept: int = 1500
    _answers: OrderedDict[Hashable, Future[Any]] = field(default_factory=OrderedDict)
    _used: dict[Hashable, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, key: Hashable, work_out: Callable[[], T]) -> T:
        with self._lock:
            found = self._answers.get(key)
            if mine := found is None:
                found = self._answers[key] = Future()
                while len(self._answers) > self.kept:
                    self._used.pop(self._answers.popitem(last=False)[0], None)
            else:
                self._answers.move_to_end(key)
            self._used[key] = time.monotonic()
        if mine:
            try:
                found.set_result(work_out())
            except BaseException as error:
                with self._lock:
                    self._answers.pop(key, None)
                    self._used.pop(key, None)
                found.set_exception(error)
        return found.result()  # type: ignore[no-any-return]

    def forget(self, unused_s: float) -> int:
        """Drop what nobody has asked for so long [s]; how many.

        >>> cache = Cache()
        >>> cache("answer", lambda: 42), cache.forget(60), cache.forget(0)
        (42, 0, 1)
        """
        limit = time.monotonic() - unused_s
        with self._lock:
            old = [key for key, used in self._used.items() if used <= limit and self._answers[key].done()]
            for key in old:
                del self._answers[key], self._used[key]
        return len(old)
