"""A person logs in at the provider of their company, and gets a session."""

import secrets

import msgspec
import structlog

from api.core.access import Caller
from api.core.command_line import Waiting, parse_waiting
from api.core.id_token import check_id_token
from api.core.oidc import Attempt, Client, authorization_url, check_callback
from api.core.people import caller_of, person_of
from api.core.session import SessionKind
from api.login_codes import give_code, redeem_code
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


class Given(msgspec.Struct, frozen=True):
    """Who has logged in, and the code by which a command line may ask as that person."""

    person: str
    code: str


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

    async def begin(self, waiting: Waiting | None = None) -> Begun:
        """A login's first step, of the browser itself or for a command line that waits.

        Raises `Failed` where the provider is away or is none for people.
        """
        attempt = Attempt(*(secrets.token_urlsafe(32) for _ in Attempt.__struct_fields__))
        provider = await self.providers.provider(self.client.issuer)
        return Begun(authorization_url(provider, self.client, attempt, self.scopes), _keep(attempt, waiting))

    async def finish(self, parameters: dict[str, str], cookie: str | None) -> str:
        """A new session's secret, for what the browser brought back and the cookie that it was given.

        Raises `NotAuthenticated` for what is no answer to this login, `NotAllowed` for who was granted nothing.
        """
        caller = await self._caller(parameters, cookie)
        now = self.plane.control.clock.now()
        return await start_session(self.plane.access.sessions, SessionKind.BROWSER, caller, now)

    async def finish_for(self, waiting: Waiting, parameters: dict[str, str], cookie: str | None) -> Given:
        """The same with a code for a command line in the place of a session."""
        caller = await self._caller(parameters, cookie)
        code = await give_code(self.plane.access, waiting, caller, self.plane.control.clock.now())
        return Given(caller.name, code)

    async def redeem(self, code: str, verifier: str) -> str:
        """A session's secret for a command line that has the code. Raises `NotAuthenticated`."""
        return await redeem_code(self.plane.access, code, verifier, self.plane.control.clock.now())

    async def _caller(self, parameters: dict[str, str], cookie: str | None) -> Caller:
        """Who has logged in."""
        attempt, _ = _kept(cookie)
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
        _log.info("logged in", person=caller.name, subject=person.subject)
        return caller


def forgotten_attempt() -> str:
    """The `Set-Cookie` that takes the login's cookie away, once it is finished."""
    return f"{COOKIE}=; {_COOKIE_RULES}; Max-Age=0"


def waiting_in(cookie: str | None) -> Waiting | None:
    """The command line that the login under way is for; None for a browser's own. Raises as `finish` does."""
    return _kept(cookie)[1]


def _keep(attempt: Attempt, waiting: Waiting | None) -> str:
    told = () if waiting is None else msgspec.structs.astuple(waiting)
    kept = ".".join(map(str, (*msgspec.structs.astuple(attempt), *told)))
    return f"{COOKIE}={kept}; {_COOKIE_RULES}; Max-Age={ATTEMPT_SECONDS}"


def _kept(cookie: str | None) -> tuple[Attempt, Waiting | None]:
    parts, names = (cookie or "").split("."), Waiting.__struct_fields__
    own = len(Attempt.__struct_fields__)
    if len(parts) not in (own, own + len(names)) or not all(parts):
        minutes = ATTEMPT_SECONDS // 60
        raise NotAuthenticated(
            f"no login was begun in this browser, or it took longer than {minutes} minutes: begin again"
        )
    return Attempt(*parts[:own]), parse_waiting(dict(zip(names, parts[own:], strict=False)))
