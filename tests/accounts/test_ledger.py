"""The ledger keeps every version, balances by construction, and cannot be rewritten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Connection, Engine

from lujin.accounts import ledger
from lujin.accounts.audit import canonical_bytes, verify
from lujin.accounts.ledger import LINES_SCHEMA, balances, delta, net, post, posted_through
from lujin.accounts.tables import entry, line, line_key
from lujin.database import migrate, open_database, writing
from lujin.errors import IntegrityError, StoreError

MONTH = 202506
NOW = datetime(2025, 7, 1, tzinfo=UTC)
PACKS = {"physical": "physical@1", "location": "ghgp-location@1"}


def lines(*rows: tuple[str, str, int, str, int]) -> pl.DataFrame:
    """Rows of (enterprise, book, day of the month, period, amount)."""
    return pl.DataFrame(
        [
            {
                "enterprise": enterprise,
                "book": book,
                "debit": f"{enterprise}/OWN/electricity",
                "credit": f"{enterprise}/EXT/GRID",
                "commodity": "electricity",
                "period": period,
                "quality": "measured",
                "rule": "metered@1",
                "factor": "",
                "subject": f"GRID>{enterprise}:electricity",
                "day": date(2025, 6, day),
                "amount": amount,
            }
            for enterprise, book, day, period, amount in rows
        ],
        schema=LINES_SCHEMA,
    )


def put(
    connection: Connection,
    new: pl.DataFrame,
    enterprises: Sequence[str] = ("A", "B"),
    at: datetime = NOW,
    **changed: object,
) -> list[ledger.EntryId]:
    options: dict[str, object] = {
        "enterprises": enterprises,
        "recorded_at": at,
        "source": 1,
        "reason": "late_reading",
        "packs": PACKS,
        "park_digest": dict.fromkeys(enterprises, "park"),
        "input_digest": dict.fromkeys(enterprises, "input"),
        **changed,
    }
    return post(connection, MONTH, new, **options)  # type: ignore[arg-type]


def fresh(path: Path) -> Engine:
    engine = open_database(path)
    migrate(engine)
    return engine


@pytest.fixture
def engine(database: Callable[[], Engine]) -> Engine:
    engine = database()
    migrate(engine)
    return engine


FIRST = lines(("A", "physical", 1, "peak", 100), ("A", "physical", 2, "flat", 50), ("B", "location", 1, "", 7))


def test_net_of_what_was_posted_is_what_was_posted(engine: Engine) -> None:
    with writing(engine) as connection:
        assert len(put(connection, FIRST)) == 2
        assert net(connection, MONTH).equals(FIRST.sort(*ledger.IDENTITY, "day"))
        assert verify(connection) == []


def test_posting_the_same_again_writes_no_entry_but_says_what_it_knew(engine: Engine) -> None:
    with writing(engine) as connection:
        put(connection, FIRST)
        before = b"".join(canonical_bytes(connection))
        assert put(connection, FIRST, source=2) == []
        assert b"".join(canonical_bytes(connection)) == before
        assert posted_through(connection)["source"].to_list() == [2, 2]


def test_late_fact_posts_only_the_difference_valid_then_and_recorded_now(engine: Engine) -> None:
    later = NOW + timedelta(days=40)
    with writing(engine) as connection:
        put(connection, FIRST)
        put(connection, FIRST.with_columns(pl.col("amount") + (pl.col("day") == date(2025, 6, 2)) * 5), at=later)
        new = connection.execute(sa.select(entry).where(entry.c.version == 2)).one()
        found = connection.execute(sa.select(line.c.day, line.c.amount).where(line.c.entry == new.number)).all()
        assert (new.enterprise, new.book, new.reason, new.recorded_at) == ("A", "physical", "late_reading", later)
        assert [tuple(row) for row in found] == [(20250602, 5)]


def test_the_past_as_known_then_never_changes(engine: Engine) -> None:
    with writing(engine) as connection:
        put(connection, FIRST)
        known = net(connection, MONTH, as_of=NOW)
        assert known.equals(FIRST.sort(*ledger.IDENTITY, "day"))
        put(connection, FIRST.filter(pl.col("enterprise") == "A"), at=NOW + timedelta(seconds=1))
        assert net(connection, MONTH, as_of=NOW).equals(known)
        assert net(connection, MONTH, ["B"]).is_empty()
        assert net(connection, MONTH, as_of=NOW - timedelta(seconds=1)).is_empty()


def test_only_the_enterprises_being_posted_are_touched(engine: Engine) -> None:
    with writing(engine) as connection:
        put(connection, FIRST)
        put(connection, lines(), enterprises=["A"])
        assert set(net(connection, MONTH)["enterprise"]) == {"B"}
        with pytest.raises(ValueError, match="not being posted"):
            put(connection, FIRST, enterprises=["A"])


def test_lines_of_equal_key_and_day_add_up_and_zero_leaves_none(engine: Engine) -> None:
    with writing(engine) as connection:
        put(
            connection,
            lines(("A", "physical", 1, "", 3), ("A", "physical", 1, "", 4), ("B", "physical", 1, "", 0)),
        )
        assert net(connection, MONTH)["amount"].to_list() == [7]


def test_amounts_beyond_a_double_stay_exact(engine: Engine) -> None:
    with writing(engine) as connection:
        put(connection, lines(("A", "physical", 1, "", 2**62 + 1)))
        assert net(connection, MONTH)["amount"].to_list() == [2**62 + 1]
        assert any(f'"amount":"{2**62 + 1}"'.encode() in row for row in canonical_bytes(connection))
        assert verify(connection) == []


def test_balances_are_debits_less_credits_and_sum_to_zero(engine: Engine) -> None:
    with writing(engine) as connection:
        put(connection, FIRST)
        found = balances(connection, "A")
        assert dict(found.select("account", "amount").iter_rows()) == {
            "A/EXT/GRID": -150,
            "A/OWN/electricity": 150,
        }
        assert balances(connection, "A", as_of=NOW - timedelta(days=1)).is_empty()


def test_the_clock_may_not_run_backwards(engine: Engine) -> None:
    with writing(engine) as connection:
        put(connection, FIRST)
        with pytest.raises(StoreError, match="set the clock"):
            put(connection, FIRST, at=NOW - timedelta(seconds=1))


def test_lines_outside_the_month_or_with_nulls_are_refused(engine: Engine) -> None:
    with writing(engine) as connection:
        with pytest.raises(ValueError, match="outside"):
            put(connection, FIRST.with_columns(pl.lit(date(2025, 7, 1)).alias("day")))
        with pytest.raises(ValueError, match="nulls"):
            put(connection, FIRST.with_columns(pl.lit(None, pl.String).alias("factor")))


@pytest.mark.parametrize("table", ["entry", "line", "line_key", "posted"])
@pytest.mark.parametrize("change", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}"])
def test_nothing_stored_can_be_changed_or_deleted(engine: Engine, table: str, change: str) -> None:
    column = {"line": "amount", "line_key": "factor"}.get(table, "enterprise")
    with writing(engine) as connection:
        put(connection, FIRST)
    with pytest.raises(IntegrityError, match="cannot be changed"), writing(engine) as connection:
        connection.execute(sa.text(change.format(table, column)))


def test_no_line_can_join_an_entry_that_is_complete(engine: Engine) -> None:
    with writing(engine) as connection:
        put(connection, FIRST)
    with pytest.raises(IntegrityError, match="its entry is complete"), writing(engine) as connection:
        key = connection.execute(sa.select(line_key.c.id).limit(1)).scalar_one()
        connection.execute(sa.insert(line).values(entry=1, no=99, key=key, day=20250601, amount=1))


def _values(**changed: object) -> dict[str, object]:
    return {
        "number": 9,
        "id": "0" * 64,
        "enterprise": "A",
        "month": MONTH,
        "book": "physical",
        "version": 9,
        "reason": "correction",
        "pack": "",
        "park_digest": "",
        "input_digest": "",
        "lines": 1,
        "lines_digest": "0" * 64,
        "source": 1,
        "recorded_at": NOW,
        **changed,
    }


@pytest.mark.parametrize(
    "wrong", [{"lines": 2}, {"book": "other"}, {"month": 202513}, {"reason": "initial"}, {"month": 202507}]
)
def test_the_database_refuses_an_entry_that_does_not_hold_together(
    engine: Engine, wrong: dict[str, object]
) -> None:
    with writing(engine) as connection:
        put(connection, FIRST)
    with pytest.raises(sa.exc.IntegrityError), writing(engine) as connection:
        key = connection.execute(sa.select(line_key.c.id).limit(1)).scalar_one()
        connection.execute(sa.insert(line).values(entry=9, no=1, key=key, day=20250601, amount=1))
        connection.execute(sa.insert(entry).values(**_values(**wrong)))


def test_the_database_refuses_lines_without_an_entry_and_transfers_to_oneself(engine: Engine) -> None:
    with writing(engine) as connection:
        put(connection, FIRST)
        key = connection.execute(sa.select(line_key).limit(1)).one()._asdict()
    with pytest.raises(sa.exc.IntegrityError), writing(engine) as connection:
        connection.execute(sa.insert(line).values(entry=9, no=1, key=key["id"], day=20250601, amount=1))
    with pytest.raises(sa.exc.IntegrityError), writing(engine) as connection:
        connection.execute(sa.insert(line_key).values(**{**key, "id": 1, "debit": key["credit"]}))
    with pytest.raises(sa.exc.IntegrityError), writing(engine) as connection:
        connection.execute(sa.insert(line).values(entry=9, no=1, key=key["id"], day=20250601, amount=0))


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        ("UPDATE line SET amount = amount + 1 WHERE entry = 1 AND no = 1", "the lines of entry"),
        ("UPDATE line SET day = day + 1 WHERE entry = 1 AND no = 1", "the lines of entry"),
        ("UPDATE line_key SET factor = 'x' WHERE debit LIKE 'A/%'", "was changed"),
        ("UPDATE entry SET pack = 'x' WHERE number = 1", "the heading of entry"),
        ("UPDATE entry SET version = 3 WHERE version = 2", "a version is missing"),
        ("DELETE FROM line WHERE entry = 1 AND no = 1", "does not hold the lines"),
        ("DELETE FROM entry WHERE version = 1 AND enterprise = 'A'", "belong to no entry"),
    ],
)
def test_verification_finds_what_was_tampered_with(engine: Engine, tamper: str, said: str) -> None:
    with writing(engine) as connection:
        put(connection, FIRST)
        put(connection, FIRST.with_columns(pl.col("amount") + 1))
    with engine.connect() as connection:
        _unprotect(connection)
        connection.execute(sa.text(tamper))
        assert any(said in problem.text() for problem in verify(connection))


def _unprotect(connection: Connection) -> None:
    """What someone with the database's own rights can do."""
    if connection.dialect.name == "postgresql":
        for table in ("entry", "line", "line_key"):
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        return
    select = sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    for name in connection.execute(select).scalars().all():
        connection.exec_driver_sql(f"DROP TRIGGER {name}")


amounts = st.dictionaries(
    st.tuples(
        st.sampled_from("AB"), st.sampled_from(sorted(PACKS)), st.integers(1, 3), st.sampled_from(["", "peak"])
    ),
    st.integers(-(2**40), 2**40),
    max_size=6,
)


def _frame(content: Mapping[tuple[str, str, int, str], int]) -> pl.DataFrame:
    return lines(*((e, b, d, p, amount) for (e, b, d, p), amount in content.items()))


@settings(max_examples=15, deadline=None)
@given(st.lists(amounts, max_size=4), amounts, st.randoms(use_true_random=False))
def test_any_history_of_postings_ends_in_the_same_net_and_bytes_if_posted_once(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[dict[tuple[str, str, int, str], int]],
    last: dict[tuple[str, str, int, str], int],
    random: object,
) -> None:
    where = tmp_path_factory.mktemp("ledger")
    once, often, shuffled = (fresh(where / f"{name}.db") for name in ("once", "often", "shuffled"))
    final = _frame(last)
    with writing(once) as connection:
        put(connection, final)
        expected = net(connection, MONTH)
        single = b"".join(canonical_bytes(connection))
    with writing(often) as connection:
        for step, content in enumerate(history):
            put(connection, _frame(content), at=NOW + timedelta(hours=step))
        put(connection, final, at=NOW + timedelta(hours=len(history)))
        assert net(connection, MONTH).equals(expected)
        assert verify(connection) == []
    with writing(shuffled) as connection:
        rows = final.rows()
        random.shuffle(rows)  # type: ignore[attr-defined]
        mixed = pl.DataFrame(rows, schema=LINES_SCHEMA, orient="row")
        for name in ("B", "A"):
            put(connection, mixed.filter(pl.col("enterprise") == name), enterprises=[name], source=3, at=NOW)
        assert net(connection, MONTH).equals(expected)
        assert b"".join(canonical_bytes(connection)) == single


@settings(max_examples=30, deadline=None)
@given(amounts, amounts, amounts)
def test_deltas_compose(
    a: dict[tuple[str, str, int, str], int],
    b: dict[tuple[str, str, int, str], int],
    c: dict[tuple[str, str, int, str], int],
) -> None:
    one, two, three = _frame(a), _frame(b), _frame(c)
    nothing = lines()
    both = pl.concat([delta(two, one), delta(three, two)])
    assert delta(both, nothing).equals(delta(three, one))
    assert delta(one, one).is_empty()


KILLED = """
    import os, signal, sys
    import sqlalchemy as sa
    from datetime import UTC, datetime
    from lujin.accounts import ledger, tables
    from lujin.database import open_database, writing
    import polars as pl

    lines = pl.read_parquet(sys.argv[2])
    engine = open_database(sys.argv[1])
    calls = [0]
    inner = ledger.insert_many
    def insert_many(*arguments):
        calls[0] += 1
        if calls[0] == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
        return inner(*arguments)
    ledger.insert_many = insert_many
    with writing(engine) as connection:
        ledger.post(
            connection, 202506, lines, enterprises=["A", "B"], source=1, reason="late_reading",
            recorded_at=datetime(2025, 7, 1, tzinfo=UTC),
            packs={"physical": "physical@1", "location": "ghgp-location@1"},
            park_digest=dict.fromkeys("AB", "park"), input_digest=dict.fromkeys("AB", "input"))
        if int(sys.argv[3]) == 5:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
def test_a_kill_inside_a_posting_leaves_nothing_and_the_next_run_gives_the_same_bytes(
    tmp_path: Path, step: int
) -> None:
    FIRST.write_parquet(tmp_path / "lines.parquet")
    with writing(fresh(tmp_path / "whole.db")) as connection:
        put(connection, FIRST)
        whole = b"".join(canonical_bytes(connection))
    fresh(tmp_path / "killed.db").dispose()
    arguments = [str(tmp_path / "killed.db"), str(tmp_path / "lines.parquet"), str(step)]
    script = textwrap.dedent(KILLED)
    done = subprocess.run([sys.executable, "-c", script, *arguments], env=os.environ, check=False)
    assert done.returncode == -signal.SIGKILL
    with writing(open_database(tmp_path / "killed.db")) as connection:
        assert verify(connection) == []
        assert list(canonical_bytes(connection)) == []
        put(connection, FIRST)
        assert b"".join(canonical_bytes(connection)) == whole
