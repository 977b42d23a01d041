"""Questions about published facts and the park's own: which holds when, who stands on it, what a new one moves."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts.facts import choices, record_reference, row_events, stored_rows
from lujin.accounts.ledger import posted_through
from lujin.accounts.period_facts import periods
from lujin.accounts.statement_parts import Part, plain
from lujin.accounts.tables import choice, reference_row
from lujin.database import writing
from lujin.disk import write_whole
from lujin.errors import N_, FactorError, NotFoundError, Problem, StaleError
from lujin.reference import Reference, Row, Selector, addition, asking_selector

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

Trail = Callable[[Connection, Row, Row | None, datetime], None]  # records in the audit trail what was added


@dataclass(frozen=True, slots=True)
class Chosen:
    """The answer to a selector on a day: one row, or the problem and the ``nearest`` rows."""

    selector: Selector
    day: date
    row: Row | None
    nearest: tuple[Row, ...]
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class Stated:
    """One statement of a fact. ``known``: when it came into the reference and when it went, as far as recorded.

    ``present``: whether it is in the reference now.
    """

    row: Row
    present: bool
    known: tuple[tuple[datetime, bool], ...]
    months: tuple[int, ...]  # posted months whose account stands on it


@dataclass(frozen=True, slots=True)
class Change(Part):
    """A question that posted accounts asked, and which rows answer it instead. Days are both inclusive."""

    selector: str
    first: date
    last: date
    was: tuple[str, ...]
    now: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Effect(Part):
    """A posted month that a restatement would move. ``period``: open, closed, verified or restated."""

    month: int
    period: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Added:
    """``effects``: months that keep their old choice until they are restated. ``lacking``: months that lack some
    factor, which the next run tries anew. ``done``: False for a rehearsal.
    """

    row: Row
    warnings: tuple[Problem, ...]
    effects: tuple[Effect, ...]
    lacking: tuple[int, ...]
    done: bool

    def as_dict(self) -> dict[str, Any]:
        return {
            "row": self.row.id,
            "warnings": [p.as_dict() for p in self.warnings],
            "effects": plain(self.effects),
            "lacking": list(self.lacking),
            "done": self.done,
        }


def version(workspace: Workspace) -> str:
    """Changes with the park's own tables: a form that was made of an older one is refused."""
    found = hashlib.sha256()
    for path in sorted((workspace.directory / "reference").glob("*.csv")):
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


def find_row(workspace: Workspace, row_id: str) -> Row:
    """A row of now, or one that was withdrawn. NotFoundError."""
    if row := Reference(workspace.reference_rows).by_id(row_id):
        return row
    with workspace.engine.connect() as connection:
        found = stored_rows(connection, [row_id])
    if row_id not in found:
        remedy = N_("look for it in the list of reference data")
        raise NotFoundError(Problem(N_("there is no row {row}"), {"row": row_id[:200]}, remedy))
    return found[row_id]


def which(workspace: Workspace, selector: Selector, day: date) -> Chosen:
    """Which row would answer now, as a posting would ask."""
    reference = Reference(workspace.reference_rows)
    try:
        return Chosen(selector, day, reference.one(selector, day), (), None)
    except FactorError as error:
        several = reference.all(selector, day)
        return Chosen(selector, day, None, several or reference.nearest(selector, day), error.problems[0])


def timeline(workspace: Workspace, row: Row, fact: Selector | None = None) -> tuple[Stated, ...]:
    """Every statement of what ``row`` states, present or withdrawn, by the days for which they hold; of its own
    ``fact``, or of what accounts ask for where it answers.
    """
    fact = fact if fact is not None and fact.table == row.table else asking_selector(row)
    present = {r.id: r for r in Reference(workspace.reference_rows).matching(fact)}
    with workspace.engine.connect() as connection:
        ids = connection.execute(sa.select(reference_row.c.id).where(reference_row.c.table == row.table)).scalars()
        stored = stored_rows(connection, [i for i in ids if i not in present]).values()
        every = {**present, **{r.id: r for r in stored if not fact.failures(r)}, row.id: row}
        events = row_events(connection, every)
        months = _months_on(connection, row.table, every)
    ordered = sorted(every.values(), key=lambda r: (r.valid_from or date.min, r.valid_to or date.max, r.id))
    return tuple(
        Stated(r, r.id in present, tuple(events.get(r.id, ())), tuple(months.get(r.id, ()))) for r in ordered
    )


def _months_on(connection: Connection, table: str, ids: Iterable[str]) -> Mapping[str, list[int]]:
    """Row id → months with a choice that names it. Choices made anew take the place of older ones."""
    wanted = set(ids)
    select = sa.select(choice.c.month).where(choice.c.selector.startswith(f"{table}?", autoescape=True)).distinct()
    found: dict[str, list[int]] = defaultdict(list)
    for month in sorted(connection.execute(select).scalars()):
        named = {name for made in choices(connection, month, table=table) for name in made.rows}
        for name in wanted & named:
            found[name].append(int(month))
    return found


def add_row(
    workspace: Workspace,
    table: str,
    values: Mapping[str, str],
    replaces: str = "",
    *,
    known: str = "",
    dry_run: bool = False,
    trail: Trail | None = None,
) -> Added:
    """State a fact in the park's own table, from now on. No month that is posted moves: see ``effects``.

    ``replaces``: id of the park's own row whose place it takes. ``known``: the ``version`` it was entered on.
    ``trail`` is called in the transaction that records it. InputError: the row does not hold. StaleError: the
    tables were changed meanwhile.
    """
    if dry_run:
        return _rehearsed(workspace, table, values, replaces, known)[0]
    with workspace.writing("reference"):
        told, content = _rehearsed(workspace, table, values, replaces, known)
        before = find_row(workspace, replaces) if replaces else None
        folder = workspace.directory / "reference"
        folder.mkdir(exist_ok=True)
        now = workspace.now()
        write_whole(folder / f"{table}.csv", content)
        with writing(workspace.engine) as connection:
            record_reference(connection, workspace.reference_rows, now)
            if trail is not None:
                trail(connection, told.row, before, now)
    return Added(told.row, told.warnings, told.effects, told.lacking, True)


def _rehearsed(
    workspace: Workspace, table: str, values: Mapping[str, str], replaces: str, known: str
) -> tuple[Added, bytes]:
    if known and known != version(workspace):
        raise StaleError(
            Problem(
                N_("the park's own reference tables were changed since this form was opened"),
                remedy=N_("look at them as they are now, and enter your row again"),
            )
        )
    new = addition(workspace.directory / "reference", table, values, replaces)
    effects = _effects(workspace, table, Reference(workspace.reference_rows), Reference(new.rows))
    with workspace.engine.connect() as connection:
        posted = posted_through(connection)
    lacking = posted.filter(posted["lacking"])["month"].unique().sort().to_list()
    return Added(new.row, new.warnings, effects, tuple(lacking), False), new.content


def _effects(workspace: Workspace, table: str, before: Reference, after: Reference) -> tuple[Effect, ...]:
    """Posted months whose questions the reference now answers otherwise than before."""
    with workspace.engine.connect() as connection:
        months = sorted(connection.execute(sa.select(choice.c.month).distinct()).scalars())
        states = periods(connection)
        made = {m: choices(connection, m, table=table) for m in months}
    effects = []
    for month, asked in made.items():
        moved: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[date]] = defaultdict(list)
        for c in asked:
            was, now = (_answer(reference, c.selector, c.day, c.many) for reference in (before, after))
            if was != now:
                moved[c.selector, c.rows, now].append(c.day)
        if moved:
            changes = (Change(s, min(days), max(days), was, now) for (s, was, now), days in sorted(moved.items()))
            effects.append(Effect(month, states[month].state if month in states else "open", tuple(changes)))
    return tuple(effects)


def _answer(reference: Reference, selector: str, day: date, many: bool) -> tuple[str, ...]:
    rows: Sequence[Row] = reference.all(Selector.parse(selector), day)
    return tuple(row.id for row in rows) if many or len(rows) == 1 else ()
