"""What there is in a simulation, and what always holds in it."""

import heapq
import shutil
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from itertools import count
from itertools import product as pairs
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundles.adapters.disk_store import DiskStore
from bundles.core.digest import digest_of
from bundles.core.trust import KeyRing, TrustedKey
from release.adapters.sql_ledger import SqlLedger
from release.adapters.sql_schema import CONTROL
from release.adapters.sqlite_database import open_sqlite
from release.advance import advance
from release.change import Control
from release.core.commands import Promote
from release.core.routing import RoutingTable
from release.core.snapshot import open_root
from release.trail import check_trail
from tests.release.model import driver
from tests.release.model.plans import Asked
from tests.release.model.requested import Who
from tests.system.simulation.engineers import any_request
from tests.system.simulation.network import Parcel, spoiled
from tests.system.simulation.origin import Origin
from tests.system.simulation.parts import Disk, SkewedClock, SteppedLedger
from tests.system.simulation.plain import state_of
from tests.system.simulation.trace import Trace
from tests.system.simulation.turns import Turns

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
TRUSTED = KeyRing(TrustedKey(KEY.public_key()))
BEGIN = int(datetime(2027, 1, 4, 9, tzinfo=UTC).timestamp())
BUILDS = {"sdk": {f"1.{minor}.0": BEGIN - 86_400 for minor in range(4)}}
WATCHED = tuple(pairs(["sdk"], ["stable", "next"], ["acme", "zeta", "t1", "t2", "t3"], ["production", "staging"]))
CONTROLLER = "controller"
"""So is the actor named that is killed with its process."""


class Ground:
    """A control plane, origins, and the network between them. Made for one run."""

    def __init__(self, seed: int, template: Path, folder: Path) -> None:
        self.chance = Random(seed)
        self.trace = Trace()
        self.trace.now = BEGIN
        self.turns = Turns(self.chance, self.trace)
        self._folder = folder
        shutil.copy(template / "control.db", folder / "control.db")
        self._builds = DiskStore(template / "store")
        self._stack = AsyncExitStack()
        self.snapshots = Disk(self.turns, self.time)
        self.clock = SkewedClock(self.time, self.chance.choice([0, 0, -300, 7200]))
        self.history: dict[int, RoutingTable] = {}
        self.origins = [
            Origin(f"origin-{n}", self.turns, self.time, self.chance.choice([0, -90_000, 40]), TRUSTED)
            for n in range(self.chance.randint(2, 3))
        ]
        self._events: list[tuple[int, int, Callable[[], Coroutine[Any, Any, None]]]] = []
        self._numbers = count()
        self._sent: bytes | None = None
        self._order = (0, 0)
        self._acknowledged = 0
        self._hurry = self.chance.choice([0.8, 0.95, 0.99])
        self.calm = False

    def time(self) -> int:
        """The true time."""
        return self.trace.now

    def _at(self, seconds: int, event: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """So many seconds from now."""
        heapq.heappush(self._events, (self.time() + seconds, next(self._numbers), event))

    async def _until(self, end: int) -> None:
        """Turns and events, one by one. Work takes no time, but others come between."""
        while self.turns.are_any or (self._events and self._events[0][0] <= end):
            is_due = bool(self._events) and self._events[0][0] <= end
            if self.turns.are_any and (not is_due or self.chance.random() < self._hurry):
                await self.turns.take()
            else:
                self.trace.now, _, event = heapq.heappop(self._events)
                await event()
            self._check()
        self.trace.now = end

    async def _open(self) -> None:
        database = await self._stack.enter_async_context(open_sqlite(self._folder / "control.db", CONTROL))
        self.ledger = SteppedLedger(self.turns, SqlLedger(database), self.history)
        self.control = Control(
            ledger=self.ledger,
            snapshots=self.snapshots,
            builds=self._builds,
            clock=self.clock,
            signing_key=KEY,
            trusted=TRUSTED,
        )

    async def _ask(self) -> None:
        """A release engineer asks for a change."""
        actor = f"engineer-{next(self._numbers)}"
        what, request = any_request(self.control, self.chance, self.clock.now())
        self.trace.add(actor, "asks for", what)

        async def ask() -> str:
            await request()
            self._acknowledged += 1
            return "done"

        self.turns.begin(actor, ask())

    async def _release(self) -> None:
        """A first build, for everyone."""

        async def release() -> str:
            who = Who("sam")
            await driver.start(self.control, who, "sdk", "stable", "1.0.0", Asked("100"), "first")
            self._acknowledged += 1
            await driver.command(self.control, who, "sdk", "stable", Promote())
            self._acknowledged += 1
            return "done"

        self.turns.begin("engineer-first", release())

    async def _tick(self) -> None:
        """The controller looks, all the time."""
        self._at(20 if self.calm else self.chance.randint(60, 600), self._tick)
        if not self.turns.is_busy(CONTROLLER):
            self.turns.begin(CONTROLLER, self._advance())

    async def _advance(self) -> str:
        steps = len(await advance(self.control))
        self._acknowledged += steps
        return f"took {steps} steps"

    async def _look(self, origin: Origin) -> None:
        self._at(5 if self.calm else self.chance.randint(20, 300), partial(self._look, origin))
        if not self.turns.is_busy(origin.name):
            self.turns.begin(origin.name, origin.look())

    def _send(self) -> None:
        """A new root is sent to each origin, and something may happen to it on its way."""
        root = self._sent = self.snapshots.root
        assert root is not None
        order = open_root(root, TRUSTED).order
        assert order >= self._order, f"the snapshot went back from {self._order} to {order}"
        self._order = order
        self.trace.add("world", "sends", digest_of(root))
        parcel = Parcel(root, dict(self.snapshots.shards))
        for origin in self.origins:
            for _ in range(self.chance.choice([0, 1, 1, 1, 2])):
                sent = spoiled(parcel, self.chance) if self.chance.random() < 0.2 else parcel
                self._at(self.chance.choice([0, 1, 5, 60, 900]), partial(self._arrive, origin, sent))

    async def _arrive(self, origin: Origin, parcel: Parcel) -> None:
        self.trace.add(origin.name, "is sent", digest_of(parcel.root))
        origin.mirror.arrive(parcel)

    def _check(self) -> None:
        if self.turns.fault is not None:
            raise self.turns.fault
        if self.snapshots.root is not None and self.snapshots.root != self._sent and not self.calm:
            self._send()
        for origin in self.origins:
            table = origin.adopted()
            if table is not None:
                self._check_adopted(origin, table)

    def _check_adopted(self, origin: Origin, table: RoutingTable) -> None:
        """It is a table that there was, not older than the one before; each watched tenant gets what it said."""
        self.trace.add(origin.name, "adopts", table.revision, table.audit_head)
        assert table.revision >= origin.floor, f"{origin.name} went back from {origin.floor} to {table.revision}"
        origin.floor = table.revision
        if table.revision == 0:
            return
        assert table.revision in self.history, f"{origin.name} adopted {table.revision}, which never was"
        assert table.audit_head == self.history[table.revision].audit_head
        state, now = state_of(self.history[table.revision]), origin.clock.now()
        for watched in WATCHED:
            assert driver.answer(table, *watched, now) == state.resolve(*watched, now), (origin.name, watched)

    async def _finish(self, due: int) -> None:
        """Nothing that was committed is lost, and every origin has it, at the least up to what is due."""
        newest = max(self.history, default=0)
        assert newest >= self._acknowledged
        async with self.ledger.inner.reading() as reading:
            assert await reading.revision() == newest
            assert await check_trail(reading, {}) == ()
        for origin in self.origins:
            assert origin.revision >= due, f"{origin.name} is at {origin.revision}, not at {due}"
