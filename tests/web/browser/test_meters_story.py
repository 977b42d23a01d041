"""What the park office does with a meter, with the hours of its carbon and with a factor, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lujin.access.viewer import Role

from ..served import serving
from .looking import Watched

Open = Callable[..., Watched]
DRAWN = "() => [...document.querySelectorAll('figure.chart')].every((f) => f.hasAttribute('data-drawn'))"


@pytest.mark.parametrize(("language", "width"), [("en", 1440), ("zh", 390)])
def test_a_meter_is_looked_into(page_of: Open, language: str, width: int) -> None:
    """From the list to the calendar, the raw counts of a day and the band of its neighbours."""
    watched = page_of(Role.OPERATOR, language, width)
    page = watched.open("/meters?q=E006-EL1").page
    page.locator("main table a", has_text="E006-EL1").click()
    page.wait_for_url("**/meters/E006-EL1")
    assert page.locator("td.d").count() == 31 + 28 + 31
    page.locator("td.d-suspect a").first.click()
    page.wait_for_url("**/register?day=*")
    page.wait_for_function(DRAWN)
    assert page.locator("[aria-current=date]").count() == 1
    page.locator(".tabs a").nth(2).click()
    page.wait_for_url("**/neighbours")
    page.wait_for_function(DRAWN)
    with page.expect_navigation(url="**/neighbours?month=2025-01"):
        page.select_option("select[name=month]", "2025-01")
    page.wait_for_function(DRAWN)
    assert watched.faults() == []


@pytest.mark.parametrize(("language", "width"), [("zh", 1440), ("en", 390)])
def test_hours_are_traced_and_a_factor_is_stated(page_of: Open, park: Path, language: str, width: int) -> None:
    """The hours of the park are traced and drawn; a value of the park's own is checked, then stated."""
    with serving(park, {}) as served:
        watched = page_of(Role.OPERATOR, language, width, served=served)
        page = watched.open("/carbon?month=2025-02").page
        page.locator("form[action='/carbon/trace'] button").click()
        page.locator("main a.button.primary[href='/carbon?month=2025-02']").click(timeout=60_000)
        page.wait_for_url("**/carbon?month=2025-02")
        page.wait_for_function(DRAWN)
        watched.picture("carbon-traced")
        assert watched.faults() == []
        watched.open("/reference?table=grid_factors&region=广东&on=2025-12-31&q=average 2023")
        page.locator("main table a").first.click()
        page.wait_for_url("**/reference/row?*")
        page.locator(".head .actions a").first.click()
        page.wait_for_url("**/reference/new?*")
        page.fill("[name=c_value]", "0,4")
        page.locator("button[value=check]").click()
        page.locator("[aria-invalid=true]").first.wait_for()
        assert page.locator("[aria-invalid=true]").count() == 2  # the value, and the source that must be named
        watched.said.clear()  # the browser logs the 422
        page.fill("[name=c_value]", "0.4")
        page.fill("[name=c_source]", "合同 2025-06")
        page.locator("button[value=check]").click()
        page.locator("button[value=save]").wait_for()
        watched.picture("reference-checked")
        assert watched.faults() == []
        page.locator("button[value=save]").click()
        page.wait_for_url("**/reference/row?*")
        assert page.locator(".validity rect.own").count() == 1
        assert watched.faults() == []
