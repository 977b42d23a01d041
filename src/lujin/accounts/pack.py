"""Method packs (方法包): data that selects and parametrises rules for one book, versioned, with test vectors.

A pack is never changed after it has been used: a new reading of a standard is a new version in a new file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from lujin.accounts.rules import apply
from lujin.errors import N_, InputError, Problem

Exports = Literal["resale", "all"]
InPark = Literal["own_factor", "default"]
Matching = Literal["month", "hour", "year"]
Category = Literal["1", "3", "4", "5", "9"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FuelChoice(_Part):
    """Where the parameters of one carrier stand, if not under its own name in the pack's set."""

    set: str = ""
    name: str = ""
    kind: str = ""


class FuelRules(_Part):
    """Combustion: ``set`` of fuel parameters; ``gases`` beside CO2, with parameters per ``kinds`` of fuel.

    ``kinds``: kind as in the parameter table → fuels (names in the set). ``carriers``: choices per carrier id.
    """

    set: str
    gases: tuple[Literal["CH4", "N2O"], ...] = ()
    gases_set: str = ""
    kinds: Mapping[str, tuple[str, ...]] = {}
    carriers: Mapping[str, FuelChoice] = {}

    def kind(self, carrier: str, name: str) -> str:
        """The kind of fuel whose CH4 and N2O parameters apply; empty: none is named."""
        choice = self.carriers.get(carrier)
        if choice and choice.kind:
            return choice.kind
        return next((kind for kind, names in self.kinds.items() if name in names), "")


class ElectricityRules(_Part):
    """``purpose``: of the grid factor. ``exports``: what is deducted from purchases, all or resale only.

    ``matching``: the period within which a claim must meet purchases. ``sold_attributes``: self-used renewable
    power whose certificate is claimed counts at the residual mix.
    """

    rule: str
    purpose: str
    exports: Exports
    matching: Matching = "month"
    sold_attributes: bool = False
    instruments: tuple[str, ...] = ()
    reported_apart: tuple[str, ...] = ()


class HeatRules(_Part):
    """``region``: of the factor, empty for the nation. ``without_factor``: carriers that heat's does not fit."""

    rule: str
    exports: Exports
    region: str = ""
    without_factor: tuple[str, ...] = ()


class ProcessRules(_Part):
    """``names``: the carrier's process name → name in the table. ``purity`` [1] where no analysis is given."""

    names: Mapping[str, str] = {}
    purity: Decimal = Decimal(1)


class ConsolidationRules(_Part):
    """The book can be consolidated by addition. ``in_park``: factor of energy that a plant of the park made."""

    in_park: InPark


class Scope3Rules(_Part):
    """Which categories of scope 3 are posted where the reference has a factor."""

    categories: tuple[Category, ...]


class CoalRules(_Part):
    """``names``: name of the carrier → name in the coal-equivalent table."""

    names: Mapping[str, str] = {}
    without_coefficient: tuple[str, ...] = ()


class Vector(_Part):
    """A published worked example: what the rule must give, within the rounding of the publication.

    ``arguments``: first the amount [base units, integers], then parameters as text. ``expected`` and
    ``tolerance`` in ``unit``.
    """

    title: str
    source: str
    rule: str
    arguments: Mapping[str, tuple[int, ...] | Decimal]
    expected: tuple[Decimal, ...]
    unit: Literal["t", "kg", "CNY"]
    tolerance: Decimal

    def result(self) -> tuple[Decimal, ...]:
        """What the rule gives, in ``unit``."""
        scale = {"t": Decimal(10**9), "kg": Decimal(10**6), "CNY": Decimal(100)}[self.unit]
        found = apply(self.rule, self.arguments)
        return tuple(Decimal(int(v)) / scale for v in np.atleast_1d(found))

    def holds(self) -> bool:
        found = self.result()
        return len(found) == len(self.expected) and all(
            abs(a - b) <= self.tolerance for a, b in zip(found, self.expected, strict=True)
        )


class Pack(_Part):
    """One method version for one book. ``unproven``: rules for which no published worked example was found.

    ``carries``: accounts or groups of them, e.g. ``WIP``, that may hold a balance when a month is closed; it is
    disclosed then.
    """

    id: str
    book: Literal["physical", "location", "market", "regulatory", "embodied"]
    title_zh: str
    title_en: str
    standard: str
    clause: str
    gwp: str = ""
    fuel: FuelRules | None = None
    electricity: ElectricityRules | None = None
    heat: HeatRules | None = None
    process: ProcessRules | None = None
    coal: CoalRules | None = None
    consolidation: ConsolidationRules | None = None
    scope3: Scope3Rules | None = None
    carries: tuple[str, ...] = ()
    unproven: Mapping[str, str] = {}
    vectors: tuple[Vector, ...] = ()

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of the rules that the pack applies."""
        found = []
        if self.fuel:
            found += ["combustion@1", *(["combustion_gas@1"] if self.fuel.gases else [])]
        if self.process:
            found.append("process@1")
        found += [part.rule for part in (self.electricity, self.heat) if part]
        if self.consolidation:
            found.append("elimination@1")
            found += ["own_factor@1"] if self.consolidation.in_park == "own_factor" else []
        if self.electricity and self.electricity.sold_attributes:
            found.append("sold_attribute@1")
        if self.scope3:
            found += ["scope3_activity@1", "scope3_transport@1"]
        if self.book == "embodied":
            found += ["pass_on@1", "stock_change@1", "captured_co2@1"]
        if self.coal:
            found += ["metered@1", "self_use@1", "coal_equivalent@1", "coal_equal_value@1"]
            found += ["energy_cost@1", "basic_charge@1", "feed_in@1"]
        return tuple(found)


DEFAULT_PHYSICAL = "energy-gbt2589@1"


@lru_cache(maxsize=1)
def packs() -> Mapping[str, Pack]:
    """All packs that the program ships, by id."""
    folder = resources.files("lujin.accounts") / "packs"
    found = [
        Pack.model_validate(tomllib.loads(file.read_text("utf-8"), parse_float=Decimal))
        for file in folder.iterdir()
        if file.name.endswith(".toml")
    ]
    return {pack.id: pack for pack in sorted(found, key=lambda pack: pack.id)}


def pack(pack_id: str, book: str) -> Pack:
    """The pack by id. InputError: there is none, or it is made for another book."""
    found = packs().get(pack_id)
    if found is not None and found.book == book:
        return found
    params = {
        "pack": pack_id,
        "book": book,
        "known": ", ".join(p.id for p in packs().values() if p.book == book),
    }
    raise InputError(
        Problem(
            N_("there is no method pack {pack} for book {book}"),
            params,
            N_("use one of: {known}"),
            file="park.toml",
            field="packs",
        )
    )
