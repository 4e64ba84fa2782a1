"""A file on this machine, followed by the kernel's notices with polling under them."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.to_thread
import structlog
from watchfiles import awatch

from bundles.adapters.files import read_at_most

_log = structlog.get_logger()

POLL_MS = 1_000
_DEBOUNCE_MS = 20
_STEP_MS = 5


class FollowedFile:
    """One file that is replaced as a whole, of so many bytes at most."""

    def __init__(self, file: Path, max_bytes: int) -> None:
        self._file = file
        self._max_bytes = max_bytes

    async def read(self) -> bytes | None:
        """The file's bytes; None where it is not there or can't be read, which is logged.

        Raises `Failed` for a file that is too large: it is not read.
        """
        try:
            return await anyio.to_thread.run_sync(read_at_most, self._file, self._max_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.error("file unreadable", file=str(self._file), why=error.strerror)
            return None

    async def changes(self) -> AsyncIterator[None]:
        """Yields after each change of the file. A notice that gets lost is made good within a second."""
        seen = None
        async for _ in self._ticks():
            found = self._signature()
            if found != seen:
                seen = found
                yield

    async def _ticks(self) -> AsyncIterator[None]:
        """Yields at each notice about the folder, and each second without one."""
        while True:
            try:
                async for _ in awatch(
                    self._file.parent,
                    debounce=_DEBOUNCE_MS,
                    step=_STEP_MS,
                    rust_timeout=POLL_MS,
                    yield_on_timeout=True,
                    recursive=False,
                    watch_filter=None,
                ):
                    yield
            except OSError as error:
                _log.warning("folder unwatched", folder=str(self._file.parent), why=str(error))
            await anyio.sleep(POLL_MS / 1000)
            yield

    def _signature(self) -> tuple[int, int, int] | None:
        """What differs between one file and the one that replaced it; None where there is none."""
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size
