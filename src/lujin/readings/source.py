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
    """Text cells ``c0`` …: the first rows in file order, then slices from all over an uncompressed text."""
    head = next(islice(blocks(path, shape, block_bytes=_SLICE_BYTES * 4), 1), None)
    columns = [f"c{i}" for i in range(len(shape.columns))]
    if head is None:
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    first = head.frame.head(SAMPLE_ROWS).select(pl.col(columns).cast(pl.String))
    return pl.concat([first, *_spread(path, shape, columns)])


def _spread(path: Path, shape: FileShape, columns: list[str]) -> Iterator[pl.DataFrame]:
    size = path.stat().st_size
    if shape.format != "text" or shape.compression or shape.encoding == "utf-16" or size < 2 * 1024 * 1024:
        return
    with path.open("rb") as file:
        for part in range(1, _SPREAD + 1):
            file.seek(size * part // _SPREAD - _SLICE_BYTES)
            data = file.read(_SLICE_BYTES)
            whole = data[data.find(b"\n") + 1 : data.rfind(b"\n") + 1]
            text = whole.decode(shape.encoding, "replace").replace("\r\n", "\n")
            yield cells_of(text, shape.delimiter, len(shape.columns)).select(columns)
