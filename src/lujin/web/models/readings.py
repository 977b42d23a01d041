"""Readings as they are stored, and what became of those that arrived."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from lujin.web.models.base import Answer, Instant, Month, Told, shown


class Reading(Answer):
    """``value`` in ``unit``, the meter's own. ``source``: number of the arrival that brought it."""

    model_config = shown(
        meter="K001-EL1", time="2025-06-01T00:00:00Z", value=12.5, unit="kWh", quality="measured", source=7
    )

    meter: str
    time: Instant
    value: float
    unit: str
    quality: str = Field(description="measured, estimated or manual")
    source: int


class Correction(Answer):
    meter: str
    time: Instant
    old: float
    new: float


class Conflict(Answer):
    """Rows of one body that give the same meter and time different values; the last one counts."""

    meter: str
    time: Instant
    rows: list[int]
    values: list[float]


class ArrivalReport(Answer):
    """What became of the readings: read = accepted + already_known + corrects + conflicts + rejected + empty.

    ``source``: number of the arrival, 0 if nothing had to be stored; ``same_as``: of an earlier arrival of the
    very same bytes. ``rejections``: the first refused rows, each with its reason; ``reasons`` counts them all.
    """

    model_config = shown(
        source=8, same_as=None, name="gateway 3", read=3, accepted=2, already_known=0, corrects=0, conflicts=0,
        rejected=1, empty=0, first="2025-06-30T16:15:00Z", last="2025-06-30T16:30:00Z", meters=["K001-EL1"],
        months=["2025-07"], reasons={"unknown_meter": 1}, corrections=[], conflict_list=[], seconds=0.08,
        dry_run=False,
        rejections=[{
            "message": "the park has no meter NOPE",
            "remedy": "correct the number, or add it as an alias of a meter in park.toml",
            "severity": "error", "file": "gateway 3", "row": 3, "field": "meter",
        }],
    )  # fmt: skip

    source: int
    same_as: int | None
    name: str
    read: int
    accepted: int
    already_known: int
    corrects: int
    conflicts: int
    rejected: int
    empty: int
    first: Instant | None
    last: Instant | None
    meters: list[str]
    months: list[Month]
    reasons: Mapping[str, int]
    rejections: list[Told]
    corrections: list[Correction]
    conflict_list: list[Conflict]
    seconds: float
    dry_run: bool = False


class Arrival(Answer):
    """One arrival. ``state``: started, committed, abandoned, or undone, by the arrival ``undone_by``. ``undoes``:
    the one that it took back itself, for ``reason``. ``months``: those whose accounts it can move. ``counts``:
    accepted, already_known, corrects, conflicts, rejected, empty; or withdrawn, restated, untouched. ``refused``:
    whether the refused rows are there to be looked at.
    """

    number: int
    name: str
    recorded_at: Instant
    author: str
    party: str
    state: str
    counts: Mapping[str, int | bool | str]
    months: list[Month]
    mapping: str
    undone_by: int | None
    undoes: int | None
    reason: str
    refused: bool
