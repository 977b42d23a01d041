"""Readings import as people do it: send, look, correct, try, import, see totals move, take back."""

from __future__ import annotations

import gzip
import io
import json
import re
import time
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient
from httpx import Response

from lujin.access import Role
from lujin.web.jobs import LongWork
from lujin.workspace import Workspace

from .conftest import Site

OWN, FOREIGN = "E003", "E006"


def workspace_of(site: Site) -> Workspace:
    found: Workspace = site.app.state.open_park.current()
    return found


def own_meter(site: Site, enterprise: str, *, shared: bool = False) -> str:
    """A register that moves the account of this enterprise alone (or of others too)."""
    from lujin.workspace.plan import enterprises_of_meters

    park = workspace_of(site).park
    whose = enterprises_of_meters(park)
    return next(
        m.id
        for m in park.meters.values()
        if m.kind == "register"
        and (whose.get(m.id, frozenset()) == {enterprise} if not shared else len(whose.get(m.id, ())) > 1)
        and m.unit == "kWh"
    )


def csv_of(*rows: tuple[str, str, object]) -> bytes:
    lines = [f"{meter},{time},{value}" for meter, time, value in rows]
    return "\n".join(["meter,time,value", *lines]).encode()


def csrf(browser: TestClient, path: str = "/imports") -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get(path).text)
    assert found is not None
    return found[1]


def send(browser: TestClient, content: bytes, name: str = "readings.csv") -> Response:
    """By the plain form, without JavaScript."""
    return browser.post("/imports", data={"csrf": csrf(browser)}, files={"file": (name, content)})


def sent(browser: TestClient, content: bytes, name: str = "readings.csv") -> str:
    answer = send(browser, content, name)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def decide(browser: TestClient, path: str, what: str, **form: str) -> Response:
    """Send the form of the page as it stands, with some fields changed."""
    page = browser.get(path).text
    fields = dict(re.findall(r'<input(?=[^>]*name="([^"]+)")(?=[^>]*value="([^"]*)")', page))
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options)
        fields[name] = chosen[1] if chosen else ""
    return browser.post(path, data={**fields, "do": what, **form})


def finished(browser: TestClient, answer: Response) -> dict[str, Any]:
    assert answer.status_code == 303, answer.text
    return wait(browser, answer.headers["location"])


def wait(browser: TestClient, path: str) -> dict[str, Any]:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found: dict[str, Any] = browser.get(f"{path}.json").json()
        if found["state"] not in ("waiting", "running"):
            return {**found, "path": path}
        time.sleep(0.05)
    raise AssertionError("the task does not end")


def carried(browser: TestClient, path: str) -> str:
    from html import unescape

    found = re.search(r'name="mapping" value="([^"]+)"', browser.get(path).text)
    assert found is not None
    return unescape(found[1])


def late(site: Site, meter: str) -> bytes:
    """A reading that lies between two of March, a little off."""
    workspace = workspace_of(site)
    rows = workspace.store.read(202503, [workspace.meter_keys()[meter]])
    at, value = rows["time"][40], rows["value"][40]
    return csv_of((meter, at.isoformat(), value + 0.5), (meter, "someday", 1))


def test_from_the_file_to_totals_that_moved_and_back(site: Site) -> None:
    browser = site.signed_in()
    meter = own_meter(site, OWN)
    path = sent(browser, late(site, meter), "March 表.csv")
    page = browser.get(path).text
    assert "March 表.csv" in page and "utf-8" in page and meter in page

    trial = finished(browser, decide(browser, path, "try"))
    assert trial["state"] == "done", trial
    report = trial["result"]["report"]
    assert (report["corrects"], report["rejected"]) == (1, 1)
    shown = browser.get(trial["path"]).text
    assert "someday is not a time" in shown and "nothing is stored yet" in shown
    assert "someday" in browser.get(f"{path}/refused.csv").text
    assert not any(a["name"] == "March 表.csv" for a in browser.get("/imports.json").json()["arrivals"])

    mapping = carried(browser, trial["path"])
    token = csrf(browser, trial["path"])
    taken = finished(
        browser,
        browser.post(
            path, data={"csrf": token, "mapping": mapping, "do": "take", "post": "on", "save_as": "three"}
        ),
    )
    assert taken["state"] == "done", taken
    source = taken["result"]["source"]
    moved = taken["result"]["moved"]
    assert {m["enterprise"] for m in moved} == {OWN} and {m["month"] for m in moved} == {202503}
    shown = browser.get(taken["path"]).text
    assert "How totals moved" in shown and "Stored as arrival" in shown
    assert browser.get(path).status_code == 404
    assert (workspace_of(site).mappings / "three.toml").is_file()

    listed = browser.get("/imports.json").json()["arrivals"][0]
    assert (listed["number"], listed["author"], listed["months"]) == (source, "Cheng", [202503])
    place = f"/imports/arrivals/{source}"
    assert "someday" in browser.get(place).text
    assert "1 readings have another value again" in browser.get(f"{place}?undo=true").text

    back = finished(browser, site.post(browser, f"{place}/undo", {"reason": "wrong file", "post": "on"}))
    assert back["state"] == "done", back
    again = {(m["month"], m["what"]): (m["after"], m["before"]) for m in back["result"]["moved"]}
    assert again == {(m["month"], m["what"]): (m["before"], m["after"]) for m in moved}
    assert "taken back by arrival" in browser.get("/imports").text
    trail = [e.action for e in audit_of(site)]
    assert {"readings.import", "readings.undo", "accounts.post"} <= set(trail)


def audit_of(site: Site) -> Any:
    from lujin.access.audit import audit_trail

    with site.engine.connect() as connection:
        return audit_trail(connection)


def test_a_column_is_corrected_by_hand(site: Site) -> None:
    browser = site.signed_in()
    meter = own_meter(site, OWN)
    content = f"when,which,first,second\n2025-04-10 00:00,{meter},10,20\n2025-04-10 00:15,{meter},11,21\n".encode()
    path = sent(browser, content)
    assert "several columns" in browser.get(path).text

    refused = decide(browser, path, "try")
    assert refused.status_code == 422 and "names no column for value" in refused.text
    twice = decide(browser, path, "try", **{"role.2": "value", "role.3": "value"})
    assert twice.status_code == 422 and "two columns cannot both be the value" in twice.text
    seen = decide(browser, path, "look", **{"role.2": "", "role.3": "value"})
    assert seen.status_code == 200
    trial = finished(browser, decide(browser, path, "try", **{"role.2": "", "role.3": "value"}))
    assert trial["result"]["report"]["accepted"] == 2
    zone = decide(browser, path, "try", **{"role.3": "value", "timezone": "Mars/Olympus"})
    assert zone.status_code == 422 and "Mars/Olympus is not a value of timezone" in zone.text


def test_an_enterprise_imports_its_own_meters_and_learns_nothing_of_others(site: Site) -> None:
    site.join("own@e.example", Role.ENTERPRISE, OWN)
    site.join("other@e.example", Role.ENTERPRISE, FOREIGN)
    browser, other, office = site.signed_in("own@e.example"), site.signed_in("other@e.example"), site.signed_in()
    mine, theirs, both = own_meter(site, OWN), own_meter(site, FOREIGN), own_meter(site, OWN, shared=True)
    at = "2025-03-10T00:07:00+08:00"
    path = sent(browser, csv_of((mine, at, 1e5), (theirs, at, 1), (both, at, 1), ("nobody", at, 1)))
    assert theirs not in re.sub(r"<tbody>.*?</tbody>", "", browser.get(path).text, flags=re.DOTALL)
    assert other.get(path).status_code == 404 and office.get(path).status_code == 404

    trial = finished(browser, decide(browser, path, "try"))
    report = trial["result"]["report"]
    assert report["meters"] == [mine] and report["reasons"] == {"unknown_meter": 3}
    hints = {str(p["params"]["hint"]) for p in report["rejections"]}
    assert hints <= {"", *(m for m in workspace_of(site).park.meters if m.startswith(OWN))}
    assert other.get(trial["path"]).status_code == 404

    taken = finished(
        browser,
        browser.post(
            path,
            data={"csrf": csrf(browser), "mapping": carried(browser, trial["path"]), "do": "take", "post": "on"},
        ),
    )
    assert "run" not in taken["result"] and taken["result"]["touched"] == [202503]
    number = taken["result"]["source"]
    assert [a["number"] for a in browser.get("/imports.json").json()["arrivals"]] == [number]
    assert other.get("/imports.json").json()["arrivals"] == []
    for place in (f"/imports/arrivals/{number}", f"/imports/arrivals/{number}/refused.csv"):
        assert browser.get(place).status_code == 200
        assert other.get(place).status_code == 404
    assert site.post(other, f"/imports/arrivals/{number}/undo").status_code == 404
    assert site.post(browser, "/imports/post").status_code == 403
    assert browser.get("/imports/arrivals/1").status_code == 404


def test_a_bank_and_a_verifier_bring_nothing_in(site: Site) -> None:
    site.join("v@v.example", Role.VERIFIER)
    browser = site.signed_in("v@v.example")
    assert browser.get("/imports").status_code == 403
    assert site.post(browser, "/imports").status_code == 403


# ------------------------------------------------------------------------------------------------ hostile files


def zip_of(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def workbook(sheet: bytes) -> bytes:
    office = b"http://schemas.openxmlformats.org"
    main, kinds = office + b"/spreadsheetml/2006/main", office + b"/package/2006/content-types"
    about = office + b"/officeDocument/2006/relationships"
    kinds = b'<Types xmlns="%s"/>' % kinds
    sheets = b'<sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets>'
    book = b'<workbook xmlns="%s" xmlns:r="%s">%s</workbook>' % (main, about, sheets)
    one = b'<Relationship Id="rId1" Type="%s/worksheet" Target="worksheets/sheet1.xml"/>' % about
    relations = b'<Relationships xmlns="%s/package/2006/relationships">%s</Relationships>' % (office, one)
    parts = {"[Content_Types].xml": kinds, "xl/workbook.xml": book, "xl/_rels/workbook.xml.rels": relations}
    return zip_of(**parts, **{"xl/worksheets/sheet1.xml": sheet})


DEEP = b"<a>" * 200_000 + b"</a>" * 200_000
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(10))
    + b']><worksheet><sheetData><row><c t="inlineStr"><is><t>&k;</t></is></c></row></sheetData></worksheet>'
)


def arrow_bomb() -> bytes:
    """Ten gigabytes of zeros, packed."""
    out = io.BytesIO()
    pl.DataFrame({"value": pl.repeat(0.0, 1 << 20, eager=True)}).write_ipc(out, compression="zstd")
    content = bytearray(out.getvalue())
    said = content.find((8 << 20).to_bytes(8, "little"))
    content[said : said + 8] = (10 << 30).to_bytes(8, "little")
    return bytes(content)


HOSTILE = {
    "Arrow bomb": arrow_bomb(),
    "zip bomb": zip_of(**{"xl/worksheets/sheet1.xml": b" " * (80 << 20)}),
    "gzip bomb": gzip.compress(b"M1,2025-06-01,1\n" * (5 << 20), 9),
    "a zip of anything": zip_of(**{"run.exe": b"MZ" * 1000}),
    "deep XML": workbook(DEEP),
    "a billion laughs": workbook(LAUGHS),
    "a web page": b"<!doctype html><html><script>alert(1)</script></html>",
    "a program": b"\x7fELF" + bytes(range(256)) * 400,
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40,
    "a PDF": b"%PDF-1.7\n" + bytes(range(128, 256)) * 40,
    "zeros": bytes(100_000),
    "one long line": b"a" * (40 << 20),
    "cut Parquet": b"PAR1" + b"x" * 100,
    "cut Arrow": b"ARROW1\0\0" + b"\xff" * 100,
    "half a zip": b"PK\x03\x04" + b"\0" * 200,
    "no text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_table_gets_a_clear_answer_and_leaves_nothing(site: Site, name: str) -> None:
    browser = site.signed_in()
    answer = send(browser, HOSTILE[name], "readings.xlsx")
    if answer.status_code == 303:
        path = answer.headers["location"]
        page = browser.get(path)
        assert page.status_code == 200, page.text
        tried = decide(browser, path, "try")
        assert tried.status_code in (200, 422), tried.text
        text = page.text + tried.text
        assert decide(browser, path, "discard").status_code == 303
    else:
        assert answer.status_code == 422
        text = answer.text
    assert 'role="alert"' in text
    assert "Traceback" not in text and str(site.app.state.settings.directory) not in text
    assert not list((workspace_of(site).inbox / "uploads").glob("*/*"))


def test_the_kind_of_a_file_is_decided_by_its_content(site: Site) -> None:
    browser = site.signed_in()
    meter = own_meter(site, OWN)
    table = pl.DataFrame({"meter": [meter], "time": ["2025-03-10 00:07"], "value": [1.0]})
    parquet = io.BytesIO()
    table.write_parquet(parquet)
    path = sent(browser, parquet.getvalue(), "readings.csv")
    assert "Parquet" in browser.get(path).text
    path = sent(browser, table.write_csv().encode(), "readings.xlsx.exe")
    assert "text table" in browser.get(path).text


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/cron.d/x",
        "..\\..\\x.csv",
        "/etc/passwd",
        "a\x00b.csv",
        ".htaccess",
        "x" * 400 + ".csv",
        "con|<>.csv",
    ],
)
def test_no_file_name_leads_out_of_the_inbox(site: Site, name: str) -> None:
    browser = site.signed_in()
    token = csrf(browser)
    from urllib.parse import quote

    headers = {"x-file-name": quote(name), "x-csrf-token": token, "content-type": "application/octet-stream"}
    answer = browser.post("/imports/upload", content=csv_of(("M", "2025-03-01", 1)), headers=headers)
    assert answer.status_code == 201, answer.text
    uploads = workspace_of(site).inbox / "uploads"
    (file,) = [f for f in uploads.rglob("*") if f.is_file() and not f.name.startswith(".")]
    assert file.parent.parent == uploads and len(file.name) <= 100
    assert browser.get(answer.json()["location"]).status_code == 200


def test_too_large_a_file_is_refused_by_announcement_and_by_count(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    browser = site.signed_in()
    small = replace(site.app.state.settings, upload_limit=1 << 20)
    monkeypatch.setattr(site.app.state, "settings", small)
    headers = {"x-csrf-token": csrf(browser), "x-file-name": "big.csv"}

    def body() -> Any:
        for _ in range(40):
            yield b"x" * 65_536

    answer = browser.post("/imports/upload", content=body(), headers=headers)
    assert answer.status_code == 413 and "larger than 1 MiB" in answer.text
    assert not list((workspace_of(site).inbox / "uploads").glob("*"))


def test_three_hundred_megabytes_are_taken_and_half_a_gigabyte_is_not(site: Site) -> None:
    """The announcement alone is enough to refuse; what is taken never lies in memory as a whole."""
    browser = site.signed_in()
    headers = {"x-csrf-token": csrf(browser), "x-file-name": "big.csv"}
    announced = {**headers, "content-length": str(600 << 20)}
    answer = browser.post("/imports/upload", content=b"x", headers=announced)
    assert answer.status_code == 413 and "512 MiB" in answer.text

    line = b"M1,2025-06-01 00:00,1\n" * 47_663

    def body() -> Any:
        yield b"meter,time,value\n"
        for _ in range(300):
            yield line

    answer = browser.post("/imports/upload", content=body(), headers=headers)
    assert answer.status_code == 201, answer.text
    page = browser.get(answer.json()["location"])
    assert page.status_code == 200 and "314.5" in page.text


def test_refused_rows_are_no_formulas_when_downloaded(site: Site) -> None:
    browser = site.signed_in()
    evil = ("=cmd|' /C calc'!A0", "+1+1", "@SUM(A1)", "-2+3", "\t=1")
    meter = own_meter(site, OWN)
    rows = [(meter, "2025-03-10 00:07", 1), *(('"' + e + '"', "2025-03-01 00:00", 1) for e in evil)]
    path = sent(browser, csv_of(*rows), "=evil().csv")
    trial = finished(browser, decide(browser, path, "try"))
    assert trial["result"]["report"]["rejected"] == len(evil)
    answer = browser.get(f"{path}/refused.csv")
    assert answer.text.startswith("\ufeffrow,")
    for cells in pl.read_csv(answer.content, infer_schema=False).iter_rows():
        assert not any(str(cell).lstrip().startswith(("=", "+", "@", "-")) for cell in cells)
    assert 'filename="refused-_evil__.csv"' in answer.headers["content-disposition"]


# --------------------------------------------------------------------------------------------------- long work


def test_events_tell_progress_until_the_end(site: Site) -> None:
    browser = site.signed_in()
    path = sent(browser, csv_of((own_meter(site, OWN), "2025-03-10 00:07", 1)))
    started = decide(browser, path, "try").headers["location"]
    with browser.stream("GET", f"{started}/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        text = "".join(events.iter_text())
    assert "event: progress" in text
    last = text.strip().rpartition("data: ")[2]
    assert "event: end" in text and json.loads(last)["state"] == "done"


def test_a_task_that_fails_says_why_in_the_readers_language(site: Site) -> None:
    browser = site.signed_in()

    def work(workspace: Workspace, _: Any) -> Any:
        workspace.undo(99_999)

    viewer = site_viewer(site)
    long: LongWork = site.app.state.long_work
    path = f"/jobs/{long.start(viewer, 'undo', {'number': 99_999}, work)}"
    failed = wait(browser, path)
    assert failed["state"] == "failed"
    assert "there is no arrival 99999" in browser.get(path).text


def test_work_whose_process_died_is_interrupted(site: Site) -> None:
    import sqlalchemy as sa

    from lujin.database import writing
    from lujin.web.job_table import job

    browser = site.signed_in()
    done = site.app.state.long_work.start(site_viewer(site), "post", {}, lambda *_: {})
    wait(browser, f"/jobs/{done}")
    with writing(site.engine) as connection:
        gone = {"state": "running", "ended_at": None, "worker": "elsewhere:1"}
        connection.execute(sa.update(job).where(job.c.number == done).values(**gone))
    assert browser.get(f"/jobs/{done}.json").json()["state"] == "running"
    with writing(site.engine) as connection:
        old = workspace_of(site).clock().replace(year=2020)
        connection.execute(sa.update(job).where(job.c.number == done).values(beat_at=old))
    assert browser.get(f"/jobs/{done}.json").json()["state"] == "interrupted"
    assert "The server stopped" in browser.get(f"/jobs/{done}").text


def site_viewer(site: Site) -> Any:
    from lujin.access import Viewer

    return Viewer(site.people["operator@park.example"], "Cheng", Role.OPERATOR)


def test_what_nobody_imports_is_gone_after_a_day(site: Site) -> None:
    import os

    browser = site.signed_in()
    path = sent(browser, csv_of(("M", "2025-03-01", 1)))
    place = workspace_of(site).inbox / "uploads" / Path(path).name
    os.utime(place, (0, 0))
    sent(browser, csv_of(("M", "2025-03-02", 1)))
    assert not place.exists()
