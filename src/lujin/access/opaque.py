"""Random tokens of sessions, links and the API: whoever shows one has it; only a digest of it is stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets


def new_token(prefix: str = "") -> str:
    """256 random bits; the prefix lets scanners of leaked secrets know ours."""
    return prefix + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """What is stored of a random token. It has no pattern to guess, so a fast hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def form_token(session_token: str) -> str:
    """A token against forged forms (CSRF): only who has the session's cookie can make one. Each is different, so
    that compressed pages do not give it away letter by letter."""
    salt = secrets.token_hex(8)
    return f"{salt}.{_mark(session_token, salt)}"


def form_token_fits(session_token: str, given: str) -> bool:
    """
    >>> form_token_fits("a", form_token("a")), form_token_fits("a", form_token("b")), form_token_fits("a", "")
    (True, False, False)
    """
    salt, _, mark = given.partition(".")
    return hmac.compare_digest(_mark(session_token, salt).encode(), mark.encode())


def _mark(session_token: str, salt: str) -> str:
    return hmac.new(session_token.encode(), f"form {salt}".encode(), hashlib.sha256).hexdigest()
