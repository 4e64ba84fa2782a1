"""Clients that are slow, idle or too many: each has its end, and others go on being served."""

import asyncio
import logging
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.certificates import Authority
from tests.support.cli import publish, release, succeed, write_build
from tests.support.load import Load, ask
from tests.support.processes import Origin, origin
from tests.support.sockets import answers

_log = logging.getLogger(__name__)

pytestmark = pytest.mark.anyio

SLOWLORIS = 1_500
SLOW_READERS = 100
IDLE = 10_000
PATIENCE_SECONDS = 60
SHORT = "--head-seconds", "2", "--stalled-seconds", "3", "--idle-seconds", "5"
SIZE = 300_000
TRICKLED = b"GET /sdk@1.0.0/sdk.js HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 1_000
ANSWERS = 40  # in all, more than the kernel takes for a client that reads none


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A released build, and a large file."""
    folder = tmp_path_factory.mktemp("many")
    publish(folder / "data", folder, "1.0.0")
    release(folder / "data", "1.0.0")
    files = write_build(folder / "clip", {"clip.bin": random.Random(1).randbytes(SIZE)})
    succeed(folder / "data", "publish", str(files), "--product", "clip", "--version", "1.0.0")
    return folder / "data"


class Client:
    """A connection that does as it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def rest(self) -> bytes:
        """All that still comes, until the origin ends it."""
        received = bytearray()
        with suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while chunk := await self.reader.read(65_536):
                    received += chunk
        return bytes(received)


@asynccontextmanager
async def connected(process: Origin, count: int, first: bytes = b"") -> AsyncIterator[list[Client]]:
    """So many, one after the other, with their first bytes sent. What they do not read stays with the origin."""
    parts = urlsplit(process.url)
    clients: list[Client] = []
    try:
        while len(clients) < count:
            clients.append(Client(*await asyncio.open_connection(parts.hostname, parts.port, limit=1024)))
            clients[-1].writer.write(first)
        yield clients
    finally:
        for client in clients:
            client.writer.transport.abort()


def healthy(process: Origin) -> Load:
    """Those who ask as they should."""
    return Load([process.url + path for path in ("/sdk@1.0.0/sdk.js", "/sdk@stable/sdk.js", "/t/acme/sdk.json")])


async def slowest(process: Origin, count: int) -> float:
    """The 99th percentile of so many requests' times, in seconds."""
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        assert (await ask(process.url + "/sdk@1.0.0/sdk.js")).status == 200
        times.append(time.perf_counter() - begun)
    return sorted(times)[count * 99 // 100]


async def trickle(client: Client) -> bytes:
    """Send a head byte by byte, of which the first was sent. What the origin says to it."""

    async def send() -> None:
        for byte in TRICKLED[1:]:
            client.writer.write(bytes([byte]))
            await asyncio.sleep(0.4)

    sending = asyncio.create_task(send())
    try:
        return await client.rest()
    finally:
        sending.cancel()


async def ask_for_much(client: Client) -> None:
    """Ask for a large file over and over, and read no more than that an answer has begun."""
    client.writer.write(ANSWERS * b"GET /clip@1.0.0/clip.bin HTTP/1.1\r\nHost: x\r\n\r\n")
    await client.reader.readexactly(1)


async def count_reaches(process: Origin, reason: str, count: int) -> None:
    """Return once so many were refused for this reason."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while refused(process, reason) < count:
            await asyncio.sleep(0.1)


def refused(process: Origin, reason: str) -> float:
    """How many were."""
    return process.count(f'headrace_origin_refusals_total{{reason="{reason}"}}')


async def test_slow_clients_end_in_time_and_healthy_ones_are_served_meanwhile(data: Path) -> None:
    with origin(data, *SHORT) as process:
        load = healthy(process)
        alone = await slowest(process, 300)
        async with load.running(clients=2), AsyncExitStack() as stack:
            # On a slow machine it takes longer to connect them all than one that says nothing may stay.
            readers = await stack.enter_async_context(connected(process, SLOW_READERS))
            await asyncio.gather(*map(ask_for_much, readers))
            slow = await stack.enter_async_context(connected(process, SLOWLORIS, TRICKLED[:1]))
            trickling = [asyncio.create_task(trickle(client)) for client in slow]
            beside = await slowest(process, 300)
            for received in await asyncio.gather(*trickling):
                (answer,) = answers(received)
                assert (answer.status, answer.fields["connection"]) == (408, "close")
                assert answer.fields["access-control-allow-origin"] == "*"
            await count_reaches(process, "slow-reader", SLOW_READERS)
        _log.info("p99 of a healthy client: %.1f times that without the slow ones", beside / alone)
        assert load.failures == []
        assert load.answered > 100
        assert refused(process, "slow-head") == SLOWLORIS


async def test_who_reads_slowly_but_does_read_gets_all(data: Path) -> None:
    """For longer than the stalled time twice, and never as long without a byte."""
    with origin(data, *SHORT) as process:
        async with connected(process, 1) as (client,):
            await ask_for_much(client)
            received = 1
            for _ in range(20):
                received += len(await client.reader.readexactly(500_000))
                await asyncio.sleep(0.4)
            client.writer.write_eof()
            received += len(await client.rest())
        assert received > ANSWERS * SIZE
        assert refused(process, "slow-reader") == 0


async def test_a_connection_ends_that_asks_nothing_and_one_that_asks_nothing_more(data: Path) -> None:
    ended: list[str] = []

    async def watch(name: str, client: Client) -> bytes:
        received = await client.rest()
        ended.append(name)
        return received

    with origin(data, *SHORT) as process:
        async with connected(process, 3) as (silent, empty, asked):
            asked.writer.write(b"GET /sdk@1.0.0/lib/extra.mjs HTTP/1.1\r\nHost: x\r\n\r\n")
            empty.writer.write(b"\r\n")
            *nothing, received = await asyncio.gather(
                watch("silent", silent), watch("empty", empty), watch("asked", asked)
            )
    assert nothing == [b"", b""]
    (answer,) = answers(received)
    assert answer.status == 200
    assert ended[-1] == "asked"


async def test_a_handshake_that_does_not_begin_ends_too(data: Path, tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path, "ca").issue("origin")
    tls = "--tls-certificate", str(certificate), "--tls-key", str(key)
    with origin(data, *SHORT, *tls) as process:
        async with connected(process, 1) as (client,):
            assert await client.rest() == b""


async def test_a_newcomer_takes_the_place_of_who_waits_longest(data: Path) -> None:
    with origin(data, "--connections", "20") as process:
        async with connected(process, 20) as waiting:
            waiting[7].writer.write(b"GET /sdk@1.0")
            assert (await ask(process.url + "/sdk@1.0.0/sdk.js")).status == 200
            assert await waiting[0].rest() == b""
            assert refused(process, "made-room") == 1


async def test_a_newcomer_is_turned_away_where_all_are_being_answered_and_none_of_those_is_lost(
    data: Path,
) -> None:
    with origin(data, "--connections", "20") as process:
        async with connected(process, 20) as readers:
            await asyncio.gather(*map(ask_for_much, readers))
            async with connected(process, 1) as (newcomer,):
                assert await newcomer.rest() == b""
            assert refused(process, "full") == 1
            assert refused(process, "made-room") == 0
            for client in readers:
                client.writer.write_eof()
            received = await asyncio.gather(*(client.rest() for client in readers))
            assert min(map(len, received)) > ANSWERS * SIZE


@pytest.fixture
def idle_clients(data: Path) -> Iterator[tuple[Origin, subprocess.Popen[str]]]:
    """An origin, and a process that is about to hold connections to it."""
    with origin(data) as process:
        command = [
            sys.executable,
            "-m",
            "tests.system.idle_clients",
            process.url + "/sdk@1.0.0/lib/extra.mjs",
            str(IDLE),
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as clients:
            yield process, clients


async def test_ten_thousand_idle_connections_are_held_and_others_are_served(
    idle_clients: tuple[Origin, subprocess.Popen[str]],
) -> None:
    process, clients = idle_clients
    assert clients.stdin is not None
    assert clients.stdout is not None
    for _ in range(2):
        await slowest(process, 100)
    before = process.peak_kb()
    held = await asyncio.to_thread(clients.stdout.readline)
    assert int(held) == IDLE
    load = healthy(process)
    async with load.running(clients=2):
        await load.more(500)
    assert load.failures == []
    each = (process.peak_kb() - before) / IDLE
    _log.info("an idle connection takes %.1f KiB", each)
    assert each < 64
    async with asyncio.timeout(PATIENCE_SECONDS):
        while process.count('headrace_origin_connections{port="data-plane"}') < IDLE:
            await asyncio.sleep(0.1)
    clients.stdin.close()
    assert int(await asyncio.to_thread(clients.stdout.readline)) == IDLE
