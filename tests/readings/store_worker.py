"""A process that writes to a readings store and may die on the way; run by test_store_faults.py.

    store_worker.py DIRECTORY append FIRST LAST [DIE_AT]   arrivals FIRST to LAST, one commit each
    store_worker.py DIRECTORY compact [DIE_AT]

DIE_AT is where it kills itself: ``write2`` with the second data file half written, ``commit`` before, ``landed``
after the commit.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from lujin.errors import LujinError
from lujin.readings import parts
from lujin.readings.delta import ReadingTable
from lujin.readings.store import ReadingStore

ZONE = "Asia/Shanghai"
START = datetime(2025, 2, 28, 16, tzinfo=UTC)
METERS = 6
ROWS = 200


def arrival(number: int) -> pl.DataFrame:
    """METERS × ROWS hourly readings; each arrival overlaps half of the one before."""
    meter = [m for m in range(METERS) for _ in range(ROWS)]
    first = START + timedelta(hours=(number % 4) * ROWS // 2)
    time = [first + timedelta(hours=h) for _ in range(METERS) for h in range(ROWS)]
    count = METERS * ROWS
    return pl.DataFrame(
        {
            "meter": pl.Series(meter, dtype=pl.Int32),
            "time": pl.Series(time, dtype=pl.Datetime("us", "UTC")),
            "value": [float(number * 1_000_000 + i) for i in range(count)],
            "quality": pl.Series([0] * count, dtype=pl.Int8),
            "recorded": pl.Series([START + timedelta(days=90 + number)] * count, dtype=pl.Datetime("us", "UTC")),
            "source": pl.Series([number] * count, dtype=pl.Int32),
            "row": pl.Series(range(1, count + 1), dtype=pl.Int32),
            "month": pl.Series([202503] * count, dtype=pl.Int32),
        }
    )


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(point: str) -> None:
    write, commit = parts.Place.write, ReadingTable.commit
    left = int(point.removeprefix("write")) if point.startswith("write") else 0

    def dying_write(place: parts.Place, path: str, frame: pl.DataFrame) -> int:
        nonlocal left
        left -= 1
        size = write(place, path, frame)
        if left == 0:
            assert place.local is not None
            os.truncate(place.local / path, size // 2)
            die()
        return size

    def dying_commit(*arguments, **options) -> None:
        if point == "landed":
            commit(*arguments, **options)
        die()

    if left:
        parts.Place.write = dying_write  # type: ignore[method-assign]
    else:
        ReadingTable.commit = dying_commit  # type: ignore[method-assign]


def main(directory: str, verb: str, *rest: str) -> None:
    parts.PART_ROWS, parts.BUFFER_ROWS = 500, 700
    store = ReadingStore(Path(directory), ZONE)
    numbers = range(int(rest[0]), int(rest[1]) + 1) if verb == "append" else range(0)
    for point in rest[2:] if verb == "append" else rest:
        die_at(point)
    print("ready", flush=True)
    for number in numbers:
        frame = arrival(number)
        store.append((frame[i : i + 150] for i in range(0, frame.height, 150)), number)
        print(number, flush=True)
    if verb == "compact":
        store.compact(202503)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except LujinError as error:
        sys.exit(f"{type(error).__name__}: {error}")
