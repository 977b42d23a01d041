"""Messages reach real servers: SMTP with TLS and a password, HTTP with a signature; what fails is tried again."""

from __future__ import annotations

import asyncio
import email
import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message as Mail
from email.policy import default
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.workspace.small_park import START, register, within

from lujin.alarms import Rule
from lujin.alarms.outbox import GIVE_UP_AFTER, NotSentError, deliver, given_up, messages_of, pause
from lujin.alarms.tables import message_attempt
from lujin.alarms.tell import Teller, addresses, public, sender
from lujin.operator_options import Hook, Options
from lujin.operator_settings import sealed

from .conftest import Watched, local

NIGHT = local(10, 12)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A certificate for localhost: the server's context, and one that trusts it."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return server, ssl.create_default_context(cafile=str(folder / "cert.pem"))


@dataclass
class Postbox:
    """A mail server's hands: keeps what it takes, refuses whom it is told to."""

    mails: list[Mail] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    busy: bool = False

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: ARG002
        if address in self.refused:
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002
        await asyncio.sleep(0)
        if self.busy:
            return "451 come back later"
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 OK"


def _knows(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:  # noqa: ARG001
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"lujin", b"gehe im")
    return AuthResult(success=known, handled=False)


@pytest.fixture
def post_office(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> Iterator[tuple[Postbox, int]]:
    """A real SMTP server that wants STARTTLS and a password."""
    box = Postbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    office = Controller(
        box,
        hostname="127.0.0.1",
        port=port,
        tls_context=tls[0],
        require_starttls=True,
        auth_required=True,
        authenticator=_knows,
        server_hostname="localhost",
    )
    office.start()
    yield box, port
    office.stop()


@dataclass
class Desk:
    """A real HTTP server: keeps what is posted, answers with ``status``."""

    status: int = 200
    posted: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def desk() -> Iterator[Desk]:
    found = Desk()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.posted.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(found.status)
            if found.status == 302:
                self.send_header("location", "http://127.0.0.1:1/inside")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    found.url = f"http://localhost:{server.server_port}/hook?duty=1"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Now:
    at: datetime = NIGHT

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def raised(both: Watched) -> Watched:
    """One alarm of a silent meter, told to whom a test names with ``tell``."""
    both.take([*register("M1"), *within(register("M2"), START, local(9, 0, 15))])
    return both


def tell(park: Watched, *recipients: str) -> None:
    park.keep(Rule("late", "late", park.rule("late").place, recipients=recipients, parameters={"after_h": "24"}))
    park.judge(NIGHT)


Telling = Callable[..., Teller]


@pytest.fixture
def teller(raised: Watched, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> Telling:
    def make(now: Now, **chosen: Any) -> Teller:
        options = Options(**{"language": "en", **chosen})
        return Teller(options, raised.directory, "Dianlu", "https://park.example", now, {"PW": "gehe im"}, tls[1])

    return make


def outcomes(park: Watched) -> list[tuple[str, str]]:
    with park.open().engine.connect() as connection:
        rows = connection.execute(sa.select(message_attempt).order_by(message_attempt.c.number))
        return [(row.outcome, row.detail) for row in rows]


# E-mail ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", ["gehe im", "env:PW"])
def test_an_alarm_reaches_a_mail_server_with_tls_and_password(
    raised: Watched, teller: Telling, post_office: tuple[Postbox, int], kept: str
) -> None:
    box, port = post_office
    tell(raised, "mailto:office@example.com")
    now = Now()
    password = sealed("smtp_password", kept, raised.directory / "keys")
    found = teller(
        now,
        smtp_host="localhost",
        smtp_port=port,
        smtp_user="lujin",
        smtp_password=password,
        smtp_from="l@park.example",
    )
    assert deliver(raised.open().engine, sender(found), now) == 1
    (mail,) = box.mails
    assert mail["To"] == "office@example.com" and mail["From"] == "l@park.example"
    assert mail["Subject"] == "[warning] data late: the park"
    text = mail.get_content()  # type: ignore[attr-defined]
    assert "1 of 2 meters are silent" in text and "https://park.example/alarms/1" in text
    assert deliver(raised.open().engine, sender(found), now) == 0
    assert outcomes(raised) == [("sent", "")]


def test_a_mail_server_that_is_not_trusted_or_refuses_is_not_given_the_password(
    raised: Watched, teller: Telling, post_office: tuple[Postbox, int]
) -> None:
    _, port = post_office
    tell(raised, "mailto:office@example.com")
    now = Now()
    chosen = {"smtp_port": port, "smtp_user": "lujin", "smtp_from": "l@park.example"}
    stranger = teller(now, smtp_host="127.0.0.1", smtp_password="gehe im", **chosen)
    assert deliver(raised.open().engine, sender(stranger), now) == 0
    assert "certificate" in outcomes(raised)[0][1]
    now.at += pause(1)
    wrong = teller(now, smtp_host="localhost", smtp_password="other", **chosen)
    assert deliver(raised.open().engine, sender(wrong), now) == 0
    assert outcomes(raised)[1][1].startswith("535")


def test_a_refused_recipient_is_given_up_at_once_and_others_are_told(
    raised: Watched, teller: Telling, post_office: tuple[Postbox, int]
) -> None:
    box, port = post_office
    box.refused.add("gone@example.com")
    tell(raised, "mailto:gone@example.com", "mailto:office@example.com")
    now = Now()
    found = teller(
        now,
        smtp_host="localhost",
        smtp_port=port,
        smtp_user="lujin",
        smtp_password="gehe im",
        smtp_from="l@p.example",
    )
    assert deliver(raised.open().engine, sender(found), now) == 1
    assert outcomes(raised) == [("given_up", "550 no such person"), ("sent", "")]


def test_a_busy_server_is_tried_again_later_and_a_restart_forgets_nothing(
    raised: Watched, teller: Telling, post_office: tuple[Postbox, int]
) -> None:
    box, port = post_office
    box.busy = True
    tell(raised, "mailto:office@example.com")
    now = Now()
    found = teller(
        now,
        smtp_host="localhost",
        smtp_port=port,
        smtp_user="lujin",
        smtp_password="gehe im",
        smtp_from="l@p.example",
    )
    assert deliver(raised.open().engine, sender(found), now) == 0
    box.busy = False
    now.at += timedelta(seconds=29)
    assert deliver(raised.open().engine, sender(found), now) == 0
    now.at += timedelta(seconds=2)
    assert deliver(raised.open().engine, sender(found), now) == 1
    assert [outcome for outcome, _ in outcomes(raised)] == ["failed", "sent"]


# Outbox ------------------------------------------------------------------------------------------------------


def test_pauses_grow_and_after_a_day_it_is_given_up_visibly(raised: Watched) -> None:
    tell(raised, "mailto:office@example.com")
    now = Now()
    tried: list[datetime] = []

    def never(_: Any) -> None:
        tried.append(now())
        raise NotSentError("no route")

    while now.at < NIGHT + GIVE_UP_AFTER + timedelta(hours=5):
        deliver(raised.open().engine, never, now)
        now.at += timedelta(minutes=30)
    pauses = [b - a for a, b in pairwise(tried)]
    assert pauses == sorted(pauses) and 10 < len(tried) < 30
    assert outcomes(raised)[-1] == ("given_up", "no route")
    with raised.open().engine.connect() as connection:
        assert given_up(connection, NIGHT) == 1
        (sent,) = messages_of(connection, [1])[1]
        assert sent.outcome == "given_up" and sent.attempts == len(tried) and sent.detail == "no route"


def test_one_that_fails_keeps_no_other_back(raised: Watched) -> None:
    tell(raised, "mailto:a@example.com", "mailto:b@example.com")

    def send(message: Any) -> None:
        if message.recipient == "mailto:a@example.com":
            raise NotSentError("no")

    assert deliver(raised.open().engine, send, Now()) == 1


def test_quiet_messages_wait(raised: Watched) -> None:
    raised.keep(
        Rule("late", "late", raised.rule("late").place, quiet="11:00-13:00", recipients=("mailto:a@example.com",))
    )
    raised.judge(NIGHT)
    now = Now()
    assert deliver(raised.open().engine, lambda _: None, now) == 0
    now.at = local(10, 13)
    assert deliver(raised.open().engine, lambda _: None, now) == 1


# Webhook -----------------------------------------------------------------------------------------------------


def test_a_webhook_gets_signed_json(raised: Watched, teller: Telling, desk: Desk) -> None:
    tell(raised, "webhook:duty")
    now = Now()
    secret = sealed("webhook:duty", "geheim", raised.directory / "keys")
    found = teller(now, webhooks=(Hook("duty", desk.url, secret),), private_webhooks=True)
    assert deliver(raised.open().engine, sender(found), now) == 1
    ((path, headers, body),) = desk.posted
    assert path == "/hook?duty=1" and headers["host"].startswith("localhost:")
    stamp, _, said = headers["x-lujin-signature"].partition(",v1=")
    at = stamp.removeprefix("t=")
    assert int(at) == int(NIGHT.timestamp())
    assert said == hmac.new(b"geheim", f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    document = json.loads(body)
    assert document["event"] == "raised" and document["alarm"]["number"] == 1
    assert document["alarm"]["url"] == "https://park.example/alarms/1" and "silent" in document["text"]


@pytest.mark.parametrize("status", [500, 404, 302])
def test_anything_but_success_is_tried_again(raised: Watched, teller: Telling, desk: Desk, status: int) -> None:
    desk.status = status
    tell(raised, "webhook:duty")
    now = Now()
    found = teller(now, webhooks=(Hook("duty", desk.url),), private_webhooks=True)
    assert deliver(raised.open().engine, sender(found), now) == 0
    assert outcomes(raised) == [("failed", f"HTTP {status}")]
    desk.status = 200
    now.at += pause(1)
    assert deliver(raised.open().engine, sender(found), now) == 1


def test_an_address_inside_the_network_is_not_knocked_at(raised: Watched, teller: Telling, desk: Desk) -> None:
    tell(raised, "webhook:duty")
    now = Now()
    found = teller(now, webhooks=(Hook("duty", desk.url),))
    assert deliver(raised.open().engine, sender(found), now) == 0
    assert desk.posted == [] and "private network" in outcomes(raised)[0][1]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "::1",
        "fd00::1",
        "0.0.0.0",
        "2130706433",
    ],
)
def test_no_private_address_is_chosen_however_it_is_written(teller: Telling, host: str) -> None:
    with pytest.raises(NotSentError):
        addresses(teller(Now()), host, 80)
    assert public("93.184.216.34")


def test_a_webhook_that_is_gone_is_said(raised: Watched, teller: Telling) -> None:
    tell(raised, "webhook:duty")
    now = Now()
    deliver(raised.open().engine, sender(teller(now)), now)
    assert "there is no webhook duty" in outcomes(raised)[0][1]
