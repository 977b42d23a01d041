"""Signing in: password, second factor, throttle, sessions."""

from __future__ import annotations

import threading
import time
from typing import Any
from unittest.mock import Mock

import pyotp
import pytest
import sqlalchemy as sa

from lujin.access import (
    audit_trail,
    passwords,
    second_factor,
    sessions_of,
    sign_in,
    sign_in_by_email,
    sign_out_everywhere,
)
from lujin.access.own import (
    begin_second_factor,
    change_password,
    clear_second_factor,
    confirm_second_factor,
    drop_second_factor,
    recovery_codes_left,
    renew_recovery_codes,
)
from lujin.access.tables import credential, one_time_link, session
from lujin.access.totp import qr_svg
from lujin.errors import InputError, TooManyError

EMAIL = "cheng.lan@park.example"


def enter(office: Any, password: str | None = None, email: str = EMAIL, address: str = "192.0.2.1") -> str:
    return sign_in(office.engine, email, password or office.password, office.visit(address))


def fail(office: Any, times: int, **more: Any) -> None:
    for _ in range(times):
        with pytest.raises(InputError):
            enter(office, "wrong wrong wrong", **more)


class TestPassword:
    def test_right_one_opens_a_session_and_address_may_be_typed_in_any_case(self, office: Any) -> None:
        found = office.holder(enter(office, email=" CHENG.Lan@park.example "))
        assert found.full and found.viewer.name == "程岚"

    def test_secrets_are_not_in_the_database(self, office: Any) -> None:
        token = enter(office)
        with office.engine.connect() as connection:
            rows = [connection.execute(sa.select(t)).all() for t in (session, credential, one_time_link)]
        assert token not in str(rows) and office.password not in str(rows) and "$argon2id$" in str(rows)

    def test_unknown_person_gets_the_same_answer_for_the_same_work(
        self, office: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        worked = Mock(wraps=passwords._HASHER)
        passwords._nobodys_hash()
        monkeypatch.setattr(passwords, "_HASHER", worked)
        told = {}
        for email in (EMAIL, "nobody@park.example"):
            worked.reset_mock()
            with pytest.raises(InputError) as error:
                enter(office, "wrong wrong wrong", email=email)
            told[email] = str(error.value), worked.verify.call_count, worked.hash.call_count
        assert told[EMAIL] == told["nobody@park.example"]
        assert told[EMAIL][1:] == (1, 0)

    def test_old_hash_is_renewed_at_sign_in(self, office: Any) -> None:
        from argon2 import PasswordHasher

        weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(office.password)
        with office.engine.begin() as connection:
            connection.execute(credential.update().values(password=weak))
        enter(office)
        with office.engine.connect() as connection:
            assert connection.execute(sa.select(credential.c.password)).scalar() != weak
        enter(office)

    def test_change_ends_the_other_sessions(self, office: Any) -> None:
        mine, other = enter(office), enter(office)
        holder = office.holder(mine)
        new = "another marsh violin"
        with pytest.raises(InputError):
            change_password(office.engine, holder.viewer, "wrong", new, now=office.now, keep=holder.digest)
        change_password(office.engine, holder.viewer, office.password, new, now=office.now, keep=holder.digest)
        assert office.is_in(mine) and not office.is_in(other)
        enter(office, new)


class TestThrottle:
    def test_five_failures_then_a_wait_that_grows(self, office: Any) -> None:
        fail(office, 5)
        with pytest.raises(TooManyError) as first:
            enter(office)
        office.wait(seconds=first.value.retry_after_s)
        fail(office, 1)
        with pytest.raises(TooManyError) as second:
            enter(office)
        assert second.value.retry_after_s > first.value.retry_after_s
        office.wait(seconds=second.value.retry_after_s)
        enter(office)
        fail(office, 4)
        enter(office)

    def test_someone_elsewhere_can_not_lock_the_owner_out(self, office: Any) -> None:
        fail(office, 5, address="198.51.100.7")
        with pytest.raises(TooManyError):
            enter(office, address="198.51.100.7")
        enter(office)

    def test_unknown_accounts_are_throttled_alike(self, office: Any) -> None:
        fail(office, 5, email="nobody@park.example")
        with pytest.raises(TooManyError):
            enter(office, email="nobody@park.example")

    def test_many_accounts_from_one_address_are_throttled(self, office: Any) -> None:
        for number in range(30):
            fail(office, 1, email=f"p{number}@park.example")
        with pytest.raises(TooManyError):
            enter(office)

    def test_attempts_at_the_same_moment_count_too(self, office: Any) -> None:
        outcomes: list[str] = []

        def attempt() -> None:
            try:
                enter(office, "wrong wrong wrong")
            except TooManyError:
                outcomes.append("throttled")
            except InputError:
                outcomes.append("tried")

        threads = [threading.Thread(target=attempt) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (outcomes.count("tried"), outcomes.count("throttled")) == (5, 7)


class TestSessions:
    def test_idle_and_whole_length_end_it(self, office: Any) -> None:
        idle = enter(office)
        office.wait(hours=2)
        assert not office.is_in(idle)
        used = enter(office)
        for _ in range(11):
            office.wait(hours=1)
            assert office.is_in(used)
        office.wait(hours=1)
        assert not office.is_in(used)

    def test_each_sign_in_has_a_token_of_its_own(self, office: Any) -> None:
        assert enter(office) != enter(office)

    def test_sign_out_everywhere(self, office: Any) -> None:
        mine, other = enter(office), enter(office)
        holder = office.holder(mine)
        sign_out_everywhere(office.engine, holder.viewer, now=office.now, keep=holder.digest)
        assert office.is_in(mine) and not office.is_in(other)
        assert [one.digest for one in sessions_of(office.engine, holder.viewer.person, office.now)] == [
            holder.digest
        ]

    def test_nobody_waits_for_the_note_that_a_session_was_used(self, office: Any) -> None:
        token = enter(office)
        office.wait(minutes=5)
        with office.engine.connect().execution_options(lujin_write=True) as other, other.begin():
            other.execute(session.update().values(agent="busy"))
            start = time.perf_counter()
            assert office.is_in(token)
            assert time.perf_counter() - start < 2


class TestSecondFactor:
    def enrol(self, office: Any) -> tuple[str, list[str]]:
        viewer = office.operator
        key = begin_second_factor(office.engine, viewer, office.password, "绿金", now=office.now)
        code = pyotp.TOTP(key.secret).at(office.now)
        codes = confirm_second_factor(office.engine, viewer, code, now=office.now)
        office.wait(seconds=30)
        return key.secret, list(codes)

    def half(self, office: Any) -> Any:
        half = office.holder(enter(office))
        assert not half.full
        return half

    def test_code_completes_the_sign_in_and_the_token_changes(self, office: Any) -> None:
        secret, _ = self.enrol(office)
        token = enter(office)
        half = office.holder(token)
        full = second_factor(office.engine, half, pyotp.TOTP(secret).at(office.now), office.visit())
        assert office.holder(full).full and not office.is_in(token)

    def test_code_works_once(self, office: Any) -> None:
        secret, _ = self.enrol(office)
        code = pyotp.TOTP(secret).at(office.now)
        second_factor(office.engine, self.half(office), code, office.visit())
        with pytest.raises(InputError):
            second_factor(office.engine, self.half(office), code, office.visit())

    def test_code_of_the_enrolment_does_not_sign_in(self, office: Any) -> None:
        secret, _ = self.enrol(office)
        old = pyotp.TOTP(secret).at(int(office.now.timestamp()) - 30)
        with pytest.raises(InputError):
            second_factor(office.engine, self.half(office), old, office.visit())

    def test_recovery_code_works_once_however_typed(self, office: Any) -> None:
        _, codes = self.enrol(office)
        second_factor(office.engine, self.half(office), codes[0].upper().replace("-", " "), office.visit())
        with pytest.raises(InputError):
            second_factor(office.engine, self.half(office), codes[0], office.visit())
        assert recovery_codes_left(office.engine, office.operator.person) == 9

    def test_guessing_codes_is_throttled(self, office: Any) -> None:
        self.enrol(office)
        half = self.half(office)
        for number in range(5):
            with pytest.raises(InputError):
                second_factor(office.engine, half, f"00000{number}", office.visit())
        with pytest.raises(TooManyError):
            second_factor(office.engine, half, "000000", office.visit())

    def test_until_confirmed_it_is_not_asked_for(self, office: Any) -> None:
        begin_second_factor(office.engine, office.operator, office.password, "绿金", now=office.now)
        assert office.holder(enter(office)).full

    def test_turning_it_off_takes_the_password(self, office: Any) -> None:
        self.enrol(office)
        with pytest.raises(InputError):
            drop_second_factor(office.engine, office.operator, "wrong", now=office.now)
        drop_second_factor(office.engine, office.operator, office.password, now=office.now)
        assert office.holder(enter(office)).full

    def test_office_helps_who_lost_the_telephone(self, office: Any) -> None:
        self.enrol(office)
        clear_second_factor(office.engine, office.operator, office.operator.person, now=office.now)
        assert office.holder(enter(office)).full

    def test_new_recovery_codes_void_the_old(self, office: Any) -> None:
        _, old = self.enrol(office)
        renew_recovery_codes(office.engine, office.operator, office.password, now=office.now)
        with pytest.raises(InputError):
            second_factor(office.engine, self.half(office), old[0], office.visit())

    def test_picture_for_the_telephone_needs_no_style(self) -> None:
        svg = qr_svg("otpauth://totp/x?secret=ABC")
        assert svg.startswith("<svg") and "style" not in svg


class TestOtherProvider:
    def test_known_address_signs_in_and_unknown_does_not(self, office: Any) -> None:
        token = sign_in_by_email(office.engine, "Cheng.Lan@park.example", "https://id.example", office.visit())
        assert office.holder(token).full
        with pytest.raises(InputError):
            sign_in_by_email(office.engine, "who@park.example", "https://id.example", office.visit())
        with office.engine.connect() as connection:
            actions = [entry.action for entry in audit_trail(connection, limit=2)]
        assert actions == ["sign_in.refused", "sign_in"]
