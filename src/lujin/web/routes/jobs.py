"""Long work: how far it is and what came of it, as a page and as events while it runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from lujin.errors import N_
from lujin.language import Speech
from lujin.web.answers import Answer
from lujin.web.forms import Number
from lujin.web.jobs import WAITING, Job, LongWork, interrupted
from lujin.web.page import page
from lujin.web.requests import WindowOf, speech
from lujin.web.window import Window

router = APIRouter()
EVENT_EVERY_S = 0.4
EVENTS_END_S = 600.0  # then the browser connects anew
KINDS: Mapping[str, str] = {
    "trial": N_("Trying out {file}"),
    "import": N_("Importing {file}"),
    "undo": N_("Taking back arrival {number}"),
    "post": N_("Posting what came in"),
    "trace": N_("Tracing the hours up to {month}"),
}
STATES: Mapping[str, str] = {
    "waiting": N_("waiting"),
    "running": N_("running"),
    "done": N_("done"),
    "failed": N_("failed"),
    "interrupted": N_("interrupted"),
}


class JobAnswer(Answer):
    """``result``: the report, once it is done; ``problems``: why it failed."""

    number: int
    kind: str
    about: dict[str, Any]
    state: str
    task: str
    done: int
    total: int
    started_at: str
    ended_at: str | None
    result: dict[str, Any] | None
    problems: list[dict[str, Any]]

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        names = ("number", "kind", "state", "task", "done", "total", "started_at", "ended_at")
        return names, [tuple(getattr(self, name) for name in names)]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    await run_in_threadpool(lambda: list(interrupted(app.state.open_park.current())))
    yield
    await run_in_threadpool(app.state.long_work.stop)


def install(app: FastAPI) -> None:
    app.state.long_work = LongWork(app.state.open_park.current, app.state.stopping)


def long_work(request: Request) -> LongWork:
    found: LongWork = request.app.state.long_work
    return found


@page(router, "/jobs/{number}", template="job.html", title=N_("Task"))
def job(window: WindowOf, number: Number) -> JobAnswer:
    return answer_of(window.job(number))


def answer_of(found: Job) -> JobAnswer:
    return JobAnswer(
        number=found.number,
        kind=found.kind,
        about=dict(found.about),
        state=found.state,
        task=found.task,
        done=found.done,
        total=found.total,
        started_at=found.started_at.isoformat(),
        ended_at=found.ended_at.isoformat() if found.ended_at else None,
        result=dict(found.result) if found.result is not None else None,
        problems=[p.as_dict() for p in found.problems],
    )


@router.get("/jobs/{number}/events", include_in_schema=False)
async def events(request: Request, window: WindowOf, number: Number) -> Response:
    """Server-sent events: ``progress`` whenever something changed, ``end`` when it is over."""
    await run_in_threadpool(window.job, number)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    told = _told(request, window, number, speech(request))
    return StreamingResponse(told, media_type="text/event-stream", headers=headers)


async def _told(request: Request, window: Window, number: int, say: Speech) -> AsyncIterator[str]:
    last = ""
    for _ in range(int(EVENTS_END_S / EVENT_EVERY_S)):
        found = await run_in_threadpool(window.job, number)
        text = json.dumps(progress_of(found, say), ensure_ascii=False)
        if text != last:
            yield f"event: progress\ndata: {text}\n\n"
            last = text
        if found.ended:
            yield f"event: end\ndata: {text}\n\n"
            return
        if request.app.state.stopping.is_set() or await request.is_disconnected():
            return
        await asyncio.sleep(EVENT_EVERY_S)


def progress_of(found: Job, say: Speech) -> dict[str, Any]:
    return {
        "state": found.state,
        "said": say(STATES[found.state]),
        "task": task_text(found.task, say),
        "done": found.done,
        "total": found.total,
    }


def task_text(task: str, say: Speech) -> str:
    """What it is at, in the reader's language; a file's name stays as it is."""
    if task.startswith(f"{WAITING} "):
        return say.fill(
            N_("waiting until another task has finished: {task}"), task=task.removeprefix(WAITING).strip()
        )
    return say(task) if task else ""


def heading(kind: str, about: Mapping[str, Any], say: Speech) -> str:
    return say.fill(KINDS.get(kind, N_("Task")), **{"file": "", "number": "", **about})
