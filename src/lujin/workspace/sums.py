"""Sums of all accounts of a month, kept under ``derived/`` until a newer entry of that month is recorded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import sqlalchemy as sa

from lujin.accounts.account_sums import SUMS_SCHEMA, sums_of_month
from lujin.accounts.tables import entry
from lujin.disk import write_whole
from lujin.errors import StoreError

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

_VERSION = 1


def posted_months(workspace: Workspace) -> tuple[int, ...]:
    """Every month that holds entries, in order."""
    with workspace.engine.connect() as connection:
        return tuple(connection.execute(sa.select(entry.c.month).distinct().order_by(entry.c.month)).scalars())


def account_sums(workspace: Workspace, months: Iterable[int]) -> pl.DataFrame:
    """The own accounts of all enterprises in these months, a sums frame (see ``accounts.account_sums``)."""
    wanted = sorted(set(months))
    stamps = _stamps(workspace, wanted)
    frames = [_month(workspace, month, stamps[month]) for month in wanted if month in stamps]
    return pl.concat(frames) if frames else pl.DataFrame(schema=SUMS_SCHEMA)


def _stamps(workspace: Workspace, months: Sequence[int]) -> dict[int, str]:
    """Month → id of its newest entry, a digest of what it holds; entries are never taken away."""
    newest = sa.select(sa.func.max(entry.c.number)).where(entry.c.month.in_(months)).group_by(entry.c.month)
    select = sa.select(entry.c.month, entry.c.id).where(entry.c.number.in_(newest))
    with workspace.engine.connect() as connection:
        return {row.month: row.id for row in connection.execute(select)}


def _month(workspace: Workspace, month: int, stamp: str) -> pl.DataFrame:
    folder = workspace.directory / "derived"
    file = folder / f"accounts-{month}-{_VERSION}-{stamp[:20]}.parquet"
    if (known := _known(file)) is not None:
        return known
    with workspace.engine.connect() as connection:
        found = sums_of_month(connection, month)
    held = BytesIO()
    found.write_parquet(held, compression="zstd", statistics=False)
    with suppress(StoreError):  # a full disk hides no account; the sums are worked out again the next time
        folder.mkdir(exist_ok=True)
        write_whole(file, held.getvalue())
        for older in folder.glob(f"accounts-{month}-*.parquet"):
            if older != file:
                older.unlink(missing_ok=True)
    return found


def _known(file: Path) -> pl.DataFrame | None:
    """What was kept, if the file is whole."""
    try:
        found = pl.read_parquet(file)
    except (OSError, pl.exceptions.PolarsError):
        return None
    return found if dict(found.schema) == dict(SUMS_SCHEMA) else None
