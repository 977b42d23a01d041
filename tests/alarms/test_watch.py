"""The life of an alarm: raised once, told, acknowledged, silenced, escalated, cleared; on both databases."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.workspace.small_park import START, register, within

from lujin.alarms import Alarm, Place, Rule, acknowledge, alarm, alarms, open_count, silence, withdraw
from lujin.alarms.finding import Finding, Said
from lujin.alarms.life import not_before, steps
from lujin.alarms.tables import message
from lujin.errors import InputError, IntegrityError, NotFoundError, StaleError
from lujin.operator_settings import store

from .conftest import Watched, local

TOLD = {"recipients": ("mailto:office@example.com",)}


def standing(park: Watched, **chosen: object) -> tuple[Alarm, ...]:
    with park.open().engine.connect() as connection:
        return alarms(connection, **chosen)  # type: ignore[arg-type]


def messages(park: Watched) -> list[tuple[str, str]]:
    with park.open().engine.connect() as connection:
        rows = connection.execute(sa.select(message).order_by(message.c.number))
        return [(row.kind, row.recipient) for row in rows]


@pytest.fixture
def silent(both: Watched) -> Watched:
    """M2 was last heard on the 9th at midnight; told after 24 h."""
    both.take([*register("M1"), *within(register("M2"), START, local(9, 0, 15))])
    both.keep(both.rule("late", "meter:*", after_h="24", **TOLD))
    return both


def test_a_cause_is_raised_once_and_cleared_when_it_is_gone(silent: Watched) -> None:
    assert silent.judge(local(9, 12)).count("raised") == 0
    assert silent.judge(local(10, 12)).count("raised") == 1
    assert silent.judge(local(10, 13)).count("raised") == 0
    (one,) = standing(silent)
    assert one.place == "meter:M2" and one.enterprises == ("E2",) and one.severity == "warning"
    silent.take(within(register("M2"), local(9, 0, 15), local(11)))
    done = silent.judge(local(10, 14))
    assert done.count("cleared") == 1 and standing(silent) == ()
    (one,) = standing(silent, cleared=True)
    assert one.cleared_at == local(10, 14)
    assert messages(silent) == [("raised", "mailto:office@example.com"), ("cleared", "mailto:office@example.com")]


def test_a_cause_that_comes_back_is_a_new_occurrence(silent: Watched) -> None:
    silent.judge(local(10, 12))
    silent.take(within(register("M2"), local(9, 0, 15), local(11)))
    silent.judge(local(10, 14))
    silent.judge(local(13))
    assert [(a.place, a.occurrence) for a in standing(silent)] == [("meter:M2", 2), ("meter:M1", 1)]


def test_two_rounds_at_once_raise_once(silent: Watched) -> None:
    spaces = [silent.open() for _ in range(4)]
    from lujin.alarms import evaluate

    threads = [threading.Thread(target=evaluate, args=(space, local(10, 12))) for space in spaces]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(standing(silent)) == 1 and len(messages(silent)) == 1


def test_an_acknowledged_alarm_stays_and_does_not_escalate(silent: Watched) -> None:
    silent.keep(silent.rule("late", "meter:*", escalate_after_min="30", escalate_to="boss@example.com", **TOLD))
    silent.judge(local(10, 12))
    (one,) = standing(silent)
    engine = silent.open().engine
    acknowledge(engine, one.number, "Lin", "on the way", local(10, 12, 10))
    assert silent.judge(local(10, 13)).count("escalated") == 0
    (one,) = standing(silent)
    assert one.state(local(10, 13)) == "acknowledged"
    assert one.acknowledged is not None and one.acknowledged.note == "on the way"
    with pytest.raises(StaleError, match="Lin"):
        acknowledge(engine, one.number, "Wu", "", local(10, 13))
    with engine.connect() as connection:
        assert open_count(connection, local(10, 13)) == 0


def test_without_acknowledgement_it_escalates_once_to_more_people(silent: Watched) -> None:
    silent.keep(silent.rule("late", "meter:*", escalate_after_min="30", escalate_to="boss@example.com", **TOLD))
    silent.judge(local(10, 12))
    assert silent.judge(local(10, 12, 29)).count("escalated") == 0
    assert silent.judge(local(10, 12, 30)).count("escalated") == 1
    assert silent.judge(local(10, 15)).count("escalated") == 0
    assert messages(silent)[1:] == [
        ("escalated", "mailto:office@example.com"),
        ("escalated", "mailto:boss@example.com"),
    ]


def test_a_silenced_alarm_tells_nobody_until_then(silent: Watched) -> None:
    silent.judge(local(10, 12))
    (one,) = standing(silent)
    engine = silent.open().engine
    with pytest.raises(InputError):
        silence(engine, one.number, "Lin", local(10, 11), "", local(10, 12))
    with pytest.raises(InputError):
        silence(engine, one.number, "Lin", local(10, 12) + timedelta(days=400), "", local(10, 12))
    silence(engine, one.number, "Lin", local(12), "works on the meter", local(10, 12, 1))
    (one,) = standing(silent)
    assert one.state(local(11)) == "silenced" and one.state(local(12)) == "open"
    with engine.connect() as connection:
        assert open_count(connection, local(11)) == 0 and open_count(connection, local(12)) == 1
    silent.take(within(register("M2"), local(9, 0, 15), local(11)))
    silent.judge(local(10, 14))
    assert messages(silent) == [("raised", "mailto:office@example.com")]
    with pytest.raises(StaleError, match="cleared"):
        silence(engine, one.number, "Lin", local(12), "", local(10, 15))


def test_a_withdrawn_or_disabled_rule_clears_its_alarms(silent: Watched) -> None:
    silent.judge(local(10, 12))
    withdraw(silent.open().engine, "late", "Lin", silent.tick())
    assert silent.judge(local(10, 13)).count("cleared") == 1
    silent.keep(silent.rule("late", "meter:*", after_h="24"))
    silent.judge(local(10, 14))
    silent.keep(silent.rule("late", "meter:*", after_h="24", enabled=False))
    silent.judge(local(10, 15))
    assert standing(silent) == ()


def test_alarms_are_shown_to_those_whose_matter_they_are(silent: Watched) -> None:
    silent.judge(local(10, 12))
    silent.keep(silent.rule("completeness", "park", delay_h="0"))
    silent.judge(local(10, 13))
    assert len(standing(silent)) == 2
    assert [a.place for a in standing(silent, enterprises=["E2"])] == ["meter:M2"]
    assert standing(silent, enterprises=["E1"]) == () and standing(silent, enterprises=[]) == ()
    with silent.open().engine.connect() as connection:
        assert open_count(connection, local(10, 13), ["E2"]) == 1
        assert open_count(connection, local(10, 13), ["E1"]) == 0
        with pytest.raises(NotFoundError):
            alarm(connection, standing(silent)[0].number, ["E2"])


def test_other_numbers_of_a_standing_alarm_are_recorded_at_most_hourly(silent: Watched) -> None:
    silent.keep(silent.rule("late", "park", after_h="24"))
    silent.judge(local(10, 12))
    assert silent.judge(local(10, 12, 30)).count("still") == 0
    assert silent.judge(local(12, 12)).count("still") == 1
    (one,) = standing(silent)
    assert "2 of 2" in one.said.text() and "1 of 2" in one.first_said.text()


def test_quiet_hours_hold_messages_back_unless_it_is_critical(silent: Watched) -> None:
    store(silent.open().engine, {"quiet": "22:00-07:00"}, "Lin", silent.tick())
    silent.judge(local(10, 23))
    with silent.open().engine.connect() as connection:
        assert connection.execute(sa.select(message.c.not_before)).scalar() == local(11, 7)
    rule = Rule("r", "late", Place("park"), severity="critical")
    assert not_before(rule, "22:00-07:00", local(10, 23), "Asia/Shanghai") == local(10, 23)


@pytest.mark.parametrize("table", ["alarm", "alarm_event", "alarm_rule", "message"])
def test_what_happened_stays(silent: Watched, table: str) -> None:
    silent.judge(local(10, 12))
    (one,) = standing(silent)
    acknowledge(silent.open().engine, one.number, "Lin", "", local(10, 13))
    with pytest.raises(IntegrityError), silent.open().engine.begin() as connection:
        connection.execute(sa.text(f"DELETE FROM {table}"))


# Hysteresis as a law ------------------------------------------------------------------------------------------

RULE = Rule("r", "late", Place("park"))
LEVELS = {"bad": "raise", "between": "hold"}


@given(st.lists(st.sampled_from(["bad", "between", "good"]), max_size=30))
@settings(max_examples=200)
def test_an_alarm_rises_only_when_bad_and_clears_only_when_good(history: list[str]) -> None:
    """Whatever the order, raised and cleared alternate, and what lies between changes nothing."""
    open_now: list[Alarm] = []
    told: list[str] = []
    for n, level in enumerate(history):
        now = local(1) + timedelta(minutes=5 * n)
        said = Said("{n}", {"n": str(n)})
        found = [] if level == "good" else [Finding("r|park", Place("park"), said, LEVELS[level])]  # type: ignore[arg-type]
        for step in steps([RULE], {"r": found}, open_now, now):
            if step.kind == "raised":
                assert level == "bad" and not open_now
                open_now = [Alarm(n, "r|park", 1, RULE, "park", "warning", "", (), said, {}, now)]
            elif step.kind == "cleared":
                assert level == "good" and open_now
                open_now = []
            if step.kind in ("raised", "cleared"):
                told.append(step.kind)
    assert told == ["raised", "cleared"] * (len(told) // 2) + ["raised"] * (len(told) % 2)
    assert bool(open_now) == (len(told) % 2 == 1)


def test_rules_that_were_not_judged_leave_their_alarms_alone() -> None:
    other = Alarm(
        1, "x|park", 1, Rule("x", "ledger", Place("park")), "park", "warning", "", (), Said(""), {}, local(1)
    )
    assert steps([RULE, other.rule], {"r": []}, [other], local(2)) == ()
