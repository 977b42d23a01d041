"""What a file from a stranger unpacks to (解压限制): looked at before any reader holds it in memory.

A few bytes can unpack to more than a machine has: a workbook is a zip, text may be gzipped, columns repeat one
value. Declared sizes are not believed where they matter.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path

import polars as pl

from lujin.errors import N_
from lujin.readings.table import guarded
from lujin.readings.text import refuse

MIB = 1 << 20
RATIO = 250  # real tables unpack to 5 to 50 times their size
RATIO_FROM = 64 * MIB  # small files may repeat themselves as they like
MOST_PARTS = 10_000
MOST_ROWS = 50_000_000
_STEP = 4 * MIB


def check_unpacked(path: Path, limit: int) -> None:
    """InputError: the file unpacks to more than ``limit`` bytes, or to absurdly more than it takes."""
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"PK\x03\x04"):
        _check_zip(path, limit)
    elif head.startswith(b"\x1f\x8b"):
        _check_gzip(path, limit)
    elif head.startswith((b"PAR1", b"ARROW1")):
        _check_columns(path, "parquet" if head.startswith(b"PAR1") else "arrow")


def _check_zip(path: Path, limit: int) -> None:
    """Each part is really unpacked, into nothing, and may not be longer than the directory says."""
    with guarded(path, lambda: zipfile.ZipFile(path)) as parts:
        listed = parts.infolist()
        if len(listed) > MOST_PARTS:
            raise refuse(
                path, N_("the workbook has {count} parts"), N_("save it again as XLSX or CSV"), count=len(listed)
            )
        size = sum(part.file_size for part in listed)
        packed = sum(part.compress_size for part in listed)
        _within(path, size, min(packed, path.stat().st_size), limit)
        if any(part.flag_bits & 1 for part in listed):
            raise refuse(path, N_("the workbook is encrypted"), N_("remove the password and save it again"))
        for part in listed:
            guarded(path, lambda part=part: _run_through(parts, part))  # type: ignore[misc]


def _run_through(parts: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """zipfile reads no further than the declared size and compares the checksum at its end."""
    with parts.open(part) as stream:
        while stream.read(_STEP):
            pass


def _check_gzip(path: Path, limit: int) -> None:
    size, packed = 0, path.stat().st_size
    try:
        with gzip.open(path, "rb") as stream:
            while step := stream.read(_STEP):
                size += len(step)
                _within(path, size, packed, limit)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise refuse(
            path, N_("the compressed file is damaged: {detail}"), N_("transfer it again"), detail=error
        ) from error


def _within(path: Path, size: int, packed: int, limit: int) -> None:
    if size > limit:
        raise refuse(
            path,
            N_("the file unpacks to more than {limit} MiB"),
            N_("split it, or send it uncompressed in parts"),
            limit=limit // MIB,
        )
    if size > RATIO_FROM and size > RATIO * max(packed, 1):
        raise refuse(
            path,
            N_("the file unpacks to over {ratio} times its size, which no table of readings does"),
            N_("save it again as XLSX or CSV, with the rows and columns that are used alone"),
            ratio=RATIO,
        )


def _check_columns(path: Path, kind: str) -> None:
    def rows() -> int:
        scan = pl.scan_parquet(path, glob=False) if kind == "parquet" else pl.scan_ipc(path, glob=False)
        return int(scan.select(pl.len()).collect().item())

    if (found := guarded(path, rows)) > MOST_ROWS:
        raise refuse(
            path, N_("the file has {rows} rows, more than {most}"), N_("split it"), rows=found, most=MOST_ROWS
        )
