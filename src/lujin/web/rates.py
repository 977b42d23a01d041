"""How often one may ask: per person, per address; fewer while nobody is signed in, fewest for trying passwords."""

from __future__ import annotations

from math import ceil
from time import time

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from lujin.errors import N_, Problem, TooManyError

PASSWORDS_PER_MINUTE = 30


class Rates:
    """Counts of this process. ``check`` raises TooManyError for the request that is one too many."""

    def __init__(self, requests_per_minute: int) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._off = requests_per_minute == 0
        each = max(requests_per_minute, 4)
        self._person = RateLimitItemPerMinute(each)
        self._address = RateLimitItemPerMinute(each * 4)
        self._stranger = RateLimitItemPerMinute(each // 4)
        self._password = RateLimitItemPerMinute(PASSWORDS_PER_MINUTE)

    def check(self, address: str, person: int | None, password: bool = False) -> None:
        if self._off:
            return
        self._hit(self._address, "address", address)
        if person is None:
            self._hit(self._stranger, "stranger", address)
        else:
            self._hit(self._person, "person", str(person))
        if password:
            self._hit(self._password, "password", address)

    def _hit(self, item: RateLimitItem, kind: str, key: str) -> None:
        if not self._limiter.hit(item, kind, key):
            wait = max(1, ceil(self._limiter.get_window_stats(item, kind, key).reset_time - time()))
            message, remedy = N_("too many requests in a short time"), N_("wait {seconds} s, then go on")
            raise TooManyError(Problem(message, {"seconds": wait}, remedy), retry_after_s=wait)
