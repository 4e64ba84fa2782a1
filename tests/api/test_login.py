"""A person logs in at a real OpenID provider: from the first redirect to a session, and all that goes wrong."""

import time
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import msgspec
import pytest
from structlog.testing import capture_logs

from api.adapters.oidc_provider import HttpProviders
from api.authenticate import Credential, authenticate
from api.core.access import Caller, Grant
from api.core.oidc import Client
from api.core.operation import Change, Terms
from api.core.role import Role
from api.core.session import SessionKind
from api.login import COOKIE, Begun, Login, forgotten_attempt
from api.operations.people import RemovePerson, SetPerson
from api.people import set_person
from api.perform import Plane, perform
from api.views.people import PersonView
from bundles.core.errors import Failed, NotAllowed, NotAuthenticated
from release.change import Author
from release.ports import Unanswered
from tests.release.conftest import at
from tests.support.oidc_provider import log_in, provider

pytestmark = pytest.mark.anyio

REDIRECT = "https://headrace.example.com/api/v1/login/callback"
SECRET = "a secret: of 100 % + more"
ADMIN = Caller("ada@example.com", Grant(roles=frozenset({Role.ADMIN})))
ADA = Author("ada@example.com")
RELEASER, VIEWER = (Grant(roles=frozenset({role})) for role in (Role.RELEASER, Role.VIEWER))
ADA_LOGGED_IN = Caller("ada@example.com", RELEASER, ("ada@example.com",))
CLIENTS = [
    {"client_id": "headrace", "client_secret": SECRET, "redirect_uris": [REDIRECT]},
    {"client_id": "another", "client_secret": SECRET, "redirect_uris": [REDIRECT]},
    {"client_id": "public", "token_endpoint_auth_method": "none", "redirect_uris": [REDIRECT]},
]
ACCOUNTS = {
    "ada": {"email": "Ada@example.com", "email_verified": True},
    "bo": {"email": "bo@example.com", "email_verified": False, "groups": ["release"]},
    "eve": {"email": "ada@example.com", "email_verified": False},
}


@pytest.fixture(scope="module")
def at_home() -> Iterator[str]:
    with provider(CLIENTS, ACCOUNTS) as issuer:
        yield issuer


@pytest.fixture
async def login(plane: Plane, at_home: str) -> Login:
    """Logins of two who were granted something: Ada by her address, and the group `release`."""
    await set_person(plane.control, "ada@example.com", RELEASER, ADMIN, ADA)
    await set_person(plane.control, "group:release", VIEWER, ADMIN, ADA)
    client = Client(at_home, "headrace", REDIRECT, SECRET)
    return Login(plane, HttpProviders(), client, ("email", "groups"), "groups")


def kept(begun: Begun) -> str:
    """What the browser keeps."""
    return SimpleCookie(begun.cookie)[COOKIE].value


async def back(begun: Begun, account: str = "ada") -> dict[str, str]:
    """What the browser brings back, once somebody has logged in."""
    url = await anyio.to_thread.run_sync(log_in, begun.url, account, REDIRECT)
    return dict(url.params)


async def whole(login: Login, account: str = "ada") -> str:
    begun = await login.begin()
    return await login.finish(await back(begun, account), kept(begun))


async def test_somebody_who_was_granted_something_gets_a_session(login: Login) -> None:
    with capture_logs() as logged:
        secret = await whole(login)
    now = login.plane.control.clock.now()
    known = await authenticate(login.plane, Credential(cookie=secret), now)
    assert (known.caller, known.session) == (ADA_LOGGED_IN, SessionKind.BROWSER)
    with pytest.raises(
        NotAuthenticated
    ):  # a browser's session is of no use in a header, where it needs no CSRF token
        await authenticate(login.plane, Credential(authorization=f"Bearer {secret}"), now)
    assert await whole(login) != secret
    assert [line["event"] for line in logged] == ["logged in"]
    assert secret not in str(logged)


async def test_a_group_s_grant_is_that_of_its_members(login: Login) -> None:
    known = await authenticate(login.plane, Credential(cookie=await whole(login, "bo")), int(time.time()))
    assert known.caller.grant == VIEWER
    assert known.caller.name.startswith("oidc:http://127.0.0.1:")
    assert known.caller.name.endswith("|bo")


@pytest.mark.parametrize(("account", "key"), [("ada", "ada@example.com"), ("bo", "group:release")])
@pytest.mark.parametrize("change", ["set", "remove"])
async def test_a_grant_that_changes_ends_the_sessions_begun_with_it(
    login: Login, account: str, key: str, change: str
) -> None:
    secrets = {name: await whole(login, name) for name in ("ada", "bo")}
    asked: Change[PersonView] = RemovePerson(person=key)
    if change == "set":
        asked = SetPerson(person=key, roles=frozenset({Role.APPROVER}), products=("*",))
    await perform(login.plane, ADMIN, asked, Terms())
    for name, secret in secrets.items():
        credential, now = Credential(cookie=secret), login.plane.control.clock.now()
        if name == account:
            with pytest.raises(NotAuthenticated):
                await authenticate(login.plane, credential, now)
        else:
            assert (await authenticate(login.plane, credential, now)).session is SessionKind.BROWSER


async def test_another_s_address_that_nobody_has_verified_lets_nobody_in(login: Login) -> None:
    with capture_logs() as logged, pytest.raises(NotAllowed, match="was granted nothing here"):
        await whole(login, "eve")
    assert [line["event"] for line in logged] == ["login refused"]


async def test_a_public_client_logs_in_by_pkce_alone(login: Login, at_home: str) -> None:
    public = msgspec.structs.replace(login, client=Client(at_home, "public", REDIRECT))
    assert await whole(public)


async def test_the_browser_keeps_the_attempt_where_no_script_and_no_other_host_sees_it(login: Login) -> None:
    begun = await login.begin()
    _, *rules = begun.cookie.split("; ")
    assert sorted(rules) == ["HttpOnly", "Max-Age=600", "Path=/", "SameSite=Lax", "Secure"]
    _, *rules = forgotten_attempt().split("; ")
    assert sorted(rules) == ["HttpOnly", "Max-Age=0", "Path=/", "SameSite=Lax", "Secure"]
    asked = parse_qs(urlsplit(begun.url).query)
    state, nonce, verifier = kept(begun).split(".")
    assert (asked["state"], asked["nonce"]) == ([state], [nonce])
    assert verifier not in begun.url
    assert len({state, nonce, verifier, *kept(await login.begin()).split(".")}) == 6


async def test_a_login_that_was_not_begun_here_is_refused(login: Login) -> None:
    parameters = await back(await login.begin())
    for cookie in (None, "", "a", "a.b", "a.b.", "a.b.c.d"):
        with pytest.raises(NotAuthenticated, match="no login was begun in this browser"):
            await login.finish(parameters, cookie)


async def test_a_login_that_was_begun_in_another_browser_is_refused(login: Login) -> None:
    """Else somebody could have a victim's browser log in as themselves."""
    theirs, ours = await back(await login.begin()), await login.begin()
    with pytest.raises(NotAuthenticated, match="begun in this browser"):
        await login.finish(theirs, kept(ours))


async def test_a_code_that_was_stolen_is_of_no_use(login: Login) -> None:
    """In the thief's own login: the state is theirs, and the verifier is not the one of the code's challenge."""
    stolen, own = await back(await login.begin()), await login.begin()
    parameters = {**stolen, "state": kept(own).split(".")[0]}
    with pytest.raises(NotAuthenticated, match="was used already or took too long"):
        await login.finish(parameters, kept(own))


async def test_a_code_is_of_use_once(login: Login) -> None:
    begun = await login.begin()
    parameters = await back(begun)
    assert await login.finish(parameters, kept(begun))
    with pytest.raises(NotAuthenticated, match="was used already"):
        await login.finish(parameters, kept(begun))


async def test_a_token_of_another_login_is_refused(login: Login) -> None:
    begun = await login.begin()
    parameters = await back(begun)
    state, _, verifier = kept(begun).split(".")
    with pytest.raises(NotAuthenticated, match="claim 'nonce'"):
        await login.finish(parameters, f"{state}.another.{verifier}")


async def test_an_answer_of_another_provider_is_refused(login: Login) -> None:
    begun = await login.begin()
    parameters = await back(begun)
    with pytest.raises(NotAuthenticated, match="of another provider"):
        await login.finish({**parameters, "iss": "https://evil.example"}, kept(begun))


async def test_a_code_of_another_client_is_refused(login: Login, at_home: str) -> None:
    another = msgspec.structs.replace(login, client=Client(at_home, "another", REDIRECT, SECRET))
    begun = await another.begin()
    parameters = await back(begun)
    with pytest.raises(NotAuthenticated):
        await login.finish(parameters, kept(begun))


async def test_a_clock_that_is_far_off_is_told(login: Login) -> None:
    later = msgspec.structs.replace(login.plane, control=at(login.plane.control, int(time.time()) + 86_400))
    with pytest.raises(NotAuthenticated, match="has expired"):
        await whole(msgspec.structs.replace(login, plane=later))


@pytest.mark.parametrize("changed", [{"secret": "wrong"}, {"secret": None}])
async def test_a_wrong_secret_is_the_operator_s_fault(login: Login, changed: dict[str, Any]) -> None:
    wrong = msgspec.structs.replace(login, client=msgspec.structs.replace(login.client, **changed))
    with pytest.raises(Failed, match="'invalid_client': compare the client's id, secret and redirect URI"):
        await whole(wrong)


async def test_a_provider_that_is_away_is_no_refusal(login: Login) -> None:
    gone = Client("http://127.0.0.1:9", "headrace", REDIRECT, SECRET)
    with pytest.raises(Unanswered, match="could not be asked"):
        await msgspec.structs.replace(login, client=gone).begin()
