"""People, devices and their roles: the park office invites by a link that works once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Form, Request
from fastapi.responses import Response

from lujin.access import (
    Person,
    PersonForm,
    Right,
    Role,
    add_person,
    banks,
    change_person,
    disable_person,
    enable_person,
    issue_token,
    new_link,
    people,
    person_of,
    revoke_token,
)
from lujin.access.own import clear_second_factor
from lujin.errors import N_, InputError, LujinError, Problem
from lujin.park import Park
from lujin.show.access_words import ACTIONS, CONSENT_STATES, RIGHTS, ROLES, ROLES_EXPLAINED
from lujin.web.answers import Answer
from lujin.web.forms import Number, Several, Typed, Version, again, done
from lujin.web.identity import visit_of
from lujin.web.page import html, page
from lujin.web.render import environment
from lujin.web.requests import WindowOf
from lujin.web.routes.own_account import TokenRow, token_rows
from lujin.web.window import Window

router = APIRouter(include_in_schema=False)
PERSON, PERSON_TITLE = "person.html", N_("Person")
NEW, NEW_TITLE = "person_new.html", N_("Invite someone")
SHOWN, SHOWN_TITLE = "person_link.html", N_("One-time link")


class PersonRow(Answer):
    number: int
    name: str
    email: str
    role: str
    enterprises: tuple[str, ...]
    meters: tuple[str, ...] | None
    bank: str
    state: str
    second_factor: bool
    version: int
    created_at: datetime
    disabled_at: datetime | None


class People(Answer):
    people: tuple[PersonRow, ...]

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        names = ("number", "name", "email", "role", "bank", "state", "second_factor", "created_at")
        return (*names, "enterprises", "meters"), [
            (
                *(getattr(row, name) for name in names),
                " ".join(row.enterprises),
                " ".join(row.meters or ()),
            )
            for row in self.people
        ]


class Offer(Answer):
    """What the form lets one choose from."""

    enterprises: tuple[tuple[str, str, str], ...]
    banks: tuple[str, ...]
    roles: tuple[str, ...] = tuple(role.value for role in Role)


class PersonPage(People):
    tokens: tuple[TokenRow, ...]
    offer: Offer

    @property
    def person(self) -> PersonRow:
        return self.people[0]


def install(_app: FastAPI) -> None:
    environment().globals |= {
        "ROLES": ROLES,
        "ROLES_EXPLAINED": ROLES_EXPLAINED,
        "RIGHTS": RIGHTS,
        "ACTIONS": ACTIONS,
        "CONSENT_STATES": CONSENT_STATES,
    }


@page(router, "/people", template="people.html", title=N_("People and roles"))
def everyone(window: WindowOf) -> People:
    engine = window.park(Right.MANAGE_PEOPLE).engine
    return People(people=tuple(_row(one) for one in people(engine)))


@router.get("/people/new")
def new(request: Request, window: WindowOf, role: str = "enterprise") -> Response:
    window.park(Right.MANAGE_PEOPLE)
    typed = {"role": role if role in set(Role) else "enterprise"}
    return html(request, NEW, NEW_TITLE, problems=(), typed=typed, offer=_offer(window))


@router.post("/people")
def invite(
    request: Request,
    window: WindowOf,
    name: Typed = "",
    email: Typed = "",
    role: Typed = "",
    bank: Typed = "",
    meters: Typed = "",
    language: Typed = "zh",
    enterprises: Several = [],  # noqa: B006 (FastAPI copies it)
) -> Response:
    engine, visit = window.park(Right.MANAGE_PEOPLE).engine, visit_of(request)
    try:
        form = _form(window, name, email, role, bank, meters, language, enterprises)
        number = add_person(engine, window.viewer, form, now=visit.now, address=visit.address)
    except LujinError as error:
        typed = {
            "name": name[:100],
            "email": email[:254],
            "role": role if role in set(Role) else "enterprise",
            "bank": bank[:100],
            "meters": meters[:2000],
            "language": language,
            "enterprises": enterprises,
        }
        return again(request, NEW, NEW_TITLE, error, typed=typed, offer=_offer(window))
    if form.role is Role.DEVICE:
        return done(request, f"/people/{number}", N_("The device is added; now make a token for it."))
    return _show_link(request, window, number)


@page(router, "/people/{number}", template=PERSON, title=PERSON_TITLE)
def one_person(request: Request, window: WindowOf, number: Number) -> PersonPage:
    engine = window.park(Right.MANAGE_PEOPLE).engine
    found = _row(person_of(engine, number))
    return PersonPage(people=(found,), tokens=token_rows(request, number), offer=_offer(window))


@router.post("/people/{number}")
def change(
    request: Request,
    window: WindowOf,
    number: Number,
    version: Version,
    name: Typed = "",
    email: Typed = "",
    role: Typed = "",
    bank: Typed = "",
    meters: Typed = "",
    language: Typed = "zh",
    enterprises: Several = [],  # noqa: B006 (FastAPI copies it)
) -> Response:
    engine, visit = window.park(Right.MANAGE_PEOPLE).engine, visit_of(request)
    try:
        form = _form(window, name, email, role, bank, meters, language, enterprises)
        change_person(engine, window.viewer, number, form, version=version, now=visit.now, address=visit.address)
    except LujinError as error:
        return _again(request, window, number, error)
    return done(request, f"/people/{number}", N_("Saved."))


@router.post("/people/{number}/link")
def link(request: Request, window: WindowOf, number: Number) -> Response:
    window.park(Right.MANAGE_PEOPLE)
    return _show_link(request, window, number)


@router.post("/people/{number}/disable")
def disable(request: Request, window: WindowOf, number: Number, version: Version) -> Response:
    engine, visit = window.park(Right.MANAGE_PEOPLE).engine, visit_of(request)
    try:
        disable_person(engine, window.viewer, number, version=version, now=visit.now, address=visit.address)
    except LujinError as error:
        return _again(request, window, number, error)
    return done(request, f"/people/{number}", N_("Shut out: sessions are ended, tokens and links void."))


@router.post("/people/{number}/enable")
def enable(request: Request, window: WindowOf, number: Number, version: Version) -> Response:
    engine, visit = window.park(Right.MANAGE_PEOPLE).engine, visit_of(request)
    try:
        enable_person(engine, window.viewer, number, version=version, now=visit.now, address=visit.address)
    except LujinError as error:
        return _again(request, window, number, error)
    return done(request, f"/people/{number}", N_("May sign in again."))


@router.post("/people/{number}/second-factor/off")
def second_factor_off(request: Request, window: WindowOf, number: Number) -> Response:
    engine, visit = window.park(Right.MANAGE_PEOPLE).engine, visit_of(request)
    clear_second_factor(engine, window.viewer, number, now=visit.now, address=visit.address)
    return done(request, f"/people/{number}", N_("The second factor is off."))


@router.post("/people/{number}/tokens")
def device_token(
    request: Request,
    window: WindowOf,
    number: Number,
    name: Typed = "",
    days: Annotated[int, Form(ge=1, le=366)] = 365,
) -> Response:
    """A device's token: it sends readings and nothing else."""
    engine, visit = window.park(Right.MANAGE_PEOPLE).engine, visit_of(request)
    try:
        token = issue_token(
            engine,
            window.viewer,
            name,
            [Right.WRITE_READINGS],
            visit.now + timedelta(days=days),
            owner=number,
            now=visit.now,
            address=visit.address,
        )
    except LujinError as error:
        return _again(request, window, number, error)
    answer = one_person(request, window, number)
    return html(request, PERSON, PERSON_TITLE, answer=answer, token=token)


@router.post("/people/{number}/tokens/{token}/revoke")
def revoke(request: Request, window: WindowOf, number: Number, token: Number) -> Response:
    engine, visit = window.park(Right.MANAGE_PEOPLE).engine, visit_of(request)
    revoke_token(engine, window.viewer, token, now=visit.now, address=visit.address)
    return done(request, f"/people/{number}", N_("The token is void."))


def _show_link(request: Request, window: Window, number: int) -> Response:
    """The link, this once: only its digest is kept."""
    engine, visit = window.park(Right.MANAGE_PEOPLE).engine, visit_of(request)
    try:
        token = new_link(engine, window.viewer, number, now=visit.now, address=visit.address)
    except LujinError as error:
        return _again(request, window, number, error)
    base = request.app.state.settings.public_url or str(request.base_url).rstrip("/")
    person = _row(person_of(engine, number))
    response = html(request, SHOWN, SHOWN_TITLE, person=person, link=f"{base}/link/{token}")
    response.headers["cache-control"] = "no-store"
    return response


def _again(request: Request, window: Window, number: int, error: LujinError) -> Response:
    answer = one_person(request, window, number)
    return again(request, PERSON, PERSON_TITLE, error, answer=answer)


def _form(
    window: Window,
    name: str,
    email: str,
    role: str,
    bank: str,
    meters: str,
    language: str,
    enterprises: Sequence[str],
) -> PersonForm:
    """What was typed, checked against the park: its roles, enterprises and meters must exist."""
    park = window.park(Right.MANAGE_PEOPLE).park
    problems = []
    if role not in set(Role):
        problems.append(Problem(N_("choose a role"), field="role"))
    if unknown := sorted(set(enterprises) - set(park.enterprises())):
        message = N_("there is no enterprise {enterprise}")
        problems += [Problem(message, {"enterprise": e[:40]}, field="enterprises") for e in unknown]
    bound: dict[str, str] = {}
    for meter in meters.replace(",", " ").split():
        owners = _owners(park, meter)
        chosen = [e for e in owners if e in enterprises] or ([] if enterprises else owners)
        if len(chosen) == 1:
            bound[meter] = chosen[0]
        else:
            message, remedy = N_("{meter} is no meter of one chosen enterprise"), N_("choose whose meter it is")
            problems.append(Problem(message, {"meter": meter[:40]}, remedy, field="meters"))
    if problems:
        raise InputError(*problems)
    own = frozenset(bound.values()) or frozenset(enterprises)
    return PersonForm(name, Role(role), email, own, bound or None, bank, "en" if language == "en" else "zh")


def _owners(park: Park, meter: str) -> Sequence[str]:
    """The enterprises at either end of what the meter measures."""
    found = park.meters.get(meter)
    flow = park.flows.get(found.flow) if found else None
    ends = {park.owner(flow.source), park.owner(flow.target)} - {""} if flow else set()
    return sorted(ends)


def _offer(window: Window) -> Offer:
    workspace = window.park(Right.MANAGE_PEOPLE)
    nodes = [workspace.park.nodes[e] for e in workspace.park.enterprises()]
    return Offer(
        enterprises=tuple((node.id, node.name_zh, node.name_en) for node in nodes),
        banks=tuple(banks(workspace.engine).values()),
    )


def _row(one: Person) -> PersonRow:
    state = "disabled" if one.disabled_at else "invited" if one.since is None else "active"
    return PersonRow(
        number=one.number,
        name=one.name,
        email=one.email,
        role=one.role.value,
        enterprises=tuple(sorted(one.enterprises)),
        meters=None if one.meters is None else tuple(sorted(one.meters)),
        bank=one.bank,
        state="active" if one.role is Role.DEVICE and not one.disabled_at else state,
        second_factor=one.second_factor,
        version=one.version,
        created_at=one.created_at,
        disabled_at=one.disabled_at,
    )
