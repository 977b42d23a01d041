"""``lujin balance``: do the meters of a month agree?"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

import typer

from lujin.arguments import AsJson, AsOf, Month, Park, instant, month_number
from lujin.cli import LOOK, app, face_of, opened, words_of
from lujin.errors import N_, Problem
from lujin.usage import Verb, WrongUsage, print_json


@app.command(
    cls=Verb,
    rich_help_panel=LOOK,
    help=N_(
        "Supply against users of every network, whether uncertainty explains the gap, which meter does; and flows "
        "that two meters measured"
    ),
    epilog="lujin balance mypark --month 2025-06\n"
    "lujin balance mypark --month 2025-06 --network STEAM --expected-loss STEAM=3%",
)
def balance(
    ctx: typer.Context,
    park: Park,
    month: Month,
    network: Annotated[
        str, typer.Option("--network", "-n", metavar=N_("NODE"), help=N_("only the networks of this node"))
    ] = "",
    expected_loss: Annotated[
        list[str] | None,
        typer.Option(
            "--expected-loss", metavar=N_("NODE=SHARE"), help=N_("known loss of a network, e.g. STEAM=3%")
        ),
    ] = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    from lujin.show import balance as show

    face = face_of(ctx)
    wanted, known = month_number(month), instant(as_of)
    declared = dict(loss(text) for text in expected_loss or ())
    workspace = opened(park, face)
    found = workspace.balance(wanted, network, declared, known)
    settled = workspace.settlements(wanted, as_of=known)
    if network:
        settled = tuple(said for said in settled if said.flow == network)
    if as_json:
        print_json({**found.as_dict(), "settlements": [said.as_dict() for said in settled]})
        return
    show.balance(face.console(), found, settled, words_of(workspace, face), str(park))


def loss(text: str) -> tuple[str, Fraction]:
    """
    >>> loss("STEAM=3%"), loss("BUS=0.004")
    (('STEAM', Fraction(3, 100)), ('BUS', Fraction(1, 250)))
    """
    node, _, share = text.rpartition("=")
    number = share.strip().removesuffix("%").strip()
    try:
        value = Fraction(number) / (100 if share.strip().endswith("%") else 1)
    except (ValueError, ZeroDivisionError):
        value = Fraction(-1)
    if not node or not 0 <= value < 1:
        message = N_("{text} is not the loss of a network")
        raise WrongUsage(Problem(message, {"text": text}, N_("write it as STEAM=3%")))
    return node, value
