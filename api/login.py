"""A person logs in at the provider of their company, and gets a session."""

import secrets

import msgspec
import structlog

from api.core.id_token import check_id_token
from api.core.oidc import Attempt, Client, authorization_url, check_callback
from api.core.people import caller_of, person_of
from api.core.session import SessionKind
from api.people import list_people
from api.perform import Plane
from api.ports import Providers
from api.sessions import start_session
from bundles.core.errors import NotAllowed, NotAuthenticated

COOKIE = "__Host-headrace-login"
"""What is kept of a login under way, in the browser that it was begun in."""
ATTEMPT_SECONDS = 600
_COOKIE_RULES = "Path=/; Secure; HttpOnly; SameSite=Lax"

_log = structlog.get_logger()


class Begun(msgspec.Struct, frozen=True):
    """Where the browser is to go, and the `Set-Cookie` that it keeps until it is back."""

    url: str
    cookie: str


class Login(msgspec.Struct, frozen=True):
    """The real parts that people log in with.

    `groups_claim` names the claim of the provider's ID tokens that lists a person's groups; None where grants are
    to people alone.

    What is kept between the two steps is in the browser's cookie as it is, and nowhere else, so that any node can
    finish what another has begun. No page sees it (`HttpOnly`) and no other host sets it (`__Host-`); and who
    reads their own gains nothing: each value is only compared with what the provider was told of this login.
    """

    plane: Plane
    providers: Providers
    client: Client
    scopes: tuple[str, ...] = ("email",)
    groups_claim: str | None = None

    async def begin(self) -> Begun:
        """A login's first step. Raises `Failed` where the provider is away or is none for people."""
        attempt = Attempt(*(secrets.token_urlsafe(32) for _ in Attempt.__struct_fields__))
        provider = await self.providers.provider(self.client.issuer)
        return Begun(authorization_url(provider, self.client, attempt, self.scopes), _keep(attempt))

    async def finish(self, parameters: dict[str, str], cookie: str | None) -> str:
        """A new session's secret, for what the browser brought back and the cookie that it was given.

        Raises `NotAuthenticated` for what is no answer to this login, `NotAllowed` for who was granted nothing.
        """
        attempt = _kept(cookie)
        provider = await self.providers.provider(self.client.issuer)
        now = self.plane.control.clock.now()
        code = check_callback(provider, parameters, attempt)
        token = await self.providers.redeem(self.client, code, attempt.verifier)
        known = check_id_token(
            await self.providers.verify(self.client.issuer, token),
            issuer=self.client.issuer,
            audience=self.client.client_id,
            now=now,
            nonce=attempt.nonce,
        )
        person = person_of(known, self.groups_claim)
        try:
            caller = caller_of(person, await list_people(self.plane.control))
        except NotAllowed:
            _log.warning("login refused", person=person.name, subject=person.subject)
            raise
        secret = await start_session(self.plane.access.sessions, SessionKind.BROWSER, caller, now)
        _log.info("logged in", person=caller.name, subject=person.subject)
        return secret


def forgotten_attempt() -> str:
    """The `Set-Cookie` that takes the login's cookie away, once it is finished."""
    return f"{COOKIE}=; {_COOKIE_RULES}; Max-Age=0"


def _keep(attempt: Attempt) -> str:
    kept = ".".join(msgspec.structs.astuple(attempt))
    return f"{COOKIE}={kept}; {_COOKIE_RULES}; Max-Age={ATTEMPT_SECONDS}"


def _kept(cookie: str | None) -> Attempt:
    parts = (cookie or "").split(".")
    if len(parts) != len(Attempt.__struct_fields__) or not all(parts):
        minutes = ATTEMPT_SECONDS // 60
        raise NotAuthenticated(
            f"no login was begun in this browser, or it took longer than {minutes} minutes: begin again"
        )
    return Attempt(*parts)
