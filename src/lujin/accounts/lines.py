"""Collects ledger lines as arrays and hands them out as one canonical frame.

A line is a transfer: one debit account, one credit account, one amount, so that no entry can be out of balance.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

Book = Literal["physical", "location", "market", "regulatory", "embodied"]
Quality = Literal["measured", "estimated"]

KEY = ("enterprise", "book", "debit", "credit", "commodity", "period", "quality", "rule", "factor", "subject")
SCHEMA: dict[str, type[pl.DataType]] = {
    "enterprise": pl.String,
    "book": pl.String,
    "day": pl.Date,
    "debit": pl.String,
    "credit": pl.String,
    "commodity": pl.String,
    "amount": pl.Int64,
    "period": pl.String,
    "quality": pl.String,
    "rule": pl.String,
    "factor": pl.String,
    "subject": pl.String,
}


class LineBook:
    """Lines of one month. Rows of equal key and day add up; zero amounts leave no line."""

    def __init__(self, days: Sequence[date]) -> None:
        self.days = tuple(days)
        self._keys: dict[tuple[str, ...], int] = {}
        self._parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []

    def add(
        self,
        amounts: NDArray[np.int64],
        days: NDArray[np.int64],
        *,
        enterprise: Sequence[str],
        debit: Sequence[str],
        credit: Sequence[str],
        subject: Sequence[str],
        book: Book,
        commodity: str,
        rule: str,
        factor: str = "",
        quality: Quality = "measured",
        period: str = "",
    ) -> None:
        """``amounts`` [k, d] of k keys on the d ``days`` (indices into the month). Accounts without enterprise."""
        at, column = np.nonzero(amounts)
        if not len(at):
            return
        used = np.flatnonzero(np.bincount(at, minlength=len(amounts)))
        ids = np.zeros(len(amounts), dtype=np.int64)
        for i in used.tolist():
            owner = enterprise[i]
            key = (
                owner,
                book,
                f"{owner}/{debit[i]}",
                f"{owner}/{credit[i]}",
                commodity,
                period,
                quality,
                rule,
                factor,
                subject[i],
            )
            ids[i] = self._keys.setdefault(key, len(self._keys))
        self._parts.append((ids[at], days[column], amounts[at, column]))

    def frame(self) -> pl.DataFrame:
        """All lines, sorted by key and day."""
        if not self._parts:
            return pl.DataFrame(schema=SCHEMA)
        keys = sorted(self._keys)
        rank = np.empty(len(keys), dtype=np.int64)
        rank[[self._keys[key] for key in keys]] = np.arange(len(keys))
        ids, days, amounts = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        place = rank[ids] * len(self.days) + days
        order = np.argsort(place, kind="stable")
        place = place[order]
        first = np.flatnonzero(np.diff(place, prepend=-1))
        summed = np.add.reduceat(amounts[order], first)
        kept = summed != 0
        place, summed = place[first][kept], summed[kept]
        names: pl.DataFrame = pl.DataFrame(keys, schema=dict.fromkeys(KEY, pl.String), orient="row")
        calendar = pl.Series("day", self.days, dtype=pl.Date)
        return (
            names.select(pl.all().gather(place // len(self.days)))
            .with_columns(calendar.gather(place % len(self.days)), amount=pl.Series(summed, dtype=pl.Int64))
            .select(list(SCHEMA))
        )
