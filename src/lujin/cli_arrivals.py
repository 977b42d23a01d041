"""Arrivals on the command line: what came when, and taking one back."""

from __future__ import annotations

from typing import Annotated

import typer

from lujin.arguments import AsJson, Park
from lujin.cli import LOOK, WORK, app, face_of, opened, words_of
from lujin.errors import N_
from lujin.usage import Verb, print_json, progress_bar


@app.command(
    cls=Verb,
    rich_help_panel=LOOK,
    help=N_("What arrived when, from whom, and what became of it; newest first"),
    epilog="lujin arrivals mypark",
)
def arrivals(
    ctx: typer.Context,
    park: Park,
    count: Annotated[int, typer.Option(metavar=N_("COUNT"), min=1, help=N_("how many"))] = 50,
    before: Annotated[
        int | None, typer.Option(metavar=N_("NUMBER"), help=N_("only those before this arrival"))
    ] = None,
    as_json: AsJson = False,
) -> None:
    from lujin.show import arrivals as show

    face = face_of(ctx)
    workspace = opened(park, face)
    found = workspace.arrivals(count, before)
    if as_json:
        print_json([record.as_dict() for record in found])
    else:
        show.listed(face.console(), found, words_of(workspace, face), str(park))


@app.command(
    cls=Verb,
    rich_help_panel=WORK,
    help=N_("Take an arrival back: readings become what they would be had it never come; nothing is deleted"),
    epilog='lujin undo mypark 12 --dry-run\nlujin undo mypark 12 --reason "file of another park"',
)
def undo(
    ctx: typer.Context,
    park: Park,
    source: Annotated[
        int, typer.Argument(metavar=N_("SOURCE"), help=N_("number of the arrival"), show_default=False)
    ],
    reason: Annotated[str, typer.Option(metavar=N_("TEXT"), help=N_("why; is recorded"))] = "",
    author: Annotated[str, typer.Option(metavar=N_("NAME"), help=N_("who does it; is recorded"))] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help=N_("only say what would happen"))] = False,
    as_json: AsJson = False,
) -> None:
    from lujin.show import arrivals as show

    face = face_of(ctx)
    workspace = opened(park, face)
    with progress_bar(face) as progress:
        found = workspace.undo(source, reason, author, dry_run=dry_run, progress=progress)
    if as_json:
        print_json(found.as_dict())
    else:
        show.undone(face.console(), found, words_of(workspace, face), str(park))
