"""A copy of the readings table as it stood at one version, while others go on writing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deltalake import DeltaTable
from deltalake._internal import DeltaFileSystemHandler

from lujin.errors import N_, IntegrityError, Problem
from lujin.readings.parts import Place

BLOCK = 4 << 20
LOG = "_delta_log"
ARRIVAL = "lujin-arrival-"


@dataclass(frozen=True, slots=True)
class Copy:
    """The files that make up the table at ``version``: data first, then the log that names them."""

    version: int
    data: tuple[str, ...]
    log: tuple[str, ...]


def copy_of(place: Place, through: int) -> Copy | None:
    """The newest version that holds no arrival later than number ``through``; None: nothing was ever stored.

    Arrivals land in the order of their numbers, and what compaction replaces stays on disk for a week, so every
    file of that version is there while it is copied.
    """
    options = place.options or None
    if not DeltaTable.is_deltatable(place.uri, options):
        return None
    version = _version_through(place, DeltaTable(place.uri, storage_options=options).version(), through)
    table = DeltaTable(place.uri, version=version, storage_options=options)
    data = sorted(str(path) for path in table.get_add_actions(flatten=True)["path"].to_pylist())
    return Copy(version, tuple(data), tuple(_log(place, version)))


def _version_through(place: Place, newest: int, through: int) -> int:
    found = newest
    for version in range(newest, -1, -1):
        if (text := read(place, _commit(version))) is None:
            break
        actions = [json.loads(line) for line in text.splitlines() if line.strip()]
        arrivals = [number for action in actions if (number := _arrival(action)) is not None]
        if any(number > through for number in arrivals):
            found = version - 1
        elif arrivals:
            break
    if found < 0:
        raise IntegrityError(
            Problem(
                N_("the readings table holds arrivals that the database does not know"),
                {},
                N_("restore both from one backup"),
                file=place.uri,
            )
        )
    return found


def _arrival(action: dict[str, Any]) -> int | None:
    application = str(action.get("txn", {}).get("appId", ""))
    return int(application.removeprefix(ARRIVAL)) if application.startswith(ARRIVAL) else None


def _log(place: Place, version: int) -> Iterator[str]:
    """Commits and checkpoints back to the first that is kept; what a checkpoint holds is cleaned up some day."""
    for number in range(version, -1, -1):
        if not exists(place, _commit(number)):
            return
        yield _commit(number)
        checkpoint = f"{LOG}/{number:020d}.checkpoint.parquet"
        if exists(place, checkpoint):
            yield checkpoint


def _commit(version: int) -> str:
    return f"{LOG}/{version:020d}.json"


# ------------------------------------------------------------------------------------------------- files


def blocks(place: Place, path: str) -> tuple[int, Iterator[bytes]]:
    """Size of a file of the table [B], and its content in blocks."""
    file: Any = DeltaFileSystemHandler(place.uri, place.options).open_input_file(path)

    def content() -> Iterator[bytes]:
        while block := file.read(BLOCK):
            yield bytes(block)

    return file.size(), content()


def read(place: Place, path: str) -> bytes | None:
    """The content of a small file; None: it is not there."""
    try:
        _, content = blocks(place, path)
        return b"".join(content)
    except FileNotFoundError:
        return None


def exists(place: Place, path: str) -> bool:
    try:
        blocks(place, path)
    except FileNotFoundError:
        return False
    return True


def write(place: Place, path: str, content: Iterator[bytes]) -> None:
    """A file of the table, written where the table lies."""
    stream: Any = DeltaFileSystemHandler(place.uri, place.options).open_output_stream(path)
    for block in content:
        stream.write(block)
    stream.close()
