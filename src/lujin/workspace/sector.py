"""An enterprise beside its sector: median and quartiles of the others, so that no neighbour can be read off.

Quartiles are shown from ``LEAST`` others on, and rounded: of few values a quartile is one of them, and whoever
knows the sector would know whose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lujin.accounts.sections import summed
from lujin.accounts.statement import check_asked
from lujin.accounts.statement_parts import Part
from lujin.park import Park
from lujin.workspace.sums import account_sums, posted_months
from lujin.workspace.trend import MonthPoint, gwp_by_month, point, span

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

LEAST = 5  # others with a value, before quartiles are shown
LEVELS = (5, 4, 3)  # GB/T 4754: letter with four digits (小类), three (中类), two (大类)
_NO_SLOTS = summed(())

# Measure → its unit. All are free of an enterprise's size.
MEASURES: Mapping[str, str] = {
    "energy_index": "%",  # standard coal (equal value) of the month over the enterprise's own mean of all months
    "energy_price": "CNY/tce",  # net cost of energy over standard coal, equal value
    "carbon_intensity": "tCO2e/tce",  # scopes 1 and 2, location-based, over standard coal, equal value
    "energy_per_area": "kgce/m²",
    "energy_per_employee": "tce/person",
}


@dataclass(frozen=True, slots=True)
class SectorPoint(Part):
    """One measure in one month. ``own``: None where it cannot be formed. ``others``: how many have a value;
    the quartiles are None where they are fewer than ``LEAST``.
    """

    month: int
    own: Decimal | None
    others: int
    lower: Decimal | None
    median: Decimal | None
    upper: Decimal | None


@dataclass(frozen=True, slots=True)
class SectorComparison(Part):
    """``sector``: the enterprise's class (GB/T 4754-2017), ``group``: the widened code that it is compared within,
    the narrowest with ``LEAST`` others; empty: there is none. ``members``: the others in it.
    """

    enterprise: str
    sector: str
    group: str
    members: int
    least: int
    measures: Mapping[str, tuple[SectorPoint, ...]]

    @property
    def comparable(self) -> bool:
        return bool(self.group)


Points = Mapping[str, Mapping[int, MonthPoint]]  # enterprise → month → what the ledger says of it


def sector(
    workspace: Workspace,
    enterprise: str,
    first: int | None = None,
    last: int | None = None,
    known: Points | None = None,
) -> SectorComparison:
    """Months ``first`` to ``last`` (None: all that are posted, at most the last 24). ``known``: the points of all
    enterprises, for those who ask for many of them.

    InputError: no such enterprise.
    """
    park = workspace.park
    check_asked(park, enterprise, "physical")
    group, others = peers(park, enterprise)
    posted = posted_months(workspace)
    own_class = park.nodes[enterprise].sector
    if not posted:
        return SectorComparison(enterprise, own_class, group, len(others), LEAST, {})
    months = _months(posted, first, last)
    wanted = [enterprise, *others]
    held = _points(workspace, months, wanted) if known is None else known
    values = {name: {e: _values(park, e, name, held.get(e, {})) for e in wanted} for name in MEASURES}
    found = {
        name: tuple(_compared(month, enterprise, others, values[name], unit == "%") for month in months)
        for name, unit in MEASURES.items()
    }
    return SectorComparison(enterprise, own_class, group, len(others), LEAST, found)


def peers(park: Park, enterprise: str) -> tuple[str, tuple[str, ...]]:
    """(group, the others in it): the narrowest level of the classification with enough others; else nobody."""
    own = park.nodes[enterprise].sector
    for length in LEVELS:
        group = own[:length]
        others = tuple(
            e for e in park.enterprises() if e != enterprise and group and park.nodes[e].sector.startswith(group)
        )
        if len(others) >= LEAST and len(own) >= length:
            return group, others
    return "", ()


def sector_points(workspace: Workspace) -> Points:
    """The points of all enterprises in the months that ``sector`` compares unless told otherwise."""
    posted = posted_months(workspace)
    return _points(workspace, _months(posted, None, None), workspace.park.enterprises()) if posted else {}


def _months(posted: Sequence[int], first: int | None, last: int | None) -> list[int]:
    return [m for m in span(first or posted[0], last or posted[-1]) if m in posted][-24:]


def _points(workspace: Workspace, months: Sequence[int], enterprises: Sequence[str]) -> Points:
    sums = account_sums(workspace, months).filter(pl.col("enterprise").is_in(list(enterprises)))
    gwp = gwp_by_month(workspace, months)
    found: dict[str, dict[int, MonthPoint]] = {}
    for (enterprise, month), frame in sums.partition_by(["enterprise", "month"], as_dict=True).items():
        found.setdefault(enterprise, {})[month] = point(workspace.park, month, frame, gwp[month], _NO_SLOTS)
    return found


def _values(park: Park, enterprise: str, measure: str, months: Mapping[int, MonthPoint]) -> Mapping[int, Decimal]:
    """The measure in every month in which it can be formed."""
    coal = {m: p.coal_equal.value for m, p in months.items() if p.coal_equal}  # without those of zero
    node = park.nodes[enterprise]
    match measure:
        case "energy_index":
            mean = sum(coal.values(), Decimal(0)) / max(len(coal), 1)
            return {m: 100 * value / mean for m, value in coal.items()} if mean > 0 else {}
        case "energy_price":
            return _ratio({m: p.cost.value for m, p in months.items() if p.cost is not None}, coal)
        case "carbon_intensity":
            carbon = {m: p.books["location"] for m, p in months.items() if "location" in p.books}
            return _ratio({m: b.whole.value for m, b in carbon.items() if b.gwp}, coal)
        case "energy_per_area":
            return {m: 1000 * v / node.floor_area_m2 for m, v in coal.items()} if node.floor_area_m2 else {}
        case _:
            return {m: v / node.employees for m, v in coal.items()} if node.employees else {}


def _ratio(above: Mapping[int, Decimal], below: Mapping[int, Decimal]) -> Mapping[int, Decimal]:
    return {month: above[month] / below[month] for month in above if below.get(month, 0) > 0}


def _compared(
    month: int, enterprise: str, others: Sequence[str], values: Mapping[str, Mapping[int, Decimal]], whole: bool
) -> SectorPoint:
    own = values[enterprise].get(month)
    known = [values[e][month] for e in others if month in values[e]]
    lower, median, upper = quartiles(known, whole) if len(known) >= LEAST else (None, None, None)
    return SectorPoint(month, None if own is None else round_to(own, 4), len(known), lower, median, upper)


def quartiles(values: Iterable[Decimal], whole: bool = False) -> tuple[Decimal, Decimal, Decimal]:
    """Lower quartile, median, upper quartile by linear interpolation, to two significant digits; of ten values or
    more to three, and shares of one's own (``whole``) to whole numbers.

    >>> quartiles(map(Decimal, (101, 212, 323, 434, 545)))
    (Decimal('210'), Decimal('320'), Decimal('430'))
    """
    known = np.array([float(v) for v in values])
    found = np.quantile(known, [0.25, 0.5, 0.75])
    digits = 2 if len(known) < 10 else 3
    exact = (Decimal(float(v)) for v in found)
    lower, median, upper = (round(v) + Decimal(0) if whole else round_to(v, digits) for v in exact)
    return lower, median, upper


def round_to(value: Decimal, digits: int) -> Decimal:
    """
    >>> round_to(Decimal("1234.5"), 2), round_to(Decimal("0.01234"), 2), round_to(Decimal(0), 2)
    (Decimal('1200'), Decimal('0.012'), Decimal('0'))
    """
    if not value:
        return Decimal(0)
    rounded = round(value, digits - 1 - value.adjusted())
    return Decimal(int(rounded)) if value.adjusted() >= digits else rounded
