"""The policy, said once more in words that a park office would use."""

from __future__ import annotations

import pytest

from lujin.access import Right, Role, Viewer, holds, may, may_meter, rights_of, token_rights

OWN, FOREIGN = "E001", "E002"


def viewer(role: Role, **more: object) -> Viewer:
    bound = role in (Role.ENTERPRISE, Role.BANK, Role.DEVICE)
    return Viewer(1, "someone", role, frozenset({OWN} if bound else ()), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("right", Right)
def test_operator_may_everything_but_judge_and_consent(right: Right) -> None:
    expected = right not in (Right.WRITE_OPINION, Right.GIVE_CONSENT)
    assert may(viewer(Role.OPERATOR), right) is expected
    assert may(viewer(Role.OPERATOR), right, FOREIGN) is expected


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        (Role.ENTERPRISE, "see_account see_readings write_readings give_consent acknowledge_alarms"),
        (Role.BANK, "see_account"),
        (Role.DEVICE, "write_readings"),
    ],
)
def test_bound_roles_have_their_rights_over_their_own_only(role: Role, rights: str) -> None:
    someone = viewer(role)
    assert {right for right in Right if may(someone, right, OWN)} == set(map(Right, rights.split()))
    assert not any(may(someone, right, FOREIGN) or may(someone, right) for right in Right)


def test_verifier_reads_all_and_judges() -> None:
    rights = {right for right in Right if may(viewer(Role.VERIFIER), right)}
    assert rights == set(map(Right, ["see_park", "see_account", "see_readings", "see_audit", "write_opinion"]))


@pytest.mark.parametrize("role", Role)
def test_token_narrows_and_never_widens(role: Role) -> None:
    everything = viewer(role, scopes=frozenset(Right))
    left = {right for right in Right if may(everything, right, OWN)}
    assert left == token_rights(role) < rights_of(role) | {Right.MANAGE_PEOPLE}
    assert not {Right.MANAGE_PEOPLE, Right.GIVE_CONSENT} & left
    assert not any(may(viewer(role, scopes=frozenset()), right, OWN) for right in Right)


def test_device_bound_to_a_meter_writes_no_other() -> None:
    device = viewer(Role.DEVICE, meters=frozenset({"M1"}))
    assert may_meter(device, Right.WRITE_READINGS, OWN, "M1")
    assert not may_meter(device, Right.WRITE_READINGS, OWN, "M2")
    assert not may_meter(device, Right.WRITE_READINGS, FOREIGN, "M1")


def test_bank_without_consent_holds_nothing() -> None:
    assert not any(holds(Viewer(1, "bank", Role.BANK), right) for right in Right)
