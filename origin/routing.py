"""The routing table in force: the newest snapshot that verified. It never goes back, and survives restarts."""

from collections.abc import Callable

import anyio
import anyio.to_thread
import structlog

from bundles.core.envelope import signers
from bundles.core.errors import Failed
from bundles.core.trust import TrustedKeys
from origin import metrics
from origin.keep_snapshot import keep_snapshot
from origin.ports import Away, Clock, Feed, KeptSnapshot, Shards
from release.core.routing import RoutingTable
from release.core.snapshot import PAYLOAD_TYPE, Loaded, Root, load, open_root, unloaded

LOOK_SECONDS = 5
"""How often the feed is looked at without a notice: a key may be trusted now, a missing shard be there."""

_log = structlog.get_logger()


class Routing:
    """Follows a feed of snapshots. What does not verify, or is older, changes nothing and is logged.

    A snapshot that has expired is served by all the same: no news is no reason to stop. It is told.
    """

    def __init__(
        self,
        feed: Feed,
        shards: Shards,
        kept: KeptSnapshot,
        trusted: TrustedKeys,
        clock: Clock,
        adopted: Callable[[], None],
    ) -> None:
        """`shards` belong to the feed's roots. `adopted` is called after each change of the table."""
        self._feed = feed
        self._shards = shards
        self._kept = kept
        self._trusted = trusted
        self._clock = clock
        self._adopted = adopted
        self._turn = anyio.Lock()
        self._sealed: bytes | None = None
        self._loaded: Loaded | None = None
        self._refused: tuple[bytes | None, str] | None = None
        self._mend_kept = False
        self._is_kept = True
        self._not_kept: str | None = None
        self.is_stale = False

    @property
    def table(self) -> RoutingTable | None:
        """The table; None before the first."""
        return None if self._loaded is None else self._loaded.table

    async def start(self) -> None:
        """Take the newer of the origin's own copy and the feed's snapshot."""
        await self._take(self._kept, self._kept)
        self._mend_kept = self._refused is not None
        await self.refresh()

    async def follow(self) -> None:
        """Take each new snapshot, until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._look_again)
            async for _ in self._feed.changes():
                await self.refresh()
            group.cancel_scope.cancel()

    async def refresh(self) -> None:
        """Look at the feed once."""
        async with self._turn:
            if await self._take(self._feed, self._shards):
                self._is_kept = False
            if not self._is_kept:
                await self._keep()
            self._tell_age()

    async def _look_again(self) -> None:
        while True:
            await anyio.sleep(LOOK_SECONDS)
            await self.refresh()

    async def _take(self, source: Feed | KeptSnapshot, shards: Shards) -> bool:
        """True for what is to be kept: a newer snapshot, or the one in force under other signatures.

        Whatever goes wrong is logged, and the table stays.
        """
        sealed = None
        try:
            sealed = await source.read()
            taken = sealed is not None and sealed != self._sealed
            if sealed is not None and taken:
                await self._adopt(sealed, shards)
        except Away:
            return False
        except Failed as error:
            self._refuse(sealed, str(error))
            return False
        except Exception as error:  # noqa: BLE001 - no snapshot may ever end the origin
            self._refuse(sealed, f"{type(error).__name__}: {error}", exc_info=True)
            return False
        self._refused = None
        return taken

    async def _adopt(self, sealed: bytes, shards: Shards) -> None:
        root, before = open_root(sealed, self._trusted), self._loaded
        self._check_order(root)
        if before is None or root != before.root:
            bodies = await shards.read_shards(unloaded(root, before).values())
            self._loaded = await anyio.to_thread.run_sync(load, root, bodies, before)
            metrics.snapshot_expires.set(root.expires_at)
            if before is None or self._loaded.table is not before.table:
                metrics.snapshot_revision.set(root.revision)
                metrics.snapshot_adopted.set_to_current_time()
                self._adopted()
                _log.info("snapshot adopted", revision=root.revision)
        self._sealed = sealed

    def _check_order(self, root: Root) -> None:
        """Raise `Failed` for what is older than the snapshot in force, as long as that is believed itself.

        If its key was distrusted since, it holds nothing up: that is how one gets back from a revision that a
        thief has signed.
        """
        if self._loaded is None or self._sealed is None or root == self._loaded.root:
            return
        if root.order <= self._loaded.root.order and signers(PAYLOAD_TYPE, self._sealed, self._trusted):
            what = "revision" if root.revision < self._loaded.root.revision else "issue"
            raise Failed(
                f"its {what} {getattr(root, what)} is older than the one in force, or another of the same"
            )

    def _refuse(self, sealed: bytes | None, why: str, *, exc_info: bool = False) -> None:
        """Log it, once for as long as it stays there."""
        if self._refused != (sealed, why):
            self._refused = (sealed, why)
            metrics.snapshots_refused.inc()
            _log.error("snapshot refused", why=why, revision_in_force=self._revision(), exc_info=exc_info)

    async def _keep(self) -> None:
        """Make the snapshot in force the origin's own copy. What can't be done now is done at a later look."""
        if self._loaded is None or self._sealed is None:
            return
        try:
            await keep_snapshot(
                self._kept, self._shards, self._trusted, self._sealed, self._loaded.root, mend=self._mend_kept
            )
        except Failed as error:
            if str(error) != self._not_kept:
                self._not_kept = str(error)
                _log.error("snapshot not kept", why=str(error))
        else:
            self._mend_kept, self._is_kept, self._not_kept = False, True, None

    def _tell_age(self) -> None:
        if self._loaded is None:
            return
        is_stale = self._clock.now() >= self._loaded.root.expires_at
        if is_stale and not self.is_stale:
            _log.error("snapshot stale", revision=self._revision(), expired_at=self._loaded.root.expires_at)
        elif self.is_stale and not is_stale:
            _log.info("snapshot fresh", revision=self._revision())
        self.is_stale = is_stale

    def _revision(self) -> int | None:
        return None if self._loaded is None else self._loaded.root.revision
