"""The rules of the alarms: set, tried on a month that has passed, withdrawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, cast

from fastapi import APIRouter, FastAPI, Path, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from lujin.alarms import KINDS, DryRun, Rule, RuleVersion
from lujin.alarms.rules import Kind
from lujin.errors import N_, InputError, NotFoundError, Problem, StaleError
from lujin.language import Speech
from lujin.web.alarm_window import OF_THE_PARK, AlarmWindow, forbidden
from lujin.web.answers import Answer
from lujin.web.forms import again, done
from lujin.web.identity import visit_of
from lujin.web.page import html, page
from lujin.web.render import environment
from lujin.web.requests import WindowOf, month_number, speech
from lujin.web.window import Window

router = APIRouter(include_in_schema=False)
FORM, TITLE = "alarm_rule.html", N_("Rule")
MOST_SHOWN = 50
RuleId = Annotated[str, Path(max_length=60)]


class RuleRow(Answer):
    id: str
    kind: str
    place: str
    name: str
    owner: str
    severity: str
    parameters: dict[str, str]
    recipients: tuple[str, ...]
    quiet: str
    escalate_after_min: int
    escalate_to: tuple[str, ...]
    enabled: bool
    version: int
    author: str
    recorded_at: datetime
    withdrawn: bool


class Rules(Answer):
    rules: tuple[RuleRow, ...]
    kinds: tuple[str, ...]
    may_set: bool
    sets_park_rules: bool

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        names = ("id", "kind", "place", "name", "owner", "severity", "enabled", "version", "author", "recorded_at")
        return (*names, "parameters", "recipients"), [
            (
                *(getattr(row, name) for name in names),
                " ".join(f"{k}={v}" for k, v in row.parameters.items()),
                " ".join(row.recipients),
            )
            for row in self.rules
        ]


def install(_app: FastAPI) -> None:
    environment().globals["ALARM_KIND_OF"] = KINDS


@page(router, "/alarms/rules", template="alarm_rules.html", title=N_("Rules of alarms"))
def everything(window: WindowOf) -> Rules:
    own = window.alarms()
    kinds = tuple(kind for kind in KINDS if own.sets_park_rules or kind not in OF_THE_PARK)
    return Rules(
        rules=tuple(_row(version) for version in own.rules()),
        kinds=kinds,
        may_set=bool(own.owners),
        sets_park_rules=own.sets_park_rules,
    )


@router.get("/alarms/rules/new")
def new(request: Request, window: WindowOf, kind: str = "completeness") -> Response:
    own = window.alarms()
    _may_set(own)
    known = kind if kind in KINDS else "completeness"
    typed = {
        **{p.name: p.default for p in KINDS[cast(Kind, known)].parameters},
        "kind": known,
        "owner": own.owners[0],
        "severity": "warning",
        "enabled": True,
        "version": 0,
        "id": "",
    }
    return _form(request, own, typed)


@router.post("/alarms/rules/suggested")
def adopt(request: Request, window: WindowOf) -> Response:
    visit = visit_of(request)
    count = window.alarms().adopt_suggested(visit.now, visit.address)
    return done(request, "/alarms/rules", N_("{count} rules were added."), count=count)


@router.post("/alarms/rules")
async def save(request: Request, window: WindowOf) -> Response:
    """Store the rule, or, where ``try`` was pressed, say how often it would have raised in a month."""
    typed = {k: v for k, v in (await request.form(max_fields=60)).items() if isinstance(v, str)}
    return await run_in_threadpool(_saved, request, window, typed)


@page(router, "/alarms/rules/{rule}", template="alarm_rule_history.html", title=TITLE)
def history(window: WindowOf, rule: RuleId) -> Rules:
    own = window.alarms()
    found = own.history(rule)
    may_set = found[0].rule.owner in own.owners
    return Rules(
        rules=tuple(_row(version) for version in found),
        kinds=(),
        may_set=may_set and not found[0].withdrawn,
        sets_park_rules=own.sets_park_rules,
    )


@router.get("/alarms/rules/{rule}/edit")
def edit(request: Request, window: WindowOf, rule: RuleId) -> Response:
    own = window.alarms()
    newest = own.history(rule)[0]
    if newest.rule.owner not in own.owners or newest.withdrawn:
        raise NotFoundError(Problem(N_("there is no rule {rule}"), {"rule": rule}, N_("choose one from the list")))
    stored = newest.rule.as_dict()
    typed = {
        **stored,
        **stored["parameters"],
        "recipients": ", ".join(stored["recipients"]),
        "escalate_to": ", ".join(stored["escalate_to"]),
        "version": newest.number,
    }
    return _form(request, own, typed)


@router.post("/alarms/rules/{rule}/withdraw")
async def withdraw(request: Request, window: WindowOf, rule: RuleId) -> Response:
    form = await request.form()
    await run_in_threadpool(_withdrawn, request, window, rule, str(form.get("version", "")))
    return done(
        request, "/alarms/rules", N_("The rule {rule} is withdrawn; its alarms will be cleared."), rule=rule
    )


def _withdrawn(request: Request, window: Window, rule: str, version: str) -> None:
    own, visit = window.alarms(), visit_of(request)
    own.withdraw(rule, _whole(version), visit.now, visit.address)


def _saved(request: Request, window: Window, typed: Mapping[str, str]) -> Response:
    own, visit = window.alarms(), visit_of(request)
    _may_set(own)
    shown = {**typed, "enabled": "enabled" in typed}
    try:
        rule = own.typed(shown)
        if "try" in typed:
            return _tried(request, own, rule, shown)
        own.save(rule, _whole(typed.get("version", "")), visit.now, visit.address)
    except StaleError as error:
        return again(request, FORM, TITLE, error, **_values(own, shown))
    except InputError as error:
        if "kind" not in shown or shown["kind"] not in KINDS:
            raise
        return again(request, FORM, TITLE, error, **_values(own, shown))
    return done(request, "/alarms/rules", N_("The rule {rule} is set."), rule=rule.id)


def _tried(request: Request, own: AlarmWindow, rule: Rule, shown: Mapping[str, Any]) -> Response:
    months = own.months()
    if not months:
        message, remedy = N_("there is no month to try the rule on"), N_("import readings first")
        raise InputError(Problem(message, {}, remedy, field="month"))
    month = month_number(str(shown["month"])) if shown.get("month") else months[-1]
    found = own.dry_run(rule, month)
    return html(request, FORM, TITLE, problems=(), **_values(own, shown, found, speech(request)))


def _form(request: Request, own: AlarmWindow, typed: Mapping[str, Any]) -> Response:
    return html(request, FORM, TITLE, problems=(), **_values(own, typed))


def _values(
    own: AlarmWindow, typed: Mapping[str, Any], tried: DryRun | None = None, say: Speech | None = None
) -> dict[str, Any]:
    kind = cast(Kind, typed["kind"])
    about = KINDS[kind]
    owner = str(typed.get("owner", ""))
    raised = (
        [
            {"at": r.at, "cleared_at": r.cleared_at, "text": r.finding.said.text(say)}
            for r in tried.raised[:MOST_SHOWN]
        ]
        if tried and say
        else []
    )
    return {
        "typed": typed,
        "about": about,
        "owners": own.owners,
        "places": own.places(about.places, owner if owner in own.owners else ""),
        "months": own.months(),
        "tried": tried,
        "raised": raised,
    }


def _may_set(own: AlarmWindow) -> None:
    if not own.owners:
        raise forbidden()


def _whole(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 16:
        return int(text)
    raise InputError(
        Problem(N_("{text} is no version"), {"text": text[:20]}, N_("open the form again"), field="version")
    )


def _row(version: RuleVersion) -> RuleRow:
    stored = version.rule.as_dict()
    return RuleRow(
        **stored,
        version=version.number,
        author=version.author,
        recorded_at=version.recorded_at,
        withdrawn=version.withdrawn,
    )
