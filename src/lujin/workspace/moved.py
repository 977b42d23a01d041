"""How far totals of enterprises moved (前后对照): what an arrival or its undoing changed once it was posted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lujin.accounts import Amount
from lujin.accounts.statement_parts import plain
from lujin.workspace.overview import EnterpriseMonth, month_overview

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

Totals = Mapping[tuple[int, str], EnterpriseMonth]


@dataclass(frozen=True, slots=True)
class Moved:
    """``what``: a carrier's id, "cost", or "carbon" (location book, CO2e). None: there was no total."""

    month: int
    enterprise: str
    what: str
    before: Amount | None
    after: Amount | None

    def as_dict(self) -> dict[str, Any]:
        return {name: plain(getattr(self, name)) for name in self.__dataclass_fields__}


def totals_of_months(workspace: Workspace, months: Collection[int]) -> Totals:
    """What the ledger says now of every enterprise that has an account in one of the months."""
    return {(m, e.enterprise): e for m in sorted(months) for e in month_overview(workspace, m).enterprises}


def moved(before: Totals, after: Totals) -> Iterator[Moved]:
    """Every total that differs, by month and enterprise."""
    for key in sorted({*before, *after}):
        old, new = _figures(before.get(key)), _figures(after.get(key))
        for what in dict.fromkeys((*old, *new)):
            if old.get(what) != new.get(what):
                yield Moved(*key, what, old.get(what), new.get(what))


def _figures(month: EnterpriseMonth | None) -> Mapping[str, Amount | None]:
    if month is None:
        return {}
    location = month.book("location")
    carriers: dict[str, Amount | None] = {line.carrier: line.used for line in month.energy}
    return {**carriers, "cost": month.cost, "carbon": None if location is None else location.co2e}
