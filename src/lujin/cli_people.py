"""``lujin link``: a way in for someone who cannot sign in any more, from the machine itself."""

from __future__ import annotations

from typing import Annotated

import typer

from lujin.arguments import AsJson, Park
from lujin.cli import app, face_of, opened
from lujin.cli_operation import OPERATION
from lujin.errors import N_, InputError, Problem
from lujin.show.text import say_line
from lujin.usage import Verb, print_json


@app.command(
    cls=Verb,
    rich_help_panel=OPERATION,
    help=N_("A link, valid once and for three days, by which a person of the park sets a new password"),
    epilog="lujin link mypark cheng@park.example",
)
def link(
    ctx: typer.Context,
    park: Park,
    email: Annotated[str, typer.Argument(metavar=N_("EMAIL"), help=N_("the address the person signs in with"))],
    lost_telephone: Annotated[
        bool, typer.Option("--lost-telephone", help=N_("also turn the second factor off"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    from lujin.access import new_link, people
    from lujin.access.own import clear_second_factor
    from lujin.web.settings import Settings

    face = face_of(ctx)
    workspace = opened(park, face)
    engine, now = workspace.engine, workspace.clock()
    found = next((one for one in people(engine) if one.email == email.strip().lower() != ""), None)
    if found is None:
        message, remedy = N_("{email} is not known to this park"), N_("look for the address on the page People")
        raise InputError(Problem(message, {"email": email}, remedy))
    if lost_telephone:
        clear_second_factor(engine, None, found.number, now=now)
    path = f"/link/{new_link(engine, None, found.number, now=now)}"
    address = Settings.of_environment(park).public_url
    if as_json:
        print_json({"person": found.name, "email": found.email, "path": path, "link": address and address + path})
        return
    console = face.console()
    if address:
        say_line(console, face.say.fill(N_("{name} opens this link, once, within three days:"), name=found.name))
    else:
        text = N_("{name} opens this after the address of the server, once, within three days:")
        say_line(console, face.say.fill(text, name=found.name))
    console.print(address + path, soft_wrap=True)
