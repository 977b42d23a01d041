"""Signing in with another provider: a small real one, built with authlib's server side, on a port of its own."""

# ruff: noqa: ARG002, ARG005 (authlib gives these to whoever stands in for a database)
from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx
import pytest
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, JsonRequest, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode, UserInfo
from joserfc.jwk import RSAKey

from lujin.access import Role, audit_trail
from lujin.web.doors import Doors, Provider
from lujin.web.oidc import Connect

CLIENT, SECRET = "lujin", "a secret between the two"
BACK = "http://testserver/sign-in/provider/back"


class Client(ClientMixin):  # type: ignore[misc]
    """The park, as the provider knows it."""

    client_id = CLIENT

    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> str:
        return BACK

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == BACK

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class Code:
    """A code that the provider gave out."""

    code: str
    client_id: str
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str | None
    code_challenge_method: str | None
    user: dict[str, Any]
    auth_time: int = field(default_factory=lambda: int(time.time()))

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return self.auth_time

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class Asked(OAuth2Request):  # type: ignore[misc]
    """What came over HTTP, as authlib wants it."""

    def __init__(self, method: str, uri: str, form: dict[str, str], headers: dict[str, str]) -> None:
        super().__init__(method, uri, headers=headers)
        query = {name: values[0] for name, values in parse_qs(urlsplit(uri).query).items()}
        self.payload = BasicOAuth2Payload({**query, **form})
        self._form = form

    @property
    def form(self) -> dict[str, str]:
        return self._form


class House(AuthorizationServer):  # type: ignore[misc]
    """The provider: ``user`` is who sits before its sign-in page and agrees."""

    def __init__(self) -> None:
        super().__init__(scopes_supported=["openid", "email"])
        self.user: dict[str, Any] = {}
        self.codes: dict[str, Code] = {}
        self.key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})
        self.signing = self.key
        self.issuer = ""
        self.nonce: str | None = None
        house = self

        class Grant(AuthorizationCodeGrant):  # type: ignore[misc]
            TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

            def save_authorization_code(self, code: str, request: Any) -> None:
                asked = request.payload.data
                house.codes[code] = Code(
                    code,
                    CLIENT,
                    asked["redirect_uri"],
                    asked["scope"],
                    house.nonce or asked.get("nonce"),
                    asked.get("code_challenge"),
                    asked.get("code_challenge_method"),
                    request.user,
                )

            def query_authorization_code(self, code: str, client: Client) -> Code | None:
                return house.codes.get(code)

            def delete_authorization_code(self, authorization_code: Code) -> None:
                del house.codes[authorization_code.code]

            def authenticate_user(self, authorization_code: Code) -> dict[str, Any]:
                return authorization_code.user

        class Identity(OpenIDCode):  # type: ignore[misc]
            def exists_nonce(self, nonce: str, request: Any) -> bool:
                return False

            def resolve_client_private_key(self, client: Any) -> Any:
                return house.signing

            def get_client_algorithm(self, client: Any) -> str:
                return "RS256"

            def get_client_claims(self, client: Any) -> dict[str, Any]:
                return {"iss": house.issuer}

            def generate_user_info(self, user: dict[str, Any], scope: str) -> UserInfo:
                return UserInfo(user)

        self.register_grant(Grant, [Identity(require_nonce=True), CodeChallenge(required=True)])
        self.register_token_generator(
            "default", lambda *, scope, **more: {"access_token": "x", "token_type": "Bearer", "scope": scope}
        )

    def query_client(self, client_id: str) -> Client | None:
        return Client() if client_id == CLIENT else None

    def save_token(self, token: Any, request: Any) -> None:
        pass

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        pass

    def create_oauth2_request(self, request: Any) -> OAuth2Request:
        return request if isinstance(request, OAuth2Request) else Asked(*request)

    def create_json_request(self, request: Any) -> JsonRequest:
        raise NotImplementedError

    def handle_response(self, status: int, body: Any, headers: Any) -> tuple[int, Any, Any]:
        return status, body, headers

    def __call__(self, environ: Any, start: Any) -> list[bytes]:
        path = environ["PATH_INFO"]
        size = int(environ.get("CONTENT_LENGTH") or 0)
        form = {k: v[0] for k, v in parse_qs(environ["wsgi.input"].read(size).decode()).items()}
        uri = f"{self.issuer}{path}?{environ['QUERY_STRING']}"
        headers = {"Authorization": environ["HTTP_AUTHORIZATION"]} if "HTTP_AUTHORIZATION" in environ else {}
        asked = (environ["REQUEST_METHOD"], uri, form, headers)
        status, body, more = 200, {}, []
        if path == "/.well-known/openid-configuration":
            body = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            }
        elif path == "/keys":
            body = {"keys": [self.key.as_dict(private=False)]}
        elif path == "/authorize":
            request = self.create_oauth2_request(asked)
            grant = self.get_consent_grant(request, end_user=self.user)
            status, body, more = self.create_authorization_response(request, grant_user=self.user, grant=grant)
        elif path == "/token":
            status, body, more = self.create_token_response(asked)
        said = body if isinstance(body, str) else json.dumps(body)
        start(f"{status} x", [("Content-Type", "application/json"), *(h for h in more if h[0] != "Content-Type")])
        return [said.encode()]


class Silent(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def house() -> Iterator[House]:
    found = House()
    server: WSGIServer = make_server("127.0.0.1", 0, found, handler_class=Silent)
    found.issuer = f"http://127.0.0.1:{server.server_port}"
    found.user = {"sub": "7", "email": "Operator@park.example", "email_verified": True}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def park(site: Any, house: House) -> Any:
    from dataclasses import replace

    provider = Provider(house.issuer, CLIENT, SECRET, "Park ID")
    settings = site.app.state.settings
    site.app.state.settings = replace(settings, doors=Doors(requests_per_minute=0, provider=provider))
    site.app.state.connect = Connect(provider)
    return site


def through(browser: Any, back: str = "/people") -> Any:
    """To the provider and back, as a browser goes."""
    there = browser.get(f"/sign-in/provider?back={back}").headers["location"]
    return browser.get(httpx.get(there).headers["location"])


def test_person_of_the_park_comes_in_by_the_address_there(park: Any) -> None:
    browser = park.browser()
    assert "Park ID" in browser.get("/sign-in").text
    answer = through(browser)
    assert answer.status_code == 303, answer.text
    assert browser.get(answer.headers["location"]).headers["location"] == "/people"
    assert browser.get("/people").status_code == 200
    with park.engine.connect() as connection:
        (entry, *_) = audit_trail(connection, action="sign_in")
    assert entry.after is not None and entry.after["issuer"].startswith("http://127.0.0.1")


@pytest.mark.parametrize(
    "said",
    [
        {"sub": "8", "email": "stranger@park.example", "email_verified": True},
        {"sub": "7", "email": "operator@park.example", "email_verified": False},
        {"sub": "7", "email": "operator@park.example", "email_verified": "true"},
        {"sub": "7", "email": "operator@park.example"},
        {"sub": "7"},
    ],
)
def test_whoever_is_not_vouched_for_stays_out(park: Any, house: House, said: dict[str, Any]) -> None:
    house.user = said
    browser = park.browser()
    assert through(browser).status_code == 422
    assert browser.get("/people").status_code == 303


def test_shut_out_person_stays_out(park: Any, house: House) -> None:
    number = park.join("lu@e1.example", Role.ENTERPRISE, "E003")
    park.post(park.signed_in(), f"/people/{number}/disable", {"version": 1})
    house.user = {"sub": "9", "email": "lu@e1.example", "email_verified": True}
    assert through(park.browser()).status_code == 422


def test_answer_signed_by_another_key_does_not_hold(park: Any, house: House) -> None:
    house.signing = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})
    assert through(park.browser()).status_code == 422


def test_answer_to_another_question_does_not_hold(park: Any, house: House) -> None:
    house.nonce = "of another sign-in"
    assert through(park.browser()).status_code == 422


def test_answer_counts_once_and_only_in_the_browser_that_asked(park: Any) -> None:
    browser = park.browser()
    there = browser.get("/sign-in/provider").headers["location"]
    back = httpx.get(there).headers["location"]
    assert park.browser().get(back).status_code == 422
    assert browser.get(back).status_code == 303
    browser.cookies.set("lujin_state", parse_qs(urlsplit(back).query)["state"][0], path="/sign-in")
    assert browser.get(back).status_code == 422


def test_answer_that_comes_too_late_does_not_count(park: Any) -> None:
    from datetime import timedelta

    browser = park.browser()
    back = httpx.get(browser.get("/sign-in/provider").headers["location"]).headers["location"]
    park.now += timedelta(minutes=11)
    assert browser.get(back).status_code == 422


def test_provider_out_of_reach_is_told(park: Any) -> None:
    park.app.state.connect = Connect(Provider("http://127.0.0.1:9", CLIENT, SECRET, "Park ID"))
    answer = park.browser().get("/sign-in/provider")
    assert answer.status_code == 422 and "cannot be reached" in answer.text


def test_without_a_provider_there_is_no_such_door(site: Any) -> None:
    assert site.browser().get("/sign-in/provider").status_code == 404
