"""Posting (记账): the ledger lines of one month, a pure function of park, interval energy and published rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import polars as pl

from lujin.accounts.amounts import GwpSet
from lujin.accounts.carbon import post_carbon
from lujin.accounts.choose import Choices
from lujin.accounts.claims import claims_of_month
from lujin.accounts.consolidation import Intensity
from lujin.accounts.embodied import Disputed, Opening, embodied_month
from lujin.accounts.embodied_lines import post_embodied
from lujin.accounts.flows import month_flows
from lujin.accounts.hourly import HourlyTrace, TraceState, hourly_trace
from lujin.accounts.lines import Book, LineBook
from lujin.accounts.method_range import MethodRange, method_range
from lujin.accounts.money import Charge, post_money
from lujin.accounts.own_factor import own_factors
from lujin.accounts.pack import DEFAULT_PHYSICAL, Pack, pack
from lujin.accounts.physical import period_sums, post_coal, post_energy
from lujin.accounts.pools import with_neighbours
from lujin.accounts.poster import Poster
from lujin.accounts.settle import Settled, Settlement, Uncertainty, class_uncertainty, settle, settlement_problems
from lujin.accounts.subjects import SubjectEnergy
from lujin.accounts.yearend import YearToDate
from lujin.errors import N_, InputError, Problem
from lujin.park import Park
from lujin.reference import Resolve, Row

SCOPE_BOOKS: tuple[Book, ...] = ("location", "market", "regulatory")
CARBON_BOOKS: tuple[Book, ...] = (*SCOPE_BOOKS, "embodied")


@dataclass(frozen=True, eq=False)
class MonthLines:
    """Lines of one month, and what is worth saying about them.

    ``lines``: see ``lines.SCHEMA``, sorted, keys unique per day. ``problems``: errors are lines that could not
    be posted, warnings concern lines that were. ``charges``: how the basic charges came about. ``rows``: the
    published rows used. ``packs``: book → pack id. ``lacking``: a factor was missing; once there is one, a later
    run posts what was left out. ``settlements``: flows that two meters measured.
    """

    lines: pl.DataFrame
    problems: list[Problem]
    charges: tuple[Charge, ...]
    rows: tuple[Row, ...]
    packs: dict[str, str]
    lacking: bool = False
    settlements: tuple[Settlement, ...] = ()

    @property
    def unverified(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.confidence != "verified")


def books_of(park: Park) -> dict[Book, Pack]:
    """The pack of every book that is kept: ``physical`` always, a carbon book if the park names a pack for it.

    InputError: an unknown pack, or one made for another book.
    """
    found: dict[Book, Pack] = {"physical": pack(park.packs.get("physical", DEFAULT_PHYSICAL), "physical")}
    for book in CARBON_BOOKS:
        if book in park.packs:
            found[book] = pack(park.packs[book], book)
    return found


def pack_problems(park: Park) -> list[Problem]:
    """Method packs that the park names and that there are not."""
    problems: list[Problem] = []
    for book, name in park.packs.items():
        try:
            pack(name, book)
        except InputError as error:
            problems.extend(error.problems)
    return problems


def poster_of(park: Park, energy: SubjectEnergy, resolve: Resolve, wanted: frozenset[str]) -> Poster:
    days = energy.grid.days
    choices = Choices(resolve, days, park.factor_date)
    return Poster(month_flows(park, energy), choices, wanted, LineBook(days))


def trace_month(park: Park, energy: SubjectEnergy, resolve: Resolve, before: TraceState) -> HourlyTrace:
    """The month hour by hour, for all enterprises, with the factors that its postings rest on.

    InputError: the park keeps no book ``embodied``, or carbon goes round in a loop without a way out.
    """
    kept = books_of(park)
    if "embodied" not in kept:
        raise InputError(
            Problem(
                N_("the park keeps no book embodied, so that nothing is traced"),
                {},
                N_('add embodied = "embodied@1" to [park.packs]'),
                file="park.toml",
                field="packs",
            )
        )
    settled = settle(park, energy, class_uncertainty(park)).least
    poster = poster_of(park, settled, resolve, frozenset(park.enterprises()))
    return hourly_trace(poster, kept["embodied"], before)


def methods_compared(
    park: Park, energy: SubjectEnergy, resolve: Resolve, opening: Opening, enterprise: str, gwp: GwpSet
) -> MethodRange | None:
    """What the enterprise carries under every formula of joint production; ``energy``: of all who are joined."""
    kept = books_of(park)
    if "embodied" not in kept:
        return None
    settled = settle(park, energy, class_uncertainty(park))
    poster = poster_of(park, settled.least, resolve, with_neighbours(park, [enterprise]))
    return method_range(poster, kept["embodied"], opening, enterprise, gwp, _disputed(settled))


def _asks_own(pack: Pack) -> bool:
    return pack.consolidation is not None and pack.consolidation.in_park == "own_factor"


def passes_on(park: Park) -> bool:
    """Whether an enterprise's lines depend on its neighbours: on their carbon or the factor of their plants."""
    return "embodied" in park.packs or any(_asks_own(pack) for pack in books_of(park).values())


def _disputed(settled: Settled) -> Disputed:
    """Row → disputed flow and its gap; one flow stands for all of one row."""
    flows = {s.subject: s.flow for s in settled.settlements if s.outcome == "dispute"}
    subjects = settled.least.subjects
    return {row: (flows[subjects[row].label], gap) for row, gap in (settled.disputed or {}).items()}


def month_lines(
    park: Park,
    energy: SubjectEnergy,
    resolve: Resolve,
    enterprises: Collection[str] | None = None,
    opening: Opening | None = None,
    uncertainty: Uncertainty | None = None,
    *,
    own: Intensity | None = None,
    year: Mapping[str, YearToDate] | None = None,
) -> MonthLines:
    """The lines of ``enterprises`` (None: all) for the month of ``energy``.

    ``own``: (selling node, carrier) → mg of each gas per base unit, the own factor of plants inside the park,
    which packs with ``in_park = "own_factor"`` need; None: worked out from the month's flows. ``year``: enterprise
    → its market book of the year's earlier months, which annual matching needs in December.

    The lines of an enterprise depend on the subjects that touch it and on nothing else, so that a part of the
    enterprises gives the same lines as all of them; in book ``embodied`` they depend on the subjects of all that
    are joined to it (``pools.with_neighbours``) and on what those carried over from earlier months (``opening``).
    Energy, standard coal and carbon are posted per local day, money and what is passed on inside the park on the
    last day of the month. Where no published row answers, those lines are left out and a problem says so; the
    rest goes on. Flows with a check meter are settled first, by ``uncertainty`` of the meters (None:
    ``class_uncertainty``). InputError: a pack that does not exist.
    """
    kept = books_of(park)
    wanted = frozenset(park.enterprises() if enterprises is None else enterprises)
    settled = settle(park, energy, uncertainty or class_uncertainty(park))
    poster = poster_of(park, settled.energy, resolve, wanted)
    periods = period_sums(poster)
    post_energy(poster, periods)
    if coal := kept["physical"].coal:
        post_coal(poster, coal)
    charges = post_money(poster, periods)
    claimed, problems = claims_of_month(park, energy.grid.month)
    poster.problems.extend(problems)
    poster.problems.extend(settlement_problems(park, settled.settlements, wanted))
    # One row per flow: what is in dispute is not passed on
    moved = replace(poster, flows=month_flows(park, settled.least)) if settled.disputed else poster
    for book in SCOPE_BOOKS:
        if book in kept:
            factors = own_factors(moved, kept[book]) if own is None and _asks_own(kept[book]) else own
            post_carbon(poster, kept[book], book, claimed, factors, year)
    if "embodied" in kept:
        solved = embodied_month(moved, kept["embodied"], opening or {}, _disputed(settled))
        poster.problems.extend(solved.problems)
        post_embodied(moved, solved)
    used = tuple(row for _, row in sorted(poster.choices.used.items()))
    said = list(dict.fromkeys((p.text(), p.severity) for p in poster.problems))
    by_text = {(p.text(), p.severity): p for p in poster.problems}
    problems = [*poster.choices.problems(), *(by_text[key] for key in said)]
    return MonthLines(
        poster.out.frame(),
        problems,
        charges,
        used,
        {book: chosen.id for book, chosen in kept.items()},
        poster.absent or any(p.severity == "error" for p in problems),
        settled.settlements,
    )
