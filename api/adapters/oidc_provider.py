"""OpenID providers over HTTP: their documents and keys, kept for a while, and codes redeemed."""

import base64
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

import anyio
import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, RSAKey

from api.adapters.oidc_http import get, post_form
from api.core.id_token import ALGORITHMS
from api.core.oidc import Client, Provider, discovery_url, parse_provider
from bundles.core.errors import Failed, NotAuthenticated
from release.core.codec import UNREADABLE
from release.ports import Unanswered

KEEP_SECONDS = 3600
"""How long a document and its keys are believed unseen."""
REFRESH_SECONDS = 60
"""How often at most a key that is not known is looked for: made-up names of keys have nobody asked more often."""
RETRY_SECONDS = 10
"""How long a provider that did not answer is left alone."""
MAX_TOKEN_BYTES = 32 * 1024
MIN_RSA_BITS = 2048

_KEY_TYPES = ("RSA", "EC", "OKP")
_REGISTRY = jws.JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)


class _KeyDocument(msgspec.Struct, frozen=True):
    """A JSON Web Key Set (RFC 7517, section 5)."""

    keys: tuple[dict[str, Any], ...]


class _Known(msgspec.Struct, frozen=True):
    """What is known of a provider since a time by the monotonic clock."""

    provider: Provider
    keys: tuple[Key, ...]
    since: float

    def key(self, name: str | None) -> Key | None:
        """The key of this name; without a name the only one that there is."""
        if name is None:
            return self.keys[0] if len(self.keys) == 1 else None
        return next((key for key in self.keys if key.kid == name), None)


class _Fault(msgspec.Struct, frozen=True):
    """Why a provider could not be asked, and when that was."""

    message: str
    at: float


class HttpProviders:
    """The providers, each asked by one request at a time, however many wait for what it says."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._faults: dict[str, _Fault] = {}
        self._locks: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)

    async def provider(self, issuer: str) -> Provider:
        """What the provider says of itself, an hour ago or later."""
        return (await self._look_up(issuer, KEEP_SECONDS)).provider

    async def verify(self, issuer: str, token: str) -> bytes:
        """The token's payload, once a key of the issuer has signed it. Raises `NotAuthenticated`."""
        if len(token) > MAX_TOKEN_BYTES or not token.isascii():
            raise NotAuthenticated("that is no ID token")
        name = _key_name(token)
        key = (await self._look_up(issuer, KEEP_SECONDS)).key(name)
        if key is None:  # the provider may have a new one
            key = (await self._look_up(issuer, REFRESH_SECONDS)).key(name)
        if key is None:
            raise NotAuthenticated(f"the ID token is signed by a key that {issuer} does not have")
        try:
            return jws.deserialize_compact(token, key, registry=_REGISTRY).payload
        except (JoseError, ValueError, TypeError) as error:
            raise NotAuthenticated(f"the ID token is not validly signed by {issuer}: {error}") from None

    async def redeem(self, client: Client, code: str, verifier: str) -> str:
        """The ID token for a code (RFC 6749, section 4.1.3; RFC 7636, section 4.5). Raises `NotAuthenticated`."""
        provider = await self.provider(client.issuer)
        if provider.token_endpoint is None:
            raise Failed(f"{client.issuer} has no token endpoint: it logs no people in")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_uri,
            "code_verifier": verifier,
        }
        shown, authorization = _authenticate(client, provider)
        reply = await post_form(provider.token_endpoint, form | shown, authorization)
        return _id_token(reply.status, reply.body, provider.token_endpoint)

    async def _look_up(self, issuer: str, max_age: float) -> _Known:
        """What is known of the provider, no older than so many seconds."""
        if (known := self._young(issuer, max_age)) is not None:
            return known
        async with self._locks[issuer]:
            if (known := self._young(issuer, max_age)) is not None:
                return known  # who held the lock has asked
            fault = self._faults.get(issuer)
            if fault is not None and self._clock() - fault.at < RETRY_SECONDS:
                raise Unanswered(fault.message)
            try:
                known = await self._ask(issuer)
            except Failed as error:
                self._faults[issuer] = _Fault(str(error), self._clock())
                raise
            self._known[issuer] = known
            return known

    def _young(self, issuer: str, max_age: float) -> _Known | None:
        known = self._known.get(issuer)
        return known if known is not None and self._clock() - known.since < max_age else None

    async def _ask(self, issuer: str) -> _Known:
        provider = parse_provider(await get(discovery_url(issuer)), issuer)
        keys = _parse_keys(await get(provider.jwks_uri), provider.jwks_uri)
        return _Known(provider, keys, self._clock())


def _key_name(token: str) -> str | None:
    """The key that the token says it is signed by (`kid`), which nothing vouches for yet."""
    try:
        name = jws.extract_compact(token.encode(), registry=_REGISTRY).headers().get("kid")
    except (JoseError, ValueError, TypeError):
        raise NotAuthenticated("that is no ID token: it is not a JSON Web Signature in its compact form") from None
    return name if isinstance(name, str) else None


def _parse_keys(document: bytes, url: str) -> tuple[Key, ...]:
    """The keys that sign tokens. One that can't be read is passed over (RFC 7517, section 5)."""
    try:
        listed = msgspec.json.decode(document, type=_KeyDocument).keys
    except UNREADABLE:
        raise Failed(f"{url} answers no JSON Web Key Set") from None
    return tuple(key for data in listed if (key := _parse_key(data)) is not None)


def _parse_key(data: dict[str, Any]) -> Key | None:
    if data.get("kty") not in _KEY_TYPES or data.get("use", "sig") != "sig":
        return None
    try:
        key = JWKRegistry.import_key(data)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAKey) and key.public_key.key_size < MIN_RSA_BITS:
        return None
    return key


def _authenticate(client: Client, provider: Provider) -> tuple[dict[str, str], str | None]:
    """How the client shows who it is: in the form, or in a header (RFC 6749, section 2.3.1)."""
    if client.secret is None:
        return {"client_id": client.client_id}, None
    if "client_secret_basic" in provider.token_endpoint_auth_methods_supported:
        pair = f"{quote_plus(client.client_id)}:{quote_plus(client.secret)}"
        return {}, f"Basic {base64.b64encode(pair.encode()).decode()}"
    return {"client_id": client.client_id, "client_secret": client.secret}, None


class _TokenAnswer(msgspec.Struct, frozen=True):
    """What a token endpoint answers (RFC 6749, sections 5.1 and 5.2)."""

    id_token: str | None = None
    error: str | None = None


def _id_token(status: int, body: bytes, url: str) -> str:
    try:
        answer = msgspec.json.decode(body, type=_TokenAnswer)
    except UNREADABLE:
        raise Unanswered(f"{url} answered {status}, and no JSON that is for a client") from None
    if status == 200 and answer.id_token is not None:
        return answer.id_token
    if answer.error == "invalid_grant":
        raise NotAuthenticated("the login was used already or took too long: begin again")
    said = f"the error {answer.error[:100]!r}" if answer.error else "no ID token"
    raise Failed(f"{url} answered {status} with {said}: compare the client's id, secret and redirect URI with it")
