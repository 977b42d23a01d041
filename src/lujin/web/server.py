"""The server process, or several of them: sockets, logs, how it is stopped."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from lujin.access import first_link
from lujin.errors import N_, InputError, Problem
from lujin.web.app import create_app
from lujin.web.logs import LOG_FORMS, LogForm, configure
from lujin.web.metrics import SEVERAL
from lujin.web.settings import Settings

DIRECTORY, LOG = "LUJIN_WEB_PARK", "LUJIN_WEB_LOG"  # what processes that are started anew have to know
GRACE_S = 30  # what is being answered may take so long to finish
BACKLOG = 2048
EVERYWHERE = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Listening:
    """Where people reach the server; ``first``: the link for the first operator, while there is nobody yet."""

    address: str
    first: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """``port`` 0: any free one; ``other_port``: also where it is taken. ``proxy_headers``: believe what a proxy on
    this machine says of the visitor.
    """

    host: str = "127.0.0.1"
    port: int = 8420
    other_port: bool = False
    workers: int = 1
    proxy_headers: bool = False
    log: LogForm = "json"


def serve(settings: Settings, options: Options, tell: Callable[[Listening], None]) -> None:
    """Serve until a signal stops it. ``tell`` is called once connections are taken.

    InputError: the address is taken, or several processes are asked of a park on SQLite.
    """
    _refuse_several(settings, options)
    configure(options.log)
    application = create_app(settings)
    listener = _listener(options)
    config = uvicorn.Config(
        application if options.workers == 1 else f"{__name__}:application",
        factory=options.workers > 1,
        workers=options.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=options.proxy_headers,
        timeout_graceful_shutdown=GRACE_S,
        backlog=BACKLOG,
    )
    workspace = application.state.open_park.workspace
    address = settings.public_url or address_of(options.host, listener)
    token = first_link(workspace.engine, datetime.now(UTC))
    tell(Listening(address, None if token is None else f"{address}/link/{token}"))
    with listener:
        if options.workers == 1:
            uvicorn.Server(config).run(sockets=[listener])
            return
        workspace.engine.dispose()
        _run_several(config, listener, settings, options)


def _run_several(config: uvicorn.Config, listener: socket.socket, settings: Settings, options: Options) -> None:
    folder = tempfile.mkdtemp(prefix="lujin-metrics-")
    os.environ.update({DIRECTORY: str(settings.directory), LOG: options.log, SEVERAL: folder})
    try:
        Multiprocess(config, sockets=[listener]).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def application() -> FastAPI:
    """What each of several processes serves."""
    form = os.environ.get(LOG, "json")
    configure(next((known for known in LOG_FORMS if known == form), "json"))
    return create_app(Settings.of_environment(Path(os.environ[DIRECTORY])))


def _refuse_several(settings: Settings, options: Options) -> None:
    if options.workers > 1 and not settings.environment.get("LUJIN_DATABASE", "").startswith("postgresql"):
        raise InputError(
            Problem(
                N_("{workers} processes cannot serve a park on SQLite, which one process writes"),
                {"workers": options.workers},
                N_("keep one, or move the park to PostgreSQL with lujin backup and lujin restore"),
                field="--workers",
            )
        )


def _listener(options: Options) -> socket.socket:
    try:
        return listen(options.host, options.port)
    except InputError:
        if not options.other_port:
            raise
        return listen(options.host, 0)


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections already. InputError: somebody else has the address."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(BACKLOG)
    except OSError as error:
        params = {"host": host, "port": port, "reason": error.strerror or str(error)}
        message = N_("the server cannot listen at {host}:{port}: {reason}")
        remedy = N_("stop who listens there, or choose others with --host and --port")
        raise InputError(Problem(message, params, remedy)) from error
    found.set_inheritable(True)
    return found


def address_of(host: str, listener: socket.socket) -> str:
    """An address that a browser on this machine understands."""
    port = listener.getsockname()[1]
    name = "127.0.0.1" if host in EVERYWHERE else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"
