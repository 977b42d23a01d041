"""What a statement says of its own uncertainty (不确定度)."""

from __future__ import annotations

from dataclasses import dataclass

from lujin.accounts.amounts import Amount
from lujin.accounts.statement_parts import Part


@dataclass(frozen=True, slots=True)
class ContributorLine(Part):
    """``source``: id of a meter, factor row with the number in it, allocation or estimate. ``share``: of the
    variance that is known, 0 to 1.
    """

    source: str
    kind: str
    share: float


@dataclass(frozen=True, slots=True)
class UnknownLine(Part):
    """A datum whose uncertainty nobody has stated. ``share``: of the total's amounts that rests on it, 0 to 1."""

    source: str
    kind: str
    share: float


@dataclass(frozen=True, slots=True)
class UncertainTotal(Part):
    """One total of a book: ``S1``, ``S2`` or ``book``; in book ``embodied`` ``direct``, ``acquired``,
    ``transferred`` and ``final``.

    ``quantified``: the amounts all of whose data have a known uncertainty; ``u95`` their expanded uncertainty
    (k = 2) and ``relative`` that over ``quantified``, 0 to 1; None: nothing is quantified. ``at_least``: what the
    known sources alone bring to the whole total; the unknown ones come on top. ``unknown_share``: 0 to 1, of the
    absolute amounts. ``interval``: 2.5 % and 97.5 % of the draws over the known sources, where drawn.
    ``method_range``: the total under the other allocations of joint products, where given.
    """

    total: str
    value: Amount
    quantified: Amount
    u95: Amount | None
    relative: float | None
    at_least: Amount
    unknown_share: float
    contributors: tuple[ContributorLine, ...]
    unknown: tuple[UnknownLine, ...]
    interval: tuple[Amount, Amount] | None = None
    method_range: tuple[Amount, Amount] | None = None

    @property
    def known(self) -> bool:
        return self.unknown_share == 0


@dataclass(frozen=True, slots=True)
class Uncertainty(Part):
    """``enterprise`` empty: the sum over all enterprises. Global warming potentials are a convention of the
    method and taken as exact.
    """

    enterprise: str
    month: int
    book: str
    totals: tuple[UncertainTotal, ...]
    draws: int = 0
    seed: int | None = None

    def of(self, total: str) -> UncertainTotal | None:
        return next((found for found in self.totals if found.total == total), None)
