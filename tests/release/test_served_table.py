"""The routing table that origins serve by, read again and again: each snapshot once, and in a thread."""

import threading
from collections.abc import Iterable, Mapping
from typing import Any

import anyio
import pytest

from bundles.core.digest import Digest
from bundles.core.errors import Failed
from bundles.core.trust import KeyRing
from bundles.core.version import Range
from release import served_table
from release.change import Author, Control
from release.core.names import PRODUCTION, Tenant
from release.core.routing import Pin, PinKey, RoutingTable
from release.core.snapshot import ShardRef, load
from release.pins import set_pin
from release.served_table import ServedTable
from tests.release.conftest import BUILDS, SDK

pytestmark = pytest.mark.anyio


class Counted:
    """The snapshot, and how many shards were read of it each time."""

    def __init__(self, control: Control) -> None:
        self.snapshots = control.snapshots
        self.shards: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.snapshots, name)

    async def read_shards(self, refs: Iterable[ShardRef]) -> Mapping[Digest, bytes]:
        """As the store does."""
        wanted = list(refs)
        self.shards.append(len(wanted))
        return await self.snapshots.read_shards(wanted)


async def pin(control: Control, *tenants: str) -> None:
    for tenant in tenants:
        target = Pin(Range(BUILDS[0]), "sam", "")
        await set_pin(control, SDK, PinKey(Tenant(tenant), PRODUCTION), target, Author("sam"))


async def read_at_once(served: ServedTable, counted: Counted, control: Control) -> list[RoutingTable]:
    """What ten get who ask at the same time."""
    found: list[RoutingTable] = []

    async def ask() -> None:
        table = await served.read(counted, control.trusted)
        assert table is not None
        found.append(table)

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(ask)
    return found


async def test_a_snapshot_is_decoded_once_in_a_thread_however_many_ask(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def noted(*arguments: Any) -> Any:
        threads.append(threading.current_thread())
        return load(*arguments)

    monkeypatch.setattr(served_table, "load", noted)
    await pin(control, "a", "b", "c")
    served, counted = ServedTable(), Counted(control)
    for _ in range(2):
        tables = await read_at_once(served, counted, control)
        assert [table is tables[0] for table in tables] == [True] * 10
        assert tables[0] == await control.ledger.table()
    assert len(threads) == len(counted.shards) == 1
    assert threads[0] is not threading.main_thread()


async def test_of_a_later_snapshot_what_changed_is_read(control: Control) -> None:
    served, counted = ServedTable(), Counted(control)
    assert await served.read(counted, control.trusted) is None
    await pin(control, *(f"t{number}" for number in range(8)))
    await read_at_once(served, counted, control)
    await pin(control, "t0", "other")
    tables = await read_at_once(served, counted, control)
    assert tables[0] == await control.ledger.table()
    assert 0 < counted.shards[1] <= 3 < counted.shards[0]


async def test_a_snapshot_that_is_not_trusted_any_more_is_refused(control: Control) -> None:
    served, counted = ServedTable(), Counted(control)
    await pin(control, "a")
    await read_at_once(served, counted, control)
    with pytest.raises(Failed):
        await served.read(counted, KeyRing())
