"""Bodies of variants: from memory where they fit, else streamed; never one that differs from its digest."""

import hashlib
from collections.abc import AsyncIterator
from enum import StrEnum

import msgspec
from cachetools import LRUCache

from bundles.core.digest import Digest
from bundles.core.errors import Failed
from bundles.core.span import Span
from bundles.flight import SingleFlight
from bundles.ports import BlobMissing
from origin import metrics
from origin.core.answer import BlobBody
from origin.ports import Builds

MAX_SOUND_KNOWN = 10_000


class CacheStatus(StrEnum):
    """What the cache in memory did for a body (RFC 9211)."""

    HIT = "headrace; hit"
    STORED = "headrace; fwd=miss; stored"
    STREAMED = "headrace; fwd=miss"


class Fetched(msgspec.Struct, frozen=True):
    """A body's bytes, whole or in chunks, and where they came from."""

    content: bytes | AsyncIterator[bytes]
    cache_status: CacheStatus


class Bodies:
    """A cache bounded in bytes. A blob larger than an eighth of it is streamed and never kept."""

    def __init__(self, store: Builds, cache_bytes: int) -> None:
        self._store = store
        self._kept: LRUCache[Digest, bytes] = LRUCache(cache_bytes, getsizeof=len)
        self._largest_kept = cache_bytes // 8
        self._loads: SingleFlight[Digest, bytes] = SingleFlight()
        self._sound: LRUCache[Digest, bool] = LRUCache(MAX_SOUND_KNOWN)
        self._checks: SingleFlight[Digest, None] = SingleFlight()

    async def fetch(self, body: BlobBody) -> Fetched:
        """The body's bytes. Raises `Failed` where the blob is missing or damaged.

        A stream ends in `Failed` before its last chunk if the digest does not hold, so that the client sees a
        short body and not a wrong one. Parts of a blob that is too large to keep are sent once the whole of it
        was found to be sound, which is looked at once.
        """
        fetched = await self._fetch(body)
        metrics.bodies.labels(fetched.cache_status.name.lower()).inc()
        return fetched

    async def _fetch(self, body: BlobBody) -> Fetched:
        if body.size > self._largest_kept:
            return Fetched(await _begun(self._stream(body)), CacheStatus.STREAMED)
        kept = self._kept.get(body.digest)
        if kept is not None:
            return Fetched(_assembled(body, kept), CacheStatus.HIT)
        loaded = await self._loads.join(body.digest, self._load(body.digest, body.size))
        return Fetched(_assembled(body, loaded), CacheStatus.STORED)

    async def _load(self, digest: Digest, size: int) -> bytes:
        blob = b"".join([chunk async for chunk in self._checked_chunks(digest, size)])
        self._kept[digest] = blob
        metrics.cache_bytes.set(self._kept.currsize)
        return blob

    async def _stream(self, body: BlobBody) -> AsyncIterator[bytes]:
        if body.parts == (Span(0, body.size),):
            async for chunk in self._checked_chunks(body.digest, body.size):
                yield chunk
            return
        if body.digest not in self._sound:
            await self._checks.join(body.digest, self._check(body.digest, body.size))
        for part in body.parts:
            if isinstance(part, bytes):
                yield part
            else:
                async for chunk in self._span_chunks(body.digest, part):
                    yield chunk

    async def _check(self, digest: Digest, size: int) -> None:
        async for _ in self._checked_chunks(digest, size):
            pass

    async def _checked_chunks(self, digest: Digest, size: int) -> AsyncIterator[bytes]:
        """The blob's chunks, the last one held back until the digest of them all holds."""
        seen = hashlib.sha256()
        held = b""
        left = size
        async for chunk in self._chunks(digest, None):
            left -= len(chunk)
            if left < 0:
                break
            if held:
                yield held
            seen.update(chunk)
            held = chunk
        if seen.hexdigest() != digest:
            raise _damaged(digest)
        self._sound[digest] = True
        yield held

    async def _span_chunks(self, digest: Digest, span: Span) -> AsyncIterator[bytes]:
        left = span.size
        async for chunk in self._chunks(digest, span):
            left -= len(chunk)
            yield chunk
        if left:
            raise _damaged(digest)

    async def _chunks(self, digest: Digest, span: Span | None) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._store.read_blob(digest, span):
                yield chunk
        except BlobMissing:
            raise Failed(f"the store lost the blob {digest}: restore it from a backup") from None


def _damaged(digest: Digest) -> Failed:
    return Failed(f"the blob {digest} is damaged in the store: restore it from a backup")


def _assembled(body: BlobBody, blob: bytes) -> bytes:
    return b"".join(part if isinstance(part, bytes) else blob[part.start : part.end] for part in body.parts)


async def _begun(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks, the first one fetched already: a body that can't be had is an error, no broken 200."""
    first = await anext(chunks)

    async def all_chunks() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return all_chunks()
