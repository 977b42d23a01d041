"""Answers about the account of one enterprise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import Field, InstanceOf

from lujin.accounts import Amount, Statement
from lujin.errors import N_
from lujin.publish.content import Content
from lujin.publish.content import Table as PrintedTable
from lujin.show.words import Words
from lujin.web.answers import Answer, Shown
from lujin.web.models import charts
from lujin.workspace.certificates import IssuedCertificate
from lujin.workspace.load import Load
from lujin.workspace.quality import MonthQuality
from lujin.workspace.sector import MEASURES, SectorComparison
from lujin.workspace.trend import Against, Trend

# What every statement shows first: which line of the account each figure is.
FIGURES: Sequence[str] = ("physical:OWN", "physical:COST", "{book}:S1", "{book}:S2")
EMBODIED_FIGURES: Sequence[str] = ("physical:OWN", "physical:COST", "", "embodied:OWN")


class Account(Answer):
    """``content``: the statement as it is printed, in the language of the request; JSON has the statement."""

    months: tuple[int, ...]
    statement: Shown[Statement]
    trend: Shown[Trend]
    content: InstanceOf[Content] = Field(exclude=True)

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        header = ("account", "commodity", "unit", "opening", "movement", "estimated", "closing", "reference")
        return header, [
            (
                a.account,
                a.commodity,
                a.movement.unit,
                *(x.value for x in (a.opening, a.movement, a.estimated, a.closing)),
                a.reference,
            )
            for a in self.statement.accounts
        ]

    def figure_references(self) -> tuple[str, ...]:
        s = self.statement
        place = f"{s.enterprise}:{charts.month_text(s.month)}"
        names = EMBODIED_FIGURES if s.book == "embodied" else FIGURES
        return tuple(f"{place}:{name.format(book=s.book)}" if name else "" for name in names)

    def changes(self) -> tuple[Against | None, ...]:
        """Beside each figure its own history, where there is one figure for it."""
        found = {a.quantity: a for a in self.trend.against(self.statement.month, self.statement.book)}
        return (found.get("coal_equal"), found.get("cost"), None, None)

    def tables(self) -> Mapping[str, PrintedTable]:
        return {table.key: table for table in self.content.tables}

    def costs(self, words: Words) -> charts.Chart:
        return charts.costs(self.trend.months, words)

    def carbon(self, words: Words) -> charts.Chart:
        return charts.carbon(self.trend.months, self.statement.book, words)


class LoadAnswer(Answer):
    months: tuple[int, ...]
    month: int
    span: str
    carriers: tuple[str, ...]
    load: Shown[Load]

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        unit = self.load.unit
        rows = [
            (day, hour, h.amount.value if h.amount else None, "estimated" if h.estimated else "")
            for day, hours in zip(self.load.days, self.load.hours, strict=True)
            for hour, h in enumerate(hours)
        ]
        return ("day", "hour", f"{self.load.carrier} [{unit}]", "quality"), rows

    def heat(self, words: Words) -> dict[str, Any]:
        return charts.heat(self.load, words)

    def shades(self) -> tuple[tuple[int, ...], ...]:
        """0 to 9 for every hour of every day, from the least to the greatest known."""
        known = [h.amount.base for day in self.load.hours for h in day if h.amount is not None]
        low, high = min(known, default=0), max(known, default=0)
        return tuple(tuple(_shade(h.amount, low, high) for h in day) for day in self.load.hours)


def _shade(amount: Amount | None, low: int, high: int) -> int:
    return 0 if amount is None or high <= low else min(9, 10 * (amount.base - low) // (high - low))


class TrendAnswer(Answer):
    month: int
    months: tuple[int, ...]
    trend: Shown[Trend]
    sector: Shown[SectorComparison]

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        carriers = dict.fromkeys(name for p in self.trend.months for name in p.energy)
        units = {name: p.energy[name].unit for p in self.trend.months for name in p.energy}
        books = dict.fromkeys(name for p in self.trend.months for name in p.books)
        header = (
            *("month", "versions", "coal_equivalent [tce]", "coal_equal [tce]", "cost [CNY]"),
            *(f"{name} [{units[name]}]" for name in carriers),
            *(f"{name} [tCO2e]" for name in books),
            "measured_part",
        )
        return header, [
            (
                charts.month_text(p.month),
                p.versions,
                *(a.value if a is not None else None for a in (p.coal_equivalent, p.coal_equal, p.cost)),
                *(p.energy[name].value if name in p.energy else None for name in carriers),
                *(p.books[name].whole.value if name in p.books else None for name in books),
                p.completeness.measured_part,
            )
            for p in self.trend.months
        ]

    def lines(self, words: Words) -> Mapping[str, charts.Chart]:
        points = self.trend.months
        return {
            "coal": charts.coal(points, words),
            "cost": charts.costs(points, words),
            "books": charts.books(points, words),
            "demand": charts.demand(points, words),
        }

    def carriers(self, words: Words) -> tuple[charts.Chart, ...]:
        names = dict.fromkeys(name for p in self.trend.months for name in p.energy)
        return tuple(charts.carrier(self.trend.months, name, words) for name in names)

    def bands(self, words: Words) -> Mapping[str, dict[str, Any]]:
        say = words.say
        own, others = words.node(self.trend.enterprise), say(N_("median of the sector"))
        measures = self.sector.measures if self.sector.comparable else {}
        return {
            name: charts.band(points, charts.measure_unit(MEASURES[name], words), own, others)
            for name, points in measures.items()
            if any(p.own is not None or p.median is not None for p in points)
        }


class CertificatesAnswer(Answer):
    """``closed``: months that a certificate may cover."""

    enterprise: str
    may_issue: bool
    closed: tuple[int, ...]
    certificates: tuple[Shown[IssuedCertificate], ...]

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        header = ("id", "first", "last", "known", "issued_at", "superseded_at", "cause")
        return header, [
            (
                c.id,
                charts.month_text(c.first),
                charts.month_text(c.last),
                c.known.isoformat(),
                c.issued_at.isoformat(),
                c.superseded_at.isoformat() if c.superseded_at else "",
                c.cause,
            )
            for c in self.certificates
        ]


class QualityAnswer(Answer):
    months: tuple[int, ...]
    quality: Shown[MonthQuality]

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        header = ("meter", "kind", "start", "end", "suspect", "slots", "energy", "unit")
        return header, [
            (
                f.meter,
                f.kind,
                f.start.isoformat(),
                f.end.isoformat(),
                f.suspect,
                f.slots,
                f.energy.value if f.energy else None,
                f.energy.unit if f.energy else "",
            )
            for f in self.quality.findings
        ]
