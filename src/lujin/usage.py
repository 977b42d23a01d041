"""How the command line speaks: help, errors and exit codes, in the user's language.

Exit code 0: done; 1: the input is at fault (said with place and remedy); 2: wrong usage; 70: a fault of lujin
itself; 130: stopped by the user.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from lujin.errors import N_, LujinError, Problem
from lujin.language import LANGUAGES, Language, Speech, language_of
from lujin.show.text import width_of, wrapped

if TYPE_CHECKING:
    from rich.console import Console

    from lujin.workspace.progress import Progress

WRONG_USAGE, OWN_FAULT, STOPPED = 2, 70, 130
PIPE_WIDTH = 120  # no table needs more; a terminal's own width counts where there is one
_LEFT = 28  # cells for names of options in help

UsageError: type[Exception] = typer.BadParameter.__bases__[0]


class WrongUsage(LujinError):
    """The command line itself cannot be understood."""

    exit_code = WRONG_USAGE


@dataclass(frozen=True, slots=True)
class Face:
    """What a verb needs to know of the person in front of it."""

    say: Speech
    as_json: bool = False

    @classmethod
    def of_environment(cls) -> Face:
        return cls(Speech(language_of()))

    def console(self, *, error: bool = False) -> Console:
        """As wide as the terminal or COLUMNS say; colours only on a terminal, and not if NO_COLOR is set."""
        from rich.console import Console

        class Pipe(Console):
            def on_broken_pipe(self) -> None:
                raise BrokenPipeError

        stream = sys.stderr if error else sys.stdout
        fixed = PIPE_WIDTH if not stream.isatty() and "COLUMNS" not in os.environ else None
        return Pipe(stderr=error, highlight=False, markup=False, emoji=False, width=fixed)


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


# ------------------------------------------------------------------------------------------ from the arguments


def take_language(arguments: Sequence[str]) -> tuple[Language | None, list[str]]:
    """``--lang`` may stand anywhere; it is taken out before anything else is read.

    >>> take_language(["status", "--lang", "zh", "park"])
    ('zh', ['status', 'park'])
    """
    rest: list[str] = []
    found: str | None = None
    given = iter(arguments)
    for argument in given:
        if argument == "--lang":
            found = next(given, "")
        elif argument.startswith("--lang="):
            found = argument.partition("=")[2]
        else:
            rest.append(argument)
    if found is None:
        return None, rest
    language = next((known for known in LANGUAGES if found.lower().replace("-", "_").split("_")[0] == known), None)
    if language is None:
        params = {"language": found, "known": ", ".join(LANGUAGES)}
        raise WrongUsage(Problem(N_("there is no language {language}"), params, N_("use one of: {known}")))
    return language, rest


class Verbs(TyperGroup):
    """All verbs. Everything that can go wrong ends here, as a sentence and an exit code."""

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        for stream in (sys.stdout, sys.stderr):
            # A terminal in GBK or ASCII lacks some characters: it shows "?", and the rest is told.
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="replace")
        arguments = list(sys.argv[1:] if args is None else args)
        face = Face(Speech(language_of()), "--json" in arguments)
        try:
            chosen, arguments = take_language(arguments)
            if chosen is not None:
                face = Face(Speech(chosen), face.as_json)
            options = {"standalone_mode": False, "obj": face}
            code = super().main(args=arguments or ["--help"], prog_name=prog_name or "lujin", **(extra | options))
        except BaseException as error:  # every ending gets its exit code here
            code = ending(error, face)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader, e.g. `head`, has seen enough.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        except KeyboardInterrupt:
            sys.stderr.write("\n" + ctx.obj.say(N_("stopped; what was finished is stored")) + "\n")
            raise typer.Exit(STOPPED) from None
        return code

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(root_help(self, speech(ctx)))


class Verb(TyperCommand):
    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(verb_help(self, ctx.command_path, speech(ctx)))


def speech(ctx: Any) -> Speech:
    return ctx.obj.say if isinstance(ctx.obj, Face) else Speech(language_of())


# --------------------------------------------------------------------------------------------------- endings


def ending(error: BaseException, face: Face) -> int:
    """Say what is wrong; the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 0
    if isinstance(error, LujinError):
        complain(error.problems, face)
        return error.exit_code
    if isinstance(error, UsageError):
        complain([usage_problem(error)], face)
        return WRONG_USAGE
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return STOPPED
    if isinstance(error, OSError) and error.filename:
        params = {"reason": error.strerror or str(error)}
        message = N_("the file cannot be read or written: {reason}")
        place = str(error.filename)
        complain(
            [Problem(message, params, N_("check the path, its permissions and free space"), file=place)], face
        )
        return 1
    return own_fault(error, face)


def own_fault(error: BaseException, face: Face) -> int:
    if os.environ.get("LUJIN_DEBUG"):
        traceback.print_exception(error)
    params = {"kind": type(error).__name__, "text": str(error).strip().partition("\n")[0]}
    message = N_("lujin met a case it does not know ({kind}: {text}); what was stored before is intact")
    remedy = N_("repeat the command with LUJIN_DEBUG=1 set and report what it prints")
    complain([Problem(message, params, remedy)], face)
    return OWN_FAULT


def complain(problems: Sequence[Problem], face: Face) -> None:
    told = [_with_months(problem) for problem in problems]
    if face.as_json:
        print_json({"error": [p.as_dict(face.say) for p in told]})
        return
    for problem in told:
        kind = face.say(N_("error") if problem.severity == "error" else N_("warning"))
        said = face.say.fill(N_("{place}: {said}"), place=kind, said=problem.text(face.say))
        sys.stderr.write(f"{said}\n")


def _with_months(problem: Problem) -> Problem:
    """Months as a person writes them: 202506 becomes 2025-06."""
    months = {
        k: f"{v // 100}-{v % 100:02}" for k, v in problem.params.items() if k == "month" and isinstance(v, int)
    }
    return replace(problem, params={**problem.params, **months}) if months else problem


def usage_problem(error: Any) -> Problem:
    """What Typer found wrong with the arguments, as a problem of our own."""
    verb = error.ctx.command_path if getattr(error, "ctx", None) is not None else "lujin"
    params: dict[str, Any] = {"verb": verb, "text": error.format_message()}
    see = N_("see: {verb} --help")
    name = type(error).__name__
    parameter = getattr(error, "param", None)
    if parameter is not None:
        params["name"] = _shortest(parameter)
        message = N_("{name} is missing") if name == "MissingParameter" else N_("the value of {name} does not fit")
        return Problem(message, params, see)
    if name == "NoSuchOption":
        params |= {"name": error.option_name, "near": ", ".join(error.possibilities or ())}
        remedy = N_("did you mean {near}? see: {verb} --help") if params["near"] else see
        return Problem(N_("there is no option {name}"), params, remedy)
    if name == "BadOptionUsage":
        return Problem(N_("option {name} needs a value"), params | {"name": error.option_name}, see)
    if error.message.startswith("No such command"):
        word, _, near = error.message.removeprefix("No such command ").partition(". Did you mean ")
        params |= {"name": word.strip(" '.\""), "near": near.replace("'", "").rstrip("?")}
        remedy = N_("did you mean {near}? see: {verb} --help") if near else see
        return Problem(N_("there is no verb {name}"), params, remedy)
    if error.message.startswith("Got unexpected extra argument"):
        extra = error.message.rpartition("(")[2].rstrip(")")
        return Problem(N_("too many arguments: {extra}"), params | {"extra": extra}, see)
    return Problem(N_("wrong usage: {text}"), params, see)


def _shortest(parameter: Any) -> str:
    if not isinstance(parameter, TyperOption):
        return str(parameter.metavar or parameter.name).upper()
    return max(parameter.opts, key=len)


# ------------------------------------------------------------------------------------------------------ help


def root_help(group: Any, say: Speech) -> str:
    lines = [say(group.help), "", say.fill(N_("usage: {line}"), line=say(N_("lujin VERB PARK … [options]")))]
    panels: dict[str, list[Any]] = {}
    for command in group.commands.values():
        panels.setdefault(command.rich_help_panel or "", []).append(command)
    for panel, commands in panels.items():
        lines += ["", say(panel)]
        lines += [line for c in commands for line in _entry(str(c.name), say(c.help).partition("\n")[0], 13)]
    lines += ["", say(N_("Options"))]
    for names, text in (
        ("--lang zh|en", N_("language; otherwise LUJIN_LANG, LC_ALL, LC_MESSAGES or LANG decide")),
        ("--version", N_("the version of lujin")),
        ("--help", N_("this text; after a verb, that verb's own")),
    ):
        lines += _entry(names, say(text), 18)
    lines += ["", say.fill(N_("start with: {command}"), command="lujin demo mydemo"), ""]
    return "\n".join(lines)


def verb_help(command: Any, path: str, say: Speech) -> str:
    arguments = [p for p in command.params if not isinstance(p, TyperOption)]
    options = [p for p in command.params if isinstance(p, TyperOption) and p.name != "help"]
    needed = [f"{max(o.opts, key=len)} {say(o.metavar or '')}".rstrip() for o in options if o.required]
    usage = " ".join([path, *(say(_metavar(a)) for a in arguments), *needed, say(N_("[options]"))])
    lines = [say.fill(N_("usage: {line}"), line=usage), ""]
    lines += [line for part in say(command.help).split("\n") for line in (wrapped(part, 78) or [""])]
    rows = [(say(_metavar(a)), say(a.help or "")) for a in arguments]
    lines += ["", *(line for names, text in rows for line in _entry(names, text, _LEFT))]
    for option in options:
        names = ", ".join(sorted(option.opts, key=len))
        names = f"{names} {say(option.metavar or '')}".rstrip()
        text = say(option.help or "")
        if option.required:
            text = say.fill(N_("{text} (required)"), text=text)
        elif option.default not in (None, False, "", ()) and not callable(option.default):
            text = say.fill(N_("{text} (otherwise {default})"), text=text, default=option.default)
        lines += _entry(names, text, _LEFT)
    if command.epilog:
        lines += ["", say(N_("Example")), *(f"  {line}" for line in command.epilog.split("\n"))]
    return "\n".join([*lines, ""])


def _metavar(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _entry(names: str, text: str, left: int) -> list[str]:
    """Name and text side by side; the text below where the name is long."""
    said = wrapped(text, 78 - left) or [""]
    gap = left - 2 - width_of(names)
    if gap < 1:
        return [f"  {names}", *(" " * left + line for line in said)]
    return [f"  {names}{' ' * gap}{said[0]}", *(" " * left + line for line in said[1:])]


@contextmanager
def progress_bar(face: Face) -> Iterator[Progress]:
    """A bar on standard error for anything that takes longer than a moment."""
    from lujin.workspace.progress import silent

    if face.as_json or not sys.stderr.isatty():
        yield silent
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=face.console(error=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(task: str, done: int, total: int) -> None:
            if task not in tasks:
                tasks[task] = bar.add_task(face.say(task), total=total)
            bar.update(tasks[task], completed=done, total=total, visible=done < total)

        yield show
