"""A rule is checked when it is set: every fault at once, with its field. Every version stays."""

from __future__ import annotations

from typing import Any

import pytest
from tests.workspace.small_park import text_of

from lujin.alarms import Place, history, record, rule_from, rules, suggested, withdraw
from lujin.errors import InputError, NotFoundError, StaleError
from lujin.park import Park
from lujin.park.toml import from_snapshot

from .conftest import Watched

GOOD: dict[str, Any] = {
    "id": "load",
    "kind": "limit",
    "place": "enterprise:E1",
    "value": "100",
    "recipients": "a@example.com, webhook:duty",
}


@pytest.fixture(scope="module")
def described() -> Park:
    return from_snapshot(text_of(2))


def test_a_form_becomes_a_rule(described: Park) -> None:
    rule = rule_from(GOOD, described)
    assert rule.place == Place("enterprise", "E1") and rule.recipients == ("mailto:a@example.com", "webhook:duty")
    assert rule.number("value") == 100 and rule.text("quantity") == "energy"
    assert rule_from(rule.as_dict(), described) == rule


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "a b"}, "id"),
        ({"id": ""}, "id"),
        ({"kind": "nonsense"}, "kind"),
        ({"place": "enterprise:E9"}, "place"),
        ({"place": "connection:C1"}, "place"),
        ({"place": "nonsense"}, "place"),
        ({"severity": "loud"}, "severity"),
        ({"owner": "E9"}, "owner"),
        ({"owner": "E2"}, "place"),
        ({"value": ""}, "value"),
        ({"value": "NaN"}, "value"),
        ({"value": "1e99"}, "value"),
        ({"value": "ten"}, "value"),
        ({"margin": "-1"}, "margin"),
        ({"quantity": "love"}, "quantity"),
        ({"carrier": "ether"}, "carrier"),
        ({"quiet": "22-7"}, "quiet"),
        ({"quiet": "25:00-07:00"}, "quiet"),
        ({"recipients": "nobody"}, "recipients"),
        ({"recipients": "mailto:a@example.com\nbcc:b@example.com"}, "recipients"),
        ({"escalate_after_min": "soon"}, "escalate_after_min"),
        ({"escalate_after_min": "30"}, "escalate_to"),
        ({"place": "flow:F1", "quantity": "carbon"}, "quantity"),
    ],
)
def test_each_fault_names_its_field(described: Park, change: dict[str, str], field: str) -> None:
    with pytest.raises(InputError) as caught:
        rule_from({**GOOD, **change}, described)
    assert [p.field for p in caught.value.problems] == [field]
    assert all(p.remedy for p in caught.value.problems)


def test_all_faults_are_told_at_once(described: Park) -> None:
    with pytest.raises(InputError) as caught:
        rule_from({**GOOD, "id": "", "value": "x", "quiet": "x"}, described)
    assert {p.field for p in caught.value.problems} == {"id", "value", "quiet"}


def test_what_is_suggested_is_sound(described: Park) -> None:
    for rule in suggested(described, ["mailto:a@example.com"]):
        assert rule_from(rule.as_dict(), described).kind == rule.kind


def test_versions_stay_and_a_stale_form_is_refused(both: Watched) -> None:
    engine = both.open().engine
    first = record(engine, both.rule("late", after_h="24"), "Lin", both.tick(), version=0)
    second = record(engine, both.rule("late", after_h="48"), "Wu", both.tick(), version=first.number)
    with pytest.raises(StaleError, match="meanwhile"):
        record(engine, both.rule("late", after_h="99"), "Lin", both.tick(), version=first.number)
    with pytest.raises(StaleError):
        record(engine, both.rule("late"), "Lin", both.tick(), version=0)
    withdraw(engine, "late", "Wu", both.tick(), version=second.number)
    with engine.connect() as connection:
        assert rules(connection) == ()
        assert [(v.author, v.withdrawn, v.rule.text("after_h")) for v in history(connection, "late")] == [
            ("Wu", True, "48"),
            ("Wu", False, "48"),
            ("Lin", False, "24"),
        ]
    with pytest.raises(NotFoundError):
        withdraw(engine, "late", "Wu", both.tick())
    record(engine, both.rule("late"), "Lin", both.tick(), version=0)
