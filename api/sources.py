"""What reading operations read, where it comes from, and nothing that could change it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import anyio
import msgspec

from beacons.ports import ErrorGroups, OpenSourceMap, SourceMap
from bundles.attestations import Builders
from bundles.core.errors import Failed
from bundles.core.trust import TrustedKeys
from bundles.ports import Store
from release.change import Control
from release.core.routing import RoutingTable
from release.ports import Clock, Ledger, SnapshotStore
from release.served_table import ServedTable


class Sources(Protocol):
    """Opens each part once it is needed.

    Who may read one of them need not have the others, nor a key that signs.
    """

    @property
    def clock(self) -> Clock:
        """What time it is."""
        ...

    @property
    def has_ledger(self) -> bool:
        """False where there is no control database to read."""
        ...

    def ledger(self) -> AbstractAsyncContextManager[Ledger]:
        """The control plane's state. Raises `Failed` where it can't be read."""
        ...

    async def table(self) -> RoutingTable | None:
        """The routing table that origins serve by; None before the first.

        Raises `Failed` for a damaged snapshot.
        """
        ...

    def snapshots(self) -> AbstractAsyncContextManager[SnapshotStore]:
        """What origins serve by."""
        ...

    def builds(self) -> AbstractAsyncContextManager[Store]:
        """The builds."""
        ...

    def trusted(self, *, may_lack: bool = False) -> TrustedKeys:
        """The public keys. Raises `Failed` where there are none, unless they may be lacking."""
        ...

    def builders(self) -> Builders:
        """Whose attestations are believed."""
        ...

    def errors(self) -> AbstractAsyncContextManager[ErrorGroups]:
        """What pages have reported of errors. Raises `Failed` where that can't be read."""
        ...

    def open_source_map(self, script: bytes, source_map: bytes) -> SourceMap:
        """As `OpenSourceMap`."""
        ...


class Reports(msgspec.Struct, frozen=True):
    """What SDKs have reported, and what reads it in the sources."""

    errors: ErrorGroups
    open_source_map: OpenSourceMap


class OpenedSources:
    """What a control plane has open already, for who asks again and again, as a server."""

    def __init__(
        self, control: Control, reports: Reports | None = None, builders: Callable[[], Builders] | None = None
    ) -> None:
        self._control = control
        self._reports = reports
        self._builders = builders
        self.clock = control.clock
        self.has_ledger = True
        self._served = ServedTable()
        self._turn = anyio.Lock()

    @asynccontextmanager
    async def ledger(self) -> AsyncIterator[Ledger]:
        """The control plane's."""
        yield self._control.ledger

    async def table(self) -> RoutingTable | None:
        """As the snapshot has it that is there now."""
        return await self._served.read(self._control.snapshots, self._control.trusted)

    @asynccontextmanager
    async def snapshots(self) -> AsyncIterator[SnapshotStore]:
        """The control plane's."""
        yield self._control.snapshots

    @asynccontextmanager
    async def builds(self) -> AsyncIterator[Store]:
        """The control plane's."""
        yield self._control.builds

    def trusted(self, *, may_lack: bool = False) -> TrustedKeys:  # noqa: ARG002
        """The control plane's, which signs: so there are some."""
        return self._control.trusted

    def builders(self) -> Builders:
        """Those that were named."""
        if self._builders is None:
            raise Failed("it is not known here whose attestations are believed")
        return self._builders()

    @asynccontextmanager
    async def errors(self) -> AsyncIterator[ErrorGroups]:
        """Those of the reports, for one at a time: an open source map takes some hundred megabytes."""
        async with self._turn:
            yield self._known().errors

    def open_source_map(self, script: bytes, source_map: bytes) -> SourceMap:
        """As the reports have it."""
        return self._known().open_source_map(script, source_map)

    def _known(self) -> Reports:
        if self._reports is None:
            raise Failed("no health database is read here: errors are not known")
        return self._reports
