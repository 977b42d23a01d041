"""Text files in blocks (文本流): bytes in, frames of text cells out, in memory bounded by the block.

A record is one line. A quoted cell that contains a line break would make row numbers and recovery from a
broken quotation mark unsafe, so such records are refused, visibly, and their neighbours are not.
"""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import polars as pl

from lujin.errors import N_, InputError, Problem

BLOCK_BYTES = 16 * 1024 * 1024
LINE_LIMIT = 8 * 1024 * 1024
# A one-byte stand-in for the full-width comma, which the CSV parser can't take as separator.
UNIT_SEPARATOR = "\x1f"
_UTF8_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, eq=False)
class Block:
    """Cells of some rows as text, columns ``c0``, ``c1`` … and ``row`` (Int32, 1-based data row).

    ``exact`` holds Float64 twins ``n0`` … of columns that the file stores as binary numbers. ``raw`` gives
    the rows at some places of the block as written, ``broken`` rows that could not be cut into cells (columns of
    ``reject.SCHEMA``).
    """

    frame: pl.DataFrame
    raw: Callable[[pl.Series], pl.Series]
    broken: pl.DataFrame | None = None


def refuse(path: Path, message: str, remedy: str, **params: object) -> InputError:
    return InputError(Problem(message, params, remedy, file=str(path)))


def open_bytes(path: Path, compression: str) -> IO[bytes]:
    if compression == "gzip":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def detect_encoding(head: bytes, path: Path) -> str:
    """UTF-16 by its mark, UTF-8 by its form, else GB18030 (which contains GBK and GB2312)."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    whole = head[: head.rfind(b"\n") + 1] or head
    if re.search(rb"[\x00-\x08\x0e-\x1e\x7f]", whole) is None:
        if whole.startswith(_UTF8_BOM):
            return "utf-8-sig"
        for encoding in ("utf-8", "gb18030"):
            try:
                whole.decode(encoding)
            except UnicodeDecodeError:
                continue
            return encoding
    raise refuse(
        path,
        N_("the file is not a table: its bytes are neither text in UTF-8, GB18030 or UTF-16 nor a known format"),
        N_("export it as CSV or XLSX"),
    )


def chunks(path: Path, compression: str, encoding: str, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The file as UTF-8, cut after line ends. Line ends are ``\\n``; the last line has one too."""
    recode = _Recoder(encoding)
    rest = b""
    try:
        with open_bytes(path, compression) as file:
            while True:
                read = file.read(size)
                text = recode(read, final=not read)
                whole = rest + text if rest else text
                if not read:
                    break
                cut = whole.rfind(b"\n") + 1
                rest = whole[cut:]
                if len(rest) > LINE_LIMIT:
                    raise refuse(
                        path,
                        N_("a line is longer than {limit} bytes"),
                        N_("check that the file is a table with line breaks"),
                        limit=LINE_LIMIT,
                    )
                if cut:
                    yield whole[:cut]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise refuse(
            path, N_("the compressed file is damaged: {detail}"), N_("transfer it again"), detail=error
        ) from error
    if whole:
        yield whole if whole.endswith(b"\n") else whole + b"\n"


class _Recoder:
    """Bytes of any supported encoding to UTF-8, whatever the cuts.

    A file that looks like UTF-8 because its first part is plain ASCII turns out as GB18030 at the first
    Chinese remark; as long as no UTF-8 sequence has been seen, that is what it is.
    """

    def __init__(self, encoding: str) -> None:
        self._settled = encoding != "utf-8"
        self._first = True
        self._cr = False
        self._use(encoding)

    def _use(self, encoding: str) -> None:
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._kept = b""

    def __call__(self, data: bytes, final: bool) -> bytes:
        if self._encoding in ("utf-8", "utf-8-sig"):
            text = self._utf8(data, final)
        else:
            text = self._decoder.decode(data, final).encode("utf-8", "replace")
        if b"\r" in text or self._cr:
            # A chunk may end between \r and \n.
            text = (b"\r" if self._cr else b"") + text
            self._cr = text.endswith(b"\r") and not final
            text = (text[:-1] if self._cr else text).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return text

    def _utf8(self, data: bytes, final: bool) -> bytes:
        if self._first and data.startswith(_UTF8_BOM):
            data, self._settled = data[3:], True
        self._first = False
        if not self._kept and data.isascii():
            return data
        if not self._settled:
            data, self._kept = self._kept + data, b""
            try:
                _, used = codecs.utf_8_decode(data, "strict", final)
            except UnicodeDecodeError:
                self._use("gb18030")
                self._settled = True
                return self._decoder.decode(data, final).encode("utf-8", "replace")
            self._kept = data[used:]
            self._settled = not data[:used].isascii()
            return data[:used]
        data, self._kept = self._kept + data, b""
        return self._decoder.decode(data, final).encode("utf-8")


def text_blocks(
    path: Path, *, compression: str, encoding: str, delimiter: str, width: int, skip: int, size: int = BLOCK_BYTES
) -> Iterator[Block]:
    """Blocks of a delimited text; ``skip`` lines (titles, header) come before data row 1."""
    row = 1
    for chunk in chunks(path, compression, encoding, size):
        data = chunk
        while skip and data:
            data = data[data.find(b"\n") + 1 :]
            skip -= 1
        if not data:
            continue
        lines = data.count(b"\n")
        yield _block(data, lines, delimiter, width, row)
        row += lines


def _block(written: bytes, lines: int, delimiter: str, width: int, row: int) -> Block:
    data = written
    if delimiter == "，":
        data = data.replace("，".encode(), UNIT_SEPARATOR.encode())
        delimiter = UNIT_SEPARATOR
    quoted = b'"' in data
    frame = _cells(data, delimiter, width, quoted)
    broken: list[int] = []
    if quoted and (frame is None or len(frame) != lines):
        data, broken = _requoted(data, delimiter)
        frame = _cells(data, delimiter, width, quoted)
    if frame is None or len(frame) != lines:
        broken = list(range(lines))
        frame = pl.DataFrame(schema={f"c{i}": pl.String for i in range(width + 1)})
    numbers = pl.int_range(row, row + len(frame), dtype=pl.Int32, eager=True).alias("row")

    def raw(places: pl.Series) -> pl.Series:
        # One long string cut by Polars: a Python list of lines would cost more than parsing them.
        whole = pl.Series([written[:-1].decode("utf-8", "replace")], dtype=pl.String)
        return whole.str.split("\n").explode().gather(places).alias("raw")

    lost = None
    if broken:
        lost = pl.DataFrame({"row": [row + i for i in broken], "raw": raw(pl.Series(broken, dtype=pl.UInt32))})
    return Block(frame.with_columns(numbers), raw, lost)


def cells_of(text: str, delimiter: str, width: int) -> pl.DataFrame:
    """Cells of some whole lines; lines that can't be cut are blank."""
    data = text.encode("utf-8", "replace")
    return _block(data, data.count(b"\n"), delimiter, width, 1).frame


def _lines(data: bytes) -> list[str]:
    # Not str.splitlines, which also cuts at form feeds and other separators.
    return data.decode("utf-8", "replace").split("\n")[:-1]


def _cells(data: bytes, delimiter: str, width: int, quoted: bool) -> pl.DataFrame | None:
    """Columns ``c0`` … ``c<width>``, the last one catching a cell too many; None: not parseable."""
    head = delimiter.join(f"c{i}" for i in range(width + 1)).encode() + b"\n"
    try:
        return pl.read_csv(
            head + data,
            separator=delimiter,
            quote_char='"' if quoted else None,
            infer_schema=False,
            truncate_ragged_lines=True,
        )
    except pl.exceptions.PolarsError:
        return None


def _requoted(data: bytes, delimiter: str) -> tuple[bytes, list[int]]:
    """Lines with quotation marks rewritten by RFC 4180; those that don't match are blanked and listed."""
    quoted, bare = r'[ \t]*"((?:[^"]|"")*)"[ \t]*', rf'([^"{re.escape(delimiter)}][^{re.escape(delimiter)}]*|)'
    cell = re.compile(rf"(?:{quoted}|{bare})(?:{re.escape(delimiter)}|$)")
    lines = _lines(data)
    broken = []
    for i, line in enumerate(lines):
        if '"' not in line:
            continue
        cells, at = [], 0
        while at <= len(line) and (found := cell.match(line, at)) is not None:
            inner = found[1] if found[1] is not None else found[2].replace('"', '""')
            cells.append(f'"{inner}"')
            # A match that ends at the line end has consumed no delimiter.
            at = found.end() if found[0].endswith(delimiter) else len(line) + 1
        lines[i] = delimiter.join(cells) if at > len(line) else ""
        if not lines[i]:
            broken.append(i)
    return "".join(line + "\n" for line in lines).encode(), broken
