"""People, consents, own account and audit trail in the browser."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from lujin.access import Role, audit, audit_trail
from lujin.database import writing

OWN, FOREIGN = "E003", "E006"


def people(site: Any) -> dict[str, Any]:
    listed = site.signed_in().get("/people.json").json()["people"]
    return {one["name"]: one for one in listed}


class TestPeople:
    def test_invited_person_comes_in_by_the_link(self, site: Any) -> None:
        form = {"name": "Lu", "email": "Lu@e3.example", "role": "enterprise", "enterprises": [OWN]}
        page = site.post(site.signed_in(), "/people", form)
        link = re.search(r"http://testserver(/link/[\w-]+)", page.text)
        assert link is not None and people(site)["Lu"]["state"] == "invited"
        browser = site.browser()
        assert "lu@e3.example" in browser.get(link[1]).text
        browser.post(link[1], data={"password": site.password, "repeated": site.password})
        assert people(site)["Lu"]["state"] == "active"
        assert browser.get("/").headers["location"] == f"/enterprises/{OWN}"
        assert browser.get("/people").status_code == 403

    def test_faults_stand_beside_their_fields_and_what_was_typed_stays(self, site: Any) -> None:
        form = {"name": "Lu", "email": "nobody", "role": "enterprise", "meters": "NO-SUCH"}
        answer = site.post(site.signed_in(), "/people", form)
        assert answer.status_code == 422
        assert 'value="Lu"' in answer.text and 'value="nobody"' in answer.text and "NO-SUCH" in answer.text
        assert list(people(site)) == ["Cheng"]

    @pytest.mark.parametrize(
        "form",
        [
            {"role": "emperor"},
            {"role": "enterprise", "enterprises": ["E999"]},
            {"role": "bank"},
            {"name": "x\x00y", "role": "verifier"},
            {"name": "x" * 2001, "role": "verifier"},
        ],
    )
    def test_what_no_form_of_ours_sends_is_refused(self, site: Any, form: dict[str, Any]) -> None:
        answer = site.post(site.signed_in(), "/people", {"name": "Lu", "email": "lu@e3.example"} | form)
        assert answer.status_code == 422
        assert list(people(site)) == ["Cheng"]

    def test_stale_page_overwrites_nobody(self, site: Any) -> None:
        number = site.join("lu@e3.example", Role.ENTERPRISE, OWN)
        browser = site.signed_in()
        form = {
            "name": "first",
            "email": "lu@e3.example",
            "role": "enterprise",
            "enterprises": [OWN],
            "version": 1,
        }
        assert site.post(browser, f"/people/{number}", form).status_code == 303
        answer = site.post(browser, f"/people/{number}", form | {"name": "second"})
        assert answer.status_code == 409 and "someone changed first" in answer.text
        assert "first" in people(site)

    def test_device_sends_with_its_token_until_it_is_revoked(self, site: Any) -> None:
        browser = site.signed_in()
        form = {"name": "gateway", "role": "device", "enterprises": [OWN]}
        there = site.post(browser, "/people", form).headers["location"].partition("?")[0]
        page = site.post(browser, f"{there}/tokens", {"name": "ems"}).text
        token = re.search(r'id="token">(lujin_[\w-]+)<', page)
        assert token is not None
        headers = {"authorization": f"Bearer {token[1]}"}
        assert site.browser().get("/enterprises.json", headers=headers).status_code == 200
        assert token[1] not in browser.get(there).text
        site.post(browser, f"{there}/tokens/1/revoke")
        assert site.browser().get("/enterprises.json", headers=headers).status_code == 401

    def test_shut_out_person_is_out_at_once(self, site: Any) -> None:
        number = site.join("lu@e3.example", Role.ENTERPRISE, OWN)
        theirs = site.signed_in("lu@e3.example")
        assert theirs.get(f"/enterprises/{OWN}").status_code == 200
        site.post(site.signed_in(), f"/people/{number}/disable", {"version": 1})
        assert theirs.get(f"/enterprises/{OWN}").status_code == 303

    def test_only_operator_can_not_shut_the_door_behind_him(self, site: Any) -> None:
        answer = site.post(site.signed_in(), "/people/1/disable", {"version": 1})
        assert answer.status_code == 422 and "only park operator" in answer.text


class TestConsents:
    @pytest.fixture
    def parties(self, site: Any) -> tuple[Any, Any]:
        site.join("lu@e3.example", Role.ENTERPRISE, OWN)
        site.join("bai@bank.example", Role.BANK, bank="绿洲银行")
        return site.signed_in("lu@e3.example"), site.signed_in("bai@bank.example")

    FORM = {"enterprise": OWN, "bank": 1, "first": "2026-01-05", "until": "2026-01-06"}  # noqa: RUF012

    def test_bank_sees_the_account_from_consent_to_revocation(self, site: Any, parties: Any) -> None:
        own, bank = parties
        assert bank.get(f"/enterprises/{OWN}").status_code == 404
        assert site.post(own, "/consents", self.FORM).status_code == 303
        assert bank.get(f"/enterprises/{OWN}").status_code == 200
        assert bank.get(f"/enterprises/{FOREIGN}").status_code == 404
        assert site.post(own, "/consents/1/revoke").status_code == 303
        assert bank.get(f"/enterprises/{OWN}").status_code == 404
        (row,) = own.get("/consents.json").json()["consents"]
        assert (row["state"], row["given_by"], row["revoked_by"]) == ("revoked", "lu", "lu")

    def test_bank_sees_nothing_after_the_last_day_in_the_park(self, site: Any, parties: Any) -> None:
        own, _ = parties
        site.post(own, "/consents", self.FORM)
        site.now += timedelta(days=1, hours=13)  # 2026-01-06, 23:00 in the park
        assert site.signed_in("bai@bank.example").get(f"/enterprises/{OWN}").status_code == 200
        site.now += timedelta(hours=1)  # 2026-01-07, 00:00 in the park
        assert site.signed_in("bai@bank.example").get(f"/enterprises/{OWN}").status_code == 404

    def test_office_looks_on_and_gives_none(self, site: Any, parties: Any) -> None:
        own, _ = parties
        site.post(own, "/consents", self.FORM)
        office = site.signed_in()
        assert [row["enterprise"] for row in office.get("/consents.json").json()["consents"]] == [OWN]
        assert site.post(office, "/consents", self.FORM).status_code == 403
        assert site.post(office, "/consents/1/revoke").status_code == 404

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"first": "tomorrow"}, 422),
            ({"until": "2026-01-01"}, 422),
            ({"until": "2036-01-01"}, 422),
            ({"until": "10000-01-01"}, 422),
            ({"bank": 99}, 422),
            ({"bank": 2**40}, 422),
            ({"enterprise": FOREIGN}, 404),
        ],
    )
    def test_impossible_consents(self, site: Any, parties: Any, change: dict[str, Any], status: int) -> None:
        own, _ = parties
        assert site.post(own, "/consents", self.FORM | change).status_code == status
        assert own.get("/consents.json").json()["consents"] == []


class TestOwnAccount:
    def test_password_changes_and_other_sessions_end(self, site: Any) -> None:
        mine, other = site.signed_in(), site.signed_in()
        before = mine.cookies["lujin"]
        form = {"old": site.password, "new": "another marsh violin", "repeated": "another marsh violin"}
        assert site.post(mine, "/account/password", form | {"old": "wrong"}).status_code == 422
        assert site.post(mine, "/account/password", form | {"repeated": "x"}).status_code == 422
        changed = site.post(mine, "/account/password", form)
        assert changed.status_code == 303
        assert "The password is changed" in mine.get(changed.headers["location"]).text
        assert mine.cookies["lujin"] != before
        assert mine.get("/account").status_code == 200 and other.get("/account").status_code == 303

    def test_sign_out_everywhere_else(self, site: Any) -> None:
        mine, other = site.signed_in(), site.signed_in()
        assert sum(one["this_one"] for one in mine.get("/account.json").json()["sessions"]) == 1
        site.post(mine, "/account/sessions/end")
        assert mine.get("/account").status_code == 200 and other.get("/account").status_code == 303

    def test_token_is_shown_once_and_narrows(self, site: Any) -> None:
        browser = site.signed_in()
        page = site.post(browser, "/account/tokens", {"name": "EMS", "days": 30, "scopes": ["see_audit"]}).text
        token = re.search(r'id="token">(lujin_[\w-]+)<', page)
        assert token is not None
        headers = {"authorization": f"Bearer {token[1]}"}
        assert site.browser().get("/audit.json", headers=headers).status_code == 200
        assert site.browser().get("/people.json", headers=headers).status_code == 403

    @pytest.mark.parametrize(
        "change", [{"name": ""}, {"days": 400}, {"scopes": []}, {"scopes": ["manage_people"]}, {"scopes": ["all"]}]
    )
    def test_impossible_tokens(self, site: Any, change: dict[str, Any]) -> None:
        form = {"name": "EMS", "days": 30, "scopes": ["see_audit"]} | change
        assert site.post(site.signed_in(), "/account/tokens", form).status_code == 422

    def test_language_of_the_account_is_that_of_its_pages(self, site: Any) -> None:
        browser = site.signed_in()
        site.post(browser, "/account/language", {"language": "zh"})
        assert "我的账户" in browser.get("/account").text


class TestAudit:
    def test_trail_tells_who_did_what(self, site: Any) -> None:
        number = site.join("lu@e3.example", Role.ENTERPRISE, OWN)
        browser = site.signed_in()
        form = {"name": "Lu", "email": "lu@e3.example", "role": "verifier", "version": 1}
        site.post(browser, f"/people/{number}", form)
        (row,) = browser.get("/audit.json?action=person.change").json()["entries"]
        assert row["who"] == "Cheng" and row["address"] == "testclient"
        assert (row["before"]["role"], row["after"]["role"]) == ("enterprise", "verifier")
        page = browser.get("/audit?action=person.change").text
        assert "enterprise → verifier" in page and "Cheng" in page

    def test_older_rows_are_a_page_further(self, site: Any) -> None:
        with writing(site.engine) as connection:
            for number in range(60):
                audit(connection, None, "test", f"month/{number}", now=site.now)
        browser = site.signed_in()
        first = browser.get("/audit.json").json()
        second = browser.get(f"/audit.json?before={first['older']}").json()
        numbers = [row["number"] for row in (*first["entries"], *second["entries"])]
        assert numbers == list(range(len(numbers), 0, -1)) and len(numbers) > 60

    def test_check_finds_the_head_that_was_kept(self, site: Any) -> None:
        browser = site.signed_in()
        head = browser.get("/audit.json").json()
        kept = f"number={head['head_number']}&digest={head['head_digest']}"
        assert browser.get(f"/audit/check.json?{kept}").json()["problem"] == ""
        assert browser.get(f"/audit/check.json?number={head['head_number']}&digest={'0' * 64}").json()["problem"]
        assert browser.get("/audit/check.json?number=1").status_code == 422

    @pytest.mark.parametrize(
        "query", ["before=0", "before=99999999999", "person=x", "since=today", "subject=%00", "until=9999-12-31"]
    )
    def test_queries_that_no_form_of_ours_sends(self, site: Any, query: str) -> None:
        assert site.signed_in().get(f"/audit?{query}").status_code in (200, 422)


def test_every_writing_page_of_this_group_leaves_its_row(site: Any) -> None:
    browser = site.signed_in()
    number = site.join("lu@e3.example", Role.ENTERPRISE, OWN)
    acts = [
        (f"/people/{number}/link", {}, "link.reset"),
        (f"/people/{number}/disable", {"version": 1}, "person.disable"),
        (f"/people/{number}/enable", {"version": 2}, "person.enable"),
        (f"/people/{number}/second-factor/off", {}, "second_factor.off"),
        ("/account/language", {"language": "en"}, "person.language"),
        ("/account/tokens", {"name": "t", "scopes": ["see_park"]}, "token.issue"),
        ("/account/tokens/1/revoke", {}, "token.revoke"),
        ("/account/sessions/end", {}, "sign_out_everywhere"),
        ("/sign-out", {}, "sign_out"),
    ]
    for path, form, action in acts:
        assert site.post(browser, path, form).status_code in (200, 303), path
        with site.engine.connect() as connection:
            assert audit_trail(connection, limit=1)[0].action == action
