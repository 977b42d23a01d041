"""Answers about where a number comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field, InstanceOf

from lujin.accounts import Amount, Explanation
from lujin.accounts.explain import LineReference
from lujin.accounts.explain_day import MeterDay
from lujin.accounts.explanation_levels import Located, children_of, located
from lujin.show.told import Told, told
from lujin.show.words import Words
from lujin.web.answers import Answer, Shown

# What the page shows as tables and charts instead of branches.
TABLED = ("day", "hour", "reading")


class Explained(Answer):
    """``part``: the node asked for, with as many levels below it as were asked for. ``days``: what each meter
    said, where the reference names a day.
    """

    reference: str
    part: dict[str, Any]
    days: tuple[Shown[MeterDay], ...]
    asked: InstanceOf[LineReference] = Field(exclude=True)
    root: InstanceOf[Located] = Field(exclude=True)

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        if self.days:
            return self._readings()
        header = ("id", "parent", "level", "kind", "text", "amount", "unit")
        return header, [_row(found) for found in located(self.root.node)]

    def _readings(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        header = ("meter", "time", "value", "unit", "quality", "counts", "late", "file", "row", "recorded")
        return header, [
            (
                day.meter,
                r.time.isoformat(),
                r.value,
                day.unit,
                r.quality,
                r.current,
                r.late,
                r.file,
                r.row,
                r.recorded.isoformat(),
            )
            for day in self.days
            for r in day.readings
        ]


def _row(found: Located) -> Sequence[Any]:
    amount = found.node.params.get("amount")
    known = (amount.value, amount.unit) if isinstance(amount, Amount) else (None, "")
    parent = found.path[-1] if found.path else ""
    return (found.id, parent, len(found.path), found.node.kind, found.node.sentence(), *known)


def branch(found: Located, words: Words) -> tuple[Told, list[Located], list[Explanation]]:
    """A node as the tree shows it: its words, the nodes below, and the days below it as a list of their own."""
    below = [child for child in children_of(found) if child.node.kind not in TABLED]
    days = [child for child in found.node.children if child.kind == "day"]
    return told(found.node, words), below, days


def hours(day: MeterDay, words: Words) -> dict[str, Any]:
    """Quarter hours of a meter for the chart; flags in words."""
    zone = words.park.timezone
    return {
        "name": day.meter,
        "unit": words.unit(day.amount.unit),
        "digits": 3,
        "x": list(_times(day, zone)),
        "values": [None if q.amount is None else float(q.amount.value) for q in day.quarters],
        "flags": [words.flags(q.flags) for q in day.quarters],
    }


def _times(day: MeterDay, zone: str) -> Iterator[str]:
    for quarter in day.quarters:
        yield quarter.start.astimezone(ZoneInfo(zone)).strftime("%H:%M")
