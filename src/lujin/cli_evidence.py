"""Evidence on the command line: ``lujin verify`` checks a park's ledger, or a certificate without any park."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from lujin.arguments import AsJson
from lujin.cli import LOOK, app, face_of, opened
from lujin.errors import N_, InputError, Problem
from lujin.show.text import say_line
from lujin.usage import Face, Verb, WrongUsage, print_json, progress_bar


@app.command(
    cls=Verb,
    rich_help_panel=LOOK,
    help=N_(
        "Check a certificate offline: signature, status, proof, sum. Of a park: check its ledger, with --replay "
        "every amount from the facts of its time"
    ),
    epilog="lujin verify E004-2025-06.json --status status.json --issuer did:key:z6Mk…\n"
    "lujin verify mypark --replay",
)
def verify(
    ctx: typer.Context,
    target: Annotated[
        Path,
        typer.Argument(metavar=N_("FILE"), help=N_("certificate, or the directory of a park"), show_default=False),
    ],
    status: Annotated[
        Path | None,
        typer.Option("--status", metavar=N_("FILE"), help=N_("status list of the issuer, the newest there is")),
    ] = None,
    issuer: Annotated[
        str | None,
        typer.Option("--issuer", metavar="DID", help=N_("name of the issuer, did:key:…, as the park told you")),
    ] = None,
    witness: Annotated[
        Path | None,
        typer.Option("--witness", metavar=N_("FILE"), help=N_("older head of the log with its consistency proof")),
    ] = None,
    replay: Annotated[bool, typer.Option("--replay", help=N_("compute every posting again and compare"))] = False,
    as_json: AsJson = False,
) -> None:
    face = face_of(ctx)
    if target.is_dir() or target.name == "park.toml":
        if status or issuer or witness:
            name = "--status, --issuer, --witness"
            raise WrongUsage(Problem(N_("{name} belongs to a certificate"), {"name": name}, N_("name its file")))
        _ledger(target if target.is_dir() else target.parent, face, replay=replay, as_json=as_json)
        return
    if replay:
        raise WrongUsage(
            Problem(N_("{name} belongs to a park"), {"name": "--replay"}, N_("name the directory of the park"))
        )
    _certificate(target, status, issuer, witness, face, as_json=as_json)


def _certificate(
    file: Path, status: Path | None, issuer: str | None, witness: Path | None, face: Face, *, as_json: bool
) -> None:
    from lujin.publish import check
    from lujin.publish.integrity import key_of
    from lujin.show import evidence as show

    if issuer is not None:
        key_of(issuer)
    now = datetime.now(UTC)
    report = check(_bytes(file), _optional(status), trusted=issuer, witness=_optional(witness), now=now)
    if as_json:
        print_json({"file": str(file), **report.as_dict(face.say)})
    else:
        given = {"trusted": issuer is not None, "witnessed": witness is not None}
        show.certificate(face.console(), report, face.say, **given, now=now)
    if not report.ok:
        raise typer.Exit(1)


def _optional(file: Path | None) -> bytes | None:
    return None if file is None else _bytes(file)


def _bytes(file: Path) -> bytes:
    from lujin.publish.form import LARGEST

    try:
        with file.open("rb") as opened_file:
            return opened_file.read(LARGEST + 1)
    except OSError as error:
        message, reason = N_("the file cannot be read: {reason}"), {"reason": error.strerror or str(error)}
        raise InputError(Problem(message, reason, N_("check its name and place"), file=str(file))) from error


def _ledger(park: Path, face: Face, *, replay: bool, as_json: bool) -> None:
    workspace = opened(park, face)
    with progress_bar(face) as progress:
        counts = workspace.verify(replay=replay, progress=progress)
    if as_json:
        print_json({"ok": True, "replayed": replay, **counts})
        return
    text = N_("{entries} entries with {lines} lines verified: digests and balances hold")
    if replay:
        text = N_(
            "{entries} entries with {lines} lines verified: digests and balances hold, every amount recomputed"
        )
    said = {name: f"{count:,}" for name, count in counts.items()}
    say_line(face.console(), face.say.fill(text, **said), "green")
    kept = N_("{heads} signed heads of the log and {period_events} events of periods hold")
    say_line(face.console(), face.say.fill(kept, **said), "green")
