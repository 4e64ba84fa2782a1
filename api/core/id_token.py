"""What an ID token says, once its signature holds."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from bundles.core.errors import NotAuthenticated
from release.core.codec import UNREADABLE

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
"""How a token may be signed: by a key of two halves, whose public half signs nothing. Never `none` or `HS256`.

`EdDSA` is left out since RFC 9864 has given it the name `Ed25519`.
"""

LEEWAY_SECONDS = 30
"""By how much the provider's clock and ours may differ."""
MAX_LIFE_SECONDS = 31 * 24 * 3600
"""The longest that a token may still hold: a GitLab job's, whose token lives as long as the job may."""
MAX_TEXT = 1000


class _Registered(msgspec.Struct, frozen=True):
    """The claims that JSON Web Tokens have in common (RFC 7519, section 4.1), and those of OpenID Connect."""

    iss: str
    sub: str
    aud: str | tuple[str, ...]
    exp: int | float
    iat: int | float
    nbf: int | float | None = None
    azp: str | None = None
    nonce: str | None = None
    jti: str | None = None


class IdToken(msgspec.Struct, frozen=True):
    """A token that holds: who issued it about whom, until when, and all that it claims."""

    issuer: str
    subject: str
    expires: int
    jti: str | None
    claims: Mapping[str, Any]

    def text(self, claim: str) -> str | None:
        """What the token says in this claim; None where it says nothing, or no short text on one line."""
        said = self.claims.get(claim)
        return said if isinstance(said, str) and 0 < len(said) <= MAX_TEXT and said.isprintable() else None


def check_id_token(payload: bytes, *, issuer: str, audience: str, now: int, nonce: str | None = None) -> IdToken:
    """The token of this payload, whose signature was verified by a key of this issuer.

    Checks as OpenID Connect Core 1.0, section 3.1.3.7, has them; with a nonce, that it is of this login.
    `now` is in seconds since the epoch. Raises `NotAuthenticated`, which names the claim that is wrong.
    """
    try:
        claims = msgspec.json.decode(payload, type=dict[str, Any])
        said = msgspec.convert(claims, _Registered)
    except UNREADABLE as error:
        raise NotAuthenticated(f"the ID token's claims can't be read: {error}") from None
    if said.iss != issuer:
        raise _wrong("iss", f"is not {issuer!r}")
    if not 0 < len(said.sub) <= MAX_TEXT or not said.sub.isprintable():
        raise _wrong("sub", "is no short text on one line")
    _check_audience(said, audience)
    _check_times(said, now)
    if nonce is not None and said.nonce != nonce:
        raise _wrong("nonce", "is of another login")
    return IdToken(said.iss, said.sub, math.ceil(said.exp), said.jti, claims)


def _check_audience(said: _Registered, audience: str) -> None:
    """One that is for others too is for us only where it says that we asked for it (`azp`)."""
    audiences = (said.aud,) if isinstance(said.aud, str) else said.aud
    if audience not in audiences:
        raise _wrong("aud", f"does not name {audience!r}: ask for a token for that audience")
    if said.azp is None and len(audiences) > 1:
        raise _wrong("aud", "names others too: ask for a token for one audience")
    if said.azp is not None and said.azp != audience:
        raise _wrong("azp", "names another client")


def _check_times(said: _Registered, now: int) -> None:
    if said.exp <= now - LEEWAY_SECONDS:
        raise _wrong("exp", "is past: the token has expired")
    if said.exp > now + MAX_LIFE_SECONDS:
        raise _wrong("exp", "is more than a month from now")
    if said.iat > now + LEEWAY_SECONDS:
        raise _wrong("iat", "is yet to come: compare the clocks")
    if said.nbf is not None and said.nbf > now + LEEWAY_SECONDS:
        raise _wrong("nbf", "is yet to come: the token does not hold yet")


def _wrong(claim: str, what: str) -> NotAuthenticated:
    return NotAuthenticated(f"the ID token's claim {claim!r} {what}")
