"""Park, reference and factor choices with two times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from sqlalchemy.engine import Engine

from lujin.accounts.facts import (
    COUNTS,
    PinnedResolve,
    choices,
    completeness_as_of,
    park_as_of,
    record_completeness,
    record_park,
    record_reference,
    reference_as_of,
    stored_rows,
)
from lujin.database import migrate, writing
from lujin.errors import FactorError
from lujin.reference import Reference, Selector, grid_factor, make_row

NOW = datetime(2025, 7, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
DAY = date(2024, 7, 3)
GUANGDONG = grid_factor("location", "广东")


@pytest.fixture
def engine(database: Callable[[], Engine]) -> Engine:
    engine = database()
    migrate(engine)
    return engine


@pytest.fixture
def on():
    """A day on which the factor of Guangdong is in force."""
    return date(2025, 6, 1)


def test_the_park_is_stored_when_it_changes_and_known_as_it_was(engine):
    with writing(engine) as connection:
        assert park_as_of(connection) is None
        assert record_park(connection, "a", "1", NOW)
        assert not record_park(connection, "a", "1", NOW)
        assert record_park(connection, "b", "2", LATER)
        assert record_park(connection, "a", "1", LATER + timedelta(days=1))
        assert park_as_of(connection, NOW) == ("1", "a")
        assert park_as_of(connection, LATER) == ("2", "b")
        assert park_as_of(connection) == ("1", "a")
        assert park_as_of(connection, NOW - timedelta(days=1)) is None


def test_only_rows_that_came_or_went_are_recorded(engine, reference, with_value):
    changed = with_value(reference.one(GUANGDONG, date(2025, 6, 1)).key, "0.5")
    with writing(engine) as connection:
        assert record_reference(connection, reference.rows, NOW) == len(reference.rows)
        assert record_reference(connection, reference.rows, NOW) == 0
        events = record_reference(connection, changed.rows, LATER)
        assert events == 2 * len(set(changed.rows) - set(reference.rows)) > 0
        assert set(reference_as_of(connection, NOW)) == set(reference.rows)
        assert set(reference_as_of(connection)) == set(changed.rows)
        assert record_reference(connection, reference.rows, LATER) == events
        assert set(reference_as_of(connection)) == set(reference.rows)
        assert reference_as_of(connection, NOW - timedelta(days=1)) == ()


def test_a_stored_row_comes_back_whole(engine, reference):
    row = make_row("gwp", {**reference.table("gwp")[0].values, "note": "绿\n金"}, "reference/gwp.csv", 7)
    with writing(engine) as connection:
        record_reference(connection, [row], NOW)
        back = stored_rows(connection)[row.id]
    assert (back, back.origin, back.line, back.value) == (row, "reference/gwp.csv", 7, row.value)


def pinned(connection, reference, **options):
    return PinnedResolve.for_month(connection, 202407, reference, **options)


def test_a_month_keeps_the_row_it_chose_until_it_is_restated(engine, reference, with_value, on):
    old = reference.one(GUANGDONG, on)
    changed = with_value(old.key, "0.5")
    new = changed.one(GUANGDONG, on)
    assert new != old
    with writing(engine) as connection:
        first = pinned(connection, reference)
        assert first.one(GUANGDONG, on) == old
        first.record(connection, 202407, NOW)

        again = pinned(connection, changed)
        assert again.one(GUANGDONG, on) == old
        assert again.new == ()
        assert again.digest() == first.digest()
        assert PinnedResolve.for_month(connection, 202408, changed).one(GUANGDONG, on) == new

        restated = pinned(connection, changed, restate=True)
        assert restated.one(GUANGDONG, on) == new
        assert [c.rows for c in restated.new] == [(new.id,)]
        assert restated.digest() != first.digest()
        restated.record(connection, 202407, LATER)

        assert pinned(connection, reference).one(GUANGDONG, on) == new
        assert [c.rows for c in choices(connection, 202407, NOW)] == [(old.id,)]
        assert pinned(connection, changed, as_of=NOW).one(GUANGDONG, on) == old


def test_restating_with_the_same_reference_chooses_nothing_new(engine, reference, on):
    with writing(engine) as connection:
        first = pinned(connection, reference)
        first.one(GUANGDONG, on)
        first.all(GUANGDONG, on)
        first.record(connection, 202407, NOW)
        restated = pinned(connection, reference, restate=True)
        restated.one(GUANGDONG, on)
        assert restated.new == ()
        assert restated.digest() == first.digest()


def test_no_row_is_a_choice_too_but_not_where_a_question_failed(engine, reference, on):
    nothing = Selector.of("tariffs", region="月球", item="rule_temperature_trigger")
    failing = Selector.of("tariffs", region="月球", item="energy_price")
    with writing(engine) as connection:
        resolve = pinned(connection, reference)
        assert resolve.all(nothing, on) == ()
        assert resolve.all(nothing, DAY) == ()
        with pytest.raises(FactorError):
            resolve.one(failing, DAY)
        assert [(c.day, c.rows) for c in resolve.new] == [(on, ())]
        resolve.record(connection, 202407, NOW)
        assert pinned(connection, reference).all(nothing, on) == ()


def test_a_posting_names_rows_that_are_stored_even_if_the_reference_was_not_recorded(engine, reference, on):
    with writing(engine) as connection:
        resolve = pinned(connection, Reference(reference.rows))
        row = resolve.one(GUANGDONG, on)
        resolve.record(connection, 202407, NOW)
        assert stored_rows(connection, [row.id]) == {row.id: row}


def counts(**missing: int) -> pl.DataFrame:
    rows = [{"meter": m, **dict.fromkeys(COUNTS, 0), "expected": 96, "missing": n} for m, n in missing.items()]
    return pl.DataFrame(rows)


def test_completeness_is_recorded_when_it_changes_and_known_as_it_was(engine):
    with writing(engine) as connection:
        assert record_completeness(connection, 202407, counts(M1=5, M2=0), 1, NOW) == 2
        assert record_completeness(connection, 202407, counts(M1=5, M2=0), 1, NOW) == 0
        assert record_completeness(connection, 202407, counts(M1=0, M2=0), 2, LATER) == 1
        assert completeness_as_of(connection, [202407], ["M1"])["missing"].to_list() == [0]
        assert completeness_as_of(connection, [202407], as_of=NOW)["missing"].to_list() == [5, 0]
        assert completeness_as_of(connection, [202408]).is_empty()
