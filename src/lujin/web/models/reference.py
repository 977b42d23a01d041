"""Published facts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from lujin.web.models.base import Answer


class ReferenceRow(Answer):
    """``valid_from`` and ``valid_to``: both days count; ``null``: unbounded. ``values``: all columns as published.

    ``origin``: lujin, or the park's own file, with ``line`` in it.
    """

    id: str
    table: str
    value: str
    unit: str
    valid_from: date | None
    valid_to: date | None
    source: str
    confidence: str
    origin: str
    line: int | None
    values: Mapping[str, str]
