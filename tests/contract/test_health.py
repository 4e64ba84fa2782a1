"""What is promised of beacons that are counted, whatever database they are in."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import msgspec
import pytest

from beacons.core.beacon import Beacon, FirstError, Frame, Outcome
from beacons.core.groups import MAX_GROUPS, OTHER, ErrorGroup, fingerprint
from bundles.core.names import ArtifactPath, Product
from bundles.core.version import Version
from headrace.health_wiring import HealthStore, health_store
from release.core.beacon_retention import BeaconRetention
from release.core.counts import Counts, Slot
from release.core.names import PRODUCTION, Environment, Tenant

pytestmark = pytest.mark.anyio

SDK, ONE, TWO = Product("sdk"), Version("1.0.0"), Version("1.1.0")
ACME, GLOBEX = Tenant("acme"), Tenant("globex")
SLOT = Slot(170_000_000)


def beacon(
    number: int, tenant: Tenant = ACME, outcome: Outcome = Outcome.LOADED, version: Version = ONE
) -> Beacon:
    """One installation's report."""
    return Beacon(SDK, version, tenant, PRODUCTION, number.to_bytes(16), outcome)


@pytest.fixture
async def store(database: str, tmp_path: Path) -> AsyncIterator[HealthStore]:
    """The health database of each kind, empty."""
    async with health_store(tmp_path, database) as opened:
        yield opened


async def test_beacons_are_counted_by_slot_build_and_tenant(store: HealthStore) -> None:
    assert await store.counting.add([], SLOT) == 0
    first = [beacon(1), beacon(2, outcome=Outcome.ERRORED), beacon(3, GLOBEX, Outcome.RENDER_DROPPED)]
    assert await store.counting.add(first, SLOT) == 3
    assert await store.counting.add([beacon(4), beacon(5, version=TWO)], SLOT) == 2
    assert await store.counting.add([beacon(6, outcome=Outcome.INTEGRITY_FAILED)], Slot(SLOT + 1)) == 1
    found = await store.health.slots(SDK, PRODUCTION, {ONE, TWO}, SLOT, Slot(SLOT + 2))
    assert found == {
        SLOT: {ONE: {ACME: Counts(3, 1, 0, 0), GLOBEX: Counts(1, 0, 1, 0)}, TWO: {ACME: Counts(1)}},
        SLOT + 1: {ONE: {ACME: Counts(1, 0, 0, 1)}},
    }
    assert await store.health.slots(SDK, PRODUCTION, {TWO}, Slot(SLOT + 1), Slot(SLOT + 9)) == {}
    assert await store.health.slots(SDK, PRODUCTION, (), SLOT, Slot(SLOT + 9)) == {}
    assert await store.health.slots(SDK, Environment("staging"), {ONE}, SLOT, Slot(SLOT + 9)) == {}


async def test_of_an_installation_the_first_beacon_counts(store: HealthStore) -> None:
    twice = [beacon(1), beacon(1, outcome=Outcome.ERRORED), beacon(1, GLOBEX), beacon(1, version=TWO)]
    assert await store.counting.add(twice, SLOT) == 3
    assert await store.counting.add([beacon(1, outcome=Outcome.ERRORED), beacon(2)], Slot(SLOT + 1)) == 1
    assert await store.counting.add(twice, Slot(SLOT + 2)) == 0
    assert await store.health.slots(SDK, PRODUCTION, {ONE, TWO}, SLOT, Slot(SLOT + 9)) == {
        SLOT: {ONE: {ACME: Counts(1), GLOBEX: Counts(1)}, TWO: {ACME: Counts(1)}},
        SLOT + 1: {ONE: {ACME: Counts(1)}},
    }


async def test_the_history_is_of_all_builds_but_one_and_of_no_other_time(store: HealthStore) -> None:
    for number, slot in enumerate(range(SLOT, SLOT + 800, 7)):
        await store.counting.add([beacon(number), beacon(number, version=TWO)], Slot(slot))
    for since, until in ((SLOT, SLOT + 800), (SLOT + 5, SLOT + 431), (SLOT + 8, SLOT + 9), (SLOT + 9, SLOT + 9)):
        there = len([slot for slot in range(SLOT, SLOT + 800, 7) if since <= slot < until])
        for but, other in ((ONE, TWO), (TWO, ONE)):
            between = Slot(since), Slot(until)
            expected = {ACME: Counts(there)} if there else {}
            assert await store.health.history(SDK, PRODUCTION, but, *between) == expected
            assert await store.health.history(SDK, PRODUCTION, but, *between, of=[ONE, TWO]) == expected
            assert await store.health.history(SDK, PRODUCTION, Version("9.9.9"), *between, of=[other]) == expected
            assert await store.health.history(SDK, PRODUCTION, but, *between, of=[but]) == {}
            assert await store.health.history(SDK, PRODUCTION, but, *between, of=[]) == {}


def erred(number: int, error: FirstError, version: Version = ONE) -> Beacon:
    """One installation's report of an error."""
    return Beacon(SDK, version, ACME, PRODUCTION, number.to_bytes(16), Outcome.ERRORED, error)


async def test_errors_are_grouped_by_kind_message_and_place(store: HealthStore) -> None:
    frames = (Frame(ArtifactPath("sdk.js"), 1, 2, "caf\u00e9"), Frame(ArtifactPath("lib/a.js"), 3, 4, ""))
    first = FirstError("TypeError", "x of \u2603", frames)
    others = [FirstError("TypeError", "x of \u2603", frames[1:]), FirstError("Error", "x of \u2603", frames)]
    await store.counting.add([erred(1, others[0]), beacon(9, outcome=Outcome.ERRORED)], Slot(SLOT + 2))
    await store.counting.add([erred(2, first), erred(3, first), erred(3, first), erred(4, others[1])], SLOT)
    await store.counting.add([erred(5, first), erred(6, others[0]), erred(7, first, TWO)], Slot(SLOT + 1))
    await store.counting.add([erred(5, first)], Slot(SLOT + 9))
    zero = SLOT * 10
    assert await store.errors.groups(SDK, ONE, PRODUCTION) == [
        ErrorGroup(fingerprint(first), "TypeError", "x of \u2603", frames, zero, zero + 10, 3),
        ErrorGroup(fingerprint(others[0]), "TypeError", "x of \u2603", frames[1:], zero + 10, zero + 20, 2),
        ErrorGroup(fingerprint(others[1]), "Error", "x of \u2603", frames, zero, zero, 1),
    ]
    assert [each.units for each in await store.errors.groups(SDK, TWO, PRODUCTION)] == [1]
    assert await store.errors.groups(SDK, ONE, Environment("staging")) == []


async def test_what_errs_in_too_many_ways_is_one_group(store: HealthStore) -> None:
    errors = [FirstError("Error", f"{number}", ()) for number in range(MAX_GROUPS + 5)]
    await store.counting.add([erred(number, error) for number, error in enumerate(errors[:150])], SLOT)
    await store.counting.add([erred(number, error) for number, error in enumerate(errors, 1000)], SLOT)
    found = {each.fingerprint: each for each in await store.errors.groups(SDK, ONE, PRODUCTION)}
    assert len(found) == MAX_GROUPS + 1
    assert (found[OTHER].units, found[OTHER].message, found[OTHER].frames) == (5, "", ())
    assert {found[fingerprint(error)].units for error in errors[:150]} == {2}
    assert sum(each.units for each in found.values()) == 150 + len(errors)
    await store.counting.add([erred(1, errors[0], TWO)], SLOT)
    assert [each.message for each in await store.errors.groups(SDK, TWO, PRODUCTION)] == ["0"]


async def test_collectors_that_find_new_errors_at_once_make_no_more_groups_than_there_may_be(
    store: HealthStore,
) -> None:
    async def collect(first: int, tenant: Tenant) -> None:
        errors = [erred(number, FirstError("Error", str(number), ())) for number in range(first, first + 150)]
        await store.counting.add([msgspec.structs.replace(each, tenant=tenant) for each in errors], SLOT)

    async with anyio.create_task_group() as group:
        group.start_soon(collect, 0, ACME)
        group.start_soon(collect, 150, GLOBEX)
    found = {each.fingerprint: each.units for each in await store.errors.groups(SDK, ONE, PRODUCTION)}
    assert (len(found), found[OTHER], sum(found.values())) == (MAX_GROUPS + 1, 100, 300)


HOUR, DAY = 3600, 86400
ZERO = SLOT * 10


async def in_all(store: HealthStore, since: int, until: int) -> int:
    """How many units of the first build were reported between these times."""
    history = await store.health.history(SDK, PRODUCTION, TWO, Slot(since // 10), Slot(until // 10))
    return sum(each.units for each in history.values())


async def test_an_installation_is_known_again_for_a_quarter_of_an_hour(store: HealthStore) -> None:
    await store.counting.add([beacon(1)], SLOT)
    await store.upkeep.upkeep(ZERO + 909, BeaconRetention())
    assert await store.counting.add([beacon(1)], Slot(SLOT + 90)) == 0
    await store.upkeep.upkeep(ZERO + 910, BeaconRetention())
    assert await store.counting.add([beacon(1)], Slot(SLOT + 91)) == 1


async def test_what_is_older_than_it_is_kept_is_left_in_coarser_counts(store: HealthStore) -> None:
    retention = BeaconRetention(minutes="1d", hours="10d", errors="5d")
    start = ZERO // HOUR * HOUR
    await store.counting.add([erred(1, FirstError("Error", "", ())), beacon(2, GLOBEX)], Slot(start // 10))
    await store.counting.add([beacon(3)], Slot(start // 10 + 7))
    await store.counting.add([beacon(4)], Slot(start // 10 + 100))
    for now, seen in (
        (start + 3 * HOUR - 1, (3, 2, 1)),  # by the slot
        (start + 3 * HOUR, (2, 2, 2)),  # by the minute
        (start + DAY + HOUR, (0, 4, 4)),  # by the hour
        (start + 10 * DAY + HOUR, (0, 0, 0)),
    ):
        await store.upkeep.upkeep(now, retention)
        spans = ((0, 100), (70, HOUR), (90, HOUR))
        assert tuple([await in_all(store, start + since, start + until) for since, until in spans]) == seen
        slots = await store.health.slots(SDK, PRODUCTION, {ONE}, Slot(0), Slot(SLOT + 1000))
        assert len(slots) == (3 if now < start + 3 * HOUR else 0)
        assert len(await store.errors.groups(SDK, ONE, PRODUCTION)) == (1 if now < start + 5 * DAY else 0)


async def test_a_beacon_that_comes_late_is_counted_all_the_same(store: HealthStore) -> None:
    await store.upkeep.upkeep(ZERO + 5 * HOUR, BeaconRetention())
    await store.counting.add([beacon(1)], SLOT)
    assert await in_all(store, ZERO - HOUR, ZERO + HOUR) == 1
    await store.upkeep.upkeep(ZERO + 9 * DAY, BeaconRetention())
    assert await in_all(store, ZERO - HOUR, ZERO + HOUR) == 1
