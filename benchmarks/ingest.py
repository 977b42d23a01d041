"""Bulk ingest over HTTP: readings per second, durable, as JSON and as Arrow."""

from __future__ import annotations

import http.client
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import parks
import polars as pl

PATH = "/api/v1/readings"
BATCH = 192_000  # two days of a thousand meters every quarter hour
BODIES = 4
LARGE = 5 * BATCH  # nearly a million: the most that the documents advise
JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"


def measured(port: int, directory: Path, token: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Arrivals of later days, one body after the other; each answer comes when its readings are stored."""
    from lujin.workspace import open_workspace

    meters = sum(m.kind != "virtual" for m in open_workspace(directory).park.meters.values())
    days = -(-(3 * BODIES * BATCH + 2 * LARGE) // (meters * 96))
    frame = pl.concat(list(parks.registers(meters, parks.AFTER, days)))
    turns = (("json rows", JSON, _rows), ("json columns", JSON, _columns), ("arrow", ARROW, _arrow))
    for turn, (name, kind, write) in enumerate(turns):
        first = turn * BODIES * BATCH
        bodies = [write(frame[first + i * BATCH : first + (i + 1) * BATCH]) for i in range(BODIES)]
        yield name, _send(port, token, kind, bodies, BATCH)
    first = len(turns) * BODIES * BATCH
    large = [_arrow(frame[first + i * LARGE : first + (i + 1) * LARGE]) for i in range(2)]
    yield "arrow, large bodies", _send(port, token, ARROW, large, LARGE)


def _rows(frame: pl.DataFrame) -> bytes:
    return json.dumps({"readings": _texts(frame).to_dicts()}, separators=(",", ":")).encode()


def _columns(frame: pl.DataFrame) -> bytes:
    return json.dumps({"columns": _texts(frame).to_dict(as_series=False)}, separators=(",", ":")).encode()


def _texts(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _arrow(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_ipc_stream(out, compat_level=pl.CompatLevel.oldest())
    return out.getvalue()


def _send(port: int, token: str, kind: str, bodies: list[bytes], each: int) -> dict[str, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    started, rows = time.perf_counter(), 0
    for number, body in enumerate(bodies):
        headers = {"authorization": f"Bearer {token}", "content-type": kind}
        headers["idempotency-key"] = f"bench-{time.time()}-{number}"
        connection.request("POST", PATH, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 201:
            return {"status": answer.status, "said": text[:300]}
        rows += each
    took = time.perf_counter() - started
    size = round(sum(map(len, bodies)) / 1e6, 1)
    return {"rows": rows, "megabytes": size, "seconds": round(took, 2), "rows_per_second": round(rows / took)}
