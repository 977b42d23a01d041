"""A printed statement says everything that the account says, can be read anywhere, and is the same every time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ctypes import create_string_buffer
from dataclasses import replace
from typing import Any

import numpy as np
import pypdfium2
import pytest
from pypdfium2 import raw
from scipy.spatial import cKDTree

from lujin.accounts import Amount
from lujin.accounts.tables import BOOKS
from lujin.language import Language
from lujin.publish.letterhead import Code, Issued, Letterhead, Paper, SignedHead
from lujin.publish.numbers import Share, formula, month_text
from lujin.publish.pdf import pdf
from lujin.workspace import Workspace

from .conftest import (
    MONTH,
    Papers,
    amounts,
    crowded,
    gases_kg,
    lines_of,
    pages_of,
    paper_of,
    printed,
    settled,
)

EDGE_MM = 8  # nothing is printed nearer to the edge of the sheet


def text_of(made: bytes) -> str:
    return "\n".join(pages_of(made))


def numbers_in(text: str) -> set[str]:
    return set(re.findall(r"−?[\d,]+(?:\.\d+)?", text))


@pytest.mark.parametrize("book", ["location", "market", "regulatory", "physical"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_number_of_the_statement_stands_on_the_paper(paper: Papers, language: Language, book: str) -> None:
    every_number_stands(paper(language, book))


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    ("enterprise", "book"), [("E002", "embodied"), ("E006", "location"), ("E006", "embodied")]
)
def test_embodied_carbon_scope_3_and_settlements_stand_on_the_paper(
    demo: Workspace, language: Language, enterprise: str, book: str
) -> None:
    asked = settled(paper_of(demo, language, enterprise, 202501, book))
    found = asked.statement
    assert found.embodied is not None and found.uncertainty is not None
    assert found.methods is not None if book == "embodied" else found.scope3
    every_number_stands(asked)
    flat, names = drawn(text_of(pdf(asked)[0])), asked.names
    told = [names.embodied(line) for line in found.embodied.lines] + [s.flow for s in found.settlements]
    told += [names.outcome(s.outcome) for s in found.settlements] + [
        names.scope(line.scope) for line in found.scope3
    ]
    told += [names.say.name(c.name_zh, c.name_en) for c in found.iso14064 if found.scope3]
    told += [names.formulas(found.methods), *found.methods.by_method] if found.methods is not None else []
    assert [text for text in told if drawn(text) not in flat] == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_total_says_what_its_uncertainty_rests_on(demo: Workspace, language: Language) -> None:
    asked = paper_of(demo, language, "E002", 202501, "embodied")
    found, names = asked.statement, asked.names
    assert found.uncertainty is not None
    pages = pages_of(pdf(asked)[0])
    flat, letter, rows = drawn("".join(pages)), drawn(pages[0]), []
    for total in found.uncertainty.totals:
        parts = [(part, f"{Share(part.share).text}—") for part in total.contributors]
        parts += [(part, f"—{Share(part.share).text}") for part in total.unknown]
        rows += [names.total(total.total) + names.datum(p.kind, p.source, found.factors) + s for p, s in parts]
    assert len(rows) >= 12
    assert [row for row in rows if drawn(row) not in flat] == []
    whole = found.uncertainty.of("final")
    assert whole is not None and whole.unknown
    for part in (*whole.contributors, *whole.unknown):  # the letter says it in a sentence
        assert drawn(names.datum(part.kind, part.source, found.factors)) in letter


def drawn(text: str) -> str:
    """As a heading or within a sentence, without its spaces."""
    return re.sub(r"\s", "", formula(text)).casefold()


def every_number_stands(asked: Paper) -> None:
    made, problems = pdf(asked)
    found = asked.statement
    lines = lines_of(found)
    gases = {amount for line in lines for gas, amount in line.gases.items() if not gas.startswith("CO2")}
    gases |= {a for line in (*found.carbon, *found.scope3) for a in line.estimated.values()}
    gases |= {a for c in found.iso14064 if not found.scope3 for a in amounts(c)}
    wanted = {printed(amount) for part in (found, asked.physical.accounts) for amount in amounts(part)}
    wanted -= {printed(amount) for amount in gases}
    assert len(wanted) > 15
    assert wanted | set(gases_kg(found)) <= numbers_in(text_of(made))
    assert problems == ()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_names_lines_factors_and_codes_stand_on_the_paper(paper: Papers, language: Language) -> None:
    asked = paper(language)
    text = text_of(pdf(asked)[0])
    flat = re.sub(r"\s", "", text)
    found = asked.statement
    told = [
        asked.names.say.name(found.name_zh, found.name_en),
        asked.names.park(),
        *(m.meter for m in found.meters),
    ]
    told += [asked.names.reference_source(factor.source) for factor in found.factors] + [
        code.text for code in asked.letterhead.codes
    ]
    told += [line.reference.split(":", 3)[-1] for line in found.carbon]
    assert [name for name in told if re.sub(r"\s", "", name) not in flat] == []
    assert [code.book for code in asked.letterhead.codes] == list(BOOKS)
    assert text.count("* ") >= len(found.unverified)


def fonts_of(document: Any) -> Iterator[tuple[str, bool]]:
    """Name of the font of every piece of text, and whether it is in the file."""
    for page in document:
        for piece in page.get_objects(filter=[raw.FPDF_PAGEOBJ_TEXT]):
            font = raw.FPDFTextObj_GetFont(piece)
            name = create_string_buffer(200)
            raw.FPDFFont_GetBaseFontName(font, name, 200)
            yield name.value.decode(), raw.FPDFFont_GetIsEmbedded(font) == 1


def test_fonts_are_embedded_and_the_file_is_for_archives(paper: Papers) -> None:
    made = pdf(paper("zh"))[0]
    with pypdfium2.PdfDocument(made) as document:
        fonts = set(fonts_of(document))
    names = {name.partition("+")[2] or name for name, _ in fonts}
    assert {"LujinSansSC-Regular", "LujinSansSC-Bold"} <= names and all("LujinSans" in name for name in names)
    assert all(embedded for _, embedded in fonts)
    assert re.search(rb"pdfaid:part>2<", made) and re.search(rb"pdfuaid:part>1<", made)


def test_the_same_account_gives_the_same_bytes_and_its_own_date(paper: Papers) -> None:
    asked = paper()
    made = pdf(asked)[0]
    assert made == pdf(paper())[0]
    with pypdfium2.PdfDocument(made) as document:
        described = document.get_metadata_dict()
    assert asked.issued_at is not None
    assert described["CreationDate"].startswith(f"D:{asked.issued_at:%Y%m%d%H%M%S}")
    assert asked.names.park() in described["Author"]


def test_each_page_has_its_number_and_the_short_code(paper: Papers) -> None:
    pages = pages_of(pdf(paper("en"))[0])
    for number, page in enumerate(pages, 1):
        assert f"page {number} of {len(pages)}" in page
        assert re.search(r"code( [0-9A-F]{4}){4}", page)


def test_one_changed_code_changes_the_short_code(paper: Papers) -> None:
    asked = paper()
    first, *others = asked.letterhead.codes
    changed = replace(asked.letterhead, codes=(Code(first.name, "0" * 64, first.book), *others))
    found = [
        re.search(r"code((?: [0-9A-F]{4}){4})", text_of(pdf(p)[0]))
        for p in (asked, replace(asked, letterhead=changed))
    ]
    assert found[0] is not None and found[1] is not None and found[0][1] != found[1][1]


@pytest.mark.parametrize(
    ("state", "said"), [("", "unknown"), ("open", "may still change"), ("verified", "verified")]
)
def test_the_state_of_the_period_is_said(paper: Papers, state: Any, said: str) -> None:
    asked = paper("en")
    asked = replace(asked, letterhead=replace(asked.letterhead, period=state))
    line = next(line for line in text_of(pdf(asked)[0]).splitlines() if "State of the period" in line)
    assert said in line


@pytest.mark.parametrize("covers", [True, False])
def test_the_signed_head_stands_on_the_first_page_and_says_whether_it_seals(paper: Papers, covers: bool) -> None:
    asked = paper("en")
    assert asked.issued_at is not None
    head = SignedHead(1234, "ab" * 32, asked.issued_at, covers)
    changed = replace(asked, letterhead=replace(asked.letterhead, head=head))
    page, *_ = pages_of(pdf(changed)[0])
    assert "1,234 entries, 20" in page and "ab" * 32 in page
    assert ("does not seal them" in page, "The head seals" in page) == (not covers, covers)


def test_a_park_s_own_head_is_printed_and_seals_its_entries(paper: Papers, workspace: Workspace) -> None:
    head = paper("en").letterhead.head
    assert head is not None and head.covers
    assert head.root == workspace.head().document["root"]


@pytest.mark.parametrize(
    ("state", "issued", "said", "never"),
    [
        ("open", None, "may still change", "lujin verify FILE"),
        ("closed", None, "ask the park for a certificate", "urn:"),
        ("verified", Issued("urn:uuid:1"), "lujin verify FILE", "ask the park"),
        ("restated", Issued("urn:uuid:1", True), "Certificate, superseded urn:uuid:1", "lujin verify FILE"),
    ],
)
def test_a_closed_month_says_how_to_check_it(
    paper: Papers, state: Any, issued: Issued | None, said: str, never: str
) -> None:
    asked = paper("en")
    head = replace(asked.letterhead, period=state, certificate=issued)
    text = pages_of(pdf(replace(asked, letterhead=head))[0])[0]
    assert said in text and never not in text
    assert issued is None or issued.id in text


# ------------------------------------------------------------------------------------------ what is missing


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_is_unknown_is_said_and_never_a_zero(paper: Papers, language: Language) -> None:
    asked = paper(language, month=203001, head=Letterhead())
    text = text_of(pdf(asked)[0])
    say = asked.names.say
    assert asked.statement.status == "not_posted"
    assert say("Nothing is posted for this month and book.") in text
    assert say("No verification code is available for this statement.") in text
    assert text.count(say("not available")) >= 4
    assert {"0.000", "0.00", "0.0"} & numbers_in(text) == set()


def test_co2e_without_a_gwp_set_is_not_available_and_co2_stands_for_it(paper: Papers) -> None:
    asked = paper("en")
    books = tuple(replace(b, gwp="", scope1_co2e=None, scope2_co2e=None, co2e=None) for b in asked.statement.books)
    carbon = tuple(replace(c, co2e=None, estimated_co2e=None) for c in asked.statement.carbon)
    text = text_of(pdf(replace(asked, statement=replace(asked.statement, books=books, carbon=carbon)))[0])
    assert "CO₂ alone" in text
    assert text.count("n/a") >= 3 * len(books) + 2 * len(carbon)


def test_a_month_that_is_not_wholly_measured_is_marked_beside_the_chart(paper: Papers) -> None:
    asked = paper("en")
    *before, own = asked.letterhead.history
    known = replace(own, measured=0.9321)
    text = text_of(pdf(replace(asked, letterhead=replace(asked.letterhead, history=(*before, known))))[0])
    assert f"{MONTH % 100}*" in text
    assert f"{month_text(MONTH)} 93.2 %" in text


def test_uncertainty_is_printed_as_it_was_told(paper: Papers) -> None:
    asked = paper("en")
    head = replace(asked.letterhead, uncertainty=("scope 2: ± 5.1 % (k = 2)", "1. grid factor ≤ 4.9 %"))
    text = text_of(pdf(replace(asked, letterhead=head))[0])
    assert all(line in text for line in head.uncertainty)


# --------------------------------------------------------------------------------------------- what is hard


def test_a_character_that_no_font_has_is_named_and_stands_as_its_code_point(paper: Papers) -> None:
    asked = paper("zh")
    asked = replace(asked, statement=replace(asked.statement, name_zh="𠮷野家😀有限公司"))
    made, (problem,) = pdf(asked)
    assert problem.severity == "warning"
    assert "𠮷 U+20BB7" in problem.text() and "😀 U+1F600" in problem.text()
    assert "[U+20BB7]野家[U+1F600]有限公司" in text_of(made)


def test_characters_of_typst_and_of_control_are_plain_text(paper: Papers) -> None:
    asked = paper("en")
    name = '#panic("x") *bold* $x^2$ \\ @ref <a> "q" // no comment'
    asked = replace(asked, statement=replace(asked.statement, name_en=name + "\x00\x07\n"))
    assert name in text_of(pdf(asked)[0])


def boxes(page: Any) -> np.ndarray:
    """Left, bottom, right, top [pt] of every visible character."""
    text = page.get_textpage()
    found = [
        text.get_charbox(i) for i in range(text.count_chars()) if text.get_text_range(i, 1).strip("\u200b \r\n")
    ]
    return np.array(found).reshape(-1, 4)


def overlaps(found: np.ndarray) -> int:
    """Pairs of characters of which one covers more than a third of the other. Near ones alone can: [pt] 20."""
    pairs = cKDTree((found[:, :2] + found[:, 2:]) / 2).query_pairs(20, output_type="ndarray")
    one, other = found[pairs[:, 0]], found[pairs[:, 1]]
    size = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    shared = np.where((size > 0).all(axis=1), size.prod(axis=1), 0)
    least = np.minimum((one[:, 2:] - one[:, :2]).prod(axis=1), (other[:, 2:] - other[:, :2]).prod(axis=1))
    return int((shared > least / 3).sum())


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("full", [False, True], ids=["usual", "crowded"])
def test_nothing_is_cut_off_and_nothing_overlaps(paper: Papers, language: Language, full: bool) -> None:
    asked: Paper = crowded(paper(language)) if full else paper(language)
    assert well_set(asked) > (10 if full else 2)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_plant_with_settlements_and_a_certificate_is_well_set_on_one_first_page(
    demo: Workspace, language: Language
) -> None:
    asked = settled(paper_of(demo, language, "E002", 202501, "embodied"))
    codes = (*asked.letterhead.codes, Code("closing of the month", "0" * 64))
    head = replace(asked.letterhead, codes=codes, period="closed", certificate=Issued("urn:uuid:" + "0" * 36))
    asked = replace(asked, letterhead=head)
    assert well_set(asked) > 3
    last = asked.names.say("Figures are rounded to the decimals shown; the ledger holds whole base units.")
    assert drawn(last) in drawn(pages_of(pdf(asked)[0])[0])


def well_set(asked: Paper) -> int:
    """The number of pages, of whose first five nothing is cut off and nothing overlaps."""
    document = pypdfium2.PdfDocument(pdf(asked)[0])
    pages = len(document)
    for page in list(document)[:5]:
        width, height = page.get_size()
        found, edge = boxes(page), EDGE_MM / 25.4 * 72
        assert found[:, :2].min() >= edge
        assert (found[:, 2:].max(axis=0) <= np.array([width, height]) - edge).all()
        assert overlaps(found) == 0
    document.close()
    return pages


def test_two_hundred_lines_stand_on_pages_that_repeat_their_heading(paper: Papers) -> None:
    asked = crowded(paper("en"))
    asked = replace(asked, statement=replace(asked.statement, meters=()))
    pages = pages_of(pdf(asked)[0])
    text = "".join(pages)
    wanted = {printed(Amount(a.opening.base, "mg")) for a in asked.statement.accounts}
    assert len(wanted) > 1 and wanted <= numbers_in(text)
    assert sum("Opening" in page for page in pages) > 3
