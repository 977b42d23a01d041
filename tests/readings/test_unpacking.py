"""Files made to exhaust a machine are refused before anything is unpacked into memory."""

from __future__ import annotations

import gzip
import struct
import zipfile
from pathlib import Path

import polars as pl
import pytest

from lujin.errors import InputError
from lujin.readings.unpacking import MIB, check_unpacked


def zipped(path: Path, size: int, name: str = "xl/worksheets/sheet1.xml") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as parts, parts.open(name, "w") as part:
        for _ in range(size // MIB):
            part.write(b" " * MIB)
    return path


def test_a_zip_bomb_is_refused_by_what_it_declares(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unpacks to over 250 times its size"):
        check_unpacked(zipped(tmp_path / "bomb.xlsx", 100 * MIB), 1024 * MIB)
    with pytest.raises(InputError, match="unpacks to more than 50 MiB"):
        check_unpacked(tmp_path / "bomb.xlsx", 50 * MIB)


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "liar.xlsx", 100 * MIB)
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        place = data.find(mark) + at
        data[place : place + 4] = struct.pack("<I", 1000)
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="damaged"):
        check_unpacked(path, 1024 * MIB)


def test_gzip_is_counted_while_it_unpacks(tmp_path: Path) -> None:
    path = tmp_path / "bomb.csv.gz"
    with gzip.open(path, "wb", compresslevel=9) as stream:
        for _ in range(100):
            stream.write(b"M1,2025-07-01,1\n" * 65_536)
    with pytest.raises(InputError, match="times its size"):
        check_unpacked(path, 1024 * MIB)


def test_columns_that_repeat_one_value_for_ever_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.parquet"
    pl.LazyFrame({"value": pl.repeat(1, 60_000_000, dtype=pl.Int8, eager=True)}).sink_parquet(path)
    assert path.stat().st_size < MIB
    with pytest.raises(InputError, match="60000000 rows"):
        check_unpacked(path, 1024 * MIB)


def test_ordinary_files_pass(tmp_path: Path) -> None:
    table = pl.DataFrame({"meter": ["M1"] * 1000, "value": range(1000)})
    table.write_parquet(tmp_path / "a.parquet")
    table.write_csv(tmp_path / "a.csv")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    zipped(tmp_path / "a.xlsx", 10 * MIB)
    for path in tmp_path.iterdir():
        check_unpacked(path, 1024 * MIB)
