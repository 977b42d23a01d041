"""Reports as tables that a person can read. Holds no calculation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from lujin.accounts import sections
from lujin.errors import N_, Problem, Translate

if TYPE_CHECKING:
    from lujin.accounts.amounts import Amount
    from lujin.accounts.statement import Statement
    from lujin.demonstrate import Demonstration
    from lujin.workspace.importing import FileResult
    from lujin.workspace.reading import ParkTotals, Status
    from lujin.workspace.running import RunReport

UNVERIFIED = "an unverified value was used"
SHOWN = 12  # problems, rejections … before "and N more"


def month_text(month: int) -> str:
    """
    >>> month_text(202506)
    '2025-06'
    """
    return f"{month // 100}-{month % 100:02}"


def percent(part: float | None) -> str:
    """
    >>> percent(None), percent(0.98765)
    ('—', '98.8 %')
    """
    return "—" if part is None else f"{part * 100:.1f} %"


def table(console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Text columns left, all others right."""
    rows = [list(row) for row in rows]
    grid = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(columns):
        text = all(isinstance(row[i], str) and not _numeric(row[i]) for row in rows)
        grid.add_column(name, justify="left" if text else "right", overflow="fold")
    for row in rows:
        grid.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    console.print(grid)


def _numeric(text: object) -> bool:
    plain = str(text).replace(",", "").replace("%", "").replace("—", "").replace("−", "-").strip()
    return not plain or plain.lstrip("-").replace(".", "", 1).isdigit()


def problems(console: Console, found: Sequence[Problem], tr: Translate) -> None:
    for problem in found[:SHOWN]:
        mark = tr(N_("error")) if problem.severity == "error" else tr(N_("warning"))
        style = "red" if problem.severity == "error" else "yellow"
        console.print(f"{mark}: ", style=style, end="")
        console.print(problem.text(tr).strip(), markup=False)
    if len(found) > SHOWN:
        console.print(tr(N_("… and {count} more")).format(count=len(found) - SHOWN), style="dim")


def run(console: Console, report: RunReport, tr: Translate) -> None:
    if not report.months:
        console.print(tr(N_("nothing to post: every posting is up to date")))
        return
    reasons = {
        "initial": tr(N_("first posting")),
        "late_reading": tr(N_("late readings")),
        "correction": tr(N_("corrected readings")),
        "park_change": tr(N_("park changed")),
        "restatement": tr(N_("restatement")),
    }
    columns = [
        tr(N_("month")),
        tr(N_("why")),
        tr(N_("enterprises")),
        tr(N_("meters")),
        tr(N_("readings")),
        tr(N_("entries")),
        tr(N_("complete")),
        tr(N_("estimated")),
        tr(N_("missing")),
        tr(N_("suspect")),
    ]
    rows = [
        [
            month_text(m.month),
            ", ".join(f"{reasons.get(why, why)} {count}" for why, count in m.reasons.items()),
            m.enterprises,
            m.meters,
            m.readings,
            m.entries,
            percent(m.completeness),
            percent(m.estimated / m.expected if m.expected else None),
            percent(m.missing / m.expected if m.expected else None),
            percent(m.suspect / m.expected if m.expected else None),
        ]
        for m in report.months
    ]
    table(console, tr(N_("posted")), columns, rows)
    kinds = Counter(event.kind for m in report.months for event in m.events)
    if kinds:
        said = ", ".join(f"{tr(kind)} {count}" for kind, count in kinds.most_common())
        console.print(tr(N_("meters: {events}")).format(events=said), markup=False)
    unverified = [p for p in report.problems if p.message.startswith(UNVERIFIED)]
    problems(console, [p for p in report.problems if p not in unverified], tr)
    if unverified:
        text = tr(N_("{count} unverified reference values were used; each statement lists the ones it rests on"))
        console.print(text.format(count=len(unverified)), style="yellow")
    console.print(tr(N_("{seconds} s")).format(seconds=f"{report.seconds:.1f}"), style="dim")


def imports(console: Console, results: Sequence[FileResult], tr: Translate) -> None:
    for result in results:
        if result.failed:
            problems(console, result.problems, tr)
    done = [r for r in results if r.report is not None]
    if not done:
        return
    columns = [
        tr(N_("file")),
        tr(N_("accepted")),
        tr(N_("already known")),
        tr(N_("corrects earlier")),
        tr(N_("rejected")),
        tr(N_("empty")),
        tr(N_("months")),
        tr(N_("mapping")),
    ]
    rows = []
    for result in done:
        report = result.report
        assert report is not None
        months = [month_text(m) for m in report.months]
        span = months[0] if len(months) == 1 else f"{months[0]} … {months[-1]}" if months else "—"
        if result.same_as is not None and not report.accepted:
            span = tr(N_("same file as arrival {number}")).format(number=result.same_as)
        counts = [report.accepted, report.already_known, report.corrects, report.rejected, report.empty]
        rows.append([result.file.name, *counts, span, report.mapping or tr(N_("guessed"))])
    table(console, "", columns, rows)
    for result in done:
        _import_details(console, result, tr)


def _import_details(console: Console, result: FileResult, tr: Translate) -> None:
    report = result.report
    assert report is not None
    if result.guessed and len(done_columns := [c for c in result.guessed if c.role != "ignored"]) <= SHOWN:
        said = "; ".join(f"{c.column} → {tr(c.role)} ({c.text(tr)})" for c in done_columns)
        console.print(f"{result.file.name}: {said}", style="dim", markup=False)
    for problem in report.rejections[:SHOWN]:
        console.print(f"  {problem.text(tr)}", markup=False)
    if report.rejected > min(SHOWN, len(report.rejections)):
        console.print(tr(N_("… and {count} more")).format(count=report.rejected - SHOWN), style="dim")
    if report.rejected_file:
        console.print(tr(N_("rejected rows are kept in {file}")).format(file=report.rejected_file), markup=False)
    for change in report.corrections[:5]:
        text = tr(N_("{meter} at {time}: {old} becomes {new}"))
        values = {
            "meter": change.meter,
            "time": f"{change.time:%Y-%m-%d %H:%M} UTC",
            "old": change.old,
            "new": change.new,
        }
        console.print(f"  {text.format(**values)}", markup=False)
    for conflict in report.conflict_list[:5]:
        text = tr(N_("{meter} at {time} stands {count} times with different values; the last one counts"))
        values = {
            "meter": conflict.meter,
            "time": f"{conflict.time:%Y-%m-%d %H:%M} UTC",
            "count": len(conflict.rows),
        }
        console.print(f"  {text.format(**values)}", markup=False)


def amount(value: Amount | None, digits: int = 2) -> str:
    """Grouped, with unit, rounded for reading; the ledger keeps all digits.

    >>> from lujin.accounts.amounts import Amount
    >>> amount(Amount(1_234_567, "Wh")), amount(None)
    ('1,234.57 kWh', '—')
    """
    return "—" if value is None else f"{value.value:,.{digits}f} {value.unit}"


def number(value: Amount, digits: int = 2) -> str:
    return f"{value.value:,.{digits}f}" if value else "—"


def status(console: Console, report: Status, tr: Translate) -> None:
    if not report.months:
        console.print(tr(N_("no readings yet; import some with: lujin import PARK FILE…")))
        return
    columns = [
        tr(N_("month")),
        tr(N_("enterprises")),
        tr(N_("waiting")),
        tr(N_("entries")),
        tr(N_("complete")),
        tr(N_("estimated")),
        tr(N_("missing")),
        tr(N_("suspect")),
        tr(N_("posted")),
    ]
    rows = [
        [
            month_text(m.month),
            m.posted,
            m.waiting,
            m.entries,
            percent(m.completeness),
            percent(m.estimated / m.expected if m.expected else None),
            percent(m.missing / m.expected if m.expected else None),
            percent(m.suspect / m.expected if m.expected else None),
            f"{m.recorded_at:%Y-%m-%d %H:%M}" if m.recorded_at else "—",
        ]
        for m in report.months
    ]
    table(console, "", columns, rows)
    if report.unfinished_imports:
        text = tr(N_("{count} imports were interrupted; the next import or run settles them"))
        console.print(text.format(count=report.unfinished_imports))
    if any(m.waiting for m in report.months):
        console.print(tr(N_("post what waits with: lujin run PARK")))


PERIOD_NAMES = {
    "super_peak": N_("super peak"),
    "peak": N_("peak"),
    "flat": N_("flat"),
    "valley": N_("valley"),
    "deep_valley": N_("deep valley"),
}


def statement(console: Console, found: Statement, tr: Translate) -> None:
    chinese = tr(N_("month")) != "month"
    name = (found.name_zh if chinese else found.name_en) or found.name_zh or found.name_en
    console.print(f"{name}  {found.enterprise}", style="bold", markup=False)
    title = found.pack_zh if chinese else found.pack_en
    states = {
        "not_posted": tr(N_("not posted")),
        "posted": tr(N_("posted")),
        "restated": tr(N_("restated")),
    }
    head = tr(N_("{month} · book {book} · {title} · {state}, version {version}"))
    values = {
        "month": month_text(found.month),
        "book": tr(found.book),
        "title": title,
        "state": states[found.status],
    }
    console.print(head.format(**values, version=found.version), markup=False)
    if found.status == "not_posted":
        console.print(tr(N_("nothing is posted for this month and book; import readings and run: lujin run PARK")))
        return
    _energy(console, found, tr, chinese)
    _cost(console, found, tr)
    _carbon(console, found, tr)
    _accounts(console, found, tr)
    _quality(console, found, tr)
    _history(console, found, tr)
    _factors(console, found, tr)


def _energy(console: Console, found: Statement, tr: Translate, chinese: bool) -> None:
    columns = [
        tr(N_("carrier")),
        tr(N_("unit")),
        tr(N_("purchased")),
        tr(N_("generated")),
        tr(N_("delivered")),
        tr(N_("used")),
        tr(N_("of it estimated")),
        tr(N_("tce (equivalent)")),
        tr(N_("tce (equal value)")),
    ]
    rows = [
        [
            e.name_zh if chinese else e.name_en,
            e.used.unit,
            *(number(a) for a in (e.purchased, e.generated, e.delivered, e.used, e.estimated)),
            number(e.coal_equivalent, 3),
            number(e.coal_equal, 3),
        ]
        for e in found.energy
    ]
    rows.append([tr(N_("total")), *[""] * 6, number(found.coal_equivalent, 3), number(found.coal_equal, 3)])
    table(console, tr(N_("energy")), columns, rows)


def _cost(console: Console, found: Statement, tr: Translate) -> None:
    periods = {p: a for e in found.energy if e.carrier == "electricity" for p, a in e.periods.items()}
    columns = [tr(N_("cost")), tr(N_("period")), "kWh", "CNY", tr(N_("of it estimated"))]
    rows = [
        [
            tr(c.item),
            tr(PERIOD_NAMES.get(c.period, c.period)),
            number(periods[c.period], 0) if c.item == "electricity" and c.period in periods else "",
            number(c.amount),
            number(c.estimated),
        ]
        for c in found.cost
    ]
    rows.append([tr(N_("total")), "", "", number(found.cost_total), number(found.cost_estimated)])
    table(console, tr(N_("cost")), columns, rows)


def _carbon(console: Console, found: Statement, tr: Translate) -> None:
    columns = [tr(N_("scope")), tr(N_("source")), "tCO2", "tCO2e", tr(N_("of it estimated")), tr(N_("line"))]
    rows = [
        [
            c.scope,
            tr(c.account.partition("/")[2]),
            number(c.gases["CO2f"], 3) if "CO2f" in c.gases else "—",
            number(c.co2e, 3) if c.co2e else "—",
            number(c.estimated_co2e, 3) if c.estimated_co2e else "—",
            c.reference,
        ]
        for c in found.carbon
    ]
    table(console, tr(N_("carbon")), columns, rows)
    columns = [tr(N_("book")), tr(N_("method pack")), "S1", "S2", "S1+S2 tCO2", "tCO2e", "GWP"]
    rows = [
        [
            tr(b.book),
            b.pack,
            number(b.scope1_co2, 3),
            number(b.scope2_co2, 3),
            number(b.co2, 3),
            number(b.co2e, 3) if b.co2e else "—",
            b.gwp or "—",
        ]
        for b in found.books
    ]
    table(console, tr(N_("all books")), columns, rows)
    for memo in found.memo:
        console.print(f"{tr(memo.kind)} {memo.instrument}: {amount(memo.amount, 0)}", markup=False)


def _accounts(console: Console, found: Statement, tr: Translate) -> None:
    columns = [tr(N_("account")), tr(N_("commodity")), tr(N_("opening")), tr(N_("movement")), tr(N_("closing"))]
    rows = [
        [a.account, tr(a.commodity), amount(a.opening, 3), amount(a.movement, 3), amount(a.closing, 3)]
        for a in found.accounts
        if a.group in sections.OWN
    ]
    table(console, tr(N_("accounts, year to date")), columns, rows)


def _quality(console: Console, found: Statement, tr: Translate) -> None:
    columns = [
        tr(N_("meter")),
        tr(N_("complete")),
        tr(N_("estimated")),
        tr(N_("missing")),
        tr(N_("suspect")),
    ]
    rows = [
        [
            m.meter or tr(N_("all meters")),
            percent(m.measured_part),
            percent(m.estimated_part),
            percent(m.missing_part),
            percent(m.suspect / m.expected if m.expected else None),
        ]
        for m in (*found.meters, found.completeness)
    ]
    table(console, tr(N_("completeness")), columns, rows)


def _history(console: Console, found: Statement, tr: Translate) -> None:
    for change in found.restatements:
        text = tr(N_("version {version} of {book}, {when}, {reason}: {changes}"))
        changes = ", ".join(f"{c.account} {c.amount.value:+,f} {c.amount.unit}" for c in change.changes[:4])
        values = {
            "version": change.version,
            "book": tr(change.book),
            "when": f"{change.recorded_at:%Y-%m-%d %H:%M} UTC",
            "reason": tr(change.reason),
            "changes": changes or "—",
        }
        console.print(text.format(**values), markup=False)


def _factors(console: Console, found: Statement, tr: Translate) -> None:
    columns = [tr(N_("factor")), tr(N_("value")), tr(N_("unit")), tr(N_("source")), tr(N_("confidence"))]
    rows = [[f.id, f.value, f.unit, f.source, tr(f.confidence)] for f in found.factors]
    table(console, tr(N_("factors used")), columns, rows)
    if found.unverified:
        text = tr(
            N_("{count} of them are unverified: check them against their source before you rely on this statement")
        )
        console.print(text.format(count=len(found.unverified)), style="yellow")


def demonstration(console: Console, result: Demonstration, tr: Translate) -> None:
    say = tr(N_("{enterprises} enterprises, {meters} meters, {readings} readings written to {directory}"))
    values = {
        "enterprises": f"{result.files.enterprises:,}",
        "meters": f"{result.files.meters:,}",
        "readings": f"{result.files.readings:,}",
        "directory": result.directory,
    }
    console.print(say.format(**values), markup=False)
    imports(console, result.imported, tr)
    run(console, result.posted, tr)
    console.print(tr(N_("then late and corrected files arrive")), style="bold")
    imports(console, result.late, tr)
    run(console, result.restated, tr)
    totals(console, result.totals, tr)
    enterprise = "E004"
    month = result.restated.months[-1].month if result.restated.months else result.totals.last
    console.print(tr(N_("type next:")), style="bold")
    for command in (
        f"lujin statement {result.directory} --enterprise {enterprise} --month {month_text(month)}",
        f"lujin explain {result.directory} {enterprise}:{month_text(month)}:location:S2/electricity",
        f"lujin status {result.directory}",
        f"lujin verify {result.directory} --replay",
    ):
        console.print(f"  {command}", markup=False)
    console.print(tr(N_("{seconds} s")).format(seconds=f"{result.seconds:.1f}"), style="dim")


def totals(console: Console, found: ParkTotals, tr: Translate) -> None:
    """Sums over all enterprise accounts."""
    rows = [[tr(name), amount(value, 0)] for name, value in found.energy.items()]
    rows += [
        [tr(N_("electricity generated in the park")), amount(found.generated, 0)],
        [tr(N_("standard coal, equivalent value")), amount(found.coal_equivalent, 0)],
        [tr(N_("standard coal, equal value")), amount(found.coal_equal, 0)],
        [tr(N_("energy cost of all enterprises")), amount(found.cost, 0)],
        [tr(N_("purchased electricity that is estimated")), amount(found.estimated_electricity, 0)],
    ]
    rows += [[f"{tr(book)} {scope}", amount(value, 0)] for (book, scope), value in found.carbon.items()]
    title = tr(N_("all enterprises, {first} to {last}, before in-park transfers are eliminated"))
    table(console, title.format(first=month_text(found.first), last=month_text(found.last)), ["", ""], rows)
