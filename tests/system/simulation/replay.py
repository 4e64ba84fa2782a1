"""Runs seeds, as a process of its own.

`python -m tests.system.simulation.replay SEED` prints what happens. With another number, all seeds from the first
up to that one are run, and on each line is a seed, the digest of its trace, and what was met in it.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from bundles.adapters.directory import directory
from bundles.adapters.disk_store import DiskStore
from bundles.core.digest import digest_of
from bundles.core.names import Product
from bundles.core.version import Version
from bundles.cores import Cores
from bundles.order import Order, Publisher
from bundles.publish import publish
from release.adapters.sql_schema import CONTROL
from release.adapters.sqlite_database import open_sqlite
from tests.release.model.system import without_logs
from tests.support.cli import write_build
from tests.support.memory import memory_folder
from tests.support.one_thread import one_thread
from tests.system.simulation.ground import BUILDS, KEY, TRUSTED
from tests.system.simulation.world import World

SIGNS = {
    "killed-in-a-change": b"killed before record",
    "killed-at-commit": b"killed before commits",
    "killed-after-commit": b"killed before has committed",
    "killed-at-the-root": b"killed before writes the root",
    "full-disk": b"a disk is full",
    "forgery": b"is sent a forgery",
    "damaged-copy": b"has a damaged copy",
    "no-feed": b"sees no feed",
    "clock": b"clock is off by",
    "by-itself": b"took 1 steps",
    "failed": b"told Failed",
}
"""What a trace says where something was met."""


class Wrong(Exception):
    """Something that must hold did not. The trace up to there is in it."""

    def __init__(self, seed: int, trace: bytes) -> None:
        super().__init__(f"to see it again: .venv/bin/python -m tests.system.simulation.replay {seed}")
        self.trace = trace


def run_seeds(seeds: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """Each seed with its trace. Raises `Wrong` from what did not hold."""
    with memory_folder() as folder, one_thread(), asyncio.Runner() as runner, without_logs():
        template = runner.run(_make_template(folder))
        for seed in seeds:
            with tempfile.TemporaryDirectory(dir=folder) as data:
                world = World(seed, template, Path(data))
                try:
                    yield seed, runner.run(world.run())
                except Exception as error:
                    raise Wrong(seed, world.trace.encode()) from error


async def _make_template(folder: Path) -> Path:
    """A control database without any change, and a store with builds."""
    template = folder / "template"
    async with open_sqlite(template / "control.db", CONTROL):
        pass
    publisher = Publisher(DiskStore(template / "store"), KEY, TRUSTED, Cores())
    for product, versions in BUILDS.items():
        for version in versions:
            source = directory(write_build(folder / version, {"sdk.js": f"// {version}"}))
            await publish(publisher, Order(Product(product), Version(version)), source, lambda _: None)
    return template


def main(first: int, last: int) -> None:
    """The trace of one seed, or a line for each of several."""
    try:
        for seed, trace in run_seeds(range(first, last + 1)):
            if first == last:
                sys.stdout.write(trace.decode())
            else:
                met = [name for name, sign in SIGNS.items() if sign in trace]
                sys.stdout.write(" ".join([str(seed), digest_of(trace), *met]) + "\n")
    except Wrong as wrong:
        if first == last:
            sys.stdout.write(wrong.trace.decode())
        raise


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[-1]))
