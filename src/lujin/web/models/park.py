"""What there is in a park: enterprises, flows, meters; and how far its months have come."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from lujin.web.models.base import Answer, Completeness, Instant, Month, Part, Text, shown


class ParkAnswer(Answer):
    """``packs``: book → method pack; ``months``: those that have postings."""

    id: str
    name_zh: str
    name_en: str
    timezone: str = Field(examples=["Asia/Shanghai"])
    region: str
    packs: Mapping[str, str]
    base_year: int | None
    months: list[Month]


class Enterprise(Answer):
    """A holder of an account."""

    model_config = shown(
        id="K001", name_zh="示例食品有限公司", name_en="Example Foods", kind="enterprise", sector="C1432",
        valid_from=None, valid_to=None,
    )  # fmt: skip

    id: str = Field(examples=["K001"])
    name_zh: str
    name_en: str
    kind: str
    sector: str
    valid_from: Instant | None
    valid_to: Instant | None


class Meter(Answer):
    """``enterprises``: those at either end of the flows it measures. ``chain``: all devices of its measuring
    point, oldest first. ``terms``: of a virtual meter, meter → coefficient.
    """

    meter: str = Field(examples=["K001-EL1"])
    kind: str = Field(description="interval, register, power or virtual")
    unit: str
    multiplier: Text
    digits: int | None
    interval_s: int = Field(description="expected spacing of readings [s]; 0: a calendar month")
    accuracy_class: str
    carrier: str
    source: str
    target: str
    flows: list[str]
    enterprises: list[str]
    chain: list[str]
    terms: Mapping[str, Text]
    valid_from: Instant | None
    valid_to: Instant | None
    completeness: Completeness | None = Field(None, description="of the month asked for, as posted")


class Flow(Answer):
    """A quantity of one carrier from one node to another. ``meters``: those that measure it."""

    id: str
    source: str
    target: str
    carrier: str
    meters: list[str]
    valid_from: Instant | None
    valid_to: Instant | None


class MonthStatus(Answer):
    """``waiting``: enterprises whose facts are newer than their postings. Counts are slots of all meters."""

    month: Month
    period: str
    posted: int
    waiting: int
    entries: int
    expected: int
    measured: int
    estimated: int
    missing: int
    suspect: int
    recorded_at: Instant | None
    completeness: Part | None


class Status(Answer):
    unfinished_imports: int
    months: list[MonthStatus]

    def table(self) -> tuple[list[str], list[list[str]]]:
        header = list(MonthStatus.model_fields)
        return header, [
            ["" if v is None else str(v) for v in month.model_dump().values()] for month in self.months
        ]
