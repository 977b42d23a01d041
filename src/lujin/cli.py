"""The command line: ``lujin VERB PARK …``. Every verb is a method of the workspace, shown as a table or JSON.

Exit code 0: done; 1: the input is at fault (said with place and remedy); 2: wrong usage.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from lujin.errors import N_, InputError, LujinError, Problem
from lujin.language import language_of, translator
from lujin.lock import Holder
from lujin.workspace.progress import Progress, silent

app = typer.Typer(
    name="lujin",
    help="绿金 lujin: meter readings → energy and carbon accounts. 从表计读数到企业能碳账户。",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Park = Annotated[Path, typer.Argument(help="directory of the park 园区目录", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="machine-readable output 输出 JSON")]
Month = Annotated[str | None, typer.Option("--month", "-m", help="month as 2025-06 月份")]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="as known at this instant 截至认知时间, 2025-08-01T00:00Z")
]


def translate() -> Callable[[str], str]:
    return translator(language_of(os.environ))


def console() -> Console:
    """As wide as the terminal; wide enough for every table where there is none."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=_plain) + "\n")


def _plain(value: object) -> object:
    """Amounts are decimal strings: a JSON number is a double."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"not JSON: {type(value)}")


def month_number(text: str) -> int:
    """
    >>> month_number("2025-06")
    202506
    """
    digits = text.replace("-", "").replace("/", "")
    if len(digits) == 6 and digits.isdigit() and 1 <= int(digits[4:]) <= 12 and int(digits[:4]) >= 1900:
        return int(digits)
    raise InputError(Problem(N_("{text} is not a month"), {"text": text}, N_("write it as 2025-06")))


def instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            Problem(N_("{text} is not an instant"), {"text": text}, N_("write it as 2025-08-01T00:00Z"))
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress]:
    """A bar on standard error for anything that takes longer than a moment."""
    if quiet or not sys.stderr.isatty():
        yield silent
        return
    tr = translate()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(task: str, done: int, total: int) -> None:
            if task not in tasks:
                tasks[task] = bar.add_task(tr(task), total=total)
            bar.update(tasks[task], completed=done, total=total)

        yield show


def say_waiting(holder: Holder) -> None:
    text = translate()(N_("waiting for {purpose} (process {pid} on {host})"))
    sys.stderr.write(
        text.format(purpose=holder.purpose or "?", pid=holder.pid or "?", host=holder.host or "?") + "\n"
    )


@app.command()
def init(
    directory: Path,
    source: Annotated[
        Path | None, typer.Option("--from", help="Excel workbook to start from 由工作簿创建")
    ] = None,
) -> None:
    """Write a commented park.toml to start from. 写出带注释的 park.toml 模板。"""
    from lujin.park import TEMPLATE, dumps, read_workbook

    target = directory / "park.toml"
    if target.exists():
        raise InputError(
            Problem(
                N_("{file} exists already"), {"file": target}, N_("choose another directory, or remove the file")
            )
        )
    text = TEMPLATE if source is None else dumps(read_workbook(source))
    directory.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    tr = translate()
    console().print(tr(N_("wrote {file}")).format(file=target), markup=False)
    console().print(
        tr(N_("next: edit it, then run: lujin check {directory}")).format(directory=directory), markup=False
    )


@app.command()
def check(park: Park, as_json: AsJson = False) -> None:
    """All problems of a park at once, each with place and remedy. 一次列出全部问题。"""
    from lujin.park import check as check_park
    from lujin.reference import check_reference

    tr = translate()
    path = park / "park.toml" if park.is_dir() else park
    problems = [*check_park(path), *check_reference(path.parent / "reference")]
    errors = [p for p in problems if p.severity == "error"]
    if as_json:
        print_json({"ok": not errors, "problems": [p.as_dict(tr) for p in problems]})
    else:
        for problem in problems:
            mark = tr(N_("error")) if problem.severity == "error" else tr(N_("warning"))
            console().print(f"{mark}: {problem.text(tr)}", markup=False)
        done = tr(N_("{errors} errors, {warnings} warnings"))
        console().print(done.format(errors=len(errors), warnings=len(problems) - len(errors)), markup=False)
    if errors:
        raise typer.Exit(1)


@app.command()
def workbook(park: Park, file: Path) -> None:
    """Write the park description as an Excel workbook. 导出园区描述为 Excel 工作簿。"""
    from lujin.park import load, write_workbook

    write_workbook(load(park / "park.toml"), file)
    console().print(translate()(N_("wrote {file}")).format(file=file), markup=False)


@app.command("import")
def import_(
    park: Park,
    files: Annotated[list[Path], typer.Argument(help="files or folders 文件或文件夹", show_default=False)],
    mapping: Annotated[str | None, typer.Option(help="saved column mapping 已保存的列映射")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would happen 只预览")] = False,
    as_json: AsJson = False,
) -> None:
    """Import readings from CSV, XLSX, Parquet or Arrow. 导入读数。"""
    from lujin import show
    from lujin.workspace import open_workspace

    with progress_bar(as_json) as progress:
        reports = open_workspace(park, on_wait=say_waiting).import_files(
            files, mapping, dry_run=dry_run, progress=progress
        )
    if as_json:
        print_json([report.as_dict() for report in reports])
    else:
        show.imports(console(), reports, translate())
    if any(report.failed for report in reports):
        raise typer.Exit(1)


@app.command()
def run(park: Park, month: Month = None, as_json: AsJson = False) -> None:
    """Readings → quality → energy → postings in all books; incremental. 质检、计算、记账。"""
    from lujin import show
    from lujin.workspace import open_workspace

    with progress_bar(as_json) as progress:
        workspace = open_workspace(park, on_wait=say_waiting)
        report = workspace.run(month_number(month) if month else None, progress=progress)
    if as_json:
        print_json(report.as_dict(translate()))
    else:
        show.run(console(), report, translate())


@app.command()
def restate(
    park: Park,
    month: Annotated[list[str], typer.Option("--month", "-m", help="month as 2025-06 月份; may be repeated")],
    as_json: AsJson = False,
) -> None:
    """Resolve factors and prices of posted months anew and post the difference. 以现行因子重述。"""
    from lujin import show
    from lujin.workspace import open_workspace

    with progress_bar(as_json) as progress:
        workspace = open_workspace(park, on_wait=say_waiting)
        report = workspace.restate([month_number(m) for m in month], progress=progress)
    if as_json:
        print_json(report.as_dict(translate()))
    else:
        show.run(console(), report, translate())


@app.command()
def statement(
    park: Park,
    enterprise: Annotated[str, typer.Option("--enterprise", "-e", help="enterprise id 企业编号")],
    month: Annotated[str, typer.Option("--month", "-m", help="month as 2025-06 月份")],
    book: Annotated[str, typer.Option("--book", "-b", help="location · market · regulatory 账簿")] = "location",
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """The account of an enterprise for a month, like a bank statement. 企业能碳对账单。"""
    from lujin import show
    from lujin.workspace import open_workspace

    workspace = open_workspace(park)
    found = workspace.statement(enterprise, month_number(month), book, instant(as_of) if as_of else None)
    if as_json:
        print_json(found.as_dict())
    else:
        show.statement(console(), found, translate())


@app.command()
def explain(
    park: Park,
    line: Annotated[str, typer.Argument(help="line reference as printed on the statement 对账单上的行号")],
    as_json: AsJson = False,
) -> None:
    """Where a number comes from, down to the readings. 逐级追溯到读数。"""
    from lujin.workspace import open_workspace

    found = open_workspace(park).explain(line)
    if as_json:
        print_json(found.as_dict())
    else:
        console().print(found.as_text(), markup=False)


@app.command()
def status(park: Park, as_json: AsJson = False) -> None:
    """Months, completeness, what waits to be posted. 月份、完整率与待记账。"""
    from lujin import show
    from lujin.workspace import open_workspace

    report = open_workspace(park).status()
    if as_json:
        print_json(report.as_dict())
    else:
        show.status(console(), report, translate())


@app.command()
def verify(
    park: Park, replay: Annotated[bool, typer.Option(help="compute every posting again 全部重算")] = False
) -> None:
    """Check the stored ledger: digests, balance and, with --replay, every amount. 校验账簿。"""
    from lujin.workspace import open_workspace

    with progress_bar(quiet=False) as progress:
        counts = open_workspace(park).verify(replay=replay, progress=progress)
    text = translate()(N_("{entries} entries with {lines} lines verified"))
    console().print(text.format(**counts), markup=False)


@app.command()
def demo(
    directory: Path,
    enterprises: Annotated[int, typer.Option(min=12, max=2_000, help="how many enterprises 企业数")] = 200,
    months: Annotated[int, typer.Option(min=1, max=12, help="how many months of 2025 月数")] = 12,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace an earlier demo 覆盖")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the demo park, import its readings, post a year. 写出示范园区并完成全年记账。"""
    from lujin import show
    from lujin.demonstrate import demonstrate

    with progress_bar(as_json) as progress:
        result = demonstrate(directory, enterprises, months, overwrite=overwrite, progress=progress)
    if as_json:
        print_json(result.as_dict(translate()))
    else:
        show.demonstration(console(), result, translate())


def main() -> None:
    """Entry point: an error a user can act on is printed, never a traceback."""
    tr = translate()
    try:
        app()
    except LujinError as error:
        if "--json" in sys.argv:
            print_json({"error": [p.as_dict(tr) for p in error.problems]})
        else:
            for problem in error.problems:
                sys.stderr.write(f"{tr(N_('error'))}: {problem.text(tr)}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write(tr(N_("stopped; what was finished is stored")) + "\n")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
