"""What befalls a controller and its origins: all of it by one seed."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import msgspec

from bundles.core.envelope import seal
from release.core.snapshot import PAYLOAD_TYPE, encode_root, open_root
from tests.system.simulation.ground import BEGIN, CONTROLLER, TRUSTED, Ground
from tests.system.simulation.network import FORGER, Parcel, spoiled
from tests.system.simulation.origin import Origin
from tests.system.simulation.parts import Disk

TROUBLE_SECONDS = 1800
CALM_SECONDS = 45
LATEST_SECONDS = 30
"""In calm times, how long after a change every origin has it at the latest."""


class World(Ground):
    """Half an hour of trouble, then calm."""

    async def run(self) -> bytes:
        """Trouble, and then calm in which everyone comes to agree. The trace."""
        await self._open()
        try:
            self._plan()
            await self._until(BEGIN + TROUBLE_SECONDS)
            self._end_trouble()
            await self._until(BEGIN + TROUBLE_SECONDS + CALM_SECONDS - LATEST_SECONDS)
            due = max(self.history, default=0)
            await self._until(BEGIN + TROUBLE_SECONDS + CALM_SECONDS)
            await self._finish(due)
        finally:
            await self._stack.aclose()
        return self.trace.encode()

    def _plan(self) -> None:
        self._at(0, self._release)
        for _ in range(self.chance.randint(2, 4)):
            self._at(self.chance.randrange(TROUBLE_SECONDS), self._ask)
        for _ in range(self.chance.randint(2, 6)):
            self._at(self.chance.randrange(TROUBLE_SECONDS), self.chance.choice(self._troubles()))
        for place, origin in enumerate(self.origins):
            self._at(place + 1, partial(self._look, origin))
        self._at(20, self._tick)

    def _troubles(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        return [
            self._kill_controller,
            self._kill_controller,
            self._kill_origin,
            self._kill_origin,
            self._fill_disk,
            self._take_mirror_away,
            self._damage_kept,
            self._forge,
            self._set_clock,
        ]

    async def _kill_controller(self) -> None:
        """All that is under way at the control plane is killed where it is; a new process starts."""
        if not self.turns.is_busy(CONTROLLER):
            self.turns.begin(CONTROLLER, self._advance())
        await self._ask()
        await self._go_on()
        for actor in self.turns.under_way():
            if not actor.startswith("origin"):
                await self.turns.kill(actor)
        await self._stack.aclose()
        await self._open()
        self.trace.add(CONTROLLER, "starts")

    async def _kill_origin(self) -> None:
        origin = self.chance.choice(self.origins)
        if not self.turns.is_busy(origin.name):
            self.turns.begin(origin.name, origin.look())
        await self._go_on()
        await self._renew(origin)

    async def _renew(self, origin: Origin) -> None:
        if self.turns.is_busy(origin.name):
            await self.turns.kill(origin.name)
        origin.new_process()
        self.trace.add(origin.name, "starts, and has kept", origin.floor)

    async def _go_on(self) -> None:
        """Some turns, so that what comes next is in the midst of something."""
        for _ in range(self.chance.choice([0, 5, 20, 80])):
            if self.turns.are_any:
                await self.turns.take()
                self._check()

    async def _fill_disk(self) -> None:
        disk = self.chance.choice([self.snapshots, *(origin.disk for origin in self.origins)])
        disk.full = True
        self.trace.add("world", "a disk is full")
        self._at(self.chance.randint(10, 600), partial(self._empty, disk))

    async def _empty(self, disk: Disk) -> None:
        disk.full = False

    async def _take_mirror_away(self) -> None:
        origin = self.chance.choice(self.origins)
        origin.mirror.away = True
        self.trace.add("world", origin.name, "sees no feed")
        self._at(self.chance.randint(10, 900), partial(self._bring_mirror, origin))

    async def _bring_mirror(self, origin: Origin) -> None:
        origin.mirror.away = False

    async def _damage_kept(self) -> None:
        """A bit of what an origin keeps is another; it is killed, so that it has to read that."""
        origin = self.chance.choice(self.origins)
        if origin.disk.root is None:
            return
        kept = spoiled(Parcel(origin.disk.root, origin.disk.shards), self.chance)
        origin.disk.root, origin.disk.shards = kept.root, dict(kept.shards)
        self.trace.add("world", origin.name, "has a damaged copy")
        await self._renew(origin)

    async def _forge(self) -> None:
        """Somebody without the key sends a snapshot of a later revision."""
        if self.snapshots.root is None:
            return
        root = open_root(self.snapshots.root, TRUSTED)
        forged = msgspec.structs.replace(root, revision=root.revision + 1_000, audit_head="f" * 64)
        origin = self.chance.choice(self.origins)
        origin.mirror.arrive(Parcel(seal(PAYLOAD_TYPE, encode_root(forged), FORGER), {}))
        self.trace.add("world", origin.name, "is sent a forgery")

    async def _set_clock(self) -> None:
        """The control plane's clock goes on, or back."""
        self.clock.skew += self.chance.choice([-4_000, -60, 60, 90_000])
        self.trace.add("world", "the controller's clock is off by", self.clock.skew)

    def _end_trouble(self) -> None:
        self.calm = True
        self._events = []
        self._at(0, self._tick)
        self._at(1, self._mirror_all)
        for disk in (self.snapshots, *(origin.disk for origin in self.origins)):
            disk.full = False
        for origin in self.origins:
            origin.mirror.away = False
            self._at(0, partial(self._look, origin))

    async def _mirror_all(self) -> None:
        """In calm times everything is mirrored every ten seconds."""
        self._at(10, self._mirror_all)
        if self.snapshots.root is not None:
            for origin in self.origins:
                origin.mirror.arrive(Parcel(self.snapshots.root, self.snapshots.shards))
