"""Sweep: remove the blobs that no build needs."""

from collections.abc import Callable, Collection

import anyio
import msgspec

from bundles.core.errors import Failed, Refused
from bundles.core.names import Product
from bundles.core.trust import TrustedKeys
from bundles.core.version import Version
from bundles.load import load_build
from bundles.ports import BuildReader, Store, StoredBlob, Sweeper
from bundles.variants import first_known

GRACE_SECONDS = 24 * 3600
"""A blob that is younger is left alone: it may be a publisher's that lost its lease and is about to notice."""

_READ_AT_A_TIME = 16
_REMOVED_AT_A_TIME = 1_000


IsOver = Callable[[], bool]
"""Whether the time is over that the work may take; it is asked between its steps."""


def never() -> bool:
    """For work that may take as long as it takes."""
    return False


class TimeIsOver(Refused):
    """The time was over before it was known what builds need. Nothing was changed.

    It is no `Failed`, which clients try again at once: it would take as long.
    """

    def __init__(self, before: str) -> None:
        super().__init__(
            f"the time that a server takes was over before {before}: nothing was changed."
            " Run `headrace retire` where the data folder is: that takes as long as it takes"
        )


class Garbage(msgspec.Struct, frozen=True):
    """Blobs that no build needs: how many, and their bytes in all; not `is_whole` where not all were looked at."""

    blobs: int = 0
    size: int = 0
    is_whole: bool = True

    def __add__(self, blob: StoredBlob) -> "Garbage":
        return Garbage(self.blobs + 1, self.size + blob.size, self.is_whole)


async def needed_blobs(
    store: BuildReader,
    trusted: TrustedKeys,
    without: Collection[tuple[Product, Version]],
    is_over: IsOver = never,
) -> set[bytes]:
    """The digests, 32 bytes each, of all that the builds need but for those that are about to be retired.

    About 100 MB of memory for a million of them. A build that can't be read, or whose signature is wrong, raises
    `Failed`: what it needs is not known. Raises `TimeIsOver` once the time `is_over`.
    """
    needed: set[bytes] = set()
    slots = anyio.CapacityLimiter(_READ_AT_A_TIME)

    async def add(product: Product, version: Version) -> None:
        async with slots:
            if is_over():
                raise TimeIsOver("all builds that stay were read")
            manifest = await load_build(store, trusted, product, version)
        if manifest is None:
            raise Failed(f"{product}@{version} is listed, but has no manifest")
        needed.update(bytes.fromhex(digest) for digest in manifest.blobs())

    for product in await store.products():
        try:
            async with anyio.create_task_group() as group:
                for version in await store.versions(product):
                    if (product, version) not in without:
                        group.start_soon(add, product, version)
        except ExceptionGroup as faults:
            fault = first_known(faults)
            if not isinstance(fault, Failed):
                raise fault from faults
            raise Failed(
                f"{fault}. No blob is removed while it is unknown who needs it: mend that build,"
                " or retire it by its name"
            ) from faults
    return needed


async def measure(store: Store, needed: Collection[bytes], now: int, is_over: IsOver = never) -> Garbage:
    """What a sweep would remove where these are the needed blobs. Removes nothing."""
    found = Garbage()
    async for blob in store.blobs():
        if is_over():
            return msgspec.structs.replace(found, is_whole=False)
        if _is_garbage(blob, needed, now):
            found += blob
    return found


async def sweep(
    store: Store, sweeper: Sweeper, needed: Collection[bytes], now: int, is_over: IsOver = never
) -> Garbage:
    """Remove every blob that is not `needed`, and what killed publishers left half-written.

    What is needed was looked up while the sweeper kept publishers out. Whatever ends a sweep midway, the next one
    removes the rest.
    """
    await sweeper.remove_unfinished()
    removed = Garbage()
    batch: list[StoredBlob] = []
    async for blob in store.blobs():
        if is_over():
            removed = msgspec.structs.replace(removed, is_whole=False)
            break
        if _is_garbage(blob, needed, now):
            batch.append(blob)
            removed += blob
        if len(batch) == _REMOVED_AT_A_TIME:
            await sweeper.remove_blobs([each.digest for each in batch])
            batch.clear()
    await sweeper.remove_blobs([each.digest for each in batch])
    return removed


def _is_garbage(blob: StoredBlob, needed: Collection[bytes], now: int) -> bool:
    return bytes.fromhex(blob.digest) not in needed and now - blob.stored_at > GRACE_SECONDS
