"""A statement as a workbook: real numbers equal to the ledger, texts that stay text, charts, the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from lujin.accounts import Amount
from lujin.language import Language
from lujin.publish.compose import compose
from lujin.publish.letterhead import Letterhead, Paper
from lujin.publish.tables import settlements
from lujin.publish.xlsx import xlsx
from lujin.workspace import Workspace

from .conftest import Papers, crowded, paper_of, settled

SHEETS = ["Summary", "Lines", "Carbon", "Uncertainty", "Factors", "Completeness", "Restatements"]


def opened(paper: Paper) -> Workbook:
    return load_workbook(BytesIO(xlsx(paper)))


def rows_below(sheet: Worksheet, title: str) -> list[tuple[Any, ...]]:
    """The rows of the table of that title, heading left out."""
    rows = list(sheet.iter_rows(values_only=True))
    first = next(i for i, row in enumerate(rows) if row[0] == title) + 2
    last = next((i for i in range(first, len(rows)) if rows[i][0] is None), len(rows))
    return rows[first:last]


def exact(value: Any) -> Decimal:
    """What a cell holds, as the decimal that its double was written from."""
    assert isinstance(value, int | float), value
    return Decimal(repr(value))


def same(row: tuple[Any, ...], amounts: Mapping[int, Amount]) -> None:
    for column, amount in amounts.items():
        assert exact(row[column]) == amount.value, (row, amount)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_amount_equals_the_ledger(paper: Papers, language: Language) -> None:
    asked = paper(language)
    book, found, say = opened(asked), asked.statement, asked.names.say
    summary, lines, carbon = (book[say(name)] for name in SHEETS[:3])

    table = rows_below(lines, say("Energy"))
    for row, e in zip(table, found.energy, strict=False):
        same(row, dict(enumerate((e.purchased, e.generated, e.delivered, e.used, e.estimated), 2)))
        same(row, {7: e.coal_equivalent, 8: e.coal_equal})
    same(table[len(found.energy)], {7: found.coal_equivalent, 8: found.coal_equal})

    table = rows_below(lines, say("Cost"))
    held = sorted((row[4] or "", exact(row[2]), exact(row[3])) for row in table[: len(found.cost)])
    known = sorted((c.reference.split(":", 3)[-1], c.amount.value, c.estimated.value) for c in found.cost)
    assert held == known
    same(table[len(found.cost)], {2: found.cost_total, 3: found.cost_estimated})

    for statement in (asked.physical, found):
        title = say.fill("Balances since {first}, {book}", first="2025-01", book=asked.names.book(statement.book))
        table = rows_below(lines, title)
        assert len(table) == len(statement.accounts)
        for row, a in zip(table, statement.accounts, strict=True):
            assert row[7] == a.account
            same(row, dict(enumerate((a.opening, a.movement, a.estimated, a.closing), 3)))

    table = rows_below(carbon, say.fill("Carbon, {book}", book=asked.names.book(found.book)))
    for row, c in zip(table, found.carbon, strict=False):
        for column, gas in enumerate(("CO2f", "CO2b", "CH4f", "CH4b", "N2O"), 2):
            scale = 1 if gas.startswith("CO2") else 1000
            value = row[column]
            assert value == "—" if gas not in c.gases else exact(value) == c.gases[gas].value * scale
        assert c.co2e is not None and c.estimated_co2e is not None
        same(row, {7: c.co2e, 8: c.estimated_co2e})

    table = rows_below(summary, say("Carbon, all books side by side").replace("CO2", "CO₂"))
    for row, b in zip(table, found.books, strict=False):
        assert b.scope1_co2e is not None and b.scope2_co2e is not None and b.co2e is not None
        amounts = (b.scope1_co2, b.scope2_co2, b.co2, b.estimated_co2, b.scope1_co2e, b.scope2_co2e, b.co2e)
        same(row, dict(enumerate(amounts, 1)))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_embodied_carbon_scope_3_settlements_and_uncertainty_equal_the_ledger(
    demo: Workspace, language: Language
) -> None:
    asked = settled(paper_of(demo, language, "E006", 202501, "embodied"))
    book, found, say = opened(asked), asked.statement, asked.names.say
    lines, carbon, uncertainty = (book[say(name)] for name in ("Lines", "Carbon", "Uncertainty"))

    assert found.embodied is not None and found.methods is not None and found.uncertainty is not None
    section = found.embodied
    assert section.incoming is not None and section.outgoing is not None
    table = rows_below(carbon, say("Embodied carbon: what came in, and where it went"))
    for row, e in zip(table, section.lines, strict=False):
        assert e.co2e is not None and e.estimated_co2e is not None
        same(row, {1 if e.way == "in" else 2: e.co2e, 3: e.estimated_co2e, 4: e.gases["CO2f"]})
    same(table[len(section.lines)], {1: section.incoming, 2: section.outgoing})
    table = rows_below(carbon, say("Carbon that remains with it, by formula for joint production"))
    for row, co2e in zip(table, (found.methods.chosen, *found.methods.by_method.values()), strict=False):
        same(row, {1: co2e})

    table = rows_below(lines, say("Two meters on one pipe"))
    known, unknown = found.settlements
    same(table[0], {1: known.own, 3: known.other, 5: known.gap, 7: known.settled})
    assert exact(table[0][9]) == pytest.approx(Decimal(known.compared) / known.expected)
    assert table[1][2] == table[1][6] == say("n/a") and unknown.own_uncertainty is None

    table = rows_below(uncertainty, say("Uncertainty (expanded, 95 %, k = 2)"))
    for row, t in zip(table, found.uncertainty.totals, strict=False):
        assert t.u95 is not None
        same(row, {1: t.value, 2: t.at_least, 3: t.quantified, 4: t.u95})
    table = rows_below(uncertainty, say("What the uncertainty rests on"))
    shares = [c.share for t in found.uncertainty.totals for c in (*t.contributors, *t.unknown)]
    assert [row[2] if row[3] == "—" else row[3] for row in table] == pytest.approx(shares)


def test_scope_3_and_the_categories_of_iso_14064_equal_the_ledger(demo: Workspace) -> None:
    asked = paper_of(demo, "en", "E006", 202501, "location")
    carbon, found = opened(asked)["Carbon"], asked.statement
    (line,) = found.scope3
    ((published, amount),) = line.gases.items()
    row, note = rows_below(carbon, "Scope 3, apart from scopes 1 and 2")
    assert published == "CO2e:unstated" and row[3] == "—"  # no zero: it is stated under no GWP set
    same(row, {2: amount})
    assert "not added" in note[0]
    rows = rows_below(carbon, "The same by category of ISO 14064-1:2018")
    heads = [gas for gas in ("CO2f", "CH4f", "N2O", published) if any(gas in c.gases for c in found.iso14064)]
    for row, category in zip(rows, found.iso14064, strict=True):
        for column, gas in enumerate(heads, 2):
            scale = 1000 if gas in ("CH4f", "N2O") else 1
            value = category.gases.get(gas)
            assert row[column] == "—" if value is None else exact(row[column]) == value.value * scale


def test_completeness_factors_and_months_are_numbers(paper: Papers) -> None:
    asked = paper("en")
    book, found = opened(asked), asked.statement
    table = rows_below(book["Completeness"], "Completeness")
    for row, m in zip(table, found.meters, strict=False):
        assert row[:7] == (m.meter, m.expected, m.measured, m.interpolated, m.estimated, m.missing, m.suspect)
        assert row[7] == pytest.approx(m.measured_part, abs=1e-15)
    table = rows_below(book["Factors"], "Factors and prices used")[: len(found.factors)]
    assert [exact(row[1]) for row in table] == [Decimal(f.value) for f in found.factors]
    assert [str(row[3]).startswith("* ") for row in table] == [not f.verified for f in found.factors]
    months = rows_below(book["Summary"], "Twelve months")
    assert len(months) == 12 and months[-1][0] == "2025-06"
    own = asked.letterhead.history[-1]
    assert own.energy is not None and own.carbon is not None
    same(months[-1], {1: own.energy, 2: own.carbon})
    assert months[0][1] is None  # nothing posted: a gap in the chart, no zero


def test_an_amount_with_more_digits_than_a_double_has_its_exact_value_beside_it(paper: Papers) -> None:
    asked = crowded(paper("en"), lines=3)
    sheet = opened(asked)["Lines"]
    comments = [cell.comment.text for row in sheet.iter_rows() for cell in row if cell.comment]
    wanted = [a.opening for a in asked.statement.accounts] + [e.purchased for e in asked.statement.energy]
    assert all(len(str(abs(amount.base))) > 15 for amount in wanted)
    assert sorted(comments) == sorted(f"exact value: {amount.value:f}" for amount in wanted)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t="])
def test_a_name_is_never_a_formula(paper: Papers, start: str) -> None:
    name = start + 'cmd|" /C calc"!A0'
    asked = paper("en")
    meters = tuple(replace(meter, meter=name) for meter in asked.statement.meters)
    asked = replace(asked, statement=replace(asked.statement, name_en=name, meters=meters))
    book = opened(asked)
    cells = [c for sheet in book for row in sheet.iter_rows() for c in row if c.value is not None]
    assert {c.data_type for c in cells} <= {"s", "n"}
    named = [c for c in cells if isinstance(c.value, str) and c.value.startswith(name)]
    assert len(named) > len(meters)
    assert all(c.quotePrefix for c in named)
    assert b"<f>" not in b"".join(sheets_in(xlsx(asked)))


def sheets_in(made: bytes) -> list[bytes]:
    with ZipFile(BytesIO(made)) as archive:
        return [archive.read(name) for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]


def test_the_same_account_gives_the_same_bytes_and_its_own_date(paper: Papers) -> None:
    asked = crowded(paper("zh"), lines=5)
    made = xlsx(asked)
    assert made == xlsx(asked)
    described = load_workbook(BytesIO(made)).properties
    assert asked.issued_at is not None
    assert described.modified == described.created == asked.issued_at.replace(tzinfo=None, microsecond=0)
    with ZipFile(BytesIO(made)) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_charts_are_native_and_point_at_the_months(paper: Papers) -> None:
    summary = opened(paper("en"))["Summary"]
    charts = summary._charts
    assert len(charts) == 2
    for chart, column in zip(charts, "BC", strict=True):
        values = chart.series[0].val.numRef.f
        first, last = values.rpartition("!")[2].replace("$", "").split(":")
        assert first[0] == last[0] == column and int(last[1:]) - int(first[1:]) == 11
        assert summary[f"A{last[1:]}"].value == "2025-06"


def test_sheets_are_set_up_to_be_printed(paper: Papers) -> None:
    book = opened(paper("en"))
    assert book.sheetnames == SHEETS
    for sheet in book:
        assert sheet.page_setup.orientation == "landscape" and sheet.page_setup.fitToHeight == 0
        assert "&P" in sheet.oddFooter.right.text
    assert book["Factors"].print_title_rows == "$5:$5"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_is_not_posted_has_no_number(paper: Papers, language: Language) -> None:
    asked = paper(language, month=203001, head=Letterhead())
    book = opened(asked)
    numbers = [
        c for sheet in book for row in sheet.iter_rows() for c in row if c.data_type == "n" and c.value is not None
    ]
    assert numbers == []
    none = asked.names.say("n/a")
    figures = {figure.name for figure in compose(asked).figures}
    told = {row[0]: row[1] for row in book.worksheets[0].iter_rows(values_only=True) if row[0] in figures}
    assert told == dict.fromkeys(figures, none)


def broken(control: str) -> Callable[[str], str]:
    return lambda name: name[:1] + control + name[1:]


@pytest.mark.parametrize("control", ["\x00", "\x0b", "\x1f"])
def test_control_characters_become_visible(paper: Papers, control: str) -> None:
    asked = paper("en")
    asked = replace(asked, statement=replace(asked.statement, name_en=broken(control)("Lingli")))
    assert opened(asked)["Summary"]["A2"].value == "L\ufffdingli"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_dispute_on_paper_says_what_each_side_counts_and_settles_nothing(
    demo: Workspace, language: Language
) -> None:
    asked = settled(paper_of(demo, language, "E006", 202501, "embodied"))
    disputed = tuple(replace(s, outcome="dispute") for s in asked.statement.settlements[:1])
    table = settlements(replace(asked, statement=replace(asked.statement, settlements=disputed)))
    assert table.rows[0][7] == "—"
    least, most = disputed[0].sides
    assert all(f"{side.value:,.3f} GJ" in table.notes[1] for side in (least, most, most - least))
