"""A snapshot as files: the sealed root, and a folder of shards named by their digests."""

import fcntl
import os
import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread

from bundles.adapters.files import read_at_most, write_atomically
from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Failed
from release.core.snapshot import MAX_SEALED_BYTES, ShardRef

FILE_NAME = "routing.json"
DROPPED_STAY_SECONDS = 3600
"""How long a shard that no root names any more is left for who has read an older root and is slow."""


class DiskSnapshots:
    """One folder. The root is replaced as a whole; writers of all processes take turns by a lock file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / FILE_NAME
        self._shards = folder / "shards"

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Keeps every other writer out, on this machine and in other processes."""
        descriptor = await anyio.to_thread.run_sync(self._lock)
        try:
            yield
        finally:
            os.close(descriptor)

    async def read(self) -> bytes | None:
        """The sealed root, or None before the first. Raises `Failed`, also for one that is too large."""
        try:
            return await anyio.to_thread.run_sync(read_at_most, self._file, MAX_SEALED_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Failed(f"can't read the snapshot {self._file}: {error.strerror}") from None

    async def read_shards(self, refs: Iterable[ShardRef]) -> Mapping[Digest, bytes]:
        """The shards' bytes, not yet checked. Raises `Failed` where one is missing or of another size."""
        return await anyio.to_thread.run_sync(lambda: {ref.digest: self._read_shard(ref) for ref in refs})

    async def lacks(self, refs: Iterable[ShardRef], *, thorough: bool) -> Collection[Digest]:
        """Those of the shards that are missing or cut; where it is to be thorough, also those with other bytes."""
        holds = self._holds_bytes if thorough else self._holds_size
        return await anyio.to_thread.run_sync(lambda: {ref.digest for ref in refs if not holds(ref)})

    async def replace(self, sealed: bytes, new: Mapping[Digest, bytes], dropped: Collection[Digest]) -> None:
        """Put the new shards there and then, in place of the old one, the root that names them."""
        await anyio.to_thread.run_sync(self._replace, sealed, new, dropped)

    async def sweep(self, named: Collection[Digest]) -> None:
        """Remove all shards but these and those dropped within the last hour."""
        await anyio.to_thread.run_sync(self._sweep, named)

    def _replace(self, sealed: bytes, new: Mapping[Digest, bytes], dropped: Collection[Digest]) -> None:
        for digest, body in new.items():
            write_atomically(self._shard(digest), body)
        for digest in dropped:
            self._mark(digest)
        write_atomically(self._file, sealed)

    def _mark(self, digest: Digest) -> None:
        """Its hour begins before the root changes: no crash can make it shorter."""
        try:
            os.utime(self._shard(digest))
        except FileNotFoundError:
            return
        except OSError as error:
            raise Failed(f"can't write in {self._shards}: {error.strerror}") from None

    def _sweep(self, named: Collection[Digest]) -> None:
        kept = {self._shard(digest).name for digest in named}
        try:
            for file in list(self._strangers(kept)):
                file.unlink(missing_ok=True)
        except OSError as error:
            raise Failed(f"can't remove old shards in {self._shards}: {error.strerror}") from None

    def _strangers(self, kept: Collection[str]) -> Iterator[Path]:
        """What is not to be kept and old enough to go; also what writers that were killed have left."""
        now = time.time()
        for entry in os.scandir(self._shards) if self._shards.is_dir() else ():
            if entry.name not in kept and now - entry.stat().st_mtime > DROPPED_STAY_SECONDS:
                yield Path(entry.path)

    def _read_shard(self, ref: ShardRef) -> bytes:
        path = self._shard(ref.digest)
        try:
            body = read_at_most(path, ref.size)
        except OSError as error:
            raise Failed(f"can't read the shard {path}: {error.strerror}") from None
        if len(body) != ref.size:
            raise Failed(f"the shard {path} has {len(body)} bytes, not {ref.size}")
        return body

    def _holds_size(self, ref: ShardRef) -> bool:
        try:
            return self._shard(ref.digest).stat().st_size == ref.size
        except OSError:
            return False

    def _holds_bytes(self, ref: ShardRef) -> bool:
        try:
            return digest_of(self._read_shard(ref)) == ref.digest
        except Failed:
            return False

    def _shard(self, digest: Digest) -> Path:
        return self._shards / f"{digest}.json"

    def _lock(self) -> int:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise Failed(f"can't write in {self._folder}: {error.strerror}") from None
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor
