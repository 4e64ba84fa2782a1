"""What a client says of itself, of the host and of the hops between changes nobody's answer, in neither lane."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Origin, origin
from tests.support.sockets import exchange

pytestmark = pytest.mark.anyio

TARGETS = (
    "/sdk@1.1.0/sdk.js",
    "/sdk@stable/sdk.js",
    "/t/acme/sdk/sdk.js",
    "/t/acme/sdk.json",
    "/sdk@1.1.0/absent.js",
)
HOSTS = ("Host: x", "Host: evil.example", "host: 127.0.0.1:1", "HOST:[::1]", "Host: ", "Host: localhost")
CLAIMS = (
    "Forwarded: for=192.0.2.1;host=evil.example;proto=https",
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Port: 1",
    "X-Forwarded-Prefix: /t/other",
    "X-Forwarded-Server: evil.example",
    "X-Real-IP: 127.0.0.1",
    "X-Host: evil.example",
    "X-Original-URL: /nope",
    "X-Rewrite-URL: /nope",
    "X-HTTP-Method-Override: DELETE",
    "CF-Connecting-IP: 127.0.0.1",
    "True-Client-IP: 127.0.0.1",
    "Via: 1.1 evil.example",
    "Origin: https://evil.example",
    "Referer: https://evil.example/",
    "Cookie: session=1",
    "Authorization: Basic eDp5",
    "Cache-Control: no-cache, no-store",
    "Pragma: akamai-x-cache-on",
)
HOPS = (
    "Connection: accept-encoding",
    "Connection: close, accept-encoding, host",
    "Connection: if-none-match, range",
    "Connection: x-edge-secret",
    "Connection: keep-alive, te\r\nTE: trailers, deflate",
    "Connection: upgrade\r\nUpgrade: websocket",
    "Proxy-Connection: accept-encoding",
    "Keep-Alive: accept-encoding",
)


@pytest.fixture(scope="module", params=["--fast-lane", "--no-fast-lane"])
def process(served: Path, request: pytest.FixtureRequest) -> Iterator[Origin]:
    """An origin with the fast lane, and one without."""
    with origin(served, request.param) as running:
        yield running


async def ask(process: Origin, target: str, *fields: str) -> bytes:
    """The answer as it was sent, but for its date and for whether the connection goes on."""
    lines = [f"GET {target} HTTP/1.1", *fields, "Accept-Encoding: br", "", ""]
    received = await exchange(process.url, "\r\n".join(lines).encode())
    return re.sub(rb"date: [^\r]*\r\n|connection: close\r\n", b"", received)


async def asked_plainly(process: Origin, target: str) -> bytes:
    """The answer to who claims nothing, once the origin has all in memory."""
    for _ in range(3):
        answer = await ask(process, target, "Host: x")
    return answer


@pytest.mark.parametrize("target", TARGETS)
async def test_no_answer_depends_on_the_host_or_on_what_proxies_say(process: Origin, target: str) -> None:
    plain = await asked_plainly(process, target)
    for host in HOSTS:
        for _ in range(2):
            assert await ask(process, target, host) == plain, host
    for claim in CLAIMS:
        for _ in range(2):
            assert await ask(process, target, "Host: x", claim) == plain, claim
    assert await ask(process, f"https://evil.example{target}", "Host: x") == plain


@pytest.mark.parametrize("target", TARGETS)
async def test_a_field_that_connection_names_changes_nobodys_answer(process: Origin, target: str) -> None:
    plain = await asked_plainly(process, target)
    for hop in HOPS:
        for _ in range(2):
            assert await ask(process, target, "Host: x", hop) == plain, hop
        assert await ask(process, target, "Host: x") == plain, hop


async def test_what_was_asked_first_with_a_hops_field_is_not_what_others_get(process: Origin) -> None:
    plain = await asked_plainly(process, "/sdk@1.1.0/sdk.js")
    for number, hop in enumerate(HOPS):
        target = f"/sdk@1.1.0/sdk.js?{number}"  # another one to the fast lane
        for _ in range(2):
            await ask(process, target, "Host: x", hop, "Range: bytes=0-0")
            await ask(process, target, "Host: x", hop, "If-None-Match: *")
        assert await ask(process, target, "Host: x") == plain, hop
