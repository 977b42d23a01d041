"""Settings in the browser: stored whole or not at all, audited, secrets never shown, in force at once."""

from __future__ import annotations

import json
import re
from typing import Any

from lujin.access import Role, audit_trail

from .conftest import Site

FORM: dict[str, Any] = {
    "smtp_host": "mail.example.com",
    "smtp_port": "587",
    "smtp_security": "starttls",
    "smtp_user": "lujin",
    "smtp_password": "gehe im",
    "smtp_from": "energy@park.example",
    "webhooks": "duty https://example.com/x geheim2",
    "quiet": "22:00-07:00",
    "language": "en",
    "session_hours": "8",
    "upload_limit_mb": "100",
    "alarms_minutes": "10",
}


def version(text: str) -> str:
    found = re.search(r'name="version" value="(\d+)"', text)
    assert found is not None
    return found[1]


def test_settings_are_stored_shown_without_secrets_and_in_force(site: Site) -> None:
    browser = site.signed_in()
    form = {**FORM, "version": version(browser.get("/settings").text)}
    assert site.post(browser, "/settings", form).status_code == 303
    said = browser.get("/settings").text + browser.get("/settings.json").text + browser.get("/settings.csv").text
    assert "mail.example.com" in said and "https://example.com/x" in said and "22:00-07:00" in said
    with site.engine.connect() as connection:
        entry = audit_trail(connection)[0]
        said += json.dumps([entry.before, entry.after])
    for secret in ("gehe im", "geheim2", "aes:"):
        assert secret not in said
    assert entry.action == "settings.change" and entry.after is not None
    assert entry.after["smtp_password"] == "changed" and entry.after["session_hours"] == 8
    settings = site.app.state.settings
    assert settings.upload_limit == 100 << 20 and settings.doors.lifetimes.whole.total_seconds() == 8 * 3600


def test_a_form_with_faults_stores_nothing_and_keeps_what_was_typed(site: Site) -> None:
    browser = site.signed_in()
    first = version(browser.get("/settings").text)
    bad = {**FORM, "version": first, "smtp_port": "0", "quiet": "late", "webhooks": "x ftp://y"}
    answer = site.post(browser, "/settings", bad)
    assert answer.status_code == 422 and answer.text.count('class="error"') == 3
    assert "gehe im" not in answer.text and "x ftp://y" in answer.text
    assert version(browser.get("/settings").text) == first


def test_a_stale_form_is_refused(site: Site) -> None:
    browser = site.signed_in()
    form = {**FORM, "version": version(browser.get("/settings").text)}
    assert site.post(browser, "/settings", form).status_code == 303
    answer = site.post(browser, "/settings", {**form, "quiet": ""})
    assert answer.status_code == 409 and "meanwhile" in answer.text


def test_a_trial_that_fails_says_why(site: Site) -> None:
    browser = site.signed_in()
    answer = site.post(browser, "/settings/try-mail", {"address": "a@example.com"})
    assert answer.status_code == 422 and "no mail server is set" in answer.text
    assert site.post(browser, "/settings/try-mail", {"address": "nobody"}).status_code == 422
    assert site.post(browser, "/settings/try-webhook", {"name": "none"}).status_code == 422


def test_settings_are_for_the_operator(site: Site) -> None:
    site.join("v@cqc.example", Role.VERIFIER)
    browser = site.signed_in("v@cqc.example")
    assert browser.get("/settings").status_code == 403
    assert site.post(browser, "/settings", {**FORM, "version": "0"}).status_code == 403
