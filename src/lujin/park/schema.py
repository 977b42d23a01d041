"""Rows ⇄ records, for ``park.toml`` and workbook alike.

``build`` turns raw rows into a ``Draft`` and finds every problem that one row shows by itself; ``check``
adds the problems between rows. ``encode`` is the inverse of ``build``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from datetime import date, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, get_args
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from lujin.errors import N_, Problem, Severity
from lujin.park import forms
from lujin.park.carriers import CARRIERS, Carrier
from lujin.park.columns import TABLES, TITLES_ZH, TableRow, columns, required
from lujin.park.model import (
    Claim,
    Connection,
    DayFact,
    Flow,
    Instrument,
    Joint,
    Meter,
    Node,
    Output,
    Park,
    Price,
    Storage,
    Transfer,
)
from lujin.park.names import closest

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_RECORDS: Mapping[str, type] = {
    "carrier": Carrier,
    "node": Node,
    "flow": Flow,
    "meter": Meter,
    "connection": Connection,
    "price": Price,
    "output": Output,
    "instrument": Instrument,
    "claim": Claim,
    "joint": Joint,
    "transfer": Transfer,
    "storage": Storage,
    "day": DayFact,
}
_SEQUENCES = frozenset({"price", "output", "claim", "joint", "transfer", "storage"})
Key = str | int | date


@dataclass(frozen=True, slots=True)
class Row:
    """One raw row and where it stands: ``lines`` per key (TOML) or ``cells`` per column (workbook)."""

    table: str
    values: Mapping[str, object]
    file: str
    line: int | None
    lines: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    cells: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    def problem(
        self, column: str, message: str, remedy: str = "", severity: Severity = "error", /, **params: Any
    ) -> Problem:
        where = f"{self.table}.{column}" if column else self.table
        if column in self.cells:
            where = f"{self.cells[column]}{self.line} {column}"
        return Problem(
            message, params, remedy, self.file, self.lines.get(column, self.line), where, severity=severity
        )


@dataclass(frozen=True, eq=False)
class Draft:
    """A park as far as it could be read.

    ``rows`` finds the row of a record by table and id (index for tables without one), ``broken`` holds the rows
    that are there but could not be read: references to them are not wrong.
    """

    park: Park
    rows: Mapping[tuple[str, Key], Row] = field(default_factory=dict)
    broken: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    # Finding the nearest of many names takes a while; the first unknown names get a guess, the rest do not.
    guesses: Iterator[int] = field(default_factory=lambda: iter(range(100)))

    def names(self, table: str) -> Mapping[str, Any]:
        """Records of a table by id."""
        tables: Mapping[str, Mapping[str, Any]] = {
            "carrier": self.park.carriers,
            "node": self.park.nodes,
            "flow": self.park.flows,
            "meter": self.park.meters,
            "connection": self.park.connections,
            "instrument": self.park.instruments,
        }
        return tables[table]

    def unknown(self, row: Row, column: str, word: str, into: str) -> Problem:
        """``word`` names no record of table ``into``."""
        guess = "" if next(self.guesses, None) is None else closest(word, self.names(into))
        remedy = N_("did you mean {guess}?") if guess else N_("add it as [[{into}]], or correct {column}")
        message = N_("{into} {word} is unknown")
        return row.problem(column, message, remedy, into=into, word=word, guess=guess, column=column)

    def row(self, table: str, key: Key) -> Row:
        return self.rows.get((table, key)) or Row(table, _NOTHING, "", None)

    def shown(self, instant: datetime | None) -> str:
        """An instant in park time, as the park file would say it."""
        if instant is None:
            return "∞"
        return forms.write_time(instant, ZoneInfo(self.park.timezone)).isoformat()

    def problem(
        self,
        table: str,
        key: Key,
        column: str,
        message: str,
        remedy: str,
        severity: Severity = "error",
        /,
        **params: Any,
    ) -> Problem:
        return self.row(table, key).problem(column, message, remedy, severity, **params)


def build(rows: Mapping[str, Sequence[Row]], found: Sequence[Problem] = ()) -> Draft:
    """All rows as records; ``found`` are problems that reading the text met already."""
    problems = list(found)
    head, zone = _head(rows.get("park", ()), problems)
    records: dict[str, list[tuple[Row, Any]]] = {}
    broken: dict[str, tuple[Row, ...]] = {}
    for table, record in _RECORDS.items():
        good, bad = _validate(table, rows.get(table, ()), zone, problems)
        broken[table] = tuple(bad)
        placed = any(f.name == "line" for f in fields(record))
        records[table] = [
            (row, record(**model.__dict__, line=row.line) if placed else record(**model.__dict__))
            for row, model in good
        ]
    by_key = {table: _by_key(table, pairs, problems) for table, pairs in records.items()}
    problems.extend(
        row.problem(
            "id",
            N_("carrier {value} is built in and cannot be defined again"),
            N_("give your carrier another id"),
            value=carrier,
        )
        for carrier, (row, _) in by_key["carrier"].items()
        if carrier in CARRIERS
    )

    def mapping(table: str) -> dict[Any, Any]:
        return {key: record for key, (_, record) in by_key[table].items()}

    def sequence(table: str) -> tuple[Any, ...]:
        return tuple(record for _, record in by_key[table].values())

    park = Park(
        **head,
        nodes=mapping("node"),
        flows=mapping("flow"),
        meters=mapping("meter"),
        connections=mapping("connection"),
        carriers=mapping("carrier") | dict(CARRIERS),
        prices=sequence("price"),
        outputs=sequence("output"),
        instruments=mapping("instrument"),
        claims=sequence("claim"),
        joints=sequence("joint"),
        transfers=sequence("transfer"),
        storages=sequence("storage"),
        days=mapping("day"),
    )
    places: dict[tuple[str, Key], Row] = {
        (table, key): row for table, pairs in by_key.items() for key, (row, _) in pairs.items()
    }
    if rows.get("park"):
        places["park", ""] = rows["park"][0]
    return Draft(park, places, broken, tuple(problems))


def _head(rows: Sequence[Row], problems: list[Problem]) -> tuple[dict[str, Any], ZoneInfo]:
    good, _ = _validate("park", rows[:1], ZoneInfo("UTC"), problems)
    problems.extend(
        row.problem("", N_("the park is described twice"), N_("keep one row or table [park]")) for row in rows[1:]
    )
    if not good:  # a stand-in, so that the other tables can still be looked at
        values = rows[0].values if rows else {}
        zone = values.get("timezone")
        try:
            name = forms.read_timezone(zone)
        except PydanticCustomError:  # already among the problems
            name = "UTC"
        return {"id": "", "name_zh": "", "name_en": "", "timezone": name, "region": "", "packs": {}}, ZoneInfo(
            name
        )
    head = dict(good[0][1].__dict__)
    return head, ZoneInfo(head["timezone"])


@lru_cache
def _adapter(table: str) -> TypeAdapter[list[TableRow]]:
    row: Any = TABLES[table]
    return TypeAdapter(list[row])


def _validate(
    table: str, rows: Sequence[Row], zone: ZoneInfo, problems: list[Problem]
) -> tuple[list[tuple[Row, TableRow]], list[Row]]:
    """Rows with their models, and the rows at fault."""
    context = {"zone": zone}
    try:
        models = _adapter(table).validate_python([row.values for row in rows], context=context)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        problems.extend(_problem(rows[int(fault["loc"][0])], fault) for fault in faults)
        wrong = {int(fault["loc"][0]) for fault in faults}
        kept = [row for number, row in enumerate(rows) if number not in wrong]
        models = _adapter(table).validate_python([row.values for row in kept], context=context)
        return list(zip(kept, models, strict=True)), [rows[number] for number in sorted(wrong)]
    return list(zip(rows, models, strict=True)), []


def _problem(row: Row, fault: ErrorDetails) -> Problem:
    column = str(fault["loc"][1]) if len(fault["loc"]) > 1 else ""
    context: dict[str, Any] = fault.get("ctx", {})
    if fault["type"] == "lujin":
        return row.problem(column, context["message"], context["remedy"], **context["params"])
    if fault["type"] == "missing":
        return row.problem(
            column,
            N_("{table} {name} lacks {column}"),
            N_("add {column} ({zh})"),
            table=row.table,
            name=_name_of(row),
            column=column,
            zh=_title(row.table, column),
        )
    if fault["type"] == "extra_forbidden":
        return row.problem(
            column,
            N_("{column} is not a column of {table}"),
            *_suggest(column, list(columns(row.table))),
            column=forms.shown(column),
            table=row.table,
            guess=closest(column, list(columns(row.table))),
            known=", ".join(columns(row.table)),
        )
    # What is left is a word that is not among the few allowed.
    known = list(get_args(TABLES[row.table].model_fields[column].annotation)) if column else []
    value = forms.shown(fault["input"])
    return row.problem(
        column,
        N_("{value} is not a {column} of {table}"),
        *_suggest(value, known),
        value=value,
        column=column,
        table=row.table,
        guess=closest(value, known),
        known=", ".join(known),
    )


def _suggest(word: str, known: Sequence[str]) -> tuple[str]:
    return (N_("did you mean {guess}?") if closest(word, known) else N_("use one of: {known}"),)


def _title(table: str, column: str) -> str:
    name = columns(table)[column][0]
    return TABLES[table].model_fields[name].title or column


def _name_of(row: Row) -> str:
    return forms.shown(row.values.get("id", row.values.get("name_zh", "")) or TITLES_ZH[row.table])


def _by_key(table: str, found: list[tuple[Row, Any]], problems: list[Problem]) -> dict[Key, tuple[Row, Any]]:
    kept: dict[Key, tuple[Row, Any]] = {}
    for number, (row, record) in enumerate(found):
        key: Key = number if table in _SEQUENCES else record.day if table == "day" else record.id
        if key not in kept:
            kept[key] = (row, record)
            continue
        first = kept[key][0]
        problems.append(
            row.problem(
                "date" if table == "day" else "id",
                N_("{table} {value} is there twice; first in {file} line {first}"),
                N_("give each its own id; for a change over time use a new id and valid_from, valid_to")
                if table != "day"
                else N_("keep one row per day, in days.csv or in park.toml"),
                table=table,
                value=key,
                file=first.file,
                first=first.line,
            )
        )
    return kept


def encode(park: Park) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Tables of raw rows, in order of their columns: the inverse of ``build``. Empty values are left out."""
    zone = ZoneInfo(park.timezone)
    own = [carrier for carrier in park.carriers.values() if carrier.id not in CARRIERS]
    for table, records in (
        ("park", [park]),
        ("carrier", own),
        ("node", park.nodes.values()),
        ("flow", park.flows.values()),
        ("meter", park.meters.values()),
        ("connection", park.connections.values()),
        ("price", park.prices),
        ("output", park.outputs),
        ("instrument", park.instruments.values()),
        ("claim", park.claims),
        ("joint", park.joints),
        ("transfer", park.transfers),
        ("storage", park.storages),
        ("day", park.days.values()),
    ):
        yield table, [_encode_row(table, record, zone) for record in records]


def _encode_row(table: str, record: object, zone: ZoneInfo) -> dict[str, object]:
    row: dict[str, object] = {}
    for column, name, form, silent in _layout(table, getattr(record, "kind", "") == "virtual"):
        value = getattr(record, name)
        if value is None or value == "" or value == silent or (form in ("pairs", "list") and not value):
            continue
        if name == "interval_s":
            value = forms.write_interval(value)
        elif form == "month":
            value = forms.write_month(value)
        elif isinstance(value, datetime):
            value = forms.write_time(value, zone)
        row[column] = value
    return row


@lru_cache
def _layout(table: str, virtual: bool) -> tuple[tuple[str, str, str, object], ...]:
    """(column, field, form, value that needs no saying): defaults are said, so that a snapshot keeps its
    meaning when a default changes; only a virtual meter's device facts mean nothing and are left out."""
    silent: dict[str, object] = {}
    if virtual:
        silent = {f.name: f.default for f in fields(Meter) if f.default is not MISSING and f.name != "kind"}
    return tuple((column, name, form, silent.get(name)) for column, (name, form) in columns(table).items())


def heading_problems(table: str, headings: Sequence[tuple[str, str]], file: str, line: int) -> list[Problem]:
    """What is wrong with the heading row of a sheet or CSV file; ``headings``: (column, its cell)."""
    known = columns(table)
    problems = []
    for number, (name, cell) in enumerate(headings):
        if name not in known:
            guess = closest(name, list(known))
            problems.append(
                Problem(
                    N_("{column} is not a column of {table}"),
                    {"column": forms.shown(name), "table": table, "guess": guess, "known": ", ".join(known)},
                    N_("did you mean {guess}?") if guess else N_("use one of: {known}"),
                    file,
                    line,
                    cell,
                )
            )
        elif name in [other for other, _ in headings[:number]]:
            problems.append(
                Problem(N_("column {column} is there twice"), {"column": name}, N_("keep one"), file, line, cell)
            )
    names = {name for name, _ in headings}
    problems.extend(
        Problem(
            N_("column {column} ({zh}) is missing"),
            {"column": column, "zh": _title(table, column)},
            N_("add a column headed {column}"),
            file,
            line,
            table,
        )
        for column in known
        if column in required(table) and column not in names
    )
    return problems
