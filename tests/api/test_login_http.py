"""Logins and exchanges over HTTP: what a browser and a pipeline are answered, and what is kept of refusals."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import anyio
import httpx
import msgspec
import pytest

from api.access_log import AccessLog
from api.admission import Admission
from api.app import create_app
from api.core.access import Caller, Grant
from api.core.limits import Limits
from api.core.role import Role
from api.core.session import COOKIE, CSRF_HEADER, csrf_token
from api.gate import AccessGate
from api.login import COOKIE as LOGIN_COOKIE
from api.people import set_person
from api.perform import Plane
from api.publishers import set_publisher
from bundles.core.errors import Invalid, Refused
from headrace.login_file import LoginFile, parse_public_url, read_login_file
from headrace.oidc_wiring import oidc_places
from release.change import Author
from tests.api.test_exchange import github
from tests.support.api import make_tokens
from tests.support.cli import fail
from tests.support.issuer import GITHUB, Issuer, issuer
from tests.support.oidc_provider import log_in, provider
from tests.support.processes import api

pytestmark = pytest.mark.anyio

HERE = "https://headrace.example.com"
CALLBACK = f"{HERE}/api/v1/login/callback"
ADMIN = Caller("ada@example.com", Grant(roles=frozenset({Role.ADMIN})))
ADA = Author("ada@example.com")
CLIENT = {"client_id": "headrace", "token_endpoint_auth_method": "none", "redirect_uris": [CALLBACK]}
ACCOUNTS = {"ada": {"email": "ada@example.com", "email_verified": True}, "eve": {}}


@pytest.fixture(scope="module")
def at_home() -> Iterator[str]:
    with provider([CLIENT], ACCOUNTS) as opened:
        yield opened


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    with issuer(tmp_path_factory.mktemp("issuer")) as opened:
        yield opened


@pytest.fixture
def log(plane: Plane) -> AccessLog:
    return AccessLog(plane.access, plane.control.clock)


@pytest.fixture
async def browser(plane: Plane, log: AccessLog, at_home: str) -> AsyncIterator[httpx.AsyncClient]:
    """Of somebody who has not logged in; Ada may."""
    await set_person(plane.control, "ada@example.com", Grant(roles=frozenset({Role.RELEASER})), ADMIN, ADA)
    gate = AccessGate(Admission(plane, log, Limits(strangers=8)), log)
    app = create_app(plane, gate, oidc_places(plane, gate, HERE, LoginFile(at_home, "headrace")))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HERE) as client:
        yield client


async def at_provider(browser: httpx.AsyncClient, account: str) -> str:
    """Begin a login; the URL that the provider sends the browser back to."""
    begun = await browser.get("/api/v1/login")
    assert begun.status_code == 302
    assert begun.headers["cache-control"] == "no-store"
    return str(await anyio.to_thread.run_sync(log_in, begun.headers["location"], account, CALLBACK))


async def test_a_browser_logs_in_and_out(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/api/v1/me")).status_code == 401
    answer = await browser.get(await at_provider(browser, "ada"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/api/v1/me")
    assert LOGIN_COOKIE not in browser.cookies
    (given,) = [each for each in answer.headers.get_list("set-cookie") if each.startswith(f"{COOKIE}=")]
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(given.split("; "))
    me = (await browser.get(answer.headers["location"])).json()
    assert (me["name"], me["roles"]) == ("ada@example.com", ["releaser"])
    secret = browser.cookies[COOKIE]
    assert (await browser.post("/api/v1/logout")).status_code == 403  # another site's page may have had it sent
    gone = await browser.post("/api/v1/logout", headers={CSRF_HEADER: csrf_token(secret)})
    assert gone.status_code == 204
    assert COOKIE not in browser.cookies
    browser.cookies.set(COOKIE, secret)
    assert (await browser.get("/api/v1/me")).status_code == 401


async def test_a_login_replaces_the_session_that_the_browser_had(browser: httpx.AsyncClient) -> None:
    """Else who had planted one would be logged in with its victim."""
    browser.cookies.set(COOKIE, "hds_planted", domain="headrace.example.com")
    answer = await browser.get(await at_provider(browser, "ada"))
    assert answer.status_code == 303
    assert "hds_planted" not in str(answer.headers)


async def test_who_was_granted_nothing_is_told_so(
    browser: httpx.AsyncClient, plane: Plane, log: AccessLog
) -> None:
    answer = await browser.get(await at_provider(browser, "eve"))
    assert answer.status_code == 403
    assert "was granted nothing here: an admin can" in answer.json()["detail"]
    assert "set-cookie" not in answer.headers
    await log.write()
    (refusals,) = await plane.access.refusals.newest(10)
    assert (refusals.refusal.operation, refusals.refusal.why) == ("finishLogin", "not-allowed")


async def test_a_pipeline_exchanges_its_token_and_ends_its_session(
    browser: httpx.AsyncClient, plane: Plane, host: Issuer
) -> None:
    await set_publisher(plane.control, "sdk-release", github(host), ADMIN, ADA)
    asked = {"publisher": "sdk-release", "token": host.token(GITHUB, HERE)}
    answer = await browser.post("/api/v1/exchange", json=asked)
    assert answer.status_code == 201
    assert answer.json()["expires_in"] == 900
    bearer = {"authorization": f"Bearer {answer.json()['token']}"}
    me = (await browser.get("/api/v1/me", headers=bearer)).json()
    assert me["name"] == f"github:{host.url.partition('//')[2]}:acme/sdk:release.yml@refs/heads/main"
    again = await browser.post("/api/v1/exchange", json=asked)
    assert again.status_code == 403
    assert (await browser.post("/api/v1/logout", headers=bearer)).status_code == 204
    assert (await browser.get("/api/v1/me", headers=bearer)).status_code == 401


async def test_what_is_no_exchange_is_told(browser: httpx.AsyncClient) -> None:
    for body in (b"", b"[]", b'{"publisher":"x"}', b'{"publisher":"x","token":"y","z":1}', b"\xff"):
        answer = await browser.post("/api/v1/exchange", content=body)
        assert answer.status_code == 400
        assert '{"publisher": "…", "token": "…"}' in answer.json()["detail"]


async def test_a_stranger_may_ask_so_often_a_minute(browser: httpx.AsyncClient) -> None:
    paths = [("POST", "exchange"), ("GET", "login"), ("GET", "login/callback")]
    for number in range(9):
        method, path = paths[number % 3]
        answer = await browser.request(method, f"/api/v1/{path}")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


def test_a_public_url_is_scheme_and_host() -> None:
    assert parse_public_url(f"{HERE}/") == HERE
    for text in ("http://headrace.example.com", f"{HERE}/x", "headrace.example.com", f"{HERE}?x"):
        with pytest.raises(Invalid, match=r"https://headrace\.example\.com"):
            parse_public_url(text)


def test_the_login_file_is_for_its_owner_and_says_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "login.toml"
    file.write_text('issuer = "https://login.example.com"\nclient_id = "headrace"\nclient_secret = "s3cret"\n')
    file.chmod(0o600)
    assert read_login_file(file) == LoginFile("https://login.example.com", "headrace", "s3cret")
    file.chmod(0o644)
    with pytest.raises(Refused):
        read_login_file(file)
    file.chmod(0o600)
    for line, complaint in (('isuer = "x"', "isuer"), ('issuer = "http://login.example.com"', "is not https")):
        file.write_text(f'client_id = "headrace"\nclient_secret = "s3cret"\n{line}\n')
        with pytest.raises(Invalid, match=complaint) as wrong:
            read_login_file(file)
        assert str(file) in str(wrong.value)
        assert "s3cret" not in str(wrong.value)


def test_the_running_server_logs_in_and_exchanges(tmp_path: Path, at_home: str, host: Issuer) -> None:
    data, file = tmp_path / "data", tmp_path / "login.toml"
    token = make_tokens(data)[Role.ADMIN]
    file.write_text(f'issuer = "{at_home}"\nclient_id = "headrace"\n')
    file.chmod(0o600)
    fail(data, "api", "--login", str(file), code=2)
    with (
        api(data, "--public-url", HERE, "--login", str(file)) as server,
        httpx.Client(base_url=server.url) as http,
    ):
        begun = http.get("/api/v1/login")
        assert begun.headers["location"].startswith(f"{at_home}/auth?")
        asked = msgspec.to_builtins(github(host)) | {"roles": ["publisher"], "reason": "CI"}
        admin = {"authorization": f"Bearer {token}"}
        made = http.put("/api/v1/publishers/sdk-release", json=asked, headers=admin)
        assert made.status_code == 200, made.text
        exchanged = http.post(
            "/api/v1/exchange", json={"publisher": "sdk-release", "token": host.token(GITHUB, HERE)}
        )
        assert exchanged.status_code == 201, exchanged.text
        pipeline = {"authorization": f"Bearer {exchanged.json()['token']}"}
        assert http.get("/api/v1/me", headers=pipeline).json()["roles"] == ["publisher"]
        assert http.get("/api/v1/publishers", headers=pipeline).status_code == 403
        person = quote(f"{at_home}|42", safe="")
        granted = http.put(
            f"/api/v1/people/{person}", json={"roles": ["viewer"], "products": ["*"]}, headers=admin
        )
        assert granted.json()["person"] == f"{at_home}|42"
        assert http.delete(f"/api/v1/people/{person}", headers=admin).status_code == 200
