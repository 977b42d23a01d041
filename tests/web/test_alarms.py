"""Alarms in the browser: rules set and tried, alarms taken on, and each enterprise sees its own alone."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from lujin.access import Role, audit_trail
from lujin.alarms import evaluate

from .conftest import Site

MARCH = datetime(2025, 3, 28, 4, tzinfo=UTC)
LIMIT = {"kind": "limit", "id": "load", "place": "enterprise:E003", "value": "1", "version": "0", "enabled": "1"}


@pytest.fixture
def office(site: Site) -> Site:
    """The rule that E003 uses more than 1 kWh a day, which it does."""
    site.now = MARCH
    browser = site.signed_in()
    assert site.post(browser, "/alarms/rules", LIMIT).status_code == 303
    evaluate(site.app.state.open_park.workspace, MARCH)
    return site


def actions(site: Site) -> list[str]:
    with site.engine.connect() as connection:
        return [entry.action for entry in audit_trail(connection)]


def test_first_rules_come_with_one_press(site: Site) -> None:
    browser = site.signed_in()
    assert "No rules yet" in browser.get("/alarms").text
    assert "Add the usual rules" in browser.get("/alarms/rules").text
    answer = site.post(browser, "/alarms/rules/suggested")
    assert answer.status_code == 303
    page = browser.get("/alarms/rules").text
    assert page.count("in force") >= 5
    assert site.post(browser, "/alarms/rules/suggested").headers["location"].count("0+rules")
    assert actions(site).count("alarm_rule.set") >= 5


def test_an_alarm_is_listed_counted_and_taken_on(office: Site) -> None:
    browser = office.signed_in()
    page = browser.get("/alarms").text
    assert "above 1.0 kWh" in page and "E003" in page
    count = re.search(r'class="bell"[^>]*aria-label="(\d+) open alarms"', page)
    assert count is not None and int(count[1]) > 0
    number = browser.get("/alarms.json").json()["alarms"][0]["number"]
    detail = browser.get(f"/alarms/{number}").text
    assert "Take it on" in detail and "kWh" in detail
    assert office.post(browser, f"/alarms/{number}/acknowledge", {"note": "looking at it"}).status_code == 303
    detail = browser.get(f"/alarms/{number}").text
    assert "looking at it" in detail and "Take it on" not in detail
    again = office.post(browser, f"/alarms/{number}/acknowledge", {"note": "me too"})
    assert again.status_code == 409 and "acknowledged already" in again.text
    assert browser.get("/alarms.json?state=acknowledged").json()["alarms"][0]["number"] == number
    assert "alarm.acknowledge" in actions(office)


def test_an_alarm_is_silenced_for_a_time(office: Site) -> None:
    browser = office.signed_in()
    number = browser.get("/alarms.json").json()["alarms"][0]["number"]
    assert office.post(browser, f"/alarms/{number}/silence", {"hours": "24", "note": "test"}).status_code == 303
    assert browser.get("/alarms.json?state=silenced").json()["alarms"][0]["number"] == number
    assert office.post(browser, f"/alarms/{number}/silence", {"hours": "99999"}).status_code == 422


def test_a_rule_is_tried_on_a_month_before_it_is_set(site: Site) -> None:
    browser = site.signed_in()
    form = {**LIMIT, "value": "1000000000", "try": "1", "month": "2025-02"}
    assert "would have raised 0 alarms" in site.post(browser, "/alarms/rules", form).text
    tried = site.post(browser, "/alarms/rules", {**form, "value": "1"}).text
    assert re.search(r"would have raised (2[789]|30) alarms", tried)
    assert browser.get("/alarms/rules.json").json()["rules"] == []


def test_faults_stand_beside_their_fields(site: Site) -> None:
    browser = site.signed_in()
    answer = site.post(browser, "/alarms/rules", {**LIMIT, "value": "much", "recipients": "nobody", "id": "a b"})
    assert answer.status_code == 422
    for text in ("is no number that fits here", "is nobody who could be told", "is no identifier"):
        assert text in answer.text
    assert 'value="much"' in answer.text


def test_a_stale_form_of_a_rule_is_refused(office: Site) -> None:
    browser = office.signed_in()
    edit = browser.get("/alarms/rules/load/edit").text
    version = re.search(r'name="version" value="(\d+)"', edit)
    assert version is not None
    newer = {**LIMIT, "version": version[1], "value": "2"}
    assert office.post(browser, "/alarms/rules", newer).status_code == 303
    stale = office.post(browser, "/alarms/rules", {**newer, "value": "3"})
    assert stale.status_code == 409 and "changed meanwhile" in stale.text
    assert office.post(browser, "/alarms/rules", LIMIT).status_code == 409
    assert "Cheng" in browser.get("/alarms/rules/load").text


def test_a_withdrawn_rule_is_gone(office: Site) -> None:
    browser = office.signed_in()
    version = browser.get("/alarms/rules.json").json()["rules"][0]["version"]
    assert office.post(browser, "/alarms/rules/load/withdraw", {"version": "1x"}).status_code == 422
    assert office.post(browser, "/alarms/rules/load/withdraw", {"version": version}).status_code == 303
    assert browser.get("/alarms/rules.json").json()["rules"] == []
    assert office.post(browser, "/alarms/evaluate").status_code == 303
    assert browser.get("/alarms.json").json()["alarms"] == []


def test_an_enterprise_sees_and_sets_its_own_alone(office: Site) -> None:
    office.join("e3@e3.example", Role.ENTERPRISE, "E003")
    office.join("e6@e6.example", Role.ENTERPRISE, "E006")
    third, sixth = office.signed_in("e3@e3.example"), office.signed_in("e6@e6.example")
    number = third.get("/alarms.json").json()["alarms"][0]["number"]
    assert office.post(third, f"/alarms/{number}/acknowledge", {"note": "ours"}).status_code == 303
    assert sixth.get("/alarms.json").json()["alarms"] == []
    assert sixth.get(f"/alarms/{number}").status_code == 404
    assert office.post(sixth, f"/alarms/{number}/silence", {"hours": "1"}).status_code == 404
    assert third.get("/alarms/rules/load").status_code == 404
    own = {**LIMIT, "id": "ours", "owner": "E006", "place": "enterprise:E006"}
    assert office.post(sixth, "/alarms/rules", own).status_code == 303
    assert third.get("/alarms/rules.json").json()["rules"] == []
    for change in ({"owner": "E003"}, {"owner": ""}, {"place": "park"}, {"place": "enterprise:*"}):
        assert office.post(sixth, "/alarms/rules", {**own, "id": "more", **change}).status_code == 422
    hook = office.post(sixth, "/alarms/rules", {**own, "id": "more", "recipients": "webhook:duty"})
    assert hook.status_code == 422 and "webhooks are for the rules of the park" in hook.text
    assert office.post(sixth, "/alarms/evaluate").status_code == 403


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_of_alarms_is_there_in_both_languages(office: Site, language: str) -> None:
    browser = office.signed_in()
    browser.cookies.set("lujin_language", language)
    number = browser.get("/alarms.json").json()["alarms"][0]["number"]
    pages = ["/alarms", "/alarms?state=all", f"/alarms/{number}", "/alarms/rules", "/alarms/rules/load"]
    pages += ["/alarms/rules/load/edit"]
    kinds = ("completeness", "limit", "demand", "anomaly", "late", "claimed_twice", "ledger")
    pages += [f"/alarms/rules/new?kind={kind}" for kind in kinds]
    for path in pages:
        answer = browser.get(path)
        assert answer.status_code == 200, path
        assert ("不" in answer.text or "告警" in answer.text) == (language == "zh"), path
    for path in ("/alarms.csv", f"/alarms/{number}.csv", "/alarms/rules.csv"):
        assert browser.get(path).text.startswith("\ufeff")
