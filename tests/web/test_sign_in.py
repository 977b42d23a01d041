"""Signing in with a browser, and what keeps others from doing it."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pyotp
import pytest
from fastapi.testclient import TestClient

from lujin.access import Right, Role, first_link, issue_token, new_link
from lujin.access.viewer import Viewer
from lujin.web.app import create_app
from lujin.web.doors import Doors
from lujin.web.settings import Settings


def form_of(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))


def test_first_link_makes_the_first_operator(park: Path) -> None:
    app = create_app(Settings(park, environment={}))
    with TestClient(app, follow_redirects=False, headers={"accept": "text/html"}) as browser:
        engine = app.state.open_park.workspace.engine
        token = first_link(engine, datetime.now(UTC))
        assert browser.get(f"/link/{token}").status_code == 200
        poor = {"name": "Cheng", "email": "cheng@park.example", "password": "short", "repeated": "short"}
        refused = browser.post(f"/link/{token}", data=poor)
        assert refused.status_code == 422 and "cheng@park.example" in refused.text
        good = poor | {"password": "kettle marsh violin", "repeated": "kettle marsh violin"}
        assert browser.post(f"/link/{token}", data=good).status_code == 303
        assert browser.get("/people").status_code == 200
        assert browser.get(f"/link/{token}").status_code == 404
        assert first_link(engine, datetime.now(UTC)) is None


def test_sign_in_leads_to_the_page_asked_for(site: Any) -> None:
    browser = site.browser()
    there = browser.get("/people").headers["location"]
    page = browser.get(there)
    typed = form_of(page.text) | {"email": "operator@park.example", "password": site.password}
    answer = browser.post("/sign-in", data=typed)
    assert browser.get(answer.headers["location"]).headers["location"] == "/people"
    assert browser.get("/people").status_code == 200


def test_cookie_is_out_of_reach_for_scripts_and_other_sites(site: Any) -> None:
    typed = {"email": "operator@park.example", "password": site.password}
    cookie = site.browser().post("/sign-in", data=typed).headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Secure" not in cookie
    site.app.state.settings = dataclasses.replace(site.app.state.settings, public_url="https://park.example")
    answer = site.browser().post("/sign-in", data=typed)
    assert answer.headers["set-cookie"].startswith("__Host-lujin=") and "Secure" in answer.headers["set-cookie"]
    assert "max-age" in answer.headers["strict-transport-security"]


def test_wrong_password_is_told_beside_the_field_and_sixth_has_to_wait(site: Any) -> None:
    browser = site.browser()
    typed = {"email": "operator@park.example", "password": "wrong wrong wrong"}
    for _ in range(5):
        answer = browser.post("/sign-in", data=typed)
        assert answer.status_code == 422 and 'aria-invalid="true"' in answer.text
    answer = browser.post("/sign-in", data=typed)
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) > 0


def test_sign_in_changes_the_token_and_sign_out_voids_it(site: Any) -> None:
    browser = site.signed_in()
    first = browser.cookies["lujin"]
    browser.post(
        "/sign-in",
        data=form_of(browser.get("/account").text) | {"email": "operator@park.example", "password": site.password},
    )
    second = browser.cookies["lujin"]
    assert first != second
    stranger = site.browser()
    stranger.cookies.set("lujin", first)
    assert stranger.get("/people").status_code == 303
    assert site.post(browser, "/sign-out").status_code == 303
    stranger.cookies.set("lujin", second)
    assert stranger.get("/people").status_code == 303


def test_session_ends_when_nobody_used_it(site: Any) -> None:
    browser = site.signed_in()
    site.now += timedelta(hours=2)
    assert browser.get("/people").headers["location"].startswith("/sign-in")


def test_second_factor_from_picture_to_sign_in(site: Any) -> None:
    browser = site.signed_in()
    before = browser.cookies["lujin"]
    page = site.post(browser, "/account/second-factor", {"password": site.password})
    assert "<svg" in page.text and "style=" not in page.text
    secret = re.search(r'class="secret">(\w+)<', page.text)
    assert secret is not None
    code = pyotp.TOTP(secret[1]).at(site.now)
    wrong = site.post(browser, "/account/second-factor/confirm", {"code": "000000"})
    assert wrong.status_code == 422 and secret[1] in wrong.text
    done = site.post(browser, "/account/second-factor/confirm", {"code": code})
    assert browser.post("/account/language", data=form_of(done.text) | {"language": "en"}).status_code == 303
    codes = re.findall(r"<li>([a-z2-9]{5}-[a-z2-9]{5})</li>", done.text)
    assert len(codes) == 10 and browser.cookies["lujin"] != before

    other = site.signed_in()
    assert other.get("/people").status_code == 303
    page = other.get("/sign-in/code")
    used = other.post("/sign-in/code", data=form_of(page.text) | {"code": code})
    assert used.status_code == 422
    assert other.post("/sign-in/code", data=form_of(page.text) | {"code": codes[0]}).status_code == 303
    assert other.get("/people").status_code == 200


class TestForgery:
    """What another site can make a browser send changes nothing."""

    FORM: ClassVar = {"name": "Eve", "email": "eve@evil.example", "role": "operator"}

    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"origin": "https://testserver.evil.example"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
        ],
    )
    def test_from_another_site_even_with_the_token(self, site: Any, headers: dict[str, str]) -> None:
        browser = site.signed_in()
        token = form_of(browser.get("/account").text)
        assert browser.post("/people", data=token | self.FORM, headers=headers).status_code == 403
        assert browser.post("/sign-out", data=token, headers=headers).status_code == 403
        assert browser.get("/people.json").json()["people"][1:] == []

    def test_without_the_token_or_with_that_of_another_session(self, site: Any) -> None:
        browser, other = site.signed_in(), site.signed_in()
        assert browser.post("/people", data=self.FORM).status_code == 403
        foreign = form_of(other.get("/account").text)
        assert browser.post("/people", data=foreign | self.FORM).status_code == 403

    def test_header_counts_as_well_as_the_field(self, site: Any) -> None:
        browser = site.signed_in()
        token = form_of(browser.get("/account").text)["csrf"]
        headers = {"x-csrf-token": token, "origin": "http://testserver", "sec-fetch-site": "same-origin"}
        assert browser.post("/people", data=self.FORM, headers=headers).status_code == 200

    def test_every_page_has_another_token(self, site: Any) -> None:
        browser = site.signed_in()
        assert form_of(browser.get("/account").text) != form_of(browser.get("/account").text)

    def test_sign_in_from_another_site(self, site: Any) -> None:
        typed = {"email": "operator@park.example", "password": site.password}
        answer = site.browser().post("/sign-in", data=typed, headers={"origin": "https://evil.example"})
        assert answer.status_code == 403 and "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/sign-in", "/nowhere", "/static/css/lujin.css", "/people", "/people.json"])
def test_every_answer_says_what_browsers_may_do(site: Any, path: str) -> None:
    headers = site.browser().get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in policy and headers["referrer-policy"] == "same-origin"


def test_pages_of_the_signed_in_are_not_kept_by_the_browser(site: Any) -> None:
    assert site.signed_in().get("/people").headers["cache-control"] == "no-store"


def test_pages_hold_no_script_or_style_that_the_policy_would_stop(site: Any) -> None:
    browser = site.signed_in()
    for path in (
        "/sign-in",
        "/people",
        "/people/new",
        "/people/1",
        "/account",
        "/consents",
        "/audit",
        "/audit/check",
    ):
        page = browser.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|\bstyle=|\bon\w+=\"|javascript:", page), path


class TestRates:
    @pytest.fixture
    def limited(self, site: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Few requests a minute, at a clock that stands: no minute turns between two of them."""
        from lujin.web.security import Guard

        stands = SimpleNamespace(time=lambda: 1_750_000_030.0)
        for module in ("limits.storage.memory", "limits.strategies"):
            monkeypatch.setattr(f"{module}.time", stands)
        monkeypatch.setattr("lujin.web.rates.time", stands.time)

        app, doors = site.app, Doors(requests_per_minute=8)
        app.middleware_stack = None
        app.user_middleware = [type(m)(Guard, doors=doors) if m.cls is Guard else m for m in app.user_middleware]
        return site

    def test_one_person_too_often(self, limited: Any) -> None:
        token = issue_token(
            limited.engine,
            Viewer(1, "Cheng", Role.OPERATOR),
            "t",
            [Right.SEE_PARK],
            limited.now + timedelta(days=1),
            now=limited.now,
        )
        browser = limited.browser()
        headers = {"authorization": f"Bearer {token}"}
        answers = [browser.get("/enterprises.json", headers=headers) for _ in range(9)]
        assert [a.status_code for a in answers[:8]] == [200] * 8
        assert answers[8].status_code == 429 and int(answers[8].headers["retry-after"]) >= 1
        assert answers[8].headers["content-security-policy"]

    def test_strangers_sooner(self, limited: Any) -> None:
        browser = limited.browser()
        assert [browser.get("/sign-in").status_code for _ in range(3)] == [200, 200, 429]
        assert browser.get("/static/css/lujin.css").status_code == 200


class TestBearer:
    def issue(self, site: Any, *scopes: Right) -> dict[str, str]:
        viewer = Viewer(1, "Cheng", Role.OPERATOR)
        expires = site.now + timedelta(days=1)
        token = issue_token(site.engine, viewer, "t", scopes, expires, now=site.now)
        return {"authorization": f"Bearer {token}"}

    def test_opens_data_within_its_scopes_and_no_pages(self, site: Any) -> None:
        browser, headers = site.browser(), self.issue(site, Right.SEE_ACCOUNT)
        assert browser.get("/enterprises.json", headers=headers).status_code == 200
        assert browser.get("/audit.json", headers=headers).status_code == 403
        assert browser.get("/account.json", headers=headers).status_code == 403
        assert browser.get("/enterprises", headers=headers).status_code == 303

    def test_unknown_or_expired_is_refused_even_beside_a_session(self, site: Any) -> None:
        browser, headers = site.signed_in(), self.issue(site, Right.SEE_ACCOUNT)
        assert browser.get("/enterprises.json", headers={"authorization": "Bearer lujin_x"}).status_code == 401
        site.now += timedelta(days=1)
        assert site.browser().get("/enterprises.json", headers=headers).status_code == 401


def test_link_for_a_new_password_is_shown_once(site: Any) -> None:
    number = site.join("lu@e1.example", Role.ENTERPRISE, "E003")
    page = site.post(site.signed_in(), f"/people/{number}/link")
    found = re.search(r"http://testserver(/link/[\w-]+)", page.text)
    assert found is not None and page.headers["cache-control"] == "no-store"
    newer = new_link(site.engine, Viewer(1, "Cheng", Role.OPERATOR), number, now=site.now)
    assert site.browser().get(found[1]).status_code == 404
    assert site.browser().get(f"/link/{newer}").status_code == 200


def test_no_link_makes_our_pages_say_something(site: Any) -> None:
    browser = site.signed_in()
    said = site.post(browser, "/account/language", {"language": "en"}).headers["location"]
    assert 'class="notice good"' in browser.get(said).text
    assert "call this number" not in browser.get("/account?message=call+this+number&seal=0").text
    assert "call this number" not in browser.get(said.replace("Saved.", "call this number")).text
