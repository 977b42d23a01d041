"""From stored readings to the energy of every posting subject of one month, block by block."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from lujin.accounts import SubjectEnergy, SubjectSum
from lujin.park import Park
from lujin.park.calendar import Grid
from lujin.readings import Energy, Event, ReadingStore, completeness, interval_energy, meter_specs
from lujin.workspace.touch import EDGE_ROWS

BLOCK = 1_000  # meters per block: about 60 MB of arrays


@dataclass(frozen=True, eq=False)
class MonthEnergy:
    """What the meters of a month said: per subject, with completeness per meter and what looked odd."""

    subjects: SubjectEnergy
    completeness: pl.DataFrame
    events: tuple[Event, ...]
    readings: int


def energy_blocks(
    park: Park,
    store: ReadingStore,
    keys: Mapping[str, int],
    meters: Sequence[str],
    grid: Grid,
    until: int,
    as_of: datetime | None = None,
) -> Iterator[tuple[Energy, int]]:
    """Interval energy of ``meters``, at most BLOCK at a time, with the number of readings behind each block.

    Meters that never sent a reading have no key; they come back wholly missing.
    """
    ordered = sorted(meters, key=lambda m: keys.get(m, -1))
    for start in range(0, len(ordered), BLOCK):
        block = ordered[start : start + BLOCK]
        known = [keys[m] for m in block if m in keys]
        frames = [store.read(grid.month, known, as_of)]
        frames += [
            store.before(grid.month, known, as_of, EDGE_ROWS),
            store.after(grid.month, known, as_of, EDGE_ROWS),
        ]
        columns = ["meter", "time", "value", "quality"]
        readings = pl.concat([f.select(columns) for f in frames if f.height] or [frames[0].select(columns)])
        if any(f.height for f in frames[1:]):
            readings = readings.sort("meter", "time")
        specs = meter_specs(park, block, keys)
        yield interval_energy(readings, specs, grid, park.days, until), frames[0].height


def month_energy(
    park: Park,
    store: ReadingStore,
    keys: Mapping[str, int],
    meters: Sequence[str],
    grid: Grid,
    until: int,
    as_of: datetime | None = None,
) -> MonthEnergy:
    total = SubjectSum(park, grid, meters)
    tables: list[pl.DataFrame] = []
    events: list[Event] = []
    count = 0
    for energy, readings in energy_blocks(park, store, keys, meters, grid, until, as_of):
        total.add(energy)
        tables.append(completeness(energy))
        events += energy.events
        count += readings
    return MonthEnergy(total.result(), pl.concat(tables) if tables else pl.DataFrame(), tuple(events), count)


def input_digests(energy: SubjectEnergy, park: Park, enterprises: Collection[str]) -> dict[str, str]:
    """Per enterprise, the SHA-256 of the interval energies its postings come from. Knows nothing of arrival."""
    digests = {enterprise: hashlib.sha256() for enterprise in enterprises}
    for i in sorted(range(len(energy.subjects)), key=lambda i: str(energy.subjects[i])):
        subject = energy.subjects[i]
        for enterprise in {park.owner(subject.source), park.owner(subject.target)} & digests.keys():
            digests[enterprise].update(str(subject).encode())
            digests[enterprise].update(energy.total[i].tobytes())
            digests[enterprise].update(energy.estimated[i].tobytes())
    for check in energy.checks:
        subject = energy.subjects[check.row]
        for enterprise in {park.owner(subject.source), park.owner(subject.target)} & digests.keys():
            for part in (*check.own, *check.other):
                digests[enterprise].update(f"{check.flow}/{part.meter}".encode())
                digests[enterprise].update(part.amount.tobytes())
                digests[enterprise].update(part.measured.tobytes())
    return {enterprise: digest.hexdigest() for enterprise, digest in digests.items()}
