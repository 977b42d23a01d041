"""Pages of meters: what each viewer may see of them, and that page, JSON and CSV say the same."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from lujin.access.viewer import Role

AsViewer = Callable[..., TestClient]
HTML = {"accept": "text/html"}
SWAPPED = "E012-EL1"


def rows(client: TestClient, path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(client.get(path).text.lstrip("\ufeff"))))


def listed(client: TestClient, query: str = "") -> list[str]:
    return [m["device"]["meter"] for m in client.get(f"/meters.json{query}").json()["meters"]]


def test_the_park_sees_all_meters_and_an_enterprise_those_at_its_flows(as_viewer: AsViewer) -> None:
    every = listed(as_viewer(Role.OPERATOR))
    assert listed(as_viewer(Role.VERIFIER)) == every
    own = as_viewer(Role.ENTERPRISE, "E003").get("/meters.json").json()["meters"]
    names = {m["device"]["meter"] for m in own}
    assert 0 < len(names) < len(every)
    assert all(m["device"]["enterprises"] == ["E003"] for m in own)
    assert {"E003-EL1"} <= names
    assert "E004-EL1" not in names


@pytest.mark.parametrize("path", ["", "/register", "/neighbours"])
def test_another_enterprises_meter_is_not_there(as_viewer: AsViewer, path: str) -> None:
    client = as_viewer(Role.ENTERPRISE, "E003")
    assert client.get(f"/meters/E003-EL1{path}.json").status_code == 200
    for form in ("", ".json", ".csv"):
        assert client.get(f"/meters/E004-EL1{path}{form}").status_code == 404
        assert client.get(f"/meters/NOWHERE{path}{form}").status_code == 404
        assert as_viewer(Role.BANK, "E003").get(f"/meters/E003-EL1{path}{form}").status_code == 404
        assert as_viewer(Role.DEVICE, "E003").get(f"/meters/E003-EL1{path}{form}").status_code == 404
        client = as_viewer(Role.ENTERPRISE, "E003")


def test_a_bank_has_no_meters(as_viewer: AsViewer) -> None:
    assert as_viewer(Role.BANK, "E003").get("/meters.json").status_code == 403


def test_the_list_can_be_searched_filtered_and_put_in_order(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.OPERATOR)
    assert set(listed(client, "?q=e003-el")) == {"E003-EL1"}
    steam = client.get("/meters.json?carrier=steam").json()["meters"]
    assert {m["device"]["carrier"] for m in steam} == {"steam"}
    parts = [
        m["slots"]["suspect"] / m["slots"]["expected"]
        for m in client.get("/meters.json?sort=suspect&only=odd").json()["meters"]
    ]
    assert parts == sorted(parts, reverse=True)
    assert client.get("/meters.json?sort=colour").status_code == 422
    assert client.get("/meters?only=green", headers=HTML).status_code == 422


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_calendar_page_says_what_its_data_say(as_viewer: AsViewer, language: str) -> None:
    client = as_viewer(Role.OPERATOR, language=language)
    found = client.get("/meters/E007-EL1.json").json()
    days = rows(client, "/meters/E007-EL1.csv")
    assert [d["day"] for d in days] == [d["day"] for d in found["days"]]
    assert sum(int(d["expected"]) for d in days) == found["total"]["expected"]
    page = client.get("/meters/E007-EL1", headers=HTML)
    assert page.status_code == 200
    for day in days:
        if day["look"] not in ("whole", "outside"):
            assert f"register?day={day['day']}" in page.text


def test_a_register_page_shows_the_readings_of_a_day_with_their_file(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.OPERATOR)
    view = client.get("/meters/E003-EL1/register.json?month=2025-02").json()["view"]
    assert len(view["readings"]) == 28 * 96
    page = client.get("/meters/E003-EL1/register?day=2025-02-03", headers=HTML).text
    first = next(r for r in view["readings"] if r["time"] >= "2025-02-02T16:00")
    assert first["file"] in page
    assert page.count('<tr><td class="nowrap"><time') == 96
    assert client.get("/meters/E003-EL1/register?day=2025-02-30", headers=HTML).status_code == 422
    assert client.get("/meters/E003-EL1/register.json?month=1999-01").json()["view"]["readings"] == []


@pytest.mark.parametrize(
    "path",
    [
        "/meters?q=nothing-like-it",
        "/meters/E003-EL1?year=1999",
        "/meters/E003-EL1/register?month=1999-01",
        "/meters/E003-EL1/neighbours?month=1999-01",
        "/meters/CHP1-E002-V",
        "/meters/CHP1-E002-V/register",
        "/meters/CHP1-E002-V/neighbours",
    ],
)
def test_where_nothing_is_the_page_says_so(as_viewer: AsViewer, path: str) -> None:
    page = as_viewer(Role.OPERATOR).get(path, headers=HTML)
    assert page.status_code == 200
    assert 'class="empty"' in page.text or "sum of other meters" in page.text
    head, _, query = path.partition("?")
    for form in (".json", ".csv"):
        assert as_viewer(Role.OPERATOR).get(f"{head}{form}?{query}").status_code == 200


def test_only_those_who_see_the_whole_park_get_the_names_of_neighbours(as_viewer: AsViewer) -> None:
    path = "/meters/E003-EL1/neighbours.json?month=2025-02"
    named = as_viewer(Role.OPERATOR).get(path).json()["comparison"]
    assert named["peers"]
    own = as_viewer(Role.ENTERPRISE, "E003").get(path)
    assert own.json()["comparison"]["peers"] == []
    assert not any(peer["meter"] in own.text for peer in named["peers"])
