"""What meters and flows moved, step by step: the curves behind charts, from the months kept under ``derived/``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from lujin.accounts import Amount
from lujin.accounts.base_units import SHOWN
from lujin.errors import N_, InputError, Problem
from lujin.park import Park, flow_terms, virtual_terms
from lujin.park.calendar import SLOT_SECONDS, month_grid, next_month
from lujin.readings import carriers_of_meters
from lujin.readings.sources import touched
from lujin.workspace.cube import CELL, COUNTS, Cells, Cube, Resolution, computed, month_cubes

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

Step = Literal["quarter", "hour", "day", "month"]
STEPS: tuple[Step, ...] = ("quarter", "hour", "day", "month")
Kind = Literal["meter", "flow"]
LONGEST_MONTHS = 120
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Series:
    """Quantities of ``names`` (meters or flows) per step.

    ``start`` int64 [steps] UTC epoch seconds; the last step ends at ``end``. ``amount`` int64 [names, steps] in
    base units, 0 where nothing is known; see ``known``. The other arrays int64 [names, steps] count the quarter
    hours that were expected: measured, estimated, missing; and those of them that look suspect.
    """

    names: tuple[str, ...]
    step: Step
    timezone: str
    start: Ints
    end: int
    units: tuple[str, ...]
    amount: Ints
    measured: Ints
    estimated: Ints
    missing: Ints
    suspect: Ints
    as_of: datetime | None = None

    @property
    def expected(self) -> Ints:
        return self.measured + self.estimated + self.missing

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where something is known [names, steps]; elsewhere the amount means nothing."""
        return np.asarray((self.measured + self.estimated > 0) | (self.amount != 0))

    @property
    def completeness(self) -> float | None:
        """Share of the expected quarter hours of all names that were measured; None: nothing is expected."""
        expected = int(self.expected.sum())
        return int(self.measured.sum()) / expected if expected else None

    def total(self, name: str) -> Amount | None:
        """Sum over the whole span; None: nothing is known of it."""
        row = self.names.index(name)
        return Amount(int(self.amount[row].sum()), self.units[row]) if self.known[row].any() else None

    def values(self, name: str) -> list[float | None]:
        """Amounts in the unit people read (kWh, GJ, m³, t) for charts; None: not known."""
        row = self.names.index(name)
        # Divided, not multiplied: 1234 Wh is 1.234 kWh, and reads so
        shown = self.amount[row] / 10 ** SHOWN[self.units[row]][1]
        found: list[float | None] = shown.tolist()
        for at in np.flatnonzero(~self.known[row]).tolist():
            found[at] = None
        return found


def series(
    workspace: Workspace,
    names: Sequence[str],
    first: date | int,
    last: date | int,
    step: str,
    as_of: datetime | None = None,
    kind: Kind = "meter",
) -> Series:
    """``first`` and ``last``: local days, or months such as 202506, both included. InputError: no such meter or
    flow, step or span.
    """
    park = workspace.park
    units = _units(park, names, kind)
    months, begin, end = _span(park, first, last)
    chosen = _step(step)
    resolution: Resolution = "quarter" if chosen == "quarter" else "hour"
    rows = [(kind, name) for name in names]
    cubes = _cubes(workspace, months, resolution, rows, as_of)
    until = int((as_of or workspace.clock()).timestamp())
    parts = [_part(cube, rows, begin, end, until, chosen) for cube in cubes]
    start, cells = (np.concatenate([part[i] for part in parts], axis=-1) for i in (0, 1))
    counts = {name: cells[i + 1] for i, name in enumerate(COUNTS)}
    return Series(tuple(names), chosen, park.timezone, start, end, units, cells[0], **counts, as_of=as_of)


def _part(
    cube: Cube, rows: Sequence[tuple[str, str]], begin: int, end: int, until: int, step: Step
) -> tuple[Ints, Ints]:
    """Start of each step of the month that lies in [begin, end), and int64 [1 + COUNTS, rows, steps]."""
    grid = cube.grid
    seconds = (grid.end - grid.start) // cube.cells.shape[1]
    low = max(begin - grid.start, 0) // seconds
    high = (min(end, grid.end) - grid.start) // seconds
    found: Cells = np.zeros((len(rows), cube.cells.shape[1]), CELL)
    for i, row in enumerate(rows):
        if place := cube.rows([row]):
            found[i] = cube.cells[place[0]]
    at = grid.start + seconds * np.arange(low, high, dtype=np.int64)
    cells = np.stack([found[name][:, low:high].astype(np.int64) for name in ("amount", *COUNTS)])
    _cut(cells, ((until - at) // SLOT_SECONDS).clip(0, seconds // SLOT_SECONDS))
    edges = _edges(cube, step, low, high)
    if edges is None:
        return at, cells
    return at[edges], np.add.reduceat(cells, edges, axis=2)


def _cut(cells: Ints, possible: Ints) -> None:
    """What is later than now is not expected. ``possible`` [steps]: quarter hours that have passed."""
    left = possible - cells[1] - cells[2]
    cells[3] = np.minimum(cells[3], left.clip(0))


def _edges(cube: Cube, step: Step, low: int, high: int) -> Ints | None:
    """Where days or the month begin among the steps [low, high); None: nothing is put together."""
    if step in ("hour", "quarter"):
        return None
    if step == "month":
        return np.zeros(1, np.int64)
    day = cube.grid.day[:: cube.grid.slots // cube.cells.shape[1]][low:high]
    return np.flatnonzero(np.diff(day, prepend=-1)).astype(np.int64)


def _cubes(
    workspace: Workspace,
    months: Sequence[int],
    resolution: Resolution,
    rows: Sequence[tuple[str, str]],
    as_of: datetime | None,
) -> Iterator[Cube]:
    if as_of is None:
        yield from month_cubes(workspace, months, resolution, rows)
        return
    meters = _physical(workspace.park, rows)
    for month in months:
        yield computed(workspace, month_grid(month, workspace.park.timezone), resolution, as_of, meters)


def _physical(park: Park, rows: Sequence[tuple[str, str]]) -> frozenset[str]:
    """Physical meters behind meters and flows."""
    virtual, flows = virtual_terms(park), flow_terms(park)
    found: set[str] = set()
    for kind, name in rows:
        terms = flows[name] if kind == "flow" else virtual.get(name)
        found |= {name} if terms is None else {term.meter for term in terms}
    return frozenset(found)


# ---------------------------------------------------------------------------------------- what was asked for


def _units(park: Park, names: Sequence[str], kind: Kind) -> tuple[str, ...]:
    """Base unit of each meter or flow."""
    of: Mapping[str, str] = carriers_of_meters(park)
    if kind == "flow":
        of = {flow.id: flow.carrier for flow in park.flows.values()}
    for name in names:
        if name not in of:
            params = {"name": name, "near": ", ".join(get_close_matches(name, of, n=3) or list(of)[:3])}
            message = N_("there is no flow {name}") if kind == "flow" else N_("there is no meter {name}")
            raise InputError(Problem(message, params, N_("did you mean: {near}"), field=f"{kind}s"))
    return tuple(park.carriers[of[name]].base_unit for name in names)


def _step(step: str) -> Step:
    for known in STEPS:
        if step == known:
            return known
    params = {"step": step, "known": ", ".join(STEPS)}
    raise InputError(Problem(N_("there is no step {step}"), params, N_("use one of: {known}"), field="step"))


def _span(park: Park, first: date | int, last: date | int) -> tuple[list[int], int, int]:
    """Months touched, and the span [begin, end) in UTC epoch seconds."""
    low, high = (_month(at if isinstance(at, int) else at.year * 100 + at.month) for at in (first, last))
    begin = month_grid(low, park.timezone).start if isinstance(first, int) else _midnight(park, first)
    end = month_grid(high, park.timezone).end if isinstance(last, int) else _midnight(park, last + timedelta(1))
    months: list[int] = []
    while low <= high and len(months) <= LONGEST_MONTHS:
        months.append(low)
        low = next_month(low)
    if begin >= end or len(months) > LONGEST_MONTHS:
        params = {"first": str(first), "last": str(last), "most": LONGEST_MONTHS}
        message = N_("from {first} to {last} is no span of at most {most} months")
        raise InputError(Problem(message, params, N_("name an earlier day first"), field="last"))
    return months, begin, end


def _month(month: int) -> int:
    if not (190001 <= month <= 999911 and 1 <= month % 100 <= 12):
        params = {"month": str(month)}
        remedy = N_("write it as 202506 for June 2025")
        raise InputError(Problem(N_("{month} is no month"), params, remedy, field="month"))
    return month


def _midnight(park: Park, day: date) -> int:
    """UTC epoch seconds of the start of a local day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(park.timezone)).timestamp())


def summary(found: Series) -> dict[str, Any]:
    """Per name its total and what it rests on, for the text beside a chart."""
    return {
        name: {
            "total": None if (amount := found.total(name)) is None else amount.as_dict(),
            **{count: int(getattr(found, count)[row].sum()) for count in (*COUNTS, "expected")},
        }
        for row, name in enumerate(found.names)
    }


def refresh(workspace: Workspace, stopped: Callable[[], bool] = lambda: False) -> None:
    """Bring the kept hours of all months up to date, the newest first, so that nobody waits for them."""
    select = sa.select(touched.c.month).distinct()
    with workspace.engine.connect() as connection:
        months = sorted(connection.execute(select).scalars(), reverse=True)
    for month in months:
        if stopped():
            return
        for _ in month_cubes(workspace, [month], "hour", ()):
            pass
