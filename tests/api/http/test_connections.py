"""What is told to who is no good client: too many connections of one address, and what is no HTTP."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.api.http.test_owasp import SECURITY_HEADERS
from tests.support.api import PROBLEM
from tests.support.cli import fail
from tests.support.processes import ApiProcess, api
from tests.support.sockets import Sent, answers

MOST = 12
PATIENCE_SECONDS = 20


@pytest.fixture(scope="module")
def small(api_data: Path) -> Iterator[ApiProcess]:
    """A server with few connections, of which one address has half."""
    with api(api_data, "--connections", str(MOST)) as process:
        yield process


def connect(url: str, address: str = "127.0.0.1") -> socket.socket:
    parts = urlsplit(url)
    place = (str(parts.hostname), int(parts.port or 0))
    return socket.create_connection(place, PATIENCE_SECONDS, source_address=(address, 0))


def read_all(client: socket.socket) -> bytes:
    """What the server says until it ends the connection; it must, and without losing any of it."""
    said = b""
    while part := client.recv(65_536):
        said += part
    return said


def problem_in(answer: Sent, status: int, kind: str) -> str:
    """The detail of a problem that is as all others are."""
    assert answer.status == status
    assert answer.fields["content-type"] == "application/problem+json"
    assert SECURITY_HEADERS.items() <= answer.fields.items()
    assert answer.fields["connection"] == "close"
    problem = json.loads(answer.body)
    assert problem["type"] == PROBLEM + kind
    assert problem["request_id"] == answer.fields["x-request-id"]
    detail: str = problem["detail"]
    return detail


def refused(server: str, address: str) -> Sent:
    """What a connection of this address that there is no room for is told, without having asked."""
    with closing(connect(server, address)) as client:
        (answer,) = answers(read_all(client))
    assert int(answer.fields["retry-after"]) > 0
    return answer


def is_let_in(server: str, address: str) -> bool:
    with httpx.Client(transport=httpx.HTTPTransport(local_address=address)) as http:
        return http.get(f"{server}/api/v1/openapi.json").status_code == 200


def wait_until_let_in(server: str, address: str) -> None:
    """Return once a connection that was closed is not counted any more."""
    for _ in range(200):
        if is_let_in(server, address):
            return
    pytest.fail("it is never let in again")


def test_one_address_that_floods_leaves_room_for_others(small: ApiProcess) -> None:
    with ExitStack() as flood:
        for _ in range(MOST // 2):
            flood.enter_context(closing(connect(small.url)))
        for _ in range(MOST):
            told = problem_in(refused(small.url, "127.0.0.1"), 503, "busy")
        assert "from 127.0.0.1, the most of one address" in told
        assert is_let_in(small.url, "127.0.0.2")
        assert httpx.get(f"{small.probes}/healthz").status_code == 200
        for _ in range(MOST // 2):
            flood.enter_context(closing(connect(small.url, "127.0.0.2")))
        assert f"{MOST} connections, the most" in problem_in(refused(small.url, "127.0.0.3"), 503, "busy")
        counts = httpx.get(f"{small.probes}/metrics").text
        assert f"headrace_api_connections_refused_total {MOST + 1}.0" in counts
    wait_until_let_in(small.url, "127.0.0.1")


def test_the_share_is_set_and_a_trusted_proxy_has_none(api_data: Path) -> None:
    options = ("--connections", str(MOST), "--connections-each", "1", "--trusted-proxy", "127.0.0.0/30")
    with api(api_data, *options) as process, ExitStack() as flood:
        flood.enter_context(closing(connect(process.url, "127.0.0.9")))
        problem_in(refused(process.url, "127.0.0.9"), 503, "busy")
        for _ in range(MOST - 1):
            flood.enter_context(closing(connect(process.url)))
        assert f"{MOST} connections, the most" in problem_in(refused(process.url, "127.0.0.8"), 503, "busy")
    told = fail(api_data, "api", "--trusted-proxy", "lb.example", code=2)
    assert "'lb.example' is no proxy's address" in told


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"rubbish\r\n\r\n", "no request of HTTP/1.1"),
        (b"GET / HTTP/9.9\r\n\r\n", "no request of HTTP/1.1"),
        (b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n", "no request of HTTP/1.1"),
        (b"GET / HTTP/1.1\r\nhost : x\r\n\r\n", "no request of HTTP/1.1"),
        (b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n", "no request of HTTP/1.1"),
        (b"GET http://x HTTP/1.1\r\nhost: x\r\n\r\n", "no request of HTTP/1.1"),
        (
            b"GET / HTTP/1.1\r\nhost: x\r\n" + b"x-filler: yyyyyyyyyyyyy\r\n" * 100_000,
            "head has more than 32768 bytes",
        ),
        (b"GET /" + b"y" * 33_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", "head has more than 32768 bytes"),
        (
            b"POST /api/v1/tokens HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "no request of HTTP/1.1",
        ),
    ],
)
def test_what_is_no_request_is_told_as_any_other_fault(sent: bytes, told: str, server: ApiProcess) -> None:
    with closing(connect(server.url)) as client:
        client.sendall(sent)
        (answer,) = answers(read_all(client))
    assert told in problem_in(answer, 400, "malformed")


@pytest.mark.parametrize("sent", [b"rubbish\r\n\r\n", b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n"])
def test_what_follows_whole_requests_takes_no_answer_of_theirs(sent: bytes, server: ApiProcess) -> None:
    with closing(connect(server.url)) as client:
        client.sendall(b"GET /api/v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 2 + sent)
        assert [answer.status for answer in answers(read_all(client))] == [200, 200]
    assert {line["event"] for line in server.log} == {"api listening"}, "a refusal is no fault"
