"""The sealed routing table as a file that origins on this machine read."""

import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread

from bundles.adapters.files import write_atomically
from bundles.core.errors import Failed

FILE_NAME = "routing.json"


class DiskSnapshots:
    """One file in a folder, replaced as a whole; writers of all processes take turns by a lock file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / FILE_NAME

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Keeps every other writer out, on this machine and in other processes."""
        descriptor = await anyio.to_thread.run_sync(self._lock)
        try:
            yield
        finally:
            os.close(descriptor)

    async def read(self) -> bytes | None:
        """The sealed snapshot, or None before the first."""
        try:
            return await anyio.to_thread.run_sync(self._file.read_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Failed(f"can't read the snapshot {self._file}: {error.strerror}") from None

    async def replace(self, sealed: bytes) -> None:
        """Put a new snapshot in place of the old one, durably."""
        await anyio.to_thread.run_sync(write_atomically, self._file, sealed)

    def _lock(self) -> int:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise Failed(f"can't write in {self._folder}: {error.strerror}") from None
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor
