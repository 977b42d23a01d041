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
    """The last ``kept`` answers, of bytes not more than ``most_bytes``. Whoever asks for one that is being worked
    out waits for it.

    >>> cache = Cache(2)
    >>> cache(("stamp", "totals"), lambda: 1), cache(("stamp", "totals"), lambda: 2)
    (1, 1)
    >>> small = Cache(most_bytes=5)
    >>> [small(key, lambda: b"abc") for key in (1, 2)], small(1, lambda: b"anew")
    ([b'abc', b'abc'], b'anew')
    """

    kept: int = 1500
    most_bytes: int = 2**62
    _answers: OrderedDict[Hashable, Future[Any]] = field(default_factory=OrderedDict)
    _used: dict[Hashable, float] = field(default_factory=dict)
    _sizes: dict[Hashable, int] = field(default_factory=dict)
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, key: Hashable, work_out: Callable[[], T]) -> T:
        with self._lock:
            found = self._answers.get(key)
            if mine := found is None:
                found = self._answers[key] = Future()
            else:
                self._answers.move_to_end(key)
            self._used[key] = time.monotonic()
        if mine:
            try:
                found.set_result(answer := work_out())
            except BaseException as error:
                with self._lock:
                    if self._answers.get(key) is found:
                        self._drop(key)
                found.set_exception(error)
            else:
                self._weigh(key, found, answer)
        return found.result()  # type: ignore[no-any-return]

    def known(self, key: Hashable) -> Any:
        """The answer, if it is there."""
        with self._lock:
            found = self._answers.get(key)
            if found is None or not found.done():
                return None
            self._answers.move_to_end(key)
            self._used[key] = time.monotonic()
        return found.result()

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
                self._drop(key)
        return len(old)

    def _weigh(self, key: Hashable, place: Future[Any], answer: object) -> None:
        """Note what an answer takes; what was not asked for the longest time makes room."""
        parts = answer if isinstance(answer, tuple) else (answer,)
        with self._lock:
            if self._answers.get(key) is place:
                self._sizes[key] = sum(len(part) for part in parts if isinstance(part, bytes))
                self._bytes += self._sizes[key]
            while len(self._answers) > self.kept or (self._bytes > self.most_bytes and self._answers):
                self._drop(next(iter(self._answers)))

    def _drop(self, key: Hashable) -> None:
        self._answers.pop(key, None)
        self._used.pop(key, None)
        self._bytes -= self._sizes.pop(key, 0)
