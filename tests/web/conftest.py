"""A small demo park behind the real application."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient
from filelock import FileLock
from httpx import Response
from sqlalchemy.engine import Engine

from lujin.access import PersonForm, Role, Viewer, Visit, add_person, first_link, new_link, passwords, use_link
from lujin.demonstrate import demonstrate
from lujin.web.app import create_app
from lujin.web.doors import Doors
from lujin.web.settings import Settings

from .databases import Where
from .databases import where as where

AsViewer = Callable[..., TestClient]


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hashing is made to be slow; tests that sign in hundreds of times take the least of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        passwords._nobodys_hash.cache_clear()
        yield
    passwords._nobodys_hash.cache_clear()


@pytest.fixture(scope="session")
def demo_park(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve enterprises and three months, made once for all workers. Read only: see ``park``."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "popen-gw" in folder.name else folder
    made = shared / "demo-park"
    with FileLock(shared / "demo-park.lock"):
        if not (made / "done").is_file():
            shutil.rmtree(made, ignore_errors=True)
            demonstrate(made, 12, 3)
            (made / "done").touch()
    return made


@pytest.fixture
def park(demo_park: Path, tmp_path: Path) -> Path:
    """A copy of the demo park that a test may write to."""
    return Path(shutil.copytree(demo_park, tmp_path / "park"))


@pytest.fixture(scope="session")
def as_viewer(demo_park: Path, where: Where, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsViewer]:
    """A client of the application for one viewer; the park is shared and not written to."""
    copy = Path(shutil.copytree(demo_park, tmp_path_factory.mktemp("served") / "park"))
    app = create_app(Settings(copy, environment=where(copy), doors=Doors(requests_per_minute=0)))
    with TestClient(app, follow_redirects=False) as client:

        def one(role: Role | None, *enterprises: str, language: str = "en") -> TestClient:
            viewer = None if role is None else Viewer(1, "Lin", role, frozenset(enterprises))
            app.state.viewer_of = lambda _: viewer
            client.cookies.clear()
            client.cookies.set("lujin_language", language)
            return client

        yield one


@dataclass
class Site:
    """A park with people in it, behind the real sign-in, at a clock that tests turn."""

    app: FastAPI
    now: datetime = datetime(2026, 1, 5, 2, tzinfo=UTC)
    password: str = "kettle marsh violin"
    people: dict[str, int] = field(default_factory=dict)

    @property
    def engine(self) -> Engine:
        engine: Engine = self.app.state.open_park.workspace.engine
        return engine

    def browser(self) -> TestClient:
        """One with no cookies yet, that takes pages in English and shows redirects."""
        headers = {"accept": "text/html", "accept-language": "en", "user-agent": "Firefox"}
        return TestClient(self.app, follow_redirects=False, headers=headers)

    def signed_in(self, email: str = "operator@park.example") -> TestClient:
        browser = self.browser()
        answer = browser.post("/sign-in", data={"email": email, "password": self.password})
        assert answer.status_code == 303, answer.text
        return browser

    def post(self, browser: TestClient, path: str, form: Mapping[str, Any] | None = None) -> Response:
        """Send a form with the token that this browser's pages carry."""
        page = browser.get("/account").text
        found = re.search(r'name="csrf" value="([^"]+)"', page)
        assert found is not None
        return browser.post(path, data={"csrf": found[1], **(form or {})})

    def join(self, email: str, role: Role, *enterprises: str, bank: str = "") -> int:
        """Someone invited who has set the password."""
        form = PersonForm(email.partition("@")[0], role, email, frozenset(enterprises), bank=bank)
        office = Viewer(self.people.get("operator@park.example", 1), "operator", Role.OPERATOR)
        number = add_person(self.engine, office, form, now=self.now)
        link = new_link(self.engine, office, number, now=self.now)
        use_link(self.engine, link, self.password, Visit(self.now, 20260105))
        self.people[email] = number
        return number


@pytest.fixture
def site(demo_park: Path, where: Where, tmp_path: Path) -> Iterator[Site]:
    """Nobody but the first operator is there; ``join`` lets others in."""
    copy = Path(shutil.copytree(demo_park, tmp_path / "site"))
    yield from _served(copy, where(copy))


@pytest.fixture(scope="session")
def serve() -> Callable[[Path], Iterator[Site]]:
    """``site`` for a directory of one's own."""
    return _served


def _served(directory: Path, environment: Mapping[str, str] | None = None) -> Iterator[Site]:
    doors = Doors(requests_per_minute=0)
    found = Site(create_app(Settings(directory, environment=environment or {}, doors=doors)))
    found.app.state.clock = lambda: found.now
    with TestClient(found.app):
        token = first_link(found.engine, found.now)
        assert token is not None
        use = {"name": "Cheng", "email": "operator@park.example"}
        use_link(found.engine, token, found.password, Visit(found.now, 20260105), **use)
        found.people["operator@park.example"] = 1
        yield found
