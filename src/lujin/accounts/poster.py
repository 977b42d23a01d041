"""What the posting functions of all books share: the month's flows, choices and the lines so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lujin.accounts.choose import Choices
from lujin.accounts.flows import Leg, MonthFlows, Split
from lujin.accounts.lines import Book, LineBook, Quality
from lujin.errors import LujinError, Problem
from lujin.reference import Row

Convert = Callable[[NDArray[np.int64]], NDArray[np.int64]]


@dataclass(eq=False)
class Poster:
    """``wanted``: enterprises that are posted. ``out``: the lines. ``problems``: beside those of ``choices``.

    ``absent``: a factor is missing that a later run may find, beside those that are errors. ``sold_on``: per
    enterprise and carrier what consolidation found to be sold on, the same for all books.
    """

    flows: MonthFlows
    choices: Choices
    wanted: frozenset[str]
    out: LineBook
    problems: list[Problem] = field(default_factory=list)
    absent: bool = False
    sold_on: dict[tuple[str, str], tuple[list[Leg], Split] | None] = field(default_factory=dict)

    @property
    def days(self) -> NDArray[np.int64]:
        return np.arange(len(self.out.days), dtype=np.int64)

    def legs(self, choose: Callable[[Leg], bool]) -> list[Leg]:
        return [leg for leg in self.flows.legs if leg.enterprise in self.wanted and choose(leg)]

    def post(
        self,
        legs: Sequence[Leg],
        values: Split,
        *,
        account: str,
        book: Book,
        commodity: str,
        rule: str,
        convert: Convert | None = None,
        days: NDArray[np.int64] | None = None,
        rows: Iterable[Row] = (),
        other: str = "",
        period: str = "",
    ) -> None:
        """Lines for ``legs`` from ``values`` [legs, month days], measured and estimated apart.

        What comes in is debited to ``account`` against the leg's other side (or ``other``), what goes out the
        other way round. ``convert`` turns base units into the amount, ``days`` limits the days, ``rows`` are
        the published facts that it rests on.
        """
        rows = tuple(rows)
        self.choices.use(rows)
        columns = self.days if days is None else days
        factor = "+".join(sorted({row.id for row in rows}))
        sides: tuple[tuple[Quality, NDArray[np.int64]], ...] = (
            ("measured", values.measured),
            ("estimated", values.estimated),
        )
        debit = [account if leg.inward else other or leg.account for leg in legs]
        credit = [(other or leg.account) if leg.inward else account for leg in legs]
        enterprise = [leg.enterprise for leg in legs]
        subject = [leg.subject.label for leg in legs]
        for quality, amounts in sides:
            if not amounts.any():
                continue
            chosen = amounts[:, columns]
            self.out.add(
                chosen if convert is None else convert(chosen),
                columns,
                enterprise=enterprise,
                debit=debit,
                credit=credit,
                subject=subject,
                book=book,
                commodity=commodity,
                rule=rule,
                factor=factor,
                quality=quality,
                period=period,
            )

    def failed(self, enterprises: Iterable[str], carrier: str, error: LujinError, row: str = "") -> None:
        """These lines are not posted because of ``error``; the rest goes on. ``row``: see ``Choices.missing``."""
        self.choices.missing(enterprises, carrier, self.out.days[0], error, row)
