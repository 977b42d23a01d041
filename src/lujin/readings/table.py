"""Workbooks, Parquet and Arrow files (工作簿与列式文件) in blocks of text or typed cells."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import fastexcel
import polars as pl

from lujin.errors import N_, InputError, Problem
from lujin.readings.text import Block, refuse

# A sheet is held in memory whole; its XML unpacks to some 60 bytes per cell.
UNPACKED_LIMIT = 1024**3
BLOCK_ROWS = 250_000
T = TypeVar("T")


def guarded(path: Path, call: Callable[[], T]) -> T:
    """Run a reader. Whatever it makes of a damaged file, even a panic, becomes an InputError."""
    try:
        return call()
    except (KeyboardInterrupt, SystemExit, GeneratorExit, InputError):
        raise
    except MemoryError as error:
        raise refuse(path, N_("the file needs more memory than there is"), N_("split it")) from error
    except BaseException as error:  # Panics of the Rust readers derive from BaseException.
        detail = next(iter(str(error).splitlines()), type(error).__name__)
        raise refuse(
            path,
            N_("the file is damaged, encrypted or not what its first bytes say: {detail}"),
            N_("open it, remove any password, save it again as XLSX or CSV"),
            detail=detail,
        ) from error


# Workbooks


def open_workbook(path: Path, limit_bytes: int) -> Any:
    """A fastexcel reader, after the zip directory has told how large the parts unpack."""
    if path.open("rb").read(2) == b"PK":
        with guarded(path, lambda: zipfile.ZipFile(path)) as parts:
            size = sum(part.file_size for part in parts.infolist())
        if size > limit_bytes:
            raise refuse(
                path,
                N_("the workbook unpacks to {size} bytes, more than the limit of {limit}"),
                N_("save it as CSV, which has no limit"),
                size=size,
                limit=limit_bytes,
            )
    return guarded(path, lambda: fastexcel.read_excel(path))


def choose_sheet(path: Path, book: Any, wanted: str) -> str:
    """The wanted sheet, or the only one with a table in it."""
    names: list[str] = list(book.sheet_names)
    if wanted:
        if wanted in names:
            return wanted
        raise refuse(
            path,
            N_("the workbook has no sheet {sheet}"),
            N_("its sheets are: {sheets}"),
            sheet=wanted,
            sheets=", ".join(names),
        )
    filled = [name for name in names if len(sheet_rows(path, book, name, 3)) > 1]
    if len(filled) > 1:
        raise refuse(
            path,
            N_("the workbook has {count} sheets with data: {sheets}"),
            N_("name the one to read"),
            count=len(filled),
            sheets=", ".join(filled),
        )
    return (filled or names or [""])[0]


def sheet_rows(path: Path, book: Any, sheet: str, rows: int) -> list[tuple[str | None, ...]]:
    frame = guarded(path, lambda: _sheet(book, sheet, rows, "string"))
    return frame.rows()


def _sheet(book: Any, sheet: str, rows: int | None, dtype: str) -> pl.DataFrame:
    # skip_rows=0 keeps blank rows on top, so that row numbers are those of the sheet.
    loaded = book.load_sheet(sheet, header_row=None, skip_rows=0, n_rows=rows, dtypes=dtype)
    frame: pl.DataFrame = loaded.to_polars()
    return frame


def sheet_blocks(path: Path, sheet: str, width: int, skip: int, limit_bytes: int) -> Iterator[Block]:
    """Cells as text, with exact numbers beside them (the text of a number is rounded to nine decimals)."""
    book = open_workbook(path, limit_bytes)
    text = guarded(path, lambda: _sheet(book, sheet, None, "string"))
    exact = guarded(path, lambda: _sheet(book, sheet, None, "float"))
    text = text.rename({name: f"c{i}" for i, name in enumerate(text.columns)})
    exact = exact.rename({name: f"n{i}" for i, name in enumerate(exact.columns)})
    whole = pl.concat([_exactly(text, width + 1, "c"), _exactly(exact, width + 1, "n")], how="horizontal")
    for start in range(skip, len(whole), BLOCK_ROWS):
        yield _numbered(whole.slice(start, BLOCK_ROWS), start - skip + 1)


def _exactly(frame: pl.DataFrame, width: int, prefix: str) -> pl.DataFrame:
    dtype = pl.String() if prefix == "c" else pl.Float64()
    return frame.select(
        pl.col(f"{prefix}{i}")
        if f"{prefix}{i}" in frame.columns
        else pl.lit(None, dtype=dtype).alias(f"{prefix}{i}")
        for i in range(width)
    )


# Parquet and Arrow


def typed_schema(path: Path, kind: str) -> pl.Schema:
    schema = guarded(path, lambda: _scan(path, kind).collect_schema())
    nested = [name for name, dtype in schema.items() if dtype.is_nested() or dtype == pl.Object]
    if len(nested) == len(schema):
        raise InputError(
            Problem(N_("the file has no flat columns"), {}, N_("write one value per cell"), file=str(path))
        )
    return schema


def _scan(path: Path, kind: str) -> pl.LazyFrame:
    return pl.scan_parquet(path, glob=False) if kind == "parquet" else pl.scan_ipc(path, glob=False)


def typed_blocks(path: Path, kind: str, rows: int = BLOCK_ROWS * 2) -> Iterator[Block]:
    scan = guarded(path, lambda: _scan(path, kind))
    names = guarded(path, lambda: scan.collect_schema().names())
    scan = scan.select(pl.nth(i).alias(f"c{i}") for i in range(len(names)))
    height = guarded(path, lambda: int(scan.select(pl.len()).collect().item()))
    for start in range(0, height, rows):
        part = guarded(path, lambda start=start: scan.slice(start, rows).collect())  # type: ignore[misc]
        yield typed_block(part, start + 1)


def typed_block(part: pl.DataFrame, row: int) -> Block:
    """Typed columns ``c0`` … as a block whose first data row is ``row``."""
    flat = part.with_columns(_flat(part, name) for name in part.columns)
    extra = pl.lit(None, dtype=pl.String).alias(f"c{part.width}")
    return _numbered(flat.with_columns(extra), row)


def _flat(frame: pl.DataFrame, name: str) -> pl.Expr:
    """Numbers, dates and datetimes as they are, everything else as text, what has no text as missing."""
    dtype = frame.schema[name]
    if dtype.is_numeric() or dtype in (pl.Date, pl.Datetime, pl.String):
        return pl.col(name)
    if dtype == pl.Time:
        return pl.col(name).dt.to_string("%H:%M:%S")
    if dtype in (pl.Boolean, pl.Categorical, pl.Enum):
        return pl.col(name).cast(pl.String)
    return pl.lit(None, dtype=pl.String).alias(name)


def _numbered(frame: pl.DataFrame, row: int) -> Block:
    numbers = pl.int_range(row, row + len(frame), dtype=pl.Int32, eager=True).alias("row")

    def raw(places: pl.Series) -> pl.Series:
        cells: Sequence[str] = [name for name in frame.columns if name.startswith("c")][:-1]
        joined = pl.concat_str([pl.col(c).cast(pl.String).fill_null("") for c in cells], separator=",")
        return frame.select(cells)[places].select(joined.alias("raw")).to_series()

    return Block(frame.with_columns(numbers), raw)
