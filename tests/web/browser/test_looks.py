"""Every page, looked at by a real browser: in both languages, on a screen and a phone, light and dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote, urlencode
from zlib import crc32

import pytest
from playwright.sync_api import Browser

from lujin.access.viewer import Role

from ..served import ENTERPRISE, Served
from ..test_isolation import Expected, table
from .conftest import cookies, new_window
from .looking import Watched

SAMPLES: Mapping[str, str] = {
    "@enterprise": ENTERPRISE,
    "@meter": "E006-EL1",
    "@reference": "E006:2025-02:location:S2/electricity",
}
# Answers that are no pages of their own, or pages that only a story leads to.
OTHER = (
    ".json",
    ".csv",
    "{kind}",
    "/static/",
    "/language/",
    "/theme/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/",
)
LOOKS = (("zh", 1440, "light"), ("en", 1440, "dark"), ("en", 390, "dark"), ("zh", 390, "light"))
# Each has both languages, widths and colours
PAIRS = ((LOOKS[0], LOOKS[2]), (LOOKS[1], LOOKS[3]))


def pages() -> list[Expected]:
    """Every page that somebody may open: a new one is looked at as soon as isolation.txt says who may."""
    asked = (line for line in table().values() if line.method == "GET" and line.who[0] in "AOEBV")
    return [line for line in asked if not any(part in line.path for part in OTHER)]


def address(line: Expected, served: Served) -> str:
    rows = served.app.state.open_park.current().reference_rows
    samples = {**SAMPLES, "@row": rows[0].id}
    values = {name: samples.get(value, value) for name, value in line.values.items()}
    path, query = line.path, {}
    for name, value in values.items():
        for place in ("{" + name + "}", "{" + name + ":path}"):
            if place in path:
                path = path.replace(place, quote(value))
                break
        else:
            query[name] = value
    return path + (f"?{urlencode(query)}" if query else "")


@pytest.fixture(scope="module")
def look(browser: Browser, server: Served) -> Iterator[Callable[[tuple[str, int, str], Role | None], Watched]]:
    """A page as somebody in a look. Two windows serve them all, so that scripts are fetched and compiled once."""
    windows = {width: new_window(browser, server.address, width) for width in (1440, 390)}

    def one(look: tuple[str, int, str], role: Role | None) -> Watched:
        language, width, theme = look
        windows[width].clear_cookies()
        windows[width].add_cookies(cookies(server, role, language, theme))
        return Watched(windows[width].new_page(), f"{language}-{theme}-{width}")

    yield one
    for window in windows.values():
        window.close()


@pytest.mark.parametrize("line", pages(), ids=lambda line: line.path)
def test_the_page_is_whole(
    server: Served,
    look: Callable[[tuple[str, int, str], Role | None], Watched],
    line: Expected,
    request: pytest.FixtureRequest,
) -> None:
    """Nothing sticks out or is cut, the console is silent, the content policy holds, axe finds nothing grave:
    wide and narrow, light and dark, in both languages; one page in this pair of looks, the next in the other.
    """
    looks = LOOKS if request.config.getoption("--thorough") else PAIRS[crc32(line.path.encode()) % 2]
    roles = {"O": Role.OPERATOR, "E": Role.ENTERPRISE, "B": Role.BANK, "V": Role.VERIFIER}
    role = None if line.path.startswith("/sign-in") else roles.get(line.who[0], Role.OPERATOR)
    path, found = address(line, server), []
    for seen in looks:
        watched = look(seen, role).open(path)
        watched.picture(line.path)
        found += [f"{watched.name}: {fault}" for fault in watched.faults()]
        watched.page.close()
    assert not found, "\n".join([path, *found])
