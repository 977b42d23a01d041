"""Telling people: e-mail over SMTP and signed JSON to webhooks."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import os
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from lujin.alarms.outbox import Message, NotSentError, Send, deliver
from lujin.alarms.rules import KINDS, SEVERITIES
from lujin.errors import N_, InputError, Problem
from lujin.language import Speech
from lujin.operator_options import Hook, Options, options, secret_of
from lujin.operator_settings import stored
from lujin.workspace import Workspace

TIMEOUT_S = 15.0
HEADINGS = {
    "raised": N_("[{severity}] {kind}: {place}"),
    "escalated": N_("[escalated, {severity}] {kind}: {place}"),
    "cleared": N_("[cleared] {kind}: {place}"),
}


@dataclass(frozen=True)
class Teller:
    """How messages are sent: settings, the park's directory with its key, its name, and the address of its pages.

    ``trust``: what the TLS of the mail server and of webhooks is checked against.
    """

    options: Options
    directory: Path
    park: str
    public_url: str
    clock: Callable[[], datetime]
    environment: Mapping[str, str]
    trust: ssl.SSLContext | None = None


def sender(teller: Teller) -> Send:
    """Sends by the kind of recipient: ``mailto:`` or ``webhook:``."""

    def send(message: Message) -> None:
        kind, _, name = message.recipient.partition(":")
        if kind == "mailto":
            send_mail(teller, message, name)
        else:
            hook = teller.options.hook(name)
            if hook is None:
                raise NotSentError(
                    _say(teller, N_("there is no webhook {name}; add it on the page Settings"), name=name)
                )
            post(teller, hook, body(teller, message))

    return send


def _say(teller: Teller, text: str, **values: Any) -> str:
    return Speech(teller.options.language).fill(text, **values)


def heading(teller: Teller, message: Message) -> str:
    say, alarm = Speech(teller.options.language), message.alarm
    place = say(N_("the park")) if alarm.place == "park" else alarm.place.partition(":")[2]
    kind = alarm.rule.name or say(KINDS[alarm.rule.kind].title)
    severity = say(SEVERITIES[alarm.severity])
    return say.fill(HEADINGS[message.kind], severity=severity, kind=kind, place=place)


# --------------------------------------------------------------------------------------------------- e-mail


def send_mail(teller: Teller, message: Message, address: str) -> None:
    """NotSentError: the server cannot be reached or refuses; for good where it refuses the recipient (5xx)."""
    hand_over(teller, mail(teller, message, address))


def hand_over(teller: Teller, found: EmailMessage) -> None:
    options = teller.options
    if not options.smtp_host:
        raise NotSentError(_say(teller, N_("no mail server is set; enter it on the page Settings")))
    try:
        with _smtp(options, teller.trust) as server:
            if options.smtp_user:
                password = secret_of("smtp_password", options.smtp_password, teller.directory, teller.environment)
                server.login(options.smtp_user, password)
            server.send_message(found)
    except smtplib.SMTPRecipientsRefused as error:
        code, reason = next(iter(error.recipients.values()))
        raise NotSentError(f"{code} {_decoded(reason)}", final=code >= 500) from error
    except smtplib.SMTPResponseException as error:
        raise NotSentError(f"{error.smtp_code} {_decoded(error.smtp_error)}") from error
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise NotSentError(str(error) or type(error).__name__) from error


def is_address(text: str) -> bool:
    """
    >>> is_address("a@example.com"), is_address("a@example.com, b@example.com"), is_address("nobody")
    (True, False, False)
    """
    return len(text) <= 200 and re.fullmatch(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+", text) is not None


def _decoded(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said


def _smtp(options: Options, trust: ssl.SSLContext | None) -> smtplib.SMTP:
    host, port = options.smtp_host, options.smtp_port
    checked = trust or ssl.create_default_context()
    if options.smtp_security == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=checked)
    server = smtplib.SMTP(host, port, timeout=TIMEOUT_S)
    if options.smtp_security == "starttls":
        try:
            server.starttls(context=checked)
        except BaseException:
            server.close()
            raise
    return server


def mail(teller: Teller, message: Message, address: str) -> EmailMessage:
    say, alarm = Speech(teller.options.language), message.alarm
    link = f"{teller.public_url}/alarms/{alarm.number}" if teller.public_url else ""
    lines = [
        message.said.text(say),
        "",
        say.fill(N_("Park: {park}"), park=teller.park),
        say.fill(N_("Rule: {rule}"), rule=alarm.rule.name or alarm.rule.id),
        say.fill(N_("Alarm {number}, raised {when}"), number=alarm.number, when=alarm.raised_at.isoformat()),
        *([link] if link else []),
    ]
    found = EmailMessage()
    found["Subject"] = " ".join(heading(teller, message).split())
    found["From"] = teller.options.smtp_from
    found["To"] = address
    found["Date"] = format_datetime(teller.clock())
    found["Message-ID"] = make_msgid(f"alarm{alarm.number}-{message.number}", "lujin.invalid")
    found["X-Lujin-Message"] = str(message.number)
    found["Auto-Submitted"] = "auto-generated"
    found.set_content("\n".join(lines) + "\n")
    return found


# -------------------------------------------------------------------------------------------------- webhook


def body(teller: Teller, message: Message) -> bytes:
    say, alarm = Speech(teller.options.language), message.alarm
    document = {
        "message": message.number,
        "event": message.kind,
        "park": teller.park,
        "heading": heading(teller, message),
        "text": message.said.text(say),
        "alarm": {
            "number": alarm.number,
            "rule": alarm.rule.id,
            "kind": alarm.rule.kind,
            "severity": alarm.severity,
            "place": alarm.place,
            "raised_at": alarm.raised_at.isoformat(),
            "cleared_at": None if alarm.cleared_at is None else alarm.cleared_at.isoformat(),
            "measure": dict(alarm.measure),
            "url": f"{teller.public_url}/alarms/{alarm.number}" if teller.public_url else "",
        },
    }
    return json.dumps(document, ensure_ascii=False, sort_keys=True).encode()


def signature(secret: str, at: int, content: bytes) -> str:
    """What the header ``X-Lujin-Signature`` says: HMAC-SHA256 over "time.body".

    >>> signature("s", 1, b"{}")
    't=1,v1=b253639bcd705ed1cda3073f66104f16988bd40272584dea7d0d345ae93e61cc'
    """
    digest = hmac.new(secret.encode(), f"{at}.".encode() + content, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def post(teller: Teller, hook: Hook, content: bytes) -> None:
    """NotSentError: not reached, or not answered with 2xx; redirects are not followed."""
    secret = secret_of(f"webhook:{hook.name}", hook.secret, teller.directory, teller.environment)
    parts = urlsplit(hook.url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    headers = {
        "host": parts.netloc,
        "content-type": "application/json; charset=utf-8",
        "user-agent": "lujin",
        **({"x-lujin-signature": signature(secret, int(teller.clock().timestamp()), content)} if secret else {}),
    }
    try:
        with httpx.Client(timeout=TIMEOUT_S, trust_env=False, verify=teller.trust or True) as client:
            found = _posted(client, hook.url, addresses(teller, host, port), content, headers)
    except httpx.HTTPError as error:
        raise NotSentError(str(error) or type(error).__name__) from error
    if not found.is_success:
        raise NotSentError(f"HTTP {found.status_code}")


def _posted(
    client: httpx.Client, url: str, found: Sequence[str], content: bytes, headers: Mapping[str, str]
) -> httpx.Response:
    """To the first address that takes a connection. Those that were checked are those that are used: a name that
    answers otherwise the second time gains nothing. TLS is checked against the name.
    """
    asked = httpx.URL(url)
    for n, address in enumerate(found):
        target = asked.copy_with(host=f"[{address}]" if ":" in address else address)
        try:
            return client.post(target, content=content, headers=headers, extensions={"sni_hostname": asked.host})
        except httpx.ConnectError:
            if n + 1 == len(found):
                raise
    raise NotSentError(url)


def addresses(teller: Teller, host: str, port: int) -> Sequence[str]:
    """The addresses of the host. NotSentError: the name is unknown; or it leads into a private network, which the
    operator has not allowed, so that nobody makes this server knock at doors behind the fence.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotSentError(str(error)) from error
    named = list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
    inside = [a for a in named if not public(a)]
    if inside and not teller.options.private_webhooks:
        problem = Problem(
            N_("{host} is {address}, an address inside a private network"),
            {"host": host, "address": inside[0]},
            N_("allow private addresses on the page Settings, if that is meant"),
        )
        raise NotSentError(problem.text(Speech(teller.options.language)))
    return named


def public(address: str) -> bool:
    """
    >>> public("93.184.216.34"), public("127.0.0.1"), public("10.1.2.3"), public("169.254.169.254"), public("::1")
    (True, False, False, False, False)
    >>> public("::ffff:10.0.0.1"), public("64:ff9b::a00:1")
    (False, False)
    """
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return public(str(found.ipv4_mapped))
        if found in _NAT64 or found.sixtofour or found.teredo:
            return False
    return found.is_global and not found.is_multicast


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def teller_of(workspace: Workspace, public_url: str = "", environment: Mapping[str, str] = os.environ) -> Teller:
    """With the settings as they are now."""
    chosen, park = options(stored(workspace.engine)), workspace.park
    name = Speech(chosen.language).name(park.name_zh, park.name_en) or park.id
    return Teller(chosen, workspace.directory, name, public_url, workspace.clock, environment)


def send_waiting(workspace: Workspace, public_url: str = "", environment: Mapping[str, str] = os.environ) -> int:
    """Send what waits in the outbox; how much was sent."""
    return deliver(workspace.engine, sender(teller_of(workspace, public_url, environment)), workspace.clock)


# ------------------------------------------------------------------------------------------------ trying out


def try_mail(teller: Teller, address: str) -> None:
    """Send a message that says that messages arrive. NotSentError, InputError: they do not."""
    say = Speech(teller.options.language)
    if not is_address(address):
        params = {"text": address[:80]}
        remedy = N_("write it as name@example.com")
        raise InputError(Problem(N_("{text} is no e-mail address"), params, remedy, field="address"))
    found = EmailMessage()
    found["Subject"] = say.fill(N_("Messages of {park} arrive here"), park=teller.park)
    found["From"] = teller.options.smtp_from
    found["To"] = address
    found["Date"] = format_datetime(teller.clock())
    found.set_content(say(N_("This is a trial from the page Settings.")) + "\n")
    hand_over(teller, found)


def try_hook(teller: Teller, name: str) -> None:
    """Post a message of the kind ``trial``. NotSentError, InputError: it does not arrive."""
    hook = teller.options.hook(name)
    if hook is None:
        message, remedy = N_("there is no webhook {name}; add it on the page Settings"), N_("store it first")
        raise InputError(Problem(message, {"name": name[:80]}, remedy, field="name"))
    post(teller, hook, json.dumps({"event": "trial", "park": teller.park}, ensure_ascii=False).encode())
