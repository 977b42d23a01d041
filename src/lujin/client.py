"""A park over HTTP (客户端): the same verbs as the library, for programs elsewhere.

```python
from lujin.client import Client

with Client("https://park.example", token) as park:
    print(park.statement("E001", "2025-06").books[0].co2e)
    park.ingest(frame)                                  # meter, time, value
    report = park.wait(park.run())
```

Answers are the records that `docs/api.md` lists. What may be repeated without harm is repeated when the connection
breaks or the server is busy: questions, and readings, whose batches carry idempotency keys.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import polars as pl

from lujin.errors import LujinError, Problem
from lujin.web.models.accounts import Statement, Totals, Uncertainty
from lujin.web.models.base import Answer
from lujin.web.models.jobs import Job
from lujin.web.models.months import Checked, HeadAnswer, Period
from lujin.web.models.park import Enterprise, Flow, Meter, ParkAnswer, Status
from lujin.web.models.people import Me
from lujin.web.models.quality import MonthQuality, ParkBalance
from lujin.web.models.readings import Arrival, ArrivalReport
from lujin.web.models.reference import ReferenceRow
from lujin.web.models.trace import Explained, Trace

__all__ = ["ApiError", "Client"]

BATCH_ROWS = 500_000
BUSY = frozenset({429, 502, 503, 504})
ARROW = "application/vnd.apache.arrow.stream"
T = TypeVar("T", bound=Answer)


class ApiError(LujinError):
    """What the server refused, with its problems; ``status`` is that of HTTP, 0: it could not be reached."""

    def __init__(self, status: int, *problems: Problem) -> None:
        self.status = status
        super().__init__(*problems)


class Client:
    """A park at ``url`` (without /api/v1), as the owner of ``token`` may see it.

    ``retries``: how often a request that may be repeated is; ``language``: of messages, en or zh.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        language: str = "en",
        timeout_s: float = 120.0,
        retries: int = 5,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"accept-language": language, **({"authorization": f"Bearer {token}"} if token else {})}
        base = f"{url.rstrip('/')}/api/v1"
        self._http = httpx.Client(base_url=base, headers=headers, timeout=timeout_s, transport=transport)
        self._retries, self._sleep = retries, sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # ------------------------------------------------------------------------------------------- questions

    def me(self) -> Me:
        """Who the token stands for, and what it may see and do."""
        return self._one(Me, "/me")

    def park(self) -> ParkAnswer:
        return self._one(ParkAnswer, "/park")

    def status(self) -> Status:
        """Months posted, their completeness, and what waits to be posted."""
        return self._one(Status, "/status")

    def totals(self) -> Totals:
        return self._one(Totals, "/totals")

    def enterprises(self, search: str = "", sector: str = "") -> Iterator[Enterprise]:
        return self._every(Enterprise, "/enterprises", search=search, sector=sector)

    def meters(self, enterprise: str = "", carrier: str = "") -> Iterator[Meter]:
        return self._every(Meter, "/meters", enterprise=enterprise, carrier=carrier)

    def flows(self, carrier: str = "", node: str = "") -> Iterator[Flow]:
        return self._every(Flow, "/flows", carrier=carrier, node=node)

    def statement(
        self, enterprise: str, month: str, book: str = "location", as_of: datetime | None = None
    ) -> Statement:
        """The account of a month, like a bank statement."""
        return self._one(Statement, f"/enterprises/{enterprise}/statements/{month}", book=book, as_of=as_of)

    def statement_file(self, enterprise: str, month: str, form: str = "pdf", book: str = "location") -> bytes:
        """The same as a file: pdf, xlsx or csv."""
        return self._send("GET", f"/enterprises/{enterprise}/statements/{month}/{form}", {"book": book}).content

    def quality(self, month: str, enterprise: str = "") -> MonthQuality:
        """Completeness, and each gap, suspect value and event with its numbers."""
        path = f"/enterprises/{enterprise}/quality/{month}" if enterprise else f"/quality/{month}"
        return self._one(MonthQuality, path)

    def uncertainty(self, month: str, enterprise: str = "") -> list[Uncertainty]:
        path = f"/enterprises/{enterprise}/uncertainty/{month}" if enterprise else f"/uncertainty/{month}"
        return [Uncertainty.model_validate(found) for found in self._send("GET", path).json()]

    def balance(self, month: str, network: str = "") -> ParkBalance:
        """Supply against users of every network."""
        return self._one(ParkBalance, f"/balance/{month}", network=network)

    def explain(self, reference: str) -> Explained:
        """Where a number comes from; ``reference`` stands beside it in the statement."""
        return self._one(Explained, "/explain", reference=reference)

    def series(
        self, first: str, last: str, meters: Sequence[str] = (), enterprise: str = "", step: str = "hour"
    ) -> pl.DataFrame:
        """What meters moved, step by step: meter, time, amount in the unit people read, and counts of slots."""
        path = f"/enterprises/{enterprise}/series" if enterprise else "/series"
        query = {"first": first, "last": last, "meter": list(meters), "step": step}
        return pl.read_ipc_stream(io.BytesIO(self._send("GET", path, query, accept=ARROW).content))

    def trace(self, month: str, enterprise: str = "") -> Trace:
        """Carbon intensity of power and heat over the month."""
        return self._one(Trace, f"/trace/{month}", enterprise=enterprise)

    def trace_hours(self, month: str, enterprise: str = "") -> pl.DataFrame:
        """The same hour by hour: amounts [base unit], gases and CO2e [mg]."""
        found = self._send("GET", f"/trace/{month}/hours", {"enterprise": enterprise}, accept=ARROW)
        return pl.read_ipc_stream(io.BytesIO(found.content))

    def reference(self, table: str = "", region: str = "", on: str = "", *words: str) -> Iterator[ReferenceRow]:
        """Which factor or price holds when."""
        return self._every(ReferenceRow, "/reference", table=table, region=region, on=on, word=list(words))

    def readings(
        self,
        start: datetime,
        end: datetime,
        meters: Sequence[str] = (),
        enterprise: str = "",
        as_of: datetime | None = None,
    ) -> pl.DataFrame:
        """Stored readings of [start, end): meter, time, value, unit, quality, source; by month, meter and time."""
        query = {"start": start, "end": end, "meter": list(meters), "enterprise": enterprise, "as_of": as_of}
        frames: list[pl.DataFrame] = []
        target: str | None = "/readings"
        while target is not None:
            found = self._send("GET", target, {**query, "limit": 1_000_000} if not frames else None, accept=ARROW)
            frames.append(pl.read_ipc_stream(io.BytesIO(found.content)))
            following = found.links.get("next", {}).get("url")
            target = None if following is None else following.removeprefix("/api/v1")
        return pl.concat(frames)

    # ----------------------------------------------------------------------------------------------- acts

    def ingest(
        self, frame: pl.DataFrame, name: str = "", *, dry_run: bool = False, batch_rows: int = BATCH_ROWS
    ) -> list[ArrivalReport]:
        """Send readings in batches: meter, time (with zone, or text), value, perhaps unit and quality.

        One report per batch. A batch that was sent before, whole, gets the report of then: a program that died
        half way simply sends all of it again.
        """
        return [self._batch(part, name, dry_run) for part in frame.iter_slices(batch_rows)]

    def _batch(self, frame: pl.DataFrame, name: str, dry_run: bool) -> ArrivalReport:
        held = io.BytesIO()
        frame.write_ipc_stream(held, compat_level=pl.CompatLevel.oldest())
        body = held.getvalue()
        key = hashlib.sha256(body + f"\n{name}\n{dry_run}".encode()).hexdigest()
        headers = {"content-type": ARROW, "idempotency-key": key}
        query = {"name": name, "dry_run": dry_run or None}
        found = self._send("POST", "/readings", query, content=body, headers=headers, repeatable=True)
        return ArrivalReport.model_validate_json(found.content)

    def imports(self) -> Iterator[Arrival]:
        """What arrived, the newest first."""
        return self._every(Arrival, "/imports")

    def undo(self, number: int, reason: str) -> Job:
        """Take an arrival back by newer facts; see ``wait``."""
        return self._act(Job, f"/imports/{number}/undo", {"reason": reason})

    def run(self, month: str = "") -> Job:
        """Post every month and enterprise whose facts are newer than its postings; see ``wait``."""
        return self._act(Job, "/runs", {"month": month or None})

    def restate(self, month: str, cause: str) -> Job:
        """Resolve the factors of a month anew and post the difference; see ``wait``."""
        return self._act(Job, f"/periods/{month}/restate", {"cause": cause})

    def job(self, number: int) -> Job:
        return self._one(Job, f"/jobs/{number}")

    def wait(self, job: Job, told: Callable[[Job], None] | None = None, every_s: float = 0.5) -> Job:
        """The job once it has ended; ``told`` hears how far it is. ApiError: it failed."""
        while not job.ended:
            self._sleep(every_s)
            job = self.job(job.number)
            if told is not None:
                told(job)
        if job.problems:
            raise ApiError(422, *map(_problem, (p.model_dump() for p in job.problems)))
        return job

    def periods(self) -> list[Period]:
        return [Period.model_validate(found) for found in self._send("GET", "/periods").json()]

    def close_month(self, month: str, note: str = "") -> Period:
        return self._act(Period, f"/periods/{month}/close", {"note": note})

    def opinion(self, month: str, outcome: str, opinion: str) -> Period:
        """Your opinion, as a verifier, on a closed month: unqualified, qualified, adverse or disclaimer."""
        return self._act(Period, f"/periods/{month}/opinion", {"outcome": outcome, "opinion": opinion})

    def certificate(self, enterprise: str, first: str, last: str = "") -> bytes:
        """A signed certificate of closed months: the very bytes to keep and to hand on."""
        said = {"first": first, "last": last or None}
        return self._send("POST", f"/enterprises/{enterprise}/certificates", json=said).content

    def head(self) -> HeadAnswer:
        """The signed head of the log as it is now."""
        return HeadAnswer.model_validate_json(self._send("POST", "/heads").content)

    def status_list(self) -> bytes:
        """Which certificates were superseded, signed."""
        return self._send("GET", "/status-list").content

    def verify(self, certificate: bytes, status: bytes | None = None, issuer: str = "") -> Checked:
        """Check a certificate, of this park or another."""
        parts = [b'{"certificate":', certificate]
        parts += [b',"status":', status] if status is not None else []
        parts += [b',"issuer":', _json_text(issuer)] if issuer else []
        body, headers = b"".join([*parts, b"}"]), {"content-type": "application/json"}
        found = self._send("POST", "/verify", content=body, headers=headers, repeatable=True)
        return Checked.model_validate_json(found.content)

    # ------------------------------------------------------------------------------------------- transport

    def _one(self, kind: type[T], path: str, **query: Any) -> T:
        return kind.model_validate_json(self._send("GET", path, query).content)

    def _every(self, kind: type[T], path: str, **query: Any) -> Iterator[T]:
        """All items of all pages."""
        cursor: str | None = ""
        while cursor is not None:
            found = self._send("GET", path, {**query, "limit": 1000, "cursor": cursor}).json()
            yield from (kind.model_validate(item) for item in found["items"])
            cursor = found["next"]

    def _act(self, kind: type[T], path: str, said: Mapping[str, Any]) -> T:
        return kind.model_validate_json(self._send("POST", path, json=said).content)

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        accept: str = "*/*",
        repeatable: bool = False,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> httpx.Response:
        asked = None if query is None else _query(query)
        repeatable = repeatable or method == "GET"
        for attempt in range(self._retries + 1):
            last = attempt == self._retries or not repeatable
            try:
                found = self._http.request(
                    method, path, params=asked, headers={"accept": accept, **(headers or {})}, **body
                )
            except httpx.TransportError as error:
                if last:
                    raise ApiError(0, _unreachable(error)) from error
                self._sleep(_pause(attempt))
                continue
            if last or not _come_back(found):
                break
            self._sleep(float(found.headers.get("retry-after", _pause(attempt))))
        if found.is_error:
            raise _error(found)
        return found


def _come_back(found: httpx.Response) -> bool:
    """Whether the same request may well succeed a little later."""
    return found.status_code in BUSY or (found.status_code == 409 and "idempotency-key" in found.request.headers)


def _pause(attempt: int) -> float:
    """Seconds: 0.2, 0.4, 0.8 …"""
    return float(0.2 * 2**attempt)


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty; instants as ISO 8601."""
    kept = {name: value for name, value in query.items() if value not in (None, "", [])}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in kept.items()}


def _json_text(text: str) -> bytes:
    import json

    return json.dumps(text).encode()


def _unreachable(error: Exception) -> Problem:
    from lujin.errors import N_

    message = N_("the server cannot be reached: {reason}")
    return Problem(message, {"reason": str(error) or type(error).__name__}, N_("check address and network"))


def _error(found: httpx.Response) -> ApiError:
    try:
        told = found.json()["problems"]
    except (ValueError, KeyError, TypeError):
        told = [{"message": f"HTTP {found.status_code}"}]
    return ApiError(found.status_code, *map(_problem, told or [{"message": f"HTTP {found.status_code}"}]))


def _problem(told: Mapping[str, Any]) -> Problem:
    """As the server said it: there is nothing left to fill in."""
    message, remedy = (
        str(told.get(name, "")).replace("{", "{{").replace("}", "}}") for name in ("message", "remedy")
    )
    return Problem(message, {}, remedy, told.get("file", ""), told.get("row"), told.get("field", ""))
