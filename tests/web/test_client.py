"""The Python client against a real server: readings in batches, repeated requests, jobs, lost connections."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from lujin.access import Right, Role
from lujin.client import ApiError, Client
from lujin.web.models.jobs import Job
from lujin.web.models.readings import ArrivalReport

from ..serving import Served, served

METER, OTHER = "E006-EL1", "E003-EL1"
START = datetime(2025, 4, 1, tzinfo=UTC)


@pytest.fixture
def server(park: Path) -> Iterator[Served]:
    with served(park) as found:
        yield found


def frame(meter: str = METER, rows: int = 96, value: float = 2.0) -> pl.DataFrame:
    times = [START + timedelta(minutes=15 * k) for k in range(rows)]
    return pl.DataFrame(
        {"meter": [meter] * rows, "time": times, "value": [value] * rows},
        schema_overrides={"time": pl.Datetime("us", "UTC")},
    )


def read(client: Client, meter: str = METER) -> list[float]:
    found = client.readings(START, START + timedelta(days=2), [meter])
    return found["value"].to_list()


def test_readings_go_in_by_batches_and_come_back(server: Served) -> None:
    with server.client() as client:
        reports = client.ingest(frame(), "gateway 3", batch_rows=40)
        assert [report.accepted for report in reports] == [40, 40, 16]
        assert read(client) == [2.0] * 96
        arrived = next(client.imports())
        assert (arrived.name, arrived.counts["accepted"]) == ("gateway 3", 16)


def test_a_batch_sent_again_gets_the_report_of_then(server: Served) -> None:
    with server.client() as client:
        first = client.ingest(frame())
        client.ingest(frame(value=3.0))
        assert client.ingest(frame()) == first
        assert read(client) == [3.0] * 96


def test_a_dry_run_stores_nothing(server: Served) -> None:
    with server.client() as client:
        (report,) = client.ingest(frame(), dry_run=True)
        assert (report.accepted, report.source, report.dry_run) == (96, 0, True)
        assert read(client) == []


def test_each_row_that_is_refused_is_told_and_holds_up_no_other(server: Served) -> None:
    mixed = frame(rows=3).with_columns(meter=pl.Series([METER, "NOPE", METER]))
    with server.client() as client:
        (report,) = client.ingest(mixed)
        assert (report.accepted, report.rejected) == (2, 1)
        assert [(p.row, p.field) for p in report.rejections] == [(2, "meter")]
        with pytest.raises(ApiError) as refused:
            client.ingest(frame("NOPE", rows=2))
        assert refused.value.status == 422
        assert len(refused.value.problems) == 3


def test_a_device_writes_its_own_meters_and_sees_nothing(server: Served) -> None:
    with server.client(Role.DEVICE, "E006") as client:
        (report,) = client.ingest(pl.concat([frame(rows=2), frame(OTHER, rows=2)]))
        assert (report.accepted, report.rejected) == (2, 2)
        assert report.reasons == {"unknown_meter": 2}
        assert [arrival.party for arrival in client.imports()] == ["E006"]
        for ask in (lambda: list(client.meters()), client.totals):
            with pytest.raises(ApiError) as refused:
                ask()
            assert refused.value.status == 403


def test_who_may_not_write_readings_is_refused(server: Served) -> None:
    with server.client(Role.VERIFIER) as client, pytest.raises(ApiError) as refused:
        client.ingest(frame())
    assert refused.value.status == 403


def test_a_run_is_followed_to_its_end(server: Served) -> None:
    with server.client() as client:
        client.ingest(frame())
        heard: list[Job] = []
        done = client.wait(client.run(), heard.append, every_s=0.05)
        assert (done.state, done.problems) == ("done", [])
        assert done.result is not None and done.result["entries"] > 0
        assert {job.state for job in heard} <= {"waiting", "running", "done"}
        assert any(month.month == "2025-04" for month in client.status().months)


def test_progress_comes_as_events(server: Served) -> None:
    token = server.token(Role.OPERATOR)
    with Client(server.url, token) as client:
        job = client.run()
    headers = {"authorization": f"Bearer {token}"}
    with httpx.stream(
        "GET", f"{server.url}/api/v1/jobs/{job.number}/events", headers=headers, timeout=60
    ) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        events = [line for line in stream.iter_lines() if line]
    assert events[-2] == "event: end"
    assert json.loads(events[-1].removeprefix("data: "))["state"] == "done"


def test_a_restatement_says_its_cause_and_what_it_moves(server: Served) -> None:
    with server.client() as client:
        client.close_month("2025-02", "as measured")
        job = client.wait(client.restate("2025-02", "a factor was corrected"), every_s=0.05)
        assert job.state == "done"
        with pytest.raises(ApiError) as refused:
            client.restate("2025-12", "nothing there")
        assert refused.value.status == 404


def test_an_arrival_is_taken_back(server: Served) -> None:
    with server.client() as client:
        client.ingest(frame())
        number = next(client.imports()).number
        undone = client.wait(client.undo(number, "sent for the wrong meter"), every_s=0.05)
        assert undone.state == "done"
        assert read(client) == []
        assert {a.number: a.state for a in client.imports()}[number] == "undone"


def test_a_job_of_somebody_else_is_not_there(server: Served) -> None:
    with server.client() as office, server.client(Role.ENTERPRISE, "E006") as other:
        number = office.run().number
        with pytest.raises(ApiError) as refused:
            other.job(number)
        assert refused.value.status == 404


# ------------------------------------------------------------------------------------- what may be repeated


def test_the_same_key_with_another_body_is_refused(server: Served) -> None:
    token = server.token(Role.OPERATOR, scopes=[Right.WRITE_READINGS])
    row: dict[str, Any] = {"meter": METER, "time": "2025-04-01T00:00:00Z", "value": 1}

    def send(value: float, key: str = "k") -> httpx.Response:
        headers = {"authorization": f"Bearer {token}", "idempotency-key": key}
        body = {"readings": [{**row, "value": value}]}
        return httpx.post(f"{server.url}/api/v1/readings", json=body, headers=headers)

    first = send(1)
    assert first.status_code == 201
    assert first.headers["location"].startswith("/api/v1/imports/")
    again = send(1)
    assert (again.status_code, again.content, again.headers["location"]) == (
        201,
        first.content,
        first.headers["location"],
    )
    other = send(2)
    assert other.status_code == 422
    assert other.json()["problems"][0]["field"] == "idempotency-key"
    assert send(2, "another").json()["corrects"] == 1
    assert send(2, "with a space").status_code == 422


def test_a_key_is_given_back_when_the_body_was_refused(server: Served) -> None:
    token = server.token(Role.OPERATOR)
    headers = {"authorization": f"Bearer {token}", "idempotency-key": "k"}
    url = f"{server.url}/api/v1/readings"
    assert httpx.post(url, json={"readings": 3}, headers=headers).status_code == 422
    good = {"readings": [{"meter": METER, "time": "2025-04-01T00:00:00Z", "value": 1}]}
    assert httpx.post(url, json=good, headers=headers).status_code == 201


def test_many_senders_with_one_key_store_once(server: Served) -> None:
    token = server.token(Role.OPERATOR)
    headers = {"authorization": f"Bearer {token}", "idempotency-key": "k"}
    body = {"readings": [{"meter": METER, "time": "2025-04-01T00:00:00Z", "value": 1}]}
    found: list[httpx.Response] = []

    def send() -> None:
        found.append(httpx.post(f"{server.url}/api/v1/readings", json=body, headers=headers, timeout=60))

    senders = [threading.Thread(target=send) for _ in range(6)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert {response.status_code for response in found} <= {201, 409}
    assert len({response.content for response in found if response.status_code == 201}) == 1


def test_the_client_comes_back_when_the_server_is_busy_or_gone() -> None:
    answers = iter([httpx.ConnectError("gone"), 503, 429, 200])
    slept: list[float] = []
    report = ArrivalReport(
        source=1, same_as=None, name="", read=1, accepted=1, already_known=0, corrects=0, conflicts=0, rejected=0,
        empty=0, first=None, last=None, meters=[], months=[], reasons={}, rejections=[], corrections=[],
        conflict_list=[], seconds=0.1,
    )  # fmt: skip
    keys: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["idempotency-key"])
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return httpx.Response(found, text=report.model_dump_json(), headers={"retry-after": "7"})

    client = Client("http://park", "t", transport=httpx.MockTransport(answer), sleep=slept.append)
    assert client.ingest(frame(rows=1)) == [report]
    assert slept == [0.2, 7.0, 7.0]
    assert len(set(keys)) == 1


def test_what_changes_something_and_has_no_key_is_sent_once() -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.path)
        raise httpx.ReadTimeout("too late")

    client = Client("http://park", "t", transport=httpx.MockTransport(answer), sleep=lambda _: None)
    with pytest.raises(ApiError) as refused:
        client.run()
    assert refused.value.status == 0
    assert sent == ["/api/v1/runs"]
