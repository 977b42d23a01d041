"""Interval energy of every meter and flow of a month, kept under ``derived/``: recomputable and never stale.

A month is an array file and a small JSON file that names it, says what it rests on, and holds a checksum per row.
Both are written whole; the array file is named by its content, so a reader finds a pair that belongs together.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from lujin.accounts.counted import counted_slots
from lujin.accounts.rules import scaled
from lujin.disk import write_whole
from lujin.errors import LockedError, StoreError
from lujin.lock import exclusive
from lujin.park import Flow, Meter, Park, Term, flow_terms, metering_digest, virtual_terms
from lujin.park.calendar import Grid, month_grid
from lujin.readings import SUSPECT, Energy, Flag, bits, carriers_of_meters
from lujin.readings.sources import touched
from lujin.workspace.compute import energy_blocks

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

Resolution = Literal["hour", "quarter"]
FOLDER: Mapping[Resolution, str] = {"hour": "hourly", "quarter": "quarterly"}
SLOTS: Mapping[Resolution, int] = {"hour": 4, "quarter": 1}
# ``amount`` in base units; of the slots that are expected: how many are measured, estimated, missing; and suspect
CELL = np.dtype([("amount", "<i8"), ("measured", "u1"), ("estimated", "u1"), ("missing", "u1"), ("suspect", "u1")])
COUNTS = ("measured", "estimated", "missing", "suspect")
_STATES = {"measured": np.uint8(1), "estimated": np.uint8(2), "missing": np.uint8(4), "suspect": np.uint8(8)}
_VERSION = 1
_WAIT_S = 120.0
Cells = NDArray[np.void]


@dataclass(frozen=True, eq=False)
class Cube:
    """``cells`` CELL [rows, steps of the month]; the row of each meter and of each flow that is metered."""

    grid: Grid
    meters: Mapping[str, int]
    flows: Mapping[str, int]
    cells: Cells
    checksums: Sequence[int] = ()

    def rows(self, names: Sequence[tuple[str, str]]) -> list[int]:
        """Rows of ("meter" or "flow", name), of those that are in the month's park."""
        where = {"meter": self.meters, "flow": self.flows}
        return [where[kind][name] for kind, name in names if name in where[kind]]

    def sound(self, rows: Sequence[int]) -> bool:
        """Whether the bytes of these rows are those that were written."""
        return all(zlib.crc32(self.cells[row]) == self.checksums[row] for row in set(rows))


def month_cubes(
    workspace: Workspace, months: Sequence[int], resolution: Resolution, rows: Sequence[tuple[str, str]]
) -> Iterator[Cube]:
    """The months one after the other, read back where they rest on the same facts, else computed. ``rows``:
    ("meter" or "flow", name) that will be read; a file in which their bytes do not hold is computed again.
    """
    newest = newest_sources(workspace, months)
    folder = workspace.directory / "derived" / FOLDER[resolution]
    for month in months:
        grid = month_grid(month, workspace.park.timezone)
        known = _stored(workspace, folder, grid, newest[month], rows)
        yield known or _renewed(workspace, folder, grid, resolution, rows)


def newest_sources(workspace: Workspace, months: Sequence[int]) -> Mapping[int, int]:
    """Number of the last arrival that changed what the meters say of each month; 0: none did."""
    select = sa.select(touched.c.month, sa.func.max(touched.c.source)).where(touched.c.month.in_(months))
    with workspace.engine.connect() as connection:
        found: dict[int, int] = dict(connection.execute(select.group_by(touched.c.month)).all())
    return {month: found.get(month, 0) for month in months}


def _renewed(
    workspace: Workspace, folder: Path, grid: Grid, resolution: Resolution, rows: Sequence[tuple[str, str]]
) -> Cube:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Twenty who ask at once do not compute it twenty times
        with exclusive(folder, f"series of {grid.month}", _WAIT_S):
            source = newest_sources(workspace, [grid.month])[grid.month]
            _adopt(workspace, folder, grid)
            known = _stored(workspace, folder, grid, source, rows)
            return known or _written(workspace, folder, source, computed(workspace, grid, resolution))
    except (LockedError, StoreError, OSError):
        return computed(workspace, grid, resolution)


def _written(workspace: Workspace, folder: Path, source: int, cube: Cube) -> Cube:
    file = BytesIO()
    np.save(file, cube.cells)
    content = file.getvalue()
    month = cube.grid.month
    name = f"{month}-{hashlib.sha256(content).hexdigest()[:16]}.npy"
    write_whole(folder / name, content)
    about = {
        "version": _VERSION,
        "park": workspace.park_digest,
        "metering": metering_digest(workspace.park),
        "source": source,
        "file": name,
        "meters": cube.meters,
        "flows": cube.flows,
        "checksums": [zlib.crc32(row) for row in cube.cells],
    }
    write_whole(folder / f"{month}.json", json.dumps(about))
    for old in folder.glob(f"{month}-*.npy"):
        if old.name != name:
            old.unlink(missing_ok=True)
    return cube


def _stored(
    workspace: Workspace, folder: Path, grid: Grid, source: int, rows: Sequence[tuple[str, str]]
) -> Cube | None:
    """What was computed from the very same facts, if the bytes of ``rows`` are whole."""
    try:
        known: dict[str, Any] = json.loads((folder / f"{grid.month}.json").read_bytes())
        if (known["version"], known["source"], known["park"]) != (_VERSION, source, workspace.park_digest):
            return None
        cells = np.load(folder / known["file"], mmap_mode="r")
        cube = Cube(grid, known["meters"], known["flows"], cells, known["checksums"])
        whole = cells.dtype == CELL and cells.ndim == 2 and len(cells) == len(cube.checksums)
        return cube if whole and cube.sound(cube.rows(rows)) else None
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None


def _adopt(workspace: Workspace, folder: Path, grid: Grid) -> None:
    """Where the park changed in what no meter rests on, its month stays as it is."""
    about = folder / f"{grid.month}.json"
    try:
        known: dict[str, Any] = json.loads(about.read_bytes())
        same = known["metering"] == metering_digest(workspace.park)
    except (OSError, ValueError, KeyError, TypeError):
        return
    if same and known["park"] != workspace.park_digest:
        write_whole(about, json.dumps({**known, "park": workspace.park_digest}))


# ------------------------------------------------------------------------------------------------- compute


@dataclass(frozen=True, slots=True)
class _Part:
    """``coefficient`` × a meter counts in slots [first, last)."""

    meter: str
    coefficient: Fraction
    first: int
    last: int


@dataclass(eq=False)
class _Sum:
    """A flow or virtual meter while blocks of meters come in: amounts and states [slots]."""

    parts: tuple[_Part, ...]
    amount: NDArray[np.int64]
    state: NDArray[np.uint8]

    def add(self, part: _Part, amount: NDArray[np.int64], state: NDArray[np.uint8]) -> None:
        slots = slice(part.first, part.last)
        self.amount[slots] += scaled(amount[slots], part.coefficient)
        self.state[slots] |= state[slots]


def computed(
    workspace: Workspace,
    grid: Grid,
    resolution: Resolution,
    as_of: datetime | None = None,
    meters: Collection[str] | None = None,
) -> Cube:
    """The month from its readings. ``meters``: only these physical meters, and what is made of them alone."""
    park = workspace.park
    known = carriers_of_meters(park)
    physical = [name for name, m in park.meters.items() if m.kind != "virtual" and name in known]
    physical = physical if meters is None else [name for name in physical if name in meters]
    rows = {name: row for row, name in enumerate(physical)}
    virtual, flows, sums = _sums(park, grid, rows)
    cells = np.zeros((len(physical) + len(sums), grid.slots // SLOTS[resolution]), CELL)
    uses: dict[str, list[tuple[_Sum, _Part]]] = {}
    for total in sums:
        for part in total.parts:
            uses.setdefault(part.meter, []).append((total, part))
    # Slots later than now are cut off when the month is read, so that the file stays true
    blocks = energy_blocks(park, workspace.store, workspace.meter_keys(), physical, grid, grid.end, as_of)
    for energy, _ in blocks:
        state = _states(energy)
        cells[[rows[name] for name in energy.meters]] = _cells(energy.amount, state, resolution)
        for i, name in enumerate(energy.meters):
            for total, part in uses.get(name, ()):
                total.add(part, energy.amount[i], state[i])
    for row, total in enumerate(sums, len(physical)):
        cells[row] = _cells(total.amount[None], _settled(total.state)[None], resolution)[0]
    return Cube(grid, rows | virtual, flows, cells)


def _sums(park: Park, grid: Grid, rows: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int], list[_Sum]]:
    """Rows of virtual meters and of flows; a flow that is one meter as it stands shares the meter's row."""
    found: tuple[dict[str, int], dict[str, int]] = {}, {}
    sums: list[_Sum] = []
    for place, record, terms in _composed(park):
        parts = tuple(_parts(park, record, terms, grid))
        if not terms or any(term.meter not in rows for term in terms):
            continue
        if len(parts) == 1 and parts[0].coefficient == 1 and parts[0].last - parts[0].first == grid.slots:
            found[place][record.id] = rows[parts[0].meter]
        else:
            found[place][record.id] = len(rows) + len(sums)
            sums.append(_Sum(parts, np.zeros(grid.slots, np.int64), np.zeros(grid.slots, np.uint8)))
    return *found, sums


def _composed(park: Park) -> Iterator[tuple[int, Flow | Meter, Sequence[Term]]]:
    for name, terms in virtual_terms(park).items():
        yield 0, park.meters[name], terms
    for name, terms in flow_terms(park).items():
        yield 1, park.flows[name], terms


def _parts(park: Park, record: Flow | Meter, terms: Sequence[Term], grid: Grid) -> Iterator[_Part]:
    for term in terms:
        first, last = counted_slots(park, record, term, grid)
        if first < last:
            yield _Part(term.meter, Fraction(term.coefficient), first, last)


def _states(energy: Energy) -> NDArray[np.uint8]:
    """As ``readings.completeness`` counts: measured, estimated or missing, 0 where nothing is expected; and
    suspect beside it.
    """
    flags = energy.flags
    estimated = (flags & bits(Flag.ESTIMATED)) != 0
    missing = ((flags & bits(Flag.MISSING | Flag.PARTIAL)) != 0) & ~estimated
    state = np.where(estimated, _STATES["estimated"], _STATES["measured"])
    state[missing] = _STATES["missing"]
    state[(flags & bits(Flag.OUTSIDE)) != 0] = 0
    state[(flags & bits(SUSPECT)) != 0] |= _STATES["suspect"]
    return np.asarray(state, dtype=np.uint8)


def _settled(state: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A sum is missing where a part of it is, estimated where a part of it is."""
    found = state.copy()
    found[(state & 2) != 0] &= 0b1110
    found[(state & 4) != 0] &= 0b1100
    return found


def _cells(amount: NDArray[np.int64], state: NDArray[np.uint8], resolution: Resolution) -> Cells:
    slots = SLOTS[resolution]
    shape = (len(amount), amount.shape[1] // slots)
    cells = np.zeros(shape, CELL)
    cells["amount"] = amount if slots == 1 else amount.reshape(*shape, slots).sum(axis=2)
    for name in COUNTS:
        marked = (state & _STATES[name]) != 0
        cells[name] = marked if slots == 1 else marked.reshape(*shape, slots).sum(axis=2, dtype=np.uint8)
    return cells
