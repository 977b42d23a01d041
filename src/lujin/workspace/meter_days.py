"""What every meter's days said, month by month, kept under ``derived/``: recomputable, named by what it rests on.

A file holds one row per meter: slots per day and kind of knowledge, and what looked odd. Its name tells the facts
it was made of, so that a stale one is never read, and a fresh one is read without a look at the readings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from lujin.accounts import Amount
from lujin.accounts.statement_parts import plain
from lujin.disk import write_whole
from lujin.park.calendar import month_grid
from lujin.readings import Energy, day_completeness
from lujin.readings.sources import last_touching
from lujin.workspace.compute import energy_blocks
from lujin.workspace.quality import Finding, findings_of, meter_units

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

_VERSION = 1
CHUNK = 50  # meters at a time: this goes on beside a server's requests, and must not take much memory
COUNTS = ("expected", "measured", "interpolated", "estimated", "suspect", "missing")
SCHEMA: Mapping[str, pl.DataType] = {
    "meter": pl.String(),
    **{name: pl.List(pl.Int32()) for name in COUNTS},
    "amount": pl.List(pl.Int64()),
    "findings": pl.String(),
}


def stamps(workspace: Workspace) -> Mapping[int, str]:
    """Month with readings → what its interval energies rest on: the park, the last arrival that touched it and, as
    long as it is not over, the hour.
    """
    now = int(workspace.clock().timestamp())
    found = {}
    for month, source in last_touching(workspace.engine).items():
        hour = now // 3600 if now < month_grid(month, workspace.park.timezone).end else 0
        facts = [_VERSION, workspace.park_digest, month, source, hour]
        found[month] = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return found


def month_days(workspace: Workspace, month: int, meters: Sequence[str] | None = None) -> pl.DataFrame:
    """Rows of SCHEMA, one per meter that is asked for, in no order. From the file where it is fresh; else a few
    meters are computed by themselves, and all of them once, to be kept.
    """
    stamp = stamps(workspace).get(month)
    return _rows(workspace, month, stamp, meters) if stamp else pl.DataFrame(schema=SCHEMA)


def meter_days(workspace: Workspace, meter: str, months: Iterable[int]) -> Mapping[int, Mapping[str, Any]]:
    """Month → the row of one meter; months without readings are left out."""
    known = stamps(workspace)
    frames = {m: _rows(workspace, m, known[m], [meter]) for m in months if m in known}
    return {m: frame.row(0, named=True) for m, frame in frames.items() if frame.height}


def keep_days(workspace: Workspace, most: int = 1200) -> int:
    """Compute months whose files are not fresh, the newest first, at most so many; how many they were."""
    known = sorted(stamps(workspace).items(), reverse=True)
    waiting = [(m, s) for m, s in known if not _file(workspace.directory, m, s).is_file()][:most]
    for month, stamp in waiting:
        _keep(workspace, month, stamp)
    return len(waiting)


def findings_in(row: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What looked odd, of a row of SCHEMA."""
    return tuple(_finding(row["meter"], *entry) for entry in json.loads(row["findings"]))


def _rows(workspace: Workspace, month: int, stamp: str, meters: Sequence[str] | None) -> pl.DataFrame:
    file = _file(workspace.directory, month, stamp)
    try:
        whole = _read(file)
    except OSError:  # not there, or another process has just replaced it
        if meters is not None:
            physical = [m for m in meters if _measures(workspace, m)]
            return _compute(workspace, month, physical)
        whole = _keep(workspace, month, stamp)
    return whole if meters is None else whole.filter(pl.col("meter").is_in(list(meters)))


@lru_cache(maxsize=36)
def _read(file: Path) -> pl.DataFrame:
    """The name of a file tells its content, so that it is read once."""
    return pl.read_parquet(file)


def _file(directory: Path, month: int, stamp: str) -> Path:
    return directory / "derived" / f"days-{month}-{stamp}.parquet"


def _keep(workspace: Workspace, month: int, stamp: str) -> pl.DataFrame:
    meters = [m for m in workspace.park.meters if _measures(workspace, m)]
    frame = _compute(workspace, month, meters)
    target = _file(workspace.directory, month, stamp)
    target.parent.mkdir(exist_ok=True)
    older = [p for p in target.parent.glob(f"days-{month}-*.parquet") if p != target]
    write_whole(target, _bytes(frame))
    for path in older:
        path.unlink(missing_ok=True)
    return frame


def _bytes(frame: pl.DataFrame) -> bytes:
    from io import BytesIO

    held = BytesIO()
    frame.write_parquet(held, compression="zstd")
    return held.getvalue()


def _measures(workspace: Workspace, meter: str) -> bool:
    return workspace.park.meters[meter].kind != "virtual"


def _compute(workspace: Workspace, month: int, meters: Sequence[str]) -> pl.DataFrame:
    park = workspace.park
    grid, units = month_grid(month, park.timezone), meter_units(park)
    until, keys = int(workspace.clock().timestamp()), workspace.meter_keys()
    ordered = sorted(meters, key=lambda m: keys.get(m, -1))  # as the readings lie in their files
    frames = [pl.DataFrame(schema=SCHEMA)]
    for start in range(0, len(ordered), CHUNK):
        chunk = ordered[start : start + CHUNK]
        frames += (_frame(e, units) for e, _ in energy_blocks(park, workspace.store, keys, chunk, grid, until))
    return pl.concat(frames)


def _frame(energy: Energy, units: Mapping[str, str]) -> pl.DataFrame:
    odd: dict[str, list[Any]] = {meter: [] for meter in energy.meters}
    for finding in findings_of(energy, units):
        odd[finding.meter].append(_plain(finding))
    counts = day_completeness(energy)
    return pl.DataFrame(
        {
            "meter": energy.meters,
            **{name: counts[name].tolist() for name in (*COUNTS, "amount")},
            "findings": [json.dumps(odd[meter], ensure_ascii=False) for meter in energy.meters],
        },
        schema=SCHEMA,
    )


def _plain(f: Finding) -> list[Any]:
    return [f.kind, *map(plain, (f.start, f.end, f.suspect, f.slots, f.energy, f.largest, f.detail))]


def _finding(
    meter: str,
    kind: str,
    start: str,
    end: str,
    suspect: bool,
    slots: int,
    energy: Mapping[str, str] | None,
    largest: Mapping[str, str] | None,
    detail: Mapping[str, Any],
) -> Finding:
    said = {name: _amount(value) if isinstance(value, Mapping) else value for name, value in detail.items()}
    begin, until = datetime.fromisoformat(start), datetime.fromisoformat(end)
    return Finding(meter, kind, begin, until, suspect, slots, _amount(energy), _amount(largest), said)


def _amount(said: Mapping[str, str] | None) -> Amount | None:
    return None if said is None else Amount(int(said["base"]), said["base_unit"])
