"""What the origin needs beside a `BuildReader`: snapshots to follow, and a place to keep the last one."""

from collections.abc import AsyncIterator
from typing import Protocol


class SnapshotFeed(Protocol):
    """Where the control plane puts the sealed routing table."""

    async def read(self) -> bytes | None:
        """The snapshot as it is now; None where there is none or it can't be read."""
        ...

    def changes(self) -> AsyncIterator[None]:
        """Yields after each change of the snapshot since it was last yielded or, at first, since the call."""
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
