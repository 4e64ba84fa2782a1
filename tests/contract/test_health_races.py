"""Collectors that count at once, and that are killed: nothing is lost, counted twice, or counted by halves."""

import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from beacons.core.groups import MAX_GROUPS
from bundles.core.version import Version
from headrace.health_wiring import HealthStore, health_store
from release.core.beacon_retention import BeaconRetention
from release.core.counts import Counts, Slot
from release.core.names import PRODUCTION
from tests.contract.reporter import BATCH, BUILD, INSTALLATIONS, OTHER_BUILD, SDK, SLOT

pytestmark = pytest.mark.anyio

COLLECTORS = 4
BATCHES = 30
FOR_EVER = 1_000_000
AFTER = Slot(SLOT + 12)


def collector(data: Path, database: str, seed: int, batches: int = BATCHES) -> subprocess.Popen[str]:
    """A collector in a process of its own."""
    command = [sys.executable, "-m", "tests.contract.reporter", str(data), database, str(seed), str(batches)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def counted(store: HealthStore) -> int:
    """How many units there are: by the slot, in all, and in groups of errors the same."""
    slots = await store.health.slots(SDK, PRODUCTION, (BUILD, OTHER_BUILD), SLOT, AFTER)
    every = [each for slot in slots.values() for build in slot.values() for each in build.values()]
    found = sum(each.units for each in every)
    assert every == [Counts(each.units, errored=each.units) for each in every]
    whole, errors = 0, 0
    for build in (BUILD, OTHER_BUILD):
        whole += await in_hours(store, build)
        groups = await store.errors.groups(SDK, build, PRODUCTION)
        assert len(groups) <= MAX_GROUPS + 1
        errors += sum(each.units for each in groups)
    assert (whole, errors) == (found, found)
    return found


async def in_hours(store: HealthStore, but: Version) -> int:
    """How many units there are of all builds but one, in the hours that the slots are in."""
    first = Slot(SLOT // 360 * 360)
    history = await store.health.history(SDK, PRODUCTION, but, first, Slot(first + 720))
    return sum(each.units for each in history.values())


async def test_many_collectors_count_each_installation_once(database: str, tmp_path: Path) -> None:
    running = [collector(tmp_path, database, seed) for seed in range(COLLECTORS)]
    async with health_store(tmp_path, database) as store:
        while any(each.poll() is None for each in running):
            await store.upkeep.upkeep(SLOT * 10 + 100, BeaconRetention())  # as a controller does meanwhile
            await anyio.sleep(0.05)
        told = [int(line) for each in running for line in each.communicate()[0].split()]
        assert [each.returncode for each in running] == [0] * COLLECTORS
        assert len(told) == COLLECTORS * BATCHES
        assert await counted(store) == sum(told) == INSTALLATIONS
        for build in (BUILD, OTHER_BUILD):
            assert len(await store.errors.groups(SDK, build, PRODUCTION)) == MAX_GROUPS + 1


async def test_a_collector_that_is_killed_leaves_whole_batches(database: str, tmp_path: Path) -> None:
    killed = collector(tmp_path, database, 1, FOR_EVER)
    assert killed.stdout is not None
    told = [int(killed.stdout.readline()) for _ in range(8)]
    killed.kill()
    told += [int(line) for line in killed.communicate()[0].split()]
    async with health_store(tmp_path, database) as store:
        before = await counted(store)
        assert before - sum(told) in range(BATCH + 1)
        again = collector(
            tmp_path, database, 1, len(told) + 1
        )  # the same batches, as a collector sends them again
        new = [int(line) for line in again.communicate()[0].split()]
        assert len(new) == len(told) + 1
        assert set(new[:-1]) == {0}
        assert await counted(store) == before + new[-1]
