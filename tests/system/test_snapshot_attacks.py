"""Snapshots under attack, and through rotations of their keys, with the real parts of origin and control plane."""

import json
import subprocess
import sys
import time
from pathlib import Path

import httpx
import msgspec
import pytest

from bundles.adapters.files import write_atomically
from bundles.core.envelope import unseal
from bundles.core.names import Product
from bundles.core.version import Range
from headrace import origin_wiring, wiring
from origin.adapters.followed_file import FollowedFile
from origin.routing import Routing
from release.adapters.system_clock import SystemClock
from release.change import Author, Subject
from release.core.limits import MAX_CHANNELS
from release.core.names import PRODUCTION, Channel, Tenant
from release.core.routing import ChannelState, Pin, PinKey, RoutingTable
from release.core.snapshot import MAX_SEALED_BYTES, PAYLOAD_TYPE, decode_root
from release.ports import Transaction
from release.snapshot import resign_snapshot
from tests.support.changes import change
from tests.support.cli import fail, succeed
from tests.support.processes import Origin, controller, origin
from tests.support.snapshots import in_shards, put_snapshot, seal_root

PATIENCE_SECONDS = 30
SDK, SAM = Product("sdk"), Author("sam")


@pytest.fixture
def data(released_data: Path) -> Path:
    """Two published builds of an SDK, the first one released."""
    return released_data


def ready(process: Origin) -> str:
    response = httpx.get(f"{process.probes}/readyz")
    assert response.status_code == 200
    return response.text


def revision(process: Origin) -> float:
    return process.count("headrace_origin_snapshot_revision")


def wait_until(process: Origin, is_at: float) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while revision(process) != is_at:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_freeze_is_told_and_a_controller_ends_it(data: Path) -> None:
    """Nothing new has come for a day: the last snapshot has expired, and is served on."""
    file = wiring.snapshot_file(data)
    key, trusted = wiring.keys(data).signing_key(), wiring.trusted_keys(data)
    in_force = decode_root(unseal(PAYLOAD_TYPE, file.read_bytes(), trusted, "the snapshot"))
    expired = int(time.time()) - 1
    write_atomically(file, seal_root(msgspec.structs.replace(in_force, expires_at=expired), key))
    with origin(data) as process:
        assert "snapshot stale" in [line["event"] for line in process.log]
        assert "the snapshot is stale" in ready(process)
        assert process.count("headrace_origin_snapshot_expires_timestamp_seconds") == expired
        assert httpx.get(f"{process.url}/t/acme/sdk.json").json()["version"] == "1.0.0"
        with controller(data):
            process.wait_for("snapshot fresh")
        assert ready(process) == f"ready at revision {in_force.revision}\n"
        assert process.count("headrace_origin_snapshot_expires_timestamp_seconds") > time.time()
        assert process.count("headrace_origin_snapshots_refused_total") == 0


def test_after_a_fast_forward_the_way_back_is_to_distrust_the_stolen_key(data: Path) -> None:
    """A thief of the signing key takes origins to a revision that the control plane never reaches."""
    stolen = wiring.keys(data).signing_key()
    (old,) = (key["key_id"] for key in succeed(data, "keys", "list"))
    root, bodies = in_shards(RoutingTable(2**52), issue=2**52)
    with origin(data) as process:
        before = revision(process)
        put_snapshot(data / "snapshots", seal_root(root, stolen), bodies)
        wait_until(process, 2**52)
        assert "somebody else signs snapshots" in fail(data, "pin", "set", "acme", "sdk", "1.0.0", code=1)
        succeed(data, "keys", "rotate")
        succeed(data, "keys", "distrust", old, "--force")
        with controller(data):
            wait_until(process, before)
        put_snapshot(data / "snapshots", seal_root(root, stolen), bodies)
        assert "not signed by a trusted key" in process.wait_for("snapshot refused")["why"]
        assert revision(process) == before


def test_the_snapshot_of_an_older_version_is_refused_until_the_controller_writes_it_anew(data: Path) -> None:
    file = wiring.snapshot_file(data)
    envelope = json.loads(file.read_bytes())
    file.write_text(json.dumps({**envelope, "payloadType": "application/vnd.headrace.routing.v1+json"}))
    process = Origin(data)
    try:
        (refused,) = (line["why"] for line in process.log if line["event"] == "snapshot refused")
        assert "older version of Headrace: start this version's `headrace controller`" in refused
        with controller(data):
            process.wait_for("snapshot adopted")
    finally:
        process.stop()


@pytest.mark.anyio
async def test_ten_rotations_with_an_origin_that_sleeps_through_five(data: Path) -> None:
    async def rotate(number: int) -> bytes:
        """Rotate, sign anew, distrust the old key, change a pin. The snapshot as the old key left it."""
        old = wiring.keys(data).signing_key_id()
        signed_by_the_old = wiring.snapshot_file(data).read_bytes()
        wiring.keys(data).rotate()
        async with wiring.control(data) as control:
            assert await resign_snapshot(control.snapshots, control.signing_key, control.trusted)
            wiring.keys(data).distrust(str(old))
            pin, key = Pin(Range("1.0.0"), f"rotation {number}", ""), PinKey(Tenant("acme"), PRODUCTION)
            await change(control, Subject("pin", SDK, "acme"), SAM, lambda new: new.save_pin(SDK, key, pin))
        return signed_by_the_old

    def new_origin() -> Routing:
        feed = FollowedFile(wiring.snapshot_file(data), MAX_SEALED_BYTES)
        kept, trusted = origin_wiring.kept_snapshot(data), wiring.trusted_keys(data)
        return Routing(feed, wiring.snapshots(data), kept, trusted, SystemClock(), lambda: None)

    def pinned_by(routing: Routing) -> str:
        assert routing.table is not None
        return routing.table.products[SDK].pins["acme~production"].author

    follower, sleeper = new_origin(), new_origin()
    await follower.start()
    olds = []
    for number in range(10):
        olds.append(await rotate(number))
        await follower.refresh()
        assert pinned_by(follower) == f"rotation {number}"
        if number == 4:
            await sleeper.start()
    assert pinned_by(sleeper) == "rotation 4"
    await sleeper.refresh()
    awoken = new_origin()
    await awoken.start()
    good = wiring.snapshot_file(data).read_bytes()
    for old in olds:
        write_atomically(wiring.snapshot_file(data), old)
        for routing in (follower, sleeper, awoken):
            await routing.refresh()
            assert pinned_by(routing) == "rotation 9"
    write_atomically(wiring.snapshot_file(data), good)
    assert len(list(wiring.keys(data).trusted_keys())) == 1


@pytest.mark.anyio
async def test_a_limit_that_is_half_reached_is_told_by_the_controller(data: Path) -> None:
    async def write(transaction: Transaction) -> None:
        for number in range(MAX_CHANNELS // 2):
            await transaction.save_channel(SDK, Channel(f"c{number}"), ChannelState())

    async with wiring.control(data) as control:
        await change(control, Subject("test", SDK, "channels"), SAM, write)
    with controller(data) as process:
        told = process.wait_for("limit near")
    assert (told["what"], told["used"], told["most"]) == ("channels of sdk", MAX_CHANNELS // 2 + 1, MAX_CHANNELS)
    assert (told["percent"], told["level"]) == (50, "warning")


@pytest.mark.parametrize("kind", ["killed", "enospc"])
def test_whatever_ends_the_writing_of_a_snapshot_a_readable_one_is_left(kind: str, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tests.system.snapshot_crash_harness", kind, tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["faults"] == {}
    assert found["steps"] > 20
