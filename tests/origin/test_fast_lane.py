"""The fast lane sends what the slow lane would have sent, to the byte, whatever the client does."""

import contextlib
import random
import re
import socket
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.cli import publish, release, succeed, write_build
from tests.support.processes import Origin, origin

_PATIENCE_SECONDS = 30
_RACES = 20
_PAUSE_SECONDS = 0.003  # most often enough that what was sent is taken as it is
TARGETS = (
    "/sdk@1.1.0/sdk.js",
    "/sdk@1.1.0/data.json",
    "/sdk@1.0.1/sdk.js",
    "/sdk@1.1.0/absent.js",
    "/sdk@stable/sdk.js",
    "/sdk@^1.0/lib/extra.mjs",
    "/t/acme/sdk/sdk.js",
    "/t/pinned~staging/sdk/sdk.js",
    "/t/pinned/sdk.json",
    "/sdk@1.1.0/sdk.js?v=1",
    "/sdk@1.1.0/%73dk.js",
    "//sdk@1.1.0/sdk.js",
    "/",
)


class Pair(msgspec.Struct):
    """Two origins on one data folder: with the fast lane, and without."""

    fast: Origin
    slow: Origin


@pytest.fixture(scope="module")
def pair(served: Path) -> Iterator[Pair]:
    """Both have every file in memory, so that both say so in `Cache-Status`."""
    with origin(served) as fast, origin(served, "--no-fast-lane") as slow:
        for one in (fast, slow):
            for target in TARGETS:
                for encoding in ("br", "gzip", "zstd", "identity"):
                    httpx.get(one.url + target, headers={"accept-encoding": encoding})
        yield Pair(fast, slow)


def ask(one: Origin, sends: Sequence[bytes], *, half_close: bool = False) -> bytes:
    """All that comes back for these bytes, each sent on its own, until the origin closes."""
    parts = urlsplit(one.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=_PATIENCE_SECONDS) as opened:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):  # it may close before all is sent, after what is no request
            for part in sends:
                opened.sendall(part)
                time.sleep(_PAUSE_SECONDS if len(sends) > 1 else 0)
            if half_close:
                opened.shutdown(socket.SHUT_WR)
        received = bytearray()
        with contextlib.suppress(ConnectionResetError):
            while chunk := opened.recv(65_536):
                received += chunk
    return re.sub(rb"date: [^\r]*\r\n", b"", bytes(received))


METHODS = st.sampled_from(["GET"] * 6 + ["HEAD"] * 2 + ["OPTIONS", "POST", "get"])
ALL_FIELDS = (
    "Host: second.example",
    "Accept-Encoding: br, gzip",
    "accept-encoding: gzip;q=1.0, br;q=0",
    "Accept-Encoding:\tzstd",
    "Accept-Encoding: identity;q=0",
    "If-None-Match: *",
    'If-None-Match: "x", W/"y"',
    'If-Match: "x"',
    "Range: bytes=0-9",
    "Range: bytes=-1",
    "Range: bytes=0-1,5-6",
    "range: bytes=99999-",
    'If-Range: "x"',
    "Available-Dictionary: :47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
    "User-Agent: someone/1.0 (like others)",
    "Cookie: a=b; c=d",
    "CF-Ray: 8f00",
    "X-Odd: \x00",
    "X-Latin: caf\xe9",
    "Bad Name: x",
    "NoColon",
    " folded: line",
    "Connection: keep-alive",
    "Connection: Keep-Alive, close",
    "Proxy-Connection: close",
    "Keep-Alive: timeout=5",
    "Content-Length: 0",
    "Content-Length: 3",
    "Transfer-Encoding: chunked",
    "Expect: 100-continue",
    "Upgrade: websocket",
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request, most often a plain one."""
    version = draw(st.sampled_from(["HTTP/1.1"] * 8 + ["HTTP/1.0", "HTTP/2.0", "HTTP/1.1 "]))
    fields = draw(st.lists(st.sampled_from(ALL_FIELDS), max_size=4, unique=True))
    host = draw(st.sampled_from([["Host: x"]] * 9 + [[]]))
    end = draw(st.sampled_from(["\r\n"] * 9 + ["\n"]))
    lines = [f"{draw(METHODS)} {draw(st.sampled_from(TARGETS))} {version}", *host, *fields, "", ""]
    return end.join(lines).encode("latin-1")


@pytest.mark.parametrize("field", ALL_FIELDS)
def test_each_field_has_its_effect_in_both_lanes(pair: Pair, field: str) -> None:
    """A connection that must end after the first answer ends; one that may go on is answered twice."""
    first = f"GET /sdk@stable/sdk.js HTTP/1.1\r\nHost: x\r\n{field}\r\n\r\n".encode("latin-1")
    slow = ask(pair.slow, [first, LAST])
    assert [ask(pair.fast, [first, LAST]) for _ in range(3)] == [slow] * 3


LAST = b"GET /sdk@1.1.0/sdk.js HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[bytes], bool]:
    """What is sent, in pieces: requests one by one, all at once, or cut anywhere; and how it ends."""
    half_close = draw(st.booleans())
    sent = draw(st.lists(requests(), min_size=1, max_size=4)) + ([] if half_close else [LAST])
    cutting = draw(st.sampled_from(["none", "one by one", "anywhere"]))
    if cutting == "one by one":
        return sent, half_close
    whole = b"".join(sent)
    if cutting == "none":
        return [whole], half_close
    cuts = sorted(draw(st.lists(st.integers(1, len(whole) - 1), max_size=4, unique=True)))
    return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)], half_close


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(conversations())
def test_both_lanes_send_the_same_bytes(pair: Pair, conversation: tuple[list[bytes], bool]) -> None:
    sends, half_close = conversation
    slow = ask(pair.slow, sends, half_close=half_close)
    for _ in range(3):  # what was not known before is replayed the second time
        fast = ask(pair.fast, sends, half_close=half_close)
        # What is no request after one that is under way: which comes first is a matter of time, in either lane.
        for _ in range(_RACES):
            if fast == slow:
                break
            slow = ask(pair.slow, sends, half_close=half_close)
            fast = ask(pair.fast, sends, half_close=half_close)
        assert fast == slow


def test_an_answer_ends_with_the_routing_table_that_it_was_made_by(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for version in ("1.0.0", "1.1.0"):
        publish(data, tmp_path, version)
    release(data, "1.0.0")
    with origin(data) as process, httpx.Client(base_url=process.url) as client:
        for _ in range(3):
            assert client.get("/sdk@stable/sdk.js").headers["location"] == "/sdk@1.0.0/sdk.js"
            assert client.get("/sdk@1.0.0/sdk.js").status_code == 200
        release(data, "1.1.0")
        succeed(data, "block", "set", "sdk", "1.0.0", "--reason", "leaks")
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while client.get("/sdk@1.0.0/sdk.js").status_code != 410 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert client.get("/sdk@1.0.0/sdk.js").status_code == 410
        assert client.get("/sdk@stable/sdk.js").headers["location"] == "/sdk@1.1.0/sdk.js"


def test_an_answer_that_time_changes_ends_in_time(tmp_path: Path) -> None:
    """A pin expires without a new routing table."""
    data = tmp_path / "data"
    for version in ("1.0.0", "1.1.0"):
        publish(data, tmp_path, version)
        release(data, version)
    with origin(data) as process, httpx.Client(base_url=process.url) as client:
        expires = datetime.now(UTC) + timedelta(seconds=10)
        succeed(data, "pin", "set", "acme", "sdk", "1.0.0", "--until", expires.isoformat())
        seen: list[str] = []
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while seen[-2:] != ["/sdk@1.0.0/sdk.js", "/sdk@1.1.0/sdk.js"] and time.monotonic() < deadline:
            location = client.get("/t/acme/sdk/sdk.js").headers["location"]
            if seen[-1:] != [location]:
                seen.append(location)
            time.sleep(0.01)
        assert seen[-2:] == ["/sdk@1.0.0/sdk.js", "/sdk@1.1.0/sdk.js"]


def test_a_client_that_does_not_read_fills_no_memory_and_gets_all_in_the_end(tmp_path: Path) -> None:
    data, count, size = tmp_path / "data", 4_000, 15_000
    files = write_build(tmp_path / "dist", {"large.bin": random.Random(1).randbytes(size)})
    succeed(data, "publish", str(files), "--product", "sdk", "--version", "1.0.0")
    request = b"GET /sdk@1.0.0/large.bin HTTP/1.1\r\nHost: x\r\n\r\n"
    with origin(data) as process:
        for _ in range(3):
            assert httpx.get(process.url + "/sdk@1.0.0/large.bin").status_code == 200
        before = process.peak_kb()
        parts = urlsplit(process.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=_PATIENCE_SECONDS) as opened:
            for _ in range(count):
                opened.sendall(request)
                time.sleep(0.0005)
            assert httpx.get(process.url + "/sdk@1.0.0/large.bin").status_code == 200
            assert process.peak_kb() - before < count * size / 4 / 1024
            opened.shutdown(socket.SHUT_WR)
            received = 0
            while chunk := opened.recv(1024 * 1024):
                received += len(chunk)
    assert count * size < received < count * (size + 2048)


def test_a_client_that_does_not_read_is_answered_no_further_ahead_than_the_kernel_holds(tmp_path: Path) -> None:
    data, count, size = tmp_path / "data", 20, 500_000
    files = write_build(tmp_path / "dist", {"large.bin": random.Random(1).randbytes(size)})
    succeed(data, "publish", str(files), "--product", "sdk", "--version", "1.0.0")
    request = b"GET /sdk@1.0.0/large.bin HTTP/1.1\r\nHost: x\r\n\r\n"
    with origin(data) as process, socket.socket() as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.settimeout(_PATIENCE_SECONDS)
        parts = urlsplit(process.url)
        opened.connect((parts.hostname, parts.port))
        opened.sendall(request)
        received = 0
        while received <= size:  # the first answer, which is known from then on
            received += len(opened.recv(65_536))
        for _ in range(count):
            opened.sendall(request)
            time.sleep(0.02)
        assert 0 < process.count("headrace_origin_answers_sent_again_total") < count / 2
        opened.shutdown(socket.SHUT_WR)
        while chunk := opened.recv(1024 * 1024):
            received += len(chunk)
    assert (count + 1) * size < received < (count + 1) * (size + 2048)
