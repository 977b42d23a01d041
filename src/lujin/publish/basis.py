"""The tables that tell what a statement rests on: readings, factors, restatements."""

from __future__ import annotations

from decimal import Decimal

from lujin.accounts import Amount
from lujin.accounts.statement_parts import Completeness, FactorUse, Restatement
from lujin.accounts.uncertainty_parts import UncertainTotal
from lujin.errors import N_
from lujin.publish.content import Column, Table
from lujin.publish.letterhead import Names, Paper
from lujin.publish.numbers import (
    NOT_POSTED,
    NOTHING_POSTED,
    Cell,
    Number,
    amount,
    formula,
    headline,
    local,
    share,
)
from lujin.reference.rows import decimal_of


def uncertainty(paper: Paper) -> Table:
    """Expanded uncertainty of the totals; what is known of it, and how much of a total has none stated."""
    say, found = paper.names.say, paper.statement.uncertainty
    totals = found.totals if found is not None else ()
    unit = formula(paper.names.unit(totals[0].value.unit)) if totals else ""
    shown = [at for at in range(len(RANGES)) if any(_ranges(t)[at] for t in totals)]
    columns = (
        Column(say(N_("total")), share=1),
        Column(say(N_("amount")), unit, numeric=True),
        Column(say(N_("± at least")), unit, numeric=True),
        Column(say(N_("quantified")), unit, numeric=True),
        Column(say(N_("± of it")), unit, numeric=True),
        Column(say(N_("± of it")), "%", numeric=True),
        Column(say(N_("part without stated uncertainty")), numeric=True),
        *(Column(say(RANGES[at]), unit, numeric=True) for at in shown),
    )
    rows = tuple(
        (
            headline(paper.names.total(t.total)),
            *map(amount, (t.value, t.at_least if t.at_least or t.known else None, t.quantified, t.u95)),
            share(t.relative),
            share(t.unknown_share),
            *(amount(_ranges(t)[at]) if _ranges(t)[at] else "" for at in shown),
        )
        for t in totals
    )
    title = say(N_("Uncertainty (expanded, 95 %, k = 2)"))
    note = say(N_("Data without a stated uncertainty are unknown, not exact; at least: what the others bring."))
    doubts = paper.names.doubts(found, paper.statement.factors) if found is not None and rows else ()
    told = (headline(text).replace(" %", "\u00a0%") for text in doubts)  # no line begins with a percent sign
    return Table("uncertainty", "uncertainty", title, columns, rows, notes=(note, *told))


RANGES = (N_("lowest drawn"), N_("highest drawn"), N_("lowest method"), N_("highest method"))


def _ranges(total: UncertainTotal) -> tuple[Amount | None, ...]:
    return (*(total.interval or (None, None)), *(total.method_range or (None, None)))


def rests_on(paper: Paper) -> Table:
    """Per total the largest contributors to what is known of its uncertainty, and the data of which none is."""
    say, names, found = paper.names.say, paper.names, paper.statement
    columns = (
        Column(say(N_("total")), share=0.5),
        Column(say(N_("meter, factor or estimate")), share=1.6),
        Column(say(N_("share of the known variance")), numeric=True),
        Column(say(N_("part without stated uncertainty")), numeric=True),
    )
    rows: list[tuple[Cell, ...]] = []
    for total in found.uncertainty.totals if found.uncertainty is not None else ():
        name = headline(names.total(total.total))
        for known in total.contributors:
            datum = names.datum(known.kind, known.source, found.factors)
            rows.append((name, headline(datum), share(known.share), NOT_POSTED))
        for unknown in total.unknown:
            datum = names.datum(unknown.kind, unknown.source, found.factors)
            rows.append((name, headline(datum), NOT_POSTED, share(unknown.share)))
    title = say(N_("What the uncertainty rests on"))
    return Table("rests_on", "uncertainty", title, columns, tuple(rows))


def completeness(paper: Paper) -> Table:
    """Every meter behind the enterprise's flows: which readings stand."""
    say, found = paper.names.say, paper.statement
    parts = (N_("measured"), N_("interpolated"), N_("estimated"), N_("missing"), N_("suspect"))
    columns = (
        Column(say(N_("meter")), share=1),
        Column(say(N_("expected intervals")), numeric=True),
        *(Column(say(part), numeric=True) for part in parts),
        Column(say(N_("measured part")), numeric=True),
        Column(say(N_("estimated part")), numeric=True),
        Column(say(N_("missing part")), numeric=True),
    )
    rows = tuple(_slots(m, m.meter) for m in found.meters)
    whole = headline(say.fill(N_("all {count} meters"), count=len(found.meters)))
    note = say(N_("The measured part includes what is interpolated between two readings; suspect values stand."))
    title = say(N_("Completeness"))
    total = _slots(found.completeness, whole) if rows else ()
    empty = say(N_("nothing is known of the readings of this month"))
    return Table("completeness", "completeness", title, columns, rows, total, (note,), empty)


def _slots(found: Completeness, name: str) -> tuple[Cell, ...]:
    counts = (found.expected, found.measured, found.interpolated, found.estimated, found.missing, found.suspect)
    parts = (found.measured_part, found.estimated_part, found.missing_part)
    return (name, *(Number(Decimal(count), 0) for count in counts), *map(share, parts))


def factors(paper: Paper) -> Table:
    """Published values that the lines rest on, with source; unverified ones are marked."""
    say, names = paper.names.say, paper.names
    columns = (
        Column(say(N_("factor or price")), share=2.2),
        Column(say(N_("value")), numeric=True),
        Column(say(N_("unit")), share=0.8),
        Column(say(N_("confidence"))),
        Column(say(N_("source")), share=2.4),
    )
    rows = tuple(_factor(names, factor) for factor in paper.statement.factors)
    unverified = len(paper.statement.unverified)
    notes = (say.fill(UNVERIFIED, count=unverified),) if unverified else ()
    title = say(N_("Factors and prices used"))
    return Table("factors", "factors", title, columns, rows, (), notes, say(NOTHING_POSTED))


UNVERIFIED = N_(
    "{count} of them are unverified: check them against their source before you rely on this statement"
)


def _factor(names: Names, factor: FactorUse) -> tuple[Cell, ...]:
    named = names.factor(factor.id.partition(":")[0], factor.values)
    mark = "" if factor.verified else "* "
    return (
        headline(named.name),
        _published(named.value),
        formula(named.unit),
        f"{mark}{names.confidence(factor.confidence)}",
        names.reference_source(factor.source),
    )


def _published(value: str) -> Cell:
    """A number with the digits that it was published with; a threshold (≥ 5) stays text."""
    found = decimal_of(value)
    if found is None:
        return value or NOT_POSTED
    exponent = found.as_tuple().exponent
    return Number(found, max(0, -exponent) if isinstance(exponent, int) else 0)


def _why(paper: Paper, restated: Restatement) -> str:
    reason = paper.names.reason(restated.reason)
    if not restated.cause:
        return reason
    return paper.names.say.fill(N_("{reason}: {cause}"), reason=reason, cause=restated.cause)


def restatements(paper: Paper) -> Table:
    """Later versions of the month: when, why, and what each moved."""
    say, names = paper.names.say, paper.names
    columns = (
        Column(say(N_("recorded")), share=1.2),
        Column(say(N_("book and version")), share=1),
        Column(say(N_("reason")), share=1),
        Column(say(N_("account")), share=1.5),
        Column(say(N_("change")), numeric=True),
        Column(say(N_("unit"))),
        Column(say(N_("commodity")), share=1),
    )
    rows: list[tuple[Cell, ...]] = []
    for restated in paper.statement.restatements:
        version = say.fill(
            N_("{book}, version {version}"), book=names.book(restated.book), version=restated.version
        )
        head: tuple[Cell, ...] = (
            local(restated.recorded_at, names.timezone()),
            version,
            _why(paper, restated),
        )
        none = say(N_("nothing on the enterprise's own accounts"))
        lines: list[tuple[Cell, ...]] = [
            (
                headline(names.account(c.account)),
                amount(c.amount),
                names.unit(c.amount.unit),
                formula(names.commodity(c.commodity)),
            )
            for c in restated.changes
        ]
        rows += [(*head, *line) for line in lines or [(none, NOT_POSTED, NOT_POSTED, NOT_POSTED)]]
    empty = say(N_("the month stands as first posted"))
    if paper.statement.status == "not_posted":
        empty = say(NOTHING_POSTED)
    return Table("restatements", "restatements", say(N_("Restatements")), columns, tuple(rows), empty=empty)
