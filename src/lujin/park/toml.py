"""``park.toml`` in and out.

Numbers are read as Decimal, exactly; every row and key keeps its line. ``dumps`` writes canonical TOML:
rows in the order of the park, a fixed order of columns, one form per value.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from lujin.errors import N_, ParkError, Problem
from lujin.park.columns import TABLES
from lujin.park.forms import write_number
from lujin.park.lines import key_lines
from lujin.park.model import Park
from lujin.park.names import closest
from lujin.park.schema import Draft, Row, build, encode

_AT_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPED = re.compile('["\\\\\x00-\x1f\x7f]')


def parse(text: str, file: str = "park.toml", days: Sequence[Row] = (), found: Sequence[Problem] = ()) -> Draft:
    """A park file as far as it can be read, with every problem of its rows.

    ``days`` are rows of the ``day`` table that came from elsewhere, ``found`` problems met on the way.
    """
    rows, problems = read_rows(text, file)
    rows["day"] = [*rows.get("day", ()), *days]
    return build(rows, [*found, *problems])


def from_snapshot(text: str) -> Park:
    """The park whose ``dumps`` gave this text.

    Rules between rows are not applied: what was accepted once stays readable when rules get stricter.
    """
    draft = parse(text, "snapshot")
    if draft.problems:
        raise ParkError(*draft.problems)
    return draft.park


def read_rows(text: str, file: str) -> tuple[dict[str, list[Row]], list[Problem]]:
    """Raw rows per table. A text that is not TOML gives one problem and no rows."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    try:
        document = tomllib.loads(text, parse_float=Decimal)
        lines = key_lines(text)
    except (ValueError, ArithmeticError, RecursionError) as error:
        return {}, [_syntax(error, file)]
    by_row: dict[tuple[str, int], dict[str, int]] = {}
    starts: dict[tuple[str, int], int] = {}
    for path, line in lines.items():
        table = str(path[0])
        if table == "park":
            path = ("park", 0, *path[1:])
        if len(path) > 2 and isinstance(path[1], int):
            by_row.setdefault((table, path[1]), {}).setdefault(str(path[2]), line)
        elif len(path) == 2 and isinstance(path[1], int):
            starts.setdefault((table, path[1]), line)
    rows: dict[str, list[Row]] = {}
    problems: list[Problem] = []
    for table, content in document.items():
        fault = _shape(table, content)
        if fault:
            problems.append(
                Problem(
                    fault[0],
                    {"table": table, **fault[2]},
                    fault[1],
                    file,
                    lines.get((table,), lines.get((table, 0))),
                )
            )
            continue
        records = [content] if table == "park" else content
        rows[table] = [
            Row(table, record, file, starts.get((table, n)), by_row.get((table, n), {}))
            for n, record in enumerate(records)
        ]
    if "park" not in document:
        problems.append(
            Problem(N_("table [park] is missing"), {}, N_("begin with [park] and id, timezone, region"), file, 1)
        )
    return rows, problems


def _shape(table: str, content: object) -> tuple[str, str, Mapping[str, str]] | None:
    """(message, remedy, parameters) if a top-level key does not hold what it should."""
    if table not in TABLES:
        guess = closest(table, TABLES)
        remedy = N_("did you mean {guess}?") if guess else N_("use one of: {known}")
        return N_("table {table} is unknown"), remedy, {"guess": guess, "known": ", ".join(TABLES)}
    if table == "park":
        if isinstance(content, dict):
            return None
        return N_("{table} is not a table"), N_("write [park] with single brackets"), {}
    if isinstance(content, list) and all(isinstance(record, dict) for record in content):
        return None
    return N_("{table} is not a list of tables"), N_("write [[{table}]] with double brackets"), {}


def _syntax(error: Exception, file: str) -> Problem:
    text = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    place = _AT_LINE.search(text)
    remedy = N_("correct the text there")
    if "twice" in text or "overwrite" in text:
        remedy = N_("begin every record with double brackets, like [[meter]], and give each key once")
    return Problem(
        N_("not valid TOML: {reason}"),
        {"reason": _AT_LINE.sub("", text)[:200]},
        remedy,
        file,
        int(place[1]) if place and place[1] else None,
    )


def dumps(park: Park) -> str:
    """Canonical TOML of a park with its days; ``from_snapshot`` gives an equal park back."""
    parts = []
    for table, rows in encode(park):
        for row in rows:
            parts.append("[park]" if table == "park" else f"[[{table}]]")
            packs = row.pop("packs", None) if table == "park" else None
            parts.extend(f"{key} = {_value(value)}" for key, value in row.items())
            if isinstance(packs, Mapping):
                parts.extend(["", "[park.packs]"])
                parts.extend(f"{_key(book)} = {_value(pack)}" for book, pack in packs.items())
            parts.append("")
    return "\n".join(parts)


def _key(key: object) -> str:
    text = str(key)
    return text if _BARE.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    return '"' + _ESCAPED.sub(lambda m: f"\\{m[0]}" if m[0] in '"\\' else f"\\u{ord(m[0]):04X}", text) + '"'


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Decimal():
            return write_number(value)
        case int():
            return str(value)
        case float():
            return write_number(Decimal(repr(value)))
        case datetime() | date():
            return value.isoformat()
        case Mapping():
            return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(_value(v) for v in value) + "]"
        case _:
            return _quoted(str(value))
