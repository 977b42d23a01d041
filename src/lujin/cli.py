"""The command line: ``lujin VERB PARK …``. Every verb is a method of the workspace, shown as a table or JSON."""

from __future__ import annotations

import json
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lujin.arguments import (
    All,
    AnyMonth,
    AsJson,
    AsOf,
    Directory,
    Enterprise,
    Month,
    Park,
    Pdf,
    Xlsx,
    day,
    enterprise_id,
    instant,
    month_number,
)
from lujin.disk import write_whole
from lujin.errors import N_, InputError, Problem
from lujin.show.text import say_line, type_next
from lujin.usage import Face, Verb, Verbs, WrongUsage, print_json, progress_bar

if TYPE_CHECKING:
    from lujin.lock import Holder
    from lujin.show.words import Words
    from lujin.workspace import Workspace

START, WORK, LOOK = N_("Start"), N_("Main job"), N_("Look")
ABOUT = N_("lujin 绿金: from meter readings to energy and carbon accounts of every enterprise of a park")

app = typer.Typer(
    name="lujin",
    cls=Verbs,
    help=ABOUT,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


# ----------------------------------------------------------------------------------------------- places


def face_of(ctx: typer.Context) -> Face:
    found = ctx.find_root().obj
    return found if isinstance(found, Face) else Face.of_environment()


def opened(park: Path, face: Face) -> Workspace:
    from lujin.workspace import open_workspace

    def waiting(holder: Holder) -> None:
        text = N_("waiting for {purpose} (process {pid} on {host})")
        said = face.say.fill(text, purpose=holder.purpose or "?", pid=holder.pid or "?", host=holder.host or "?")
        sys.stderr.write(said + "\n")

    return open_workspace(park, on_wait=waiting)


def words_of(workspace: Workspace, face: Face) -> Words:
    from lujin.show.words import Words

    return Words(face.say, workspace.park)


# ------------------------------------------------------------------------------------------------------ start


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help=N_("the version of lujin"))] = False,
) -> None:
    if version:
        from lujin import __version__

        sys.stdout.write(f"lujin {__version__}\n")
        raise typer.Exit()
    if ctx.invoked_subcommand is None:
        sys.stdout.write(ctx.get_help() + "\n")


@app.command(
    cls=Verb,
    rich_help_panel=START,
    help=N_("Write the demo park, import its readings, post every month, take in late files, serve its pages"),
    epilog="lujin demo mydemo\nlujin demo mydemo --enterprises 12 --months 2 --overwrite --no-serve",
)
def demo(
    ctx: typer.Context,
    directory: Directory,
    enterprises: Annotated[
        int, typer.Option(metavar=N_("COUNT"), help=N_("how many enterprises, 12 to 200"))
    ] = 200,
    months: Annotated[int, typer.Option(metavar=N_("COUNT"), help=N_("how many months of 2025, 1 to 12"))] = 12,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=N_("replace an earlier demo"))] = False,
    no_serve: Annotated[bool, typer.Option("--no-serve", help=N_("end when the park is posted"))] = False,
    as_json: AsJson = False,
) -> None:
    from lujin.demonstrate import demonstrate
    from lujin.show import reports

    face = face_of(ctx)
    with progress_bar(face) as progress:
        result = demonstrate(directory, enterprises, months, overwrite=overwrite, progress=progress)
    if as_json:
        print_json(result.as_dict(face.say))
        return
    reports.demonstration(face.console(), result, words_of(opened(directory, face), face))
    if not no_serve:
        from lujin.cli_serve import serve_park
        from lujin.web.server import Options

        serve_park(directory, face, Options(other_port=True, log="text"))


@app.command(
    cls=Verb,
    rich_help_panel=START,
    help=N_("Write a commented park.toml to start from"),
    epilog="lujin init mypark\nlujin init mypark --from park.xlsx",
)
def init(
    ctx: typer.Context,
    directory: Directory,
    source: Annotated[
        Path | None, typer.Option("--from", metavar=N_("FILE"), help=N_("Excel workbook to start from"))
    ] = None,
    as_json: AsJson = False,
) -> None:
    from lujin.park import TEMPLATE, dumps, read_workbook

    face = face_of(ctx)
    target = directory / "park.toml"
    if target.exists():
        remedy = N_("choose another directory, or remove the file")
        raise InputError(Problem(N_("{file} exists already"), {"file": target}, remedy))
    text = TEMPLATE if source is None else dumps(read_workbook(source))
    directory.mkdir(parents=True, exist_ok=True)
    write_whole(target, text)
    if as_json:
        print_json({"written": [str(target)]})
        return
    say_line(face.console(), face.say.fill(N_("wrote {file}"), file=target))
    checks = face.say(N_("all problems at once, after you have edited it"))
    type_next(face.console(), face.say, [(f"lujin check {directory}", checks)])


@app.command(
    cls=Verb,
    rich_help_panel=START,
    help=N_("All problems of a park and its reference folder at once, each with place and remedy"),
    epilog="lujin check mypark",
)
def check(ctx: typer.Context, park: Park, as_json: AsJson = False) -> None:
    from lujin.accounts.posting import pack_problems
    from lujin.park import check as check_park
    from lujin.park import load
    from lujin.reference import check_reference
    from lujin.show import reports

    face = face_of(ctx)
    path = park / "park.toml" if park.is_dir() else park
    problems = check_park(path)
    if not any(p.severity == "error" for p in problems):
        problems = [*problems, *pack_problems(load(path))]
    problems = [*problems, *check_reference(path.parent / "reference")]
    errors = [p for p in problems if p.severity == "error"]
    if as_json:
        print_json({"ok": not errors, "problems": [p.as_dict(face.say) for p in problems]})
    else:
        reports.checked(face.console(), problems, face.say, str(park))
    if errors:
        raise typer.Exit(1)


@app.command(
    cls=Verb,
    rich_help_panel=START,
    help=N_("Write the park description as an Excel workbook, to edit there and read back with init --from"),
    epilog="lujin workbook mypark park.xlsx",
)
def workbook(
    ctx: typer.Context,
    park: Park,
    file: Annotated[
        Path, typer.Argument(metavar=N_("FILE"), help=N_("workbook to write, .xlsx"), show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    from lujin.park import load, write_workbook

    face = face_of(ctx)
    write_workbook(load(park / "park.toml"), file)
    if as_json:
        print_json({"written": [str(file)]})
    else:
        say_line(face.console(), face.say.fill(N_("wrote {file}"), file=file))


# --------------------------------------------------------------------------------------------------- main job


@app.command(
    "import",
    cls=Verb,
    rich_help_panel=WORK,
    help=N_(
        "Bring in readings from CSV, XLSX, Parquet or Arrow files or whole folders; the same file twice is no harm"
    ),
    epilog="lujin import mypark arrivals/\nlujin import mypark readings.csv --dry-run",
)
def import_(
    ctx: typer.Context,
    park: Park,
    files: Annotated[
        list[Path], typer.Argument(metavar=N_("FILE…"), help=N_("files or folders"), show_default=False)
    ],
    mapping: Annotated[
        str | None,
        typer.Option(metavar=N_("NAME"), help=N_("saved column mapping, or guess to pass over saved ones")),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=N_("only say what would happen"))] = False,
    as_json: AsJson = False,
) -> None:
    from lujin.show import reports

    face = face_of(ctx)
    workspace = opened(park, face)
    with progress_bar(face) as progress:
        results = workspace.import_files(files, mapping, dry_run=dry_run, progress=progress)
    if as_json:
        print_json([result.as_dict(face.say) for result in results])
    else:
        title = face.say(N_("Would be imported")) if dry_run else ""
        reports.imports(face.console(), results, words_of(workspace, face), title)
        if not dry_run and any(r.report is not None and r.report.months for r in results):
            type_next(face.console(), face.say, [(f"lujin run {park}", face.say(N_("post what came in")))])
    if any(result.failed for result in results):
        raise typer.Exit(1)


@app.command(
    cls=Verb,
    rich_help_panel=WORK,
    help=N_("From readings over quality and energy to postings in all books; only what changed"),
    epilog="lujin run mypark",
)
def run(ctx: typer.Context, park: Park, month: AnyMonth = None, as_json: AsJson = False) -> None:
    from lujin.show import reports

    face = face_of(ctx)
    wanted = month_number(month) if month else None
    workspace = opened(park, face)
    with progress_bar(face) as progress:
        report = workspace.run(wanted, progress=progress)
    if as_json:
        print_json(report.as_dict(face.say))
    else:
        reports.run(face.console(), report, words_of(workspace, face), str(park))


# -------------------------------------------------------------------------------------------------------- look


@app.command(
    cls=Verb,
    rich_help_panel=LOOK,
    help=N_("The account of an enterprise for a month, laid out like a bank statement"),
    epilog="lujin statement mypark -e E004 -m 2025-02\n"
    "lujin statement mypark -e E004 -m 2025-02 --pdf statement.pdf --xlsx statement.xlsx",
)
def statement(
    ctx: typer.Context,
    park: Park,
    enterprise: Enterprise,
    month: Month,
    book: Annotated[
        str,
        typer.Option("--book", "-b", metavar=N_("BOOK"), help=N_("location, market, regulatory or physical")),
    ] = "location",
    as_of: AsOf = None,
    pdf: Pdf = None,
    xlsx: Xlsx = None,
    as_json: AsJson = False,
) -> None:
    from lujin.cli_paper import tell

    face = face_of(ctx)
    wanted, known = month_number(month), instant(as_of)
    workspace = opened(park, face)
    found = workspace.statement(enterprise_id(workspace, enterprise, face.say), wanted, book, known)
    tell(face, workspace, found, str(park), pdf, xlsx, as_json=as_json)


@app.command(
    cls=Verb,
    rich_help_panel=LOOK,
    help=N_("Where a number comes from: account, rule, factor, entries, meters, down to the readings of a day"),
    epilog="lujin explain mypark E004:2025-02:location:S2/electricity\n"
    "lujin explain mypark E004:2025-02:location:S2/electricity:2025-02-05",
)
def explain(
    ctx: typer.Context,
    park: Park,
    line: Annotated[
        str,
        typer.Argument(
            metavar=N_("LINE"), help=N_("ENTERPRISE:MONTH:BOOK:ACCOUNT, perhaps with :DAY"), show_default=False
        ),
    ],
    whole: All = False,
    prov: Annotated[
        Path | None, typer.Option("--prov", metavar=N_("FILE"), help=N_("write the provenance as PROV-JSON"))
    ] = None,
    as_json: AsJson = False,
) -> None:
    from lujin.accounts import as_prov
    from lujin.show import explain as show

    face = face_of(ctx)
    workspace = opened(park, face)
    found = workspace.explain(line)
    if prov is not None:
        write_whole(prov, json.dumps(as_prov(found), ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    if as_json:
        print_json(found.as_dict(face.say))
    else:
        show.explanation(face.console(), found, words_of(workspace, face), str(park), whole=whole)


@app.command(
    cls=Verb,
    rich_help_panel=LOOK,
    help=N_(
        "Months, completeness, what waits to be posted; with a month every meter's gaps, estimates, suspects, "
        "spikes, resets and rollovers"
    ),
    epilog="lujin status mypark\nlujin status mypark --month 2025-02 --enterprise E004",
)
def status(
    ctx: typer.Context,
    park: Park,
    month: AnyMonth = None,
    enterprise: Annotated[
        str | None,
        typer.Option("--enterprise", "-e", metavar=N_("ENTERPRISE"), help=N_("only this one's meters")),
    ] = None,
    as_of: AsOf = None,
    whole: All = False,
    as_json: AsJson = False,
) -> None:
    from lujin.show import findings, reports

    face = face_of(ctx)
    wanted, known = month_number(month) if month else None, instant(as_of)
    if wanted is None and (enterprise or known or whole):
        raise WrongUsage(
            Problem(
                N_("{name} needs a month"), {"name": "--enterprise, --as-of, --all"}, N_("add --month 2025-06")
            )
        )
    workspace = opened(park, face)
    words = words_of(workspace, face)
    if wanted is None:
        report = workspace.status()
        if as_json:
            print_json(report.as_dict())
        else:
            reports.status(face.console(), report, words, str(park))
        return
    who = enterprise_id(workspace, enterprise, face.say) if enterprise else ""
    found = workspace.quality(wanted, who, known)
    if as_json:
        print_json(found.as_dict())
    else:
        findings.quality(face.console(), found, words, str(park), whole=whole)


@app.command(
    cls=Verb,
    rich_help_panel=LOOK,
    help=N_("Which factor or price holds when: search the reference tables and the park's own rows"),
    epilog="lujin reference mypark --table grid_factors --region 广东 --date 2025-06-30\n"
    "lujin reference mypark 天然气",
)
def reference(
    ctx: typer.Context,
    park: Park,
    word: Annotated[
        list[str] | None,
        typer.Argument(metavar=N_("WORD…"), help=N_("words that stand in the row"), show_default=False),
    ] = None,
    table: Annotated[
        str, typer.Option("--table", "-t", metavar=N_("TABLE"), help=N_("one table; without any, their list"))
    ] = "",
    region: Annotated[
        str, typer.Option("--region", "-r", metavar=N_("REGION"), help=N_("province, region or price zone"))
    ] = "",
    on: Annotated[
        str | None, typer.Option("--date", "-d", metavar=N_("DAY"), help=N_("only rows in force on this day"))
    ] = None,
    whole: All = False,
    as_json: AsJson = False,
) -> None:
    from lujin.reference import SCHEMAS, search
    from lujin.show import reference as show

    face = face_of(ctx)
    if table and table not in SCHEMAS:
        near = ", ".join(get_close_matches(table, SCHEMAS, n=3) or SCHEMAS)
        raise InputError(
            Problem(
                N_("there is no reference table {table}"),
                {"table": table, "known": near},
                N_("use one of: {known}"),
            )
        )
    held = day(on)
    workspace = opened(park, face)
    rows = workspace.reference_rows
    words = words_of(workspace, face)
    searched = bool(word or table or region or on or whole)
    found = search(rows, table=table, region=region, on=held, words=word or ())
    if as_json:
        print_json([show.as_dict(row) for row in found])
    elif searched:
        show.rows(face.console(), found, words, whole=whole)
    else:
        show.tables(face.console(), rows, words, str(park))


def main() -> None:
    """Entry point."""
    app()


from lujin import cli_alarms as cli_alarms  # noqa: E402 (its verb joins app)
from lujin import cli_arrivals as cli_arrivals  # noqa: E402 (its verbs join app)
from lujin import cli_balance as cli_balance  # noqa: E402 (its verbs join app)
from lujin import cli_evidence as cli_evidence  # noqa: E402 (its verbs join app)
from lujin import cli_operation as cli_operation  # noqa: E402 (its verbs join app)
from lujin import cli_people as cli_people  # noqa: E402 (its verb joins app)
from lujin import cli_periods as cli_periods  # noqa: E402 (its verbs join app)
from lujin import cli_serve as cli_serve  # noqa: E402 (its verb joins app)
from lujin import cli_trace as cli_trace  # noqa: E402 (its verbs join app)
from lujin import cli_uncertainty as cli_uncertainty  # noqa: E402 (its verb joins app)
