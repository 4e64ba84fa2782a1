"""Verify: re-read every byte of a build, and name each variant that is not what its manifest says."""

from collections.abc import Awaitable, Callable

import anyio.to_thread
import msgspec

from bundles.core.compress import decode
from bundles.core.delta import apply_delta
from bundles.core.digest import digest_of
from bundles.core.errors import Failed, Invalid
from bundles.core.manifest import Artifact, Delta, Manifest, Variant
from bundles.core.names import ArtifactPath
from bundles.core.provenance import AttestationRef
from bundles.deltas import read_whole
from bundles.ports import BlobMissing, BuildReader

Progress = Callable[[ArtifactPath], None]


class Damage(msgspec.Struct, frozen=True):
    """A variant that is damaged, by its encoding's name, and what is wrong with it.

    It is not certain where the store can't be read: that may be well again.
    """

    path: ArtifactPath
    encoding: str
    fault: str
    is_certain: bool = True


async def verify(store: BuildReader, manifest: Manifest, progress: Progress) -> list[Damage]:
    """Each damaged variant of a build whose manifest's signature holds; empty where all is well.

    A variant is well if its bytes have the manifest's size and digest and decode to the artifact; a delta
    decodes with its dictionary. `progress` is called with each artifact's path once it has been read.
    """
    damages = []
    for artifact in manifest.artifacts:
        for variant in artifact.variants:
            found = await _damage(artifact.path, variant.encoding, _variant_fault(store, artifact, variant))
            if found is not None:
                damages.append(found)
        for delta in artifact.deltas:
            found = await _damage(artifact.path, "dcz", _delta_fault(store, artifact, delta))
            if found is not None:
                damages.append(msgspec.structs.replace(found, fault=f"against {delta.base}: {found.fault}"))
        progress(artifact.path)
    return damages


async def _damage(path: ArtifactPath, encoding: str, looking: Awaitable[str | None]) -> Damage | None:
    try:
        fault = await looking
    except Failed as error:
        return Damage(path, encoding, str(error), is_certain=False)
    return None if fault is None else Damage(path, encoding, fault)


async def _variant_fault(store: BuildReader, artifact: Artifact, variant: Variant) -> str | None:
    def decoded(body: bytes) -> bytes:
        return decode(body, variant.encoding, artifact.variants[0].size)

    return await _fault(store, artifact, variant, decoded)


async def _delta_fault(store: BuildReader, artifact: Artifact, delta: Delta) -> str | None:
    dictionary = await read_whole(store, delta.dictionary)
    if dictionary is None:
        return f"its dictionary {delta.dictionary} is missing or damaged"

    def decoded(body: bytes) -> bytes:
        return apply_delta(body, dictionary, artifact.variants[0].size)

    return await _fault(store, artifact, delta, decoded)


async def _fault(
    store: BuildReader, artifact: Artifact, stored: Variant | Delta, decoded: Callable[[bytes], bytes]
) -> str | None:
    try:
        body = await read_stored(store, stored)
    except BlobMissing:
        return f"its blob {stored.digest} is missing"
    if len(body) != stored.size:
        return f"its blob {stored.digest} is not of {stored.size} bytes"
    return await anyio.to_thread.run_sync(_content_fault, artifact, stored, body, decoded)


async def read_stored(store: BuildReader, stored: Variant | Delta | AttestationRef) -> bytes:
    """The blob's bytes, or a little more than its size where it is longer. Raises `BlobMissing`."""
    body = bytearray()
    async for chunk in store.read_blob(stored.digest):
        body += chunk
        if len(body) > stored.size:
            break
    return bytes(body)


def _content_fault(
    artifact: Artifact, stored: Variant | Delta, body: bytes, decoded: Callable[[bytes], bytes]
) -> str | None:
    if digest_of(body) != stored.digest:
        return f"its bytes do not have the digest {stored.digest}"
    try:
        data = decoded(body)
    except Invalid as error:
        return str(error)
    if digest_of(data) != artifact.digest:
        return "it decodes to other bytes than the artifact's"
    return None
