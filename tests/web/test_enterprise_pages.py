"""The enterprises and the account of each: what the page says, how far its numbers lead, and who may see what."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from fastapi.testclient import TestClient

from lujin.access.viewer import Role, Viewer
from lujin.web.app import create_app
from lujin.web.settings import Settings
from lujin.workspace import open_workspace

HTML = {"accept": "text/html"}
MONTH = "2025-02"
AsViewer = Callable[..., TestClient]
COLUMNS = (
    "id",
    "name",
    "sector",
    "electricity",
    "coal_equal",
    "cost",
    "scope1",
    "scope2",
    "carbon",
    "completeness",
)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))


def nodes(told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield told
    for child in told.get("children", []):
        yield from nodes(child)


# ------------------------------------------------------------------------------------------ the enterprises


@pytest.mark.parametrize("sort", COLUMNS)
def test_every_column_sorts_both_ways_with_what_is_missing_last(as_viewer: AsViewer, sort: str) -> None:
    client = as_viewer(Role.OPERATOR)

    def ids(order: str) -> list[str]:
        found = client.get(f"/enterprises.json?month={MONTH}&sort={sort}&order={order}").json()
        return [line["enterprise"] for line in found["listing"]["lines"]]

    up, down = ids("asc"), ids("desc")
    assert sorted(up) == sorted(down) and len(up) == 12
    if sort in ("electricity", "cost", "carbon"):
        lines = client.get(f"/enterprises.json?month={MONTH}&sort={sort}").json()["listing"]["lines"]
        known = [float(line[sort]["value"]) for line in lines if line[sort] is not None]
        assert known == sorted(known)
        assert [line[sort] for line in lines[len(known) :]] == [None] * (len(lines) - len(known))
    page = client.get(f"/enterprises?month={MONTH}&sort={sort}&order=desc", headers=HTML).text
    assert re.findall(r'<td class="mono">(E\d+)</td>', page) == down
    assert page.count("aria-sort") == 1


def test_search_and_sector_narrow_the_list_and_its_total(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.OPERATOR)
    whole = client.get(f"/enterprises.json?month={MONTH}").json()
    foods = client.get(f"/enterprises.json?month={MONTH}&q=foods").json()
    assert 0 < len(foods["listing"]["lines"]) < 12
    assert all("foods" in line["name_en"].lower() for line in foods["listing"]["lines"])
    assert foods["listing"]["total"]["cost"] != whole["listing"]["total"]["cost"]
    cost = sum(int(line["cost"]["base"]) for line in foods["listing"]["lines"])
    assert int(foods["listing"]["total"]["cost"]["base"]) == cost
    code = next(iter(whole["sectors"]))
    chosen = client.get(f"/enterprises.json?month={MONTH}&sector={code}").json()["listing"]["lines"]
    assert len(chosen) == whole["sectors"][code]
    assert all(line["sector"].startswith(code) for line in chosen)
    nobody = client.get("/enterprises?q=nobody-has-this-name", headers=HTML)
    assert nobody.status_code == 200 and "No enterprise fits" in nobody.text


def test_the_list_as_a_file_has_units_and_every_line(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.OPERATOR)
    listed = client.get(f"/enterprises.json?month={MONTH}").json()["listing"]["lines"]
    table = rows(client.get(f"/enterprises.csv?month={MONTH}").text)
    assert [row["enterprise"] for row in table] == [line["enterprise"] for line in listed]
    assert [row["cost [CNY]"] for row in table] == [line["cost"]["value"] for line in listed]


@pytest.mark.parametrize("query", ["sort=nothing", "book=physical", "order=up", "month=2025-1", f"q={'x' * 101}"])
def test_a_list_that_cannot_be_is_refused(as_viewer: AsViewer, query: str) -> None:
    assert as_viewer(Role.OPERATOR).get(f"/enterprises.json?{query}").status_code == 422


def test_a_month_without_postings_has_dashes_and_no_zeros(as_viewer: AsViewer) -> None:
    found = as_viewer(Role.OPERATOR).get("/enterprises.json?month=2024-01").json()["listing"]
    assert all(line["cost"] is None and line["versions"] == 0 for line in found["lines"])
    assert found["total"]["cost"] is None


# ---------------------------------------------------------------------------------------------- the account


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("book", ["location", "embodied", "physical"])
def test_the_page_holds_all_that_the_paper_holds(as_viewer: AsViewer, book: str, language: str) -> None:
    from lujin.language import Speech
    from lujin.publish.compose import compose
    from lujin.publish.letterhead import Paper
    from lujin.show.paper import PaperNames
    from lujin.show.words import Words
    from lujin.workspace.publishing import letterhead

    client = as_viewer(Role.OPERATOR, language=language)
    workspace = client.app.state.open_park.current()  # type: ignore[attr-defined]
    found, physical = (workspace.statement("E006", 202502, name) for name in (book, "physical"))
    names = PaperNames(Words(Speech(language), workspace.park))  # type: ignore[arg-type]
    printed = compose(Paper(found, physical, names, letterhead(workspace, found)))
    page = html.unescape(client.get(f"/enterprises/E006?month={MONTH}&book={book}", headers=HTML).text)
    shown = [table for table in printed.tables if table.rows or table.empty]
    places = [page.index(f'id="{table.key}"') for table in shown]
    assert places == sorted(places), "in the order of the paper"
    for table in shown:
        assert table.title in page
        for row in table.rows:
            for cell in row:
                if isinstance(cell, str):
                    assert cell in page, f"{table.key}: {cell}"
                elif hasattr(cell, "decimals"):
                    assert cell.text.replace(",", "\u202f") in page, f"{table.key}: {cell.text}"
    for text in (*printed.notes, *(code for _, code in printed.codes), *(fact.text for fact in printed.facts)):
        assert text in page


@pytest.mark.parametrize("book", ["location", "market", "regulatory", "embodied"])
def test_every_number_leads_to_where_it_comes_from(as_viewer: AsViewer, book: str) -> None:
    client = as_viewer(Role.OPERATOR)
    page = client.get(f"/enterprises/E006?month={MONTH}&book={book}", headers=HTML).text
    references = sorted({unquote(link) for link in re.findall(r'href="/explain/([^"]+)"', page)})
    assert len(references) > 15
    for reference in references:
        answer = client.get(f"/explain/{reference}.json?depth=1")
        assert answer.status_code == 200, reference
        assert answer.json()["part"]["children"]


def test_the_account_is_the_statement(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.OPERATOR)
    told = client.get(f"/enterprises/E006.json?month={MONTH}&book=market").json()
    workspace = client.app.state.open_park.current()  # type: ignore[attr-defined]
    found = workspace.statement("E006", 202502, "market")
    assert told["statement"] == json.loads(json.dumps(found.as_dict()))
    table = rows(client.get(f"/enterprises/E006.csv?month={MONTH}&book=market").text)
    assert [row["closing"] for row in table] == [str(a.closing.value) for a in found.accounts]
    assert {p["month"] for p in told["trend"]["months"]} == {202501, 202502}


def test_the_account_as_known_then(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.OPERATOR)
    page = client.get(f"/enterprises/E006?month={MONTH}&as_of=2020-01-01T00:00Z", headers=HTML).text
    assert "as it was known on" in page and "Nothing is posted" in page


def test_paper_comes_in_the_language_of_the_page(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.OPERATOR, language="zh")
    pdf = client.get(f"/enterprises/E006/statement.pdf?month={MONTH}")
    assert pdf.status_code == 200 and pdf.content.startswith(b"%PDF")
    assert pdf.headers["content-disposition"] == 'attachment; filename="E006-2025-02-location.pdf"'
    book = client.get(f"/enterprises/E006/statement.xlsx?month={MONTH}&book=embodied")
    assert book.status_code == 200 and book.content.startswith(b"PK")
    assert client.get("/enterprises/E006/statement.doc").status_code == 404


def test_load_trend_and_quality_have_three_faces(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.OPERATOR)
    for name in ("load", "trend", "quality", "certificates"):
        page = client.get(f"/enterprises/E006/{name}", headers=HTML)
        assert page.status_code == 200, name
        assert client.get(f"/enterprises/E006/{name}.json").status_code == 200
        assert rows(client.get(f"/enterprises/E006/{name}.csv").text) is not None
    heat = rows(client.get(f"/enterprises/E006/load.csv?month={MONTH}").text)
    total = client.get(f"/enterprises/E006/load.json?month={MONTH}").json()["load"]["total"]["value"]
    assert len(heat) == 28 * 24
    assert sum(round(float(row["electricity [kWh]"]) * 1000) for row in heat) == round(float(total) * 1000)
    assert client.get("/enterprises/E006/load.json?carrier=gold").status_code == 422
    year = client.get("/enterprises/E006/load.json?span=year").json()["load"]
    assert (year["first"], year["last"], len(year["days"])) == (202501, 202503, 90)
    assert client.get("/enterprises/E006/load?span=year", headers=HTML).status_code == 200


def test_a_sector_of_few_is_not_compared(as_viewer: AsViewer) -> None:
    """The demo park of twelve has no five others of any division."""
    client = as_viewer(Role.OPERATOR)
    told = client.get("/enterprises/E006/trend.json").json()["sector"]
    assert told["group"] == ""
    assert all(p["median"] is None for points in told["measures"].values() for p in points)
    page = client.get("/enterprises/E006/trend", headers=HTML).text
    assert "would show a neighbour&#39;s numbers" in page


# ------------------------------------------------------------------------------------------ where from


def test_an_explanation_unfolds_from_line_to_reading(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.OPERATOR)
    address = f"/explain/E006:{MONTH}:location:S2/electricity:{MONTH}-03.json"
    here = client.get(f"{address}?depth=1").json()["part"]
    way = ["subject", "flow", "meter", "reading"]
    for kind in way:
        child = next(c for c in here["children"] if c["kind"] == kind)
        here = client.get(f"{address}?depth=1&node={child['id']}").json()["part"]
    assert here["file"] and here["row"] and here["recorded"]
    assert len(here["path"]) == len(way)
    days = client.get(address).json()["days"]
    assert len(days[0]["quarters"]) == 96
    table = rows(client.get(address.replace(".json", ".csv")).text)
    assert len(table) == sum(len(day["readings"]) for day in days)
    assert {row["counts"] for row in table} == {"True"}


def test_the_tree_is_there_without_javascript(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.OPERATOR)
    page = html.unescape(client.get(f"/explain/E006:{MONTH}:location:S2/electricity", headers=HTML).text)
    for text in ("purchased electricity", "E = Σ AD", "source: ", "version 1", "by day", "E006-EL1"):
        assert text in page
    day = client.get(f"/explain/E006:{MONTH}:location:S2/electricity:{MONTH}-03", headers=HTML).text
    assert "All readings with the files they came in" in day and ".parquet" in day


@pytest.mark.parametrize(
    ("reference", "status"),
    [
        ("nonsense", 422),
        (f"E006:{MONTH}:nobook", 422),
        (f"E006:{MONTH}:location:S9", 422),
        (f"E006:{MONTH}:location:S2/electricity:{MONTH}-31", 422),
        (f"E999:{MONTH}:location", 404),
        (f"E006:{MONTH}:location?node=0123456789ab", 422),
    ],
)
def test_what_leads_nowhere_says_why(as_viewer: AsViewer, reference: str, status: int) -> None:
    client = as_viewer(Role.OPERATOR)
    path, _, query = reference.partition("?")
    answer = client.get(f"/explain/{path}.json" + (f"?{query}" if query else ""))
    assert answer.status_code == status
    assert answer.json()["problems"][0]["message"]


# ---------------------------------------------------------------------------------------- who may see what


def test_a_bank_sees_what_the_consent_opens_and_no_readings(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.BANK, "E006")
    page = client.get(f"/enterprises/E006?month={MONTH}", headers=HTML)
    assert page.status_code == 200
    assert "/enterprises/E006/load" not in page.text and "/enterprises/E006/quality" not in page.text
    for path in ("E006/trend", "E006/certificates"):
        assert client.get(f"/enterprises/{path}.json").status_code == 200
    for path in ("E006/load", "E006/quality"):
        assert client.get(f"/enterprises/{path}.json").status_code == 403
    assert client.get("/enterprises/E003/trend.json").status_code == 404
    told = client.get(f"/explain/E006:{MONTH}:location:S2/electricity:{MONTH}-03.json?depth=20").json()
    kinds = {node["kind"] for node in nodes(told["part"])}
    assert kinds & {"subject", "flow", "meter", "hour", "reading"} == set()
    assert {"account", "rule", "entry", "factor", "withheld"} <= kinds
    assert told["days"] == []


def test_an_enterprise_is_shown_none_of_its_neighbours_meters(as_viewer: AsViewer) -> None:
    """Embodied carbon of bought steam leads through the neighbour's plant; its meters and pools stay its own."""
    reference = f"E006:{MONTH}:embodied:OWN"
    whole = as_viewer(Role.OPERATOR).get(f"/explain/{reference}.json?depth=20").json()["part"]
    client = as_viewer(Role.ENTERPRISE, "E006")
    own = client.get(f"/explain/{reference}.json?depth=20").json()["part"]
    park = client.app.state.open_park.current().park  # type: ignore[attr-defined]

    def strange(told: dict[str, Any]) -> list[dict[str, Any]]:
        found = []
        for node in nodes(told):
            if node["kind"] == "flow":
                flow = park.flows[node["flow"]]
                if "E006" not in (park.owner(flow.source), park.owner(flow.target)):
                    found.append(node)
            elif node["kind"] in ("pool", "origin") and node["enterprise"] != "E006":
                found.append(node)
        return found

    assert strange(whole), "the park office sees them"
    assert strange(own) == []
    assert any(node["kind"] == "meter" for node in nodes(own)), "its own meters it sees"
    assert any(node["kind"] == "carried" for node in nodes(own)), "what came from neighbours stands as one sum"
    assert client.get(f"/explain/E003:{MONTH}:location.json").status_code == 404


def test_a_neighbours_submeter_is_not_shown_though_it_moves_the_account(as_viewer: AsViewer) -> None:
    """E010-EL1 is taken off the meter of E009; its readings are E010's."""

    def meters(client: TestClient) -> tuple[set[str], set[str], set[str]]:
        told = client.get(f"/enterprises/E009/quality.json?month={MONTH}").json()["quality"]
        curves = client.get("/api/v1/enterprises/E009/series?first=2025-08-01&last=2025-08-02").json()["curves"]
        named = {e for m in told["meters"] for e in m["enterprises"]}
        return {m["meter"] for m in told["meters"]}, {c["meter"] for c in curves}, named

    every, drawn, _ = meters(as_viewer(Role.OPERATOR))
    assert "E010-EL1" in every & drawn
    own, own_drawn, named = meters(as_viewer(Role.ENTERPRISE, "E009"))
    assert own == own_drawn == every - {"E010-EL1"}
    assert named == {"E009"}


def test_lists_hold_only_what_the_viewer_may_see(as_viewer: AsViewer) -> None:
    client = as_viewer(Role.ENTERPRISE, "E003", "E006")
    found = client.get(f"/enterprises.json?month={MONTH}").json()
    assert [line["enterprise"] for line in found["listing"]["lines"]] == ["E003", "E006"]
    own = sum(int(line["cost"]["base"]) for line in found["listing"]["lines"])
    assert int(found["listing"]["total"]["cost"]["base"]) == own
    assert found["all"] == 2
    nobody = as_viewer(Role.BANK).get("/enterprises", headers=HTML)
    assert nobody.status_code == 200 and "No enterprise to see yet" in nobody.text


# -------------------------------------------------------------------------------------------- certificates


@pytest.fixture
def office(demo_park: Path, tmp_path: Path) -> Iterator[AsViewer]:
    """A park of its own that may be written to."""
    app = create_app(Settings(Path(shutil.copytree(demo_park, tmp_path / "park")), environment={}))
    with TestClient(app, follow_redirects=False) as client:

        def one(role: Role, *enterprises: str) -> TestClient:
            app.state.viewer_of = lambda _: Viewer(1, "Lin", role, frozenset(enterprises))
            client.cookies.clear()
            client.cookies.set("lujin_language", "en")
            return client

        yield one


def test_certificates_are_issued_for_closed_months_and_come_as_signed(office: AsViewer, tmp_path: Path) -> None:
    client, path = office(Role.OPERATOR), "/enterprises/E006/certificates"
    assert "only a closed month can be certified" in client.get(path, headers=HTML).text
    early = client.post(path, data={"first": "2025-01"}, headers=HTML)
    assert early.status_code == 422 and "only a closed month can be certified" in early.text
    open_workspace(tmp_path / "park", environment={}).close([202501])
    done = client.post(path, data={"first": "2025-01", "book": ["location", "market"]}, headers=HTML)
    assert done.status_code == 303 and done.headers["location"].startswith(path)
    (told,) = client.get(f"{path}.json").json()["certificates"]
    assert (told["first"], told["last"], told["superseded_at"]) == (202501, 202501, None)
    page = client.get(path, headers=HTML).text
    assert told["id"] in page and "holds" in page
    address = next(unquote(link) for link in re.findall(r'href="([^"]+/file)"', page))
    file = client.get(address)
    assert file.json()["id"] == told["id"]
    assert len(file.text) == told["size"]
    trail = client.get("/audit.json").json()
    assert told["id"] in json.dumps(trail), "in the audit trail"
    bank = office(Role.BANK, "E006")
    assert bank.get(address).content == file.content
    assert bank.get(path, headers=HTML).text.count("<form method") == 1, "only that to sign out"
    assert bank.post(path, data={"first": "2025-01"}).status_code == 403
    assert bank.get(address.replace("E006", "E003")).status_code == 404


@pytest.mark.parametrize("form", [{}, {"first": "2025"}, {"first": "2025-01", "last": "2024-01"}])
def test_a_form_that_makes_no_sense_changes_nothing(office: AsViewer, form: dict[str, str]) -> None:
    client, path = office(Role.OPERATOR), "/enterprises/E006/certificates"
    assert client.post(path, data=form).status_code == 422
    assert client.get(f"{path}.json").json()["certificates"] == []
