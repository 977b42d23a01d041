"""The rules are judged while the server runs, by one process, and a stop does not wait for it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from lujin.alarms import Place, Rule, alarms, record
from lujin.alarms.tables import alarm, message_attempt
from lujin.lock import exclusive
from lujin.web import watching
from lujin.web.app import create_app
from lujin.web.doors import Doors
from lujin.web.settings import Settings
from lujin.workspace import open_workspace

SOON = 30.0


@pytest.fixture
def watched(park: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A park whose meters are silent since March, and somebody to be told over a mail server that is not set."""
    monkeypatch.setattr(watching, "FIRST_S", 0.0)
    monkeypatch.setattr(watching, "DELIVER_S", 0.2)
    workspace = open_workspace(park, environment={})
    rule = Rule("late", "late", Place("park"), recipients=("mailto:office@example.com",))
    record(workspace.engine, rule, "Lin", workspace.clock())
    workspace.engine.dispose()
    return park


def served(park: Path) -> TestClient:
    return TestClient(create_app(Settings(park, environment={}, doors=Doors(requests_per_minute=0))))


def rows(client: TestClient, table: sa.Table) -> int:
    engine = client.app.state.open_park.workspace.engine  # type: ignore[attr-defined]
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def until(client: TestClient, table: sa.Table, seconds: float = SOON) -> int:
    deadline = time.monotonic() + seconds
    while not (found := rows(client, table)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def test_an_alarm_is_raised_and_told_without_anybody_asking(watched: Path) -> None:
    with served(watched) as client:
        assert until(client, alarm) == 1
        assert until(client, message_attempt) == 1
        started = time.monotonic()
    assert time.monotonic() - started < 10


def test_a_second_server_leaves_it_to_the_first(watched: Path) -> None:
    folder = watched / watching.FOLDER
    folder.mkdir()
    with exclusive(folder, "another server"), served(watched) as client:
        assert until(client, alarm, 3) == 0


def test_it_can_be_turned_off(watched: Path) -> None:
    settings = Settings(watched, environment={"LUJIN_WEB_ALARMS": "off"}, doors=Doors(requests_per_minute=0))
    with TestClient(create_app(settings)) as client:
        assert until(client, alarm, 3) == 0


def test_a_round_that_fails_does_not_end_the_watch(watched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def fails_once(*arguments: object) -> object:
        tried.append(1)
        if len(tried) == 1:
            raise RuntimeError("a fault")
        return original(*arguments)  # type: ignore[arg-type]

    original = watching.send_waiting
    monkeypatch.setattr(watching, "send_waiting", fails_once)
    with served(watched) as client:
        assert until(client, message_attempt) == 1
        engine = client.app.state.open_park.workspace.engine  # type: ignore[attr-defined]
        with engine.connect() as connection:
            assert len(alarms(connection)) == 1
