"""How people come in: how long sessions last, how often one may ask, and another provider to sign in with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from lujin.access import Lifetimes
from lujin.access.sessions import STANDARD
from lujin.errors import N_, InputError, Problem


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID Connect provider; ``name`` is what the button says."""

    issuer: str
    client: str
    secret: str
    name: str


@dataclass(frozen=True, slots=True)
class Doors:
    """``requests_per_minute``: of one person; one address may ask four times as often, and a quarter as often
    while nobody is signed in. 0: no limit. With several workers, each counts its own."""

    lifetimes: Lifetimes = STANDARD
    requests_per_minute: int = 1200
    provider: Provider | None = None

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Doors:
        """LUJIN_WEB_IDLE_MINUTES, _SESSION_HOURS, _REQUESTS_PER_MINUTE, and LUJIN_OIDC_ISSUER, _CLIENT, _SECRET,
        _NAME."""
        lifetimes = Lifetimes(
            timedelta(minutes=_whole(environment, "LUJIN_WEB_IDLE_MINUTES", 120)),
            timedelta(hours=_whole(environment, "LUJIN_WEB_SESSION_HOURS", 12)),
        )
        return cls(lifetimes, _whole(environment, "LUJIN_WEB_REQUESTS_PER_MINUTE", 1200), _provider(environment))


def _provider(environment: Mapping[str, str]) -> Provider | None:
    said = {name: environment.get(f"LUJIN_OIDC_{name}", "") for name in ("ISSUER", "CLIENT", "SECRET", "NAME")}
    if not any(said.values()):
        return None
    if missing := [name for name in ("ISSUER", "CLIENT", "SECRET") if not said[name]]:
        message, remedy = N_("to sign in with another provider, LUJIN_OIDC_{name} is missing"), N_("set all three")
        raise InputError(*(Problem(message, {"name": name}, remedy) for name in missing))
    if not said["ISSUER"].startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        message, remedy = N_("the provider's address {text} is not https"), N_("write it as https://…")
        raise InputError(Problem(message, {"text": said["ISSUER"]}, remedy, field="LUJIN_OIDC_ISSUER"))
    return Provider(said["ISSUER"].rstrip("/"), said["CLIENT"], said["SECRET"], said["NAME"] or said["ISSUER"])


def _whole(environment: Mapping[str, str], name: str, default: int) -> int:
    said = environment.get(name, "")
    if said and not (said.isascii() and said.isdecimal()):
        message, remedy = N_("{text} is not a whole number"), N_("write digits only")
        raise InputError(Problem(message, {"text": said}, remedy, field=name))
    return int(said) if said else default
