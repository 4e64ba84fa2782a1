"""What tenants have in common is sent to all of them from one memory, and each gets what is its own."""

import asyncio
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
import uvicorn
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bundles.adapters.disk_store import DiskStore
from bundles.core.names import Product
from bundles.core.trust import KeyRing, TrustedKey
from bundles.core.version import Range
from origin.app import DataPlane
from origin.bodies import Bodies
from origin.core.limits import Limits
from origin.fast_lane import connection_class
from origin.library import Library
from origin.memo import Memo
from origin.room import Room
from origin.service import Service
from release.core.names import STABLE, Tenant
from release.core.routing import Block, ChannelState, Pin, ProductRoutes, Rollout, RoutingTable
from tests.release.strategies import VERSIONS, abouts, pins, plans, versions
from tests.support.processes import Origin, origin

_PATIENCE_SECONDS = 10
_TRUSTED = KeyRing(TrustedKey(Ed25519PrivateKey.from_private_bytes(b"k" * 32).public_key()))
TENANTS = ("acme", "a", "A.b_c:d-e", "9", *(f"t{number}" for number in range(3)))


class World:
    """What both servers answer by: a routing table and a clock."""

    def __init__(self) -> None:
        self.table: RoutingTable | None = None
        self.seconds = 0

    def now(self) -> int:
        return self.seconds


class Lane:
    """A data plane on a socket, in a thread of its own."""

    def __init__(self, world: World, folder: Path, memo: Memo) -> None:
        store = DiskStore(folder)
        self.memo = memo
        service = Service(world, Library(store, _TRUSTED, send_deltas=False), world)
        protocol = connection_class(memo, service.common, Limits(), Room("test", 100))
        app = DataPlane(service, Bodies(store, 1024), None)
        self._server = uvicorn.Server(
            uvicorn.Config(app, http=protocol, ws="none", lifespan="off", log_config=None, server_header=False)
        )
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.client = socket.create_connection(self._listener.getsockname(), timeout=_PATIENCE_SECONDS)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop.set_result(asyncio.get_running_loop())
        await self._server.serve([self._listener])

    def forget(self) -> None:
        """As when another table is adopted."""

        async def forget() -> None:
            self.memo.forget()

        asyncio.run_coroutine_threadsafe(forget(), self._loop.result()).result(_PATIENCE_SECONDS)

    def ask(self, method: str, target: str) -> bytes:
        """The answer but for its date; the connection stays."""
        self.client.sendall(f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.client.recv(65_536)
        head, end, body = received.partition(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", head)
        while size is not None and method == "GET" and len(body) < int(size[1]):
            body += self.client.recv(65_536)
        return re.sub(rb"date: [^\r]*\r\n", b"", head) + end + body

    def stop(self) -> None:
        self.client.close()
        self._server.should_exit = True
        self._thread.join(_PATIENCE_SECONDS)


class Pair(msgspec.Struct):
    """One world seen through two lanes."""

    world: World
    fast: Lane
    slow: Lane


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    world, folder = World(), tmp_path_factory.mktemp("store")
    made = Pair(world, Lane(world, folder, Memo(1024 * 1024)), Lane(world, folder, Memo(0)))
    yield made
    made.fast.stop()
    made.slow.stop()


@st.composite
def routes(draw: st.DrawFn) -> ProductRoutes:
    """Stable builds, most often a rollout, some pins and blocks."""
    plan = draw(plans())
    stage = draw(st.integers(0, len(plan.stages) - 1))
    rollout = st.builds(Rollout, versions, st.just(plan), st.just("salt"), st.just(stage), st.integers(0, 2_000))
    channel = ChannelState(
        tuple(draw(st.lists(versions, min_size=draw(st.sampled_from([0, 1, 1, 1])), unique=True))),
        draw(st.none() | rollout),
    )
    holders = st.builds(
        "{}~{}".format, st.sampled_from(TENANTS), st.sampled_from(["production", "staging", "dev"])
    )
    blocked = draw(st.sets(versions, max_size=2))
    return ProductRoutes(
        {STABLE: channel},
        draw(st.dictionaries(holders, pins, max_size=8)),
        dict.fromkeys(blocked, Block("sam", "")),
    )


tables = st.builds(
    lambda sdk, menu, known: RoutingTable(
        1, {Product("sdk"): sdk, **({Product("@acme/menu"): menu} if menu else {})}, known
    ),
    routes(),
    st.none() | routes(),
    st.dictionaries(st.sampled_from(TENANTS).map(Tenant), abouts),
)
plain = st.builds("/t/{}{}/sdk/sdk.js".format, st.sampled_from(TENANTS), st.sampled_from(["", "~staging"]))
odd = st.builds(
    "/t/{}{}/{}/{}".format,
    st.sampled_from([*TENANTS[:4], "-bad", "%61cme", "bad.", "~dev", "t1/t2", ""]),
    st.sampled_from(["", "", "~dev", "~production", "~Bad", "~"]),
    st.sampled_from(["sdk", "sdk", "@acme/menu", "@acme", "absent", "sdk.json", "s%64k", "@"]),
    st.sampled_from(["sdk.js", "sdk.js", "tenant:a", "a%20b", "x?y=1", "x#y", "x//y", "../x", "sdk.json", ""]),
)
bad_tenant = st.sampled_from(["/t/-bad/sdk/sdk.js", "/t/acme~Bad/sdk/sdk.js", "/t/bad./sdk/sdk.js"])
targets = st.one_of(plain, plain, plain, odd, bad_tenant)
asked = st.lists(st.tuples(st.sampled_from(["GET", "GET", "GET", "HEAD"]), targets), min_size=6, max_size=16)
PIN_THAT_EXPIRES = RoutingTable(
    1,
    {
        Product("sdk"): ProductRoutes(
            {STABLE: ChannelState(VERSIONS[:1])},
            {
                "acme~production": Pin(Range(VERSIONS[1]), "sam", "", expires_at=500),
                "t1~production": Pin(Range(VERSIONS[1]), "sam", ""),
            },
        )
    },
)
moments = st.lists(st.tuples(st.none() | tables, st.integers(0, 3_000)), min_size=1, max_size=4)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(asked, moments)
@example([("GET", "/t/acme/sdk/sdk.js"), ("GET", "/t/t1/sdk/sdk.js")], [(PIN_THAT_EXPIRES, 499), (None, 500)])
def test_whatever_changes_each_tenant_is_sent_what_it_would_be_without_the_fast_lane(
    pair: Pair, asked: list[tuple[str, str]], moments: list[tuple[RoutingTable | None, int]]
) -> None:
    """Tables come, pins expire and rollouts reach tenants while the same ones ask again and again."""
    for table, seconds in moments:
        pair.world.seconds = seconds
        if table is not None:
            pair.world.table = table
            pair.fast.forget()
        for method, target in asked * 2:
            assert pair.fast.ask(method, target) == pair.slow.ask(method, target)


def test_tenants_who_never_asked_before_are_answered_by_the_fast_lane(served: Path) -> None:
    """Two builds in a cohort of 50%: each is made once, and then sent to all."""
    count = 500
    with (
        origin(served) as process,
        socket.create_connection(_address(process), timeout=_PATIENCE_SECONDS) as client,
    ):
        for number in range(count):
            client.sendall(f"GET /t/new{number}/sdk/sdk.js HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            answer = client.recv(65_536)
            assert b"302 Found" in answer
            assert f",tenant:new{number}\r\n".encode() in answer
        assert process.count("headrace_origin_answers_sent_again_total") == count - 2
        counted = process.count('headrace_origin_requests_total{status="302",url_class="tenant"}')
        assert counted == count


def _address(process: Origin) -> tuple[str, int]:
    parts = urlsplit(process.url)
    return str(parts.hostname), int(parts.port or 0)
