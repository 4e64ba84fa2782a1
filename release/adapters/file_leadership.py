"""Leadership of one machine's controllers, by a lock on a file beside the SQLite database."""

import fcntl
import os
from pathlib import Path

from bundles.core.errors import Failed


class FileLeadership:
    """Who holds the lock leads, until the end of its process."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor: int | None = None

    async def holds(self) -> bool:
        """Whether this controller leads, from now on if nobody else does. Raises `Failed`."""
        if self._descriptor is not None:
            return True
        try:
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise Failed(f"can't write {self._file}: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def close(self) -> None:
        """Let another one lead."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
