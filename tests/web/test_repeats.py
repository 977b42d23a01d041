"""Keys of repeated requests, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.engine import Engine

from lujin.database import migrate
from lujin.errors import ConflictError, InputError
from lujin.web.api.repeats import ABANDONED, KEPT, Answered, claim, release, settle

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
ANSWER = Answered(201, "/api/v1/imports/7", '{"source":7}')


@pytest.fixture
def engine(database: Callable[[], Engine]) -> Engine:
    found = database()
    migrate(found)
    return found


def test_the_first_request_is_answered_and_the_next_ones_repeat_the_answer(engine: Engine) -> None:
    assert claim(engine, 1, "k", "d", NOW) is None
    settle(engine, 1, "k", ANSWER)
    assert claim(engine, 1, "k", "d", NOW + timedelta(days=1)) == ANSWER


def test_another_body_is_refused_and_another_person_has_keys_of_his_own(engine: Engine) -> None:
    claim(engine, 1, "k", "d", NOW)
    with pytest.raises(InputError):
        claim(engine, 1, "k", "other", NOW)
    assert claim(engine, 2, "k", "other", NOW) is None


def test_while_the_first_is_under_way_the_second_is_told_so(engine: Engine) -> None:
    claim(engine, 1, "k", "d", NOW)
    with pytest.raises(ConflictError):
        claim(engine, 1, "k", "d", NOW + ABANDONED / 2)


def test_what_a_dead_process_claimed_is_taken_over(engine: Engine) -> None:
    claim(engine, 1, "k", "d", NOW)
    assert claim(engine, 1, "k", "d", NOW + ABANDONED + timedelta(seconds=1)) is None
    with pytest.raises(ConflictError):
        claim(engine, 1, "k", "d", NOW + ABANDONED + timedelta(seconds=2))


def test_a_request_that_failed_gives_its_key_back_and_an_answer_never(engine: Engine) -> None:
    claim(engine, 1, "k", "d", NOW)
    release(engine, 1, "k")
    assert claim(engine, 1, "k", "other", NOW) is None
    settle(engine, 1, "k", ANSWER)
    release(engine, 1, "k")
    assert claim(engine, 1, "k", "other", NOW) == ANSWER


def test_answers_are_forgotten_after_some_days(engine: Engine) -> None:
    claim(engine, 1, "k", "d", NOW)
    settle(engine, 1, "k", ANSWER)
    assert claim(engine, 1, "k", "other", NOW + KEPT + timedelta(seconds=1)) is None


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "ü", "a\nb"])
def test_what_is_no_key_is_refused(engine: Engine, key: str) -> None:
    with pytest.raises(InputError):
        claim(engine, 1, key, "d", NOW)
