"""One way to read any file that has a shape: blocks of rows, and a sample for guessing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import polars as pl

from lujin.readings.sniff import FileShape
from lujin.readings.table import UNPACKED_LIMIT, sheet_blocks, typed_blocks
from lujin.readings.text import BLOCK_BYTES, Block, cells_of, text_blocks

SAMPLE_ROWS = 3_000
_SPREAD = 8
_SLICE_BYTES = 64 * 1024


def blocks(
    path: Path, shape: FileShape, *, block_bytes: int = BLOCK_BYTES, limit_bytes: int = UNPACKED_LIMIT
) -> Iterator[Block]:
    """The data rows of a file, in order, in memory bounded by a block (workbooks: by the sheet)."""
    width = len(shape.columns)
    if shape.format == "text":
        return text_blocks(
            path,
            compression=shape.compression,
            encoding=shape.encoding,
            delimiter=shape.delimiter,
            width=width,
            skip=shape.skip,
            size=block_bytes,
        )
    if shape.format == "excel":
        return sheet_blocks(path, shape.sheet, width, shape.skip, limit_bytes)
    return typed_blocks(path, shape.format)


def sample(path: Path, shape: FileShape) -> pl.DataFrame:
    """Text cells ``c0`` …: the first rows in file order, then rows from as far as can be reached cheaply."""
    seekable = _seekable(path, shape)
    head = next(islice(blocks(path, shape, block_bytes=_SLICE_BYTES * (4 if seekable else 64)), 1), None)
    columns = [f"c{i}" for i in range(len(shape.columns))]
    if head is None:
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    cells = head.frame.select(pl.col(columns).cast(pl.String))
    rest = cells.slice(SAMPLE_ROWS)
    parts = [cells.head(SAMPLE_ROWS), rest.gather_every(max(1, len(rest) // SAMPLE_ROWS))]
    if seekable:
        parts += _spread(path, shape, columns)
    whole: pl.DataFrame = pl.concat(parts)
    return whole


def _seekable(path: Path, shape: FileShape) -> bool:
    """Whether lines can be found anywhere in the file without reading what is before them."""
    plain = shape.format == "text" and not shape.compression and shape.encoding != "utf-16"
    return plain and path.stat().st_size >= 2 * 1024 * 1024


def _spread(path: Path, shape: FileShape, columns: list[str]) -> Iterator[pl.DataFrame]:
    """Slices from all over the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        for part in range(1, _SPREAD + 1):
            file.seek(size * part // _SPREAD - _SLICE_BYTES)
            data = file.read(_SLICE_BYTES)
            whole = data[data.find(b"\n") + 1 : data.rfind(b"\n") + 1]
            text = whole.decode(shape.encoding, "replace").replace("\r\n", "\n")
            yield cells_of(text, shape.delimiter, len(shape.columns)).select(columns)
