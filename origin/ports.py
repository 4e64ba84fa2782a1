"""What the origin needs: builds, documents to follow, and places for copies of its own."""

from collections.abc import AsyncIterator, Collection
from typing import Protocol

from bundles.core.digest import Digest
from bundles.core.names import Product
from bundles.core.span import Span
from bundles.core.version import Version
from release.core.routing import RoutingTable


class NotKept(Exception):
    """The origin's own disk does not work."""


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
    """Where a document is that changes: the sealed routing table, the edge's secrets."""

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


class KeptSnapshot(Protocol):
    """The origin's own copy of the last snapshot that it verified."""

    async def read(self) -> bytes | None:
        """The copy; None before the first."""
        ...

    async def write(self, sealed: bytes) -> None:
        """Keep this one instead. Raises `Failed`."""
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
