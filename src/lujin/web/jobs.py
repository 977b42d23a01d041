"""Long work (长时任务): done in a thread, one after the other; progress and outcome stand in the database, where
every server process sees them. A job whose process died counts as interrupted; what it did was whole or nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine, Row

from lujin.access.policy import may
from lujin.access.viewer import Right, Viewer
from lujin.database import writing
from lujin.errors import N_, LujinError, NotFoundError, Problem, StoreError, TooManyError
from lujin.lock import Holder
from lujin.web.job_table import job
from lujin.workspace import Workspace
from lujin.workspace.progress import Progress

log = logging.getLogger("lujin.web")

BEAT_S = 5.0
DEAD_AFTER = timedelta(seconds=60)  # no sign of life for so long: the process is gone
TOLD_EVERY_S = 0.25
LOCK_WAIT_S = 3600.0
MOST_OF_ONE = 20  # unfinished jobs of one person

Work = Callable[[Workspace, Progress], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Job:
    """``about``: what it was asked to do. ``result``: what came of it, once done; ``problems``: why it failed."""

    number: int
    kind: str
    about: Mapping[str, Any]
    person: int
    author: str
    state: str
    task: str
    done: int
    total: int
    started_at: datetime
    ended_at: datetime | None
    result: Mapping[str, Any] | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def ended(self) -> bool:
        return self.state not in ("waiting", "running")

    @property
    def part(self) -> float | None:
        return self.done / self.total if self.total and not self.ended else None


class Stopped(Exception):
    """The server is to stop: the work ends at a place where nothing is half done."""


@dataclass
class LongWork:
    """Starts jobs of one server process. ``workspace`` opens the park as it is now; ``stopping``: end."""

    workspace: Callable[[], Workspace]
    stopping: threading.Event = field(default_factory=threading.Event)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "lujin-job"))
    _unfinished: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _beating: threading.Thread | None = None

    def start(self, viewer: Viewer, kind: str, about: Mapping[str, Any], work: Work) -> int:
        """Queue the work; returns the job's number at once. TooManyError: this person has plenty under way."""
        workspace = self.workspace()
        number = _queued(workspace, viewer, kind, about)
        with self._lock:
            self._unfinished.add(number)
            if self._beating is None or not self._beating.is_alive():
                self._beating = threading.Thread(target=self._beat, name="lujin-beat", daemon=True)
                self._beating.start()
        self._pool.submit(self._run, number, work)
        return number

    def stop(self) -> None:
        """Let the work that runs come to a safe end; what waits is interrupted."""
        self.stopping.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            left, engine = set(self._unfinished), self.workspace().engine
        for number in left:
            _write(engine, number, state="interrupted", ended_at=self.workspace().clock())

    def _run(self, number: int, work: Work) -> None:
        workspace = self.workspace()
        report = _Report(workspace, number, self.stopping)
        try:
            report.begin()
            mine = replace(workspace, on_wait=report.waiting, wait_s=LOCK_WAIT_S)
            report.end("done", result=work(mine, report))
        except Stopped:
            report.end("interrupted")
        except LujinError as error:
            report.end("failed", result={"problems": [p.as_dict() for p in error.problems]})
        except Exception:
            log.exception("job %s failed", number)
            fault = Problem(
                N_("something went wrong here; it was recorded"), {}, N_("try again, or tell the operator")
            )
            report.end("failed", result={"problems": [fault.as_dict()]})
        finally:
            with self._lock:
                self._unfinished.discard(number)

    def _beat(self) -> None:
        """A sign of life for all unfinished jobs of this process, as long as there are any."""
        while True:
            time.sleep(BEAT_S)
            with self._lock:
                if not self._unfinished:
                    self._beating = None
                    return
                numbers = sorted(self._unfinished)
            workspace = self.workspace()
            with contextlib.suppress(StoreError), writing(workspace.engine) as connection:
                beat = sa.update(job).where(job.c.number.in_(numbers)).values(beat_at=workspace.clock())
                connection.execute(beat)


@dataclass
class _Report:
    """The progress of one job, told to the database a few times a second."""

    workspace: Workspace
    number: int
    stopping: threading.Event
    _told: float = 0.0

    def begin(self) -> None:
        self._write(state="running")

    def waiting(self, holder: Holder) -> None:
        self._write(task=f"{WAITING} {holder.purpose or '?'}")

    def __call__(self, task: str, done: int, total: int) -> None:
        if self.stopping.is_set():
            raise Stopped
        now = time.monotonic()
        if now - self._told < TOLD_EVERY_S and done < total:
            return
        self._told = now
        # Progress is a courtesy: a database that is busy for a moment must not end the work.
        with contextlib.suppress(StoreError):
            self._write(task=task, done=done, total=total)

    def end(self, state: str, result: Mapping[str, Any] | None = None) -> None:
        self._write(state=state, result=result, ended_at=self.workspace.clock())

    def _write(self, **values: Any) -> None:
        _write(self.workspace.engine, self.number, beat_at=self.workspace.clock(), **values)


WAITING = "waiting for"


def _write(engine: Engine, number: int, **values: Any) -> None:
    with writing(engine) as connection:
        connection.execute(sa.update(job).where(job.c.number == number).values(**values))


def _queued(workspace: Workspace, viewer: Viewer, kind: str, about: Mapping[str, Any]) -> int:
    now = workspace.clock()
    mine = sa.select(sa.func.count()).where(job.c.person == viewer.person, job.c.ended_at.is_(None))
    with writing(workspace.engine) as connection:
        if int(connection.execute(mine.where(job.c.beat_at > now - DEAD_AFTER)).scalar_one()) >= MOST_OF_ONE:
            raise TooManyError(
                Problem(
                    N_("{count} tasks of yours are not finished yet"), {"count": MOST_OF_ONE}, N_("wait for them")
                )
            )
        values = {"kind": kind, "about": dict(about), "person": viewer.person, "author": viewer.name}
        values |= {"state": "waiting", "task": "", "done": 0, "total": 0, "worker": this_process()}
        inserted = connection.execute(sa.insert(job).values(**values, started_at=now, beat_at=now))
        return int(inserted.inserted_primary_key[0])  # type: ignore[index]


def job_of(workspace: Workspace, viewer: Viewer, number: int) -> Job:
    """NotFoundError: there is no such job, or it is somebody else's."""
    with workspace.engine.connect() as connection:
        row = connection.execute(sa.select(job).where(job.c.number == number)).one_or_none()
    if row is None or not _may_see(viewer, row.person):
        raise NotFoundError(Problem(N_("there is no task {number}"), {"number": number}, N_("start it again")))
    return _record(row, workspace.clock())


def jobs_of(workspace: Workspace, viewer: Viewer, limit: int = 50) -> Sequence[Job]:
    """The newest first: the viewer's own, of the park office all."""
    select = sa.select(job).order_by(job.c.number.desc()).limit(limit)
    if not may(viewer, Right.POST):
        select = select.where(job.c.person == viewer.person)
    now = workspace.clock()
    with workspace.engine.connect() as connection:
        return [_record(row, now) for row in connection.execute(select)]


def _may_see(viewer: Viewer, person: int) -> bool:
    return viewer.person == person or may(viewer, Right.POST)


def _record(row: Row[Any], now: datetime) -> Job:
    state = row.state
    if row.ended_at is None and (now - row.beat_at > DEAD_AFTER or _dead(row.worker)):
        state = "interrupted"
    result = row.result or {}
    problems = tuple(problem_of(p) for p in result.get("problems", ())) if state == "failed" else ()
    names = ("number", "kind", "about", "person", "author")
    told = {name: getattr(row, name) for name in (*names, "task", "done", "total", "started_at", "ended_at")}
    return Job(**told, state=state, result=result if state == "done" else None, problems=problems)


def problem_of(plain: Mapping[str, Any]) -> Problem:
    """A problem from what ``Problem.as_dict`` made of it."""
    names = ("message", "params", "remedy", "file", "line", "field", "severity")
    return Problem(**{name: plain[name] for name in names})


def this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _dead(worker: str) -> bool:
    """Whether the process was on this machine and is no longer there."""
    host, _, pid = worker.rpartition(":")
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def interrupted(workspace: Workspace) -> Iterator[int]:
    """Have the database say so where a job's process died. Called when a server starts."""
    now = workspace.clock()
    with workspace.engine.connect() as connection:
        rows = list(connection.execute(sa.select(job).where(job.c.ended_at.is_(None))))
    for row in rows:
        if _record(row, now).state == "interrupted":
            _write(workspace.engine, row.number, state="interrupted", ended_at=now)
            yield int(row.number)
