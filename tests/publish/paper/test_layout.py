"""Scales, glyphs and the words of a paper."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.publish.chart import drawing, scale
from lujin.publish.compose import compose
from lujin.publish.glyphs import FONTS, Glyphs, characters, covered
from lujin.publish.letterhead import MonthPoint

from .conftest import Papers

FOLDER = files("lujin.publish") / "fonts"
values = st.lists(st.decimals(-(10**9), 10**9, places=3), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(values)
def test_a_scale_holds_zero_and_all_values_in_few_even_steps(found: list[Decimal]) -> None:
    made = scale(found)
    assert made.low <= 0 <= made.high and made.low <= min(found) and max(found) <= made.high
    assert Decimal(0) in made.lines() and len(made.lines()) <= 7
    assert all(0 <= made.part(value) <= 1 for value in found)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_what_is_printed_can_be_drawn_and_what_cannot_is_named(text: str) -> None:
    glyphs = Glyphs()
    printed = glyphs.cell(text)
    assert all(ord(c) in covered() or c == "\u200b" for c in printed)
    assert all(f"[U+{ord(c):04X}]" in printed.replace("\u200b", "") for c in glyphs.lacking)
    assert bool(glyphs.problems()) == bool(glyphs.lacking)


def test_the_fonts_hold_what_statements_need() -> None:
    common = set(map(ord, "绿金对账单圳垚㛃CO₂·Δ±≤≥m³元℃—…“”①Łódź"))
    gb2312 = {ord(bytes([a, b]).decode("gb2312")) for a in range(0xB0, 0xD7) for b in range(0xA1, 0xFA)}
    assert common - covered() == set()
    assert len(gb2312) > 3000 and gb2312 <= covered()


@pytest.mark.parametrize("name", FONTS)
def test_the_bold_fonts_hold_the_same_characters(name: str) -> None:
    regular, bold = (set(characters((FOLDER / n).read_bytes())) for n in (name, name.replace("Regular", "Bold")))
    assert regular == bold and len(regular) > 1000


def test_each_font_file_is_small_and_has_its_licence_beside_it() -> None:
    about = (FOLDER / "README.md").read_text(encoding="utf-8")
    fonts = [f for f in FOLDER.iterdir() if f.name.endswith(("otf", "ttf"))]
    assert len(fonts) == 4
    for font in fonts:
        assert f"`{font.name}`" in about and len(font.read_bytes()) < 2_000_000
    licences = [f.read_text(encoding="utf-8") for f in FOLDER.iterdir() if f.name.startswith("OFL")]
    assert len(licences) == 2 and all("SIL OPEN FONT LICENSE Version 1.1" in text for text in licences)


def test_bars_stand_on_zero_and_unknown_months_have_none(paper: Papers) -> None:
    asked = paper("en")
    *_, own = asked.letterhead.history
    months = (replace(own, month=202504), MonthPoint(202505, None, None, None), own)
    content = compose(replace(asked, letterhead=replace(asked.letterhead, history=months)))
    for chart in content.charts:
        drawn = drawing(content, chart, own.month)
        first, unknown, last = drawn["bars"]
        assert not unknown["known"] and unknown["height"] == 0
        assert first["height"] == last["height"] > 0 and first["bottom"] == drawn["zero"] == 0
        assert (first["own"], last["own"]) == (False, True)


def test_a_total_of_which_a_part_is_unknown_is_unknown(paper: Papers) -> None:
    asked = paper("en")
    first, *others = asked.statement.carbon
    carbon = (replace(first, co2e=None), *others)
    content = compose(replace(asked, statement=replace(asked.statement, carbon=carbon)))
    (table,) = [t for t in content.tables if t.key == "carbon"]
    assert table.rows[0][7] is None and table.total[7] is None
    assert others and table.rows[1][7] is not None
