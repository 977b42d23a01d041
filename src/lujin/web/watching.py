"""Judging the rules while the server runs: every few minutes, by one process of all that serve the park."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from lujin.alarms import KINDS, SELDOM, evaluate, send_waiting
from lujin.errors import LockedError, LujinError
from lujin.lock import exclusive
from lujin.operator_options import options
from lujin.operator_settings import stored
from lujin.workspace import Workspace

log = logging.getLogger("lujin.alarms")

FIRST_S = 20.0  # after the start, so that the first pages come first
DELIVER_S = 30.0  # messages that wait are looked for that often
DAY_S = 86_400.0
CHECK_AFTER_S = 3600.0  # the ledger of a large park takes half a minute: not right after the start
FOLDER = ".alarms"  # whoever holds its lock judges


@asynccontextmanager
async def watching(app: FastAPI) -> AsyncIterator[None]:
    """A thread beside the requests; it ends at its next safe point when the server stops."""
    if app.state.settings.environment.get("LUJIN_WEB_ALARMS", "on") == "off":
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(app, stop), name="alarms", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.to_thread(thread.join, 30)


def _watch(app: FastAPI, stop: threading.Event) -> None:
    """Until stopped: take the lock when it is free, then judge and deliver for as long as it is held."""
    if _stopped(app, stop, FIRST_S):
        return
    while not _stopped(app, stop, 0):
        workspace: Workspace = app.state.open_park.current()
        try:
            folder = workspace.directory / FOLDER
            folder.mkdir(exist_ok=True)
            with exclusive(folder, "alarms"):
                _rounds(app, stop)
                return
        except LockedError:
            _stopped(app, stop, 60)
        except (LujinError, OSError) as error:
            log.error("alarms cannot be judged: %s", error)
            _stopped(app, stop, 60)


def _rounds(app: FastAPI, stop: threading.Event) -> None:
    judged, checked = -DAY_S, time.monotonic() - DAY_S + CHECK_AFTER_S
    while not _stopped(app, stop, 0):
        now = time.monotonic()
        try:
            workspace: Workspace = app.state.open_park.current()
            if now - judged >= options(stored(workspace.engine)).alarms_minutes * 60:
                judged = now
                whole = now - checked >= DAY_S
                evaluate(workspace, None, frozenset(KINDS) if whole else frozenset(KINDS) - SELDOM)
                checked = now if whole else checked
            settings = app.state.settings
            send_waiting(workspace, settings.public_url, settings.environment)
        except LujinError as error:
            log.error("a round of alarms failed: %s", error)
        except Exception:
            # One bad round must not end the watch; it is told, and the next one comes.
            log.exception("a round of alarms failed")
        _stopped(app, stop, DELIVER_S)


def _stopped(app: FastAPI, stop: threading.Event, seconds: float) -> bool:
    """Wait; True as soon as the server stops."""
    deadline = time.monotonic() + seconds
    while not (stop.is_set() or app.state.stopping.is_set()):
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        stop.wait(min(left, 1.0))
    return True
