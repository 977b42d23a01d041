"""Files for the browser: compressed once, served with the digest of their content in the address."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from lujin.errors import N_, NotFoundError, Problem

FOLDER = Path(__file__).parent / "static"
FOR_EVER = "public, max-age=31536000, immutable"

router = APIRouter()


@dataclass(frozen=True, slots=True)
class StaticFile:
    kind: str
    digest: str
    plain: bytes
    compressed: bytes


@cache
def static_files() -> Mapping[str, StaticFile]:
    return {str(file.relative_to(FOLDER).as_posix()): _read(file) for file in FOLDER.rglob("*") if file.is_file()}


def _read(file: Path) -> StaticFile:
    content = file.read_bytes()
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind.endswith(("javascript", "json", "svg+xml"))
    packed = gzip.compress(content, 9, mtime=0) if text and len(content) > 500 else b""
    return StaticFile(kind, hashlib.sha256(content).hexdigest()[:12], content, packed)


def static(path: str) -> str:
    """The address of a file, new with each new content."""
    return f"/static/{path}?v={static_files()[path].digest}"


@router.get("/static/{path:path}", include_in_schema=False, name="static")
async def static_file(request: Request, path: str) -> Response:
    found = static_files().get(path)
    if found is None:
        raise NotFoundError(Problem(N_("there is no file {path}"), {"path": path[:200]}))
    tag = f'"{found.digest}"'
    headers = {"etag": tag, "vary": "accept-encoding", "cache-control": "no-cache"}
    if request.query_params.get("v") == found.digest:
        headers["cache-control"] = FOR_EVER
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if found.compressed and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.compressed, media_type=found.kind, headers={**headers, "content-encoding": "gzip"})
    return Response(found.plain, media_type=found.kind, headers=headers)
