"""The API over HTTP, with the gate that it has: who is let in, and what is counted of who is not."""

from collections.abc import AsyncIterator

import httpx
import pytest

from api.access_log import AccessLog
from api.admission import Admission
from api.app import create_app
from api.core.access import ADMINS, Caller, Grant
from api.core.limits import Limits
from api.core.role import Role
from api.core.session import COOKIE, CSRF_HEADER, SessionKind, csrf_token
from api.core.token import DAY
from api.gate import AccessGate
from api.perform import Plane
from api.sessions import start_session
from api.tokens import create_token
from release.change import Author
from release.core.names import Tenant

pytestmark = pytest.mark.anyio

ADA = Caller("ada", Grant(roles=ADMINS))
FEW = Limits(reads=50, changes=2, strangers=3)


@pytest.fixture
def log(plane: Plane) -> AccessLog:
    return AccessLog(plane.access, plane.control.clock)


@pytest.fixture
async def client(plane: Plane, log: AccessLog) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API, without a credential."""
    api = create_app(plane, AccessGate(Admission(plane, log, FEW), log))
    transport = httpx.ASGITransport(api, client=("192.0.2.1", 1234))
    async with httpx.AsyncClient(transport=transport, base_url="https://api.example/api/v1") as opened:
        yield opened


async def bearer(plane: Plane, name: str, grant: Grant) -> dict[str, str]:
    issued = await create_token(plane.control, name, grant, DAY, ADA, Author("ada"))
    return {"authorization": f"Bearer {issued.secret}"}


async def counted(plane: Plane, log: AccessLog) -> set[tuple[str, str, str, str, int]]:
    await log.write()
    listed = await plane.access.refusals.newest(100)
    return {
        (each.refusal.caller, each.refusal.address, each.refusal.operation, each.refusal.why, each.count)
        for each in listed
    }


async def test_everyone_learns_who_they_are(plane: Plane, client: httpx.AsyncClient) -> None:
    acme = Grant(roles=frozenset({Role.CUSTOMER}), tenant=Tenant("acme"))
    answer = await client.get("/me", headers=await bearer(plane, "portal", acme))
    assert answer.json() == {"name": "token:portal", "roles": ["customer"], "products": ["*"], "tenant": "acme"}


async def test_a_token_is_made_and_used_over_http(plane: Plane, client: httpx.AsyncClient) -> None:
    admin = await bearer(plane, "admin", ADA.grant)
    made = await client.post("/tokens", json={"name": "ci", "roles": ["viewer"]}, headers=admin)
    assert made.status_code == 201, made.text
    viewer = {"authorization": f"Bearer {made.json()['secret']}"}
    assert (await client.get("/me", headers=viewer)).json()["name"] == "token:ci"
    listed = (await client.get("/tokens", headers=admin)).json()["items"]
    assert [each["name"] for each in listed] == ["admin", "ci"]
    token = made.json()["token"]["id"]
    assert (await client.delete(f"/tokens/{token}", headers=admin)).json()["state"] == "ended"
    assert (await client.get("/me", headers=viewer)).status_code == 401


async def test_what_is_refused_is_counted_with_who_and_why(
    plane: Plane, log: AccessLog, client: httpx.AsyncClient
) -> None:
    viewer = await bearer(plane, "ci", Grant(roles=frozenset({Role.VIEWER})))
    for path, headers, status in (
        ("/me", {}, 401),
        ("/me", {"authorization": "Bearer no"}, 401),
        ("/tokens", viewer, 403),
        ("/refusals", viewer, 403),
        ("/nothing", {}, 404),
        ("/me?x=1", viewer, 400),
    ):
        assert (await client.get(path, headers=headers)).status_code == status, path
    here = "192.0.2.1"
    assert await counted(plane, log) == {
        ("", here, "whoAmI", "not-authenticated", 2),
        ("token:ci", here, "listTokens", "not-allowed", 1),
        ("token:ci", here, "listRefusals", "not-allowed", 1),
        ("", here, "", "not-found", 1),
        ("token:ci", here, "whoAmI", "malformed", 1),
    }
    admin = await bearer(plane, "admin", ADA.grant)
    first = (await client.get("/refusals?limit=3", headers=admin)).json()
    rest = (await client.get("/refusals", params={"cursor": first["next"]}, headers=admin)).json()
    assert [len(first["items"]), len(rest["items"]), rest["next"]] == [3, 2, None]
    assert sum(each["count"] for each in first["items"] + rest["items"]) == 6
    assert (await client.get("/refusals?cursor=eA", headers=admin)).status_code == 422


async def test_too_many_are_told_when_to_come_again(plane: Plane, client: httpx.AsyncClient) -> None:
    viewer = await bearer(plane, "ci", Grant(roles=frozenset({Role.VIEWER})))
    answers = [await client.get("/me") for _ in range(5)]
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 61
    assert (await client.get("/me", headers=viewer)).status_code == 200  # whatever others at its address do


async def test_a_browsers_change_needs_more_than_its_cookie(plane: Plane, client: httpx.AsyncClient) -> None:
    secret = await start_session(plane.access.sessions, SessionKind.BROWSER, ADA, plane.control.clock.now())
    cookie = {"cookie": f"other=1; {COOKIE}={secret}"}
    asked = {"name": "ci", "roles": ["viewer"]}
    assert (await client.get("/me", headers=cookie)).json()["name"] == "ada"
    assert (await client.post("/tokens", json=asked, headers=cookie)).status_code == 403
    ours = {**cookie, CSRF_HEADER: csrf_token(secret)}
    assert (await client.post("/tokens", json=asked, headers=ours)).status_code == 201
