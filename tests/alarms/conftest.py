"""A small park whose readings, rules and clock a test sets; on both databases where it matters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from tests.workspace.small_park import ZONE, Site, text_of

from lujin.alarms import Evaluation, Finding, Rule, evaluate, findings, known, record, rule_from
from lujin.database import open_database
from lujin.workspace import Workspace, open_workspace

CONTRACT = 'voltage = "<1kV"\nbasis = "demand"\ncontract_kw = 120'


@dataclass
class Watched(Site):
    """A park with an open workspace at hand."""

    environment: dict[str, str] = field(default_factory=dict)

    def open(self) -> Workspace:
        workspace = open_workspace(self.directory, clock=self.tick, environment=self.environment)
        self.opened.append(workspace)
        return workspace

    def found(self, rule: Rule, now: datetime) -> tuple[Finding, ...]:
        workspace = self.open()
        return findings(rule, known(workspace, [rule], now), now)

    def rule(self, kind: str, place: str = "park", **more: object) -> Rule:
        return rule_from({"id": kind, "kind": kind, "place": place, **more}, self.open().park)

    def keep(self, rule: Rule) -> Rule:
        record(self.open().engine, rule, "Lin", self.tick())
        return rule

    def judge(self, now: datetime) -> Evaluation:
        return evaluate(self.open(), now)


def local(day: int, hour: int = 0, minute: int = 0, month: int = 7) -> datetime:
    return datetime(2025, month, day, hour, minute, tzinfo=ZONE)


@pytest.fixture
def park(tmp_path: Path) -> Iterator[Watched]:
    """Two customers with a contract of 120 kW each, nothing read yet."""
    made = Watched(tmp_path / "park")
    made.describe(text_of(2).replace('voltage = "<1kV"', CONTRACT))
    yield made
    for workspace in made.opened:
        workspace.engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watched]:
    """The same on either database."""
    environment = {}
    if request.param == "postgresql":
        server: sa.URL = request.getfixturevalue("postgresql_server")
        name = f"test_{uuid4().hex}"
        admin = open_database(server.render_as_string(hide_password=False))
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        admin.dispose()
        environment["LUJIN_DATABASE"] = server.set(database=name).render_as_string(hide_password=False)
    made = Watched(tmp_path / "park", environment=environment)
    made.describe(text_of(2).replace('voltage = "<1kV"', CONTRACT))
    yield made
    for workspace in made.opened:
        workspace.engine.dispose()
