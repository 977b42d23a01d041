"""Overview, energy flows and curves: useful without JavaScript, the same in every face, for whom it is meant."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lujin.access.viewer import Role, Viewer
from lujin.demo import write_demo
from lujin.web.app import create_app
from lujin.web.settings import Settings

AsViewer = Callable[..., TestClient]
HTML = {"accept": "text/html"}
PAGES = ("/overview", "/flows", "/flows?carrier=steam&month=2025-02&node=E002", "/flows/carbon")
SPAN = "first=2025-01-01&last=2025-03-31"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_useful_without_javascript(as_viewer: AsViewer, path: str, language: str) -> None:
    page = as_viewer(Role.OPERATOR, language=language).get(path, headers=HTML)
    assert page.status_code == 200
    assert "<table>" in page.text and 'class="num"' in page.text
    assert not re.search(r"<script(?![^>]*(src=|application/json))", page.text), (
        "the policy forbids inline scripts"
    )
    assert 'style="' not in page.text
    for text in re.findall(r'<script type="application/json">(.*?)</script>', page.text, re.DOTALL):
        json.loads(text)


def test_the_overview_says_what_the_ledger_says(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.OPERATOR)
    found = client.get("/overview.json?month=2025-02").json()
    rows = list(csv.DictReader(io.StringIO(client.get("/overview.csv?month=2025-02").text.lstrip("\ufeff"))))
    assert len(rows) == len(found["ranks"]) == 12
    used = sum(float(row["electricity_kWh"] or 0) for row in rows)
    power = next(c for c in found["overview"]["carriers"] if c["carrier"] == "electricity")
    assert used == pytest.approx(float(power["used"]["value"]))
    statement = client.get("/enterprises/E008.json?month=2025-02").json()["statement"]
    mine = next(row for row in rows if row["enterprise"] == "E008")
    assert mine["cost_CNY"] == statement["cost_total"]["value"]
    assert found["last_day"] == "2025-03-31", "the latest day with readings, where yesterday has none"


def test_a_picker_changes_month_book_and_order(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.OPERATOR)
    january, february = (client.get(f"/overview.json?month=2025-0{m}").json() for m in (1, 2))
    assert january["overview"]["totals"]["cost"] != february["overview"]["totals"]["cost"]
    by_cost = client.get("/overview.json?by=cost&book=market").json()
    assert by_cost["ranks"][0]["amount"]["unit"] == "CNY" and by_cost["book"] == "market"
    assert client.get("/overview.json?by=nonsense").json()["by"] == "electricity"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/overview?month=2025-13", 422),
        ("/overview?book=other", 422),
        ("/flows?carrier=gold", 422),
        ("/flows?first=2025-02-01&last=2025-01-01", 422),
        ("/flows?first=0001-01-01&last=9999-12-31", 422),
        ("/flows?node=NOWHERE", 422),
        (f"/series.json?meter=NONE&{SPAN}", 422),
        (f"/enterprises/E008/series.json?meter=NONE&{SPAN}", 404),
    ],
)
def test_what_makes_no_sense_is_said(as_viewer: AsViewer, path: str, status: int) -> None:
    answer = as_viewer(Role.OPERATOR).get(path)
    assert answer.status_code == status
    assert answer.json()["problems"][0]["message"]


def test_the_whole_park_is_for_those_who_may_see_it(as_viewer: AsViewer) -> None:
    for path in ("/overview", "/flows", "/flows/carbon", f"/series.json?meter=E008-EL1&{SPAN}"):
        assert as_viewer(Role.VERIFIER).get(path).status_code == 200
        for role in (Role.ENTERPRISE, Role.BANK, Role.DEVICE):
            assert as_viewer(role, "E008").get(path, headers=HTML).status_code in (403, 404), (path, role)


def test_an_enterprise_sees_the_curves_of_its_own_meters_alone(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.ENTERPRISE, "E008")
    own = client.get(f"/enterprises/E008/series.json?{SPAN}").json()
    assert own["step"] == "hour" and len(own["series"][0]["values"]) == 24 * 90
    one = client.get(f"/enterprises/E008/series.json?meter=E008-EL1&{SPAN}&step=day").json()
    assert len(one["series"]) == 1 and len(one["series"][0]["values"]) == 90
    assert client.get(f"/enterprises/E008/series.json?meter=E003-EL1&{SPAN}").status_code == 404
    assert client.get(f"/enterprises/E003/series.json?{SPAN}").status_code == 404
    assert as_viewer(Role.BANK, "E008").get(f"/enterprises/E008/series.json?{SPAN}").status_code == 403


def test_an_empty_park_shows_the_first_steps(tmp_path: Path) -> None:
    write_demo(tmp_path / "empty", enterprises=12, months=1)
    app = create_app(Settings(tmp_path / "empty", environment={}))
    app.state.viewer_of = lambda _: Viewer(1, "Lin", Role.OPERATOR, frozenset())
    with TestClient(app) as client:
        page = client.get("/overview", headers={**HTML, "accept-language": "en"})
        assert page.status_code == 200 and "First steps" in page.text and 'href="/imports"' in page.text
        assert client.get("/overview.json").json()["months"] == []
        assert client.get("/flows").status_code == 404


def test_data_that_are_kept_follow_the_facts(park: Path) -> None:
    app = create_app(Settings(park, environment={}))
    app.state.viewer_of = lambda _: Viewer(1, "Lin", Role.OPERATOR, frozenset())
    with TestClient(app) as client:
        path = "/enterprises/E006.json?month=2025-01"
        before = client.get(path)
        assert before.json()["statement"]["period"]["state"] == "open"
        again = client.get(path, headers={"if-none-match": before.headers["etag"]})
        assert again.status_code == 304
        plain = client.get(path, headers={"accept-encoding": "identity"})
        assert plain.content == before.content and "content-encoding" not in plain.headers
        app.state.open_park.workspace.close([202501], "all disclosed")
        after = client.get(path, headers={"if-none-match": before.headers["etag"]})
        assert after.status_code == 200 and after.json()["statement"]["period"]["state"] == "closed"
