"""``lujin uncertainty``: how uncertain the totals of a month are, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from lujin.arguments import AsJson, AsOf, Month, Park, enterprise_id, instant, month_number
from lujin.cli import LOOK, app, face_of, opened, words_of
from lujin.errors import N_, InputError, Problem
from lujin.usage import Verb, WrongUsage, print_json


@app.command(
    cls=Verb,
    rich_help_panel=LOOK,
    help=N_("How uncertain the totals of a month are, what brings most of it, and what is not known"),
    epilog="lujin uncertainty mypark -m 2025-02 -e E004\nlujin uncertainty mypark -m 2025-02 --draws 10000",
)
def uncertainty(
    ctx: typer.Context,
    park: Park,
    month: Month,
    enterprise: Annotated[
        str | None,
        typer.Option("--enterprise", "-e", metavar=N_("ENTERPRISE"), help=N_("only this one; else all together")),
    ] = None,
    book: Annotated[
        str | None, typer.Option("--book", "-b", metavar=N_("BOOK"), help=N_("one carbon book; else every one"))
    ] = None,
    draws: Annotated[
        int, typer.Option(metavar=N_("COUNT"), help=N_("also draw so often (Monte Carlo), e.g. 10000"))
    ] = 0,
    seed: Annotated[int, typer.Option(metavar=N_("NUMBER"), help=N_("the same seed draws the same"))] = 1,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    from lujin.show import uncertainty as show

    face = face_of(ctx)
    wanted, known = month_number(month), instant(as_of)
    if draws < 0 or seed < 0:
        raise WrongUsage(Problem(N_("draws and seed are not negative"), {}, N_("write --draws 10000 --seed 1")))
    workspace = opened(park, face)
    who = enterprise_id(workspace, enterprise, face.say) if enterprise else ""
    found = workspace.uncertainty(wanted, book, who, known, draws=draws, seed=seed)
    if not found:
        raise InputError(
            Problem(
                N_("nothing is posted for {month} in this book"),
                {"month": month, "park": str(park)},
                N_("import readings and run: lujin run {park}"),
            )
        )
    if as_json:
        print_json([one.as_dict() for one in found])
        return
    named = {row.key: (row.table, row.values) for row in workspace.reference_rows}
    show.report(face.console(), found, words_of(workspace, face), named)
