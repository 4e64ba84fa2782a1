"""The routing table that origins serve by, for who reads it again and again."""

import anyio.to_thread

from bundles.core.trust import TrustedKeys
from bundles.flight import SingleFlight
from release.core.routing import RoutingTable
from release.core.snapshot import Loaded, load, open_root, unloaded
from release.ports import SnapshotStore


class ServedTable:
    """Each snapshot is read once, however many ask, and of it the shards that are not known yet.

    It is decoded in a thread: of a large one that takes seconds, in which others are to be answered.
    """

    def __init__(self) -> None:
        self._sealed: bytes | None = None
        self._loaded: Loaded | None = None
        self._flight: SingleFlight[bytes, Loaded] = SingleFlight()

    async def read(self, snapshots: SnapshotStore, trusted: TrustedKeys) -> RoutingTable | None:
        """The table; None before the first. Raises `Failed` for a snapshot that is damaged or not trusted."""
        sealed = await snapshots.read()
        if sealed is None:
            return None
        if self._loaded is not None and sealed == self._sealed:
            open_root(sealed, trusted)  # its key may not be trusted any more
            return self._loaded.table
        return (await self._flight.join(sealed, self._load(sealed, snapshots, trusted))).table

    async def _load(self, sealed: bytes, snapshots: SnapshotStore, trusted: TrustedKeys) -> Loaded:
        root, before = open_root(sealed, trusted), self._loaded
        bodies = await snapshots.read_shards(unloaded(root, before).values())
        loaded = await anyio.to_thread.run_sync(load, root, bodies, before)
        self._loaded, self._sealed = loaded, sealed
        return loaded
