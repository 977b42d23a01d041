"""What the verbs of the main job did: imports, postings, status, checks, the demo. Holds no calculation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from lujin.accounts import Amount
from lujin.errors import N_, Problem
from lujin.language import Speech
from lujin.show import embodied, periods
from lujin.show.amounts import local, month_text, number, percent, share
from lujin.show.scopes import consolidated
from lujin.show.text import NOTHING, Column, Table, number_column, say_line, show_table, type_next
from lujin.show.words import EVENTS, REASONS, ROLES, SCOPES, Words

if TYPE_CHECKING:
    from rich.console import Console

    from lujin.accounts import ParkTotals
    from lujin.demonstrate import Demonstration
    from lujin.readings import ColumnGuess, ImportReport
    from lujin.workspace.importing import FileResult
    from lujin.workspace.reading import Status
    from lujin.workspace.running import RunReport

UNVERIFIED = "an unverified value was used"
SHOWN = 12  # problems, rejections … before "and N more"
FEW = 5


def problems(console: Console, found: Sequence[Problem], say: Speech, limit: int | None = SHOWN) -> None:
    """Errors before warnings; ``limit``: None shows all."""
    ordered = sorted(found, key=lambda p: p.severity != "error")
    for problem in ordered[:limit]:
        error = problem.severity == "error"
        mark = say(N_("error")) if error else say(N_("warning"))
        joined = say.fill(N_("{place}: {said}"), place=mark, said=problem.text(say).strip())
        say_line(console, joined, "red" if error else "yellow")
    if limit is not None and len(found) > limit:
        say_line(console, say.fill(N_("… and {count} more"), count=len(found) - limit), "dim")


def checked(console: Console, found: Sequence[Problem], say: Speech, park: str) -> None:
    problems(console, found, say, limit=None)
    errors = sum(p.severity == "error" for p in found)
    summary = N_("{errors} errors, {warnings} warnings")
    style = "bold red" if errors else "bold yellow" if found else "bold green"
    say_line(console, say.fill(summary, errors=errors, warnings=len(found) - errors), style)
    if not errors:
        type_next(console, say, [(f"lujin import {park} FILE…", say(N_("bring in readings")))])


# -------------------------------------------------------------------------------------------------- imports


def imports(console: Console, results: Sequence[FileResult], words: Words, title: str = "") -> None:
    """One line per file, then what a person should look at: refused files, rejected rows, corrections."""
    say = words.say
    done = [(r, r.report) for r in results if r.report is not None]
    columns = [
        Column(say(N_("file"))),
        number_column(say(N_("accepted")), keep=True),
        number_column(say(N_("already known"))),
        number_column(say(N_("corrects earlier"))),
        number_column(say(N_("conflicts"))),
        number_column(say(N_("rejected"))),
        number_column(say(N_("empty"))),
        Column(say(N_("months"))),
        Column(say(N_("mapping")), spare=True),
    ]
    rows = [_import_row(result, report, words) for result, report in done]
    names = ("accepted", "already_known", "corrects", "conflicts", "rejected", "empty")
    sums = [_count(sum(getattr(report, name) for _, report in done)) for name in names]
    total = [say(N_("total")), *sums, "", ""] if len(done) > 1 else []
    show_table(console, title or say(N_("Imported")), Table(columns, rows, total))
    for result, report in done:
        _import_details(console, result, report, words)
    for result in results:
        if result.failed:
            problems(console, [words.named(p) for p in result.problems], say)


def _count(value: int) -> str:
    return f"{value:,}" if value else NOTHING


def _import_row(result: FileResult, report: ImportReport, words: Words) -> list[str]:
    say = words.say
    months = [month_text(m) for m in report.months]
    span = months[0] if len(months) == 1 else f"{months[0]} – {months[-1]}" if months else NOTHING
    if result.same_as is not None and not report.accepted:
        span = say.fill(N_("same file as arrival {number}"), number=result.same_as)
    counts = (
        report.accepted,
        report.already_known,
        report.corrects,
        report.conflicts,
        report.rejected,
        report.empty,
    )
    return [result.file.name, *map(_count, counts), span, report.mapping or say(N_("guessed"))]


def _import_details(console: Console, result: FileResult, report: ImportReport, words: Words) -> None:
    say = words.say
    lines: list[tuple[str, str]] = []
    used = [c for c in result.guessed if c.role != "ignored"]
    if used:
        lines.append((say.fill(N_("columns: {columns}"), columns=_columns(used, words)), "dim"))
    if report.ignored:
        listed = words.comma().join(report.ignored[:FEW])
        more = len(report.ignored) - FEW
        said = say.fill(N_("columns that name no meter of the park: {columns}"), columns=listed)
        lines.append((f"{said} …" if more > 0 else said, "yellow"))
    lines += [(problem.text(say), "yellow") for problem in report.rejections[:SHOWN]]
    if report.rejected > min(SHOWN, len(report.rejections)):
        rest = report.rejected - min(SHOWN, len(report.rejections))
        lines.append((say.fill(N_("… and {count} more"), count=rest), "dim"))
    if report.rejected_file:
        lines.append((say.fill(N_("rejected rows are kept in {file}"), file=report.rejected_file), ""))
    lines += _corrections(report, words)
    lines += _conflicts(report, words)
    if lines:
        console.print()
        say_line(console, result.file.name, "bold")
        for text, style in lines:
            say_line(console, text, style, indent=2)


def _columns(used: Sequence[ColumnGuess], words: Words) -> str:
    """Up to FEW columns with the reason; a wide file has one per meter."""
    said = [
        words.say.fill(
            N_("{column} → {role} ({reason})"),
            column=c.column,
            role=words.term(ROLES, c.role),
            reason=c.text(words.say),
        )
        for c in used[:FEW]
    ]
    rest = len(used) - len(said)
    if rest > 0:
        said.append(words.say.fill(N_("… and {count} more"), count=rest))
    return words.semicolon().join(said)


def _corrections(report: ImportReport, words: Words) -> Iterable[tuple[str, str]]:
    text = words.say(N_("{meter} at {time}: {old} becomes {new}"))
    for change in report.corrections[:FEW]:
        at = local(change.time, words.park.timezone)
        yield text.format(meter=change.meter, time=at, old=f"{change.old:,}", new=f"{change.new:,}"), ""
    if report.corrects > min(FEW, len(report.corrections)):
        rest = report.corrects - min(FEW, len(report.corrections))
        yield words.say.fill(N_("… and {count} more corrections"), count=rest), "dim"


def _conflicts(report: ImportReport, words: Words) -> Iterable[tuple[str, str]]:
    text = words.say(
        N_("{meter} at {time} stands {count} times with different values ({values}); the last one counts")
    )
    for conflict in report.conflict_list[:FEW]:
        at = local(conflict.time, words.park.timezone)
        values = ", ".join(f"{value:,}" for value in conflict.values)
        yield text.format(meter=conflict.meter, time=at, count=len(conflict.rows), values=values), ""
    if len(report.conflict_list) > FEW:
        yield words.say.fill(N_("… and {count} more"), count=len(report.conflict_list) - FEW), "dim"


# ---------------------------------------------------------------------------------------------- runs, status


def run(console: Console, report: RunReport, words: Words, park: str, title: str = "") -> None:
    say = words.say
    if not report.months:
        if not report.held:
            say_line(console, say(N_("nothing to post: every posting is up to date")), "green")
        problems(console, report.notices, say)
        periods.held(console, report.held, words, park)
        return
    columns = [
        Column(say(N_("month"))),
        Column(say(N_("why"))),
        number_column(say(N_("enterprises"))),
        number_column(say(N_("meters")), spare=True),
        number_column(say(N_("readings"))),
        number_column(say(N_("entries")), keep=True),
        number_column(say(N_("measured"))),
        number_column(say(N_("estimated"))),
        number_column(say(N_("missing"))),
        number_column(say(N_("suspect"))),
    ]
    rows = [
        [
            month_text(m.month),
            _why(m.reasons, words),
            f"{m.enterprises:,}",
            f"{m.meters:,}",
            f"{m.readings:,}",
            f"{m.entries:,}",
            percent(m.completeness),
            share(m.estimated, m.expected),
            share(m.missing, m.expected),
            share(m.suspect, m.expected),
        ]
        for m in report.months
    ]
    expected = sum(m.expected for m in report.months)
    slots = {name: sum(getattr(m, name) for m in report.months) for name in ("estimated", "missing", "suspect")}
    measured = 1 - (slots["estimated"] + slots["missing"]) / expected if expected else None
    total = [
        say(N_("total")),
        "",
        "",
        "",
        f"{sum(m.readings for m in report.months):,}",
        f"{sum(m.entries for m in report.months):,}",
        percent(measured),
        *(share(n, expected) for n in slots.values()),
    ]
    show_table(console, title or say(N_("Posted")), Table(columns, rows, total if len(rows) > 1 else ()))
    _noticed(console, report, words, park)


def _why(reasons: Mapping[str, int], words: Words) -> str:
    """Reasons, with how many enterprises each where there are several."""
    if len(reasons) == 1:
        return words.term(REASONS, next(iter(reasons)))
    return words.comma().join(f"{words.term(REASONS, why)} {count}" for why, count in reasons.items())


def _noticed(console: Console, report: RunReport, words: Words, park: str) -> None:
    say = words.say
    kinds = Counter(event.kind for m in report.months for event in m.events)
    suspect = [m for m in report.months if m.suspect or m.estimated or m.missing or m.events]
    if kinds:
        said = words.comma().join(f"{words.term(EVENTS, kind)} {count}" for kind, count in kinds.most_common())
        say_line(console, say.fill(N_("meters: {events}"), events=said))
    unverified = [p for p in report.problems if p.message.startswith(UNVERIFIED)]
    problems(console, [words.named(p) for p in report.problems if p not in unverified], say)
    if unverified:
        text = N_("{count} unverified reference values were used; each statement lists the ones it rests on")
        say_line(console, say.fill(text, count=len(unverified)), "yellow")
    if suspect:
        worst = max(suspect, key=lambda m: (m.suspect + m.estimated + m.missing, m.month))
        command = f"lujin status {park} --month {month_text(worst.month)}"
        say_line(
            console, say.fill(N_("what was estimated, missing or suspect: {command}"), command=command), "dim"
        )
    periods.held(console, report.held, words, park)


def status(console: Console, report: Status, words: Words, park: str) -> None:
    say = words.say
    if not report.months:
        say_line(console, say.fill(N_("no readings yet; import some with: lujin import {park} FILE…"), park=park))
        return
    columns = [
        Column(say(N_("month"))),
        number_column(say(N_("enterprises posted")), keep=True),
        number_column(say(N_("waiting"))),
        number_column(say(N_("entries")), spare=True),
        number_column(say(N_("measured"))),
        number_column(say(N_("estimated"))),
        number_column(say(N_("missing"))),
        number_column(say(N_("suspect"))),
        Column(say(N_("last posted"))),
        Column(say(N_("state"))),
    ]
    rows = [
        [
            month_text(m.month),
            f"{m.posted:,}",
            _count(m.waiting),
            _count(m.entries),
            percent(m.completeness),
            share(m.estimated, m.expected),
            share(m.missing, m.expected),
            share(m.suspect, m.expected),
            local(m.recorded_at, words.park.timezone),
            words.term(periods.PERIOD_STATES, m.period),
        ]
        for m in report.months
    ]
    expected = sum(m.expected for m in report.months)
    counts = [
        sum(getattr(m, name) for m in report.months) for name in ("measured", "estimated", "missing", "suspect")
    ]
    total = [
        say(N_("total")),
        "",
        _count(sum(m.waiting for m in report.months)),
        _count(sum(m.entries for m in report.months)),
        *(share(n, expected) for n in counts),
        "",
        "",
    ]
    name = say.name(words.park.name_zh, words.park.name_en)
    show_table(console, name, Table(columns, rows, total if len(rows) > 1 else ()))
    if report.unfinished_imports:
        text = N_("{count} imports were interrupted; the next import or run settles them")
        say_line(console, say.fill(text, count=report.unfinished_imports), "yellow")
    odd = [m for m in report.months if m.suspect or m.estimated or m.missing]
    commands = []
    if any(m.waiting and m.period == "open" for m in report.months):
        commands.append((f"lujin run {park}", say(N_("post what waits"))))
    for m in report.months:
        if m.waiting and m.period != "open":
            command = f"lujin restate {park} --month {month_text(m.month)} --cause TEXT"
            commands.append((command, say(N_("post what waits, as a restatement with its cause"))))
    if odd:
        worst = max(odd, key=lambda m: (m.estimated + m.missing + m.suspect, m.month))
        details = say(N_("gaps, estimates and suspects, meter by meter"))
        commands.append((f"lujin status {park} --month {month_text(worst.month)}", details))
    if any(m.posted for m in report.months):
        last = max(m.month for m in report.months if m.posted)
        enterprise = words.park.enterprises()[0]
        command = f"lujin statement {park} -e {enterprise} -m {month_text(last)}"
        commands.append((command, say(N_("the account of an enterprise"))))
    type_next(console, say, commands)


# --------------------------------------------------------------------------------------------------- the demo


def demonstration(console: Console, result: Demonstration, words: Words) -> None:
    say = words.say
    text = N_("{enterprises} enterprises, {meters} meters, {readings} readings written to {directory}")
    written = result.files
    counts = {name: f"{getattr(written, name):,}" for name in ("enterprises", "meters", "readings")}
    say_line(console, say.fill(text, **counts, directory=result.directory), "bold")
    park = str(result.directory)
    imports(console, result.imported, words)
    run(console, result.posted, words, park)
    imports(console, result.late, words, say(N_("Then late and corrected files arrive")))
    run(console, result.restated, words, park, say(N_("Exactly the touched months restate themselves")))
    totals(console, result.totals, words)
    month = month_text(result.restated.months[-1].month if result.restated.months else result.totals.last)
    commands = [
        (f"lujin statement {park} -e E006 -m {month}", say(N_("the account of an enterprise"))),
        (f"lujin statement {park} -e E006 -m {month} --pdf E006.pdf", say(N_("the same on paper"))),
        (f"lujin explain {park} E006:{month}:embodied:OWN/E006", say(N_("where a number comes from"))),
        (f"lujin trace {park} -m {month} -e E003", say(N_("carbon of power and steam, hour by hour"))),
        (f"lujin balance {park} -m {month}", say(N_("networks and their losses, two meters on one pipe"))),
        (f"lujin status {park} -m {month}", say(N_("gaps, estimates and suspects, meter by meter"))),
        (f"lujin close {park} -m {month}", say(N_("close a month: only a restatement moves it"))),
        (
            f"lujin certificate {park} -e E006 -m {month} --out E006.json",
            say(N_("a file that a bank checks offline with: lujin verify E006.json")),
        ),
        (f"lujin verify {park} --replay", say(N_("compute every posting again and compare"))),
    ]
    type_next(console, say, commands)
    say_line(console, say.fill(N_("done in {seconds} s"), seconds=f"{result.seconds:.1f}"), "dim")


def totals(console: Console, found: ParkTotals, words: Words) -> None:
    """Sums over all enterprise accounts."""
    say = words.say

    def row(name: str, amount: Amount, part: str = "") -> list[str]:
        return [name, number(amount, 0), words.unit(amount.unit), part]

    bought = found.energy.get("electricity")
    estimated = share(found.estimated_electricity.base, bought.base) if bought else ""
    rows = [
        row(
            say.fill(N_("{carrier} from outside"), carrier=words.carrier(name)),
            value,
            estimated if name == "electricity" else "",
        )
        for name, value in found.energy.items()
    ]
    rows += [
        row(say(N_("electricity generated in the park")), found.generated),
        row(words.commodity("ce_equivalent"), found.coal_equivalent),
        row(words.commodity("ce_equal"), found.coal_equal),
        row(say(N_("energy cost of all enterprises")), found.cost),
    ]
    for (book, scope), value in found.carbon.items():
        name = say.fill(N_("{scope}, {book}"), scope=words.term(SCOPES, scope), book=words.book(book))
        rows.append(row(name, value))
    title = N_("All enterprises, {first} to {last}, before in-park transfers are eliminated")
    columns = [
        Column(say(N_("sum"))),
        number_column(say(N_("amount"))),
        Column(say(N_("unit"))),
        number_column(say(N_("of it estimated"))),
    ]
    shown = say.fill(title, first=month_text(found.first), last=month_text(found.last))
    show_table(console, shown, Table(columns, rows))
    consolidated(console, found, words)
    embodied.whole(console, found, words)
