"""One arriving file (到货): parsed, compared with what is known, reported.

```python
intake = parse_file(path, park, keys, timezone=park.timezone, mappings=directory / "mappings")
reconcile = Reconcile()
tally = Tally(intake)
with RejectFile(inbox / "rejected" / f"{number}-{path.name}.csv") as rejects:
    for batch in intake.batches():
        rejects.write(batch.rejected)
        judged = reconcile(batch.rows, current(batch.rows))
        tally.add(batch, judged)
        yield fresh(judged)                     # what the store has to take
report = tally.report(seconds=…, rejected_file=rejects.path)
```
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from lujin.errors import Problem, Translate, as_written
from lujin.park.model import Park
from lujin.readings import mapping as mappings_module
from lujin.readings import reject
from lujin.readings.frames import check_columns, columns_of, frame_blocks, frame_mapping
from lujin.readings.guess import NO_METER, ColumnGuess, guess_mapping
from lujin.readings.lookup import MeterLookup
from lujin.readings.mapping import Mapping as ColumnMapping
from lujin.readings.parse import ParsedBatch, read_rows
from lujin.readings.reconcile import KEY, STATUS, Reconcile, classify, fresh
from lujin.readings.sniff import FileShape, sniff
from lujin.readings.source import blocks, sample
from lujin.readings.text import BLOCK_BYTES, Block

__all__ = [
    "Conflict", "Correction", "ImportReport", "Intake", "Reconcile", "Tally", "classify", "fresh", "parse_file",
]  # fmt: skip
LISTED = 100  # rejections, corrections and conflicts shown in a report


@dataclass(frozen=True, slots=True)
class Correction:
    """A reading that replaces an earlier one of the same meter and time."""

    meter: str
    time: datetime
    old: float
    new: float


@dataclass(frozen=True, slots=True)
class Conflict:
    """Rows of one file that give the same meter and time different values; the last one counts."""

    meter: str
    time: datetime
    rows: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of the cells of one file.

    ``read`` = ``accepted`` + ``already_known`` + ``corrects`` + ``conflicts`` + ``rejected`` + ``empty``
    (broken lines count in ``read`` and ``rejected``). ``conflicts``: values that another row of the same file
    contradicts; the last row counts. ``first``, ``last``: times of everything understood. ``meters``,
    ``months``: those with something new. ``ignored``: columns of numbers that belong to no meter.
    """

    file: str
    mapping: str
    read: int = 0
    accepted: int = 0
    already_known: int = 0
    corrects: int = 0
    rejected: int = 0
    empty: int = 0
    conflicts: int = 0
    first: datetime | None = None
    last: datetime | None = None
    meters: Sequence[str] = ()
    months: Sequence[int] = ()
    ignored: Sequence[str] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    rejections: Sequence[Problem] = ()
    corrections: Sequence[Correction] = ()
    conflict_list: Sequence[Conflict] = ()
    rejected_file: str = ""
    seconds: float = 0.0

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        """For JSON."""
        plain = asdict(self)
        plain["rejections"] = [p.as_dict(translate) for p in self.rejections]
        for name in ("first", "last"):
            plain[name] = plain[name].isoformat() if plain[name] else None
        for name in ("corrections", "conflict_list"):
            plain[name] = [{**item, "time": item["time"].isoformat()} for item in plain[name]]
        return plain


@dataclass(frozen=True, eq=False)
class Intake:
    """A file that can be read: its shape, its mapping (``guessed`` lists the reasons; empty: it was given).

    ``blocks`` opens its rows anew with each call, given how many bytes to read at a time. Readings that came as
    columns have a name for ``path``, and their rows only once.
    """

    path: Path
    shape: FileShape
    mapping: ColumnMapping
    guessed: tuple[ColumnGuess, ...]
    lookup: MeterLookup
    timezone: str
    blocks: Callable[[int], Iterator[Block]]

    @property
    def ignored(self) -> tuple[str, ...]:
        """Columns of numbers that no meter claims."""
        return tuple(c.column for c in self.guessed if c.reason == NO_METER)

    def batches(self, block_bytes: int = BLOCK_BYTES) -> Iterator[ParsedBatch]:
        """The readings, streamed."""
        return read_rows(self.blocks(block_bytes), self.shape, self.mapping, self.lookup)


def parse_file(
    path: Path,
    park: Park,
    keys: Mapping[str, int],
    *,
    mapping: ColumnMapping | None = None,
    timezone: str = "",
    mappings: Path | None = None,
    sheet: str = "",
    only: Collection[str] | None = None,
) -> Intake:
    """Look at a file and settle how to read it: by ``mapping``, else by a saved one, else by guessing.

    ``keys``: meter id → stored key. ``mappings``: directory of saved mappings. ``only``: the meters that exist
    for whoever brings the file. Raises InputError for what is not a table, MappingError naming what to state
    where the file could be read in several ways.
    """
    zone = timezone or park.timezone
    shape = sniff(path, sheet=sheet or (mapping.sheet if mapping else ""))
    lookup = MeterLookup(park, keys, zone, only)
    opened = partial(_file_blocks, path, shape)
    if mapping is None and mappings is not None:
        mapping = mappings_module.saved_for(shape, mappings)
        mapping = mapping if mapping is None or all_known(mapping, lookup) else None
    if mapping is not None:
        if mappings_module.FILE in mapping.meters.values():
            lookup.in_name(shape)
        return Intake(path, shape, mappings_module.require(mapping, shape), (), lookup, zone, opened)
    guess = guess_mapping(shape, sample(path, shape), lookup.spelled)
    settled = mappings_module.require(guess.mapping, shape)
    return Intake(path, shape, settled, guess.columns, lookup, zone, opened)


def parse_frames(
    frames: Iterable[Any],
    park: Park,
    keys: Mapping[str, int],
    *,
    name: str = "",
    mapping: ColumnMapping | None = None,
    timezone: str = "",
    only: Collection[str] | None = None,
) -> Intake:
    """Readings that come as columns (Polars, Arrow): settled by the first frame how to read all of them.

    Columns meter, time, value and perhaps unit and quality, unless ``mapping`` names others.
    """
    zone = timezone or park.timezone
    first, whole = check_columns(frames)
    shape = FileShape(name, "arrow", columns=columns_of(first))
    settled = mappings_module.require(mapping or frame_mapping(shape), shape)
    return Intake(
        Path(name),
        shape,
        settled,
        (),
        MeterLookup(park, keys, zone, only),
        zone,
        partial(frame_blocks, whole, shape),
    )


def _file_blocks(path: Path, shape: FileShape, block_bytes: int) -> Iterator[Block]:
    return blocks(path, shape, block_bytes=block_bytes)


def all_known(mapping: ColumnMapping, lookup: MeterLookup) -> bool:
    """Whether every meter that a saved mapping names is one that may be written; else it is another's mapping."""
    named = {name for name in mapping.meters.values() if name != mappings_module.FILE}
    return lookup.unrestricted or len(lookup.resolve(named)) == len(named)


class Tally:
    """Adds up batches into a report."""

    def __init__(self, intake: Intake, listed: int = LISTED) -> None:
        self._intake = intake
        self._listed = listed
        facts = intake.lookup.facts.drop_nulls("key")
        self._names: dict[int, str] = dict(zip(facts["key"].to_list(), facts["id"].to_list(), strict=True))
        self._count = dict.fromkeys((*STATUS, "rejected", "empty", "read"), 0)
        self._reasons: dict[str, int] = {}
        self._rejections: list[Problem] = []
        self._corrections: list[Correction] = []
        self._conflicts: list[Conflict] = []
        self._meters: set[int] = set()
        self._months: set[int] = set()
        self._span: list[datetime] = []

    def add(self, batch: ParsedBatch, judged: pl.DataFrame) -> None:
        """``judged``: the rows of the batch as ``Reconcile`` returned them."""
        for status, count in judged["status"].value_counts().iter_rows():
            self._count[status] += count
        self._count["rejected"] += len(batch.rejected)
        self._count["empty"] += batch.empty
        self._count["read"] += batch.read
        self._refused(batch.rejected)
        if judged.is_empty():
            return
        self._span += [judged["time"].min(), judged["time"].max()]  # type: ignore[list-item]
        told = judged.filter(pl.col("status").is_in(["new", "corrects", "overrules"]))
        self._meters.update(told["meter"].unique().to_list())
        self._months.update(months_of(told["time"], self._intake.timezone))
        self._differing(judged)

    def _refused(self, rejected: pl.DataFrame) -> None:
        for reason, count in rejected["reason"].value_counts(sort=True).iter_rows():
            self._reasons[reason] = self._reasons.get(reason, 0) + count
        room = self._listed - len(self._rejections)
        shape = self._intake.shape
        self._rejections += [
            reject.problem(row, self._intake.path.name, shape.first_line)
            for row in rejected.head(room).iter_rows(named=True)
        ]

    def _differing(self, judged: pl.DataFrame) -> None:
        room = self._listed - len(self._corrections)
        few = judged.filter(pl.col("status") == "corrects").head(room)
        self._corrections += [
            Correction(self._names.get(meter, str(meter)), time, old, new)
            for meter, time, old, new in few.select("meter", "time", "old", "value").iter_rows()
        ]
        self._conflicting(judged)

    def _conflicting(self, judged: pl.DataFrame) -> None:
        over = judged.filter(pl.col("status") == "superseded").select(KEY).unique(maintain_order=True)
        over = over.head(self._listed - len(self._conflicts))
        groups = judged.join(over, on=KEY, how="semi").sort("row").group_by(KEY, maintain_order=True)
        within = groups.agg("row", "value").rows()
        room = self._listed - len(self._conflicts) - len(within)
        across = judged.filter(pl.col("status") == "overrules").head(room)
        pairs = across.select(
            *KEY, pl.concat_list("earlier_row", "row"), pl.concat_list("earlier", "value")
        ).rows()
        self._conflicts += [
            Conflict(self._names.get(meter, str(meter)), time, tuple(rows), tuple(values))
            for meter, time, rows, values in (*within, *pairs)
        ]

    def report(self, seconds: float = 0.0, rejected_file: Path | None = None) -> ImportReport:
        count = self._count
        return ImportReport(
            file=self._intake.path.name,
            mapping=self._intake.mapping.name,
            read=count["read"],
            accepted=count["new"],
            already_known=count["known"],
            corrects=count["corrects"],
            rejected=count["rejected"],
            empty=count["empty"],
            conflicts=count["superseded"] + count["overrules"],
            first=min(self._span, default=None),
            last=max(self._span, default=None),
            meters=tuple(sorted(self._names.get(m, str(m)) for m in self._meters)),
            months=tuple(sorted(self._months)),
            ignored=self._intake.ignored,
            reasons=dict(sorted(self._reasons.items())),
            rejections=tuple(self._rejections),
            corrections=tuple(self._corrections),
            conflict_list=tuple(self._conflicts),
            rejected_file=str(rejected_file) if rejected_file and count["rejected"] else "",
            seconds=seconds,
        )


def months_of(times: pl.Series, timezone: str) -> set[int]:
    """Local months of instants. Zones differ by whole quarter hours, so those are enough to look at.

    >>> sorted(months_of(pl.Series([datetime.fromisoformat("2024-12-31T16:00:00+00:00")]), "Asia/Shanghai"))
    [202501]
    """
    zone = ZoneInfo(timezone)
    ends = [t.astimezone(zone) for t in (times.min(), times.max()) if isinstance(t, datetime)]
    if len({(t.year, t.month) for t in ends}) == 1:
        return {ends[0].year * 100 + ends[0].month}
    quarters = times.dt.truncate("15m").unique().to_list()
    return {local.year * 100 + local.month for local in (t.astimezone(zone) for t in quarters)}
