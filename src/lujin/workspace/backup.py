"""A backup of a running park: one file, taken while others import, post and look.

The database is read in one snapshot, the readings at the newest version that holds no arrival unknown to that
snapshot. That is what a process killed at that instant would have left, and every verb goes on from there.
"""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

import lujin
from lujin.errors import N_
from lujin.readings.copying import blocks, copy_of
from lujin.readings.sources import source
from lujin.workspace import archive, dump
from lujin.workspace.archive import ArchiveWriter, Manifest, writing_archive
from lujin.workspace.progress import Progress, silent

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What was written. ``size``: of the file [B]."""

    file: Path
    size: int
    manifest: Manifest

    def as_dict(self) -> dict[str, Any]:
        stated = self.manifest
        names = ("park", "made_at", "schema", "readings_version", "keys", "tables")
        return {
            "file": str(self.file),
            "bytes": self.size,
            "files": len(stated.files),
            **{name: getattr(stated, name) for name in names},
        }


def backup(workspace: Workspace, file: Path, *, with_keys: bool, progress: Progress = silent) -> BackupReport:
    """Write ``file`` (.tar or .tar.gz), whole or not at all, readable by its owner only.

    InputError: it exists already, or has another ending.
    """
    now = workspace.clock()
    with writing_archive(file, now.timestamp()) as target:
        _described(workspace.directory, target, with_keys=with_keys)
        with dump.snapshot(workspace.engine) as connection:
            schema = dump.revision(connection)
            through = int(connection.execute(sa.select(sa.func.max(source.c.number))).scalar() or 0)
            rows = _tables(connection, target, progress)
        version = _readings(workspace, target, through, progress)
        manifest = Manifest(
            park=workspace.park.id,
            made_at=now.isoformat(timespec="seconds"),
            lujin=lujin.__version__,
            schema=schema,
            readings_version=version,
            keys=any(name.startswith(f"{archive.KEYS}/") for name in target.files),
            tables=rows,
            files=target.files,
        )
        target.finish(manifest)
    return BackupReport(file, file.stat().st_size, manifest)


def _described(directory: Path, target: ArchiveWriter, *, with_keys: bool) -> None:
    """What people wrote, and what was refused."""
    folders = (*archive.FOLDERS, *([archive.KEYS] if with_keys else []))
    found = [directory / name for name in archive.FILES]
    found += [path for folder in folders for path in sorted((directory / folder).rglob("*"))]
    for path in found:
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            target.add_bytes(path.relative_to(directory).as_posix(), path.read_bytes())


def _tables(connection: sa.Connection, target: ArchiveWriter, progress: Progress) -> dict[str, int]:
    rows: Counter[str] = Counter()
    all_rows = dump.size(connection)
    for number, (table, frame) in enumerate(dump.parts(connection)):
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd")
        target.add_bytes(f"{archive.DATABASE}/{number:05}-{table}.parquet", buffer.getvalue())
        rows[table] += frame.height
        progress(N_("copying the database"), rows.total(), all_rows)
    return dict(rows)


def _readings(workspace: Workspace, target: ArchiveWriter, through: int, progress: Progress) -> int | None:
    place = workspace.store.place
    found = copy_of(place, through)
    if found is None:
        return None
    for done, name in enumerate((*found.data, *found.log)):
        size, content = blocks(place, name)
        target.add(f"{archive.READINGS}/{name}", size, content)
        progress(N_("copying readings"), done + 1, len(found.data) + len(found.log))
    return found.version
