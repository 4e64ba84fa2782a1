"""OpenID Connect as its client sees it: a provider's document, the way to its login, and the way back."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import msgspec

from bundles.core.errors import Failed, Invalid, NotAuthenticated
from release.core.codec import UNREADABLE
from release.core.service_url import LOOPBACK_HOSTS

DISCOVERY_PATH = "/.well-known/openid-configuration"


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says of itself (OpenID Connect Discovery 1.0, section 3).

    One for pipelines alone, as GitHub's, has keys and no login.
    """

    issuer: str
    jwks_uri: str
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Client(msgspec.Struct, frozen=True):
    """Headrace as the provider of people's logins knows it; without a secret it is a public client."""

    issuer: str
    client_id: str
    redirect_uri: str
    secret: str | None = None


class Attempt(msgspec.Struct, frozen=True):
    """One login under way: three random values, each of its own use and known to one browser alone.

    `state` ties the way back to that browser, `nonce` the ID token to this login (OpenID Connect Core 1.0, section
    3.1.2.1), and `verifier` the code to who asked for it (RFC 7636: 43 to 128 characters).
    """

    state: str
    nonce: str
    verifier: str


def check_issuer(issuer: str) -> None:
    """Raise `Invalid` for what can't be an issuer: its keys would come from who knows where."""
    _check_url(issuer, "the issuer")
    if urlsplit(issuer).query or urlsplit(issuer).fragment:
        raise Invalid(f"the issuer {issuer!r} has a query or a fragment: name it as its tokens' `iss` does")


def discovery_url(issuer: str) -> str:
    """Where the issuer's document is."""
    return issuer.rstrip("/") + DISCOVERY_PATH


def parse_provider(document: bytes, issuer: str) -> Provider:
    """The provider by its document. Raises `Failed` for one that is of no use, or of another issuer.

    The issuer is compared as it is, to the last slash (Discovery, section 4.3): who can answer for one name must
    not speak for another.
    """
    try:
        provider = msgspec.json.decode(document, type=Provider)
    except UNREADABLE as error:
        raise Failed(f"what {discovery_url(issuer)} answers is no discovery document: {error}") from None
    if provider.issuer != issuer:
        raise Failed(f"{discovery_url(issuer)} is of the issuer {provider.issuer!r}, not {issuer!r}")
    for name in ("jwks_uri", "authorization_endpoint", "token_endpoint"):
        if (url := getattr(provider, name)) is not None:
            try:
                _check_url(url, name)
            except Invalid as error:
                raise Failed(f"the discovery document of {issuer}: {error}") from None
    return provider


def authorization_url(provider: Provider, client: Client, attempt: Attempt, scopes: tuple[str, ...]) -> str:
    """Where the browser is sent to log in: the authorization code flow with PKCE by S256 (RFC 7636).

    Raises `Failed` for a provider that logs nobody in.
    """
    if provider.authorization_endpoint is None:
        raise Failed(f"{provider.issuer} has no authorization endpoint: it logs no people in")
    asked = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "scope": " ".join(("openid", *scopes)),
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": code_challenge(attempt.verifier),
        "code_challenge_method": "S256",
    }
    joined = "&" if urlsplit(provider.authorization_endpoint).query else "?"
    return f"{provider.authorization_endpoint}{joined}{urlencode(asked)}"


def code_challenge(verifier: str) -> str:
    """The verifier's SHA-256 in base64url without padding (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def check_callback(provider: Provider, parameters: Mapping[str, str], attempt: Attempt) -> str:
    """The code that the browser brought back. Raises `NotAuthenticated` for what is no answer to this attempt.

    Who answers is checked before what is answered, an error too (RFC 9207, section 2.4; RFC 9700, section 4.4).
    """
    if not hmac.compare_digest(parameters.get("state", "").encode(), attempt.state.encode()):
        raise NotAuthenticated("this is no answer to the login that was begun in this browser: begin again")
    issuer = parameters.get("iss")
    if issuer is None and provider.authorization_response_iss_parameter_supported:
        raise NotAuthenticated(f"the answer does not say that it is from {provider.issuer}: begin again")
    if issuer is not None and issuer != provider.issuer:
        raise NotAuthenticated(f"the answer is of another provider than {provider.issuer}: begin again")
    if (error := parameters.get("error")) is not None:
        raise NotAuthenticated(f"{provider.issuer} did not log you in: {_shown(error)}")
    if not (code := parameters.get("code")):
        raise NotAuthenticated(f"the answer of {provider.issuer} has no code: begin again")
    return code


def _shown(text: str) -> str:
    """Another's text, on one line and short."""
    return repr(text[:100])


def _check_url(url: str, what: str) -> None:
    """Raise `Invalid` unless it is `https:` of a host, or `http:` of this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        raise Invalid(f"{what} {url!r} is no URL") from None
    if parts.username is not None or not host:
        raise Invalid(f"{what} {url!r} is no URL of a host")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK_HOSTS):
        raise Invalid(f"{what} {url!r} is not https: anybody between here and there could answer")
