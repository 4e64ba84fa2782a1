"""Controllers and origins as on machines of their own, with one database and one store for all."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from tests.support.cli import succeed
from tests.support.load import ask
from tests.support.processes import Origin, Process

PATIENCE_SECONDS = 60

P = TypeVar("P", bound=Process)


class Nodes:
    """Processes that are stopped at the end, each of them cleanly unless it was killed."""

    def __init__(self, data: Path, database: str) -> None:
        """`data` has the keys and the store."""
        self._data = data
        self.database = database
        self.processes: list[Process] = []

    def machine(self, name: str, *, signs: bool) -> Path:
        """A data folder with the public keys, the store and, if it signs, the private key."""
        folder = self._data.parent / name
        if not folder.exists():
            shutil.copytree(self._data / "keys", folder / "keys")
            (folder / "store").symlink_to(self._data / "store")
            if not signs:
                (folder / "keys" / "signing.pem").unlink()
        return folder

    def controller(self, name: str) -> Process:
        """A controller that is running."""
        folder = self.machine(name, signs=True)
        process = Process(folder, "controller", "--interval", "0.1", "--database", self.database)
        self.processes.append(process)
        process.wait_for("controller running")
        return process

    def origin(self, name: str) -> Origin:
        """An origin that listens."""
        process = Origin(self.machine(name, signs=False), "--database", self.database)
        self.processes.append(process)
        return process

    def end(self, process: Process) -> None:
        """Kill it, as a crash would."""
        self.processes.remove(process)
        process.kill()
        process.stop()

    def change(self, *arguments: str) -> Any:
        """A verb of a release engineer's that must succeed."""
        return succeed(self._data, *arguments, "--database", self.database)


@asynccontextmanager
async def nodes(data: Path, database: str) -> AsyncIterator[Nodes]:
    """No nodes yet; those that are started end with it."""
    made = Nodes(data, database)
    try:
        yield made
    finally:
        codes = [await in_thread(process.stop) for process in made.processes]
    assert not any(codes), codes


in_thread = anyio.to_thread.run_sync


async def started(start: Callable[[str], P], *names: str) -> list[P]:
    """Nodes of these names, started side by side."""
    found: dict[str, P] = {}

    async def start_one(name: str) -> None:
        found[name] = await in_thread(start, name)

    async with anyio.create_task_group() as group:
        for name in names:
            group.start_soon(start_one, name)
    return [found[name] for name in names]


async def version_at(origin: Origin, tenant: str = "acme") -> str:
    """Which build an origin gives a tenant."""
    reply = await ask(f"{origin.url}/t/{tenant}/sdk.json")
    assert reply.status == 200, reply
    return reply.body.decode().partition('"version":"')[2].partition('"')[0]


async def wait_until_all_serve(origins: list[Origin], version: str, tenant: str = "acme") -> None:
    """Return once every one of them gives the tenant this build."""
    with anyio.fail_after(PATIENCE_SECONDS):
        for each in origins:
            while await version_at(each, tenant) != version:
                await anyio.sleep(0.02)
