"""Two controllers and four origins on one PostgreSQL database, with everything between them that can fail."""

import shutil
import signal
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import anyio
import pytest

from bundles.core.errors import HeadraceError
from bundles.core.names import Product
from bundles.core.version import Range
from headrace import wiring
from release.change import Author, Control
from release.core.names import PRODUCTION, Tenant
from release.core.routing import Pin, PinKey
from release.pins import set_pin
from release.snapshot import read_table
from release.trail import check_trail, read_history
from tests.support.load import Load
from tests.support.nodes import Nodes, in_thread, nodes, started, wait_until_all_serve
from tests.support.postgresql import PostgresServer
from tests.support.processes import Process

pytestmark = pytest.mark.anyio

SDK = Product("sdk")
KNOWN = ("/t/acme/sdk.json", "/t/acme/sdk/sdk.js", "/sdk@1.0.0/sdk.js", "/sdk@stable/sdk.js")
BAKE = timedelta(seconds=1)
STAGES = "staging,5,10,20,40,60,80,100"
VERSIONS = ("1.0.0", "1.1.0")
PATIENCE_SECONDS = 60
CUTS = 12


@pytest.fixture
def server(postgresql: PostgresServer) -> Iterator[PostgresServer]:
    """The server, which is up again when the test ends."""
    yield postgresql
    postgresql.ensure_running()


@pytest.fixture
async def cluster(released_data: Path, server: PostgresServer) -> AsyncIterator[Nodes]:
    """A database in which the first of two builds is released, and no nodes yet."""
    database = server.new_database()
    shutil.rmtree(released_data / "snapshots")  # nobody may look for them there
    async with nodes(released_data, database) as started:
        await in_thread(lambda: started.change("rollout", "start", "sdk", "1.0.0", "--stages", "100"))
        await in_thread(lambda: started.change("rollout", "promote", "sdk"))
        yield started


def start_rollout(cluster: Nodes) -> None:
    cluster.change("rollout", "start", "sdk", "1.1.0", "--stages", STAGES, "--bake", f"{BAKE.seconds}s")


def wait_until_stable(cluster: Nodes, version: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while cluster.change("rollout", "status", "sdk")["stable"] != version:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def check_stages(cluster: Nodes) -> None:
    """Each stage of 1.1.0's rollout was entered once, and had its time to bake: no look promoted twice."""
    changes = cluster.change("history", "sdk", "stable", "--limit", "1000")[2:]
    rollouts = [change["after"]["channels/sdk/stable"].get("rollout") for change in changes]
    assert rollouts.pop() is None
    assert [rollout.get("stage_index", 0) for rollout in rollouts] == list(range(len(STAGES.split(","))))
    times = [datetime.fromisoformat(change["at"]) for change in changes]
    assert all(later - earlier >= BAKE for earlier, later in pairwise(times)), times


async def test_origins_see_each_change_and_serve_through_lost_connections_and_a_restart_of_the_server(
    cluster: Nodes, server: PostgresServer
) -> None:
    controllers = await started(cluster.controller, "one", "two")
    origins = await started(cluster.origin, "origin-1", "origin-2", "origin-3", "origin-4")
    load = Load([origin.url + path for origin in origins[:3] for path in KNOWN])
    async with load.running(clients=3):
        await in_thread(cluster.change, "pin", "set", "acme", "sdk", "1.1.0")
        await wait_until_all_serve(origins, "1.1.0")
        for turn in range(4):
            await in_thread(server.end_connections, "headrace-origin")
            await in_thread(cluster.change, "pin", "set", "acme", "sdk", VERSIONS[turn % 2])
            await in_thread(server.end_connections, "headrace-origin")
            await wait_until_all_serve(origins, VERSIONS[turn % 2])
        await load.more(50)

        await in_thread(server.stop)
        await in_thread(cluster.end, origins[3])
        origins[3] = await in_thread(cluster.origin, "origin-4")
        await wait_until_all_serve(origins, "1.1.0")
        for controller in controllers:
            await in_thread(controller.wait_for, "tick failed")
        await load.more(200)

        await in_thread(server.start)
        await in_thread(cluster.change, "pin", "clear", "acme", "sdk")
        await wait_until_all_serve(origins, "1.0.0")
        await in_thread(start_rollout, cluster)
        await wait_until_all_serve(origins, "1.1.0")
        await load.more(50)
    assert load.failures == []
    await in_thread(wait_until_stable, cluster, "1.1.0")
    await in_thread(check_stages, cluster)
    assert sum(origin.count("headrace_origin_snapshots_refused_total") for origin in origins) == 0


def leading(controllers: list[Process]) -> Process:
    """The one that leads, once one of them does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        for each in controllers:
            roles = [line["event"] for line in each.log if line["event"] in ("leading", "standing by")]
            if roles[-1:] == ["leading"]:
                return each
        assert time.monotonic() < deadline, "nobody leads"
        time.sleep(0.02)


async def test_a_leader_that_is_killed_or_hangs_is_replaced_and_each_stage_is_entered_once(
    cluster: Nodes,
) -> None:
    controllers = await started(cluster.controller, "one", "two", "three", "four")

    def run() -> None:
        start_rollout(cluster)
        for _ in range(2):
            killed = leading(controllers)
            killed.wait_for("promoted")
            controllers.remove(killed)
            cluster.end(killed)
        hung = leading(controllers)
        hung.wait_for("promoted")
        hung.signal(signal.SIGSTOP)
        controllers.remove(hung)
        try:
            leading(controllers).wait_for("promoted")
        finally:
            hung.signal(signal.SIGCONT)
        wait_until_stable(cluster, "1.1.0")
        hung.wait_for("standing by")
        check_stages(cluster)

    await in_thread(run)


class Writers:
    """Tenants whose pins are changed again and again, each by a writer of its own, while connections are cut."""

    def __init__(self) -> None:
        self._cut = False
        self.acknowledged: set[str] = set()
        self.failures: list[str] = []

    async def write(self, control: Control, writer: str) -> None:
        """Each change has a reason of its own."""
        number = 0
        while not self._cut:
            number += 1
            reason = f"{writer} {number}"
            pin = Pin(Range(VERSIONS[number % 2]), "sam", reason)
            try:
                await set_pin(control, SDK, PinKey(Tenant(writer), PRODUCTION), pin, Author("sam", reason))
            except HeadraceError as error:
                self.failures.append(str(error))
            else:
                self.acknowledged.add(reason)

    async def cut(self, server: PostgresServer, times: int) -> None:
        """End every session of every program so often, each time in the midst of the changes after some more."""
        with anyio.fail_after(PATIENCE_SECONDS):
            for _ in range(times):
                enough = len(self.acknowledged) + 2
                while len(self.acknowledged) < enough:
                    await anyio.sleep(0.01)
                await in_thread(server.end_connections)
        self._cut = True


async def test_what_was_acknowledged_is_there_however_often_connections_are_cut(
    cluster: Nodes, server: PostgresServer, released_data: Path
) -> None:
    await started(cluster.controller, "one", "two")
    origins = await started(cluster.origin, "origin-1", "origin-2")
    async with (
        wiring.control(released_data, cluster.database) as one,
        wiring.control(released_data, cluster.database) as two,
    ):
        writers = Writers()
        async with anyio.create_task_group() as group:
            for number in range(6):
                group.start_soon(writers.write, (one, two)[number % 2], f"w{number}")
            group.start_soon(writers.cut, server, CUTS)
        made = [entry.reason for entry in await read_history(one.ledger, SDK, None, 100_000)][2:]
        assert len(set(made)) == len(made)
        assert writers.acknowledged <= set(made), "an acknowledged change is lost"
        assert len(writers.failures) >= CUTS, "nothing was cut"
        async with one.ledger.reading() as reading:
            assert await check_trail(reading, {}) == ()
        table = await one.ledger.table()
        last = {reason.partition(" ")[0]: reason for reason in made}
        assert {key.partition("~")[0]: pin.reason for key, pin in table.products[SDK].pins.items()} == last
        with anyio.fail_after(PATIENCE_SECONDS):
            while await read_table(two.snapshots, two.trusted) != table:
                await anyio.sleep(0.05)
    for writer, reason in last.items():
        await wait_until_all_serve(origins, VERSIONS[int(reason.partition(" ")[2]) % 2], writer)
