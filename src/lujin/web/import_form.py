"""The form in which a person corrects how a file is read: one role per column, and what the file leaves open."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lujin.errors import N_, MappingError, Problem
from lujin.readings import mapping as mappings
from lujin.readings.mapping import FILE
from lujin.readings.mapping import Mapping as ColumnMapping
from lujin.readings.sniff import FileShape
from lujin.readings.times import FORMS
from lujin.workspace.looking import FilePreview, mapping_of, usual_nulls

ROLES: Mapping[str, str] = {
    "": N_("not needed"),
    "time": N_("time"),
    "date": N_("date"),
    "meter": N_("meter"),
    "value": N_("value"),
    "unit": N_("unit"),
    "quality": N_("quality"),
    "reading": N_("readings of one meter"),
}
LAYOUTS: Mapping[str, str] = {
    "long": N_("one reading per row"),
    "wide": N_("one column per meter"),
    "days": N_("one row per meter and day, a column per time of day"),
}
TIME_FORMS: Mapping[str, str] = {
    "ymd": N_("year, month, day: 2025-06-01 00:15"),
    "dmy": N_("day, month, year: 01.06.2025 00:15"),
    "mdy": N_("month, day, year: 06/01/2025 0:15"),
    "compact": N_("digits: 20250601001500"),
    "month": N_("a whole month: 2025-06"),
    "excel": N_("Excel serial days: 45809.01"),
    "epoch_s": N_("seconds since 1970"),
    "epoch_ms": N_("milliseconds since 1970"),
}
CHOICES: Mapping[str, Mapping[str, str]] = {
    "layout": LAYOUTS,
    "time_form": TIME_FORMS,
    "stamp": {
        "": N_("as the meter in the park file"),
        "start": N_("the start of the interval"),
        "end": N_("the end of the interval"),
    },
    "midnight": {"start_of_day": N_("opens its day"), "end_of_day": N_("closes the day whose date it carries")},
    "decimal": {".": N_("point: 1,234.5"), ",": N_("comma: 1.234,5")},
    "ambiguous": {"reject": N_("refuse it"), "order": N_("tell the two apart by their order")},
    "order": {"ascending": N_("oldest first"), "descending": N_("newest first")},
}
_SINGLE = {"date": "date", "time": "time", "meter": "meter", "value": "value", "unit": "unit_column"}
_SINGLE |= {"quality": "quality"}
EDITED = 150  # columns that a person can edit one by one; the rest of a wider file keeps what was guessed

assert set(TIME_FORMS) == set(FORMS)


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """One column on the form. ``meter``, ``unit``: of a column of readings. ``sample``: its first cells."""

    number: int
    column: str
    role: str
    meter: str = ""
    unit: str = ""
    reason: str = ""
    confidence: float | None = None
    sample: tuple[str, ...] = ()


def rows_of(seen: FilePreview, say: Any) -> list[ColumnRow]:
    """The columns of a file as the mapping reads them, with why."""
    if seen.shape is None:
        return []
    why = {c.column: c for c in seen.columns}
    found = []
    for number, column in enumerate(seen.shape.columns):
        cells = [row[number] for row in seen.rows if row[number]][:3]
        guess = why.get(column)
        found.append(
            ColumnRow(
                number,
                column,
                role_of(seen.mapping, column),
                seen.mapping.meters.get(column, ""),
                seen.mapping.units.get(column, ""),
                guess.text(say) if guess else "",
                guess.confidence if guess else None,
                tuple(str(cell) for cell in cells),
            )
        )
    return found


def role_of(mapping: ColumnMapping, column: str) -> str:
    if column in mapping.meters:
        return "reading"
    return next((role for role, name in _SINGLE.items() if getattr(mapping, name) == column), "")


def stated(form: Mapping[str, str], shape: FileShape) -> ColumnMapping:
    """What the form says. MappingError: every field that cannot be right."""
    if form.get("mapping"):
        return carried(form["mapping"], shape)
    raw: dict[str, Any] = {name: form[name] for name in CHOICES if form.get(name)}
    raw |= {name: form.get(name, "").strip() for name in ("unit", "timezone", "sheet")}
    raw["nulls"] = list(usual_nulls([w.strip() for w in form.get("nulls", "").split(",") if w.strip()]))
    problems = _roles(form, shape, raw)
    if problems:
        raise MappingError(*problems)
    if raw.get("layout") != "wide":
        raw.pop("meters"), raw.pop("units")
    return mapping_of(raw, shape)


def _roles(form: Mapping[str, str], shape: FileShape, raw: dict[str, Any]) -> list[Problem]:
    problems = []
    kept = _kept(form)
    meters: dict[str, str] = {c: m for c, m in kept.get("meters", {}).items() if c in shape.columns}
    units: dict[str, str] = {c: u for c, u in kept.get("units", {}).items() if c in shape.columns}
    for number, column in enumerate(shape.columns[:EDITED]):
        role = form.get(f"role.{number}", "")
        meters.pop(column, None), units.pop(column, None)
        if role == "reading":
            meters[column] = form.get(f"meter.{number}", "").strip() or column
            if unit := form.get(f"unit.{number}", "").strip():
                units[column] = unit
        elif role in _SINGLE:
            if taken := raw.get(_SINGLE[role]):
                message = N_("two columns cannot both be the {role}: {one}, {other}")
                params = {"role": role, "one": taken, "other": column}
                problems.append(Problem(message, params, N_("choose one of them"), field=f"role.{number}"))
            raw[_SINGLE[role]] = column
        elif role:
            message, params = N_("{value} is not a value of {name}"), {"value": role[:20], "name": "role"}
            problems.append(Problem(message, params, N_("choose from the list"), field=f"role.{number}"))
    raw["meters"], raw["units"] = meters, units
    return problems


def _kept(form: Mapping[str, str]) -> Mapping[str, Any]:
    try:
        found = json.loads(form.get("kept") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) and all(isinstance(v, dict) for v in found.values()) else {}


def kept_of(seen: FilePreview) -> str:
    """What columns beyond EDITED are read as, to be sent along with the form."""
    if seen.shape is None or len(seen.shape.columns) <= EDITED:
        return ""
    rest = frozenset(seen.shape.columns[EDITED:])
    meters = {c: m for c, m in seen.mapping.meters.items() if c in rest}
    units = {c: u for c, u in seen.mapping.units.items() if c in rest}
    return json.dumps({"meters": meters, "units": units}, ensure_ascii=False)


def carried(text: str, shape: FileShape) -> ColumnMapping:
    """A mapping that a page of ours carries along as JSON. MappingError: it is none."""
    try:
        raw = json.loads(text)
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        message = N_("the mapping cannot be read")
        raise MappingError(Problem(message, {}, N_("go back to the file and state it again"), field="mapping"))
    return mapping_of(raw, shape)


def carry(mapping: ColumnMapping) -> str:
    """The opposite of ``carried``."""
    plain = mappings.as_dict(replace(mapping, name=""))
    return json.dumps({k: v for k, v in plain.items() if k != "name"}, ensure_ascii=False)


def extra_nulls(mapping: ColumnMapping) -> str:
    """Words for "no value" besides the usual ones."""
    return ", ".join(word for word in mapping.nulls if word not in usual_nulls(()))


def named_after_file(mapping: ColumnMapping) -> bool:
    return FILE in mapping.meters.values()


def problems_beside(problems: Sequence[Problem], rows: Sequence[ColumnRow]) -> list[Problem]:
    """Problems that belong to no field of the form, to be told above it."""
    fields = {*CHOICES, "unit", "timezone", "nulls", "sheet", "save_as", *(f"role.{r.number}" for r in rows)}
    return [p for p in problems if p.field not in fields]
