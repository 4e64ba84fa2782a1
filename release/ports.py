"""What the control plane needs from outside: a ledger of its state, a place for snapshots, and a clock."""

from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Generic, Protocol, TypeVar

import msgspec

from bundles.core.names import Product
from bundles.core.version import Version
from release.core.names import Channel
from release.core.routing import Block, ChannelState, Pin, PinKey, RoutingTable


class Change(msgspec.Struct, frozen=True):
    """What an auditor reads of one change. `at` is in seconds since the epoch; `subject` is what was changed."""

    at: int
    actor: str
    verb: str
    product: Product
    subject: str
    reason: str


T = TypeVar("T")


class Kind(msgspec.Struct, Generic[T], frozen=True):
    """A kind of named document that the ledger keeps for the control plane, beside what has tables of its own."""

    name: str
    type: type[T]


class Transaction(Protocol):
    """One change, alone: nobody else reads or writes between its first read and its end."""

    async def revision(self) -> int:
        """The routing table's present revision; 0 before the first change."""
        ...

    async def channel(self, product: Product, name: Channel) -> ChannelState | None:
        """A channel's state."""
        ...

    async def save_channel(self, product: Product, name: Channel, state: ChannelState) -> None:
        """Write a channel's state, new or known."""
        ...

    async def pin(self, product: Product, key: PinKey) -> Pin | None:
        """A tenant's pin."""
        ...

    async def pins(self, product: Product) -> Mapping[str, Pin]:
        """The product's pins, by `tenant~environment`."""
        ...

    async def save_pin(self, product: Product, key: PinKey, pin: Pin | None) -> None:
        """Write a tenant's pin; None takes it away."""
        ...

    async def blocks(self, product: Product) -> Mapping[Version, Block]:
        """The product's blocked builds."""
        ...

    async def save_block(self, product: Product, version: Version, block: Block | None) -> None:
        """Write a build's block; None takes it away."""
        ...

    async def retired(self, product: Product) -> frozenset[Version]:
        """The product's retired builds."""
        ...

    async def add_retired(self, product: Product, versions: Collection[Version]) -> None:
        """Retire builds, at least one and none of them retired already, for ever."""
        ...

    async def channels(self, product: Product) -> Mapping[Channel, ChannelState]:
        """All the product's channels."""
        ...

    async def document(self, kind: Kind[T], name: str) -> T | None:
        """A document by its name."""
        ...

    async def save_document(self, kind: Kind[T], name: str, document: T | None) -> None:
        """Write a document, new or known; None takes it away."""
        ...

    async def record(self, change: Change) -> int:
        """Write the audit row and the next revision, which is returned. Once in a transaction, at its end."""
        ...


class Ledger(Protocol):
    """The durable state of the control plane. Failing surroundings raise `Failed`."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Everything in it is committed at its end, or, where it raises, nothing."""
        ...

    async def table(self) -> RoutingTable:
        """The whole routing table, at one revision."""
        ...


class SnapshotStore(Protocol):
    """Where the sealed routing table is put for origins to read."""

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """Keeps every other writer out, on this machine and in other processes."""
        ...

    async def read(self) -> bytes | None:
        """The sealed snapshot, or None before the first."""
        ...

    async def replace(self, sealed: bytes) -> None:
        """Put a new snapshot in place of the old one, durably; a reader sees the one or the other."""
        ...


class Clock(Protocol):
    """What time it is."""

    def now(self) -> int:
        """Whole seconds since the Unix epoch."""
        ...
