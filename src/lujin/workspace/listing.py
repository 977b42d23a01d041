"""All enterprises of a month, one line each: energy, cost, carbon of one book, completeness, and their total."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lujin.accounts import Amount
from lujin.accounts.amounts import total
from lujin.accounts.facts import COUNTS, completeness_as_of
from lujin.accounts.sections import CARBON_BOOKS, summed
from lujin.accounts.statement import meters_by_enterprise
from lujin.accounts.statement_parts import Completeness, Part
from lujin.errors import N_, InputError, Problem
from lujin.park import Park
from lujin.workspace.sums import account_sums, posted_months
from lujin.workspace.trend import MonthPoint, gwp_by_month, point

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

CARBON = (*CARBON_BOOKS, "embodied")
AMOUNTS = ("electricity", "coal_equivalent", "coal_equal", "cost", "scope1", "scope2", "carbon", "estimated")


@dataclass(frozen=True, slots=True)
class EnterpriseLine(Part):
    """``versions``: 0, nothing is posted and amounts are None; more than 1: restated. ``electricity``: used.
    ``scope1``, ``scope2`` and ``carbon`` (their sum; in book ``embodied`` what own use carries) as CO2e where the
    book has a GWP set.
    """

    enterprise: str
    name_zh: str
    name_en: str
    sector: str
    versions: int
    completeness: Completeness
    electricity: Amount | None = None
    coal_equivalent: Amount | None = None
    coal_equal: Amount | None = None
    cost: Amount | None = None
    scope1: Amount | None = None
    scope2: Amount | None = None
    carbon: Amount | None = None
    estimated: Amount | None = None


@dataclass(frozen=True)
class Listing(Part):
    """``total``: over the lines; where no line has an amount it is None. Scope 2 of one enterprise may be scope 1
    of another: the park as one enterprise has other totals. ``meters``: enterprise → its meters' slots.
    """

    month: int
    book: str
    gwp: str
    months: tuple[int, ...]
    lines: tuple[EnterpriseLine, ...]
    total: EnterpriseLine
    meters: Mapping[str, tuple[Completeness, ...]]

    def of(self, lines: Sequence[EnterpriseLine]) -> Listing:
        """These lines alone, in this order, with their own total."""
        return replace(self, lines=tuple(lines), total=_total(lines, self.meters))

    def as_dict(self) -> dict[str, Any]:
        return {name: value for name, value in Part.as_dict(self).items() if name != "meters"}


def listing(
    workspace: Workspace,
    month: int | None = None,
    book: str = "location",
    enterprises: Sequence[str] | None = None,
) -> Listing:
    """``month``: None, the newest posted. ``enterprises``: None, all. InputError: no such carbon book."""
    if book not in CARBON:
        params = {"book": book, "known": ", ".join(CARBON)}
        message = N_("there is no carbon book {book}")
        raise InputError(Problem(message, params, N_("use one of: {known}"), field="book"))
    park, months = workspace.park, posted_months(workspace)
    at = month or (months[-1] if months else 0)
    wanted = tuple(park.enterprises() if enterprises is None else enterprises)
    if not at:
        lines = tuple(_line(park, e, None, book, summed(())) for e in wanted)
        return Listing(0, book, "", months, lines, _total(lines, {}), {})
    sums = account_sums(workspace, [at])
    by_enterprise = {key[0]: frame for key, frame in sums.partition_by("enterprise", as_dict=True).items()}
    gwp = gwp_by_month(workspace, [at])[at]
    meters = _slots(workspace, at, wanted)
    nothing = summed(())
    found = {e: point(park, at, by_enterprise.get(e), gwp, nothing) for e in wanted}
    lines = tuple(_line(park, e, found[e], book, summed(meters[e])) for e in wanted)
    assessment = gwp[book].assessment if book in gwp else ""
    return Listing(at, book, assessment, months, lines, _total(lines, meters), meters)


def _slots(workspace: Workspace, month: int, enterprises: Sequence[str]) -> Mapping[str, tuple[Completeness, ...]]:
    with workspace.engine.connect() as connection:
        known = completeness_as_of(connection, [month])
    slots = {row[0]: Completeness(*row) for row in known.select("meter", *COUNTS).iter_rows()}
    meters = meters_by_enterprise(workspace.park)
    return {e: tuple(slots[m] for m in meters.get(e, ()) if m in slots) for e in enterprises}


def _line(park: Park, enterprise: str, found: MonthPoint | None, book: str, slots: Completeness) -> EnterpriseLine:
    node = park.nodes[enterprise]
    known = found if found is not None and found.posted else None
    own = known.books.get(book) if known else None
    versions = known.versions if known else 0
    line = EnterpriseLine(enterprise, node.name_zh, node.name_en, node.sector, versions, slots)
    if known is None:
        return line
    return replace(
        line,
        electricity=known.energy.get("electricity"),
        coal_equivalent=known.coal_equivalent,
        coal_equal=known.coal_equal,
        cost=known.cost,
        scope1=own.scope1 if own else None,
        scope2=own.scope2 if own else None,
        carbon=own.whole if own else None,
        estimated=own.estimated if own else None,
    )


def _total(lines: Sequence[EnterpriseLine], meters: Mapping[str, Sequence[Completeness]]) -> EnterpriseLine:
    """Each meter counts once, also one between two enterprises."""

    def sum_of(amounts: Iterable[Amount | None]) -> Amount | None:
        known = [amount for amount in amounts if amount is not None]
        return total(known, known[0].base_unit) if known else None

    versions = max((line.versions for line in lines), default=0)
    slots = {slot.meter: slot for line in lines for slot in meters.get(line.enterprise, ())}
    sums: dict[str, Any] = {name: sum_of(getattr(line, name) for line in lines) for name in AMOUNTS}
    return replace(EnterpriseLine("", "", "", "", versions, summed(tuple(slots.values()))), **sums)
