"""Who asks, by the secret that a request presents."""

from collections.abc import Set

import msgspec

from api.core.access import Caller
from api.core.session import IN_HEADER, SessionKind
from api.core.token import Prefix, TokenId, digest_of_secret, prefix_of
from api.perform import Plane
from api.tokens import find_token
from bundles.core.digest import Digest
from bundles.core.errors import NotAuthenticated

_UNKNOWN = "no token or session that is valid says who asks: send Authorization: Bearer with a token, or log in"
"""The one answer to all of them: whether a secret has expired, was revoked or never was is nobody's business."""


class Credential(msgspec.Struct, frozen=True):
    """What a request says of who sends it: its `Authorization`, and the value of the session's cookie."""

    authorization: str | None = None
    cookie: str | None = None


class Known(msgspec.Struct, frozen=True):
    """Who asks, and by which token or session it is known."""

    caller: Caller
    by: TokenId | Digest
    session: SessionKind | None = None
    """None for a token."""

    @property
    def counted_as(self) -> str:
        """What its requests are counted by: a token by itself, all sessions of a caller together.

        Who has logged in may begin any number of sessions; of two tokens of a name one may be in other hands.
        """
        return self.by if self.session is None else self.caller.name


async def authenticate(plane: Plane, credential: Credential, now: int) -> Known:
    """Who asks. Raises `NotAuthenticated`; it takes one hash, and one look into a database.

    What is in `Authorization` counts alone: no cookie helps where that is not valid.
    """
    known = None
    if credential.authorization is not None:
        scheme, _, secret = credential.authorization.partition(" ")
        if scheme.lower() == "bearer":
            known = await _by_header(plane, secret.strip(" "), now)
    elif credential.cookie is not None and prefix_of(credential.cookie) is Prefix.SESSION:
        known = await _by_session(plane, credential.cookie, {SessionKind.BROWSER}, now)
    if known is None:
        raise NotAuthenticated(_UNKNOWN)
    return known


async def _by_header(plane: Plane, secret: str, now: int) -> Known | None:
    match prefix_of(secret):
        case Prefix.TOKEN:
            return await _by_token(plane, secret, now)
        case Prefix.SESSION:
            return await _by_session(plane, secret, IN_HEADER, now)
        case None:
            return None


async def _by_token(plane: Plane, secret: str, now: int) -> Known | None:
    found = await find_token(plane.control, secret)
    if found is None or not found[1].is_valid(now):
        return None
    token_id, token = found
    return Known(Caller(token.caller, token.grant), token_id)


async def _by_session(plane: Plane, secret: str, kinds: Set[SessionKind], now: int) -> Known | None:
    """A browser's session counts in a cookie alone, which needs a CSRF token; all others in a header alone."""
    session = await plane.access.sessions.find(digest_of_secret(secret))
    if session is None or session.kind not in kinds or not session.is_valid(now):
        return None
    return Known(session.caller, session.digest, session.kind)
