"""A park from a backup: every digest is checked before anything is written, and the result is verified."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable

from lujin.database import open_database
from lujin.disk import said
from lujin.errors import N_, InputError, Problem
from lujin.migrations import HEAD
from lujin.readings.copying import write
from lujin.readings.parts import Place
from lujin.workspace import archive, dump
from lujin.workspace.archive import Manifest, checked, members
from lujin.workspace.core import Workspace, now_utc, open_workspace
from lujin.workspace.progress import Progress, silent


@dataclass(frozen=True)
class RestoreReport:
    """The park that was made; ``verified``: what ``verify`` counted."""

    directory: Path
    manifest: Manifest
    verified: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        stated = self.manifest
        return {
            "directory": str(self.directory),
            "park": stated.park,
            "made_at": stated.made_at,
            "keys": stated.keys,
            "tables": dict(stated.tables),
            "verified": dict(self.verified),
        }


def restore(
    file: Path,
    directory: Path,
    *,
    replay: bool = False,
    progress: Progress = silent,
    environment: Mapping[str, str] = os.environ,
    clock: Callable[[], datetime] = now_utc,
) -> RestoreReport:
    """Make a park of a backup, in a directory that is new or empty.

    Database and readings lie where LUJIN_DATABASE and LUJIN_READINGS say, whatever engine they came from.
    InputError: the backup is damaged, or something is there already. IntegrityError: what was restored does not
    verify, as it did not when it was backed up.
    """
    manifest = checked(file)
    _refuse_taken(directory)
    _refuse_newer(file, manifest)
    _refuse_small_disk(directory, manifest)
    database, readings = environment.get("LUJIN_DATABASE"), environment.get("LUJIN_READINGS")
    with _staged(directory) as stage:
        tables = stage / f".{archive.DATABASE}"
        _unpack(file, manifest, stage, tables, readings, progress)
        engine = open_database(database or stage / "lujin.db")
        try:
            progress(N_("loading the database"), 0, 1)
            dump.load(engine, manifest.schema, _frames(tables))
            progress(N_("loading the database"), 1, 1)
        finally:
            engine.dispose()
        shutil.rmtree(tables)
    workspace = open_workspace(directory, clock=clock, environment=environment)
    return RestoreReport(directory, manifest, _proved(workspace, replay=replay, progress=progress))


def _proved(workspace: Workspace, *, replay: bool, progress: Progress) -> dict[str, Any]:
    try:
        return workspace.verify(replay=replay, progress=progress)
    finally:
        workspace.engine.dispose()


# ------------------------------------------------------------------------------------------------- refusals


def _refuse_taken(directory: Path) -> None:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        message, remedy = N_("{directory} is not empty"), N_("name a new or empty directory")
        raise InputError(Problem(message, {"directory": directory}, remedy))


def _refuse_newer(file: Path, manifest: Manifest) -> None:
    if manifest.schema > HEAD:
        message = N_("the database has schema {revision}, which this version does not know")
        remedy = N_("install a newer version of lujin")
        raise InputError(Problem(message, {"revision": manifest.schema}, remedy, file=str(file)))


def _refuse_small_disk(directory: Path, manifest: Manifest) -> None:
    """Tables grow some eightfold when they become a database."""
    tables = sum(size for name, (size, _) in manifest.files.items() if name.startswith(f"{archive.DATABASE}/"))
    needed = manifest.size + 8 * tables
    there = next(parent for parent in (directory.absolute(), *directory.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        message = N_("{needed} MB are needed, {free} MB are free")
        params = {"needed": needed // 1_000_000, "free": free // 1_000_000}
        raise InputError(Problem(message, params, N_("make room, or restore elsewhere"), file=str(directory)))


# ------------------------------------------------------------------------------------------------- unpacking


@contextmanager
def _staged(directory: Path) -> Iterator[Path]:
    """A directory beside the wanted one that takes its name when it is complete, and else is gone."""
    whole = directory.absolute()
    stage = whole.with_name(f".{whole.name}.{os.getpid()}")
    with said(directory):
        whole.parent.mkdir(parents=True, exist_ok=True)
        stage.mkdir()
        try:
            yield stage
            stage.rename(whole)
        except BaseException:
            shutil.rmtree(stage, ignore_errors=True)
            raise


def _unpack(
    file: Path, manifest: Manifest, stage: Path, tables: Path, readings: str | None, progress: Progress
) -> None:
    elsewhere = Place(readings) if readings else None
    if elsewhere is not None and DeltaTable.is_deltatable(elsewhere.uri, elsewhere.options or None):
        message, remedy = N_("there are readings already"), N_("name an empty place in LUJIN_READINGS")
        raise InputError(Problem(message, {}, remedy, file=elsewhere.uri))
    tables.mkdir()
    done = 0
    for name, size, content in members(file):
        if name == archive.MANIFEST:
            continue
        top, _, rest = name.partition("/")
        same = _same(file, name, manifest, content)
        if top == archive.READINGS and elsewhere is not None:
            write(elsewhere, rest, same)
        else:
            _write(tables / rest if top == archive.DATABASE else stage / name, same, top == archive.KEYS)
        done += size
        progress(N_("unpacking"), done, manifest.size)


def _same(file: Path, name: str, manifest: Manifest, content: Iterator[bytes]) -> Iterator[bytes]:
    """The content, which must still be what was checked."""
    digest = hashlib.sha256()
    for block in content:
        digest.update(block)
        yield block
    if digest.hexdigest() != manifest.files[name][1]:
        message = N_("{name} changed while it was read")
        raise InputError(Problem(message, {"name": name}, N_("repeat the command"), file=str(file)))


def _write(path: Path, content: Iterator[bytes], secret: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if secret else 0o777)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o666)
    with os.fdopen(descriptor, "wb") as target:
        for block in content:
            target.write(block)
        target.flush()
        os.fsync(target.fileno())


def _frames(folder: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    for path in sorted(folder.iterdir()):
        yield path.stem.partition("-")[2], pl.read_parquet(path)
