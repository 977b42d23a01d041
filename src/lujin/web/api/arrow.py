"""What an Arrow body claims to hold, read from its headers before anything is unpacked.

A compressed body of a megabyte may unpack to many gigabytes; every buffer says its unpacked length in its first
eight bytes (Arrow columnar format, "Buffer compression"). The headers are flatbuffers; only the few fields that
say lengths are read here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from mmap import mmap

from lujin.errors import N_, InputError, Problem

Bytes = bytes | mmap
_MAGIC = b"ARROW1"
_CONTINUATION = 0xFFFFFFFF
_DICTIONARY, _BATCH = 2, 3  # of the union MessageHeader


def claims(body: Bytes, *, file: bool) -> tuple[int, int]:
    """Rows of all record batches, and bytes of all their buffers unpacked. InputError: it is no Arrow body."""
    try:
        return _summed(body, _in_file(body) if file else _in_stream(body))
    except (struct.error, IndexError, ValueError):
        raise InputError(
            Problem(
                N_("the body is no Arrow stream or file"),
                {},
                N_("write it with an Arrow library and send the content type of what was written"),
            )
        ) from None


def _summed(body: Bytes, starts: Iterable[int]) -> tuple[int, int]:
    rows = unpacked = 0
    for start in starts:
        header, kind, data, length = _message(body, start)
        if kind not in (_DICTIONARY, _BATCH):
            continue
        batch = _table(body, _offset(body, header, 1)) if kind == _DICTIONARY else header
        rows += _int64(body, batch, 0) if kind == _BATCH else 0
        unpacked += _unpacked(body, batch, data, length)
    return rows, unpacked


def _in_stream(body: Bytes) -> Iterator[int]:
    """Where each message begins; the last one has no length."""
    if body[: len(_MAGIC)] == _MAGIC:
        raise ValueError("a file")
    at = 0
    while at + 8 <= len(body) and _size(body, at)[1]:
        yield at
        _, _, data, length = _message(body, at)
        at = data + length


def _in_file(body: Bytes) -> Iterator[int]:
    """Where the messages of dictionaries and record batches begin, as the footer says (fields 2 and 3)."""
    if not body[: len(_MAGIC)] == body[-len(_MAGIC) :] == _MAGIC:
        raise ValueError("no file")
    (size,) = struct.unpack_from("<I", body, len(body) - 10)
    footer = _table(body, len(body) - 10 - size)
    for number in (2, 3):
        if place := _field(body, footer, number):
            start = _table(body, place)
            (count,) = struct.unpack_from("<I", body, start)
            for block in range(count):
                yield int(struct.unpack_from("<q", body, start + 4 + 24 * block)[0])


def _size(body: Bytes, at: int) -> tuple[int, int]:
    """Where the header of a message begins, and its length."""
    (size,) = struct.unpack_from("<I", body, at)
    if size != _CONTINUATION:
        return at + 4, int(size)
    return at + 8, int(struct.unpack_from("<I", body, at + 4)[0])


def _message(body: Bytes, at: int) -> tuple[int, int, int, int]:
    """The header of a message, its kind, and where its data stand and how long they are."""
    start, size = _size(body, at)
    message = _table(body, start)
    length, data = _int64(body, message, 3), start + size
    if at < 0 or length < 0 or data + length > len(body):
        raise ValueError("length")
    return _table(body, _offset(body, message, 2)), body[_offset(body, message, 1)], data, length


def _unpacked(body: Bytes, batch: int, data: int, length: int) -> int:
    """Bytes of the buffers of a record batch once they are unpacked."""
    if not _field(body, batch, 3):
        return length
    vector = _offset(body, batch, 2)
    start = vector + struct.unpack_from("<I", body, vector)[0]
    (count,) = struct.unpack_from("<I", body, start)
    total = 0
    for number in range(count):
        offset, size = struct.unpack_from("<qq", body, start + 4 + 16 * number)
        if size >= 8:
            (said,) = struct.unpack_from("<q", body, data + offset)
            total += size if said < 0 else said  # -1: this buffer was left as it is
    return total


# Flatbuffers: a table begins with the distance back to its vtable, which holds the place of each field.


def _table(body: Bytes, at: int) -> int:
    return int(at + struct.unpack_from("<I", body, at)[0])


def _field(body: Bytes, table: int, number: int) -> int:
    """Where a field of a table stands; 0: it is not there."""
    vtable = table - struct.unpack_from("<i", body, table)[0]
    (size,) = struct.unpack_from("<H", body, vtable)
    place = 4 + 2 * number
    if place + 2 > size:
        return 0
    (offset,) = struct.unpack_from("<H", body, vtable + place)
    return int(table + offset) if offset else 0


def _offset(body: Bytes, table: int, number: int) -> int:
    if not (found := _field(body, table, number)):
        raise ValueError("field")
    return found


def _int64(body: Bytes, table: int, number: int) -> int:
    found = _field(body, table, number)
    return int(struct.unpack_from("<q", body, found)[0]) if found else 0
