"""Guess the mapping of a file from its header and a sample (映射推断), with reasons a person can check."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl

from lujin.errors import N_, MappingError, Problem, Translate, as_written
from lujin.readings import numbers, times
from lujin.readings.mapping import FILE, QUALITY_WORDS, Mapping, name_key
from lujin.readings.sniff import FileShape
from lujin.readings.words import METER, QUALITY, TIME, UNIT, VALUE, bare, is_unit, rank, strange_unit, unit_in

NO_METER = N_("holds numbers, but no meter has this name")


@dataclass(frozen=True, slots=True)
class ColumnGuess:
    """What one column was taken for: role (``ignored``: none), confidence 0–1, reason."""

    column: str
    role: str
    confidence: float
    reason: str
    params: MappingOf[str, object]

    def text(self, translate: Translate = as_written) -> str:
        return translate(self.reason).format(**self.params)


@dataclass(frozen=True, slots=True)
class Guess:
    mapping: Mapping
    columns: tuple[ColumnGuess, ...]

    @property
    def ignored(self) -> tuple[str, ...]:
        return tuple(c.column for c in self.columns if c.role == "ignored")


def guess_mapping(shape: FileShape, sample: pl.DataFrame, names: MappingOf[str, object]) -> Guess:
    """The mapping that the header and the sample speak for.

    ``names``: every name of a meter (id or alias) → the meter. ``sample``: text cells as ``source.sample``
    gives them. Raises MappingError listing what to state where the file could be read in several ways.
    """
    guess, questions = guess_as_far_as(shape, sample, names)
    if questions:
        raise MappingError(*questions)
    return guess


def guess_as_far_as(
    shape: FileShape, sample: pl.DataFrame, names: MappingOf[str, object]
) -> tuple[Guess, tuple[Problem, ...]]:
    """``guess_mapping`` for a person who can answer: what the file speaks for, and what to state."""
    if sample.is_empty():
        raise MappingError(
            Problem(N_("the file has a header but no rows"), {}, N_("export it again with data"), file=shape.path)
        )
    view = _View(shape, sample, names)
    found = _Findings(view)
    _find_time(view, found)
    _find_meters(view, found)
    if found.mapping["layout"] == "long":
        _find_value(view, found)
        _find_words(view, found)
    _ask_strange_units(view, found)
    if shape.decimal == "?":
        found.ask("decimal", N_('"1,234" may be 1234 or 1.234; state decimal = "." or ","'))
    found.mapping["decimal"] = shape.decimal
    return found.guess(), tuple(found.problems)


class _View:
    """The sample by column name, with what its cells look like."""

    def __init__(self, shape: FileShape, sample: pl.DataFrame, names: MappingOf[str, object]) -> None:
        self.shape = shape
        self.names = {name_key(name): name for name in names}
        # A meter whose id is "-" or "无" stays nameable; only cells are compared with the marks.
        self.nulls = {mark.lower() for mark in shape.nulls}
        columns = {name: sample[f"c{i}"].to_list() for i, name in enumerate(shape.columns)}
        self.rows: dict[str, list[str]] = {
            name: ["" if cell is None else str(cell).strip(" \t\"'=") for cell in cells]
            for name, cells in columns.items()
        }
        self.cells = {
            name: [c for c in cells if c.lower() not in self.nulls][:6_000] for name, cells in self.rows.items()
        }

    def share(self, column: str, test: Callable[[str], bool], few: int = 300) -> float:
        """Share of the cells that pass. A column that fails on a first few is not looked at further."""
        cells = self.cells[column]
        if not cells or not any(map(test, cells[:: max(1, len(cells) // 12)])):
            return 0.0
        cells = cells[:: max(1, len(cells) // few)]
        return sum(map(test, cells)) / len(cells)

    def is_number(self, column: str) -> bool:
        cells = pl.Series(self.cells[column], dtype=pl.String)
        if cells.is_empty():
            return False
        parsed = numbers.parse_numbers(cells, "," if self.shape.decimal == "," else ".", self.shape.nulls)
        # A column named as a reading may hold more rubbish than one that is numbers by chance.
        tolerated = 0.5 if rank(VALUE, column) < len(VALUE) or unit_in(column) else 0.1
        return int(parsed["failed"].sum()) <= tolerated * len(cells)

    def meter_named(self, text: str) -> str | None:
        """The meter that a header or cell names, with or without a unit behind it."""
        return self.names.get(name_key(text)) or self.names.get(name_key(bare(text)))


class _Findings:
    def __init__(self, view: _View) -> None:
        self.view = view
        self.mapping: dict[str, object] = {
            "fingerprint": view.shape.fingerprint,
            "layout": view.shape.layout,
            "sheet": view.shape.sheet if len(view.shape.sheets) > 1 else "",
            "nulls": view.shape.nulls,
        }
        self.columns: dict[str, ColumnGuess] = {}
        self.problems: list[Problem] = []

    def take(self, column: str, role: str, confidence: float, reason: str, **params: object) -> None:
        self.columns[column] = ColumnGuess(column, role, confidence, reason, params)

    def ask(self, field: str, message: str, **params: object) -> None:
        self.problems.append(
            Problem(
                message, {**params, "field": field}, N_("state {field} in a mapping"),
                file=self.view.shape.path, field=field,
            )
        )  # fmt: skip

    def free(self) -> list[str]:
        return [c for c in self.view.shape.columns if c not in self.columns]

    def guess(self) -> Guess:
        for column in self.free():
            self.take(column, "ignored", 0.5, N_("not needed"))
        columns = tuple(self.columns[c] for c in self.view.shape.columns)
        return Guess(Mapping(**self.mapping), columns)  # type: ignore[arg-type]


# Time


def _find_time(view: _View, found: _Findings) -> None:
    if view.shape.layout == "days":
        dates = _time_columns(view, ("ymd", "dmy", "mdy", "compact"))
        if dates:
            found.mapping["date"] = dates[0]
            _settle_form(view, found, dates[0], "date")
            return
    columns = _time_columns(view, ("ymd", "dmy", "mdy")) or _time_columns(view, ("month", "compact"), worded=True)
    columns = columns or _time_columns(view, ("epoch_s", "epoch_ms", "excel"), worded=True)
    if not columns:
        found.ask("time", N_("no column holds times: {columns}"), columns=", ".join(view.shape.columns[:20]))
        return
    best = [c for c in columns if rank(TIME, c) == rank(TIME, columns[0])]
    if len(best) > 1:
        found.ask("time", N_("several columns hold times: {columns}"), columns=", ".join(best))
        return
    column = columns[0]
    clock = [c for c in view.shape.columns if c != column and view.share(c, _is_time_of_day) > 0.9]
    dates_only = view.share(column, lambda c: ":" not in c or re.search(r"\b0?0:00(:00)?$", c) is not None) == 1.0
    if dates_only and clock:
        found.mapping |= {"date": column, "time": clock[0]}
        found.take(clock[0], "time", 0.9, N_("times of day beside the dates"))
        _settle_form(view, found, column, "date")
    else:
        found.mapping["time"] = column
        _settle_form(view, found, column, "time")
    if re.search(r"结束|终止|\bend", column, re.IGNORECASE):
        found.mapping["stamp"] = "end"
    elif re.search(r"开始|起始|\bstart|\bbegin", column, re.IGNORECASE):
        found.mapping["stamp"] = "start"


def _time_columns(view: _View, forms: Sequence[str], *, worded: bool = False) -> list[str]:
    """Columns that hold times of one of the forms, best header word first."""
    fitting = [
        c
        for c in view.shape.columns
        if view.share(c, _is_time_of_day) < 0.5  # a workbook dates its times of day 1899
        and (not worded or rank(TIME, c) < len(TIME))
        and max(view.share(c, lambda cell, f=form: times.reads(cell, f)) for form in forms) >= 0.5  # type: ignore[misc]
    ]
    return sorted(fitting, key=lambda c: rank(TIME, c))


def _is_time_of_day(cell: str) -> bool:
    return re.match(times.TIME_OF_DAY, cell) is not None


def _settle_form(view: _View, found: _Findings, column: str, role: str) -> None:
    cells = view.cells[column]
    shares = {
        form: view.share(column, lambda c, f=form: times.reads(c, f), few=6_000)  # type: ignore[misc]
        for form in times.FORMS
    }
    # A number may read as compact date, serial day and epoch; the stricter reading comes first.
    order = ("ymd", "dmy", "mdy", "month", "compact", "epoch_ms", "epoch_s", "excel")
    best = max(shares.values())
    forms = [form for form in order if shares[form] >= best - 0.001 and shares[form] > 0]
    form = forms[0]
    confidence, reason = 0.95, N_("{share:.0%} of the sample are times of the form {form}")
    if {"dmy", "mdy"} <= set(forms):
        evidence = {f: _unbroken_nights(cells, f) for f in ("dmy", "mdy")}
        if min(evidence.values()) > 0 or max(evidence.values()) < 2:
            found.ask(
                "time_form",
                N_("{example} may be day/month or month/day, and no row of the sample tells which"),
                example=cells[0],
            )
            return
        form = max(evidence, key=lambda f: evidence[f])
        confidence, reason = (
            0.8,
            N_("read as {form} the times run on over midnight, the other way round they jump"),
        )
    found.mapping["time_form"] = form
    found.take(column, role, confidence, reason, share=best, form=form)
    _settle_midnight(view, found, column, form)


def _stamps(cells: Iterable[str], form: str) -> list[datetime]:
    frame = times.parse_times(pl.Series(list(cells), dtype=pl.String), form)
    both = frame.select(pl.coalesce("local", pl.col("instant").dt.replace_time_zone(None)))
    return [t for t in both.to_series().to_list() if t is not None]


def _unbroken_nights(cells: Sequence[str], form: str) -> int:
    """How often the date changes in the head of the sample while the times run on by their usual step.

    Readings once a day or month prove nothing: 01/02, 01/03 are as even one way as the other.
    """
    stamps = _stamps(cells, form)
    pairs = [(a, b) for a, b in pairwise(stamps) if a != b]
    steps = [abs(b - a) for a, b in pairs]
    usual = max(set(steps), key=steps.count, default=timedelta(0))
    if usual >= timedelta(days=1) or steps.count(usual) < 8:
        return 0
    return sum(a.date() != b.date() and abs(b - a) == usual for a, b in pairs)


def _settle_midnight(view: _View, found: _Findings, column: str, form: str) -> None:
    """Order of the file, and whether 00:00 follows 23:45 of the very same date."""
    stamps = _stamps(view.cells[column], form)
    steps = [b - a for a, b in pairwise(stamps)]
    if sum(s < timedelta(0) for s in steps) > sum(s > timedelta(0) for s in steps):
        found.mapping["order"] = "descending"
        steps = [-s for s in reversed(steps)]
    usual = max(set(steps), key=steps.count, default=timedelta(0))
    day = timedelta(days=1)
    back = sum(a == usual - day and b == usual + day for a, b in pairwise(steps))
    if timedelta(0) < usual < day and back and steps.count(usual + day) >= back:
        found.mapping |= {"midnight": "end_of_day", "stamp": "end"}
        found.take(column, "time", 0.9, N_("00:00 follows the last reading of the same date: it closes the day"))


# Meters


def _find_meters(view: _View, found: _Findings) -> None:
    shares = {c: view.share(c, lambda cell: view.meter_named(cell) is not None) for c in found.free()}
    by_content = [c for c in shares if shares[c] >= 0.5]
    best = min(by_content, key=lambda c: (-shares[c], rank(METER, c)), default=None)
    headers = {c: named for c in found.free() if (named := view.meter_named(c)) is not None}
    word = min(found.free(), key=lambda c: rank(METER, c), default=None)
    # Numbers that happen to be meter names (1, 2, 3 …) need the header word as well.
    if best is not None and not (view.is_number(best) and rank(METER, best) == len(METER) and headers):
        found.mapping["meter"] = best
        found.take(
            best, "meter", 0.95, N_("{share:.0%} of its values name meters of the park"), share=shares[best]
        )
    elif headers and view.shape.layout != "days":
        _take_wide(view, found, headers)
    elif word is not None and rank(METER, word) < len(METER):
        found.mapping["meter"] = word
        found.take(word, "meter", 0.4, N_("its name says so, but none of its values is a meter of the park"))
    else:
        _from_file_name(view, found)


def _take_wide(view: _View, found: _Findings, headers: MappingOf[str, str]) -> None:
    doubled = {named for named in headers.values() if list(headers.values()).count(named) > 1}
    if doubled:
        found.ask("meters", N_("several columns name the meters {meters}"), meters=", ".join(sorted(doubled)))
    found.mapping |= {"layout": "wide", "meters": dict(headers)}
    units = {c: unit_in(c) for c in headers if unit_in(c)}
    if units:
        found.mapping["units"] = units
    for column, named in headers.items():
        found.take(column, "value", 0.95, N_("its name is that of meter {meter}"), meter=named)
    for column in found.free():
        if view.is_number(column):
            found.take(column, "ignored", 0.8, NO_METER)


def _from_file_name(view: _View, found: _Findings) -> None:
    """One meter per file, named by the file (or sheet)."""
    meter = meter_in_name(view.shape, view.names)
    if meter is None:
        found.ask(
            "meter",
            N_("neither a column, a header nor the file name names a meter of the park: {columns}"),
            columns=", ".join(view.shape.columns[:20]),
        )
        return
    _find_value(view, found)
    column = str(found.mapping.pop("value", ""))
    if column:
        found.mapping |= {"layout": "wide", "meters": {column: FILE}}
        if unit := str(found.mapping.pop("unit", "")):
            found.mapping["units"] = {column: unit}
        found.take(column, "value", 0.7, N_("the only reading in a file named after meter {meter}"), meter=meter)


def meter_in_name(shape: FileShape, names: MappingOf[str, str]) -> str | None:
    """The meter that a file or sheet is named after, wholly or as the only one inside the name.

    ``names``: ``name_key`` of every meter name → the name.
    """
    stem = Path(shape.path).name.split(".")[0].lower()
    meter = names.get(name_key(stem)) or names.get(name_key(shape.sheet))
    if meter is None:
        # Whole words only, and no short number: "6" is in every file of June.
        words = (key for key in names if len(key) >= 5 or not key.isdecimal())
        inside = {names[k] for k in words if re.search(rf"(?<![0-9a-z]){re.escape(k)}(?![0-9a-z])", stem)}
        # "line 1" lies inside "line 1 north" too: the longest name that holds all others is meant.
        longest = max(inside, key=len, default="")
        if all(name_key(name) in name_key(longest) for name in inside):
            meter = longest or None
    return meter


# Values, units, qualities


def _find_value(view: _View, found: _Findings) -> None:
    unit_columns = [c for c in found.free() if rank(UNIT, c) < len(UNIT)]
    candidates = [c for c in found.free() if c not in unit_columns and view.is_number(c)]
    scores = {c: (rank(VALUE, c), 0 if unit_in(c) else 1) for c in candidates}
    worded = [c for c in candidates if scores[c] < (len(VALUE), 1)]
    if not candidates:
        found.ask("value", N_("no column holds numbers: {columns}"), columns=", ".join(view.shape.columns[:20]))
        return
    if len(candidates) == 1:
        column, confidence, reason = candidates[0], 0.8, N_("the only column of numbers")
    else:
        worded.sort(key=lambda c: scores[c])
        rivals = [c for c in worded if bool(unit_in(c)) == bool(unit_in(worded[0]))]
        several = _rivals(rivals, scores)
        if not worded or several:
            found.ask(
                "value",
                N_("several columns may hold the reading: {columns}"),
                columns=", ".join(several or candidates),
            )
            return
        column, confidence, reason = worded[0], 0.9, N_("its name says so")
    found.mapping["value"] = column
    if unit := unit_in(column):
        found.mapping["unit"] = unit
    found.take(column, "value", confidence, reason)


def _ask_strange_units(view: _View, found: _Findings) -> None:
    """A reading whose header states a unit that is not known is not read in the meter's own unit."""
    if "unit_column" in found.mapping:
        return
    for column, guess in found.columns.items():
        text = strange_unit(column)
        if guess.role == "value" and text and name_key(column) not in view.names:
            field = "unit" if found.mapping["layout"] == "long" else "units"
            found.ask(
                field,
                N_("the header {column} states the unit {text}, which is not known"),
                column=column,
                text=text,
            )


def _rivals(columns: Sequence[str], scores: MappingOf[str, tuple[int, int]]) -> list[str]:
    """Columns that speak for themselves as much as the best: energy and power side by side, or no word at all."""
    if not columns:
        return []
    first = columns[0]
    if scores[first][0] == len(VALUE):
        return list(columns) if len(columns) > 1 else []
    power = re.compile(r"功率|power|load|kw$|mw$", re.IGNORECASE)
    total = re.compile("总|示|底|码")
    mixed = [
        c
        for c in columns
        if scores[c][0] < len(VALUE)
        and bool(power.search(bare(c))) != bool(power.search(bare(first)))
        and not total.search(first)
    ]
    return [first, *mixed] if mixed else []


def _find_words(view: _View, found: _Findings) -> None:
    for column in found.free():
        if rank(UNIT, column) < len(UNIT) and view.share(column, is_unit) > 0.5:
            found.mapping["unit_column"] = column
            found.take(column, "unit", 0.9, N_("its name and values say so"))
            found.mapping.pop("unit", None)
        elif rank(QUALITY, column) < len(QUALITY) and "quality" not in found.mapping:
            if view.cells[column] and view.share(column, lambda c: c.lower() in QUALITY_WORDS) == 1.0:
                found.mapping["quality"] = column
                found.take(column, "quality", 0.9, N_("its name and values say so"))
            else:
                found.take(column, "ignored", 0.6, N_("may state quality, but its words are not known"))
