"""Answers that are kept are the ones that would be made anew, and nobody gets another's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from lujin.access import Right, Role, Viewer
from lujin.access.api_tokens import issue_token
from lujin.database import open_database, writing
from lujin.pulse import Pulse
from lujin.web.turns import Turns

from .conftest import Site

FORM = re.compile(r'name="csrf" value="([^"]+)"')


def test_what_is_kept_falls_with_the_next_commit(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "facts.db")
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE fact (number INTEGER)")
    pulse, asked = Pulse(engine), []

    def count() -> int:
        asked.append(1)
        with engine.connect() as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM fact").scalar_one())

    assert [pulse("facts", count) for _ in range(3)] == [0, 0, 0]
    assert len(asked) == 1
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO fact VALUES (1)")
    assert [pulse("facts", count) for _ in range(3)] == [1, 1, 1]
    assert len(asked) == 2
    pulse.close()
    assert pulse("facts", count) == 1
    engine.dispose()


def test_a_page_kept_for_others_carries_ones_own_name_and_form_token(site: Site) -> None:
    site.join("verifier@v.example", Role.OPERATOR)
    first, second = site.signed_in(), site.signed_in("verifier@v.example")
    path = "/meters"
    pages = [browser.get(path).text for browser in (first, first, second)]
    tokens = [found for page in pages for found in FORM.findall(page)]
    assert len(tokens) == len(set(tokens)) >= 3
    assert ("Cheng</a>" in pages[0], "verifier</a>" in pages[0]) == (True, False)
    assert ("Cheng</a>" in pages[2], "verifier</a>" in pages[2]) == (False, True)
    plain = [FORM.sub("", page).replace("Cheng", "").replace("verifier", "") for page in pages]
    assert plain[0] == plain[1] == plain[2]
    assert second.post("/sign-out", data={"csrf": FORM.findall(pages[0])[0]}).status_code == 403
    assert second.post("/sign-out", data={"csrf": FORM.findall(pages[2])[0]}).status_code == 303


def test_a_token_with_fewer_rights_gets_no_answer_of_one_with_more(site: Site) -> None:
    viewer, until = Viewer(1, "Cheng", Role.OPERATOR), site.now + timedelta(days=9)
    wide, narrow = (
        issue_token(site.engine, viewer, "t", rights, until, now=site.now)
        for rights in ({Right.SEE_ACCOUNT, Right.SEE_PARK, Right.SEE_READINGS}, {Right.SEE_ACCOUNT})
    )
    client = TestClient(site.app)

    def get(token: str) -> Any:
        return client.get("/api/v1/quality/2025-02", headers={"authorization": f"Bearer {token}"})

    assert [get(token).status_code for token in (wide, wide, narrow, wide)] == [200, 200, 403, 200]
    assert get(wide).json() == get(wide).json()


@pytest.mark.parametrize("packing", ["gzip", "identity"])
def test_a_kept_answer_is_the_same_in_either_packing(site: Site, packing: str) -> None:
    browser = site.signed_in()
    span = {"first": "2025-02-01", "last": "2025-02-28"}
    for path in ("/api/v1/enterprises/E006/series", "/enterprises/E006/series.json", "/api/v1/flows"):
        query = span if "series" in path else {}
        found = [browser.get(path, params=query, headers={"accept-encoding": packing}) for _ in range(2)]
        other = browser.get(path, params=query)
        assert found[0].status_code == 200
        assert found[0].json() == found[1].json() == other.json()
        assert found[1].headers.get("content-encoding", "identity") == packing


def test_a_session_that_ended_opens_nothing_more(site: Site) -> None:
    browser = site.signed_in()
    assert [browser.get("/meters").status_code for _ in range(2)] == [200, 200]
    other = TestClient(site.app, follow_redirects=False, cookies=dict(browser.cookies))
    site.post(browser, "/sign-out")
    assert other.get("/meters").status_code == 401


# --------------------------------------------------------------------------------------------- turns


def _scope(method: str = "GET") -> dict[str, Any]:
    return {"type": "http", "method": method, "path": "/meters"}


def _run(work: Coroutine[Any, Any, None]) -> None:
    """In a thread of its own: a browser test before it may have left a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


def test_answers_are_worked_out_in_the_order_in_which_they_were_asked_for() -> None:
    order: list[str] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        order.append(f"start {scope['n']}")
        await asyncio.sleep(0.01)
        order.append(f"end {scope['n']}")
        await send({"type": "http.response.start"})

    async def nothing(*_: Any) -> None: ...

    async def visits() -> None:
        turns = Turns(app, at_once=1, longest_s=60)
        await asyncio.gather(*(turns({**_scope(), "n": n}, nothing, nothing) for n in range(3)))  # type: ignore[arg-type]

    _run(visits())
    assert order == [f"{what} {n}" for n in range(3) for what in ("start", "end")]


def test_what_takes_long_holds_up_nobody() -> None:
    async def nothing(*_: Any) -> None: ...

    async def visits() -> None:
        ended = asyncio.Event()

        async def app(scope: Any, _receive: Any, _send: Any) -> None:
            await ended.wait() if scope["long"] else ended.set()

        turns = Turns(app, at_once=1, longest_s=0.01)
        await asyncio.gather(*(turns({**_scope(), "long": long}, nothing, nothing) for long in (True, False)))  # type: ignore[arg-type]

    _run(asyncio.wait_for(visits(), 5))
