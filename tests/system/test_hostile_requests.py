"""Ten thousands of requests that mean harm: nothing leaves, nothing breaks, and others go on being served."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support.cli import publish, release
from tests.support.hostile import claims_of_bodies, odd_requests, traversals
from tests.support.load import Load
from tests.support.processes import Origin, origin
from tests.support.sockets import answers, each, exchange

pytestmark = pytest.mark.anyio

CLIENTS = 16
COUNT = 10_000
SECRET = b"what lies beside the store"
SMUGGLED = b'"some": "data"'
MARKED = b"export default '1.0.0'"
MARKER = b"GET /sdk@1.0.0/lib/extra.mjs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
REFUSED = (400, 408, 413, 414, 431)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a secret beside what is served, above it, and behind links out of it."""
    folder = tmp_path_factory.mktemp("hostile")
    data = folder / "data"
    publish(data, folder, "1.0.0")
    publish(data, folder, "1.0.0", product="@acme/menu")
    release(data, "1.0.0")
    for place in (folder, data, data / "store", data / "store" / "blobs", data / "store" / "builds" / "sdk"):
        (place / "secret").write_bytes(SECRET)
    (data / "link").symlink_to(folder)
    (data / "store" / "builds" / "sdk" / "9.9.9.json").symlink_to(folder / "secret")
    (data / "store" / "link").symlink_to(folder)
    return folder


@pytest.fixture(scope="module")
def process(folder: Path) -> Iterator[Origin]:
    """An origin that serves it."""
    with origin(folder / "data") as running:
        yield running


@pytest.fixture
def load(process: Origin) -> Load:
    """Those who mean no harm."""
    paths = "/sdk@1.0.0/sdk.js", "/sdk@stable/sdk.js", "/t/acme/sdk.json"
    return Load([process.url + path for path in paths])


async def test_no_path_leads_out(process: Origin, folder: Path, load: Load) -> None:
    targets = list(traversals(folder, "secret", COUNT))
    statuses: dict[int, int] = {}

    async def ask(target: bytes) -> None:
        request = b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        received = await exchange(process.url, request)
        for answer in answers(received):
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
            assert answer.status in (302, 400, 404, 414, 431), (target, answer)
            assert SECRET not in answer.body, target
            assert b"PRIVATE KEY" not in answer.body, target
            # A name that only looks like a way out may be a file's: within the build, and spelt harmlessly.
            location = answer.fields.get("location", "/sdk@1.0.0/")
            assert location.startswith("/sdk@1.0.0/"), (target, location)
            assert not {".", ".."} & set(unquote(location).split("/")), (target, location)

    async with load.running(clients=2):
        await each(targets, CLIENTS, ask)
    assert len(targets) >= COUNT
    assert sum(statuses.values()) == len(targets)
    assert load.failures == []
    assert load.answered > 100


async def test_a_request_that_claims_a_body_is_refused_alone(process: Origin, load: Load) -> None:
    requests = list(claims_of_bodies(COUNT))

    async def ask(request: bytes) -> None:
        (answer,) = answers(await exchange(process.url, request + MARKER))
        assert answer.status in REFUSED, (request, answer)
        assert answer.fields["connection"] == "close", request
        assert SMUGGLED not in answer.body, request
        assert MARKED not in answer.body, request

    async with load.running(clients=2):
        await each(requests, CLIENTS, ask)
    assert len(requests) >= COUNT
    assert load.failures == []
    assert load.answered > 100
    counts = [
        process.count(f'headrace_origin_refusals_total{{reason="{reason}"}}') for reason in ("malformed", "body")
    ]
    assert min(counts) > 100
    assert sum(counts) >= COUNT


async def test_who_sends_a_large_body_can_read_why_it_is_refused(process: Origin) -> None:
    head = b"PUT /sdk@1.0.0/sdk.js HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n"
    for _ in range(20):
        (answer,) = answers(await exchange(process.url, head + bytes(20_000_000), half_close=False))
        assert answer.status == 413


async def test_an_odd_request_has_one_answer_and_the_next_one_its_own_or_none(process: Origin, load: Load) -> None:
    requests = list(odd_requests(COUNT))
    marked = 0

    async def ask(request: bytes) -> None:
        nonlocal marked
        is_head = request.lstrip(b"\r\n").startswith(b"HEAD ")
        found = answers(await exchange(process.url, request + MARKER), to_head=is_head)
        assert 1 <= len(found) <= 2, (request, found)
        for answer in found:
            assert answer.status < 500, (request, answer)
            assert SMUGGLED not in answer.body, request
        for answer in found[:-1]:
            assert answer.fields.get("connection") != "close", request
            assert MARKED not in answer.body, request
        if found[-1].status == 200 and MARKED in found[-1].body:
            marked += 1
        elif len(found) == 2:  # a line's end in the wrong place makes two of one: the second is no request
            assert found[-1].status == 400, (request, found)

    async with load.running(clients=2):
        await each(requests, CLIENTS, ask)
    assert marked > 100
    assert load.failures == []
    assert load.answered > 100
    assert {record["event"] for record in process.log} == {"snapshot adopted", "origin listening"}
