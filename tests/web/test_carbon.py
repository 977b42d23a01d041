"""The page of hourly carbon intensity: traced on demand, of the park or of an enterprise alone."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lujin.access.viewer import Role, Viewer
from lujin.web.app import create_app
from lujin.web.settings import Settings

HTML = {"accept": "text/html"}


@pytest.fixture
def client(park: Path) -> Iterator[TestClient]:
    app = create_app(Settings(park, environment={}))
    with TestClient(app, follow_redirects=False) as found:
        found.cookies.set("lujin_language", "en")
        yield found


def sees(client: TestClient, role: Role, *enterprises: str) -> TestClient:
    client.app.state.viewer_of = lambda _: Viewer(1, "Lin", role, frozenset(enterprises))  # type: ignore[attr-defined]
    return client


def wait_for(client: TestClient, job: str) -> None:
    for _ in range(600):
        found = client.get(f"{job}.json").json()
        if found["ended_at"]:
            assert found["state"] == "done", found["problems"]
            return
        time.sleep(0.1)


def test_a_month_is_traced_when_somebody_asks_and_then_shown_to_each_who_may(client: TestClient) -> None:
    park = sees(client, Role.OPERATOR)
    assert park.get("/carbon.json?month=2025-02").json()["traced"] is None
    assert "not traced yet" in park.get("/carbon?month=2025-02", headers=HTML).text
    done = park.post("/carbon/trace", data={"month": "2025-02"}, headers=HTML)
    assert done.status_code == 303
    wait_for(park, done.headers["location"])
    found = park.get("/carbon.json?month=2025-02&day=2025-02-03").json()
    assert len(found["hours"]) == 28 * 24
    best = [h["intensity"] for h in found["cleanest"]]
    assert len(best) == 4
    assert best == sorted(best)
    assert found["shown"]["least"] <= best[0]
    assert "/carbon?month=2025-02" in park.get(done.headers["location"], headers=HTML).text
    page = park.get("/carbon?month=2025-02", headers=HTML).text
    assert "gCO2e/kWh" in page
    table = list(csv.DictReader(io.StringIO(park.get("/carbon.csv?month=2025-02").text.lstrip("\ufeff"))))
    assert [float(r["intensity [gCO2e/kWh]"]) for r in table] == pytest.approx(
        [h["intensity"] for h in found["hours"]], abs=1e-4
    )
    own = sees(client, Role.ENTERPRISE, "E003").get("/carbon.json?month=2025-02").json()
    assert own["enterprise"] == "E003"
    assert own["enterprises"] == ["E003"]
    assert own["shown"]["amount"] != found["shown"]["amount"]


def test_who_may_not_see_gets_nothing(client: TestClient) -> None:
    own = sees(client, Role.ENTERPRISE, "E003")
    assert own.get("/carbon.json?enterprise=").status_code == 403
    assert own.get("/carbon.json?enterprise=E004").status_code == 404
    assert own.post("/carbon/trace", data={"month": "2025-02"}).status_code == 403
    assert sees(client, Role.BANK, "E003").get("/carbon.json?enterprise=E003").status_code == 403
    assert sees(client, Role.BANK, "E003").get("/carbon.json").status_code == 403
    assert sees(client, Role.VERIFIER).post("/carbon/trace", data={"month": "2025-02"}).status_code == 403
    assert sees(client, Role.OPERATOR).post("/carbon/trace", data={"month": "soon"}).status_code == 422
