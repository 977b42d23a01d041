"""What the park's operator sets while the server runs: mail server, webhooks, quiet hours, sessions, uploads.

Append-only: the newest value of a name holds. A secret is stored encrypted (AES-256-GCM, its name bound in) with a
key that lies in ``keys/`` beside the park, not in the database, so that a copy of the database tells none; or it
is written as ``env:NAME`` and read from the environment of the server. No secret is ever shown again.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from lujin.database import Instant, Json, append_only, metadata, writing
from lujin.errors import N_, InputError, Problem, StaleError, StoreError

operator_setting = append_only(
    sa.Table(
        "operator_setting",
        metadata,
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", Json, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.Index("ix_operator_setting_name_number", "name", "number"),
        sqlite_strict=True,
    )
)

ENVIRONMENT = "env:"
KEY_FILE = "settings.key"


@dataclass(frozen=True, slots=True)
class Kept:
    """The newest values as they are stored, by name, and the number of the last change: what a form goes by."""

    values: Mapping[str, Any]
    version: int


def stored(engine: Engine) -> Kept:
    with engine.connect() as connection:
        return _stored(connection)


def _stored(connection: Connection) -> Kept:
    newest = sa.select(sa.func.max(operator_setting.c.number)).group_by(operator_setting.c.name)
    select = sa.select(operator_setting).where(operator_setting.c.number.in_(newest))
    rows = connection.execute(select).all()
    return Kept({row.name: row.value for row in rows}, max((row.number for row in rows), default=0))


def store(
    engine: Engine,
    changed: Mapping[str, Any],
    author: str,
    now: datetime,
    *,
    version: int | None = None,
    also: Callable[[Connection], None] | None = None,
) -> None:
    """Keep the values that differ from the newest ones. ``also`` is written in the same transaction.

    StaleError: something was set since ``version``.
    """
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE operator_setting IN EXCLUSIVE MODE"))
        kept = _stored(connection)
        known = kept.values
        if version is not None and version != kept.version:
            message = N_("somebody changed the settings meanwhile")
            raise StaleError(Problem(message, {}, N_("look at them as they are now, and make your change again")))
        for name, value in changed.items():
            if name not in known or known[name] != value:
                row = {"name": name, "value": value, "author": author, "recorded_at": now}
                connection.execute(sa.insert(operator_setting).values(**row))
        if also is not None:
            also(connection)


# ------------------------------------------------------------------------------------------------ secrets


def sealed(name: str, text: str, keys: Path) -> str:
    """The secret as it is stored: encrypted, or the name of a variable of the environment as it was written."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if not text or text.startswith(ENVIRONMENT):
        return text
    nonce = secrets.token_bytes(12)
    box = AESGCM(_key(keys)).encrypt(nonce, text.encode(), name.encode())
    return "aes:" + base64.b64encode(nonce + box).decode()


def opened(name: str, kept: str, keys: Path, environment: Mapping[str, str] = os.environ) -> str:
    """The secret itself. InputError: the variable is not set. StoreError: the key is another one."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if kept.startswith(ENVIRONMENT):
        variable = kept.removeprefix(ENVIRONMENT)
        if variable not in environment:
            message = N_("the environment has no variable {variable}")
            remedy = N_("set it where the server is started, or enter the secret itself")
            raise InputError(Problem(message, {"variable": variable}, remedy, field=name))
        return environment[variable]
    if not kept.startswith("aes:"):
        return kept
    box = base64.b64decode(kept.removeprefix("aes:"))
    try:
        return AESGCM(_key(keys)).decrypt(box[:12], box[12:], name.encode()).decode()
    except InvalidTag:
        message = N_("the stored secret of {name} cannot be read with the key of this park")
        raise StoreError(Problem(message, {"name": name}, N_("enter it again on the page Settings"))) from None


def _key(keys: Path) -> bytes:
    """The key, made on first use, readable by its owner alone."""
    file = keys / KEY_FILE
    try:
        keys.mkdir(mode=0o700, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return base64.b64decode(file.read_bytes())
        with os.fdopen(descriptor, "wb") as out:
            key = secrets.token_bytes(32)
            out.write(base64.b64encode(key))
        return key
    except OSError as error:
        message = N_("the key that protects secrets cannot be read or written: {reason}")
        remedy = N_("check the folder keys of the park")
        raise StoreError(
            Problem(message, {"reason": error.strerror or str(error)}, remedy, file=str(file))
        ) from error
