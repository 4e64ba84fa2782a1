"""What the origin needs: builds, documents to follow, and places for copies of its own."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bundles.core.digest import Digest
from bundles.core.errors import Failed
from bundles.core.names import Product
from bundles.core.span import Span
from bundles.core.version import Version
from release.core.routing import RoutingTable
from release.core.snapshot import ShardRef


class NotKept(Exception):
    """The origin's own disk does not work."""


class Away(Failed):
    """What a feed is read from can't be asked now. The feed tells it itself, and is asked again."""


class Builds(Protocol):
    """What is served. Raises `Failed` where neither the store nor a copy gives it."""

    async def read_manifest(self, product: Product, version: Version) -> bytes | None:
        """The sealed manifest, or None when there is no such build."""
        ...

    def read_blob(self, digest: Digest, span: Span | None = None) -> AsyncIterator[bytes]:
        """The blob, or that span of it, in chunks. Raises `BlobMissing`."""
        ...


class Copies(Protocol):
    """The origin's own copies of what it read from the store, by digest. Bounded: any may be gone at any time."""

    async def use(self, name: Digest) -> bool:
        """True where there is such a copy, which from now on is the one used last."""
        ...

    def read(self, name: Digest, span: Span | None = None) -> AsyncIterator[bytes]:
        """The copy, or that span of it, in chunks. Raises `BlobMissing`. Who reads it checks it: disks forget."""
        ...

    async def keep(self, name: Digest, chunks: AsyncIterator[bytes]) -> None:
        """Make the copy, or leave no trace where the chunks end in an error. Raises `NotKept`."""
        ...


class Feed(Protocol):
    """Where a document is that changes: the snapshot's sealed root, the edge's secrets."""

    async def read(self) -> bytes | None:
        """The document as it is now; None where there is none or it can't be read."""
        ...

    def changes(self) -> AsyncIterator[None]:
        """Yields after each change since the last one that was yielded or, at first, since the call."""
        ...


class TableInForce(Protocol):
    """Knows the routing table to answer by."""

    @property
    def table(self) -> RoutingTable | None:
        """The table; None before the first."""
        ...


class Shards(Protocol):
    """Where the shards are that a snapshot's root names."""

    async def read_shards(self, refs: Iterable[ShardRef]) -> Mapping[Digest, bytes]:
        """The shards' bytes, unchecked. Raises `Away`, or `Failed` for one that is missing or of another size."""
        ...


class KeptSnapshot(Shards, Protocol):
    """The origin's own copy of the last snapshot that it verified. All methods raise `Failed`."""

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """Keeps every other worker from writing it."""
        ...

    async def read(self) -> bytes | None:
        """The sealed root; None before the first."""
        ...

    async def lacks(self, refs: Iterable[ShardRef], *, thorough: bool) -> Collection[Digest]:
        """Those of the shards that are missing or cut; where it is to be thorough, also those with other bytes."""
        ...

    async def replace(self, sealed: bytes, new: Mapping[Digest, bytes], dropped: Collection[Digest]) -> None:
        """Put the new shards there and then, in place of the old one, the root that names them."""
        ...

    async def sweep(self, named: Collection[Digest]) -> None:
        """Remove all shards but these and those dropped within the last hour."""
        ...


class Clock(Protocol):
    """What time it is."""

    def now(self) -> int:
        """Whole seconds since the Unix epoch."""
        ...


class Tree(Protocol):
    """Where an export is written: bodies as files, and one list of them all. Raises `Failed`."""

    async def holds(self, file: str, digest: Digest) -> bool:
        """True where the file is there with the bytes of this digest."""
        ...

    async def write(self, file: str, body: bytes) -> None:
        """Put the file there, durably and in one step."""
        ...

    async def finish(self, document: bytes, files: Collection[str]) -> None:
        """Replace the list in one step, then take all files but these away."""
        ...
