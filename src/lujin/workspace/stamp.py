"""One text that changes whenever an answer about the park may change: what ETags and caches are keyed by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from lujin.database import metadata

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


def stamp(workspace: Workspace) -> str:
    """Changes with every new posting, arrival, period event, certificate, and with the files people write."""
    counts = sa.select(*(_newest(name) for name in COUNTED))
    with workspace.engine.connect() as connection:
        numbers = connection.execute(counts).one()
    parts = (workspace.park_digest, *map(str, numbers), *_files(workspace.directory / "reference"))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _newest(name: str) -> sa.ScalarSelect[int | None]:
    table = metadata.tables[name]
    return sa.select(sa.func.max(next(iter(table.primary_key.columns)))).scalar_subquery()


def _files(folder: Path) -> Iterator[str]:
    for file in sorted(folder.glob("*.csv")):
        about = file.stat()
        yield f"{file.name} {about.st_size} {about.st_mtime_ns}"
