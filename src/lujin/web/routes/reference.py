"""Reference data (参数与价格): which factor holds when, from which source, and what the park states of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel
from sqlalchemy.engine import Connection

from lujin.access.audit import audit
from lujin.access.viewer import Right
from lujin.accounts.statement_parts import plain
from lujin.errors import N_, InputError, LujinError, Problem, StaleError
from lujin.reference import SCHEMAS, Row, Selector, asking_selector, search
from lujin.reference.rows import SHIPPED
from lujin.show.factors import COLUMNS, PURPOSES, TABLES, factor_text, factor_value, source_name
from lujin.show.reference import as_dict
from lujin.web.answers import Answer
from lujin.web.forms import again
from lujin.web.identity import address_of, with_message
from lujin.web.page import html, page
from lujin.web.render import environment
from lujin.web.requests import WindowOf, speech
from lujin.web.window import Window
from lujin.workspace.reference import Added, Stated, add_row, find_row

router = APIRouter()
SHOWN = 100
WIDTH = 1000  # of the picture of validities
LONGEST = 4000  # characters of one field
NEW = N_("A row of the park's own")
Text = Annotated[str, Query(max_length=200)]


def install(app: FastAPI) -> None:  # noqa: ARG001  what every module of routes takes
    """Words for the templates of reference data."""
    environment().globals |= {
        "table_words": TABLES,
        "column_words": COLUMNS,
        "purpose_words": PURPOSES,
        "row_name": lambda row, words: factor_text(words, row["table"], row["values"]),
        "row_value": lambda row, words: factor_value(words, row["values"]),
        "source_name": lambda source, words: source_name(words, source),
    }


class TableCount(BaseModel):
    table: str
    rows: int
    own: int
    unverified: int


class ReferenceRows(Answer):
    """``rows``: as ``lujin reference --json`` tells them; at most ``SHOWN`` from ``offset`` on."""

    tables: tuple[TableCount, ...]
    rows: tuple[Mapping[str, Any], ...]
    found: int
    offset: int
    table_: str
    q: str
    region: str
    on: date | None
    only: str
    changes: bool

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        columns = ("id", "table", "value", "unit", "valid_from", "valid_to", "source", "confidence", "origin")
        return columns, [[row[name] for name in columns] for row in self.rows]


class StatedRow(BaseModel):
    row: Mapping[str, Any]
    present: bool
    known: tuple[tuple[datetime, bool], ...]
    months: tuple[int, ...]


class Bar(BaseModel):
    """Of the picture: where a row stands between the first and the last day shown, of WIDTH."""

    x: int
    width: int
    kind: str
    id: str


class ReferenceRow(Answer):
    """``stated``: every statement of the same fact, present and withdrawn; ``on`` with ``answer``: which row a
    posting would choose on that day, or None and why.
    """

    row: Mapping[str, Any]
    stated: tuple[StatedRow, ...]
    selector: str
    on: date
    answer: Mapping[str, Any] | None
    nearest: tuple[Mapping[str, Any], ...]
    why: str
    changes: bool

    @property
    def span(self) -> tuple[date, date]:
        days = [date.fromisoformat(d) for s in self.stated for d in (s.row["valid_from"], s.row["valid_to"]) if d]
        days.append(self.on)
        return min(days) - timedelta(days=120), max(days) + timedelta(days=240)

    @property
    def bars(self) -> list[Bar]:
        found = []
        for s in self.stated:
            start, end = s.row["valid_from"], s.row["valid_to"]
            low = self.place(date.fromisoformat(start)) if start else 0
            high = self.place(date.fromisoformat(end) + timedelta(days=1)) if end else WIDTH
            kind = "gone" if not s.present else "shipped" if s.row["origin"] == SHIPPED else "own"
            found.append(Bar(x=low, width=max(high - low, 3), kind=kind, id=s.row["id"]))
        return found

    def place(self, day: date) -> int:
        first, last = self.span
        return round(WIDTH * (day - first) / (last - first))

    @property
    def years(self) -> list[tuple[int, int]]:
        """Years and where they begin, some ten of them."""
        first, last = self.span
        step = max(1, (last.year - first.year) // 10)
        return [(y, self.place(date(y, 1, 1))) for y in range(first.year + 1, last.year + 1, step)]

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        columns = ("id", "value", "unit", "valid_from", "valid_to", "source", "confidence", "origin")
        header = (*columns, "present", "months")
        return header, [
            (*(s.row[name] for name in columns), s.present, " ".join(map(str, s.months))) for s in self.stated
        ]


@page(router, "/reference", template="reference.html", title=N_("Reference data"), stable=True)
def reference_rows(
    window: WindowOf,
    table: Text = "",
    q: Text = "",
    region: Text = "",
    on: date | None = None,
    only: Literal["", "own", "unverified"] = "",
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> ReferenceRows:
    rows = window.reference().rows()
    found = search(rows, table=table, region=region, on=on, words=q.split())
    if only:
        found = tuple(r for r in found if (r.origin != SHIPPED if only == "own" else r.confidence != "verified"))
    return ReferenceRows(
        tables=_tables(rows),
        rows=tuple(as_dict(row) for row in found[offset : offset + SHOWN]),
        found=len(found),
        offset=offset,
        table_=table,
        q=q,
        region=region,
        on=on,
        only=only,
        changes=window.may(Right.CHANGE_REFERENCE),
    )


@page(router, "/reference/row", template="reference_row.html", title=N_("Reference data"))
def reference_row(
    request: Request,
    window: WindowOf,
    id: Annotated[str, Query(max_length=1000)],
    on: date | None = None,
    selector: Annotated[str, Query(max_length=4000)] = "",
) -> ReferenceRow:
    """One row: its validity beside that of its like, and which one answers on a day."""
    reference = window.reference()
    row = reference.row(id)
    asked = _selector(selector) if selector.strip() else asking_selector(row)
    day = on or row.valid_from or row.valid_to or _today(window)
    chosen = reference.which(asked, day)
    say = speech(request)
    return ReferenceRow(
        row=as_dict(row),
        stated=tuple(_stated(s) for s in reference.timeline(row, asked)),
        selector=str(asked),
        on=day,
        answer=as_dict(chosen.row) if chosen.row else None,
        nearest=tuple(as_dict(r) for r in chosen.nearest),
        why=chosen.problem.text(say) if chosen.problem else "",
        changes=window.may(Right.CHANGE_REFERENCE),
    )


async def _form(request: Request) -> Mapping[str, str]:
    """The fields of the form as text."""
    form = await request.form()
    found = {name: value for name, value in form.items() if isinstance(value, str)}
    for name, value in found.items():
        if len(value) > LONGEST:
            params = {"field": name[:60], "limit": LONGEST}
            raise InputError(
                Problem(N_("{field} is longer than {limit} characters"), params, N_("shorten it"), field=name[:60])
            )
    return found


@router.get("/reference/new", include_in_schema=False)
def new_row(
    request: Request, window: WindowOf, table: Text = "", like: Text = "", replaces: Text = ""
) -> Response:
    """An empty form, or one filled from a row ``like`` it. The source is never copied: it must be named anew."""
    workspace = window.park(Right.CHANGE_REFERENCE)
    model = find_row(workspace, replaces or like) if replaces or like else None
    chosen = model.table if model else table if table in SCHEMAS else "grid_factors"
    values = {**model.values, "source": "", "evidence": "", "confidence": "verified"} if model else {}
    return html(request, "reference_new.html", NEW, **_filled(window, chosen, values, replaces))


@router.post("/reference/new", include_in_schema=False)
def add(request: Request, window: WindowOf, form: Annotated[Mapping[str, str], Depends(_form)]) -> Response:
    """Check a row and show what it would move; with ``step`` save also state it."""
    workspace = window.park(Right.CHANGE_REFERENCE)
    table, replaces, save = form.get("table", ""), form.get("replaces", ""), form.get("step") == "save"
    values = {name.removeprefix("c_"): text for name, text in form.items() if name.startswith("c_")}
    viewer, address = window.viewer, address_of(request)

    def trail(connection: Connection, new: Row, old: Row | None, now: datetime) -> None:
        before = None if old is None else dict(old.values)
        subject = f"reference/{new.id}"
        audit(connection, viewer, "reference.add", subject, before, dict(new.values), now=now, address=address)

    known = form.get("version", "")
    try:
        told = add_row(workspace, table, values, replaces, known=known, dry_run=not save, trail=trail)
    except StaleError:
        raise
    except LujinError as error:
        filled = _filled(window, table if table in SCHEMAS else "grid_factors", values, replaces)
        return again(request, "reference_new.html", NEW, error, **filled)
    if not save:
        return html(request, "reference_new.html", NEW, **_filled(window, table, values, replaces, told, known))
    said = speech(request)(N_("The row is stated. Posted months stay as they are until they are restated."))
    return RedirectResponse(with_message(request, f"/reference/row?{urlencode({'id': told.row.id})}", said), 303)


def _filled(
    window: Window,
    table: str,
    values: Mapping[str, str],
    replaces: str,
    told: Added | None = None,
    known: str = "",
) -> dict[str, Any]:
    """What the template of the form needs besides ``problems``."""
    schema = SCHEMAS[table]
    return {
        "schema": schema,
        "tables": tuple(SCHEMAS),
        "choices": {**({"unit": schema.units} if schema.units else {}), **schema.words},
        "values": {column: values.get(column, "") for column in schema.columns},
        "replaces": replaces,
        "version": known or window.reference().version(),
        "told": told,
        "effects": plain(told.effects) if told else (),
    }


def _tables(rows: Iterable[Row]) -> tuple[TableCount, ...]:
    rows = tuple(rows)
    every, own, doubtful = (
        Counter(row.table for row in rows if wanted(row))
        for wanted in (lambda _: True, lambda r: r.origin != SHIPPED, lambda r: r.confidence != "verified")
    )
    return tuple(TableCount(table=t, rows=every[t], own=own[t], unverified=doubtful[t]) for t in SCHEMAS)


def _stated(stated: Stated) -> StatedRow:
    return StatedRow(row=as_dict(stated.row), present=stated.present, known=stated.known, months=stated.months)


def _selector(text: str) -> Selector:
    """FactorError: no such table or column."""
    asked = Selector.parse(text.strip())
    return Selector.of(asked.table, **asked.wanted)


def _today(window: Window) -> date:
    months = window.months()
    return date(months[-1] // 100, months[-1] % 100, 1) if months else date(2025, 1, 1)
