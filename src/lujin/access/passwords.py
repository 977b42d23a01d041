"""Passwords: what makes a good one, and their hashes (Argon2id)."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from lujin.errors import N_, Problem

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 256  # hashing takes time in proportion: no megabytes
# 19 MiB, two passes, one lane: OWASP's choice for Argon2id. Twenty sign-ins at once stay under 400 MB.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


def hash_password(password: str) -> str:
    return _HASHER.hash(_normal(password))


@cache
def _nobodys_hash() -> str:
    return hash_password(secrets.token_urlsafe())


def check_password(stored: str | None, password: str) -> bool:
    """Whether it is the password; takes the same time when there is none to compare with."""
    try:
        right = _HASHER.verify(stored or _nobodys_hash(), _normal(password)[:LONGEST_PASSWORD])
    except (VerificationError, InvalidHashError):
        return False
    return right and stored is not None


def outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


def password_problems(password: str, names: Sequence[str] = (), field: str = "password") -> list[Problem]:
    """What is wrong with a password that someone chooses. ``names``: what it may not consist of.

    >>> password_problems("kettle marsh violin", ["lu.wei@example.com"])
    []
    >>> [p.text() for p in password_problems("short")]
    ['[password]: the password has 5 characters, too few; take at least 12; a few words make a good one']
    """
    plain = _normal(password)
    if len(plain) < SHORTEST_PASSWORD:
        message, remedy = (
            N_("the password has {found} characters, too few"),
            N_("take at least {least}; a few words make a good one"),
        )
        return [Problem(message, {"found": len(plain), "least": SHORTEST_PASSWORD}, remedy, field=field)]
    if len(plain) > LONGEST_PASSWORD:
        message = N_("the password has more than {most} characters")
        return [Problem(message, {"most": LONGEST_PASSWORD}, N_("take a shorter one"), field=field)]
    folded = plain.casefold()
    if _known(folded) or len(set(folded)) < 5 or _rest_without(folded, names) < 6:
        message = N_("this password is among the first that are tried")
        remedy = N_("take one that is neither your name nor a common word nor a row of keys")
        return [Problem(message, {}, remedy, field=field)]
    return []


def _known(folded: str) -> bool:
    letters = re.sub(r"[^a-z]", "", folded)
    return folded in _common() or re.sub(r"\d+$", "", folded) in _common() or letters in _common()


@cache
def _common() -> frozenset[str]:
    text = files("lujin.access").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def _rest_without(folded: str, names: Sequence[str]) -> int:
    """How many characters are left without the parts of the names."""
    for name in names:
        for part in (name, *re.split(r"[\W_]+", name)):
            if len(part) >= 2:
                folded = folded.replace(part.casefold(), "")
    return len(folded)


def _normal(password: str) -> str:
    """The same characters however a keyboard composes them."""
    return unicodedata.normalize("NFKC", password)
