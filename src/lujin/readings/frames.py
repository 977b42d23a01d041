"""Readings that come as columns, not as a file (列式到货): checked once, then read as a typed file is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import polars as pl

from lujin.errors import N_, InputError, Problem
from lujin.readings.mapping import Mapping
from lujin.readings.sniff import FileShape
from lujin.readings.table import BLOCK_ROWS, typed_block
from lujin.readings.text import Block

FRAME_ROWS = BLOCK_ROWS * 4
# What a frame's columns are called, unless a mapping says otherwise.
OPTIONAL = {"unit": "unit_column", "quality": "quality"}


def as_frame(columns: Any) -> pl.DataFrame:
    """A Polars frame of whatever hands out Arrow columns (a pyarrow table or batch, a data frame)."""
    if isinstance(columns, pl.DataFrame):
        return columns
    try:
        return pl.DataFrame(columns)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise InputError(
            Problem(
                N_("these are not columns: {detail}"),
                {"detail": str(error)},
                N_("give a Polars frame, an Arrow table or an Arrow record batch"),
            )
        ) from error


def check_columns(frames: Any) -> tuple[pl.DataFrame, Iterator[pl.DataFrame]]:
    """The first frame, and all of them with that one's columns. One frame alone is taken as well as many."""
    alone = isinstance(frames, pl.DataFrame) or hasattr(frames, "__arrow_c_stream__")
    whole = map(as_frame, [frames] if alone else frames)
    first = next(whole, pl.DataFrame(schema={"meter": pl.String, "time": pl.String, "value": pl.Float64}))
    _refuse_nested(first)
    return first, chain([first], (_alike(frame, first) for frame in whole))


def columns_of(frame: pl.DataFrame) -> tuple[str, ...]:
    return tuple(frame.columns)


def frame_mapping(shape: FileShape) -> Mapping:
    """Columns by their names; ``unit`` and ``quality`` where they are there."""
    found = {key: name for name, key in OPTIONAL.items() if name in shape.columns}
    return Mapping(layout="long", meter="meter", time="time", value="value", **found)  # type: ignore[arg-type]


def frame_blocks(frames: Iterable[pl.DataFrame], shape: FileShape, _block_bytes: int) -> Iterator[Block]:
    row = 1
    names = [f"c{i}" for i in range(len(shape.columns))]
    for frame in frames:
        for part in frame.iter_slices(FRAME_ROWS):
            yield typed_block(part.rename(dict(zip(part.columns, names, strict=True))), row)
            row += part.height


def _alike(frame: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    if missing := [name for name in first.columns if name not in frame.columns]:
        raise InputError(
            Problem(
                N_("a later batch lacks the columns {columns}"),
                {"columns": ", ".join(missing)},
                N_("give all batches of one arrival the same columns"),
            )
        )
    frame = frame.select(first.columns)
    _refuse_nested(frame)
    return frame


def _refuse_nested(frame: pl.DataFrame) -> None:
    """One value per cell: a list or a record would otherwise count as no value."""
    odd = [name for name, kind in frame.schema.items() if kind.is_nested() or kind in (pl.Binary, pl.Object)]
    if odd:
        raise InputError(
            Problem(
                N_("column {column} holds {kind}, not one value per row"),
                {"column": odd[0], "kind": str(frame.schema[odd[0]])},
                N_("write one value per cell"),
                field=odd[0],
            )
        )
