"""``lujin alarms``: what needs somebody now."""

from __future__ import annotations

from typing import Annotated

import typer

from lujin.arguments import AsJson, Park, instant
from lujin.cli import LOOK, app, face_of, opened, words_of
from lujin.errors import N_
from lujin.usage import Verb, print_json


@app.command(
    cls=Verb,
    rich_help_panel=LOOK,
    help=N_("What needs attention: alarms that stand; with --evaluate the rules are judged first"),
    epilog="lujin alarms mypark\nlujin alarms mypark --suggested --evaluate",
)
def alarms(
    ctx: typer.Context,
    park: Park,
    judge: Annotated[
        bool, typer.Option("--evaluate", help=N_("judge all rules now, raise and clear, and send what waits"))
    ] = False,
    suggested: Annotated[
        bool, typer.Option("--suggested", help=N_("add the rules that a park begins with, if it has none"))
    ] = False,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar=N_("TIME"), help=N_("judge as if it were then, e.g. 2025-06-30T12:00+08:00")),
    ] = None,
    whole: Annotated[bool, typer.Option("--all", help=N_("also those that are cleared"))] = False,
    as_json: AsJson = False,
) -> None:
    from lujin.alarms import alarms as standing
    from lujin.alarms import evaluate, given_up_since, record, rules, send_waiting
    from lujin.alarms import suggested as begin_with
    from lujin.show import alarms as show

    face, moment = face_of(ctx), instant(at)
    workspace = opened(park, face)
    with workspace.engine.connect() as connection:
        present = rules(connection)
    if suggested and not present:
        for rule in begin_with(workspace.park):
            record(workspace.engine, rule, "", workspace.clock())
    round_ = evaluate(workspace, moment) if judge else None
    if judge:
        send_waiting(workspace)
    now = moment or workspace.clock()
    with workspace.engine.connect() as connection:
        found = standing(connection, cleared=None if whole else False)
        lost, present = given_up_since(connection, now), rules(connection)
    if as_json:
        print_json(
            {
                "rules": [version.as_dict() for version in present],
                "round": None if round_ is None else round_.as_dict(face.say),
                "alarms": [alarm.as_dict(now, face.say) for alarm in found],
                "messages_given_up": lost,
            }
        )
        return
    show.alarms(face.console(), found, words_of(workspace, face), now)
    show.round_of(face.console(), round_, len(present), lost, face.say, str(park))
