"""The origin's own copies as files in one folder.

{name}              a copy, named by a digest
.{name}.{random}    one that is being made
"""

import os
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread
import structlog

from bundles.adapters.files import read_chunks
from bundles.core.digest import Digest
from bundles.core.span import Span
from bundles.ports import BlobMissing
from origin.ports import NotKept

_log = structlog.get_logger()

_SWEEPS = 16


class DiskCopies:
    """Files, together at most so many bytes: those used longest ago go first. Processes may share the folder.

    A file's time of modification is when it was last used. Nothing is synced: a copy that a power cut tears does
    not verify when it is read.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        # The folder is looked through once for each sixteenth that was added, and then has room for the next.
        self._room = max_bytes // _SWEEPS
        self._swept_bytes = max_bytes - self._room
        self._added = self._room

    async def use(self, name: Digest) -> bool:
        """True where there is such a copy, which from now on is the one used last."""
        try:
            await anyio.to_thread.run_sync(os.utime, self._folder / name)
        except OSError:
            return False
        return True

    async def read(self, name: Digest, span: Span | None = None) -> AsyncIterator[bytes]:
        """The copy, or that span of it, in chunks. Raises `BlobMissing`, also where the disk can't be read."""
        try:
            async for chunk in read_chunks(self._folder / name, span):
                yield chunk
        except FileNotFoundError:
            raise BlobMissing(name) from None
        except OSError as error:
            _log.error("copy unreadable", file=str(self._folder / name), why=error.strerror)
            raise BlobMissing(name) from None

    async def keep(self, name: Digest, chunks: AsyncIterator[bytes]) -> None:
        """Make the copy, or leave no trace where the chunks end in an error. Raises `NotKept`."""
        staged = self._folder / f".{name}.{secrets.token_hex(8)}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                size = await _write(staged, chunks)
                await anyio.to_thread.run_sync(self._make_room, size)
                staged.replace(self._folder / name)
            finally:
                staged.unlink(missing_ok=True)
        except OSError as error:
            raise NotKept(f"can't write in {self._folder}: {error.strerror}") from None

    def _make_room(self, size: int) -> None:
        self._added += size
        if self._added <= self._room:
            return
        self._added = 0
        with os.scandir(self._folder) as entries:
            files = sorted(_known(entries))
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total <= self._swept_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size


async def _write(path: Path, chunks: AsyncIterator[bytes]) -> int:
    size = 0
    async with await anyio.open_file(path, "xb") as file:
        async for chunk in chunks:
            size += await file.write(chunk)
    return size


def _known(entries: Iterable[os.DirEntry[str]]) -> Iterator[tuple[int, int, Path]]:
    """When each file was used last, its size and its path; one that another process takes away is passed over."""
    for entry in entries:
        with suppress(FileNotFoundError):
            status = entry.stat()
            yield status.st_mtime_ns, status.st_size, Path(entry.path)
