"""Bodies of variants: from memory where they fit, else streamed; never one that differs from its digest."""

import hashlib
from collections.abc import AsyncIterator

from cachetools import LRUCache

from bundles.core.digest import Digest
from bundles.core.errors import Failed
from bundles.ports import BlobMissing, BuildReader
from origin.flight import SingleFlight


class Bodies:
    """A cache bounded in bytes. A body larger than an eighth of it is streamed and never kept."""

    def __init__(self, store: BuildReader, cache_bytes: int) -> None:
        self._store = store
        self._kept: LRUCache[Digest, bytes] = LRUCache(cache_bytes, getsizeof=len)
        self._largest_kept = cache_bytes // 8
        self._loads: SingleFlight[Digest, bytes] = SingleFlight()

    async def body(self, digest: Digest, size: int) -> bytes | AsyncIterator[bytes]:
        """The body whole, or its chunks where it is large. Raises `Failed` where it is missing or damaged.

        A stream ends in `Failed` before its last chunk if the digest does not hold, so that the client sees a
        short body and not a wrong one.
        """
        if size > self._largest_kept:
            return self._checked_chunks(digest, size)
        kept = self._kept.get(digest)
        if kept is not None:
            return kept
        return await self._loads.join(digest, self._load(digest, size))

    async def _load(self, digest: Digest, size: int) -> bytes:
        body = b"".join([chunk async for chunk in self._checked_chunks(digest, size)])
        self._kept[digest] = body
        return body

    async def _checked_chunks(self, digest: Digest, size: int) -> AsyncIterator[bytes]:
        """The chunks, the last one held back until the digest of them all holds."""
        seen = hashlib.sha256()
        held = b""
        left = size
        try:
            async for chunk in self._store.read_blob(digest):
                left -= len(chunk)
                if left < 0:
                    break
                if held:
                    yield held
                seen.update(chunk)
                held = chunk
        except BlobMissing:
            raise Failed(f"the store lost the blob {digest}: restore it from a backup") from None
        if seen.hexdigest() != digest:
            raise Failed(f"the blob {digest} is damaged in the store: restore it from a backup")
        yield held
