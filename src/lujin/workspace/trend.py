"""The months of an enterprise side by side: energy, cost, standard coal, carbon in every book, completeness."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from lujin.accounts import Amount, GwpSet
from lujin.accounts.facts import COUNTS, charges_by_month, completeness_as_of
from lujin.accounts.sections import CARBON_BOOKS, group, shown, summed
from lujin.accounts.statement import check_asked, demand_lines, meters_of
from lujin.accounts.statement_parts import Completeness, DemandLine, Part
from lujin.park import Park
from lujin.workspace.sums import account_sums, posted_months

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

MONTHS = 24


@dataclass(frozen=True, slots=True)
class BookPoint(Part):
    """A carbon book in a month. ``scope1``, ``scope2`` and ``whole`` are CO2e where the book has a GWP set
    (``gwp``), else fossil CO2 alone. Book ``embodied`` has no scopes: ``whole`` is what own use carries.
    """

    book: str
    gwp: str
    scope1: Amount | None
    scope2: Amount | None
    whole: Amount
    estimated: Amount


@dataclass(frozen=True, slots=True)
class MonthPoint(Part):
    """``energy``: carrier → used. ``costs``: (item, tariff period) as ``item`` or ``item/period`` → amount.
    ``demand``: basic charges by connection.

    ``versions``: the most entries that a book has of the month; 0: nothing is posted, and all amounts are None
    or empty.
    """

    month: int
    versions: int
    energy: Mapping[str, Amount]
    coal_equivalent: Amount | None
    coal_equal: Amount | None
    cost: Amount | None
    costs: Mapping[str, Amount]
    books: Mapping[str, BookPoint]
    completeness: Completeness
    demand: tuple[DemandLine, ...] = ()

    @property
    def posted(self) -> bool:
        return self.versions > 0


@dataclass(frozen=True, slots=True)
class Against(Part):
    """One quantity of a month beside its own history. ``change``: relative to the mean of the months before, 1 is
    twice as much; None: there is nothing to compare with.
    """

    quantity: str
    value: Amount
    previous: Amount | None
    year_before: Amount | None
    mean: Amount | None
    months: int
    change: float | None


@dataclass(frozen=True, slots=True)
class Trend(Part):
    """``months``: oldest first, without a gap."""

    enterprise: str
    months: tuple[MonthPoint, ...]

    def of(self, month: int) -> MonthPoint | None:
        return next((point for point in self.months if point.month == month), None)

    def against(self, month: int, book: str = "location") -> tuple[Against, ...]:
        """Energy, cost and carbon of a month against the same enterprise's months before."""
        points = {p.month: p for p in self.months if p.posted}
        if month not in points:
            return ()
        found = []
        for quantity in ("coal_equal", "cost", "carbon"):
            values = {m: a for m, p in points.items() if (a := _quantity(p, quantity, book)) is not None}
            if month in values:
                found.append(_against(quantity, values, month))
        return tuple(found)


def _quantity(point: MonthPoint, quantity: str, book: str) -> Amount | None:
    if quantity == "carbon":
        return point.books[book].whole if book in point.books else None
    return point.coal_equal if quantity == "coal_equal" else point.cost


def _against(quantity: str, values: Mapping[int, Amount], month: int) -> Against:
    value = values[month]
    before = [values[m] for m in sorted(values) if month_before(month, 12) <= m < month]
    mean = Amount(round(sum(a.base for a in before) / len(before)), value.base_unit) if before else None
    change = (value.base - mean.base) / abs(mean.base) if mean else None
    previous, year = values.get(month_before(month, 1)), values.get(month_before(month, 12))
    return Against(quantity, value, previous, year, mean, len(before), change)


def trend(workspace: Workspace, enterprise: str, last: int | None = None, months: int = MONTHS) -> Trend:
    """The months up to ``last`` (None: the newest posted), at most ``months``, from the first that is posted.

    InputError: no such enterprise.
    """
    check_asked(workspace.park, enterprise, "physical")
    posted = posted_months(workspace)
    if not posted:
        return Trend(enterprise, ())
    end = last or posted[-1]
    first = max(month_before(end, months - 1), min(posted[0], end))
    wanted = span(first, end)
    sums = account_sums(workspace, wanted).filter(pl.col("enterprise") == enterprise)
    return Trend(enterprise, tuple(points(workspace, enterprise, wanted, sums)))


def points(
    workspace: Workspace, enterprise: str, months: Sequence[int], sums: pl.DataFrame
) -> Iterable[MonthPoint]:
    """``sums``: of this enterprise alone."""
    slots = completeness_by_month(workspace, months, meters_of(workspace.park, enterprise))
    sets = gwp_by_month(workspace, months)
    by_month = {key[0]: frame for key, frame in sums.partition_by("month", as_dict=True).items()}
    with workspace.engine.connect() as connection:
        charges = charges_by_month(connection, months, enterprise)
    for month in months:
        found = point(workspace.park, month, by_month.get(month), sets[month], slots[month])
        yield replace(found, demand=demand_lines(charges.get(month, ())))


def point(
    park: Park, month: int, sums: pl.DataFrame | None, gwp: Mapping[str, GwpSet], slots: Completeness
) -> MonthPoint:
    """One month from its sums; None: nothing is posted."""
    if sums is None or sums.is_empty():
        return MonthPoint(month, 0, {}, None, None, None, {}, {}, slots)
    columns = ("book", "account", "commodity", "period", "amount", "estimated")
    energy: dict[str, int] = defaultdict(int)
    coal = {"ce_equivalent": 0, "ce_equal": 0}
    costs: dict[str, int] = defaultdict(int)
    gases: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for book, account, commodity, period, amount, estimated in sums.select(columns).iter_rows():
        first, rest = group(account), account.partition("/")[2]
        if book != "physical":
            cell = gases[book, first][commodity]
            cell[0] += amount
            cell[1] += estimated
        elif first == "COST":
            costs[f"{rest}/{period}" if period else rest] += amount
        elif commodity in coal:
            coal[commodity] += amount
        elif commodity == rest:
            energy[rest] += amount
    books = sums["book"].unique().to_list()
    return MonthPoint(
        month=month,
        versions=int(sums["versions"].max()),  # type: ignore[arg-type]
        energy={name: shown(park, energy[name], name) for name in park.carriers if name in energy},
        coal_equivalent=Amount(coal["ce_equivalent"], "mgce"),
        coal_equal=Amount(coal["ce_equal"], "mgce"),
        cost=Amount(sum(costs.values()), "0.01 CNY"),
        costs={name: Amount(amount, "0.01 CNY") for name, amount in sorted(costs.items())},
        books={b: _book(b, gases, gwp.get(b)) for b in (*CARBON_BOOKS, "embodied") if b in books},
        completeness=slots,
    )


def _book(book: str, gases: Mapping[tuple[str, str], Mapping[str, list[int]]], gwp: GwpSet | None) -> BookPoint:
    def seen(scope: str, part: int) -> Amount:
        held = {gas: cell[part] for gas, cell in gases.get((book, scope), {}).items() if gas != "electricity"}
        return gwp.co2e(held) if gwp else Amount(held.get("CO2f", 0), "mg")

    name = gwp.assessment if gwp else ""
    if book == "embodied":
        return BookPoint(book, name, None, None, seen("OWN", 0), seen("OWN", 1))
    one, two = seen("S1", 0), seen("S2", 0)
    return BookPoint(book, name, one, two, one + two, seen("S1", 1) + seen("S2", 1))


def completeness_by_month(
    workspace: Workspace, months: Sequence[int], meters: Sequence[str]
) -> Mapping[int, Completeness]:
    """All these meters together, month by month; expected 0: nothing is known of the month."""
    with workspace.engine.connect() as connection:
        known = completeness_as_of(connection, months, meters)
    rows: dict[int, list[Completeness]] = {month: [] for month in months}
    for month, *counts in known.select("month", "meter", *COUNTS).iter_rows():
        rows[month].append(Completeness(*counts))
    return {month: summed(found) for month, found in rows.items()}


def gwp_by_month(workspace: Workspace, months: Iterable[int]) -> Mapping[int, Mapping[str, GwpSet]]:
    """Month → book → the GWP set that shows its gases as CO2e. The reference is read once."""
    from lujin.workspace.reading import gwp_sets

    rows = workspace.reference_rows
    return {month: gwp_sets(workspace, month, rows=rows) for month in months}


def month_before(month: int, by: int) -> int:
    """
    >>> month_before(202501, 1), month_before(202503, 12)
    (202412, 202403)
    """
    index = month // 100 * 12 + month % 100 - 1 - by
    return index // 12 * 100 + index % 12 + 1


def span(first: int, last: int) -> tuple[int, ...]:
    """
    >>> span(202411, 202501)
    (202411, 202412, 202501)
    """
    found = []
    while first <= last:
        found.append(first)
        first = month_before(first, -1)
    return tuple(found)
