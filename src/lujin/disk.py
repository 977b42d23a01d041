"""Small files: written whole or not at all, and a full disk said in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path

from lujin.errors import N_, Problem, StoreError

_FULL = frozenset({ENOSPC, EDQUOT, EFBIG})


@contextmanager
def said(path: Path) -> Iterator[None]:
    """Failures to write ``path`` as StoreError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            message = N_("the disk is full; this file was not written")
            remedy = N_("free some space and repeat the command; what was stored before is intact")
        else:
            message = N_("the file cannot be written: {reason}")
            remedy = N_("check that the directory exists and is writable")
        reason = {"reason": error.strerror or str(error)}
        raise StoreError(Problem(message, reason, remedy, file=str(path))) from error


def write_whole(path: Path, text: str | bytes) -> None:
    """Write a file; text as UTF-8. Whoever reads it finds the old content or the new one, never a part.

    StoreError: it could not be written, and the old content still stands.
    """
    held = text.encode() if isinstance(text, str) else text
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with said(path):
        try:
            with draft.open("wb") as file:
                file.write(held)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
