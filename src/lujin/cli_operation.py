"""Operation on the command line: a backup of a running park, and a park from a backup."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lujin.arguments import AsJson, Directory, Park
from lujin.cli import app, face_of, opened
from lujin.errors import N_
from lujin.show.text import say_line, type_next
from lujin.usage import Verb, print_json, progress_bar

OPERATION = N_("Operation")
BackupFile = Annotated[
    Path, typer.Argument(metavar=N_("FILE"), help=N_("the backup, .tar or .tar.gz"), show_default=False)
]


@app.command(
    cls=Verb,
    rich_help_panel=OPERATION,
    help=N_("Write the whole park into one file while others go on using it; without the signing key"),
    epilog="lujin backup mypark mypark-2025-08-01.tar",
)
def backup(
    ctx: typer.Context,
    park: Park,
    file: BackupFile,
    with_keys: Annotated[
        bool,
        typer.Option("--with-keys", help=N_("with the signing key: then guard the file as you guard the key")),
    ] = False,
    as_json: AsJson = False,
) -> None:
    face = face_of(ctx)
    workspace = opened(park, face)
    with progress_bar(face) as progress:
        report = workspace.backup(file, with_keys=with_keys, progress=progress)
    if as_json:
        print_json(report.as_dict())
        return
    stated = report.manifest
    text = N_("wrote {file}: {files} files, {rows} rows of the database, {size} MB")
    rows = f"{sum(stated.tables.values()):,}"
    size = f"{report.size / 1e6:,.1f}"
    say_line(
        face.console(), face.say.fill(text, file=file, files=len(stated.files), rows=rows, size=size), "green"
    )
    if not stated.keys:
        said = N_("the signing key in {keys} is not in it: keep a copy of it in another place")
        say_line(face.console(), face.say.fill(said, keys=park / "keys"))
    type_next(face.console(), face.say, [(f"lujin restore {file} {park}-copy", face.say(N_("prove the backup")))])


@app.command(
    cls=Verb,
    rich_help_panel=OPERATION,
    help=N_("Make a park of a backup in a new directory: checks every digest first, and verifies the result"),
    epilog="lujin restore mypark-2025-08-01.tar mypark-restored --replay",
)
def restore(
    ctx: typer.Context,
    file: BackupFile,
    directory: Directory,
    replay: Annotated[bool, typer.Option("--replay", help=N_("compute every posting again and compare"))] = False,
    as_json: AsJson = False,
) -> None:
    from lujin.workspace.restore import restore as make

    face = face_of(ctx)
    with progress_bar(face) as progress:
        report = make(file, directory, replay=replay, progress=progress)
    if as_json:
        print_json(report.as_dict())
        return
    text = N_("restored {directory} as it was at {time}: {entries} entries with {lines} lines verified")
    counts = {name: f"{report.verified[name]:,}" for name in ("entries", "lines")}
    time = f"{report.manifest.made_at[:19].replace('T', ' ')} UTC"
    said = face.say.fill(text, directory=directory, time=time, **counts)
    say_line(face.console(), said, "green")
    if not report.manifest.keys:
        text = N_("the backup held no signing key: put yours into {keys}, or later heads are signed by a new name")
        say_line(face.console(), face.say.fill(text, keys=directory / "keys"))
