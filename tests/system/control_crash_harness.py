"""Breaks off changes of the control plane at each of their steps, and looks at what is left. It forks.

`python -m tests.system.control_crash_harness FOLDER DATABASE KIND CHANGE…` kills (-9) a process that makes the
change, at each step. It prints as JSON, for each change, how many steps there were and what was wrong after
which. DATABASE is `sqlite`, or an empty one in PostgreSQL. The steps are

killed  before each statement and after each that writes, before and after each COMMIT, and at each system call of
        what is written to disk, in the midst of each write too
wire    right after each message to PostgreSQL
calls   SQLite's own system calls on its files
server  right after each COMMIT was sent; there it is not the process that is killed but all of PostgreSQL's, of a
        server that syncs to disk, and is started again (DATABASE is of no account)
"""

import gc
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import anyio
import msgspec
import structlog
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.dialects.sqlite import aiosqlite

from origin.adapters import followed_file, postgresql_feed
from release.adapters import (
    command_smoke,
    migrations,
    postgresql_database,
    postgresql_snapshots,
    sql_ledger,
    sqlite_database,
)
from tests.contract.conftest import free_port
from tests.support.postgresql import PostgresServer, postgres_server
from tests.system.control_changes import CHANGES, Change, House, found
from tests.system.control_forks import TOLD, Go, forked, killed_at_call
from tests.system.control_looks import Known, following, inspect, look, served_revision
from tests.system.control_places import Place
from tests.system.control_steps import watch_changes, watch_sent_commits, watch_wire
from tests.system.crash_harness import Steps, kill_self

LOADED = (
    aiosqlite,
    asyncpg,
    command_smoke,
    followed_file,
    migrations,
    postgresql_database,
    postgresql_feed,
    postgresql_snapshots,
    sql_ledger,
    sqlite_database,
)
"""What the product loads when it is needed: here once, for all children."""
WATCHES = {"killed": watch_changes, "wire": watch_wire, "server": watch_sent_commits}
CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "unlink")


class Sweep:
    """One change, broken off again and again."""

    def __init__(self, house: House, change: Change, server: PostgresServer | None = None) -> None:
        self._house = house
        self._change = change
        self._server = server
        self._place = Place(house)
        anyio.run(self._prepare)
        self._place.keep()
        self._known = anyio.run(self._learn)
        self.steps = 0
        self.faults: dict[str, list[str]] = {}

    def run(self, kind: str) -> None:
        """Break it off at each step of this kind."""
        if kind in WATCHES:
            self._run(kind)
        else:
            for call in CALLS:
                self._run(call)

    def _run(self, kind: str) -> None:
        """Until it is done before it comes to the step, which is looked at too."""
        broken = -signal.SIGKILL if self._server is None else TOLD
        step, code, acknowledged = 0, broken, False
        while code == broken:
            step += 1
            anyio.run(self._place.put_back)
            code, acknowledged = self._break_off(kind, step)
            if self._server is not None:
                self._server.kill()
                self._server.start()
            if wrong := anyio.run(self._look, acknowledged, step % 2 == 0):
                self.faults[f"{kind} {step}"] = wrong
        if code != 0 or not acknowledged:
            self.faults[f"{kind} {step}"] = [f"the change was not made ({code})"]
        self.steps += step - 1

    def _break_off(self, kind: str, step: int) -> tuple[int, bool]:
        if kind in WATCHES:
            act = kill_self if self._server is None else self._server.kill
            return forked(partial(self._act, kind, Steps(step, act)))
        files = (self._house.database, f"{self._house.database}-wal")
        return forked(partial(self._act, kind, Steps(0, kill_self)), partial(killed_at_call, kind, step, files))

    async def _act(self, kind: str, steps: Steps, acknowledge: Go) -> None:
        def made() -> None:
            acknowledge()
            steps.take()

        if kind in WATCHES:
            WATCHES[kind](steps)
        await self._change.act(msgspec.structs.replace(self._house, acknowledge=made))

    async def _prepare(self) -> None:
        self._house.data.mkdir(parents=True)
        await self._place.clear()
        if not self._change.is_first:
            await found(self._house)
        await self._change.prepare(self._house)
        if not self._change.is_first:
            async with following(self._house):
                pass  # an origin has its own copy from now on

    async def _learn(self) -> Known:
        served = -1 if self._change.is_first else await served_revision(self._house, None)
        async with self._house.control() as control:
            await control.sync()
            before, _ = await inspect(control)
        await self._change.act(self._house)
        async with self._house.control() as control:
            after, _ = await inspect(control)
        assert (before == after) == self._change.leaves_ledger, "the change is not one"
        return Known(before, after, served)

    async def _look(self, acknowledged: bool, restarts: bool) -> list[str]:
        await self._place.settle()
        return await look(self._house, self._change, self._known, acknowledged=acknowledged, restarts=restarts)


def sweep_all(folder: Path, database: str, kind: str, names: Sequence[str]) -> dict[str, object]:
    """Break off these changes, or all of them; what was found."""
    results: dict[str, object] = {}
    with postgres_server(int(free_port()), is_durable=True) if kind == "server" else nullcontext() as server:
        if server is not None:
            database = server.new_database()
        tempfile.tempdir = str(folder)  # for what smoke tests leave that are killed
        for change in CHANGES:
            if not names or change.name in names:
                data = folder / kind / change.name.replace(" ", "-") / "data"
                house = House(data, database if "://" in database else str(data / "control.db"))
                sweep = Sweep(house, change, server)
                sweep.run(kind)
                results[change.name] = {"steps": sweep.steps, "faults": sweep.faults}
    return results


def main(folder: Path, database: str, kind: str, *names: str) -> None:
    """Print what was found."""
    gc.freeze()  # what was loaded stays the same memory in all children
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(sys.stderr))
    sys.stdout.write(json.dumps(sweep_all(folder, database, kind, names)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
