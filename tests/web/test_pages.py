"""Every page has three faces; errors are pages or problem documents, never tracebacks."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from lujin.access.viewer import Role

HTML = {"accept": "text/html"}


def test_a_page_says_the_same_as_its_json_and_csv(as_viewer: Callable[..., TestClient]) -> None:
    client = as_viewer(Role.OPERATOR)
    page = client.get("/enterprises", headers=HTML).text
    listed = client.get("/enterprises.json").json()["listing"]["lines"]
    rows = list(csv.DictReader(io.StringIO(client.get("/enterprises.csv").text.lstrip("\ufeff"))))
    assert len(listed) == 12
    assert [row["enterprise"] for row in rows] == [e["enterprise"] for e in listed]
    assert all(e["name_en"] in page for e in listed)


def test_an_unchanged_answer_is_not_sent_again(as_viewer: Callable[..., TestClient]) -> None:
    client = as_viewer(Role.OPERATOR)
    first = client.get("/enterprises/E006.json")
    again = client.get("/enterprises/E006.json", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_an_enterprise_sees_itself_alone(as_viewer: Callable[..., TestClient]) -> None:
    client = as_viewer(Role.ENTERPRISE, "E003")
    assert [e["enterprise"] for e in client.get("/enterprises.json").json()["listing"]["lines"]] == ["E003"]
    assert client.get("/enterprises/E003.json").status_code == 200
    assert client.get("/enterprises/E006.json").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/enterprises/E999", 404),
        ("/enterprises/E006?month=2025-13", 422),
        ("/nowhere", 404),
        ("/language/fr", 404),
    ],
)
def test_an_error_names_what_is_wrong(as_viewer: Callable[..., TestClient], path: str, status: int) -> None:
    client = as_viewer(Role.OPERATOR)
    page = client.get(path, headers=HTML)
    document = client.get(path)
    assert (page.status_code, document.status_code) == (status, status)
    assert page.headers["content-type"].startswith("text/html")
    assert document.headers["content-type"] == "application/problem+json"
    said = document.json()
    assert said["status"] == status and said["problems"][0]["message"]
    assert "Traceback" not in page.text + document.text


def test_nobody_sees_anything_without_signing_in(as_viewer: Callable[..., TestClient]) -> None:
    client = as_viewer(None)
    page = client.get("/enterprises?month=2025-01", headers=HTML)
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in?back=/enterprises%3Fmonth%3D2025-01")
    assert client.get("/enterprises.json").status_code == 401


def test_language_and_colours_are_kept_and_lead_back_to_our_own_pages(
    as_viewer: Callable[..., TestClient],
) -> None:
    client = as_viewer(Role.OPERATOR)
    there = client.get("/language/zh?back=/enterprises%3Fbook%3Dmarket")
    assert (there.status_code, there.headers["location"]) == (303, "/enterprises?book=market")
    assert client.get("/language/zh?back=//evil.example").headers["location"] == "/"
    assert "企业" in client.get("/enterprises", headers=HTML).text
