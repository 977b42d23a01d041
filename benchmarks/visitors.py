"""Visitors of the server: which addresses there are, and users who ask for one after the other.

Connections are kept. The client speaks HTTP/1.1 by hand, so that it takes little of the two cores that it
shares with the server.
"""

from __future__ import annotations

import asyncio
import gzip
import http.client
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Answers without end, other people's machines, and what would sign the visitors out
NOT_ASKED = (
    "/sign",
    "/link/",
    "/static/",
    "/metrics",
    "/language/",
    "/theme/",
    "events",
    "stream",
    "backup",
    "/oidc",
)
ADDRESSES = 12  # of each route: other enterprises, meters, months
Seen = Callable[[str, int, float], None]


def answers(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/healthz")
        return connection.getresponse().status < 500
    except OSError:
        return False


@dataclass(frozen=True)
class Mix:
    """``routes``: name → addresses to choose from. ``headers``: of a session; ``api``: of a token."""

    routes: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    api: Mapping[str, str]
    skipped: Sequence[str]

    @classmethod
    def of(cls, directory: Path, port: int, cookie: str, token: str, only: str) -> Mix:
        """Every GET route of the application whose parameters we know how to fill."""
        from lujin.web.app import create_app
        from lujin.web.settings import Settings

        app = create_app(Settings(directory, environment={}))
        values = _values(app)
        found: dict[str, list[str]] = {}
        skipped: list[str] = []
        for path in _paths(app.router.routes):
            if any(part in path for part in NOT_ASKED) or only not in path:
                continue
            names = re.findall(r"{(\w+)(?::\w+)?}", path)
            if any(name not in values for name in names):
                skipped.append(path)
                continue
            asked = {_filled(path, names, values, turn) for turn in range(ADDRESSES)}
            found[path] = sorted(asked)
        app.state.open_park.workspace.engine.dispose()
        accept = {"accept-encoding": "gzip", "accept": "text/html,application/json"}
        session = {**accept, "cookie": f"lujin={cookie}; lujin_language=zh"}
        mix = cls(found, session, {**accept, "authorization": f"Bearer {token}"}, sorted(skipped))
        return mix._answered(port)

    def _answered(self, port: int) -> Mix:
        """Without routes that need a query we do not know: they answer 4xx at once."""
        good: dict[str, list[str]] = {}
        skipped = list(self.skipped)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for name, addresses in self.routes.items():
            connection.request("GET", addresses[0], headers=dict(self.of_path(addresses[0])))
            answer = connection.getresponse()
            answer.read()
            if answer.status < 400:
                good[name] = addresses
            else:
                skipped.append(f"{name} ({answer.status})")
        return Mix(good, self.headers, self.api, skipped)

    def of_path(self, path: str) -> Mapping[str, str]:
        return self.api if path.startswith("/api/") else self.headers


def _paths(routes: Sequence[object]) -> list[str]:
    found = []
    for route in routes:
        if "GET" in (getattr(route, "methods", None) or ()):
            found.append(str(getattr(route, "path", "")))
        else:
            inner = getattr(getattr(route, "original_router", None), "routes", None)
            found += _paths(inner) if inner else []
    return list(dict.fromkeys(found))


def _values(app: object) -> Mapping[str, Sequence[str]]:
    workspace = app.state.open_park.workspace  # type: ignore[attr-defined]
    park, months = workspace.park, [f"{m // 100}-{m % 100:02}" for m in workspace.months()]
    enterprises = list(park.enterprises())
    at = months[-2]
    return {
        "enterprise": enterprises,
        "meter": list(park.meters),
        "month": months,
        "book": ["location", "market"],
        "node": enterprises,
        "carrier": ["electricity", "steam"],
        "table": ["grid_factors", "tariffs"],
        "reference": [f"{e}:{at}:location:S2/electricity" for e in enterprises[:40]],
    }


def _filled(path: str, names: Sequence[str], values: Mapping[str, Sequence[str]], turn: int) -> str:
    chance = random.Random(f"{path}{turn}")
    for name in names:
        path = re.sub(rf"{{{name}(:\w+)?}}", chance.choice(values[name]), path)
    months = values["month"]
    query = f"?month={chance.choice(months)}" if turn % 2 else ""
    if "series" in path:
        query = f"?first={months[0]}-01&last={months[-1]}-28"
        query += "" if "enterprise" in path else f"&meter={chance.choice(values['meter'])}"
    return path + query


def once(port: int, mix: Mix, seen: Seen) -> None:
    """One user asks for every address once."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for name, addresses in mix.routes.items():
        for path in addresses:
            started = time.perf_counter()
            connection.request("GET", path, headers=dict(mix.of_path(path)))
            answer = connection.getresponse()
            answer.read()
            seen(name, answer.status, time.perf_counter() - started)


async def visit(port: int, mix: Mix, users: int, seconds: float, seen: Seen, pause: float = 0.0) -> None:
    """Each user asks for routes in turn, all as often, in its own order. ``pause``: mean time between [s]."""
    end = time.perf_counter() + seconds
    await asyncio.gather(*(_user(port, mix, number, end, seen, pause) for number in range(users)))


async def _user(port: int, mix: Mix, number: int, end: float, seen: Seen, pause: float) -> None:
    chance = random.Random(number)
    names = list(mix.routes)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < end:
        chance.shuffle(names)
        for name in names:
            if time.perf_counter() >= end:
                break
            path = chance.choice(mix.routes[name])
            if pause:
                await asyncio.sleep(chance.expovariate(1 / pause))
            headers = "".join(f"{k}: {v}\r\n" for k, v in mix.of_path(path).items())
            started = time.perf_counter()
            writer.write(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}\r\n".encode())
            status, closes = await _answer(reader)
            seen(name, status, time.perf_counter() - started)
            if closes:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(head[9:12])
    if length := re.search(r"content-length: (\d+)", head):
        await reader.readexactly(int(length[1]))
    elif "transfer-encoding: chunked" in head:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return status, "connection: close" in head


def page_weight(port: int, mix: Mix) -> tuple[str, int]:
    """The heaviest page with its style sheets and scripts, compressed bytes."""
    heaviest = ("", 0)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    sizes: dict[str, int] = {}
    for name, addresses in mix.routes.items():
        if name.startswith("/api/") or name.endswith((".json", ".csv")):
            continue
        connection.request("GET", addresses[0], headers=dict(mix.headers))
        content = connection.getresponse()
        packed = content.read()
        if "text/html" not in content.getheader("content-type", ""):
            continue
        text = (gzip.decompress(packed) if content.getheader("content-encoding") == "gzip" else packed).decode()
        whole = len(packed)
        for file in dict.fromkeys(re.findall(r'(?:src|href)="(/static/[^"]+)"', text)):
            if file not in sizes:
                connection.request("GET", file, headers={"accept-encoding": "gzip"})
                sizes[file] = len(connection.getresponse().read())
            whole += sizes[file]
        heaviest = max(heaviest, (name, whole), key=lambda pair: pair[1])
    return heaviest
