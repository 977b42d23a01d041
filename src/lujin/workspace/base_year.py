"""The base year of a park, from its ledger: what it was when it was closed, and what has changed since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts import Amount, GwpSet
from lujin.accounts.base_year import CO2E, BaseYear, Change, Kind, assess, boundary_moves
from lujin.accounts.pack import packs
from lujin.accounts.period_facts import moves, periods
from lujin.accounts.periods import Period, PeriodEvent
from lujin.accounts.sections import CARBON_BOOKS, group, month_text
from lujin.accounts.tables import entry
from lujin.errors import N_, InputError, Problem
from lujin.park import Park
from lujin.park.calendar import month_start
from lujin.workspace.reading import gwp_sets

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

ELIMINATED = "ELIM/S2/"  # what consolidation by addition takes out of scope 2 again
TONNE = 10**9  # mg
Told = Mapping[str, Decimal | None] | Collection[str]


def base_year(workspace: Workspace, book: str, structural: Told, organic: Collection[str]) -> BaseYear:
    """``structural``: enterprises whose coming or going was a transfer, perhaps with their emissions in the base
    year [tCO2e], which the ledger cannot know of one that came later. ``organic``: openings and closures.
    """
    park = workspace.park
    told = dict(structural) if isinstance(structural, Mapping) else dict.fromkeys(structural)
    year = _asked(park, book, {*told, *organic})
    months = [year * 100 + n for n in range(1, 13)]
    sets = gwp_sets(workspace, months[0])
    if book not in sets:
        message = N_("book {book} has no method pack in this park, so it has no base year")
        raise InputError(Problem(message, {"book": book}, N_("name its pack under [park.packs]")))
    with workspace.engine.connect() as connection:
        found = periods(connection, months)
        first = {month: _first_closing(period) for month, period in found.items()}
        known = {m: closing.known if closing else None for m, closing in first.items()}
        gases, eliminations = _scopes(connection, book, known)
        adding = _by_addition(connection, book, known)
        restated = _restatements(connection, book, found, sets[book])
    enterprises = {name: sets[book].co2e(amounts) for name, amounts in sorted(gases.items())}
    out = {name: sets[book].co2e(amounts) for name, amounts in eliminations.items()}
    eliminated = Amount(-sum(amount.base for amount in out.values()), CO2E)
    original = Amount(sum(amount.base for amount in enterprises.values()) - eliminated.base, CO2E)
    net = {name: amount + out[name] if name in out else amount for name, amount in enterprises.items()}
    moved = _structure(park, year, net, told, organic)
    return BaseYear(
        year,
        book,
        sets[book].assessment,
        tuple(month for month, closing in first.items() if closing is None),
        enterprises,
        eliminated,
        adding,
        assess(original, [*restated, *moved], park.recalculation_threshold),
    )


def _asked(park: Park, book: str, names: Collection[str]) -> int:
    problems = []
    if park.base_year is None:
        remedy = N_("name it in park.toml under [park]: base_year = 2025")
        problems.append(Problem(N_("the park has no base year"), {}, remedy))
    if book not in CARBON_BOOKS:
        params = {"book": book, "known": ", ".join(CARBON_BOOKS)}
        problems.append(Problem(N_("there is no book {book}"), params, N_("use one of: {known}")))
    for name in sorted(set(names) - set(park.enterprises())):
        remedy = N_("name an enterprise of the park")
        problems.append(Problem(N_("there is no enterprise {enterprise}"), {"enterprise": name}, remedy))
    if problems or park.base_year is None:
        raise InputError(*problems)
    return park.base_year


def _first_closing(period: Period) -> PeriodEvent | None:
    return period.events[0] if period.events else None


Gases = dict[str, dict[str, int]]  # enterprise → gas → mg


def _scopes(connection: Connection, book: str, known: Mapping[int, datetime | None]) -> tuple[Gases, Gases]:
    """Scopes 1 and 2 per enterprise, and what each as a seller eliminates (negative); each month as known then;
    None: as known now.
    """
    sums: Gases = defaultdict(lambda: defaultdict(int))
    out: Gases = defaultdict(lambda: defaultdict(int))
    for month, then in known.items():
        select = moves().where(entry.c.book == book, entry.c.month == month)
        if then is not None:
            select = select.where(entry.c.recorded_at <= then)
        for enterprise, _, debit, credit, gas, amount in connection.execute(select):
            for account, signed in ((debit, int(amount)), (credit, -int(amount))):
                name = account.partition("/")[2]
                if group(name) in ("S1", "S2"):
                    sums[enterprise][gas] += signed
                elif name.startswith(ELIMINATED):
                    out[enterprise][gas] += signed
    return sums, out


def _by_addition(connection: Connection, book: str, known: Mapping[int, datetime | None]) -> bool:
    """Whether every pack of the months posts eliminations."""
    used: set[str] = set()
    for month, then in known.items():
        select = sa.select(entry.c.pack).where(entry.c.book == book, entry.c.month == month).distinct()
        used |= set(
            connection.execute(select if then is None else select.where(entry.c.recorded_at <= then)).scalars()
        )
    found = packs()
    return bool(used) and all(name in found and found[name].consolidation is not None for name in used)


# ------------------------------------------------------------------------------------------- what has changed


def _restatements(connection: Connection, book: str, found: Mapping[int, Period], gwp: GwpSet) -> list[Change]:
    """Restatements of the base year's months after their first closing; one change per command that made them."""
    events: dict[tuple[datetime, str, Kind], list[PeriodEvent]] = defaultdict(list)
    for period in found.values():
        for event in period.events:
            if event.state == "restated":
                kind: Kind = "method" if _other_method(connection, book, event) else "error"
                events[event.recorded_at, event.cause, kind].append(event)
    changes = []
    for (at, cause, kind), group_of in sorted(events.items(), key=lambda item: item[0][:2]):
        months = ", ".join(month_text(event.month) for event in group_of)
        reason = Problem(N_("restatement of {months}: {cause}"), {"months": months, "cause": cause})
        changes.append(Change(kind, months, at, gwp.co2e(_moved(book, group_of)), reason))
    return changes


def _other_method(connection: Connection, book: str, event: PeriodEvent) -> bool:
    """Whether factors were replaced, or the book's pack is another one than before."""
    if any(factor["was"] and factor["was"] != factor["is"] for factor in event.arrived.get("factors", ())):
        return True
    chosen = sa.select(entry.c.pack).where(entry.c.book == book, entry.c.month == event.month).distinct()
    now = set(connection.execute(chosen.where(entry.c.recorded_at == event.known)).scalars())
    before = set(connection.execute(chosen.where(entry.c.recorded_at < event.known)).scalars())
    return bool(before) and not now <= before


def _moved(book: str, events: Collection[PeriodEvent]) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for event in events:
        for part in event.effect:
            counts = group(part["account"]) in ("S1", "S2") or part["account"].startswith(ELIMINATED)
            if part["book"] == book and counts:
                sums[part["commodity"]] += int(part["amount"])
    return sums


def _structure(
    park: Park,
    year: int,
    emitted: Mapping[str, Amount],
    told: Mapping[str, Decimal | None],
    organic: Collection[str],
) -> list[Change]:
    """Enterprises that came or went since the base year began."""
    start = month_start(year * 100 + 1, park.timezone)
    parents = {node.split_from for node in park.nodes.values() if node.split_from}
    changes = []
    for name in park.enterprises():
        node = park.nodes[name]
        if node.valid_from is not None and node.valid_from > start:
            if node.split_from:
                reason = Problem(N_("split off from {parent}: inside the park"), {"parent": node.split_from})
                changes.append(Change("structural", name, node.valid_from, Amount(0, CO2E), reason))
            else:
                given = told.get(name)
                known = None if given is None else Amount(round(given * TONNE), CO2E)
                changes.append(_came(name, node.valid_from, known, name in told, name in organic))
        if node.valid_to is not None and node.valid_to > start:
            if name in parents:
                reason = Problem(N_("split up into others inside the park"))
                changes.append(Change("structural", name, node.valid_to, Amount(0, CO2E), reason))
            else:
                amount = emitted.get(name, Amount(0, CO2E))
                gone = Amount(-amount.base, CO2E)
                changes.append(_went(name, node.valid_to, gone, name in told, name in organic))
    return changes


def _came(name: str, at: datetime, amount: Amount | None, structural: bool, organic: bool) -> Change:
    if organic:
        return Change("organic", name, at, Amount(0, CO2E), Problem(N_("newly opened: organic growth")))
    if not structural:
        message = N_("came into the park: opened anew (organic), or moved in with its emissions (structural)?")
        return Change(
            "undecided", name, at, None, Problem(message, {}, N_("say which: --organic or --structural"))
        )
    if amount is None:
        message = N_("moved in; its emissions in the base year are not known here")
        remedy = N_("name them in tCO2e: --structural {name}=TONNES")
        return Change("undecided", name, at, None, Problem(message, {"name": name}, remedy))
    return Change("structural", name, at, amount, Problem(N_("moved in with the emissions that it had")))


def _went(name: str, at: datetime, amount: Amount, structural: bool, organic: bool) -> Change:
    if organic:
        return Change("organic", name, at, amount, Problem(N_("closed down: organic decline")))
    # The base year counts scopes 1 and 2 alone, so what leaves them leaves it (table 9.4, second column).
    if structural and boundary_moves(reported_before=True, one_base_year=False):
        return Change("structural", name, at, amount, Problem(N_("left the park and took its emissions along")))
    message = N_("left the park: closed down (organic), or goes on elsewhere (structural)?")
    return Change("undecided", name, at, amount, Problem(message, {}, N_("say which: --organic or --structural")))
