"""A collector as it runs: what it answers and counts, also when it is flooded, has no database or is stopped."""

import asyncio
import contextlib
import json
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from beacons.admission import Admission, Excess
from beacons.core.beacon import Beacon, Outcome
from beacons.core.limits import (
    MOST_CELLS,
    MOST_CELLS_OF_TENANT,
    MOST_ERRORS,
    MOST_ERRORS_OF_BUILD,
    MOST_ERRORS_OF_TENANT,
    Limits,
)
from beacons.core.parse import MAX_BEACONS, MAX_BODY_BYTES, parse_beacons
from release.core.counts import SLOT_SECONDS, Counts, Slot
from tests.support.beacons import PATH, TEXT, body, counted, post, sent, wait_until_written
from tests.support.cli import fail
from tests.support.processes import CollectorProcess, collector
from tests.support.sockets import answers, exchange

COMMON = {
    "access-control-allow-origin": "*",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "cross-origin",
    "x-content-type-options": "nosniff",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder; each test has tenants of its own."""
    return tmp_path_factory.mktemp("running")


@pytest.fixture(scope="module")
def running(data: Path) -> Iterator[CollectorProcess]:
    """A collector for those tests that leave it as it is."""
    with collector(data, "--request-seconds", "1") as process:
        yield process


def test_each_outcome_is_counted_for_its_build_and_tenant(running: CollectorProcess, data: Path) -> None:
    failed = {"outcome": "errored", "error": {"kind": "TypeError", "message": "x", "stack": "y"}}
    before = running.count("written_total")
    answer = post(running, sent(), sent(**failed), sent(tenant="globex", outcome="render-dropped"))
    assert (answer.status_code, answer.content) == (202, b"")
    assert post(running, sent(outcome="integrity-failed"), **{"content-type": "application/json"}).is_success
    assert post(running, sent(build="sdk@2.0.0"), sent(environment="staging")).is_success
    wait_until_written(running, before + 6)
    assert counted(data) == {"acme": Counts(3, 1, 0, 1), "globex": Counts(1, 0, 1, 0)}
    assert counted(data, "2.0.0") == {"acme": Counts(1)}


def test_of_an_installation_the_first_outcome_of_a_build_counts(running: CollectorProcess, data: Path) -> None:
    one, before = sent(tenant="once"), running.count("written_total")
    assert post(running, one, {**one, "outcome": "errored"}).status_code == 202
    assert post(running, {**one, "outcome": "render-dropped"}).status_code == 202
    wait_until_written(running, before + 1)
    assert post(running, {**one, "outcome": "errored"}, {**one, "build": "sdk@2.0.0"}).status_code == 202
    wait_until_written(running, before + 2)
    assert counted(data)["once"] == counted(data, "2.0.0")["once"] == Counts(1)


REQUESTS = [
    ("POST", PATH, TEXT, body(sent()), 202),
    ("POST", PATH + "?from=page", "Text/Plain", body(sent()), 202),
    ("POST", PATH, "application/json; charset=utf-8", body(sent()), 202),
    ("POST", PATH, TEXT, body(*[sent()] * MAX_BEACONS), 202),
    ("POST", PATH, TEXT, body(sent()).ljust(MAX_BODY_BYTES), 202),
    ("POST", PATH, TEXT, body(sent()).ljust(MAX_BODY_BYTES + 1), 413),
    ("POST", PATH, TEXT, b"", 400),
    ("POST", PATH, TEXT, body(sent(visitor="v-1")), 400),
    ("POST", PATH, TEXT, body(*[sent()] * (MAX_BEACONS + 1)), 400),
    ("POST", PATH, "application/x-www-form-urlencoded", body(sent()), 415),
    ("POST", PATH, None, body(sent()), 415),
    ("GET", PATH, None, b"", 405),
    ("PUT", PATH, TEXT, body(sent()), 405),
    ("HEAD", PATH, None, b"", 405),
    ("OPTIONS", PATH, None, b"", 204),
    ("POST", "/", TEXT, body(sent()), 404),
    ("POST", PATH + "/", TEXT, body(sent()), 404),
    ("GET", "/healthz", None, b"", 404),
]


@pytest.mark.parametrize(("method", "path", "content_type", "content", "status"), REQUESTS)
@pytest.mark.parametrize("is_chunked", [False, True], ids=["whole", "chunked"])
def test_each_request_has_its_answer(
    running: CollectorProcess,
    method: str,
    path: str,
    content_type: str | None,
    content: bytes,
    status: int,
    is_chunked: bool,
) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    sent_content = iter([content[:7], content[7:]]) if is_chunked and content else content
    answer = httpx.request(method, running.url + path, content=sent_content, headers=headers)
    assert answer.status_code == status, answer.text
    assert {name: answer.headers[name] for name in COMMON} == COMMON
    assert len(answer.content) < 500
    if status >= 400:
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    if method == "OPTIONS":
        assert answer.headers["access-control-allow-methods"] == "POST"
        assert answer.headers["access-control-allow-headers"] == "content-type"


def test_a_body_that_says_how_it_is_compressed_is_refused(running: CollectorProcess) -> None:
    assert post(running, sent(), **{"content-encoding": "gzip"}).status_code == 415


def test_what_is_refused_counts_nothing(running: CollectorProcess) -> None:
    before = running.count("received_total")
    assert post(running, sent(), sent(tenant="bob@shop.example")).status_code == 400
    assert running.count("received_total") == before


def test_what_is_no_request_is_refused(running: CollectorProcess) -> None:
    for data in (
        b"nonsense\r\n\r\n",
        b"POST /v1/beacon HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/beacon HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    ):
        [answer] = answers(asyncio.run(exchange(running.url, data)))
        assert answer.status == 400
        assert answer.fields["access-control-allow-origin"] == "*"


HEAD = b"POST /v1/beacon HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        HEAD + b"X: " + b"x" * 200_000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1;" + b"x" * 200_000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 40_000,
        HEAD + b"Content-Length: 1000000\r\n\r\n" + b" " * 200_000,
    ],
    ids=["head", "extension", "small-chunks", "long"],
)
def test_a_request_is_bounded_however_it_comes(running: CollectorProcess, request_bytes: bytes) -> None:
    received = asyncio.run(exchange(running.url, request_bytes, half_close=False))
    # What is still on its way when the connection ends can cost the client the answer, and nothing else.
    assert received == b"" or received.startswith(b"HTTP/1.1 413 ")


def test_who_is_slow_ends_alone(running: CollectorProcess) -> None:
    whole = HEAD + b"Content-Length: 100\r\n\r\n"
    slow = {b"": b"", HEAD[:20]: b"408", HEAD: b"408", whole: b"408", whole + b"{": b"408"}

    async def ask() -> list[bytes]:
        waiting = [
            asyncio.create_task(exchange(running.url, part, half_close=False)) for part in slow for _ in range(9)
        ]
        await asyncio.sleep(0.2)
        async with httpx.AsyncClient() as client:
            answer = await client.post(running.url + PATH, content=body(sent()), headers={"content-type": TEXT})
        assert answer.status_code == 202
        assert not any(task.done() for task in waiting)
        return await asyncio.gather(*waiting)

    received = asyncio.run(ask())
    for part, ended in zip([part for part in slow for _ in range(9)], received, strict=True):
        assert ended.startswith(b"HTTP/1.1 408 ") if slow[part] else ended == b"", (part, ended)


def test_one_after_the_other_on_one_connection(running: CollectorProcess) -> None:
    content = body(sent())
    one = HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content
    received = answers(asyncio.run(exchange(running.url, one * 5 + HEAD, half_close=False)))
    assert [answer.status for answer in received] == [202] * 5 + [408]


def test_requests_without_end_on_one_connection_end_it(running: CollectorProcess) -> None:
    """Else they wait in memory, while the process reads and does nothing else."""
    received = asyncio.run(exchange(running.url, b"GET / HTTP/1.1\r\n\r\n" * 200_000, half_close=False))
    assert len(received) < 100_000
    assert running.peak_kb() < 200_000
    assert running.count('connections_ended_total{limit="ahead"}') >= 1


UNREAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"


@pytest.mark.parametrize("rest", [b"", b" " * 200_000], ids=["slow", "large"])
def test_a_request_that_is_answered_by_its_head_has_no_second_answer(
    running: CollectorProcess, rest: bytes
) -> None:
    async def ask() -> bytes:
        place = urlsplit(running.url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(UNREAD)
        first = await reader.readuntil(b"\n\r\n")
        writer.write(rest)
        try:
            return first + await reader.read()
        except ConnectionError:
            return first
        finally:
            writer.transport.abort()

    received = asyncio.run(ask())
    assert received.startswith(b"HTTP/1.1 404 ")
    assert received.count(b"HTTP/1.1 ") == 1


def test_the_body_of_what_would_be_upgraded_is_no_request(running: CollectorProcess) -> None:
    """The connection ends, as what comes next on it would be taken for one."""
    head = HEAD + b"Connection: upgrade\r\nUpgrade: other\r\nContent-Length: 9\r\n\r\n"
    [answer] = answers(asyncio.run(exchange(running.url, head, half_close=False)))
    assert answer.status == 400


def test_what_follows_a_body_is_no_header(running: CollectorProcess) -> None:
    content = body(sent())
    chunk = b"%x\r\n%b\r\n0\r\nContent-Encoding: gzip\r\n\r\n" % (len(content), content)
    [answer] = answers(asyncio.run(exchange(running.url, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)))
    assert answer.status == 202


def test_who_takes_no_answers_to_several_requests_is_ended(tmp_path: Path) -> None:
    with collector(tmp_path, "--request-seconds", "1") as process:
        assert post(process, sent()).status_code == 202
        before = process.open_files()
        place = urlsplit(process.url)
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect((str(place.hostname), int(place.port or 0)))
            deaf.settimeout(5)
            while asks(deaf, b"GET / HTTP/1.1\r\n\r\n" * 5):
                time.sleep(0.0005)
            deadline = time.monotonic() + 20
            while process.open_files() > before:
                assert time.monotonic() < deadline
                time.sleep(0.1)


def asks(connection: socket.socket, requests: bytes) -> bool:
    """Whether the other side takes yet more."""
    try:
        connection.sendall(requests)
    except OSError:
        return False
    return True


def test_the_most_connections_are_held_and_who_waits_longest_makes_room(tmp_path: Path) -> None:
    with collector(tmp_path, "--connections", "3", "--request-seconds", "60") as process:
        place = urlsplit(process.url)
        address = str(place.hostname), int(place.port or 0)
        with contextlib.ExitStack() as stack:
            kept = stack.enter_context(httpx.Client())
            held = []
            for part in (b"", HEAD, b"", HEAD, b"", HEAD):
                held.append(stack.enter_context(socket.create_connection(address)))
                held[-1].sendall(part)
                time.sleep(0.05)
                answer = kept.post(process.url + PATH, content=body(sent()), headers={"content-type": TEXT})
                assert answer.status_code == 202  # it is the one that has just asked
            for one in held[:-2]:
                one.settimeout(20)
                assert ended(one)
            for one in held[-2:]:
                one.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    one.recv(1)
            assert process.count('connections_ended_total{limit="made-room"}') == 4
        assert post(process, sent()).status_code == 202


def ended(connection: socket.socket) -> bool:
    """Whether the other side ends it without a word."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def begin_slot() -> None:
    """Wait for a slot's begin, if less than half of it is left: what is limited is so in each of them."""
    left = SLOT_SECONDS - time.time() % SLOT_SECONDS
    if left < SLOT_SECONDS / 2:
        time.sleep(left)


def test_a_tenants_flood_is_cut_and_others_are_counted(tmp_path: Path) -> None:
    with collector(tmp_path, "--tenant-limit", "100") as process:
        begin_slot()
        statuses = [post(process, *[sent(tenant="flood") for _ in range(40)]).status_code for _ in range(4)]
        assert statuses == [202, 202, 429, 429]  # a body is taken whole or not at all
        answer = post(process, *[sent(tenant="flood", outcome="errored") for _ in range(40)])
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
        assert post(process, *[sent(tenant=f"tenant-{number}") for number in range(20)]).status_code == 202
        wait_until_written(process, 100)
        assert process.count('dropped_total{limit="tenant"}') == 120
    found = counted(tmp_path)
    assert found.pop("flood") == Counts(80)
    assert found == {f"tenant-{number}": Counts(1) for number in range(20)}


def of(*beacons: dict[str, Any]) -> tuple[Beacon, ...]:
    return parse_beacons(body(*beacons))


def test_each_slot_has_its_limits() -> None:
    admission = Admission(Limits(beacons=100, beacons_of_tenant=40))
    for slot in (Slot(7), Slot(8)):
        assert admission.admit(of(*[sent() for _ in range(40)]), slot) is None
        assert admission.admit(of(sent(tenant="other"), sent()), slot) is Excess.TENANT
        assert admission.admit(of(*[sent(tenant="other") for _ in range(40)]), slot) is None
        assert admission.admit(of(*[sent(tenant=f"tenant-{number}") for number in range(21)]), slot) is Excess.ALL
        assert admission.admit(of(*[sent(tenant=f"tenant-{number}") for number in range(20)]), slot) is None


def test_so_many_rows_are_begun_in_a_slot_and_no_more() -> None:
    admission = Admission(Limits())
    builds = [sent(build=f"sdk@3.0.{number}") for number in range(MOST_CELLS_OF_TENANT)]
    assert admission.admit(of(*builds, *builds), Slot(7)) is None
    assert admission.admit(of(builds[0], sent(build="sdk@4.0.0")), Slot(7)) is Excess.TENANT_CELLS
    assert admission.admit(of(builds[0]), Slot(7)) is None
    tenants = range((MOST_CELLS - MOST_CELLS_OF_TENANT) // MAX_BEACONS)
    for tenant in tenants:
        many = [sent(tenant=f"tenant-{tenant}-{number}") for number in range(MAX_BEACONS)]
        assert admission.admit(of(*many), Slot(7)) is None
    assert (
        admission.admit(of(*[sent(tenant=f"more-{number}") for number in range(MAX_BEACONS)]), Slot(7))
        is Excess.CELLS
    )
    assert admission.admit(of(builds[0]), Slot(7)) is None


FAILED = {"outcome": "errored", "error": {"kind": "TypeError"}}


def test_of_many_errors_some_are_kept_and_all_are_counted() -> None:
    admission = Admission(Limits())
    assert admission.admit((), Slot(7)) is None
    many = [sent(tenant=f"tenant-{number}", **FAILED) for number in range(MOST_ERRORS_OF_BUILD + 5)]
    bounded = admission.bounded(of(*many, sent(build="sdk@2.0.0", **FAILED)))
    assert [beacon.error is None for beacon in bounded] == [False] * MOST_ERRORS_OF_BUILD + [True] * 5 + [False]
    assert {beacon.outcome for beacon in bounded} == {Outcome.ERRORED}


def test_a_tenants_errors_do_not_hide_those_of_others() -> None:
    admission = Admission(Limits())
    assert admission.admit((), Slot(7)) is None
    flood = [sent(tenant="flood", build=f"sdk@{number % 2}.0.0", **FAILED) for number in range(MAX_BEACONS - 1)]
    bounded = admission.bounded(of(*flood, sent(build="sdk@1.0.0", **FAILED)))
    assert [beacon.tenant for beacon in bounded if beacon.error] == ["flood"] * MOST_ERRORS_OF_TENANT + ["acme"]


def test_of_all_builds_so_many_errors_are_kept() -> None:
    admission = Admission(Limits())
    assert admission.admit((), Slot(7)) is None
    kept = 0
    for number in range(MOST_ERRORS + 5):
        one = sent(tenant=f"tenant-{number}", build=f"sdk@1.0.{number}", **FAILED)
        kept += sum(beacon.error is not None for beacon in admission.bounded(of(one)))
    assert kept == MOST_ERRORS


def test_a_locked_database_loses_nothing_that_was_accepted(tmp_path: Path) -> None:
    with collector(tmp_path, "--waiting", "500") as process:
        assert post(process, sent()).status_code == 202
        wait_until_written(process, 1)
        accepted = 1
        with closing(sqlite3.connect(tmp_path / "health.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            statuses = set()
            while 503 not in statuses:
                assert accepted <= 501
                answer = post(process, *[sent() for _ in range(MAX_BEACONS)])
                statuses.add(answer.status_code)
                accepted += MAX_BEACONS if answer.status_code == 202 else 0
            assert accepted == 501
            assert answer.headers["retry-after"] == "1"
            assert httpx.get(f"{process.probes}/healthz").status_code == 200
            other.execute("COMMIT")
        wait_until_written(process, accepted)
        assert httpx.get(f"{process.probes}/readyz").status_code == 200
        assert post(process, sent()).status_code == 202
    assert counted(tmp_path) == {"acme": Counts(accepted + 1)}


def test_a_database_that_does_not_work_is_told_and_asked_again(tmp_path: Path) -> None:
    (tmp_path / "health.db").mkdir()
    with collector(tmp_path) as process:
        assert post(process, sent()).status_code == 202
        process.wait_for("beacons not written")
        assert httpx.get(f"{process.probes}/readyz").status_code == 503
        assert process.count("failed_writes_total") >= 1
        (tmp_path / "health.db").rmdir()
        wait_until_written(process, 1)
        assert httpx.get(f"{process.probes}/readyz").status_code == 200
    assert counted(tmp_path) == {"acme": Counts(1)}


def test_what_was_accepted_is_written_before_it_stops(tmp_path: Path) -> None:
    with collector(tmp_path) as process:
        for _ in range(30):
            assert post(process, *[sent() for _ in range(MAX_BEACONS)]).status_code == 202
    assert counted(tmp_path) == {"acme": Counts(30 * MAX_BEACONS)}


def test_killed_it_loses_no_more_than_what_was_not_written(tmp_path: Path) -> None:
    process = CollectorProcess(tmp_path)
    one = sent()
    assert post(process, one, *[sent() for _ in range(9)]).status_code == 202
    wait_until_written(process, 10)
    assert post(process, sent()).status_code == 202
    process.kill()
    process.stop()
    assert counted(tmp_path)["acme"].units in (10, 11)
    with collector(tmp_path) as process:
        assert post(process, one, sent()).status_code == 202
        wait_until_written(process, 1)


def test_nothing_of_the_visitor_is_in_the_database_or_the_logs(running: CollectorProcess, data: Path) -> None:
    private = ["bob@shop.example", "https://shop.example/cart/7031", "203.0.113.9", "5551234567", "Bob Example"]
    message = f"no user '{private[4]}', {' '.join(private[:4])}"
    stack = f"Error: {message}\n    at f (https://cdn.example/sdk@1.2.3/sdk.js:1:1)\n    at g ({private[1]}:1:1)"
    failed = sent(tenant="private", outcome="errored", error={"kind": "Error", "message": message, "stack": stack})
    headers = {"x-forwarded-for": private[2], "referer": private[1], "user-agent": "Agent 5551234567"}
    before = running.count("written_total")
    assert post(running, failed, **headers).status_code == 202
    assert post(running, {**failed, "mail": private[0]}, **headers).status_code == 400
    wait_until_written(running, before + 1)
    stored = b"".join(file.read_bytes() for file in data.rglob("*") if file.is_file())
    log = json.dumps(running.log)
    assert b"private" in stored
    for word in (*private, "127.0.0.1", "shop.example", failed["installation"]):
        assert word.encode() not in stored
        assert word not in log or word == "127.0.0.1"


def test_only_the_edge_is_answered_where_it_has_a_secret(tmp_path: Path) -> None:
    secret = "edge-" + "x" * 40
    (tmp_path / "secrets").write_text(secret)
    with collector(tmp_path, "--edge-secrets", str(tmp_path / "secrets")) as process:
        assert post(process, sent()).status_code == 403
        assert post(process, sent(), **{"x-edge-secret": secret}).status_code == 202
        assert httpx.get(f"{process.probes}/readyz").status_code == 200


def test_an_address_that_others_reach_is_open_to_all_only_when_that_is_said(tmp_path: Path) -> None:
    assert "go round the edge" in fail(tmp_path, "collect", "--host", "0.0.0.0", code=3)
