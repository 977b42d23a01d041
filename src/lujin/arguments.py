"""What a user types after a verb: one spelling of each parameter, and how its text becomes a value."""

from __future__ import annotations

from datetime import UTC, date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lujin.errors import N_, InputError, Problem
from lujin.usage import WrongUsage

if TYPE_CHECKING:
    from lujin.language import Speech
    from lujin.workspace import Workspace

PARK_HELP = N_("directory of the park, the one with park.toml")
MONTH_HELP = N_("month, as 2025-06")
Park = Annotated[Path, typer.Argument(metavar=N_("PARK"), help=PARK_HELP, show_default=False)]
Directory = Annotated[Path, typer.Argument(metavar=N_("DIRECTORY"), help=N_("where to write"), show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help=N_("machine-readable output; amounts are decimal strings"))]
Month = Annotated[str, typer.Option("--month", "-m", metavar=N_("MONTH"), help=MONTH_HELP)]
AnyMonth = Annotated[str | None, typer.Option("--month", "-m", metavar=N_("MONTH"), help=N_("only this month"))]
Enterprise = Annotated[
    str, typer.Option("--enterprise", "-e", metavar=N_("ENTERPRISE"), help=N_("enterprise, by id or name"))
]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar=N_("TIME"), help=N_("as known at that time, e.g. 2025-08-01T00:00Z")),
]
All = Annotated[bool, typer.Option("--all", help=N_("list everything, however long"))]

Pdf = Annotated[
    Path | None,
    typer.Option("--pdf", metavar=N_("FILE"), help=N_("write it as a PDF to send, instead of showing it")),
]
Xlsx = Annotated[
    Path | None,
    typer.Option("--xlsx", metavar=N_("FILE"), help=N_("write it as an Excel workbook, instead of showing it")),
]


def month_number(text: str) -> int:
    """
    >>> month_number("2025-06")
    202506
    """
    digits = text.replace("-", "").replace("/", "")
    if len(digits) == 6 and digits.isdecimal() and 1 <= int(digits[4:]) <= 12 and int(digits[:4]) >= 1900:
        return int(digits)
    raise WrongUsage(Problem(N_("{text} is not a month"), {"text": text}, N_("write it as 2025-06")))


def instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise WrongUsage(
            Problem(N_("{text} is not an instant"), {"text": text}, N_("write it as 2025-08-01T00:00Z"))
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise WrongUsage(
            Problem(N_("{text} is not a day"), {"text": text}, N_("write it as 2025-06-30"))
        ) from None


def enterprise_id(workspace: Workspace, text: str, say: Speech) -> str:
    """An enterprise by its id, its name, or a part of its name that no other has; suggestions in ``say``."""
    nodes = [workspace.park.nodes[name] for name in workspace.park.enterprises()]
    if any(node.id == text for node in nodes):
        return text
    wanted = text.casefold()
    names = {node.id: (node.name_zh, node.name_en, node.id) for node in nodes}
    whole = [i for i, said in names.items() if wanted in (name.casefold() for name in said)]
    found = whole or [i for i, said in names.items() if any(wanted in name.casefold() for name in said[:2])]
    if len(found) == 1:
        return found[0]
    near = found[:5] or get_close_matches(text, names, n=3) or list(names)[:5]
    listed = ", ".join(f"{i} {say.name(*names[i][:2])}".rstrip() for i in near)
    params = {"enterprise": text, "near": listed, "count": len(found)}
    if found:
        message = N_("{count} enterprises are called {enterprise}")
        raise InputError(Problem(message, params, N_("name one of: {near}")))
    raise InputError(Problem(N_("there is no enterprise {enterprise}"), params, N_("did you mean: {near}")))
