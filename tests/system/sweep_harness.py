"""Publishers and a sweeper side by side, each a process of its own; and a retirement that is killed at each step.

`python -m tests.system.sweep_harness publish FOLDER PRODUCT COUNT` publishes so many builds of a product, and
looks at each right after. `… sweep FOLDER` retires and sweeps over and over, until its input ends. The builds
share files, so that what one build was the last to need is often wanted again. `… kill FOLDER` kills retirements.
Each prints what it found as JSON; the store is the one that HEADRACE_STORE names, or below the folder.
"""

import json
import os
import random
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import msgspec

from bundles.adapters.directory import directory
from bundles.core.errors import Conflict
from bundles.core.names import Product
from bundles.core.retention import Policy
from bundles.core.version import Version
from bundles.cores import Cores
from bundles.load import load_build
from bundles.order import Order, Publisher
from bundles.ports import Store
from bundles.publish import publish
from bundles.sweep import needed_blobs, sweep
from bundles.verify import verify
from headrace import wiring
from release.adapters.system_clock import SystemClock
from release.change import Author, Control
from release.core.commands import Promote, Start
from release.core.names import STABLE
from release.core.plan import parse_plan
from release.retire import Wanted, preview_retirement, retire
from release.rollouts import command_channel
from tests.support.cli import write_build
from tests.system.crash_harness import Steps, in_child, kill_self, watch_disk

KEPT = 3
POOL = {f"{number}.js": f"let a = {number};\n" * 50 for number in range(6)}
DAY_SECONDS = 86_400
SDK, SAM = Product("sdk"), Author("sam")
GONE, NEEDED = Version("1.0.0"), (Version("1.0.1"), Version("1.0.2"))


async def put(store: Store, data: Path, product: Product, version: Version, folder: Path) -> None:
    """Publish a folder."""
    keys = wiring.keys(data)
    publisher = Publisher(store, keys.signing_key(), keys.trusted_keys(), Cores())
    bases = () if product != SDK or version == GONE else (GONE,)
    await publish(publisher, Order(product, version, bases=bases), directory(folder), lambda _: None)


async def is_well(store: Store, data: Path, product: Product, version: Version) -> bool:
    """True for a build that is there with every byte."""
    manifest = await load_build(store, wiring.keys(data).trusted_keys(), product, version)
    return manifest is not None and await verify(store, manifest, lambda _: None) == []


async def publish_on(data: Path, product: Product, count: int) -> dict[str, object]:
    """Publish builds of a few files each, and name those that were not well right afterwards."""
    chance = random.Random(product)
    damaged = []
    async with wiring.store(data) as store:
        for number in range(count):
            version = Version(f"1.0.{number}")
            files = chance.sample(sorted(POOL), 2)
            shared = {name: POOL[name] for name in files}
            own = {"own.js": f"let own = '{product}';\n"} if number == 0 else {}  # nobody needs it in the end
            source = write_build(data / "sources" / product / version, {**shared, **own})
            await put(store, data, product, version, source)
            if not await is_well(store, data, product, version):
                damaged.append(version)
            await anyio.sleep(chance.uniform(0, 0.2))
    return {"damaged": damaged}


async def sweep_on(data: Path) -> dict[str, object]:
    """Retire all but the newest builds of each product and sweep, as if a day had passed, until told to stop; and
    then once more.
    """
    found = {"sweeps": 0, "conflicts": 0, "removed": 0}
    async with wiring.store(data) as store:
        async with anyio.create_task_group() as group:

            async def stop_at_end_of_input() -> None:
                await anyio.to_thread.run_sync(sys.stdin.read)
                group.cancel_scope.cancel()

            group.start_soon(stop_at_end_of_input)
            while True:
                try:
                    with anyio.CancelScope(shield=True):
                        found["removed"] += await sweep_once(store, data)
                    found["sweeps"] += 1
                except Conflict:
                    found["conflicts"] += 1
                await anyio.sleep(0.01)
        found["removed"] += await sweep_once(store, data)
        found["sweeps"] += 1
    return dict(found)


async def sweep_once(store: Store, data: Path) -> int:
    """One retirement and one sweep; how many blobs went."""
    async with store.sweeping() as sweeper:
        for product in await store.products():
            for version in (await store.versions(product))[:-KEPT]:
                await sweeper.retire_manifest(product, version)
        tomorrow = SystemClock().now() + 2 * DAY_SECONDS
        needed = await needed_blobs(store, wiring.keys(data).trusted_keys(), ())
        return (await sweep(store, sweeper, needed, tomorrow)).blobs


class NextYear:
    """A clock that is a year ahead: all that was published today is old."""

    def now(self) -> int:
        """Whole seconds since the Unix epoch."""
        return SystemClock().now() + 365 * DAY_SECONDS


@asynccontextmanager
async def next_year(data: Path) -> AsyncIterator[tuple[Control, Store]]:
    """The control plane and the store of a data folder, a year later."""
    async with wiring.control(data) as control, wiring.store(data) as store:
        yield msgspec.structs.replace(control, clock=NextYear()), store


async def prepare(data: Path) -> int:
    """Three releases, of which the first may go; the others have deltas against it."""
    async with next_year(data) as (control, store):
        for version in (GONE, *NEEDED):
            script = "".join(f"let a{number * 7919 % 10_007} = {number};\n" for number in range(400))
            source = write_build(
                data / "sources" / version, {"sdk.js": f"{script}// {version}", "same.js": script}
            )
            await put(store, data, SDK, version, source)
            plan = parse_plan("100", [], None)
            for command in (Start(candidate=version, plan=plan, salt="salt"), Promote()):
                await command_channel(control, SDK, STABLE, command, SAM)
    return 0


async def retire_watched(data: Path, steps: Steps) -> int:
    """Retire while the steps on disk are watched."""
    async with next_year(data) as (control, store):
        watch_disk(steps)
        await retire(control, store, Wanted("sdk", Policy(keep=1)), SAM)
    return 0


async def look_and_retire(data: Path) -> int:
    """0 where what is needed was well, and the next retirement leaves nothing of what is not."""
    async with next_year(data) as (control, store):
        for version in NEEDED:
            if not await is_well(store, data, SDK, version):
                return 10
        wanted = Wanted("sdk", Policy(keep=1))
        await retire(control, store, wanted, SAM)
        left = await preview_retirement(control, store, wanted)
        if left.products[0].retired or left.garbage.blobs or list(await store.versions(SDK)) != list(NEEDED):
            return 11
        for version in NEEDED:
            if not await is_well(store, data, SDK, version):
                return 12
    return 0 if not list((data / "store").rglob("*.tmp")) else 13


def kill_at_each_step(folder: Path) -> dict[str, object]:
    """Kill a retirement at each of its steps on disk, and see that the next one completes it."""
    base, data = folder / "base", folder / "data"
    assert in_child(partial(prepare, base)) == 0
    faults: dict[int, str] = {}
    step = 0
    while True:
        step += 1
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(base, data)
        ended = in_child(partial(retire_watched, data, Steps(step, kill_self)))
        if ended == 0:
            return {"steps": step - 1, "faults": faults}
        if ended != -signal.SIGKILL:
            faults[step] = f"the retirement ended with {ended}"
        after = in_child(partial(look_and_retire, data))
        if after != 0:
            faults[step] = f"afterwards {after}"


def main(role: str, folder: Path, *rest: str) -> None:
    """Do one of the parts, and print what was found."""
    if role == "publish":
        found = anyio.run(publish_on, folder, Product(rest[0]), int(rest[1]))
    elif role == "sweep":
        found = anyio.run(sweep_on, folder)
    else:
        found = kill_at_each_step(folder)
    sys.stdout.write(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)  # a thread may wait for input still


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
