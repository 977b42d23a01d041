"""The second factor: codes by time (RFC 6238, SHA-1, 6 digits, 30 s), and recovery codes for a lost telephone."""

from __future__ import annotations

import io
import secrets
from datetime import datetime

import pyotp
import segno

STEP_S = 30
RECOVERY_CODES = 10
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # none that are mistaken for another


def new_secret() -> str:
    return pyotp.random_base32()


def enrolment_uri(secret: str, account: str, issuer: str) -> str:
    """What the telephone's app reads: ``otpauth://totp/…``."""
    return pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=account, issuer_name=issuer)


def qr_svg(uri: str) -> str:
    """The URI as an inline SVG picture without styles of its own."""
    out = io.BytesIO()
    segno.make(uri, error="m").save(
        out, kind="svg", scale=4, border=4, dark="#000", light="#fff", xmldecl=False, svgns=True, omitsize=True
    )
    return out.getvalue().decode()


def step_of(secret: str, code: str, now: datetime, used: int | None) -> int | None:
    """The time step that the code belongs to, one to either side allowed; None if it is wrong.

    Steps up to ``used`` do not count: a code seen over someone's shoulder must not work again.
    """
    digits = "".join(code.split())
    if len(digits) != 6 or not (digits.isascii() and digits.isdigit()):
        return None
    current = int(now.timestamp()) // STEP_S
    codes = pyotp.TOTP(secret, interval=STEP_S)
    found = None
    for step in (current - 1, current, current + 1):
        if secrets.compare_digest(codes.at(step * STEP_S), digits) and (used is None or step > used):
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Ten codes of 50 bits each, written in two groups."""
    return ["-".join(_group() for _ in range(2)) for _ in range(RECOVERY_CODES)]


def plain_recovery_code(typed: str) -> str:
    """As compared: no gaps, lower case.

    >>> plain_recovery_code(" ABCDE 23456 ")
    'abcde23456'
    """
    return "".join(c for c in typed.lower() if c.isalnum())


def _group() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(5))
