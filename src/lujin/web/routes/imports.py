"""Readings import (读数导入): files sent, looked at, tried out, imported; what arrived, and taking it back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Annotated, Any
from urllib.parse import unquote

import polars as pl
from fastapi import APIRouter, FastAPI, Path, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from lujin.access.viewer import Right
from lujin.errors import N_, InputError, LujinError, NotFoundError, Problem
from lujin.language import Speech
from lujin.readings.mapping import Mapping as ColumnMapping
from lujin.show import arrivals as show
from lujin.web import import_form as forms
from lujin.web.answers import BOM, Answer, Shown, csv_text
from lujin.web.forms import GREATEST, Number, Typed, done
from lujin.web.import_window import ImportWindow
from lujin.web.jobs import problem_of
from lujin.web.page import html, page
from lujin.web.problems import status_of, wants_html
from lujin.web.render import environment
from lujin.web.requests import WindowOf, speech, viewer
from lujin.web.routes.jobs import heading, long_work, task_text
from lujin.web.uploads import Upload
from lujin.workspace.arrivals import REFUSED, ArrivalRecord, refused_rows
from lujin.workspace.looking import FilePreview
from lujin.workspace.undoing import Undoing

router = APIRouter(include_in_schema=False)
PAGE = 50
SHOWN = 100  # refused rows on a page; the file has all
TITLE, FILE_TITLE, ARRIVAL_TITLE = N_("Readings import"), N_("File"), N_("Arrival")
Token = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]


class Waiting(Answer):
    token: str
    name: str
    bytes: int
    at: str


class Imports(Answer):
    """``waiting``: files sent and not yet imported. ``next``: number to continue before."""

    waiting: tuple[Waiting, ...]
    arrivals: tuple[Shown[ArrivalRecord], ...]
    next: int | None
    meters: int
    posts: bool
    upload_limit: int

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        counts = ("accepted", "already_known", "corrects", "conflicts", "rejected", "withdrawn", "restated")
        header = ("number", "file", "recorded_at", "by", "for", "state", "months", *counts)
        return header, [
            (
                *(a.number, a.name, a.recorded_at.isoformat(), a.author, a.party, a.state),
                " ".join(f"{m // 100}-{m % 100:02}" for m in a.months),
                *(a.counts.get(name) for name in counts),
            )
            for a in self.arrivals
        ]


class ArrivalAnswer(Answer):
    """``refused``: the first refused rows: row, column, value, reason in two languages, the row as written."""

    arrival: Shown[ArrivalRecord]
    refused: tuple[tuple[str | None, ...], ...]
    undoing: Shown[Undoing] | None
    posts: bool

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        return REFUSED, self.refused


def install(_app: FastAPI) -> None:
    environment().globals |= {
        "arrival_state": show.state,
        "undo_sentences": show.sentences,
        "task_text": task_text,
    }
    environment().globals |= {"job_heading": heading, "import_form": forms}
    environment().globals |= {"told_problem": _told_problem, "told_reason": _told_reason}


def _told_problem(plain: Mapping[str, Any], say: Speech) -> str:
    """A problem that a task recorded, in the reader's language."""
    return problem_of(plain).text(say)


def _told_reason(plain: Mapping[str, Any], say: Speech) -> str:
    """Why a row was refused and what to do, without its place."""
    return replace(problem_of(plain), file="", line=None, field="").text(say)


@page(router, "/imports", template="imports/list.html", title=TITLE)
def imports(
    request: Request, window: WindowOf, before: Annotated[int | None, Query(ge=1, le=GREATEST)] = None
) -> Imports:
    own = window.imports()
    found = own.arrivals(PAGE, before)
    return Imports(
        waiting=tuple(Waiting(token=u.token, name=u.name, bytes=u.bytes, at=u.at) for u in own.waiting()),
        arrivals=found,
        next=found[-1].number if len(found) == PAGE else None,
        meters=len(own.writable),
        posts=own.posts,
        upload_limit=request.app.state.settings.upload_limit,
    )


# ---------------------------------------------------------------------------------------------------- sending


@router.post("/imports")
async def send_form(request: Request, window: WindowOf) -> Response:
    """Files of a plain form."""
    own = await run_in_threadpool(window.imports)
    limit = request.app.state.settings.upload_limit
    form = await request.form(max_files=20, max_fields=10)
    files = [f for f in form.getlist("file") if isinstance(f, UploadFile) and f.filename]
    try:
        if not files:
            raise InputError(
                Problem(N_("no file was chosen"), {}, N_("choose one, or drop it here"), field="file")
            )
        sent = [await _received(own, _chunks(f), f.filename or "", limit) for f in files]
    except LujinError as error:
        if not wants_html(request):
            raise
        return await run_in_threadpool(_list_again, request, window, error)
    place = f"/imports/files/{sent[0].token}" if len(sent) == 1 else "/imports"
    return RedirectResponse(place, 303)


@router.post("/imports/upload")
async def send_bytes(request: Request, window: WindowOf) -> Response:
    """One file as the body itself, its name in ``x-file-name`` (percent-encoded): what the drop zone sends."""
    own = await run_in_threadpool(window.imports)
    limit = request.app.state.settings.upload_limit
    name = unquote(request.headers.get("x-file-name", ""))
    found = await _received(own, request.stream(), name, limit)
    return JSONResponse({"token": found.token, "location": f"/imports/files/{found.token}"}, 201)


async def _received(own: ImportWindow, chunks: AsyncIterator[bytes], name: str, limit: int) -> Upload:
    found = await own.receive(chunks, name, limit)
    await run_in_threadpool(own.check, found, limit)
    return found


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while step := await file.read(1 << 20):
        yield step


def _list_again(request: Request, window: WindowOf, error: LujinError) -> Response:
    answer = imports(request, window)
    return html(request, "imports/list.html", TITLE, status_of(error), answer=answer, problems=error.problems)


# ---------------------------------------------------------------------------------------------------- one file


@router.get("/imports/files/{token}")
def look(
    request: Request,
    window: WindowOf,
    token: Token,
    sheet: Annotated[str, Query(max_length=100)] = "",
    guess: bool = False,
) -> Response:
    own = window.imports()
    return _file_page(request, own, token, own.look(token, None, sheet, guess))


@router.post("/imports/files/{token}")
async def decide(request: Request, window: WindowOf, token: Token) -> Response:
    """``do``: look (with the mapping stated), try, take, discard."""
    form = await request.form(max_files=0, max_fields=1000)
    return await run_in_threadpool(_decided, request, window, token, form)


def _decided(request: Request, window: WindowOf, token: str, form: FormData) -> Response:
    own = window.imports()
    found = own.upload(token)
    plain = {name: value for name, value in form.items() if isinstance(value, str)}
    what = plain.get("do", "look")
    if what == "discard":
        own.discard(token)
        return done(request, "/imports", N_("{file} was put aside"), file=found.name)
    seen = own.look(token, None, plain.get("sheet", ""), guess=True)
    if seen.shape is None:
        return _file_page(request, own, token, seen)
    try:
        mapping = forms.stated(plain, seen.shape)
    except LujinError as error:
        return _file_page(request, own, token, replace(seen, problems=tuple(error.problems)), plain, 422)
    stated = own.look(token, mapping, mapping.sheet)
    stated = replace(stated, columns=seen.columns, saved="")
    if stated.problems or what not in ("try", "take"):
        return _file_page(request, own, token, stated, plain, 422 if stated.problems else 200)
    return _started(request, own, found, mapping, what, plain)


def _started(
    request: Request, own: ImportWindow, found: Upload, mapping: ColumnMapping, what: str, plain: dict[str, str]
) -> Response:
    about = {"file": found.name, "token": found.token, "mapping": forms.carry(mapping)}
    if what == "try":
        work, kind = own.trial(found.token, mapping), "trial"
    else:
        save_as = plain.get("save_as", "").strip()
        work, kind = own.take(found.token, mapping, post=plain.get("post") == "on", save_as=save_as), "import"
    return _job(request, kind, about, work)


def _job(request: Request, kind: str, about: dict[str, Any], work: Any) -> Response:
    who = viewer(request)
    assert who is not None
    number = long_work(request).start(who, kind, about, work)
    if not wants_html(request):
        return JSONResponse({"job": number, "location": f"/jobs/{number}"}, 202)
    return RedirectResponse(f"/jobs/{number}", 303)


def _file_page(
    request: Request,
    own: ImportWindow,
    token: str,
    seen: FilePreview,
    typed: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    say = speech(request)
    if not wants_html(request):
        return JSONResponse(seen.as_dict(say), status)
    rows = forms.rows_of(seen, say)
    return html(
        request,
        "imports/file.html",
        FILE_TITLE,
        status,
        token=token,
        seen=seen,
        rows=rows,
        typed=typed or {},
        above=forms.problems_beside(seen.problems, rows),
        meters=own.writable if len(own.writable) <= 2000 else (),
        posts=own.posts,
    )


@router.get("/imports/files/{token}/refused.csv")
def refused_by_trial(window: WindowOf, token: Token) -> Response:
    own = window.imports()
    found = own.upload(token)
    file = found.refused(own.folder)
    if not file.is_file():
        raise NotFoundError(Problem(N_("no row would be refused"), {}, N_("try the file out first")))
    return _download(file, found.name)


# ----------------------------------------------------------------------------------------------------- arrivals


@page(router, "/imports/arrivals/{number}", template="imports/arrival.html", title=ARRIVAL_TITLE)
def arrival(window: WindowOf, number: Number, undo: bool = False) -> ArrivalAnswer:
    """``undo``: also what taking it back would change."""
    own = window.imports()
    found = own.arrival(number)
    rows = refused_rows(own.refused(number), 0, SHOWN).rows() if found.refused else []
    undoing = own.undoing(number) if undo and found.can_be_undone else None
    return ArrivalAnswer(arrival=found, refused=tuple(rows), undoing=undoing, posts=own.posts)


@router.get("/imports/arrivals/{number}/refused.csv")
def refused_rows_of(window: WindowOf, number: Number) -> Response:
    own = window.imports()
    return _download(own.refused(number), own.arrival(number).name)


@router.post("/imports/arrivals/{number}/undo")
def take_back(
    request: Request, window: WindowOf, number: Number, reason: Typed = "", post: Typed = ""
) -> Response:
    own = window.imports()
    work = own.undo(number, reason.strip(), post=post == "on")
    return _job(request, "undo", {"number": number, "reason": reason.strip()}, work)


@router.post("/imports/post")
def post_now(request: Request, window: WindowOf) -> Response:
    """Post what came in."""
    window.park(Right.POST)
    return _job(request, "post", {}, window.imports().post())


def _download(file: FilePath, name: str) -> Response:
    """Refused rows as CSV whose cells no spreadsheet takes for formulas."""
    shown = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in FilePath(name).stem)[:80]
    headers = {"content-disposition": f'attachment; filename="refused-{shown or "rows"}.csv"'}
    return StreamingResponse(_safe_lines(file), media_type="text/csv; charset=utf-8", headers=headers)


def _safe_lines(file: FilePath, block: int = 20_000) -> Iterator[str]:
    yield csv_text(REFUSED, ())
    first = 0
    while not (rows := refused_rows(file, first, block)).is_empty():
        yield csv_text((), _cells(rows)).removeprefix(BOM).removeprefix("\r\n")
        first += block


def _cells(rows: pl.DataFrame) -> Iterator[tuple[Any, ...]]:
    return rows.iter_rows()
