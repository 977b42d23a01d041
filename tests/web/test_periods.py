"""Periods in the browser: closed with conditions shown, verified, restated after cause and effect were seen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lujin.access import Role, audit_trail

from .conftest import Site

MONTH = "2025-02"


def version_of(text: str) -> str:
    found = re.search(r'name="version" value="([^"]+)"', text)
    assert found is not None
    return found[1]


def close(site: Site) -> None:
    browser = site.signed_in()
    page = browser.get(f"/periods/{MONTH}?examine=true").text
    form = {"version": version_of(page), "note": "all looked at"}
    assert site.post(browser, f"/periods/{MONTH}/close", form).status_code == 303


def dearer(site: Site) -> None:
    """The park's own tariff rows get other prices: whoever restates sees them."""
    file = next(Path(site.app.state.settings.directory / "reference").glob("coal_equivalents.csv"))
    text = file.read_text("utf-8")
    assert "0.3" in text
    file.write_text(re.sub(r"0\.3(\d*)", lambda m: f"0.4{m[1]}", text), "utf-8")


def test_months_are_listed_with_state_and_completeness(site: Site) -> None:
    browser = site.signed_in()
    page = browser.get("/periods").text
    assert page.count("/periods/2025-0") >= 3 and "open" in page and "%" in page
    found = browser.get("/periods.json").json()["periods"]
    assert [p["month"] for p in found] == [202503, 202502, 202501] and found[0]["expected"] > 0
    assert browser.get("/periods.csv").text.startswith("\ufeff")


def test_a_month_is_closed_after_its_conditions_were_seen(site: Site) -> None:
    browser = site.signed_in()
    assert "Examine now" in browser.get(f"/periods/{MONTH}").text
    page = browser.get(f"/periods/{MONTH}?examine=true").text
    assert "neighbours agree" in page and "not met" not in page
    close(site)
    page = browser.get(f"/periods/{MONTH}").text
    assert "all looked at" in page and "Cheng" in page and "Close the month" not in page
    second = site.post(browser, f"/periods/{MONTH}/close", {"version": version_of_stamp(site)})
    assert second.status_code == 422 and "closed already" in second.text
    with site.engine.connect() as connection:
        assert audit_trail(connection)[0].subject == f"month/{MONTH}"


def version_of_stamp(site: Site) -> str:
    return str(site.app.state.open_park.workspace.stamp())


def test_a_stale_page_closes_nothing(site: Site) -> None:
    browser = site.signed_in()
    stale = version_of(browser.get(f"/periods/{MONTH}?examine=true").text)
    dearer(site)
    answer = site.post(browser, f"/periods/{MONTH}/close", {"version": stale})
    assert answer.status_code == 409 and "since this page was made" in answer.text
    assert browser.get(f"/periods/{MONTH}.json").json()["periods"][0]["state"] == "open"


def test_a_verifier_writes_an_opinion_and_nobody_else(site: Site) -> None:
    close(site)
    site.join("v@cqc.example", Role.VERIFIER)
    verifier, operator = site.signed_in("v@cqc.example"), site.signed_in()
    page = verifier.get(f"/periods/{MONTH}").text
    form = {"version": version_of(page), "outcome": "unqualified", "opinion": "reasonable assurance"}
    assert "Close the month" not in page
    assert "Your opinion" not in operator.get(f"/periods/{MONTH}").text
    assert site.post(operator, f"/periods/{MONTH}/opinion", form).status_code == 403
    assert site.post(verifier, f"/periods/{MONTH}/opinion", {**form, "outcome": "splendid"}).status_code == 422
    assert site.post(verifier, f"/periods/{MONTH}/opinion", {**form, "opinion": " "}).status_code == 422
    assert site.post(verifier, f"/periods/{MONTH}/opinion", form).status_code == 303
    found = operator.get("/periods.json").json()["periods"][1]
    assert (found["state"], found["verifier"], found["outcome"]) == ("verified", "v", "unqualified")
    assert site.post(verifier, f"/periods/{MONTH}/close", {"version": "x"}).status_code == 403


def test_cause_and_effect_are_seen_before_a_restatement(site: Site) -> None:
    close(site)
    dearer(site)
    browser = site.signed_in()
    page = browser.get(f"/periods/restate?month={MONTH}").text
    assert "Will be" in page and "enterprises move" in page and "0.4" in page
    stamp = re.search(r'name="stamp" value="([^"]+)"', page)
    assert stamp is not None
    form = {"month": MONTH, "stamp": stamp[1]}
    without = site.post(browser, "/periods/restate", form)
    assert without.status_code == 422 and "must name its cause" in without.text
    done = site.post(browser, "/periods/restate", {**form, "cause": "the coal value was wrong"})
    assert done.status_code == 303
    page = browser.get(f"/periods/{MONTH}").text
    assert "the coal value was wrong" in page and "accounts moved" in page
    assert browser.get(f"/periods/{MONTH}.json").json()["periods"][0]["state"] == "restated"
    assert "Nothing would move" in browser.get(f"/periods/restate?month={MONTH}").text


def test_a_stale_preview_is_refused_and_the_new_one_shown(site: Site) -> None:
    close(site)
    dearer(site)
    browser = site.signed_in()
    page = browser.get(f"/periods/restate?month={MONTH}").text
    stamp = re.search(r'name="stamp" value="([^"]+)"', page)
    assert stamp is not None
    file = next(Path(site.app.state.settings.directory / "reference").glob("coal_equivalents.csv"))
    file.write_text(file.read_text("utf-8").replace("0.4", "0.5"), "utf-8")
    form = {"month": MONTH, "stamp": stamp[1], "cause": "the coal value was wrong"}
    answer = site.post(browser, "/periods/restate", form)
    assert answer.status_code == 409 and "since the preview" in answer.text
    assert "0.5" in answer.text and "the coal value was wrong" in answer.text
    assert browser.get(f"/periods/{MONTH}.json").json()["periods"][0]["state"] == "closed"
    assert site.post(browser, "/periods/restate", {**form, "stamp": ""}).status_code == 422


def test_bad_months_are_told(site: Site) -> None:
    browser = site.signed_in()
    assert browser.get("/periods/2025-13").status_code == 422
    assert browser.get("/periods/2024-01").status_code == 404
    assert browser.get("/periods/restate?month=2024-01").status_code == 422
    assert browser.get("/periods/restate?month=nonsense").status_code == 422


def test_an_enterprise_has_no_periods_page(site: Site) -> None:
    site.join("e3@e3.example", Role.ENTERPRISE, "E003")
    browser = site.signed_in("e3@e3.example")
    for path in ("/periods", f"/periods/{MONTH}", "/periods/restate"):
        assert browser.get(path).status_code == 403
    assert site.post(browser, f"/periods/{MONTH}/close").status_code == 403


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pages_of_periods_in_both_languages(site: Site, language: str) -> None:
    close(site)
    dearer(site)
    browser = site.signed_in()
    browser.cookies.set("lujin_language", language)
    for path in (
        "/periods",
        f"/periods/{MONTH}",
        "/periods/2025-01",
        "/periods/restate",
        f"/periods/restate?month={MONTH}",
    ):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert ("会计期间" in answer.text) == (language == "zh")
