"""The real server on a free port of this machine, with people who are signed in, for programs and browsers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from sqlalchemy.engine import Engine

from lujin.access import PersonForm, Role, Viewer, Visit, add_person, new_link, people, use_link
from lujin.web.app import create_app
from lujin.web.doors import Doors
from lujin.web.server import listen
from lujin.web.settings import Settings

PASSWORD = "eine lange Wand aus Reis 47"
OFFICE = Viewer(0, "Test", Role.OPERATOR)
ENTERPRISE, BANK = "E006", "肇庆商业银行"
FORMS: Mapping[Role, PersonForm] = {
    Role.OPERATOR: PersonForm("Lin 林", Role.OPERATOR, "lin@park.example"),
    Role.ENTERPRISE: PersonForm("Chen 陈", Role.ENTERPRISE, "chen@e006.example", frozenset({ENTERPRISE})),
    Role.BANK: PersonForm("Huang 黄", Role.BANK, "huang@bank.example", bank=BANK),
    Role.VERIFIER: PersonForm("Wu 吴", Role.VERIFIER, "wu@verifier.example"),
}


@dataclass(frozen=True)
class Served:
    """``address``: http://127.0.0.1:PORT. ``park``: its directory."""

    address: str
    app: FastAPI
    park: Path
    _sessions: dict[Role, str] = field(default_factory=dict)

    @property
    def engine(self) -> Engine:
        engine: Engine = self.app.state.open_park.current().engine
        return engine

    def person(self, role: Role) -> int:
        """Who stands for the role; with PASSWORD. Made when first asked for."""
        form = FORMS[role]
        if found := [p.number for p in people(self.engine) if p.email == form.email]:
            return found[0]
        return add_person(self.engine, OFFICE, form, now=datetime.now(UTC))

    def cookies(self, role: Role | None) -> Mapping[str, str]:
        """The cookie of somebody in this role who signed in by a link."""
        if role is None:
            return {}
        if role not in self._sessions:
            now = datetime.now(UTC)
            link = new_link(self.engine, OFFICE, self.person(role), now=now)
            visit = Visit(now, int(f"{now:%Y%m%d}"), "127.0.0.1", "test")
            self._sessions[role] = use_link(self.engine, link, PASSWORD, visit)
        return {"lujin": self._sessions[role]}


@contextmanager
def serving(park: Path, environment: Mapping[str, str]) -> Iterator[Served]:
    """Until the block ends. Without a limit of requests a minute."""
    app = create_app(Settings(park, environment=environment, doors=Doors(requests_per_minute=0)))
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", app, park)
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
