"""What those who run the server rely on: health, metrics, a log without secrets, a stop that loses nothing."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from lujin.errors import InputError
from lujin.web.app import create_app
from lujin.web.logs import configure
from lujin.web.server import Options, listen, serve
from lujin.web.settings import Settings

NEAR, FAR = ("127.0.0.1", 4000), ("192.0.2.7", 4000)


def application(park: Path, **more: Any) -> Any:
    return create_app(Settings(park, environment={}, **more))


# Health ------------------------------------------------------------------------------------------------------


def test_a_server_says_whether_it_lives_and_whether_it_is_ready(park: Path) -> None:
    app = application(park)
    client = TestClient(app, client=FAR)
    assert client.get("/healthz").json()["status"] == "ok"
    assert client.get("/readyz").json() == {
        "status": "ready",
        "checks": {"serving": True, "park_file": True, "database": True, "readings": True},
    }
    app.state.stopping.set()
    stopped = client.get("/readyz")
    assert (stopped.status_code, stopped.json()["checks"]["serving"]) == (503, False)
    assert client.get("/healthz").status_code == 200


def test_a_lost_table_of_readings_makes_it_unready(park: Path) -> None:
    app = application(park)
    for file in (park / "readings" / "_delta_log").iterdir():
        file.write_bytes(b"not a log")
    answer = TestClient(app).get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["readings"]) == (503, False)


# Metrics -----------------------------------------------------------------------------------------------------


def test_metrics_count_requests_by_route_and_what_is_stored(park: Path) -> None:
    client = TestClient(application(park), client=NEAR)
    for path in ("/healthz", "/enterprises/E001", "/enterprises/E002", "/nowhere/at/all"):
        client.get(path)
    text = client.get("/metrics").text
    assert 'lujin_requests_total{method="GET",route="/enterprises/{enterprise}",status="401"} 2.0' in text
    assert 'route="-",status="404"' in text
    assert "/nowhere" not in text
    assert "lujin_months_posted 3.0" in text
    assert "process_resident_memory_bytes" in text


def test_metrics_are_for_this_machine_or_who_has_the_token(park: Path) -> None:
    app = application(park, metrics_token="s3cret")
    assert TestClient(app, client=NEAR).get("/metrics").status_code == 200
    assert TestClient(app, client=FAR).get("/metrics").status_code == 403
    passed_on = TestClient(app, client=NEAR).get("/metrics", headers={"x-forwarded-for": "192.0.2.7"})
    assert passed_on.status_code == 403
    for said, code in (("Bearer s3cret", 200), ("Bearer other", 403), ("s3cret", 403), ("Bearer ", 403)):
        assert TestClient(app, client=FAR).get("/metrics", headers={"authorization": said}).status_code == code
    without = TestClient(application(park), client=FAR)
    assert without.get("/metrics", headers={"authorization": "Bearer "}).status_code == 403


# Log ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root, lujin = logging.getLogger(), logging.getLogger("lujin")
    kept = (root.handlers[:], root.level, lujin.level)
    stream = io.StringIO()
    configure("json", stream)
    yield stream
    root.handlers[:] = kept[0]
    root.setLevel(kept[1])
    lujin.setLevel(kept[2])


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_request_is_one_line_with_route_person_and_time_but_no_secret(park: Path, log: io.StringIO) -> None:
    client = TestClient(application(park))
    client.cookies.set("lujin", "COOKIESECRET")
    client.get("/link/LINKSECRET?password=QUERYSECRET", headers={"authorization": "Bearer TOKENSECRET"})
    client.post("/sign-in", data={"email": "a@b.example", "password": "BODYSECRET"})
    first, second = [line for line in lines(log) if line["event"] == "request"]
    assert (first["route"], first["status"], first["method"]) == ("/link/{token}", 404, "GET")
    assert second["route"] == "/sign-in"
    assert first["ms"] > 0 and len(first["id"]) == 16 and first["id"] != second["id"]
    assert "SECRET" not in log.getvalue()


def test_the_number_of_a_request_comes_back_and_is_taken_over_from_a_proxy(park: Path, log: io.StringIO) -> None:
    client = TestClient(application(park))
    answer = client.get("/enterprises", headers={"x-request-id": "abc-123"})
    assert answer.headers["x-request-id"] == "abc-123"
    forged = client.get("/enterprises", headers={"x-request-id": 'x" }\n{"event": "request"'.replace("\n", " ")})
    assert forged.headers["x-request-id"].isalnum()
    assert next(line["id"] for line in lines(log)) == "abc-123"


def test_a_fault_is_recorded_with_its_trace_and_the_visitor_sees_none(
    park: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = application(park)
    monkeypatch.setattr(app.state.open_park, "current", lambda: 1 / 0)
    client = TestClient(app, raise_server_exceptions=False)
    answer = client.get("/verify.json")
    assert answer.status_code == 500
    assert "division" not in answer.text
    told = [line for line in lines(log) if "ZeroDivisionError" in line.get("exception", "")]
    assert told and told[0]["id"]


def test_those_who_watch_do_not_fill_the_log(park: Path, log: io.StringIO) -> None:
    client = TestClient(application(park), client=NEAR)
    for path in ("/healthz", "/readyz", "/metrics"):
        client.get(path)
    assert log.getvalue() == ""


# The process -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def started(park: Path, *options: str, environment: dict[str, str] | None = None) -> Iterator[Any]:
    """``lujin serve`` in a process of its own; gives the process and what it said."""
    command = [sys.executable, "-m", "lujin", "serve", str(park), "--port", "0", "--json", *options]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUJIN_")}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**kept, **(environment or {})},
        start_new_session=True,
    )
    assert process.stdout is not None
    said = ""
    try:
        while not said.endswith("}\n"):
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            said += line
        yield process, json.loads(said)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_serving_says_the_address_and_the_first_link_and_the_link_works(park: Path) -> None:
    with started(park) as (process, said):
        answer = httpx.get(said["first_link"], headers={"accept": "text/html"}, timeout=20)
        assert answer.status_code == 200
        assert httpx.get(f"{said['address']}/readyz", timeout=20).status_code == 200
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
        assert process.returncode in (0, -signal.SIGTERM)
        assert "Traceback" not in errors
        told = [json.loads(line) for line in errors.splitlines()]
        assert "/link/{token}" in [line.get("route") for line in told]
        assert said["first_link"].rpartition("/")[2] not in errors


def test_a_stop_waits_for_the_request_under_way(park: Path) -> None:
    """The certificate is still being sent when the signal comes; its answer arrives whole."""
    with started(park) as (process, said):
        body = (
            b'--b\r\ncontent-disposition: form-data; name="certificate"; filename="x.json"\r\n\r\n'
            + b"{}"
            + b" " * 50_000
            + b"\r\n--b--\r\n"
        )
        connection = http.client.HTTPConnection(urlsplit(said["address"]).netloc, timeout=20)
        connection.putrequest("POST", "/verify")
        connection.putheader("content-type", "multipart/form-data; boundary=b")
        connection.putheader("content-length", str(len(body)))
        connection.endheaders()
        connection.send(body[:20_000])
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{said['address']}/healthz", timeout=2)
        connection.send(body[20_000:])
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["failed"]) == (200, "form")
        process.communicate(timeout=20)


def test_several_processes_are_refused_on_sqlite(park: Path) -> None:
    with pytest.raises(InputError, match="cannot serve a park on SQLite"):
        serve(Settings(park, environment={}), Options(workers=2), lambda _: None)


def test_an_address_in_use_is_said(park: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match=r"cannot listen at 127\.0\.0\.1:"):
            serve(Settings(park, environment={}), Options(port=taken.getsockname()[1]), lambda _: None)
    with pytest.raises(InputError, match="cannot listen"):
        listen("192.0.2.1", 8000)


def test_several_processes_serve_one_park_on_postgresql(
    demo_park: Path, tmp_path: Path, postgresql_server: sa.URL
) -> None:
    import lujin
    from lujin.database import open_database

    admin = open_database(postgresql_server.render_as_string(hide_password=False))
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("CREATE DATABASE several"))
    admin.dispose()
    url = postgresql_server.set(database="several").render_as_string(hide_password=False)
    environment = {"LUJIN_DATABASE": url}
    origin = lujin.open(demo_park, environment={})
    origin.backup(tmp_path / "park.tar")
    origin.engine.dispose()
    lujin.restore(tmp_path / "park.tar", tmp_path / "park", environment=environment)
    with started(tmp_path / "park", "--workers", "2", environment=environment) as (process, said):
        for _ in range(20):
            assert httpx.get(f"{said['address']}/verify.json", timeout=60).status_code == 200
        text = httpx.get(f"{said['address']}/metrics", timeout=20).text
        counted = [line for line in text.splitlines() if "lujin_requests_total" in line and "/verify.json" in line]
        assert [line.rpartition(" ")[2] for line in counted] == ["20.0"]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=40)
