"""The routing table in force: the newest snapshot that verified. It never goes back, and survives restarts."""

from collections.abc import Callable

import structlog

from bundles.core.envelope import unseal
from bundles.core.errors import Failed
from bundles.core.trust import TrustedKeys
from origin import metrics
from origin.ports import Feed, KeptSnapshot
from release.core.routing import RoutingTable
from release.core.snapshot import PAYLOAD_TYPE, decode_table

_log = structlog.get_logger()


class Routing:
    """Follows a feed of snapshots. What does not verify, or is older, changes nothing and is logged."""

    def __init__(self, feed: Feed, kept: KeptSnapshot, trusted: TrustedKeys, adopted: Callable[[], None]) -> None:
        """`adopted` is called after each change of the table."""
        self._feed = feed
        self._kept = kept
        self._trusted = trusted
        self._adopted = adopted
        self._sealed: bytes | None = None
        self.table: RoutingTable | None = None

    async def start(self) -> None:
        """Take the newer of the origin's own copy and the feed's snapshot."""
        await self._take(self._kept)
        await self.refresh()

    async def follow(self) -> None:
        """Take each new snapshot, until cancelled."""
        async for _ in self._feed.changes():
            await self.refresh()

    async def refresh(self) -> None:
        """Look at the feed once."""
        taken = await self._take(self._feed)
        if taken is not None:
            await self._keep(taken)

    async def _take(self, source: Feed | KeptSnapshot) -> bytes | None:
        """Its snapshot, if that is in force from now on. Whatever goes wrong is logged, and the table stays."""
        try:
            sealed = await source.read()
            if sealed is not None and sealed != self._sealed and self._adopt(sealed):
                return sealed
        except Failed as error:
            self._refuse(str(error))
        except Exception:  # noqa: BLE001 - no snapshot may ever end the origin
            metrics.snapshots_refused.inc()
            _log.exception("snapshot not taken", revision_in_force=self._revision())
        return None

    def _adopt(self, sealed: bytes) -> bool:
        """True for what is to be kept: a newer table, or the one in force under other signatures."""
        table = decode_table(unseal(PAYLOAD_TYPE, sealed, self._trusted, "the snapshot"))
        if self.table is not None and table.revision < self.table.revision:
            self._refuse(f"its revision {table.revision} is older than the one in force")
            return False
        if self.table is None or table.revision > self.table.revision:
            self.table = table
            metrics.snapshot_revision.set(table.revision)
            metrics.snapshot_adopted.set_to_current_time()
            self._adopted()
            _log.info("snapshot adopted", revision=table.revision)
        elif table != self.table:
            return False
        self._sealed = sealed
        return True

    def _refuse(self, why: str) -> None:
        metrics.snapshots_refused.inc()
        _log.error("snapshot refused", why=why, revision_in_force=self._revision())

    async def _keep(self, sealed: bytes) -> None:
        try:
            await self._kept.write(sealed)
        except Failed as error:
            _log.error("snapshot not kept", why=str(error))

    def _revision(self) -> int | None:
        return None if self.table is None else self.table.revision
