"""Enterprises are kept apart: every route, as every role and as nobody, for the own and for a foreign enterprise.

What is expected stands in isolation.txt. A route without a line there fails, and so does a line without a route.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from httpx import Response
from starlette.routing import Route

from lujin.access import PersonForm, Right, Role, Viewer, add_person, banks, give_consent, issue_token
from lujin.web.app import create_app
from lujin.web.doors import Doors
from lujin.web.settings import Settings
from lujin.workspace.meters import owners

TABLE = Path(__file__).with_name("isolation.txt")
OWN, FOREIGN = "E003", "E006"
READING = ("GET", "HEAD")
REFUSED = (401, 403, 404)
# Whose letter in the table stands for each viewer; a bank without consent may at most what a bank may.
VIEWERS = {
    "nobody": "",
    "operator": "O",
    "enterprise": "E",
    "bank": "B",
    "bank without consent": "b",
    "verifier": "V",
    "device": "D",
}
APART = ("nobody", "enterprise", "bank", "bank without consent", "device")


@dataclass(frozen=True)
class Expected:
    """One line of the table. ``values`` fill in path, query or form."""

    method: str
    path: str
    who: str
    values: Mapping[str, str]

    def allows(self, viewer: str) -> bool:
        letter = VIEWERS[viewer]
        if "A" in self.who:
            return True
        return bool(letter) and letter.upper() in self.who

    @property
    def names_an_enterprise(self) -> bool:
        return any(value in ("@enterprise", "@meter", "@reference") for value in self.values.values())


def table() -> dict[tuple[str, str], Expected]:
    found = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        words = line.partition("#")[0].split()
        if words:
            method, path, who, *pairs = words
            values = dict(pair.split("=", 1) for pair in pairs)
            found[method, path] = Expected(method, path, who, values)
    return found


EXPECTED = table()


def routes(app: Any) -> Iterator[tuple[str, str, Any]]:
    """Method, path and route, of every route however it was included."""
    for route in app.routes:
        if hasattr(route, "original_router"):
            yield from routes(route.original_router)
        elif isinstance(route, (APIRoute, Route)):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield method, route.path, route
        else:
            pytest.fail(f"a kind of route that this test does not know: {route!r}")


def expected(method: str, path: str) -> Expected | None:
    """The line of the route, or of the page whose data it is."""
    line = EXPECTED.get((method, path)) or EXPECTED.get((method, re.sub(r"\.(json|csv)$", "", path)))
    return line and Expected(method, path, line.who, line.values)


@dataclass
class World:
    """A park in which everybody of the table has come in."""

    app: FastAPI
    clients: dict[str, TestClient] = field(default_factory=dict)
    headers: dict[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def park(self) -> Any:
        return self.app.state.open_park.workspace.park

    @cached_property
    def samples(self) -> Mapping[str, tuple[str, str]]:
        """What @words stand for: the own, the foreign."""
        meters = owners(self.park)
        accounts = [
            self.clients["operator"].get(f"/enterprises/{e}.json").json()["statement"]["accounts"]
            for e in (OWN, FOREIGN)
        ]
        row = self.clients["operator"].get("/reference.json").json()["rows"][0]["id"]
        return {
            "@enterprise": (OWN, FOREIGN),
            "@meter": (
                next(m for m, of in meters.items() if of == {OWN}),
                next(m for m, of in meters.items() if of == {FOREIGN}),
            ),
            "@row": (row, row),
            "@reference": (accounts[0][0]["reference"], accounts[1][0]["reference"]),
        }

    def ask(self, viewer: str, line: Expected, foreign: bool = False, without: str = "", **more: str) -> Response:
        values = {k: self.samples[v][foreign] if v in self.samples else v for k, v in line.values.items()}
        path = line.path
        headers = {k: v for k, v in self.headers[viewer].items() if k != without}
        for name in re.findall(r"\{(\w+)(?::\w+)?\}", path):
            assert name in values, f"{line.path}: say in isolation.txt what {{{name}}} is"
            path = re.sub(rf"\{{{name}(:\w+)?\}}", values.pop(name), path)
        if path.startswith("/api/"):
            headers["accept"] = "*/*"
        body = values.pop("json", None)
        kind = "params" if line.method in READING or body is not None else "data"
        sent: Any = {kind: {**values, **more}, "headers": headers}
        if body is not None:
            sent["json"] = json.loads(body)
        return self.clients[viewer].request(line.method, path, **sent)

    @cached_property
    def partners(self) -> set[str]:
        """Enterprises that deliver to the own one or take from it: they stand on its bills."""
        park = self.park
        ends = [{park.owner(flow.source), park.owner(flow.target)} for flow in park.flows.values()]
        return set().union(*(pair for pair in ends if OWN in pair)) - {OWN, ""}

    def foreign_words(self, viewer: str, line: Expected) -> Sequence[str]:
        """Ids and names of all enterprises that the viewer has nothing to do with."""
        own = {OWN} if viewer in ("enterprise", "bank", "device") else set()
        if own and "~" in line.who:
            own |= self.partners
        nodes = [self.park.nodes[e] for e in self.park.enterprises() if e not in own]
        return [word for node in nodes for word in (node.id, node.name_zh, node.name_en) if word]


def _came_in(site: Any) -> World:
    world = World(site.app)
    site.join("own@e003.example", Role.ENTERPRISE, OWN)
    site.join("officer@bank.example", Role.BANK, bank="绿洲银行")
    site.join("other@bank.example", Role.BANK, bank="远山银行")
    site.join("verifier@verify.example", Role.VERIFIER)
    number = next(n for n, name in banks(site.engine).items() if name == "绿洲银行")
    own = Viewer(site.people["own@e003.example"], "own", Role.ENTERPRISE, frozenset({OWN}))
    today = site.now.date()
    year = {"first": today, "until": today + timedelta(days=365), "today": today, "now": site.now}
    give_consent(site.engine, own, OWN, number, year["first"], year["until"], today=today, now=site.now)
    office = Viewer(1, "Cheng", Role.OPERATOR)
    device = add_person(
        site.engine, office, PersonForm("gateway", Role.DEVICE, enterprises=frozenset({OWN})), now=site.now
    )
    expires = site.now + timedelta(days=30)
    token = issue_token(
        site.engine, office, "gateway", [Right.WRITE_READINGS], expires, owner=device, now=site.now
    )
    emails = {
        "operator": "operator@park.example",
        "enterprise": "own@e003.example",
        "bank": "officer@bank.example",
        "bank without consent": "other@bank.example",
        "verifier": "verifier@verify.example",
    }
    for viewer in VIEWERS:
        client = site.signed_in(emails[viewer]) if viewer in emails else site.browser()
        world.clients[viewer] = client
        page = client.get("/account").text
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)
        world.headers[viewer] = {"x-csrf-token": csrf[1]} if csrf else {}
    world.headers["device"] = {"authorization": f"Bearer {token}"}
    return world


@pytest.fixture(scope="module")
def world(demo_park: Path, tmp_path_factory: pytest.TempPathFactory, serve: Any) -> Iterator[World]:
    copy = shutil.copytree(demo_park, tmp_path_factory.mktemp("isolation") / "park")
    for site in serve(Path(copy)):
        yield _came_in(site)


@pytest.fixture(scope="module")
def every_route(demo_park: Path) -> Sequence[tuple[str, str, Any]]:
    app = create_app(Settings(demo_park, environment={}, doors=Doors(requests_per_minute=0)))
    return list(routes(app))


def test_every_route_has_its_line_and_every_line_its_route(every_route: Any) -> None:
    without = [f"{method} {path}" for method, path, _ in every_route if expected(method, path) is None]
    assert not without, "say in tests/web/isolation.txt who may open these"
    there = {(method, path) for method, path, _ in every_route}
    assert not [f"{m} {p}" for m, p in EXPECTED if (m, p) not in there], "these routes are gone"


def _lines(every_route: Any) -> Iterator[tuple[Expected, Any]]:
    for method, path, route in every_route:
        if (line := expected(method, path)) is not None:
            yield line, route


@pytest.mark.parametrize("viewer", VIEWERS)
def test_who_may_read_what(world: World, every_route: Any, viewer: str) -> None:
    faults = []
    for line, _ in _lines(every_route):
        if line.method in READING and "!" not in line.who:
            answer = world.ask(viewer, line)
            faults += _faults(world, viewer, line, answer)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("viewer", VIEWERS)
def test_who_may_write_what(world: World, every_route: Any, viewer: str) -> None:
    faults = []
    for line, _ in _lines(every_route):
        if line.method not in READING and not ("!" in line.who and line.allows(viewer)):
            answer = world.ask(viewer, line)
            faults += _faults(world, viewer, line, answer)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("viewer", ["enterprise", "bank", "bank without consent", "device"])
def test_a_foreign_enterprise_is_as_if_it_were_not_there(world: World, every_route: Any, viewer: str) -> None:
    faults = []
    for line, _ in _lines(every_route):
        if line.names_an_enterprise:
            answer = world.ask(viewer, line, foreign=True)
            if answer.status_code not in (*REFUSED, 303) or not _refused(answer):
                faults.append(f"{viewer}: {line.method} {line.path} of a foreign enterprise: {answer.status_code}")
            faults += _leaks(world, viewer, line, answer)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("viewer", APART)
@pytest.mark.parametrize("name", ["enterprise", "meter", "node", "reference", "q", "search"])
def test_asking_for_a_foreign_one_in_the_query_tells_nothing(
    world: World, every_route: Any, viewer: str, name: str
) -> None:
    """Every route that takes such a parameter, whether or not the table says so."""
    sought = {"meter": "@meter", "reference": "@reference"}.get(name, "@enterprise")
    faults = []
    for line, route in _lines(every_route):
        taken = [p.alias for p in route.dependant.query_params] if isinstance(route, APIRoute) else []
        if line.method in READING and name in taken and name not in line.values and "!" not in line.who:
            answer = world.ask(viewer, line, **{name: world.samples[sought][1]})
            faults += _leaks(world, viewer, line, answer)
            if name in ("meter", "reference") and answer.status_code == 200:
                faults.append(f"{viewer}: {line.method} {line.path} of a foreign {name}: 200")
    assert not faults, "\n".join(faults)


def test_no_form_is_taken_from_elsewhere(world: World, every_route: Any) -> None:
    """By the session's cookie alone, without the token of our own pages, nobody writes anything."""
    faults = []
    for line, _ in _lines(every_route):
        if line.method not in READING and line.path not in ("/verify", "/api/v1/verify"):
            status = world.ask("operator", line, without="x-csrf-token").status_code
            if status != 403:
                faults.append(f"{line.method} {line.path}: {status}")
    assert not faults, "\n".join(faults)


def _faults(world: World, viewer: str, line: Expected, answer: Response) -> list[str]:
    said = f"{viewer}: {line.method} {line.path}: {answer.status_code}"
    page = not line.path.startswith("/api/") and not line.path.endswith((".json", ".csv"))
    allowed = line.allows(viewer) and not (viewer == "device" and page and "A" not in line.who)
    if answer.status_code >= 500:
        return [f"{said}: a fault"]
    if viewer == "bank without consent" and line.names_an_enterprise:
        allowed = False
    if not allowed:
        wrong = [] if _refused(answer) else [f"{said}: should be refused"]
    elif line.method in READING:
        wrong = (
            []
            if answer.status_code in (200, 303, 304) and not _to_sign_in(answer, viewer)
            else [f"{said}: should be allowed"]
        )
    else:
        wrong = [f"{said}: should be allowed"] if answer.status_code in (401, 403) else []
    return wrong + _leaks(world, viewer, line, answer)


def _refused(answer: Response) -> bool:
    return answer.status_code in REFUSED or _to_sign_in(answer, "somebody")


def _to_sign_in(answer: Response, viewer: str) -> bool:
    """Nobody is sent to sign in; for whoever is signed in already that is a refusal."""
    return viewer != "nobody" and answer.headers.get("location", "").startswith("/sign-in?back=")


def _leaks(world: World, viewer: str, line: Expected, answer: Response) -> list[str]:
    if viewer not in APART:
        return []
    body, asked = _text(answer), f"{answer.request.url} {answer.request.read().decode(errors='replace')}"
    found = [
        word
        for word in world.foreign_words(viewer, line)
        if re.search(rf"(?<![\w-]){re.escape(word)}(?!\w)", body) and word not in asked
    ]
    return [f"{viewer}: {line.method} {line.path} names {', '.join(found)}"] if found else []


def _text(answer: Response) -> str:
    """What an answer says; of a workbook the text of its sheets."""
    if not answer.content.startswith(b"PK"):
        return answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
        return "\n".join(book.read(name).decode(errors="replace") for name in book.namelist())
