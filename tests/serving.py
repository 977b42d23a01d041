"""A real server in a thread, and tokens of its park, made past the pages."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from lujin.access import PersonForm, Right, Role, Viewer, add_person, issue_token, token_rights
from lujin.client import Client
from lujin.web.app import create_app
from lujin.web.doors import Doors
from lujin.web.settings import Settings

_NUMBERS = count(1)
OFFICE = Viewer(1, "office", Role.OPERATOR)


@dataclass(frozen=True)
class Served:
    url: str
    app: FastAPI

    def token(self, role: Role, *enterprises: str, scopes: Collection[Right] | None = None, days: int = 30) -> str:
        """Of a new person in the role, with all that a token of the role may carry, or with ``scopes``."""
        engine = self.app.state.open_park.current().engine
        now = datetime.now(UTC)
        number = next(_NUMBERS)
        bank = f"Bank {number}" if role is Role.BANK else ""
        email = "" if role is Role.DEVICE else f"person{number}@park.example"
        form = PersonForm(f"Person {number}", role, email, frozenset(enterprises), bank=bank)
        person = add_person(engine, OFFICE, form, now=now)
        maker = OFFICE if role is Role.DEVICE else Viewer(person, form.name, role)
        wanted = token_rights(role) if scopes is None else scopes
        return issue_token(engine, maker, "test", wanted, now + timedelta(days=days), owner=person, now=now)

    def client(self, role: Role = Role.OPERATOR, *enterprises: str) -> Client:
        return Client(self.url, self.token(role, *enterprises))


@contextmanager
def served(park: Path) -> Iterator[Served]:
    app = create_app(Settings(park, environment={}, doors=Doors(requests_per_minute=0)))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(f"http://127.0.0.1:{port}", app)
    finally:
        server.should_exit = True
        thread.join(20)
