"""Carbon books: direct emissions (范围一), purchased energy (范围二), value chain (范围三) as a pack asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lujin.accounts.claims import Claimed
from lujin.accounts.consolidation import Consolidation, Intensity
from lujin.accounts.direct import post_fuels, post_process
from lujin.accounts.electricity import fuel_power, post_grid_average, purchase_of
from lujin.accounts.heat import post_heat
from lujin.accounts.lines import Book
from lujin.accounts.market import post_market, post_matched_market
from lujin.accounts.pack import ElectricityRules, Pack
from lujin.accounts.poster import Poster
from lujin.accounts.scope3 import post_scope3
from lujin.accounts.yearend import YearToDate


def post_carbon(
    poster: Poster,
    pack: Pack,
    book: Book,
    claimed: Mapping[str, Sequence[Claimed]],
    own: Intensity | None = None,
    year: Mapping[str, YearToDate] | None = None,
) -> None:
    """All lines of a carbon book.

    ``claimed``: per enterprise the retired instruments of the month. ``own``: intensities of what plants of the
    park sell. ``year``: per enterprise the market book of the year's earlier months, for annual matching.
    """
    rules = pack.consolidation
    consolidation = Consolidation(poster, book, rules.in_park, own) if rules else None
    if pack.fuel:
        post_fuels(poster, pack.fuel, book)
    if pack.process:
        post_process(poster, pack.process, book)
    if pack.heat:
        post_heat(poster, pack.heat, book, consolidation)
    if pack.electricity:
        _post_electricity(poster, pack.electricity, book, claimed, consolidation, year or {})
        if pack.electricity.exports == "resale" and not (rules and rules.in_park == "own_factor"):
            poster.problems.extend(fuel_power(poster))
    if pack.scope3 and consolidation:
        post_scope3(poster, pack.scope3, book, consolidation)


def _post_electricity(
    poster: Poster,
    rules: ElectricityRules,
    book: Book,
    claimed: Mapping[str, Sequence[Claimed]],
    consolidation: Consolidation | None,
    year: Mapping[str, YearToDate],
) -> None:
    if rules.rule != "purchased_electricity_market@1":
        post_grid_average(poster, rules, book, claimed, consolidation)
    elif consolidation is None:
        post_market(poster, rules, book, claimed, purchase_of(poster, rules))
    else:
        post_matched_market(poster, rules, claimed, purchase_of(poster, rules), consolidation, year)
