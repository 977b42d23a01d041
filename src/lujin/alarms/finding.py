"""Something that a rule found: numbers, place, link, and a sentence that can be said in any language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from lujin.alarms.rules import Place
from lujin.errors import N_, Problem, Translate, as_written

Level = Literal["raise", "hold"]
THIN = "\u202f"


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence as data. A parameter may be a sentence of its own, a word that is translated."""

    message: str
    params: Mapping[str, str | Said] = field(default_factory=dict)

    def text(self, translate: Translate = as_written) -> str:
        params = {k: v.text(translate) if isinstance(v, Said) else v for k, v in self.params.items()}
        return translate(self.message).format(**params)

    def as_dict(self) -> dict[str, Any]:
        params = {k: v.as_dict() if isinstance(v, Said) else v for k, v in self.params.items()}
        return {"message": self.message, "params": params}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Said:
        params = {k: v if isinstance(v, str) else cls.of(v) for k, v in stored["params"].items()}
        return cls(stored["message"], params)

    @classmethod
    def problem(cls, problem: Problem) -> Said:
        params = {k: cls.problem(v) if isinstance(v, Problem) else str(v) for k, v in problem.params.items()}
        return cls(problem.message, params)


@dataclass(frozen=True, slots=True)
class Finding:
    """``cause`` names what is wrong so that it is told once. ``hold``: between good and bad; keeps an alarm
    that is open, raises none. ``enterprises``: whose matter it is, none: the park's alone. ``value`` and
    ``limit`` in ``unit``. ``link``: the page that shows more.
    """

    cause: str
    place: Place
    said: Said
    level: Level = "raise"
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    enterprises: tuple[str, ...] = ()
    link: str = ""

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        return {
            "cause": self.cause,
            "place": str(self.place),
            "level": self.level,
            "text": self.said.text(translate),
            "value": self.value,
            "limit": self.limit,
            "unit": self.unit,
            "enterprises": list(self.enterprises),
            "link": self.link,
        }


def number(value: float, digits: int = 1) -> str:
    """
    >>> number(1234.56)
    '1\u202f234.6'
    """
    return f"{value:,.{digits}f}".replace(",", THIN)


def percent(share: float) -> str:
    """
    >>> percent(0.98765)
    '98.8 %'
    """
    return f"{share * 100:.1f} %"


def local(instant: datetime, timezone: str) -> str:
    return f"{instant.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"


def some(names: list[str], most: int = 3) -> Said:
    """The first names, and how many more there are."""
    listed = ", ".join(names[:most])
    if len(names) <= most:
        return Said("{names}", {"names": listed})
    return Said(N_("{names} and {more} more"), {"names": listed, "more": str(len(names) - most)})
