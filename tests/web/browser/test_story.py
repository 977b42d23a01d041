"""The story of the pages, end to end: the park office, an energy manager, an enterprise, a bank officer."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from openpyxl import Workbook
from playwright.sync_api import Page, expect

import lujin
from lujin.access.viewer import Role

from ..served import BANK, FORMS, PASSWORD, Served, serving
from .looking import Watched
from .test_verify_drop import drop

START = datetime.fromisoformat("2025-04-01")
Open = Callable[..., Watched]


@dataclass(frozen=True)
class Told:
    """The story in one language and width."""

    served: Served
    page_of: Open
    language: str
    width: int

    def visit(self, role: Role | None, path: str) -> Watched:
        theme = "dark" if self.width < 600 else "light"
        return self.page_of(role, self.language, self.width, theme, served=self.served).open(path)


@pytest.fixture(params=[("zh", 1440), ("en", 390)], ids=["zh-screen", "en-phone"])
def told(request: pytest.FixtureRequest, demo_park: Path, tmp_path: Path, page_of: Open) -> Iterator[Told]:
    park = Path(shutil.copytree(demo_park, tmp_path / "park"))
    with serving(park, {}) as served:
        for role in (Role.OPERATOR, Role.ENTERPRISE, Role.BANK):
            served.person(role)
        language, width = request.param
        yield Told(served, page_of, language, width)


def follow(watched: Watched, selector: str) -> Page:
    """Click what is shown and wait for the page behind it."""
    with watched.page.expect_navigation():
        watched.page.locator(selector).filter(visible=True).first.click()
    watched.settle()
    return watched.page


def whole(watched: Watched, name: str) -> None:
    watched.picture(f"story-{name}")
    assert watched.faults() == [], name


def test_from_the_overview_down_to_the_readings_of_a_day(told: Told) -> None:
    office = told.visit(Role.OPERATOR, "/")
    assert office.page.url.endswith("/overview")
    whole(office, "1-overview")
    follow(office, "#ranking tbody a[href*='/enterprises/E006']")
    assert "/enterprises/E006" in office.page.url
    whole(office, "2-enterprise")
    follow(office, "a.why[href*='/explain/E006'][href*='S2/electricity'], a.why[href*='S2%2Felectricity']")
    whole(office, "3-explain")
    follow(office, ".days a")
    expect(office.page.locator("figure.chart[data-drawn]").first).to_be_visible()
    assert office.page.locator("details[open] td.num").filter(visible=True).count() > 20
    whole(office, "4-readings")


def workbook(path: Path) -> Path:
    """Three days of a roof's PV as its monitoring exports them: under a name of its own, two rows wrong."""
    book = Workbook()
    sheet = book.active
    sheet.append(["时间", "屋顶光伏", "备注"])
    for n in range(96 * 3):
        at: object = START + timedelta(minutes=15 * n)
        value: object = 20 + n % 96 / 2
        sheet.append(["昨天" if n == 20 else at, "坏表" if n == 10 else value, None])
    book.save(path)
    return path


def test_a_workbook_is_corrected_tried_taken_in_and_totals_move(told: Told, tmp_path: Path) -> None:
    sent = workbook(tmp_path / "光伏_2025-04.xlsx")
    office = told.visit(Role.OPERATOR, "/imports")
    whole(office, "a-import")
    page = office.page
    with page.expect_navigation(url="**/imports/files/*"):
        page.set_input_files("input[type=file]", sent)
    office.settle()
    whole(office, "b-columns-guessed")

    page.select_option("select[name='role.1']", value="reading")
    page.fill("input[name='meter.1']", "PV-E006-1")
    page.select_option("select[name=layout]", value="wide")
    with page.expect_navigation(url="**/jobs/*"):
        page.locator("button[name=do][value=try]").click()
    page.wait_for_selector("button[name=do][value=take]", timeout=60_000)
    expect(page.locator("main")).to_contain_text("坏表")
    expect(page.locator("main")).to_contain_text("昨天")
    office.settle()
    whole(office, "c-refused-rows")

    with page.expect_navigation(url="**/jobs/*"):
        page.locator("button[name=do][value=take]").click()
    page.wait_for_selector("a[href='/enterprises/E006?month=2025-04']", timeout=120_000)
    office.settle()
    whole(office, "d-totals-moved")


def test_a_bank_sees_the_packet_by_consent_alone_and_verifies_its_certificate(told: Told, tmp_path: Path) -> None:
    workspace = lujin.open(told.served.park, environment={})
    workspace.close([202501, 202502], "suspense stays", "Lin")
    workspace.engine.dispose()

    office = told.visit(Role.OPERATOR, "/enterprises/E006/certificates")
    office.page.locator("input[name=book][value=physical]").check()
    follow(office, "form button.primary")
    expect(office.page.locator("tbody .chip.good")).to_have_count(1)
    whole(office, "5-certificate")

    bank = told.visit(None, "/sign-in")
    bank.page.fill("input[name=email]", FORMS[Role.BANK].email)
    bank.page.fill("input[name=password]", PASSWORD)
    told.served.cookies(Role.BANK)  # the officer has set the password
    follow(bank, "main button.primary")
    expect(bank.page.locator("main")).not_to_contain_text("E006")

    enterprise = told.visit(Role.ENTERPRISE, "/consents")
    enterprise.page.select_option("select[name=bank]", label=BANK)
    whole(enterprise, "6-consent")
    follow(enterprise, "form[action='/consents'] button.primary")
    expect(enterprise.page.locator("tbody .chip.good")).to_have_count(1)

    bank.open("/")
    assert "/enterprises/E006" in bank.page.url
    whole(bank, "7-packet")
    bank.open("/enterprises/E006/certificates")
    with bank.page.expect_download() as saved:
        bank.page.locator("a[download]").first.click()
    certificate = tmp_path / "certificate.json"
    saved.value.save_as(certificate)

    anybody = told.visit(None, "/verify")
    drop(anybody, "certificate.json", certificate.read_bytes())
    expect(anybody.page.locator("#result.good")).to_be_visible()
    whole(anybody, "8-verified")

    follow(enterprise, "form[action*='/revoke'] button")
    bank.page.goto("/enterprises/E006")
    expect(bank.page.locator("main [role=alert]")).to_be_visible()
