"""Periods and evidence on the command line: closing, verifying, restating; heads, certificates, the base year."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from lujin.arguments import AsJson, Enterprise, Month, Park, enterprise_id, month_number
from lujin.cli import LOOK, WORK, app, face_of, opened, words_of
from lujin.disk import write_whole
from lujin.errors import N_, InputError, Problem
from lujin.usage import Verb, WrongUsage, print_json, progress_bar

Months = Annotated[
    list[str],
    typer.Option("--month", "-m", metavar=N_("MONTH"), help=N_("month, as 2025-06; may be repeated")),
]
Author = Annotated[str, typer.Option("--author", metavar=N_("NAME"), help=N_("who does it; is recorded"))]
Out = Annotated[Path, typer.Option("--out", "-o", metavar=N_("FILE"), help=N_("file to write"))]
MaybeOut = Annotated[Path | None, typer.Option("--out", "-o", metavar=N_("FILE"), help=N_("file to write"))]


@app.command(
    cls=Verb,
    rich_help_panel=WORK,
    help=N_("Close months: from then on only a restatement that names its cause moves their accounts"),
    epilog='lujin close mypark --month 2025-06 --note "two meters of steam main 2 in dispute"',
)
def close(
    ctx: typer.Context,
    park: Park,
    month: Months,
    note: Annotated[str, typer.Option(metavar=N_("TEXT"), help=N_("what readers of the account must know"))] = "",
    author: Author = "",
    as_json: AsJson = False,
) -> None:
    from lujin.show import periods as show

    face = face_of(ctx)
    workspace = opened(park, face)
    found = workspace.close([month_number(m) for m in month], note, author)
    if as_json:
        print_json([period.as_dict() for period in found])
    else:
        show.closed(face.console(), found, words_of(workspace, face))


@app.command(
    cls=Verb,
    rich_help_panel=WORK,
    help=N_("Record the opinion of a verifier on closed months"),
    epilog='lujin approve mypark --month 2025-06 --verifier "CQC" --outcome unqualified \\\n'
    '  --opinion "reasonable assurance, no findings"',
)
def approve(
    ctx: typer.Context,
    park: Park,
    month: Months,
    verifier: Annotated[str, typer.Option(metavar=N_("NAME"), help=N_("who verified"))],
    outcome: Annotated[
        str,
        typer.Option(
            metavar=N_("OUTCOME"),
            help=N_("unqualified or qualified, which verify; adverse or disclaimer, which leave the month closed"),
        ),
    ],
    opinion: Annotated[str, typer.Option(metavar=N_("TEXT"), help=N_("what the verifier states"))],
    author: Author = "",
    as_json: AsJson = False,
) -> None:
    from lujin.show import periods as show

    face = face_of(ctx)
    workspace = opened(park, face)
    found = workspace.verified([month_number(m) for m in month], verifier, outcome, opinion, author)
    if as_json:
        print_json([period.as_dict() for period in found])
    else:
        show.periods(face.console(), found, words_of(workspace, face))


@app.command(
    cls=Verb,
    rich_help_panel=WORK,
    help=N_(
        "Resolve factors and prices of posted months anew and post the difference; in a closed month also all "
        "that waited, with its cause"
    ),
    epilog="lujin restate mypark --month 2025-01\n"
    'lujin restate mypark --month 2025-01 --cause "meter M7 was read late"',
)
def restate(
    ctx: typer.Context,
    park: Park,
    month: Months,
    cause: Annotated[
        str, typer.Option(metavar=N_("TEXT"), help=N_("why; a closed month needs it, and it is recorded"))
    ] = "",
    author: Author = "",
    as_json: AsJson = False,
) -> None:
    from lujin.show import periods as show
    from lujin.show import reports

    face = face_of(ctx)
    workspace = opened(park, face)
    with progress_bar(face) as progress:
        report = workspace.restate([month_number(m) for m in month], cause, author, progress=progress)
    if as_json:
        print_json(report.as_dict(face.say))
        return
    words = words_of(workspace, face)
    reports.run(face.console(), report, words, str(park), face.say(N_("Restated")))
    show.restated(face.console(), report.restated, words)


@app.command(
    cls=Verb,
    rich_help_panel=LOOK,
    help=N_("Which months are open, closed, verified or restated, and what was done to each"),
    epilog="lujin periods mypark",
)
def periods(ctx: typer.Context, park: Park, as_json: AsJson = False) -> None:
    from lujin.show import periods as show

    face = face_of(ctx)
    workspace = opened(park, face)
    found = workspace.periods()
    if as_json:
        print_json([period.as_dict() for period in found])
    else:
        show.periods(face.console(), found, words_of(workspace, face))


@app.command(
    cls=Verb,
    rich_help_panel=WORK,
    help=N_("Sign the head of the log of entries; with an older head, prove that nothing of then was changed"),
    epilog="lujin head mypark --out head.json\nlujin head mypark --since head.json --out witness.json",
)
def head(
    ctx: typer.Context,
    park: Park,
    since: Annotated[
        Path | None, typer.Option("--since", metavar=N_("FILE"), help=N_("an older head, as head wrote it"))
    ] = None,
    out: MaybeOut = None,
    as_json: AsJson = False,
) -> None:
    from lujin.show import periods as show

    face = face_of(ctx)
    workspace = opened(park, face)
    found = workspace.head(since)
    if out is not None:
        _write(out, found.document if found.witness is None else found.witness)
    if as_json:
        print_json(found.as_dict())
    else:
        show.head(face.console(), found, words_of(workspace, face), out)


@app.command(
    cls=Verb,
    rich_help_panel=WORK,
    help=N_("Certify closed months of an enterprise's account, in one file that a bank checks offline"),
    epilog="lujin certificate mypark -e E004 --month 2025-06 --out E004-2025-06.json",
)
def certificate(
    ctx: typer.Context,
    park: Park,
    enterprise: Enterprise,
    month: Month,
    out: Out,
    to: Annotated[
        str | None, typer.Option("--to", metavar=N_("MONTH"), help=N_("last month, if it covers several"))
    ] = None,
    book: Annotated[
        list[str] | None,
        typer.Option(
            "--book",
            "-b",
            metavar=N_("BOOK"),
            help=N_("may be repeated; without it all carbon books. physical tells energy and money"),
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help=N_("put it in the place of a file that is there"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    from lujin.show import periods as show

    face = face_of(ctx)
    first, last = month_number(month), month_number(to) if to else None
    if out.exists() and not overwrite:
        remedy = N_("name another file, or say --overwrite")
        message = N_("there is a file already, perhaps the only copy of another certificate")
        raise InputError(Problem(message, {}, remedy, file=str(out)))
    workspace = opened(park, face)
    document = workspace.certificate(enterprise_id(workspace, enterprise, face.say), first, last, books=book)
    _write(out, document)
    if as_json:
        index = document["credentialStatus"]["statusListIndex"]
        issuer = document["issuer"]["id"]
        print_json({"written": [str(out)], "id": document["id"], "issuer": issuer, "status_index": index})
    else:
        show.certificate(face.console(), document, words_of(workspace, face), out)


@app.command(
    "status-list",
    cls=Verb,
    rich_help_panel=WORK,
    help=N_("Write the signed list of the certificates that a restatement superseded"),
    epilog="lujin status-list mypark --out status.json",
)
def status_list(ctx: typer.Context, park: Park, out: Out, as_json: AsJson = False) -> None:
    from lujin.show.text import say_line

    face = face_of(ctx)
    document = opened(park, face).status_list()
    _write(out, document)
    if as_json:
        print_json({"written": [str(out)], "issued": document["credentialSubject"]["issued"]})
    else:
        issued = document["credentialSubject"]["issued"]
        text = N_("wrote {file}: status of {count} certificates")
        say_line(face.console(), face.say.fill(text, file=out, count=issued), "green")


@app.command(
    "base-year",
    cls=Verb,
    rich_help_panel=LOOK,
    help=N_("Whether the base year is to be recalculated: each change since, its size, and what follows"),
    epilog="lujin base-year mypark\nlujin base-year mypark --structural E007=1250 --organic E009",
)
def base_year(
    ctx: typer.Context,
    park: Park,
    book: Annotated[
        str, typer.Option("--book", "-b", metavar=N_("BOOK"), help=N_("location, market or regulatory"))
    ] = "location",
    structural: Annotated[
        list[str] | None,
        typer.Option(
            "--structural",
            metavar=N_("ENTERPRISE[=TONNES]"),
            help=N_("came or went with its emissions; of one that came, tCO2e in the base year; may be repeated"),
        ),
    ] = None,
    organic: Annotated[
        list[str] | None,
        typer.Option(
            "--organic", metavar=N_("ENTERPRISE"), help=N_("opened anew or closed down; may be repeated")
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    from lujin.show import periods as show

    face = face_of(ctx)
    told = dict(map(_told, structural or ()))
    workspace = opened(park, face)
    found = workspace.base_year(book, structural=told, organic=organic or ())
    if as_json:
        print_json(found.as_dict(face.say))
    else:
        show.base_year(face.console(), found, words_of(workspace, face))


def _told(text: str) -> tuple[str, Decimal | None]:
    name, given, tonnes = text.partition("=")
    try:
        amount = Decimal(tonnes) if given else None
    except InvalidOperation:
        amount = Decimal("NaN")
    if not name or (amount is not None and not amount.is_finite()):
        remedy = N_("write it as E007 or E007=1250")
        raise WrongUsage(Problem(N_("{text} names no enterprise with its tonnes"), {"text": text}, remedy))
    return name, amount


def _write(file: Path, document: Mapping[str, Any]) -> None:
    """In canonical form: one value is one sequence of bytes, and a check accepts no other."""
    from lujin.publish import canonical_file

    write_whole(file, canonical_file(dict(document)).decode())
