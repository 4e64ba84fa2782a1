"""What the origin needs beside a `BuildReader`: documents to follow, and a place to keep the last snapshot."""

from collections.abc import AsyncIterator
from typing import Protocol


class Feed(Protocol):
    """Where a document is that changes: the sealed routing table, the edge's secrets."""

    async def read(self) -> bytes | None:
        """The document as it is now; None where there is none or it can't be read."""
        ...

    def changes(self) -> AsyncIterator[None]:
        """Yields after each change since the last one that was yielded or, at first, since the call."""
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
