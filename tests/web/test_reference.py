"""The pages of reference data: read by everybody who is signed in, added to by the park office alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lujin.access.audit import audit_trail
from lujin.access.viewer import Role, Viewer
from lujin.reference import grid_factor
from lujin.web.app import create_app
from lujin.web.settings import Settings
from lujin.workspace.reference import which

HTML = {"accept": "text/html"}


@pytest.fixture
def client(park: Path) -> Iterator[TestClient]:
    app = create_app(Settings(park, environment={}))
    with TestClient(app, follow_redirects=False) as found:
        found.cookies.set("lujin_language", "en")
        yield sees(found, Role.OPERATOR)


def sees(client: TestClient, role: Role, *enterprises: str) -> TestClient:
    client.app.state.viewer_of = lambda _: Viewer(7, "Lin", role, frozenset(enterprises))  # type: ignore[attr-defined]
    return client


def guangdong(client: TestClient) -> dict[str, str]:
    found = client.get("/reference.json?table=grid_factors&region=广东&on=2025-12-31&q=2023").json()["rows"]
    (row,) = (r for r in found if r["values"]["basis"] == "average")
    return dict(row)


def filled(client: TestClient, **changed: str) -> dict[str, str]:
    row = guangdong(client)
    values = {**row["values"], "value": "0.4", "source": "contract 2025-06"} | changed  # type: ignore[dict-item]
    return {"table": "grid_factors", **{f"c_{name}": text for name, text in values.items()}}


@pytest.mark.parametrize("role", list(Role))
def test_everybody_reads_and_only_the_park_office_adds(client: TestClient, role: Role) -> None:
    form = filled(client)
    sees(client, role, "E003")
    assert client.get("/reference", headers=HTML).status_code == 200
    row = guangdong(client)
    assert client.get("/reference/row.json", params={"id": row["id"]}).json()["answer"]["id"] == row["id"]
    allowed = role is Role.OPERATOR
    assert client.get("/reference/new", headers=HTML).status_code == (200 if allowed else 403)
    assert client.post("/reference/new", data={**form, "step": "check"}).status_code == (200 if allowed else 403)


def test_a_row_is_checked_then_stated_audited_and_moves_nothing(client: TestClient) -> None:
    workspace = client.app.state.open_park.workspace  # type: ignore[attr-defined]
    form, row = filled(client), guangdong(client)
    told = client.post("/reference/new", data={**form, "step": "check"}, headers=HTML).text
    assert all(month in told for month in ("2025-01", "2025-02", "2025-03"))
    assert guangdong(client) == row
    done = client.post("/reference/new", data={**form, "step": "save"}, headers=HTML)
    assert done.status_code == 303
    page = client.get(done.headers["location"], headers=HTML)
    assert "the park&#39;s own" in page.text
    now = which(workspace, grid_factor("location", "广东"), date(2025, 12, 31)).row
    assert now is not None
    assert now.values["value"] == "0.4"
    with workspace.engine.connect() as connection:
        (entry,) = audit_trail(connection, action="reference.add")
    assert (entry.who, entry.subject) == ("Lin", f"reference/{now.id}")
    stated = client.get("/reference/row.json", params={"id": now.id}).json()["stated"]
    assert {s["row"]["id"]: s["months"] for s in stated}[row["id"]] == [202501, 202502, 202503]


def test_what_is_wrong_is_told_beside_its_field_and_kept(client: TestClient) -> None:
    form = filled(client, value="0,4", source="", valid_from="yesterday", note='"><script>alert(1)</script>')
    page = client.post("/reference/new", data={**form, "step": "save"}, headers=HTML)
    assert page.status_code == 422
    assert page.text.count('class="error"') == 3
    assert "<script>alert" not in page.text
    assert 'value="0,4"' in page.text
    answer = client.post("/reference/new", data={**form, "step": "save"})
    assert {p["field"] for p in answer.json()["problems"]} == {"value", "source", "valid_from"}


def test_a_form_made_before_somebody_elses_row_is_refused(client: TestClient) -> None:
    page = client.get("/reference/new", headers=HTML).text
    version = page.split('name="version" value="')[1].split('"')[0]
    form = {**filled(client), "version": version, "step": "save"}
    assert client.post("/reference/new", data=form).status_code == 303
    assert client.post("/reference/new", data=form).status_code == 409


def test_no_row_on_a_day_is_said_with_the_nearest(client: TestClient) -> None:
    row = guangdong(client)
    params = {"id": row["id"], "on": "1990-01-01"}
    found = client.get("/reference/row.json", params=params).json()
    assert found["answer"] is None
    assert row["id"] in {n["id"] for n in found["nearest"]}
    assert client.get("/reference/row", params=params, headers=HTML).status_code == 200
    for wrong in (
        {"id": "nothing"},
        {"id": row["id"], "selector": "nowhere?x=1"},
        {"id": row["id"], "selector": "gwp?x=1"},
    ):
        assert client.get("/reference/row.json", params=wrong).status_code in (404, 422)
