"""One text that changes whenever an answer about the park may change: what ETags and caches are keyed by."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from lujin.database import metadata
from lujin.pulse import Keep, anew

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

# Append-only tables in which every new fact of the park gets the next number.
COUNTED = (
    *("entry", "posted", "source", "source_event", "period_event"),
    "certificate",
    "certificate_superseded",
    "tree_head",
    "event_head",
)


def stamp(workspace: Workspace, keep: Keep = anew) -> str:
    """Changes with every new posting, arrival, period event, certificate, and with the files people write."""
    numbers = keep("stamp", lambda: _numbers(workspace.engine))
    parts = (workspace.park_digest, *numbers, *_files(workspace.directory / "reference"))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _numbers(engine: Engine) -> tuple[str, ...]:
    with engine.connect() as connection:
        return tuple(map(str, connection.execute(sa.select(*map(_newest, COUNTED))).one()))


def _newest(name: str) -> sa.ScalarSelect[int | None]:
    table = metadata.tables[name]
    return sa.select(sa.func.max(next(iter(table.primary_key.columns)))).scalar_subquery()


def _files(folder: Path) -> Iterator[str]:
    try:
        found = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(".csv"))
    except FileNotFoundError:
        return
    for name in found:
        about = (folder / name).stat()
        yield f"{name} {about.st_size} {about.st_mtime_ns}"
