"""The verb that serves pages and API."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lujin.arguments import AsJson, Park
from lujin.cli import LOOK, app, face_of
from lujin.errors import N_, Problem
from lujin.show.text import say_line
from lujin.usage import Face, Verb, WrongUsage, print_json

if TYPE_CHECKING:
    from lujin.web.server import Options


@app.command(
    cls=Verb,
    rich_help_panel=LOOK,
    help=N_("Serve the pages and the HTTP API of a park"),
    epilog="lujin serve mypark\nlujin serve mypark --host 0.0.0.0 --port 8080",
)
def serve(
    ctx: typer.Context,
    park: Park,
    host: Annotated[str, typer.Option(metavar=N_("ADDRESS"), help=N_("address to listen on"))] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar=N_("PORT"), min=0, max=65535, help=N_("port to listen on; 0 is any free one"))
    ] = 8420,
    workers: Annotated[
        int, typer.Option(metavar=N_("COUNT"), min=1, max=64, help=N_("processes; several need PostgreSQL"))
    ] = 1,
    proxy_headers: Annotated[
        bool, typer.Option("--proxy-headers", help=N_("believe a proxy on this machine who the visitor is"))
    ] = False,
    log: Annotated[
        str,
        typer.Option(
            metavar=N_("FORM"),
            help=N_("json, text (only what is wrong) or off; otherwise text on a terminal, else json"),
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    from lujin.web.logs import LOG_FORMS
    from lujin.web.server import Options

    form = log or ("text" if sys.stderr.isatty() else "json")
    chosen = next((known for known in LOG_FORMS if known == form), None)
    if chosen is None:
        params = {"value": form, "known": ", ".join(LOG_FORMS)}
        raise WrongUsage(Problem(N_("there is no {value}"), params, N_("use one of: {known}"), field="--log"))
    serve_park(
        park,
        face_of(ctx),
        Options(host, port, workers=workers, proxy_headers=proxy_headers, log=chosen),
        as_json=as_json,
    )


def serve_park(park: Path, face: Face, options: Options, *, as_json: bool = False) -> None:
    from lujin.web import server
    from lujin.web.settings import Settings

    def tell(found: server.Listening) -> None:
        if as_json:
            print_json({"address": found.address, "first_link": found.first})
        else:
            console = face.console()
            say_line(console, face.say.fill(N_("serving at {address}; stop with Ctrl-C"), address=found.address))
            if found.first is not None:
                say_line(console, face.say(N_("nobody can sign in yet; the first operator opens, within a day:")))
                console.print(found.first, soft_wrap=True)
        sys.stdout.flush()

    server.serve(Settings.of_environment(park), options, tell)
