"""The park that the server serves: opened once, opened anew when the files that people write have changed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from lujin.errors import LujinError, Problem
from lujin.pulse import Pulse
from lujin.web.settings import Settings
from lujin.workspace import Workspace, open_workspace

PARK_FILES = ("park.toml", "days.csv")
PAGES_KB = 8_192  # of the database, per connection


@dataclass
class OpenPark:
    """``pulse``: keeps what rests on the database alone. ``problems``: why the files as they are now cannot be
    opened; the park of before goes on.
    """

    settings: Settings
    workspace: Workspace
    pulse: Pulse
    problems: Sequence[Problem] = ()
    _seen: tuple[tuple[int, int], ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def current(self) -> Workspace:
        found = _state(self.settings.directory)
        if found == self._seen:
            return self.workspace
        with self._lock:
            if found != self._seen:
                try:
                    self.workspace = opened(self.settings, self.workspace)
                    self.problems = ()
                except LujinError as error:
                    self.problems = error.problems
                self._seen = found
        return self.workspace

    def close(self) -> None:
        self.pulse.close()
        self.workspace.engine.dispose()


def open_park(settings: Settings) -> OpenPark:
    seen = _state(settings.directory)
    workspace = opened(settings, None)
    return OpenPark(settings, workspace, Pulse(workspace.engine), _seen=seen)


def opened(settings: Settings, before: Workspace | None) -> Workspace:
    found = open_workspace(settings.directory, environment=settings.environment)
    if before is not None:
        found.engine.dispose()
        return replace(found, engine=before.engine)
    if found.engine.dialect.name == "sqlite":
        _keep_little(found.engine)
    return found


def _keep_little(engine: Engine) -> None:
    """Each of the connections that stay open would keep up to 64 MB of pages that the system keeps anyway."""

    @sa.event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA cache_size=-{PAGES_KB}").close()

    engine.dispose()


def _state(directory: Path) -> tuple[tuple[int, int], ...]:
    files = [directory / name for name in PARK_FILES]
    return tuple((s.st_size, s.st_mtime_ns) for f in files if f.is_file() for s in [f.stat()])
