"""What a rule is: dated data with an owner. Each kind says where it may look and which parameters it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from lujin.errors import N_

Kind = Literal["completeness", "limit", "demand", "anomaly", "late", "claimed_twice", "ledger"]
Severity = Literal["info", "warning", "critical"]
PlaceKind = Literal["park", "enterprise", "meter", "flow", "connection"]

EACH = "*"
SEVERITIES: Mapping[Severity, str] = {
    "info": N_("for information"),
    "warning": N_("warning"),
    "critical": N_("critical"),
}
PLACES: Mapping[PlaceKind, str] = {
    "park": N_("the whole park"),
    "enterprise": N_("enterprise"),
    "meter": N_("meter"),
    "flow": N_("flow"),
    "connection": N_("grid connection"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule looks, or where something was found. ``id`` "*": each of the kind, judged by itself.

    >>> str(Place("enterprise", "E004")), str(Place("park"))
    ('enterprise:E004', 'park')
    """

    kind: PlaceKind
    id: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}" if self.id else self.kind


@dataclass(frozen=True, slots=True)
class Parameter:
    """``choices``: the words that it takes; without any a number of ``unit`` between ``least`` and ``most``."""

    name: str
    title: str
    default: str
    unit: str = ""
    least: Decimal = Decimal(0)
    most: Decimal = Decimal(10**12)
    choices: Mapping[str, str] = field(default_factory=dict)
    free: bool = False  # any word


@dataclass(frozen=True, slots=True)
class KindOf:
    title: str
    places: tuple[PlaceKind, ...]
    parameters: tuple[Parameter, ...] = ()
    step_h: int = 24  # of a dry run


KINDS: Mapping[Kind, KindOf] = {
    "completeness": KindOf(
        N_("completeness of readings"),
        ("park", "enterprise", "meter"),
        (
            Parameter("least", N_("at least"), "95", "%", most=Decimal(100)),
            Parameter("window_h", N_("over the last"), "24", "h", Decimal(1), Decimal(2000)),
            Parameter("delay_h", N_("readings may be late by"), "2", "h", Decimal(0), Decimal(720)),
            Parameter("margin", N_("cleared when better by"), "1", "%", most=Decimal(100)),
        ),
    ),
    "limit": KindOf(
        N_("limit of energy, power or carbon"),
        ("enterprise", "flow", "park"),
        (
            Parameter(
                "quantity",
                N_("quantity"),
                "energy",
                choices={"energy": N_("energy"), "power": N_("power"), "carbon": N_("carbon")},
            ),
            Parameter("direction", N_("when"), "above", choices={"above": N_("above"), "below": N_("below")}),
            Parameter("value", N_("limit"), "", most=Decimal(10**15)),
            Parameter("period", N_("over"), "day", choices={"day": N_("a day"), "month": N_("a month")}),
            Parameter("minutes", N_("mean over"), "15", "min", choices={"15": "15", "30": "30", "60": "60"}),
            Parameter("carrier", N_("carrier"), "electricity", free=True),
            Parameter(
                "book",
                N_("book"),
                "location",
                choices={
                    "location": N_("location-based"),
                    "market": N_("market-based"),
                    "regulatory": N_("regulatory"),
                },
            ),
            Parameter("margin", N_("cleared when better by"), "5", "%", most=Decimal(100)),
        ),
    ),
    "demand": KindOf(
        N_("demand peak approaching the contract"),
        ("connection", "enterprise"),
        (
            Parameter("share", N_("from this share of the contract"), "90", "%", Decimal(1), Decimal(200)),
            Parameter("minutes", N_("mean over"), "15", "min", choices={"15": "15", "30": "30"}),
            Parameter("margin", N_("cleared when better by"), "5", "%", most=Decimal(100)),
        ),
        step_h=6,
    ),
    "anomaly": KindOf(
        N_("anomaly of a meter"),
        ("park", "enterprise", "meter"),
        (
            Parameter("slots", N_("suspect quarter hours in a day"), "4", least=Decimal(1), most=Decimal(96)),
            Parameter("days", N_("look back"), "2", "d", Decimal(1), Decimal(14)),
            Parameter("hours", N_("unusual hours in a day"), "4", "h", Decimal(1), Decimal(24)),
            Parameter("deviation", N_("unusual from so many deviations"), "8", "", Decimal(3), Decimal(100)),
        ),
    ),
    "late": KindOf(
        N_("data late"),
        ("park", "enterprise", "meter"),
        (Parameter("after_h", N_("nothing heard for"), "24", "h", Decimal(1), Decimal(8760)),),
        step_h=6,
    ),
    "claimed_twice": KindOf(N_("certificate claimed twice"), ("park",)),
    "ledger": KindOf(N_("the ledger or its chain does not hold"), ("park",)),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """``owner``: "" for the park, else the enterprise whose own rule it is. ``recipients``: ``mailto:…`` or
    ``webhook:NAME``; the page always shows it. ``quiet``: local hours "22:00-07:00" in which nobody is told unless
    it is critical. ``escalate_after_min`` without acknowledgement (0: never) also ``escalate_to`` is told.
    """

    id: str
    kind: Kind
    place: Place
    name: str = ""
    owner: str = ""
    severity: Severity = "warning"
    parameters: Mapping[str, str] = field(default_factory=dict)
    recipients: tuple[str, ...] = ()
    quiet: str = ""
    escalate_after_min: int = 0
    escalate_to: tuple[str, ...] = ()
    enabled: bool = True

    def number(self, name: str) -> Decimal:
        return Decimal(self.text(name))

    def text(self, name: str) -> str:
        if name in self.parameters:
            return self.parameters[name]
        return next(p.default for p in KINDS[self.kind].parameters if p.name == name)

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "place": str(self.place),
            "name": self.name,
            "owner": self.owner,
            "severity": self.severity,
            "parameters": dict(self.parameters),
            "recipients": list(self.recipients),
            "quiet": self.quiet,
            "escalate_after_min": self.escalate_after_min,
            "escalate_to": list(self.escalate_to),
            "enabled": self.enabled,
        }
