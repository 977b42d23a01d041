"""``lujin trace``: carbon intensity hour by hour."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lujin.arguments import AsJson, Month, Park, enterprise_id, month_number
from lujin.cli import LOOK, app, face_of, opened, words_of
from lujin.disk import said
from lujin.errors import N_
from lujin.usage import Verb, print_json, progress_bar


@app.command(
    cls=Verb,
    rich_help_panel=LOOK,
    help=N_("Carbon intensity of every enterprise's power and heat, hour by hour, traced through the park"),
    epilog="lujin trace mypark --month 2025-06\nlujin trace mypark -m 2025-06 -e E003 --csv hours.csv",
)
def trace(
    ctx: typer.Context,
    park: Park,
    month: Month,
    enterprise: Annotated[
        str | None,
        typer.Option("--enterprise", "-e", metavar=N_("ENTERPRISE"), help=N_("enterprise, by id or name")),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar=N_("FILE"), help=N_("write every hour as a CSV table"))
    ] = None,
    as_json: AsJson = False,
) -> None:
    from lujin.show import trace as show

    face = face_of(ctx)
    wanted = month_number(month)
    workspace = opened(park, face)
    who = enterprise_id(workspace, enterprise, face.say) if enterprise else ""
    with progress_bar(face) as progress:
        found = workspace.trace(wanted, progress=progress)
    if csv is not None:
        with said(csv):
            found.hours(who).write_csv(csv)
    if as_json:
        print_json(found.as_dict(face.say, who))
    else:
        show.intensities(face.console(), found, words_of(workspace, face), str(park), who)
