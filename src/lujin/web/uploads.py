"""Files that browsers send (上传): streamed to disk, kept for a day for whoever sent them, never run or believed.

What a file is, its content decides; of its name only plain characters are left.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from lujin.disk import said, write_whole
from lujin.errors import N_, InputError, Problem, TooLargeError

KEPT_S = 24 * 3600
MIB = 1 << 20
_TOKEN = re.compile(r"[0-9a-f]{32}")
_STEP = 4 * MIB


@dataclass(frozen=True, slots=True)
class Upload:
    """``about.json`` beside the file. ``party``: the enterprise for which it was sent, "" for the park."""

    token: str
    name: str
    person: int
    party: str
    bytes: int
    sha256: str
    at: str

    def file(self, folder: Path) -> Path:
        return folder / self.token / self.name

    def refused(self, folder: Path) -> Path:
        """Where a trial lists the rows that would be refused."""
        return folder / self.token / ".refused.csv"


def plain_name(name: str) -> str:
    r"""What is left of the name a browser gave: no folders, nothing hidden, no control characters.

    >>> [plain_name(n) for n in ("../../etc/passwd", "C:\\data\\六月 抄表.xlsx", "..\x00/", "a\u202e.csv")]
    ['passwd', '六月 抄表.xlsx', 'file', 'a.csv']
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    kept = "".join(c for c in last if unicodedata.category(c)[0] != "C" and c not in '<>:"|?*')
    kept = " ".join(kept.split()).lstrip(". ")
    if len(kept) > 100:
        kept = kept[:70] + kept[-30:]
    while len(kept.encode()) > 200:
        kept = kept[1:]
    return kept or "file"


async def receive(
    chunks: AsyncIterator[bytes], folder: Path, name: str, person: int, party: str, now: datetime, limit: int
) -> Upload:
    """Write a file as it comes. TooLargeError as soon as it is longer than ``limit``; InputError: it is empty."""
    sweep(folder)
    token = secrets.token_hex(16)
    place = folder / token
    shown = plain_name(name)
    digest, size, held = hashlib.sha256(), 0, bytearray()
    try:
        with said(place):
            place.mkdir(parents=True)
            with (place / shown).open("wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > limit:
                        raise too_large(limit)
                    digest.update(chunk)
                    held += chunk
                    if len(held) >= _STEP:
                        await run_in_threadpool(file.write, bytes(held))
                        held.clear()
                await run_in_threadpool(file.write, bytes(held))
        if not size:
            raise InputError(Problem(N_("the file is empty"), {}, N_("export it again with data"), field="file"))
        found = Upload(token, shown, person, party, size, digest.hexdigest(), now.isoformat())
        write_whole(place / ".about.json", json.dumps(asdict(found), ensure_ascii=False))
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return found


def too_large(limit: int) -> TooLargeError:
    message = N_("the file is larger than {limit} MiB")
    remedy = N_("send it in parts, as Parquet or gzip, or import it on the server with: lujin import")
    return TooLargeError(Problem(message, {"limit": limit // MIB}, remedy, field="file"))


def uploads(folder: Path) -> list[Upload]:
    """All that wait, the newest first."""
    found = [_read(place / ".about.json") for place in folder.glob("*") if _TOKEN.fullmatch(place.name)]
    return sorted((u for u in found if u is not None), key=lambda u: u.at, reverse=True)


def upload(folder: Path, token: str) -> Upload | None:
    if not _TOKEN.fullmatch(token):
        return None
    found = _read(folder / token / ".about.json")
    return found if found is not None and found.file(folder).is_file() else None


def discard(folder: Path, found: Upload) -> None:
    shutil.rmtree(folder / found.token, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what nobody imported within a day."""
    oldest = time.time() - KEPT_S
    for place in folder.glob("*"):
        try:
            if place.stat().st_mtime < oldest:
                shutil.rmtree(place, ignore_errors=True)
        except FileNotFoundError:
            continue


def _read(file: Path) -> Upload | None:
    try:
        return Upload(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
