"""People, links, consents and tokens: what each change does, and what it refuses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lujin.access import (
    PersonForm,
    Right,
    Role,
    add_person,
    audit_trail,
    banks,
    change_person,
    consents,
    disable_person,
    enable_person,
    first_link,
    give_consent,
    issue_token,
    may,
    new_link,
    open_link,
    people,
    person_of,
    revoke_consent,
    revoke_token,
    sign_in,
    token_viewer,
    tokens_of,
    use_link,
    verify_audit,
)
from lujin.access.people import form_of
from lujin.errors import ForbiddenError, InputError, NotFoundError, StaleError


def fields(error: pytest.ExceptionInfo[InputError]) -> set[str]:
    return {problem.field for problem in error.value.problems}


class TestLinks:
    def test_first_link_is_for_an_empty_park_only(self, office: Any) -> None:
        assert first_link(office.engine, office.now) is None

    def test_link_works_once(self, office: Any) -> None:
        form = PersonForm("高原", Role.VERIFIER, "gao@verify.example")
        number = add_person(office.engine, office.operator, form, now=office.now)
        link = new_link(office.engine, office.operator, number, now=office.now)
        assert open_link(office.engine, link, office.now).email == "gao@verify.example"
        use_link(office.engine, link, office.password, office.visit())
        with pytest.raises(NotFoundError):
            use_link(office.engine, link, office.password, office.visit())
        with pytest.raises(NotFoundError):
            open_link(office.engine, link, office.now)

    def test_link_ends_after_three_days(self, office: Any) -> None:
        link = new_link(office.engine, office.operator, office.operator.person, now=office.now)
        office.wait(hours=72)
        with pytest.raises(NotFoundError):
            use_link(office.engine, link, office.password, office.visit())

    def test_newer_link_voids_the_older(self, office: Any) -> None:
        old = new_link(office.engine, office.operator, office.operator.person, now=office.now)
        new_link(office.engine, office.operator, office.operator.person, now=office.now)
        with pytest.raises(NotFoundError):
            open_link(office.engine, old, office.now)

    def test_reset_ends_open_sessions(self, office: Any) -> None:
        session = sign_in(office.engine, "cheng.lan@park.example", office.password, office.visit())
        link = new_link(office.engine, office.operator, office.operator.person, now=office.now)
        assert office.is_in(session)
        use_link(office.engine, link, "another marsh violin", office.visit())
        assert not office.is_in(session)

    def test_poor_password_leaves_the_link_open(self, office: Any) -> None:
        link = new_link(office.engine, office.operator, office.operator.person, now=office.now)
        for poor in ("short", "password12345", "1q2w3e4r5t6y", "Cheng.Lan2025", "aaaaaaaaaaaaaaaa", "x" * 300):
            with pytest.raises(InputError):
                use_link(office.engine, link, poor, office.visit())
        assert open_link(office.engine, link, office.now)


class TestPeople:
    def test_every_fault_of_a_form_is_told_at_its_field(self, office: Any) -> None:
        with pytest.raises(InputError) as error:
            form = PersonForm("", Role.ENTERPRISE, "nobody")
            add_person(office.engine, office.operator, form, now=office.now)
        assert fields(error) == {"name", "email", "enterprises"}

    def test_address_is_taken_whatever_its_case(self, office: Any) -> None:
        with pytest.raises(InputError) as error:
            form = PersonForm("乙", Role.VERIFIER, "CHENG.lan@Park.example")
            add_person(office.engine, office.operator, form, now=office.now)
        assert fields(error) == {"email"}

    def test_only_the_office_manages_people(self, office: Any) -> None:
        own = office.join("陆", Role.ENTERPRISE, "lu@e1.example", "E001")
        with pytest.raises(ForbiddenError):
            form = PersonForm("丙", Role.OPERATOR, "c@e1.example")
            add_person(office.engine, own, form, now=office.now)

    def test_changed_rights_end_the_session(self, office: Any) -> None:
        own = office.join("陆", Role.ENTERPRISE, "lu@e1.example", "E001")
        session = sign_in(office.engine, "lu@e1.example", office.password, office.visit())
        old = person_of(office.engine, own.person)
        form = PersonForm("陆薇", Role.ENTERPRISE, old.email, frozenset({"E001"}))
        change_person(office.engine, office.operator, own.person, form, version=old.version, now=office.now)
        assert office.holder(session).viewer.name == "陆薇"
        form = PersonForm("陆薇", Role.ENTERPRISE, old.email, frozenset({"E002"}))
        change_person(office.engine, office.operator, own.person, form, version=2, now=office.now)
        assert not office.is_in(session)

    def test_stale_form_is_refused(self, office: Any) -> None:
        own = office.join("陆", Role.ENTERPRISE, "lu@e1.example", "E001")
        form = form_of(person_of(office.engine, own.person))
        change_person(office.engine, office.operator, own.person, form, version=1, now=office.now)
        with pytest.raises(StaleError):
            change_person(office.engine, office.operator, own.person, form, version=1, now=office.now)

    def test_last_operator_stays(self, office: Any) -> None:
        me = office.operator.person
        with pytest.raises(InputError):
            disable_person(office.engine, office.operator, me, version=1, now=office.now)
        form = PersonForm("程岚", Role.VERIFIER, "cheng.lan@park.example")
        with pytest.raises(InputError):
            change_person(office.engine, office.operator, me, form, version=1, now=office.now)
        office.join("second", Role.OPERATOR, "second@park.example")
        disable_person(office.engine, office.operator, me, version=1, now=office.now)

    def test_disabled_is_out_at_once_and_tokens_stay_void(self, office: Any) -> None:
        own = office.join("陆", Role.ENTERPRISE, "lu@e1.example", "E001")
        session = sign_in(office.engine, "lu@e1.example", office.password, office.visit())
        expires = office.now + timedelta(days=30)
        token = issue_token(office.engine, own, "EMS", [Right.SEE_ACCOUNT], expires, now=office.now)
        disable_person(office.engine, office.operator, own.person, version=1, now=office.now)
        assert not office.is_in(session)
        with pytest.raises(InputError):
            sign_in(office.engine, "lu@e1.example", office.password, office.visit())
        enable_person(office.engine, office.operator, own.person, version=2, now=office.now)
        sign_in(office.engine, "lu@e1.example", office.password, office.visit())
        assert token_viewer(office.engine, token, now=office.now, today=20250701) is None

    def test_listing_tells_who_has_not_come_yet(self, office: Any) -> None:
        form = PersonForm("gateway", Role.DEVICE, meters={"M1": "E001"}, enterprises=frozenset({"E001"}))
        add_person(office.engine, office.operator, form, now=office.now)
        by_name = {person.name: person for person in people(office.engine)}
        assert by_name["gateway"].since is None and by_name["gateway"].meters == {"M1"}
        assert by_name["程岚"].since == office.now


class TestConsents:
    @pytest.fixture
    def parties(self, office: Any) -> Any:
        own = office.join("陆", Role.ENTERPRISE, "lu@e1.example", "E001")
        officer = office.join("白", Role.BANK, "bai@bank.example", bank="绿洲银行")
        return own, officer

    def sees(self, office: Any) -> frozenset[str]:
        session = sign_in(office.engine, "bai@bank.example", office.password, office.visit())
        viewer = office.holder(session).viewer
        assert all(may(viewer, Right.SEE_ACCOUNT, one) for one in viewer.enterprises)
        enterprises: frozenset[str] = viewer.enterprises
        return enterprises

    def give(self, office: Any, own: Any, first: int, last: int) -> int:
        (bank,) = banks(office.engine)
        return give_consent(
            office.engine,
            own,
            "E001",
            bank,
            office.today + timedelta(days=first),
            office.today + timedelta(days=last),
            today=office.today,
            now=office.now,
        )

    def test_consent_opens_from_its_first_to_its_last_day(self, office: Any, parties: Any) -> None:
        self.give(office, parties[0], 1, 2)
        seen = []
        for _ in range(4):
            seen.append(bool(self.sees(office)))
            office.wait(days=1)
        assert seen == [False, True, True, False]

    def test_revoked_consent_shuts_at_once_and_stays_on_record(self, office: Any, parties: Any) -> None:
        number = self.give(office, parties[0], 0, 30)
        session = sign_in(office.engine, "bai@bank.example", office.password, office.visit())
        assert office.holder(session).viewer.enterprises == {"E001"}
        revoke_consent(office.engine, parties[0], number, now=office.now)
        revoke_consent(office.engine, parties[0], number, now=office.now)
        assert office.holder(session).viewer.enterprises == frozenset()
        (one,) = consents(office.engine)
        assert (one.state(20250701), one.given_by, one.revoked_by) == ("revoked", "陆", "陆")

    def test_revoking_one_of_two_leaves_the_other(self, office: Any, parties: Any) -> None:
        first = self.give(office, parties[0], 0, 30)
        self.give(office, parties[0], 0, 60)
        revoke_consent(office.engine, parties[0], first, now=office.now)
        assert self.sees(office) == {"E001"}

    def test_nobody_but_the_enterprise_consents(self, office: Any, parties: Any) -> None:
        other = office.join("别", Role.ENTERPRISE, "bie@e2.example", "E002")
        for viewer in (office.operator, parties[1], other):
            with pytest.raises(ForbiddenError):
                self.give(office, viewer, 0, 30)
        number = self.give(office, parties[0], 0, 30)
        for viewer in (office.operator, parties[1], other):
            with pytest.raises(NotFoundError):
                revoke_consent(office.engine, viewer, number, now=office.now)

    @pytest.mark.parametrize(("first", "last"), [(2, 1), (-5, -1), (0, 2000)])
    def test_impossible_days(self, office: Any, parties: Any, first: int, last: int) -> None:
        with pytest.raises(InputError) as error:
            self.give(office, parties[0], first, last)
        assert fields(error) == {"until"}


class TestTokens:
    def issue(self, office: Any, viewer: Any, *scopes: Right, days: int = 30, owner: int | None = None) -> str:
        expires = office.now + timedelta(days=days)
        return issue_token(office.engine, viewer, "EMS", scopes, expires, owner=owner, now=office.now)

    def shown(self, office: Any, token: str) -> Any:
        return token_viewer(office.engine, token, now=office.now, today=20250701)

    def test_token_has_its_scopes_until_it_expires(self, office: Any) -> None:
        token = self.issue(office, office.operator, Right.SEE_PARK)
        viewer = self.shown(office, token)
        assert may(viewer, Right.SEE_PARK) and not may(viewer, Right.CLOSE)
        office.wait(days=30)
        assert self.shown(office, token) is None

    def test_token_loses_what_its_owner_loses(self, office: Any) -> None:
        second = office.join("second", Role.OPERATOR, "second@park.example")
        token = self.issue(office, second, Right.CLOSE)
        form = PersonForm("second", Role.VERIFIER, "second@park.example")
        change_person(office.engine, office.operator, second.person, form, version=1, now=office.now)
        assert not may(self.shown(office, token), Right.CLOSE)

    def test_scopes_beyond_the_role_are_refused(self, office: Any) -> None:
        own = office.join("陆", Role.ENTERPRISE, "lu@e1.example", "E001")
        for scopes in ((Right.CLOSE,), (Right.GIVE_CONSENT,), ()):
            with pytest.raises(InputError):
                self.issue(office, own, *scopes)
        with pytest.raises(InputError):
            self.issue(office, own, Right.SEE_ACCOUNT, days=400)

    def test_token_begets_no_token(self, office: Any) -> None:
        viewer = self.shown(office, self.issue(office, office.operator, Right.SEE_PARK))
        with pytest.raises(ForbiddenError):
            self.issue(office, viewer, Right.SEE_PARK)

    def test_revoked_is_void_and_foreign_ones_stay(self, office: Any) -> None:
        own = office.join("陆", Role.ENTERPRISE, "lu@e1.example", "E001")
        token = self.issue(office, office.operator, Right.SEE_PARK)
        (row,) = tokens_of(office.engine)
        assert token.startswith(row.prefix) and row.owner == "程岚"
        with pytest.raises(NotFoundError):
            revoke_token(office.engine, own, row.number, now=office.now)
        revoke_token(office.engine, office.operator, row.number, now=office.now)
        assert self.shown(office, token) is None

    def test_device_gets_its_token_from_the_office(self, office: Any) -> None:
        form = PersonForm("gateway", Role.DEVICE, meters={"M1": "E001"}, enterprises=frozenset({"E001"}))
        device = add_person(office.engine, office.operator, form, now=office.now)
        token = self.issue(office, office.operator, Right.WRITE_READINGS, owner=device)
        viewer = self.shown(office, token)
        assert (viewer.role, viewer.enterprises, viewer.meters) == (Role.DEVICE, {"E001"}, {"M1"})
        person = office.join("陆", Role.ENTERPRISE, "lu@e1.example", "E001").person
        with pytest.raises(ForbiddenError):
            self.issue(office, office.operator, Right.SEE_ACCOUNT, owner=person)


def test_every_change_is_on_the_trail(office: Any) -> None:
    own = office.join("陆", Role.ENTERPRISE, "lu@e1.example", "E001")
    expires = office.now + timedelta(days=1)
    issue_token(office.engine, own, "EMS", [Right.SEE_ACCOUNT], expires, now=office.now)
    disable_person(office.engine, office.operator, own.person, version=1, now=office.now)
    with office.engine.connect() as connection:
        actions = [entry.action for entry in audit_trail(connection)][::-1]
        verify_audit(connection)
    assert actions == [
        "person.add",
        "link.used.first",
        "person.add",
        "link.invitation",
        "link.used.invitation",
        "token.issue",
        "person.disable",
    ]
