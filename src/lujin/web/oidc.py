"""OpenID Connect: what another provider says of someone. Authorization code with PKCE (RFC 7636), by authlib."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from lujin.access.foreign import Asked
from lujin.errors import N_, InputError, LujinError, Problem, StoreError
from lujin.web.doors import Provider

SCOPE = "openid email"
TIMEOUT_S = 10.0
KEPT_S = 3600.0
# A shared secret, or none at all, proves nothing to us.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")


@dataclass
class Connect:
    """The provider, with what it publishes of itself, asked anew each hour."""

    provider: Provider
    _said: Mapping[str, Any] = field(default_factory=dict)
    _at: float = float("-inf")

    def address(self, asked: Asked, state: str, back: str) -> str:
        """Where the browser goes to sign in; the provider sends it on to ``back``."""
        with _told(), self._client(back) as client:
            url, _ = client.create_authorization_url(
                self._metadata(client)["authorization_endpoint"],
                state=state,
                nonce=asked.nonce,
                code_verifier=asked.verifier,
            )
            return str(url)

    def email(self, asked: Asked, code: str, back: str) -> str:
        """The verified e-mail address of who signed in there. InputError: the answer does not hold."""
        with _told(), self._client(back) as client:
            metadata = self._metadata(client)
            token = client.fetch_token(metadata["token_endpoint"], code=code, code_verifier=asked.verifier)
            claims = self._claims(client, metadata, token, asked.nonce)
            if "email" not in claims and "userinfo_endpoint" in metadata:
                more = client.get(metadata["userinfo_endpoint"]).raise_for_status().json()
                if more.get("sub") != claims["sub"]:
                    raise ValueError("userinfo tells of someone else")
                claims = more
        email = claims.get("email")
        if not isinstance(email, str) or claims.get("email_verified") is not True:
            message = N_("the provider vouches for no e-mail address")
            raise InputError(Problem(message, {}, N_("have your address verified there"), field="email"))
        return email

    def _claims(self, client: Any, metadata: Mapping[str, Any], token: Mapping[str, Any], nonce: str) -> Any:
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.jwk import KeySet
        from joserfc.jws import JWSRegistry

        offered = metadata.get("id_token_signing_alg_values_supported", ["RS256"])
        allowed = [name for name in offered if name in ALGORITHMS]
        keys = client.request("GET", metadata["jwks_uri"], withhold_token=True).raise_for_status().json()
        found = jwt.decode(
            token["id_token"],
            key=KeySet.import_key_set(keys),
            registry=JWSRegistry(algorithms=allowed, strict_check_header=False),
        )
        claims = CodeIDToken(
            found.claims,
            found.header,
            {"iss": {"essential": True, "values": [metadata["issuer"]]}},
            {"nonce": nonce, "client_id": self.provider.client, "access_token": token.get("access_token")},
        )
        claims.validate(leeway=60)
        if claims.get("nonce") != nonce:
            raise ValueError("the answer belongs to another question")
        return claims

    def _metadata(self, client: Any) -> Mapping[str, Any]:
        if time.monotonic() > self._at + KEPT_S:
            address = f"{self.provider.issuer}/.well-known/openid-configuration"
            said = client.request("GET", address, withhold_token=True).raise_for_status().json()
            if said["issuer"].rstrip("/") != self.provider.issuer:
                raise ValueError(f"the provider calls itself {said['issuer']}")
            self._said, self._at = said, time.monotonic()
        return self._said

    def _client(self, back: str) -> Any:
        from authlib.integrations.httpx_client import OAuth2Client

        return OAuth2Client(
            self.provider.client,
            self.provider.secret,
            scope=SCOPE,
            redirect_uri=back,
            code_challenge_method="S256",
            timeout=TIMEOUT_S,
        )


@contextmanager
def _told() -> Iterator[None]:
    """Whatever fails on the way to the provider or in its answer, as one of our errors."""
    try:
        yield
    except LujinError:
        raise
    except ModuleNotFoundError as error:
        message, remedy = N_("signing in with another provider is not installed"), N_("install lujin[oidc]")
        raise StoreError(Problem(message, {}, remedy)) from error
    except httpx.HTTPError as error:
        message, remedy = N_("the provider cannot be reached: {reason}"), N_("try again, or use your password")
        raise InputError(Problem(message, {"reason": str(error)[:200]}, remedy)) from error
    except Exception as error:
        # authlib and joserfc raise many kinds of their own; each means that nobody is vouched for.
        reason = str(error)[:200] or type(error).__name__
        message, remedy = N_("the provider's answer does not hold: {reason}"), N_("begin again")
        raise InputError(Problem(message, {"reason": reason}, remedy)) from error
