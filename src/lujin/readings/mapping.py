"""How the columns of an export file are to be read (列映射), saved as TOML beside the park and reused.

```toml
# mappings/monthly-export.toml
fingerprint = "0f3a…"          # of the header; the mapping applies to files with the same one
layout = "long"                # long · wide (a column per meter) · days (a column per time of day)
time = "采集时间"
meter = "表号"
value = "正向有功总"
unit = "kWh"                   # of all values; or unit_column = "单位"; neither: the meter's own unit
time_form = "ymd"
timezone = "Asia/Shanghai"     # none: the meter's, else the park's
stamp = "end"                  # none: the meter's
midnight = "end_of_day"        # 00:00 closes the day whose date it carries
```
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import tomlkit
import tomlkit.exceptions

from lujin.disk import write_whole
from lujin.errors import N_, MappingError, Problem
from lujin.readings import numbers, times
from lujin.readings.sniff import FileShape
from lujin.readings.words import header_key

QUALITIES: MappingOf[str, int] = {"measured": 0, "estimated": 1, "manual": 2}
# What exports call them. "A" actual and "E" estimated as in utility interval files.
QUALITY_WORDS: MappingOf[str, str] = {
    "measured": "measured", "actual": "measured", "valid": "measured", "good": "measured", "a": "measured",
    "0": "measured", "实测": "measured", "实际": "measured", "正常": "measured", "有效": "measured",
    "estimated": "estimated", "e": "estimated", "1": "estimated", "估算": "estimated", "估读": "estimated",
    "补录": "estimated", "拟合": "estimated",
    "manual": "manual", "m": "manual", "2": "manual", "人工": "manual", "手工": "manual", "手抄": "manual",
}  # fmt: skip
# In ``meters``: the meter that the file (or sheet) is named after.
FILE = "{file}"
_CHOICES: MappingOf[str, tuple[str, ...]] = {
    "layout": ("long", "wide", "days"),
    "time_form": times.FORMS,
    "stamp": ("", "start", "end"),
    "midnight": ("start_of_day", "end_of_day"),
    "ambiguous": ("reject", "order"),
    "order": ("ascending", "descending"),
    "decimal": (".", ","),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Which column holds what. Columns are named as in ``FileShape.columns``.

    ``date`` is set when date and time of day stand in two columns. In ``wide`` layout ``meters`` maps a
    column to a meter, ``{file}`` being the one that the file is named after. ``ambiguous`` says what to do
    with the hour that occurs twice when clocks go back: refuse, or tell the two apart by their order in the
    file, which runs in ``order``.
    """

    name: str = ""
    fingerprint: str = ""
    layout: str = "long"
    time: str = ""
    date: str = ""
    meter: str = ""
    meters: MappingOf[str, str] = field(default_factory=dict)
    value: str = ""
    unit: str = ""
    unit_column: str = ""
    units: MappingOf[str, str] = field(default_factory=dict)  # wide: column → unit
    quality: str = ""
    quality_words: MappingOf[str, str] = field(default_factory=lambda: dict(QUALITY_WORDS))
    time_form: str = "ymd"
    timezone: str = ""
    stamp: str = ""
    midnight: str = "start_of_day"
    ambiguous: str = "reject"
    order: str = "ascending"
    decimal: str = "."
    nulls: Sequence[str] = numbers.NULLS
    sheet: str = ""

    def applies_to(self, shape: FileShape) -> bool:
        return bool(self.fingerprint) and self.fingerprint == shape.fingerprint

    def problems(self, shape: FileShape) -> list[Problem]:
        """What keeps this mapping from reading a file of that shape."""
        return [*_own_problems(self), *_column_problems(self, shape)]


def require(mapping: Mapping, shape: FileShape) -> Mapping:
    """The mapping, or MappingError with everything that is wrong with it for this file."""
    if problems := mapping.problems(shape):
        raise MappingError(*problems)
    return mapping


def _own_problems(mapping: Mapping) -> list[Problem]:
    found = []
    for name, known in _CHOICES.items():
        if (value := getattr(mapping, name)) not in known:
            found.append(_wrong(mapping, name, value, ", ".join(k for k in known if k)))
    if mapping.timezone:
        try:
            ZoneInfo(mapping.timezone)
        except (KeyError, ValueError, OSError):
            found.append(_wrong(mapping, "timezone", mapping.timezone, "Asia/Shanghai, Etc/GMT-8, UTC, …"))
    for word, quality in mapping.quality_words.items():
        if quality not in QUALITIES:
            found.append(_wrong(mapping, f"quality_words.{word}", quality, ", ".join(QUALITIES)))
    return found


def _wrong(mapping: Mapping, name: str, value: object, known: str) -> Problem:
    return Problem(
        N_("{value} is not a value of {name}"),
        {"value": value, "name": name, "known": known},
        N_("use one of: {known}"),
        file=mapping.name,
        field=name,
    )


def _column_problems(mapping: Mapping, shape: FileShape) -> list[Problem]:
    needed = {"time": mapping.time}
    if mapping.layout != "wide":
        needed |= {"meter": mapping.meter}
    if mapping.layout == "long":
        needed |= {"value": mapping.value}
    found = [
        Problem(
            N_("the mapping names no column for {role}"),
            {"role": role, "columns": ", ".join(shape.columns[:30])},
            N_("name one of: {columns}"),
            file=shape.path,
            field=role,
        )
        for role, column in needed.items()
        if not column and not (role == "time" and mapping.layout == "days" and mapping.date)
    ]
    if mapping.layout == "wide" and not mapping.meters:
        found.append(
            Problem(
                N_("the mapping names no meter columns"), {}, N_("list them under [meters]"),
                file=shape.path, field="meters",
            )
        )  # fmt: skip
    named = [
        *needed.items(), ("date", mapping.date), ("unit_column", mapping.unit_column),
        ("quality", mapping.quality),
        *(("meters", column) for column in mapping.meters),
    ]  # fmt: skip
    found += [
        Problem(
            N_("the file has no column {column}"),
            {"column": column, "columns": ", ".join(shape.columns[:30])},
            N_("its columns are: {columns}"),
            file=shape.path,
            field=role,
        )
        for role, column in named
        if column and column not in shape.columns
    ]
    return found


# Saved mappings


def dumps(mapping: Mapping) -> str:
    """TOML of what differs from the defaults."""
    plain = Mapping()
    document = tomlkit.document()
    for name in (f.name for f in fields(Mapping) if f.name != "name"):
        value = getattr(mapping, name)
        if value == getattr(plain, name):
            continue
        document.add(name, list(value) if isinstance(value, tuple) else value)
    return tomlkit.dumps(document)


def loads(text: str, name: str) -> Mapping:
    """Raises MappingError naming every unknown or ill-typed key."""
    try:
        raw: dict[str, Any] = tomlkit.parse(text).unwrap()
    except tomlkit.exceptions.TOMLKitError as error:
        raise MappingError(
            Problem(N_("not valid TOML: {detail}"), {"detail": error}, N_("correct the file"), file=name)
        ) from error
    return of_dict(raw, name)


def of_dict(raw: MappingOf[str, Any], name: str) -> Mapping:
    """From plain data. Raises MappingError naming every unknown or ill-typed key."""
    known = {f.name: getattr(Mapping(), f.name) for f in fields(Mapping)}
    problems = [
        Problem(
            N_("{key} is not a key of a mapping, or not of the right kind"),
            {"key": key, "known": ", ".join(known)},
            N_("known keys are: {known}"),
            file=name,
            field=key,
        )
        for key, value in raw.items()
        if key not in known or not _same_kind(value, known[key])
    ]
    if problems:
        raise MappingError(*problems)
    typed: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
    mapping = Mapping(**{**typed, "name": name})
    if problems := _own_problems(mapping):
        raise MappingError(*problems)
    return mapping


def as_dict(mapping: Mapping) -> dict[str, Any]:
    """Plain data, for JSON; the opposite of ``of_dict``."""
    found = {f.name: getattr(mapping, f.name) for f in fields(Mapping)}
    return {
        k: list(v) if isinstance(v, tuple) else dict(v) if isinstance(v, MappingOf) else v
        for k, v in found.items()
    }


def file_name(name: str) -> str:
    """What of a name can be the name of a file: letters, digits, ``.-_``, not hidden, 60 characters.

    >>> file_name("../抄表 2025"), file_name(".."), file_name("配电房_Q1")
    ('抄表2025', '', '配电房_Q1')
    """
    return re.sub(r"[^\w.-]", "", name).lstrip(".")[:60]


def _same_kind(value: object, default: object) -> bool:
    if isinstance(default, str):
        return isinstance(value, str)
    if isinstance(default, dict):
        return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def save(mapping: Mapping, directory: Path) -> Path:
    """Write ``<directory>/<name>.toml``. A broken one would stand in the way of every later import."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{mapping.name}.toml"
    write_whole(path, dumps(mapping))
    return path


def load(path: Path) -> Mapping:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(
            Problem(
                N_("the mapping cannot be read: {detail}"), {"detail": error}, N_("check the file"), file=str(path)
            )
        ) from error
    return loads(text, path.stem)


def saved_for(shape: FileShape, directory: Path) -> Mapping | None:
    """The saved mapping whose fingerprint fits; MappingError where several do."""
    fitting = [m for m in (load(p) for p in sorted(directory.glob("*.toml"))) if m.applies_to(shape)]
    if len(fitting) > 1:
        raise MappingError(
            Problem(
                N_("several saved mappings fit the file: {names}"),
                {"names": ", ".join(m.name for m in fitting)},
                N_("name the one to use"),
                file=shape.path,
            )
        )
    return fitting[0] if fitting else None


def name_key(name: str) -> str:
    """A meter name as compared: full-width, case, blanks and spreadsheet marks aside.

    >>> name_key('="00123"'), name_key("Ｍ 01\\t")
    ('00123', 'm01')
    """
    return header_key(name.strip("=\"' \t"))
