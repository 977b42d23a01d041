"""People, devices and banks: who there is, in which role, bound to which enterprises."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from lujin.access.audit import audit
from lujin.access.policy import may
from lujin.access.sessions import end_sessions
from lujin.access.tables import api_token, bank, binding, credential, one_time_link, person
from lujin.access.viewer import Right, Role, Viewer
from lujin.access.writes import insert_numbered
from lujin.database import writing
from lujin.errors import N_, ForbiddenError, InputError, NotFoundError, Problem, StaleError
from lujin.language import LANGUAGES, Language

_EMAIL = re.compile(r"[^@\s\"<>,;:\\]{1,64}@[^@\s\"<>,;:\\]{1,189}\.[^@\s\"<>,;:\\.]{2,}")


@dataclass(frozen=True, slots=True)
class PersonForm:
    """What is said of a person or device. ``email`` '' and ``bank`` '' where there is none; ``meters`` of
    ``enterprises``: empty is all of them."""

    name: str
    role: Role
    email: str = ""
    enterprises: frozenset[str] = frozenset()
    meters: Mapping[str, str] | None = None  # meter → its enterprise; devices only
    bank: str = ""
    language: Language = "zh"


@dataclass(frozen=True, slots=True)
class Person:
    """``since``: when the password was last set; None while the invitation is open, and for devices."""

    number: int
    email: str
    name: str
    role: Role
    language: str
    bank: str
    version: int
    created_at: datetime
    disabled_at: datetime | None
    since: datetime | None
    second_factor: bool
    enterprises: frozenset[str]
    meters: frozenset[str] | None


def require(viewer: Viewer, right: Right, enterprise: str | None = None) -> None:
    if not may(viewer, right, enterprise):
        raise ForbiddenError(Problem(N_("your role does not allow this"), {}, N_("ask the park office")))


def people(engine: Engine) -> Sequence[Person]:
    """Everyone, by role and name."""
    with engine.connect() as connection:
        return _read(connection)


def person_of(engine: Engine, number: int) -> Person:
    with engine.connect() as connection:
        return read_person(connection, number)


def banks(engine: Engine) -> Mapping[int, str]:
    """Number → name of each bank that the park knows."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(bank.c.number, bank.c.name).order_by(bank.c.name))
        return {row.number: row.name for row in rows}


def nobody_yet(connection: Connection) -> bool:
    return connection.execute(sa.select(person.c.number).limit(1)).first() is None


def add_person(engine: Engine, viewer: Viewer, form: PersonForm, *, now: datetime, address: str = "") -> int:
    """A new person or device; returns the number. People set their password by a link (``new_link``)."""
    require(viewer, Right.MANAGE_PEOPLE)
    with writing(engine) as connection:
        return insert_person(connection, viewer, form, now, address)


def insert_person(
    connection: Connection, viewer: Viewer | None, form: PersonForm, now: datetime, address: str
) -> int:
    form = checked(connection, form)
    row = _row(connection, form, now) | {"version": 1, "created_at": now}
    number = insert_numbered(connection, person, row)
    connection.execute(credential.insert().values(person=number))
    _bind(connection, number, form)
    audit(connection, viewer, "person.add", f"person/{number}", None, _said(form), now=now, address=address)
    return number


def change_person(
    engine: Engine,
    viewer: Viewer,
    number: int,
    form: PersonForm,
    *,
    version: int,
    now: datetime,
    address: str = "",
) -> None:
    """Change what is said of a person. Where rights change, the person's sessions end."""
    require(viewer, Right.MANAGE_PEOPLE)
    with writing(engine) as connection:
        old = read_person(connection, number)
        _fresh(old, version)
        form = checked(connection, form, number)
        if old.role is Role.OPERATOR and form.role is not Role.OPERATOR:
            _not_the_last_operator(connection, number)
        row = _row(connection, form, now) | {"version": version + 1}
        connection.execute(person.update().where(person.c.number == number).values(row))
        connection.execute(binding.delete().where(binding.c.person == number))
        _bind(connection, number, form)
        before = _said(form_of(old))
        audit(
            connection, viewer, "person.change", f"person/{number}", before, _said(form), now=now, address=address
        )
        if {n: before[n] for n in _RIGHTS} != {n: _said(form)[n] for n in _RIGHTS}:
            end_sessions(connection, number)


def disable_person(
    engine: Engine, viewer: Viewer, number: int, *, version: int, now: datetime, address: str = ""
) -> None:
    """Shut a person or device out at once: sessions end, tokens and open links are void. Records stay."""
    require(viewer, Right.MANAGE_PEOPLE)
    with writing(engine) as connection:
        old = read_person(connection, number)
        _fresh(old, version)
        if old.disabled_at is not None:
            return
        if old.role is Role.OPERATOR:
            _not_the_last_operator(connection, number)
        _set_state(connection, number, version, now)
        end_sessions(connection, number)
        live = (api_token.c.person == number, api_token.c.revoked_at.is_(None))
        connection.execute(api_token.update().where(*live).values(revoked_at=now))
        open_links = (one_time_link.c.person == number, one_time_link.c.used_at.is_(None))
        connection.execute(one_time_link.delete().where(*open_links))
        audit(connection, viewer, "person.disable", f"person/{number}", now=now, address=address)


def enable_person(
    engine: Engine, viewer: Viewer, number: int, *, version: int, now: datetime, address: str = ""
) -> None:
    """Let a person in again, with the old password; tokens stay void."""
    require(viewer, Right.MANAGE_PEOPLE)
    with writing(engine) as connection:
        old = read_person(connection, number)
        _fresh(old, version)
        if old.disabled_at is None:
            return
        _set_state(connection, number, version, None)
        audit(connection, viewer, "person.enable", f"person/{number}", now=now, address=address)


def read_person(connection: Connection, number: int) -> Person:
    found = _read(connection, number)
    if not found:
        raise NotFoundError(Problem(N_("there is no person {number}"), {"number": number}))
    return found[0]


def form_of(old: Person) -> PersonForm:
    meters = None if old.meters is None else dict.fromkeys(sorted(old.meters), "")
    language: Language = "en" if old.language == "en" else "zh"
    return PersonForm(old.name, old.role, old.email, old.enterprises, meters, old.bank, language)


def checked(connection: Connection, form: PersonForm, number: int | None = None) -> PersonForm:
    """The form as it is stored; InputError with every problem at its field."""
    name, email, of_bank = form.name.strip(), form.email.strip().lower(), form.bank.strip()
    problems = []
    if not name or len(name) > 100:
        problems.append(Problem(N_("a name is missing or longer than 100 characters"), field="name"))
    if form.language not in LANGUAGES:
        problems.append(Problem(N_("there is no such language"), field="language"))
    if form.role is Role.DEVICE:
        email = ""
    elif not _EMAIL.fullmatch(email):
        message, remedy = N_("{email!r} is no e-mail address"), N_("write it as name@example.com")
        problems.append(Problem(message, {"email": email[:80]}, remedy, field="email"))
    elif _taken(connection, email, number):
        problems.append(Problem(N_("someone has the address {email} already"), {"email": email}, field="email"))
    if form.role in (Role.ENTERPRISE, Role.DEVICE) and not form.enterprises:
        problems.append(Problem(N_("choose the enterprises that this role is for"), field="enterprises"))
    if form.role is Role.BANK and not of_bank:
        problems.append(Problem(N_("name the bank"), field="bank"))
    if problems:
        raise InputError(*problems)
    bound = form.role in (Role.ENTERPRISE, Role.DEVICE)
    return PersonForm(
        name,
        form.role,
        email,
        form.enterprises if bound else frozenset(),
        (form.meters or None) if form.role is Role.DEVICE else None,
        of_bank if form.role is Role.BANK else "",
        form.language,
    )


_RIGHTS = ("role", "bank", "enterprises", "meters")


def _said(form: PersonForm) -> dict[str, Any]:
    """A form as the audit trail keeps it."""
    return {
        "name": form.name,
        "email": form.email,
        "role": form.role.value,
        "bank": form.bank,
        "enterprises": sorted(form.enterprises),
        "meters": sorted(form.meters) if form.meters else None,
        "language": form.language,
    }


def _row(connection: Connection, form: PersonForm, now: datetime) -> dict[str, Any]:
    return {
        "email": form.email or None,
        "name": form.name,
        "role": form.role.value,
        "language": form.language,
        "bank": _bank_number(connection, form.bank, now) if form.bank else None,
    }


def _bank_number(connection: Connection, name: str, now: datetime) -> int:
    """The bank of this name, new if there is none."""
    found = connection.execute(sa.select(bank.c.number).where(bank.c.name == name)).scalar()
    if found is None:
        found = insert_numbered(connection, bank, {"name": name, "created_at": now})
    return int(found)


def _bind(connection: Connection, number: int, form: PersonForm) -> None:
    rows = [{"person": number, "enterprise": e, "meter": m} for m, e in sorted((form.meters or {}).items())]
    if not rows:
        rows = [{"person": number, "enterprise": e, "meter": ""} for e in sorted(form.enterprises)]
    if rows:
        connection.execute(binding.insert(), rows)


def _taken(connection: Connection, email: str, number: int | None) -> bool:
    found = connection.execute(sa.select(person.c.number).where(person.c.email == email)).scalar()
    return found is not None and found != number


def _fresh(old: Person, version: int) -> None:
    if old.version != version:
        message = N_("someone changed {name} since you opened this page; nothing was saved")
        raise StaleError(Problem(message, {"name": old.name}, N_("look at the page again and repeat your change")))


def _set_state(connection: Connection, number: int, version: int, disabled_at: datetime | None) -> None:
    values = {"disabled_at": disabled_at, "version": version + 1}
    connection.execute(person.update().where(person.c.number == number).values(values))


def _not_the_last_operator(connection: Connection, number: int) -> None:
    others = (person.c.role == Role.OPERATOR.value, person.c.disabled_at.is_(None), person.c.number != number)
    query = sa.select(person.c.number).join(credential).where(*others, credential.c.password.is_not(None))
    if connection.execute(query.limit(1)).first() is None:
        message = N_("this is the only park operator who can sign in")
        raise InputError(Problem(message, {}, N_("invite another operator first"), field="role"))


def _read(connection: Connection, number: int | None = None) -> list[Person]:
    p, k = person.c, credential.c
    query = (
        sa.select(person, bank.c.name.label("bank_name"), k.password_since, k.totp_since)
        .select_from(person.outerjoin(credential).outerjoin(bank, p.bank == bank.c.number))
        .order_by(p.role, p.name, p.number)
    )
    links = sa.select(binding)
    if number is not None:
        query, links = query.where(p.number == number), links.where(binding.c.person == number)
    bound: dict[int, list[tuple[str, str]]] = {}
    for row in connection.execute(links):
        bound.setdefault(row.person, []).append((row.enterprise, row.meter))
    out = []
    for row in connection.execute(query):
        mine = bound.get(row.number, [])
        out.append(
            Person(
                number=row.number,
                email=row.email or "",
                name=row.name,
                role=Role(row.role),
                language=row.language,
                bank=row.bank_name or "",
                version=row.version,
                created_at=row.created_at,
                disabled_at=row.disabled_at,
                since=row.password_since,
                second_factor=row.totp_since is not None,
                enterprises=frozenset(enterprise for enterprise, _ in mine),
                meters=frozenset(meter for _, meter in mine if meter) or None,
            )
        )
    return out
