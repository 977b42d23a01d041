"""A park with its first operator, on both databases, at a clock that tests turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy.engine import Engine

from lujin.access import (
    PersonForm,
    Role,
    SignedIn,
    Viewer,
    Visit,
    add_person,
    first_link,
    new_link,
    signed_in,
    use_link,
)
from lujin.database import migrate


@dataclass
class Office:
    """The database, the clock, and the first operator."""

    engine: Engine
    now: datetime = datetime(2025, 7, 1, 8, tzinfo=UTC)
    password: str = "kettle marsh violin"
    operator: Viewer = field(init=False)

    def __post_init__(self) -> None:
        token = first_link(self.engine, self.now)
        assert token is not None
        use = {"name": "程岚", "email": "Cheng.Lan@park.example"}
        self.operator = self.holder(use_link(self.engine, token, self.password, self.visit(), **use)).viewer

    @property
    def today(self) -> date:
        return self.now.date()

    def wait(self, **of: float) -> None:
        self.now += timedelta(**of)

    def visit(self, address: str = "192.0.2.1") -> Visit:
        return Visit(self.now, int(self.now.strftime("%Y%m%d")), address, "Firefox")

    def holder(self, token: str) -> SignedIn:
        found = signed_in(self.engine, token, self.visit())
        assert found is not None
        return found

    def is_in(self, token: str) -> bool:
        return signed_in(self.engine, token, self.visit()) is not None

    def join(self, name: str, role: Role, email: str, *enterprises: str, bank: str = "") -> Viewer:
        """Someone invited who has set the password."""
        form = PersonForm(name, role, email, frozenset(enterprises), bank=bank)
        number = add_person(self.engine, self.operator, form, now=self.now)
        link = new_link(self.engine, self.operator, number, now=self.now)
        return self.holder(use_link(self.engine, link, self.password, self.visit())).viewer


@pytest.fixture
def office(database: Callable[[], Engine]) -> Office:
    engine = database()
    migrate(engine)
    return Office(engine)
