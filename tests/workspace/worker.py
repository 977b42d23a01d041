"""A process that imports and posts, and may be told when to die.

``worker.py PARK POINT STEP…``: a step is ``import:FILE``, ``run`` or ``hold:SECONDS`` (keep the lock). POINT:

- ``never``
- ``environment``  never, in the database that the environment names
- ``call:N``      as the N-th function of lujin is called
- ``sql:N``       before the N-th statement that the database executes
- ``before:NAME:N`` / ``after:NAME:N``  as a function (``module:qualified.name``) is entered / has returned,
  the N-th time
- ``count``       print how many calls and statements there were, and live

It prints ``ready`` before the first step and the number of each step that is done.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import sqlalchemy as sa

import lujin
from lujin.errors import LujinError
from lujin.workspace import Workspace, open_workspace

HOME = str(Path(lujin.__file__).parent)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Counter:
    """Counts calls of lujin's functions and statements to the database; dies at one of them."""

    def __init__(self, call: int = 0, sql: int = 0) -> None:
        self.call, self.sql = call, sql
        self.calls = self.statements = 0

    def on_profile(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(HOME):
            self.calls += 1
            if self.calls == self.call:
                die()

    def on_statement(self, *_: Any) -> None:
        self.statements += 1
        if self.statements == self.sql:
            die()

    def watch(self, workspace: Workspace) -> None:
        sa.event.listen(workspace.engine, "before_cursor_execute", self.on_statement)
        sa.event.listen(workspace.engine, "commit", self.on_statement)
        sys.setprofile(self.on_profile)


def die_around(point: str) -> None:
    when, module, name, times = point.split(":")
    left = int(times)
    holder: Any = import_module(module)
    *path, last = name.split(".")
    for part in path:
        holder = getattr(holder, part)
    kept: Callable[..., Any] = getattr(holder, last)

    def deadly(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if not left and when == "before":
            die()
        found = kept(*arguments, **options)
        if not left:
            die()
        return found

    setattr(holder, last, deadly)


def main(directory: str, point: str, *steps: str) -> None:
    kind, _, number = point.partition(":")
    counter = Counter(**{kind: int(number)}) if kind in ("call", "sql") else Counter()
    if kind in ("before", "after"):
        die_around(point)
    workspace = open_workspace(directory, environment=os.environ if point == "environment" else {})
    if kind in ("call", "sql", "count"):
        counter.watch(workspace)
    print("ready", flush=True)
    for done, step in enumerate(steps, 1):
        verb, _, argument = step.partition(":")
        if verb == "import":
            for result in workspace.import_files([argument]):
                if result.failed:
                    sys.exit(f"refused: {[p.text() for p in result.problems]}")
        elif verb == "hold":
            with workspace.writing("import"):
                print("held", flush=True)
                time.sleep(float(argument))
        else:
            workspace.run()
        print(done, flush=True)
    sys.setprofile(None)
    if kind == "count":
        print(f"count {counter.calls} {counter.statements}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except LujinError as error:
        sys.exit(f"{type(error).__name__}: {error}")
