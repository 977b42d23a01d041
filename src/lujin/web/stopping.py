"""A stop that loses nothing: what is being answered is finished, work stops at a safe point.

``app.state.stopping`` is set at the first signal. Whatever goes on for long (events to a browser, work in a
thread) looks at it and ends; uvicorn waits for answers under way, then the lifespans of the modules end.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

from fastapi import FastAPI

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@asynccontextmanager
async def stopping(app: FastAPI) -> AsyncIterator[None]:
    """Hears of a signal together with the server that handles it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in SIGNALS}

    def heard(number: int, frame: FrameType | None) -> None:
        app.state.stopping.set()
        before: Any = kept[signal.Signals(number)]
        if callable(before):
            before(number, frame)

    for number in SIGNALS:
        signal.signal(number, heard)
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
