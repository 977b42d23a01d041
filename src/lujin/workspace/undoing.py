"""An arrival taken back by counter-facts: its months post the difference, what was known then stays known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from lujin.errors import N_, InputError, NotFoundError, Problem
from lujin.readings import sources
from lujin.readings.counterfacts import counter_facts
from lujin.readings.sources import Origin, Source
from lujin.readings.versions import KEY, WITHDRAWN
from lujin.workspace.arriving import RECOVERY_BLOCK, close_arrival, extent, recover
from lujin.workspace.progress import Progress, silent

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace


@dataclass(frozen=True, slots=True)
class Undoing:
    """What taking back the arrival ``source`` (called ``name``) changes; ``number``: of the arrival that does it,
    0 if it was only tried out.

    ``withdrawn`` readings have no value any more, ``restated`` ones an earlier one again; ``untouched`` ones are
    as a later arrival says. ``restores``: it takes back an undoing, so readings come back. ``repeated_by``: later
    arrivals that repeated readings then known; what only they still say comes back by importing them again.
    """

    source: int
    name: str
    number: int = 0
    withdrawn: int = 0
    restated: int = 0
    untouched: int = 0
    months: tuple[int, ...] = ()
    meters: tuple[str, ...] = ()
    restores: bool = False
    repeated_by: tuple[Source, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        repeated = [{"source": s.number, "file": s.name} for s in self.repeated_by]
        return {**plain, "months": list(self.months), "meters": list(self.meters), "repeated_by": repeated}


def undo(
    workspace: Workspace,
    number: int,
    reason: str = "",
    author: str = "",
    party: str | None = None,
    *,
    dry_run: bool = False,
    progress: Progress = silent,
) -> Undoing:
    """See ``Workspace.undo``."""
    with nullcontext() if dry_run else workspace.writing("undo"):
        if not dry_run:
            recover(workspace)
        arrival, pairs = check(workspace, number, party)
        plan = _Plan.of(workspace, arrival, pairs, progress)
        if not dry_run:
            plan.carry_out(workspace, Origin(author, party or arrival.origin.party, number, reason))
        return plan.result(workspace, pairs)


def check(workspace: Workspace, number: int, party: str | None) -> tuple[Source, Mapping[int, int]]:
    """The arrival, if it can be taken back, and every undoing so far."""
    found = next(iter(sources.sources(workspace.engine, [number])), None)
    if found is None or (party is not None and found.origin.party != party):
        raise NotFoundError(
            Problem(
                N_("there is no arrival {number}"), {"number": number}, N_("choose one from the list of arrivals")
            )
        )
    pairs = sources.undoings(workspace.engine)
    by = sources.undone(pairs).get(number)
    if by is not None:
        raise InputError(
            Problem(
                N_("arrival {number} was taken back already, by arrival {by}"),
                {"number": number, "by": by},
                N_("to have it again, take back arrival {by}"),
            )
        )
    if found.state != "committed":
        raise InputError(
            Problem(
                N_("arrival {number} brought no readings: it was given up"),
                {"number": number},
                N_("nothing is to be done"),
            )
        )
    return found, pairs


@dataclass
class _Plan:
    """``about``: the arrival with readings of its own at the end of a chain of undoings."""

    arrival: Source
    about: int
    frames: list[pl.DataFrame]
    brought: int
    number: int = 0

    @classmethod
    def of(cls, workspace: Workspace, arrival: Source, pairs: Mapping[int, int], progress: Progress) -> _Plan:
        about = arrival.number
        while about in pairs:
            about = pairs[about]
        future = max((*pairs, arrival.number)) + 1
        after = sources.undone({**pairs, future: arrival.number})
        frames, brought = [], 0
        for month, versions in _versions(workspace, about, progress):
            found = counter_facts(versions, {*after, *pairs})
            brought += versions.filter(pl.col("source") == about).select(KEY).n_unique()
            frames.append(found.with_columns(pl.lit(month, pl.Int32).alias("month")))
        return cls(arrival, about, frames, brought)

    @property
    def rows(self) -> int:
        return sum(f.height for f in self.frames)

    def carry_out(self, workspace: Workspace, origin: Origin) -> None:
        now = workspace.now()
        self.number = sources.register(workspace.engine, self.arrival.name, "", now, {}, origin)
        facts = (_told(f, self.number, now) for f in self.frames if f.height)
        counts = self.counts() | {"corrects": self.rows}
        arrived = [extent(f) for f in self.frames if f.height]
        close_arrival(workspace, self.number, facts, lambda: (arrived, counts), now)

    def counts(self) -> dict[str, int]:
        withdrawn = sum(int((f["quality"] == WITHDRAWN).sum()) for f in self.frames)
        return {
            "withdrawn": withdrawn,
            "restated": self.rows - withdrawn,
            "untouched": self.brought - self.rows,
        }

    def result(self, workspace: Workspace, pairs: Mapping[int, int]) -> Undoing:
        names = {key: name for name, key in sources.all_meter_keys(workspace.engine).items()}
        keys = sorted({key for f in self.frames for key in f["meter"].unique().to_list()})
        if self.number:
            months = sources.touched_by(workspace.engine, [self.number]).get(self.number, ())
        else:
            months = tuple(sorted({int(f["month"][0]) for f in self.frames if f.height}))
        return Undoing(
            self.arrival.number,
            self.arrival.name,
            self.number,
            **self.counts(),
            months=months,
            meters=tuple(names[key] for key in keys),
            restores=self.arrival.number in pairs,
            repeated_by=_repeating(workspace, self.about),
        )


def _versions(workspace: Workspace, number: int, progress: Progress) -> Iterator[tuple[int, pl.DataFrame]]:
    """Every version of the readings that an arrival brought, month by month and block by block of meters."""
    store = workspace.store
    months = [month for month in store.months() if number in store.sources_in(month)]
    meters = sorted(sources.all_meter_keys(workspace.engine).values())
    for done, month in enumerate(months):
        progress(N_("reading months"), done, len(months))
        for start in range(0, len(meters), RECOVERY_BLOCK):
            versions = store.history(month, meters[start : start + RECOVERY_BLOCK])
            own = versions.filter(pl.col("source") == number).select(KEY).unique()
            if own.height:
                yield month, versions.join(own, on=KEY, how="semi", maintain_order="left")
    progress(N_("reading months"), len(months), len(months))


def _told(facts: pl.DataFrame, number: int, recorded: datetime) -> pl.DataFrame:
    return facts.with_columns(
        pl.lit(recorded).dt.cast_time_unit("us").dt.convert_time_zone("UTC").alias("recorded"),
        pl.lit(number, pl.Int32).alias("source"),
    )


def _repeating(workspace: Workspace, number: int) -> tuple[Source, ...]:
    gone = sources.undone(sources.undoings(workspace.engine))
    later = (s for s in sources.sources(workspace.engine) if s.number > number and s.number not in gone)
    return tuple(s for s in later if s.counts.get("already_known"))
