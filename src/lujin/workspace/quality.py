"""What was odd in a month, meter by meter: gaps, estimates, suspects and the life of registers, with numbers.

Computed on demand from the readings as known at a time, by the very kernel that postings use; nothing is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lujin.accounts import Amount
from lujin.accounts.sections import summed
from lujin.accounts.statement import check_asked
from lujin.accounts.statement_parts import Completeness, plain
from lujin.park import Park, meter_dimensions
from lujin.park.calendar import SLOT_SECONDS, month_grid
from lujin.park.carriers import BASE_UNIT
from lujin.readings import SUSPECT, Energy, Event, Flag, bits, completeness
from lujin.workspace.compute import energy_blocks
from lujin.workspace.plan import enterprises_of_meters, meters_of_enterprises

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

# What a finding can be about, the most telling first; the order in which flags of one slot are looked at.
_FLAGS = (*(flag for flag in Flag if flag & SUSPECT), Flag.MISSING, Flag.PARTIAL, Flag.ESTIMATED)
_IN_BASE_UNITS = frozenset({"before", "after", "energy", "off_by", "modulus"})


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person should see. ``kind``: a flag in lower case (``spike``), or an event of the meter's life
    (``rollover``). Half-open [start, end); an event of one instant has start = end. ``slots`` quarter hours are
    flagged (0: an event), which hold ``energy``; ``largest`` is the greatest of them.
    """

    meter: str
    kind: str
    start: datetime
    end: datetime
    suspect: bool
    slots: int = 0
    energy: Amount | None = None
    largest: Amount | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {name: plain(getattr(self, name)) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class MonthQuality:
    """``meters``: slots of every meter asked for, in file order; ``enterprises``: whose account each moves."""

    month: int
    enterprise: str
    as_of: datetime | None
    meters: tuple[Completeness, ...]
    enterprises: Mapping[str, tuple[str, ...]]
    findings: tuple[Finding, ...]

    @property
    def total(self) -> Completeness:
        return summed(self.meters)

    @property
    def odd(self) -> tuple[Completeness, ...]:
        """Meters that are not wholly measured, or look suspect somewhere."""
        return tuple(m for m in self.meters if m.estimated or m.missing or m.suspect)

    def only(self, meters: Collection[str], enterprise: str) -> MonthQuality:
        """Of these meters alone, naming no other enterprise."""
        kept = {m: tuple(e for e in of if e == enterprise) for m, of in self.enterprises.items() if m in meters}
        return replace(
            self,
            meters=tuple(m for m in self.meters if m.meter in kept),
            enterprises=kept,
            findings=tuple(f for f in self.findings if f.meter in kept),
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "month": f"{self.month // 100}-{self.month % 100:02}",
            "enterprise": self.enterprise,
            "as_of": None if self.as_of is None else self.as_of.isoformat(),
            "total": self.total.as_dict(),
            "meters": [{**m.as_dict(), "enterprises": list(self.enterprises[m.meter])} for m in self.meters],
            "findings": [finding.as_dict() for finding in self.findings],
        }


def month_quality(
    workspace: Workspace, month: int, enterprise: str = "", as_of: datetime | None = None
) -> MonthQuality:
    """Completeness and findings of a month, of one enterprise or of all. InputError: no such enterprise."""
    park = workspace.park
    if enterprise:
        check_asked(park, enterprise, "physical")
    owners = enterprises_of_meters(park)
    meters = meters_of_enterprises(park, [enterprise] if enterprise else park.enterprises())
    grid = month_grid(month, park.timezone)
    until = int((as_of or workspace.clock()).timestamp())
    counts: dict[str, Completeness] = {}
    findings: list[Finding] = []
    units = meter_units(park)
    for energy, _ in energy_blocks(park, workspace.store, workspace.meter_keys(), meters, grid, until, as_of):
        columns = ("meter", "expected", "measured", "interpolated", "estimated", "suspect", "missing")
        counts |= {row[0]: Completeness(*row) for row in completeness(energy).select(columns).iter_rows()}
        findings += findings_of(energy, units)
    return MonthQuality(
        month,
        enterprise,
        as_of,
        tuple(counts[m] for m in meters),
        {m: tuple(sorted(owners.get(m, ()))) for m in meters},
        tuple(sorted(findings, key=lambda f: (f.meter, f.start, f.end, f.kind))),
    )


def meter_units(park: Park) -> Mapping[str, str]:
    """Meter → base unit of what it measures."""
    return {name: BASE_UNIT[min(found)] for name, found in meter_dimensions(park).items() if found}


def findings_of(energy: Energy, units: Mapping[str, str]) -> Iterator[Finding]:
    """Flagged runs of slots, then the events of the meters' lives."""
    yield from flagged(energy, units)
    yield from (_of_event(event, units) for event in energy.events)


def flagged(energy: Energy, units: Mapping[str, str]) -> Iterator[Finding]:
    """One finding per run of neighbouring slots with the same flag."""
    worth = int(np.bitwise_or.reduce([bits(flag) for flag in _FLAGS]))
    for m in np.flatnonzero((energy.flags & np.uint16(worth)).any(axis=1)).tolist():
        meter, unit = energy.meters[m], units[energy.meters[m]]
        for flag in _FLAGS:
            for first, last in runs((energy.flags[m] & bits(flag)) != 0):
                amount = energy.amount[m, first:last]
                greatest = int(amount[np.argmax(np.abs(amount))])
                known = flag != Flag.MISSING
                yield Finding(
                    meter,
                    str(flag.name).lower(),
                    energy.grid.slot_start(first),
                    datetime.fromtimestamp(energy.grid.start + last * SLOT_SECONDS, UTC),
                    bool(flag & SUSPECT),
                    last - first,
                    Amount(int(amount.sum()), unit) if known else None,
                    Amount(greatest, unit) if known else None,
                )


def runs(marked: NDArray[np.bool_]) -> Sequence[tuple[int, int]]:
    """Half-open index ranges of neighbouring True values.

    >>> runs(np.array([False, True, True, False, True]))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _of_event(event: Event, units: Mapping[str, str]) -> Finding:
    unit = units[event.meter]
    detail = {
        name: Amount(int(value), unit) if name in _IN_BASE_UNITS else value for name, value in event.detail.items()
    }
    start, end = (datetime.fromtimestamp(at, UTC) for at in (event.start, event.end))
    return Finding(event.meter, event.kind, start, end, event.kind in ("spike", "reset"), detail=detail)
