"""One bit of any value in the ledger's tables, changed behind the back of everything: verification notices."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from lujin.errors import LujinError
from lujin.workspace import open_workspace

from .small_park import MONTH, Site, register, text_of

# They only put rows in order, and state nothing
ORDER = {("tree_head", "number"), ("line", "no")}
LEDGER = ("entry", "line", "line_key", "tree_head")
TABLES = (*LEDGER, "period_event", "certificate", "certificate_superseded")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Two customers in all books, posted and corrected, closed, certified, restated; each with a signed head."""
    site = Site(tmp_path_factory.mktemp("tampering") / "park")
    site.describe(text_of(2).replace('location = "', 'embodied = "embodied@1"\nlocation = "', 1))
    site.take([*register("M1"), *register("M2")])
    site.run()
    last = register("M1")[-1]
    site.take([replace(last, value=last.value + 7)])
    site.later(days=1).run()
    site.later(minutes=1).open().close([MONTH], note="checked", author="Li")
    site.later(minutes=1).open().verified([MONTH], "a verifier", "qualified", "reasonable assurance")
    site.later(minutes=1).open().certificate("E1", MONTH)
    site.take([replace(last, value=last.value + 9)])
    site.later(minutes=1).open().restate([MONTH], "read again")
    for workspace in site.opened:
        workspace.engine.dispose()
    site.opened.clear()
    return site


def flipped(value: int | str, place: int) -> int | str:
    """One bit changed; text stays text."""
    if isinstance(value, int):
        return value ^ (1 << place % 62)
    if not value:
        return "x"
    raw = bytearray(value.encode())
    at = place % len(raw)
    raw[at] ^= 1 << (place // len(raw)) % 7 if raw[at] < 128 else 0
    changed = raw.decode()
    return changed if changed != value else value[:-1]


def changed(database: Path, table: str, row: int, column: int, place: int) -> str:
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        columns = [(c[1], c[5]) for c in connection.execute(f"PRAGMA table_info({table})")]
        keys = [f'"{name}"' for name, key in columns if key]
        rows = connection.execute(f"SELECT * FROM {table} ORDER BY {', '.join(keys)}").fetchall()
        values = dict(zip((name for name, _ in columns), rows[row % len(rows)], strict=True))
        columns = [c for c in columns if (table, c[0]) not in ORDER]
        name = columns[column % len(columns)][0]
        new = flipped(values[name], place)
        where = " AND ".join(f"{key} = ?" for key in keys)
        chosen = [values[key.strip('"')] for key in keys]
        connection.execute(f'UPDATE {table} SET "{name}" = ? WHERE {where}', [new, *chosen])
        for _, statement in triggers:
            connection.execute(statement)
    connection.close()
    return f"{table}.{name}: {values[name]!r} → {new!r}"


@settings(max_examples=20, deadline=None)
@given(
    table=st.sampled_from(TABLES),
    row=st.integers(0, 10**6),
    column=st.integers(0, 13),
    place=st.integers(0, 10**4),
)
def test_one_changed_value_anywhere_in_the_ledger_is_noticed(
    ledger: Site, tmp_path_factory: pytest.TempPathFactory, table: str, row: int, column: int, place: int
) -> None:
    directory = tmp_path_factory.mktemp("bit") / "park"
    shutil.copytree(ledger.directory, directory)
    try:
        what = changed(directory / "lujin.db", table, row, column, place)
    except sqlite3.IntegrityError:  # a number that is taken: the database itself refuses
        reject()
    workspace = open_workspace(directory, clock=ledger.tick)
    try:
        with pytest.raises(LujinError):
            workspace.verify()
            pytest.fail(f"not noticed: {what}")
    finally:
        workspace.engine.dispose()
        shutil.rmtree(directory)


def test_the_unchanged_ledger_holds(ledger: Site) -> None:
    workspace = open_workspace(ledger.directory, clock=ledger.tick)
    assert workspace.verify()
    workspace.engine.dispose()
