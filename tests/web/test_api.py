"""The HTTP API: the same numbers as the library, pages of lists, errors as data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from fastapi.testclient import TestClient

import lujin
from lujin.access import Right, Role
from lujin.client import ApiError, Client
from lujin.publish import check
from lujin.web.models import accounts, months, park, quality
from lujin.workspace import Workspace

from ..serving import Served, served

AsViewer = Callable[..., TestClient]
E, MONTH = "E006", "2025-02"


@pytest.fixture(scope="module")
def library(demo_park: Path) -> Iterator[Workspace]:
    opened = lujin.open(demo_park, environment={})
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="module")
def server(demo_park: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    import shutil

    copy = shutil.copytree(demo_park, tmp_path_factory.mktemp("api") / "park")
    with served(Path(copy)) as found:
        yield found


def get(client: TestClient, path: str, **query: Any) -> Any:
    found = client.get(f"/api/v1{path}", params=query)
    assert found.status_code == 200, found.text
    return found.json()


# ------------------------------------------------------------------------------------- same as the library


def keys(value: Any) -> Any:
    """The shape of JSON: names at every level."""
    if isinstance(value, dict):
        return {name: keys(inner) for name, inner in value.items()}
    return [keys(inner) for inner in value] if isinstance(value, list) else None


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


@pytest.mark.parametrize("book", ["location", "market", "regulatory", "embodied", "physical"])
def test_a_statement_says_what_the_library_says(library: Workspace, as_viewer: AsViewer, book: str) -> None:
    said = library.statement(E, 202502, book).as_dict()
    told = get(as_viewer(Role.OPERATOR), f"/enterprises/{E}/statements/{MONTH}", book=book)
    assert keys(told) == keys(plain(said))
    assert told["accounts"] == plain(said["accounts"])
    assert told["month"] == MONTH


@pytest.mark.parametrize(
    ("path", "ask", "model"),
    [
        ("/totals", lambda p: p.totals(), accounts.Totals),
        ("/status", lambda p: p.status(), park.Status),
        (f"/quality/{MONTH}", lambda p: p.quality(202502), quality.MonthQuality),
        (f"/enterprises/{E}/quality/{MONTH}", lambda p: p.quality(202502, E), quality.MonthQuality),
        (f"/balance/{MONTH}", lambda p: p.balance(202502), quality.ParkBalance),
    ],
)
def test_answers_have_all_that_the_records_have(
    library: Workspace, as_viewer: AsViewer, path: str, ask: Callable[[Workspace], Any], model: type
) -> None:
    said, told = plain(ask(library).as_dict()), get(as_viewer(Role.OPERATOR), path)
    assert set(said) <= set(told)
    assert set(model.model_fields) == set(told)  # type: ignore[attr-defined]
    shared = keys({name: told[name] for name in said if name != "problems"})
    assert shared == keys({name: value for name, value in said.items() if name != "problems"})


def test_lists_of_records_have_all_that_the_records_have(library: Workspace, as_viewer: AsViewer) -> None:
    client = as_viewer(Role.OPERATOR)
    told = get(client, f"/enterprises/{E}/uncertainty/{MONTH}")
    assert keys(told) == keys(plain([u.as_dict() for u in library.uncertainty(202502, enterprise=E)]))
    assert [u["month"] for u in told] == [MONTH] * len(told)
    assert keys(get(client, "/periods")) == keys(plain([p.as_dict() for p in library.periods()]))


def test_an_explanation_says_what_the_library_says(library: Workspace, as_viewer: AsViewer) -> None:
    reference = f"{E}:{MONTH}:location:S2/electricity"

    def sentences(node: Any) -> list[str]:
        return [node["text"], *(text for child in node.get("children", []) for text in sentences(child))]

    told = get(as_viewer(Role.OPERATOR), "/explain", reference=reference)
    said = plain(library.explain(reference).as_dict())
    assert sentences(told) == sentences(said)
    assert set(said) <= set(told)


def test_completeness_stands_beside_totals(as_viewer: AsViewer) -> None:
    found = get(as_viewer(Role.OPERATOR), "/totals")["completeness"]
    assert 0.9 < found["measured_part"] <= 1
    parts = (found["measured"], found["interpolated"], found["estimated"], found["missing"])
    assert sum(parts) == found["expected"]


def test_statements_come_as_files(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.OPERATOR)
    starts = {"pdf": b"%PDF", "xlsx": b"PK", "csv": "\ufeffaccount".encode()}
    for form, start in starts.items():
        found = client.get(f"/api/v1/enterprises/{E}/statements/{MONTH}/{form}")
        assert found.content.startswith(start)


# ---------------------------------------------------------------------------------------------- paging


@pytest.mark.parametrize("path", ["/enterprises", "/meters", "/flows", "/imports", "/reference"])
def test_pages_of_a_list_give_each_item_once(as_viewer: AsViewer, path: str) -> None:
    client = as_viewer(Role.OPERATOR)
    query = {"table": "grid_factors"} if path == "/reference" else {}
    whole = get(client, path, limit=1000, **query)
    assert whole["next"] is None
    found: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = get(client, path, limit=7, cursor=cursor, **query)
        assert 1 <= len(page["items"]) <= 7
        found, cursor = found + page["items"], page["next"]
    assert found == whole["items"]


@pytest.mark.parametrize("cursor", ["x", "bnVsbA", "WzFd", "e30", "/", "€"])
def test_a_cursor_of_nowhere_is_refused(as_viewer: AsViewer, cursor: str) -> None:
    for path in ("/enterprises", "/reference", "/imports", "/audit"):
        found = as_viewer(Role.OPERATOR).get(f"/api/v1{path}", params={"cursor": cursor})
        assert found.status_code == 404, path
        assert found.json()["problems"][0]["field"] == "cursor"


def test_a_parameter_that_nobody_reads_is_told(as_viewer: AsViewer) -> None:
    found = as_viewer(Role.OPERATOR).get("/api/v1/enterprises", params={"serch": "x"})
    assert found.status_code == 422
    assert found.json()["problems"][0]["field"] == "serch"


# ------------------------------------------------------------------------------------------------- ETag


def test_what_the_client_has_is_not_worked_out_again(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.OPERATOR)
    path = f"/api/v1/enterprises/{E}/statements/{MONTH}"
    first = client.get(path)
    again = client.get(path, headers={"if-none-match": f'"x", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    tags = {client.get(path, params={"book": book}).headers["etag"] for book in ("market", "location", "physical")}
    tags.add(client.get(path, params={"as_of": "2030-01-01T00:00:00Z"}).headers["etag"])
    other = as_viewer(Role.ENTERPRISE, E).get(path)
    assert len({first.headers["etag"], other.headers["etag"], *tags}) >= 5


# --------------------------------------------------------------------------------------------- readings


DAY = {"start": "2025-02-01T00:00:00+08:00", "end": "2025-02-02T00:00:00+08:00"}


def test_readings_are_the_same_in_every_form_and_page(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.OPERATOR)
    meters = [m["meter"] for m in get(client, "/meters", enterprise=E)["items"] if m["kind"] != "virtual"]
    query = {**DAY, "meter": meters}
    whole = get(client, "/readings", **query)["items"]
    assert len(whole) > 90
    pages: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = get(client, "/readings", **query, limit=17, cursor=cursor)
        pages, cursor = pages + page["items"], page["next"]
    assert pages == whole

    def form(accept: str) -> bytes:
        found = client.get("/api/v1/readings", params=query, headers={"accept": accept})
        assert found.headers["content-type"].startswith(accept)
        return bytes(found.content)

    arrow = pl.read_ipc_stream(BytesIO(form("application/vnd.apache.arrow.stream")))
    parquet = pl.read_parquet(BytesIO(form("application/vnd.apache.parquet")))
    text = pl.read_csv(BytesIO(form("text/csv")), try_parse_dates=True)
    assert arrow.equals(parquet)
    assert text["value"].to_list() == arrow["value"].to_list() == [row["value"] for row in whole]
    assert arrow["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").to_list() == [row["time"] for row in whole]


def test_a_form_that_is_not_made_is_refused(as_viewer: AsViewer) -> None:
    found = as_viewer(Role.OPERATOR).get("/api/v1/readings", params=DAY, headers={"accept": "image/png"})
    assert found.status_code == 406


def test_a_time_without_zone_is_refused(as_viewer: AsViewer) -> None:
    found = as_viewer(Role.OPERATOR).get("/api/v1/readings", params={**DAY, "start": "2025-02-01T00:00:00"})
    assert found.status_code == 422
    assert found.json()["problems"][0]["field"] == "start"


@pytest.mark.parametrize("time", ["0.14", "1735689600", "1e9"])
def test_a_bare_number_is_no_time(as_viewer: AsViewer, time: str) -> None:
    client = as_viewer(Role.OPERATOR)
    assert client.get(f"/api/v1/quality/{MONTH}", params={"as_of": time}).status_code == 422
    assert client.get("/api/v1/series", params={"first": time, "last": "2025-02-01"}).status_code == 422


def test_a_parameter_that_is_given_twice_is_told(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.OPERATOR)
    assert client.get("/api/v1/enterprises?search=a&search=b").status_code == 422
    assert client.get("/api/v1/reference?word=grid&word=x").status_code == 200


# ------------------------------------------------------------------------------------------------ rights


def test_an_enterprise_sees_itself_alone(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.ENTERPRISE, E)
    assert [e["id"] for e in get(client, "/enterprises")["items"]] == [E]
    assert all(E in m["enterprises"] for m in get(client, "/meters")["items"])
    rows = get(client, "/readings", **DAY, limit=100_000)["items"]
    assert {row["meter"] for row in rows} <= {m["meter"] for m in get(client, "/meters")["items"]}
    assert client.get("/api/v1/enterprises/E003").status_code == 404
    assert client.get("/api/v1/totals").status_code == 403
    assert (
        client.get("/api/v1/explain", params={"reference": f"E003:{MONTH}:location:S2/electricity"}).status_code
        == 404
    )


def test_nobody_sees_nothing(as_viewer: AsViewer) -> None:
    client = as_viewer(None)
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    names = {"enterprise": E, "month": MONTH, "meter": "E006-EL1", "number": "1", "id": "x"}
    for path, methods in paths.items():
        for method in methods:
            if path in ("/api/v1/verify", "/api/v1/status-list"):
                continue
            found = client.request(method, path.format(**names), json={})
            assert found.status_code == 401, (method, path, found.text)


# ----------------------------------------------------------------------------------------------- tokens


def test_a_token_opens_no_more_than_its_scopes(server: Served) -> None:
    with Client(server.url, server.token(Role.OPERATOR, scopes=[Right.SEE_READINGS])) as client:
        assert list(client.meters())
        with pytest.raises(ApiError) as refused:
            client.totals()
        assert refused.value.status == 403
        assert client.me().rights == [Right.SEE_READINGS]


@pytest.mark.parametrize("token", ["lujin_nonsense", "", "x" * 300])
def test_a_wrong_token_opens_nothing(server: Served, token: str) -> None:
    with Client(server.url, token) as client, pytest.raises(ApiError) as refused:
        client.me()
    assert refused.value.status == 401


def test_a_bank_without_consent_sees_nothing(server: Served) -> None:
    with server.client(Role.BANK) as client:
        assert list(client.enterprises()) == []
        with pytest.raises(ApiError) as refused:
            client.statement(E, MONTH)
        assert refused.value.status == 404


# ----------------------------------------------------------------------------------------- certificates


def test_a_month_is_closed_certified_and_checked(server: Served) -> None:
    with server.client() as office, server.client(Role.VERIFIER) as verifier:
        assert office.close_month("2025-01", "all that was measured").state == "closed"
        with pytest.raises(ApiError) as refused:
            office.close_month("2025-01")
        assert refused.value.status == 409
        done = verifier.opinion("2025-01", "unqualified", "fairly stated")
        assert done.state == "verified"
        certificate = office.certificate(E, "2025-01")
        assert check(certificate, office.status_list(), now=datetime.now(UTC)).ok
        with Client(server.url) as anyone:
            assert anyone.verify(certificate, anyone.status_list()).ok
            loose = json.dumps(json.loads(certificate), indent=1).encode()
            assert anyone.verify(loose).ok
            forged = anyone.verify(certificate.replace(b"fairly", b"barely"))
            assert (forged.ok, forged.failed) == (False, "signature")
        trail = httpx.get(
            f"{server.url}/api/v1/audit", headers={"authorization": f"Bearer {server.token(Role.OPERATOR)}"}
        ).json()
        actions = {item["action"] for item in trail["items"]}
        assert {"month.close", "month.opinion", "certificate.issue"} <= actions


def test_periods_have_all_that_the_records_have(server: Served) -> None:
    workspace = server.app.state.open_park.current()
    with server.client() as client:
        told = [p.model_dump(mode="json") for p in client.periods()]
    assert keys(told) == keys(plain([p.as_dict() for p in workspace.periods()]))
    assert set(told[0]) == set(months.Period.model_fields)
