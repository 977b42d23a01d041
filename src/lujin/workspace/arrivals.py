"""What arrived (导入记录): when, from whom, what became of it, and the rows that were refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from lujin.errors import N_, NotFoundError, Problem
from lujin.readings import sources
from lujin.readings.sources import Source
from lujin.workspace.arriving import rejects_of

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

PAGE = 50
REFUSED = ("row", "column", "value", "reason", "原因", "raw")


@dataclass(frozen=True, slots=True)
class ArrivalRecord:
    """One arrival. ``state``: started, committed, abandoned, or undone, by the arrival ``undone_by``. ``undoes``:
    the one that it took back itself, for ``reason``. ``months``: those whose accounts it can move. ``counts``:
    accepted, already_known, corrects, conflicts, rejected, empty; or withdrawn, restated, untouched. ``refused``:
    whether the refused rows are there to be looked at.
    """

    number: int
    name: str
    recorded_at: datetime
    author: str
    party: str
    state: str
    counts: Mapping[str, Any]
    months: tuple[int, ...]
    mapping: str = ""
    undone_by: int | None = None
    undoes: int | None = None
    reason: str = ""
    refused: bool = False

    @property
    def can_be_undone(self) -> bool:
        return self.state == "committed"

    def as_dict(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**plain, "recorded_at": self.recorded_at.isoformat(), "months": list(self.months)}


def arrivals(
    workspace: Workspace, limit: int = PAGE, before: int | None = None, party: str | None = None
) -> tuple[ArrivalRecord, ...]:
    """See ``Workspace.arrivals``."""
    return _records(workspace, sources.latest(workspace.engine, limit, before, party))


def arrival(workspace: Workspace, number: int, party: str | None = None) -> ArrivalRecord:
    """NotFoundError: there is none, or it was brought by somebody else than ``party``."""
    found = sources.sources(workspace.engine, [number])
    if not found or (party is not None and found[0].origin.party != party):
        raise NotFoundError(
            Problem(
                N_("there is no arrival {number}"), {"number": number}, N_("choose one from the list of arrivals")
            )
        )
    return _records(workspace, found)[0]


def refused_rows(path: Path, first: int = 0, limit: int | None = None) -> pl.DataFrame:
    """Refused rows as they are kept in a file, all cells as text; none if there is no file."""
    if not path.is_file():
        return pl.DataFrame(schema=dict.fromkeys(REFUSED, pl.String))
    rows = pl.scan_csv(path, infer_schema=False, has_header=True, glob=False)
    return rows.slice(first, limit).collect()


def refused(workspace: Workspace, number: int, party: str | None = None) -> Path:
    """The file with the refused rows of an arrival. NotFoundError: there is no such arrival, or it has none."""
    found = arrival(workspace, number, party)
    if not found.refused:
        raise NotFoundError(Problem(N_("arrival {number} has no refused rows that are kept"), {"number": number}))
    return rejects_of(workspace, number, found.name)


def _records(workspace: Workspace, found: Sequence[Source]) -> tuple[ArrivalRecord, ...]:
    gone = sources.undone(sources.undoings(workspace.engine))
    months = sources.touched_by(workspace.engine, [s.number for s in found])
    return tuple(
        ArrivalRecord(
            s.number,
            s.name,
            s.recorded_at,
            s.origin.author,
            s.origin.party,
            "undone" if s.number in gone else s.state,
            s.counts,
            months.get(s.number, ()),
            str(s.mapping.get("name", "")),
            gone.get(s.number),
            s.origin.undoes,
            s.origin.reason,
            bool(s.counts.get("rejected")) and rejects_of(workspace, s.number, s.name).is_file(),
        )
        for s in found
    )
