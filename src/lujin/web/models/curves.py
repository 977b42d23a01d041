"""Quantities step by step."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import polars as pl
from pydantic import Field

from lujin.accounts import Amount
from lujin.web.models.base import Answer, Instant, Part
from lujin.workspace.series import Series

_INSTANT = "%Y-%m-%dT%H:%M:%SZ"


class Curve(Answer):
    """``value`` in ``unit``, one per step; ``null``: nothing is known. The counts are of quarter hours."""

    meter: str
    unit: str = Field(examples=["kWh"])
    value: list[float | None]
    estimated: list[int]
    missing: list[int]
    suspect: list[int]


class SeriesAnswer(Answer):
    """``start`` of every step; the last one ends at ``end``. ``completeness``: measured of what was expected."""

    step: str
    timezone: str
    start: list[Instant]
    end: Instant
    curves: list[Curve]
    completeness: Part | None


def series_json(found: Series) -> bytes:
    """``SeriesAnswer`` as JSON: a year of hours is too much to look at value by value."""
    start = pl.from_epoch(pl.Series(found.start)).dt.strftime(_INSTANT).to_list()
    curves = [
        {
            "meter": name,
            "unit": Amount(1, found.units[row]).unit,
            "value": found.values(name),
            **{count: getattr(found, count)[row].tolist() for count in ("estimated", "missing", "suspect")},
        }
        for row, name in enumerate(found.names)
    ]
    end = datetime.fromtimestamp(found.end, UTC).strftime(_INSTANT)
    about = {"step": found.step, "timezone": found.timezone, "start": start, "end": end}
    return msgspec.json.encode({**about, "curves": curves, "completeness": found.completeness})
