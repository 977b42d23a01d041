"""A file looked at before it is imported (导入预览): what it is, how its columns read, its first rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from lujin.errors import N_, InputError, MappingError, Problem, Translate, as_written
from lujin.readings import ColumnGuess
from lujin.readings import mapping as mappings
from lujin.readings.guess import guess_as_far_as
from lujin.readings.intake import all_known
from lujin.readings.lookup import MeterLookup
from lujin.readings.mapping import Mapping as ColumnMapping
from lujin.readings.numbers import NULLS
from lujin.readings.sniff import FileShape, sheets_of, sniff
from lujin.readings.source import blocks, sample

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

ROWS = 12
_BLOCK_BYTES = 256 * 1024


@dataclass(frozen=True, eq=False)
class FilePreview:
    """``shape``: None where the file cannot even be cut into cells; ``problems`` then say why. ``mapping``: as
    stated, else ``saved`` under a name, else guessed as far as the file speaks for it; ``columns`` tell the
    reasons. ``problems``: what is still to be stated. ``rows``: the first ones, as written.
    """

    name: str
    bytes: int
    shape: FileShape | None
    sheets: tuple[str, ...]
    mapping: ColumnMapping
    columns: tuple[ColumnGuess, ...]
    rows: tuple[tuple[str | None, ...], ...]
    problems: tuple[Problem, ...] = ()
    saved: str = ""

    @property
    def ready(self) -> bool:
        return self.shape is not None and not self.problems

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        return {
            "file": self.name,
            "bytes": self.bytes,
            "shape": None if self.shape is None else {**self.shape.as_dict(), "path": self.name},
            "sheets": list(self.sheets),
            "mapping": mappings.as_dict(self.mapping),
            "saved": self.saved,
            "columns": [
                {"column": c.column, "role": c.role, "confidence": c.confidence, "reason": c.text(translate)}
                for c in self.columns
            ],
            "rows": [list(row) for row in self.rows],
            "problems": [p.as_dict(translate) for p in self.problems],
        }


def look(
    workspace: Workspace,
    path: Path,
    mapping: ColumnMapping | None = None,
    *,
    sheet: str = "",
    guess: bool = False,
    meters: Collection[str] | None = None,
) -> FilePreview:
    """See ``Workspace.look``."""
    try:
        found = _look(workspace, path, mapping, sheet, guess, meters)
    except InputError as error:
        stated, size = mapping or ColumnMapping(), path.stat().st_size
        found = FilePreview(path.name, size, None, sheets_of(path), stated, (), (), tuple(error.problems))
    # Of which file they are stands in ``name``; where it lies is nobody's business.
    return replace(found, problems=tuple(replace(p, file="") for p in found.problems))


def _look(
    workspace: Workspace,
    path: Path,
    mapping: ColumnMapping | None,
    sheet: str,
    guess: bool,
    meters: Collection[str] | None,
) -> FilePreview:
    sheets, size = sheets_of(path), path.stat().st_size
    shape = sniff(path, sheet=sheet or (mapping.sheet if mapping else ""))
    lookup = MeterLookup(workspace.park, workspace.meter_keys(), workspace.park.timezone, meters)
    first = _first_rows(path, shape)
    if mapping is None and not guess and (saved := mappings.saved_for(shape, workspace.mappings)) is not None:
        mapping = saved if all_known(saved, lookup) else None
    if mapping is None:
        try:
            guessed, questions = guess_as_far_as(shape, sample(path, shape), lookup.spelled)
        except MappingError as error:
            return FilePreview(path.name, size, shape, sheets, _plain(shape), (), first, tuple(error.problems))
        settled = guessed.mapping
        if settled.decimal == "?":
            settled = replace(settled, decimal=".")
        found = questions or tuple(_problems(settled, shape, lookup))
        return FilePreview(path.name, size, shape, sheets, settled, guessed.columns, first, found)
    wrong = _problems(mapping, shape, lookup)
    return FilePreview(path.name, size, shape, sheets, mapping, (), first, tuple(wrong), mapping.name)


def _plain(shape: FileShape) -> ColumnMapping:
    return ColumnMapping(fingerprint=shape.fingerprint, layout=shape.layout)


def _problems(mapping: ColumnMapping, shape: FileShape, lookup: MeterLookup) -> list[Problem]:
    """What is wrong with a mapping for this file and whoever brings it. Of meters it names, those unknown."""
    found = mapping.problems(shape)
    named = {column: name for column, name in mapping.meters.items() if name != mappings.FILE}
    known = lookup.resolve(named.values())
    for column, name in named.items():
        if name not in known:
            message = N_("column {column}: the park has no meter {meter}")
            params = {"column": column, "meter": name}
            found.append(
                Problem(message, params, N_("correct the number or leave the column out"), field="meters")
            )
    return found


def _first_rows(path: Path, shape: FileShape) -> tuple[tuple[str | None, ...], ...]:
    """The first rows as text, whatever the format; long cells cut."""
    block = next(islice(blocks(path, shape, block_bytes=_BLOCK_BYTES), 1), None)
    if block is None:
        return ()
    columns = [pl.col(f"c{i}").cast(pl.String).str.slice(0, 80) for i in range(len(shape.columns))]
    return tuple(block.frame.head(ROWS).select(columns).rows())


def save_mapping(workspace: Workspace, mapping: ColumnMapping, name: str) -> ColumnMapping:
    """Keep a mapping under a name; the mapping that so far served files with this header makes room for it.

    MappingError: the name is none for a file.
    """
    if not name or name != mappings.file_name(name):
        raise MappingError(
            Problem(
                N_("{name} is not a name for a mapping"),
                {"name": name[:40] or "—"},
                N_("use letters, digits, dots, hyphens and underscores, 60 at most"),
                field="save_as",
            )
        )
    kept = replace(mapping, name=name)
    with workspace.writing("mapping"):
        for file in sorted(workspace.mappings.glob("*.toml")):
            if file.stem != name and mappings.load(file).fingerprint == mapping.fingerprint:
                file.unlink()
        mappings.save(kept, workspace.mappings)
    return kept


def mapping_of(raw: Mapping[str, Any], shape: FileShape) -> ColumnMapping:
    """A mapping from plain data, for files with this header. MappingError: all unknown or ill-typed keys."""
    return replace(mappings.of_dict({**raw, "fingerprint": shape.fingerprint}, ""), name=str(raw.get("name", "")))


def usual_nulls(said: Sequence[str]) -> tuple[str, ...]:
    """Words for "no value" that a person stated, besides the usual ones."""
    return tuple(dict.fromkeys((*NULLS, *said)))
