"""Mend: write again the blobs of a published build that its store has lost or damaged."""

from collections.abc import AsyncIterator, Set

import anyio
import anyio.to_thread

from bundles.core.compress import Encoding, encode
from bundles.core.delta import make_delta
from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Failed
from bundles.core.manifest import Artifact, Manifest
from bundles.deltas import read_whole
from bundles.order import Order, Publisher
from bundles.ports import ArtifactSource, Store
from bundles.variants import first_known

_AT_A_TIME = 16


async def mend(publisher: Publisher, order: Order, manifest: Manifest, source: ArtifactSource) -> int:
    """Make each lost or damaged blob of a build anew, from the files that it was made of. How many were mended.

    Raises `Failed` where some are not what these files give, once all others are mended.
    """
    lost = await _lost(publisher.store, manifest)
    count = len(lost)
    async for body in _bodies(publisher, order, manifest, source, lost):
        digest = digest_of(body)
        if digest in lost:
            await publisher.store.put_blob(digest, body)
            lost.remove(digest)
    if lost:
        name, version = manifest.product, manifest.version
        raise Failed(
            f"{len(lost)} blobs of {name}@{version} are missing or damaged and can't be made again of these files"
            f" alone; {count - len(lost)} others were mended. `headrace verify {name} {version}` names them:"
            " publish again the older builds whose dictionaries are missing, or restore a backup"
        )
    return count


async def _lost(store: Store, manifest: Manifest) -> set[Digest]:
    lost: set[Digest] = set()
    slots = anyio.CapacityLimiter(_AT_A_TIME)

    async def look(digest: Digest) -> None:
        async with slots:
            if not await store.has_blob(digest):
                lost.add(digest)

    try:
        async with anyio.create_task_group() as group:
            for digest in set(manifest.own_blobs()):
                group.start_soon(look, digest)
    except ExceptionGroup as faults:
        raise first_known(faults) from faults
    return lost


async def _bodies(
    publisher: Publisher, order: Order, manifest: Manifest, source: ArtifactSource, lost: Set[Digest]
) -> AsyncIterator[bytes]:
    """What may be among the lost."""
    for attestation in order.attestations:
        yield attestation.document
    for artifact in manifest.artifacts:
        if not lost.isdisjoint(artifact.own_blobs()):
            data = await anyio.to_thread.run_sync(source.read, artifact.path)
            async for body in _bodies_of(publisher, artifact, data, lost):
                yield body


async def _bodies_of(
    publisher: Publisher, artifact: Artifact, data: bytes, lost: Set[Digest]
) -> AsyncIterator[bytes]:
    """The artifact's own bytes come first: they may be the dictionary of its deltas."""
    yield data
    for variant in artifact.variants:
        if variant.digest in lost and variant.encoding is not Encoding.IDENTITY:
            yield await publisher.cores.run(encode, data, variant.encoding)
    for delta in artifact.deltas:
        if delta.digest in lost:
            dictionary = await read_whole(publisher.store, delta.dictionary)
            if dictionary:
                yield await publisher.cores.run(make_delta, data, dictionary)
