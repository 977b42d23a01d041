"""Reports as tables that a person can read. Holds no calculation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from lujin.errors import N_, Problem, Translate

if TYPE_CHECKING:
    from lujin.demonstrate import Demonstration
    from lujin.readings.intake import ImportReport
    from lujin.workspace.reading import Status
    from lujin.workspace.running import RunReport

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
    problems(console, report.problems, tr)
    console.print(tr(N_("{seconds} s")).format(seconds=f"{report.seconds:.1f}"), style="dim")
