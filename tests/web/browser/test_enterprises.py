"""The enterprises and an account, worked with in a real browser, with scripts and without."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from lujin.access.viewer import Role

from .looking import Watched

Open = Callable[..., Watched]
MONTH = "2025-02"


@pytest.mark.parametrize("scripts", [True, False])
def test_the_list_is_sorted_by_a_click(page_of: Open, scripts: bool) -> None:
    page = page_of(scripts=scripts).open(f"/enterprises?month={MONTH}").page
    if scripts:
        page.evaluate("window.kept = true")
    head = page.get_by_role("columnheader", name="Energy cost")
    head.get_by_role("link").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    first = page.locator("#list tbody tr").first.inner_text()
    head.get_by_role("link").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert page.locator("#list tbody tr").first.inner_text() != first
    assert "sort=cost&order=asc" in page.url
    if scripts:
        assert page.evaluate("window.kept"), "the page was not loaded anew"


def test_the_list_narrows_while_one_types(page_of: Open) -> None:
    watched = page_of().open(f"/enterprises?month={MONTH}")
    page = watched.page
    page.get_by_role("searchbox").press_sequentially("foods")
    expect(page.locator("#list tbody tr")).not_to_have_count(12)
    assert all("foods" in text.lower() for text in page.locator("#list td.name").all_inner_texts())
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_role("searchbox").fill("nobody")
    expect(page.get_by_text("No enterprise fits")).to_be_visible()
    assert watched.said == []


def test_charts_are_drawn_and_their_tables_folded(page_of: Open) -> None:
    for path in (f"/enterprises/E006?month={MONTH}", "/enterprises/E006/load", "/enterprises/E006/trend"):
        watched = page_of().open(path)
        page = watched.page
        for figure in page.locator("figure.chart").all():
            figure.scroll_into_view_if_needed()
            expect(figure).to_have_attribute("data-drawn", "")
            expect(figure.locator("canvas").first).to_be_visible()
            expect(figure.locator("details[data-fold]")).not_to_have_attribute("open", "")
        assert watched.said == [], path


def test_without_scripts_the_numbers_of_the_charts_are_there(page_of: Open) -> None:
    page = page_of(scripts=False).open(f"/enterprises/E006/load?month={MONTH}").page
    expect(page.locator("table.heat")).to_be_visible()
    assert page.locator("table.heat tbody td").count() == 28 * 24
    page.goto(f"/enterprises/E006?month={MONTH}")
    expect(page.locator("figure.chart table").first).to_be_visible()


def test_a_number_is_followed_down_to_a_reading(page_of: Open) -> None:
    """From the account by a click to the tree, by a click to a day, to the readings with their files."""
    watched = page_of().open(f"/enterprises/E006?month={MONTH}")
    page = watched.page
    page.locator("#carbon a.why").first.click()
    expect(page.get_by_role("heading", name="Where a number comes from")).to_be_visible()
    entry = page.locator(".tree summary", has_text="version 1").first
    entry.click()
    expect(page.get_by_text("method pack").first).to_be_visible()
    page.locator(".days a").nth(2).click()
    expect(page.locator("figure.chart[data-chart=day] canvas").first).to_be_visible()
    expect(page.get_by_text(".parquet").first).to_be_visible()
    assert watched.said == []


@pytest.mark.parametrize(("language", "width"), [("zh", 390), ("en", 1440)])
def test_a_day_down_to_readings_looks_whole(page_of: Open, language: str, width: int) -> None:
    watched = page_of(Role.OPERATOR, language, width).open(
        f"/explain/E006:{MONTH}:location:S2/electricity:{MONTH}-03"
    )
    watched.picture("explain-day")
    assert watched.faults() == []
