"""Curves behind charts: quantities of meters step by step, of the whole park or of one enterprise."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import date
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import Response

from lujin.access.viewer import Right, Role, Viewer
from lujin.errors import LujinError
from lujin.show.words import Words
from lujin.web.page import kept_data
from lujin.web.pictures import series_data
from lujin.web.quiet import wait_for_quiet
from lujin.web.requests import WindowOf, speech
from lujin.web.routes import overview
from lujin.web.window import Window
from lujin.workspace.series import Series, refresh

router = APIRouter(include_in_schema=False)
EVERY_S = 60.0
UNUSED_S = 600.0  # answers that nobody asked for so long are worked out again when somebody does
LOG = logging.getLogger(__name__)
StepName = Literal["quarter", "hour", "day", "month"]
Names = Annotated[list[str], Query(alias="meter", max_length=50)]
QUARTER_DAYS, HOUR_DAYS = 10, 400  # up to so many days a chart can show every quarter hour, every hour


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Beside the requests, what changed is worked out before somebody has to wait for it."""
    stop = threading.Event()
    thread = threading.Thread(target=_keep_warm, args=(app, stop), name="warming", daemon=True)
    thread.start()
    yield
    stop.set()
    await asyncio.to_thread(thread.join)


def give_back() -> None:
    """Memory that a month's arrays took and left goes back to the system; glibc would keep it for ever."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _keep_warm(app: FastAPI, stop: threading.Event) -> None:
    known = ""
    while not stop.wait(EVERY_S if known else 1.0):
        app.state.cache.forget(UNUSED_S)
        app.state.answers.forget(UNUSED_S)
        give_back()
        try:
            window = _whole(app)
            if window.version != known:
                if known and not wait_for_quiet(_version_of(app), stop.wait):
                    return
                window = _whole(app)
                refresh(window.park(Right.SEE_READINGS), stop.is_set)
                if not stop.is_set():
                    overview.warm(window)
                    window.sector_points()
                known = window.version
        except LujinError as error:  # said to whoever asks; here it only costs them the wait
            LOG.info("nothing worked out ahead: %s", error)
            known = "failed"


def _whole(app: FastAPI) -> Window:
    park, cache = app.state.open_park, app.state.cache
    return Window(park.current(), Viewer(0, "lujin", Role.OPERATOR), cache, park.pulse)


def _version_of(app: FastAPI) -> Callable[[], str]:
    return lambda: _whole(app).version


@router.get("/series.json", name="series.json")
def series(
    request: Request, window: WindowOf, meter: Names, first: date, last: date, step: StepName | None = None
) -> Response:
    workspace = window.park(Right.SEE_READINGS)
    ask = partial(workspace.series, meter, first, last, _step(first, last, step))
    return kept_data(request, window, lambda: _answer(request, window, ask()))


@router.get("/enterprises/{enterprise}/series.json", name="enterprise_series.json")
def enterprise_series(
    request: Request,
    window: WindowOf,
    enterprise: str,
    first: date,
    last: date,
    meter: Names = [],  # noqa: B006  FastAPI copies it
    step: StepName | None = None,
) -> Response:
    """Without ``meter``: all meters of the enterprise."""
    ask = partial(window.of(enterprise, Right.SEE_READINGS).series, meter, first, last, _step(first, last, step))
    return kept_data(request, window, lambda: _answer(request, window, ask()))


def _step(first: date, last: date, step: StepName | None) -> str:
    """The finest step that a chart of this span can show."""
    days = (last - first).days
    return step or ("quarter" if days <= QUARTER_DAYS else "hour" if days <= HOUR_DAYS else "day")


def _answer(request: Request, window: Window, found: Series) -> Response:
    words = Words(speech(request), window.description)
    body = msgspec.json.encode(series_data(found, _names(found.names, window), words))
    return Response(body, media_type="application/json")


def _names(meters: Sequence[str], window: Window) -> dict[str, str]:
    park: Any = window.description
    return {name: ", ".join(park.meters[name].alias) or name for name in meters}
