"""A pipeline shows its ID token and gets a session: no secret is kept on its side."""

import msgspec
import structlog

from api.core.access import Caller
from api.core.id_token import IdToken, check_id_token
from api.core.publishers import TrustedPublisher, match, pipeline_name
from api.core.session import SessionKind
from api.perform import Plane
from api.ports import Providers
from api.publishers import read_publisher
from api.sessions import start_session
from bundles.core.errors import NotAllowed, NotAuthenticated

_log = structlog.get_logger()


class Exchange(msgspec.Struct, frozen=True):
    """The real parts that tokens are exchanged with.

    `audience` is this Headrace's own name, its URL, which a token has to be made for: one that was made for
    another service is of no use here.
    """

    plane: Plane
    providers: Providers
    audience: str

    async def __call__(self, publisher_name: str, token: str) -> str:
        """A session's secret for an ID token that the trusted publisher believes, once for each token.

        Raises `NotAuthenticated` for a token that does not hold, `NotAllowed` for one of another pipeline or that
        was used before, and `Unanswered` where the token's issuer is away.
        """
        publisher = await read_publisher(self.plane.control, publisher_name)
        if publisher is None:
            raise NotAuthenticated(f"there is no trusted publisher {publisher_name!r}: an admin can name one")
        # Keys are asked for where the publisher says, never where the token does.
        payload = await self.providers.verify(publisher.issuer, token)
        now = self.plane.control.clock.now()
        known = check_id_token(payload, issuer=publisher.issuer, audience=self.audience, now=now)
        _check(publisher_name, publisher, known)
        if not known.jti or not await self.plane.access.used_tokens.use(known):
            _log.warning("ID token refused", publisher=publisher_name, claim="jti", said=known.jti)
            raise NotAllowed("the ID token was exchanged before, or has no `jti` to tell: ask for a new one")
        caller = Caller(pipeline_name(publisher, known), publisher.grant)
        secret = await start_session(self.plane.access.sessions, SessionKind.PIPELINE, caller, now)
        _log.info("ID token exchanged", publisher=publisher_name, caller=caller.name, subject=known.subject)
        return secret


def _check(name: str, publisher: TrustedPublisher, token: IdToken) -> None:
    """Raise `NotAllowed` for a token of another pipeline. What was wanted is told to the log alone."""
    mismatch = match(publisher, token)
    if mismatch is not None:
        _log.warning(
            "ID token refused",
            publisher=name,
            claim=mismatch.claim,
            said=mismatch.said,
            wanted=mismatch.wanted,
        )
        raise NotAllowed(str(mismatch))
