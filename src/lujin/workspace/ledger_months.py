"""The ledger month by month as columns, kept under ``derived/ledger/``: a month's file is named by its entries."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl

from lujin.accounts.month_sums import SUMS, month_packs, month_sums, month_versions
from lujin.disk import write_whole
from lujin.errors import StoreError

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace


@dataclass(frozen=True, eq=False)
class LedgerMonth:
    """``sums``: columns SUMS. ``packs``: book, enterprise, pack. ``version`` changes with every entry."""

    month: int
    version: str
    sums: pl.DataFrame
    packs: pl.DataFrame


def ledger_month(workspace: Workspace, month: int) -> LedgerMonth:
    """What the ledger holds of the month now; empty where nothing is posted."""
    with workspace.engine.connect() as connection:
        version = month_versions(connection).get(month, "")
        packs = month_packs(connection, month)
        file = workspace.directory / "derived" / "ledger" / f"{month}-{version}.parquet"
        try:
            found = pl.read_parquet(file)
            if found.schema == pl.Schema(SUMS):
                return LedgerMonth(month, version, found, packs)
        except (OSError, pl.exceptions.PolarsError):
            pass
        sums = month_sums(connection, month)
    if version:
        content = BytesIO()
        sums.write_parquet(content, compression="zstd")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, content.getvalue())
            for old in file.parent.glob(f"{month}-*.parquet"):
                if old != file:
                    old.unlink(missing_ok=True)
        except (StoreError, OSError):
            pass
    return LedgerMonth(month, version, sums, packs)
