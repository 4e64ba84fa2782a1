"""The real control plane and a real origin below one folder, at a time that is set."""

import asyncio
import logging
import os
import shutil
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog

from bundles.adapters.directory import directory
from bundles.core.names import Product
from bundles.core.version import Version
from bundles.cores import Cores
from bundles.order import Order, Publisher
from bundles.ports import Store
from bundles.publish import publish
from headrace import origin_wiring, wiring
from origin.adapters.followed_file import FollowedFile
from origin.routing import Routing
from release.change import Control
from release.core.routing import RoutingTable
from release.core.snapshot import MAX_SEALED_BYTES
from tests.support.cli import write_build

T = TypeVar("T")


class SetClock:
    """A clock that says what it is told to."""

    def __init__(self, now: int) -> None:
        self.time = now

    def now(self) -> int:
        """Whole seconds since the Unix epoch."""
        return self.time


@contextmanager
def without_logs() -> Iterator[None]:
    """What is logged meanwhile is shown nowhere."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


class System:
    """Opened on a copy of a template, so that neither migrations nor publishing take time."""

    def __init__(self, template: Path, folder: Path, runner: asyncio.Runner, now: int) -> None:
        shutil.copytree(template, folder)
        self._data = folder
        self._runner = runner
        self._stack = AsyncExitStack()
        self.clock = SetClock(now)
        self.run(self._open())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it on the loop that all share."""
        return self._runner.run(work)

    async def _open(self) -> None:
        opened = await self._stack.enter_async_context(wiring.control(self._data))
        self.control: Control = msgspec.structs.replace(opened, clock=self.clock)
        self.store: Store = await self._stack.enter_async_context(wiring.store(self._data))
        await self.start_origin()

    async def start_origin(self) -> None:
        """A new process of an origin, on the disk that the one before had."""
        feed = FollowedFile(wiring.snapshot_file(self._data), MAX_SEALED_BYTES)
        kept, shards = origin_wiring.kept_snapshot(self._data), wiring.snapshots(self._data)
        self.origin = Routing(feed, shards, kept, self.control.trusted, self.clock, lambda: None)
        await self.origin.start()

    async def restart(self) -> None:
        """A new process of the controller and of the origin; the controller's first look is a thorough one."""
        await self._stack.aclose()
        await self._open()
        await self.control.sync(thorough=True)

    async def tables(self) -> list[RoutingTable]:
        """The routing table of the ledger and, where there is a snapshot, the one that the origin goes by."""
        await self.origin.refresh()
        served = self.origin.table
        return [await self.control.ledger.table(), *([] if served is None else [served])]

    def close(self) -> None:
        """End everything and remove the folder."""
        self.run(self._stack.aclose())
        shutil.rmtree(self._data)


async def make_template(folder: Path, builds: Mapping[str, Mapping[str, int]]) -> Path:
    """A data folder with these builds, by product and version, each published at its time."""
    data = folder / "template"
    async with wiring.control(data) as control, wiring.store(data) as store:
        publisher = Publisher(store, wiring.keys(data).signing_key(), control.trusted, Cores())
        for product, versions in builds.items():
            for version, published_at in versions.items():
                source = directory(write_build(folder / product / version, {"sdk.js": f"// {version}"}))
                await publish(publisher, Order(Product(product), Version(version)), source, lambda _: None)
                manifest = data / "store" / "builds" / product / f"{version}.json"
                os.utime(manifest, (published_at, published_at))
    return data
