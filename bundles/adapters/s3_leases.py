"""Who publishes and who sweeps in S3, which has no locks: one object for each of them, renewed while they work.

leases/publish/{id}   a publisher, beside others
leases/sweep/{id}     a sweeper, alone

Each side writes its own lease first and only then lists the other's (Dekker's algorithm). S3's lists have every
write that was acknowledged before them, so of two that begin at a time at least one sees the other: the publisher
waits, the sweeper gives up. Ages are differences of the server's own times: no machine's clock matters.

A lease that was not renewed for `LEASE_SECONDS` is a killed process's, ignored and taken away. Who lives ends its
work before that, where a renewal fails or is late, and where it finds that its process was frozen for longer.
One gap is left: the requests that a frozen process had ready when it went on. A publisher's new blobs then still
have the sweep's grace.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from enum import StrEnum

import anyio

from bundles.adapters.s3_bucket import S3Bucket
from bundles.core.errors import Conflict, Failed

LEASE_SECONDS = 120.0
_POLL_SECONDS = 0.5


class _Kind(StrEnum):
    PUBLISH = "publish"
    SWEEP = "sweep"


class S3Leases:
    """The leases below one prefix of a bucket."""

    def __init__(self, bucket: S3Bucket, seconds: float) -> None:
        self._bucket = bucket
        self._seconds = seconds

    @asynccontextmanager
    async def publishing(self) -> AsyncIterator[None]:
        """A publisher's lease; waits until no sweep runs. Raises `Failed` where the lease is lost."""
        async with self._held(_Kind.PUBLISH):
            while await self._live(_Kind.SWEEP):  # noqa: ASYNC110 - another process holds it
                await anyio.sleep(_POLL_SECONDS)
            yield

    @asynccontextmanager
    async def sweeping(self) -> AsyncIterator[None]:
        """A sweeper's lease. Raises `Conflict` while another works, `Failed` where the lease is lost."""
        async with self._held(_Kind.SWEEP) as own:
            if await self._live(_Kind.PUBLISH):
                raise Conflict("a publish is running: try again once it is done")
            if await self._live(_Kind.SWEEP) != {own}:
                raise Conflict("another sweep is running: try again once it is done")
            yield

    @asynccontextmanager
    async def _held(self, kind: _Kind) -> AsyncIterator[str]:
        """A lease, renewed until the end; yields its name."""
        name = secrets.token_hex(16)
        key = f"{_folder(kind)}{name}"
        begun = await self._bucket.put(key, b"")
        lost = anyio.CancelScope()
        renewing = asyncio.create_task(self._renew(key, begun, lost))
        try:
            with lost:
                yield name
        finally:
            renewing.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([renewing])
                await self._bucket.remove([key])
        if lost.cancel_called:
            raise Failed("the lease on the store ran out, so the work was broken off: try again")

    async def _renew(self, key: str, renewed_at: datetime, lost: anyio.CancelScope) -> None:
        """Renew the lease until cancelled, or until it may be lost: `lost` is cancelled then."""
        while True:
            with anyio.move_on_after(self._seconds / 2) as in_time:
                await anyio.sleep(self._seconds / 6)
                try:
                    now = await self._bucket.put(key, b"")
                except Failed:
                    break
            if in_time.cancelled_caught or (now - renewed_at).total_seconds() > self._seconds:
                break
            renewed_at = now
        lost.cancel()

    async def _live(self, kind: _Kind) -> set[str]:
        """The names of the leases that count; those of killed processes are taken away."""
        live: set[str] = set()
        async for page in self._bucket.pages(_folder(kind)):
            for file in page.files:
                if (page.at - file.written_at).total_seconds() <= self._seconds:
                    live.add(file.name)
                else:
                    await self._bucket.remove([_folder(kind) + file.name])
        return live


def _folder(kind: _Kind) -> str:
    return f"leases/{kind}/"
