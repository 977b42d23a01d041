"""Settings that the operator changes while the server runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Form, Request
from fastapi.responses import Response

from lujin.access import Right, audit
from lujin.alarms.outbox import NotSentError
from lujin.alarms.tell import teller_of, try_hook, try_mail
from lujin.errors import N_, InputError, LujinError, Problem
from lujin.operator_options import Options, changed, options, stored_form
from lujin.operator_settings import Kept, store, stored
from lujin.web.answers import Answer
from lujin.web.forms import Typed, again, done
from lujin.web.identity import visit_of
from lujin.web.page import page
from lujin.web.requests import WindowOf
from lujin.web.requests import language as language_of
from lujin.web.settings import MIB, Settings
from lujin.web.window import Window

router = APIRouter(include_in_schema=False)
log = logging.getLogger("lujin.web")
TEMPLATE, TITLE = "settings.html", N_("Settings")
REFRESH_S = 60.0


class SettingsPage(Answer):
    """Of secrets only whether there is one."""

    settings: dict[str, Any]
    version: int

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        return ("name", "value"), [(name, str(value)) for name, value in self.settings.items()]


@page(router, "/settings", template=TEMPLATE, title=TITLE)
def look(request: Request, window: WindowOf) -> SettingsPage:
    return _page(request, stored(window.park(Right.CHANGE_SETTINGS).engine))


@router.post("/settings")
def change(
    request: Request,
    window: WindowOf,
    version: Annotated[int, Form(ge=0)],
    smtp_host: Typed = "",
    smtp_port: Typed = "587",
    smtp_security: Typed = "starttls",
    smtp_user: Typed = "",
    smtp_password: Typed = "",
    smtp_from: Typed = "",
    webhooks: Annotated[str, Form(max_length=10_000)] = "",
    private_webhooks: Typed = "",
    quiet: Typed = "",
    language: Typed = "zh",
    session_hours: Typed = "12",
    upload_limit_mb: Typed = "512",
    alarms_minutes: Typed = "5",
) -> Response:
    """All settings of the page at once, or none. Refused with 409 when somebody changed them meanwhile."""
    workspace, visit = window.park(Right.CHANGE_SETTINGS), visit_of(request)
    given = {
        "smtp_host": smtp_host,
        "smtp_port": smtp_port,
        "smtp_security": smtp_security,
        "smtp_user": smtp_user,
        "smtp_password": smtp_password,
        "smtp_from": smtp_from,
        "webhooks": webhooks,
        "private_webhooks": private_webhooks,
        "quiet": quiet.replace(" ", ""),
        "language": language,
        "session_hours": session_hours,
        "upload_limit_mb": upload_limit_mb,
        "alarms_minutes": alarms_minutes,
    }
    kept = stored(workspace.engine)
    before = in_force(request.app, kept)
    try:
        after = changed(before, given, workspace.directory)
        store(
            workspace.engine,
            stored_form(after),
            window.viewer.name,
            visit.now,
            version=version,
            also=lambda connection: _audited(connection, window, before, after, request),
        )
    except InputError as error:
        return again(
            request, TEMPLATE, TITLE, error, answer=_page(request, kept), typed={**given, "smtp_password": ""}
        )
    apply(request.app, stored(workspace.engine))
    return done(request, "/settings", N_("The settings are stored."))


@router.post("/settings/try-mail")
def try_a_mail(request: Request, window: WindowOf, address: Typed = "") -> Response:
    return _tried(request, window, "address", address, try_mail)


@router.post("/settings/try-webhook")
def try_a_webhook(request: Request, window: WindowOf, name: Typed = "") -> Response:
    return _tried(request, window, "name", name, try_hook)


def _tried(request: Request, window: Window, field: str, text: str, attempt: Any) -> Response:
    workspace, settings = window.park(Right.CHANGE_SETTINGS), request.app.state.settings
    teller = teller_of(workspace, settings.public_url, settings.environment)
    try:
        attempt(replace(teller, options=replace(teller.options, language=language_of(request))), text.strip())
    except NotSentError as error:
        problem = Problem(
            N_("the message could not be delivered: {reason}"), {"reason": str(error)[:300]}, field=field
        )
        found = InputError(replace(problem, remedy=N_("check the settings of the server and store them first")))
        return again(request, TEMPLATE, TITLE, found, answer=_page(request, stored(workspace.engine)))
    except LujinError as error:
        return again(request, TEMPLATE, TITLE, error, answer=_page(request, stored(workspace.engine)))
    return done(request, "/settings", N_("A message was delivered to {who}."), who=text.strip())


def _page(request: Request, kept: Kept) -> SettingsPage:
    return SettingsPage(settings=in_force(request.app, kept).shown(), version=kept.version)


def _audited(connection: Any, window: Window, before: Options, after: Options, request: Request) -> None:
    visit = visit_of(request)
    said = {"smtp_password": "changed"} if before.smtp_password != after.smtp_password else {}
    audit(
        connection,
        window.viewer,
        "settings.change",
        "settings",
        {**before.shown(), "smtp_password": ""},
        {**after.shown(), "smtp_password": "", **said},
        now=visit.now,
        address=visit.address,
    )


# ------------------------------------------------------------------------------- what the settings change


def install(app: FastAPI) -> None:
    app.state.settings_at_start = app.state.settings
    with contextlib.suppress(LujinError):
        apply(app, stored(app.state.open_park.workspace.engine))


def in_force(app: FastAPI, kept: Kept) -> Options:
    """The settings as they hold: what was never set here is what the server was started with."""
    begun: Settings = app.state.settings_at_start
    hours = int(begun.doors.lifetimes.whole / timedelta(hours=1))
    started = {"session_hours": max(hours, 1), "upload_limit_mb": max(begun.upload_limit // MIB, 1)}
    return options(Kept({**started, **kept.values}, kept.version))


def apply(app: FastAPI, kept: Kept) -> None:
    """Sessions and uploads, from now on."""
    begun: Settings = app.state.settings_at_start
    limit, lifetimes = begun.upload_limit, begun.doors.lifetimes
    if "upload_limit_mb" in kept.values:
        limit = kept.values["upload_limit_mb"] * MIB
    if "session_hours" in kept.values:
        lifetimes = replace(lifetimes, whole=timedelta(hours=kept.values["session_hours"]))
    app.state.settings = replace(begun, upload_limit=limit, doors=replace(begun.doors, lifetimes=lifetimes))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Other processes of the same park may change the settings: look now and then."""
    task = asyncio.create_task(_refresh(app))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _refresh(app: FastAPI) -> None:
    while True:
        await asyncio.sleep(REFRESH_S)
        try:
            kept = await asyncio.to_thread(stored, app.state.open_park.workspace.engine)
            apply(app, kept)
        except LujinError as error:
            log.warning("settings cannot be read: %s", error)
