"""Simulated disks and clocks, and the real ledger with a gate before each of its steps."""

import inspect
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Failed
from release.adapters.disk_snapshots import DROPPED_STAY_SECONDS
from release.core.routing import RoutingTable
from release.core.snapshot import ShardRef
from release.ports import Ledger
from tests.system.simulation.turns import Turns


@dataclass
class SkewedClock:
    """A machine's clock: the world's time, and how far it is off."""

    time: Callable[[], int]
    skew: int = 0

    def now(self) -> int:
        """Whole seconds since the Unix epoch."""
        return self.time() + self.skew


@dataclass
class Disk:
    """A snapshot's folder. What was written is there after a crash; each file is written as a whole or not at all.

    While it is `full`, nothing can be written. `time` is that of its own machine.
    """

    turns: Turns
    time: Callable[[], int]
    root: bytes | None = None
    shards: dict[Digest, bytes] = field(default_factory=dict)
    marked: dict[Digest, int] = field(default_factory=dict)
    full: bool = False
    locked: bool = False

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Keeps every other writer out."""
        await self.turns.gate("locks snapshots", lambda: not self.locked)
        self.locked = True
        try:
            yield
        finally:
            self.locked = False

    async def read(self) -> bytes | None:
        """The sealed root."""
        await self.turns.gate("reads the root")
        return self.root

    async def read_shards(self, refs: Iterable[ShardRef]) -> Mapping[Digest, bytes]:
        """The shards' bytes, not yet checked."""
        found = {}
        for ref in sorted(refs, key=lambda ref: ref.digest):
            await self.turns.gate("reads a shard")
            body = self.shards.get(ref.digest)
            if body is None or len(body) != ref.size:
                raise Failed("the shard is missing or cut")
            found[ref.digest] = body
        return found

    async def lacks(self, refs: Iterable[ShardRef], *, thorough: bool) -> Collection[Digest]:
        """Those of the shards that are missing or cut, or have other bytes."""
        await self.turns.gate("looks for shards")
        return {ref.digest for ref in refs if not self.holds(ref, thorough=thorough)}

    async def replace(self, sealed: bytes, new: Mapping[Digest, bytes], dropped: Collection[Digest]) -> None:
        """Shards first, then the root; whoever is killed between leaves what there was."""
        for digest in sorted(new):
            await self._write("writes a shard")
            self.shards[digest], self.marked[digest] = new[digest], self.time()
        for digest in sorted(dropped):
            await self._write("marks a shard")
            self.marked[digest] = self.time()
        await self._write("writes the root")
        self.root = sealed

    async def sweep(self, named: Collection[Digest]) -> None:
        """Remove all shards but these and those dropped within the last hour."""
        await self.turns.gate("sweeps shards")
        for digest in self.shards.keys() - set(named):
            if self.time() - self.marked[digest] > DROPPED_STAY_SECONDS:
                del self.shards[digest]

    async def _write(self, step: str) -> None:
        await self.turns.gate(step)
        if self.full:
            raise Failed("the disk is full")

    def holds(self, ref: ShardRef, *, thorough: bool) -> bool:
        """True where the shard is there, whole; where it is to be thorough, with the bytes that it should have."""
        body = self.shards.get(ref.digest)
        return body is not None and len(body) == ref.size and (not thorough or digest_of(body) == ref.digest)


class Stepped:
    """Anything with asynchronous methods, each of which waits for its turn."""

    def __init__(self, inner: Any, turns: Turns) -> None:
        self._inner = inner
        self._turns = turns

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(method):
            return method

        async def stepped(*arguments: Any, **options: Any) -> Any:
            await self._turns.gate(name)
            return await method(*arguments, **options)

        return stepped


@dataclass
class SteppedLedger:
    """The real ledger. Of each revision that is committed, `history` has the routing table as it was left.

    `busy` is true within a transaction: the database's lock is held in the simulation's time, not in ours.
    """

    turns: Turns
    inner: Ledger
    history: dict[int, RoutingTable]
    busy: bool = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """One change; it may be killed before each of its statements, its commit, and what follows."""
        await self.turns.gate("begins a transaction", lambda: not self.busy)
        self.busy = True
        try:
            async with self.inner.transaction() as transaction:
                yield Stepped(transaction, self.turns)
                revision = await transaction.revision()
                table = self.history.get(revision) or await transaction.table()
                await self.turns.gate("commits")
            self.history[revision] = table
        finally:
            self.busy = False
        await self.turns.gate("has committed")

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        """A look at the content."""
        await self.turns.gate("begins to read")
        async with self.inner.reading() as reading:
            yield Stepped(reading, self.turns)

    async def table(self) -> RoutingTable:
        """The whole routing table."""
        await self.turns.gate("reads the table")
        return await self.inner.table()
