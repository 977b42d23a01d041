"""What kind of table a file is (文件识别): format, encoding, delimiter, where the header stands.

Only the head of the file is read. Everything found is shown to the user and can be overruled.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from lujin.errors import N_, InputError
from lujin.readings import numbers, table, times
from lujin.readings.text import UNIT_SEPARATOR, detect_encoding, open_bytes, refuse
from lujin.readings.words import METER, TIME, VALUE, header_key

Format = Literal["text", "excel", "parquet", "arrow"]
Layout = Literal["long", "wide", "days"]
HEAD_BYTES = 256 * 1024
HEADER_LIMIT = 40  # a header is looked for in this many rows
_WORKBOOK = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
DELIMITERS = ("\t", ";", "|", "，", ",")


@dataclass(frozen=True, slots=True)
class FileShape:
    """How to cut a file into cells.

    ``skip`` is the number of rows before the first data row (title lines and header; 0: no header at all).
    ``columns`` are the header names, made unique; ``decimal`` is "?" where "1,234" could be either.
    ``layout``: ``long`` one value per row, ``wide`` one column per meter, ``days`` one row per meter and day
    with a column per time of day (96 点). ``sheet`` and ``sheets`` are set for workbooks.
    """

    path: str
    format: Format
    compression: str = ""
    encoding: str = ""
    delimiter: str = ""
    skip: int = 0
    columns: tuple[str, ...] = ()
    decimal: str = "."
    layout: Layout = "long"
    sheet: str = ""
    sheets: tuple[str, ...] = ()
    nulls: tuple[str, ...] = numbers.NULLS

    @property
    def fingerprint(self) -> str:
        """Same header, same fingerprint, whatever the encoding or delimiter."""
        text = "\n".join(header_key(c) for c in self.columns)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def first_line(self) -> int:
        return self.skip + 1

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "fingerprint": self.fingerprint}


def sniff(
    path: Path,
    *,
    encoding: str = "",
    delimiter: str = "",
    header_row: int | None = None,
    sheet: str = "",
    limit_bytes: int = table.UNPACKED_LIMIT,
) -> FileShape:
    """The shape of a file. Arguments overrule what would be found; ``header_row`` counts from 1, 0: none.

    Raises InputError for what is not a table: a directory, an empty file, a web page, random bytes, an
    encrypted, damaged or absurdly large workbook.
    """
    head = _head(path)
    if head.startswith(b"PAR1") or head.startswith(b"ARROW1"):
        kind: Format = "parquet" if head.startswith(b"PAR1") else "arrow"
        schema = table.typed_schema(path, kind)
        shape = FileShape(str(path), kind, columns=unique_names(list(schema)))
    elif head.startswith(_WORKBOOK):
        book = table.open_workbook(path, limit_bytes)
        chosen = table.choose_sheet(path, book, sheet)
        rows = table.sheet_rows(path, book, chosen, 200)
        shape = _with_header(
            FileShape(str(path), "excel", sheet=chosen, sheets=tuple(book.sheet_names)), rows, header_row
        )
    else:
        shape = _sniff_text(path, head, encoding, delimiter, header_row)
    if not shape.columns:
        raise refuse(path, N_("the file has no header and no rows"), N_("export it again with data"))
    return shape


def sheets_of(path: Path, limit_bytes: int = table.UNPACKED_LIMIT) -> tuple[str, ...]:
    """The sheets of a workbook; none where the file is something else or cannot be opened."""
    try:
        if not _head(path).startswith(_WORKBOOK):
            return ()
        return tuple(table.open_workbook(path, limit_bytes).sheet_names)
    except InputError:
        return ()


def _head(path: Path) -> bytes:
    if path.is_dir():
        raise refuse(path, N_("this is a directory"), N_("name the files in it"))
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise refuse(
            path,
            N_("the file cannot be read: {detail}"),
            N_("check its name and permissions"),
            detail=error.strerror or error,
        ) from error
    if not head:
        raise refuse(path, N_("the file is empty (0 bytes)"), N_("export it again"))
    return head


def _sniff_text(path: Path, head: bytes, encoding: str, delimiter: str, header_row: int | None) -> FileShape:
    compression = ""
    if head.startswith(b"\x1f\x8b"):
        compression = "gzip"
        try:
            with open_bytes(path, compression) as file:
                head = file.read(HEAD_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise refuse(
                path, N_("the compressed file is damaged: {detail}"), N_("transfer it again"), detail=error
            ) from error
    encoding = encoding or detect_encoding(head, path)
    try:
        text = head.decode(encoding, "replace").lstrip("\ufeff")
    except LookupError as error:
        raise refuse(
            path, N_("unknown encoding {encoding}"), N_("use utf-8, gb18030 or utf-16"), encoding=encoding
        ) from error
    if re.search(r"<\s*(html|table|\?xml)", text[:2000], re.IGNORECASE):
        raise refuse(
            path,
            N_("this is a web page or XML under the name of a table"),
            N_("open it in a spreadsheet program and save it as XLSX or CSV"),
        )
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(head) == HEAD_BYTES and len(lines) > 1:
        lines.pop()  # cut in the middle
    while lines and not lines[-1].strip():
        lines.pop()
    delimiter = delimiter or find_delimiter(lines)
    if not delimiter:
        raise refuse(
            path,
            N_("no delimiter found: the rows have one column only"),
            N_("separate the columns by commas, semicolons, tabs or bars"),
        )
    records, ends = _records(lines[:400])
    rows = [split_line(record, delimiter) for record in records]
    shape = _with_header(FileShape(str(path), "text", compression, encoding, delimiter), rows, header_row)
    return replace_shape(shape, skip=ends[shape.skip - 1] if shape.skip else 0)


def _records(lines: Sequence[str]) -> tuple[list[str], list[int]]:
    """Lines, those of the header zone joined where a quoted cell runs on; and the line each one ends on."""
    records: list[str] = []
    ends: list[int] = []
    at = 0
    while at < len(lines):
        upto = at + 1
        while at < HEADER_LIMIT and "\n".join(lines[at:upto]).count('"') % 2 and upto < min(len(lines), at + 8):
            upto += 1
        if "\n".join(lines[at:upto]).count('"') % 2:
            upto = at + 1
        records.append("\n".join(lines[at:upto]))
        ends.append(upto)
        at = upto
    return records, ends


def split_line(line: str, delimiter: str) -> list[str]:
    """Cells of one line. A line the csv rules don't fit is cut at every delimiter."""
    if delimiter == "，":
        line, delimiter = line.replace("，", UNIT_SEPARATOR), UNIT_SEPARATOR
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader(line.splitlines(keepends=True), delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)


def find_delimiter(lines: Sequence[str]) -> str:
    """The one that cuts most lines into the same number of cells; more cells win, then the rarer sign.

    >>> find_delimiter(["t;v", "2025-01-01;1,5", "2025-01-02;1,7"])
    ';'
    """
    sample = [line for line in lines[:200] if line.strip()]
    best, chosen = (0.0, 0), ""
    for delimiter in DELIMITERS:
        widths = [len(split_line(line, delimiter)) for line in sample]
        cut = [w for w in widths if w > 1]
        if not cut:
            continue
        mode = max(set(cut), key=lambda w: (cut.count(w), w))
        share = cut.count(mode) / len(sample)
        # Title lines and a few broken rows lower the share; below half it is chance.
        score = (1.0 if share > 0.8 else share, mode)
        if score > best:
            best, chosen = score, delimiter
    return chosen


def _with_header(shape: FileShape, rows: Sequence[Sequence[str | None]], header_row: int | None) -> FileShape:
    cells = [[(c or "").strip() for c in row] for row in rows]
    cells = cells[: 1 + max((i for i, row in enumerate(cells) if any(row)), default=-1)]
    if not cells:
        return shape
    if header_row is None:
        first, header = find_header(cells, merged=True)
    else:
        first, header = header_row, cells[header_row - 1] if 0 < header_row <= len(cells) else []
    data = [row for row in cells[first : first + 300] if any(row)]
    widths = [len(row) for row in data] or [len(header)]
    width = max(len(_trimmed(header)), max(set(widths), key=widths.count))
    names = [*header, *([""] * (width - len(header)))][:width]
    columns = unique_names(names)
    decimal = "." if shape.format == "excel" else find_decimal(data, shape.delimiter)
    days = sum(1 for name in columns if re.match(times.TIME_OF_DAY, name)) >= 12
    return replace_shape(shape, skip=first, columns=columns, decimal=decimal, layout="days" if days else "long")


def replace_shape(shape: FileShape, **changes: Any) -> FileShape:
    return FileShape(**{name: changes.get(name, getattr(shape, name)) for name in FileShape.__slots__})


def _trimmed(row: Sequence[str]) -> Sequence[str]:
    return row[: 1 + max((i for i, cell in enumerate(row) if cell), default=-1)]


def find_header(cells: Sequence[Sequence[str]], *, merged: bool) -> tuple[int, list[str]]:
    """(number of rows before the data, header names). Header cells merged across two rows are joined.

    The first data row is the first one with a full time in a column whose next row has one too; failing
    that, the first with a number under a word.
    """
    first = _first_data_row(cells)
    if first is None:
        # Header only: the widest row of words.
        widest = max(range(len(cells)), key=lambda i: (sum(map(bool, cells[i])), -i))
        return widest + 1, list(cells[widest])
    first = _before_broken_rows(cells, first)
    above = first - 1
    while above >= 0 and not any(cells[above]):
        above -= 1
    if above < 0 or sum(map(bool, cells[above])) < 2 or _is_data(cells[above]):
        return first, []
    header = list(cells[above])
    used = len(_trimmed(cells[first]))
    level = above - 1
    while merged and level >= 0 and level >= above - 2 and not all(header[:used]):
        upper = cells[level]
        if sum(map(bool, upper)) < 2 or _is_data(upper):
            break
        header = _joined(upper, header)
        level -= 1
    return first, header


def _joined(upper: Sequence[str], lower: Sequence[str]) -> list[str]:
    """A merged cell holds its text at its left end; it spreads to the right over filled lower cells."""
    width = max(len(upper), len(lower))
    top = [*upper, *[""] * (width - len(upper))]
    bottom = [*lower, *[""] * (width - len(lower))]
    names, spread = [], ""
    for above, below in zip(top, bottom, strict=True):
        spread = above or (spread if below else "")
        names.append(" ".join(part for part in (spread, below) if part))
    return names


def _first_data_row(cells: Sequence[Sequence[str]]) -> int | None:
    rows = [i for i in range(len(cells)) if any(cells[i])]
    for no, here in enumerate(rows):
        if here > HEADER_LIMIT:
            break
        # The next row may be a broken one.
        below = [cells[i] for i in rows[no + 1 : no + 5]] or [cells[here]]
        if sum(map(bool, cells[here])) < 2:
            continue
        for column, cell in enumerate(cells[here]):
            under = (row[column] for row in below if column < len(row))
            if looks_like_time(cell) and any(map(looks_like_time, under)):
                return here
    for above, here in pairwise(rows):
        if here > HEADER_LIMIT:
            break
        if sum(map(bool, cells[above])) < 2:
            continue
        pairs = zip(cells[above], cells[here], strict=False)
        if any(looks_like_number(low) and high and not looks_like_number(high) for high, low in pairs):
            return here
    return None


def _before_broken_rows(cells: Sequence[Sequence[str]], first: int) -> int:
    """The first rows of data may be broken: a row of known header words above them is the header.

    Not so if the rows between leave the column of times empty: those are the lower part of merged headers.
    """
    for at in range(first - 1, -1, -1):
        keys = [header_key(re.sub(r"[(（\[【].*", "", cell)) for cell in cells[at]]
        column = next((i for i, key in enumerate(keys) if key in _TIMES), None)
        if column is None or not any(key in _OTHERS for key in keys) or _is_data(cells[at]):
            continue
        between = [i for i in range(at + 1, first) if any(cells[i])]
        if between and all(column < len(cells[i]) and cells[i][column] for i in between):
            return between[0]
    return first


def _is_data(row: Sequence[str]) -> bool:
    return any(looks_like_time(cell) for cell in row)


def looks_like_time(cell: str) -> bool:
    """A full date, or a month written with a separator."""
    return any(times.reads(cell, form) for form in ("ymd", "dmy", "mdy")) or (
        re.match(r"^\d{4}[-/.年]\d{1,2}月?$", cell) is not None
    )


def looks_like_number(cell: str) -> bool:
    return re.match(r"^[+-]?\d[\d.,]*([eE][+-]?\d+)?$", cell) is not None


def find_decimal(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    """ "." or ",", or "?" where every comma stands before exactly three digits and nothing tells.

    >>> find_decimal([["1,5"]], ";"), find_decimal([["1,702.85"], ["1,234"]], ";"), find_decimal([["1,234"]], ";")
    (',', '.', '?')
    """
    cells = [c for row in rows for c in row if "," in c and looks_like_number(c)]
    if not cells:
        points = [c for row in rows for c in row if re.match(r"^[+-]?\d{1,3}(\.\d{3}){2,}$", c)]
        return "," if points else "."
    if any(re.match(r"^[+-]?\d{1,3}(,\d{3})+\.\d+$|^[+-]?\d{1,3}(,\d{3}){2,}$", c) for c in cells):
        return "."
    if any(not re.match(r"^[+-]?[1-9]\d{0,2},\d{3}$", c) for c in cells):
        return ","
    plain = any("." in c and looks_like_number(c) for row in rows for c in row)
    return "." if delimiter == "," or plain else "?"


_TIMES = frozenset(map(header_key, TIME))
_OTHERS = frozenset(map(header_key, (*METER, *VALUE)))


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """
    >>> unique_names(["时间", "", "电量", "电量"])
    ('时间', 'column 2', '电量', '电量 (2)')
    """
    out: list[str] = []
    taken: set[str] = set()
    for i, name in enumerate(names, 1):
        base = re.sub(r"\s+", " ", name).strip() or f"column {i}"
        unique, n = base, 1
        while unique in taken:
            n += 1
            unique = f"{base} ({n})"
        taken.add(unique)
        out.append(unique)
    return tuple(out)
