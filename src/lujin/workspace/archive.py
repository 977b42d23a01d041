"""A backup file: a tar with the park's files, its readings, its database as tables, and last a manifest.

The manifest gives the SHA-256 of every other file. As it stands last, a file that was cut off has none.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from lujin.disk import said
from lujin.errors import N_, InputError, Problem

FORMAT = "lujin-backup@1"
MANIFEST = "manifest.json"
READINGS, DATABASE, KEYS = "readings", "database", "keys"
FILES = ("park.toml", "days.csv")
FOLDERS = ("reference", "mappings", "inbox/rejected")
_TOPS = frozenset({*(name.partition("/")[0] for name in FOLDERS), "readings", "database", "keys"})
ENDINGS = (".tar", ".tar.gz", ".tgz")
_MOST_MANIFEST = 256 << 20
_BLOCK = 1 << 20
_REMEDY = N_("use another backup, or fetch this one again")


@dataclass(frozen=True)
class Manifest:
    """``files``: size [B] and SHA-256 of each; ``tables``: rows; ``schema``: revision of the database."""

    park: str
    made_at: str
    lujin: str
    schema: str
    readings_version: int | None
    keys: bool
    tables: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    format: str = FORMAT

    @property
    def size(self) -> int:
        return sum(size for size, _ in self.files.values())


# ------------------------------------------------------------------------------------------------- writing


class ArchiveWriter:
    """Adds files one after another and notes their digests."""

    def __init__(self, tar: tarfile.TarFile, made_at: float) -> None:
        self._tar, self._made_at = tar, made_at
        self.files: dict[str, tuple[int, str]] = {}

    def add(self, name: str, size: int, content: Iterable[bytes]) -> None:
        stream = _Counted(content)
        self._tar.addfile(self._info(name, size), stream)
        if stream.size != size:
            message = N_("{name} changed while it was copied")
            raise InputError(Problem(message, {"name": name}, N_("repeat the command")))
        self.files[name] = (size, stream.digest.hexdigest())

    def add_bytes(self, name: str, content: bytes) -> None:
        self.add(name, len(content), [content])

    def finish(self, manifest: Manifest) -> None:
        text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1, sort_keys=True).encode()
        self._tar.addfile(self._info(MANIFEST, len(text)), io.BytesIO(text))

    def _info(self, name: str, size: int) -> tarfile.TarInfo:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, 0o600, int(self._made_at)
        return info


class _Counted(io.RawIOBase):
    """Blocks as a stream that knows how much went through it and its digest."""

    def __init__(self, content: Iterable[bytes]) -> None:
        self._content, self._rest = iter(content), b""
        self.size, self.digest = 0, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and (block := next(self._content, b"")):
            self._rest += block
        found, self._rest = self._rest[:size], self._rest[size:]
        self.size += len(found)
        self.digest.update(found)
        return found


@contextmanager
def writing_archive(file: Path, made_at: float) -> Iterator[ArchiveWriter]:
    """A new file for its owner's eyes only; it takes its name when it is whole and on disk."""
    if not file.name.endswith(ENDINGS):
        params = {"name": file.name, "endings": ", ".join(ENDINGS)}
        message, remedy = (
            N_("{name} does not say what kind of file to write"),
            N_("let its name end in one of: {endings}"),
        )
        raise InputError(Problem(message, params, remedy))
    if file.exists():
        remedy = N_("choose another name, or remove the file")
        raise InputError(Problem(N_("{file} exists already"), {"file": file}, remedy))
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with said(file):
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as raw:
                with _packed(raw, file) as packed, tarfile.open(fileobj=packed, mode="w|", bufsize=_BLOCK) as tar:
                    yield ArchiveWriter(tar, made_at)
                raw.flush()
                os.fsync(raw.fileno())
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)


@contextmanager
def _packed(raw: IO[bytes], file: Path) -> Iterator[Any]:
    """Tables and readings are compressed Parquet already: gzip is for those who want one, at its least effort."""
    if file.name.endswith(".tar"):
        yield raw
        return
    with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0, filename="") as packed:
        yield packed


# ------------------------------------------------------------------------------------------------- reading


def checked(file: Path) -> Manifest:
    """The manifest, once every file of the backup was found to have the digest that it states.

    InputError: it is no backup, it is cut off or damaged, or it holds names that lead outside.
    """
    found: dict[str, tuple[int, str]] = {}
    manifest: Manifest | None = None
    for name, _, content in members(file):
        if manifest is not None:
            raise _damaged(file, N_("something follows its manifest"))
        if name == MANIFEST:
            manifest = _manifest(file, content)
            continue
        size, digest = 0, hashlib.sha256()
        for block in content:
            size += len(block)
            digest.update(block)
        found[name] = (size, digest.hexdigest())
    if manifest is None:
        raise _damaged(file, N_("it has no manifest: it is cut off, or no backup"))
    differing = sorted(name for name in {*found, *manifest.files} if found.get(name) != manifest.files.get(name))
    if differing:
        listed = ", ".join(differing[:5])
        raise _damaged(file, N_("{count} of its files are missing or changed: {listed}"), len(differing), listed)
    return manifest


def members(file: Path) -> Iterator[tuple[str, int, Iterator[bytes]]]:
    """Name, size and content of each file in the backup, in its order."""
    seen: set[str] = set()
    with _failing(file), tarfile.open(file, "r|*", bufsize=_BLOCK) as tar:
        for info in tar:
            if not info.isreg() or not is_safe(info.name) or info.name in seen:
                raise _damaged(file, N_("it holds {listed}, which no backup holds"), 1, info.name[:80])
            seen.add(info.name)
            stream = tar.extractfile(info)
            assert stream is not None
            yield info.name, info.size, _content(file, stream)


def _content(file: Path, stream: IO[bytes]) -> Iterator[bytes]:
    while True:
        with _failing(file):
            block = stream.read(_BLOCK)
        if not block:
            return
        yield block


@contextmanager
def _failing(file: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(file, N_("it is cut off, or no backup ({listed})"), 0, str(error)) from error
    except OSError as error:
        reason = {"reason": error.strerror or str(error)}
        message = N_("the file cannot be read: {reason}")
        raise InputError(Problem(message, reason, N_("check its name and place"), file=str(file))) from error


def is_safe(name: str) -> bool:
    """Whether a name lies in one of the places that a backup has, and nowhere else.

    >>> is_safe("park.toml"), is_safe("readings/month=202501/a.parquet"), is_safe("inbox/抄表.csv")
    (True, True, True)
    >>> is_safe("../park.toml"), is_safe("/etc/passwd"), is_safe("readings/../../x"), is_safe("lujin.db")
    (False, False, False, False)
    """
    path = PurePosixPath(name)
    if str(path) != name or path.is_absolute() or ".." in path.parts or re.search(r"[\\\x00-\x1f]", name):
        return False
    if len(path.parts) == 1:
        return name in (*FILES, MANIFEST)
    return path.parts[0] in _TOPS


def _manifest(file: Path, content: Iterator[bytes]) -> Manifest:
    text = b""
    for block in content:
        text += block
        if len(text) > _MOST_MANIFEST:
            raise _damaged(file, N_("its manifest is too large"))
    try:
        values = json.loads(text)
        if values["format"] != FORMAT:
            message = N_("the backup has the form {form}, which this version does not know")
            params = {"form": values["format"]}
            raise InputError(Problem(message, params, N_("install a newer version of lujin"), file=str(file)))
        files = {str(name): (int(size), str(digest)) for name, (size, digest) in values.pop("files").items()}
        return Manifest(files=files, **values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(file, N_("its manifest cannot be read")) from error


def _damaged(file: Path, why: str, count: int = 0, listed: str = "") -> InputError:
    params = {"count": count, "listed": listed}
    reason = Problem(why, params)
    return InputError(
        Problem(N_("the backup cannot be used: {reason}"), {"reason": reason}, _REMEDY, file=str(file))
    )
