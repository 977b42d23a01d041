"""Long work: posting and restating, how far it is, and its progress as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from lujin.access.viewer import Right
from lujin.language import Speech
from lujin.web.api.common import (
    MONTH_PATTERN,
    PREFIX,
    MonthPath,
    SpeechOf,
    month_of,
    needs,
    posted_month,
    problems,
    resource,
)
from lujin.web.jobs import Job as Found
from lujin.web.models.jobs import Job
from lujin.web.requests import WindowOf
from lujin.web.routes.jobs import long_work, task_text
from lujin.web.window import Window
from lujin.workspace import Workspace
from lujin.workspace.progress import Progress

router = resource("jobs")
EVENT_EVERY_S, EVENTS_END_S = 0.4, 600.0
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
STARTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "Begun; `Location` leads to the job",
        "model": Job,
        "headers": {"Location": {"schema": {"type": "string"}}},
    },
    **problems(409),
}


class RunAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    month: str | None = Field(None, pattern=MONTH_PATTERN, description="only this month", examples=["2025-06"])


class RestatementAsked(BaseModel):
    """``stamp``: of the preview that you have seen; the restatement is refused when something came since."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    cause: str = Field(min_length=1, max_length=2000, examples=["the meter of the boiler was read wrongly"])
    stamp: str = Field("", max_length=200)


@router.post("/runs", status_code=202, responses=STARTED, dependencies=[needs(Right.POST)])
def start_run(request: Request, window: WindowOf, say: SpeechOf, asked: RunAsked) -> Response:
    """Posts every month and enterprise whose facts are newer than its postings."""
    window.park(Right.POST)
    month = None if asked.month is None else month_of(asked.month)
    data = window.data()

    def work(workspace: Workspace, progress: Progress) -> Mapping[str, Any]:
        report = workspace.run(month, progress=progress)
        posted = {"entries": sum(m.entries for m in report.months), "months": [m.month for m in report.months]}
        data.record("accounts.post", "ledger", posted)
        return report.as_dict()

    return begun(request, window, say, "post", {"month": asked.month}, work)


@router.post("/periods/{month}/restate", status_code=202, responses=STARTED, dependencies=[needs(Right.RESTATE)])
def start_restatement(
    request: Request, window: WindowOf, say: SpeechOf, month: MonthPath, asked: RestatementAsked
) -> Response:
    """Resolves the factors of a month anew, takes in what waited for it, and posts the difference."""
    window.park(Right.RESTATE)
    at, author, data = posted_month(window, month), window.viewer.name, window.data()

    def work(workspace: Workspace, progress: Progress) -> Mapping[str, Any]:
        report = workspace.restate([at], asked.cause, author, stamp=asked.stamp, progress=progress)
        entries = sum(m.entries for m in report.months)
        data.record("month.restate", f"month/{month}", {"cause": asked.cause, "entries": entries})
        return report.as_dict()

    return begun(request, window, say, "restate", {"month": month}, work)


@router.get("/jobs")
def list_jobs(window: WindowOf, say: SpeechOf, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> list[Job]:
    """Your jobs, the newest first; of the park office all."""
    return [of_job(found, say) for found in window.data().jobs(limit)]


@router.get("/jobs/{number}")
def show_job(window: WindowOf, say: SpeechOf, number: Number) -> Job:
    """How far it is; its report, once it is done."""
    return of_job(window.job(number), say)


@router.get(
    "/jobs/{number}/events",
    responses={200: {"description": "`progress` after every change; `end`", "content": {"text/event-stream": {}}}},
    response_class=StreamingResponse,
)
async def job_events(request: Request, window: WindowOf, say: SpeechOf, number: Number) -> Response:
    """Server-sent events, each with the job as data."""
    await run_in_threadpool(window.job, number)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(
        _events(request, window, say, number), media_type="text/event-stream", headers=headers
    )


async def _events(request: Request, window: Window, say: Speech, number: int) -> AsyncIterator[str]:
    last = ""
    for _ in range(int(EVENTS_END_S / EVENT_EVERY_S)):
        job = of_job(await run_in_threadpool(window.job, number), say)
        if (text := job.model_dump_json()) != last:
            yield f"event: progress\ndata: {text}\n\n"
            last = text
        if job.ended:
            yield f"event: end\ndata: {text}\n\n"
            return
        if request.app.state.stopping.is_set() or await request.is_disconnected():
            return
        await asyncio.sleep(EVENT_EVERY_S)


def begun(
    request: Request, window: Window, say: Speech, kind: str, about: Mapping[str, Any], work: Any
) -> Response:
    number = long_work(request).start(window.viewer, kind, about, work)
    body = of_job(window.job(number), say).model_dump_json()
    headers = {"location": f"{PREFIX}/jobs/{number}"}
    return Response(body, 202, headers, media_type="application/json")


def of_job(found: Found, say: Speech) -> Job:
    names = ("number", "kind", "state", "done", "total", "author", "started_at", "ended_at", "result")
    plain = {name: getattr(found, name) for name in names}
    about = {"task": task_text(found.task, say), "problems": list(found.problems)}
    return Job.model_validate({**plain, **about}, context={"say": say})
