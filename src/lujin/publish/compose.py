"""From a statement to the words and numbers of a paper (对账单). No calculation beyond layout."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from lujin.accounts.sections import CARBON_BOOKS
from lujin.accounts.statement_parts import BookTotal
from lujin.errors import N_
from lujin.publish import verification
from lujin.publish.basis import completeness, factors, restatements, rests_on, uncertainty
from lujin.publish.carbon import carbon, embodied, iso14064, memo, scope3
from lujin.publish.content import Chart, Content, Fact, Figure, Table
from lujin.publish.letterhead import Paper, Quantity
from lujin.publish.numbers import NOT_POSTED, Share, amount, formula, headline, local, month_text
from lujin.publish.tables import balances, books, cost, demand, energy, periods, settlements

PERIODS: Mapping[str, str] = {
    "": N_("unknown"),
    "open": N_("open: may still change"),
    "closed": N_("closed"),
    "verified": N_("closed and verified"),
    "restated": N_("restated after closing"),
}
UNKNOWN = N_("not available")


def compose(paper: Paper) -> Content:
    """Everything that the paper says, in the language of its names."""
    say, names, found = paper.names.say, paper.names, paper.statement
    holder = say.name(found.name_zh, found.name_en) or found.enterprise
    quantified = found.uncertainty is not None and bool(found.uncertainty.totals)
    return Content(
        language=say.language,
        title=say(N_("Energy and carbon statement")),
        issuer=names.park(),
        holder=holder,
        facts=_facts(paper),
        figures=_figures(paper),
        charts=_charts(paper),
        history=paper.letterhead.history,
        chart_notes=_chart_notes(paper),
        tables=_tables(paper),
        uncertainty=paper.letterhead.uncertainty or (() if quantified else (say(UNKNOWN),)),
        codes=verification.codes(paper),
        other_codes=verification.other_codes(paper),
        notes=verification.notes(paper),
        warning=_warning(paper),
        footer=_footer(paper, holder),
        words=_words(paper),
    )


def _tables(paper: Paper) -> tuple[Table, ...]:
    """All tables, in the order of the paper."""
    lines = [part(paper) for part in (books, energy, periods, cost, demand, settlements)]
    emitted = [part(paper) for part in (carbon, memo, scope3, iso14064)]
    basis = [part(paper) for part in (uncertainty, rests_on, completeness, factors, restatements)]
    return (*lines, *emitted, *embodied(paper), *balances(paper), *basis)


def _facts(paper: Paper) -> tuple[Fact, ...]:
    say, names, found = paper.names.say, paper.names, paper.statement
    year, month = divmod(found.month, 100)
    first, last = f"{year}-{month:02}-01", f"{year}-{month:02}-{monthrange(year, month)[1]}"
    method = say.name(found.pack_zh, found.pack_en)
    recorded = found.recorded_at or paper.physical.recorded_at
    state = names.state(found.status)
    if found.version:
        state = say.fill(N_("{state}, version {version}"), state=state, version=found.version)
    facts = [
        Fact(N_("enterprise id"), found.enterprise),
        Fact(N_("state of the period"), say(PERIODS[paper.letterhead.period])),
        Fact(N_("period"), say.fill(N_("{first} to {last}"), first=first, last=last)),
        Fact(N_("state of the account"), state),
        Fact(N_("issued"), _time(paper, paper.issued_at)),
        Fact(N_("recorded"), _time(paper, recorded)),
        Fact(N_("book"), f"{names.book(found.book)} · {method}" if method else names.book(found.book), wide=True),
        Fact(N_("readings"), _readings(paper), wide=True),
    ]
    if found.as_of is not None:
        facts.append(Fact(N_("as known on"), _time(paper, found.as_of), wide=True))
    return tuple(replace(fact, name=headline(say(fact.name))) for fact in facts)


def _readings(paper: Paper) -> str:
    say, slots = paper.names.say, paper.statement.completeness
    if not slots.expected:
        return say(UNKNOWN)
    parts = {
        "measured": slots.measured + slots.interpolated,
        "estimated": slots.estimated,
        "missing": slots.missing,
        "suspect": slots.suspect,
    }
    said = {name: Share(count / slots.expected).text for name, count in parts.items()}
    return say.fill(N_("{measured} measured, {estimated} estimated, {missing} missing; {suspect} suspect"), **said)


def _time(paper: Paper, instant: datetime | None) -> str:
    return local(instant, paper.names.timezone()) or paper.names.say(UNKNOWN)


# ---------------------------------------------------------------------------------------------------- summary


def _figures(paper: Paper) -> tuple[Figure, ...]:
    """Energy, cost, scopes 1 and 2 of the book asked for, readings."""
    say, names, found = paper.names.say, paper.names, paper.statement
    posted = found.status != "not_posted" or paper.physical.status != "not_posted"
    equivalent = amount(found.coal_equivalent) if posted else None
    said = equivalent.text if equivalent else say(UNKNOWN)
    energy = Figure(
        headline(say(N_("energy, equal value"))),
        amount(found.coal_equal) if posted else None,
        "tce",
        say.fill(N_("{amount} tce at equivalent value"), amount=said),
    )
    cost = amount(found.cost_estimated) if posted else None
    money = Figure(
        headline(say(N_("energy cost"))),
        amount(found.cost_total) if posted else None,
        names.unit("CNY"),
        say.fill(N_("of it estimated: {amount}"), amount=cost.text if cost else say(UNKNOWN)),
    )
    own = next((b for b in found.books if b.book == found.book), None)
    if found.book == "embodied":
        return energy, money, *_embodied(paper)
    if found.book not in CARBON_BOOKS:
        return energy, money
    return energy, money, _scope(paper, own, "1"), _scope(paper, own, "2")


def _embodied(paper: Paper) -> tuple[Figure, ...]:
    """What came in with energy, material and own emissions, and what stayed for the enterprise's own use."""
    say, section = paper.names.say, paper.statement.embodied
    unit, detail = formula("tCO2e"), paper.names.book(paper.statement.book)
    parts = (
        (N_("taken over and emitted"), section.incoming if section else None),
        (N_("carried by own use"), section.own if section else None),
    )
    return tuple(Figure(headline(say(name)), amount(found), unit, detail) for name, found in parts)


def _scope(paper: Paper, own: BookTotal | None, scope: str) -> Figure:
    """CO2e where the book has a GWP set, else CO2 alone, saying so."""
    say = paper.names.say
    name = headline(say(N_("scope 1") if scope == "1" else N_("scope 2")))
    book = paper.names.book(paper.statement.book)
    if own is None:
        return Figure(name, None, formula("tCO2e"), book)
    co2, co2e = (own.scope1_co2, own.scope1_co2e) if scope == "1" else (own.scope2_co2, own.scope2_co2e)
    if co2e is None:
        return Figure(name, amount(co2), formula("tCO2"), formula(say.fill(N_("{book}, CO2 alone"), book=book)))
    return Figure(name, amount(co2e), formula("tCO2e"), say.fill(N_("{book}, GWP {gwp}"), book=book, gwp=own.gwp))


# ------------------------------------------------------------------------------------------------------ chart


def _charts(paper: Paper) -> tuple[Chart, ...]:
    """One chart per quantity of which at least one month is known."""
    say = paper.names.say
    found: list[Chart] = []
    quantities: tuple[Quantity, ...] = ("energy", "carbon")
    for of in quantities:
        unit = next((p.unit for m in paper.letterhead.history if (p := m.of(of)) is not None), "")
        if unit:
            said = "tCO2" if (of, unit) == ("carbon", "t") else paper.names.unit(unit)
            own = (of, paper.statement.book) == ("carbon", "embodied")
            title = N_("Embodied CO2e of own use") if own else CHARTS[of, unit]
            found.append(Chart(formula(say(title)), formula(said), of))
    return tuple(found)


CHARTS: Mapping[tuple[Quantity, str], str] = {
    ("energy", "tce"): N_("Energy, equal value"),
    ("energy", "kWh"): N_("Energy used"),
    ("carbon", "tCO2e"): N_("CO2e, scopes 1 and 2"),
    ("carbon", "t"): N_("CO2, scopes 1 and 2"),
}


def _chart_notes(paper: Paper) -> tuple[str, ...]:
    """Source and completeness of what the bars show."""
    say, history = paper.names.say, paper.letterhead.history
    if not history:
        return (say(N_("The months before are not available.")),)
    source = say.fill(
        N_("Source: the ledger's postings of each month; carbon {book}."),
        book=paper.names.book(paper.statement.book),
    )
    notes = [source]
    partly = [(m.month, m.measured) for m in history if m.measured is not None and m.measured < 1]
    unknown = [m for m in history if m.measured is None and (m.energy or m.carbon)]
    none = [m for m in history if m.energy is None and m.carbon is None]
    if partly:
        told = "; ".join(f"{month_text(month)} {Share(part).text}" for month, part in partly)
        notes.append(say.fill(N_("* not wholly measured, measured part: {months}."), months=told))
    elif not unknown:
        notes.append(say(N_("Every month shown is wholly measured.")))
    if unknown:
        told = ", ".join(month_text(m.month) for m in unknown)
        notes.append(say.fill(N_("Completeness is unknown for: {months}."), months=told))
    if none:
        notes.append(say.fill(N_("{sign}: nothing posted."), sign=say(N_("n/a"))))
    return tuple(notes)


# ------------------------------------------------------------------------------------------------------ notes


def _warning(paper: Paper) -> str:
    """What a reader must not miss, said at the top."""
    say, found = paper.names.say, paper.statement
    if found.status == "not_posted":
        return say(N_("Nothing is posted for this month and book."))
    if found.unverified:
        return say.fill(UNVERIFIED, count=len(found.unverified), whole=len(found.factors))
    return ""


UNVERIFIED = N_("{count} of {whole} factors and prices used are unverified; they are marked * in the list.")


def _footer(paper: Paper, holder: str) -> str:
    """Whose page this is, in one line."""
    found = paper.statement
    version = paper.names.say.fill(N_("version {version}"), version=found.version or NOT_POSTED)
    names = (_shortened(paper.names.park()), _shortened(holder), _shortened(found.enterprise))
    return " · ".join((*names, month_text(found.month), version))


def _shortened(name: str, wide: int = 44) -> str:
    """
    >>> _shortened("绿" * 30, 10), _shortened("Lingli", 10)
    ('绿绿绿绿绿…', 'Lingli')
    """
    room, at = wide, 0
    while at < len(name) and room >= 0:
        room -= 2 if ord(name[at]) > 0x2E7F else 1
        at += 1
    return name if room >= 0 else name[: at - 1].rstrip() + "…"


def _words(paper: Paper) -> dict[str, str]:
    """Headings and single words of the paper."""
    say = paper.names.say
    words = {
        "summary": N_("Summary"),
        "history": N_("Twelve months"),
        "uncertainty": N_("Uncertainty"),
        "check": N_("Verification"),
        "others": N_("Verification codes of the other books"),
        "notes": N_("Notes"),
        "none": N_("n/a"),
        "code": N_("code"),
        "page": N_("page {page} of {pages}"),
        "month": N_("month"),
        "measured": N_("measured part"),
        "exact": N_("exact value: {value}"),
        "lines": N_("Lines"),
        "carbon": N_("Carbon"),
        "factors": N_("Factors"),
        "completeness": N_("Completeness"),
        "restatements": N_("Restatements"),
    }
    return {key: say(text) for key, text in words.items()} | {"short_code": verification.short_code(paper)}
