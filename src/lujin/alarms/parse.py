"""A rule from a form or from JSON: every fault at once, with the field it is in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import time
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from lujin.alarms.rules import EACH, KINDS, SEVERITIES, Kind, Parameter, Place, PlaceKind, Rule, Severity
from lujin.errors import N_, InputError, Problem
from lujin.park import Park

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
_MAIL = re.compile(r"mailto:[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]+")
_HOOK = re.compile(r"webhook:[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
_QUIET = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_LONGEST = 200


def rule_from(values: Mapping[str, Any], park: Park) -> Rule:
    """``values``: as ``Rule.as_dict`` gives them; lists may be texts with commas or lines, parameters may stand
    beside the rest. InputError: every field that does not fit.
    """
    kind = str(values.get("kind", ""))
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise InputError(_fault("kind", N_("{text} is no kind of rule"), kind, N_("use one of: {known}"), known))
    given = {**values, **dict(values.get("parameters") or {})}
    problems: list[Problem] = []
    texts = {p.name: str(given.get(p.name) or "").strip() or p.default for p in KINDS[cast(Kind, kind)].parameters}
    rule = Rule(
        id=str(values.get("id", "")).strip(),
        kind=cast(Kind, kind),
        place=place_from(str(values.get("place") or "park")),
        name=str(values.get("name", "")).strip()[:_LONGEST],
        owner=str(values.get("owner", "")).strip(),
        severity=cast(Severity, str(values.get("severity") or "warning")),
        parameters=texts,
        recipients=_listed(values.get("recipients")),
        quiet=str(values.get("quiet") or "").replace(" ", "").replace("–", "-"),
        escalate_after_min=_minutes(values.get("escalate_after_min"), problems),
        escalate_to=_listed(values.get("escalate_to")),
        enabled=str(values.get("enabled", True)).lower() not in ("false", "0", "", "off", "none"),
    )
    problems += [*_head(rule, park), *_where(rule, park), *_parameters(rule, park), *_people(rule)]
    if problems:
        raise InputError(*problems)
    return rule


def place_from(text: str) -> Place:
    kind, _, name = text.strip().partition(":")
    return Place(cast(PlaceKind, kind), name.strip())


def _fault(field: str, message: str, text: object, remedy: str, known: str = "") -> Problem:
    return Problem(message, {"text": text, "known": known}, remedy, field=field)


def _listed(given: Any) -> tuple[str, ...]:
    parts: Sequence[Any] = re.split(r"[,;\s]+", given) if isinstance(given, str) else (given or ())
    texts = dict.fromkeys(str(part).strip() for part in parts)
    return tuple(f"mailto:{t}" if "@" in t and ":" not in t else t for t in texts if t)


def _minutes(given: Any, problems: list[Problem]) -> int:
    text = str(given or "0").strip()
    if text.isdecimal() and text.isascii() and int(text) <= 60 * 24 * 30:
        return int(text)
    remedy = N_("write a whole number, 0: never")
    problems.append(_fault("escalate_after_min", N_("{text} is no number of minutes"), text, remedy))
    return 0


def _head(rule: Rule, park: Park) -> Iterator[Problem]:
    if not _ID.fullmatch(rule.id):
        remedy = N_("use letters, digits, - _ and . without spaces, at most 60")
        yield _fault("id", N_("{text} is no identifier of a rule"), rule.id, remedy)
    if rule.severity not in SEVERITIES:
        known = ", ".join(SEVERITIES)
        yield _fault("severity", N_("{text} is no severity"), rule.severity, N_("use one of: {known}"), known)
    if rule.owner and rule.owner not in park.enterprises():
        remedy = N_("name an enterprise of the park, or leave it empty")
        yield _fault("owner", N_("there is no enterprise {text}"), rule.owner, remedy)
    if rule.quiet and quiet_hours(rule.quiet) is None:
        remedy = N_("write them as 22:00-07:00, or leave them empty")
        yield _fault("quiet", N_("{text} are no quiet hours"), rule.quiet, remedy)


def quiet_hours(text: str) -> tuple[time, time] | None:
    """
    >>> quiet_hours("22:00-07:00")
    (datetime.time(22, 0), datetime.time(7, 0))
    """
    found = _QUIET.fullmatch(text)
    if not found:
        return None
    hours = [int(part) for part in found.groups()]
    if hours[0] > 23 or hours[2] > 23 or hours[1] > 59 or hours[3] > 59:
        return None
    return time(hours[0], hours[1]), time(hours[2], hours[3])


def known_places(park: Park, kind: PlaceKind) -> Sequence[str]:
    return {
        "enterprise": list(park.enterprises()),
        "meter": list(park.meters),
        "flow": list(park.flows),
        "connection": list(park.connections),
        "park": [],
    }[kind]


def _where(rule: Rule, park: Park) -> Iterator[Problem]:
    allowed = KINDS[rule.kind].places
    kind, name = rule.place.kind, rule.place.id
    if kind not in allowed:
        known = ", ".join(allowed)
        message = N_("this kind of rule does not look at {text}")
        yield _fault("place", message, kind, N_("use one of: {known}"), known)
        return
    if kind != "park" and name != EACH and name not in known_places(park, kind):
        remedy = N_("write enterprise:E004 or meter:M7, or enterprise:* for each")
        yield _fault("place", N_("{text} is not in the park"), str(rule.place), remedy)
    elif rule.owner in park.enterprises() and not owned(park, rule.place, rule.owner):
        remedy = N_("name a place that belongs to the enterprise")
        yield _fault("place", N_("{text} does not belong to the owner of the rule"), str(rule.place), remedy)


def owned(park: Park, place: Place, enterprise: str) -> bool:
    """Whether all that happens at the place is a matter of this enterprise."""
    match place.kind:
        case "enterprise":
            return place.id == enterprise
        case "connection":
            return place.id in park.connections and park.connections[place.id].enterprise == enterprise
        case "flow":
            flow = park.flows.get(place.id)
            return flow is not None and enterprise in (park.owner(flow.source), park.owner(flow.target))
        case "meter":
            meter = park.meters.get(place.id)
            return meter is not None and bool(meter.flow) and owned(park, Place("flow", meter.flow), enterprise)
        case _:
            return False


def _parameters(rule: Rule, park: Park) -> Iterator[Problem]:
    for parameter in KINDS[rule.kind].parameters:
        text = rule.parameters[parameter.name]
        if parameter.free:
            if parameter.name == "carrier" and text not in park.carriers:
                known = ", ".join(sorted({f.carrier for f in park.flows.values()}))
                yield _fault("carrier", N_("there is no carrier {text}"), text, N_("use one of: {known}"), known)
        elif parameter.choices:
            if text not in parameter.choices:
                known = ", ".join(parameter.choices)
                yield _fault(
                    parameter.name, N_("{text} is not one of the choices"), text, N_("use one of: {known}"), known
                )
        elif not _within(text, parameter):
            known = f"{parameter.least:f} … {parameter.most:f}"
            yield _fault(
                parameter.name, N_("{text} is no number that fits here"), text, N_("write one of {known}"), known
            )
    if rule.kind == "limit" and rule.place.kind == "flow" and rule.text("quantity") == "carbon":
        remedy = N_("choose an enterprise, or energy or power of the flow")
        yield _fault("quantity", N_("carbon is known of enterprises, not of one flow"), "", remedy)


def _within(text: str, parameter: Parameter) -> bool:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return False
    return number.is_finite() and parameter.least <= number <= parameter.most


def _people(rule: Rule) -> Iterator[Problem]:
    for name in ("recipients", "escalate_to"):
        for text in getattr(rule, name):
            if not (_MAIL.fullmatch(text) or _HOOK.fullmatch(text)) or len(text) > _LONGEST:
                remedy = N_("write mailto:name@example.com or webhook:NAME, several with commas")
                yield _fault(name, N_("{text} is nobody who could be told"), text, remedy)
    if rule.escalate_after_min and not rule.escalate_to:
        remedy = N_("name someone, or write 0 minutes")
        yield _fault("escalate_to", N_("nobody is named to whom it escalates"), "", remedy)
