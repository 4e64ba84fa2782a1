"""`headrace collect` on PostgreSQL that ends sessions, hangs and is restarted: all is counted, once."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.health_wiring import health_store
from release.core.counts import Slot, slot_of
from release.core.names import PRODUCTION
from tests.contract.test_health import ONE, SDK
from tests.support.beacons import post, sent
from tests.support.postgresql import PASSWORD, PostgresServer
from tests.support.processes import PATIENCE_SECONDS, CollectorProcess, collector

pytestmark = pytest.mark.anyio

EACH = 20


@pytest.fixture
def server(postgresql: PostgresServer) -> Iterator[PostgresServer]:
    """The server, which is up again when the test ends."""
    yield postgresql
    postgresql.ensure_running()


async def test_what_was_accepted_is_counted_once_whatever_becomes_of_postgresql(
    server: PostgresServer, tmp_path: Path
) -> None:
    database = server.new_database()
    options = ("--health-database", database)
    with collector(tmp_path, *options) as one, collector(tmp_path, *options) as other:
        wait_until_written(one, other, report(one, other))
        accepted = EACH
        server.end_connections()
        accepted += report(one, other)
        wait_until_written(one, other, accepted)
        server.stop()
        accepted += report(one, other)
        for each in (one, other):
            told = each.wait_for("beacons not written")["why"]
            assert PASSWORD not in told
        server.start()
        accepted += report(one, other)
        wait_until_written(one, other, accepted)
        server.hang()
        accepted += report(one, other)
        server.resume()
        accepted += report(one, other)
        wait_until_written(one, other, accepted)
        assert one.count("lost_total") == other.count("lost_total") == 0
        accepted += report(one, other)
    async with health_store(tmp_path, database) as store:
        now = slot_of(time.time())
        slots = await store.health.slots(SDK, PRODUCTION, {ONE}, Slot(now - 360), Slot(now + 2))
        assert sum(counts.units for slot in slots.values() for counts in slot[ONE].values()) == accepted
        groups = await store.errors.groups(SDK, ONE, PRODUCTION)
        assert [(group.kind, group.message) for group in groups] == [("TypeError", "x is not a function")]


def report(*collectors: CollectorProcess) -> int:
    """The same installations report to each of these. How many there are."""
    error = {"kind": "TypeError", "message": "x is not a function"}
    beacons = [sent(build=f"{SDK}@{ONE}", outcome="errored", error=error) for _ in range(EACH)]
    assert [post(each, *beacons).status_code for each in collectors] == [202] * len(collectors)
    return EACH


def wait_until_written(one: CollectorProcess, other: CollectorProcess, count: int) -> None:
    """Until so many installations are counted, by one or the other, and both have nothing more to write."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        written = one.count("written_total") + other.count("written_total")
        assert written <= count
        if written == count and not one.count("waiting") + other.count("waiting"):
            return
        assert time.monotonic() < deadline, (one.log, other.log)
        time.sleep(0.1)
