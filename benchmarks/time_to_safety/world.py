"""What is measured: an origin, a collector and a controller on a data folder of their own, and pages that load."""

import sqlite3
import sys
import time
from asyncio import create_subprocess_exec, create_task
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
import msgspec

from benchmarks.time_to_safety.load import Round, Seen
from headrace import wiring
from headrace.demo.fetch import SdkBuilds
from headrace.demo.parts import run_verb, running

_SERVE = ("serve", "--port", "0", "--probe-port", "0")
_COLLECT = ("collect", "--port", "0", "--probe-port", "0")
_CONTROL = ("controller", "--interval", "0.2")
_LOOK_SECONDS = 0.005


class Change(msgspec.Struct, frozen=True):
    """When the candidate was taken back, in seconds since the epoch, step by step.

    `seen` is when the gate kept what it had concluded, `committed` when the change was, `snapshot` when origins
    could see it.
    """

    seen: float
    committed: float
    snapshot: float


class Load:
    """The process whose pages load the SDK, and what they have seen so far."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.seen = Seen("", 0.0)

    def begin(self, begun: Round) -> None:
        """Begin a round."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(begun) + b"\n")

    def check(self) -> None:
        """Raise `SystemExit` where the pages have come to an end, or were answered by no redirect."""
        if self._process.returncode is not None or self.seen.faults:
            raise SystemExit(f"the pages failed: {self.seen}")

    async def follow(self) -> None:
        """Keep up with what is seen, for ever."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.seen = msgspec.json.decode(line, type=Seen)


class World(msgspec.Struct, frozen=True):
    """The parts, running. `candidates` come after the stable build."""

    data: Path
    product: str
    candidates: tuple[str, ...]
    load: Load


@asynccontextmanager
async def running_world(data: Path, sdk: SdkBuilds, tenants: int, rate: int) -> AsyncIterator[World]:
    """All of it, until the end of the block; the oldest build is everybody's."""
    for build in sdk.builds:
        await run_verb(data, "publish", str(build.folder), "--product", sdk.product, "--version", build.version)
    policy = anyio.Path(data / "policy.toml")
    await policy.write_text("[[gate]]\n")
    await run_verb(data, "apply", str(policy))
    stable, *candidates = (build.version for build in sdk.builds)
    await run_verb(data, "rollout", "start", sdk.product, stable, "--stages", "100")
    await run_verb(data, "rollout", "promote", sdk.product)
    async with (
        running(data, data / "origin.log", "origin listening", *_SERVE) as origin,
        running(data, data / "collector.log", "collector listening", *_COLLECT) as collector,
        running(data, data / "controller.log", "controller running", *_CONTROL),
        _loading(
            f"http://{origin['address']}",
            f"http://{collector['host']}:{collector['port']}",
            *(sdk.product, sdk.entry, "--tenants", str(tenants), "--rate", str(rate)),
        ) as load,
    ):
        yield World(data, sdk.product, tuple(candidates), load)


@asynccontextmanager
async def _loading(*arguments: str) -> AsyncIterator[Load]:
    process = await create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.time_to_safety.load", *arguments), stdin=PIPE, stdout=PIPE
    )
    load = Load(process)
    following = create_task(load.follow())
    try:
        yield load
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await following


async def taken_back(data: Path, patience: float) -> Change | None:
    """Wait for the next change of the control database's routing, and say when it came; None where none does.

    Every commit shows in `data_version`; the last one before the change is the gate's, to keep what it has seen.
    """
    deadline = time.time() + patience
    with closing(sqlite3.connect(data / "control.db", isolation_level=None)) as database:
        began, version, seen = _revision(database), _data_version(database), time.time()
        while time.time() < deadline:
            await anyio.sleep(_LOOK_SECONDS)
            now, latest = time.time(), _data_version(database)
            if latest == version:
                continue
            version = latest
            if _revision(database) > began:
                await anyio.sleep(1)  # the snapshot follows the commit
                return Change(seen, now, wiring.snapshot_file(data).stat().st_mtime)
            seen = now
    return None


def _revision(database: sqlite3.Connection) -> int:
    [(revision,)] = database.execute("SELECT revision FROM current_revision")
    return int(revision)


def _data_version(database: sqlite3.Connection) -> int:
    [(version,)] = database.execute("PRAGMA data_version")
    return int(version)
