"""The store as the origin reads it: through verified copies on its own disk, which outlive the store."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeVar

import anyio
import stamina
import structlog
from cachetools import LRUCache

from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Failed
from bundles.core.names import Product
from bundles.core.span import Span
from bundles.core.trust import TrustedKeys
from bundles.core.version import Version
from bundles.flight import SingleFlight
from bundles.load import open_manifest
from bundles.ports import BlobMissing, BuildReader
from origin import metrics
from origin.ports import Copies, NotKept

_log = structlog.get_logger()

T = TypeVar("T")

MANIFEST_SECONDS = 10.0
CHUNK_SECONDS = 10.0
BLOB_SECONDS = 90.0
MAX_BLOB_BYTES = 128 * 1024 * 1024
MAX_READS = 32
MAX_SOUND_KNOWN = 100_000
_again = stamina.AsyncRetryingCaller(attempts=3, timeout=None, wait_initial=0.1, wait_jitter=0.1)


class NearStore:
    """Builds, each read from the store once and verified before a byte of it is given away.

    Wrong bytes are asked for again, a few times. A store that gives nothing for ten seconds is given up, and so is
    a blob that takes longer than 90: who waits is told in a bounded time.
    """

    def __init__(self, store: BuildReader, copies: Copies, trusted: TrustedKeys) -> None:
        self._store = store
        self._copies = copies
        self._trusted = trusted
        self._sound: LRUCache[Digest, bool] = LRUCache(MAX_SOUND_KNOWN)
        self._flights: SingleFlight[Digest, None] = SingleFlight()
        self._reads = anyio.CapacityLimiter(MAX_READS)

    async def read_manifest(self, product: Product, version: Version) -> bytes | None:
        """The sealed manifest, its signature checked, or None when there is no such build. Raises `Failed`."""
        name = digest_of(f"{product}@{version}".encode())
        verify = partial(open_manifest, trusted=self._trusted, product=product, version=version)
        copy = await self._manifest_copy(name, verify)
        if copy is not None:
            return copy
        sealed = await self._read("manifest", partial(self._sealed, product, version, verify), MANIFEST_SECONDS)
        if sealed is not None:
            await self._keep_manifest(name, sealed)
        return sealed

    async def read_blob(self, digest: Digest, span: Span | None = None) -> AsyncIterator[bytes]:
        """The blob, or that span of it, in chunks. Raises `BlobMissing`, and `Failed` where it can't be had.

        Where the origin's own disk does not work, these are the store's bytes as they come.
        """
        try:
            await self._need(digest)
        except NotKept as error:
            _log.error("copy not kept", digest=digest, why=str(error))
            chunks = self._store.read_blob(digest, span)
        else:
            chunks = self._copies.read(digest, span)
        async for chunk in chunks:
            yield chunk

    async def _need(self, digest: Digest) -> None:
        """Return once there is a copy whose bytes have the digest."""
        if digest not in self._sound or not await self._copies.use(digest):
            await self._flights.join(digest, self._make_sound(digest))

    async def _make_sound(self, digest: Digest) -> None:
        if not await self._is_sound(digest):
            await self._read("blob", lambda: self._copies.keep(digest, self._checked(digest)), BLOB_SECONDS)
        self._sound[digest] = True

    async def _is_sound(self, digest: Digest) -> bool:
        """True for a copy of an earlier process that has the digest still."""
        seen = hashlib.sha256()
        try:
            async for chunk in self._copies.read(digest):
                seen.update(chunk)
        except BlobMissing:
            return False
        if seen.hexdigest() != digest:
            _log.error("copy damaged", digest=digest)
            return False
        return True

    async def _checked(self, digest: Digest) -> AsyncIterator[bytes]:
        """The store's chunks; ends in `_Damaged` if together they have not the digest."""
        seen = hashlib.sha256()
        left = MAX_BLOB_BYTES
        async for chunk in _steps(self._store.read_blob(digest)):
            left -= len(chunk)
            if left < 0:
                break
            seen.update(chunk)
            yield chunk
        if seen.hexdigest() != digest:
            raise _Damaged(f"the blob {digest} is damaged in the store: restore it from a backup")

    async def _manifest_copy(self, name: Digest, verify: Callable[[bytes], object]) -> bytes | None:
        if not await self._copies.use(name):
            return None
        try:
            sealed = b"".join([chunk async for chunk in self._copies.read(name)])
            verify(sealed)
        except BlobMissing:
            return None
        except Failed as error:
            _log.error("copy damaged", why=str(error))
            return None
        return sealed

    async def _sealed(self, product: Product, version: Version, verify: Callable[[bytes], object]) -> bytes | None:
        sealed = await self._store.read_manifest(product, version)
        try:
            if sealed is not None:
                verify(sealed)
        except Failed as error:
            raise _Damaged(str(error)) from None
        return sealed

    async def _keep_manifest(self, name: Digest, sealed: bytes) -> None:
        try:
            await self._copies.keep(name, _one(sealed))
        except NotKept as error:
            _log.error("copy not kept", why=str(error))

    async def _read(self, kind: str, read: Callable[[], Awaitable[T]], seconds: float) -> T:
        """The result of this read of the store, within its time and beside so many others at most."""
        metrics.store_reads.labels(kind).inc()
        try:
            async with asyncio.timeout(seconds), self._reads:
                return await _again.on(_Damaged)(read)
        except (Failed, BlobMissing):
            metrics.store_failures.labels(kind).inc()
            raise
        except TimeoutError:
            metrics.store_failures.labels(kind).inc()
            raise Failed(f"the store was not done within {seconds:.0f} s") from None


class _Damaged(Failed):
    """The store gave other bytes than it should have: it may give the right ones the next time."""


async def _one(chunk: bytes) -> AsyncIterator[bytes]:
    yield chunk


async def _steps(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks. Raises `Failed` where the next one does not come."""
    while True:
        try:
            async with asyncio.timeout(CHUNK_SECONDS):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Failed(f"the store gave nothing for {CHUNK_SECONDS:.0f} s") from None
        yield chunk
