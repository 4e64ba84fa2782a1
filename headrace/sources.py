"""What reading verbs read, in one data folder and its databases; each part is opened once it is needed."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from beacons.ports import ErrorGroups, SourceMap
from bundles.attestations import Builders
from bundles.core.trust import TrustedKeys
from bundles.ports import Store
from headrace import wiring
from release.adapters.system_clock import SystemClock
from release.core.routing import RoutingTable
from release.ports import Clock, Ledger, SnapshotStore
from release.served_table import ServedTable


@dataclass(frozen=True)
class FolderSources:
    """The data folder's own, but for what these databases have."""

    data: Path
    database: str | None
    health_database: str | None = None
    clock: Clock = field(default_factory=SystemClock)
    served: ServedTable = field(default_factory=ServedTable)

    @property
    def has_ledger(self) -> bool:
        """False where to open it would begin an empty one."""
        return wiring.has_ledger(self.data, self.database)

    def ledger(self) -> AbstractAsyncContextManager[Ledger]:
        """The control database."""
        return wiring.ledger(self.data, self.database)

    async def table(self) -> RoutingTable | None:
        """As the snapshot has it that is there now."""
        async with self.snapshots() as snapshots:
            return await self.served.read(snapshots, self.trusted())

    def snapshots(self) -> AbstractAsyncContextManager[SnapshotStore]:
        """In the data folder or in PostgreSQL."""
        return wiring.snapshot_store(self.data, self.database)

    def builds(self) -> AbstractAsyncContextManager[Store]:
        """On disk or in S3."""
        return wiring.store(self.data)

    def trusted(self, *, may_lack: bool = False) -> TrustedKeys:
        """The public keys alone: no key that signs is made or read."""
        return wiring.keys(self.data).trusted_keys() if may_lack else wiring.trusted_keys(self.data)

    def builders(self) -> Builders:
        """Those that the data folder names."""
        return wiring.builders(self.data)

    @asynccontextmanager
    async def errors(self) -> AsyncIterator[ErrorGroups]:
        """In the health database."""
        from headrace.health_wiring import health_store  # one verb needs it, and it is slow to load

        async with health_store(self.data, self.health_database) as health:
            yield health.errors

    def open_source_map(self, script: bytes, source_map: bytes) -> SourceMap:
        """As `health_wiring` reads them."""
        from headrace.health_wiring import open_source_map

        return open_source_map(script, source_map)
