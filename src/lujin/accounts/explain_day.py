"""The end of an explanation: what each meter behind a number said on a day, every version of every reading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from lujin.accounts.amounts import Amount
from lujin.accounts.explanation import Explanation
from lujin.accounts.statement_parts import Part


@dataclass(frozen=True, slots=True)
class Quarter(Part):
    """A quarter hour. ``amount`` None: nothing is known of it. ``flags``: names as in ``readings.flags``."""

    start: datetime
    amount: Amount | None
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MeterReading(Part):
    """One version of a reading. ``current``: it counts, no later one took its place. ``late``: it was recorded
    after the month was first posted. ``value`` as the meter sent it, in ``unit``.
    """

    time: datetime
    value: Decimal
    quality: str
    current: bool
    late: bool
    file: str
    row: int
    recorded: datetime


@dataclass(frozen=True, slots=True)
class MeterDay(Part):
    """``flows``: those it counts for. ``multiplier``: what ``value`` is multiplied by (CT × PT ratio)."""

    meter: str
    kind: str
    unit: str
    multiplier: Decimal
    flows: tuple[str, ...]
    amount: Amount
    quarters: tuple[Quarter, ...]
    readings: tuple[MeterReading, ...]

    @property
    def corrected(self) -> int:
        return sum(not reading.current for reading in self.readings)

    @property
    def late(self) -> int:
        return sum(reading.late for reading in self.readings)


def days_in(explanation: Explanation) -> tuple[MeterDay, ...]:
    """The meters of an explanation of one day; empty where it is of a whole month."""
    first = _first_posted(explanation)
    found: dict[str, MeterDay] = {}
    for flow in explanation.walk():
        if flow.kind != "flow":
            continue
        for node in flow.children:
            if node.kind == "meter" and any(child.kind in ("hour", "reading") for child in node.children):
                name = str(node.params["meter"])
                flows = (*(found[name].flows if name in found else ()), str(flow.params["flow"]))
                found[name] = _meter(node, tuple(dict.fromkeys(flows)), first)
    return tuple(found.values())


def _first_posted(explanation: Explanation) -> datetime | None:
    times = [
        datetime.fromisoformat(node.params["recorded_at"])
        for node in explanation.walk()
        if node.kind == "entry" and node.params["version"] == 1
    ]
    return min(times, default=None)


def _meter(node: Explanation, flows: tuple[str, ...], first: datetime | None) -> MeterDay:
    amount: Amount = node.params["amount"]
    slots = [slot for child in node.children if child.kind == "hour" for slot in child.data["slots"]]
    return MeterDay(
        str(node.params["meter"]),
        str(node.data["meter_kind"]),
        str(node.data["unit"]),
        node.data["multiplier"],
        flows,
        amount,
        tuple(_quarter(slot, amount.base_unit) for slot in slots),
        tuple(_readings(node, first)),
    )


def _quarter(slot: dict[str, Any], unit: str) -> Quarter:
    flags = tuple(slot["flags"])
    amount = None if {"MISSING", "OUTSIDE"} & set(flags) else Amount(int(slot["amount"]), unit)
    return Quarter(datetime.fromisoformat(slot["start"]), amount, flags)


def _readings(node: Explanation, first: datetime | None) -> Iterator[MeterReading]:
    for child in node.children:
        if child.kind == "reading":
            p, recorded = child.params, datetime.fromisoformat(child.params["recorded"])
            yield MeterReading(
                datetime.fromisoformat(p["time"]),
                Decimal(str(p["value"])),
                str(p["quality"]),
                bool(child.data["current"]),
                first is not None and recorded > first,
                str(p["file"]),
                int(p["row"]),
                recorded,
            )
