"""The settings as typed values, checked when they are entered, with a default for each."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lujin.errors import N_, InputError, Problem
from lujin.language import LANGUAGES, Language
from lujin.operator_settings import Kept, opened, sealed

SECURITY = ("starttls", "tls", "none")
_QUIET = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")
_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+")
_HOOK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
SECRETS = ("smtp_password",)


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook: where JSON goes, and the secret that signs it (as it is stored)."""

    name: str
    url: str
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Options:
    """``private_webhooks``: whether webhooks may go to addresses inside the operator's own network. ``quiet``:
    hours in which nobody is told of what is not critical. ``language``: of messages. ``smtp_password``: as stored.
    """

    smtp_host: str = ""
    smtp_port: int = 587
    smtp_security: str = "starttls"
    smtp_user: str = ""
    smtp_password: str = field(default="", repr=False)
    smtp_from: str = ""
    webhooks: tuple[Hook, ...] = ()
    private_webhooks: bool = False
    quiet: str = ""
    language: Language = "zh"
    session_hours: int = 12
    upload_limit_mb: int = 512
    alarms_minutes: int = 5

    def hook(self, name: str) -> Hook | None:
        return next((hook for hook in self.webhooks if hook.name == name), None)

    def shown(self) -> dict[str, Any]:
        """For pages and the audit trail: of a secret only whether there is one, and where."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values["smtp_password"] = said_of(self.smtp_password)
        values["webhooks"] = [{"name": h.name, "url": h.url, "secret": said_of(h.secret)} for h in self.webhooks]
        return values


def said_of(secret: str) -> str:
    """
    >>> said_of(""), said_of("aes:…"), said_of("env:SMTP_PASSWORD")
    ('', 'set', 'env:SMTP_PASSWORD')
    """
    return secret if secret.startswith("env:") else "set" if secret else ""


def options(kept: Kept) -> Options:
    values = {f.name: kept.values[f.name] for f in fields(Options) if f.name in kept.values}
    if "webhooks" in values:
        values["webhooks"] = tuple(Hook(**hook) for hook in values["webhooks"])
    return replace(Options(), **values)


def secret_of(name: str, kept: str, directory: Path, environment: Mapping[str, str] = os.environ) -> str:
    return opened(name, kept, directory / "keys", environment)


def stored_form(found: Options) -> dict[str, Any]:
    """Values for ``operator_settings.store``."""
    values = {f.name: getattr(found, f.name) for f in fields(found)}
    hooks = [{"name": h.name, "url": h.url, "secret": h.secret} for h in found.webhooks]
    return {**values, "webhooks": hooks}


def changed(before: Options, given: Mapping[str, str], directory: Path) -> Options:
    """The settings after a form: a field that is not ``given`` stays, an empty secret stays, "-" removes it.

    ``webhooks``: lines of "NAME URL [SECRET]". InputError: every field that does not fit, nothing is changed.
    """
    problems: list[Problem] = []
    keys = directory / "keys"
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name == "webhooks":
            values[name] = tuple(_hooks(text, before, keys, problems))
        elif name in SECRETS:
            if text:
                values[name] = "" if text == "-" else sealed(name, text, keys)
        elif name in _CHECKS:
            found, problem = _CHECKS[name](name, text.strip())
            values[name] = found
            problems += [problem] if problem else []
    after = replace(before, **values)
    if after.smtp_host and not after.smtp_from:
        remedy = N_("write an address, such as energy@park.example")
        problems.append(Problem(N_("e-mail needs the address of a sender"), {}, remedy, field="smtp_from"))
    if problems:
        raise InputError(*problems)
    return after


_Checked = tuple[Any, Problem | None]


def _text(name: str, text: str) -> _Checked:
    if len(text) <= 200 and text.isprintable():
        return text, None
    return "", Problem(N_("this text is too long or has signs that cannot be shown"), {}, "", field=name)


def _matching(pattern: re.Pattern[str], remedy: str) -> Callable[[str, str], _Checked]:
    def check(name: str, text: str) -> _Checked:
        if not text or (pattern.fullmatch(text) and len(text) <= 200):
            return text, None
        return "", Problem(N_("{text} does not fit here"), {"text": text[:80]}, remedy, field=name)

    return check


def _whole(least: int, most: int) -> Callable[[str, str], _Checked]:
    def check(name: str, text: str) -> _Checked:
        if text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most:
            return int(text), None
        params = {"text": text[:80], "least": least, "most": most}
        remedy = N_("write a whole number from {least} to {most}")
        return least, Problem(N_("{text} does not fit here"), params, remedy, field=name)

    return check


def _choice(known: tuple[str, ...]) -> Callable[[str, str], _Checked]:
    def check(name: str, text: str) -> _Checked:
        if text in known:
            return text, None
        params = {"text": text[:80], "known": ", ".join(known)}
        return known[0], Problem(N_("{text} does not fit here"), params, N_("use one of: {known}"), field=name)

    return check


def _flag(_name: str, text: str) -> _Checked:
    return text.lower() in ("1", "true", "on", "yes"), None


_CHECKS: Mapping[str, Callable[[str, str], _Checked]] = {
    "smtp_host": _matching(
        re.compile(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:]+\]?"), N_("write the name of the server alone")
    ),
    "smtp_port": _whole(1, 65535),
    "smtp_security": _choice(SECURITY),
    "smtp_user": _text,
    "smtp_from": _matching(_ADDRESS, N_("write an address, such as energy@park.example")),
    "private_webhooks": _flag,
    "quiet": _matching(_QUIET, N_("write them as 22:00-07:00, or leave them empty")),
    "language": _choice(LANGUAGES),
    "session_hours": _whole(1, 720),
    "upload_limit_mb": _whole(1, 4096),
    "alarms_minutes": _whole(1, 1440),
}


def _hooks(text: str, before: Options, keys: Path, problems: list[Problem]) -> Iterator[Hook]:
    seen: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, _, rest = line.strip().partition(" ")
        url, _, secret = rest.strip().partition(" ")
        known = before.hook(name)
        if problem := _hook_fault(name, url, seen):
            problems.append(replace(problem, line=number))
            continue
        seen.add(name)
        kept = known.secret if known and not secret.strip() else ""
        if secret.strip() and secret.strip() != "-":
            kept = sealed(f"webhook:{name}", secret.strip(), keys)
        yield Hook(name, url, kept)


def _hook_fault(name: str, url: str, seen: set[str]) -> Problem | None:
    remedy = N_("write a line as: NAME https://host/path SECRET")
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.username is None
        _ = parts.port
    except ValueError:
        sound = False
    if not _HOOK.fullmatch(name):
        return Problem(N_("{text} is no name of a webhook"), {"text": name[:80]}, remedy, field="webhooks")
    if name in seen:
        return Problem(N_("two webhooks have the name {text}"), {"text": name}, remedy, field="webhooks")
    if not sound or len(url) > 500 or not url.isprintable():
        return Problem(N_("{text} is no address of a webhook"), {"text": url[:80]}, remedy, field="webhooks")
    return None
