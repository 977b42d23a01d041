"""The signing key of a park: Ed25519, ``keys/signing.pem`` (PKCS #8), for its owner's eyes only."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from lujin.disk import said
from lujin.errors import N_, InputError, Problem
from lujin.publish.integrity import did_of

FILE = "signing.pem"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def signing_key(directory: Path, *, create: bool = True) -> Ed25519PrivateKey:
    """The key in ``directory`` (``<park>/keys``); made on first use unless ``create`` is False.

    InputError: there is none, it is no Ed25519 key, or others than its owner may read it.
    """
    path = directory / FILE
    if not path.exists():
        if not create:
            message = N_("this park has no signing key yet")
            raise InputError(Problem(message, {}, N_("close a period: the key is made then"), file=str(path)))
        _make(directory, path)
    _private(directory, "700")
    _private(path, "600")
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        reason = {"reason": error.strerror or str(error)}
        raise InputError(
            Problem(N_("the key cannot be read: {reason}"), reason, _RESTORE, file=str(path))
        ) from error
    except (ValueError, TypeError):
        raise InputError(Problem(N_("this is no signing key"), {}, _RESTORE, file=str(path))) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(Problem(N_("this key is not of the kind Ed25519"), {}, _RESTORE, file=str(path)))
    return key


_RESTORE = N_(
    "restore the file from a backup; with a new key the park has a new name, to be told to all who trust the old"
)


def public_did(key: Ed25519PrivateKey | Ed25519PublicKey) -> str:
    """did:key of the key: the name under which the park signs."""
    return did_of(key if isinstance(key, Ed25519PublicKey) else key.public_key())


def _make(directory: Path, path: Path) -> None:
    """Whoever comes first makes the key; a second process at the same moment finds it and uses it."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with said(path):
        directory.mkdir(parents=True, mode=0o700, exist_ok=True)
        handle, name = mkstemp(dir=directory, prefix=f".{FILE}.")  # mode 0600
        draft = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)


def _private(path: Path, mode: str) -> None:
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & _OTHERS:
        message = N_("others than its owner may use {path}, so whatever it signed proves nothing")
        remedy = N_("run: chmod {mode} {path}")
        raise InputError(Problem(message, {"path": path, "mode": mode}, remedy))
