"""Where a number comes from, and the carbon that each hour's energy carried."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ConfigDict, Field

from lujin.web.models.base import Answer, Month, Told


class Explained(Answer):
    """One sentence with its numbers (further members, by ``kind``), and what it rests on below it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str
    text: str
    children: list[Explained] = Field(default_factory=list)


class TracedEnergy(Answer):
    """``amount`` [base unit], ``co2e`` [mg]; intensities [mg CO2e per base unit]: mean, least, greatest hour."""

    enterprise: str
    carrier: str
    amount: int
    co2e: float
    mean: float | None
    least: float | None
    greatest: float | None


class Trace(Answer):
    """``balance_mg``: gases that were emitted, used and left over [mg]; what is left over is rounding."""

    month: Month
    file: str
    sha256: str
    gwp: str
    balance_mg: Mapping[str, Mapping[str, float]]
    enterprises: list[TracedEnergy]
    problems: list[Told]
