"""Prints the tables of docs/park-file.md from the schema; ``--write`` puts them into the page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from lujin.park.carriers import BASE_UNIT, CARRIERS, units_of
from lujin.park.columns import TABLES, TITLES_ZH, columns, required

PAGE = Path(__file__).parents[1] / "docs" / "park-file.md"
BEGIN, END = "<!-- begin: scripts/park_tables.py -->", "<!-- end -->"


def page(text: str) -> str:
    """The page with its generated part renewed."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


def tables() -> str:
    return "\n".join([*(line for name in TABLES for line in _table(name)), *_carriers(), *_units()])


def _table(name: str) -> Iterator[str]:
    head = "[park]" if name == "park" else f"[[{name}]]"
    yield from (f"### {head} {TITLES_ZH[name]}", "", "| key | 中文 | meaning | default |", "|---|---|---|---|")
    needed = required(name)
    for column, (field, _) in columns(name).items():
        info = TABLES[name].model_fields[field]
        zh, _, en = (info.description or "").partition("\n")
        words = _words(info.annotation)
        meaning = " · ".join(part for part in (zh, en, f"one of {words}" if words else "") if part)
        default = "**required**" if column in needed else _default(info.get_default(call_default_factory=True))
        yield f"| `{column}` | {info.title} | {meaning} | {default} |"
    yield ""


def _words(annotation: object) -> str:
    known = get_args(annotation) if get_origin(annotation) is Literal else ()
    return ", ".join(f"`{word}`" for word in known)


def _default(value: object) -> str:
    if value is None or value in ("", (), {}):
        return "—"
    if value is False:
        return "`false`"
    return '`"15min"`' if value == 900 else f"`{value}`"


def _carriers() -> Iterator[str]:
    yield from ("### Carriers 载体", "", "| id | 中文 | English | dimension |", "|---|---|---|---|")
    for carrier in CARRIERS.values():
        yield f"| `{carrier.id}` | {carrier.name_zh} | {carrier.name_en} | {carrier.dimension} |"
    yield ""


def _units() -> Iterator[str]:
    yield from ("### Units 单位", "", "| dimension | kept as | a meter may state |", "|---|---|---|")
    for dimension, base in BASE_UNIT.items():
        units = ", ".join(f"`{unit}`" for unit in units_of(dimension))
        yield f"| {dimension} | {base} | {units} |"
    yield ""


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(tables())
