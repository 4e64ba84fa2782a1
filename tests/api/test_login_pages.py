"""What a login shows in a browser: pages for who wants HTML, and problems for all others."""

import re
from collections.abc import AsyncIterator, Iterator
from html import unescape
from urllib.parse import urlencode

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.access_log import AccessLog
from api.admission import Admission
from api.app import create_app
from api.core.access import Caller, Grant
from api.core.limits import Limits
from api.core.role import Role
from api.core.shown import Link, Shown, to_html, wants_page
from api.gate import AccessGate
from api.login import COOKIE
from api.people import set_person
from api.perform import Plane
from headrace.login_file import LoginFile
from headrace.oidc_wiring import oidc_places
from release.change import Author
from tests.support.browser_login import ACCOUNTS, AS_A_BROWSER
from tests.support.oidc_provider import log_in, provider

pytestmark = pytest.mark.anyio

HERE = "https://headrace.example.com"
CALLBACK = f"{HERE}/api/v1/login/callback"
CLIENT = {"client_id": "headrace", "token_endpoint_auth_method": "none", "redirect_uris": [CALLBACK]}
ASKED = {"port": "50000", "state": "s" * 43, "code_challenge": "c" * 43}
PAGE, PROBLEM = "text/html; charset=utf-8", "application/problem+json"
AWAY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def at_home() -> Iterator[str]:
    with provider([CLIENT], ACCOUNTS) as opened:
        yield opened


@pytest.fixture
def issuer(at_home: str) -> str:
    return at_home


@pytest.fixture
async def browser(plane: Plane, issuer: str) -> AsyncIterator[httpx.AsyncClient]:
    """Of somebody who has not logged in; Ada may."""
    grant, admin = Grant(roles=frozenset({Role.VIEWER})), Grant(roles=frozenset({Role.ADMIN}))
    await set_person(plane.control, "ada@example.com", grant, Caller("sam", admin), Author("sam"))
    log = AccessLog(plane.access, plane.control.clock)
    gate = AccessGate(Admission(plane, log, Limits(strangers=12)), log)
    app = create_app(plane, gate, oidc_places(plane, gate, HERE, LoginFile(issuer, "headrace")))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=HERE, headers=AS_A_BROWSER
    ) as client:
        yield client


def check_page(response: httpx.Response, status: int, text: str) -> None:
    """It is a page with this status and text, and nothing can be made of it but to read it and go on."""
    assert (response.status_code, response.headers["content-type"]) == (status, PAGE)
    assert text in unescape(response.text)
    policy = response.headers["content-security-policy"]
    for directive in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'"):
        assert directive in policy
    assert "unsafe" not in policy
    for name, value in {
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }.items():
        assert response.headers[name] == value
    assert "<script" not in response.text


async def begun(browser: httpx.AsyncClient, waiting: dict[str, str], account: str) -> httpx.Response:
    """What is shown once somebody has logged in at the provider."""
    to_provider = await browser.get("/api/v1/login", params=waiting)
    assert to_provider.status_code == 302
    back = await anyio.to_thread.run_sync(log_in, to_provider.headers["location"], account, CALLBACK)
    return await browser.get(str(back))


async def test_nothing_goes_to_the_command_line_before_a_person_says_so(browser: httpx.AsyncClient) -> None:
    asked = await begun(browser, ASKED, "ada")
    check_page(asked, 200, "as ada@example.com")
    assert not {"location", "refresh"} & asked.headers.keys()
    assert "http-equiv" not in asked.text
    assert not browser.cookies  # neither a session nor what is left of the login
    links = [unescape(each) for each in re.findall(r'href="([^"]*)"', asked.text)]
    assert [each.partition("?")[0] for each in links] == ["http://127.0.0.1:50000/headrace-login"] * 2
    assert [set(httpx.URL(each).params) for each in links] == [{"code", "state"}, {"error", "state"}]
    again = await browser.get(str(asked.url))
    check_page(again, 401, "no login was begun in this browser")


@pytest.mark.parametrize("waiting", [{}, ASKED], ids=["browser", "command line"])
async def test_who_was_granted_nothing_reads_why(browser: httpx.AsyncClient, waiting: dict[str, str]) -> None:
    refused = await begun(browser, waiting, "eve")
    check_page(refused, 403, "eve@example.com was granted nothing here: an admin can")
    assert refused.headers["x-request-id"] in refused.text
    assert "set-cookie" not in refused.headers
    link = "http://127.0.0.1:50000/" if waiting else "/api/v1/login"
    assert f'href="{link}' in refused.text


async def test_other_programs_are_told_in_json(browser: httpx.AsyncClient) -> None:
    for accept, kind in {
        "*/*": PROBLEM,
        "application/json": PROBLEM,
        "text/html;q=0.5, application/json": PROBLEM,
        "text/html;q=0": PROBLEM,
        "text/html;q=wrong": PROBLEM,
        "": PROBLEM,
        "TEXT/HTML": PAGE,
        "text/html;level=1;q=0.9, */*;q=0.8": PAGE,
    }.items():
        refused = await browser.get("/api/v1/login/callback", headers={"accept": accept})
        assert (refused.status_code, refused.headers["content-type"]) == (401, kind), accept


async def test_what_a_provider_says_is_shown_as_text(browser: httpx.AsyncClient) -> None:
    issuer = (await browser.get("/api/v1/login")).headers["location"].partition("/auth")[0]
    state = browser.cookies[COOKIE].partition(".")[0]
    said = {"state": state, "iss": issuer, "error": "<script>alert(1)</script>"}
    refused = await browser.get("/api/v1/login/callback", params=said)
    check_page(refused, 401, "did not log you in: '<script>alert(1)</script>'")


@pytest.mark.parametrize(
    "changed",
    [{"port": "50000@evil.example"}, {"port": "80"}, {"state": "x"}, {"code_challenge": ""}],
    ids=str,
)
async def test_a_command_line_that_is_none_is_refused(browser: httpx.AsyncClient, changed: dict[str, str]) -> None:
    refused = await browser.get("/api/v1/login", params=ASKED | changed)
    check_page(refused, 400, "no command line")
    assert "set-cookie" not in refused.headers
    kept = ".".join(("a", "b", "c", *(ASKED | changed).values()))
    refused = await browser.get("/api/v1/login/callback", headers={"cookie": f"{COOKIE}={kept}"})
    assert refused.status_code in (400, 401)
    assert "127.0.0.1" not in refused.text


@pytest.mark.parametrize("issuer", [AWAY])
async def test_a_provider_that_is_away_is_told_in_a_page_too(browser: httpx.AsyncClient, issuer: str) -> None:
    for path in (f"login?{urlencode(ASKED)}", "login"):
        refused = await browser.get(f"/api/v1/{path}")
        check_page(refused, 503, "what an answer needs does not work: try again soon")
        assert issuer not in refused.text, "nobody is known yet"
    refused = await browser.get("/api/v1/login", headers={"accept": "application/json"})
    assert (refused.status_code, refused.headers["content-type"]) == (503, PROBLEM)


async def test_who_asks_too_often_reads_when_to_ask_again(browser: httpx.AsyncClient) -> None:
    asked = [("POST", "login/session"), ("GET", "login"), ("GET", "login/callback")]
    for method, path in asked * 5:
        refused = await browser.request(method, f"/api/v1/{path}")
    check_page(refused, 429, "Try again in")
    assert int(refused.headers["retry-after"]) > 0


async def test_what_is_no_code_is_told(browser: httpx.AsyncClient) -> None:
    for body in (b"", b"[]", b'{"code":"x"}', b'{"code":"x","code_verifier":"short"}', b"\xff"):
        answer = await browser.post("/api/v1/login/session", content=body)
        assert answer.status_code == 400
        assert '{"code": "…", "code_verifier": "…"}' in answer.json()["detail"]
    asked = {"code": "x", "code_verifier": "v" * 43}
    answer = await browser.post("/api/v1/login/session", json=asked)
    assert (answer.status_code, answer.headers["content-type"]) == (401, PROBLEM)


@given(st.text(), st.text(), st.text(), st.text())
def test_whatever_is_shown_stays_text(title: str, line: str, label: str, url: str) -> None:
    shown = to_html(Shown(title, (line,), title, (Link(label, url),), line)).decode(errors="surrogateescape")
    body = shown.partition("<body>")[2]
    tags = re.findall(r"<[^>]*>", body)
    assert [tag.partition(" ")[0].rstrip(">") for tag in tags if not tag.startswith("</")] == [
        "<h1", "<p", "<p", "<code", "<p", "<a", "<p", "<small",
    ]  # fmt: skip
    (anchor,) = (tag for tag in tags if tag.startswith("<a "))
    assert anchor.count('"') == 2


@given(st.text(max_size=200))
def test_whatever_is_accepted_is_answered(accept: str) -> None:
    assert wants_page(accept) in (True, False)
